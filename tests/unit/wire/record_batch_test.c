/* SPDX-License-Identifier: Apache-2.0 */
/* RecordBatch v2: golden batches, validation rows, the iterator on whole and damaged batches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "base/errcode.h"
#include "base/rand.h"
#include "support/records.h"
#include "support/vector.h"


static int
vector_setup(void **state)
{
	static struct vector vector;

	*state = &vector;
	return 0;
}

static void
test_golden_headers(void **state)
{
	static const char *const paths[] = {"record_batch/one.hex", "record_batch/two.hex",
		"record_batch/two_stored.hex", "record_batch/commit_marker.hex"};
	struct vector *v = *state;
	struct record_batch b;

	for (size_t i = 0; i < 4; i++) {
		uint8_t header[RECORD_BATCH_HEADER_BYTES];

		vector_load(v, paths[i]);
		assert_int_equal(record_batch_decode(v->bytes, v->len, &b), 0);
		assert_int_equal(record_batch_total_bytes(&b), v->len);
		assert_int_equal(record_batch_crc(v->bytes, v->len), b.crc);
		record_batch_encode(&b, header);
		assert_memory_equal(header, v->bytes, sizeof(header));
		assert_int_equal(record_batch_decode(v->bytes, 60, &b), -EBADMSG);
	}
	assert_int_equal(b.attributes, RECORD_BATCH_TRANSACTIONAL | RECORD_BATCH_CONTROL);
}

static void
test_stamp_keeps_the_crc(void **state)
{
	static struct vector stored;
	struct vector *v = *state;

	vector_load(v, "record_batch/two.hex");
	vector_load(&stored, "record_batch/two_stored.hex");
	record_batch_stamp(v->bytes, 100, 5);
	assert_memory_equal(v->bytes, stored.bytes, stored.len);
}

static void
test_set_producer(void **state)
{
	struct vector *v = *state;
	struct record_batch b;

	vector_load(v, "record_batch/two.hex");
	record_batch_set_producer(v->bytes, v->len, 9001, 4, 42);
	assert_int_equal(record_batch_validate(v->bytes, v->len, &b), 0);
	assert_int_equal(b.producer_id, 9001);
	assert_int_equal(b.producer_epoch, 4);
	assert_int_equal(b.base_sequence, 42);
	assert_int_equal(b.crc, record_batch_crc(v->bytes, v->len));
}

static void
test_iterator_golden(void **state)
{
	struct vector *v = *state;
	struct record_iterator it;
	struct record_view r;
	struct records_header header;

	vector_load(v, "record_batch/two_stored.hex");
	assert_int_equal(record_iterator_init(&it, v->bytes, v->len), 0);
	assert_int_equal(record_iterator_next(&it, &r), 1);
	assert_int_equal(r.offset, 100);
	assert_int_equal(r.timestamp_ms, 1700000000000);
	assert_int_equal(r.key_len, 1);
	assert_memory_equal(r.key, "k", 1);
	assert_memory_equal(r.value, "v0", 2);
	assert_int_equal(record_iterator_next(&it, &r), 1);
	assert_int_equal(r.offset, 101);
	assert_int_equal(r.timestamp_ms, 1700000000005);
	assert_null(r.key);
	assert_int_equal(r.key_len, -1);
	assert_int_equal(r.header_count, 2);
	struct reader headers = reader_init(r.headers, r.headers_len);

	assert_true(records_header_next(&headers, &header));
	assert_memory_equal(header.key, "h", 1);
	assert_memory_equal(header.value, "x", 1);
	assert_true(records_header_next(&headers, &header));
	assert_memory_equal(header.key, "n", 1);
	assert_null(header.value);
	assert_int_equal(header.value_len, -1);
	assert_false(records_header_next(&headers, &header));
	assert_int_equal(record_iterator_next(&it, &r), 0);
	assert_int_equal(record_iterator_next(&it, &r), 0);
}

static void
test_log_append_time_gives_the_batch_time(void **state)
{
	struct vector *v = *state;
	struct record_iterator it;
	struct record_view r;

	vector_load(v, "record_batch/two.hex");
	v->bytes[22] |= RECORD_BATCH_LOG_APPEND_TIME;
	assert_int_equal(record_iterator_init(&it, v->bytes, v->len), 0);
	assert_int_equal(record_iterator_next(&it, &r), 1);
	assert_int_equal(r.timestamp_ms, 1700000000005);
}

struct row {
	size_t position; /* of the byte that is changed */
	uint8_t value;
	int16_t error;
};

static void
test_validate_rows(void **state)
{
	static const struct row rows[] = {
		{16, 1, KAFKA_CORRUPT_MESSAGE},
		{11, 48, KAFKA_CORRUPT_MESSAGE},
		{11, 60, KAFKA_CORRUPT_MESSAGE},
		{8, 0x80, KAFKA_CORRUPT_MESSAGE},
		{11, 58, KAFKA_CORRUPT_MESSAGE},
		{7, 1, KAFKA_INVALID_RECORD},
		{60, 0, KAFKA_INVALID_RECORD},
		{57, 0x80, KAFKA_INVALID_RECORD},
		{26, 1, KAFKA_INVALID_RECORD},
		{22, RECORD_BATCH_CONTROL, KAFKA_INVALID_RECORD},
		{53, 0x80, KAFKA_INVALID_RECORD},
		{22, 5, KAFKA_UNSUPPORTED_COMPRESSION_TYPE},
		{22, 4, 0},
		{22, 0x80, 0},
		{22, RECORD_BATCH_TRANSACTIONAL, KAFKA_INVALID_TXN_STATE},
	};
	struct vector *v = *state;
	struct record_batch b;

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		vector_load(v, "record_batch/one.hex");
		assert_int_equal(record_batch_validate(v->bytes, v->len, &b), 0);
		v->bytes[rows[i].position] = rows[i].value;
		assert_int_equal(record_batch_validate(v->bytes, v->len, &b), rows[i].error);
	}
}

static void
test_validate_wants_the_whole_batch_and_no_more(void **state)
{
	struct vector *v = *state;
	struct record_batch b;

	vector_load(v, "record_batch/one.hex");
	for (size_t len = 0; len < v->len; len++) {
		assert_int_equal(record_batch_validate(v->bytes, len, &b), KAFKA_CORRUPT_MESSAGE);
	}
	assert_int_equal(record_batch_validate(v->bytes, v->len + 1, &b), KAFKA_CORRUPT_MESSAGE);
}

static void
test_validate_decodes_whenever_a_header_is_there(void **state)
{
	struct vector *v = *state;
	struct record_batch b;

	vector_load(v, "record_batch/one.hex");
	assert_int_equal(record_batch_validate(v->bytes, v->len, &b), 0);
	assert_int_equal(b.producer_id, 9001);
	assert_int_equal(b.base_sequence, 42);
	assert_int_equal(b.crc, record_batch_crc(v->bytes, v->len));
	assert_int_equal(record_batch_validate(v->bytes, 61, &b), KAFKA_CORRUPT_MESSAGE);
	assert_int_equal(b.base_sequence, 42);
	assert_int_equal(record_batch_validate(v->bytes, 60, &b), KAFKA_CORRUPT_MESSAGE);
	assert_int_equal(b.producer_id, -1);
	assert_int_equal(b.base_sequence, -1);
}

static void
test_validate_records(void **state)
{
	struct vector *v = *state;
	struct record_batch b;
	struct record_batch_times times;

	vector_load(v, "record_batch/two.hex");
	assert_int_equal(record_batch_decode(v->bytes, v->len, &b), 0);
	assert_int_equal(record_batch_validate_records(v->bytes, &b, &times), 0);
	assert_int_equal(times.min_ms, 1700000000000);
	assert_int_equal(times.max_ms, b.max_timestamp_ms);
	b.record_count = 1;
	assert_int_equal(record_batch_validate_records(v->bytes, &b, &times), KAFKA_INVALID_RECORD);
	b.record_count = 3;
	assert_int_equal(record_batch_validate_records(v->bytes, &b, &times), KAFKA_INVALID_RECORD);
	b.record_count = 2;
	/* offsetDelta of record 0: zigzag 2 is 1. */
	v->bytes[64] = 2;
	assert_int_equal(record_batch_validate_records(v->bytes, &b, &times), KAFKA_INVALID_RECORD);
	/* Compressed records are not looked at. */
	b.attributes = 1;
	assert_int_equal(record_batch_validate_records(v->bytes, &b, &times), 0);
	assert_int_equal(times.min_ms, b.max_timestamp_ms);
}

static void
test_iterator_refuses_what_it_cannot_read(void **state)
{
	struct vector *v = *state;
	struct record_iterator it;

	vector_load(v, "record_batch/two.hex");
	assert_int_equal(record_iterator_init(&it, v->bytes, v->len - 1), -EBADMSG);
	assert_int_equal(record_iterator_init(&it, v->bytes, 60), -EBADMSG);
	v->bytes[22] = 2;
	assert_int_equal(record_iterator_init(&it, v->bytes, v->len), -ENOTSUP);
	v->bytes[16] = 1;
	assert_int_equal(record_iterator_init(&it, v->bytes, v->len), -EBADMSG);
}

/* Damaged bytes end in an error or in records that lie within the batch; never beyond (ASan looks on). */
static void
test_iterator_survives_damage(void **state)
{
	uint8_t clean[2048], bytes[2048];
	const struct records_spec spec = {.producer_id = -1, .producer_epoch = -1,
		.base_sequence = 0, .count = 20, .value_bytes = 30, .timestamp_ms = 1, .step_ms = 3};
	size_t len = records_batch(&spec, clean, sizeof(clean));
	uint32_t errors = 0;
	struct rand rand;

	rand_init(&rand, 77);
	for (int i = 0; i < 20000; i++) {
		struct record_iterator it;
		struct record_view r;
		int rc;

		memcpy(bytes, clean, len);
		bytes[RECORD_BATCH_HEADER_BYTES + rand_below(&rand, len - RECORD_BATCH_HEADER_BYTES)] ^=
			(uint8_t)(1 + rand_below(&rand, 255));
		assert_int_equal(record_iterator_init(&it, bytes, len), 0);
		while ((rc = record_iterator_next(&it, &r)) == 1) {
			assert_true(r.key_len < 0 || r.key + r.key_len <= bytes + len);
			assert_true(r.value_len < 0 || r.value + r.value_len <= bytes + len);
		}
		errors += rc < 0;
	}
	assert_true(errors > 1000);
}

/* Three batches of several kinds behind one another. Returns their bytes; *ret_ends where each ends. */
static size_t
three_batches(struct vector *v, uint8_t *ret_bytes, size_t ret_ends[3])
{
	static const char *const paths[] = {
		"record_batch/one.hex", "record_batch/two_stored.hex", "record_batch/commit_marker.hex"};
	size_t len = 0;

	for (size_t i = 0; i < 3; i++) {
		vector_load(v, paths[i]);
		memcpy(ret_bytes + len, v->bytes, v->len);
		len += v->len;
		ret_ends[i] = len;
	}
	return len;
}

static void
test_batch_iterator_gives_each_batch_whole(void **state)
{
	uint8_t bytes[1024];
	size_t ends[3];
	size_t len = three_batches(*state, bytes, ends);
	struct record_batch_iterator it;

	record_batch_iterator_init(&it, bytes, len);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(record_batch_iterator_next(&it), 1);
		assert_ptr_equal(it.bytes, bytes + (i > 0 ? ends[i - 1] : 0));
		assert_ptr_equal(it.bytes + it.len, bytes + ends[i]);
		assert_int_equal(it.batch.crc, record_batch_crc(it.bytes, it.len));
	}
	assert_int_equal(record_batch_iterator_next(&it), 0);
	assert_int_equal(record_batch_iterator_next(&it), 0);
	assert_int_equal(it.len, 0);
}

static void
test_batch_iterator_tells_how_much_a_cut_batch_needs(void **state)
{
	uint8_t bytes[1024];
	size_t ends[3];
	size_t len = three_batches(*state, bytes, ends);

	for (size_t cut = 0; cut < len; cut++) {
		struct record_batch_iterator it;
		size_t begin = 0;
		size_t i = 0;

		record_batch_iterator_init(&it, bytes, cut);
		for (; ends[i] <= cut; begin = ends[i++]) {
			assert_int_equal(record_batch_iterator_next(&it), 1);
		}
		assert_int_equal(record_batch_iterator_next(&it), cut == begin ? 0 : -ENODATA);
		assert_int_equal(it.len, cut - begin < RECORD_BATCH_HEADER_BYTES ? 0 : ends[i] - begin);
		assert_ptr_equal(it.bytes, bytes + begin);
	}
}

static void
test_batch_iterator_stands_at_what_is_no_batch(void **state)
{
	static const struct row rows[] = {{16, 1, 0}, {16, 0, 0}, {11, 48, 0}, {11, 0, 0}, {8, 0x80, 0}};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		uint8_t bytes[1024];
		size_t ends[3];
		size_t len = three_batches(*state, bytes, ends);
		struct record_batch_iterator it;

		bytes[ends[0] + rows[i].position] = rows[i].value;
		record_batch_iterator_init(&it, bytes, len);
		assert_int_equal(record_batch_iterator_next(&it), 1);
		assert_int_equal(record_batch_iterator_next(&it), -EBADMSG);
		assert_int_equal(record_batch_iterator_next(&it), -EBADMSG);
		assert_ptr_equal(it.bytes, bytes + ends[0]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_headers),
		cmocka_unit_test(test_stamp_keeps_the_crc),
		cmocka_unit_test(test_set_producer),
		cmocka_unit_test(test_iterator_golden),
		cmocka_unit_test(test_log_append_time_gives_the_batch_time),
		cmocka_unit_test(test_validate_rows),
		cmocka_unit_test(test_validate_wants_the_whole_batch_and_no_more),
		cmocka_unit_test(test_validate_decodes_whenever_a_header_is_there),
		cmocka_unit_test(test_validate_records),
		cmocka_unit_test(test_iterator_refuses_what_it_cannot_read),
		cmocka_unit_test(test_iterator_survives_damage),
		cmocka_unit_test(test_batch_iterator_gives_each_batch_whole),
		cmocka_unit_test(test_batch_iterator_tells_how_much_a_cut_batch_needs),
		cmocka_unit_test(test_batch_iterator_stands_at_what_is_no_batch),
	};

	return cmocka_run_group_tests(tests, vector_setup, NULL);
}
