/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a sleeping poller is woken: a flag that the sleeper raises before it re-polls and blocks, and
 * an eventfd that an offering side writes only if the flag is up. One load on the hot path while
 * nobody sleeps. Dekker's pattern: the sleeper stores `asleep` then loads the rings, the offering
 * side stores the item then loads `asleep`; both need the full fence that waker.c and waker_wake have.
 */
#ifndef BASE_WAKER_H
#define BASE_WAKER_H

#include <stdatomic.h>
#include <stdint.h>
#include "base/compiler.h"

struct waker {
	_Atomic uint32_t asleep CACHE_ALIGNED;
	int fd; /* eventfd, non-blocking, close-on-exec; -1 in models that never sleep */
};

/* Makes the eventfd. Start-up. Negative errno. */
int waker_open(struct waker *waker);
void waker_close(struct waker *waker);
/* Sleeper: announce, then poll once more, then block on fd, then waker_awake(). */
void waker_arm(struct waker *waker);
/* Sleeper: lowers the flag and drains the eventfd. */
void waker_awake(struct waker *waker);
/* Slow path of waker_wake: writes the eventfd. */
void waker_signal(struct waker *waker);

static inline void
waker_wake(struct waker *waker)
{
	/* Pairs with the fence in waker_arm. */
	atomic_thread_fence(memory_order_seq_cst);
	if (unlikely(atomic_load_explicit(&waker->asleep, memory_order_relaxed))) {
		waker_signal(waker);
	}
}

#endif
