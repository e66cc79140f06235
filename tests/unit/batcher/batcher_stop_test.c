/* SPDX-License-Identifier: Apache-2.0 */
/* batcher_stop: whatever a job is at, its function is closed once, by its worker, and pins go back. */
#include "rig.h"
#include <errno.h>

struct watched {
	uint32_t opened;
	uint32_t calls;
	uint32_t closed;
	enum penstock_close_reason reason;
	int result;
	int cursor_result;
};

static int
watched_open(const struct penstock_job *job, void **ret_user)
{
	struct watched *watched;

	assert_int_equal(sscanf(penstock_job_param(job, "watched"), "%p", ret_user), 1);
	watched = *ret_user;
	watched->opened++;
	return 0;
}

static int
watched_process(void *user, struct penstock_task *task)
{
	struct watched *watched = user;
	struct penstock_cursor cursor;
	struct penstock_record record;

	watched->calls++;
	penstock_cursor_open(&cursor, task);
	while ((watched->cursor_result = penstock_cursor_next(&cursor, &record)) == 1) {
	}
	return watched->cursor_result ? watched->cursor_result : watched->result;
}

static void
watched_close(void *user, enum penstock_close_reason reason)
{
	struct watched *watched = user;

	watched->closed++;
	watched->reason = reason;
}

static const struct penstock_worker watched_function = {
	.struct_bytes = sizeof(struct penstock_worker),
	.abi = PENSTOCK_WORKER_ABI,
	.name = "watched",
	.open = watched_open,
	.process = watched_process,
	.close = watched_close,
};

struct stop_rig {
	struct rig rig;
	struct watched watched;
	struct job_spec spec;
	char pointer[32];
	const char *params[2];
	uint32_t job;
};

static void
stop_init(struct stop_rig *s, uint64_t pin_bytes_max)
{
	memset(s, 0, sizeof(*s));
	rig_init(&s->rig, (struct rig_options){.partitions = 1, .pin_bytes_max = pin_bytes_max});
	s->spec = rig_spec(&watched_function);
	(void)snprintf(s->pointer, sizeof(s->pointer), "%p", (void *)&s->watched);
	s->params[0] = "watched";
	s->params[1] = s->pointer;
	s->spec.params = s->params;
	s->spec.param_count = 1;
}

/* The worker is held: the batcher cannot stop, and nobody else may close in its place. */
static void
stop_ends(struct stop_rig *s)
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
	struct stop_rig s;

	stop_init(&s, 0);
	assert_int_equal(rig_create(&s.rig, &s.spec, &s.job), 0);
	stop_ends(&s);
}

static void
a_job_that_waits_to_try_again_is_closed(void **state)
{
	struct stop_rig s;

	stop_init(&s, 0);
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
	struct stop_rig s;

	stop_init(&s, 0);
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
	static const char filler[8000];
	uint8_t room[9000];
	struct stop_rig s;

	stop_init(&s, 1);
	assert_int_equal(rig_create(&s.rig, &s.spec, &s.job), 0);
	for (uint32_t i = 0; i < 100; i++) {
		struct record_builder builder;

		record_builder_init(&builder, room, sizeof(room));
		ensure(!record_builder_add(&builder, 1, NULL, -1, filler, sizeof(filler)));
		fake_log_append(&s.rig.log, 0, room, record_builder_finish(&builder, -1, -1, -1));
	}
	ensure(fake_log_note(&s.rig.log, 0));
	clock_fake_advance(&s.rig.clock, NS_PER_S);
	while (s.watched.calls == 0) {
		(void)rig_poll(&s.rig);
	}
	stop_ends(&s);
	assert_int_equal(s.watched.cursor_result, -ECANCELED);
}

static void
a_job_that_is_being_opened_is_closed_and_no_other_is_taken(void **state)
{
	struct stop_rig s;
	struct batcher_command second = {.kind = BATCHER_CREATE};

	stop_init(&s, 0);

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
