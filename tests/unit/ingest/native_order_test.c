/* SPDX-License-Identifier: Apache-2.0 */
/* Order, duplicates, refusal of one stream (docs/protocols/native.md), row by row. */
#include "lane_rig.h"
#include "support/records.h"

/* Stream 1 open with 0..1 copied. */
static struct append_req
begin_open(void)
{
	struct lane_harness *h = begin();
	struct append_req req;

	lane_harness_open_stream(h, &client, 1, &req);
	lane_harness_done(h, &req, APPEND_COPIED, 1);
	turn();
	lane_harness_discard(h);
	return req;
}

static void
finish(void)
{
	struct append_req req;

	/* Whatever the log still has is answered, then nothing may be held. */
	while (lane_harness_request(&harness, &req)) {
		if (!(req.flags & APPEND_QUERY)) {
			lane_harness_done(&harness, &req, APPEND_COPIED, 0);
		}
		turn();
	}
	turn();
	assert_int_equal(COUNT(hold), COUNT(owners_held));
	lane_harness_fini(&harness);
}

/* A DATA frame of stream 1 around these bytes, with the header changed by the caller. */
static void
send_batch(const uint8_t *bytes, size_t len)
{
	struct frame frame = {.type = FRAME_DATA, .stream = 1};

	client.low = 1;
	lane_client_send(&client, &harness, &frame, bytes, len);
	turn();
}

static void
batches_park_while_the_log_is_asked(void **state)
{
	struct lane_harness *h = begin();
	struct append_req req;

	data(2, 2);
	data(0, 2);
	data(4, 1);
	assert_int_equal(COUNT(hold), 3);
	lane_harness_state(h, -1);
	turn();
	lane_harness_expect_batch(h, 0, &req);
	lane_harness_expect_batch(h, 2, &req);
	lane_harness_expect_batch(h, 4, &req);
	assert_int_equal(COUNT(hold), 3);
	finish();
}

static void
state_of_the_log_restores_the_sequence(void **state)
{
	struct lane_harness *h = begin();
	struct append_req req;

	data(10, 2);
	lane_harness_state(h, 9);
	turn();
	lane_harness_expect_batch(h, 10, &req);
	finish();
}

static void
the_repeat_of_an_unproven_batch_goes_to_the_log(void **state)
{
	struct lane_harness *h = begin();
	struct append_req req;
	struct append_done done;

	data(14, 2);
	lane_harness_state(h, 11);
	turn();
	assert_false(lane_harness_request(h, &req));
	data(8, 2);
	assert_int_equal(COUNT(sequence_duplicate), 1);
	data(10, 2);
	lane_harness_expect_batch(h, 10, &req);
	data(10, 2);
	assert_int_equal(COUNT(sequence_duplicate), 2);
	done = (struct append_done){.kind = APPEND_COPIED,
		.flags = APPEND_DUPLICATE,
		.sequence_last = 11,
		.offset = 511,
		.owner = req.owner,
		.session_index = req.session_index};
	lane_harness_answer(h, &done);
	turn();
	assert_int_equal(COUNT(sequence_duplicate), 3);
	assert_int_equal(COUNT(stored), 0);
	lane_harness_discard(h);
	lane_harness_done(h, &req, APPEND_DURABLE, 511);
	turn();
	struct session_msg_ack_entry entry = entry_of(1);

	assert_int_equal(entry.durable_seq, 11);
	assert_int_equal(entry.durable_offset, 511);
	assert_int_equal(entry.received_seq, 11);
	finish();
}

/*
 * What comes after it proves it as well, and the log remembers only the newest five: a repeat that
 * arrives behind them would be refused, and the stream rewound over what is in the log.
 */
static void
no_repeat_goes_to_the_log_behind_newer_batches(void **state)
{
	struct lane_harness *h = begin();
	struct append_req req;

	data(12, 2);
	lane_harness_state(h, 11);
	turn();
	lane_harness_expect_batch(h, 12, &req);
	data(10, 2);
	assert_int_equal(COUNT(sequence_duplicate), 1);
	assert_int_equal(ring_used(&h->append_req[0]), 0);
	lane_harness_done(h, &req, APPEND_COPIED, 513);
	lane_harness_done(h, &req, APPEND_DURABLE, 513);
	turn();
	assert_int_equal(entry_of(1).durable_seq, 13);
	finish();
}

/* The client was told that it arrived and sends it no more: it has to be proven from here. */
static void
a_parked_unproven_batch_goes_to_the_log(void **state)
{
	struct lane_harness *h = begin();
	struct append_req req;

	data(8, 2);
	data(10, 2);
	lane_harness_state(h, 11);
	turn();
	lane_harness_expect_batch(h, 10, &req);
	assert_int_equal(COUNT(sequence_duplicate), 1);
	assert_false(lane_harness_request(h, &req));
	finish();
}

/* A repeat that was damaged on its way says nothing about the batch: newer ones stay accepted. */
static void
a_refused_repeat_does_not_rewind_what_came_after_it(void **state)
{
	struct lane_harness *h = begin();
	struct append_req repeat, req;

	data(10, 2);
	data(12, 2);
	lane_harness_state(h, 11);
	turn();
	lane_harness_expect_batch(h, 10, &repeat);
	lane_harness_expect_batch(h, 12, &req);
	lane_harness_refuse(h, &repeat, KAFKA_CORRUPT_MESSAGE);
	lane_harness_done(h, &req, APPEND_COPIED, 513);
	lane_harness_done(h, &req, APPEND_DURABLE, 513);
	turn();
	struct session_msg_ack_entry entry = entry_of(1);

	assert_int_equal(entry.error, 0);
	assert_int_equal(entry.received_seq, 13);
	assert_int_equal(entry.durable_seq, 13);
	finish();
}

/* With nothing after it the client has to send it again. */
static void
a_refused_repeat_alone_is_asked_for_again(void **state)
{
	struct lane_harness *h = begin();
	struct append_req req;

	data(10, 2);
	lane_harness_state(h, 11);
	turn();
	lane_harness_expect_batch(h, 10, &req);
	lane_harness_refuse(h, &req, KAFKA_CORRUPT_MESSAGE);
	turn();
	struct session_msg_ack_entry entry = entry_of(1);

	assert_int_equal(entry.error, KAFKA_CORRUPT_MESSAGE);
	assert_int_equal(entry.error_seq, 10);
	data(10, 2);
	lane_harness_expect_batch(h, 10, &req);
	finish();
}

static void
without_state_only_base_zero_is_accepted(void **state)
{
	struct lane_harness *h = begin();
	struct append_req req;

	data(6, 2);
	lane_harness_state(h, -1);
	turn();
	assert_false(lane_harness_request(h, &req));
	assert_int_equal(COUNT(hold), 1);
	data(0, 6);
	lane_harness_expect_batch(h, 0, &req);
	lane_harness_expect_batch(h, 6, &req);
	finish();
}

static void
seen_batches_are_discarded(void **state)
{
	(void)begin_open();
	data(0, 2);
	assert_int_equal(COUNT(sequence_duplicate), 1);
	assert_int_equal(entry_of(1).received_seq, 1);
	data(5, 1);
	data(5, 1);
	assert_int_equal(COUNT(sequence_duplicate), 2);
	assert_int_equal(COUNT(hold), 1);
	finish();
}

static void
overlap_is_refused_and_rewinds(void **state)
{
	struct session_msg_ack_entry entry;

	(void)begin_open();
	data(1, 3);
	entry = entry_of(1);
	assert_int_equal(entry.error, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	assert_int_equal(entry.error_seq, 2);
	assert_int_equal(entry.received_seq, 1);
	finish();
}

static void
a_batch_too_far_ahead_is_not_acknowledged(void **state)
{
	struct session_msg_ack ack;

	(void)begin_open();
	data(1 << 28 | 2, 1);
	assert_int_equal(COUNT(seq_window), 1);
	lane_client_ping(&client, &harness, 0);
	turn();
	lane_harness_last_ack(&harness, &ack);
	assert_int_equal(ack.recv_upto, 1);
	finish();
}

static void
parking_ends_at_the_lane_budget(void **state)
{
	struct append_req req;

	(void)begin_open();
	for (int32_t i = 0; i < 300; i++) {
		data(10 + i, 1);
		lane_harness_discard(&harness);
	}
	assert_true(COUNT(park_full) + COUNT(credit_exceeded) > 0);
	assert_int_equal(COUNT(hold) + COUNT(park_full) + COUNT(credit_exceeded), 300);
	assert_false(lane_harness_request(&harness, &req));
	finish();
}

static void
a_refusal_by_the_log_rewinds_and_discards_the_parked(void **state)
{
	struct append_req first, second;
	struct session_msg_ack_entry entry;

	(void)begin_open();
	data(2, 1);
	data(3, 1);
	data(7, 1);
	lane_harness_expect_batch(&harness, 2, &first);
	lane_harness_expect_batch(&harness, 3, &second);
	lane_harness_discard(&harness);
	lane_harness_refuse(&harness, &first, KAFKA_CORRUPT_MESSAGE);
	lane_harness_refuse(&harness, &second, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	turn();
	entry = entry_of(1);
	assert_int_equal(entry.error, KAFKA_CORRUPT_MESSAGE);
	assert_int_equal(entry.error_seq, 2);
	assert_int_equal(entry.received_seq, 1);
	assert_int_equal(COUNT(discarded_rewind), 1);
	assert_int_equal(COUNT(refused), 2);
	assert_int_equal(COUNT(batch_crc), 1);
	assert_int_equal(COUNT(refused_45), 1);
	data(3, 1);
	assert_int_equal(COUNT(refused), 3);
	assert_int_equal(COUNT(refused_45), 2);
	assert_int_equal(entry_of(1).error_seq, 2);
	data(2, 1);
	lane_harness_expect_batch(&harness, 2, &first);
	lane_client_ping(&client, &harness, 1);
	turn();
	entry = entry_of(1);
	assert_int_equal(entry.error, 0);
	assert_int_equal(entry.error_seq, -1);
	assert_int_equal(entry.received_seq, 2);
	lane_harness_done(&harness, &first, APPEND_COPIED, 2);
	finish();
}

static void
a_late_refusal_of_the_old_generation_moves_nothing(void **state)
{
	struct append_req first, second, again;

	(void)begin_open();
	data(2, 1);
	data(3, 1);
	lane_harness_expect_batch(&harness, 2, &first);
	lane_harness_expect_batch(&harness, 3, &second);
	lane_harness_refuse(&harness, &first, KAFKA_KAFKA_STORAGE_ERROR);
	turn();
	data(2, 1);
	data(3, 1);
	lane_harness_expect_batch(&harness, 2, &again);
	lane_harness_refuse(&harness, &second, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	turn();
	lane_harness_discard(&harness);
	lane_client_ping(&client, &harness, 1);
	turn();
	assert_int_equal(entry_of(1).received_seq, 3);
	lane_harness_done(&harness, &again, APPEND_COPIED, 2);
	finish();
}

static void
durable_never_passes_what_was_copied(void **state)
{
	struct append_req req = begin_open();

	req.base_sequence = 100;
	lane_harness_done(&harness, &req, APPEND_DURABLE, 999);
	turn();
	lane_client_ping(&client, &harness, 1);
	turn();
	assert_int_equal(entry_of(1).durable_seq, -1);
	finish();
}

static void
a_failed_group_takes_back_what_was_copied(void **state)
{
	struct append_req req = begin_open();
	struct session_msg_ack_entry entry;

	lane_harness_done(&harness, &req, APPEND_FAILED, -1);
	turn();
	entry = entry_of(1);
	assert_int_equal(entry.error, KAFKA_KAFKA_STORAGE_ERROR);
	assert_int_equal(entry.error_seq, 0);
	assert_int_equal(entry.received_seq, -1);
	finish();
}

static void
a_refused_query_refuses_what_is_parked(void **state)
{
	struct lane_harness *h = begin();
	struct append_req query;
	struct append_done done;
	struct session_msg_ack_entry entry;

	data(0, 2);
	assert_true(lane_harness_request(h, &query));
	done = (struct append_done){.kind = APPEND_REFUSED,
		.error = KAFKA_KAFKA_STORAGE_ERROR,
		.session_index = query.session_index,
		.partition_index = query.partition_index};
	lane_harness_answer(h, &done);
	turn();
	entry = entry_of(1);
	assert_int_equal(entry.error, KAFKA_KAFKA_STORAGE_ERROR);
	assert_int_equal(entry.error_seq, -1);
	assert_int_equal(COUNT(refused_56), 1);
	assert_int_equal(COUNT(refused), 1);
	assert_int_equal(COUNT(hold), 0);
	data(0, 2);
	assert_true(lane_harness_request(h, &query));
	assert_int_equal(query.flags, APPEND_QUERY);
	finish();
}

static void
sequences_wrap_to_zero(void **state)
{
	struct lane_harness *h = begin();
	struct append_req req;

	data(INT32_MAX - 1, 2);
	lane_harness_state(h, INT32_MAX - 2);
	turn();
	lane_harness_expect_batch(h, INT32_MAX - 1, &req);
	data(0, 3);
	lane_harness_expect_batch(h, 0, &req);
	data(INT32_MAX - 1, 2);
	assert_int_equal(COUNT(sequence_duplicate), 1);
	finish();
}

static void
broken_batches_are_refused_with_kafka_codes(void **state)
{
	static const struct {
		uint32_t at;
		uint8_t value;
		int16_t error;
		int32_t error_seq;
		enum lane_counter counter;
	} rows[] = {
		{11, 1, KAFKA_CORRUPT_MESSAGE, -1, LANE_batch_header}, /* batchLength */
		{16, 1, KAFKA_CORRUPT_MESSAGE, -1, LANE_batch_header}, /* magic */
		{7, 1, KAFKA_INVALID_RECORD, 2, LANE_refused_87}, /* baseOffset */
		{60, 0, KAFKA_INVALID_RECORD, 2, LANE_refused_87}, /* no records */
		{26, 9, KAFKA_INVALID_RECORD, 2, LANE_refused_87}, /* lastOffsetDelta */
		{22, 0x20, KAFKA_INVALID_RECORD, 2, LANE_refused_87}, /* control */
		{22, 5, KAFKA_UNSUPPORTED_COMPRESSION_TYPE, 2, LANE_refused_76}, /* codec */
		{22, 0x10, KAFKA_INVALID_TXN_STATE, 2, LANE_refused_48}, /* transactional */
		{22, 8, KAFKA_INVALID_TIMESTAMP, 2, LANE_refused_32}, /* LogAppendTime bit */
		{35, 0x7f, KAFKA_INVALID_TIMESTAMP, 2, LANE_refused_32}, /* maxTimestamp far in the future */
		{50, 9, KAFKA_INVALID_PRODUCER_EPOCH, 2, LANE_refused_47}, /* producerId */
		{52, 9, KAFKA_INVALID_PRODUCER_EPOCH, 2, LANE_refused_47}, /* producerEpoch */
		{53, 0x80, KAFKA_INVALID_RECORD, -1, LANE_refused_87}, /* baseSequence < 0 */
	};

	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t bytes[1432];
		struct session_msg_ack_entry entry;

		(void)begin_open();
		struct records_spec spec = {.producer_id = client.accept.producer_id,
			.producer_epoch = client.accept.producer_epoch,
			.base_sequence = 2,
			.count = 1,
			.value_bytes = 8,
			.timestamp_ms = 1700000000000};
		size_t len = records_batch(&spec, bytes, sizeof(bytes));

		bytes[rows[i].at] = rows[i].value;
		send_batch(bytes, len);
		entry = entry_of(1);
		assert_int_equal(entry.error, rows[i].error);
		assert_int_equal(entry.error_seq, rows[i].error_seq);
		assert_int_equal(COUNT(refused), 1);
		assert_int_equal(lane_harness_counter(&harness, rows[i].counter), 1);
		finish();
	}
}

/* Before STATE there is no S to name; a producer that is told none would not know what to send again. */
static void
what_is_refused_while_the_log_is_asked_gets_its_s_later(void **state)
{
	for (int32_t last = -1; last <= 1; last += 2) {
		struct lane_harness *h = begin();
		struct append_req req;
		uint8_t bytes[1432];
		struct records_spec spec = {.producer_id = client.accept.producer_id + 1,
			.producer_epoch = client.accept.producer_epoch,
			.base_sequence = last + 1,
			.count = 1,
			.value_bytes = 8,
			.timestamp_ms = 1700000000000};

		send_batch(bytes, records_batch(&spec, bytes, sizeof(bytes)));
		assert_int_equal(COUNT(refused), 1);
		lane_harness_state(h, last);
		turn();
		struct session_msg_ack_entry entry = entry_of(1);

		assert_int_equal(entry.received_seq, last);
		assert_int_equal(entry.error, KAFKA_INVALID_PRODUCER_EPOCH);
		assert_int_equal(entry.error_seq, last + 1);
		data(last + 1, 1);
		lane_harness_expect_batch(h, last + 1, &req);
		lane_client_ping(&client, h, 1);
		turn();
		assert_int_equal(entry_of(1).error, 0);
		lane_harness_done(h, &req, APPEND_COPIED, 2);
		finish();
	}
}

/* The second batch is refused at once, then the log refuses the first, which it still had. */
static void
the_log_may_still_refuse_what_came_before_a_refusal(void **state)
{
	struct append_req first;
	uint8_t bytes[1432];
	struct session_msg_ack_entry entry;

	(void)begin_open();
	data(2, 1);
	lane_harness_expect_batch(&harness, 2, &first);
	struct records_spec spec = {.producer_id = client.accept.producer_id,
		.producer_epoch = client.accept.producer_epoch,
		.base_sequence = 3,
		.count = 1,
		.value_bytes = 8,
		.timestamp_ms = 1700000000000};
	size_t len = records_batch(&spec, bytes, sizeof(bytes));

	bytes[22] = 0x20;
	send_batch(bytes, len);
	assert_int_equal(entry_of(1).error_seq, 3);
	lane_harness_refuse(&harness, &first, KAFKA_CORRUPT_MESSAGE);
	turn();
	entry = entry_of(1);
	assert_int_equal(entry.error, KAFKA_CORRUPT_MESSAGE);
	assert_int_equal(entry.error_seq, 2);
	assert_int_equal(entry.received_seq, 1);
	finish();
}

static void
a_short_body_is_refused_as_corrupt(void **state)
{
	uint8_t bytes[60] = {0};

	(void)begin_open();
	send_batch(bytes, sizeof(bytes));
	assert_int_equal(entry_of(1).error, KAFKA_CORRUPT_MESSAGE);
	assert_int_equal(COUNT(refused_records), 0);
	finish();
}

static void
a_broken_batch_ahead_is_judged_in_its_turn(void **state)
{
	struct append_req req;
	uint8_t bytes[1432];
	struct session_msg_ack_entry entry;

	(void)begin_open();
	struct records_spec spec = {.producer_id = client.accept.producer_id,
		.producer_epoch = client.accept.producer_epoch,
		.base_sequence = 3,
		.count = 1,
		.value_bytes = 8,
		.timestamp_ms = 1700000000000};
	size_t len = records_batch(&spec, bytes, sizeof(bytes));

	bytes[22] = 0x20;
	send_batch(bytes, len);
	assert_int_equal(COUNT(refused), 0);
	data(4, 1);
	data(2, 1);
	lane_harness_expect_batch(&harness, 2, &req);
	entry = entry_of(1);
	assert_int_equal(entry.error, KAFKA_INVALID_RECORD);
	assert_int_equal(entry.error_seq, 3);
	assert_int_equal(entry.received_seq, 2);
	assert_int_equal(COUNT(discarded_rewind), 1);
	lane_harness_done(&harness, &req, APPEND_COPIED, 2);
	finish();
}

static void
too_large_for_the_topic_is_refused(void **state)
{
	(void)begin_open();
	harness.topics[0].max_message_bytes = 70;
	data(2, 1);
	assert_int_equal(entry_of(1).error, KAFKA_MESSAGE_TOO_LARGE);
	finish();
}

static void
unknown_handles_are_refused_with_error_3(void **state)
{
	struct lane_harness *h = begin();
	struct session_msg_ack_entry entry;

	lane_client_data(&client, h, 12, 0, 1);
	turn();
	entry = entry_of(12);
	assert_int_equal(entry.error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(entry.error_seq, -1);
	lane_client_data(&client, h, 0, 0, 1);
	turn();
	assert_int_equal(entry_of(0).error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	lane_client_ping(&client, h, 12);
	turn();
	assert_int_equal(entry_of(12).error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(COUNT(refused_3), 2);
	assert_int_equal(COUNT(refused), 2);
	finish();
}

static void
partitions_that_take_nothing_say_why(void **state)
{
	struct lane_harness *h = begin();

	atomic_store(&h->partitions[1].state, ROUTE_CREATING);
	atomic_store(&h->partitions[2].state, ROUTE_DELETED);
	h->partitions[3].flags = 0;
	h->partitions[4].flags = ROUTE_WRITABLE | ROUTE_INTERNAL;
	for (uint32_t stream = 2; stream <= 5; stream++) {
		static const int16_t errors[] = {KAFKA_LEADER_NOT_AVAILABLE,
			KAFKA_UNKNOWN_TOPIC_OR_PARTITION, KAFKA_NOT_LEADER_OR_FOLLOWER,
			KAFKA_INVALID_TOPIC_EXCEPTION};

		lane_client_data(&client, h, stream, 0, 1);
		turn();
		assert_int_equal(entry_of(stream).error, errors[stream - 2]);
	}
	finish();
}

static void
streams_beyond_the_limit_are_refused_89(void **state)
{
	struct lane_harness *h = begin();

	for (uint32_t stream = 1; stream <= 4; stream++) {
		lane_client_data(&client, h, stream, 0, 1);
		turn();
	}
	lane_harness_discard(h);
	lane_client_data(&client, h, 5, 0, 1);
	turn();
	assert_int_equal(entry_of(5).error, KAFKA_THROTTLING_QUOTA_EXCEEDED);
	finish();
}

static void
relaxed_topics_move_by_appended(void **state)
{
	struct lane_harness *h = begin();
	struct append_req req;

	h->partitions[0].flags |= 1 << ROUTE_RISK_SHIFT;
	lane_harness_open_stream(h, &client, 1, &req);
	lane_harness_done(h, &req, APPEND_COPIED, 1);
	lane_harness_done(h, &req, APPEND_APPENDED, 1);
	turn();
	assert_int_equal(entry_of(1).durable_seq, 1);
	finish();
}

static void
strict_topics_ignore_appended(void **state)
{
	struct append_req req = begin_open();

	lane_harness_done(&harness, &req, APPEND_APPENDED, 1);
	turn();
	lane_client_ping(&client, &harness, 1);
	turn();
	assert_int_equal(entry_of(1).durable_seq, -1);
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_park_while_the_log_is_asked),
		cmocka_unit_test(state_of_the_log_restores_the_sequence),
		cmocka_unit_test(the_repeat_of_an_unproven_batch_goes_to_the_log),
		cmocka_unit_test(no_repeat_goes_to_the_log_behind_newer_batches),
		cmocka_unit_test(a_parked_unproven_batch_goes_to_the_log),
		cmocka_unit_test(a_refused_repeat_does_not_rewind_what_came_after_it),
		cmocka_unit_test(a_refused_repeat_alone_is_asked_for_again),
		cmocka_unit_test(without_state_only_base_zero_is_accepted),
		cmocka_unit_test(seen_batches_are_discarded),
		cmocka_unit_test(overlap_is_refused_and_rewinds),
		cmocka_unit_test(a_batch_too_far_ahead_is_not_acknowledged),
		cmocka_unit_test(parking_ends_at_the_lane_budget),
		cmocka_unit_test(a_refusal_by_the_log_rewinds_and_discards_the_parked),
		cmocka_unit_test(a_late_refusal_of_the_old_generation_moves_nothing),
		cmocka_unit_test(durable_never_passes_what_was_copied),
		cmocka_unit_test(a_failed_group_takes_back_what_was_copied),
		cmocka_unit_test(a_refused_query_refuses_what_is_parked),
		cmocka_unit_test(sequences_wrap_to_zero),
		cmocka_unit_test(broken_batches_are_refused_with_kafka_codes),
		cmocka_unit_test(what_is_refused_while_the_log_is_asked_gets_its_s_later),
		cmocka_unit_test(the_log_may_still_refuse_what_came_before_a_refusal),
		cmocka_unit_test(a_short_body_is_refused_as_corrupt),
		cmocka_unit_test(a_broken_batch_ahead_is_judged_in_its_turn),
		cmocka_unit_test(too_large_for_the_topic_is_refused),
		cmocka_unit_test(unknown_handles_are_refused_with_error_3),
		cmocka_unit_test(partitions_that_take_nothing_say_why),
		cmocka_unit_test(streams_beyond_the_limit_are_refused_89),
		cmocka_unit_test(relaxed_topics_move_by_appended),
		cmocka_unit_test(strict_topics_ignore_appended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
