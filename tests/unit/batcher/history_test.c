/* SPDX-License-Identifier: Apache-2.0 */
/* A reader beside the writer never sees a torn row or status, nor rows out of order. */
#include "rig.h"
#include <pthread.h>
#include "batcher/history.h"

#define ROWS 20000

static void *
write_rows(void *arg)
{
	struct history *history = arg;

	for (uint64_t i = 1; i <= ROWS; i++) {
		struct window_row row = {.sequence = i, .start_ms = (int64_t)i, .digest = i};
		struct job_status status = {.batch_sequence = (int64_t)i, .lag_records = i};

		row.print_rows[9][0] = (char)i;
		status.counters[JOB_fired] = i;
		history_add(history, &row);
		history_set_status(history, &status);
	}
	return NULL;
}

static void
copies_are_whole_and_in_order(void **state)
{
	struct history *history = calloc(1, sizeof(*history));
	struct window_row rows[8];
	struct job_status status;
	uint64_t last = 0;
	pthread_t writer;

	ensure(history);
	assert_false(history_status(history, &status));
	assert_int_equal(pthread_create(&writer, NULL, write_rows, history), 0);
	while (last < ROWS) {
		uint32_t n = history_list(history, last, rows, 8);

		for (uint32_t i = 0; i < n; i++) {
			assert_true(rows[i].sequence > last);
			assert_int_equal(rows[i].start_ms, rows[i].sequence);
			assert_int_equal(rows[i].digest, rows[i].sequence);
			assert_int_equal(rows[i].print_rows[9][0], (char)rows[i].sequence);
			last = rows[i].sequence;
		}
		if (history_status(history, &status)) {
			assert_int_equal(status.lag_records, status.batch_sequence);
			assert_int_equal(status.counters[JOB_fired], status.batch_sequence);
		}
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
	free(history);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(copies_are_whole_and_in_order)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
