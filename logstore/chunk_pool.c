/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of chunks. See chunk_pool.h. Log lcore; init and close at start and end. */
#include "logstore/chunk_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"

#define OWNER_NONE UINT32_MAX

int
chunk_pool_init(struct chunk_pool *pool, void *memory, uint32_t chunk_count,
	uint32_t dirty_chunks_max, chunk_pool_forget_fn forget)
{
	*pool = (struct chunk_pool){.memory = memory,
		.memory_bytes = (size_t)chunk_count * CHUNK_BYTES,
		.chunk_count = chunk_count,
		.dirty_chunks_max = dirty_chunks_max,
		.forget = forget};
	pool->extents = calloc(chunk_count, sizeof(pool->extents[0]));
	pool->sections = calloc((size_t)chunk_count * CHUNK_SECTIONS, sizeof(pool->sections[0]));
	pool->owner = malloc(chunk_count * sizeof(pool->owner[0]));
	if (!pool->extents || !pool->sections || !pool->owner) {
		chunk_pool_close(pool);
		return -ENOMEM;
	}
	memset(pool->owner, 0xff, chunk_count * sizeof(pool->owner[0]));
	return 0;
}

void
chunk_pool_close(struct chunk_pool *pool)
{
	free(pool->extents);
	free(pool->sections);
	free(pool->owner);
	pool->extents = NULL;
	pool->sections = NULL;
	pool->owner = NULL;
}

void
chunk_pool_give(struct chunk_pool *pool, struct extent *extent)
{
	ensure(extent->group_holds == 0);
	ensure(extent->pins == 0);
	if (extent->partition) {
		pool->forget(extent);
	}
	for (uint32_t i = 0; i < extent->chunk_count; i++) {
		pool->owner[extent->first_chunk + i] = OWNER_NONE;
	}
	extent->chunk_count = 0;
}

/*
 * Makes [first, first + count) free. False: a held extent is in the way, *ret_next is behind it, and
 * nothing was taken away: who asks in vain must not empty the cache, nor lose what it looks at.
 */
static bool
clear_chunks(struct chunk_pool *pool, uint32_t first, uint32_t count, uint32_t *ret_next)
{
	for (uint32_t i = first; i < first + count; i++) {
		const struct extent *e =
			pool->owner[i] == OWNER_NONE ? NULL : &pool->extents[pool->owner[i]];

		if (e && (e->group_holds > 0 || e->pins > 0)) {
			*ret_next = e->first_chunk + e->chunk_count;
			return false;
		}
	}
	for (uint32_t i = first; i < first + count; i++) {
		if (pool->owner[i] != OWNER_NONE) {
			chunk_pool_give(pool, &pool->extents[pool->owner[i]]);
		}
	}
	return true;
}

static struct extent *
start_extent(struct chunk_pool *pool, uint32_t first, uint32_t count)
{
	struct extent *e = &pool->extents[first];

	*e = (struct extent){.first_chunk = first,
		.chunk_count = count,
		.memory = pool->memory + (size_t)first * CHUNK_BYTES,
		.sections = &pool->sections[(size_t)first * CHUNK_SECTIONS]};
	for (uint32_t i = 0; i < count; i++) {
		pool->owner[first + i] = first;
	}
	pool->cursor = first + count;
	return e;
}

struct extent *
chunk_pool_take(struct chunk_pool *pool, uint32_t bytes)
{
	uint32_t count = (bytes + CHUNK_BYTES - 1) / CHUNK_BYTES;
	uint32_t at = pool->cursor;
	bool wrapped = false;

	if (count == 0 || count > pool->chunk_count) {
		return NULL;
	}
	/* From the cursor to the end, then from the start to the cursor: each place is tried once. */
	for (;;) {
		if (at + count > pool->chunk_count) {
			if (wrapped) {
				return NULL;
			}
			wrapped = true;
			at = 0;
		}
		if (wrapped && at >= pool->cursor + count) {
			return NULL;
		}
		uint32_t next = 0;

		if (clear_chunks(pool, at, count, &next)) {
			return start_extent(pool, at, count);
		}
		at = next;
	}
}

bool
chunk_pool_extend(struct chunk_pool *pool, struct extent *extent, uint32_t more_bytes)
{
	uint32_t count = (more_bytes + CHUNK_BYTES - 1) / CHUNK_BYTES;
	uint32_t end = extent->first_chunk + extent->chunk_count;
	uint32_t next = 0;

	if (end != pool->cursor || end + count > pool->chunk_count) {
		return false;
	}
	if (extent_bytes(extent) + more_bytes > EXTENT_GROW_BYTES) {
		return false;
	}
	if (!clear_chunks(pool, end, count, &next)) {
		return false;
	}
	for (uint32_t i = 0; i < count; i++) {
		pool->owner[end + i] = extent->first_chunk;
	}
	extent->chunk_count += count;
	pool->cursor = end + count;
	if (extent->group_holds > 0) {
		pool->dirty_chunks += count;
	}
	if (extent->pins > 0) {
		pool->pinned_chunks += count;
	}
	return true;
}

void
chunk_pool_hold(struct chunk_pool *pool, struct extent *extent)
{
	if (extent->group_holds++ == 0) {
		pool->dirty_chunks += extent->chunk_count;
	}
}

void
chunk_pool_unhold(struct chunk_pool *pool, struct extent *extent)
{
	ensure(extent->group_holds > 0);
	if (--extent->group_holds == 0) {
		ensure(pool->dirty_chunks >= extent->chunk_count);
		pool->dirty_chunks -= extent->chunk_count;
	}
}

void
chunk_pool_pin(struct chunk_pool *pool, struct extent *extent)
{
	if (extent->pins++ == 0) {
		pool->pinned_chunks += extent->chunk_count;
	}
}

void
chunk_pool_unpin(struct chunk_pool *pool, struct extent *extent)
{
	ensure(extent->pins > 0);
	if (--extent->pins == 0) {
		ensure(pool->pinned_chunks >= extent->chunk_count);
		pool->pinned_chunks -= extent->chunk_count;
	}
}
