/* SPDX-License-Identifier: Apache-2.0 */
/* RESET is believed with the right token only; with another one the server is asked first. */
#include "client_rig.h"

static struct native_server_counts
counts(const struct link *link)
{
	struct native_server_counts now;

	native_server_counts(link->server, &now);
	return now;
}

static void
steps(struct link *link, uint32_t count)
{
	while (count-- > 0) {
		link_step(link);
	}
}

/* A quiet session; returns its id, which somebody on the path has seen. */
static uint64_t
begin(struct link *link)
{
	struct frame frame;

	link_open(link, 32, 1 * MIB);
	send_one(link, 0, 1);
	run_until_delivered(link, 1);
	steps(link, 100);
	link->held = true;
	send_one(link, 0, 1);
	steps(link, 2);
	assert_true(link->waiting > 0);
	assert_int_equal(frame_decode(link->to_client[0].bytes, link->to_client[0].len,
				 FRAME_SIDE_CLIENT, &frame),
		FRAME_OK);
	for (uint32_t i = 0; i < link->waiting; i++) {
		link_deliver(link, i);
	}
	link->waiting = 0;
	link->held = false;
	run_until_delivered(link, 2);
	steps(link, 100);
	return frame.session_id;
}

static void
reset_with(struct link *link, uint64_t session_id, const uint8_t token[SESSION_MSG_TOKEN_BYTES])
{
	struct frame frame = {.type = FRAME_RESET, .session_id = session_id, .pn = 1};
	struct session_msg_reset reset = {.reason = FRAME_UNKNOWN_SESSION};
	uint8_t bytes[128];
	struct writer body = frame_body_writer(bytes, sizeof(bytes));

	memcpy(reset.reset_token, token, sizeof(reset.reset_token));
	session_msg_reset_encode(&body, &reset);
	client_core_input(link->core, 0, bytes, (uint32_t)frame_finish(&frame, bytes, &body),
		link->now_ns);
}

/* With a token that is not the session's. */
static void
forge(struct link *link, uint64_t session_id)
{
	static const uint8_t token[SESSION_MSG_TOKEN_BYTES] = {1, 2, 3};

	reset_with(link, session_id, token);
}

static void
every_byte_of_the_token_counts(void **state)
{
	static struct link link;
	uint64_t id = begin(&link);
	uint8_t token[SESSION_MSG_TOKEN_BYTES];

	(void)state;
	memcpy(token, link.core->sessions[0].reset_token, sizeof(token));
	for (uint32_t i = 0; i < sizeof(token); i++) {
		token[i] ^= 0x80;
		reset_with(&link, id, token);
		assert_non_null(client_peek_credit(link.core, 0));
		token[i] ^= 0x80;
	}
	reset_with(&link, id, token);
	assert_null(client_peek_credit(link.core, 0));
	link_close(&link);
}

static void
a_wrong_token_makes_the_client_ask_and_go_on(void **state)
{
	static struct link link;
	uint64_t id = begin(&link), pings = counts(&link).pings;

	(void)state;
	forge(&link, id);
	assert_int_equal(counts(&link).pings, pings + 1);
	steps(&link, 50);
	send_one(&link, 0, 1);
	run_until_delivered(&link, 3);
	assert_int_equal(counts(&link).accepts, 1);
	forge(&link, id + 1); /* of another session */
	assert_int_equal(counts(&link).pings, pings + 1);
	link_close(&link);
}

static void
a_flood_of_wrong_tokens_is_asked_about_once_a_timeout(void **state)
{
	static struct link link;
	uint64_t id = begin(&link), pings = counts(&link).pings;

	(void)state;
	for (uint32_t i = 0; i < 10000; i++) {
		forge(&link, id);
		if (i % 1000 == 999) {
			link_step(&link);
		}
	}
	/* 1 ms: no timeout is shorter. */
	assert_int_equal(counts(&link).pings, pings + 1);
	steps(&link, 100);
	forge(&link, id);
	assert_int_equal(counts(&link).pings, pings + 2);
	assert_int_equal(counts(&link).accepts, 1);
	link_close(&link);
}

/* A server that lost its sessions and its reset key: nothing of its own is believed. */
static void
silence_ends_a_session_whose_server_lost_the_key(void **state)
{
	static struct link link;
	uint64_t id = begin(&link);

	(void)state;
	link.mtu = 0; /* its true token never arrives; wrong ones do */
	for (uint32_t i = 0; i < 170; i++) {
		forge(&link, id);
		steps(&link, 1000);
	}
	link.mtu = UINT32_MAX;
	run_until_delivered(&link, 2);
	steps(&link, 20000);
	assert_int_equal(counts(&link).accepts, 2);
	link_close(&link);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_of_the_token_counts),
		cmocka_unit_test(a_wrong_token_makes_the_client_ask_and_go_on),
		cmocka_unit_test(a_flood_of_wrong_tokens_is_asked_about_once_a_timeout),
		cmocka_unit_test(silence_ends_a_session_whose_server_lost_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
