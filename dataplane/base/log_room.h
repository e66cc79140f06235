/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much the log can take at the moment, for those who give out credit. Owned by the store; each
 * field has one writer in the log and is read by any thread (relaxed: a hint of now, on which nothing
 * else hangs). Writers stand on cache lines of their own.
 */
#ifndef BASE_LOG_ROOM_H
#define BASE_LOG_ROOM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"
#include "base/handoff.h"

struct log_room_shard {
	_Atomic uint64_t buffer_free_bytes; /* of its append buffer; the shard's lcore, each turn */
	uint8_t pad[CACHE_LINE_BYTES - sizeof(uint64_t)];
};

_Static_assert(sizeof(struct log_room_shard) == CACHE_LINE_BYTES, "shards do not share a line");

struct log_room {
	struct log_room_shard shards[HANDOFF_SHARDS_MAX];
	/* Records are refused with 56 for want of disk space, those of internal topics are not. The keeper. */
	_Atomic bool disk_full;
};

static inline void
log_room_set_buffer_free(struct log_room *room, uint32_t shard, uint64_t bytes)
{
	atomic_store_explicit(&room->shards[shard].buffer_free_bytes, bytes, memory_order_relaxed);
}

static inline uint64_t
log_room_buffer_free(const struct log_room *room, uint32_t shard)
{
	return atomic_load_explicit(&room->shards[shard].buffer_free_bytes, memory_order_relaxed);
}

static inline void
log_room_set_disk_full(struct log_room *room, bool full)
{
	atomic_store_explicit(&room->disk_full, full, memory_order_relaxed);
}

static inline bool
log_room_disk_full(const struct log_room *room)
{
	return atomic_load_explicit(&room->disk_full, memory_order_relaxed);
}

#endif
