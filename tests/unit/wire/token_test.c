/* SPDX-License-Identifier: Apache-2.0 */
/* Reset tokens against the golden bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "support/vector.h"
#include "wire/native/token.h"

static void
test_golden(void **state)
{
	static struct vector vector;
	uint8_t key[TOKEN_RESET_KEY_BYTES];
	uint8_t token[TOKEN_RESET_BYTES];

	for (uint8_t i = 0; i < sizeof(key); i++) {
		key[i] = i;
	}
	token_reset(key, 0x1a2b3c4d00100005, token);
	vector_load(&vector, "native/reset_token.hex");
	assert_int_equal(vector.len, sizeof(token));
	assert_memory_equal(token, vector.bytes, sizeof(token));
	token_reset(key, 0x1a2b3c4d00100006, token);
	assert_memory_not_equal(token, vector.bytes, sizeof(token));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
