/* SPDX-License-Identifier: Apache-2.0 */
/* Record batches on their way (client_batch.h). */
#include "client/client_batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"

#define BATCH_POOL_MIN	      4
#define BATCH_CHUNKS_A_BATCH  2
/* Header of the batch and the record's own varints are left to record_builder_cost. */

int
client_batch_pool_create(struct client_batch_pool *pool, uint64_t memory_bytes, uint32_t room_bytes)
{
	uint64_t each = room_bytes + sizeof(struct client_batch) +
			BATCH_CHUNKS_A_BATCH * sizeof(struct client_chunk);
	uint64_t count = memory_bytes / each;

	if (count < BATCH_POOL_MIN || count > UINT32_MAX / BATCH_CHUNKS_A_BATCH - 1) {
		return -EINVAL;
	}
	memset(pool, 0, sizeof(*pool));
	pool->batches = calloc(count, sizeof(*pool->batches));
	pool->arena = malloc(count * room_bytes);
	pool->chunks = calloc(count * BATCH_CHUNKS_A_BATCH, sizeof(*pool->chunks));
	if (!pool->batches || !pool->arena || !pool->chunks) {
		client_batch_pool_destroy(pool);
		return -ENOMEM;
	}
	pool->batch_count = (uint32_t)count;
	pool->free_count = (uint32_t)count;
	pool->room_bytes = room_bytes;
	for (uint32_t i = (uint32_t)count; i-- > 0;) {
		struct client_batch *batch = &pool->batches[i];

		batch->index = i;
		batch->bytes = pool->arena + (size_t)i * room_bytes;
		batch->next = pool->free_batches;
		pool->free_batches = batch;
	}
	for (uint64_t i = 0; i < count * BATCH_CHUNKS_A_BATCH; i++) {
		pool->chunks[i].next = pool->free_chunks;
		pool->free_chunks = &pool->chunks[i];
	}
	return 0;
}

void
client_batch_pool_destroy(struct client_batch_pool *pool)
{
	free(pool->batches);
	free(pool->arena);
	free(pool->chunks);
	memset(pool, 0, sizeof(*pool));
}

struct client_batch *
client_batch_take(struct client_batch_pool *pool, uint32_t room_bytes, uint64_t now_ns)
{
	struct client_batch *batch = pool->free_batches;

	if (!batch) {
		return NULL;
	}
	ensure(batch->state == CLIENT_BATCH_FREE);
	ensure(room_bytes <= pool->room_bytes);
	pool->free_batches = batch->next;
	pool->free_count--;
	*batch = (struct client_batch){
		.bytes = batch->bytes,
		.index = batch->index,
		.generation = batch->generation,
		.state = CLIENT_BATCH_OPEN,
		.base_sequence = -1,
		.created_ns = now_ns,
	};
	record_builder_init(&batch->builder, batch->bytes, room_bytes);
	return batch;
}

void
client_batch_give(struct client_batch_pool *pool, struct client_batch *batch)
{
	ensure(batch->state != CLIENT_BATCH_FREE);
	if (batch->notes_last) {
		batch->notes_last->next = pool->free_chunks;
		pool->free_chunks = batch->notes_first;
	}
	batch->notes_first = batch->notes_last = NULL;
	batch->state = CLIENT_BATCH_FREE;
	batch->generation++;
	batch->prev = NULL;
	batch->stream = NULL;
	batch->next = pool->free_batches;
	pool->free_batches = batch;
	pool->free_count++;
}

uint64_t
client_batch_token(const struct client_batch *batch)
{
	return (uint64_t)batch->generation << 32 | (batch->index + 1);
}

struct client_batch *
client_batch_of(struct client_batch_pool *pool, uint64_t token)
{
	uint32_t index = (uint32_t)token;

	if (index == 0) {
		return NULL;
	}
	ensure(index <= pool->batch_count);
	struct client_batch *batch = &pool->batches[index - 1];

	return batch->generation == token >> 32 && batch->state != CLIENT_BATCH_FREE ? batch : NULL;
}

uint64_t
client_batch_cost(const struct client_record *record)
{
	uint8_t none[RECORD_BATCH_HEADER_BYTES];
	struct record_builder empty;

	record_builder_init(&empty, none, sizeof(none));
	return RECORD_BATCH_HEADER_BYTES + record_builder_cost(&empty, record->timestamp_ms,
						   record->key ? (int32_t)record->key_len : -1,
						   record->value ? (int32_t)record->value_len : -1);
}

static struct client_record_note *
batch_note(struct client_batch_pool *pool, struct client_batch *batch)
{
	struct client_chunk *chunk = batch->notes_last;

	if (!chunk || chunk->count == CLIENT_CHUNK_RECORDS) {
		chunk = pool->free_chunks;
		if (!chunk) {
			return NULL;
		}
		pool->free_chunks = chunk->next;
		chunk->next = NULL;
		chunk->count = 0;
		if (batch->notes_last) {
			batch->notes_last->next = chunk;
		} else {
			batch->notes_first = chunk;
		}
		batch->notes_last = chunk;
	}
	return &chunk->notes[chunk->count];
}

int
client_batch_add(struct client_batch_pool *pool, struct client_batch *batch,
	const struct client_record *record)
{
	ensure(batch->state == CLIENT_BATCH_OPEN);
	struct client_record_note *note = batch_note(pool, batch);

	if (!note) {
		return -EAGAIN;
	}
	int rc = record_builder_add(&batch->builder, record->timestamp_ms, record->key,
		record->key ? (int32_t)record->key_len : -1, record->value,
		record->value ? (int32_t)record->value_len : -1);

	if (rc < 0) {
		return rc;
	}
	*note = (struct client_record_note){record->record_data, record->sent_ns};
	batch->notes_last->count++;
	batch->record_count++;
	batch->len = (uint32_t)writer_len(&batch->builder.writer);
	return 0;
}

void
client_batch_stamp(struct client_batch *batch, int64_t producer_id, int16_t producer_epoch,
	int32_t base_sequence)
{
	ensure(batch->record_count > 0);
	if (batch->stamped) {
		record_batch_set_producer(batch->bytes, batch->len, producer_id, producer_epoch,
			base_sequence);
	} else {
		batch->len = (uint32_t)record_builder_finish(&batch->builder, producer_id,
			producer_epoch, base_sequence);
		batch->stamped = true;
	}
	batch->base_sequence = base_sequence;
	batch->state = CLIENT_BATCH_UNSENT;
	batch->first_pn = 0;
	batch->last_pn = 0;
}
