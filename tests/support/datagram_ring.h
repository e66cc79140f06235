/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams from one thread to another, written and read in place: a ring of slots, one offering and
 * one taking side, no lock. Slots are as large as the largest datagram, so that nothing is ever cut.
 */
#ifndef SUPPORT_DATAGRAM_RING_H
#define SUPPORT_DATAGRAM_RING_H

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/ensure.h"

struct datagram_slot {
	uint32_t len;
	uint16_t lane; /* as in struct client_datagram */
	uint16_t port; /* of the server */
	uint8_t bytes[];
};

struct datagram_ring {
	uint8_t *memory;
	uint32_t count; /* power of two */
	uint32_t stride_bytes;
	_Atomic uint32_t put CACHE_ALIGNED; /* offering side's */
	_Atomic uint32_t taken CACHE_ALIGNED; /* taking side's */
};

/* -ENOMEM. Start-up. */
MUST_CHECK static inline int
datagram_ring_init(struct datagram_ring *ring, uint32_t count, uint32_t datagram_max)
{
	ensure((count & (count - 1)) == 0);
	ring->count = count;
	ring->stride_bytes =
		(uint32_t)bytes_ceil(sizeof(struct datagram_slot) + datagram_max, CACHE_LINE_BYTES);
	ring->memory = aligned_alloc(CACHE_LINE_BYTES, (size_t)count * ring->stride_bytes);
	atomic_init(&ring->put, 0);
	atomic_init(&ring->taken, 0);
	return ring->memory ? 0 : -ENOMEM;
}

static inline void
datagram_ring_fini(struct datagram_ring *ring)
{
	free(ring->memory);
	ring->memory = NULL;
}

static inline struct datagram_slot *
datagram_ring_at(const struct datagram_ring *ring, uint32_t position)
{
	return (struct datagram_slot *)(void *)(ring->memory +
		(size_t)(position & (ring->count - 1)) * ring->stride_bytes);
}

/* The slot to fill, NULL if the ring is full; then datagram_ring_put. Offering side. */
static inline struct datagram_slot *
datagram_ring_room(struct datagram_ring *ring)
{
	uint32_t put = atomic_load_explicit(&ring->put, memory_order_relaxed);

	/* Pairs with the release in datagram_ring_drop: the slot is no longer read. */
	if (put - atomic_load_explicit(&ring->taken, memory_order_acquire) == ring->count) {
		return NULL;
	}
	return datagram_ring_at(ring, put);
}

static inline void
datagram_ring_put(struct datagram_ring *ring)
{
	/* Pairs with the acquire in datagram_ring_used: the slot is written. */
	atomic_store_explicit(&ring->put, atomic_load_explicit(&ring->put, memory_order_relaxed) + 1,
		memory_order_release);
}

/* How many wait; the i-th, oldest first, is datagram_ring_peek(i). Taking side. */
static inline uint32_t
datagram_ring_used(const struct datagram_ring *ring)
{
	return atomic_load_explicit(&ring->put, memory_order_acquire) -
		atomic_load_explicit(&ring->taken, memory_order_relaxed);
}

static inline const struct datagram_slot *
datagram_ring_peek(const struct datagram_ring *ring, uint32_t i)
{
	return datagram_ring_at(ring, atomic_load_explicit(&ring->taken, memory_order_relaxed) + i);
}

/* Gives the oldest n slots back. Taking side. */
static inline void
datagram_ring_drop(struct datagram_ring *ring, uint32_t n)
{
	atomic_store_explicit(&ring->taken,
		atomic_load_explicit(&ring->taken, memory_order_relaxed) + n, memory_order_release);
}

#endif
