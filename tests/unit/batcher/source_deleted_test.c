/* SPDX-License-Identifier: Apache-2.0 */
/* A topic is deleted while a job reads it: whatever the job is at, it ends with a reason, and pins
 * go back. */
#include "watched.h"

static void
delete_topic(struct rig *rig)
{
	for (uint32_t i = 0; i < rig->log.partition_count; i++) {
		atomic_store(&rig->log.routes.partitions[i].state, ROUTE_DELETED);
	}
	atomic_store(&rig->log.routes.topics[0].state, ROUTE_DELETED);
	rig->log.fail_error = 3; /* as the log refuses from then on */
}

static void
expect_ended(struct watched_rig *s)
{
	rig_settle(&s->rig);
	struct job_status status = rig_status(&s->rig, s->job);

	assert_int_equal(status.state, JOB_FAILED);
	assert_int_equal(status.error, -ENOENT);
	assert_non_null(strstr(status.reason, "source_deleted: topic \"fake\" was deleted"));
	assert_non_null(strstr(status.reason, "fix: penstock job delete job --yes"));
	assert_int_equal(s->watched.closed, 1);
	assert_int_equal(s->watched.reason, PENSTOCK_CLOSE_FAILED);
	assert_int_equal(s->rig.log.pins, 0);
	rig_check_ledger(&s->rig, s->job);
	assert_int_equal(rig_change(&s->rig, s->job, BATCHER_DELETE), 0);
	assert_int_equal(s->watched.closed, 1);
	rig_free(&s->rig);
}

static void
one_that_waits_for_its_next_tick_ends_at_once(void **state)
{
	struct watched_rig s;

	watched_init(&s, (struct rig_options){0});
	s.spec.batch_interval_ns = 3600 * NS_PER_S;
	assert_int_equal(rig_create(&s.rig, &s.spec, &s.job), 0);
	delete_topic(&s.rig);
	expect_ended(&s);
}

static void
one_whose_cut_is_being_read_ends(void **state)
{
	struct watched_rig s;

	watched_init(&s, (struct rig_options){0});
	assert_int_equal(rig_create(&s.rig, &s.spec, &s.job), 0);
	RIG_APPEND(&s.rig, 0, 1);
	rig_settle(&s.rig);
	clock_fake_advance(&s.rig.clock, NS_PER_S);
	uint32_t room = ring_free(&s.rig.log.read_req[0]);

	for (uint32_t turns = 0; ring_free(&s.rig.log.read_req[0]) == room; turns++) {
		assert_true(turns < 10);
		(void)batcher_poll(s.rig.batcher, clock_now_ns(&s.rig.clock.clock));
	}
	delete_topic(&s.rig);
	(void)fake_log_poll(&s.rig.log); /* the answer is there when the batcher turns next */
	expect_ended(&s);
	assert_int_equal(s.watched.calls, 0);
}

static void
one_whose_function_runs_ends_when_it_comes_back(void **state)
{
	struct watched_rig s;

	watched_init(&s, (struct rig_options){0});
	assert_int_equal(rig_create(&s.rig, &s.spec, &s.job), 0);
	RIG_APPEND(&s.rig, 0, 1);
	s.rig.worker_held = true;
	rig_advance_ms(&s.rig, 1000);
	assert_int_equal(s.rig.log.pins, 1);
	delete_topic(&s.rig);
	rig_settle(&s.rig);
	assert_int_equal(s.rig.log.pins, 1); /* the function still looks at it */
	s.rig.worker_held = false;
	expect_ended(&s);
	assert_int_equal(s.watched.calls, 1);
}

static void
one_whose_function_waits_for_more_is_told_and_ends(void **state)
{
	struct watched_rig s;

	watched_init(&s, (struct rig_options){.pin_bytes_max = 1});
	assert_int_equal(rig_create(&s.rig, &s.spec, &s.job), 0);
	watched_set_aside(&s);
	delete_topic(&s.rig);
	expect_ended(&s);
	assert_int_equal(s.watched.cursor_result, -ECANCELED);
}

static void
one_that_drains_or_waits_to_try_again_ends(void **state)
{
	struct watched_rig s;

	watched_init(&s, (struct rig_options){0});
	s.watched.result = -EAGAIN;
	assert_int_equal(rig_create(&s.rig, &s.spec, &s.job), 0);
	RIG_APPEND(&s.rig, 0, 1);
	rig_advance_ms(&s.rig, 1000);
	assert_int_equal(s.watched.calls, 1);
	assert_int_equal(rig_change(&s.rig, s.job, BATCHER_DRAIN), 0);
	delete_topic(&s.rig);
	expect_ended(&s);
}

static void
one_that_is_being_opened_ends_after_it(void **state)
{
	struct watched_rig s;
	struct batcher_command create = {.kind = BATCHER_CREATE};

	watched_init(&s, (struct rig_options){0});
	create.spec = s.spec;
	assert_int_equal(batcher_command(s.rig.batcher, &create), 0);
	delete_topic(&s.rig);
	rig_settle(&s.rig);
	assert_ptr_equal(batcher_command_poll(s.rig.batcher), &create);
	assert_int_equal(create.error, 0);
	s.job = create.job;
	expect_ended(&s);
}

static void
a_drained_job_stays_drained_and_a_new_one_is_refused(void **state)
{
	struct watched_rig s;
	uint32_t job;

	watched_init(&s, (struct rig_options){0});
	assert_int_equal(rig_create(&s.rig, &s.spec, &s.job), 0);
	assert_int_equal(rig_change(&s.rig, s.job, BATCHER_DRAIN), 0);
	rig_settle(&s.rig);
	delete_topic(&s.rig);
	rig_settle(&s.rig);
	assert_int_equal(rig_status(&s.rig, s.job).state, JOB_DRAINED);
	memcpy(s.spec.name, "other", 6);
	assert_int_equal(rig_create(&s.rig, &s.spec, &job), -ENOENT);
	rig_free(&s.rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_waits_for_its_next_tick_ends_at_once),
		cmocka_unit_test(one_whose_cut_is_being_read_ends),
		cmocka_unit_test(one_whose_function_runs_ends_when_it_comes_back),
		cmocka_unit_test(one_whose_function_waits_for_more_is_told_and_ends),
		cmocka_unit_test(one_that_drains_or_waits_to_try_again_ends),
		cmocka_unit_test(one_that_is_being_opened_ends_after_it),
		cmocka_unit_test(a_drained_job_stays_drained_and_a_new_one_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
