/* SPDX-License-Identifier: Apache-2.0 */
/* The fake clock, see clock_fake.h. */
#include "support/clock_fake.h"

#include "base/compiler.h"

static struct clock_fake *
clock_fake_of(struct clock *clock)
{
	return CONTAINER_OF(clock, struct clock_fake, clock);
}

static uint64_t
clock_fake_now_ns(struct clock *clock)
{
	return atomic_load(&clock_fake_of(clock)->now_ns);
}

static uint64_t
clock_fake_wall_ns(struct clock *clock)
{
	return atomic_load(&clock_fake_of(clock)->wall_ns);
}

static void
clock_fake_sleep_ns(struct clock *clock, uint64_t duration_ns)
{
	struct clock_fake *fake = clock_fake_of(clock);

	atomic_fetch_add(&fake->slept_ns, duration_ns);
	atomic_fetch_add(&fake->sleeps, 1);
	clock_fake_advance(fake, duration_ns);
}

void
clock_fake_init(struct clock_fake *fake, uint64_t now_ns, uint64_t wall_ns)
{
	static const struct clock_ops ops = {
		.now_ns = clock_fake_now_ns,
		.wall_ns = clock_fake_wall_ns,
		.sleep_ns = clock_fake_sleep_ns,
	};

	fake->clock.ops = &ops;
	atomic_init(&fake->now_ns, now_ns);
	atomic_init(&fake->wall_ns, wall_ns);
	atomic_init(&fake->slept_ns, 0);
	atomic_init(&fake->sleeps, 0);
}

void
clock_fake_advance(struct clock_fake *fake, uint64_t duration_ns)
{
	atomic_fetch_add(&fake->now_ns, duration_ns);
	atomic_fetch_add(&fake->wall_ns, duration_ns);
}

void
clock_fake_set_wall(struct clock_fake *fake, uint64_t wall_ns)
{
	atomic_store(&fake->wall_ns, wall_ns);
}
