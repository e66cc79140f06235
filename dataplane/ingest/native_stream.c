/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pool and hash table of stream slots (native_stream.h). Chained: a session has at most
 * streams_per_session_max of them and handles are dense, so no sender can build long chains.
 */
#include "ingest/native_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "ingest/batch_table.h"

static const bool stream_edges[STREAM_STATE_COUNT][STREAM_STATE_COUNT] = {
	[STREAM_FREE] = {[STREAM_QUERYING] = true},
	[STREAM_QUERYING] = {[STREAM_OPEN] = true, [STREAM_FREE] = true},
	[STREAM_OPEN] = {[STREAM_FREE] = true},
};

int
native_stream_table_init(struct native_stream_table *table, uint32_t count)
{
	uint32_t buckets = 1;

	while (buckets < count) {
		buckets *= 2;
	}
	table->slots = aligned_alloc(CACHE_LINE_BYTES, (size_t)count * sizeof(*table->slots));
	table->buckets = malloc((size_t)buckets * sizeof(*table->buckets));
	if (!table->slots || !table->buckets) {
		native_stream_table_fini(table);
		return -ENOMEM;
	}
	memset(table->slots, 0, (size_t)count * sizeof(*table->slots));
	memset(table->buckets, 0xff, (size_t)buckets * sizeof(*table->buckets));
	for (uint32_t i = 0; i < count; i++) {
		table->slots[i].hash_next = i + 1 < count ? i + 1 : STREAM_NONE;
	}
	table->count = count;
	table->used_count = 0;
	table->bucket_mask = buckets - 1;
	table->free_head = count > 0 ? 0 : STREAM_NONE;
	return 0;
}

void
native_stream_table_fini(struct native_stream_table *table)
{
	free(table->slots);
	free(table->buckets);
	table->slots = NULL;
	table->buckets = NULL;
}

static uint32_t *
stream_bucket(const struct native_stream_table *table, uint32_t session_index, uint32_t stream)
{
	uint64_t key = (uint64_t)session_index << 32 | stream;

	/* Fibonacci hashing: the upper half of the product is well mixed. */
	return &table->buckets[(key * 0x9e3779b97f4a7c15ull >> 32) & table->bucket_mask];
}

uint32_t
native_stream_find(const struct native_stream_table *table, uint32_t session_index, uint32_t stream)
{
	uint32_t index = *stream_bucket(table, session_index, stream);

	while (index != STREAM_NONE) {
		const struct native_stream *slot = &table->slots[index];

		if (slot->stream == stream && slot->session_index == session_index) {
			break;
		}
		index = slot->hash_next;
	}
	return index;
}

void
native_stream_prefetch(
	const struct native_stream_table *table, uint32_t session_index, uint32_t stream)
{
	uint32_t index = *stream_bucket(table, session_index, stream);

	if (index != STREAM_NONE) {
		__builtin_prefetch(&table->slots[index], 1);
	}
}

uint32_t
native_stream_open(struct native_stream_table *table, uint32_t session_index, uint32_t stream)
{
	uint32_t *bucket = stream_bucket(table, session_index, stream);
	uint32_t index = table->free_head;

	if (index == STREAM_NONE) {
		return STREAM_NONE;
	}
	struct native_stream *slot = &table->slots[index];

	ensure(slot->state == STREAM_FREE);
	table->free_head = slot->hash_next;
	table->used_count++;
	*slot = (struct native_stream){
		.durable_offset = -1,
		.stream = stream,
		.session_index = session_index,
		.hash_next = *bucket,
		.session_next = STREAM_NONE,
		.dirty_next = STREAM_NONE,
		.parked_last = BATCH_NONE,
		.copied_last = BATCH_NONE,
		.received_seq = -1,
		.copied_seq = -1,
		.durable_seq = -1,
		.restored_seq = -1,
	};
	native_stream_set_state(slot, STREAM_QUERYING);
	*bucket = index;
	return index;
}

void
native_stream_free(struct native_stream_table *table, uint32_t index)
{
	struct native_stream *slot = &table->slots[index];
	uint32_t *link = stream_bucket(table, slot->session_index, slot->stream);

	ensure(slot->parked_last == BATCH_NONE);
	ensure(slot->copied_last == BATCH_NONE);
	ensure(slot->in_log_count == 0);
	ensure(!(slot->flags & STREAM_DIRTY));
	native_stream_set_state(slot, STREAM_FREE);
	while (*link != index) {
		ensure(*link != STREAM_NONE);
		link = &table->slots[*link].hash_next;
	}
	*link = slot->hash_next;
	slot->hash_next = table->free_head;
	table->free_head = index;
	table->used_count--;
}

void
native_stream_set_state(struct native_stream *stream, enum native_stream_state state)
{
	ensure(stream_edges[stream->state][state]);
	stream->state = (uint8_t)state;
}
