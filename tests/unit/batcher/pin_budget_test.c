/* SPDX-License-Identifier: Apache-2.0 */
/* What pins hold of the log's memory stays within the budget, and windows get through all the same. */
#include "watched.h"

#define BATCHES 500

/* A window of 4 MB passes; pins never held more than the budget and one read. */
static void
expect_within(struct rig_options options, uint32_t hold_bytes, uint32_t read_bytes)
{
	struct watched_rig s;

	watched_init(&s, options);
	s.rig.log.hold_bytes = hold_bytes;
	s.rig.log.read_bytes = read_bytes;
	assert_int_equal(rig_create(&s.rig, &s.spec, &s.job), 0);
	watched_append(&s, BATCHES);
	rig_settle(&s.rig);
	assert_int_equal(s.watched.calls, 1);
	assert_int_equal(rig_status(&s.rig, s.job).counters[JOB_window_records], BATCHES);
	assert_in_range(s.rig.log.pin_bytes_max, 1, options.pin_bytes_max + READ_HOLD_BYTES_MAX);
	rig_free(&s.rig);
}

static void
a_window_larger_than_the_budget_passes_in_chapters(void **state)
{
	expect_within((struct rig_options){.pin_bytes_max = 256 * 1024}, 0, 0);
}

/* Small reads, each in an extent of its own: the budget is for what they hold, not for their bytes. */
static void
pins_are_counted_by_what_they_hold(void **state)
{
	expect_within((struct rig_options){.pin_bytes_max = 4 * MIB}, 512 * 1024, 8192);
	expect_within((struct rig_options){.pin_bytes_max = 1}, 512 * 1024, 8192);
}

/* Cold reads find no room in the log's memory: no pin, no data, no error. */
static void
a_log_without_room_for_a_read_is_asked_again(void **state)
{
	struct watched_rig s;

	watched_init(&s, (struct rig_options){.pin_bytes_max = 1});
	assert_int_equal(rig_create(&s.rig, &s.spec, &s.job), 0);
	s.rig.log.busy = 5; /* in the cut */
	watched_set_aside(&s);
	assert_int_equal(s.rig.log.busy, 0);
	s.rig.log.busy = 5; /* for the second chapter */
	rig_settle(&s.rig);
	assert_int_equal(s.rig.log.busy, 0);
	assert_int_equal(rig_status(&s.rig, s.job).state, JOB_RUNNING);
	assert_int_equal(rig_status(&s.rig, s.job).counters[JOB_window_records], 100);
	rig_free(&s.rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_larger_than_the_budget_passes_in_chapters),
		cmocka_unit_test(pins_are_counted_by_what_they_hold),
		cmocka_unit_test(a_log_without_room_for_a_read_is_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
