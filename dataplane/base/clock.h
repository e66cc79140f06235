/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seam 1 of 4: time. One const struct of functions, a real clock here and a fake one in
 * tests/support/clock_fake.h. Stages never call it on a hot path: the lcore loop reads it once a
 * turn and passes `now_ns` down. Nothing else in the tree may read a clock or sleep (tests/tidy).
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock;

struct clock_ops {
	/* Monotonic instant in ns; never steps back. Any thread. */
	uint64_t (*now_ns)(struct clock *clock);
	/* Wall clock, ns since 1970 UTC; may step. Any thread. */
	uint64_t (*wall_ns)(struct clock *clock);
	/* Sleeps that long, or less after a signal. Housekeeping threads and the idle policy only. */
	void (*sleep_ns)(struct clock *clock, uint64_t duration_ns);
};

struct clock {
	const struct clock_ops *ops;
};

/* The real clock: CLOCK_MONOTONIC and CLOCK_REALTIME through the vDSO. Static storage. */
struct clock *clock_system(void);

static inline uint64_t
clock_now_ns(struct clock *clock)
{
	return clock->ops->now_ns(clock);
}

static inline uint64_t
clock_wall_ns(struct clock *clock)
{
	return clock->ops->wall_ns(clock);
}

static inline void
clock_sleep_ns(struct clock *clock, uint64_t duration_ns)
{
	clock->ops->sleep_ns(clock, duration_ns);
}

#endif
