/* SPDX-License-Identifier: Apache-2.0 */
/* Assignment of times to tumbling windows, and the ordered set of open ones. */
#include "rig.h"
#include "base/rand.h"
#include "batcher/window_set.h"

static void
windows_align_to_the_epoch_plus_offset_by_floor(void **state)
{
	static const struct {
		int64_t t;
		int64_t size;
		int64_t offset;
		int64_t start;
	} rows[] = {
		{0, 10, 0, 0},
		{9, 10, 0, 0},
		{10, 10, 0, 10},
		{-1, 10, 0, -10},
		{-10, 10, 0, -10},
		{-11, 10, 0, -20},
		{0, 10, 3, -7},
		{3, 10, 3, 3},
		{2, 10, 3, -7},
		{0, 10, -3, -3},
		{6, 10, -3, -3},
		{7, 10, -3, 7},
		{-4, 10, -3, -13},
		{5, 1, 0, 5},
	};

	for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
		assert_int_equal(
			window_set_start_ms(rows[i].t, rows[i].size, rows[i].offset), rows[i].start);
	}
}

static void
the_set_keeps_order_ranges_and_its_limit(void **state)
{
	struct window_set set;
	struct rand rand;
	uint32_t added = 0; /* offsets only grow */

	rand_init(&rand, 7);
	assert_int_equal(window_set_create(&set, 64, 2), 0);
	for (uint32_t round = 0; round < 50; round++) {
		while (set.open_count < 64) {
			int64_t start = (int64_t)rand_below(&rand, 100) * 10 - 500;
			uint32_t w = window_set_open(&set, start, start + 10);

			assert_int_equal(window_set_open(&set, start, start + 10), w);
			assert_int_equal(set.windows[w].start_ms, start);
			window_set_add(&set, w, 1, 40 + added, 3);
			added++;
		}
		assert_int_equal(window_set_open(&set, 100000, 100010), WINDOW_NONE);
		int64_t last = INT64_MIN;
		uint64_t records = 0;

		while (set.open_count > rand_below(&rand, 32)) {
			uint32_t w = window_set_first(&set);

			assert_true(set.windows[w].start_ms > last);
			last = set.windows[w].start_ms;
			records += set.windows[w].records;
			assert_int_equal(set.windows[w].digest, 3 * set.windows[w].records);
			assert_int_equal(window_set_ranges(&set, w)[0].until, 0);
			assert_true(window_set_ranges(&set, w)[1].until >=
				    window_set_ranges(&set, w)[1].from +
					    (int64_t)set.windows[w].records);
			window_set_remove_first(&set);
		}
		assert_true(records > 0);
	}
	window_set_destroy(&set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_align_to_the_epoch_plus_offset_by_floor),
		cmocka_unit_test(the_set_keeps_order_ranges_and_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
