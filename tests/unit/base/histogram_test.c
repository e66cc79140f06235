/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets tile the range without gap or overlap; percentiles err by a sub-bucket at most. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/histogram.h"
#include "base/rand.h"

static void
test_buckets_tile_the_range(void **state)
{
	uint64_t from = 0;

	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t to = histogram_bucket_max(i);

		assert_true(to >= from);
		assert_int_equal(histogram_bucket(from), i);
		assert_int_equal(histogram_bucket(to), i);
		/* Width over lower end: the promised 1/32. */
		assert_true((to - from) * 32 <= from);
		from = to + 1;
	}
	assert_true(from == 1ull << 36);
	assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void
test_percentiles(void **state)
{
	static struct histogram h;

	histogram_init(&h);
	assert_int_equal(histogram_percentile(&h, 500000), 0);
	for (uint64_t v = 1; v <= 10000; v++) {
		histogram_add(&h, v);
	}
	for (uint32_t ppm = 10000; ppm <= 1000000; ppm += 10000) {
		uint64_t exact = ppm / 100;
		uint64_t got = histogram_percentile(&h, ppm);

		assert_true(got >= exact);
		assert_true(got <= exact + exact / 32 + 1);
	}
	assert_int_equal(histogram_percentile(&h, 0), 1);
	assert_int_equal(h.count, 10000);
	assert_int_equal(h.sum, 50005000);
	assert_int_equal(h.max, 10000);
}

static void
test_values_beyond_the_range(void **state)
{
	static struct histogram h;

	histogram_init(&h);
	histogram_add(&h, 1ull << 50);
	assert_int_equal(h.buckets[HISTOGRAM_BUCKETS - 1], 1);
	assert_true(histogram_percentile(&h, 990000) == 1ull << 50);
}

static void
test_merge_is_addition(void **state)
{
	static struct histogram a, b, all;
	struct rand rand;

	rand_init(&rand, 5);
	histogram_init(&a);
	histogram_init(&b);
	histogram_init(&all);
	for (int i = 0; i < 5000; i++) {
		uint64_t v = rand_u64(&rand) >> rand_below(&rand, 64);

		histogram_add((i & 1) ? &a : &b, v);
		histogram_add(&all, v);
	}
	histogram_merge(&a, &b);
	assert_memory_equal(&a, &all, sizeof(all));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets_tile_the_range),
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_values_beyond_the_range),
		cmocka_unit_test(test_merge_is_addition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
