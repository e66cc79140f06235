/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sleeper's half of Dekker's pattern and the eventfd behind it. waker_open, _arm, _awake and
 * _close belong to the sleeping thread; waker_signal to any.
 */
#include "base/waker.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/ensure.h"

int
waker_open(struct waker *waker)
{
	atomic_init(&waker->asleep, 0);
	waker->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return waker->fd < 0 ? -errno : 0;
}

void
waker_close(struct waker *waker)
{
	if (waker->fd >= 0) {
		close(waker->fd);
		waker->fd = -1;
	}
}

void
waker_arm(struct waker *waker)
{
	atomic_store_explicit(&waker->asleep, 1, memory_order_relaxed);
	/* The flag must be visible before the rings are looked at once more. Pairs with waker_wake. */
	atomic_thread_fence(memory_order_seq_cst);
}

void
waker_awake(struct waker *waker)
{
	uint64_t count;

	atomic_store_explicit(&waker->asleep, 0, memory_order_relaxed);
	if (waker->fd >= 0 && read(waker->fd, &count, sizeof(count)) < 0) {
		ensure(errno == EAGAIN || errno == EINTR);
	}
}

void
waker_signal(struct waker *waker)
{
	uint64_t one = 1;

	if (waker->fd >= 0 && write(waker->fd, &one, sizeof(one)) < 0) {
		/* EAGAIN: the counter is full, so the descriptor polls readable anyway. */
		ensure(errno == EAGAIN || errno == EINTR);
	}
}
