/* SPDX-License-Identifier: Apache-2.0 */
/* The whole path from a commit note to a sink, on small hand-made inputs. One thread, virtual time. */
#include "rig.h"
#include "batcher/record_digest.h"

struct caught {
	uint32_t count;
	char text[64][64];
};

/* Callback sink: "start-end reason value". */
static void
catch(void *user_data, const struct penstock_task_info *info, const void *key, int32_t key_len,
	const void *value, int32_t value_len)
{
	struct caught *caught = user_data;

	assert_true(caught->count < 64);
	(void)snprintf(caught->text[caught->count++], 64, "%lld-%lld %u %.*s",
		(long long)info->window_start_ms, (long long)info->window_end_ms, info->reason,
		(int)value_len, (const char *)value);
}

static struct job_spec
catching_spec(struct caught *caught, uint64_t size_ms)
{
	struct job_spec spec = rig_event_spec(plugin_builtin("count"), size_ms);

	spec.sink_callback = catch;
	spec.sink_user_data = caught;
	spec.sink_print = true;
	memset(caught, 0, sizeof(*caught));
	return spec;
}

static void
event_windows_fire_when_the_event_watermark_passes(void **state)
{
	struct rig rig;
	struct caught caught;
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 2, .shards = 2});
	struct job_spec spec = catching_spec(&caught, 100);

	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	RIG_APPEND(&rig, 0, 1000, 1010, 1099, 1100);
	RIG_APPEND(&rig, 1, 1005, 1050);
	rig_advance_ms(&rig, 1000);
	assert_int_equal(caught.count, 0); /* W = 1050: partition 1 holds it back */
	assert_int_equal(rig_status(&rig, job).event_watermark_ms, 1050);
	assert_int_equal(rig_status(&rig, job).counters[JOB_open_records], 6);
	RIG_APPEND(&rig, 1, 1120);
	rig_advance_ms(&rig, 1000);
	assert_int_equal(caught.count, 1);
	assert_string_equal(caught.text[0], "1000-1100 1 5");
	RIG_APPEND(&rig, 0, 1099, 1101); /* late, in time */
	rig_advance_ms(&rig, 1000);
	struct job_status status = rig_status(&rig, job);

	assert_int_equal(status.counters[JOB_late_records], 1);
	assert_int_equal(status.counters[JOB_window_records], 5);
	assert_int_equal(status.counters[JOB_open_records], 3);
	assert_int_equal(status.discard_digest, record_digest("k", 1, "v1099", 5));
	assert_int_equal(rig_change(&rig, job, BATCHER_DRAIN), 0);
	rig_settle(&rig);
	assert_int_equal(rig_status(&rig, job).state, JOB_DRAINED);
	assert_int_equal(caught.count, 2);
	assert_string_equal(caught.text[1], "1100-1200 4 3");
	rig_check_ledger(&rig, job);

	struct window_row rows[4];

	assert_int_equal(batcher_windows(rig.batcher, job, 0, rows, 4), 2);
	assert_int_equal(rows[0].record_count, 5);
	assert_int_equal(rows[0].sequence, 1);
	assert_int_equal(rows[0].print_count, 1);
	assert_string_equal(rows[0].print_rows[0], "count 5");
	assert_int_equal(rows[1].reason, PENSTOCK_FIRE_FINAL);
	assert_int_equal(rows[1].digest,
		record_digest("k", 1, "v1100", 5) + record_digest("k", 1, "v1120", 5) +
			record_digest("k", 1, "v1101", 5));
	assert_int_equal(batcher_windows(rig.batcher, job, 1, rows, 4), 1);
	assert_int_equal(rows[0].sequence, 2);
	assert_int_equal(rig_change(&rig, job, BATCHER_DELETE), 0);
	assert_int_equal(batcher_job_status(rig.batcher, job, &status), -ENOENT);
	rig_free(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_windows_fire_when_the_event_watermark_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
