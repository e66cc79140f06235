/* SPDX-License-Identifier: Apache-2.0 */
/* Entries and circular lists of the batch table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "ingest/batch_table.h"

static void
lists_keep_both_ends(void **state)
{
	struct batch_table table;
	uint32_t last = BATCH_NONE, i[4];

	assert_int_equal(batch_table_init(&table, 4, 0), 0);
	for (uint32_t n = 0; n < 4; n++) {
		i[n] = batch_table_take(&table, BATCH_PARKED);
	}
	assert_int_equal(batch_table_take(&table, BATCH_PARKED), BATCH_NONE);
	batch_list_append(&table, &last, i[1]);
	batch_list_insert(&table, &last, BATCH_NONE, i[0]);
	batch_list_insert(&table, &last, i[1], i[3]);
	batch_list_insert(&table, &last, i[1], i[2]);
	assert_int_equal(last, i[3]);
	for (uint32_t n = 0; n < 4; n++) {
		assert_int_equal(batch_list_take_first(&table, &last), i[n]);
		batch_table_give(&table, i[n]);
	}
	assert_int_equal(last, BATCH_NONE);
	assert_int_equal(table.free_count, 4);
	batch_table_fini(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_keep_both_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
