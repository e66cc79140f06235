/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kafka's offset index (`.index`, 8-byte entries) and time index (`.timeindex`, 12-byte entries):
 * the rule that says which batch gets an entry, the codecs, checks and look-ups over arrays in
 * memory. Sans-I/O; big-endian; no state but the caller's.
 *
 * Rule per batch, in this order: raise the greatest timestamp (strictly greater replaces, offset =
 * the batch's last); if the bytes since the last entry exceed index.interval.bytes: add an index
 * entry (last offset of this batch, position of its first byte), then try a time entry, counter to
 * 0; then counter += batch bytes. So the first batch of a segment never gets an entry. A time entry
 * is skipped unless its timestamp exceeds the last one's; one more is tried at roll or clean stop.
 */
#ifndef LOGSTORE_SEGMENT_INDEX_H
#define LOGSTORE_SEGMENT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"

#define SEGMENT_INDEX_ENTRY_BYTES      8
#define SEGMENT_INDEX_TIME_ENTRY_BYTES 12

struct segment_index_entry {
	int32_t relative_offset; /* last offset of the batch minus segment base */
	int32_t position;
};

struct segment_index_time_entry {
	int64_t timestamp_ms;
	int32_t relative_offset;
};

/* The rule's state for one active segment. */
struct segment_index {
	int64_t base_offset;
	uint32_t interval_bytes;
	uint32_t entries_max;	   /* segment.index.bytes / 8 */
	uint32_t time_entries_max; /* segment.index.bytes / 12, one kept for the last try */
	uint32_t entry_count;
	uint32_t time_entry_count;
	uint32_t bytes_since_entry;
	int64_t max_timestamp_ms; /* -1 none */
	int64_t max_timestamp_offset;
	int64_t last_time_ms; /* of the last time entry, -1 none */
};

/* What one batch adds to the files. */
struct segment_index_step {
	bool has_entry;
	bool has_time_entry;
	struct segment_index_entry entry;
	struct segment_index_time_entry time_entry;
};

struct segment_index_batch {
	int64_t last_offset;
	int64_t max_timestamp_ms;
	uint32_t position;
	uint32_t bytes;
};

void segment_index_init(struct segment_index *index, int64_t base_offset, uint32_t interval_bytes,
	uint32_t index_bytes_max);
/*
 * True if the segment must be rolled before this batch: an index is full, or its relative offset or
 * position would exceed 2^31 - 1.
 */
bool segment_index_full(const struct segment_index *index, const struct segment_index_batch *batch);
/* One appended batch. The segment was not full for it. */
struct segment_index_step segment_index_append(struct segment_index *index,
	const struct segment_index_batch *batch);
/* The last try at roll or clean stop. True with the entry to append, false if there is none. */
bool segment_index_close(struct segment_index *index, struct segment_index_time_entry *ret_entry);
/*
 * Goes on from indexes cut to their checkpoint counts: the last entries as found (NULL: none).
 * Afterwards feed segment_index_append the batches from the checkpoint position on;
 * bytes_since_entry, max_timestamp_ms and its offset are the caller's to restore.
 */
void segment_index_resume(struct segment_index *index, uint32_t entry_count,
	uint32_t time_entry_count, const struct segment_index_time_entry *last_time);

void segment_index_encode(const struct segment_index_entry *entry,
	uint8_t bytes[SEGMENT_INDEX_ENTRY_BYTES]);
void segment_index_encode_time(const struct segment_index_time_entry *entry,
	uint8_t bytes[SEGMENT_INDEX_TIME_ENTRY_BYTES]);
struct segment_index_entry segment_index_decode(const uint8_t bytes[SEGMENT_INDEX_ENTRY_BYTES]);
struct segment_index_time_entry segment_index_decode_time(
	const uint8_t bytes[SEGMENT_INDEX_TIME_ENTRY_BYTES]);

/*
 * Whole file in memory. 0, or -EBADMSG: length not a multiple, offsets or positions not strictly
 * rising, negative, or position >= log_bytes.
 */
int segment_index_check(const uint8_t *bytes, size_t len, uint64_t log_bytes) MUST_CHECK;
/* As above: timestamps strictly rising, offsets never falling. */
int segment_index_check_time(const uint8_t *bytes, size_t len) MUST_CHECK;

/*
 * Greatest entry with relative offset <= the target's: its index, or -1: start at position 0. `len`
 * is a multiple of the entry size. Offsets relative to the segment base.
 */
int64_t segment_index_find(const uint8_t *bytes, size_t len, int64_t relative_offset);

#endif
