/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/methods/partition_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include "ctrl/schema/events_gen.h"

static uint32_t
partition_count(const struct engine *engine)
{
	return engine->routes ? atomic_load_explicit(&engine->routes->partition_count, memory_order_acquire) : 0;
}

static void
partition_name(const struct engine *engine, uint32_t index, char ret_name[PARTITION_WATCH_NAME_BYTES])
{
	const struct route_partition *p = &engine->routes->partitions[index];

	snprintf(ret_name, PARTITION_WATCH_NAME_BYTES, "%.*s-%u", HANDOFF_TOPIC_NAME_MAX,
		engine->routes->topics[p->topic_index].name, p->partition);
}

/* How many of its records are astray at this moment. ret_sum changes whenever a number of it does. */
static uint64_t
partition_astray(const struct engine *engine, uint32_t index, uint64_t *ret_sum)
{
	uint64_t lanes[HANDOFF_LANES_MAX][LANE_FATE_COUNT];
	bool internal = ROUTE_READ(engine->routes->partitions[index].flags) & ROUTE_INTERNAL;
	struct log_partition_status status;
	uint64_t sum = 0, grown = 0;

	for (uint32_t lane = 0; lane < engine->lane_count; lane++) {
		lane_partition_records(engine->lanes[lane], index, lanes[lane]);
		for (uint32_t fate = 0; fate < LANE_FATE_COUNT; fate++) {
			sum += lanes[lane][fate];
		}
	}
	if (!internal && logstore_status(engine->store, index, &status) == 0) {
		grown = (uint64_t)(status.log_end_offset - status.opened_offset);
	} else {
		/* The broker's, or deleted: its log says nothing about the lanes. */
		for (uint32_t lane = 0; lane < engine->lane_count; lane++) {
			grown += lanes[lane][LANE_FATE_STORED];
		}
	}
	*ret_sum = sum + grown;
	return ledger_partition_astray(lanes, engine->lane_count, grown);
}

void
partition_watch_equation(
	const struct engine *engine, struct partition_watch_names *ret_names, struct ledger_equation *ret_equation)
{
	struct ledger_equation *e = ret_equation;
	uint32_t count = partition_count(engine), off = 0;

	*e = (struct ledger_equation){.name = "E6 partitions", .visible = true};
	e->terms[e->term_count++] = (struct ledger_term){.name = "partitions", .value = count, .visible = true};
	e->terms[e->term_count++] = (struct ledger_term){.name = "partitions_off", .visible = true, .sign = 1};
	for (uint32_t i = 0; i < count; i++) {
		uint64_t sum, astray = partition_astray(engine, i, &sum);

		if (astray > 0 && off++ < PARTITION_WATCH_NAMED) {
			char *name = ret_names->names[off - 1];

			partition_name(engine, i, name);
			e->terms[e->term_count++] =
				(struct ledger_term){.name = name, .value = astray, .visible = true};
		}
	}
	e->terms[1].value = off;
	e->difference = off;
}

/* True if this partition has been off by the same numbers for several looks. */
static bool
partition_judge(struct partition_watch_seen *seen, uint64_t astray, uint64_t sum)
{
	bool same = seen->looks > 0 && astray == seen->astray && sum == seen->sum;

	*seen = (struct partition_watch_seen){
		.astray = astray, .sum = sum, .looks = astray == 0 ? 0 : same ? seen->looks + 1 : 1};
	return seen->looks >= PARTITION_WATCH_LOOKS;
}

void
partition_watch_look(struct partition_watch *w, const struct engine *engine)
{
	uint32_t count = partition_count(engine);

	if (count > 0 && !w->seen) {
		w->seen = calloc(engine->routes->partitions_max, sizeof(*w->seen));
	}
	w->broken_count = 0;
	for (uint32_t i = 0; i < count && w->seen; i++) {
		uint64_t sum, astray = partition_astray(engine, i, &sum);

		if (partition_judge(&w->seen[i], astray, sum) && w->broken_count++ == 0) {
			w->broken_astray = astray;
			partition_name(engine, i, w->broken_name);
		}
	}
	if (w->broken_count > 0 && w->told_count == 0) {
		event_ledger_broken("%u partitions, the first is %s: E6 is off by %llu. %s fix: %s", w->broken_count,
			w->broken_name, (unsigned long long)w->broken_astray, EVENT_LEDGER_BROKEN_CAUSE,
			EVENT_LEDGER_BROKEN_FIX);
	} else if (w->broken_count == 0 && w->told_count > 0) {
		event_ledger_mended("E6 of all partitions");
	}
	w->told_count = w->broken_count;
}

void
partition_watch_reasons(const struct partition_watch *w, json_t *reasons)
{
	char text[PARTITION_WATCH_NAME_BYTES + 320];

	if (w->broken_count > 0) {
		snprintf(text, sizeof(text), "ledger: E6 of %u partitions, the first is %s: off by %llu. %s fix: %s",
			w->broken_count, w->broken_name, (unsigned long long)w->broken_astray,
			EVENT_LEDGER_BROKEN_CAUSE, EVENT_LEDGER_BROKEN_FIX);
		json_array_append_new(reasons, json_string(text));
	}
}

void
partition_watch_fini(struct partition_watch *w)
{
	free(w->seen);
	w->seen = NULL;
}
