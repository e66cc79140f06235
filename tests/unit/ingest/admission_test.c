/* SPDX-License-Identifier: Apache-2.0 */
/* Credits: what resolves, floors, shares, and that they never decrease. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "support/lane_harness.h"

static struct lane_harness harness;
static struct lane_client client;

/* A lane with one open session. */
static struct lane_harness *
begin(void)
{
	lane_harness_init(&harness);
	lane_harness_create(&harness);
	lane_client_init(&client, 1);
	lane_client_connect(&client, &harness);
	return &harness;
}

#define COUNT(c) lane_harness_counter(&harness, LANE_##c)

static void
turn(void)
{
	(void)lane_harness_turn(&harness);
}

/* Data of stream 1, then a turn. */
static void
data(int32_t base_sequence, int32_t count)
{
	lane_client_data(&client, &harness, 1, base_sequence, count);
	turn();
}

static struct session_msg_ack
ping(void)
{
	struct session_msg_ack ack;

	lane_client_ping(&client, &harness, 0);
	turn();
	lane_harness_last_ack(&harness, &ack);
	return ack;
}

static void
packets_resolve_at_copied_and_bytes_at_durable(void **state)
{
	struct lane_harness *h = &harness;
	struct append_req req;
	struct session_msg_ack before, copied, durable;

	lane_harness_init(h);
	lane_harness_create(h);
	h->log_buffer_free = 0; /* floors only */
	lane_harness_advance(h, NS_PER_MS);
	lane_client_init(&client, 1);
	lane_client_connect(&client, h);
	lane_harness_open_stream(h, &client, 1, &req);
	before = ping();
	lane_harness_done(h, &req, APPEND_COPIED, 1);
	turn();
	copied = ping();
	assert_int_equal(copied.credit_bytes, before.credit_bytes);
	lane_harness_done(h, &req, APPEND_DURABLE, 1);
	lane_harness_advance(h, 2 * NS_PER_MS);
	durable = ping();
	assert_int_equal(durable.credit_bytes, before.credit_bytes + req.batch_len);
	assert_int_equal(durable.busy, SESSION_MSG_BUSY_LOG_BUFFER);
	lane_harness_fini(h);
}

/* Within a millisecond, and before lesser troubles: there is nothing else to wait for. */
static void
acks_tell_that_the_disk_is_full(void **state)
{
	struct lane_harness *h = &harness;

	lane_harness_init(h);
	lane_harness_create(h);
	lane_client_init(&client, 1);
	lane_client_connect(&client, h);
	assert_int_equal(ping().busy, SESSION_MSG_BUSY_NONE);
	h->log_buffer_free = 0;
	h->log_disk_full = true;
	lane_harness_advance(h, NS_PER_MS);
	assert_int_equal(ping().busy, SESSION_MSG_BUSY_DISK_FULL);
	h->log_disk_full = false;
	lane_harness_advance(h, NS_PER_MS);
	assert_int_equal(ping().busy, SESSION_MSG_BUSY_LOG_BUFFER);
	h->log_buffer_free = 64 * MIB;
	lane_harness_advance(h, NS_PER_MS);
	assert_int_equal(ping().busy, SESSION_MSG_BUSY_NONE);
	lane_harness_fini(h);
}

/* However many batches go through, a client at rest may send as many more as at first. */
static void
copied_batches_give_their_packet_credit_back(void **state)
{
	struct lane_harness *h = &harness;
	struct append_req req;
	struct session_msg_ack before, after;

	lane_harness_init(h);
	lane_harness_create(h);
	lane_client_init(&client, 1);
	lane_client_connect(&client, h);
	lane_harness_open_stream(h, &client, 1, &req);
	for (uint32_t i = 0; i <= 500; i++) {
		lane_harness_done(h, &req, APPEND_COPIED, i);
		lane_harness_done(h, &req, APPEND_DURABLE, i);
		turn();
		if (i == 0) {
			before = ping();
		}
		if (i < 500) {
			data(req.base_sequence + (int32_t)req.record_count, 1);
			assert_true(lane_harness_request(h, &req));
			lane_harness_discard(h);
		}
	}
	after = ping();
	assert_true(after.credit_pkts >= before.credit_pkts + 500);
	lane_harness_fini(h);
}

static void
refusals_give_the_credit_back(void **state)
{
	struct lane_harness *h = &harness;
	struct append_req req;
	struct session_msg_ack before, after;

	lane_harness_init(h);
	lane_harness_create(h);
	h->log_buffer_free = 0;
	lane_harness_advance(h, NS_PER_MS);
	lane_client_init(&client, 1);
	lane_client_connect(&client, h);
	lane_harness_open_stream(h, &client, 1, &req);
	before = ping();
	lane_harness_refuse(h, &req, KAFKA_CORRUPT_MESSAGE);
	turn();
	after = ping();
	assert_int_equal(after.credit_bytes, before.credit_bytes + req.batch_len);
	lane_harness_fini(h);
}

static void
credit_never_decreases(void **state)
{
	struct lane_harness *h = begin();
	struct session_msg_ack ack = ping();
	uint64_t bytes = ack.credit_bytes, pkts = ack.credit_pkts;

	h->log_buffer_free = 0;
	for (uint32_t i = 0; i < 20; i++) {
		clock_fake_advance(&h->clock, 50 * NS_PER_MS);
		ack = ping();
		assert_true(ack.credit_bytes >= bytes);
		assert_true(ack.credit_pkts >= pkts);
		bytes = ack.credit_bytes;
		pkts = ack.credit_pkts;
	}
	lane_harness_fini(h);
}

static void
what_an_earlier_session_left_costs_no_credit(void **state)
{
	struct lane_harness *h = &harness;
	struct session_msg_ack before, after;

	lane_harness_init(h);
	lane_harness_create(h);
	h->log_buffer_free = 0;
	lane_harness_advance(h, NS_PER_MS);
	lane_client_init(&client, 1);
	lane_client_connect(&client, h);
	data(100, 1);
	lane_harness_state(h, 99);
	turn();
	before = ping();
	data(50, 1);
	assert_int_equal(COUNT(sequence_duplicate), 1);
	after = ping();
	assert_true(after.credit_bytes > before.credit_bytes);
	assert_int_equal(after.credit_pkts, before.credit_pkts + 1);
	lane_harness_fini(h);
}

static void
shares_stay_within_the_lane_budget(void **state)
{
	struct lane_harness *h = &harness;
	struct lane_client clients[8];
	uint64_t sum = 0;

	lane_harness_init(h);
	h->log_buffer_free = 256 * KIB;
	lane_harness_create(h);
	for (uint8_t i = 0; i < 8; i++) {
		lane_client_init(&clients[i], (uint8_t)(i + 1));
		lane_client_connect(&clients[i], h);
		lane_client_data(&clients[i], h, 1, 0, 1);
		turn();
	}
	lane_harness_advance(h, 2 * NS_PER_MS);
	lane_harness_discard(h);
	for (uint8_t i = 0; i < 8; i++) {
		struct session_msg_ack ack;

		client = clients[i];
		ack = ping();
		/* First shares were given when fewer sessions were active. */
		sum += ack.credit_bytes - clients[i].accept.credit_bytes;
	}
	assert_true(sum <= h->log_buffer_free);
	lane_harness_fini(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_resolve_at_copied_and_bytes_at_durable),
		cmocka_unit_test(acks_tell_that_the_disk_is_full),
		cmocka_unit_test(copied_batches_give_their_packet_credit_back),
		cmocka_unit_test(refusals_give_the_credit_back),
		cmocka_unit_test(credit_never_decreases),
		cmocka_unit_test(what_an_earlier_session_left_costs_no_credit),
		cmocka_unit_test(shares_stay_within_the_lane_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
