/* SPDX-License-Identifier: Apache-2.0 */
/* Methods over the control socket but those of jobs (job_methods_test.c). */
#include "methods_rig.h"

/* --- topics ---------------------------------------------------------------------------------------- */

static void
a_topic_that_is_not_open_is_shown_and_used_for_nothing(void **state)
{
	struct fixture *f = *state;
	json_t *result;

	f->rig.store.creates_good = 1;
	f->rig.store.appends_good = 1;
	expect_kind(f, "topic.create", json_pack("{s:s,s:i}", "topic", "hurt", "partitions", 2), "io_error");
	ask(f, 0, "topic.list", json_object());
	result = answer(f, 0);
	assert_int_equal(json_array_size(json_object_get(result, "topics")), 2);
	json_decref(result);
	ask(f, 0, "topic.describe", json_pack("{s:s}", "topic", "hurt"));
	result = answer(f, 0);
	assert_string_equal(json_string_value(json_object_get(result, "state")), "failed");
	assert_int_equal(json_array_size(json_object_get(result, "partitions")), 0);
	json_decref(result);
	expect_kind(f, "offset.list", json_pack("{s:s}", "topic", "hurt"), "invalid_state");
	expect_kind(f, "partition.describe", json_pack("{s:s,s:i}", "topic", "hurt", "partition", 0),
		"invalid_state");
	expect_kind(f, "job.create", json_pack("{s:s}", "text",
		"name: j\ntopics: [hurt]\nwindow: {kind: none}\nfunction: {builtin: count}\n"), "invalid_state");
	f->rig.store.appends_good = UINT32_MAX;
	ask(f, 0, "topic.delete", json_pack("{s:s}", "topic", "hurt"));
	expect(f, 0, "topic", "hurt");
	expect_kind(f, "topic.describe", json_pack("{s:s}", "topic", "hurt"), "not_found");
}

static void
what_a_topic_risks_is_told_as_it_is_now(void **state)
{
	static const char *const risks[] = {"power", "crash", "none"};
	static const char *const words[] = {
		"when the power fails", "when the daemon crashes", "stable storage"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_COUNT(risks); i++) {
		ask(f, 0, "topic.alter",
			json_pack("{s:s,s:{s:s}}", "topic", "t", "configs", "penstock.ack.risk",
				risks[i]));
		expect(f, 0, "topic", "t");
		ask(f, 0, "topic.describe", json_pack("{s:s}", "topic", "t"));
		json_t *result = answer(f, 0);

		assert_non_null(
			strstr(json_string_value(json_object_get(result, "durability")), words[i]));
		json_decref(result);
	}
}

static void
ask_change(struct fixture *f, const char *method, const char *topic, json_t *configs)
{
	ask(f, 0, method, json_pack("{s:s,s:b,s:o*}", "topic", topic, "validate_only", 1, "configs", configs));
}

/* A check says what the change would, and changes nothing. */
static void
a_change_can_be_checked_without_being_made(void **state)
{
	struct fixture *f = *state;
	json_t *result;

	ask_change(f, "topic.delete", "t", NULL);
	expect(f, 0, "topic", "t");
	ask_change(f, "topic.alter", "t", json_pack("{s:s}", "penstock.ack.risk", "crash"));
	expect(f, 0, "topic", "t");
	ask(f, 0, "topic.describe", json_pack("{s:s}", "topic", "t"));
	result = answer(f, 0);
	assert_string_equal(json_string_value(json_object_get(result, "state")), "open");
	assert_non_null(strstr(json_string_value(json_object_get(result, "durability")), "stable storage"));
	json_decref(result);
	ask_change(f, "topic.delete", "none", NULL);
	expect(f, 0, "kind", "not_found");
	ask_change(f, "topic.alter", "none", json_object());
	expect(f, 0, "kind", "not_found");
	ask_change(f, "topic.alter", "t", json_pack("{s:s}", "penstock.ack.risk", "some"));
	expect(f, 0, "kind", "invalid_param");
	ask_change(f, "topic.delete", BROKER_METADATA_TOPIC, NULL);
	expect(f, 0, "kind", "invalid_param");
	f->rig.store.hold_durable = true; /* a change of it is on its way */
	ask(f, 1, "topic.delete", json_pack("{s:s}", "topic", "t"));
	ask_change(f, "topic.delete", "t", NULL);
	expect(f, 0, "kind", "busy");
	ask_change(f, "topic.alter", "t", json_object());
	expect(f, 0, "kind", "busy");
}

static void
a_full_topic_table_is_told_by_the_check_as_well(void **state)
{
	struct fixture *f = *state;
	char name[16];
	json_t *result;

	for (int i = 2; i < BROKER_RIG_TOPICS_MAX; i++) { /* the metadata and t are there */
		snprintf(name, sizeof(name), "t%d", i);
		ask_change(f, "topic.create", name, NULL);
		expect(f, 0, "topic", name);
		ask(f, 0, "topic.create", json_pack("{s:s,s:i}", "topic", name, "partitions", 1));
		expect(f, 0, "topic", name);
	}
	ask_change(f, "topic.create", "last", NULL);
	result = answer(f, 0);
	assert_string_equal(json_string_value(json_object_get(result, "kind")), "limit");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(result, "data"), "limit")), "topics");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(result, "data"), "value")),
		BROKER_RIG_TOPICS_MAX);
	json_decref(result);
	expect_kind(f, "topic.create", json_pack("{s:s}", "topic", "last"), "limit");
}

/* Paths are any bytes: a viewer who asks for them must not end the daemon. */
static void
a_path_that_is_no_utf8_is_shown_with_replacement_characters(void **state)
{
	struct fixture *f = *state;
	json_t *result;

	snprintf(f->engine.data_dir, sizeof(f->engine.data_dir), "/data/\xff\xfe");
	snprintf(f->config.profile, sizeof(f->config.profile), "caf\xe9");
	ask(f, 0, "sys.get", json_object());
	result = answer(f, 0);
	assert_string_equal(json_string_value(json_object_get(result, "data_dir")),
		"/data/\xef\xbf\xbd\xef\xbf\xbd");
	json_decref(result);
	ask(f, 0, "health.get", json_object());
	expect(f, 0, "profile", "caf\xef\xbf\xbd");
}

/* --- offsets --------------------------------------------------------------------------------------- */

#define WIDE 200 /* partitions: more than look-ups that run at once */

/* Gives partition p of the newest topic one record batch: records at times_ms. */
static void
fill(struct fixture *f, uint32_t partition_index, const int64_t *times_ms, uint32_t count)
{
	struct record_builder builder;
	uint8_t room[1024];

	record_builder_init(&builder, room, sizeof(room));
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(record_builder_add(&builder, times_ms[i], NULL, -1, "v", 1), 0);
	}
	broker_rig_set_log(&f->rig, partition_index, room,
		record_builder_finish(&builder, -1, -1, -1), count);
}

static void
ask_wide(struct fixture *f, int client)
{
	ask(f, client, "offset.list", json_pack("{s:s,s:s,s:i}", "topic", "wide", "at", "time", "time_ms",
		2000));
}

static void
expect_wide(struct fixture *f, int client)
{
	json_t *result = answer(f, client);
	json_t *rows = json_object_get(result, "offsets");

	assert_int_equal(json_array_size(rows), WIDE);
	for (int p = 0; p < WIDE; p++) {
		json_t *row = json_array_get(rows, (size_t)p);

		assert_int_equal(json_integer_value(json_object_get(row, "partition")), p);
		assert_int_equal(json_integer_value(json_object_get(row, "offset")), p % 3 == 0 ? -1 : p % 3);
	}
	json_decref(result);
}

static void
offsets_by_time_are_told_of_every_partition_of_a_wide_topic(void **state)
{
	static const int64_t before[] = {1000, 1500}, second[] = {1000, 2000}, third[] = {1, 1999, 2001};
	struct fixture *f = *state;
	uint32_t first, index;

	ask(f, 0, "topic.create", json_pack("{s:s,s:i}", "topic", "wide", "partitions", WIDE));
	expect(f, 0, "topic", "wide");
	first = broker_topic_find(f->rig.broker, "wide", &index)->first_partition_index;
	for (uint32_t p = 0; p < WIDE; p++) {
		fill(f, first + p, p % 3 == 0 ? before : p % 3 == 1 ? second : third, p % 3 == 2 ? 3 : 2);
	}
	ask_wide(f, 0);
	expect_wide(f, 0);
	for (int client = 0; client < CLIENTS_MAX; client++) {
		ask_wide(f, client); /* side by side */
	}
	for (int client = 0; client < CLIENTS_MAX; client++) {
		expect_wide(f, client);
	}
}

/* --- lcores that do not turn ----------------------------------------------------------------------- */

static void
a_question_to_a_shard_that_does_not_turn_is_answered(void **state)
{
	static const int64_t times[] = {1};
	struct fixture *f = *state;
	uint32_t index;

	f->rig.store.mute = true;
	f->engine.lcores[0].heartbeat_ns = f->rig.clock.now_ns;
	ask(f, 0, "partition.roll", json_pack("{s:s,s:i}", "topic", "t", "partition", 1));
	fill(f, broker_topic_find(f->rig.broker, "t", &index)->first_partition_index, times, 1);
	ask(f, 1, "offset.list", json_pack("{s:s,s:s,s:i}", "topic", "t", "at", "time", "time_ms", 1));
	f->rig.clock.now_ns += 3 * NS_PER_S / 2;
	expect_unresponsive(f, 0, "partition t-1: lcore 0");
	expect_unresponsive(f, 1, "topic \"t\": lcore 0");
	f->rig.store.mute = false;
	turn(f); /* the late answers find nobody */
	ask(f, 0, "offset.list", json_pack("{s:s,s:s,s:i}", "topic", "t", "at", "time", "time_ms", 1));
	json_t *result = answer(f, 0);

	assert_int_equal(json_array_size(json_object_get(result, "offsets")), 2);
	json_decref(result);
}

static void
a_change_of_a_topic_whose_shard_does_not_turn_is_answered(void **state)
{
	static const char *const later = "; the change is carried out when it turns again";
	struct fixture *f = *state;

	f->rig.store.mute = true;
	f->engine.lcores[0].heartbeat_ns = f->rig.clock.now_ns;
	ask(f, 0, "topic.create", json_pack("{s:s,s:i}", "topic", "new", "partitions", 2));
	ask(f, 1, "topic.alter", json_pack("{s:s,s:{s:s}}", "topic", "t", "configs", "segment.ms", "1"));
	f->rig.clock.now_ns += 3 * NS_PER_S / 2;
	f->engine.lcores[0].heartbeat_ns = f->rig.clock.now_ns; /* slow is not silent */
	assert_null(take(f, 0));
	assert_null(take(f, 1));
	f->engine.lcores[0].heartbeat_ns -= 3 * NS_PER_S / 2;
	expect_unresponsive(f, 0, later);
	expect_unresponsive(f, 1, "topic \"t\": lcore 0");
	f->rig.store.mute = false;
	turn(f);
	ask(f, 0, "topic.describe", json_pack("{s:s}", "topic", "new"));
	expect(f, 0, "state", "open");
	f->rig.store.mute = true;
	f->engine.lcores[0].heartbeat_ns = f->rig.clock.now_ns;
	ask(f, 0, "topic.delete", json_pack("{s:s}", "topic", "new"));
	ask(f, 1, "partition.list", json_object()); /* asks nobody */
	json_decref(answer(f, 1));
	f->rig.clock.now_ns += 3 * NS_PER_S / 2;
	expect_unresponsive(f, 0, later);
	f->rig.store.mute = false;
	turn(f);
	expect_kind(f, "topic.describe", json_pack("{s:s}", "topic", "new"), "not_found");
}

/* Partitions that the log was asked to make: their shard is waited for, not the record's. */
static void
a_topic_whose_partitions_are_not_made_is_answered(void **state)
{
	struct fixture *f = *state;

	f->rig.store.creates_left = 1;
	ask(f, 0, "topic.create", json_pack("{s:s,s:i}", "topic", "half", "partitions", 2));
	ask(f, 1, "topic.create", json_pack("{s:s,s:i}", "topic", "behind", "partitions", 1));
	f->rig.clock.now_ns += 3 * NS_PER_S / 2;
	expect_unresponsive(f, 0, "topic \"half\": lcore 0");
	expect_unresponsive(f, 1, "topic \"behind\": lcore 0");
}

/* --- calls that are open at a stop ------------------------------------------------------------------ */

/* A sanitizer sees what they kept and nobody freed. */
static void
calls_that_are_open_at_a_stop_are_answered_and_leave_nothing(void **state)
{
	static const int64_t times[] = {1};
	struct fixture *f = *state;
	uint32_t index;

	fill(f, broker_topic_find(f->rig.broker, "t", &index)->first_partition_index, times, 1);
	f->rig.store.mute = true;
	ask(f, 0, "topic.create", json_pack("{s:s,s:i}", "topic", "new", "partitions", 2));
	ask(f, 1, "partition.roll", json_pack("{s:s,s:i}", "topic", "t", "partition", 1));
	ask(f, 2, "offset.list", json_pack("{s:s,s:s,s:i}", "topic", "t", "at", "time", "time_ms", 1));
	ask(f, 3, "health.wait", json_pack("{s:b,s:i}", "ready", 0, "timeout_ms", 60000));
	for (int client = 0; client < CLIENTS_MAX; client++) {
		assert_null(take(f, client));
	}
	stop_server(f);
	expect_cancelled(f, 0, "topic.create: the daemon stopped; this may have been carried out");
	expect_cancelled(f, 1, "partition.roll: the daemon stopped; this may have been carried out");
	expect_cancelled(f, 2, "offset.list: the daemon stopped");
	expect_cancelled(f, 3, "health.wait: the daemon stopped");
}

static void
changes_that_wait_behind_another_at_a_stop_are_not_begun(void **state)
{
	struct fixture *f = *state;
	json_t *request = json_pack("{s:s,s:i,s:s,s:{s:s}}", "jsonrpc", "2.0", "id", 2, "method",
		"topic.delete", "params", "topic", "t");
	char *text = json_dumps(request, JSON_COMPACT);

	f->rig.store.hold_durable = true;
	ask(f, 0, "topic.alter", json_pack("{s:s,s:{s:s}}", "topic", "t", "configs", "penstock.ack.risk", "power"));
	assert_int_equal(send(f->fds[0], text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	assert_int_equal(send(f->fds[0], "\n", 1, MSG_NOSIGNAL), 1);
	free(text);
	json_decref(request);
	ask(f, 1, "topic.delete", json_pack("{s:s}", "topic", "t"));
	expect(f, 1, "kind", "busy");
	f->rig.store.mute = true;
	ask(f, 2, "partition.repair",
		json_pack("{s:s,s:i,s:s}", "topic", "t", "partition", 0, "action", "restore"));
	assert_null(take(f, 0));
	assert_null(take(f, 2));
	stop_server(f);
	expect_cancelled(f, 2, "partition.repair: the daemon stopped; this may have been carried out");
	expect_cancelled(f, 0, "topic.alter: the daemon stopped; this may have been carried out");
	expect_cancelled(f, 0, "topic.delete: the daemon stopped; this was not begun");
}

/* --- alarms and metrics ------------------------------------------------------------------------------ */

static void
alarms_are_reasons_of_health_that_leave_it_ready(void **state)
{
	struct fixture *f = *state;
	json_t *health;

	port_says.imissed = 4;
	f->lane.values[LANE_rx_packets] = 1;
	port_says.queue_ipackets = 1;
	for (uint32_t i = 0; i < LEDGER_WATCH_LOOKS; i++) {
		f->rig.clock.now_ns += LEDGER_WATCH_EVERY_NS;
		turn(f);
	}
	f->engine.lcores[0].heartbeat_ns = f->rig.clock.now_ns;
	ask(f, 0, "health.get", json_object());
	health = answer(f, 0);
	assert_true(json_is_true(json_object_get(health, "ready")));
	assert_int_equal(json_array_size(json_object_get(health, "reasons")), 2);
	for (uint32_t i = 0; i < 2; i++) {
		const char *text = json_string_value(json_array_get(json_object_get(health, "reasons"), i));

		assert_int_equal(strncmp(text, i == 0 ? "ledger: lane 0, E3 net" : "losses: ", 8), 0);
		assert_non_null(strstr(text, " fix: "));
	}
	json_decref(health);
}

/* The only value that metric.get has for a name, or -1. */
static json_int_t
metric(struct fixture *f, const char *name)
{
	json_t *result;
	json_t *series;
	json_int_t value = -1;

	ask(f, 0, "metric.get", json_pack("{s:[s]}", "names", name));
	result = answer(f, 0);
	series = json_object_get(result, "series");
	assert_non_null(series);
	if (json_array_size(series) == 1) {
		value = json_integer_value(json_object_get(json_array_get(series, 0), "value"));
	}
	json_decref(result);
	return value;
}

static void
numbers_of_the_port_are_metrics_where_the_driver_has_them(void **state)
{
	struct fixture *f = *state;

	port_says = (struct nic_stats){.ipackets = 10, .imissed = 2, .ierrors = 3, .rx_nombuf = UINT64_MAX,
		.opackets = 20, .oerrors = 4};
	assert_int_equal(metric(f, "penstock_port_rx_packets_total"), 10);
	assert_int_equal(metric(f, "penstock_port_missed_total"), 2);
	assert_int_equal(metric(f, "penstock_port_rx_errors_total"), 3);
	assert_int_equal(metric(f, "penstock_port_rx_nombuf_total"), -1);
	assert_int_equal(metric(f, "penstock_port_tx_packets_total"), 20);
	assert_int_equal(metric(f, "penstock_port_tx_errors_total"), 4);
	port_can.queue = 1; /* its first lane has told them */
	assert_int_equal(metric(f, "penstock_port_missed_total"), -1);
}

static void
numbers_of_the_control_socket_are_metrics_with_a_help_of_their_own(void **state)
{
	struct fixture *f = *state;
	json_int_t refused = metric(f, "penstock_ctl_protocol_closes_total");
	size_t i, j;
	json_t *a, *b;

	assert_int_equal(refused, 0);
	assert_int_equal(send(f->fds[1], "x\nx\nx\nx\nx\nx\nx\nx\nx\nx\nhalf", 24, MSG_NOSIGNAL), 24);
	turn(f);
	assert_int_equal(metric(f, "penstock_ctl_protocol_closes_total"), 1);
	assert_int_equal(metric(f, "penstock_ctl_halves_discarded_total"), 1);
	assert_int_equal(metric(f, "penstock_ctl_connections"), CLIENTS_MAX - 1);
	assert_int_equal(metric(f, "penstock_ctl_connections_opened_total"), CLIENTS_MAX);
	assert_int_equal(metric(f, "penstock_ctl_connections_refused_total"), 0);
	assert_int_equal(metric(f, "penstock_ctl_line_timeouts_total"), 0);
	assert_int_equal(metric(f, "penstock_ctl_slow_readers_total"), 0);
	ask(f, 0, "metric.list", json_object());
	json_t *result = answer(f, 0);
	json_t *list = json_object_get(result, "metrics");

	json_array_foreach(list, i, a) {
		json_array_foreach(list, j, b) {
			const char *name = json_string_value(json_object_get(a, "name"));

			if (i != j && strstr(name, "penstock_ctl_") == name) {
				assert_false(json_equal(json_object_get(a, "help"), json_object_get(b, "help")));
			}
		}
	}
	json_decref(result);
}

static void
a_cursor_that_nobody_was_given_is_not_page_one(void **state)
{
	static const char *const methods[] = {"topic.list", "partition.list"};
	static const char *const cursors[] = {"x", "", "-1", "1x", "99", " 0", "99999999999999999999"};
	struct fixture *f = *state;

	for (size_t m = 0; m < ARRAY_COUNT(methods); m++) {
		for (size_t c = 0; c < ARRAY_COUNT(cursors); c++) {
			expect_kind(f, methods[m], json_pack("{s:s}", "cursor", cursors[c]), "not_found");
		}
		ask(f, 0, methods[m], json_pack("{s:s}", "cursor", "0"));
		json_t *result = answer(f, 0);

		assert_null(json_object_get(result, "kind"));
		json_decref(result);
	}
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_topic_that_is_not_open_is_shown_and_used_for_nothing),
		CASE(what_a_topic_risks_is_told_as_it_is_now),
		CASE(a_path_that_is_no_utf8_is_shown_with_replacement_characters),
		CASE(alarms_are_reasons_of_health_that_leave_it_ready),
		CASE(numbers_of_the_port_are_metrics_where_the_driver_has_them),
		CASE(numbers_of_the_control_socket_are_metrics_with_a_help_of_their_own),
		CASE(a_cursor_that_nobody_was_given_is_not_page_one),
		CASE(a_question_to_a_shard_that_does_not_turn_is_answered),
		CASE(a_change_can_be_checked_without_being_made),
		CASE(a_full_topic_table_is_told_by_the_check_as_well),
		CASE(a_change_of_a_topic_whose_shard_does_not_turn_is_answered),
		CASE(a_topic_whose_partitions_are_not_made_is_answered),
		CASE(calls_that_are_open_at_a_stop_are_answered_and_leave_nothing),
		CASE(changes_that_wait_behind_another_at_a_stop_are_not_begun),
		CASE(offsets_by_time_are_told_of_every_partition_of_a_wide_topic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
