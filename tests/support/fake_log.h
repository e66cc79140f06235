/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log in memory for tests of the batcher: serves read requests, keeps pins, sends commit notes.
 * One topic, partition p on shard p % shard_count. Every read is answered with a heap copy of
 * exactly its bytes that is freed by the release, so the address sanitizer sees any view that
 * outlives its pin.
 */
#ifndef SUPPORT_FAKE_LOG_H
#define SUPPORT_FAKE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/ring.h"
#include "base/route_table.h"

#define FAKE_LOG_SHARDS_MAX 4

struct fake_log_batch {
	int64_t base_offset;
	int64_t next_offset;
	size_t position;
	size_t len;
	bool lost;
};

struct fake_log_partition {
	uint8_t *bytes;
	size_t len;
	size_t room;
	struct fake_log_batch *batches;
	uint32_t batch_count;
	uint32_t batch_room;
	int64_t start;
	int64_t end;     /* high watermark and last stable offset in notes */
	int64_t durable; /* < 0: same as end */
};

struct fake_log {
	struct route_table routes;
	struct fake_log_partition *partitions;
	uint32_t partition_count;
	uint32_t shard_count;
	struct ring commit_notes[FAKE_LOG_SHARDS_MAX];
	struct ring read_req[FAKE_LOG_SHARDS_MAX];
	struct ring read_done[FAKE_LOG_SHARDS_MAX];
	struct ring extent_release[FAKE_LOG_SHARDS_MAX];
	uint32_t pins; /* out now */
	uint64_t pin_bytes;     /* that pins hold */
	uint64_t pin_bytes_max; /* most at a time */
	uint32_t hold_bytes;    /* of each pin at least, as an extent would; 0: its data only */
	uint32_t read_bytes;    /* at most of each read; 0: as it asks */
	uint32_t busy;          /* so many reads are answered without data: ask again */
	uint64_t reads;
	int16_t fail_error; /* answer for reads of fail_partition; 0 none */
	uint32_t fail_partition;
};

void fake_log_init(
	struct fake_log *log, uint32_t partition_count, uint32_t shard_count, uint32_t ring_count);
void fake_log_free(struct fake_log *log);
/* Stamps the next offset into the batch and appends a copy. Visible with the next note. */
void fake_log_append(struct fake_log *log, uint32_t partition, uint8_t *batch, size_t len);
/* Batches that begin in [from, until) are gone, as after a repair that accepted their loss. */
void fake_log_lose(struct fake_log *log, uint32_t partition, int64_t from, int64_t until);
/* False: the note ring is full. */
bool fake_log_note(struct fake_log *log, uint32_t partition);
/* Answers reads and takes releases; returns work done. */
uint32_t fake_log_poll(struct fake_log *log);

#endif
