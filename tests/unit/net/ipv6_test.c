/* SPDX-License-Identifier: Apache-2.0 */
/* IPv6 headers and extension headers row by row. */
#include "net_rig.h"

static void
ip6_datagram_arrives(void **state)
{
	struct fixture *f = *state;
	uint8_t *ip = good6(f);

	add(f, "padding", 7);
	expect_hello(f, NET_NO_INFO);
	assert_memory_equal(f->view.peer.address, peer6, 16);
	assert_memory_equal(f->view.peer.local_address, our6, 16);
	assert_int_equal(f->view.peer.port, 40000);
	ip = good6(f);
	ip[1] = 0x30;
	expect_hello(f, NET_NO_INFO);
	assert_true(f->view.flags & PACKET_ECN_CE);
}

static void
ip6_header_rows(void **state)
{
	struct fixture *f = *state;
	uint8_t *ip = good6(f);

	ip[0] = 0x40;
	expect_drop(f, LANE_ip6_version);
	ip = good6(f);
	store_be16(ip + 4, 14);
	expect_drop(f, LANE_ip_truncated);
	for (uint32_t len = 14; len < 54; len++) {
		good6(f);
		f->len = len;
		expect_drop(f, LANE_ip_truncated);
	}
	ip = good6(f);
	ip[6] = 6;
	expect_drop(f, LANE_ip_proto);
	ip[6] = 59;
	expect_drop(f, LANE_ip_proto);
	ip[6] = 1; /* ICMP of IPv4 */
	expect_drop(f, LANE_ip_proto);
}

static void
ip6_extension_rows(void **state)
{
	static const uint8_t refused[] = {43, 50, 51, 60, 135, 139, 140};
	struct fixture *f = *state;
	uint8_t *ip;

	for (size_t i = 0; i < sizeof(refused); i++) {
		ip = good6(f);
		ip[6] = refused[i];
		expect_drop(f, LANE_ip6_exthdr);
	}
	/* One hop-by-hop header of at most 64 bytes is skipped. */
	for (uint32_t len = 8; len <= 72; len += 8) {
		uint8_t *at;

		ethernet(f, our_mac, 0x86dd);
		ip = ip6(f, peer6, our6, 17, 8 + 5);
		at = udp(f, FIRST_PORT, "hello");
		memmove(at + len, at, 13);
		memset(at, 0, len);
		f->len += len;
		ip[6] = 0;
		store_be16(ip + 4, (uint16_t)(13 + len));
		at[0] = 17;
		at[1] = (uint8_t)(len / 8 - 1);
		if (len <= 64) {
			expect_hello(f, NET_NO_INFO);
		} else {
			expect_drop(f, LANE_ip6_exthdr);
		}
		at[0] = 0; /* a second one */
		expect_drop(f, LANE_ip6_exthdr);
		at[1] = 200;
		expect_drop(f, LANE_ip6_length);
	}
	ip = good6(f);
	ip[6] = 0;
	store_be16(ip + 4, 7);
	expect_drop(f, LANE_ip6_length);
}

static void
ip6_address_rows(void **state)
{
	static const uint8_t loopback[16] = {[15] = 1};
	struct fixture *f = *state;
	uint8_t *ip;
	const uint8_t *bad_sources[] = {zeros, loopback, all_nodes, our6, peer4_mapped};
	const uint8_t *bad_destinations[] = {peer6, zeros, loopback, our4_mapped, all_nodes, our_group,
		(const uint8_t *)"\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x02"};

	for (size_t i = 0; i < ARRAY_COUNT(bad_sources); i++) {
		ip = good6(f);
		memcpy(ip + 8, bad_sources[i], 16);
		expect_drop(f, LANE_ip6_addr);
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad_destinations); i++) {
		ip = good6(f);
		memcpy(ip + 24, bad_destinations[i], 16);
		expect_drop(f, LANE_ip6_addr);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(ip6_datagram_arrives),
		ROW(ip6_header_rows),
		ROW(ip6_extension_rows),
		ROW(ip6_address_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
