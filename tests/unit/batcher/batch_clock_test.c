/* SPDX-License-Identifier: Apache-2.0 */
/* Ticks: absolute, never "now", never twice. */
#include "rig.h"
#include "batcher/batch_clock.h"

#define B 1000

static void
ticks_are_multiples_of_the_interval(void **state)
{
	static const struct {
		uint64_t start;
		uint64_t wall;
		bool due;
		uint64_t time;
		uint64_t skipped;
	} rows[] = {
		{5000, 5000, false, 0, 0}, /* first tick is not "now" */
		{5000, 5999, false, 0, 0},
		{5000, 6000, true, 6000, 0},
		{5001, 6999, true, 6000, 0}, /* a late tick keeps its time */
		{5999, 6000, true, 6000, 0},
		{5000, 9500, true, 9000, 3}, /* a jump: the latest, three were passed over */
		{5000, 4000, false, 0, 0},
	};

	for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct batch_clock clock;
		uint64_t time = 0;
		uint64_t skipped = 0;

		batch_clock_start(&clock, B, rows[i].start);
		assert_int_equal(
			batch_clock_tick(&clock, rows[i].wall, &time, &skipped), rows[i].due);
		assert_int_equal(time, rows[i].time);
		assert_int_equal(skipped, rows[i].skipped);
		assert_false(batch_clock_tick(&clock, rows[i].wall, &time, &skipped));
	}
}

static void
a_late_tick_does_not_move_the_next(void **state)
{
	struct batch_clock clock;
	uint64_t time;
	uint64_t skipped;

	batch_clock_start(&clock, B, 0);
	assert_true(batch_clock_tick(&clock, 1999, &time, &skipped));
	assert_true(batch_clock_tick(&clock, 2000, &time, &skipped));
	assert_int_equal(time, 2000);
}

static void
backward_steps_are_counted_and_hold_ticks(void **state)
{
	struct batch_clock clock;
	uint64_t time;
	uint64_t skipped;

	batch_clock_start(&clock, B, 5000);
	assert_true(batch_clock_tick(&clock, 6000, &time, &skipped));
	for (uint64_t wall = 3000; wall < 7000; wall += 500) {
		assert_false(batch_clock_tick(&clock, wall, &time, &skipped));
	}
	assert_int_equal(clock.backward_count, 1);
	assert_true(batch_clock_tick(&clock, 7000, &time, &skipped));
	assert_int_equal(time, 7000);
	assert_int_equal(skipped, 0);
}

static void
forced_batch_times_stay_unique(void **state)
{
	struct batch_clock clock;
	uint64_t time;
	uint64_t skipped;

	batch_clock_start(&clock, B, 5000);
	assert_int_equal(batch_clock_force(&clock, 5500), 6000);
	assert_int_equal(batch_clock_force(&clock, 5500), 7000);
	assert_int_equal(batch_clock_force(&clock, 9999), 9000);
	assert_false(batch_clock_tick(&clock, 9999, &time, &skipped));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ticks_are_multiples_of_the_interval),
		cmocka_unit_test(a_late_tick_does_not_move_the_next),
		cmocka_unit_test(backward_steps_are_counted_and_hold_ticks),
		cmocka_unit_test(forced_batch_times_stay_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
