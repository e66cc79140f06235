/* SPDX-License-Identifier: Apache-2.0 */
/* The generator is the published one, replays, and is even enough for models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/rand.h"

static void
test_xoshiro_reference_stream(void **state)
{
	/* State 1, 2, 3, 4: the first outputs of the authors' code. */
	struct rand rand = {.state = {1, 2, 3, 4}};
	static const uint64_t want[] = {11520, 0, 1509978240, 1215971899390074240ull};

	for (int i = 0; i < 4; i++) {
		assert_true(rand_u64(&rand) == want[i]);
	}
}

static void
test_same_seed_same_stream(void **state)
{
	struct rand a, b, c;
	uint8_t bytes_a[37], bytes_b[37];

	rand_init(&a, 42);
	rand_init(&b, 42);
	rand_init(&c, 43);
	assert_true(rand_u64(&a) == rand_u64(&b));
	assert_true(rand_u64(&a) != rand_u64(&c));
	rand_init(&a, 1);
	rand_init(&b, 1);
	rand_fill(&a, bytes_a, sizeof(bytes_a));
	rand_fill(&b, bytes_b, sizeof(bytes_b));
	assert_memory_equal(bytes_a, bytes_b, sizeof(bytes_a));
}

static void
test_below_is_even(void **state)
{
	uint32_t hits[7] = {0};
	struct rand rand;

	rand_init(&rand, 9);
	for (int i = 0; i < 70000; i++) {
		uint64_t v = rand_below(&rand, 7);

		assert_true(v < 7);
		hits[v]++;
	}
	for (int i = 0; i < 7; i++) {
		assert_in_range(hits[i], 9500, 10500);
	}
	assert_int_equal(rand_below(&rand, 1), 0);
}

static void
test_chance(void **state)
{
	uint32_t hits = 0;
	struct rand rand;

	rand_init(&rand, 10);
	for (int i = 0; i < 100000; i++) {
		hits += rand_chance_ppm(&rand, 100000) ? 1 : 0;
		assert_false(rand_chance_ppm(&rand, 0));
		assert_true(rand_chance_ppm(&rand, 1000000));
	}
	assert_in_range(hits, 9500, 10500);
}

static void
test_secrets_differ(void **state)
{
	uint8_t a[32] = {0}, b[32] = {0};
	struct rand c, d;

	rand_os_fill(a, sizeof(a));
	rand_os_fill(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	rand_init_os(&c);
	rand_init_os(&d);
	assert_true(rand_u64(&c) != rand_u64(&d));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xoshiro_reference_stream),
		cmocka_unit_test(test_same_seed_same_stream),
		cmocka_unit_test(test_below_is_even),
		cmocka_unit_test(test_chance),
		cmocka_unit_test(test_secrets_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
