/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offset.list: from published state, or by time through the broker, one look-up a partition. The
 * broker looks up a bounded number at once; a query asks for the rest in later turns.
 */
#include <stdio.h>
#include <stdlib.h>
#include "ctrl/methods/body.h"
#include "ctrl/methods/broker_refusal.h"

struct offset_query {
	char topic[HANDOFF_TOPIC_NAME_MAX + 1];
	uint32_t first_partition_index;
	uint32_t next; /* partition to be asked about */
	uint32_t last;
	int64_t time_ms;
	json_t *rows;
	uint32_t waiting;
	uint32_t shard_waiting[HANDOFF_SHARDS_MAX];
	bool gone; /* its call is: it goes with its last look-up */
	int16_t error;
	uint32_t error_partition;
};

/* What one look-up answers to. */
struct partition_query {
	struct offset_query *query;
	uint32_t partition;
	uint32_t shard;
	json_t *row; /* borrowed from rows */
};

static json_t *
offset_row(const char *topic, uint32_t partition, int64_t offset)
{
	return json_pack("{s:s,s:i,s:I}", "topic", topic, "partition", (int)partition, "offset",
		(json_int_t)offset);
}

static int64_t
offset_at(const struct log_partition_status *status, enum offset_list_at at)
{
	switch (at) {
	case OFFSET_LIST_AT_EARLIEST:
		return status->log_start_offset;
	case OFFSET_LIST_AT_DURABLE:
		return status->durable_offset;
	default:
		return status->high_watermark;
	}
}

static void
query_free(struct offset_query *query)
{
	json_decref(query->rows);
	free(query);
}

static void
partition_done(void *user_data, int16_t error, int64_t offset)
{
	struct partition_query *asked = user_data;
	struct offset_query *query = asked->query;

	json_object_set_new(asked->row, "offset", json_integer(offset));
	if (error && !query->error) {
		query->error = error;
		query->error_partition = asked->partition;
	}
	query->waiting--;
	query->shard_waiting[asked->shard]--;
	free(asked);
	if (query->gone && query->waiting == 0) {
		query_free(query);
	}
}

static void
query_drop(void *state)
{
	struct offset_query *query = state;

	query->gone = true;
	if (query->waiting == 0) {
		query_free(query);
	}
}

/* Asks about the next partition; false: not now. */
static bool
query_step(struct rpc_call *call, struct offset_query *query)
{
	struct engine *engine = body_engine(call);
	struct partition_query *asked = calloc(1, sizeof(*asked));

	if (!asked) {
		return false;
	}
	asked->query = query;
	asked->partition = query->next;
	asked->row = offset_row(query->topic, query->next, -1);
	json_array_append_new(query->rows, asked->row);
	asked->shard = engine->routes->partitions[query->first_partition_index + query->next].shard;
	query->shard_waiting[asked->shard]++;
	query->waiting++; /* the answer may come before the call returns */
	if (broker_offset_by_time(engine->broker,
		    query->first_partition_index + query->next, query->time_ms, partition_done,
		    asked) < 0) {
		json_array_remove(query->rows, json_array_size(query->rows) - 1);
		query->waiting--;
		query->shard_waiting[asked->shard]--;
		free(asked);
		return false;
	}
	query->next++;
	return true;
}

/* Gives up on a lcore that does not turn; false: all that are asked do. */
static bool
query_give_up(struct rpc_call *call, struct offset_query *query, uint64_t now_ns)
{
	const struct engine *engine = body_engine(call);
	char what[HANDOFF_TOPIC_NAME_MAX + 32];

	for (uint32_t shard = 0; shard < HANDOFF_SHARDS_MAX; shard++) {
		uint32_t lcore = engine->shard_lcores[shard];

		if (query->shard_waiting[shard] > 0 &&
			body_lcore_silent(engine, lcore, rpc_call_start_ns(call), now_ns)) {
			snprintf(what, sizeof(what), "topic \"%s\"", query->topic);
			body_unresponsive(call, lcore, what, "its offsets by time cannot be looked up");
			return true;
		}
	}
	return false;
}

static void
query_refuse(struct rpc_call *call, const struct offset_query *query)
{
	char object[HANDOFF_TOPIC_NAME_MAX + 32];
	char file[HANDOFF_TOPIC_NAME_MAX + 16];

	snprintf(object, sizeof(object), "topic \"%s\" partition %u", query->topic, query->error_partition);
	snprintf(file, sizeof(file), "%s-%u", query->topic, query->error_partition);
	broker_refusal_answer(call, &(struct broker_refusal){.error = query->error, .object = object,
		.name = query->topic, .file = file});
}

static bool
query_look(struct rpc_call *call, void *state, uint64_t now_ns)
{
	struct offset_query *query = state;

	while (!query->error && query->next <= query->last && query_step(call, query)) {
	}
	if (query->waiting > 0 || (!query->error && query->next <= query->last)) {
		return query_give_up(call, query, now_ns);
	}
	if (query->error) {
		query_refuse(call, query);
	} else {
		rpc_call_result(call, json_pack("{s:O}", "offsets", query->rows));
	}
	return true;
}

static void
by_time(struct rpc_call *call, const struct offset_list_params *params,
	const struct route_topic *topic, uint32_t first, uint32_t last)
{
	struct offset_query *query;

	if (!(params->given & OFFSET_LIST_GIVEN_TIME_MS)) {
		rpc_call_error(call, ERROR_INVALID_PARAM,
			json_pack("{s:s,s:n,s:s,s:[]}", "path", "/params/time_ms", "value", "want",
				"time_ms with at=time", "nearest"),
			"offset.list: at=time wants time_ms");
		return;
	}
	query = calloc(1, sizeof(*query));
	if (!query) {
		rpc_call_no_memory(call, "offset.list");
		return;
	}
	snprintf(query->topic, sizeof(query->topic), "%s", topic->name);
	query->first_partition_index = topic->first_partition_index;
	query->next = first;
	query->last = last;
	query->time_ms = params->time_ms;
	query->rows = json_array();
	rpc_call_wait(call, query_look, query_drop, query);
}

METHOD_BODY(offset_list)
{
	struct engine *engine = body_engine(call);
	bool one = params->given & OFFSET_LIST_GIVEN_PARTITION;
	uint32_t index;
	const struct route_topic *topic;
	uint32_t first;
	uint32_t last;
	json_t *rows;

	if (one && body_partition(call, params->topic, params->partition, &index) != 0) {
		return;
	}
	topic = body_open_topic(call, params->topic, &index);
	if (!topic) {
		return;
	}
	first = one ? params->partition : 0;
	last = one ? params->partition : topic->partition_count - 1;
	if (params->at == OFFSET_LIST_AT_TIME) {
		by_time(call, params, topic, first, last);
		return;
	}
	rows = json_array();
	for (uint32_t p = first; p <= last; p++) {
		struct log_partition_status status;

		if (logstore_status(engine->store, topic->first_partition_index + p, &status) == 0) {
			json_array_append_new(rows, offset_row(topic->name, p, offset_at(&status, params->at)));
		}
	}
	rpc_call_result(call, json_pack("{s:o}", "offsets", rows));
}
