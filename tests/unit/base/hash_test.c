/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 and murmur2 against published values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/compiler.h"
#include "base/hash.h"

static void
test_siphash_published(void **state)
{
	/* The first rows of the reference implementation's table, little-endian. */
	static const uint64_t want[] = {0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a,
		0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce,
		0xab0200f58b01d137, 0x93f5f5799a932462, 0x9e0082df0ba9e4b0};
	uint8_t key[16];
	uint8_t input[15];

	for (uint8_t i = 0; i < sizeof(key); i++) {
		key[i] = i;
	}
	for (uint8_t i = 0; i < sizeof(input); i++) {
		input[i] = i;
	}
	for (size_t len = 0; len < ARRAY_COUNT(want); len++) {
		assert_true(hash_siphash24(key, input, len) == want[len]);
	}
	assert_true(hash_siphash24(key, input, 15) == 0xa129ca6149be45e5);
}

struct murmur_case {
	const char *key;
	int32_t hash;
};

static void
test_murmur2_as_kafka(void **state)
{
	/* The values of Kafka's own UtilsTest. */
	static const struct murmur_case cases[] = {
		{"21", -973932308},
		{"foobar", -790332482},
		{"a-little-bit-long-string", -985981536},
		{"a-little-bit-longer-string", -1486304829},
		{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
		{"abc", 479470107},
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint32_t hash = hash_murmur2(cases[i].key, strlen(cases[i].key));

		assert_int_equal((int32_t)hash, cases[i].hash);
	}
	assert_int_equal(hash_kafka_partition("21", 2, 10), ((uint32_t)-973932308 & 0x7fffffff) % 10);
	assert_true(hash_kafka_partition("21", 2, 1) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash_published),
		cmocka_unit_test(test_murmur2_as_kafka),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
