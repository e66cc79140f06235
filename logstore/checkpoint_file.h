/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kafka's small text files, encoded and parsed in memory: offset checkpoints (recovery point, log
 * start, replication, cleaner), `leader-epoch-checkpoint`, `partition.metadata`, `meta.properties`,
 * `.kafka_cleanshutdown`. Sans-I/O, any thread. The caller writes them as `<name>.tmp`, fsync,
 * rename, fsync of the directory.
 */
#ifndef LOGSTORE_CHECKPOINT_FILE_H
#define LOGSTORE_CHECKPOINT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"
#include "base/cursor.h"

#define CHECKPOINT_TOPIC_MAX	249
#define CHECKPOINT_UUID_CHARS	22
#define CHECKPOINT_LINE_MAX	(CHECKPOINT_TOPIC_MAX + 1 + 10 + 1 + 20 + 1)
#define CHECKPOINT_PROPERTY_MAX 255

/* 16 bytes <-> 22 characters of base64url without padding (Kafka's Uuid). -EBADMSG: not one. */
void checkpoint_file_uuid_encode(const uint8_t id[16], char text[CHECKPOINT_UUID_CHARS + 1]);
int checkpoint_file_uuid_decode(const char *text, size_t len, uint8_t ret_id[16]) MUST_CHECK;

/* --- `0`, count, then lines: offset checkpoints and leader-epoch-checkpoint ------------------- */

/* Writes version and count; then exactly count lines of one kind; check w->failed at the end. */
void checkpoint_file_begin(struct writer *w, uint32_t count);
void checkpoint_file_add_offset(struct writer *w, const char *topic, uint32_t partition,
	int64_t offset);
void checkpoint_file_add_epoch(struct writer *w, int32_t epoch, int64_t start_offset);

struct checkpoint_offset {
	char topic[CHECKPOINT_TOPIC_MAX + 1];
	uint32_t partition;
	int64_t offset;
};

struct checkpoint_epoch {
	int32_t epoch;
	int64_t start_offset;
};

struct checkpoint_file_reader {
	struct reader r;
	uint32_t count; /* announced; 0 for an empty file */
	uint32_t left;
	struct checkpoint_epoch last_epoch; /* -1, -1 before the first */
};

/* -EBADMSG: no version 0, no count, or a count that the length cannot hold. */
int checkpoint_file_open(struct checkpoint_file_reader *cr, const void *bytes, size_t len)
	MUST_CHECK;
/* 1 with the next line, 0 at the end, -EBADMSG: malformed, or lines beside the count. */
int checkpoint_file_next_offset(struct checkpoint_file_reader *cr,
	struct checkpoint_offset *ret_line) MUST_CHECK;
/* As above; both columns must rise strictly. */
int checkpoint_file_next_epoch(struct checkpoint_file_reader *cr,
	struct checkpoint_epoch *ret_line) MUST_CHECK;

/* --- partition.metadata ----------------------------------------------------------------------- */

void checkpoint_file_write_metadata(struct writer *w, const uint8_t topic_id[16]);
int checkpoint_file_parse_metadata(const void *bytes, size_t len, uint8_t ret_topic_id[16])
	MUST_CHECK;

/* --- meta.properties -------------------------------------------------------------------------- */

struct checkpoint_properties {
	uint32_t version; /* 1 */
	uint32_t node_id;
	char cluster_id[CHECKPOINT_PROPERTY_MAX + 1];
	uint8_t directory_id[16];
	bool has_directory_id; /* absent in files of brokers before 3.7 */
};

void checkpoint_file_write_properties(struct writer *w, const struct checkpoint_properties *p);
/* Java properties as far as Kafka writes them: comments, `=` or `:`, backslash escapes. */
int checkpoint_file_parse_properties(const void *bytes, size_t len,
	struct checkpoint_properties *ret_properties) MUST_CHECK;

/* --- .kafka_cleanshutdown --------------------------------------------------------------------- */

/* Its presence alone says clean: nobody here reads it. */
void checkpoint_file_write_clean(struct writer *w, int64_t broker_epoch);

#endif
