/* SPDX-License-Identifier: Apache-2.0 */
/* topic.list, topic.describe, topic.create, topic.alter, topic.delete */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include "base/errcode.h"
#include "ctrl/methods/body.h"
#include "ctrl/methods/broker_refusal.h"
#include "ctrl/schema/value.h"

#define CONFIG_ROWS_MAX 64

static const char *const durability_words[] = {
	"acknowledged means on stable storage",
	"acknowledged records may be lost when the power fails (penstock.ack.risk=power)",
	"acknowledged records may be lost when the daemon crashes (penstock.ack.risk=crash)",
};

/* Calls `fn` for the partitions that the topic has now: all of an open one, side by side; else what there is. */
static void
each_partition(struct engine *engine, uint32_t topic_index,
	void (*fn)(struct engine *engine, uint32_t partition_index, void *user_data), void *user_data)
{
	const struct route_table *routes = engine->routes;
	const struct route_topic *topic = &routes->topics[topic_index];
	bool open = broker_topic_state(engine->broker, topic_index) == BROKER_TOPIC_OPEN;
	uint32_t first = open ? topic->first_partition_index : 0;
	uint32_t count = open ? topic->partition_count : atomic_load(&routes->partition_count);

	for (uint32_t i = first; i < first + count; i++) {
		struct route_partition *route = &routes->partitions[i];
		uint32_t state = route_state_acquire(&route->state);

		if (route->topic_index == topic_index && (state == ROUTE_OPEN || state == ROUTE_CREATING)) {
			fn(engine, i, user_data);
		}
	}
}

struct topic_sum {
	uint64_t records;
	uint64_t size_bytes;
};

static void
add_partition(struct engine *engine, uint32_t partition_index, void *user_data)
{
	struct topic_sum *sum = user_data;
	struct log_partition_status status;

	if (logstore_status(engine->store, partition_index, &status) == 0) {
		sum->records += (uint64_t)(status.high_watermark - status.log_start_offset);
		sum->size_bytes += status.size_bytes;
	}
}

static json_t *
topic_row(struct engine *engine, uint32_t topic_index)
{
	const struct route_topic *topic = &engine->routes->topics[topic_index];
	struct topic_sum sum = {0};

	each_partition(engine, topic_index, add_partition, &sum);
	return json_pack("{s:s,s:i,s:I,s:I,s:s,s:o,s:b}", "topic", topic->name, "partitions",
		(int)topic->partition_count, "records", (json_int_t)sum.records, "size_bytes",
		(json_int_t)sum.size_bytes, "state",
		body_topic_state_names[broker_topic_state(engine->broker, topic_index)], "topic_id",
		body_hex(topic->topic_id, 16), "internal",
		(ROUTE_READ(topic->flags) & ROUTE_INTERNAL) != 0);
}

/* A cursor is the route index to go on from, in decimal. */
METHOD_BODY(topic_list)
{
	struct engine *engine = body_engine(call);
	uint32_t count = atomic_load(&engine->routes->topic_count);
	uint32_t i;
	json_t *list;
	json_t *result;
	char next[16];

	if (!body_cursor(call, params->cursor, count, &i)) {
		return;
	}
	list = json_array();
	for (; i < count && json_array_size(list) < params->limit; i++) {
		const struct route_topic *topic = &engine->routes->topics[i];

		if (broker_topic_state(engine->broker, i) != BROKER_TOPIC_DELETED &&
			(params->internal || !(ROUTE_READ(topic->flags) & ROUTE_INTERNAL)) &&
			(!params->filter || strstr(topic->name, params->filter))) {
			json_array_append_new(list, topic_row(engine, i));
		}
	}
	result = json_pack("{s:o}", "topics", list);
	if (i < count) {
		snprintf(next, sizeof(next), "%u", i);
		json_object_set_new(result, "next", json_string(next));
	}
	rpc_call_result(call, result);
}

struct partition_rows {
	const struct route_topic *topic;
	json_t *rows;
};

static void
add_row(struct engine *engine, uint32_t partition_index, void *user_data)
{
	const struct partition_rows *partitions = user_data;
	json_t *row = body_partition_row(engine, partitions->topic, partition_index);

	if (row) {
		json_array_append_new(partitions->rows, row);
	}
}

METHOD_BODY(topic_describe)
{
	struct engine *engine = body_engine(call);
	struct broker_config_row rows[CONFIG_ROWS_MAX];
	uint32_t index;
	const struct route_topic *topic = body_topic(call, params->topic, &index);
	struct partition_rows partitions = {.topic = topic};
	json_t *configs;
	uint32_t count;

	if (!topic) {
		return;
	}
	configs = json_array();
	partitions.rows = json_array();
	count = broker_topic_configs(engine->broker, index, rows, CONFIG_ROWS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		json_array_append_new(configs, json_pack("{s:s,s:s,s:s}", "name", rows[i].name, "value",
			rows[i].value, "origin", rows[i].is_default ? "default" : "topic"));
	}
	each_partition(engine, index, add_row, &partitions);
	rpc_call_result(call,
		json_pack("{s:s,s:s,s:o,s:b,s:s,s:o,s:o}", "topic", topic->name, "state",
			body_topic_state_names[broker_topic_state(engine->broker, index)],
			"topic_id", body_hex(topic->topic_id, 16), "internal",
			(ROUTE_READ(topic->flags) & ROUTE_INTERNAL) != 0, "durability",
			durability_words[(ROUTE_READ(topic->flags) >> ROUTE_RISK_SHIFT & 3) % 3],
			"configs", configs, "partitions", partitions.rows));
}

/* A change on its way through the broker, which answers to it exactly once. */
struct topic_change {
	struct rpc_call *call; /* NULL: gone; the broker's answer finds nobody */
	char topic[HANDOFF_TOPIC_NAME_MAX + 1];
	bool created; /* answer with id and partitions */
};

static void
change_answer(struct topic_change *change, int16_t error, const char *text)
{
	struct rpc_call *call = change->call;
	const struct engine *engine = body_engine(call);
	uint32_t index;
	const struct route_topic *topic = broker_topic_find(engine->broker, change->topic, &index);
	json_t *result;
	char object[HANDOFF_TOPIC_NAME_MAX + 16];

	if (error == KAFKA_UNKNOWN_TOPIC_OR_PARTITION) {
		body_no_topic(call, change->topic);
	} else if (error) {
		snprintf(object, sizeof(object), "topic \"%s\"", change->topic);
		broker_refusal_answer(call, &(struct broker_refusal){.error = error, .text = text,
			.object = object, .name = change->topic,
			.operation = topic ? body_topic_operation(engine, index) : NULL});
	} else {
		result = json_pack("{s:s}", "topic", change->topic);
		if (change->created && topic) {
			json_object_set_new(result, "topic_id", body_hex(topic->topic_id, 16));
			json_object_set_new(result, "partitions", json_integer(topic->partition_count));
		}
		rpc_call_result(call, result);
	}
}

static void
change_done(void *user_data, int16_t error, const char *text)
{
	struct topic_change *change = user_data;

	if (change->call) {
		change_answer(change, error, text);
	}
	free(change);
}

static void
change_drop(void *state)
{
	struct topic_change *change = state;

	change->call = NULL;
}

/* Gives up on an lcore that does not turn: the log takes and keeps what was asked. */
static bool
change_look(struct rpc_call *call, void *state, uint64_t now_ns)
{
	const struct engine *engine = body_engine(call);
	const struct topic_change *change = state;
	uint32_t shards = broker_topic_waits(engine->broker, change->topic);
	char what[HANDOFF_TOPIC_NAME_MAX + 16];

	for (; shards; shards &= shards - 1) {
		uint32_t lcore = engine->shard_lcores[__builtin_ctz(shards)];

		if (body_lcore_silent(engine, lcore, rpc_call_start_ns(call), now_ns)) {
			snprintf(what, sizeof(what), "topic \"%s\"", change->topic);
			body_unresponsive(call, lcore, what, "the change is carried out when it turns again");
			return true;
		}
	}
	return false;
}

static struct topic_change *
change_begin(struct rpc_call *call, const char *topic, bool created)
{
	struct topic_change *change = calloc(1, sizeof(*change));

	if (!change) {
		rpc_call_no_memory(call, rpc_call_method(call)->name);
		return NULL;
	}
	change->call = call;
	change->created = created;
	snprintf(change->topic, sizeof(change->topic), "%s", topic);
	rpc_call_wait(call, change_look, change_drop, change);
	return change;
}

/* Names and values of a map side by side; at most CONFIG_ROWS_MAX, as the schema says. */
static uint32_t
split_configs(const json_t *configs, const char **names, const char **values)
{
	const char *name;
	json_t *value;
	uint32_t count = 0;

	json_object_foreach((json_t *)configs, name, value) {
		if (count < CONFIG_ROWS_MAX) {
			names[count] = name;
			values[count++] = json_string_value(value);
		}
	}
	return count;
}

/* What is wrong with one setting, and what was meant. */
static void
refuse_config(struct rpc_call *call, const char *topic, const char *name, const char *value, int err,
	const char *want)
{
	const char *const *names = broker_config_names();
	json_t *found = json_array();
	struct value_nearest nearest;
	char path[160];

	value_nearest_init(&nearest, name);
	for (size_t i = 0; err == -ENOENT && names[i]; i++) {
		value_nearest_offer(&nearest, names[i]);
	}
	for (uint32_t i = 0; i < nearest.count; i++) {
		json_array_append_new(found, json_string(nearest.names[i]));
	}
	snprintf(path, sizeof(path), "/params/configs/%.128s", name);
	rpc_call_error(call, err == -ENOTSUP ? ERROR_UNSUPPORTED : ERROR_INVALID_PARAM,
		err == -ENOTSUP ? json_pack("{s:s,s:s,s:o,s:o,s:[s]}", "by", "version", "have", want, "path",
					  problem_string(path), "value", problem_string(value), "fix",
					  "leave the setting out, or give it the value that is wanted") :
				  json_pack("{s:o,s:o,s:s,s:O}", "path", problem_string(path), "value",
					  problem_string(value), "want", want, "nearest", found),
		"topic \"%s\": %s%s%s", topic, want, nearest.count ? "; nearest: " : "",
		nearest.count ? nearest.names[0] : "");
	json_decref(found);
}

/* False after having answered: one of the settings is none, or not of this version. */
static bool
configs_fit(struct rpc_call *call, const char *topic, const json_t *configs)
{
	const char *name;
	json_t *value;
	char want[256];

	json_object_foreach((json_t *)configs, name, value) {
		int err = broker_config_check(name, json_string_value(value), want, sizeof(want));

		if (err) {
			refuse_config(call, topic, name, json_string_value(value), err, want);
			return false;
		}
	}
	return true;
}

METHOD_BODY(topic_create)
{
	struct topic_change *change;
	const char *names[CONFIG_ROWS_MAX];
	const char *values[CONFIG_ROWS_MAX];
	struct broker_topic_create create = {.name = params->topic, .partitions = params->partitions,
		.config_names = names, .config_values = values, .validate_only = params->validate_only};

	if (!configs_fit(call, params->topic, params->configs)) {
		return;
	}
	change = change_begin(call, params->topic, !params->validate_only);
	if (change) {
		create.config_count = split_configs(params->configs, names, values);
		broker_topic_create(body_engine(call)->broker, &create, change_done, change);
	}
}

METHOD_BODY(topic_alter)
{
	struct topic_change *change;
	const char *names[CONFIG_ROWS_MAX];
	const char *values[CONFIG_ROWS_MAX];
	struct broker_topic_alter alter = {.name = params->topic, .config_names = names,
		.config_values = values, .validate_only = params->validate_only};
	uint32_t index;

	if (!body_open_topic(call, params->topic, &index) || !configs_fit(call, params->topic, params->configs)) {
		return;
	}
	change = change_begin(call, params->topic, false);
	if (change) {
		alter.config_count = split_configs(params->configs, names, values);
		broker_topic_alter(body_engine(call)->broker, &alter, change_done, change);
	}
}

METHOD_BODY(topic_delete)
{
	struct topic_change *change = change_begin(call, params->topic, false);

	if (change) {
		broker_topic_delete(body_engine(call)->broker, params->topic, params->validate_only, change_done,
			change);
	}
}
