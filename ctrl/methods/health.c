/* SPDX-License-Identifier: Apache-2.0 */
/* health.get, health.wait: from published copies only, no lcore is asked. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "ctrl/methods/body.h"
#include "ctrl/methods/worker_watch.h"
#include "ctrl/rpc/uds_server.h"

#define MEMORY_SHOWN_NS LEDGER_WATCH_LOSS_SHOWN_NS /* as long as losses are */

static void
add_reason(json_t *reasons, const char *text)
{
	json_array_append_new(reasons, problem_string(text)); /* may name a path, which is any bytes */
}

/*
 * What keeps an lcore from its heartbeat by right: a function that is within its job's task_timeout.
 * A stuck one is named. Returns true if the heartbeat says nothing; *beat_ns moves to the end of a call.
 */
static bool
check_functions(const struct engine *engine, uint32_t lcore, uint64_t now_ns, json_t *reasons,
	bool *ret_live, uint64_t *beat_ns)
{
	char text[WORKER_WATCH_TEXT];
	bool called = false;

	for (uint32_t i = 0; i < engine->worker_count; i++) {
		struct worker_watch watch;

		if (engine->worker_lcores[i] != lcore) {
			continue;
		}
		worker_watch(engine, i, now_ns, &watch);
		called = called || watch.running_ns > 0;
		*beat_ns = watch.call.ended_ns > *beat_ns ? watch.call.ended_ns : *beat_ns;
		if (watch.stuck) {
			*ret_live = false;
			add_reason(reasons, worker_watch_words(engine, &watch, text, sizeof(text)));
		}
	}
	return called;
}

/* Age of the oldest heartbeat in ms; names those beyond the watchdog's limit. */
static uint64_t
check_lcores(const struct engine *engine, json_t *reasons, bool *ret_live)
{
	uint64_t now_ns = clock_now_ns(engine->clock);
	uint64_t oldest_ns = 0;
	char text[160];

	for (uint32_t i = 0; i < engine->lcore_count; i++) {
		const struct engine_lcore *lcore = &engine->lcores[i];
		uint64_t beat_ns = atomic_load_explicit(&lcore->heartbeat_ns, memory_order_relaxed);
		bool called = check_functions(engine, i, now_ns, reasons, ret_live, &beat_ns);
		uint64_t age_ns = now_ns > beat_ns ? now_ns - beat_ns : 0;

		oldest_ns = age_ns > oldest_ns ? age_ns : oldest_ns;
		if (age_ns > engine->config->watchdog_stall_ns && !called) {
			*ret_live = false;
			snprintf(text, sizeof(text), "lcore %u (%s): no heartbeat for %" PRIu64 " ms", i,
				lcore->role, (uint64_t)(age_ns / NS_PER_MS));
			add_reason(reasons, text);
		}
	}
	return oldest_ns / NS_PER_MS;
}

/* Why it does not serve, as far as the state says it. */
static const char *
state_words(const struct engine *engine, char *text, size_t room)
{
	uint32_t total = atomic_load_explicit(&engine->recover_total, memory_order_relaxed);

	if (engine->state == ENGINE_RECOVERING && total > 0) {
		snprintf(text, room, "state is recovering: %u of %u partitions are recovered",
			atomic_load_explicit(&engine->recover_done, memory_order_relaxed), total);
	} else {
		snprintf(text, room, "state is %s%s%s", engine_state_names[engine->state],
			engine->failure[0] ? ": " : "", engine->failure);
	}
	return text;
}

/* A reason that leaves `ready` alone: the control socket had no room lately. */
static void
check_memory(const struct methods *methods, uint64_t now_ns, json_t *reasons)
{
	struct rpc_stats stats = {0};
	char text[256];

	if (methods->server) {
		rpc_server_stats(methods->server, &stats);
	}
	if (stats.memory_refusals > 0 && now_ns - stats.memory_refused_ns < MEMORY_SHOWN_NS) {
		snprintf(text, sizeof(text), "ctl_memory: requests or answers of the control socket found no room %" PRIu64
			" times, of late too. fix: fewer clients, lists by `limit`, or raise ctl.memory_max, now %" PRIu64
			" bytes", stats.memory_refusals, methods->engine->config->ctl_memory_max_bytes);
		add_reason(reasons, text);
	}
}

/* Partitions that take no records until somebody acts; the others go on, so that `ready` is left alone. */
static void
check_partitions(const struct engine *engine, json_t *reasons)
{
	static const struct {
		enum log_partition_state state;
		const char *words;
	} rows[] = {
		{LOG_PARTITION_QUARANTINED, "in quarantine, fix: penstock partition repair TOPIC PARTITION --action restore"},
		{LOG_PARTITION_POISONED, "refuse records after a failed write, fix: mend the disk, then start again"},
		{LOG_PARTITION_OFFLINE, "offline, fix: the log says why"},
	};
	uint32_t count = atomic_load(&engine->routes->partition_count);
	char text[HANDOFF_TOPIC_NAME_MAX + 256];

	for (size_t k = 0; k < ARRAY_COUNT(rows); k++) {
		const struct route_partition *first = NULL;
		struct log_partition_status status;
		uint32_t found = 0;

		for (uint32_t i = 0; i < count; i++) {
			struct route_partition *route = &engine->routes->partitions[i];

			if (route_state_acquire(&route->state) == ROUTE_OPEN &&
				logstore_status(engine->store, i, &status) == 0 && status.state == rows[k].state) {
				first = first ? first : route;
				found++;
			}
		}
		if (found > 0) {
			snprintf(text, sizeof(text), "partitions: %u %s; the first is %s-%u, see penstock partition list",
				found, rows[k].words, engine->routes->topics[first->topic_index].name,
				first->partition);
			add_reason(reasons, text);
		}
	}
}

/* The answer of health.get. */
static json_t *
body_health(struct methods *methods, bool *ret_ready)
{
	const struct engine *engine = methods->engine;
	json_t *reasons = json_array();
	json_t *warnings = json_array();
	struct log_store_info info = {0};
	bool live = true;
	uint64_t stale_ms = 0;
	char text[640];

	if (engine->state != ENGINE_RUNNING) {
		add_reason(reasons, state_words(engine, text, sizeof(text)));
	} else {
		stale_ms = check_lcores(engine, reasons, &live);
		logstore_info(engine->store, &info);
		if (info.failed) {
			snprintf(text, sizeof(text), "log: writes are off until restart: %s",
				info.failed_reason);
			add_reason(reasons, text);
		}
		if (info.disk_low) {
			snprintf(text, sizeof(text), "disk: free space of %s is below log.free.low;"
				" producers are refused", engine->data_dir);
			add_reason(reasons, text);
		}
	}
	for (uint32_t i = 0; i < info.warning_count; i++) {
		add_reason(warnings, info.warnings[i]);
	}
	*ret_ready = json_array_size(reasons) == 0;
	ledger_watch_reasons(&methods->ledger, clock_now_ns(engine->clock), reasons);
	check_memory(methods, clock_now_ns(engine->clock), reasons);
	if (engine->state == ENGINE_RUNNING) {
		check_partitions(engine, reasons);
	}
	return json_pack("{s:b,s:b,s:s,s:o,s:o,s:I,s:o,s:o}", "live", live, "ready", *ret_ready,
		"state", engine_state_names[engine->state], "reasons", reasons, "warnings",
		warnings, "stale_ms", (json_int_t)stale_ms, "profile",
		problem_string(engine->config->profile), "profile_reason",
		problem_string(engine->config->profile_reason));
}

METHOD_BODY(health_get)
{
	bool ready;

	(void)params;
	rpc_call_result(call, body_health(body_methods(call), &ready));
}

struct health_waiting {
	bool ready;
	uint64_t deadline_ns;
};

static bool
health_look(struct rpc_call *call, void *state, uint64_t now_ns)
{
	struct health_waiting *waiting = state;
	bool ready;
	json_t *health = body_health(body_methods(call), &ready);

	if (ready != waiting->ready && now_ns < waiting->deadline_ns && !rpc_call_gone(call)) {
		json_decref(health);
		return false;
	}
	if (ready == waiting->ready) {
		rpc_call_result(call, health);
	} else {
		rpc_call_error(call, ERROR_DEADLINE,
			json_pack("{s:I,s:b,s:o}", "elapsed_ms",
				(json_int_t)((now_ns - rpc_call_start_ns(call)) / NS_PER_MS), "still_running",
				0, "health", health),
			"daemon is still %s", waiting->ready ? "not ready" : "ready");
	}
	return true;
}

METHOD_BODY(health_wait)
{
	struct health_waiting *waiting = malloc(sizeof(*waiting));
	uint64_t now_ns = clock_now_ns(body_engine(call)->clock);

	if (!waiting) {
		rpc_call_no_memory(call, "health.wait");
		return;
	}
	waiting->ready = params->ready;
	waiting->deadline_ns = now_ns + params->timeout_ms * NS_PER_MS;
	rpc_call_wait(call, health_look, free, waiting); /* first: it may be answered at once */
	(void)health_look(call, waiting, now_ns);
}
