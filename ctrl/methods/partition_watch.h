/* SPDX-License-Identifier: Apache-2.0 */
/*
 * E6 of each partition (ledger_partition_astray): what every lane took for it has met a fate, and what all
 * lanes stored is what its log has grown by. Sums over all partitions would not see a batch that is counted
 * for one and stored in another. Internal partitions are the control thread's: their growth is in the log's
 * own equations. Control thread; a look costs a cache line a lane and partition.
 */
#ifndef CTRL_PARTITION_WATCH_H
#define CTRL_PARTITION_WATCH_H

#include <jansson.h>
#include "ctrl/methods/engine.h"

#define PARTITION_WATCH_LOOKS 3 /* that find the same numbers, none of which moved meanwhile */
#define PARTITION_WATCH_NAMED 4
#define PARTITION_WATCH_NAME_BYTES (HANDOFF_TOPIC_NAME_MAX + 12)

struct partition_watch_seen {
	uint64_t astray; /* records */
	uint64_t sum;	 /* of all numbers: tells whether one moved */
	uint32_t looks;
};

/* Zeroed memory is one that has not looked yet. */
struct partition_watch {
	struct partition_watch_seen *seen; /* by partition index; of the first look */
	uint32_t broken_count, told_count;
	uint64_t broken_astray; /* of the first of them */
	char broken_name[PARTITION_WATCH_NAME_BYTES];
};

/* Names of an equation's terms. */
struct partition_watch_names {
	char names[PARTITION_WATCH_NAMED][PARTITION_WATCH_NAME_BYTES];
};

/*
 * "E6 partitions" as it is now: its difference is how many partitions are off, the first of which are
 * terms with their records; a batch between two threads is one. ret_names outlives the equation.
 */
void partition_watch_equation(
	const struct engine *engine, struct partition_watch_names *ret_names, struct ledger_equation *ret_equation);
/* Looks at all of them; tells when the first one stays off, and when none is any more. */
void partition_watch_look(struct partition_watch *watch, const struct engine *engine);
/* Appends a sentence if any stayed off. */
void partition_watch_reasons(const struct partition_watch *watch, json_t *reasons);
void partition_watch_fini(struct partition_watch *watch);

#endif
