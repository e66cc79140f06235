/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server that stops says so first: what it took is waited for in the old session, nothing new goes
 * there, and the rest follows in the next session.
 */
#include "client_rig.h"

#define RETRY_MS 1000

static void
run_for(struct link *link, uint64_t duration_ns)
{
	for (uint64_t until_ns = link->now_ns + duration_ns; link->now_ns < until_ns;) {
		link_step(link);
	}
}

static uint64_t
accepts(const struct link *link)
{
	struct native_server_counts counts;

	native_server_counts(link->server, &counts);
	return counts.accepts;
}

/* Three records lie at the server, whose disk stands still; then it begins to stop. */
static void
begin(struct link *link)
{
	link_open(link, 32, 1 * MIB);
	native_server_disk(link->server, false);
	send_all(link);
	run_for(link, 20 * NS_PER_MS);
	assert_int_equal(link->data_count, PARTITIONS);
	assert_int_equal(link->delivered, 0);
	native_server_drain(link->server, RETRY_MS);
	run_for(link, 10 * NS_PER_MS);
}

static void
what_the_server_took_is_told_durable_in_the_old_session(void **state)
{
	static struct link link;

	(void)state;
	begin(&link);
	native_server_disk(link.server, true);
	run_for(&link, 100 * NS_PER_MS);
	assert_int_equal(link.delivered, PARTITIONS);
	assert_true(client_peek_idle(link.core));
	assert_int_equal(link.data_count, PARTITIONS);
	assert_int_equal(accepts(&link), 1);
	link_close(&link);
}

/* The disk takes longer than the server said: it answers no HELLO, so nothing is won by trying. */
static void
a_slow_disk_is_waited_for_beyond_the_time_that_was_named(void **state)
{
	static struct link link;

	(void)state;
	begin(&link);
	run_for(&link, 8 * NS_PER_S);
	assert_int_equal(link.delivered, 0);
	native_server_disk(link.server, true);
	run_for(&link, 100 * NS_PER_MS);
	assert_int_equal(link.delivered, PARTITIONS);
	assert_int_equal(link.data_count, PARTITIONS);
	link_close(&link);
}

static void
nothing_new_is_sent_until_there_is_another_session(void **state)
{
	static struct link link;

	(void)state;
	begin(&link);
	send_all(&link);
	run_for(&link, 500 * NS_PER_MS);
	native_server_disk(link.server, true);
	run_for(&link, 3 * NS_PER_S);
	assert_int_equal(link.delivered, PARTITIONS);
	assert_int_equal(link.data_count, PARTITIONS);
	native_server_crash(link.server);
	run_until_delivered(&link, 2 * PARTITIONS);
	assert_int_equal(link.data_count, 2 * PARTITIONS);
	assert_int_equal(accepts(&link), 2);
	assert_int_equal(link.failed, 0);
	link_close(&link);
}

/* Sent before the client heard of it: such a batch is not taken and goes again in the next session. */
static void
what_came_too_late_goes_in_the_next_session(void **state)
{
	static struct link link;

	(void)state;
	link_open(&link, 32, 1 * MIB);
	send_all(&link);
	run_until_delivered(&link, PARTITIONS);
	run_for(&link, 10 * NS_PER_MS);
	link.held = true;
	native_server_drain(link.server, RETRY_MS);
	send_one(&link, 0, 1);
	link_step(&link);
	assert_int_equal(link.data_count, PARTITIONS + 1);
	link.held = false;
	run_for(&link, 900 * NS_PER_MS);
	assert_int_equal(link.data_count, PARTITIONS + 1);
	assert_int_equal(accepts(&link), 1);
	native_server_crash(link.server);
	run_for(&link, 500 * NS_PER_MS); /* RETRY_MS are over */
	assert_int_equal(link.delivered, PARTITIONS + 1);
	link_close(&link);
}

static void
a_server_that_fell_silent_is_not_waited_for(void **state)
{
	static struct link link;

	(void)state;
	begin(&link);
	link.mtu = 0; /* gone */
	run_for(&link, 6 * NS_PER_S);
	link.mtu = UINT32_MAX;
	native_server_crash(link.server);
	native_server_disk(link.server, true);
	run_until_delivered(&link, PARTITIONS);
	assert_int_equal(link.failed, 0);
	link_close(&link);
}

static void
the_reset_of_the_next_start_ends_the_wait(void **state)
{
	static struct link link;

	(void)state;
	begin(&link);
	native_server_crash(link.server);
	native_server_disk(link.server, true);
	run_for(&link, 500 * NS_PER_MS); /* well before RETRY_MS */
	assert_int_equal(link.delivered, PARTITIONS);
	link_close(&link);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_server_took_is_told_durable_in_the_old_session),
		cmocka_unit_test(a_slow_disk_is_waited_for_beyond_the_time_that_was_named),
		cmocka_unit_test(nothing_new_is_sent_until_there_is_another_session),
		cmocka_unit_test(what_came_too_late_goes_in_the_next_session),
		cmocka_unit_test(a_server_that_fell_silent_is_not_waited_for),
		cmocka_unit_test(the_reset_of_the_next_start_ends_the_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
