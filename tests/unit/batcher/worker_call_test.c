/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker publishes of the call that it is in. */
#include "rig.h"

/* What another thread sees while the function runs: the batcher's lcore may be held up by it. */
struct seen {
	struct worker *workers[RIG_WORKERS];
	struct worker_call calls[RIG_WORKERS];
	struct clock_fake *clock;
};

static int
seen_open(const struct penstock_job *job, void **ret_user)
{
	assert_int_equal(sscanf(penstock_job_param(job, "seen"), "%p", ret_user), 1);
	return 0;
}

static int
seen_process(void *user, struct penstock_task *task)
{
	struct seen *seen = user;

	for (uint32_t i = 0; i < RIG_WORKERS; i++) {
		worker_call(seen->workers[i], &seen->calls[i]);
	}
	clock_fake_advance(seen->clock, 3 * NS_PER_S);
	return 0;
}

static const struct penstock_worker seen_function = {
	.struct_bytes = sizeof(struct penstock_worker),
	.abi = PENSTOCK_WORKER_ABI,
	.name = "seen",
	.open = seen_open,
	.process = seen_process,
};

static void
a_call_of_a_function_is_published_while_it_runs(void **state)
{
	struct job_spec spec = rig_event_spec(&seen_function, 100);
	char pointer[32];
	const char *params[2] = {"seen", pointer};
	struct worker_call call;
	struct seen seen;
	struct rig rig;
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 1});
	seen = (struct seen){.clock = &rig.clock};
	memcpy(seen.workers, rig.workers, sizeof(seen.workers));
	(void)snprintf(pointer, sizeof(pointer), "%p", (void *)&seen);
	spec.params = params;
	spec.param_count = 1;
	worker_call(rig.workers[0], &call);
	assert_int_equal(call.since_ns + call.ended_ns, 0);
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	RIG_APPEND(&rig, 0, 1, 100);
	rig_advance_ms(&rig, 1000);
	assert_int_equal(seen.calls[0].since_ns, 2 * NS_PER_S);
	assert_int_equal(seen.calls[0].timeout_ns, 10 * NS_PER_S); /* max(10 x B, 10 s) */
	assert_int_equal(seen.calls[0].job_id, rig_status(&rig, job).job_id);
	assert_int_equal(seen.calls[0].window_start_ms, 0);
	assert_int_equal(seen.calls[0].window_end_ms, 100);
	assert_string_equal(seen.calls[0].job, "job");
	assert_int_equal(seen.calls[1].since_ns, 0); /* the other worker has none */
	worker_call(rig.workers[0], &call);
	assert_int_equal(call.since_ns, 0);
	assert_int_equal(call.ended_ns, 5 * NS_PER_S);
	rig_free(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_of_a_function_is_published_while_it_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
