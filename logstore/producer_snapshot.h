/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Producer state on disk, as of an offset (exclusive) which is the file's name:
 *   Kafka's `%020d.snapshot`, version 1, big-endian, one remembered batch a producer;
 *   our `%020d.producers`, little-endian, all five, with identity.
 * Sans-I/O: streaming encoder and decoder over caller's memory; any thread.
 *
 * `.producers`: 0 magic `PSPROD01`   8 crc32c of all that follows   12 version u16 = 1   14 zero u16
 *   16 topic id   32 partition   36 count   40 offset   48 entries of 152 bytes:
 *   0 producer id   8 epoch i16   10 batch count u8   11 zero   12 coordinator epoch i32
 *   16 first offset of the open transaction, -1 none   24 last timestamp ms   32 five batches, oldest
 *   first, unused ones zero: last sequence i32, offset delta i32, last offset i64, timestamp i64
 */
#ifndef LOGSTORE_PRODUCER_SNAPSHOT_H
#define LOGSTORE_PRODUCER_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"
#include "base/cursor.h"

#define PRODUCER_SNAPSHOT_BATCHES	5
#define PRODUCER_SNAPSHOT_PRODUCERS_MAX (1u << 20) /* a count above this is a damaged file */

enum producer_snapshot_format {
	PRODUCER_SNAPSHOT_KAFKA,
	PRODUCER_SNAPSHOT_OWN,
};

struct producer_batch {
	int32_t last_sequence;
	int32_t offset_delta; /* last minus first sequence */
	int64_t last_offset;
	int64_t timestamp_ms;
};

struct producer_entry {
	int64_t producer_id;
	int16_t epoch;
	uint8_t batch_count; /* 0..5; Kafka's format: 0..1 */
	int32_t coordinator_epoch;
	int64_t txn_first_offset; /* -1 none */
	int64_t last_timestamp_ms;
	struct producer_batch batches[PRODUCER_SNAPSHOT_BATCHES]; /* oldest first */
};

/* Whose state it is; not stored in Kafka's format. */
struct producer_snapshot_identity {
	uint8_t topic_id[16];
	uint32_t partition;
	int64_t offset;
};

struct producer_snapshot_writer {
	struct writer w;
	enum producer_snapshot_format format;
	uint32_t count;
};

/* Exact size of a file with that many producers. */
size_t producer_snapshot_bytes(enum producer_snapshot_format format, uint32_t count);
void producer_snapshot_begin(struct producer_snapshot_writer *pw,
	enum producer_snapshot_format format, const struct producer_snapshot_identity *identity,
	void *bytes, size_t room);
/* Kafka's format keeps the newest batch only; without one lastSequence and lastOffset are -1. */
void producer_snapshot_add(struct producer_snapshot_writer *pw, const struct producer_entry *entry);
/* Count and crc. Returns the length, -ENOBUFS if anything did not fit. */
int64_t producer_snapshot_finish(struct producer_snapshot_writer *pw) MUST_CHECK;

struct producer_snapshot_reader {
	struct reader r;
	enum producer_snapshot_format format;
	uint32_t left;
	uint32_t count;
};

/*
 * Checks the whole file (crc, version, exact length; own format: identity too, unless NULL).
 * -EBADMSG: damaged; -ESTALE: somebody else's state. `bytes` must outlive the reader.
 */
int producer_snapshot_open(struct producer_snapshot_reader *pr,
	enum producer_snapshot_format format, const struct producer_snapshot_identity *identity,
	const uint8_t *bytes, size_t len) MUST_CHECK;
/* 1 with the next producer, 0 at the end, -EBADMSG: fields that no writer makes. */
int producer_snapshot_next(struct producer_snapshot_reader *pr, struct producer_entry *ret_entry)
	MUST_CHECK;

#endif
