/* SPDX-License-Identifier: Apache-2.0 */
/* Readers and writers: both byte orders, varints of both kinds, and the sticky error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <string.h>
#include "base/cursor.h"
#include "base/rand.h"

static void
test_fixed_fields_both_orders(void **state)
{
	uint8_t bytes[29];
	struct writer w = writer_init(bytes, sizeof(bytes));

	writer_u8(&w, 0xab);
	writer_le16(&w, 0x0102);
	writer_be16(&w, 0x0102);
	writer_le32(&w, 0x01020304);
	writer_be32(&w, 0x01020304);
	writer_le64(&w, 0x0102030405060708);
	writer_be64(&w, 0x0102030405060708);
	assert_false(w.failed);
	assert_int_equal(writer_left(&w), 0);
	const uint8_t want[] = {0xab, 2, 1, 1, 2, 4, 3, 2, 1, 1, 2, 3, 4, 8, 7, 6, 5, 4, 3, 2, 1, 1, 2,
		3, 4, 5, 6, 7, 8};

	assert_memory_equal(bytes, want, sizeof(want));

	struct reader r = reader_init(bytes, sizeof(bytes));

	assert_int_equal(reader_u8(&r), 0xab);
	assert_int_equal(reader_le16(&r), 0x0102);
	assert_int_equal(reader_be16(&r), 0x0102);
	assert_int_equal(reader_le32(&r), 0x01020304);
	assert_int_equal(reader_be32(&r), 0x01020304);
	assert_int_equal(reader_le64(&r), 0x0102030405060708);
	assert_int_equal(reader_be64(&r), 0x0102030405060708);
	assert_int_equal(reader_left(&r), 0);
	assert_false(r.failed);
}

static void
test_reader_error_sticks(void **state)
{
	const uint8_t bytes[] = {1, 2, 3, 4, 5};
	uint8_t copy[4] = {9, 9, 9, 9};
	struct reader r = reader_init(bytes, sizeof(bytes));

	assert_int_equal(reader_le32(&r), 0x04030201);
	assert_int_equal(reader_le16(&r), 0);
	assert_true(r.failed);
	/* One byte is left, but nothing is read any more. */
	assert_int_equal(reader_left(&r), 1);
	assert_int_equal(reader_u8(&r), 0);
	assert_null(reader_bytes(&r, 0));
	reader_copy(&r, copy, sizeof(copy));
	assert_int_equal(copy[0] | copy[3], 0);
	assert_int_equal(reader_varint(&r), 0);
	assert_false(reader_zeros(&r, 0));
}

static void
test_reader_zero_length_is_no_error(void **state)
{
	struct reader r = reader_init("", 0);

	assert_non_null(reader_bytes(&r, 0));
	assert_true(reader_zeros(&r, 0));
	reader_skip(&r, 0);
	assert_false(r.failed);
	/* A length near SIZE_MAX must not wrap. */
	assert_null(reader_bytes(&r, SIZE_MAX));
	assert_true(r.failed);
}

static void
test_reader_zeros(void **state)
{
	const uint8_t bytes[] = {0, 0, 0, 1};
	struct reader r = reader_init(bytes, sizeof(bytes));

	assert_true(reader_zeros(&r, 3));
	assert_false(reader_zeros(&r, 1));
	assert_int_equal(reader_left(&r), 0);
	assert_false(r.failed);
}

static void
test_writer_error_sticks(void **state)
{
	uint8_t bytes[4] = {0};
	struct writer w = writer_init(bytes, 3);

	writer_le16(&w, 0x1111);
	writer_le16(&w, 0x2222);
	assert_true(w.failed);
	writer_u8(&w, 0x33);
	writer_zeros(&w, 0);
	writer_copy(&w, "x", 1);
	writer_varlong(&w, 1);
	assert_int_equal(writer_len(&w), 2);
	assert_int_equal(bytes[2] | bytes[3], 0);
}

struct varint_case {
	int32_t value;
	const char *bytes;
	size_t len;
};

static void
test_varint_vectors(void **state)
{
	static const struct varint_case cases[] = {
		{0, "\x00", 1},
		{-1, "\x01", 1},
		{1, "\x02", 1},
		{63, "\x7e", 1},
		{-64, "\x7f", 1},
		{64, "\x80\x01", 2},
		{-65, "\x81\x01", 2},
		{150, "\xac\x02", 2},
		{300, "\xd8\x04", 2},
		{INT32_MAX, "\xfe\xff\xff\xff\x0f", 5},
		{INT32_MIN, "\xff\xff\xff\xff\x0f", 5},
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint8_t bytes[10];
		struct writer w = writer_init(bytes, sizeof(bytes));
		struct reader r = reader_init(cases[i].bytes, cases[i].len);

		writer_varint(&w, cases[i].value);
		assert_int_equal(writer_len(&w), cases[i].len);
		assert_memory_equal(bytes, cases[i].bytes, cases[i].len);
		assert_int_equal(varlong_len(cases[i].value), cases[i].len);
		assert_int_equal(reader_varint(&r), cases[i].value);
		assert_false(r.failed);
	}
}

static void
test_varint_malformed(void **state)
{
	static const struct varint_case cases[] = {
		{0, "", 0},
		{0, "\x80", 1},
		{0, "\xff\xff\xff\xff", 4},
		{0, "\xff\xff\xff\xff\x10", 5},
		{0, "\xff\xff\xff\xff\x8f\x00", 6},
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct reader r = reader_init(cases[i].bytes, cases[i].len);

		assert_int_equal(reader_varint(&r), 0);
		assert_true(r.failed);
	}
	struct reader eleven = reader_init("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);

	reader_varlong(&eleven);
	assert_true(eleven.failed);
}

static void
test_varlong_round_trip(void **state)
{
	struct rand rand;

	rand_init(&rand, 11);
	for (int i = 0; i < 20000; i++) {
		int64_t value = (int64_t)(rand_u64(&rand) >> rand_below(&rand, 64));
		uint8_t bytes[10];

		value = (i & 1) ? value : ~value;
		value = i == 0 ? INT64_MIN : i == 1 ? INT64_MAX : value;
		struct writer w = writer_init(bytes, sizeof(bytes));

		writer_varlong(&w, value);
		assert_int_equal(writer_len(&w), varlong_len(value));
		struct reader r = reader_init(bytes, writer_len(&w));

		assert_true(reader_varlong(&r) == value);
		assert_false(r.failed);
		assert_int_equal(reader_left(&r), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixed_fields_both_orders),
		cmocka_unit_test(test_reader_error_sticks),
		cmocka_unit_test(test_reader_zero_length_is_no_error),
		cmocka_unit_test(test_reader_zeros),
		cmocka_unit_test(test_writer_error_sticks),
		cmocka_unit_test(test_varint_vectors),
		cmocka_unit_test(test_varint_malformed),
		cmocka_unit_test(test_varlong_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
