/* SPDX-License-Identifier: Apache-2.0 */
/* The native header: golden frames both ways, every fault by its vector, the order of the checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "support/vector.h"
#include "wire/native/frame.h"

/* Every golden frame that is whole: decodes, and its fields encode to the same bytes. */
static void
check_good(void *user_data, const char *name, const struct vector *vector)
{
	uint32_t *frames = user_data;
	uint8_t header[FRAME_HEADER_BYTES];
	struct frame frame;

	/* Bare cookies and tokens. */
	if (vector->len < FRAME_HEADER_BYTES) {
		return;
	}
	enum frame_side side =
		(vector->bytes[3] & FRAME_FROM_SERVER) ? FRAME_SIDE_CLIENT : FRAME_SIDE_SERVER;
	enum frame_side other = side == FRAME_SIDE_CLIENT ? FRAME_SIDE_SERVER : FRAME_SIDE_CLIENT;

	assert_int_equal(frame_decode(vector->bytes, vector->len, side, &frame), FRAME_OK);
	assert_ptr_equal(frame.body, vector->bytes + FRAME_HEADER_BYTES);
	frame_encode(&frame, header);
	assert_memory_equal(header, vector->bytes, sizeof(header));
	assert_int_equal(frame_decode(vector->bytes, vector->len, other, &frame), FRAME_FAULT_TYPE);
	(*frames)++;
}

static void
test_golden_frames(void **state)
{
	uint32_t frames = 0;

	vector_each("native", check_good, &frames);
	assert_int_equal(frames, 27);
}

/* Bad frames whose expectation begins with frame_ are this layer's to catch; no other is. */
static void
check_bad(void *user_data, const char *name, const struct vector *vector)
{
	uint32_t *seen = user_data;
	struct frame frame;
	enum frame_fault fault =
		frame_decode(vector->bytes, vector->len, FRAME_SIDE_SERVER, &frame);

	if (strncmp(vector->expect, "frame_", 6) != 0) {
		if (fault != FRAME_OK) {
			print_error("%s: %s\n", name, lane_counter_rows[frame_fault_counter(fault)].name);
		}
		assert_int_equal(fault, FRAME_OK);
		return;
	}
	assert_int_not_equal(fault, FRAME_OK);
	assert_string_equal(lane_counter_rows[frame_fault_counter(fault)].name, vector->expect);
	seen[fault]++;
}

static void
test_bad_frames(void **state)
{
	uint32_t seen[FRAME_FAULT_COUNT] = {0};

	vector_each("native/bad", check_bad, seen);
	for (int fault = FRAME_FAULT_SHORT; fault < FRAME_FAULT_COUNT; fault++) {
		assert_true(seen[fault] > 0);
	}
}

static void
test_every_cut_and_flip_is_caught(void **state)
{
	static struct vector vector;
	struct frame frame;

	vector_load(&vector, "native/resolve.hex");
	for (size_t len = 0; len < vector.len; len++) {
		assert_int_not_equal(frame_decode(vector.bytes, len, FRAME_SIDE_SERVER, &frame),
			FRAME_OK);
	}
	for (size_t bit = 0; bit < vector.len * 8; bit++) {
		vector.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(
			frame_decode(vector.bytes, vector.len, FRAME_SIDE_SERVER, &frame), FRAME_OK);
		vector.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

/* DATA: flips behind byte 21 of the body are the batch CRC's to catch, not head_crc's. */
static void
test_data_covers_what_the_batch_does_not(void **state)
{
	static struct vector vector;
	struct frame frame;

	vector_load(&vector, "native/data.hex");
	for (size_t at = FRAME_HEADER_BYTES; at < vector.len; at++) {
		bool covered = at < FRAME_HEADER_BYTES + FRAME_DATA_COVERED_MAX;

		vector.bytes[at] ^= 0x10;
		assert_int_equal(frame_decode(vector.bytes, vector.len, FRAME_SIDE_SERVER, &frame),
			covered ? FRAME_FAULT_CRC : FRAME_OK);
		vector.bytes[at] ^= 0x10;
	}
}

static void
test_order_of_checks(void **state)
{
	static struct vector vector;
	uint8_t *b = vector.bytes;
	struct frame f;

	/* All wrong at once; mending one after the other shows the next. */
	vector_load(&vector, "native/ping.hex");
	b[0] = 0;
	b[2] = 9;
	b[3] = FRAME_ACK;
	b[4] = 0x80;
	b[6] = 1;
	b[36] ^= 1;
	assert_int_equal(frame_decode(b, 39, FRAME_SIDE_SERVER, &f), FRAME_FAULT_SHORT);
	assert_int_equal(frame_decode(b, vector.len, FRAME_SIDE_SERVER, &f), FRAME_FAULT_MAGIC);
	b[0] = 0x50;
	assert_int_equal(frame_decode(b, vector.len, FRAME_SIDE_SERVER, &f), FRAME_FAULT_TYPE);
	b[3] = FRAME_PING;
	assert_int_equal(frame_decode(b, vector.len, FRAME_SIDE_SERVER, &f), FRAME_FAULT_VERSION);
	b[2] = 1;
	assert_int_equal(frame_decode(b, vector.len, FRAME_SIDE_SERVER, &f), FRAME_FAULT_FLAGS);
	b[4] = 0x04;
	assert_int_equal(frame_decode(b, vector.len, FRAME_SIDE_SERVER, &f), FRAME_FAULT_LENGTH);
	b[6] = 0;
	assert_int_equal(frame_decode(b, vector.len, FRAME_SIDE_SERVER, &f), FRAME_FAULT_CRC);
	b[36] ^= 1;
	assert_int_equal(frame_decode(b, vector.len, FRAME_SIDE_SERVER, &f), FRAME_OK);
	/* Flag bits 8-15 are for later versions. */
	b[5] = 0xff;
	store_le32(b + 36, frame_crc(b, b + 40, 0));
	assert_int_equal(frame_decode(b, vector.len, FRAME_SIDE_SERVER, &f), FRAME_OK);
}

static void
test_version_fault_leaves_what_the_answer_needs(void **state)
{
	static struct vector vector;
	struct frame frame;

	vector_load(&vector, "native/bad/version_2_hello.hex");
	assert_int_equal(frame_decode(vector.bytes, vector.len, FRAME_SIDE_SERVER, &frame),
		FRAME_FAULT_VERSION);
	assert_int_equal(frame.type, FRAME_HELLO);
	assert_int_equal(frame.version, 2);
	assert_int_equal(frame.body_len, vector.len - FRAME_HEADER_BYTES);
	assert_ptr_equal(frame.body, vector.bytes + FRAME_HEADER_BYTES);
}

static void
test_finish_in_place(void **state)
{
	static struct vector vector;
	uint8_t payload[128];
	struct frame frame = {
		.type = FRAME_PING,
		.flags = FRAME_ACK_NOW,
		.session_id = 0x1a2b3c4d00100005,
		.pn = 8,
		.pn_low_delta = 4,
		.stream = 5,
		.send_us = 1000250,
	};
	struct writer body = frame_body_writer(payload, sizeof(payload));

	vector_load(&vector, "native/ping.hex");
	assert_int_equal(frame_finish(&frame, payload, &body), vector.len);
	assert_memory_equal(payload, vector.bytes, vector.len);
	writer_zeros(&body, sizeof(payload));
	assert_int_equal(frame_finish(&frame, payload, &body), 0);
}

static void
test_session_id_parts(void **state)
{
	uint64_t id = frame_session_id(0x54321, 0xabc, 0xdeadbeef);

	assert_true(id == 0xdeadbeefabc54321);
	assert_int_equal(frame_session_slot(id), 0x54321);
	assert_int_equal(frame_session_slot(0x1a2b3c4d00100005), 5);
}

static void
test_names(void **state)
{
	assert_string_equal(frame_reason_text(FRAME_IDLE), "idle");
	assert_string_equal(frame_reason_text(0), "unknown reason");
	assert_string_equal(frame_reason_text(60000), "unknown reason");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_frames),
		cmocka_unit_test(test_bad_frames),
		cmocka_unit_test(test_every_cut_and_flip_is_caught),
		cmocka_unit_test(test_data_covers_what_the_batch_does_not),
		cmocka_unit_test(test_order_of_checks),
		cmocka_unit_test(test_version_fault_leaves_what_the_answer_needs),
		cmocka_unit_test(test_finish_in_place),
		cmocka_unit_test(test_session_id_parts),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
