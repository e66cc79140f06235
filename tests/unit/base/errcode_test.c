/* SPDX-License-Identifier: Apache-2.0 */
/* The error table: every row whole, every Kafka code known by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/errcode.h"

static void
test_every_row_is_whole(void **state)
{
	static const struct {
		const char *name;
		int16_t code;
		const char *text;
	} rows[] = {
#define KAFKA_ERROR(name, code, text) {#name, code, text},
#include "base/errcodes.def"
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(kafka_error_name(rows[i].code), rows[i].name);
		assert_string_equal(kafka_error_text(rows[i].code), rows[i].text);
		assert_true(strlen(rows[i].text) > 0);
	}
}

static void
test_known_rows(void **state)
{
	assert_int_equal(KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER, 45);
	assert_string_equal(kafka_error_name(45), "OUT_OF_ORDER_SEQUENCE_NUMBER");
	assert_string_equal(kafka_error_name(-1), "UNKNOWN_SERVER_ERROR");
	assert_string_equal(kafka_error_text(0), "no error");
}

static void
test_unknown_codes(void **state)
{
	assert_string_equal(kafka_error_name(12345), "UNKNOWN");
	assert_true(strlen(kafka_error_text(12345)) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_is_whole),
		cmocka_unit_test(test_known_rows),
		cmocka_unit_test(test_unknown_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
