/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The golden bad frames whose bytes alone do not decide (`# expect: session ...`), each at a lane in the
 * state that its note tells: the counter that it names moves, or the stream is refused with its code.
 * Only the session id, and a cookie that has to be good, are put in.
 */
#include <stdio.h>
#include <stdlib.h>
#include "lane_rig.h"
#include "base/counter.h"
#include "support/vector.h"

#define VECTOR_SESSION	0x1a2b3c4d00100005ull
#define VECTOR_SEQUENCE 42
#define HELLO_COOKIE_AT 40

/* Producer 9001 epoch 4, which the log knows up to the sequence before the vectors'. */
static void
open_session(void)
{
	struct lane_harness *h = &harness;
	struct control_ask ask;
	struct frame frame;

	lane_harness_init(h);
	h->topics[0].max_message_bytes = 1048588;
	h->topics[0].timestamp_before_max_ms = 86400000;
	h->topics[0].timestamp_after_max_ms = 3600000;
	lane_harness_create(h);
	lane_client_init(&client, 1);
	lane_client_knock(&client, h, &ask);
	lane_harness_control(h, &(struct control_answer){.kind = CONTROL_PRODUCER,
					.token = ask.token,
					.producer_id = 9001,
					.producer_epoch = 4});
	(void)lane_harness_turn(h);
	lane_harness_expect(h, FRAME_ACCEPT, &frame);
	client.session_id = frame.session_id;
}

static void
send_vector(const struct vector *vector, const uint8_t *cookie)
{
	static uint8_t bytes[VECTOR_BYTES_MAX];
	struct frame frame;

	memcpy(bytes, vector->bytes, vector->len);
	assert_int_equal(frame_decode(bytes, vector->len, FRAME_SIDE_SERVER, &frame), FRAME_OK);
	if (cookie) {
		memcpy(bytes + FRAME_HEADER_BYTES + HELLO_COOKIE_AT, cookie,
			SESSION_MSG_COOKIE_BYTES);
	}
	if (frame.session_id == VECTOR_SESSION) {
		frame.session_id = client.session_id;
	}
	frame_encode(&frame, bytes);
	lane_harness_put(&harness, &client.peer, bytes, vector->len);
	(void)lane_harness_turn(&harness);
}

/* What the note of a vector says beside its bytes. */
static void
send_in_its_state(const char *name, const struct vector *vector)
{
	struct session_msg_retry retry;
	struct frame frame;

	if (strstr(name, "session_address")) {
		client.peer.port++;
	}
	if (strstr(name, "pn_seen") || strstr(name, "close_again")) {
		send_vector(vector, NULL);
	}
	if (!strstr(name, "hello_auth")) {
		send_vector(vector, NULL);
		return;
	}
	send_vector(vector, NULL);
	lane_harness_expect(&harness, FRAME_RETRY, &frame);
	assert_int_equal(session_msg_retry_decode(frame.body, frame.body_len, &retry), 0);
	send_vector(vector, retry.cookie);
}

static void
check_counter(const char *name, const char *counter)
{
	for (uint32_t i = 0; i < LANE_COUNTER_COUNT; i++) {
		if (strcmp(lane_counter_rows[i].name, counter) == 0) {
			if (lane_harness_counter(&harness, i) != 1) {
				fail_msg("%s: %s did not move", name, counter);
			}
			return;
		}
	}
	fail_msg("%s: no counter %s", name, counter);
}

static void
check_refusal(const char *name, int code)
{
	struct session_msg_ack ack;
	struct append_req request;

	if (ring_used(&harness.append_req[0]) > 0) {
		lane_harness_state(&harness, VECTOR_SEQUENCE - 1);
		(void)lane_harness_turn(&harness);
	}
	/* The batch CRC is the log's to check, in its one pass over the bytes. */
	if (lane_harness_request(&harness, &request)) {
		assert_non_null(strstr(name, "data_crc"));
		lane_harness_refuse(&harness, &request, KAFKA_CORRUPT_MESSAGE);
		(void)lane_harness_turn(&harness);
	}
	lane_harness_last_ack(&harness, &ack);
	if (ack.entries != 1 || ack.entry[0].error != code) {
		fail_msg("%s: refused %d, not %d", name, ack.entry[0].error, code);
	}
}

static void
check_vector(void *user_data, const char *name, const struct vector *vector)
{
	uint32_t *judged = user_data;
	const char *want = vector->expect + strlen("session ");

	if (strncmp(vector->expect, "session ", strlen("session ")) != 0) {
		return;
	}
	open_session();
	send_in_its_state(name, vector);
	if (strncmp(want, "refused ", strlen("refused ")) == 0) {
		check_refusal(name, (int)strtol(want + strlen("refused "), NULL, 10));
	} else {
		check_counter(name, want);
	}
	lane_harness_fini(&harness);
	(*judged)++;
}

static void
each_bad_frame_of_a_session_gets_what_its_row_says(void **state)
{
	uint32_t judged = 0;

	(void)state;
	vector_each("native/bad", check_vector, &judged);
	assert_int_equal(judged, 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_bad_frame_of_a_session_gets_what_its_row_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
