/* SPDX-License-Identifier: Apache-2.0 */
/* A function that does not come back, seen from inside it: the other worker's jobs are made, run and deleted. */
#include "watched.h"

/* A job whose function looks at what others can do while it is in its call. */
struct holder {
	struct rig *rig;
	struct job_spec other; /* a job to be made meanwhile */
	uint32_t calls;
	int created; /* what the create was answered, 1: nothing */
	uint32_t worker;
	uint64_t fired;
	int deleted;
};

/* What the threads of batcher, log and the other worker do while this one does not come back. */
static void
others_turn(struct rig *rig)
{
	for (uint32_t i = 0; i < 100; i++) {
		(void)batcher_poll(rig->batcher, clock_now_ns(&rig->clock.clock));
		(void)worker_poll(rig->workers[1], clock_now_ns(&rig->clock.clock));
		(void)fake_log_poll(&rig->log);
	}
}

/* Commands as the control thread gives them; 1: not answered. */
static int
others_command(struct rig *rig, struct batcher_command *command)
{
	ensure(batcher_command(rig->batcher, command) == 0);
	others_turn(rig);
	return batcher_command_poll(rig->batcher) == command ? command->error : 1;
}

static int
holder_open(const struct penstock_job *job, void **ret_user)
{
	return sscanf(penstock_job_param(job, "watched"), "%p", ret_user) == 1 ? 0 : -EINVAL;
}

static int
holder_process(void *user, struct penstock_task *task)
{
	struct holder *h = user;
	static struct batcher_command create;
	struct job_status status;

	(void)task;
	if (h->calls++ > 0) {
		return 0;
	}
	clock_fake_advance(&h->rig->clock, 11 * NS_PER_S); /* beyond the 10 s of its task_timeout */
	create = (struct batcher_command){.kind = BATCHER_CREATE, .spec = h->other};
	h->created = others_command(h->rig, &create);
	if (h->created) {
		return 0;
	}
	clock_fake_advance(&h->rig->clock, NS_PER_S);
	others_turn(h->rig);
	assert_int_equal(batcher_job_status(h->rig->batcher, create.job, &status), 0);
	h->worker = status.worker;
	h->fired = status.counters[JOB_fired];
	create.kind = BATCHER_DELETE;
	h->deleted = others_command(h->rig, &create);
	return 0;
}

static const struct penstock_worker holder_function = {
	.struct_bytes = sizeof(struct penstock_worker),
	.abi = PENSTOCK_WORKER_ABI,
	.name = "holder",
	.open = holder_open,
	.process = holder_process,
};

static void
holder_init(struct watched_rig *s, struct holder *h, uint32_t workers)
{
	watched_init(s, (struct rig_options){.workers = workers});
	*h = (struct holder){.rig = &s->rig, .other = rig_spec(plugin_builtin("count"))};
	memcpy(h->other.name, "other", 6);
	s->spec.function = &holder_function;
	(void)snprintf(s->pointer, sizeof(s->pointer), "%p", (void *)h);
}

static void
a_new_job_goes_to_a_worker_that_is_not_stuck(void **state)
{
	struct watched_rig s;
	struct job_spec idle = rig_spec(plugin_builtin("count"));
	struct holder h;
	uint32_t job;

	holder_init(&s, &h, 2);
	idle.batch_interval_ns = 3600 * NS_PER_S;
	assert_int_equal(rig_create(&s.rig, &s.spec, &s.job), 0);
	for (uint32_t i = 0; i < 3; i++) { /* worker 0 has two jobs, worker 1 two: by number it is 0's turn */
		(void)snprintf(idle.name, sizeof(idle.name), "idle-%u", i);
		assert_int_equal(rig_create(&s.rig, &idle, &job), 0);
		assert_int_equal(rig_status(&s.rig, job).worker, (i + 1) % 2);
	}
	RIG_APPEND(&s.rig, 0, 1);
	rig_advance_ms(&s.rig, 1000);
	assert_true(h.calls > 0);
	assert_int_equal(h.created, 0);
	assert_int_equal(h.worker, 1);
	assert_int_equal(h.fired, 1);
	assert_int_equal(h.deleted, 0);
	rig_free(&s.rig);
}

/* One worker is all that this batcher has. */
static void
with_none_left_a_new_job_is_refused_and_never_was(void **state)
{
	struct watched_rig s;
	struct holder h;
	uint32_t job;

	holder_init(&s, &h, 1);
	assert_int_equal(rig_create(&s.rig, &s.spec, &s.job), 0);
	RIG_APPEND(&s.rig, 0, 1);
	rig_advance_ms(&s.rig, 1000);
	assert_int_equal(h.created, -ETIMEDOUT);
	assert_int_equal(rig_create(&s.rig, &h.other, &job), 0); /* it came back */
	rig_free(&s.rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_job_goes_to_a_worker_that_is_not_stuck),
		cmocka_unit_test(with_none_left_a_new_job_is_refused_and_never_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
