/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What malformed and hostile datagrams get, over all of set-up: every rule that a HELLO can break, and
 * the property that counts against reflection: before a valid cookie no answer is larger than its
 * question and nothing is remembered.
 * Which test shows which row of "malformed input" (docs/protocols/native.md): tests/README.md.
 */
#include <stdio.h>
#include "lane_rig.h"
#include "support/records.h"

#define ROUNDS 40000

/* A frame of these bytes, with a right length and head_crc. */
static size_t
frame_of(uint8_t *room, size_t room_bytes, struct frame frame, const uint8_t *bytes, size_t len)
{
	struct writer body = frame_body_writer(room, room_bytes);

	writer_copy(&body, bytes, len);
	return frame_finish(&frame, room, &body);
}

static void
each_rule_of_hello_is_kept_without_an_answer(void **state)
{
	static const struct {
		const char *what;
		uint16_t at; /* in the body */
		uint8_t len;
		uint8_t bytes[16];
	} rows[] = {
		{"auth 3", 2, 1, {3}},
		{"flag bit 2", 3, 1, {4}},
		{"flag bit 7", 3, 1, {0x80}},
		{"JOIN with BUMP", 3, 1, {3}},
		{"nonce zero", 8, 16, {0}},
		{"id without JOIN or BUMP", 24, 8, {5}},
		{"max_datagram 1199", 34, 2, {0xaf, 0x04}},
		{"cookie_len 5", 38, 1, {5}},
		{"cookie_len 17", 38, 1, {17}},
		{"name_len 65", 39, 1, {65}},
		{"NUL in the name", 39, 1, {1}},
		{"padding", 200, 1, {1}},
		{"last byte of padding", 1159, 1, {1}},
	};
	struct lane_harness *h = begin_empty();
	uint8_t plain[1500], room[1500], body[1500];
	size_t len = lane_client_hello(&client, NULL, plain, sizeof(plain));
	struct frame taken;

	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memcpy(body, plain + FRAME_HEADER_BYTES, len - FRAME_HEADER_BYTES);
		memcpy(body + rows[i].at, rows[i].bytes, rows[i].len);
		inject(room, frame_of(room, sizeof(room), (struct frame){.type = FRAME_HELLO}, body,
				     len - FRAME_HEADER_BYTES));
		if (COUNT(hello_bad) != i + 1 || lane_harness_take(h, &taken)) {
			fail_msg("%s: hello_bad %llu", rows[i].what, (unsigned long long)COUNT(hello_bad));
		}
	}
	memcpy(body, plain + FRAME_HEADER_BYTES, len - FRAME_HEADER_BYTES);
	body[39] = 2; /* a name that is no UTF-8 */
	memcpy(body + 56, "\xff\xfe", 2);
	inject(room, frame_of(room, sizeof(room), (struct frame){.type = FRAME_HELLO}, body,
			     len - FRAME_HEADER_BYTES));
	assert_int_equal(COUNT(hello_bad), sizeof(rows) / sizeof(rows[0]) + 1);
	assert_false(lane_harness_take(h, &taken));
	lane_harness_fini(h);
}

static void
resets_go_to_no_group_and_no_well_known_port(void **state)
{
	struct lane_harness *h = begin_empty();
	uint8_t zeros[20] = {0}, room[128];
	struct frame taken;
	size_t len = frame_of(room, sizeof(room),
		(struct frame){.type = FRAME_PING, .pn = 5, .session_id = 99}, zeros, sizeof(zeros));
	struct packet_peer peer = client.peer;

	client.peer.port = 1023;
	inject(room, len);
	assert_false(lane_harness_take(h, &taken));
	client.peer.port = 1024;
	inject(room, len);
	lane_harness_expect(h, FRAME_RESET, &taken);
	client.peer = peer;
	client.peer.address[12] = 224;
	inject(room, len);
	assert_false(lane_harness_take(h, &taken));
	assert_int_equal(COUNT(session_unknown), 3);
	assert_int_equal(COUNT(resets_sent), 1);
	lane_harness_fini(h);
}

static void
names_of_no_or_too_many_bytes_are_answered_17(void **state)
{
	struct lane_harness *h = begin_empty();
	struct control_ask ask;

	lane_client_connect(&client, h);
	for (uint32_t len = 0; len <= 250; len += 250) {
		uint8_t body[12 + 250] = {0};
		struct frame frame = {.type = FRAME_RESOLVE}, taken;
		struct session_msg_resolved resolved;

		body[8] = (uint8_t)len;
		memset(body + 12, 'a', len);
		lane_client_send(&client, h, &frame, body, 12 + len);
		(void)lane_harness_turn(h);
		lane_harness_expect(h, FRAME_RESOLVED, &taken);
		assert_int_equal(session_msg_resolved_decode(taken.body, taken.body_len, &resolved), 0);
		assert_int_equal(resolved.error, KAFKA_INVALID_TOPIC_EXCEPTION);
		lane_harness_discard(h);
	}
	assert_false(lane_harness_ask(h, &ask));
	lane_harness_fini(h);
}

static void
every_unknown_codec_is_refused_76(void **state)
{
	for (uint8_t codec = 5; codec <= 7; codec++) {
		struct lane_harness *h = begin_empty();
		struct session_msg_ack ack;
		struct append_req request;
		uint8_t bytes[512];

		lane_client_connect(&client, h);
		lane_harness_open_stream(h, &client, 1, &request);
		struct records_spec spec = {.producer_id = client.accept.producer_id,
			.producer_epoch = client.accept.producer_epoch,
			.base_sequence = (int32_t)request.record_count,
			.count = 1,
			.value_bytes = 8,
			.timestamp_ms = 1700000000000};
		size_t len = records_batch(&spec, bytes, sizeof(bytes));
		struct frame frame = {.type = FRAME_DATA, .stream = 1, .flags = FRAME_ACK_NOW};

		bytes[22] = codec;
		lane_client_send(&client, h, &frame, bytes, len);
		(void)lane_harness_turn(h);
		lane_harness_last_ack(h, &ack);
		assert_int_equal(ack.entries, 1);
		assert_int_equal(ack.entry[0].error, KAFKA_UNSUPPORTED_COMPRESSION_TYPE);
		lane_harness_done(h, &request, APPEND_COPIED, 0);
		(void)lane_harness_turn(h);
		lane_harness_fini(h);
	}
}

/* Acknowledged it would be settled; a client whose frame was dropped must not take it for arrived. */
static void
the_pn_of_a_dropped_frame_is_not_acknowledged(void **state)
{
	static const struct {
		uint8_t type;
		enum lane_counter counter;
		uint32_t body_len;
		uint8_t body[2];
	} rows[] = {
		{FRAME_PROBE, LANE_probe_bad, 1360, {0x77, 0x05}}, /* 1399 said, 1400 came */
		{FRAME_PROBE, LANE_probe_bad, 1361, {0x79, 0x05}}, /* as said, and above max_datagram */
		{FRAME_FRAG, LANE_frag_unsupported, 60, {0}},
	};

	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lane_harness *h = &harness;
		struct frame frame = {.type = rows[i].type};
		struct session_msg_ack ack;
		uint8_t body[1500] = {0};

		lane_harness_init(h);
		h->options.max_datagram = 1400;
		lane_harness_create(h);
		lane_client_init(&client, 1);
		lane_client_connect(&client, h);
		client.low = client.pn + 1;
		memcpy(body, rows[i].body, sizeof(rows[i].body));
		lane_client_send(&client, h, &frame, body, rows[i].body_len);
		(void)lane_harness_turn(h);
		assert_int_equal(lane_harness_counter(h, rows[i].counter), 1);
		uint64_t dropped = frame.pn;

		frame = (struct frame){.type = FRAME_PING, .flags = FRAME_ACK_NOW};
		lane_client_send(&client, h, &frame, body, 0);
		(void)lane_harness_turn(h);
		lane_harness_last_ack(h, &ack);
		assert_int_equal(frame.pn, dropped + 1);
		assert_int_equal(ack.recv_upto, dropped - 1);
		assert_int_equal(ack.words, 1);
		assert_int_equal(ack.bitmap[0], 2);
		assert_int_equal(COUNT(sessions), 1);
		lane_harness_fini(h);
	}
}

/* One record of so many bytes in all its batch, at this sequence. */
static void
send_batch_of(uint32_t batch_bytes, int32_t sequence)
{
	struct records_spec spec = {.producer_id = client.accept.producer_id,
		.producer_epoch = client.accept.producer_epoch,
		.base_sequence = sequence,
		.count = 1,
		.value_bytes = batch_bytes - 100,
		.timestamp_ms = 1700000000000};
	struct frame frame = {.type = FRAME_DATA, .stream = 1, .flags = FRAME_ACK_NOW};
	uint8_t bytes[1600];
	size_t len = records_batch(&spec, bytes, sizeof(bytes));

	spec.value_bytes += batch_bytes - (uint32_t)len;
	len = records_batch(&spec, bytes, sizeof(bytes));
	assert_int_equal(len, batch_bytes);
	lane_client_send(&client, &harness, &frame, bytes, len);
}

/* The client said that its path carries 1200 bytes; the topic and the port would take more. */
static void
a_batch_beyond_what_accept_named_is_refused_10(void **state)
{
	struct lane_harness *h = &harness;
	struct session_msg_ack ack;
	struct append_req request;

	lane_harness_init(h);
	h->options.max_datagram = 1200;
	lane_harness_create(h);
	lane_client_init(&client, 1);
	lane_client_connect(&client, h);
	assert_int_equal(client.accept.max_batch_bytes, 1200 - FRAME_HEADER_BYTES);
	/* Parked until the log has told of the producer, or in its turn at once: judged alike. */
	send_batch_of(client.accept.max_batch_bytes + 1, 0);
	(void)lane_harness_turn(h);
	lane_harness_state(h, -1);
	(void)lane_harness_turn(h);
	assert_false(lane_harness_request(h, &request));
	lane_harness_last_ack(h, &ack);
	assert_int_equal(ack.entry[0].error, KAFKA_MESSAGE_TOO_LARGE);
	assert_int_equal(ack.entry[0].error_seq, 0);
	send_batch_of(1400, 0);
	(void)lane_harness_turn(h);
	lane_harness_last_ack(h, &ack);
	assert_int_equal(ack.entry[0].error, KAFKA_MESSAGE_TOO_LARGE);
	assert_int_equal(COUNT(refused), 2);
	send_batch_of(client.accept.max_batch_bytes, 0);
	(void)lane_harness_turn(h);
	lane_harness_expect_batch(h, 0, &request);
	lane_harness_done(h, &request, APPEND_COPIED, 0);
	(void)lane_harness_turn(h);
	lane_harness_fini(h);
}

/* --- before the cookie --------------------------------------------------------------------------- */

/* One datagram of somebody without a session: noise, any frame type, or a HELLO with faults. */
static size_t
hostile_bytes(struct rand *rand, uint8_t *room, size_t room_bytes)
{
	uint8_t bytes[1500];
	size_t len = rand_below(rand, 1460);
	struct frame frame = {.type = (uint8_t)rand_u64(rand),
		.flags = rand_below(rand, 2) ? (uint16_t)(rand_u64(rand) & 0xff07) : 0,
		.session_id = rand_u64(rand),
		.pn = rand_below(rand, 3) ? rand_below(rand, 3000) : 0,
		.pn_low_delta = rand_below(rand, 2) ? (uint32_t)rand_below(rand, 2000) : 0,
		.stream = (uint32_t)rand_below(rand, 12)};

	switch (rand_below(rand, 4)) {
	case 0:
		rand_fill(rand, room, len);
		return len;
	case 1: /* one of the protocol's own types */
		frame.type = (uint8_t)((rand_below(rand, 2) << 7) + 1 + rand_below(rand, 9));
		break;
	case 2:
		break;
	default:
		len = lane_client_hello(&client, NULL, room, room_bytes) - FRAME_HEADER_BYTES;
		memcpy(bytes, room + FRAME_HEADER_BYTES, len);
		for (uint64_t edits = rand_below(rand, 4); edits > 0; edits--) {
			bytes[rand_below(rand, rand_below(rand, 2) ? 60 : len)] = (uint8_t)rand_u64(rand);
		}
		len = rand_below(rand, 4) ? len : rand_below(rand, len);
		return frame_of(room, room_bytes, (struct frame){.type = FRAME_HELLO}, bytes, len);
	}
	rand_fill(rand, bytes, len);
	return frame_of(room, room_bytes, frame, bytes, len);
}

static void
no_answer_is_larger_than_its_question_before_a_cookie(void **state)
{
	struct lane_harness *h = begin_empty();
	struct control_ask ask;
	uint8_t room[1600];
	uint64_t answered = 0;
	struct rand rand;

	rand_init(&rand, 20);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint64_t in = h->bytes_in, out = h->bytes_out;

		client.peer.port = (uint16_t)(1 + rand_below(&rand, 65535));
		client.peer.address[15] = (uint8_t)rand_u64(&rand);
		inject(room, hostile_bytes(&rand, room, sizeof(room)));
		lane_harness_discard(h);
		if (h->bytes_out - out > h->bytes_in - in) {
			fail_msg("round %u: %llu bytes answered %llu", i,
				(unsigned long long)(h->bytes_out - out),
				(unsigned long long)(h->bytes_in - in));
		}
		answered += h->bytes_out > out;
		if (i % 64 == 0) {
			clock_fake_advance(&h->clock, 50 * NS_PER_MS);
		}
	}
	/* Not by silence alone, and nothing was remembered. */
	assert_true(answered > ROUNDS / 20);
	assert_true(COUNT(hello) > 0 && COUNT(hello_bad) > 0 && COUNT(session_unknown) > 0);
	assert_int_equal(COUNT(sessions), 0);
	assert_false(lane_harness_ask(h, &ask));
	lane_harness_fini(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_of_hello_is_kept_without_an_answer),
		cmocka_unit_test(resets_go_to_no_group_and_no_well_known_port),
		cmocka_unit_test(names_of_no_or_too_many_bytes_are_answered_17),
		cmocka_unit_test(every_unknown_codec_is_refused_76),
		cmocka_unit_test(the_pn_of_a_dropped_frame_is_not_acknowledged),
		cmocka_unit_test(a_batch_beyond_what_accept_named_is_refused_10),
		cmocka_unit_test(no_answer_is_larger_than_its_question_before_a_cookie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
