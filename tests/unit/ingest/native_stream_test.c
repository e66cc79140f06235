/* SPDX-License-Identifier: Apache-2.0 */
/* Stream slots, their hash table, and sequence arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "ingest/native_stream.h"

static void
slots_are_found_by_session_and_handle(void **state)
{
	struct native_stream_table table;
	uint32_t slots[64];

	assert_int_equal(native_stream_table_init(&table, 64), 0);
	for (uint32_t i = 0; i < 64; i++) {
		slots[i] = native_stream_open(&table, i / 8, i % 8 + 1);
		assert_int_not_equal(slots[i], STREAM_NONE);
	}
	assert_int_equal(native_stream_open(&table, 9, 1), STREAM_NONE);
	for (uint32_t i = 0; i < 64; i += 2) {
		native_stream_free(&table, slots[i]);
	}
	for (uint32_t i = 0; i < 64; i++) {
		assert_int_equal(native_stream_find(&table, i / 8, i % 8 + 1),
			i % 2 ? slots[i] : STREAM_NONE);
	}
	assert_int_equal(table.used_count, 32);
	native_stream_table_fini(&table);
}

static void
sequences_compare_across_the_wrap(void **state)
{
	assert_int_equal(sequence_next(INT32_MAX), 0);
	assert_int_equal(sequence_next(-1), 0);
	assert_int_equal(sequence_previous(0), INT32_MAX);
	assert_int_equal(sequence_ahead(2, INT32_MAX), 3);
	assert_true(sequence_covers(2, INT32_MAX));
	assert_false(sequence_covers(INT32_MAX, 2));
	assert_true(sequence_covers(5, 5));
	assert_true(sequence_covers(0, -1));
	assert_false(sequence_covers(-1, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_found_by_session_and_handle),
		cmocka_unit_test(sequences_compare_across_the_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
