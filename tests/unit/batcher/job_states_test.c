/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs go from state to state along the edges listed here and along no other: every other pair
 * aborts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/compiler.h"
#include "batcher/job.h"
#include "support/state_edges.h"

static void
put_state(void *object, int state)
{
	((struct job *)object)->state = (enum job_state)state;
}

static void
set_state(void *object, int state)
{
	job_set_state(object, (enum job_state)state);
}

static int
get_state(const void *object)
{
	return (int)((const struct job *)object)->state;
}

static void
a_failed_or_drained_job_is_only_deleted(void **state)
{
	static struct job job;
	const struct state_machine machine = {&job, put_state, set_state, get_state, JOB_STATE_COUNT};
	const struct state_edge edges[] = {
		{JOB_STARTING, JOB_RUNNING},
		{JOB_STARTING, JOB_DELETED},
		{JOB_RUNNING, JOB_DRAINING},
		{JOB_RUNNING, JOB_FAILED},
		{JOB_RUNNING, JOB_DELETED},
		{JOB_DRAINING, JOB_DRAINED},
		{JOB_DRAINING, JOB_FAILED},
		{JOB_DRAINING, JOB_DELETED},
		{JOB_DRAINED, JOB_DELETED},
		{JOB_FAILED, JOB_DELETED},
	};

	assert_int_equal(state_edges_wrong(&machine, edges, ARRAY_COUNT(edges)), 0);
}

static void
put_phase(void *object, int state)
{
	((struct job *)object)->phase = (enum job_phase)state;
}

static void
set_phase(void *object, int state)
{
	job_set_phase(object, (enum job_phase)state);
}

static int
get_phase(const void *object)
{
	return (int)((const struct job *)object)->phase;
}

static void
nothing_leads_out_of_the_stop_of_a_job_but_its_end(void **state)
{
	static struct job job;
	const struct state_machine machine = {&job, put_phase, set_phase, get_phase, JOB_PHASE_COUNT};
	const struct state_edge edges[] = {
		{JOB_PHASE_OPEN, JOB_PHASE_IDLE},
		{JOB_PHASE_IDLE, JOB_PHASE_SCAN},
		{JOB_PHASE_IDLE, JOB_PHASE_STOP},
		{JOB_PHASE_SCAN, JOB_PHASE_FIRE},
		{JOB_PHASE_SCAN, JOB_PHASE_STOP},
		{JOB_PHASE_FIRE, JOB_PHASE_FILL},
		{JOB_PHASE_FIRE, JOB_PHASE_IDLE},
		{JOB_PHASE_FIRE, JOB_PHASE_STOP},
		{JOB_PHASE_FILL, JOB_PHASE_RUN},
		{JOB_PHASE_FILL, JOB_PHASE_STOP},
		{JOB_PHASE_RUN, JOB_PHASE_FILL},
		{JOB_PHASE_RUN, JOB_PHASE_FIRE},
		{JOB_PHASE_RUN, JOB_PHASE_RETRY},
		{JOB_PHASE_RUN, JOB_PHASE_STOP},
		{JOB_PHASE_RETRY, JOB_PHASE_FILL},
		{JOB_PHASE_RETRY, JOB_PHASE_STOP},
		{JOB_PHASE_STOP, JOB_PHASE_CLOSE},
		{JOB_PHASE_STOP, JOB_PHASE_END},
		{JOB_PHASE_CLOSE, JOB_PHASE_END},
	};

	assert_int_equal(state_edges_wrong(&machine, edges, ARRAY_COUNT(edges)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_or_drained_job_is_only_deleted),
		cmocka_unit_test(nothing_leads_out_of_the_stop_of_a_job_but_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
