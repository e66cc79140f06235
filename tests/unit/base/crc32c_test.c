/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C against its published value, against a bitwise oracle, and its algebra. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/crc32c.h"
#include "base/rand.h"

static uint32_t
crc32c_bitwise(const uint8_t *bytes, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++) {
			crc = (crc >> 1) ^ ((crc & 1) ? 0x82f63b78u : 0);
		}
	}
	return ~crc;
}

static void
test_published_value(void **state)
{
	assert_int_equal(crc32c_update(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c_update(0, "", 0), 0);
}

static void
test_equals_bitwise_and_chains(void **state)
{
	uint8_t bytes[600];
	struct rand rand;

	rand_init(&rand, 1);
	rand_fill(&rand, bytes, sizeof(bytes));
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		size_t cut = rand_below(&rand, len + 1);
		uint32_t whole = crc32c_bitwise(bytes, len);

		assert_int_equal(crc32c_update(0, bytes, len), whole);
		assert_int_equal(crc32c_update(crc32c_update(0, bytes, cut), bytes + cut, len - cut),
			whole);
	}
}

static void
test_copy_is_update_and_memcpy(void **state)
{
	static uint8_t source[3 * 4096 + 17];
	static uint8_t target[sizeof(source) + 1];
	struct rand rand;

	rand_init(&rand, 2);
	rand_fill(&rand, source, sizeof(source));
	for (size_t len = 0; len <= sizeof(source); len += 1 + len / 3) {
		memset(target, 0x5a, sizeof(target));
		assert_int_equal(crc32c_copy(7, target, source, len), crc32c_update(7, source, len));
		assert_memory_equal(target, source, len);
		assert_int_equal(target[len], 0x5a);
	}
}

static void
test_combine_and_take_out(void **state)
{
	static uint8_t bytes[70000];
	struct rand rand;

	rand_init(&rand, 3);
	rand_fill(&rand, bytes, sizeof(bytes));
	for (int i = 0; i < 200; i++) {
		size_t len = rand_below(&rand, sizeof(bytes) + 1);
		size_t cut = rand_below(&rand, len + 1);
		uint32_t ab = crc32c_update(0, bytes, len);
		uint32_t a = crc32c_update(0, bytes, cut);
		uint32_t b = crc32c_update(0, bytes + cut, len - cut);

		assert_int_equal(crc32c_combine(a, b, len - cut), ab);
		assert_int_equal(crc32c_without_prefix(ab, a, len - cut), b);
	}
}

/* Lengths that no test can hold in memory: n zeros twice must equal 2n zeros. */
static void
test_combine_of_great_lengths(void **state)
{
	const uint8_t zeros[64] = {0};
	uint32_t crc = crc32c_update(0, zeros, sizeof(zeros));

	for (uint64_t len = sizeof(zeros); len < 1ull << 40; len *= 2) {
		uint32_t pair = crc32c_combine(crc, crc, len);

		assert_int_equal(crc32c_without_prefix(pair, crc, len), crc);
		if (len == 64) {
			const uint8_t longer[128] = {0};

			assert_int_equal(pair, crc32c_update(0, longer, sizeof(longer)));
		}
		/* Split unevenly, the sum must be the same. */
		uint32_t left = crc32c_combine(pair, crc, len);
		uint32_t right = crc32c_combine(crc, pair, 2 * len);

		assert_int_equal(left, right);
		crc = pair;
	}
}

/*
 * Short lengths go by carry-less products where the CPU has them, those of more than 32 bits by the
 * portable way. The powers of x repeat after 2^31 - 1, so 2 (2^31 - 1) bytes more change nothing.
 */
static void
test_short_and_long_way_agree(void **state)
{
	struct rand rand;

	rand_init(&rand, 4);
	for (int i = 0; i < 20000; i++) {
		uint32_t crc = (uint32_t)rand_u64(&rand);
		uint64_t len = 2 + (rand_u64(&rand) & 0xffffffff) % ((1ull << (1 + i % 32)));

		assert_int_equal(crc32c_combine(crc, 0, len), crc32c_combine(crc, 0, len + 0xfffffffe));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_value),
		cmocka_unit_test(test_equals_bitwise_and_chains),
		cmocka_unit_test(test_copy_is_update_and_memcpy),
		cmocka_unit_test(test_combine_and_take_out),
		cmocka_unit_test(test_combine_of_great_lengths),
		cmocka_unit_test(test_short_and_long_way_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
