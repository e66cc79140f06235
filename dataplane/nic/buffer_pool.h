/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fixed packet buffers in plain memory for queues that need no DPDK: nic_socket.c and the fake of
 * tests/support. One pool, one thread (the lane's lcore). All memory is taken and touched by
 * buffer_pool_create(); take and give are a stack, so the warmest buffer comes first.
 *
 * A buffer is named by its index; owner tokens of a nic are built from it. Giving a buffer back
 * twice, or one that was never taken, is a bug of ours and aborts. Inline as a whole, because the fake
 * must not need the nic library and with it DPDK.
 */
#ifndef NIC_BUFFER_POOL_H
#define NIC_BUFFER_POOL_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/ensure.h"

struct buffer_pool {
	uint8_t *memory;
	uint32_t *free; /* stack of free indexes */
	uint8_t *taken; /* [count] */
	uint32_t free_count;
	uint32_t count;
	uint32_t stride_bytes; /* multiple of a cache line */
};

static inline void
buffer_pool_destroy(struct buffer_pool *pool)
{
	free(pool->memory);
	free(pool->free);
	free(pool->taken);
	memset(pool, 0, sizeof(*pool));
}

/* count buffers of at least buffer_bytes each, cache aligned. Start-up. -ENOMEM, -EINVAL. */
MUST_CHECK static inline int
buffer_pool_create(struct buffer_pool *pool, uint32_t count, uint32_t buffer_bytes)
{
	size_t bytes;

	memset(pool, 0, sizeof(*pool));
	if (count == 0 || buffer_bytes == 0) {
		return -EINVAL;
	}
	pool->count = count;
	pool->stride_bytes = (uint32_t)bytes_ceil(buffer_bytes, CACHE_LINE_BYTES);
	bytes = (size_t)count * pool->stride_bytes;
	pool->memory = aligned_alloc(CACHE_LINE_BYTES, bytes);
	pool->free = calloc(count, sizeof(*pool->free));
	pool->taken = calloc(count, sizeof(*pool->taken));
	if (!pool->memory || !pool->free || !pool->taken) {
		buffer_pool_destroy(pool);
		return -ENOMEM;
	}
	/* Touched now, so that no page fault is left for the hot path. */
	memset(pool->memory, 0, bytes);
	for (uint32_t i = 0; i < count; i++) {
		pool->free[i] = count - 1 - i;
	}
	pool->free_count = count;
	return 0;
}

static inline uint8_t *
buffer_pool_at(const struct buffer_pool *pool, uint32_t index)
{
	return pool->memory + (uint64_t)index * pool->stride_bytes;
}

/* False if none is free. */
static inline bool
buffer_pool_take(struct buffer_pool *pool, uint32_t *ret_index)
{
	uint32_t index;

	if (pool->free_count == 0) {
		return false;
	}
	index = pool->free[--pool->free_count];
	pool->taken[index] = 1;
	*ret_index = index;
	return true;
}

static inline void
buffer_pool_give(struct buffer_pool *pool, uint32_t index)
{
	ensure(index < pool->count);
	ensure(pool->taken[index] == 1);
	pool->taken[index] = 0;
	pool->free[pool->free_count++] = index;
}

#endif
