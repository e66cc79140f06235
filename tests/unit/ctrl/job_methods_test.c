/* SPDX-License-Identifier: Apache-2.0 */
/* job.* and window.list over the control socket, and what health says of workers. */
#include "methods_rig.h"

/* --- jobs ------------------------------------------------------------------------------------------ */

static void
two_deletions_of_a_job_never_take_the_one_that_got_its_place(void **state)
{
	struct fixture *f = *state;

	ask_job(f, 0, "a");
	expect(f, 0, "job", "a");
	f->batcher.room = 0; /* all three wait, in this order */
	ask(f, 0, "job.delete", json_pack("{s:s}", "job", "a"));
	ask_job(f, 1, "b");
	ask(f, 2, "job.delete", json_pack("{s:s}", "job", "a"));
	for (int i = 0; i < 3; i++) {
		f->batcher.room = 1;
		turn(f);
	}
	expect(f, 0, "job", "a");
	expect(f, 1, "job", "b");
	expect(f, 2, "message", "no job \"a\" any more: it was deleted meanwhile");
	assert_string_equal(f->batcher.jobs[0].name, "b");
	assert_true(f->batcher.jobs[0].job_id != 0);
	f->batcher.room = 1;
	ask(f, 0, "job.describe", json_pack("{s:s}", "job", "b"));
	expect(f, 0, "state", "running");
}

static void
a_drain_is_not_answered_about_the_job_that_got_the_place(void **state)
{
	struct fixture *f = *state;

	ask_job(f, 0, "a");
	expect(f, 0, "job", "a");
	ask(f, 0, "job.drain", json_pack("{s:s}", "job", "a"));
	assert_null(take(f, 0));
	/* The place changes hands between two looks of the drain. */
	f->batcher.room = 0;
	ask(f, 1, "job.delete", json_pack("{s:s}", "job", "a"));
	ask_job(f, 2, "b");
	f->batcher.room = 2;
	(void)methods_poll(f->methods, f->rig.clock.now_ns);
	assert_string_equal(f->batcher.jobs[0].name, "b");
	f->batcher.jobs[0].state = JOB_DRAINED;
	expect(f, 0, "kind", "cancelled");
	expect(f, 1, "job", "a");
	expect(f, 2, "job", "b");
}

static void
a_topic_that_acknowledges_early_is_read_only_if_the_text_allows_it(void **state)
{
	static const char head[] = "name: r\ntopics: [t, early]\nfunction: {builtin: count}\n";
	struct fixture *f = *state;
	char text[256];
	json_t *job;

	ask(f, 0, "topic.create", json_pack("{s:s,s:{s:s}}", "topic", "early", "configs", "penstock.ack.risk", "power"));
	expect(f, 0, "topic", "early");
	ask(f, 0, "job.create", json_pack("{s:s}", "text", head));
	job = answer(f, 0);
	assert_string_equal(json_string_value(json_object_get(job, "kind")), "precondition_failed");
	assert_string_equal(json_string_value(json_object_get(job, "message")),
		"job \"r\": topic \"early\" acknowledges records before they are durable (penstock.ack.risk=power)");
	json_t *fix = json_object_get(json_object_get(job, "data"), "fix");

	assert_string_equal(json_string_value(json_array_get(fix, 0)), "allow_nondurable_source: true");
	assert_string_equal(json_string_value(json_array_get(fix, 1)),
		"penstock topic alter early --config penstock.ack.risk=none");
	json_decref(job);
	snprintf(text, sizeof(text), "%sallow_nondurable_source: true\n", head);
	ask(f, 0, "job.create", json_pack("{s:s}", "text", text));
	job = answer(f, 0);
	assert_non_null(strstr(json_string_value(json_object_get(job, "guarantee")), "may be lost before"));
	json_decref(job);
	ask(f, 0, "job.describe", json_pack("{s:s}", "job", "r"));
	job = answer(f, 0);
	assert_non_null(strstr(json_string_value(json_object_get(job, "guarantee")), "may be lost before"));
	assert_int_equal(json_array_size(json_object_get(job, "nondurable_sources")), 1);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(job, "nondurable_sources"), 0)), "early");
	json_decref(job);
	/* As the setting is now. */
	ask(f, 0, "topic.alter", json_pack("{s:s,s:{s:s}}", "topic", "early", "configs", "penstock.ack.risk", "none"));
	expect(f, 0, "topic", "early");
	ask(f, 0, "job.describe", json_pack("{s:s}", "job", "r"));
	job = answer(f, 0);
	assert_int_equal(json_array_size(json_object_get(job, "nondurable_sources")), 0);
	assert_null(strstr(json_string_value(json_object_get(job, "guarantee")), "may be lost before"));
	json_decref(job);
}

static void
expect_window(struct fixture *f, json_int_t rows, bool hidden)
{
	ask(f, 0, "window.list", json_pack("{s:s}", "job", "a"));
	json_t *result = answer(f, 0);
	const json_t *window = json_array_get(json_object_get(result, "windows"), 0);

	assert_int_equal(json_integer_value(json_object_get(window, "records")), 7);
	assert_int_equal(json_array_size(json_object_get(window, "rows")), rows);
	assert_int_equal(json_is_true(json_object_get(result, "rows_hidden")), hidden);
	json_decref(result);
}

static void
a_viewer_sees_windows_but_not_what_is_in_them(void **state)
{
	struct fixture *f = *state;

	ask_job(f, 0, "a");
	expect(f, 0, "job", "a");
	f->batcher.window = (struct window_row){
		.sequence = 1, .record_count = 7, .print_count = 1, .print_rows = {"key value"}};
	expect_window(f, 1, false);
	become_viewer(f);
	expect_window(f, 0, true);
}

/* The first reason of health, "" if there is none; checks live and ready. */
static const char *
health_reason(struct fixture *f, bool healthy, char *text, size_t room)
{
	json_t *health;
	const char *reason;

	ask(f, 0, "health.get", json_object());
	health = answer(f, 0);
	assert_int_equal(json_is_true(json_object_get(health, "live")), healthy);
	assert_int_equal(json_is_true(json_object_get(health, "ready")), healthy);
	reason = json_string_value(json_array_get(json_object_get(health, "reasons"), 0));
	snprintf(text, room, "%s", reason ? reason : "");
	json_decref(health);
	return text;
}

static void
a_function_within_its_timeout_is_no_stall_and_one_beyond_is_named(void **state)
{
	struct fixture *f = *state;
	char text[512];

	ask_job(f, 0, "a");
	expect(f, 0, "job", "a");
	f->worker.call = (struct worker_call){.since_ns = f->rig.clock.now_ns,
		.timeout_ns = 10 * NS_PER_S,
		.job_id = f->batcher.jobs[0].job_id,
		.window_end_ms = 100,
		.job = "a"};
	/* The lcore is shared, so nothing else of it has moved for the 3 s either. */
	f->rig.clock.now_ns += 3 * NS_PER_S;
	assert_string_equal(health_reason(f, true, text, sizeof(text)), "");
	ask(f, 0, "job.describe", json_pack("{s:s}", "job", "a"));
	expect(f, 0, "state", "running");
	f->rig.clock.now_ns += 8 * NS_PER_S;
	assert_string_equal(health_reason(f, false, text, sizeof(text)),
		"lcore 0 (rx 0, worker 0): the function of job \"a\" has not come back from window "
		"[0, 100) for 11000 ms; its task_timeout is 10000 ms");
	ask(f, 0, "job.describe", json_pack("{s:s}", "job", "a"));
	expect(f, 0, "state", "stuck");
	ask(f, 0, "job.describe", json_pack("{s:s}", "job", "a"));
	expect(f, 0, "reason", text);
	/* It came back this moment; the loop has not turned yet. */
	f->worker.call.since_ns = 0;
	f->worker.call.ended_ns = f->rig.clock.now_ns;
	assert_string_equal(health_reason(f, true, text, sizeof(text)), "");
	ask(f, 0, "job.describe", json_pack("{s:s}", "job", "a"));
	expect(f, 0, "state", "running");
	/* And now it does not. */
	f->rig.clock.now_ns += 3 * NS_PER_S;
	assert_string_equal(health_reason(f, false, text, sizeof(text)),
		"lcore 0 (rx 0, worker 0): no heartbeat for 3000 ms");
}

static void
expect_stuck(struct fixture *f, int client, const char *later)
{
	json_t *result = answer(f, client);
	const char *message = json_string_value(json_object_get(result, "message"));

	assert_string_equal(json_string_value(json_object_get(result, "kind")), "worker_stuck");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(result, "data"), "job")), "held");
	assert_non_null(strstr(
		message, "the function of job \"held\" has not come back from window [0, 100)"));
	assert_non_null(strstr(message, later));
	json_decref(result);
}

static void
a_command_to_a_worker_that_is_stuck_is_answered(void **state)
{
	struct fixture *f = *state;

	ask_job(f, 0, "a");
	expect(f, 0, "job", "a");
	f->batcher.mute = true; /* it waits for its worker */
	ask(f, 0, "job.delete", json_pack("{s:s}", "job", "a"));
	ask_job(f, 1, "b");
	assert_null(take(f, 1));
	hold_worker(f);
	expect_stuck(f, 1, "; the job is made when it does");
	f->batcher.mute = false; /* it came back, and the commands are carried out */
	f->worker.call.since_ns = 0;
	turn(f);
	ask(f, 2, "job.describe", json_pack("{s:s}", "job", "b"));
	expect(f, 2, "job", "b");
}

static void
a_job_whose_worker_is_stuck_is_stuck_unless_it_has_ended(void **state)
{
	struct fixture *f = *state;

	ask_job(f, 0, "a");
	expect(f, 0, "job", "a");
	hold_worker(f);
	ask(f, 0, "job.describe", json_pack("{s:s}", "job", "a"));
	expect(f, 0, "state", "stuck");
	f->batcher.jobs[0].state = JOB_FAILED;
	ask(f, 0, "job.describe", json_pack("{s:s}", "job", "a"));
	expect(f, 0, "state", "failed");
}

static void
a_job_is_refused_if_no_worker_is_left(void **state)
{
	struct fixture *f = *state;

	hold_worker(f);
	f->batcher.refuse = -ETIMEDOUT;
	ask_job(f, 0, "a");
	expect_stuck(f, 0, "; no worker is left, and nothing was changed");
	/* The same number from the function's own open() is another matter. */
	f->batcher.by_function = true;
	ask_job(f, 0, "a");
	expect(f, 0, "message", "job \"a\": open() of its function failed");
}

static void
a_command_to_an_lcore_that_does_not_turn_is_answered(void **state)
{
	struct fixture *f = *state;

	ask_job(f, 0, "a");
	expect(f, 0, "job", "a");
	f->batcher.mute = true; /* takes one command and does nothing more */
	f->batcher.room = 1;
	ask(f, 0, "job.delete", json_pack("{s:s}", "job", "a"));
	ask_job(f, 1, "b");
	f->rig.clock.now_ns += 3 * NS_PER_S / 2;
	f->engine.lcores[0].heartbeat_ns = f->rig.clock.now_ns; /* slow is not silent */
	assert_null(take(f, 0));
	f->engine.lcores[0].heartbeat_ns -= 3 * NS_PER_S / 2;
	expect_unresponsive(f, 0, "carried out when it turns again");
	expect_unresponsive(f, 1, "job \"b\": lcore 0 (rx 0, worker 0) has not turned for 1500 ms; nothing was");
	f->batcher.mute = false;
	f->batcher.room = UINT32_MAX;
	turn(f);
	ask(f, 0, "job.describe", json_pack("{s:s}", "job", "a"));
	expect(f, 0, "kind", "not_found");
	ask_job(f, 0, "b");
	expect(f, 0, "job", "b");
}

static void
a_check_of_a_job_says_no_when_all_places_are_taken(void **state)
{
	static const char text[] = "name: more\ntopics: [t]\nwindow: {kind: none}\nfunction: {builtin: count}\n";
	struct fixture *f = *state;
	char name[16];
	json_t *result;

	for (int i = 0; i < BATCHER_JOBS_MAX; i++) {
		ask(f, 1, "job.create", json_pack("{s:s,s:b}", "text", text, "validate_only", 1));
		expect(f, 1, "job", "more");
		snprintf(name, sizeof(name), "j%d", i);
		ask_job(f, 0, name);
		expect(f, 0, "job", name);
	}
	ask(f, 1, "job.create", json_pack("{s:s,s:b}", "text", text, "validate_only", 1));
	result = answer(f, 1);
	assert_non_null(json_object_get(result, "kind"));
	assert_string_equal(json_string_value(json_object_get(result, "kind")), "limit");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(result, "data"), "value")),
		BATCHER_JOBS_MAX);
	assert_string_equal(json_string_value(json_object_get(result, "message")),
		"job \"more\": all places for jobs are taken; delete one");
	json_decref(result);
}

/* A sanitizer sees what they kept and nobody freed. */
static void
calls_that_are_open_at_a_stop_are_answered_and_leave_nothing(void **state)
{
	struct fixture *f = *state;

	ask_job(f, 0, "a");
	expect(f, 0, "job", "a");
	ask_job(f, 1, "c");
	expect(f, 1, "job", "c");
	ask(f, 0, "job.drain", json_pack("{s:s}", "job", "a"));
	assert_null(take(f, 0));
	f->batcher.mute = true; /* has the deletion, and not yet the job */
	f->batcher.room = 1;
	ask(f, 1, "job.delete", json_pack("{s:s}", "job", "c"));
	ask_job(f, 2, "b");
	stop_server(f);
	expect_cancelled(f, 0, "job.drain: the daemon stopped; this may have been carried out");
	expect_cancelled(f, 1, "job.delete: the daemon stopped; this may have been carried out");
	expect_cancelled(f, 2, "job.create: the daemon stopped; this may have been carried out");
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(two_deletions_of_a_job_never_take_the_one_that_got_its_place),
		CASE(a_drain_is_not_answered_about_the_job_that_got_the_place),
		CASE(a_topic_that_acknowledges_early_is_read_only_if_the_text_allows_it),
		CASE(a_viewer_sees_windows_but_not_what_is_in_them),
		CASE(a_function_within_its_timeout_is_no_stall_and_one_beyond_is_named),
		CASE(a_command_to_a_worker_that_is_stuck_is_answered),
		CASE(a_job_whose_worker_is_stuck_is_stuck_unless_it_has_ended),
		CASE(a_job_is_refused_if_no_worker_is_left),
		CASE(a_check_of_a_job_says_no_when_all_places_are_taken),
		CASE(calls_that_are_open_at_a_stop_are_answered_and_leave_nothing),
		CASE(a_command_to_an_lcore_that_does_not_turn_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
