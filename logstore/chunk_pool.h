/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shard's registered memory: append buffer and tail cache in one ring of 16 KiB chunks. Owned by
 * the log lcore. Allocation walks round the ring and takes the oldest committed, unpinned bytes
 * away, so the cache is FIFO by construction and runs of adjacent chunks are always to be had.
 *
 * An extent is a run of adjacent chunks of one partition. It holds sections: each section is a
 * contiguous range of the partition's log made of whole batches, with file position mod B = address
 * mod B. A section begins in a fresh block with a copy of the segment's tail block, because the block
 * it came from may be in flight (stable pages: logstore/README.md).
 *
 * Invariants: an extent with group_holds or pins is never taken away; sections of one partition,
 * walked from its oldest extent to its newest, rise in position and offset.
 */
#ifndef LOGSTORE_CHUNK_POOL_H
#define LOGSTORE_CHUNK_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_BYTES	   (16u << 10)
#define CHUNK_SECTIONS	   4 /* a section takes at least one block of 4 KiB */
#define EXTENT_GROW_BYTES  (512u << 10)

struct partition;

struct section {
	uint32_t block_off; /* in the extent: the block-aligned start, holds the tail copy */
	uint32_t mem_off;   /* in the extent: first new byte, a batch's first */
	uint32_t len;
	uint32_t pos; /* of the first new byte, in its segment */
	int64_t first_offset;
	int64_t end_offset;
};

struct extent {
	struct partition *partition; /* NULL: a cold read's, or the partition forgot it */
	struct extent *older;	     /* of the same partition */
	struct extent *newer;
	struct section *sections;
	uint8_t *memory;
	uint32_t first_chunk;
	uint32_t chunk_count; /* 0: this slot starts no extent */
	uint32_t used_bytes;  /* block-aligned up to the open section's start; then its end */
	uint32_t section_count;
	uint32_t group_holds;
	uint32_t pins;
};

/* The extent leaves memory: its partition must forget it. */
typedef void (*chunk_pool_forget_fn)(struct extent *extent);

struct chunk_pool {
	uint8_t *memory;
	size_t memory_bytes;
	struct extent *extents;	 /* by first chunk */
	struct section *sections; /* CHUNK_SECTIONS a chunk */
	uint32_t *owner;	 /* first chunk of the extent that covers a chunk, or UINT32_MAX */
	uint32_t chunk_count;
	uint32_t cursor;
	uint32_t dirty_chunks;	 /* of extents with group_holds */
	uint32_t dirty_chunks_max;
	uint32_t pinned_chunks; /* of extents with pins */
	chunk_pool_forget_fn forget;
};

/* `memory` is the caller's: chunk_count chunks, block-aligned. -ENOMEM. Start-up. */
int chunk_pool_init(struct chunk_pool *pool, void *memory, uint32_t chunk_count,
	uint32_t dirty_chunks_max, chunk_pool_forget_fn forget);
void chunk_pool_close(struct chunk_pool *pool);
/* An extent of at least `bytes`, no holds, or NULL: everything is held. */
struct extent *chunk_pool_take(struct chunk_pool *pool, uint32_t bytes);
/* Lengthens an extent in place by the adjacent chunks. False: not possible, nothing changed. */
bool chunk_pool_extend(struct chunk_pool *pool, struct extent *extent, uint32_t more_bytes);
/* Gives an unheld extent back at once. */
void chunk_pool_give(struct chunk_pool *pool, struct extent *extent);

void chunk_pool_hold(struct chunk_pool *pool, struct extent *extent);
void chunk_pool_unhold(struct chunk_pool *pool, struct extent *extent);
void chunk_pool_pin(struct chunk_pool *pool, struct extent *extent);
void chunk_pool_unpin(struct chunk_pool *pool, struct extent *extent);

static inline uint32_t
extent_bytes(const struct extent *extent)
{
	return extent->chunk_count * CHUNK_BYTES;
}

#endif
