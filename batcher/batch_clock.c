/* SPDX-License-Identifier: Apache-2.0 */
/* Tick arithmetic of the batch clock. Batcher's lcore. Invariant: batch times only grow. */
#include "batcher/batch_clock.h"

void
batch_clock_start(struct batch_clock *clock, uint64_t interval_ns, uint64_t wall_ns)
{
	*clock = (struct batch_clock){
		.interval_ns = interval_ns,
		.next_ns = (wall_ns / interval_ns + 1) * interval_ns,
		.seen_ns = wall_ns,
	};
}

/* Notes the wall time; counts a backward step. tick() does it too. */
static void
batch_clock_see(struct batch_clock *clock, uint64_t wall_ns)
{
	if (wall_ns < clock->seen_ns) {
		clock->backward_count++;
	}
	clock->seen_ns = wall_ns;
}

bool
batch_clock_tick(
	struct batch_clock *clock, uint64_t wall_ns, uint64_t *ret_time_ns, uint64_t *ret_skipped)
{
	batch_clock_see(clock, wall_ns);
	if (wall_ns < clock->next_ns) {
		return false;
	}
	*ret_time_ns = wall_ns / clock->interval_ns * clock->interval_ns;
	*ret_skipped = (*ret_time_ns - clock->next_ns) / clock->interval_ns;
	clock->next_ns = *ret_time_ns + clock->interval_ns;
	return true;
}

uint64_t
batch_clock_force(struct batch_clock *clock, uint64_t wall_ns)
{
	uint64_t time_ns = wall_ns / clock->interval_ns * clock->interval_ns;

	batch_clock_see(clock, wall_ns);
	if (time_ns < clock->next_ns) {
		time_ns = clock->next_ns;
	}
	clock->next_ns = time_ns + clock->interval_ns;
	return time_ns;
}
