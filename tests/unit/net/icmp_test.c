/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP and ICMPv6: echo, what is ignored, limits. */
#include "net_rig.h"

static void
echo_is_answered(void **state)
{
	struct fixture *f = *state;
	struct packet_view *answer;
	uint8_t *ip, *at;

	echo4(f, 8, 0, "odd text");
	add(f, "pad", 3);
	expect(f, NET_CONSUMED, LANE_icmp, NET_NO_INFO);
	answer = reply(f);
	ip = answer->data + 14;
	at = ip + 20;
	assert_memory_equal(answer->data, peer_mac, 6);
	assert_int_equal(sum16(ip, 20, 0), 0xffff);
	assert_int_equal(load_be16(ip + 2), 36);
	assert_int_equal(load_be16(ip + 4), 0);
	assert_int_equal(load_be16(ip + 6), 0x4000);
	assert_int_equal(ip[1], 40); /* DSCP 10 */
	assert_int_equal(ip[8], 64);
	assert_memory_equal(ip + 12, our4, 4);
	assert_memory_equal(ip + 16, peer4, 4);
	assert_int_equal(at[0], 0);
	assert_int_equal(load_be16(at + 4), 77);
	assert_memory_equal(at + 8, "odd text", 8);
	assert_int_equal(sum16(at, 16, 0), 0xffff);
	echo6(f, 128, "seven77");
	expect(f, NET_CONSUMED, LANE_icmp, NET_NO_INFO);
	answer = reply(f);
	ip = answer->data + 14;
	assert_int_equal(load_be32(ip), 0x62800000);
	assert_int_equal(ip[7], 64);
	assert_memory_equal(ip + 8, our6, 16);
	assert_memory_equal(ip + 24, peer6, 16);
	assert_int_equal(ip[40], 129);
	assert_memory_equal(ip + 48, "seven77", 7);
	assert_int_equal(sum16(ip + 40, 15, pseudo(ip, 58, 15)), 0xffff);
}

static void
icmp_rows(void **state)
{
	static const uint8_t ignored4[] = {0, 3, 4, 5, 11, 12, 13};
	static const uint8_t ignored6[] = {1, 2, 3, 4};
	struct fixture *f = *state;
	uint8_t *ip;

	for (size_t i = 0; i < sizeof(ignored4); i++) {
		echo4(f, ignored4[i], 0, "x");
		expect_drop(f, LANE_icmp_ignored);
	}
	for (size_t i = 0; i < sizeof(ignored6); i++) {
		echo6(f, ignored6[i], "x");
		expect_drop(f, LANE_icmp_ignored);
	}
	echo4(f, 8, 1, "x");
	expect_drop(f, LANE_icmp_bad);
	echo4(f, 8, 0, "x")[2] ^= 1;
	expect_drop(f, LANE_icmp_bad);
	ip = echo6(f, 128, "x");
	ip[42] ^= 1;
	expect_drop(f, LANE_icmp_bad);
	echo4(f, 8, 0, "x");
	store_be16(f->bytes + 16, 27);
	ip4_resum(f->bytes + 14);
	expect_drop(f, LANE_icmp_bad);
	ip = echo6(f, 128, "x");
	store_be16(ip + 4, 0);
	expect_drop(f, LANE_icmp_bad);
	echo4(f, 8, 0, "x");
	memcpy(f->bytes, broadcast, 6);
	expect_drop(f, LANE_icmp_ignored);
	ip = echo6(f, 128, "x");
	memcpy(ip + 24, all_nodes, 16);
	icmp6_resum(ip, 9);
	expect_drop(f, LANE_icmp_ignored);
	assert_int_equal(f->port.reply_count, 0);
}

static void
echo_is_limited(void **state)
{
	struct fixture *f = *state;
	struct net_result result = {0};

	echo4(f, 8, 0, "x");
	for (int i = 0; i < 101; i++) {
		result = input(f);
		f->nic->ops->tx(f->nic, f->port.replies, f->port.reply_count);
		f->port.reply_count = 0;
	}
	assert_int_equal(result.verdict, NET_DROPPED);
	assert_int_equal(result.counter, LANE_icmp_rate);
	f->now_ns += NS_PER_MS;
	assert_int_equal(input(f).verdict, NET_CONSUMED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(echo_is_answered),
		ROW(icmp_rows),
		ROW(echo_is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
