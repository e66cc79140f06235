/* SPDX-License-Identifier: Apache-2.0 */
/* RESOLVE: names, pages, limits. */
#include "lane_rig.h"

static void
ask_for(const char *name, uint32_t first_partition)
{
	struct session_msg_resolve resolve = {.request_id = 7,
		.first_partition = first_partition,
		.flags = SESSION_MSG_AUTO_CREATE,
		.name_len = (uint8_t)strlen(name),
		.name = (const uint8_t *)name};
	struct frame frame = {.type = FRAME_RESOLVE};
	uint8_t room[300];
	struct writer body = writer_init(room, sizeof(room));

	session_msg_resolve_encode(&body, &resolve);
	lane_client_send(&client, &harness, &frame, room, writer_len(&body));
	turn();
}

static struct session_msg_resolved
resolved(void)
{
	struct session_msg_resolved answer;
	struct frame frame;

	do {
		assert_true(lane_harness_take(&harness, &frame));
	} while (frame.type != FRAME_RESOLVED);
	assert_int_equal(session_msg_resolved_decode(frame.body, frame.body_len, &answer), 0);
	assert_int_equal(answer.request_id, 7);
	return answer;
}

static void
a_name_becomes_handles(void **state)
{
	struct lane_harness *h = begin();
	struct session_msg_resolved answer;
	struct control_ask ask;

	ask_for("clicks", 0);
	assert_true(lane_harness_ask(h, &ask));
	assert_int_equal(ask.kind, CONTROL_RESOLVE);
	assert_int_equal(ask.flags, CONTROL_AUTO_CREATE);
	assert_int_equal(ask.name_len, 6);
	assert_memory_equal(ask.name, "clicks", 6);
	lane_harness_control(
		h, &(struct control_answer){.kind = CONTROL_RESOLVE, .token = ask.token});
	turn();
	answer = resolved();
	assert_int_equal(answer.error, 0);
	assert_int_equal(answer.partition_count, LANE_HARNESS_PARTITIONS);
	assert_int_equal(answer.count, LANE_HARNESS_PARTITIONS);
	assert_int_equal(answer.entries[3].stream, 4);
	assert_int_equal(answer.entries[3].leader_epoch, 3);
	assert_int_equal(answer.entries[3].flags, SESSION_MSG_WRITABLE);
	assert_int_equal(answer.max_message_bytes, 1400);
	ask_for("clicks", 6);
	assert_true(lane_harness_ask(h, &ask));
	lane_harness_control(
		h, &(struct control_answer){.kind = CONTROL_RESOLVE, .token = ask.token});
	turn();
	answer = resolved();
	assert_int_equal(answer.count, 2);
	assert_int_equal(answer.entries[0].stream, 7);
	lane_harness_fini(h);
}

static void
bad_names_are_answered_17(void **state)
{
	static const char *const names[] = {".", "..", "a b", "x/y"};
	struct lane_harness *h = begin();
	struct control_ask ask;

	for (uint32_t i = 0; i < 4; i++) {
		ask_for(names[i], 0);
		assert_int_equal(resolved().error, KAFKA_INVALID_TOPIC_EXCEPTION);
	}
	assert_false(lane_harness_ask(h, &ask));
	lane_harness_fini(h);
}

static void
errors_of_control_are_passed_on(void **state)
{
	struct lane_harness *h = begin();
	struct control_ask ask;

	ask_for("nothere", 0);
	assert_true(lane_harness_ask(h, &ask));
	lane_harness_control(h, &(struct control_answer){.kind = CONTROL_RESOLVE,
					.token = ask.token,
					.error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION});
	turn();
	assert_int_equal(resolved().error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	lane_harness_fini(h);
}

static void
a_hundred_questions_a_second(void **state)
{
	struct lane_harness *h = begin();
	struct control_ask ask;
	struct session_msg_ack ack;

	for (uint32_t i = 0; i < 101; i++) {
		ask_for("clicks", 0);
		(void)lane_harness_ask(h, &ask);
	}
	assert_int_equal(COUNT(resolve), 100);
	assert_int_equal(COUNT(resolve_rate), 1);
	client.low = 1;
	lane_client_ping(&client, h, 0);
	turn();
	lane_harness_last_ack(h, &ack);
	assert_int_equal(ack.recv_upto, 100);
	lane_harness_fini(h);
}

static void
an_answer_for_an_ended_session_goes_nowhere(void **state)
{
	struct lane_harness *h = begin();
	struct control_ask ask;
	struct frame frame = {.type = FRAME_CLOSE};
	uint8_t body[20] = {12};

	ask_for("clicks", 0);
	assert_true(lane_harness_ask(h, &ask));
	lane_client_send(&client, h, &frame, body, sizeof(body));
	turn();
	lane_harness_discard(h);
	lane_harness_control(
		h, &(struct control_answer){.kind = CONTROL_RESOLVE, .token = ask.token});
	turn();
	assert_false(lane_harness_take(h, &frame));
	lane_harness_fini(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_becomes_handles),
		cmocka_unit_test(bad_names_are_answered_17),
		cmocka_unit_test(errors_of_control_are_passed_on),
		cmocka_unit_test(a_hundred_questions_a_second),
		cmocka_unit_test(an_answer_for_an_ended_session_goes_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
