/* SPDX-License-Identifier: Apache-2.0 */
/* Kafka's offset and time index; rule and formats in segment_index.h. */
#include "logstore/segment_index.h"

#include <errno.h>
#include "base/bytes.h"
#include "base/ensure.h"

/* A segment must be able to take a batch, whatever segment.index.bytes says. */
static uint32_t
index_at_least(uint32_t value, uint32_t least)
{
	return value < least ? least : value;
}

void
segment_index_init(struct segment_index *index, int64_t base_offset, uint32_t interval_bytes,
	uint32_t index_bytes_max)
{
	*index = (struct segment_index){
		.base_offset = base_offset,
		.interval_bytes = interval_bytes,
		.entries_max = index_at_least(index_bytes_max / SEGMENT_INDEX_ENTRY_BYTES, 2),
		.time_entries_max = index_at_least(index_bytes_max / SEGMENT_INDEX_TIME_ENTRY_BYTES, 3),
		.max_timestamp_ms = -1,
		.max_timestamp_offset = -1,
		.last_time_ms = -1,
	};
}

void
segment_index_resume(struct segment_index *index, uint32_t entry_count, uint32_t time_entry_count,
	const struct segment_index_time_entry *last_time)
{
	index->entry_count = entry_count;
	index->time_entry_count = time_entry_count;
	index->last_time_ms = last_time ? last_time->timestamp_ms : -1;
}

bool
segment_index_full(const struct segment_index *index, const struct segment_index_batch *batch)
{
	/* The close at roll may still add one time entry: its place is kept free. */
	return batch->last_offset - index->base_offset > INT32_MAX || batch->position > INT32_MAX ||
		index->entry_count >= index->entries_max ||
		index->time_entry_count + 1 >= index->time_entries_max;
}

bool
segment_index_close(struct segment_index *index, struct segment_index_time_entry *ret_entry)
{
	if (index->max_timestamp_ms <= index->last_time_ms) {
		return false;
	}
	index->last_time_ms = index->max_timestamp_ms;
	index->time_entry_count++;
	ret_entry->timestamp_ms = index->max_timestamp_ms;
	ret_entry->relative_offset = (int32_t)(index->max_timestamp_offset - index->base_offset);
	return true;
}

struct segment_index_step
segment_index_append(struct segment_index *index, const struct segment_index_batch *batch)
{
	struct segment_index_step step = {0};

	ensure(batch->last_offset >= index->base_offset);
	ensure(batch->last_offset - index->base_offset <= INT32_MAX);
	ensure(batch->position <= INT32_MAX);
	if (batch->max_timestamp_ms > index->max_timestamp_ms) {
		index->max_timestamp_ms = batch->max_timestamp_ms;
		index->max_timestamp_offset = batch->last_offset;
	}
	if (index->bytes_since_entry > index->interval_bytes) {
		step.has_entry = true;
		step.entry.relative_offset = (int32_t)(batch->last_offset - index->base_offset);
		step.entry.position = (int32_t)batch->position;
		index->entry_count++;
		step.has_time_entry = segment_index_close(index, &step.time_entry);
		index->bytes_since_entry = 0;
	}
	index->bytes_since_entry += batch->bytes;
	return step;
}

/* --- codecs ---------------------------------------------------------------------------------- */

void
segment_index_encode(const struct segment_index_entry *entry,
	uint8_t bytes[SEGMENT_INDEX_ENTRY_BYTES])
{
	store_be32(bytes, (uint32_t)entry->relative_offset);
	store_be32(bytes + 4, (uint32_t)entry->position);
}

void
segment_index_encode_time(const struct segment_index_time_entry *entry,
	uint8_t bytes[SEGMENT_INDEX_TIME_ENTRY_BYTES])
{
	store_be64(bytes, (uint64_t)entry->timestamp_ms);
	store_be32(bytes + 8, (uint32_t)entry->relative_offset);
}

struct segment_index_entry
segment_index_decode(const uint8_t bytes[SEGMENT_INDEX_ENTRY_BYTES])
{
	return (struct segment_index_entry){
		.relative_offset = (int32_t)load_be32(bytes),
		.position = (int32_t)load_be32(bytes + 4),
	};
}

struct segment_index_time_entry
segment_index_decode_time(const uint8_t bytes[SEGMENT_INDEX_TIME_ENTRY_BYTES])
{
	return (struct segment_index_time_entry){
		.timestamp_ms = (int64_t)load_be64(bytes),
		.relative_offset = (int32_t)load_be32(bytes + 8),
	};
}

/* --- checks and look-ups --------------------------------------------------------------------- */

int
segment_index_check(const uint8_t *bytes, size_t len, uint64_t log_bytes)
{
	/* The first batch never has an entry, so 0 is no place; and a block that a power cut tore is zeros. */
	struct segment_index_entry last = {.relative_offset = 0, .position = 0};
	size_t at;

	if (len % SEGMENT_INDEX_ENTRY_BYTES != 0) {
		return -EBADMSG;
	}
	for (at = 0; at < len; at += SEGMENT_INDEX_ENTRY_BYTES) {
		struct segment_index_entry entry = segment_index_decode(bytes + at);

		if (entry.relative_offset <= last.relative_offset || entry.position <= last.position ||
			(uint64_t)entry.position >= log_bytes) {
			return -EBADMSG;
		}
		last = entry;
	}
	return 0;
}

int
segment_index_check_time(const uint8_t *bytes, size_t len)
{
	struct segment_index_time_entry last = {.timestamp_ms = -1, .relative_offset = 0};
	size_t at;

	if (len % SEGMENT_INDEX_TIME_ENTRY_BYTES != 0) {
		return -EBADMSG;
	}
	for (at = 0; at < len; at += SEGMENT_INDEX_TIME_ENTRY_BYTES) {
		struct segment_index_time_entry entry = segment_index_decode_time(bytes + at);

		if (entry.timestamp_ms <= last.timestamp_ms ||
			entry.relative_offset < last.relative_offset) {
			return -EBADMSG;
		}
		last = entry;
	}
	return 0;
}

int64_t
segment_index_find(const uint8_t *bytes, size_t len, int64_t relative_offset)
{
	int64_t low = 0;
	int64_t high = (int64_t)(len / SEGMENT_INDEX_ENTRY_BYTES);

	while (low < high) {
		int64_t middle = low + (high - low) / 2;

		if (segment_index_decode(bytes + middle * SEGMENT_INDEX_ENTRY_BYTES).relative_offset <=
			relative_offset) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low - 1;
}
