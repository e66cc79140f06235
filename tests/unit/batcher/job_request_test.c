/* SPDX-License-Identifier: Apache-2.0 */
/* What control asks of the batcher: which jobs it takes, that the asker is woken, when it wants to run. */
#include <unistd.h>
#include "rig.h"

static void
jobs_are_refused_by_name_count_and_source(void **state)
{
	struct rig rig;
	struct job_spec spec = rig_spec(plugin_builtin("count"));
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 1});
	assert_null(plugin_builtin("nothing"));
	spec.output_bytes_max = 4096;
	for (char c = 'a'; c < 'a' + BATCHER_JOBS_MAX; c++) {
		spec.name[0] = c;
		assert_int_equal(rig_create(&rig, &spec, &job), 0);
	}
	spec.name[0] = 'z';
	assert_int_equal(rig_create(&rig, &spec, &job), -ENOSPC);
	assert_int_equal(rig_change(&rig, 3, BATCHER_DELETE), 0);
	spec.name[0] = 'a';
	assert_int_equal(rig_create(&rig, &spec, &job), -EEXIST);
	spec.name[0] = 'z';
	spec.source_topics[0] = 1;
	assert_int_equal(rig_create(&rig, &spec, &job), -ENOENT);
	spec.source_topics[0] = 0;
	spec.source_count = 2;
	assert_int_equal(rig_create(&rig, &spec, &job), -EINVAL); /* the same topic twice */
	spec.source_count = 1;
	spec.batch_interval_ns = 1;
	assert_int_equal(rig_create(&rig, &spec, &job), -EINVAL);
	spec.batch_interval_ns = NS_PER_S;
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	assert_int_equal(job, 3);
	rig_advance_ms(&rig, 1000); /* all sixteen run, on two workers */
	assert_int_equal(rig_status(&rig, 15).counters[JOB_fired], 1);
	assert_int_equal(rig_change(&rig, 99, BATCHER_DRAIN), -ENOENT);
	rig_free(&rig);
}

static void
a_command_is_for_the_job_it_names_not_for_its_place(void **state)
{
	struct job_spec spec = rig_spec(plugin_builtin("count"));
	struct batcher_command late = {.kind = BATCHER_DELETE};
	struct rig rig;
	uint32_t first, second;
	uint64_t first_id;

	(void)state;
	rig_init(&rig, (struct rig_options){.partitions = 1});
	assert_int_equal(rig_create(&rig, &spec, &first), 0);
	first_id = rig_status(&rig, first).job_id;
	assert_int_equal(rig_change(&rig, first, BATCHER_DELETE), 0);
	spec.name[0] = 'z';
	assert_int_equal(rig_create(&rig, &spec, &second), 0);
	assert_int_equal(second, first);
	assert_true(rig_status(&rig, second).job_id != first_id);
	late.job = first;
	late.job_id = first_id;
	assert_int_equal(rig_command(&rig, &late), -ENOENT);
	assert_int_equal(rig_status(&rig, second).state, JOB_RUNNING);
	assert_int_equal(rig_change(&rig, second, BATCHER_DRAIN), 0);
	rig_free(&rig);
}

static void
who_asked_is_woken_by_the_answer(void **state)
{
	struct job_spec spec = rig_event_spec(plugin_builtin("count"), 1000);
	struct waker waker;
	struct rig rig;
	uint64_t count;
	uint32_t job;

	(void)state;
	assert_int_equal(waker_open(&waker), 0);
	rig_init(&rig, (struct rig_options){.answered = &waker});
	waker_arm(&waker);
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	assert_int_equal(read(waker.fd, &count, sizeof(count)), sizeof(count));
	rig_free(&rig);
	waker_close(&waker);
}

static void
deadline_is_the_next_tick(void **state)
{
	struct rig rig;
	struct job_spec spec = rig_spec(plugin_builtin("count"));
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 1});
	(void)rig_poll(&rig);
	assert_true(batcher_deadline_ns(rig.batcher) == UINT64_MAX);
	clock_fake_advance(&rig.clock, 250 * NS_PER_MS);
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	rig_settle(&rig);
	assert_int_equal(
		batcher_deadline_ns(rig.batcher), clock_now_ns(&rig.clock.clock) + 750 * NS_PER_MS);
	rig_free(&rig);
}

static void
lag_is_told_while_a_call_lasts(void **state)
{
	struct rig rig;
	struct job_spec spec = rig_spec(plugin_builtin("count"));
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 1});
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	RIG_APPEND(&rig, 0, 1);
	rig.worker_held = true;
	rig_advance_ms(&rig, 1000);
	assert_int_equal(rig_status(&rig, job).lag_records, 0);
	RIG_APPEND(&rig, 0, 1, 2);
	rig_settle(&rig);
	/* In a while, and with nothing else to wake for. */
	assert_in_range(batcher_deadline_ns(rig.batcher) - clock_now_ns(&rig.clock.clock), 0,
		100 * NS_PER_MS);
	rig_advance_ms(&rig, 100);
	assert_int_equal(rig_status(&rig, job).lag_records, 2);
	assert_true(batcher_deadline_ns(rig.batcher) == UINT64_MAX);
	rig_free(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_are_refused_by_name_count_and_source),
		cmocka_unit_test(a_command_is_for_the_job_it_names_not_for_its_place),
		cmocka_unit_test(who_asked_is_woken_by_the_answer),
		cmocka_unit_test(deadline_is_the_next_tick),
		cmocka_unit_test(lag_is_told_while_a_call_lasts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
