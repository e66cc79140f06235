/* SPDX-License-Identifier: Apache-2.0 */
/* Windows over offsets whose loss was accepted: wherever they lie, what is left is delivered, once. */
#include "rig.h"
#include "batcher/record_digest.h"
#include "batcher/worker/worker_task.h"

#define BATCHES	   12
#define STEP_MS	   10 /* between records */
#define WINDOW_MS  40 /* two batches of two records */
#define WINDOWS	   (BATCHES / 2)
#define FIRST_MS   1000

static bool
is_lost(int64_t offset, int64_t from, int64_t until)
{
	return offset >= from && offset < until;
}

static int64_t
time_of(int64_t offset)
{
	return FIRST_MS + offset * STEP_MS;
}

static uint64_t
digest_of(int64_t offset)
{
	char value[32];
	int len = snprintf(value, sizeof(value), "v%lld", (long long)time_of(offset));

	return record_digest("k", 1, value, len);
}

/* Offsets [from, until) of partition 0 are gone, nothing of partition 1; a tumbling window each 40 ms. */
static void
check_tumbling(int64_t from, int64_t until, uint32_t read_bytes)
{
	struct job_spec spec = rig_event_spec(plugin_builtin("digest"), WINDOW_MS);
	struct window_row rows[WINDOWS + 1];
	struct rig rig;
	uint32_t job, at = 0;

	rig_init(&rig, (struct rig_options){.partitions = 2, .shards = 2});
	rig.log.read_bytes = read_bytes;
	for (int64_t i = 0; i < BATCHES; i++) {
		RIG_APPEND(&rig, 0, time_of(2 * i), time_of(2 * i + 1));
	}
	RIG_APPEND(&rig, 1, time_of(0), time_of(2 * BATCHES - 1));
	fake_log_lose(&rig.log, 0, from, until);
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	rig_advance_ms(&rig, 1000);
	assert_int_equal(rig_change(&rig, job, BATCHER_DRAIN), 0);
	rig_settle(&rig);
	assert_int_equal(rig_status(&rig, job).state, JOB_DRAINED);
	uint32_t count = batcher_windows(rig.batcher, job, 0, rows, WINDOWS + 1);

	for (int64_t w = 0; w < WINDOWS; w++) {
		uint64_t records = 0, digest = 0;

		for (int64_t offset = 4 * w; offset < 4 * w + 4; offset++) {
			bool other = offset == 0 || offset == 2 * BATCHES - 1; /* of partition 1 */
			uint32_t times = other + !is_lost(offset, from, until);

			records += times;
			digest += times * digest_of(offset);
		}
		if (records > 0) {
			assert_true(at < count);
			assert_int_equal(rows[at].start_ms, FIRST_MS + w * WINDOW_MS);
			assert_int_equal(rows[at].record_count, records);
			assert_true(rows[at].digest == digest);
			at++;
		}
	}
	assert_int_equal(at, count);
	assert_int_equal(rig_status(&rig, job).counters[JOB_task_failures], 0);
	rig_check_ledger(&rig, job);
	rig_free(&rig);
}

static void
windows_hold_what_is_left_wherever_the_gap_lies(void **state)
{
	(void)state;
	for (int64_t from = 0; from < 2 * BATCHES; from += 2) {
		for (int64_t until = from + 2; until <= 2 * BATCHES; until += 2) {
			check_tumbling(from, until, 0);
			check_tumbling(from, until, 1); /* a batch a read */
		}
	}
}

/* More extents than a chapter holds, so that a gap meets every edge of a chapter; called twice each. */
static void
a_gap_may_lie_at_any_edge_of_a_chapter(void **state)
{
	static const struct {
		int64_t from, until;
	} gaps[] = {
		{0, 1},
		{0, TASK_EXTENTS_MAX},
		{TASK_EXTENTS_MAX - 1, TASK_EXTENTS_MAX},
		{TASK_EXTENTS_MAX, TASK_EXTENTS_MAX + 1},
		{TASK_EXTENTS_MAX - 1, TASK_EXTENTS_MAX + 1},
		{TASK_EXTENTS_MAX, 2 * TASK_EXTENTS_MAX},
		{TASK_EXTENTS_MAX, 3 * TASK_EXTENTS_MAX},
		{3 * TASK_EXTENTS_MAX - 1, 3 * TASK_EXTENTS_MAX},
	};
	int64_t records = 3 * TASK_EXTENTS_MAX;

	(void)state;
	for (uint32_t i = 0; i < ARRAY_COUNT(gaps); i++) {
		struct job_spec spec = rig_event_spec(plugin_builtin("digest"), 1000 * 1000);
		struct window_row row;
		struct rig rig;
		uint32_t job;
		uint64_t digest = 0;

		rig_init(&rig, (struct rig_options){.partitions = 1});
		rig.log.read_bytes = 1;
		for (int64_t k = 0; k < records; k++) {
			RIG_APPEND(&rig, 0, time_of(k));
			digest += is_lost(k, gaps[i].from, gaps[i].until) ? 0 : digest_of(k);
		}
		fake_log_lose(&rig.log, 0, gaps[i].from, gaps[i].until);
		assert_int_equal(rig_create(&rig, &spec, &job), 0);
		rig_advance_ms(&rig, 1000);
		assert_int_equal(rig_change(&rig, job, BATCHER_DRAIN), 0);
		rig_settle(&rig);
		assert_int_equal(rig_status(&rig, job).state, JOB_DRAINED);
		assert_int_equal(batcher_windows(rig.batcher, job, 0, &row, 1), 1);
		assert_int_equal(row.record_count, records - (gaps[i].until - gaps[i].from));
		assert_true(row.digest == digest);
		assert_int_equal(rig_status(&rig, job).counters[JOB_task_failures], 0);
		rig_free(&rig);
	}
}

/* Lost behind the cut, before the window fired: a window short of its records is damage, never a smaller one. */
static void
records_lost_from_under_a_window_fail_its_job(void **state)
{
	static const int64_t gaps[][2] = {{0, 2}, {2, 4}, {22, 24}, {0, 24}};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_COUNT(gaps); i++) {
		struct job_spec spec = rig_event_spec(plugin_builtin("digest"), 1000 * 1000);
		struct window_row row;
		struct rig rig;
		uint32_t job;

		rig_init(&rig, (struct rig_options){.partitions = 1});
		for (int64_t k = 0; k < BATCHES; k++) {
			RIG_APPEND(&rig, 0, time_of(2 * k), time_of(2 * k + 1));
		}
		assert_int_equal(rig_create(&rig, &spec, &job), 0);
		rig_advance_ms(&rig, 1000);
		assert_int_equal(rig_status(&rig, job).counters[JOB_open_records], 2 * BATCHES);
		fake_log_lose(&rig.log, 0, gaps[i][0], gaps[i][1]);
		assert_int_equal(rig_change(&rig, job, BATCHER_DRAIN), 0);
		for (uint32_t k = 0; k < 100; k++) {
			rig_advance_ms(&rig, 1000);
		}
		assert_int_equal(rig_status(&rig, job).state, JOB_FAILED);
		assert_int_equal(batcher_windows(rig.batcher, job, 0, &row, 1), 0);
		rig_free(&rig);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_hold_what_is_left_wherever_the_gap_lies),
		cmocka_unit_test(a_gap_may_lie_at_any_edge_of_a_chapter),
		cmocka_unit_test(records_lost_from_under_a_window_fail_its_job),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
