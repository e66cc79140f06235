/* SPDX-License-Identifier: Apache-2.0 */
/* offset.list: from published state, or by time through the broker, one look-up a partition. */
#include <stdlib.h>
#include "base/errcode.h"
#include "ctrl/methods/body.h"

struct offset_query {
	struct rpc_call *call;
	json_t *rows;
	uint32_t waiting;
	int16_t error;
};

struct offset_lookup {
	struct offset_query *query;
	json_t *row; /* borrowed from rows */
};

static json_t *
offset_row(const struct route_topic *topic, uint32_t partition, int64_t offset)
{
	return json_pack("{s:s,s:i,s:I}", "topic", topic->name, "partition", (int)partition, "offset",
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
query_done(struct offset_query *query)
{
	if (query->error) {
		json_decref(query->rows);
		rpc_call_error(query->call, body_kafka_kind(query->error), NULL, "offsets by time: %s",
			kafka_error_text(query->error));
	} else {
		rpc_call_result(query->call, json_pack("{s:o}", "offsets", query->rows));
	}
	free(query);
}

static void
lookup_done(void *user_data, int16_t error, int64_t offset)
{
	struct offset_lookup *lookup = user_data;
	struct offset_query *query = lookup->query;

	json_object_set_new(lookup->row, "offset", json_integer(offset));
	free(lookup);
	query->error = query->error ? query->error : error;
	if (--query->waiting == 0) {
		query_done(query);
	}
}

static void
by_time(struct rpc_call *call, const struct offset_list_params *params,
	const struct route_topic *topic, uint32_t first, uint32_t last)
{
	struct offset_query *query = calloc(1, sizeof(*query));

	if (!query || !(params->given & OFFSET_LIST_GIVEN_TIME_MS)) {
		free(query);
		rpc_call_error(call, ERROR_INVALID_PARAM,
			json_pack("{s:s,s:n,s:s,s:[]}", "path", "/params/time_ms", "value", "want",
				"time_ms with at=time", "nearest"),
			"offset.list: at=time wants time_ms");
		return;
	}
	query->call = call;
	query->rows = json_array();
	query->waiting = 1; /* ours: answers may come before we are done asking */
	for (uint32_t p = first; p <= last; p++) {
		struct offset_lookup *lookup = calloc(1, sizeof(*lookup));

		if (!lookup) {
			query->error = KAFKA_THROTTLING_QUOTA_EXCEEDED;
			break;
		}
		lookup->query = query;
		lookup->row = offset_row(topic, p, -1);
		json_array_append_new(query->rows, lookup->row);
		query->waiting++;
		broker_offset_by_time(body_engine(call)->broker, topic->first_partition_index + p,
			params->time_ms, lookup_done, lookup);
	}
	if (--query->waiting == 0) {
		query_done(query);
	}
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
	topic = body_topic(call, params->topic, &index);
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
			json_array_append_new(rows, offset_row(topic, p, offset_at(&status, params->at)));
		}
	}
	rpc_call_result(call, json_pack("{s:o}", "offsets", rows));
}
