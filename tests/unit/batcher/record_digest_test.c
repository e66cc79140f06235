/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content hash against values that share no code with it: SipHash-2-4 written anew from the
 * paper, in Python, over the rule in record_digest.h. What is sent, logged and windowed is compared
 * by this one function, so a mistake in it would agree with itself everywhere else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/compiler.h"
#include "batcher/record_digest.h"

struct golden {
	const char *key;
	int32_t key_len; /* -1: null */
	const char *value;
	int32_t value_len;
	uint64_t digest;
};

static void
as_computed_elsewhere(void **state)
{
	static const struct golden rows[] = {
		{NULL, -1, NULL, -1, 0x26e8e677cfbc4f8d},
		{NULL, -1, "", 0, 0x525864db0a8ba010},
		{"", 0, NULL, -1, 0x1be4988a33de1bca},
		{"", 0, "", 0, 0xebff8db26c38a3cf},
		{"k", 1, "v", 1, 0x03e08c9460fdd64c},
		{NULL, -1, "kv", 2, 0xfdda19647b353f9d},
		{"kv", 2, NULL, -1, 0xc5632ed8985815f0},
		{"UA", 2, "2013-01-01,UA,1545,N14228,EWR,IAH", 33, 0xcf6299a0fb4cc2ad},
		{NULL, -1, "0:0:xxxxxxxxxxxx", 16, 0x957adcb67833b2ee},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		const struct golden *r = &rows[i];

		assert_true(record_digest(r->key, r->key_len, r->value, r->value_len) == r->digest);
	}
}

/* Longer than a block on both sides: 256 bytes rising, 1,024 falling. */
static void
long_ones_too(void **state)
{
	uint8_t key[256], value[1024];

	(void)state;
	for (uint32_t i = 0; i < sizeof(key); i++) {
		key[i] = (uint8_t)i;
	}
	for (uint32_t i = 0; i < sizeof(value); i++) {
		value[i] = (uint8_t)(255 - i % 256);
	}
	assert_true(record_digest(key, sizeof(key), value, sizeof(value)) == 0xb1b11620d8b19a80);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_computed_elsewhere),
		cmocka_unit_test(long_ones_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
