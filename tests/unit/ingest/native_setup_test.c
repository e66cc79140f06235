/* SPDX-License-Identifier: Apache-2.0 */
/* Set-up: cookie before state, repeats, limits, and what HELLOs are refused for. */
#include "lane_rig.h"
#include "ingest/lane.h"

static void
say_hello(const struct session_msg_hello *hello)
{
	uint8_t room[1500];

	lane_harness_put(&harness, &client.peer, room,
		lane_client_hello(&client, hello, room, sizeof(room)));
	(void)lane_harness_turn(&harness);
}

/* A HELLO with a good cookie. */
static void
hello_with_cookie(struct session_msg_hello *hello)
{
	struct session_msg_retry retry;
	struct frame frame;

	say_hello(NULL);
	lane_harness_expect(&harness, FRAME_RETRY, &frame);
	assert_int_equal(session_msg_retry_decode(frame.body, frame.body_len, &retry), 0);
	lane_client_hello_init(&client, hello);
	hello->cookie_len = 16;
	memcpy(hello->cookie, retry.cookie, 16);
}

static uint16_t
closed_reason(void)
{
	struct session_msg_closed closed;
	struct frame frame;

	lane_harness_expect(&harness, FRAME_CLOSED, &frame);
	assert_int_equal(session_msg_closed_decode(frame.body, frame.body_len, &closed), 0);
	assert_int_equal(frame.session_id, 0);
	assert_true(closed.answers_hello);
	assert_memory_equal(closed.client_nonce, client.nonce, 16);
	return closed.reason;
}

static void
no_state_before_the_cookie_and_no_larger_answer(void **state)
{
	struct lane_harness *h = begin_empty();
	struct control_ask ask;

	for (uint32_t i = 0; i < 50; i++) {
		client.peer.port = (uint16_t)(2000 + i);
		say_hello(NULL);
		lane_harness_discard(h);
	}
	assert_false(lane_harness_ask(h, &ask));
	assert_true(h->bytes_out <= h->bytes_in);
	assert_int_equal(COUNT(hello), 50);
	assert_int_equal(COUNT(sessions), 0);
	lane_harness_fini(h);
}

static void
retries_are_limited_by_the_second(void **state)
{
	struct lane_harness *h = begin_empty();

	for (uint32_t i = 0; i < 10010; i++) {
		say_hello(NULL);
		lane_harness_discard(h);
	}
	assert_int_equal(COUNT(hello_rate), 10);
	lane_harness_fini(h);
}

static void
an_old_or_foreign_cookie_gets_a_new_retry(void **state)
{
	struct lane_harness *h = begin_empty();
	struct session_msg_hello hello;
	struct frame frame;

	hello_with_cookie(&hello);
	clock_fake_advance(&h->clock, 12 * NS_PER_S);
	say_hello(&hello);
	lane_harness_expect(h, FRAME_RETRY, &frame);
	assert_int_equal(COUNT(cookie_bad), 1);
	hello_with_cookie(&hello);
	client.peer.port++;
	say_hello(&hello);
	lane_harness_expect(h, FRAME_RETRY, &frame);
	assert_int_equal(COUNT(cookie_bad), 2);
	lane_harness_fini(h);
}

static void
a_cookie_outlives_one_rotation_of_the_secret(void **state)
{
	struct lane_harness *h = begin_empty();
	struct session_msg_hello hello;
	struct control_ask ask;

	hello_with_cookie(&hello);
	lane_secrets_rotate(&h->secrets, h->secrets.cookie_rotated_ns + LANE_SECRETS_ROTATE_NS);
	say_hello(&hello);
	assert_true(lane_harness_ask(h, &ask));
	lane_harness_fini(h);
}

static void
a_repeated_hello_gets_the_same_accept(void **state)
{
	struct lane_harness *h = begin_empty();
	struct session_msg_hello hello;
	struct control_ask ask;
	struct frame frame;
	uint8_t first[200];
	uint16_t len;

	hello_with_cookie(&hello);
	say_hello(&hello);
	assert_true(lane_harness_ask(h, &ask));
	say_hello(&hello);
	assert_int_equal(COUNT(hello_pending), 1);
	assert_false(lane_harness_ask(h, &ask));
	lane_harness_control(h, &(struct control_answer){.kind = CONTROL_PRODUCER,
					.token = ask.token,
					.producer_id = 5,
					.producer_epoch = 0});
	(void)lane_harness_turn(h);
	lane_harness_expect(h, FRAME_ACCEPT, &frame);
	len = frame.body_len;
	memcpy(first, frame.body, len);
	clock_fake_advance(&h->clock, NS_PER_S);
	say_hello(&hello);
	lane_harness_expect(h, FRAME_ACCEPT, &frame);
	assert_int_equal(frame.body_len, len);
	assert_memory_equal(frame.body, first, len);
	assert_int_equal(COUNT(sessions), 1);
	lane_harness_fini(h);
}

/* Bytes 40 of IPv6 and 8 of UDP: a datagram as long as IPv4's would need fragments. */
static void
an_ipv6_client_is_told_what_its_headers_leave(void **state)
{
	static const uint8_t ip6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 7};
	static const struct {
		uint32_t lane_max;
		uint16_t ip4, ip6;
	} rows[] = {{1472, 1472, 1452}, {1460, 1460, 1452}, {1300, 1300, 1300}};

	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		lane_harness_init(&harness);
		harness.options.max_datagram = rows[i].lane_max;
		lane_harness_create(&harness);
		lane_client_init(&client, 1);
		lane_client_connect(&client, &harness);
		assert_int_equal(client.accept.max_datagram, rows[i].ip4);
		lane_client_init(&client, 2);
		memcpy(client.peer.address, ip6, sizeof(ip6));
		lane_client_connect(&client, &harness);
		assert_int_equal(client.accept.max_datagram, rows[i].ip6);
		assert_int_equal(client.accept.max_batch_bytes, rows[i].ip6 - FRAME_HEADER_BYTES);
		lane_harness_fini(&harness);
	}
}

static void
the_question_to_control_carries_name_and_flags(void **state)
{
	struct lane_harness *h = begin_empty();
	struct session_msg_hello hello;
	struct control_ask ask;

	hello_with_cookie(&hello);
	hello.flags = SESSION_MSG_BUMP;
	hello.producer_id = 17;
	hello.producer_epoch = 3;
	hello.name_len = 6;
	memcpy(hello.name, "sensor", 6);
	say_hello(&hello);
	assert_true(lane_harness_ask(h, &ask));
	assert_int_equal(ask.kind, CONTROL_PRODUCER);
	assert_int_equal(ask.flags, CONTROL_BUMP);
	assert_int_equal(ask.producer_id, 17);
	assert_int_equal(ask.producer_epoch, 3);
	assert_int_equal(ask.name_len, 6);
	assert_memory_equal(ask.name, "sensor", 6);
	lane_harness_fini(h);
}

static void
bad_hellos_are_dropped(void **state)
{
	struct lane_harness *h = begin_empty();
	uint8_t room[1500];
	size_t len = lane_client_hello(&client, NULL, room, sizeof(room));
	struct frame frame;
	struct writer body = frame_body_writer(room, sizeof(room));

	frame = (struct frame){.type = FRAME_HELLO};
	writer_copy(&body, room + FRAME_HEADER_BYTES, len - FRAME_HEADER_BYTES - 1);
	lane_harness_put(h, &client.peer, room, frame_finish(&frame, room, &body));
	(void)lane_harness_turn(h);
	assert_int_equal(COUNT(hello_bad), 1);
	assert_false(lane_harness_take(h, &frame));
	lane_harness_fini(h);
}

static void
a_foreign_version_is_told_ours(void **state)
{
	struct lane_harness *h = begin_empty();
	struct session_msg_hello hello;
	struct session_msg_version version;
	struct frame frame;
	uint8_t room[1500];

	lane_client_hello_init(&client, &hello);
	hello.ver_min = 2;
	hello.ver_max = 3;
	say_hello(&hello);
	lane_harness_expect(h, FRAME_VERSION, &frame);
	assert_int_equal(session_msg_version_decode(frame.body, frame.body_len, &version), 0);
	assert_int_equal(version.ver_max, 1);
	assert_memory_equal(version.client_nonce, client.nonce, 16);
	lane_harness_put(h, &client.peer, room,
		(room[0] = 0, lane_client_hello(&client, NULL, room, sizeof(room)), room[2] = 7,
			1200));
	(void)lane_harness_turn(h);
	lane_harness_expect(h, FRAME_VERSION, &frame);
	assert_int_equal(COUNT(frame_version), 1);
	lane_harness_fini(h);
}

/* A HELLO of another version, by its range or by the frame's own byte; true if VERSION answers it.
 */
static bool
version_answers(bool by_frame)
{
	struct session_msg_hello hello;
	struct frame frame;
	uint8_t room[1500];

	lane_client_hello_init(&client, &hello);
	if (!by_frame) {
		hello.ver_min = 2;
		hello.ver_max = 3;
	}
	size_t len = lane_client_hello(&client, &hello, room, sizeof(room));

	if (by_frame) {
		room[2] = 7;
	}
	lane_harness_put(&harness, &client.peer, room, len);
	(void)lane_harness_turn(&harness);
	if (!lane_harness_take(&harness, &frame)) {
		return false;
	}
	assert_int_equal(frame.type, FRAME_VERSION);
	return true;
}

/* It needs no cookie, so a forged source must not be worth anything: at most 100 a second. */
static void
version_answers_are_rationed(void **state)
{
	for (int by_frame = 0; by_frame < 2; by_frame++) {
		struct lane_harness *h = begin_empty();
		uint32_t answers = 0;

		lane_harness_advance(h, 10 * NS_PER_S);
		for (uint32_t i = 0; i < 3 * LANE_RESETS_PER_SECOND; i++) {
			answers += version_answers(by_frame);
		}
		assert_in_range(answers, 1, LANE_RESETS_PER_SECOND);
		lane_harness_advance(h, NS_PER_S);
		assert_true(version_answers(by_frame));
		lane_harness_fini(h);
	}
	(void)state;
}

/* Neither to services that would answer themselves, nor to many at once. */
static void
version_answers_no_service_and_no_group(void **state)
{
	static const uint8_t group4[16] = {[10] = 0xff, [11] = 0xff, [12] = 224, [15] = 1};
	static const uint8_t broadcast4[16] = {
		[10] = 0xff, [11] = 0xff, [12] = 255, [13] = 255, [14] = 255, [15] = 255};
	static const uint8_t group6[16] = {0xff, 0x02, [15] = 1};
	const uint8_t *const groups[] = {group4, broadcast4, group6};
	static const uint16_t services[] = {0, 7, 19, 53, 1023};

	(void)state;
	for (int by_frame = 0; by_frame < 2; by_frame++) {
		struct lane_harness *h = begin_empty();
		struct packet_peer peer = client.peer;

		for (uint32_t i = 0; i < ARRAY_COUNT(services); i++) {
			client.peer.port = services[i];
			assert_false(version_answers(by_frame));
		}
		client.peer.port = 1024;
		assert_true(version_answers(by_frame));
		for (uint32_t i = 0; i < ARRAY_COUNT(groups); i++) {
			memcpy(client.peer.address, groups[i], 16);
			assert_false(version_answers(by_frame));
		}
		client.peer = peer;
		assert_true(version_answers(by_frame));
		lane_harness_fini(h);
	}
}

static void
authentication_is_refused_after_the_cookie(void **state)
{
	struct lane_harness *h = begin_empty();
	struct session_msg_hello hello;
	struct frame frame = {.type = FRAME_HELLO, .flags = FRAME_AUTH};
	uint8_t room[1500] = {0};
	struct writer body = frame_body_writer(room, sizeof(room));

	hello_with_cookie(&hello);
	hello.auth = SESSION_MSG_AUTH_INTEGRITY;
	hello.key_id = 7;
	say_hello(&hello);
	assert_int_equal(COUNT(auth_missing), 1);
	session_msg_hello_encode(&body, &hello);
	lane_harness_put(
		h, &client.peer, room, frame_finish(&frame, room, &body) + FRAME_TAG_BYTES);
	(void)lane_harness_turn(h);
	assert_int_equal(closed_reason(), FRAME_AUTH_FAILED);
	assert_int_equal(COUNT(hello_auth), 1);
	lane_harness_fini(h);
}

static void
too_many_sessions_are_told_so(void **state)
{
	struct lane_harness *h = &harness;
	struct session_msg_hello hello;

	lane_harness_init(h);
	h->options.sessions_max = 1;
	lane_harness_create(h);
	lane_client_init(&client, 1);
	lane_client_connect(&client, h);
	lane_client_init(&client, 2);
	hello_with_cookie(&hello);
	say_hello(&hello);
	assert_int_equal(closed_reason(), FRAME_TOO_MANY_SESSIONS);
	lane_harness_fini(h);
}

/* Silence: the client repeats. The place of one that is answered is free at once. */
static void
hellos_that_wait_for_control_are_at_most_256(void **state)
{
	struct lane_harness *h = &harness;
	struct session_msg_hello hello;
	struct control_ask asks[256], ask;
	struct frame frame;

	lane_harness_init(h);
	h->options.sessions_max = 300;
	lane_harness_create(h);
	for (uint32_t i = 0; i < 256; i++) {
		lane_client_init(&client, (uint8_t)(1 + i % 128));
		client.nonce[1] = (uint8_t)(1 + i / 128);
		lane_client_knock(&client, h, &asks[i]);
	}
	lane_client_init(&client, 200);
	hello_with_cookie(&hello);
	say_hello(&hello);
	assert_int_equal(COUNT(hello_pending), 1);
	assert_false(lane_harness_take(h, &frame));
	assert_false(lane_harness_ask(h, &ask));
	lane_harness_control(h, &(struct control_answer){.kind = CONTROL_PRODUCER,
					.session_index = asks[0].session_index,
					.token = asks[0].token,
					.error = KAFKA_UNKNOWN_SERVER_ERROR});
	(void)lane_harness_turn(h);
	lane_harness_expect(h, FRAME_CLOSED, &frame);
	say_hello(&hello);
	assert_int_equal(COUNT(hello_pending), 1);
	assert_true(lane_harness_ask(h, &ask));
	lane_harness_fini(h);
}

static void
a_draining_lane_takes_no_new_session(void **state)
{
	struct lane_harness *h = begin_empty();
	struct session_msg_hello hello;

	hello_with_cookie(&hello);
	lane_drain_begin(h->lane);
	(void)lane_harness_turn(h);
	say_hello(&hello);
	assert_int_equal(closed_reason(), FRAME_DRAINING);
	assert_true(lane_drained(h->lane));
	lane_harness_fini(h);
}

static void
errors_of_control_become_reasons(void **state)
{
	static const struct {
		int16_t error;
		uint16_t reason;
	} rows[] = {
		{KAFKA_INVALID_PRODUCER_EPOCH, FRAME_FENCED},
		{KAFKA_KAFKA_STORAGE_ERROR, FRAME_NOT_READY},
		{KAFKA_TOPIC_AUTHORIZATION_FAILED, FRAME_AUTH_FAILED},
		{KAFKA_THROTTLING_QUOTA_EXCEEDED, FRAME_TOO_MANY_SESSIONS},
		{KAFKA_UNKNOWN_SERVER_ERROR, FRAME_INTERNAL},
	};
	struct lane_harness *h = begin_empty();
	struct control_ask ask;

	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		lane_client_knock(&client, h, &ask);
		lane_harness_control(h, &(struct control_answer){.kind = CONTROL_PRODUCER,
						.token = ask.token,
						.error = rows[i].error});
		(void)lane_harness_turn(h);
		assert_int_equal(closed_reason(), rows[i].reason);
	}
	assert_int_equal(COUNT(sessions_opened), 0);
	lane_harness_fini(h);
}

static void
a_full_ring_to_control_leaves_nothing_behind(void **state)
{
	struct lane_harness *h = begin_empty();
	struct session_msg_hello hello;
	struct control_ask ask = {0};

	hello_with_cookie(&hello);
	while (ring_offer(&h->control_ask, &ask, 1) == 1) {
	}
	say_hello(&hello);
	assert_int_equal(COUNT(hello_pending), 1);
	while (lane_harness_ask(h, &ask)) {
	}
	say_hello(&hello);
	assert_true(lane_harness_ask(h, &ask));
	lane_harness_fini(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_state_before_the_cookie_and_no_larger_answer),
		cmocka_unit_test(retries_are_limited_by_the_second),
		cmocka_unit_test(an_old_or_foreign_cookie_gets_a_new_retry),
		cmocka_unit_test(a_cookie_outlives_one_rotation_of_the_secret),
		cmocka_unit_test(a_repeated_hello_gets_the_same_accept),
		cmocka_unit_test(an_ipv6_client_is_told_what_its_headers_leave),
		cmocka_unit_test(the_question_to_control_carries_name_and_flags),
		cmocka_unit_test(bad_hellos_are_dropped),
		cmocka_unit_test(a_foreign_version_is_told_ours),
		cmocka_unit_test(version_answers_are_rationed),
		cmocka_unit_test(version_answers_no_service_and_no_group),
		cmocka_unit_test(authentication_is_refused_after_the_cookie),
		cmocka_unit_test(too_many_sessions_are_told_so),
		cmocka_unit_test(hellos_that_wait_for_control_are_at_most_256),
		cmocka_unit_test(a_draining_lane_takes_no_new_session),
		cmocka_unit_test(errors_of_control_become_reasons),
		cmocka_unit_test(a_full_ring_to_control_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
