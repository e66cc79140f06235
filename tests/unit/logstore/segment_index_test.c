/* SPDX-License-Identifier: Apache-2.0 */
/* The index rule against Kafka's bytes, and look-ups against a linear search. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/rand.h"
#include "logstore/segment_index.h"
#include "support/vector.h"

#define BASE 100

struct files {
	uint8_t index[4096 * SEGMENT_INDEX_ENTRY_BYTES];
	size_t index_len;
	uint8_t time[4096 * SEGMENT_INDEX_TIME_ENTRY_BYTES];
	size_t time_len;
};

static void
append(struct segment_index *index, struct files *files, const struct segment_index_batch *batch)
{
	struct segment_index_step step = segment_index_append(index, batch);

	if (step.has_entry) {
		segment_index_encode(&step.entry, files->index + files->index_len);
		files->index_len += SEGMENT_INDEX_ENTRY_BYTES;
	}
	if (step.has_time_entry) {
		segment_index_encode_time(&step.time_entry, files->time + files->time_len);
		files->time_len += SEGMENT_INDEX_TIME_ENTRY_BYTES;
	}
}

static void
three_batches_give_kafkas_bytes(void **state)
{
	struct vector *golden = calloc(1, sizeof(*golden));
	struct files *files = calloc(1, sizeof(*files));
	struct segment_index index;
	struct segment_index_time_entry last;
	uint32_t i;

	segment_index_init(&index, BASE, 4096, 10 * 1024 * 1024);
	for (i = 0; i < 3; i++) {
		append(&index, files, &(struct segment_index_batch){
			.last_offset = BASE + i * 10 + 9,
			.max_timestamp_ms = 1700000001000 + i * 1000,
			.position = i * 5000,
			.bytes = 5000,
		});
	}
	assert_false(segment_index_close(&index, &last));
	vector_load(golden, "log/offset_index.hex");
	assert_int_equal(files->index_len, golden->len);
	assert_memory_equal(files->index, golden->bytes, golden->len);
	vector_load(golden, "log/time_index.hex");
	assert_int_equal(files->time_len, golden->len);
	assert_memory_equal(files->time, golden->bytes, golden->len);
	free(files);
	free(golden);
}

static void
a_time_entry_names_the_first_batch_that_reached_the_greatest_timestamp(void **state)
{
	static const int64_t timestamps[] = {50, 90, 90, 60};
	struct files *files = calloc(1, sizeof(*files));
	struct segment_index index;
	struct segment_index_time_entry last;
	uint32_t i;

	segment_index_init(&index, BASE, 100000, 10 * 1024 * 1024);
	for (i = 0; i < 4; i++) {
		append(&index, files, &(struct segment_index_batch){
			.last_offset = BASE + i, .max_timestamp_ms = timestamps[i],
			.position = i * 100, .bytes = 100});
	}
	assert_int_equal(files->index_len, 0);
	assert_true(segment_index_close(&index, &last));
	assert_int_equal(last.timestamp_ms, 90);
	assert_int_equal(last.relative_offset, 1);
	assert_false(segment_index_close(&index, &last));
	free(files);
}

static void
a_segment_without_timestamps_has_no_time_entry(void **state)
{
	struct segment_index index;
	struct segment_index_time_entry last;
	struct segment_index_batch batch = {
		.last_offset = BASE, .max_timestamp_ms = -1, .bytes = 5000};
	uint32_t i;

	segment_index_init(&index, BASE, 4096, 10 * 1024 * 1024);
	for (i = 0; i < 3; i++) {
		assert_false(segment_index_append(&index, &batch).has_time_entry);
		batch.last_offset++;
		batch.position += 5000;
	}
	assert_int_equal(index.entry_count, 2);
	assert_false(segment_index_close(&index, &last));
}

static void
the_interval_is_exceeded_only_strictly(void **state)
{
	struct segment_index index;
	struct segment_index_batch batch = {.last_offset = BASE, .bytes = 4096};

	segment_index_init(&index, BASE, 4096, 10 * 1024 * 1024);
	assert_false(segment_index_append(&index, &batch).has_entry);
	batch.position = 4096;
	batch.last_offset++;
	batch.bytes = 1;
	assert_false(segment_index_append(&index, &batch).has_entry);
	batch.position = 4097;
	batch.last_offset++;
	assert_true(segment_index_append(&index, &batch).has_entry);
}

static void
a_full_index_or_a_far_offset_asks_for_a_roll(void **state)
{
	struct segment_index index;
	struct segment_index_batch batch = {.last_offset = BASE, .max_timestamp_ms = 1, .bytes = 5000};
	uint32_t appended = 0;

	segment_index_init(&index, BASE, 4096, 10 * SEGMENT_INDEX_TIME_ENTRY_BYTES);
	while (!segment_index_full(&index, &batch)) {
		segment_index_append(&index, &batch);
		batch.last_offset++;
		batch.position += 5000;
		batch.max_timestamp_ms++;
		appended++;
	}
	/* 15 offset entries, but only 9 time entries beside the one for the close. */
	assert_int_equal(appended, 10);
	assert_int_equal(index.time_entry_count, 9);
	segment_index_init(&index, BASE, 4096, 1 << 20);
	batch = (struct segment_index_batch){.last_offset = (int64_t)BASE + INT32_MAX, .bytes = 100};
	assert_false(segment_index_full(&index, &batch));
	batch.last_offset++;
	assert_true(segment_index_full(&index, &batch));
	batch = (struct segment_index_batch){.last_offset = BASE, .position = 1u << 31};
	assert_true(segment_index_full(&index, &batch));
	segment_index_init(&index, BASE, 4096, 0);
	batch.position = 0;
	assert_false(segment_index_full(&index, &batch));
}

static void
a_resumed_index_goes_on_as_the_unbroken_one(void **state)
{
	struct files *whole = calloc(1, sizeof(*whole));
	struct files *broken = calloc(1, sizeof(*broken));
	struct segment_index a;
	struct segment_index b;
	struct rand rand;
	uint32_t position = 0;
	uint32_t i;

	rand_init(&rand, 7);
	segment_index_init(&a, BASE, 4096, 1 << 20);
	segment_index_init(&b, BASE, 4096, 1 << 20);
	for (i = 0; i < 400; i++) {
		struct segment_index_batch batch = {
			.last_offset = BASE + i * 3 + 2,
			.max_timestamp_ms = 1000 + (int64_t)rand_below(&rand, 50) + i,
			.position = position,
			.bytes = 100 + (uint32_t)rand_below(&rand, 3000),
		};

		position += batch.bytes;
		append(&a, whole, &batch);
		append(&b, broken, &batch);
		if (i == 200) {
			struct segment_index_time_entry last = segment_index_decode_time(
				broken->time + broken->time_len - SEGMENT_INDEX_TIME_ENTRY_BYTES);
			struct segment_index fresh;

			segment_index_init(&fresh, BASE, 4096, 1 << 20);
			segment_index_resume(&fresh, b.entry_count, b.time_entry_count, &last);
			fresh.bytes_since_entry = b.bytes_since_entry;
			fresh.max_timestamp_ms = b.max_timestamp_ms;
			fresh.max_timestamp_offset = b.max_timestamp_offset;
			b = fresh;
		}
	}
	assert_memory_equal(&a, &b, sizeof(a));
	assert_memory_equal(whole, broken, sizeof(*whole));
	assert_int_equal(segment_index_check(whole->index, whole->index_len, position), 0);
	assert_int_equal(segment_index_check_time(whole->time, whole->time_len), 0);
	free(whole);
	free(broken);
}

static void
look_ups_agree_with_a_linear_search(void **state)
{
	uint8_t index[40 * SEGMENT_INDEX_ENTRY_BYTES];
	struct rand rand;
	uint32_t count;
	int32_t i;

	rand_init(&rand, 11);
	for (count = 0; count <= 40; count++) {
		int32_t offset = 0;
		int64_t target;

		for (i = 0; i < (int32_t)count; i++) {
			offset += 1 + (int32_t)rand_below(&rand, 5);
			segment_index_encode(&(struct segment_index_entry){offset, i * 10},
				index + i * SEGMENT_INDEX_ENTRY_BYTES);
		}
		for (target = -1; target <= offset + 1; target++) {
			int64_t expected = -1;

			for (i = 0; i < (int32_t)count; i++) {
				if (segment_index_decode(index + i * SEGMENT_INDEX_ENTRY_BYTES)
					.relative_offset <= target) {
					expected = i;
				}
			}
			assert_int_equal(segment_index_find(index, count * 8, target), expected);
		}
	}
}

static void
damaged_indexes_are_refused(void **state)
{
	uint8_t index[16];
	uint8_t times[24];

	segment_index_encode(&(struct segment_index_entry){5, 100}, index);
	segment_index_encode(&(struct segment_index_entry){9, 200}, index + 8);
	assert_int_equal(segment_index_check(index, 16, 201), 0);
	assert_int_equal(segment_index_check(index, 0, 0), 0);
	assert_int_equal(segment_index_check(index, 16, 200), -EBADMSG);
	assert_int_equal(segment_index_check(index, 15, 201), -EBADMSG);
	segment_index_encode(&(struct segment_index_entry){5, 200}, index + 8);
	assert_int_equal(segment_index_check(index, 16, 201), -EBADMSG);
	memset(index + 8, 0, 8);
	assert_int_equal(segment_index_check(index, 16, 201), -EBADMSG);
	/* A torn block is zeros; no batch at position 0 has an entry. */
	memset(index, 0, 8);
	assert_int_equal(segment_index_check(index, 8, 201), -EBADMSG);
	segment_index_encode_time(&(struct segment_index_time_entry){5, 100}, times);
	segment_index_encode_time(&(struct segment_index_time_entry){6, 100}, times + 12);
	assert_int_equal(segment_index_check_time(times, 24), 0);
	assert_int_equal(segment_index_check_time(times, 23), -EBADMSG);
	segment_index_encode_time(&(struct segment_index_time_entry){6, 99}, times + 12);
	assert_int_equal(segment_index_check_time(times, 24), -EBADMSG);
	segment_index_encode_time(&(struct segment_index_time_entry){5, 101}, times + 12);
	assert_int_equal(segment_index_check_time(times, 24), -EBADMSG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_batches_give_kafkas_bytes),
		cmocka_unit_test(a_time_entry_names_the_first_batch_that_reached_the_greatest_timestamp),
		cmocka_unit_test(a_segment_without_timestamps_has_no_time_entry),
		cmocka_unit_test(the_interval_is_exceeded_only_strictly),
		cmocka_unit_test(a_full_index_or_a_far_offset_asks_for_a_roll),
		cmocka_unit_test(a_resumed_index_goes_on_as_the_unbroken_one),
		cmocka_unit_test(look_ups_agree_with_a_linear_search),
		cmocka_unit_test(damaged_indexes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
