/* SPDX-License-Identifier: Apache-2.0 */
/* How sessions end: each reason of CLOSED, and that nothing of them stays. */
#include "lane_rig.h"
#include "ingest/lane.h"

static uint16_t
closed_reason(void)
{
	struct session_msg_closed closed;
	struct frame frame;

	do {
		assert_true(lane_harness_take(&harness, &frame));
	} while (frame.type != FRAME_CLOSED);
	assert_int_equal(session_msg_closed_decode(frame.body, frame.body_len, &closed), 0);
	assert_int_equal(frame.session_id, client.session_id);
	return closed.reason;
}

static void
close_with(uint16_t reason)
{
	struct frame frame = {.type = FRAME_CLOSE};
	uint8_t body[20] = {(uint8_t)reason};

	lane_client_send(&client, &harness, &frame, body, sizeof(body));
	turn();
}

static void
close_is_answered_and_repeats_get_our_reset(void **state)
{
	struct lane_harness *h = begin();
	struct session_msg_reset reset;
	struct control_ask ask;
	struct frame frame;

	close_with(FRAME_CLIENT_DONE);
	assert_int_equal(closed_reason(), FRAME_CLIENT_DONE);
	assert_int_equal(COUNT(sessions), 0);
	assert_true(lane_harness_ask(h, &ask));
	assert_int_equal(ask.kind, CONTROL_CLOSED);
	assert_int_equal(ask.producer_id, client.accept.producer_id);
	close_with(FRAME_CLIENT_DONE);
	lane_harness_expect(h, FRAME_RESET, &frame);
	assert_int_equal(session_msg_reset_decode(frame.body, frame.body_len, &reset), 0);
	assert_memory_equal(reset.reset_token, client.accept.reset_token, 16);
	lane_harness_fini(h);
}

/* Whatever the reason says, the session ends; the lane counts that a client was not just done. */
static void
the_reason_of_close_is_counted(void **state)
{
	static const uint16_t reasons[] = {
		FRAME_CLIENT_DONE, FRAME_INTERNAL, FRAME_PROTOCOL_VIOLATION, 0, 250};
	struct control_ask ask;

	lane_harness_init(&harness);
	lane_harness_create(&harness);
	for (uint8_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		lane_client_init(&client, (uint8_t)(i + 1));
		lane_client_connect(&client, &harness);
		close_with(reasons[i]);
		assert_int_equal(closed_reason(), FRAME_CLIENT_DONE);
		assert_int_equal(COUNT(close), i + 1);
		assert_int_equal(COUNT(close_troubled), i);
		assert_int_equal(COUNT(sessions), 0);
		assert_true(lane_harness_ask(&harness, &ask)); /* CLOSED */
	}
	lane_harness_fini(&harness);
}

static void
parked_batches_of_a_closed_session_are_discarded(void **state)
{
	struct lane_harness *h = begin();
	struct append_req req;

	lane_harness_open_stream(h, &client, 1, &req);
	data(5, 1);
	data(9, 3);
	close_with(FRAME_CLIENT_DONE);
	assert_int_equal(COUNT(discarded_close), 2);
	assert_int_equal(COUNT(discarded_close_records), 4);
	assert_int_equal(COUNT(hold), 1);
	lane_harness_done(h, &req, APPEND_COPIED, 1);
	turn();
	assert_int_equal(COUNT(hold), 0);
	assert_int_equal(COUNT(stored), 1);
	lane_harness_fini(h);
}

/* What fills the gap is not taken any more, so nothing would ever end the wait for it. */
static void
parked_batches_of_a_draining_session_are_discarded(void **state)
{
	struct lane_harness *h = begin();
	struct append_req req;

	lane_harness_open_stream(h, &client, 1, &req);
	data(5, 1);
	assert_int_equal(COUNT(hold), 2);
	lane_drain_begin(h->lane);
	turn();
	assert_int_equal(COUNT(discarded_close), 1);
	lane_harness_done(h, &req, APPEND_COPIED, 1);
	lane_harness_done(h, &req, APPEND_DURABLE, 1);
	turn();
	assert_int_equal(COUNT(hold), 0);
	assert_true(lane_drained(h->lane));
	lane_harness_fini(h);
}

/* Those of a stream that the log is still asked about go on in order; the rest is discarded. */
static void
parked_batches_of_a_draining_session_wait_for_the_log(void **state)
{
	struct lane_harness *h = begin();
	struct append_req req;

	data(0, 2);
	data(5, 1);
	lane_drain_begin(h->lane);
	turn();
	assert_int_equal(COUNT(hold), 2);
	assert_false(lane_drained(h->lane));
	lane_harness_state(h, -1);
	turn();
	lane_harness_expect_batch(h, 0, &req);
	assert_int_equal(COUNT(discarded_close), 1);
	lane_harness_done(h, &req, APPEND_COPIED, 1);
	lane_harness_done(h, &req, APPEND_DURABLE, 1);
	turn();
	assert_true(lane_drained(h->lane));
	lane_harness_fini(h);
}

/* CLOSED(DRAINING) was lost, or came before ACCEPT: whoever still sends is told again. */
static void
data_to_a_draining_session_is_answered_closed(void **state)
{
	struct lane_harness *h = begin();

	lane_drain_begin(h->lane);
	turn();
	lane_harness_discard(h);
	data(0, 1);
	assert_int_equal(COUNT(closed), 1);
	assert_int_equal(closed_reason(), FRAME_DRAINING);
	uint64_t sent = COUNT(tx_sent);

	for (uint32_t i = 1; i < 2 * LANE_CLOSED_PER_SECOND; i++) {
		data(0, 1);
		lane_harness_discard(h);
	}
	assert_int_equal(COUNT(tx_sent), sent + LANE_CLOSED_PER_SECOND - 1);
	lane_harness_fini(h);
}

static void
a_slot_is_not_reused_before_the_log_has_answered(void **state)
{
	struct lane_harness *h = &harness;
	struct lane_client other;
	struct append_req req;
	struct session_msg_ack ack;

	lane_harness_init(h);
	h->options.sessions_max = 2;
	lane_harness_create(h);
	lane_client_init(&client, 1);
	lane_client_connect(&client, h);
	lane_harness_open_stream(h, &client, 1, &req);
	lane_harness_done(h, &req, APPEND_COPIED, 1);
	turn();
	close_with(FRAME_CLIENT_DONE);
	while (lane_harness_ask(h, &(struct control_ask){0})) {
	}
	lane_harness_discard(h);
	lane_client_init(&other, 2);
	lane_client_connect(&other, h);
	assert_int_not_equal(
		frame_session_slot(other.session_id), frame_session_slot(client.session_id));
	lane_client_data(&other, h, 1, 0, 1);
	turn();
	lane_harness_state(h, -1);
	lane_harness_done(h, &req, APPEND_DURABLE, 1);
	turn();
	lane_harness_last_ack(h, &ack);
	assert_int_equal(ack.entry[0].durable_seq, -1);
	lane_client_init(&client, 3);
	lane_client_connect(&client, h);
	lane_harness_fini(h);
}

/* A flush that hangs for a minute: the slot is given up, and its answer comes when another has it.
 */
static void
an_answer_to_an_older_session_of_the_slot_acknowledges_nothing(void **state)
{
	struct lane_harness *h = &harness;
	struct append_req old, req;
	struct session_msg_ack ack;

	lane_harness_init(h);
	h->options.sessions_max = 1;
	lane_harness_create(h);
	lane_client_init(&client, 1);
	lane_client_connect(&client, h);
	lane_harness_open_stream(h, &client, 1, &old);
	lane_harness_done(h, &old, APPEND_COPIED, 1);
	turn();
	close_with(FRAME_CLIENT_DONE);
	while (lane_harness_ask(h, &(struct control_ask){0})) {
	}
	for (uint32_t i = 0; i < 62; i++) {
		lane_harness_advance(h, NS_PER_S);
	}
	lane_harness_discard(h);
	lane_client_init(&client, 2);
	lane_client_connect(&client, h);
	lane_harness_open_stream(h, &client, 1, &req);
	lane_harness_done(h, &req, APPEND_COPIED, 3);
	turn();
	lane_harness_done(h, &old, APPEND_DURABLE, 1);
	lane_client_ping(&client, h, 1);
	turn();
	lane_harness_last_ack(h, &ack);
	assert_int_equal(ack.entries, 1);
	assert_int_equal(ack.entry[0].durable_seq, -1);
	lane_harness_done(h, &req, APPEND_DURABLE, 3);
	turn();
	lane_harness_last_ack(h, &ack);
	assert_int_equal(ack.entry[0].durable_seq, 1);
	lane_harness_fini(h);
}

static void
pending_batches_of_a_closed_session_are_discarded(void **state)
{
	struct lane_harness *h = begin();
	struct append_req filler = {0}, req;
	uint32_t filled = 0;

	lane_harness_open_stream(h, &client, 1, &req);
	while (ring_offer(&h->append_req[0], &filler, 1) == 1) {
		filled++;
	}
	data(2, 1);
	data(3, 1);
	assert_int_equal(COUNT(hold), 3);
	close_with(FRAME_CLIENT_DONE);
	assert_int_equal(COUNT(discarded_close), 2);
	for (uint32_t i = 0; i < filled; i++) {
		assert_true(lane_harness_request(h, &filler));
	}
	turn();
	assert_false(lane_harness_request(h, &filler));
	lane_harness_done(h, &req, APPEND_COPIED, 1);
	turn();
	assert_int_equal(COUNT(hold), 0);
	lane_harness_fini(h);
}

static void
idle_sessions_end(void **state)
{
	struct lane_harness *h = begin();

	for (uint32_t i = 0; i < 100; i++) {
		lane_harness_advance(h, 140 * NS_PER_MS);
	}
	assert_int_equal(COUNT(sessions), 1);
	for (uint32_t i = 0; i < 400 && COUNT(sessions) == 1; i++) {
		lane_harness_advance(h, 30 * NS_PER_MS);
	}
	assert_int_equal(closed_reason(), FRAME_IDLE);
	lane_harness_fini(h);
}

static void
a_newer_epoch_fences_at_the_next_frame(void **state)
{
	struct lane_harness *h = begin();
	struct lane_client newer;
	struct control_ask ask;

	lane_client_init(&newer, 2);
	lane_client_knock(&newer, h, &ask);
	lane_harness_control(h, &(struct control_answer){.kind = CONTROL_PRODUCER,
					.token = ask.token,
					.producer_id = client.accept.producer_id,
					.producer_epoch = 5});
	turn();
	lane_harness_discard(h);
	lane_client_ping(&client, h, 0);
	turn();
	assert_int_equal(closed_reason(), FRAME_FENCED);
	assert_int_equal(COUNT(closed), 1);
	assert_int_equal(COUNT(sessions), 1);
	lane_harness_fini(h);
}

static struct control_answer
fence(int64_t producer_id, int16_t epoch)
{
	return (struct control_answer){
		.kind = CONTROL_FENCE, .producer_id = producer_id, .producer_epoch = epoch};
}

/*
 * Two lanes. The new session opens on lane 0; the old one goes on with lane 1, in a partition whose
 * log has not seen the newer epoch: only control's note can end it there.
 */
static void
a_newer_epoch_fences_on_every_lane(void **state)
{
	static struct lane_harness other;
	struct lane_harness *h = begin(), *lanes[2] = {h, &other};
	struct lane_client old[2] = {client}, bystander;
	struct control_answer note = fence(client.accept.producer_id, 5);
	struct control_ask ask;
	struct append_req req;

	lane_harness_init(&other);
	other.options.lane = 1;
	other.options.lane_count = h->options.lane_count = 2;
	lane_harness_create(&other);
	lane_client_init(&old[1], 1);
	lane_client_connect(&old[1], &other);
	lane_client_init(&bystander, 3);
	lane_client_connect(&bystander, &other);
	lane_harness_open_stream(&other, &old[1], 1, &req);
	lane_harness_done(&other, &req, APPEND_COPIED, 1);
	for (uint32_t i = 0; i < 2; i++) {
		lane_harness_control(lanes[i], &note);
		(void)lane_harness_turn(lanes[i]);
		assert_int_equal(lane_harness_counter(lanes[i], LANE_sessions), i + 1);
	}
	lane_client_init(&client, 2);
	lane_client_knock(&client, h, &ask);
	lane_harness_control(h, &(struct control_answer){.kind = CONTROL_PRODUCER,
					.token = ask.token,
					.producer_id = old[0].accept.producer_id,
					.producer_epoch = 5});
	turn();
	lane_harness_discard(&other);
	lane_client_data(&old[1], &other, 1, 2, 1);
	(void)lane_harness_turn(&other);
	assert_false(lane_harness_request(&other, &req));
	assert_int_equal(lane_harness_counter(&other, LANE_closed), 1);
	/* Another producer's session, and the new one's second, are let be. */
	lane_client_ping(&bystander, &other, 0);
	(void)lane_harness_turn(&other);
	assert_int_equal(lane_harness_counter(&other, LANE_closed), 1);
	assert_int_equal(lane_harness_counter(&other, LANE_sessions), 1);
	assert_int_equal(COUNT(sessions), 2);
	lane_harness_fini(&other);
	lane_harness_fini(h);
}

static void
a_fence_ends_no_session_of_its_own_epoch(void **state)
{
	struct lane_harness *h = begin();
	struct control_answer note = fence(client.accept.producer_id, client.accept.producer_epoch);
	struct frame frame;

	lane_harness_control(h, &note);
	lane_client_ping(&client, h, 0);
	turn();
	lane_harness_expect(h, FRAME_ACK, &frame);
	assert_int_equal(COUNT(sessions), 1);
	lane_harness_fini(h);
}

static void
the_log_fences_by_error_47(void **state)
{
	struct lane_harness *h = begin();
	struct append_req req;

	lane_harness_open_stream(h, &client, 1, &req);
	lane_harness_refuse(h, &req, KAFKA_INVALID_PRODUCER_EPOCH);
	turn();
	assert_int_equal(closed_reason(), FRAME_FENCED);
	assert_int_equal(COUNT(hold), 0);
	lane_harness_fini(h);
}

static void
state_with_error_47_fences(void **state)
{
	struct lane_harness *h = begin();
	struct append_req query;

	data(0, 1);
	assert_true(lane_harness_request(h, &query));
	lane_harness_answer(h, &(struct append_done){.kind = APPEND_STATE,
				       .error = KAFKA_INVALID_PRODUCER_EPOCH,
				       .sequence_last = -1,
				       .offset = -1,
				       .session_index = query.session_index});
	turn();
	assert_int_equal(closed_reason(), FRAME_FENCED);
	assert_int_equal(COUNT(discarded_close), 1);
	lane_harness_fini(h);
}

static void
a_hundred_batches_beyond_credit_are_a_violation(void **state)
{
	struct lane_harness *h = &harness;
	struct append_req req;

	lane_harness_init(h);
	lane_harness_create(h);
	lane_harness_log_room(h, 0);
	lane_harness_advance(h, NS_PER_MS);
	lane_client_init(&client, 1);
	lane_client_connect(&client, h);
	lane_harness_open_stream(h, &client, 1, &req);
	assert_true(client.accept.credit_bytes <= 2 * 1472);
	for (int32_t i = 0; i < 400 && COUNT(violations) == 0; i++) {
		lane_client_data(&client, h, 1, 2 + i, 1);
		turn();
	}
	assert_int_equal(COUNT(violations), 1);
	assert_int_equal(COUNT(credit_exceeded), 100);
	assert_int_equal(closed_reason(), FRAME_PROTOCOL_VIOLATION);
	while (lane_harness_request(h, &req)) {
		lane_harness_done(h, &req, APPEND_COPIED, 1);
	}
	lane_harness_fini(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_is_answered_and_repeats_get_our_reset),
		cmocka_unit_test(the_reason_of_close_is_counted),
		cmocka_unit_test(parked_batches_of_a_closed_session_are_discarded),
		cmocka_unit_test(parked_batches_of_a_draining_session_are_discarded),
		cmocka_unit_test(parked_batches_of_a_draining_session_wait_for_the_log),
		cmocka_unit_test(data_to_a_draining_session_is_answered_closed),
		cmocka_unit_test(a_slot_is_not_reused_before_the_log_has_answered),
		cmocka_unit_test(an_answer_to_an_older_session_of_the_slot_acknowledges_nothing),
		cmocka_unit_test(pending_batches_of_a_closed_session_are_discarded),
		cmocka_unit_test(idle_sessions_end),
		cmocka_unit_test(a_newer_epoch_fences_at_the_next_frame),
		cmocka_unit_test(a_newer_epoch_fences_on_every_lane),
		cmocka_unit_test(a_fence_ends_no_session_of_its_own_epoch),
		cmocka_unit_test(the_log_fences_by_error_47),
		cmocka_unit_test(state_with_error_47_fences),
		cmocka_unit_test(a_hundred_batches_beyond_credit_are_a_violation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
