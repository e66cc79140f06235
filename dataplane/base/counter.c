/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The counter tables and the published copies. One owner thread writes `live` and publishes; any
 * thread reads. Publication n goes to copies[n & 1] and then raises `version` to n, so the copy that
 * readers are sent to is never the one being written. A reader that is overtaken by a whole
 * publication sees `version` move and starts again.
 */
#include "base/counter.h"

#include <string.h>
#include "base/ensure.h"

#define COUNTER_ROW(name_, class_, help_)                                                          \
	{.name = #name_, .class = COUNTER_##class_, .help = help_},

#define LANE_COUNTER COUNTER_ROW
const struct counter_row lane_counter_rows[LANE_COUNTER_COUNT] = {
#include "base/counters.def"
};
#define SHARD_COUNTER COUNTER_ROW
const struct counter_row shard_counter_rows[SHARD_COUNTER_COUNT] = {
#include "base/counters.def"
};
#define JOB_COUNTER COUNTER_ROW
const struct counter_row job_counter_rows[JOB_COUNTER_COUNT] = {
#include "base/counters.def"
};
#define CLIENT_COUNTER COUNTER_ROW
const struct counter_row client_counter_rows[CLIENT_COUNTER_COUNT] = {
#include "base/counters.def"
};

_Static_assert(LANE_COUNTER_COUNT <= COUNTER_SLOTS_MAX, "lane counters fit a set");
_Static_assert(SHARD_COUNTER_COUNT <= COUNTER_SLOTS_MAX, "shard counters fit a set");
_Static_assert(JOB_COUNTER_COUNT <= COUNTER_SLOTS_MAX, "job counters fit a set");
_Static_assert(CLIENT_COUNTER_COUNT <= COUNTER_SLOTS_MAX, "client counters fit a set");

void
counter_set_init(struct counter_set *set)
{
	memset(set->live, 0, sizeof(set->live));
	atomic_init(&set->version, 0);
	for (uint32_t i = 0; i < COUNTER_SLOTS_MAX; i++) {
		atomic_init(&set->copies[0][i], 0);
		atomic_init(&set->copies[1][i], 0);
	}
}

void
counter_publish(struct counter_set *set, uint32_t count)
{
	uint64_t next = atomic_load_explicit(&set->version, memory_order_relaxed) + 1;
	_Atomic uint64_t *copy = set->copies[next & 1];

	ensure(count <= COUNTER_SLOTS_MAX);
	/* Released one by one: who sees a slot of this copy also sees that `version` had moved on. */
	for (uint32_t i = 0; i < count; i++) {
		atomic_store_explicit(&copy[i], set->live[i], memory_order_release);
	}
	atomic_store_explicit(&set->version, next, memory_order_release);
}

void
counter_read(struct counter_set *set, uint64_t *ret_values, uint32_t count)
{
	uint64_t seen;
	uint64_t version = atomic_load_explicit(&set->version, memory_order_acquire);

	ensure(count <= COUNTER_SLOTS_MAX);
	do {
		_Atomic uint64_t *copy = set->copies[version & 1];

		seen = version;
		for (uint32_t i = 0; i < count; i++) {
			ret_values[i] = atomic_load_explicit(&copy[i], memory_order_acquire);
		}
		version = atomic_load_explicit(&set->version, memory_order_acquire);
	} while (version != seen);
}
