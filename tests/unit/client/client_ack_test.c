/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACKs that overtake one another: the entries of one partition count in the order of the server's
 * packet numbers, and an older ACK still tells of partitions that the newer one does not name.
 */
#include "client_rig.h"

static void
steps(struct link *link, uint32_t count)
{
	while (count-- > 0) {
		link_step(link);
	}
}

/* Both partitions are in use and quiet; two records were delivered. */
static void
begin(struct link *link)
{
	link_open(link, 32, 1 * MIB);
	send_one(link, 0, 1);
	send_one(link, 1, 1);
	run_until_delivered(link, 2);
	steps(link, 20);
}

/* From now on answers wait, until so many ACKs do. */
static void
hold_acks(struct link *link, uint32_t count)
{
	link->held = true;
	for (uint32_t i = 0; i < 30 && link->waiting < count; i++) {
		link_step(link);
	}
	assert_int_equal(link->waiting, count);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(link->to_client[i].bytes[3], FRAME_ACK);
	}
}

static void
let_go(struct link *link)
{
	link->waiting = 0;
	link->held = false;
}

static void
an_ack_that_was_overtaken_tells_of_other_partitions(void **state)
{
	static struct link link;

	(void)state;
	begin(&link);
	send_one(&link, 0, 1);
	steps(&link, 3);
	send_one(&link, 1, 1);
	steps(&link, 5);
	assert_int_equal(link.delivered, 2);
	hold_acks(&link, 2); /* durable: the first, then the second */
	link_deliver(&link, 1);
	assert_int_equal(link.delivered, 3);
	link_deliver(&link, 0);
	assert_int_equal(link.delivered, 4);
	/* Once more, either: nothing changes. */
	link_deliver(&link, 1);
	link_deliver(&link, 0);
	assert_int_equal(link.delivered, 4);
	let_go(&link);
	link_close(&link);
}

static void
an_older_entry_of_the_same_partition_changes_nothing(void **state)
{
	static struct link link;

	(void)state;
	begin(&link);
	send_one(&link, 0, 1);
	steps(&link, 3);
	send_one(&link, 0, 1);
	steps(&link, 5);
	hold_acks(&link, 2);
	link_deliver(&link, 1);
	assert_int_equal(link.delivered, 4);
	link_deliver(&link, 0);
	assert_int_equal(link.delivered, 4);
	let_go(&link);
	send_one(&link, 0, 1);
	run_until_delivered(&link, 5);
	assert_int_equal(client_core_counters(link.core)[CLIENT_rewinds], 0);
	assert_int_equal(link.failed, 0);
	link_close(&link);
}

/* What an overtaken refusal says may be over: the client asks, and believes that answer. */
static void
an_overtaken_refusal_is_asked_about(void **state)
{
	static struct link link;

	(void)state;
	begin(&link);
	link.refuse = 1;
	send_one(&link, 0, 1);
	link.held = true;
	link_step(&link);
	send_one(&link, 1, 1);
	hold_acks(&link, 2);
	link_deliver(&link, 1);
	link_deliver(&link, 0);
	assert_int_equal(client_core_counters(link.core)[CLIENT_rewinds], 0);
	let_go(&link);
	run_until_delivered(&link, 4);
	assert_int_equal(client_core_counters(link.core)[CLIENT_rewinds], 1);
	assert_int_equal(link.failed, 0);
	link_close(&link);
}

/* A new session's packet numbers begin again, also for partitions that were quiet meanwhile. */
static void
entries_of_a_new_session_count_from_its_first_ack(void **state)
{
	static struct link link;
	uint64_t begun_ns;

	(void)state;
	begin(&link);
	for (uint32_t i = 0; i < 40; i++) {
		send_one(&link, 0, 1);
		run_until_delivered(&link, 3 + i);
	}
	native_server_close_all(link.server, FRAME_IDLE, 0);
	steps(&link, 100);
	begun_ns = link.now_ns;
	send_one(&link, 0, 1);
	run_until_delivered(&link, 43);
	assert_true(link.now_ns - begun_ns < 5 * NS_PER_MS);
	assert_int_equal(client_core_counters(link.core)[CLIENT_reconnects], 1);
	link_close(&link);
}

/*
 * A log that is asked slowly: packets are acknowledged, the partition is not named. What an earlier
 * session had told of it is no answer to the PINGs of this one.
 */
static void
an_earlier_session_s_word_is_no_answer(void **state)
{
	static struct link link;

	(void)state;
	begin(&link);
	native_server_close_all(link.server, FRAME_IDLE, 0);
	steps(&link, 100);
	assert_int_equal(client_core_counters(link.core)[CLIENT_reconnects], 1);
	link.stripped = true;
	send_one(&link, 0, 1);
	steps(&link, 20000);
	assert_int_equal(link.delivered, 2);
	assert_int_equal(client_core_counters(link.core)[CLIENT_rewinds], 0);
	link.stripped = false;
	run_until_delivered(&link, 3);
	assert_int_equal(client_core_counters(link.core)[CLIENT_rewinds], 0);
	link_close(&link);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ack_that_was_overtaken_tells_of_other_partitions),
		cmocka_unit_test(an_older_entry_of_the_same_partition_changes_nothing),
		cmocka_unit_test(an_overtaken_refusal_is_asked_about),
		cmocka_unit_test(entries_of_a_new_session_count_from_its_first_ack),
		cmocka_unit_test(an_earlier_session_s_word_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
