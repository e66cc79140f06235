/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an lcore does without work, as a pure table: no clock, no call, any thread. The
 * loop (lcore_loop.c) asks for a step after each empty turn and takes it.
 */
#ifndef CTRL_LCORE_IDLE_H
#define CTRL_LCORE_IDLE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/bytes.h"

#define LCORE_IDLE_SLEEP_MAX_NS (200 * NS_PER_US)

enum idle_policy {
	IDLE_SPIN,
	IDLE_PAUSE,
	IDLE_SLEEP,
	IDLE_INTERRUPT,
};

enum idle_step_kind {
	IDLE_STEP_RELAX, /* `pauses` pause instructions, 0 to a few */
	IDLE_STEP_YIELD, /* the CPU to whoever else wants it */
	IDLE_STEP_SLEEP, /* `ns`, by the timer alone */
	IDLE_STEP_WAIT,	 /* until a descriptor, a ring, the next deadline, `ns` at most */
};

struct idle_step {
	enum idle_step_kind kind;
	uint32_t pauses;
	uint64_t ns;
};

/* After `empty` (1 or more) turns without work. must_be_polled: a queue that has nothing to wait on. */
struct idle_step lcore_idle_step(enum idle_policy policy, uint32_t empty, bool must_be_polled);
/* `auto`: a CPU that the kernel keeps free of others is spun on; the rest is shared with somebody. */
enum idle_policy lcore_idle_auto(uint32_t cpus_online, bool isolated);

#endif
