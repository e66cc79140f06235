/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric.list, metric.get. Families come from the counter table: a drop, reject or discard reason is a
 * label of one family, everything else a family of its own. Histograms are shown by percentiles.
 * Numbers of a port stand with its first lane.
 */
#include <stdio.h>
#include <stddef.h>
#include <string.h>
#include "base/histogram.h"
#include "ctrl/methods/body.h"
#include "ctrl/methods/job.h"
#include "ctrl/schema/value.h"

struct scope {
	const char *name;     /* in metric names */
	const char *instance; /* label that tells instances apart */
	const struct counter_row *rows;
	uint32_t count;
};

static const struct scope scopes[] = {
	{"lane", "lane", lane_counter_rows, LANE_COUNTER_COUNT},
	{"log", "shard", shard_counter_rows, SHARD_COUNTER_COUNT},
	{"job", "job", job_counter_rows, JOB_COUNTER_COUNT},
};

struct gather {
	json_t *list;
	const json_t *names;  /* asked; NULL: all */
	const json_t *labels; /* asked; NULL: any */
	bool catalogue;
};

/* Family, type and, for reasons, the label. */
static const char *
family(const struct scope *scope, const struct counter_row *row, char *name, size_t room)
{
	const char *common = row->class == COUNTER_DROP ? "penstock_drops_total" :
			     row->class == COUNTER_REJECT ? "penstock_rejects_total" :
			     row->class == COUNTER_DISCARD ? "penstock_discards_total" :
							     NULL;

	if (common) {
		snprintf(name, room, "%s", common);
		return "reason";
	}
	snprintf(name, room, "penstock_%s_%s%s", scope->name, row->name,
		row->class == COUNTER_HOLD ? "" : "_total");
	return NULL;
}

static bool
name_asked(const struct gather *g, const char *name)
{
	size_t index;
	json_t *asked;

	if (!g->names) {
		return true;
	}
	json_array_foreach(g->names, index, asked) {
		if (strcmp(json_string_value(asked), name) == 0) {
			return true;
		}
	}
	return false;
}

static bool
labels_asked(const struct gather *g, json_t *labels)
{
	const char *name;
	json_t *asked;

	json_object_foreach((json_t *)g->labels, name, asked) {
		if (!json_equal(json_object_get(labels, name), asked)) {
			return false;
		}
	}
	return true;
}

/* Steals labels and value. */
static void
add_series(struct gather *g, const char *name, json_t *labels, json_t *value)
{
	if (name_asked(g, name) && labels_asked(g, labels)) {
		json_array_append_new(g->list, json_pack("{s:s,s:O,s:O}", "name", name, "labels", labels,
			"value", value));
	}
	json_decref(labels);
	json_decref(value);
}

static void
add_family(struct gather *g, const char *name, const char *type, const char *labels,
	const char *help)
{
	size_t index;
	json_t *item;

	json_array_foreach(g->list, index, item) {
		if (strcmp(json_string_value(json_object_get(item, "name")), name) == 0) {
			return;
		}
	}
	json_array_append_new(g->list, json_pack("{s:s,s:s,s:s,s:s,s:s}", "name", name, "type", type,
		"unit", strstr(name, "_seconds") ? "seconds" : strstr(name, "_bytes") ? "bytes" : "", "labels",
		labels, "help", help));
}

static void
gather_scope(struct gather *g, const struct scope *scope, const char *instance,
	const uint64_t *values)
{
	char name[96];
	char labels[48];

	for (uint32_t i = 0; i < scope->count; i++) {
		const struct counter_row *row = &scope->rows[i];
		const char *reason = family(scope, row, name, sizeof(name));

		if (g->catalogue) {
			snprintf(labels, sizeof(labels), "%s%s", reason ? "stage,reason," : "",
				scope->instance);
			add_family(g, name, row->class == COUNTER_HOLD ? "gauge" : "counter", labels,
				reason ? "by reason; see the drop ledger" : row->help);
		} else if (reason) {
			add_series(g, name, json_pack("{s:s,s:s,s:s}", "stage", scope->name, "reason", row->name,
				scope->instance, instance), json_integer((json_int_t)values[i]));
		} else {
			add_series(g, name, json_pack("{s:s}", scope->instance, instance),
				json_integer((json_int_t)values[i]));
		}
	}
}

static const struct {
	const char *name;
	const char *help;
} latencies[LANE_LATENCY_COUNT] = {
	[LANE_RX_TO_OFFER] = {"penstock_native_offer_seconds", "packet taken to batch given to the log"},
	[LANE_RX_TO_DURABLE] = {"penstock_native_durable_seconds", "packet taken to batch durable"},
	[LANE_RX_TO_ACK] = {"penstock_native_ack_seconds", "packet taken to acknowledgement sent"},
};

static double
seconds(uint64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

static json_t *
histogram_json(const struct histogram *h)
{
	return json_pack("{s:I,s:f,s:f,s:f,s:f,s:f}", "count", (json_int_t)h->count, "sum_seconds",
		seconds(h->sum), "p50", seconds(histogram_percentile(h, 500000)), "p99",
		seconds(histogram_percentile(h, 990000)), "p999",
		seconds(histogram_percentile(h, 999000)), "max", seconds(h->max));
}

static void
gather_lanes(struct gather *g, const struct engine *engine)
{
	uint64_t values[COUNTER_SLOTS_MAX] = {0};
	struct histogram h;
	char instance[16];

	for (uint32_t lane = 0; lane < engine->lane_count; lane++) {
		snprintf(instance, sizeof(instance), "%u", lane);
		lane_counters(engine->lanes[lane], values);
		gather_scope(g, &scopes[0], instance, values);
		for (uint32_t i = 0; i < LANE_LATENCY_COUNT; i++) {
			if (name_asked(g, latencies[i].name)) {
				lane_latencies(engine->lanes[lane], (enum lane_latency)i, &h);
				add_series(g, latencies[i].name, json_pack("{s:s}", "lane", instance),
					histogram_json(&h));
			}
		}
	}
}

/* What the driver of a port says; a number that it cannot know is left out. */
static const struct {
	const char *name;
	size_t at; /* in struct nic_stats */
	const char *help;
} port_numbers[] = {
	{"penstock_port_rx_packets_total", offsetof(struct nic_stats, ipackets), "packets received"},
	{"penstock_port_missed_total", offsetof(struct nic_stats, imissed),
		"packets lost before a lane took them: above 0 is a bug or a lane that is late"},
	{"penstock_port_rx_errors_total", offsetof(struct nic_stats, ierrors), "packets received damaged"},
	{"penstock_port_rx_nombuf_total", offsetof(struct nic_stats, rx_nombuf),
		"times no buffer was free for a packet: no loss yet"},
	{"penstock_port_tx_packets_total", offsetof(struct nic_stats, opackets), "packets sent"},
	{"penstock_port_tx_errors_total", offsetof(struct nic_stats, oerrors), "packets that could not be sent"},
};

static void
gather_ports(struct gather *g, const struct engine *engine)
{
	struct nic_stats stats;
	struct nic_caps caps;
	char instance[16];
	uint64_t value;

	for (uint32_t lane = 0; lane < engine->lane_count; lane++) {
		struct nic *nic = engine->nics[lane];

		nic->ops->caps(nic, &caps);
		nic->ops->stats(nic, &stats);
		snprintf(instance, sizeof(instance), "%u", lane);
		for (size_t i = 0; i < ARRAY_COUNT(port_numbers) && caps.queue == 0; i++) {
			memcpy(&value, (const char *)&stats + port_numbers[i].at, sizeof(value));
			if (value != UINT64_MAX) {
				add_series(g, port_numbers[i].name,
					json_pack("{s:s,s:s}", "lane", instance, "driver", caps.driver),
					json_integer((json_int_t)value));
			}
		}
	}
}

static void
gather_log_and_jobs(struct gather *g, struct methods *methods)
{
	const struct engine *engine = methods->engine;
	uint64_t values[COUNTER_SLOTS_MAX] = {0};
	struct job_status status;
	char instance[16];

	for (uint32_t shard = 0; shard < engine->shard_count && engine->store; shard++) {
		snprintf(instance, sizeof(instance), "%u", shard);
		logstore_counters(engine->store, shard, values);
		gather_scope(g, &scopes[1], instance, values);
	}
	for (uint32_t job = 0; job < BATCHER_JOBS_MAX; job++) {
		if (methods->jobs[job] && batcher_job_status(engine->batcher, job, &status) == 0) {
			gather_scope(g, &scopes[2], status.name, status.counters);
		}
	}
}

/* What the control socket counts about itself. */
static const struct {
	const char *name;
	size_t at; /* in struct rpc_stats */
	size_t bytes;
	const char *type;
	const char *help;
} control_numbers[] = {
#define CONTROL_NUMBER(name, member, type, help)                                                   \
	{name, offsetof(struct rpc_stats, member), sizeof(((struct rpc_stats *)0)->member), type, help}
	CONTROL_NUMBER("penstock_ctl_requests_total", requests, "counter", "request lines received"),
	CONTROL_NUMBER("penstock_ctl_errors_total", errors, "counter", "requests answered with an error"),
	CONTROL_NUMBER("penstock_ctl_connections", connections, "gauge", "connections open now"),
	CONTROL_NUMBER("penstock_ctl_connections_opened_total", connections_opened, "counter",
		"connections taken"),
	CONTROL_NUMBER("penstock_ctl_connections_refused_total", connections_refused, "counter",
		"connections refused: no place, or a user without a role"),
	CONTROL_NUMBER("penstock_ctl_line_timeouts_total", line_timeouts, "counter",
		"connections closed because half a line stood for 30 s"),
	CONTROL_NUMBER("penstock_ctl_slow_readers_total", slow_readers, "counter",
		"connections closed because their answers were not read"),
	CONTROL_NUMBER("penstock_ctl_protocol_closes_total", protocol_closes, "counter",
		"connections closed after ten protocol errors within 10 s"),
	CONTROL_NUMBER("penstock_ctl_halves_discarded_total", halves_discarded, "counter",
		"lines without an end that were thrown away with their connection"),
	CONTROL_NUMBER("penstock_ctl_memory_refusals_total", memory_refusals, "counter",
		"requests and answers for which ctl.memory_max had no room"),
	CONTROL_NUMBER("penstock_ctl_memory_bytes", buffer_bytes, "gauge",
		"buffers of all connections, at most ctl.memory_max"),
#undef CONTROL_NUMBER
};

/* What each lcore's loop counts about itself. */
static const struct {
	const char *name;
	size_t at; /* in struct engine_lcore */
	bool ns;   /* shown in seconds */
	const char *help;
} lcore_numbers[] = {
	{"penstock_lcore_iterations_total", offsetof(struct engine_lcore, turns), false, "turns of the loop"},
	{"penstock_lcore_items_total", offsetof(struct engine_lcore, items), false,
		"pieces of work that the pollers said they did"},
	{"penstock_lcore_busy_seconds_total", offsetof(struct engine_lcore, busy_ns), true,
		"time of turns that did work"},
};

static void
gather_control(struct gather *g, struct methods *methods)
{
	const struct engine *engine = methods->engine;
	struct rpc_stats stats = {0};
	char instance[16];

	if (methods->server) {
		rpc_server_stats(methods->server, &stats);
	}
	for (size_t i = 0; i < ARRAY_COUNT(control_numbers); i++) {
		uint64_t value = 0; /* little endian: the low bytes of a narrower member */

		memcpy(&value, (const char *)&stats + control_numbers[i].at, control_numbers[i].bytes);
		add_series(g, control_numbers[i].name, json_object(), json_integer((json_int_t)value));
	}
	for (uint32_t lcore = 0; lcore < engine->lcore_count; lcore++) {
		snprintf(instance, sizeof(instance), "%u", lcore);
		for (size_t i = 0; i < ARRAY_COUNT(lcore_numbers); i++) {
			const char *at = (const char *)&engine->lcores[lcore] + lcore_numbers[i].at;
			uint64_t value = atomic_load_explicit((const _Atomic uint64_t *)(const void *)at,
				memory_order_relaxed);

			add_series(g, lcore_numbers[i].name, json_pack("{s:s}", "lcore", instance),
				lcore_numbers[i].ns ? json_real(seconds(value)) :
						      json_integer((json_int_t)value));
		}
	}
}

static json_t *
catalogue(void)
{
	struct gather g = {.list = json_array(), .catalogue = true};

	for (size_t i = 0; i < ARRAY_COUNT(scopes); i++) {
		gather_scope(&g, &scopes[i], "", NULL);
	}
	for (uint32_t i = 0; i < LANE_LATENCY_COUNT; i++) {
		add_family(&g, latencies[i].name, "histogram", "lane", latencies[i].help);
	}
	for (size_t i = 0; i < ARRAY_COUNT(port_numbers); i++) {
		add_family(&g, port_numbers[i].name, "counter", "lane,driver", port_numbers[i].help);
	}
	for (size_t i = 0; i < ARRAY_COUNT(control_numbers); i++) {
		add_family(&g, control_numbers[i].name, control_numbers[i].type, "", control_numbers[i].help);
	}
	for (size_t i = 0; i < ARRAY_COUNT(lcore_numbers); i++) {
		add_family(&g, lcore_numbers[i].name, "counter", "lcore", lcore_numbers[i].help);
	}
	return g.list;
}

METHOD_BODY(metric_list)
{
	(void)params;
	rpc_call_result(call, json_pack("{s:o}", "metrics", catalogue()));
}

/* The first asked name that is in no family; NULL: all are. */
static const char *
unknown_name(const json_t *names, json_t *families, struct value_nearest *nearest)
{
	size_t i;
	size_t j;
	json_t *asked;
	json_t *item;

	json_array_foreach(names, i, asked) {
		bool known = false;

		value_nearest_init(nearest, json_string_value(asked));
		json_array_foreach(families, j, item) {
			const char *name = json_string_value(json_object_get(item, "name"));

			known = known || strcmp(name, json_string_value(asked)) == 0;
			value_nearest_offer(nearest, name);
		}
		if (!known) {
			return json_string_value(asked);
		}
	}
	return NULL;
}

METHOD_BODY(metric_get)
{
	struct methods *methods = body_methods(call);
	struct gather g = {.names = params->names, .labels = params->labels};
	json_t *families = catalogue();
	struct value_nearest nearest;
	const char *unknown = unknown_name(params->names, families, &nearest);

	if (unknown) {
		rpc_call_error(call, ERROR_NOT_FOUND,
			json_pack("{s:s,s:[s*],s:[s]}", "what", "metric", "nearest",
				nearest.count ? nearest.names[0] : NULL, "fix", "penstock metric list"),
			"no metric \"%.128s\"%s%s", unknown, nearest.count ? "; nearest: " : "",
			nearest.count ? nearest.names[0] : "");
		json_decref(families);
		return;
	}
	json_decref(families);
	g.list = json_array();
	gather_lanes(&g, methods->engine);
	gather_ports(&g, methods->engine);
	gather_log_and_jobs(&g, methods);
	gather_control(&g, methods);
	rpc_call_result(call, json_pack("{s:o}", "series", g.list));
}
