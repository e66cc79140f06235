/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of encoded producer states. See snapshot_arena.h. */
#include "logstore/snapshot_arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"

#define ARENA_BYTES_MIN (1u << 20)

int
snapshot_arena_init(struct snapshot_arena *arena, uint32_t producers_max)
{
	size_t one = producer_snapshot_bytes(PRODUCER_SNAPSHOT_OWN, producers_max) +
		producer_snapshot_bytes(PRODUCER_SNAPSHOT_KAFKA, producers_max) + 16;

	*arena = (struct snapshot_arena){.bytes = (uint32_t)(2 * one + 4096)};
	if (arena->bytes < ARENA_BYTES_MIN) {
		arena->bytes = ARENA_BYTES_MIN;
	}
	arena->memory = malloc(arena->bytes);
	return arena->memory ? 0 : -ENOMEM;
}

void
snapshot_arena_close(struct snapshot_arena *arena)
{
	free(arena->memory);
	arena->memory = NULL;
}

/* `bytes` in one piece, or UINT32_MAX. The oldest slot bounds what is free. */
static uint32_t
find_room(const struct snapshot_arena *arena, uint32_t bytes)
{
	if (arena->count == 0) {
		return bytes <= arena->bytes ? 0 : UINT32_MAX;
	}
	uint32_t oldest = arena->slots[arena->first].from;

	if (arena->at > oldest) {
		if (arena->bytes - arena->at >= bytes) {
			return arena->at;
		}
		return oldest > bytes ? 0 : UINT32_MAX;
	}
	return oldest - arena->at > bytes ? arena->at : UINT32_MAX;
}

static uint32_t
encode(const struct partition *p, enum producer_snapshot_format format, int64_t offset, uint8_t *bytes,
	size_t room)
{
	struct producer_snapshot_identity identity = {.partition = p->partition, .offset = offset};
	struct producer_snapshot_writer writer;

	memcpy(identity.topic_id, p->topic_id, sizeof(identity.topic_id));
	producer_snapshot_begin(&writer, format, &identity, bytes, room);
	for (const struct producer *at = p->producers.oldest; at; at = at->list_newer) {
		producer_snapshot_add(&writer, &at->entry);
	}
	int64_t len = producer_snapshot_finish(&writer);

	ensure(len >= 0);
	return (uint32_t)len;
}

struct snapshot_slot *
snapshot_arena_encode(struct snapshot_arena *arena, const struct partition *p, int64_t offset)
{
	size_t own = producer_snapshot_bytes(PRODUCER_SNAPSHOT_OWN, p->producers.count);
	size_t kafka = producer_snapshot_bytes(PRODUCER_SNAPSHOT_KAFKA, p->producers.count);
	uint32_t bytes = (uint32_t)bytes_ceil(own + kafka, 8);
	uint32_t from = arena->count < SNAPSHOT_SLOTS ? find_room(arena, bytes) : UINT32_MAX;

	if (from == UINT32_MAX) {
		return NULL;
	}
	struct snapshot_slot *slot = &arena->slots[(arena->first + arena->count) % SNAPSHOT_SLOTS];

	*slot = (struct snapshot_slot){.own = arena->memory + from,
		.kafka = arena->memory + from + own,
		.from = from,
		.bytes = bytes,
		.used = true,
		.offset = offset};
	slot->own_len = encode(p, PRODUCER_SNAPSHOT_OWN, offset, arena->memory + from, own);
	slot->kafka_len = encode(p, PRODUCER_SNAPSHOT_KAFKA, offset, arena->memory + from + own, kafka);
	arena->count++;
	arena->at = from + bytes;
	return slot;
}

void
snapshot_arena_give(struct snapshot_arena *arena, struct snapshot_slot *slot)
{
	ensure(slot->used);
	slot->used = false;
	while (arena->count > 0 && !arena->slots[arena->first].used) {
		arena->first = (arena->first + 1) % SNAPSHOT_SLOTS;
		arena->count--;
	}
}
