/* SPDX-License-Identifier: Apache-2.0 */
/* The error table: every row whole, every Kafka code known by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "base/errcode.h"

static void
test_every_row_is_whole(void **state)
{
	for (int code = 0; code < ERRCODE_COUNT; code++) {
		assert_true(strlen(errcode_name(code)) > 0);
		assert_true(strlen(errcode_text(code)) > 0);
		assert_true(errcode_errno(code) >= 0);
		/* Each row's Kafka code is one of the table's. */
		assert_string_not_equal(kafka_error_name(errcode_kafka(code)), "UNKNOWN");
	}
	assert_int_equal(errcode_errno(ERRCODE_NONE), 0);
}

static void
test_known_rows(void **state)
{
	assert_string_equal(errcode_name(ERRCODE_SEQUENCE_GAP), "SEQUENCE_GAP");
	assert_int_equal(errcode_kafka(ERRCODE_SEQUENCE_GAP), KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	assert_int_equal(errcode_errno(ERRCODE_STORAGE_FULL), ENOSPC);
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
