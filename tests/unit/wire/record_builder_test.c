/* SPDX-License-Identifier: Apache-2.0 */
/* Built batches: the golden one to the byte, costs exact, a full room leaves the batch unchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "support/records.h"
#include "support/vector.h"

static void
test_golden(void **state)
{
	static struct vector vector;
	uint8_t room[256];
	struct record_builder b;

	vector_load(&vector, "record_batch/one.hex");
	record_builder_init(&b, room, sizeof(room));
	assert_int_equal(record_builder_add(&b, 1700000000000, "k", 1, "v0", 2), 0);
	assert_int_equal(record_builder_finish(&b, 9001, 4, 42), vector.len);
	assert_memory_equal(room, vector.bytes, vector.len);
}

static void
test_cost_is_exact_and_full_is_refused(void **state)
{
	uint8_t room[1000];
	uint8_t value[100] = {0};
	struct record_builder b;
	size_t used = RECORD_BATCH_HEADER_BYTES;
	int rc;

	record_builder_init(&b, room, sizeof(room));
	for (int64_t i = 0;; i++) {
		size_t cost = record_builder_cost(&b, 1000 + i * 97, -1, (int32_t)(i % 100));

		rc = record_builder_add(&b, 1000 + i * 97, NULL, 0, value, (int32_t)(i % 100));
		if (rc < 0) {
			assert_true(used + cost > sizeof(room));
			break;
		}
		used += cost;
		assert_int_equal(writer_len(&b.writer), used);
	}
	assert_int_equal(rc, -ENOBUFS);
	assert_int_equal(writer_len(&b.writer), used);
	/* A smaller one may still fit. */
	size_t len = record_builder_finish(&b, -1, -1, -1);
	struct record_batch batch;

	assert_int_equal(record_batch_validate(room, len, &batch), 0);
	assert_int_equal(record_batch_validate_records(room, &batch, &(struct record_batch_times){0}), 0);
	assert_int_equal(batch.crc, record_batch_crc(room, len));
}

static void
test_nulls_empties_and_old_timestamps(void **state)
{
	static const int64_t times[] = {5000, INT64_MIN, INT64_MAX, -1, 4999};
	uint8_t room[512];
	struct record_builder b;
	struct record_iterator it;
	struct record_view r;

	record_builder_init(&b, room, sizeof(room));
	for (int i = 0; i < 5; i++) {
		assert_int_equal(record_builder_add(&b, times[i], (i & 1) ? "" : NULL, 0,
			(i & 2) ? "" : NULL, 0), 0);
	}
	size_t len = record_builder_finish(&b, 1, 0, 7);

	assert_int_equal(record_iterator_init(&it, room, len), 0);
	assert_true(it.batch.base_timestamp_ms == 5000);
	assert_true(it.batch.max_timestamp_ms == INT64_MAX);
	assert_int_equal(record_batch_last_sequence(&it.batch), 11);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(record_iterator_next(&it, &r), 1);
		assert_true(r.timestamp_ms == times[i]);
		assert_int_equal(r.key_len, (i & 1) ? 0 : -1);
		assert_int_equal(r.value == NULL, (i & 2) ? 0 : 1);
	}
	assert_int_equal(record_iterator_next(&it, &r), 0);
}

static void
test_records_of_the_support_library(void **state)
{
	static uint8_t room[70000];
	struct record_iterator it;
	struct record_view r;
	const struct records_spec spec = {
		.producer_id = 5,
		.base_sequence = INT32_MAX - 1,
		.count = 4,
		.value_bytes = 15000,
		.timestamp_ms = 1700000000000,
		.step_ms = 10,
	};
	size_t len = records_batch(&spec, room, sizeof(room));

	assert_int_equal(record_iterator_init(&it, room, len), 0);
	/* Sequences wrap from 2147483647 to 0. */
	assert_int_equal(record_batch_last_sequence(&it.batch), 1);
	for (int i = 0; i < 4; i++) {
		int32_t sequence = (int32_t)(((uint32_t)spec.base_sequence + (uint32_t)i) & INT32_MAX);

		assert_int_equal(record_iterator_next(&it, &r), 1);
		assert_true(records_match(&r, sequence));
		assert_false(records_match(&r, sequence ^ 1));
	}
	assert_int_equal(record_iterator_next(&it, &r), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_cost_is_exact_and_full_is_refused),
		cmocka_unit_test(test_nulls_empties_and_old_timestamps),
		cmocka_unit_test(test_records_of_the_support_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
