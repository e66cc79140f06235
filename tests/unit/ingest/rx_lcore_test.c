/* SPDX-License-Identifier: Apache-2.0 */
/* A lane on a queue of Ethernet frames: net stack in front, reflection behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "support/lane_harness.h"

static struct lane_harness harness;

/* Ethernet, IPv4 and UDP (no checksum) around a payload, from 192.0.2.9:40000 to 192.0.2.1:9292. */
static size_t
wrap(const uint8_t *payload, size_t len, uint8_t *frame)
{
	static const uint8_t ethernet[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 8, 0};
	static const uint8_t ip[20] = {
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 9, 192, 0, 2, 1};
	uint32_t sum = 0;

	memcpy(frame, ethernet, 14);
	memcpy(frame + 14, ip, 20);
	store_be16(frame + 16, (uint16_t)(28 + len));
	for (uint32_t i = 0; i < 20; i += 2) {
		sum += load_be16(frame + 14 + i);
	}
	store_be16(frame + 24, (uint16_t) ~(sum % 65535));
	store_be16(frame + 34, 40000);
	store_be16(frame + 36, 9292);
	store_be16(frame + 38, (uint16_t)(8 + len));
	store_be16(frame + 40, 0);
	memcpy(frame + 42, payload, len);
	return 42 + len;
}

static void
begin_raw(void)
{
	static const uint8_t own[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1};
	struct nic_fake_options nic;

	lane_harness_init(&harness);
	harness.nic->ops->destroy(harness.nic);
	nic_fake_options_init(&nic);
	nic.kernel_stack = false;
	harness.nic = nic_fake_create(&nic);
	harness.options.nic = harness.nic;
	memcpy(harness.options.addresses[0], own, 16);
	harness.options.address_count = 1;
	harness.options.dscp = 46;
	lane_harness_create(&harness);
}

static void
hello_in_a_frame_gets_retry_by_reflection(void **state)
{
	struct lane_client client;
	struct nic_fake_packet packet;
	struct frame frame;
	uint8_t payload[1500], bytes[1600];
	uint32_t replies = 0;

	begin_raw();
	lane_client_init(&client, 9);
	size_t len =
		wrap(payload, lane_client_hello(&client, NULL, payload, sizeof(payload)), bytes);

	lane_harness_put(&harness, &client.peer, bytes, len);
	(void)lane_harness_turn(&harness);
	while (nic_fake_take(harness.nic, &packet)) {
		const uint8_t *data = packet.data;

		if (load_be16(data + 12) != 0x0800) {
			continue; /* announcements */
		}
		replies++;
		assert_memory_equal(data, bytes + 6, 6);
		assert_memory_equal(data + 30, bytes + 26, 4);
		assert_int_equal(data[15], 46 << 2);
		assert_int_equal(load_be16(data + 36), 40000);
		assert_int_equal(
			frame_decode(data + 42, packet.len - 42, FRAME_SIDE_CLIENT, &frame),
			FRAME_OK);
		assert_int_equal(frame.type, FRAME_RETRY);
	}
	assert_int_equal(replies, 1);
	assert_int_equal(lane_harness_counter(&harness, LANE_hello), 1);
	assert_int_equal(lane_harness_counter(&harness, LANE_udp_csum_zero), 1);
	lane_harness_fini(&harness);
}

static void
what_the_net_stack_drops_is_counted_and_released(void **state)
{
	struct lane_client client;
	uint8_t payload[100] = {0}, bytes[200];
	size_t len;

	begin_raw();
	lane_client_init(&client, 9);
	len = wrap(payload, sizeof(payload), bytes);
	bytes[24] ^= 1;
	lane_harness_put(&harness, &client.peer, bytes, len);
	len = wrap(payload, sizeof(payload), bytes);
	bytes[12] = 0x12;
	lane_harness_put(&harness, &client.peer, bytes, len);
	lane_harness_put(&harness, &client.peer, bytes, 9);
	(void)lane_harness_turn(&harness);
	assert_int_equal(lane_harness_counter(&harness, LANE_ip4_csum), 1);
	assert_int_equal(lane_harness_counter(&harness, LANE_eth_type), 1);
	assert_int_equal(lane_harness_counter(&harness, LANE_eth_short), 1);
	assert_int_equal(harness.nic->ops->owners_out(harness.nic), 0);
	lane_harness_fini(&harness);
}

/* Learns from the ACKs sent what each stream would accept next. */
static void
learn(const struct lane_client *clients, int32_t next[4][8])
{
	struct session_msg_ack ack;
	struct frame frame;

	while (lane_harness_take(&harness, &frame)) {
		uint32_t c = 0;

		while (c < 4 && clients[c].session_id != frame.session_id) {
			c++;
		}
		if (frame.type != FRAME_ACK || c == 4 ||
			session_msg_ack_decode(frame.body, frame.body_len, &ack) != 0) {
			continue;
		}
		for (uint32_t i = 0; i < ack.entries; i++) {
			next[c][ack.entry[i].stream % 8] = ack.entry[i].received_seq + 1;
		}
	}
}

/* A long mixed run of honest and broken traffic: the harness checks the ledger after every turn. */
static void
the_ledger_adds_up_through_random_traffic(void **state)
{
	struct lane_client clients[4];
	struct append_req held[64], req;
	uint32_t held_count = 0;
	int32_t next[4][8] = {0};
	struct rand rand;

	lane_harness_init(&harness);
	lane_harness_create(&harness);
	rand_init(&rand, 11);
	for (uint8_t i = 0; i < 4; i++) {
		lane_client_init(&clients[i], (uint8_t)(i + 1));
		lane_client_connect(&clients[i], &harness);
	}
	for (uint32_t n = 0; n < 4000; n++) {
		uint32_t c = (uint32_t)rand_below(&rand, 4),
			 stream = (uint32_t)rand_below(&rand, 6);
		struct lane_client *client = &clients[c];
		int32_t ahead = rand_below(&rand, 4) > 0 ? 0 : (int32_t)rand_below(&rand, 9);

		client->low = client->pn > 500 ? client->pn - 500 : 1;
		lane_client_data(client, &harness, stream, next[c][stream] + ahead,
			1 + (int32_t)rand_below(&rand, 4));
		lane_harness_advance(&harness, rand_below(&rand, NS_PER_MS));
		learn(clients, next);
		while (held_count < 64 && lane_harness_request(&harness, &req)) {
			if (req.flags & APPEND_QUERY) {
				lane_harness_answer(
					&harness, &(struct append_done){.kind = APPEND_STATE,
							  .session_index = req.session_index,
							  .partition_index = req.partition_index,
							  .sequence_last = -1,
							  .offset = -1});
			} else {
				held[held_count++] = req;
			}
		}
		while (held_count > 0 && rand_below(&rand, 3) > 0) {
			req = held[--held_count];
			if (rand_below(&rand, 10) == 0) {
				lane_harness_refuse(&harness, &req, KAFKA_CORRUPT_MESSAGE);
			} else {
				lane_harness_done(&harness, &req, APPEND_COPIED, n);
				lane_harness_done(&harness, &req, APPEND_DURABLE, n);
			}
		}
	}
	assert_true(lane_harness_counter(&harness, LANE_stored) > 500);
	assert_true(lane_harness_counter(&harness, LANE_refused) > 50);
	lane_harness_fini(&harness);
}

/* The device calls all good: a lane that was told not to believe it counts the wrong one. */
static void
told_lane_believes_no_checksum(void **state)
{
	struct lane_client client;
	uint8_t payload[1500], bytes[1600];

	begin_raw();
	lane_client_init(&client, 9);
	size_t len = wrap(payload, lane_client_hello(&client, NULL, payload, sizeof(payload)), bytes);

	bytes[24] ^= 1; /* of the IP header */
	lane_distrust_checksums(harness.lane);
	assert_true(nic_fake_put(harness.nic, &(struct nic_fake_packet){.data = bytes,
						     .len = (uint32_t)len,
						     .flags = PACKET_IP_CSUM_GOOD | PACKET_L4_CSUM_GOOD}));
	(void)lane_harness_turn(&harness);
	assert_int_equal(lane_harness_counter(&harness, LANE_ip4_csum), 1);
	assert_int_equal(lane_harness_counter(&harness, LANE_csum_offload_wrong), 0);
	lane_harness_fini(&harness);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_in_a_frame_gets_retry_by_reflection),
		cmocka_unit_test(what_the_net_stack_drops_is_counted_and_released),
		cmocka_unit_test(told_lane_believes_no_checksum),
		cmocka_unit_test(the_ledger_adds_up_through_random_traffic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
