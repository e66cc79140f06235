/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/daemon/lcore_idle.h"

#define EMPTY_BEFORE_YIELD 64
#define EMPTY_BEFORE_SLEEP 256
#define EMPTY_BEFORE_PAUSE 1000
#define PAUSES		   16
#define SLEEP_MIN_NS	   (20 * NS_PER_US)
#define WAIT_MAX_NS	   (500 * NS_PER_MS) /* the heartbeat still moves */
/* A queue without a descriptor: after about a second of nothing its packets may wait this long. */
#define EMPTY_BEFORE_DOZE  (EMPTY_BEFORE_SLEEP + 4096)
#define DOZE_NS		   NS_PER_MS
#define CPUS_TO_POLL_ON	   4

/* The longer nothing comes, the longer the sleep: 20 us doubling to 200 us. */
static uint64_t
sleep_ns_after(uint32_t empty)
{
	uint32_t doublings = (empty - EMPTY_BEFORE_SLEEP) / 64;
	uint64_t sleep_ns = SLEEP_MIN_NS << (doublings < 4 ? doublings : 4);

	return sleep_ns < LCORE_IDLE_SLEEP_MAX_NS ? sleep_ns : LCORE_IDLE_SLEEP_MAX_NS;
}

static struct idle_step
step_of_sleeper(bool interrupt, uint32_t empty, bool must_be_polled)
{
	if (empty < EMPTY_BEFORE_YIELD) {
		return (struct idle_step){.kind = IDLE_STEP_RELAX};
	}
	if (interrupt && !must_be_polled) {
		return (struct idle_step){.kind = IDLE_STEP_WAIT, .ns = WAIT_MAX_NS};
	}
	if (empty < EMPTY_BEFORE_SLEEP) {
		return (struct idle_step){.kind = IDLE_STEP_YIELD};
	}
	if (!interrupt) {
		return (struct idle_step){.kind = IDLE_STEP_SLEEP, .ns = sleep_ns_after(empty)};
	}
	/* Rings and the disk still wake it at once; only the queue has to be looked at. */
	return (struct idle_step){.kind = IDLE_STEP_WAIT,
		.ns = empty < EMPTY_BEFORE_DOZE ? sleep_ns_after(empty) : DOZE_NS};
}

struct idle_step
lcore_idle_step(enum idle_policy policy, uint32_t empty, bool must_be_polled)
{
	struct idle_step relax = {.kind = IDLE_STEP_RELAX, .pauses = 1};

	switch (policy) {
	case IDLE_SPIN:
		return relax;
	case IDLE_PAUSE:
		relax.pauses = empty > EMPTY_BEFORE_PAUSE ? PAUSES : 0;
		return relax;
	case IDLE_SLEEP:
	case IDLE_INTERRUPT:
		break;
	}
	return step_of_sleeper(policy == IDLE_INTERRUPT, empty, must_be_polled);
}

enum idle_policy
lcore_idle_auto(uint32_t cpus_online, bool isolated)
{
	if (cpus_online < CPUS_TO_POLL_ON) {
		return IDLE_SLEEP;
	}
	return isolated ? IDLE_SPIN : IDLE_PAUSE;
}
