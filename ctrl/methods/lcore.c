/* SPDX-License-Identifier: Apache-2.0 */
/* lcore.list, lcore.describe: relaxed reads of what each loop counts about itself. */
#include "ctrl/methods/body.h"

static uint64_t
read_relaxed(const _Atomic uint64_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static json_t *
lcore_row(const struct engine *engine, uint32_t index)
{
	const struct engine_lcore *l = &engine->lcores[index];
	uint64_t now_ns = clock_now_ns(engine->clock);
	uint64_t beat_ns = read_relaxed(&l->heartbeat_ns);
	uint64_t total_ns = read_relaxed(&l->total_ns);
	uint64_t turns = read_relaxed(&l->turns);
	uint64_t empty = read_relaxed(&l->turns_empty);
	uint64_t items = read_relaxed(&l->items);
	double total = total_ns ? (double)total_ns : 1.0;

	return json_pack("{s:i,s:s,s:i,s:s,s:f,s:f,s:I,s:I,s:I,s:f,s:I,s:I,s:I,s:I,s:I}", "lcore", (int)index,
		"role", l->role, "cpu", l->cpu, "idle", l->idle, "busy_ratio", (double)read_relaxed(&l->busy_ns) / total,
		"sleep_ratio", (double)read_relaxed(&l->sleep_ns) / total, "turns", (json_int_t)turns,
		"turns_empty", (json_int_t)empty, "items", (json_int_t)items, "items_per_turn",
		turns > empty ? (double)items / (double)(turns - empty) : 0.0, "worst_turn_us",
		(json_int_t)(read_relaxed(&l->worst_turn_ns) / NS_PER_US), "heartbeat_age_ms",
		(json_int_t)(beat_ns > 0 && now_ns > beat_ns ? (now_ns - beat_ns) / NS_PER_MS : 0), "busy_ns",
		(json_int_t)read_relaxed(&l->busy_ns), "sleep_ns", (json_int_t)read_relaxed(&l->sleep_ns),
		"total_ns", (json_int_t)total_ns);
}

METHOD_BODY(lcore_list)
{
	const struct engine *engine = body_engine(call);
	json_t *lcores = json_array();

	(void)params;
	for (uint32_t i = 0; i < engine->lcore_count; i++) {
		json_array_append_new(lcores, lcore_row(engine, i));
	}
	rpc_call_result(call, json_pack("{s:o}", "lcores", lcores));
}

METHOD_BODY(lcore_describe)
{
	const struct engine *engine = body_engine(call);

	if (params->lcore >= engine->lcore_count) {
		rpc_call_error(call, ERROR_NOT_FOUND, json_pack("{s:s,s:[]}", "what", "lcore", "nearest"),
			"no lcore %u; there are %u", params->lcore, engine->lcore_count);
		return;
	}
	rpc_call_result(call, json_pack("{s:o}", "lcore", lcore_row(engine, params->lcore)));
}
