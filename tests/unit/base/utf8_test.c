/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 by RFC 3629: every character round, and every kind of what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/compiler.h"
#include "base/utf8.h"

static size_t
encode(uint32_t c, uint8_t bytes[4])
{
	if (c < 0x80) {
		bytes[0] = (uint8_t)c;
		return 1;
	}
	size_t step = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = step - 1; i > 0; i--, c >>= 6) {
		bytes[i] = (uint8_t)(0x80 | (c & 0x3f));
	}
	bytes[0] = (uint8_t)((0xf00 >> step) | c);
	return step;
}

static void
every_character_is_taken_whole_and_no_surrogate_is(void **state)
{
	uint8_t bytes[4];

	(void)state;
	for (uint32_t c = 1; c < 0x10ffff; c++) {
		size_t len = encode(c, bytes);
		bool surrogate = c >= 0xd800 && c < 0xe000;

		assert_int_equal(utf8_step(bytes, len), surrogate ? 0 : len);
		assert_int_equal(utf8_step(bytes, len - 1), 0);
	}
}

static void
what_is_no_utf8_is_refused(void **state)
{
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf",
		"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3(", "\xe2\x28\xa1",
		"a\xff", "caf\xc3"};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		assert_false(utf8_valid((const uint8_t *)bad[i], strlen(bad[i])));
	}
	assert_false(utf8_valid((const uint8_t *)"a\0b", 3));
	assert_true(utf8_valid((const uint8_t *)"caf\xc3\xa9 \xf0\x9f\x9a\xb0", 10));
	assert_true(utf8_valid((const uint8_t *)"", 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_character_is_taken_whole_and_no_surrogate_is),
		cmocka_unit_test(what_is_no_utf8_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
