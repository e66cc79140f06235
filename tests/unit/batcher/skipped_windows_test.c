/* SPDX-License-Identifier: Apache-2.0 */
/* Tumbling windows that end without a call of the function are counted, each once. */
#include "rig.h"

static void
expect(struct rig *rig, uint32_t job, uint64_t fired, uint64_t skipped)
{
	struct job_status status = rig_status(rig, job);

	assert_int_equal(status.state, JOB_RUNNING);
	assert_int_equal(status.counters[JOB_fired], fired);
	assert_int_equal(status.counters[JOB_windows_skipped], skipped);
	rig_check_ledger(rig, job);
}

static void
by_event_time_those_without_a_record(void **state)
{
	struct rig rig;
	struct job_spec spec = rig_event_spec(plugin_builtin("count"), 100);
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 2});
	spec.out_of_orderness_ms = 50;
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	rig_advance_ms(&rig, 1000);
	expect(&rig, job, 0, 0);
	RIG_APPEND(&rig, 0, -250, 130); /* W = 80: [-300, -200) fires, two more end */
	rig_advance_ms(&rig, 1000);
	expect(&rig, job, 1, 2);
	RIG_APPEND(&rig, 0, 149); /* W = 99: nothing ends */
	rig_advance_ms(&rig, 1000);
	expect(&rig, job, 1, 2);
	RIG_APPEND(&rig, 0, 150); /* W = 100: [0, 100) ends, without a record */
	rig_advance_ms(&rig, 1000);
	expect(&rig, job, 1, 3);
	RIG_APPEND(&rig, 0, 30, 1000050); /* one late; W = 1000000: [100, 200) fires */
	rig_advance_ms(&rig, 1000);
	expect(&rig, job, 2, 3 + 9998);
	rig_free(&rig);
}

static void
by_event_time_the_first_watermark_is_no_window(void **state)
{
	struct rig rig;
	struct job_spec spec = rig_event_spec(plugin_builtin("count"), 100);
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 1});
	spec.window_offset_ms = 30;
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	RIG_APPEND(&rig, 0, 1000000); /* its window is open: nothing has ended that we know of */
	rig_advance_ms(&rig, 1000);
	expect(&rig, job, 0, 0);
	RIG_APPEND(&rig, 0, 1000130); /* [999930, 1000030) fires, [1000030, 1000130) is skipped */
	rig_advance_ms(&rig, 1000);
	expect(&rig, job, 1, 1);
	rig_free(&rig);
}

static void
by_ingest_time_those_without_a_micro_batch(void **state)
{
	struct rig rig;
	struct job_spec spec = rig_spec(plugin_builtin("count"));
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 1});
	spec.window = JOB_WINDOW_TUMBLING;
	spec.window_size_ms = 2000;
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	rig_advance_ms(&rig, 2000); /* an empty one fires: it had micro-batches */
	expect(&rig, job, 1, 0);
	rig_advance_ms(&rig, 1000);
	/* Ticks 4 to 10 pass at once: (2, 4] fires with what tick 3 had, (4, 6] and (6, 8] had none. */
	rig_advance_ms(&rig, 7000);
	assert_int_equal(rig_status(&rig, job).counters[JOB_ticks_coalesced], 1 + 6);
	expect(&rig, job, 3, 2);
	assert_int_equal(rig_change(&rig, job, BATCHER_DRAIN), 0);
	rig_settle(&rig);
	assert_int_equal(rig_status(&rig, job).counters[JOB_fired], 4);
	assert_int_equal(rig_status(&rig, job).counters[JOB_windows_skipped], 2);
	rig_free(&rig);
}

static void
kind_none_has_no_windows_to_skip(void **state)
{
	struct rig rig;
	struct job_spec spec = rig_spec(plugin_builtin("count"));
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 1});
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	rig_advance_ms(&rig, 1000);
	rig_advance_ms(&rig, 7000);
	expect(&rig, job, 2, 0);
	rig_free(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_event_time_those_without_a_record),
		cmocka_unit_test(by_event_time_the_first_watermark_is_no_window),
		cmocka_unit_test(by_ingest_time_those_without_a_micro_batch),
		cmocka_unit_test(kind_none_has_no_windows_to_skip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
