/* SPDX-License-Identifier: Apache-2.0 */
/* Where a batch goes in memory. See append_room.h. */
#include "logstore/append_room.h"

#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"

#define REST_SHARE 4

/* Starts a section at the partition's end in `extent`, with a copy of the tail block's bytes. */
static void
open_section(struct log_shard *shard, struct partition *p, struct extent *extent, const uint8_t *tail)
{
	uint32_t tail_len = p->active->end_pos & (shard->block_bytes - 1);
	struct section *s = &extent->sections[extent->section_count++];

	ensure(extent->section_count <= extent->chunk_count * CHUNK_SECTIONS);
	*s = (struct section){.block_off = extent->used_bytes,
		.mem_off = extent->used_bytes + tail_len,
		.pos = p->active->end_pos,
		.first_offset = p->next_offset,
		.end_offset = p->next_offset};
	memcpy(extent->memory + s->block_off, tail, tail_len);
	extent->used_bytes = s->mem_off;
	p->open_section = s;
	p->open_extent = extent;
}

/*
 * What a part is expected to take still: what recent ones took, and as much again as it has. A write is
 * at most a section long, so an extent that holds the rest of the part makes it one write.
 */
static uint32_t
expected_bytes(const struct log_shard *shard, const struct partition *p)
{
	uint32_t has = p->dirty ? p->active->end_pos - shard->open->parts[p->open_part].start_pos : 0;
	uint32_t rest = p->part_bytes > has ? p->part_bytes - has : 0;

	rest = rest > has ? rest : has;
	return rest < EXTENT_GROW_BYTES ? rest : EXTENT_GROW_BYTES;
}

static struct extent *
take_clean(struct chunk_pool *pool, uint32_t bytes)
{
	uint32_t chunks = (bytes + CHUNK_BYTES - 1) / CHUNK_BYTES;

	return pool->dirty_chunks + chunks > pool->dirty_chunks_max ? NULL : chunk_pool_take(pool, bytes);
}

/* A fresh extent of the partition that takes `bytes`, and what is expected if it can be had. NULL: wait. */
static struct extent *
take_extent(struct log_shard *shard, struct partition *p, uint32_t bytes)
{
	uint32_t expected = expected_bytes(shard, p);
	struct extent *extent = expected > bytes ? take_clean(&shard->pool, expected) : NULL;

	if (!extent) {
		extent = take_clean(&shard->pool, bytes);
	}
	if (extent) {
		partition_extent_add(p, extent);
	}
	return extent;
}

/* Room in the section that the part has open already. */
static uint8_t *
room_in_open(struct log_shard *shard, struct partition *p, uint32_t len)
{
	struct extent *e = p->open_extent;
	uint32_t left = extent_bytes(e) - e->used_bytes;
	struct chunk_pool *pool = &shard->pool;

	if (left >= len) {
		return e->memory + e->used_bytes;
	}
	uint32_t more = (len - left + CHUNK_BYTES - 1) / CHUNK_BYTES;

	if (pool->dirty_chunks + more <= pool->dirty_chunks_max &&
		chunk_pool_extend(pool, e, len - left)) {
		return e->memory + e->used_bytes;
	}
	uint32_t tail_len = p->active->end_pos & (shard->block_bytes - 1);
	struct extent *fresh = take_extent(shard, p, tail_len + len);

	if (!fresh) {
		return NULL;
	}
	const uint8_t *tail = e->memory + e->used_bytes - tail_len;

	/* The block that was begun goes on in the new extent; the old section is not written there. */
	e->used_bytes = (uint32_t)bytes_ceil(e->used_bytes, shard->block_bytes);
	chunk_pool_hold(pool, fresh);
	open_section(shard, p, fresh, tail);
	shard->open->parts[p->open_part].section_count++;
	return fresh->memory + fresh->used_bytes;
}

/*
 * Room for the first batch of a part. A small rest of the newest extent is left alone where parts are
 * large, if there is memory: it would only make one more write.
 */
static uint8_t *
room_in_new(struct log_shard *shard, struct partition *p, uint32_t len)
{
	uint32_t tail_len = p->active->end_pos & (shard->block_bytes - 1);
	struct extent *e = p->newest;
	struct chunk_pool *pool = &shard->pool;
	uint32_t left = e ? extent_bytes(e) - e->used_bytes : 0;
	bool fits = e && tail_len + len <= left && e->section_count < e->chunk_count * CHUNK_SECTIONS &&
		(e->group_holds > 0 || pool->dirty_chunks + e->chunk_count <= pool->dirty_chunks_max);

	if (!fits || left < expected_bytes(shard, p) / REST_SHARE) {
		struct extent *fresh = take_extent(shard, p, tail_len + len);

		if (!fresh && !fits) {
			return NULL;
		}
		e = fresh ? fresh : e;
	}
	open_section(shard, p, e, p->active->tail_block);
	return e->memory + e->used_bytes;
}

uint8_t *
append_room(struct log_shard *shard, struct partition *p, uint32_t len)
{
	return p->dirty ? room_in_open(shard, p, len) : room_in_new(shard, p, len);
}

void
append_room_cancel(struct partition *p)
{
	struct extent *e = p->open_extent;

	e->used_bytes = p->open_section->block_off;
	e->section_count--;
	p->open_section = NULL;
	p->open_extent = NULL;
}
