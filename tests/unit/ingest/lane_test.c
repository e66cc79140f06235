/* SPDX-License-Identifier: Apache-2.0 */
/* The whole way: HELLO .. ACCEPT, RESOLVE, DATA -> append request -> COPIED, DURABLE -> ACK. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "support/lane_harness.h"

static struct lane_harness harness;

static struct lane_harness *
begin(void)
{
	lane_harness_init(&harness);
	lane_harness_create(&harness);
	return &harness;
}

static void
a_batch_goes_from_hello_to_durable(void **state)
{
	struct lane_harness *h = begin();
	struct lane_client c;
	struct append_req req;
	struct session_msg_ack ack;

	lane_client_init(&c, 1);
	lane_client_connect(&c, h);
	lane_harness_open_stream(h, &c, 1, &req);
	assert_int_equal(req.producer_id, c.accept.producer_id);
	assert_int_equal(req.record_count, 2);
	assert_int_equal(req.partition_index, 0);
	assert_int_equal(h->nic->ops->owners_out(h->nic), 1);
	lane_harness_done(h, &req, APPEND_COPIED, 41);
	(void)lane_harness_turn(h);
	assert_int_equal(h->nic->ops->owners_out(h->nic), 0);
	lane_harness_discard(h);
	lane_harness_done(h, &req, APPEND_DURABLE, 41);
	(void)lane_harness_turn(h);
	lane_harness_last_ack(h, &ack);
	assert_int_equal(ack.recv_upto, 1);
	assert_int_equal(ack.entries, 1);
	assert_int_equal(ack.entry[0].stream, 1);
	assert_int_equal(ack.entry[0].received_seq, 1);
	assert_int_equal(ack.entry[0].durable_seq, 1);
	assert_int_equal(ack.entry[0].durable_offset, 41);
	assert_int_equal(lane_harness_counter(h, LANE_stored_records), 2);
	assert_int_equal(lane_harness_counter(h, LANE_hold), 0);
	lane_harness_fini(h);
}

static void
accept_says_what_the_lane_grants(void **state)
{
	struct lane_harness *h = begin();
	struct lane_client c;

	lane_client_init(&c, 1);
	lane_client_connect(&c, h);
	assert_int_equal(c.accept.max_datagram, 1472);
	assert_int_equal(c.accept.max_batch_bytes, 1432);
	assert_int_equal(c.accept.idle_timeout_ms, 15000);
	assert_int_equal(c.accept.ack_every, 16);
	assert_int_equal(c.accept.pn_window, 1024);
	assert_int_equal(c.accept.boot_id, 77);
	assert_int_equal(c.accept.producer_epoch, 4);
	assert_true(c.accept.credit_pkts >= 128);
	assert_memory_equal(c.accept.client_nonce, c.nonce, 16);
	assert_int_equal((c.session_id >> FRAME_SESSION_SLOT_BITS) % (1u << FRAME_SESSION_LANE_BITS), 0);
	lane_harness_fini(h);
}

static void
drain_says_closed_and_waits_for_durable(void **state)
{
	struct lane_harness *h = begin();
	struct lane_client c;
	struct append_req req;
	struct session_msg_closed closed;
	struct session_msg_ack ack;
	struct frame frame;

	lane_client_init(&c, 1);
	lane_client_connect(&c, h);
	lane_harness_open_stream(h, &c, 1, &req);
	lane_harness_discard(h);
	lane_drain_begin(h->lane);
	(void)lane_harness_turn(h);
	lane_harness_expect(h, FRAME_CLOSED, &frame);
	assert_int_equal(session_msg_closed_decode(frame.body, frame.body_len, &closed), 0);
	assert_int_equal(closed.reason, FRAME_DRAINING);
	assert_true(closed.retry_after_ms > 0);
	assert_false(lane_drained(h->lane));
	lane_client_data(&c, h, 1, 2, 2);
	(void)lane_harness_turn(h);
	assert_int_equal(lane_harness_counter(h, LANE_closed), 1);
	lane_harness_done(h, &req, APPEND_COPIED, 1);
	(void)lane_harness_turn(h);
	assert_false(lane_drained(h->lane));
	lane_harness_done(h, &req, APPEND_DURABLE, 1);
	(void)lane_harness_turn(h);
	lane_harness_last_ack(h, &ack);
	assert_int_equal(ack.busy, SESSION_MSG_BUSY_DRAINING);
	assert_int_equal(ack.entry[0].durable_seq, 1);
	assert_true(lane_drained(h->lane));
	lane_harness_fini(h);
}

static void
sessions_are_published_for_other_threads(void **state)
{
	struct lane_harness *h = begin();
	struct lane_session_row rows[4];
	struct histogram histogram;
	struct lane_client c;
	struct append_req req;
	uint32_t place = 0;

	lane_client_init(&c, 1);
	assert_int_equal(lane_sessions(h->lane, &place, rows, NULL, 4), 0);
	lane_client_connect(&c, h);
	lane_harness_open_stream(h, &c, 1, &req);
	place = 0;
	assert_int_equal(lane_sessions(h->lane, &place, rows, NULL, 4), 1);
	assert_int_equal(rows[0].session_id, c.session_id);
	assert_int_equal(rows[0].datagrams, 1);
	assert_int_equal(rows[0].records, 2);
	lane_harness_done(h, &req, APPEND_COPIED, 1);
	lane_harness_done(h, &req, APPEND_DURABLE, 1);
	lane_harness_advance(h, 3 * NS_PER_MS);
	lane_harness_advance(h, 200 * NS_PER_MS);
	lane_latencies(h->lane, LANE_RX_TO_DURABLE, &histogram);
	assert_int_equal(histogram.count, 1);
	assert_true(histogram_percentile(&histogram, 500000) >= 3 * NS_PER_MS);
	lane_harness_fini(h);
}

static void
options_that_do_not_add_up_are_refused(void **state)
{
	struct lane_harness *h = &harness;
	struct lane *lane = NULL;
	char text[256];

	lane_harness_init(h);
	h->options.max_datagram = 9000;
	assert_int_equal(lane_create(&h->options, &lane, text, sizeof(text)), -22);
	assert_non_null(strstr(text, "MTU"));
	h->options.max_datagram = 1472;
	h->options.append_done[0] = &h->append_req[0];
	assert_int_equal(lane_create(&h->options, &lane, text, sizeof(text)), -22);
	h->options.append_done[0] = &h->append_done[0];
	h->options.burst = 65;
	assert_int_equal(lane_create(&h->options, &lane, text, sizeof(text)), -22);
	h->options.burst = 32;
	lane_harness_create(h);
	lane_harness_fini(h);
}

static void
refused(struct lane_harness *h, const char *cause, const char *key)
{
	struct lane *lane = NULL;
	char text[LANE_TEXT_BYTES] = "";

	assert_int_equal(lane_create(&h->options, &lane, text, sizeof(text)), -22);
	if (!strstr(text, cause) || !strstr(text, key)) {
		fail_msg("no %s or %s in: %s", cause, key, text);
	}
}

/* Each sum that does not hold is refused with the key that mends it; one less, and it holds. */
static void
sums_that_do_not_hold_are_refused(void **state)
{
	struct lane_harness *h = &harness;
	char text[LANE_TEXT_BYTES];

	lane_harness_init(h);
	/* 4096 sessions on 512 descriptors: 512 at once, in 8 groups of 50 ms. */
	h->options.sessions_max = 4096;
	lane_harness_log_room(h, 512 * 1472 - 1);
	refused(h, "credit floors: 512 sessions at once x 1472 B", "log.buffer.bytes");
	lane_harness_log_room(h, 512 * 1472);
	h->options.idle_timeout_ns = 399 * NS_PER_MS;
	refused(h, "8 groups of 50 ms, longer than the idle timeout of 399 ms", "native.idle_timeout");
	h->options.idle_timeout_ns = 400 * NS_PER_MS;
	h->options.memory_max_bytes = MIB;
	refused(h, "4096 sessions x ", "native.sessions_max");
	h->options.memory_max_bytes = 64 * MIB;
	assert_int_equal(lane_create(&h->options, &h->lane, text, sizeof(text)), 0);
	assert_non_null(strstr(text, "done ring of a shard 2048 >= 64 append slots + 1023 batches out"));
	assert_non_null(strstr(text, "credit floors of 4096 sessions: 512 at once x 1 packet(s) <= 960 buffers"));
	assert_non_null(strstr(text, "tables: 4096 sessions x "));
	lane_harness_fini(h);
	(void)state;
}

static void
done_ring_holds_an_answer_for_every_batch_out(void **state)
{
	struct lane_harness *h = &harness;

	lane_harness_init(h);
	ring_destroy(&h->append_done[0]);
	assert_int_equal(ring_create(&h->append_done[0], 1024, sizeof(struct append_done), NULL), 0);
	refused(h, "done ring of 1024 is smaller than 1087: append ring of 64 and 1023 rx buffers", "shard 0");
	ring_destroy(&h->append_done[0]);
	assert_int_equal(ring_create(&h->append_done[0], 1087, sizeof(struct append_done), NULL), 0);
	lane_harness_create(h);
	lane_harness_fini(h);
	(void)state;
}

static void
sessions_are_read_page_by_page(void **state)
{
	struct lane_harness *h = begin();
	struct lane_session_row rows[2];
	struct lane_client clients[5];
	uint32_t places[2], place = 0, seen = 0, last = 0, count;

	for (uint8_t i = 0; i < 5; i++) {
		lane_client_init(&clients[i], (uint8_t)(i + 1));
		lane_client_connect(&clients[i], h);
	}
	do {
		count = lane_sessions(h->lane, &place, rows, places, 2);
		for (uint32_t i = 0; i < count; i++) {
			assert_true(seen == 0 || places[i] > last);
			last = places[i];
			for (uint32_t c = 0; c < 5; c++) {
				seen |= (rows[i].session_id == clients[c].session_id) << c;
			}
		}
		assert_true(count < 2 || place == last + 1);
	} while (count == 2);
	assert_int_equal(count, 1);
	assert_int_equal(seen, 31);
	/* A row's place begins a page that begins with it. */
	place = last;
	assert_int_equal(lane_sessions(h->lane, &place, rows, places, 2), 1);
	assert_int_equal(places[0], last);
	lane_harness_fini(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_goes_from_hello_to_durable),
		cmocka_unit_test(accept_says_what_the_lane_grants),
		cmocka_unit_test(drain_says_closed_and_waits_for_durable),
		cmocka_unit_test(sessions_are_read_page_by_page),
		cmocka_unit_test(sessions_are_published_for_other_threads),
		cmocka_unit_test(sums_that_do_not_hold_are_refused),
		cmocka_unit_test(done_ring_holds_an_answer_for_every_batch_out),
		cmocka_unit_test(options_that_do_not_add_up_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
