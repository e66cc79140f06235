/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every kind of ctrl/schema/errors.yaml is said by somebody, and carries what the table promises of it: each is
 * provoked here by a call. The rig judges every answer; the last case fails for a kind that none of them was of.
 */
#include "methods_rig.h"

#define CALL(method, params)                                                                       \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":" params "}"

/* Sends a line of `head`, `times` times `unit` and `tail`; the error that comes back is of that kind. */
static void
expect_line(struct fixture *f, int client, const char *head, const char *unit, uint32_t times, const char *tail,
	const char *kind)
{
	size_t len = strlen(head) + strlen(unit) * times + strlen(tail) + 1;
	char *line = malloc(len + 1);
	size_t at = (size_t)snprintf(line, len, "%s", head);
	json_t *reply;

	for (uint32_t i = 0; i < times; i++) {
		at += (size_t)snprintf(line + at, len - at, "%s", unit);
	}
	snprintf(line + at, len + 1 - at, "%s\n", tail);
	for (size_t sent = 0; sent < len;) {
		ssize_t n = send(f->fds[client], line + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		turn(f);
	}
	free(line);
	for (int i = 0; i < 20; i++) {
		turn(f); /* reads the rest piece by piece */
	}
	f->asked[client] = NULL;
	reply = answer(f, client);
	assert_string_equal(json_string_value(json_object_get(reply, "kind")), kind);
	json_decref(reply);
}

static void
malformed_lines(void **state)
{
	static const char *const lines[][2] = {
		{"hello", "parse_error"},
		{"{\"a\":\"\\ud800\"}", "bad_encoding"},
		{"{\"a\":\"\xff\"}", "bad_encoding"},
		{"{\"id\":1,\"id\":2}", "duplicate_key"},
		{"[]", "batch_refused"},
		{"7", "not_an_object"},
		{"{\"id\":1,\"method\":\"rpc.ping\"}", "bad_version"},
		{"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"rpc.ping\"}", "bad_version"},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"metod\":\"rpc.ping\"}", "unknown_member"},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"rpc.ping\"}", "id_required"},
		{"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"rpc.ping\"}", "bad_id"},
		{"{\"jsonrpc\":\"2.0\",\"id\":1}", "bad_method"},
		{CALL("rpc.pong", "{}"), "method_not_found"},
		{CALL("rpc.ping", "[]"), "positional_params"},
		{CALL("topic.describe", "{}"), "invalid_param"},
		{CALL("topic.list", "{\"limt\":1}"), "invalid_param"},
		{CALL("topic.list", "{\"limit\":1.0}"), "not_an_integer"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		expect_line(f, (int)i / 8, lines[i][0], "", 0, "", lines[i][1]); /* ten of one would close it */
	}
	expect_line(f, 3, "", "[", 40, "", "too_deep");
	expect_line(f, 3, "{\"k\":0", ",\"k\":0", 1024, "}", "too_many");
	expect_line(f, 3, "\"", "xxxxxxxxxxxxxxxx", 17000, "\"", "too_long");
	expect_line(f, 3, "\"", "xxxxxxxxxxxxxxxx", 70000, "\"", "request_too_large");
}

static void
refusals_of_the_server(void **state)
{
	struct fixture *f = *state;

	ask(f, 0, "health.wait", json_pack("{s:b,s:i}", "ready", 0, "timeout_ms", 1000));
	expect_kind(f, "rpc.ping", json_object(), "id_in_use");
	f->rig.clock.now_ns += 2 * NS_PER_S;
	f->engine.lcores[0].heartbeat_ns = f->rig.clock.now_ns;
	f->asked[0] = "health.wait";
	expect(f, 0, "kind", "deadline");
	f->engine.state = ENGINE_RECOVERING;
	expect_kind(f, "topic.list", json_object(), "invalid_state");
	f->engine.state = ENGINE_RUNNING;
	become_viewer(f);
	expect_kind(f, "topic.create", json_pack("{s:s}", "topic", "mine"), "permission_denied");
	ask(f, 1, "health.wait", json_pack("{s:b,s:i}", "ready", 0, "timeout_ms", 1000));
	stop_server(f);
	expect(f, 1, "kind", "cancelled");
}

/* The member of the data of the next answer of client 0, which is an error of that kind; as JSON. */
static void
expect_member(struct fixture *f, const char *kind, const char *member, const char *want)
{
	json_t *reply = answer(f, 0);
	char *text;

	assert_non_null(json_object_get(reply, "kind"));
	assert_string_equal(json_string_value(json_object_get(reply, "kind")), kind);
	text = json_dumps(json_object_get(json_object_get(reply, "data"), member), JSON_ENCODE_ANY);
	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
	json_decref(reply);
}

static void
ask_create(struct fixture *f, const char *topic, int partitions)
{
	ask(f, 0, "topic.create", json_pack("{s:s,s:i}", "topic", topic, "partitions", partitions));
}

static void
refusals_about_topics(void **state)
{
	struct fixture *f = *state;

	ask(f, 0, "topic.describe", json_pack("{s:s}", "topic", "tt"));
	expect_member(f, "not_found", "nearest", "[\"t\"]");
	ask_create(f, "t", 1);
	expect_member(f, "already_exists", "existing", "\"t\"");
	ask_create(f, "a b", 1);
	expect_member(f, "invalid_param", "path", "\"/params/topic\"");
	ask_create(f, "wide", 1000);
	expect_member(f, "limit", "config_key", "\"log.partitions.max\"");
	ask(f, 0, "topic.create", json_pack("{s:s,s:{s:s}}", "topic", "n", "configs", "segment.bytes", "1"));
	expect_member(f, "invalid_param", "path", "\"/params/configs/segment.bytes\"");
	ask(f, 0, "topic.alter", json_pack("{s:s,s:{s:s}}", "topic", "t", "configs", "segment.byte", "1"));
	expect_member(f, "invalid_param", "nearest", "[\"segment.bytes\", \"segment.ms\"]");
	ask(f, 0, "topic.create", json_pack("{s:s,s:{s:s}}", "topic", "n", "configs", "cleanup.policy", "compact"));
	expect_member(f, "unsupported", "have",
		"\"cleanup.policy=compact: want one of: delete; compaction is not part of this version\"");
	ask(f, 0, "topic.alter", json_pack("{s:s,s:{s:s}}", "topic", "t", "configs", "retention.ms", "1000"));
	expect_member(f, "unsupported", "by", "\"version\"");
	ask(f, 0, "topic.alter", json_pack("{s:s,s:{s:s}}", "topic", "t", "configs", "retention.ms", "1 s"));
	expect_member(f, "invalid_param", "value", "\"1 s\"");
	f->rig.store.hold_durable = true;
	ask(f, 1, "topic.create", json_pack("{s:s}", "topic", "slow"));
	ask(f, 0, "topic.delete", json_pack("{s:s}", "topic", "slow"));
	expect_member(f, "busy", "operation", "\"topic.create\"");
	ask(f, 2, "topic.alter", json_pack("{s:s,s:{s:s}}", "topic", "t", "configs", "segment.ms", "1"));
	ask(f, 0, "topic.alter", json_pack("{s:s,s:{s:s}}", "topic", "t", "configs", "segment.ms", "2"));
	expect_member(f, "busy", "operation", "\"topic.alter\"");
}

static void
refusals_of_the_log(void **state)
{
	struct fixture *f = *state;
	uint32_t index;
	uint32_t first = broker_topic_find(f->rig.broker, "t", &index)->first_partition_index;

	snprintf(f->engine.data_dir, sizeof(f->engine.data_dir), "/data");
	f->rig.store.creates_good = 0;
	f->rig.store.create_os_error = EIO;
	ask_create(f, "n", 1);
	expect_member(f, "io_error", "errno", "5");
	ask_create(f, "n", 1);
	expect_member(f, "io_error", "cause", "\"partition 0 cannot be made: Input/output error\"");
	f->rig.store.disk_low = true;
	ask_create(f, "n", 1);
	expect_member(f, "no_space", "needs_bytes", "2000");
	f->rig.store.disk_low = false;
	f->rig.store.appends_good = 0;
	ask_create(f, "n", 1);
	expect_member(f, "io_error", "errno", "null");
	f->rig.store.append_error = KAFKA_UNKNOWN_SERVER_ERROR;
	ask_create(f, "n", 1);
	expect_member(f, "internal", "log_ref", "\"UNKNOWN_SERVER_ERROR\"");
	broker_rig_set_log(&f->rig, first, (const uint8_t *)"", 0, 1);
	f->rig.store.read_error = KAFKA_CORRUPT_MESSAGE;
	ask(f, 0, "offset.list", json_pack("{s:s,s:s,s:i}", "topic", "t", "at", "time", "time_ms", 1));
	expect_member(f, "corrupt", "path", "\"/data/t-0\"");
	f->rig.store.partitions[first + 1].state = LOG_PARTITION_QUARANTINED;
	ask(f, 0, "partition.roll", json_pack("{s:s,s:i}", "topic", "t", "partition", 1));
	expect_member(f, "corrupt", "quarantined", "\"/data/t-1/quarantine.json\"");
	f->rig.store.mute = true;
	ask(f, 0, "partition.roll", json_pack("{s:s,s:i}", "topic", "t", "partition", 0));
	f->rig.clock.now_ns += 2 * NS_PER_S;
	expect_member(f, "unresponsive", "lcore", "0");
}

static void
ask_repair(struct fixture *f, int16_t error, const struct log_repair *repair)
{
	f->rig.store.repair = *repair;
	f->rig.store.repair_error = error;
	ask(f, 0, "partition.repair",
		json_pack("{s:s,s:i,s:s,s:i,s:i}", "topic", "t", "partition", 0, "action", "accept_loss", "from", 3,
			"until", 5));
}

static void
refusals_of_a_repair(void **state)
{
	struct fixture *f = *state;

	snprintf(f->engine.data_dir, sizeof(f->engine.data_dir), "/data");
	ask_repair(f, KAFKA_CORRUPT_MESSAGE,
		&(struct log_repair){.verdict = LOG_REPAIR_LOSS,
			.loss_from = 7,
			.loss_until = 12,
			.lost_offsets = 3,
			.hole_count = 2});
	expect_member(f, "data_loss_refused", "accept", "{\"action\": \"accept_loss\", \"from\": 7, \"until\": 12}");
	ask_repair(f, KAFKA_CORRUPT_MESSAGE, &(struct log_repair){.verdict = LOG_REPAIR_NOTHING_LOST});
	expect_member(f, "precondition_failed", "cause", "\"every offset can be read\"");
	ask_repair(f, KAFKA_INVALID_CONFIG, &(struct log_repair){.verdict = LOG_REPAIR_NOT_QUARANTINED});
	expect_member(f, "invalid_state", "state", "\"serving\"");
	ask_repair(f, KAFKA_KAFKA_STORAGE_ERROR, &(struct log_repair){.verdict = LOG_REPAIR_FAILED, .error = -EIO});
	expect_member(f, "io_error", "path", "\"/data/t-0\"");
	ask_repair(f, KAFKA_KAFKA_STORAGE_ERROR, &(struct log_repair){.verdict = LOG_REPAIR_FAILED, .error = -ENOSPC});
	expect_member(f, "no_space", "path", "\"/data\"");
	ask_repair(f, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, &(struct log_repair){.verdict = LOG_REPAIR_DONE});
	expect_member(f, "not_found", "what", "\"partition\"");
	ask(f, 0, "partition.repair",
		json_pack("{s:s,s:i,s:s,s:i}", "topic", "t", "partition", 0, "action", "restore", "from", 3));
	expect_member(f, "invalid_param", "path", "\"/params/from\"");
	f->rig.store.mute = true;
	ask_repair(f, KAFKA_NONE, &(struct log_repair){.verdict = LOG_REPAIR_DONE});
	f->rig.clock.now_ns += 2 * NS_PER_S;
	expect_member(f, "unresponsive", "lcore", "0");
}

static void
refusals_about_jobs(void **state)
{
	struct fixture *f = *state;
	static const char head[] = "name: p\ntopics: [t]\nwindow: {kind: none}\n";
	char text[256];

	expect_kind(f, "job.create", json_pack("{s:s}", "text", "name"), "invalid_text");
	snprintf(text, sizeof(text), "%sfunction: {plugin: /nowhere/x.so}\n", head);
	expect_kind(f, "job.create", json_pack("{s:s}", "text", text), "plugin_refused");
	f->batcher.refuse = -ENOSPC;
	ask_job(f, 0, "a");
	expect_member(f, "limit", "limit", "\"jobs\"");
	f->batcher.refuse = -EEXIST;
	ask_job(f, 0, "a");
	expect_member(f, "already_exists", "existing", "\"a\"");
	f->batcher.refuse = -EBUSY;
	ask_job(f, 0, "a");
	expect(f, 0, "kind", "busy");
	f->batcher.refuse = -EACCES;
	f->batcher.by_function = true;
	ask_job(f, 0, "a");
	expect_member(f, "precondition_failed", "cause", "\"Permission denied\"");
	f->batcher.by_function = false;
	f->batcher.refuse = -ETIMEDOUT;
	hold_worker(f);
	ask_job(f, 0, "a");
	expect_member(f, "worker_stuck", "job", "\"held\"");
}

static void
every_kind_of_the_table_was_shown(void **state)
{
	uint32_t missing = 0;

	for (uint32_t kind = 0; kind < ERROR_KIND_COUNT; kind++) {
		if (!shown[kind]) {
			print_error("nobody says %s: provoke it here, or take it out of errors.yaml\n",
				error_rows[kind].kind);
			missing++;
		}
	}
	assert_int_equal(missing, 0);
}

/* What people look up by a number or a word is one entry: a Kafka code has one kind. */
static void
a_kafka_code_is_the_kind_that_the_table_says(void **state)
{
	static const struct {
		int16_t code;
		enum error_kind kind;
	} rows[] = {
		{KAFKA_UNKNOWN_TOPIC_OR_PARTITION, ERROR_NOT_FOUND},
		{KAFKA_KAFKA_STORAGE_ERROR, ERROR_IO_ERROR},
		{KAFKA_POLICY_VIOLATION, ERROR_LIMIT},
		{KAFKA_UNKNOWN_SERVER_ERROR, ERROR_INTERNAL},
		{12345, ERROR_INTERNAL},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		assert_int_equal(error_kind_of_kafka(rows[i].code), rows[i].kind);
	}
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(malformed_lines),
		CASE(refusals_of_the_server),
		CASE(refusals_about_topics),
		CASE(refusals_of_the_log),
		CASE(refusals_of_a_repair),
		CASE(refusals_about_jobs),
		cmocka_unit_test(every_kind_of_the_table_was_shown), /* behind all of them */
		cmocka_unit_test(a_kafka_code_is_the_kind_that_the_table_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
