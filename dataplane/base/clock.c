/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real clock, stateless, any thread. The only file that reads the kernel's clocks or sleeps: both
 * reads stay in the vDSO.
 */
#include "base/clock.h"

#include <errno.h>
#include <time.h>
#include "base/bytes.h"
#include "base/ensure.h"

static uint64_t
clock_read_ns(clockid_t id)
{
	struct timespec ts;

	ensure(clock_gettime(id, &ts) == 0);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static uint64_t
clock_system_now_ns(struct clock *clock)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

static uint64_t
clock_system_wall_ns(struct clock *clock)
{
	return clock_read_ns(CLOCK_REALTIME);
}

static void
clock_system_sleep_ns(struct clock *clock, uint64_t duration_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(duration_ns / NS_PER_S),
		.tv_nsec = (long)(duration_ns % NS_PER_S),
	};

	/* A signal ends the sleep early: callers look again at what they waited for. */
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static const struct clock_ops clock_system_ops = {
	.now_ns = clock_system_now_ns,
	.wall_ns = clock_system_wall_ns,
	.sleep_ns = clock_system_sleep_ns,
};

struct clock *
clock_system(void)
{
	static const struct clock system = {.ops = &clock_system_ops};

	/* Nothing writes through it: the ops take a mutable clock for the sake of fakes. */
	return (struct clock *)&system;
}
