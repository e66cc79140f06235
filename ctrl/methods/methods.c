/* SPDX-License-Identifier: Apache-2.0 */
/* What bodies share (body.h), and the face (methods.h). */
#include "ctrl/methods/methods.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ctrl/methods/body.h"
#include "ctrl/schema/value.h"

const char *const engine_state_names[] = {
	[ENGINE_STARTING] = "starting",	  [ENGINE_RECOVERING] = "recovering",
	[ENGINE_RUNNING] = "running",	  [ENGINE_DRAINING] = "draining",
	[ENGINE_STOPPING] = "stopping",	  [ENGINE_FAILED] = "failed",
	[ENGINE_STATE_COUNT] = NULL,
};

struct methods *
body_methods(const struct rpc_call *call)
{
	return rpc_call_user(call);
}

struct engine *
body_engine(const struct rpc_call *call)
{
	return body_methods(call)->engine;
}

int
methods_create(struct engine *engine, struct methods **ret_methods)
{
	struct methods *methods = calloc(1, sizeof(*methods));

	if (!methods) {
		return -ENOMEM;
	}
	methods->engine = engine;
	*ret_methods = methods;
	return 0;
}

void
methods_destroy(struct methods *methods)
{
	job_destroy_all(methods);
	ledger_watch_fini(&methods->ledger);
	free(methods);
}

static uint32_t
engine_state_now(void *user)
{
	return (uint32_t)((const struct methods *)user)->engine->state;
}

void
methods_server_options(struct methods *m, struct rpc_server_options *ret_options)
{
	const struct engine *engine = m->engine;

	*ret_options = (struct rpc_server_options){
		.clock = engine->clock,
		.path = engine->ctl_socket,
		.methods = method_rows,
		.method_count = METHOD_COUNT,
		.user = m,
		.state = engine_state_now,
		.state_names = engine_state_names,
		.request_bytes_max = engine->config->ctl_request_max_bytes,
		.memory_bytes_max = engine->config->ctl_memory_max_bytes,
		.version = engine->version,
		.instance = engine->instance,
		.mode = engine->mode,
		.node_id = engine->config->node_id,
	};
	peer_rules_resolve(&ret_options->rules, engine->config->mode == CONFIG_MODE_DEV);
}

void
methods_set_server(struct methods *methods, struct rpc_server *server)
{
	methods->server = server;
}

uint32_t
methods_poll(struct methods *methods, uint64_t now_ns)
{
	ledger_watch_poll(&methods->ledger, methods->engine, now_ns);
	return method_job_poll(methods);
}

void
body_no_topic(struct rpc_call *call, const char *topic)
{
	const struct route_table *routes = body_engine(call)->routes;
	struct value_nearest nearest;
	json_t *names = json_array();

	value_nearest_init(&nearest, topic);
	for (uint32_t i = 0; i < atomic_load(&routes->topic_count); i++) {
		if (route_state_acquire(&routes->topics[i].state) == ROUTE_OPEN) {
			value_nearest_offer(&nearest, routes->topics[i].name);
		}
	}
	for (uint32_t i = 0; i < nearest.count; i++) {
		json_array_append_new(names, json_string(nearest.names[i]));
	}
	rpc_call_error(call, ERROR_NOT_FOUND,
		json_pack("{s:s,s:o,s:[s]}", "what", "topic", "nearest", names, "fix", "penstock topic list"),
		"no topic \"%s\"%s%s", topic, nearest.count ? "; nearest: " : "",
		nearest.count ? nearest.names[0] : "");
}

const struct route_topic *
body_topic(struct rpc_call *call, const char *name, uint32_t *ret_topic_index)
{
	const struct route_topic *topic =
		broker_topic_find(body_engine(call)->broker, name, ret_topic_index);

	if (!topic) {
		body_no_topic(call, name);
	}
	return topic;
}

const char *
body_ack_risk(const struct route_topic *topic)
{
	static const char *const names[] = {NULL, "power", "crash", NULL};

	return names[ROUTE_READ(topic->flags) >> ROUTE_RISK_SHIFT & 3];
}

const char *const body_topic_state_names[] = {
	[BROKER_TOPIC_CREATING] = "creating", [BROKER_TOPIC_OPEN] = "open",
	[BROKER_TOPIC_DELETING] = "deleting", [BROKER_TOPIC_DELETED] = "deleted",
	[BROKER_TOPIC_DAMAGED] = "damaged",   [BROKER_TOPIC_FAILED] = "failed",
};

const char *
body_topic_operation(const struct engine *engine, uint32_t topic_index)
{
	switch (broker_topic_state(engine->broker, topic_index)) {
	case BROKER_TOPIC_CREATING:
		return "topic.create";
	case BROKER_TOPIC_DELETING:
		return "topic.delete";
	default:
		return "topic.alter";
	}
}

const struct route_topic *
body_open_topic(struct rpc_call *call, const char *name, uint32_t *ret_topic_index)
{
	const struct engine *engine = body_engine(call);
	const struct route_topic *topic = body_topic(call, name, ret_topic_index);
	enum broker_topic_state state;

	if (!topic) {
		return NULL;
	}
	state = broker_topic_state(engine->broker, *ret_topic_index);
	if (state == BROKER_TOPIC_OPEN) {
		return topic;
	}
	if (state == BROKER_TOPIC_DAMAGED || state == BROKER_TOPIC_FAILED) {
		rpc_call_error(call, ERROR_INVALID_STATE,
			json_pack("{s:s,s:[s],s:s}", "state", body_topic_state_names[state], "needs", "open",
				"next", "penstock topic delete"),
			"topic \"%s\" %s", name, state == BROKER_TOPIC_DAMAGED ?
				"is damaged: partition directories are missing; put them back and start the daemon "
				"again, or delete the topic" :
				"has failed: it could not be created; delete it, or create it again");
	} else {
		rpc_call_error(call, ERROR_BUSY,
			json_pack("{s:s}", "operation", body_topic_operation(engine, *ret_topic_index)),
			"topic \"%s\" is being %s; try again", name,
			state == BROKER_TOPIC_CREATING ? "created" : "deleted");
	}
	return NULL;
}

int
body_partition(struct rpc_call *call, const char *name, uint32_t partition,
	uint32_t *ret_partition_index)
{
	uint32_t topic_index;
	const struct route_topic *topic = body_open_topic(call, name, &topic_index);

	if (!topic) {
		return -ENOENT;
	}
	if (partition >= topic->partition_count) {
		rpc_call_error(call, ERROR_NOT_FOUND, json_pack("{s:s,s:[]}", "what", "partition", "nearest"),
			"topic \"%s\" has partitions 0..%u, not %u", name, topic->partition_count - 1,
			partition);
		return -ENOENT;
	}
	*ret_partition_index = topic->first_partition_index + partition;
	return 0;
}

static const char *const partition_state_names[] = {
	[LOG_PARTITION_ABSENT] = "absent",
	[LOG_PARTITION_SERVING] = "serving",	     [LOG_PARTITION_POISONED] = "poisoned",
	[LOG_PARTITION_QUARANTINED] = "quarantined", [LOG_PARTITION_OFFLINE] = "offline",
	[LOG_PARTITION_DELETED] = "deleted",
};

json_t *
body_partition_row(struct engine *engine, const struct route_topic *topic, uint32_t partition_index)
{
	const struct route_partition *route = &engine->routes->partitions[partition_index];
	struct log_partition_status status;

	if (logstore_status(engine->store, partition_index, &status) != 0) {
		return NULL;
	}
	return json_pack("{s:s,s:i,s:s,s:i,s:i,s:i,s:I,s:I,s:I,s:I,s:I,s:i,s:I,s:I}", "topic",
		topic->name, "partition", (int)route->partition, "state",
		partition_state_names[status.state], "shard", (int)status.shard, "lane", (int)route->lane,
		"leader_epoch", (int)status.leader_epoch, "log_start_offset",
		(json_int_t)status.log_start_offset, "log_end_offset", (json_int_t)status.log_end_offset,
		"high_watermark", (json_int_t)status.high_watermark, "durable_offset",
		(json_int_t)status.durable_offset, "size_bytes", (json_int_t)status.size_bytes,
		"segments", (int)status.segment_count, "active_base_offset",
		(json_int_t)status.active_base_offset, "durable_position",
		(json_int_t)status.durable_position);
}

bool
body_lcore_silent(const struct engine *engine, uint32_t lcore, uint64_t since_ns, uint64_t now_ns)
{
	uint64_t beat_ns = atomic_load_explicit(&engine->lcores[lcore].heartbeat_ns, memory_order_relaxed);

	return now_ns >= since_ns + BODY_LCORE_NS && now_ns >= beat_ns + BODY_LCORE_NS;
}

void
body_unresponsive(struct rpc_call *call, uint32_t lcore, const char *what, const char *later)
{
	const struct engine *engine = body_engine(call);
	uint64_t now_ns = clock_now_ns(engine->clock);
	uint64_t beat_ns = atomic_load_explicit(&engine->lcores[lcore].heartbeat_ns, memory_order_relaxed);
	uint64_t age_ms = now_ns > beat_ns ? (now_ns - beat_ns) / NS_PER_MS : 0;

	rpc_call_error(call, ERROR_UNRESPONSIVE,
		json_pack("{s:i,s:I,s:[s,s]}", "lcore", (int)lcore, "last_seen_ms", (json_int_t)age_ms, "fix",
			"penstock health get", "penstock lcore list"),
		"%s: lcore %u (%s) has not turned for %llu ms; %s", what, lcore, engine->lcores[lcore].role,
		(unsigned long long)age_ms, later);
}

bool
body_cursor(struct rpc_call *call, const char *cursor, uint32_t end, uint32_t *ret_index)
{
	char list[64];
	unsigned long index = 0;
	char *rest = "";

	if (cursor) {
		index = strtoul(cursor, &rest, 10);
	}
	if (cursor && (cursor[0] < '0' || cursor[0] > '9' || *rest != '\0' || index >= end)) {
		const char *name = rpc_call_method(call)->name;

		snprintf(list, sizeof(list), "penstock %.*s list", (int)strcspn(name, "."), name);
		rpc_call_error(call, ERROR_NOT_FOUND,
			json_pack("{s:s,s:[],s:[s]}", "what", "cursor", "nearest", "fix", list),
			"no page begins at cursor \"%s\"", cursor);
		return false;
	}
	*ret_index = (uint32_t)index;
	return true;
}

json_t *
body_hex(const uint8_t *bytes, size_t len)
{
	char text[2 * 32 + 1] = "";

	for (size_t i = 0; i < len && i < 32; i++) {
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	}
	return json_string(text);
}
