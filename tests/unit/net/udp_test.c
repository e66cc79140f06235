/* SPDX-License-Identifier: Apache-2.0 */
/* UDP: lengths, checksums, ports; replies by reflection. */
#include "net_rig.h"

static void
udp_rows(void **state)
{
	struct fixture *f = *state;
	uint8_t *ip = good4(f);

	store_be16(ip + 24, 7);
	expect_drop(f, LANE_udp_len);
	ip = good4(f);
	store_be16(ip + 24, 14);
	expect_drop(f, LANE_udp_len);
	ethernet(f, our_mac, 0x0800);
	ip4(f, peer4, our4, 17, 7);
	add(f, NULL, 7);
	expect_drop(f, LANE_udp_len);
	good4(f);
	f->bytes[f->len - 1] ^= 4;
	expect_drop(f, LANE_udp_csum);
	ip = good4(f); /* a flipped address shows in the pseudo-header */
	ip[15] ^= 4;
	ip4_resum(ip);
	expect_drop(f, LANE_udp_csum);
	good6(f);
	f->bytes[f->len - 1] ^= 4;
	expect_drop(f, LANE_udp_csum);
	assert_int_equal(f->port.reply_count, 0);
}

static void
udp_without_checksum(void **state)
{
	struct fixture *f = *state;
	uint8_t *ip = good4(f);

	store_be16(ip + 26, 0);
	expect_hello(f, LANE_udp_csum_zero);
	ip = good6(f);
	store_be16(ip + 46, 0);
	expect_drop(f, LANE_udp_csum);
}

/* A datagram shorter than the IP payload is legal; what follows is not ours. */
static void
udp_shorter_than_ip(void **state)
{
	struct fixture *f = *state;

	ethernet(f, our_mac, 0x0800);
	ip4(f, peer4, our4, 17, 8 + 5 + 4);
	udp(f, FIRST_PORT, "hello");
	add(f, "more", 4);
	expect_hello(f, NET_NO_INFO);
}

static void
udp_ports_of_all_lanes(void **state)
{
	struct fixture *f = *state;

	ethernet(f, our_mac, 0x0800);
	ip4(f, peer4, our4, 17, 13);
	udp(f, FIRST_PORT + PORTS - 1, "hello");
	expect_hello(f, NET_NO_INFO);
	assert_int_equal(f->view.peer.local_port, FIRST_PORT + PORTS - 1);
	for (int i = 0; i < 2; i++) {
		ethernet(f, our_mac, 0x0800);
		ip4(f, peer4, our4, 17, 13);
		udp(f, i ? FIRST_PORT + PORTS : FIRST_PORT - 1, "hello");
		expect_drop(f, LANE_udp_port);
		reply(f);
	}
}

static void
closed_port_is_unreachable(void **state)
{
	struct fixture *f = *state;
	struct packet_view *answer;
	uint8_t quoted[48];
	uint8_t *ip, *at;

	ethernet(f, our_mac, 0x0800);
	ip = ip4(f, peer4, our4, 17, 13);
	udp(f, 53, "hello");
	memcpy(quoted, ip, 28);
	expect_drop(f, LANE_udp_port);
	answer = reply(f);
	at = answer->data + 34;
	assert_int_equal(load_be16(answer->data + 16), 20 + 8 + 28);
	assert_int_equal(load_be16(at), 0x0303);
	assert_memory_equal(at + 8, quoted, 28);
	assert_int_equal(sum16(at, 36, 0), 0xffff);
	ethernet(f, our_mac, 0x86dd);
	ip = ip6(f, peer6, our6, 17, 13);
	udp(f, 53, "hello");
	memcpy(quoted, ip, 48);
	expect_drop(f, LANE_udp_port);
	answer = reply(f);
	at = answer->data + 54;
	assert_int_equal(load_be16(answer->data + 18), 8 + 48);
	assert_int_equal(load_be16(at), 0x0104);
	assert_memory_equal(at + 8, quoted, 48);
	assert_int_equal(sum16(at, 56, pseudo(answer->data + 14, 58, 56)), 0xffff);
}

static void
unreachables_are_limited(void **state)
{
	struct fixture *f = *state;
	uint32_t replies = 0;

	ethernet(f, our_mac, 0x0800);
	ip4(f, peer4, our4, 17, 13);
	udp(f, 53, "hello");
	for (uint32_t ms = 0; ms < 2000; ms++) {
		expect_drop(f, LANE_udp_port);
		replies += f->port.reply_count;
		f->nic->ops->tx(f->nic, f->port.replies, f->port.reply_count);
		f->port.reply_count = 0;
		f->now_ns += NS_PER_MS;
	}
	/* A hundred a second, and what a tenth of a second may save up. */
	assert_in_range(replies, 200, 210);
}

static void
closed_port_without_answer(void **state)
{
	struct fixture *f = *state;
	uint8_t *at;

	/* To all on the link. */
	ethernet(f, broadcast, 0x0800);
	ip4(f, peer4, our4, 17, 13);
	udp(f, 53, "hello");
	expect_drop(f, LANE_udp_port);
	/* From port 0, to which nothing can be sent. */
	ethernet(f, our_mac, 0x0800);
	ip4(f, peer4, our4, 17, 13);
	at = udp(f, FIRST_PORT, "hello");
	store_be16(at, 0);
	store_be16(at + 6, 0);
	expect(f, NET_DROPPED, LANE_udp_port, LANE_udp_csum_zero);
	assert_int_equal(f->port.reply_count, 0);
	/* Beyond 100 a second, 10 at once. */
	ethernet(f, our_mac, 0x0800);
	ip4(f, peer4, our4, 17, 13);
	udp(f, 53, "hello");
	for (int i = 0; i < 30; i++) {
		expect_drop(f, LANE_udp_port);
	}
	assert_int_equal(f->port.reply_count, 10);
}

static void
udp_reply_mirrors_the_datagram(void **state)
{
	struct fixture *f = *state;
	struct packet_view answer;
	struct nic_fake_packet sent;
	struct packet_peer seen;

	for (int v = 0; v < 2; v++) {
		const uint8_t *ip;
		uint32_t header = v ? 40 : 20;

		if (v) {
			good6(f);
		} else {
			good4(f);
		}
		expect_hello(f, NET_NO_INFO);
		seen = f->view.peer;
		assert_true(net_udp_alloc(&f->port, &seen, 100, &answer));
		memcpy(answer.data, "answer!", 7);
		answer.len = 7;
		net_udp_reply(&f->port, &answer);
		assert_int_equal(f->nic->ops->tx(f->nic, &answer, 1), 0);
		assert_true(nic_fake_take(f->nic, &sent));
		assert_int_equal(sent.len, 14 + header + 8 + 7);
		/* Sent back to us with both sides exchanged it must parse, checksums and all. */
		memcpy(f->bytes, sent.data, sent.len);
		f->len = sent.len;
		ip = f->bytes + 14;
		assert_memory_equal(f->bytes, peer_mac, 6);
		assert_memory_equal(f->bytes + 6, our_mac, 6);
		assert_memory_equal(ip + (v ? 8 : 12), v ? our6 : our4, v ? 16 : 4);
		assert_memory_equal(ip + (v ? 24 : 16), v ? peer6 : peer4, v ? 16 : 4);
		assert_int_equal(load_be16(ip + header), FIRST_PORT);
		assert_int_equal(load_be16(ip + header + 2), 40000);
		assert_int_equal(load_be16(ip + header + 4), 15);
		assert_memory_equal(ip + header + 8, "answer!", 7);
		assert_int_equal(sum16(ip + header, 15, pseudo(ip, 17, 15)), 0xffff);
		if (!v) {
			assert_int_equal(sum16(ip, 20, 0), 0xffff);
			assert_int_equal(load_be16(ip + 6), 0x4000);
		}
	}
}

static void
udp_reply_keeps_the_tag_and_the_mtu(void **state)
{
	struct fixture *f = *state;
	struct packet_view answer;

	good4(f);
	insert_tag(f, 0x8100, 0xe007);
	expect_hello(f, NET_NO_INFO);
	assert_false(net_udp_alloc(&f->port, &f->view.peer, 1473, &answer));
	assert_true(net_udp_alloc(&f->port, &f->view.peer, 1472, &answer));
	net_udp_reply(&f->port, &answer);
	assert_int_equal(answer.len, 1518);
	assert_int_equal(load_be32(answer.data + 12), 0x8100e007);
	assert_int_equal(load_be16(answer.data + 16), 0x0800);
	f->nic->ops->tx(f->nic, &answer, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(udp_rows),
		ROW(udp_without_checksum),
		ROW(udp_shorter_than_ip),
		ROW(udp_ports_of_all_lanes),
		ROW(closed_port_is_unreachable),
		ROW(unreachables_are_limited),
		ROW(closed_port_without_answer),
		ROW(udp_reply_mirrors_the_datagram),
		ROW_TAGGED(udp_reply_keeps_the_tag_and_the_mtu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
