/* SPDX-License-Identifier: Apache-2.0 */
/* batcher_stop: whatever a job is at, its function is closed once, by its worker, and pins go back. */
#include "watched.h"

/* The worker is held: the batcher cannot stop, and nobody else may close in its place. */
static void
stop_ends(struct watched_rig *s)
{
	s->rig.worker_held = true;
	batcher_stop(s->rig.batcher);
	rig_settle(&s->rig);
	assert_false(batcher_stopped(s->rig.batcher));
	assert_int_equal(s->watched.closed, 0);
	s->rig.worker_held = false;
	rig_settle(&s->rig);
	assert_true(batcher_stopped(s->rig.batcher));
	assert_int_equal(s->watched.closed, 1);
	assert_int_equal(s->watched.reason, PENSTOCK_CLOSE_SHUTDOWN);
	assert_int_equal(s->rig.log.pins, 0);
	rig_free(&s->rig);
	assert_int_equal(s->watched.closed, 1);
}

static void
an_idle_job_is_closed_by_its_worker(void **state)
{
	struct watched_rig s;

	watched_init(&s, (struct rig_options){0});
	assert_int_equal(rig_create(&s.rig, &s.spec, &s.job), 0);
	stop_ends(&s);
}

static void
a_job_that_waits_to_try_again_is_closed(void **state)
{
	struct watched_rig s;

	watched_init(&s, (struct rig_options){0});
	s.watched.result = -EAGAIN;
	assert_int_equal(rig_create(&s.rig, &s.spec, &s.job), 0);
	RIG_APPEND(&s.rig, 0, 1);
	rig_advance_ms(&s.rig, 1000);
	assert_int_equal(s.watched.calls, 1);
	stop_ends(&s);
}

static void
a_call_under_way_ends_before_the_close(void **state)
{
	struct watched_rig s;

	watched_init(&s, (struct rig_options){0});
	assert_int_equal(rig_create(&s.rig, &s.spec, &s.job), 0);
	RIG_APPEND(&s.rig, 0, 1);
	s.rig.worker_held = true;
	rig_advance_ms(&s.rig, 1000);
	stop_ends(&s);
	assert_int_equal(s.watched.calls, 1);
}

static void
a_function_set_aside_is_told_and_then_closed(void **state)
{
	struct watched_rig s;

	watched_init(&s, (struct rig_options){.pin_bytes_max = 1});
	assert_int_equal(rig_create(&s.rig, &s.spec, &s.job), 0);
	watched_set_aside(&s);
	stop_ends(&s);
	assert_int_equal(s.watched.cursor_result, -ECANCELED);
}

static void
a_job_that_is_being_opened_is_closed_and_no_other_is_taken(void **state)
{
	struct watched_rig s;
	struct batcher_command second = {.kind = BATCHER_CREATE};

	watched_init(&s, (struct rig_options){0});

	struct batcher_command first = {.kind = BATCHER_CREATE, .spec = s.spec};

	assert_int_equal(batcher_command(s.rig.batcher, &first), 0);
	batcher_stop(s.rig.batcher);
	second.spec = s.spec;
	memcpy(second.spec.name, "other", 6);
	assert_int_equal(batcher_command(s.rig.batcher, &second), 0);
	assert_ptr_equal(batcher_command_poll(s.rig.batcher), &second);
	assert_int_equal(second.error, -ESHUTDOWN);
	stop_ends(&s);
	assert_int_equal(s.watched.opened, 1);
	assert_int_equal(first.error, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_job_is_closed_by_its_worker),
		cmocka_unit_test(a_job_that_waits_to_try_again_is_closed),
		cmocka_unit_test(a_call_under_way_ends_before_the_close),
		cmocka_unit_test(a_function_set_aside_is_told_and_then_closed),
		cmocka_unit_test(a_job_that_is_being_opened_is_closed_and_no_other_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
