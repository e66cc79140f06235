/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 headers row by row: what each malformed one is counted as. Fragments of both versions. */
#include "net_rig.h"

static void
ip4_datagram_arrives(void **state)
{
	struct fixture *f = *state;

	good4(f);
	add(f, "padding", 7); /* behind the IP length: not ours */
	expect_hello(f, NET_NO_INFO);
	assert_memory_equal(f->view.peer.address, peer4_mapped, 16);
	assert_memory_equal(f->view.peer.local_address, our4_mapped, 16);
	assert_memory_equal(f->view.peer.mac, peer_mac, 6);
	assert_int_equal(f->view.peer.port, 40000);
	assert_int_equal(f->view.peer.local_port, FIRST_PORT);
	assert_int_equal(f->view.flags & PACKET_ECN_CE, 0);
}

static void
ip4_congestion_mark_is_passed_up(void **state)
{
	struct fixture *f = *state;
	uint8_t *ip = good4(f);

	ip[1] = 0xff;
	ip4_resum(ip);
	expect_hello(f, NET_NO_INFO);
	assert_true(f->view.flags & PACKET_ECN_CE);
}

static void
ip4_header_rows(void **state)
{
	struct fixture *f = *state;
	uint8_t *ip = good4(f);

	ip[0] = 0x55;
	expect_drop(f, LANE_ip4_version);
	ip = good4(f);
	ip[0] = 0x44;
	expect_drop(f, LANE_ip4_length);
	ip = good4(f);
	store_be16(ip + 2, 19);
	expect_drop(f, LANE_ip4_length);
	ip = good4(f);
	ip[0] = 0x46;
	expect_drop(f, LANE_ip4_options);
	ip = good4(f);
	store_be16(ip + 2, 20 + 8 + 6);
	expect_drop(f, LANE_ip_truncated);
	for (uint32_t len = 14; len < 34; len++) {
		good4(f);
		f->len = len;
		expect_drop(f, LANE_ip_truncated);
	}
	ip = good4(f);
	ip[8]++;
	expect_drop(f, LANE_ip4_csum);
	ip = good4(f);
	ip[9] = 6;
	ip4_resum(ip);
	expect_drop(f, LANE_ip_proto);
	ip = good4(f);
	ip[9] = 58; /* ICMPv6 has no place in IPv4 */
	ip4_resum(ip);
	expect_drop(f, LANE_ip_proto);
}

/* A device that has shown that it looks: its GOODs, right ones all, are behind it. */
static void
device_proves_itself(struct fixture *f)
{
	for (uint32_t i = 0; i < NET_CSUM_TRIAL; i++) {
		good4(f);
		f->view.flags = PACKET_IP_CSUM_GOOD | PACKET_L4_CSUM_GOOD;
		expect_hello(f, NET_NO_INFO);
	}
}

static void
ip4_device_checksums(void **state)
{
	struct fixture *f = *state;
	uint8_t *ip;

	device_proves_itself(f);
	ip = good4(f);
	ip[10] ^= 1;
	f->view.flags = PACKET_IP_CSUM_GOOD;
	expect_hello(f, NET_NO_INFO);
	good4(f);
	f->view.flags = PACKET_IP_CSUM_BAD;
	expect_drop(f, LANE_ip4_csum);
	good4(f);
	f->bytes[f->len - 1] ^= 1;
	f->view.flags = PACKET_L4_CSUM_GOOD;
	assert_int_equal(input(f).verdict, NET_UDP);
	good4(f);
	f->view.flags = PACKET_L4_CSUM_BAD;
	expect_drop(f, LANE_udp_csum);
}

/* Wrong on its 64th word, of either layer: found, and then nothing that it says counts. */
static void
device_that_lies_is_found_out(void **state)
{
	struct fixture *f = *state;

	for (uint32_t layer = 0; layer < 2; layer++) {
		f->nic->ops->destroy(f->nic);
		fixture_open(f, true, 0);
		for (uint32_t i = 1; i < NET_CSUM_TRIAL; i++) {
			good4(f);
			f->view.flags = PACKET_IP_CSUM_GOOD | PACKET_L4_CSUM_GOOD;
			expect_hello(f, NET_NO_INFO);
		}
		for (uint32_t i = 0; i < 2; i++) {
			uint8_t *ip = good4(f);

			ip[layer == 0 ? 10 : f->len - 15] ^= 1;
			f->view.flags = PACKET_IP_CSUM_GOOD | PACKET_L4_CSUM_GOOD;
			expect(f, NET_DROPPED, layer == 0 ? LANE_ip4_csum : LANE_udp_csum,
				i == 0 ? LANE_csum_offload_wrong : NET_NO_INFO);
		}
		good4(f); /* nor is its BAD believed */
		f->view.flags = PACKET_IP_CSUM_BAD | PACKET_L4_CSUM_BAD;
		expect_hello(f, NET_NO_INFO);
	}
}

/* A queue whose own device never lied to it, told so by another queue of the port. */
static void
distrust_is_told_from_outside(void **state)
{
	struct fixture *f = *state;

	device_proves_itself(f);
	net_distrust_checksums(&f->port);
	good4(f);
	f->bytes[f->len - 1] ^= 1;
	f->view.flags = PACKET_IP_CSUM_GOOD | PACKET_L4_CSUM_GOOD;
	expect_drop(f, LANE_udp_csum);
}

static void
ip4_address_rows(void **state)
{
	static const uint8_t bad_sources[][4] = {{0, 0, 0, 0}, {0, 1, 2, 3}, {127, 0, 0, 1}, {224, 0, 0, 1},
		{239, 1, 1, 1}, {255, 255, 255, 255}, {192, 0, 2, 2}};
	static const uint8_t bad_destinations[][4] = {
		{192, 0, 2, 3}, {255, 255, 255, 255}, {224, 0, 0, 1}, {0, 0, 0, 0}, {127, 0, 0, 1}};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_COUNT(bad_sources); i++) {
		uint8_t *ip = good4(f);

		memcpy(ip + 12, bad_sources[i], 4);
		ip4_resum(ip);
		expect_drop(f, LANE_ip4_addr);
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad_destinations); i++) {
		uint8_t *ip = good4(f);

		memcpy(ip + 16, bad_destinations[i], 4);
		ip4_resum(ip);
		expect_drop(f, LANE_ip4_addr);
	}
}

static void
fragments_are_dropped(void **state)
{
	struct fixture *f = *state;
	uint8_t *ip = good4(f);

	store_be16(ip + 6, 0x2000);
	ip4_resum(ip);
	expect_drop(f, LANE_ip_fragment);
	ip = good4(f);
	store_be16(ip + 6, 1);
	ip4_resum(ip);
	expect_drop(f, LANE_ip_fragment);
	ip = good4(f);
	store_be16(ip + 6, 0x4000);
	ip4_resum(ip);
	expect_hello(f, NET_NO_INFO);
	ip = good6(f);
	ip[6] = 44;
	expect_drop(f, LANE_ip_fragment);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(ip4_datagram_arrives),
		ROW(ip4_congestion_mark_is_passed_up),
		ROW(ip4_header_rows),
		ROW(ip4_device_checksums),
		ROW(device_that_lies_is_found_out),
		ROW(distrust_is_told_from_outside),
		ROW(ip4_address_rows),
		ROW(fragments_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
