/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When micro-batches are cut: absolute ticks at multiples of the batch interval since the epoch, by
 * the wall clock. A late tick does not move the next one. Batcher's lcore.
 */
#ifndef BATCHER_BATCH_CLOCK_H
#define BATCHER_BATCH_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct batch_clock {
	uint64_t interval_ns;
	uint64_t next_ns; /* batch time of the next tick */
	uint64_t seen_ns; /* last wall time read */
	uint64_t backward_count;
};

/* First tick: the multiple of interval_ns after wall_ns, never wall_ns itself. */
void batch_clock_start(struct batch_clock *clock, uint64_t interval_ns, uint64_t wall_ns);
/*
 * True if a tick is due: its batch time is the latest tick passed, ret_skipped how many before it
 * were not taken. After a backward step no tick is due until the clock has caught up.
 */
bool batch_clock_tick(
	struct batch_clock *clock, uint64_t wall_ns, uint64_t *ret_time_ns, uint64_t *ret_skipped);
/* A batch time for a micro-batch between ticks (drain): the current tick, or one after the last. */
uint64_t batch_clock_force(struct batch_clock *clock, uint64_t wall_ns);

#endif
