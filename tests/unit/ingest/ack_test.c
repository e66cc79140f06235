/* SPDX-License-Identifier: Apache-2.0 */
/* When an ACK is due, and what it says. */
#include <stdlib.h>
#include "lane_rig.h"

static uint32_t
acks_sent(void)
{
	struct frame frame;
	uint32_t n = 0;

	while (lane_harness_take(&harness, &frame)) {
		n += frame.type == FRAME_ACK;
	}
	return n;
}

static struct append_req
begin_open(void)
{
	struct append_req req;

	(void)begin();
	lane_harness_open_stream(&harness, &client, 1, &req);
	lane_harness_advance(&harness, NS_PER_MS);
	lane_harness_discard(&harness);
	return req;
}

static void
a_packet_is_acknowledged_after_the_delay(void **state)
{
	(void)begin_open();
	data(2, 1);
	assert_int_equal(acks_sent(), 0);
	assert_int_equal(lane_deadline_ns(harness.lane),
		clock_now_ns(&harness.clock.clock) + 200 * NS_PER_US);
	lane_harness_advance(&harness, 199 * NS_PER_US);
	assert_int_equal(acks_sent(), 0);
	lane_harness_advance(&harness, NS_PER_US);
	assert_int_equal(acks_sent(), 1);
	lane_harness_fini(&harness);
}

/* Nobody wakes a sleeping lane when its driver has room again. */
static void
an_ack_that_the_driver_refused_sets_a_deadline(void **state)
{
	(void)begin_open();
	data(2, 1);
	nic_fake_tx_room(harness.nic, 0);
	lane_harness_advance(&harness, 200 * NS_PER_US);
	assert_int_equal(acks_sent(), 0);
	assert_true(lane_deadline_ns(harness.lane) <=
		clock_now_ns(&harness.clock.clock) + NS_PER_MS);
	/* As long as it is refused, and in turns without other work. */
	lane_harness_advance(&harness, NS_PER_MS);
	assert_int_equal(acks_sent(), 0);
	assert_true(lane_deadline_ns(harness.lane) <=
		clock_now_ns(&harness.clock.clock) + NS_PER_MS);
	nic_fake_tx_room(harness.nic, NIC_FAKE_UNLIMITED);
	lane_harness_advance(&harness, NS_PER_MS);
	assert_int_equal(acks_sent(), 1);
	assert_true(lane_deadline_ns(harness.lane) >
		clock_now_ns(&harness.clock.clock) + NS_PER_MS);
	lane_harness_fini(&harness);
}

static void
sixteen_packets_are_acknowledged_at_once(void **state)
{
	(void)begin_open();
	for (int32_t i = 0; i < 15; i++) {
		lane_client_data(&client, &harness, 1, 2 + i, 1);
	}
	turn();
	assert_int_equal(acks_sent(), 0);
	data(17, 1);
	assert_int_equal(acks_sent(), 1);
	lane_harness_fini(&harness);
}

static void
gaps_and_their_end_are_acknowledged_at_once(void **state)
{
	struct session_msg_ack ack;

	(void)begin_open();
	client.pn++;
	data(2, 1);
	lane_harness_last_ack(&harness, &ack);
	assert_int_equal(ack.recv_upto, 1);
	assert_int_equal(ack.words, 1);
	assert_int_equal(ack.bitmap[0], 2);
	client.pn -= 2;
	data(3, 1);
	lane_harness_last_ack(&harness, &ack);
	assert_int_equal(ack.recv_upto, 3);
	assert_int_equal(ack.words, 0);
	lane_harness_fini(&harness);
}

static void
ack_now_is_obeyed_and_echoes(void **state)
{
	struct session_msg_ack ack;

	(void)begin_open();
	lane_client_ping(&client, &harness, 1);
	turn();
	lane_harness_last_ack(&harness, &ack);
	assert_int_equal(ack.echo_pn, client.pn);
	assert_int_equal(ack.echo_send_us, client.pn * 10);
	assert_int_equal(ack.echo_delay_us, 0);
	lane_harness_fini(&harness);
}

/*
 * What the log remembers of the producer is asked, not known: an entry that says "none" would make
 * the client take a new epoch and send again what is durable under the old one.
 */
static void
a_stream_is_not_told_before_its_state_is_known(void **state)
{
	struct lane_harness *h = begin();
	struct session_msg_ack ack;

	data(5, 2);
	lane_client_ping(&client, h, 1);
	turn();
	lane_harness_last_ack(h, &ack);
	assert_int_equal(ack.echo_pn, client.pn);
	assert_int_equal(ack.entries, 0);
	lane_harness_state(h, 4);
	turn();
	assert_int_equal(entry_of(1).received_seq, 6);
	lane_harness_fini(h);
}

static void
durable_is_told_once_a_turn(void **state)
{
	struct append_req req = begin_open();

	lane_harness_done(&harness, &req, APPEND_COPIED, 1);
	lane_harness_done(&harness, &req, APPEND_DURABLE, 1);
	lane_harness_done(&harness, &req, APPEND_DURABLE, 1);
	turn();
	assert_int_equal(acks_sent(), 1);
	lane_harness_fini(&harness);
}

static void
a_missing_buffer_only_delays_the_ack(void **state)
{
	struct append_req req = begin_open();

	lane_harness_done(&harness, &req, APPEND_COPIED, 1);
	lane_harness_done(&harness, &req, APPEND_DURABLE, 1);
	nic_fake_tx_alloc_fail(harness.nic, 1);
	turn();
	assert_int_equal(acks_sent(), 0);
	assert_int_equal(COUNT(tx_no_buffer), 1);
	turn();
	assert_int_equal(entry_of(1).durable_seq, 1);
	lane_harness_fini(&harness);
}

static void
dirty_streams_beyond_24_come_with_the_next_ack(void **state)
{
	struct lane_harness *h = &harness;
	struct session_msg_ack first, second;
	struct append_req req;

	lane_harness_init(h);
	h->options.streams_per_session_max = 64;
	for (uint32_t i = 0; i < 16; i++) {
		h->partitions[i].flags = ROUTE_WRITABLE;
		atomic_store(&h->partitions[i].state, ROUTE_OPEN);
	}
	struct route_partition *many = calloc(30, sizeof(*many));

	for (uint32_t i = 0; i < 30; i++) {
		many[i].flags = ROUTE_WRITABLE;
		atomic_store(&many[i].state, ROUTE_OPEN);
	}
	h->routes.partitions = many;
	h->routes.partitions_max = 30;
	lane_harness_create(h);
	lane_client_init(&client, 1);
	lane_client_connect(&client, h);
	for (uint32_t stream = 1; stream <= 30; stream++) {
		lane_harness_open_stream(h, &client, stream, &req);
		lane_harness_done(h, &req, APPEND_COPIED, 1);
		turn();
	}
	lane_harness_advance(h, NS_PER_MS);
	lane_harness_discard(h);
	for (uint32_t stream = 1; stream <= 30; stream++) {
		req.partition_index = stream - 1;
		lane_harness_done(h, &req, APPEND_DURABLE, 1);
	}
	turn();
	lane_harness_last_ack(h, &first);
	assert_int_equal(first.entries, 24);
	turn();
	lane_harness_last_ack(h, &second);
	assert_int_equal(second.entries, 6);
	assert_int_equal(second.entry[5].stream, 30);
	lane_harness_fini(h);
	free(many);
}

static void
a_moved_topic_asks_to_resolve_again(void **state)
{
	struct session_msg_ack ack;

	(void)begin_open();
	harness.topics[0].metadata_version = 2;
	lane_client_ping(&client, &harness, 1);
	turn();
	lane_harness_last_ack(&harness, &ack);
	assert_int_equal(ack.busy, SESSION_MSG_BUSY_RESOLVE_AGAIN);
	lane_harness_fini(&harness);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_is_acknowledged_after_the_delay),
		cmocka_unit_test(an_ack_that_the_driver_refused_sets_a_deadline),
		cmocka_unit_test(sixteen_packets_are_acknowledged_at_once),
		cmocka_unit_test(gaps_and_their_end_are_acknowledged_at_once),
		cmocka_unit_test(ack_now_is_obeyed_and_echoes),
		cmocka_unit_test(a_stream_is_not_told_before_its_state_is_known),
		cmocka_unit_test(durable_is_told_once_a_turn),
		cmocka_unit_test(a_missing_buffer_only_delays_the_ack),
		cmocka_unit_test(dirty_streams_beyond_24_come_with_the_next_ack),
		cmocka_unit_test(a_moved_topic_asks_to_resolve_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
