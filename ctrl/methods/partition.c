/* SPDX-License-Identifier: Apache-2.0 */
/* partition.list, partition.describe, partition.roll */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/errcode.h"
#include "ctrl/methods/body.h"
#include "ctrl/methods/broker_refusal.h"

METHOD_BODY(partition_list)
{
	struct engine *engine = body_engine(call);
	uint32_t count = atomic_load(&engine->routes->partition_count);
	uint32_t i;
	uint32_t topic_index = 0;
	json_t *list;
	json_t *result;
	char next[16];

	if (!body_cursor(call, params->cursor, count, &i) ||
		(params->topic && !body_topic(call, params->topic, &topic_index))) {
		return;
	}
	list = json_array();
	for (; i < count && json_array_size(list) < params->limit; i++) {
		struct route_partition *route = &engine->routes->partitions[i];
		const struct route_topic *topic = &engine->routes->topics[route->topic_index];
		uint32_t state = route_state_acquire(&route->state);
		json_t *row;

		if ((state != ROUTE_OPEN && state != ROUTE_CREATING) ||
			(params->topic ? route->topic_index != topic_index
				       : !params->internal &&
						 ROUTE_READ(topic->flags) & ROUTE_INTERNAL)) {
			continue;
		}
		row = body_partition_row(engine, topic, i);
		if (row) {
			json_array_append_new(list, row);
		}
	}
	result = json_pack("{s:o}", "partitions", list);
	if (i < count) {
		snprintf(next, sizeof(next), "%u", i);
		json_object_set_new(result, "next", json_string(next));
	}
	rpc_call_result(call, result);
}

METHOD_BODY(partition_describe)
{
	struct engine *engine = body_engine(call);
	uint32_t index;
	json_t *row;
	char segment[640];

	if (body_partition(call, params->topic, params->partition, &index) != 0) {
		return;
	}
	row = body_partition_row(engine,
		&engine->routes->topics[engine->routes->partitions[index].topic_index], index);
	if (!row) {
		rpc_call_error(call, ERROR_BUSY, json_pack("{s:s}", "operation", "topic.create"), "partition %s-%u is not open yet", params->topic,
			params->partition);
		return;
	}
	snprintf(segment, sizeof(segment), "%s/%s-%u/%020" PRId64 ".log", engine->data_dir,
		params->topic, params->partition,
		(int64_t)json_integer_value(json_object_get(row, "active_base_offset")));
	json_object_set_new(row, "active_segment", json_string(segment));
	rpc_call_result(call, json_pack("{s:o}", "partition", row));
}

struct roll {
	struct rpc_call *call; /* NULL: gone; the log's answer finds nobody */
	uint32_t lcore;
	char name[HANDOFF_TOPIC_NAME_MAX + 16];
};

static void
roll_done(void *user_data, int16_t error, const char *text)
{
	struct roll *roll = user_data;

	char object[HANDOFF_TOPIC_NAME_MAX + 32];

	if (roll->call && error) {
		snprintf(object, sizeof(object), "partition %s", roll->name);
		broker_refusal_answer(roll->call, &(struct broker_refusal){.error = error, .text = text,
			.object = object, .name = roll->name, .file = roll->name});
	} else if (roll->call) {
		rpc_call_result(roll->call, json_pack("{s:I}", "base_offset",
			(json_int_t)strtoll(text, NULL, 10)));
	}
	free(roll);
}

static void
roll_drop(void *state)
{
	struct roll *roll = state;

	roll->call = NULL;
}

static bool
roll_look(struct rpc_call *call, void *state, uint64_t now_ns)
{
	struct roll *roll = state;
	char what[HANDOFF_TOPIC_NAME_MAX + 32];

	if (!body_lcore_silent(body_engine(call), roll->lcore, rpc_call_start_ns(call), now_ns)) {
		return false;
	}
	snprintf(what, sizeof(what), "partition %s", roll->name);
	body_unresponsive(call, roll->lcore, what, "the segment is closed when it turns again");
	return true;
}

METHOD_BODY(partition_roll)
{
	struct engine *engine = body_engine(call);
	struct log_partition_status status;
	uint32_t index;
	struct roll *roll;

	if (body_partition(call, params->topic, params->partition, &index) != 0) {
		return;
	}
	roll = calloc(1, sizeof(*roll));
	if (!roll) {
		rpc_call_no_memory(call, "partition.roll");
		return;
	}
	roll->call = call;
	snprintf(roll->name, sizeof(roll->name), "%s-%u", params->topic, params->partition);
	roll->lcore = engine->shard_lcores[engine->routes->partitions[index].shard];
	if (logstore_status(engine->store, index, &status) == 0 && status.state == LOG_PARTITION_QUARANTINED) {
		roll->call = call;
		roll_done(roll, KAFKA_CORRUPT_MESSAGE, "is quarantined: nothing is appended to it");
		return;
	}
	rpc_call_wait(call, roll_look, roll_drop, roll); /* first: it may be answered at once */
	broker_partition_roll(engine->broker, params->topic, params->partition, roll_done,
		roll);
}
