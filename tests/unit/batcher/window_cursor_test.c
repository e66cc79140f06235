/* SPDX-License-Identifier: Apache-2.0 */
/* The cursor on hand-made extents: every form of record, damage at every byte, small steps. */
#include "rig.h"
#include "base/rand.h"
#include "batcher/record_digest.h"
#include "batcher/worker/plugin.h"
#include "batcher/worker/worker_task.h"

#define ROOM 65536

struct bench {
	struct penstock_task task;
	struct task_slice slices[2];
	uint8_t *bytes; /* exactly the extent: the sanitizer guards its end */
};

/* A task of one chapter: one extent of partition 3 holding `bytes`, offsets [from, until). */
static void
bench_init(struct bench *b, const uint8_t *bytes, size_t len, int64_t from, int64_t until)
{
	struct worker_task *t = &b->task.inner;

	memset(b, 0, sizeof(*b));
	b->bytes = malloc(len);
	memcpy(b->bytes, bytes, len);
	b->slices[0] = (struct task_slice){"t", 3, 0, from, until, 0, 0};
	t->slices = b->slices;
	t->slice_count = 1;
	t->low_ms = INT64_MIN;
	t->high_ms = INT64_MAX;
	t->chapter = 1;
	t->chapter_start = (struct task_place){0, from};
	t->chapter_end = (struct task_place){1, 0};
	t->extent_count = 1;
	t->extents[0] = (struct task_extent){b->bytes, (uint32_t)len, 0, until, 0, 0};
}

static size_t
batch_of(uint8_t *room, int64_t base_offset, const int64_t *times, uint32_t count)
{
	struct record_builder builder;

	record_builder_init(&builder, room, ROOM);
	for (uint32_t i = 0; i < count; i++) {
		ensure(!record_builder_add(&builder, times[i], "key", 3, "value", 5));
	}
	size_t len = record_builder_finish(&builder, -1, -1, -1);

	record_batch_stamp(room, base_offset, 0);
	return len;
}

static void
records_are_views_with_all_their_fields(void **state)
{
	static uint8_t room[ROOM];
	struct bench b;
	struct record_builder builder;
	struct penstock_cursor cursor;
	struct penstock_record r[4];

	record_builder_init(&builder, room, sizeof(room));
	ensure(!record_builder_add(&builder, 1000, "k", 1, NULL, -1));
	ensure(!record_builder_add(&builder, 900, NULL, -1, "", 0)); /* delta below 0 */
	ensure(!record_builder_add(&builder, -5, "", 0, "v2", 2));
	size_t len = record_builder_finish(&builder, -1, -1, -1);

	record_batch_stamp(room, 70, 0);
	bench_init(&b, room, len, 70, 73);
	b.task.inner.info.record_count = 3;
	penstock_cursor_open(&cursor, &b.task);
	assert_int_equal(penstock_cursor_next_many(&cursor, r, 4), 3);
	assert_int_equal(r[0].offset, 70);
	assert_int_equal(r[0].timestamp_ms, 1000);
	assert_int_equal(r[0].key_len, 1);
	assert_null(r[0].value);
	assert_int_equal(r[0].value_len, -1);
	assert_null(r[1].key);
	assert_int_equal(r[1].key_len, -1);
	assert_non_null(r[1].value);
	assert_int_equal(r[1].value_len, 0);
	assert_int_equal(r[1].timestamp_ms, 900);
	assert_int_equal(r[2].timestamp_ms, -5);
	assert_memory_equal(r[2].value, "v2", 2);
	assert_int_equal(r[2].header_count, 0);
	assert_int_equal(r[2].partition, 3);
	assert_string_equal(r[2].topic, "t");
	assert_int_equal(penstock_cursor_next_many(&cursor, r, 4), 0);
	assert_int_equal(penstock_cursor_next(&cursor, r), 0);

	struct penstock_slice slice;

	assert_int_equal(penstock_slice_count(&b.task), 1);
	assert_int_equal(penstock_slice_get(&b.task, 0, &slice), 0);
	assert_int_equal(slice.extent_count, 1);
	assert_int_equal(slice.until, 73);
	assert_int_equal(penstock_slice_get(&b.task, 1, &slice), -EINVAL);
	free(b.bytes);
}

static size_t
put_varint(uint8_t *at, int64_t value)
{
	uint64_t v = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
	size_t n = 0;

	for (; v >= 0x80; v >>= 7) {
		at[n++] = (uint8_t)(v | 0x80);
	}
	at[n++] = (uint8_t)v;
	return n;
}

/* A batch of one record: no key, value "v", `count` headers in `bytes`. Returns its length. */
static size_t
batch_with_headers(uint8_t *room, int64_t count, const char *bytes, size_t len)
{
	uint8_t body[256] = {0, 0, 0, 1 /* null key */, 2, 'v'};
	struct record_builder builder;
	size_t at = 6 + put_varint(body + 6, count);

	memcpy(body + at, bytes, len);
	at += len;
	record_builder_init(&builder, room, ROOM);
	ensure(!record_builder_add(&builder, 1000, NULL, -1, "v", 1));
	(void)record_builder_finish(&builder, -1, -1, -1);

	size_t end = RECORD_BATCH_HEADER_BYTES;

	end += put_varint(room + end, (int64_t)at);
	memcpy(room + end, body, at);
	end += at;
	store_be32(room + 8, (uint32_t)(end - 12)); /* batch length */
	return end;
}

static void
headers_are_read_by_index(void **state)
{
	/* "id"="7", ""=null, "id"="" */
	static const char good[] = "\4id\0027\0\1\4id";
	static uint8_t room[ROOM];
	struct penstock_cursor cursor;
	struct penstock_header header;
	struct penstock_record r;
	struct bench b;
	size_t len = batch_with_headers(room, 3, good, sizeof(good));

	bench_init(&b, room, len, 0, 1);
	b.task.inner.info.record_count = 1;
	penstock_cursor_open(&cursor, &b.task);
	assert_int_equal(penstock_cursor_next(&cursor, &r), 1);
	assert_int_equal(r.header_count, 3);
	assert_int_equal(penstock_header_get(&r, 0, &header), 0);
	assert_int_equal(header.struct_bytes, sizeof(header));
	assert_int_equal(header.name_len, 2);
	assert_memory_equal(header.name, "id", 2);
	assert_int_equal(header.value_len, 1);
	assert_memory_equal(header.value, "7", 1);
	assert_int_equal(penstock_header_get(&r, 1, &header), 0);
	assert_int_equal(header.name_len, 0);
	assert_null(header.value);
	assert_int_equal(header.value_len, -1);
	assert_int_equal(penstock_header_get(&r, 2, &header), 0);
	assert_int_equal(header.value_len, 0);
	assert_non_null(header.value);
	assert_int_equal(penstock_header_get(&r, 3, &header), -EINVAL);
	assert_int_equal(penstock_header_get(&r, -1, &header), -EINVAL);
	assert_int_equal(penstock_cursor_next(&cursor, &r), 0);
	free(b.bytes);
}

static void
headers_that_end_outside_their_record_are_damage(void **state)
{
	static const struct {
		int64_t count;
		const char *bytes;
		size_t len;
		int next; /* what the cursor says */
	} rows[] = {
		{-1, "", 0, -EBADMSG},
		{5, "\2a\0", 3, -EBADMSG}, /* cannot be that many */
		{INT64_C(1) << 33, "", 0, -EBADMSG},
		{1, "\6id\0", 4, 1}, /* the name takes the value's length, and nothing is left */
		{1, "\4id\4x", 5, 1},
		{1, "\1\0", 2, 1}, /* a null name */
		{2, "\2a\0", 3, 1},
	};
	static uint8_t room[ROOM];

	for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct penstock_cursor cursor;
		struct penstock_header header;
		struct penstock_record r;
		struct bench b;
		size_t len = batch_with_headers(room, rows[i].count, rows[i].bytes, rows[i].len);

		bench_init(&b, room, len, 0, 1);
		b.task.inner.info.record_count = 1;
		penstock_cursor_open(&cursor, &b.task);
		assert_int_equal(penstock_cursor_next(&cursor, &r), rows[i].next);
		if (rows[i].next == 1) {
			assert_int_equal(penstock_header_get(&r, r.header_count - 1, &header), -EBADMSG);
		}
		free(b.bytes);
	}
}

static void
only_the_slice_and_the_window_pass(void **state)
{
	static const int64_t times[] = {10, 20, 30, 40, 29, 19, 20, -1};
	static uint8_t room[ROOM];
	struct bench b;
	struct penstock_cursor cursor;
	struct penstock_record r[8];
	size_t len = batch_of(room, 100, times, 8);

	len += batch_of(room + len, 108, times, 8);
	for (uint32_t step = 1; step <= 8; step++) {
		/* Offsets 102..109; times 20..29 of them: 104, 106 and 109. */
		uint32_t n = 0;
		int got;

		bench_init(&b, room, len, 102, 110);
		b.task.inner.by_time = true;
		b.task.inner.low_ms = 20;
		b.task.inner.high_ms = 29;
		b.task.inner.info.record_count = 3;
		penstock_cursor_open(&cursor, &b.task);
		while ((got = penstock_cursor_next_many(
				&cursor, r + n, step < 8 - n ? step : 8 - n)) > 0) {
			n += (uint32_t)got;
		}
		assert_int_equal(got, 0);
		assert_int_equal(n, 3);
		assert_int_equal(r[0].offset, 104);
		assert_int_equal(r[1].offset, 106);
		assert_int_equal(r[2].offset, 109);
		free(b.bytes);
	}
}

static void
a_count_that_differs_from_the_cut_is_damage(void **state)
{
	static const int64_t times[] = {1, 2, 3};
	static uint8_t room[ROOM];
	struct bench b;
	struct penstock_cursor cursor;
	struct penstock_record r[8];
	size_t len = batch_of(room, 0, times, 3);

	bench_init(&b, room, len, 0, 3);
	b.task.inner.info.record_count = 4;
	penstock_cursor_open(&cursor, &b.task);
	assert_int_equal(penstock_cursor_next_many(&cursor, r, 3), 3);
	assert_int_equal(penstock_cursor_next_many(&cursor, r, 3), -EBADMSG);
	assert_int_equal(penstock_cursor_next_many(&cursor, r, 3), -EBADMSG);
	free(b.bytes);
}

static void
compressed_batches_are_refused_and_control_batches_skipped(void **state)
{
	static const int64_t times[] = {1, 2};
	static uint8_t room[ROOM];
	struct bench b;
	struct penstock_cursor cursor;
	struct penstock_record r[8];
	size_t first = batch_of(room, 0, times, 2);
	size_t len = first + batch_of(room + first, 2, times, 2);

	room[22] = RECORD_BATCH_CONTROL;
	bench_init(&b, room, len, 0, 4);
	b.task.inner.info.record_count = 2;
	penstock_cursor_open(&cursor, &b.task);
	assert_int_equal(penstock_cursor_next_many(&cursor, r, 8), 2);
	assert_int_equal(r[0].offset, 2);
	free(b.bytes);
	room[22] = 4;
	bench_init(&b, room, len, 0, 4);
	penstock_cursor_open(&cursor, &b.task);
	assert_int_equal(penstock_cursor_next_many(&cursor, r, 8), -ENOTSUP);
	free(b.bytes);
}

/* Every byte of a batch set to several values, and random mixtures: never a read outside. */
static void
damage_ends_in_an_error_or_other_records_never_outside(void **state)
{
	static const int64_t times[] = {5, 3, 1000000, 7};
	static uint8_t room[ROOM];
	struct rand rand;
	size_t len = batch_of(room, 0, times, 4);

	rand_init(&rand, 1);
	for (uint32_t i = 0; i < 20000; i++) {
		struct bench b;
		struct penstock_cursor cursor;
		struct penstock_record r[8];
		uint64_t sum = 0;
		int n;

		bench_init(&b, room, len, 0, 4);
		for (uint64_t k = 1 + rand_below(&rand, 3); k > 0; k--) {
			b.bytes[rand_below(&rand, len)] = (uint8_t)rand_u64(&rand);
		}
		b.task.inner.info.record_count = 4;
		penstock_cursor_open(&cursor, &b.task);
		for (uint32_t calls = 0; (n = penstock_cursor_next_many(&cursor, r, 8)) > 0;
			calls++) {
			assert_true(calls < 100);
			for (int k = 0; k < n; k++) {
				for (int32_t at = 0; at < r[k].key_len; at++) {
					sum += ((const uint8_t *)r[k].key)[at];
				}
				for (int32_t at = 0; at < r[k].value_len; at++) {
					sum += ((const uint8_t *)r[k].value)[at];
				}
			}
		}
		assert_true(n == 0 || n == -EBADMSG || n == -ENOTSUP);
		assert_true(sum < UINT64_MAX);
		free(b.bytes);
	}
}

static void
builtin_digest_emits_count_and_sum(void **state)
{
	static const int64_t first[] = {1, 2, 3}, second[] = {4};
	struct job_spec spec = rig_spec(plugin_builtin("digest"));
	uint64_t sum = 0;
	struct window_row row;
	char expected[64];
	struct rig rig;
	uint32_t job;

	for (int i = 1; i <= 4; i++) {
		char value[8];
		int len = snprintf(value, sizeof(value), "v%d", i);

		sum += record_digest("k", 1, value, len);
	}
	(void)snprintf(expected, sizeof(expected), "digest 4 %016llx", (unsigned long long)sum);
	rig_init(&rig, (struct rig_options){.partitions = 2});
	spec.sink_print = true;
	spec.output_bytes_max = 4096;
	assert_int_equal(rig_create(&rig, &spec, &job), 0);
	rig_append(&rig, 1, second, 1);
	rig_append(&rig, 0, first, 3);
	rig_advance_ms(&rig, 1000);
	assert_int_equal(batcher_windows(rig.batcher, job, 0, &row, 1), 1);
	assert_int_equal(row.print_count, 1);
	assert_string_equal(row.print_rows[0], expected);
	assert_true(row.digest == sum);
	rig_free(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_views_with_all_their_fields),
		cmocka_unit_test(headers_are_read_by_index),
		cmocka_unit_test(headers_that_end_outside_their_record_are_damage),
		cmocka_unit_test(only_the_slice_and_the_window_pass),
		cmocka_unit_test(a_count_that_differs_from_the_cut_is_damage),
		cmocka_unit_test(compressed_batches_are_refused_and_control_batches_skipped),
		cmocka_unit_test(damage_ends_in_an_error_or_other_records_never_outside),
		cmocka_unit_test(builtin_digest_emits_count_and_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
