/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client at the end of its credit: what was lost is sent again whichever stream it is of, because
 * that alone brings new credit; and where nothing is left that could bring any, a new session does.
 * Client core and reference server in virtual time, datagrams by hand.
 */
#include "client_rig.h"
#include "client/client_mtu.h"

#define MANY	   32 /* a session of the reference server has no more */

static uint32_t
link_datagram_bytes(const struct link *link)
{
	struct client_core_state state;

	client_core_state(link->core, &state);
	return state.datagram_bytes;
}

static void
lost_batches_are_sent_again_though_others_wait_for_credit(void **state)
{
	static struct link link;

	(void)state;
	for (uint64_t credit = 1; credit <= 2; credit++) {
		/* All that the credit allows, and what the probe timeout repeats of it: only its PING arrives. */
		link_open(&link, credit, 1 * MIB);
		link.lose = (uint32_t)credit + 1;
		send_all(&link);
		run_until_delivered(&link, PARTITIONS);
		assert_int_equal(link.failed, 0);
		assert_true(link.data_count > credit + 1);
		link_close(&link);
	}
}

/*
 * The path gets narrower: two large batches are given up, and their charges come back from nobody. The
 * new epoch has to wait for the third, which was refused and needs credit to be sent again.
 */
static void
credit_of_what_was_given_up_comes_back_with_a_new_session(void **state)
{
	static struct link link;
	const struct client_credit *credit;
	const uint64_t *counters;

	(void)state;
	link_open(&link, 2, 1 * MIB);
	while (client_core_partition_count(link.core, client_core_topic(link.core, TOPIC)) == 0 ||
		link_datagram_bytes(&link) < LARGE_BYTES + 100) {
		link_step(&link);
	}
	counters = client_core_counters(link.core);
	link.mtu = CLIENT_MTU_BASE;
	link.refuse = 1;
	send_one(&link, 0, LARGE_BYTES);
	send_one(&link, 1, 1);
	link_step(&link);
	assert_int_equal(link.refuse, 0);
	send_one(&link, 2, LARGE_BYTES);
	for (uint32_t i = 0; i < LIMIT_NS / STEP_NS && counters[CLIENT_credit_waits] == 0; i++) {
		link_step(&link);
	}
	assert_int_equal(link.failed, 2);
	credit = client_peek_credit(link.core, 0);
	assert_non_null(credit);
	assert_int_equal(credit->used_packets, credit->limit_packets);
	assert_int_equal(counters[CLIENT_epoch_bumps], 0);
	run_until_delivered(&link, 1);
	assert_int_equal(link.failed, 2);
	send_one(&link, 2, 1);
	run_until_delivered(&link, 2);
	assert_int_equal(link.failed, 2);
	assert_int_equal(counters[CLIENT_epoch_bumps], 1);
	link_close(&link);
}

/* A disk that stands still looks alike, but what it owes is known: the session stays. */
static void
credit_that_the_disk_owes_is_waited_for(void **state)
{
	static struct link link;

	(void)state;
	link_open(&link, PARTITIONS, 150); /* two batches of some 70 bytes */
	native_server_disk(link.server, false);
	send_all(&link);
	for (uint32_t i = 0; i < LIMIT_NS / STEP_NS; i++) {
		link_step(&link);
	}
	assert_int_equal(link.delivered, 0);
	native_server_disk(link.server, true);
	run_until_delivered(&link, PARTITIONS);
	assert_int_equal(client_core_counters(link.core)[CLIENT_reconnects], 0);
	link_close(&link);
}

/* A record for each of many partitions, of which credit lets two go. */
static void
fill_many(struct link *link)
{
	struct client_record record = {.value = "v", .value_len = 1, .timestamp_ms = 1};
	int topic;

	link_open(link, MANY, 150); /* two batches of some 70 bytes */
	(void)native_server_topic(link->server, "many", MANY);
	topic = client_core_topic(link->core, "many");
	while (client_core_partition_count(link->core, topic) == 0) {
		link_step(link);
	}
	for (int32_t p = 0; p < MANY; p++) {
		assert_int_equal(client_core_send(link->core, topic, p, &record, link->now_ns), 0);
	}
}

static void
what_waits_for_credit_costs_nothing_meanwhile(void **state)
{
	static struct link link;
	uint64_t looks;

	(void)state;
	fill_many(&link);
	native_server_disk(link.server, false);
	for (uint32_t i = 0; i < 100; i++) {
		link_step(&link);
	}
	looks = client_core_counters(link.core)[CLIENT_stream_looks];
	for (uint32_t i = 0; i < 1000; i++) {
		link_step(&link);
	}
	/* The one that is next, at each poll. */
	assert_true(client_core_counters(link.core)[CLIENT_stream_looks] - looks <= 1000);
	native_server_disk(link.server, true);
	run_until_delivered(&link, MANY);
	assert_int_equal(link.failed, 0);
	link_close(&link);
}

/* What was lost is found without a look at all that wait. */
static void
what_was_lost_is_found_among_many_that_wait(void **state)
{
	static struct link link;
	uint64_t looks;

	(void)state;
	fill_many(&link);
	link.lose = 2;
	link_step(&link);
	assert_int_equal(link.data_count, 2);
	looks = client_core_counters(link.core)[CLIENT_stream_looks];
	native_server_disk(link.server, false);
	for (uint32_t i = 0; i < 1000; i++) {
		link_step(&link);
	}
	assert_true(link.data_count > 3);
	assert_true(client_core_counters(link.core)[CLIENT_losses] >= 2);
	assert_true(client_core_counters(link.core)[CLIENT_stream_looks] - looks <= 1000 + 20);
	native_server_disk(link.server, true);
	run_until_delivered(&link, MANY);
	assert_int_equal(link.failed, 0);
	link_close(&link);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_batches_are_sent_again_though_others_wait_for_credit),
		cmocka_unit_test(credit_of_what_was_given_up_comes_back_with_a_new_session),
		cmocka_unit_test(credit_that_the_disk_owes_is_waited_for),
		cmocka_unit_test(what_waits_for_credit_costs_nothing_meanwhile),
		cmocka_unit_test(what_was_lost_is_found_among_many_that_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
