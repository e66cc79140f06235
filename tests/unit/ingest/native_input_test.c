/* SPDX-License-Identifier: Apache-2.0 */
/* Malformed input: each row is dropped with its own counter, or ends the session. */
#include "lane_rig.h"

/* A valid PING with pn 1 as bytes, to be broken. */
static size_t
ping_bytes(uint8_t room[128])
{
	struct frame frame = {.type = FRAME_PING, .session_id = client.session_id, .pn = 1};
	struct writer body = frame_body_writer(room, 128);

	session_msg_ping_encode(&body, true);
	return frame_finish(&frame, room, &body);
}

static void
send_raw(struct frame frame, const void *body_bytes, size_t len)
{
	uint8_t room[2048];
	struct writer body = frame_body_writer(room, sizeof(room));

	frame.session_id = frame.session_id != 0 ? frame.session_id : client.session_id;
	writer_copy(&body, body_bytes, len);
	inject(room, frame_finish(&frame, room, &body));
}

static void
expect_silence(void)
{
	struct frame frame;

	assert_false(lane_harness_take(&harness, &frame));
}

static void
expect_violation(void)
{
	struct session_msg_closed closed;
	struct frame frame;

	lane_harness_expect(&harness, FRAME_CLOSED, &frame);
	assert_int_equal(session_msg_closed_decode(frame.body, frame.body_len, &closed), 0);
	assert_int_equal(closed.reason, FRAME_PROTOCOL_VIOLATION);
	assert_int_equal(COUNT(violations), 1);
	assert_int_equal(COUNT(sessions), 0);
}

static void
frame_faults_are_dropped_each_with_its_counter(void **state)
{
	static const struct {
		enum lane_counter counter;
		uint32_t at;
		uint8_t value;
	} rows[] = {
		{LANE_frame_magic, 0, 0x51},
		{LANE_frame_type, 3, 0x83},
		{LANE_frame_type, 3, 0x40},
		{LANE_frame_version, 2, 9},
		{LANE_frame_flags, 4, 0x08},
		{LANE_frame_flags, 4, FRAME_ENCRYPTED},
		{LANE_frame_length, 6, 19},
		{LANE_frame_crc, 36, 0xee},
	};
	struct lane_harness *h = begin();
	uint8_t room[128];

	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = ping_bytes(room);
		uint64_t before = lane_harness_counter(h, rows[i].counter);

		room[rows[i].at] = rows[i].value == room[rows[i].at] ? 0x77 : rows[i].value;
		inject(room, len);
		assert_int_equal(lane_harness_counter(h, rows[i].counter), before + 1);
		expect_silence();
	}
	inject(room, 39);
	assert_int_equal(COUNT(frame_short), 1);
	lane_harness_fini(h);
}

static void
unknown_session_gets_a_reset_with_our_token(void **state)
{
	struct lane_harness *h = begin();
	struct session_msg_reset reset;
	struct frame frame;
	uint8_t zeros[20] = {0};

	send_raw(
		(struct frame){
			.type = FRAME_PING, .pn = 5, .session_id = client.session_id ^ 1ull << 40},
		zeros, 20);
	lane_harness_expect(h, FRAME_RESET, &frame);
	assert_int_equal(frame.session_id, client.session_id ^ 1ull << 40);
	assert_int_equal(frame.pn, 5);
	assert_int_equal(session_msg_reset_decode(frame.body, frame.body_len, &reset), 0);
	assert_int_equal(reset.reason, FRAME_UNKNOWN_SESSION);
	assert_memory_not_equal(reset.reset_token, client.accept.reset_token, 16);
	assert_int_equal(COUNT(session_unknown), 1);
	/* Too short to be answered. */
	send_raw((struct frame){.type = FRAME_PING, .pn = 5, .session_id = 99}, "", 0);
	expect_silence();
	assert_int_equal(COUNT(resets_sent), 1);
	lane_harness_fini(h);
}

static void
resets_are_at_most_a_hundred_a_second(void **state)
{
	struct lane_harness *h = begin();
	uint8_t zeros[20] = {0};

	for (uint32_t i = 0; i < 130; i++) {
		send_raw((struct frame){.type = FRAME_PING, .pn = 5, .session_id = 99}, zeros, 20);
		lane_harness_discard(h);
	}
	assert_int_equal(COUNT(resets_sent), 100);
	assert_int_equal(COUNT(session_unknown), 130);
	lane_harness_fini(h);
}

static void
another_address_of_a_live_session_gets_nothing(void **state)
{
	struct lane_harness *h = begin();
	uint8_t room[128];
	size_t len = ping_bytes(room);

	client.peer.port++;
	inject(room, len);
	assert_int_equal(COUNT(session_address), 1);
	expect_silence();
	assert_int_equal(COUNT(sessions), 1);
	lane_harness_fini(h);
}

static void
an_auth_flag_on_a_plain_session_is_dropped(void **state)
{
	struct lane_harness *h = begin();
	struct frame frame = {
		.type = FRAME_PING, .flags = FRAME_AUTH, .pn = 1, .session_id = client.session_id};
	uint8_t room[128] = {0};
	struct writer body = frame_body_writer(room, sizeof(room));

	inject(room, frame_finish(&frame, room, &body) + FRAME_TAG_BYTES);
	assert_int_equal(COUNT(auth_missing), 1);
	expect_silence();
	lane_harness_fini(h);
}

static void
packet_number_rules_are_enforced(void **state)
{
	static const struct frame rows[] = {
		{.type = FRAME_PING, .pn = 0},
		{.type = FRAME_PING, .pn = 3000, .pn_low_delta = 1024},
		{.type = FRAME_PING, .pn = 7, .pn_low_delta = 7},
	};

	for (uint32_t i = 0; i < 3; i++) {
		struct lane_harness *h = begin();

		send_raw(rows[i], "", 0);
		assert_int_equal(COUNT(pn_bad), 1);
		expect_violation();
		lane_harness_fini(h);
	}
}

static void
a_repeated_pn_is_discarded_and_acknowledged_at_once(void **state)
{
	struct lane_harness *h = begin();
	struct session_msg_ack ack;
	uint8_t room[128];
	size_t len = ping_bytes(room);

	inject(room, len);
	lane_harness_discard(h);
	inject(room, len);
	assert_int_equal(COUNT(pn_duplicate), 1);
	lane_harness_last_ack(h, &ack);
	assert_int_equal(ack.recv_upto, 1);
	lane_harness_fini(h);
}

static void
frag_is_dropped_and_not_acknowledged(void **state)
{
	struct lane_harness *h = begin();
	struct session_msg_ack ack;
	uint8_t body[64] = {0};

	send_raw((struct frame){.type = FRAME_FRAG, .pn = 1, .stream = 1}, body, sizeof(body));
	assert_int_equal(COUNT(frag_unsupported), 1);
	send_raw((struct frame){.type = FRAME_PING, .pn = 2, .pn_low_delta = 1}, "", 0);
	lane_harness_last_ack(h, &ack);
	assert_int_equal(ack.recv_upto, 0);
	assert_int_equal(ack.bitmap[0], 2);
	lane_harness_fini(h);
}

static void
control_frames_with_wrong_bodies_end_the_session(void **state)
{
	static const struct {
		uint8_t type;
		uint8_t body[16];
		uint32_t len;
	} rows[] = {
		{FRAME_PING, {0}, 5},
		{FRAME_CLOSE, {12}, 4},
		{FRAME_PROBE, {1}, 1},
		{FRAME_RESOLVE, {0, 0, 0, 0, 0, 0, 0, 0, 9}, 14},
	};

	for (uint32_t i = 0; i < 4; i++) {
		struct lane_harness *h = begin();

		send_raw((struct frame){.type = rows[i].type, .pn = 1}, rows[i].body, rows[i].len);
		assert_int_equal(COUNT(control_bad), 1);
		expect_violation();
		lane_harness_fini(h);
	}
}

static void
probes_are_answered_by_their_size(void **state)
{
	struct lane_harness *h = begin();
	struct frame frame = {.type = FRAME_PROBE, .session_id = client.session_id, .pn = 1};
	uint8_t room[2048];
	struct writer body = frame_body_writer(room, sizeof(room));
	uint16_t size = 0;

	session_msg_probe_encode(&body, 1472);
	inject(room, frame_finish(&frame, room, &body));
	lane_harness_expect(h, FRAME_PROBED, &frame);
	assert_int_equal(session_msg_probed_decode(frame.body, frame.body_len, &size), 0);
	assert_int_equal(size, 1472);
	lane_harness_discard(h);
	send_raw((struct frame){.type = FRAME_PROBE, .pn = 2}, (uint8_t[4]){99, 0}, 4);
	assert_int_equal(COUNT(probe_bad), 1);
	assert_int_equal(COUNT(sessions), 1);
	lane_harness_fini(h);
}

static void
congestion_marks_are_counted_back(void **state)
{
	struct lane_harness *h = begin();
	struct session_msg_ack ack;
	uint8_t room[128];
	struct nic_fake_packet packet = {.data = room,
		.len = (uint32_t)ping_bytes(room),
		.flags = PACKET_ECN_CE,
		.peer = client.peer};

	assert_true(nic_fake_put(h->nic, &packet));
	(void)lane_harness_turn(h);
	lane_harness_last_ack(h, &ack);
	assert_int_equal(ack.ecn_ce, 1);
	assert_int_equal(COUNT(ecn_ce), 1);
	lane_harness_fini(h);
}

static void
multi_segment_packets_are_dropped(void **state)
{
	struct lane_harness *h = begin();
	uint8_t room[128];
	struct nic_fake_packet packet = {.data = room,
		.len = (uint32_t)ping_bytes(room),
		.flags = PACKET_MULTI_SEGMENT,
		.peer = client.peer};

	assert_true(nic_fake_put(h->nic, &packet));
	(void)lane_harness_turn(h);
	assert_int_equal(COUNT(multi_segment), 1);
	assert_int_equal(h->nic->ops->owners_out(h->nic), 0);
	lane_harness_fini(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_faults_are_dropped_each_with_its_counter),
		cmocka_unit_test(unknown_session_gets_a_reset_with_our_token),
		cmocka_unit_test(resets_are_at_most_a_hundred_a_second),
		cmocka_unit_test(another_address_of_a_live_session_gets_nothing),
		cmocka_unit_test(an_auth_flag_on_a_plain_session_is_dropped),
		cmocka_unit_test(packet_number_rules_are_enforced),
		cmocka_unit_test(a_repeated_pn_is_discarded_and_acknowledged_at_once),
		cmocka_unit_test(frag_is_dropped_and_not_acknowledged),
		cmocka_unit_test(control_frames_with_wrong_bodies_end_the_session),
		cmocka_unit_test(probes_are_answered_by_their_size),
		cmocka_unit_test(congestion_marks_are_counted_back),
		cmocka_unit_test(multi_segment_packets_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
