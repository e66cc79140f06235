/* SPDX-License-Identifier: Apache-2.0 */
/* Credits: what resolves, floors, shares, and that they never decrease. */
#include "lane_rig.h"

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
	lane_harness_log_room(h, 0); /* floors only */
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
	lane_harness_log_room(h, 0);
	log_room_set_disk_full(&h->log_room, true);
	lane_harness_advance(h, NS_PER_MS);
	assert_int_equal(ping().busy, SESSION_MSG_BUSY_DISK_FULL);
	log_room_set_disk_full(&h->log_room, false);
	lane_harness_advance(h, NS_PER_MS);
	assert_int_equal(ping().busy, SESSION_MSG_BUSY_LOG_BUFFER);
	lane_harness_log_room(h, 64 * MIB);
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
	lane_harness_log_room(h, 0);
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

	lane_harness_log_room(h, 0);
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
	lane_harness_log_room(h, 0);
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
	lane_harness_log_room(h, 256 * KIB);
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
	assert_true(sum <= log_room_buffer_free(&h->log_room, 0));
	lane_harness_fini(h);
}

/* --- floors that take turns, the cap, few buffers ------------------------------------------------ */

#define MANY 20 /* sessions on 7 descriptors: three groups */

static struct lane_client many[MANY];

/* A lane with a small pool. 31 buffers are 7 descriptors at least, as a quarter of the pool counts. */
static struct lane_harness *
begin_small(uint32_t buffers, uint32_t descriptors)
{
	struct nic_fake_options nic;

	nic_fake_options_init(&nic);
	nic.rx_buffer_count = buffers;
	nic.rx_descriptors = descriptors;
	lane_harness_init_nic(&harness, &nic);
	harness.options.sessions_max = MANY;
	lane_harness_create(&harness);
	return &harness;
}

static void
connect_many(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		lane_harness_advance(&harness, NS_PER_MS);
		lane_harness_discard(&harness);
		lane_client_init(&many[i], (uint8_t)(i + 1));
		lane_client_connect(&many[i], &harness);
	}
}

/* 50 ms later: which of them were told of a floor, as bits, and of how many bytes at most. */
static uint32_t
next_group(uint64_t credit_bytes[MANY])
{
	struct session_msg_ack ack;
	struct frame frame;
	uint32_t told = 0;

	lane_harness_advance(&harness, 50 * NS_PER_MS);
	while (lane_harness_take(&harness, &frame)) {
		assert_int_equal(frame.type, FRAME_ACK);
		assert_int_equal(session_msg_ack_decode(frame.body, frame.body_len, &ack), 0);
		for (uint32_t i = 0; i < MANY; i++) {
			if (many[i].session_id == frame.session_id) {
				assert_false(told & 1u << i);
				told |= 1u << i;
				credit_bytes[i] = ack.credit_bytes;
			}
		}
	}
	return told;
}

/* Two packets while all have room at once, then one. */
static void
floors_shrink_to_one_packet_when_the_descriptors_are_few(void **state)
{
	struct lane_harness *h = begin_small(31, 4);
	uint64_t max_datagram = h->options.max_datagram;

	lane_harness_log_room(h, 0); /* bytes: floors only */
	connect_many(6);
	assert_int_equal(many[0].accept.credit_bytes, 2 * max_datagram);
	assert_int_equal(many[3].accept.credit_bytes, 2 * max_datagram);
	/* Four sessions are open: two packets each are more than 7. */
	assert_int_equal(many[4].accept.credit_bytes, max_datagram);
	assert_int_equal(many[5].accept.credit_bytes, max_datagram);
	/* One group: nobody waits for a turn, so nobody is told of one. */
	lane_harness_discard(h);
	for (uint32_t i = 0; i < 5; i++) {
		uint64_t credit[MANY];

		assert_int_equal(next_group(credit), 0);
	}
	lane_harness_fini(h);
}

static void
floors_of_more_sessions_than_descriptors_take_turns(void **state)
{
	struct lane_harness *h = begin_small(31, 4);
	uint64_t credit[MANY] = {0};
	uint32_t groups[3], all = 0;

	lane_harness_log_room(h, 0);
	connect_many(MANY);
	(void)next_group(credit);
	for (uint32_t i = 0; i < 3; i++) {
		groups[i] = next_group(credit);
		assert_true(__builtin_popcount(groups[i]) >= 6 && __builtin_popcount(groups[i]) <= 7);
		assert_int_equal(all & groups[i], 0);
		all |= groups[i];
	}
	assert_int_equal(all, (1u << MANY) - 1);
	for (uint32_t i = 0; i < 6; i++) {
		assert_int_equal(next_group(credit), groups[i % 3]);
	}
	/* Not before its 50 ms are over. */
	lane_harness_advance(h, 49 * NS_PER_MS);
	assert_false(lane_harness_take(h, &(struct frame){0}));
	lane_harness_fini(h);
}

/* What a session used up comes back as a floor when its group has its turn, and not before. */
static void
a_floor_is_given_at_the_groups_turn_only(void **state)
{
	struct lane_harness *h = begin_small(31, 4);
	struct lane_client *last = &many[MANY - 1];
	uint64_t credit[MANY] = {0};
	struct append_req req;
	uint32_t told, bit = 1u << (MANY - 1), waited = 0;

	lane_harness_log_room(h, 0);
	connect_many(MANY);
	while (!(next_group(credit) & bit)) {
		assert_true(++waited < 3);
	}
	/* Its turn is over at the next tick; then a batch of it becomes durable. */
	(void)next_group(credit);
	assert_int_equal(credit[MANY - 1], last->accept.credit_bytes);
	lane_harness_open_stream(h, last, 1, &req);
	lane_harness_done(h, &req, APPEND_COPIED, 1);
	lane_harness_done(h, &req, APPEND_DURABLE, 1);
	turn();
	client = *last;
	assert_int_equal(ping().credit_bytes, last->accept.credit_bytes);
	lane_harness_discard(h);
	told = next_group(credit);
	assert_false(told & bit);
	told = next_group(credit);
	assert_true(told & bit);
	assert_int_equal(credit[MANY - 1], last->accept.credit_bytes + req.batch_len);
	lane_harness_fini(h);
}

/* So many batches of one record, each of them durable at once. */
static void
batches_through(int32_t *sequence, uint32_t count)
{
	struct append_req req;

	for (uint32_t i = 0; i < count; i++) {
		data(*sequence, 1);
		assert_true(lane_harness_request(&harness, &req));
		lane_harness_done(&harness, &req, APPEND_COPIED, *sequence);
		lane_harness_done(&harness, &req, APPEND_DURABLE, *sequence);
		turn();
		lane_harness_discard(&harness);
		++*sequence;
	}
}

/* The lane could give more: 512 descriptors and nobody else. */
static void
a_share_is_at_most_twice_the_recent_use(void **state)
{
	struct lane_harness *h = begin();
	uint64_t floor_bytes = 2ull * h->options.max_datagram;
	struct append_req req;
	struct session_msg_ack ack;
	int32_t sequence = 2;

	lane_harness_advance(h, 300 * NS_PER_MS);
	lane_harness_open_stream(h, &client, 1, &req);
	lane_harness_done(h, &req, APPEND_COPIED, 1);
	lane_harness_done(h, &req, APPEND_DURABLE, 1);
	turn();
	batches_through(&sequence, 9);
	ack = ping();
	assert_int_equal(ack.credit_pkts, 10 + 2 + 128); /* the first share, as the use is small */
	assert_true(ack.credit_bytes > floor_bytes + 256 * KIB);
	assert_true(ack.credit_bytes < floor_bytes + 256 * KIB + 10 * 200);
	batches_through(&sequence, 90);
	assert_int_equal(ping().credit_pkts, 100 + 2 + 200);
	/* The use of the period before counts too. */
	lane_harness_advance(h, 101 * NS_PER_MS);
	batches_through(&sequence, 20);
	assert_int_equal(ping().credit_pkts, 120 + 2 + 200);
	/* That before it does not: what is given is never taken back, so it has to be used up first. */
	for (uint32_t i = 0; i < 3; i++) {
		lane_harness_advance(h, 101 * NS_PER_MS);
		batches_through(&sequence, 60);
	}
	assert_int_equal(ping().credit_pkts, 300 + 2 + 128);
	lane_harness_fini(h);
}

/* Batches of one session that the log does not copy, as far as its credit and the buffers go. */
static void
hold_buffers(struct lane_client *one, uint32_t stream, struct append_req *reqs, uint32_t *held)
{
	struct lane_harness *h = &harness;
	int32_t sent = 1;

	lane_harness_open_stream(h, one, stream, &reqs[(*held)++]);
	client = *one;
	while (h->nic->ops->buffers_free(h->nic) > 3 && (uint64_t)sent < ping().credit_pkts) {
		lane_client_data(&client, h, stream, 2 * sent++, 2);
		turn();
		assert_true(lane_harness_request(h, &reqs[(*held)++]));
	}
	*one = client;
}

/* Who holds none still has the floor, who holds more has to wait. */
static void
acks_tell_that_buffers_are_low(void **state)
{
	struct lane_harness *h = begin_small(63, 60);
	static struct append_req reqs[64];
	uint32_t held = 0;

	connect_many(8);
	client = many[7];
	assert_int_equal(ping().busy, SESSION_MSG_BUSY_NONE);
	many[7] = client;
	for (uint32_t i = 0; i < 7 && h->nic->ops->buffers_free(h->nic) > 3; i++) {
		hold_buffers(&many[i], 1 + i, reqs, &held);
	}
	assert_int_equal(held, 60);
	lane_harness_advance(h, NS_PER_MS);
	assert_int_equal(COUNT(credit_exceeded), 0);
	lane_client_data(&many[0], h, 1, 1000, 2);
	turn();
	assert_int_equal(COUNT(credit_exceeded), 1);
	client = many[7];
	assert_int_equal(ping().busy, SESSION_MSG_BUSY_MBUFS_LOW);
	lane_client_data(&client, h, 8, 0, 2);
	turn();
	assert_int_equal(COUNT(credit_exceeded), 1);
	lane_harness_state(h, -1);
	turn();
	lane_harness_expect_batch(h, 0, &reqs[held++]);
	for (uint32_t i = 0; i < held; i++) {
		lane_harness_done(h, &reqs[i], APPEND_COPIED, i);
		turn();
	}
	lane_harness_advance(h, NS_PER_MS);
	assert_int_equal(ping().busy, SESSION_MSG_BUSY_NONE);
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
		cmocka_unit_test(floors_shrink_to_one_packet_when_the_descriptors_are_few),
		cmocka_unit_test(floors_of_more_sessions_than_descriptors_take_turns),
		cmocka_unit_test(a_floor_is_given_at_the_groups_turn_only),
		cmocka_unit_test(a_share_is_at_most_twice_the_recent_use),
		cmocka_unit_test(acks_tell_that_buffers_are_low),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
