/* SPDX-License-Identifier: Apache-2.0 */
/* The arena of encoded producer states. See snapshot_arena.h. */
#include "logstore/snapshot_arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"

#define ARENA_BYTES_MIN (1u << 20)

int
snapshot_arena_init(struct snapshot_arena *arena, uint32_t producers_max, uint32_t partitions_max)
{
	size_t one = producer_snapshot_bytes(PRODUCER_SNAPSHOT_OWN, producers_max) +
		producer_snapshot_bytes(PRODUCER_SNAPSHOT_KAFKA, producers_max) + 16;
	uint32_t slots = 2 * partitions_max;

	*arena = (struct snapshot_arena){.bytes = (uint32_t)(2 * one + 4096),
		.first = SNAPSHOT_NONE,
		.slots_max = slots > SNAPSHOT_SLOTS_MIN ? slots : SNAPSHOT_SLOTS_MIN};
	if (arena->bytes < ARENA_BYTES_MIN) {
		arena->bytes = ARENA_BYTES_MIN;
	}
	arena->memory = malloc(arena->bytes);
	arena->slots = calloc(arena->slots_max, sizeof(arena->slots[0]));
	if (!arena->memory || !arena->slots) {
		snapshot_arena_close(arena);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < arena->slots_max; i++) {
		arena->slots[i].next = i + 1 < arena->slots_max ? i + 1 : SNAPSHOT_NONE;
	}
	return 0;
}

void
snapshot_arena_close(struct snapshot_arena *arena)
{
	free(arena->memory);
	free(arena->slots);
	arena->memory = NULL;
	arena->slots = NULL;
}

bool
snapshot_arena_roomy(const struct snapshot_arena *arena)
{
	return arena->count < arena->slots_max / 2 && arena->used_bytes <= arena->bytes / 2;
}

/* The first gap of that size: its link is where the new slot goes. NULL: there is none. */
static uint32_t *
find_room(struct snapshot_arena *arena, uint32_t bytes, uint32_t *ret_from)
{
	uint32_t *link = &arena->first;
	uint32_t from = 0;

	for (; *link != SNAPSHOT_NONE; link = &arena->slots[*link].next) {
		const struct snapshot_slot *slot = &arena->slots[*link];

		if (slot->from - from >= bytes) {
			break;
		}
		from = slot->from + slot->bytes;
	}
	*ret_from = from;
	return *link != SNAPSHOT_NONE || arena->bytes - from >= bytes ? link : NULL;
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
	uint32_t index = arena->free_first;
	uint32_t from = 0;
	uint32_t *link = index != SNAPSHOT_NONE ? find_room(arena, bytes, &from) : NULL;

	if (!link) {
		return NULL;
	}
	struct snapshot_slot *slot = &arena->slots[index];

	arena->free_first = slot->next;
	*slot = (struct snapshot_slot){.own = arena->memory + from,
		.kafka = arena->memory + from + own,
		.from = from,
		.bytes = bytes,
		.next = *link,
		.used = true,
		.offset = offset};
	slot->own_len = encode(p, PRODUCER_SNAPSHOT_OWN, offset, arena->memory + from, own);
	slot->kafka_len = encode(p, PRODUCER_SNAPSHOT_KAFKA, offset, arena->memory + from + own, kafka);
	*link = index;
	arena->count++;
	arena->used_bytes += bytes;
	return slot;
}

void
snapshot_arena_give(struct snapshot_arena *arena, struct snapshot_slot *slot)
{
	uint32_t index = (uint32_t)(slot - arena->slots);
	uint32_t *link = &arena->first;

	ensure(slot->used);
	while (*link != index) {
		ensure(*link != SNAPSHOT_NONE);
		link = &arena->slots[*link].next;
	}
	*link = slot->next;
	slot->used = false;
	slot->next = arena->free_first;
	arena->free_first = index;
	arena->count--;
	arena->used_bytes -= slot->bytes;
}
