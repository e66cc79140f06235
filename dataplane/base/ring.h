/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one lock-free queue between lcores: DPDK's rte_ring in single-producer, single-consumer mode
 * on memory of our own (no EAL, no memzone), holding hand-off structs by value, plus the wake-up of
 * a taking side that sleeps. Decision 0001 says why this header of base/ may see rte_ring.
 *
 * A full ring is back-pressure, never a drop: offer returns how many fitted. Nobody spins on one.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

/*
 * GCC 12 follows DPDK's unrolled copy past a single item given by address and warns; the loop it sees
 * does not run for n = 1.
 */
#pragma GCC diagnostic push
#ifdef __clang__
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#endif
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"
#include <rte_ring_elem.h>
#pragma GCC diagnostic pop
#include <stdint.h>
#include "base/bytes.h"
#include "base/waker.h"

/* rte_ring drags in DPDK's NS_PER_S, an int: whichever header came first, ours holds from here on. */
#undef NS_PER_S
#define NS_PER_S 1000000000ull

struct ring {
	struct rte_ring *queue;
	struct waker *taker; /* woken if it sleeps; NULL if it never does */
	uint32_t item_bytes; /* multiple of 4 */
};

/*
 * Makes a ring of at least `count` usable slots (rounded up to a power of two, all usable) of
 * item_bytes. Start-up only. -ENOMEM; -EINVAL if item_bytes is no multiple of 4.
 */
int ring_create(struct ring *ring, uint32_t count, uint32_t item_bytes, struct waker *taker);
void ring_destroy(struct ring *ring);

/* Offering side only. Returns how many of n fitted, oldest first. */
static inline uint32_t
ring_offer(struct ring *ring, const void *items, uint32_t n)
{
	uint32_t fitted =
		rte_ring_sp_enqueue_burst_elem(ring->queue, items, ring->item_bytes, n, NULL);

	if (fitted > 0 && ring->taker) {
		waker_wake(ring->taker);
	}
	return fitted;
}

/* Taking side only. Returns how many were there, at most max. */
static inline uint32_t
ring_take(struct ring *ring, void *ret_items, uint32_t max)
{
	return rte_ring_sc_dequeue_burst_elem(ring->queue, ret_items, ring->item_bytes, max, NULL);
}

/*
 * Either side; exact for the caller's own end, a bound for the other. As rte_ring_count, which reads the
 * other side's tail without the order that C11 asks for.
 */
static inline uint32_t
ring_used(const struct ring *ring)
{
	uint32_t offered = __atomic_load_n(&ring->queue->prod.tail, __ATOMIC_ACQUIRE);
	uint32_t taken = __atomic_load_n(&ring->queue->cons.tail, __ATOMIC_ACQUIRE);
	uint32_t used = (offered - taken) & ring->queue->mask;

	return used < ring->queue->capacity ? used : ring->queue->capacity;
}

static inline uint32_t
ring_free(const struct ring *ring)
{
	return ring->queue->capacity - ring_used(ring);
}

#endif
