/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/methods/broker_refusal.h"

#include <stdio.h>
#include "base/errcode.h"

#define PATH_BYTES (512 + HANDOFF_TOPIC_NAME_MAX + 64)

static json_t *
limit_data(const struct engine *engine, int16_t error)
{
	switch (error) {
	case KAFKA_INVALID_PARTITIONS:
		return json_pack("{s:s,s:I,s:s}", "limit", "partitions", "value",
			(json_int_t)engine->routes->partitions_max, "config_key", "log.partitions.max");
	case KAFKA_POLICY_VIOLATION:
		return json_pack("{s:s,s:I,s:n}", "limit", "topics", "value",
			(json_int_t)engine->routes->topics_max, "config_key");
	default:
		return json_pack("{s:s,s:i,s:n}", "limit", "changes", "value", BROKER_CHANGES_MAX, "config_key");
	}
}

static json_t *
errno_or_null(int os_error)
{
	return os_error ? json_integer(os_error) : json_null();
}

/* What stands in data with the kind; `text` is the message without its object. */
static json_t *
refusal_data(const struct engine *engine, const struct broker_refusal *refusal, enum error_kind kind,
	const char *text)
{
	struct log_store_info info;
	char path[PATH_BYTES];
	char mark[PATH_BYTES + 24];

	snprintf(path, sizeof(path), "%s%s%s", engine->data_dir, refusal->file ? "/" : "",
		refusal->file ? refusal->file : "");
	switch (kind) {
	case ERROR_NOT_FOUND:
		return json_pack("{s:s,s:[]}", "what", "partition", "nearest");
	case ERROR_ALREADY_EXISTS:
		return json_pack("{s:s}", "existing", refusal->name);
	case ERROR_INVALID_PARAM:
		return json_pack("{s:s,s:s,s:s,s:[]}", "path", "/params/topic", "value", refusal->name, "want", text,
			"nearest");
	case ERROR_LIMIT:
		return limit_data(engine, refusal->error);
	case ERROR_BUSY:
		return json_pack("{s:s}", "operation", refusal->operation ? refusal->operation : "another change");
	case ERROR_IO_ERROR:
		return json_pack("{s:o,s:o,s:s}", "errno", errno_or_null(broker_os_error(engine->broker)), "path",
			problem_string(path), "cause", text);
	case ERROR_NO_SPACE:
		logstore_info(engine->store, &info);
		return json_pack("{s:o,s:I,s:I}", "path", problem_string(engine->data_dir), "free_bytes",
			(json_int_t)info.disk_free_bytes, "needs_bytes", (json_int_t)info.disk_needs_bytes);
	case ERROR_CORRUPT:
		snprintf(mark, sizeof(mark), "%s/quarantine.json", path);
		return json_pack("{s:o,s:o}", "path", problem_string(path), "quarantined", problem_string(mark));
	case ERROR_CANCELLED:
		return json_pack("{s:s}", "by", "stop");
	default:
		return json_pack("{s:s}", "log_ref", kafka_error_name(refusal->error));
	}
}

void
broker_refusal_answer(struct rpc_call *call, const struct broker_refusal *refusal)
{
	const struct engine *engine = body_engine(call);
	const char *text = refusal->text && refusal->text[0] ? refusal->text : kafka_error_text(refusal->error);
	enum error_kind kind = error_kind_of_kafka(refusal->error);
	struct log_store_info info;
	json_t *data;

	/* The log has one code for both; a full disk is no fault of it, and something mends it. */
	logstore_info(engine->store, &info);
	if (kind == ERROR_IO_ERROR && info.disk_low) {
		kind = ERROR_NO_SPACE;
	}
	data = refusal_data(engine, refusal, kind, text);
	json_object_set_new(data, "kafka", json_string(kafka_error_name(refusal->error))); /* to look it up */
	rpc_call_error(call, kind, data, "%s: %s", refusal->object, text);
}
