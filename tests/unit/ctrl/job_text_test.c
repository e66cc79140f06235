/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a job: its table's defaults are the batcher's, each key reaches its place, complaints
 * have one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "ctrl/methods/job.h"

#define HEAD "name: a\ntopics: [t]\nfunction: {builtin: count}\n"

static const char *
parse(const char *text, struct job_record **ret_job)
{
	static char report[1024];
	struct config *config = calloc(1, sizeof(*config));

	assert_non_null(config);
	config->batcher_interval_ns = NS_PER_S;
	report[0] = '\0';
	*ret_job = calloc(1, sizeof(**ret_job));
	assert_non_null(*ret_job);
	int err = job_text_parse(text, config, *ret_job, report, sizeof(report));

	assert_int_equal(err != 0, report[0] != '\0');
	free(config);
	return report;
}

static void
what_a_text_does_not_say_is_as_the_batcher_has_it(void **state)
{
	struct job_record *job;
	struct job_spec init;

	(void)state;
	job_spec_init(&init);
	assert_string_equal(parse(HEAD, &job), "");
	const struct job_spec *spec = &job->spec;

	assert_int_equal(spec->start, init.start);
	assert_int_equal(spec->batch_interval_ns, init.batch_interval_ns);
	assert_int_equal(spec->time, init.time);
	assert_int_equal(spec->window, init.window);
	assert_int_equal(spec->window_size_ms, init.window_size_ms);
	assert_int_equal(spec->window_offset_ms, init.window_offset_ms);
	assert_int_equal(spec->out_of_orderness_ms, init.out_of_orderness_ms);
	assert_int_equal(spec->idle_timeout_ms, init.idle_timeout_ms);
	assert_int_equal(spec->idle_close_ms, init.idle_close_ms);
	assert_int_equal(spec->max_future_ms, init.max_future_ms);
	assert_int_equal(spec->task_timeout_ns, init.task_timeout_ns);
	assert_int_equal(spec->task_attempts, init.task_attempts);
	assert_int_equal(spec->sink_print, init.sink_print);
	job_record_free(job);
}

static void
each_key_reaches_its_place(void **state)
{
	struct job_record *job;

	(void)state;
	assert_string_equal(
		parse("name: delays\ntopics: [a, b]\nstart: earliest\nbatch_interval: 100ms\ntime: "
		      "event\n"
		      "window: {kind: tumbling, size: 1d, offset: 1h}\nout_of_orderness: 2s\n"
		      "idle_timeout: 3s\nidle_close: 4s\nmax_future: 5s\ntask_timeout: 6s\n"
		      "task_attempts: 7\nfunction.plugin: /p.so\nparams: {top: \"5\"}\nsinks: "
		      "[print]\n",
			&job),
		"");
	const struct job_spec *spec = &job->spec;

	assert_string_equal(spec->name, "delays");
	assert_int_equal(spec->source_count, 2);
	assert_string_equal(job->topics[1], "b");
	assert_int_equal(spec->start, JOB_START_EARLIEST);
	assert_int_equal(spec->batch_interval_ns, 100 * NS_PER_MS);
	assert_int_equal(spec->time, JOB_TIME_EVENT);
	assert_int_equal(spec->window, JOB_WINDOW_TUMBLING);
	assert_int_equal(spec->window_size_ms, 86400000);
	assert_int_equal(spec->window_offset_ms, 3600000);
	assert_int_equal(spec->out_of_orderness_ms, 2000);
	assert_int_equal(spec->idle_timeout_ms, 3000);
	assert_int_equal(spec->idle_close_ms, 4000);
	assert_int_equal(spec->max_future_ms, 5000);
	assert_int_equal(spec->task_timeout_ns, 6 * NS_PER_S);
	assert_int_equal(spec->task_attempts, 7);
	assert_string_equal(job->plugin_path, "/p.so");
	assert_int_equal(spec->param_count, 1);
	assert_string_equal(spec->params[0], "top");
	assert_string_equal(spec->params[1], "5");
	assert_true(spec->sink_print);
	job_record_free(job);
}

static void
complaints_have_a_place_and_say_what_is_wanted(void **state)
{
	static const struct {
		const char *text;
		const char *says[2];
	} cases[] = {
		{HEAD "windw: {kind: none}\n", {"job:4:1", "unknown key \"windw\"; nearest: "}},
		{HEAD "window: {sise: 1s}\n",
			{"job:4:10", "unknown key \"window.sise\"; nearest: window.size"}},
		{HEAD "window: tumbling\n", {"job:4:9", "window: want a mapping"}},
		{HEAD "window.size: 1500us\n", {"job:4:14", "not a multiple of 1ms"}},
		{HEAD "start: earlist\n",
			{"job:4:8", "want one of latest, earliest; nearest: earliest"}},
		{HEAD "batch_interval: 10us\n", {"job:4:17", "want duration 100us..1h or auto"}},
		{HEAD "task_attempts: 0\n", {"job:4:16", "want u32 1..1000"}},
		{HEAD "sinks: print\n", {"job:4:8", "sinks: want a list"}},
		{HEAD "sinks: [kafka]\n", {"job:4:9", "want one of print"}},
		{HEAD "params: [a]\n", {"job:4:", "params: want names with values"}},
		{HEAD "time:\n", {"job:4:1", "time: no value"}},
		{"topics: [t]\nfunction: {builtin: count}\n", {"job:1:1", "name is missing"}},
		{"name: a\nfunction: {builtin: count}\n", {"job:1:1", "topics is missing"}},
		{"name: a\ntopics: [t]\n", {"job:1:1", "function: want either"}},
		{"name: a\ntopics: [t, t, t, t, t, t, t, t, t]\n", {"job:2:", "more than 8 items"}},
		{"", {"", "want a mapping: name, topics"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct job_record *job;
		const char *report = parse(cases[i].text, &job);

		for (int k = 0; k < 2; k++) {
			if (!strstr(report, cases[i].says[k])) {
				print_error("%s-> %s", cases[i].text, report);
			}
			assert_non_null(strstr(report, cases[i].says[k]));
		}
		job_record_free(job);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_text_does_not_say_is_as_the_batcher_has_it),
		cmocka_unit_test(each_key_reaches_its_place),
		cmocka_unit_test(complaints_have_a_place_and_say_what_is_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
