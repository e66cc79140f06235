/* SPDX-License-Identifier: Apache-2.0 */
/* drop.list: the ledger of every lane, from one snapshot of its counters each, of the log, and of its partitions. */
#include <stdlib.h>
#include "ctrl/methods/body.h"

static json_t *
equation_row(const struct ledger_equation *e)
{
	json_t *terms = json_array();

	for (uint32_t i = 0; i < e->term_count; i++) {
		const struct ledger_term *t = &e->terms[i];

		json_array_append_new(terms, json_pack("{s:s,s:o,s:i}", "name", t->name, "value",
			t->visible ? json_integer((json_int_t)t->value) : json_null(), "sign",
			(int)t->sign));
	}
	return json_pack("{s:s,s:o,s:o,s:b}", "name", e->name, "terms", terms, "difference",
		e->visible ? json_integer((json_int_t)e->difference) : json_null(), "visible", e->visible);
}

/* Appends rows. True if each that can be seen adds up. */
static bool
equation_rows(const struct ledger_equation *equations, uint32_t count, json_t *list)
{
	bool adds_up = true;

	for (uint32_t i = 0; i < count; i++) {
		adds_up = adds_up && (!equations[i].visible || equations[i].difference == 0);
		json_array_append_new(list, equation_row(&equations[i]));
	}
	return adds_up;
}

static json_t *
lane_row(const struct engine *engine, uint32_t lane, struct ledger_equation *equations,
	bool *ret_adds_up)
{
	uint64_t values[COUNTER_SLOTS_MAX] = {0};
	json_t *counters = json_object();
	json_t *list = json_array();
	struct nic_caps caps;
	uint32_t count;
	bool adds_up;

	engine->nics[lane]->ops->caps(engine->nics[lane], &caps);
	count = ledger_watch_snapshot(engine, lane, values, equations);
	adds_up = equation_rows(equations, count, list);
	for (uint32_t i = 0; i < LANE_COUNTER_COUNT; i++) {
		json_object_set_new(counters, lane_counter_rows[i].name,
			json_integer((json_int_t)values[i]));
	}
	*ret_adds_up = *ret_adds_up && adds_up;
	return json_pack("{s:i,s:s,s:b,s:o,s:o}", "lane", (int)lane, "driver", caps.driver, "adds_up",
		adds_up, "counters", counters, "equations", list);
}

METHOD_BODY(drop_list)
{
	const struct engine *engine = body_engine(call);
	struct ledger_equation *equations = calloc(LEDGER_EQUATIONS_MAX, sizeof(*equations));
	json_t *lanes = json_array();
	json_t *log = json_array();
	struct partition_watch_names names;
	bool adds_up = true;

	(void)params;
	for (uint32_t i = 0; i < engine->lane_count && equations; i++) {
		json_array_append_new(lanes, lane_row(engine, i, equations, &adds_up));
	}
	if (equations) {
		ledger_watch_log_snapshot(engine, equations);
		adds_up &= equation_rows(equations, LEDGER_LOG_EQUATIONS, log);
		partition_watch_equation(engine, &names, equations);
		adds_up &= equation_rows(equations, 1, log);
	}
	free(equations);
	rpc_call_result(call,
		json_pack("{s:o,s:o,s:b}", "lanes", lanes, "log", log, "adds_up", adds_up));
}
