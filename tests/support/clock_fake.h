/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake clock: time moves only when a test moves it, or when code sleeps on it. Atomic, so that a
 * test may hand one to several threads.
 */
#ifndef SUPPORT_CLOCK_FAKE_H
#define SUPPORT_CLOCK_FAKE_H

#include <stdatomic.h>
#include <stdint.h>
#include "base/clock.h"

struct clock_fake {
	struct clock clock; /* give &fake.clock to the unit under test */
	_Atomic uint64_t now_ns;
	_Atomic uint64_t wall_ns;
	_Atomic uint64_t slept_ns; /* sum of all sleeps */
	_Atomic uint64_t sleeps;
};

void clock_fake_init(struct clock_fake *fake, uint64_t now_ns, uint64_t wall_ns);
/* Both clocks move on. */
void clock_fake_advance(struct clock_fake *fake, uint64_t duration_ns);
/* Only the wall clock moves: it may step back. */
void clock_fake_set_wall(struct clock_fake *fake, uint64_t wall_ns);

#endif
