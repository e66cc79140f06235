/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbour discovery: solicitations, conflicts, and how addresses are announced. */
#include "net_rig.h"

static void
check_advertisement(const struct packet_view *v, const uint8_t *mac, const uint8_t *to, uint8_t flags)
{
	const uint8_t *ip = v->data + 14, *at = ip + 40;

	assert_int_equal(v->len, 14 + 40 + 32);
	assert_memory_equal(v->data, mac, 6);
	assert_memory_equal(v->data + 6, our_mac, 6);
	assert_int_equal(ip[7], 255);
	assert_memory_equal(ip + 8, our6, 16);
	assert_memory_equal(ip + 24, to, 16);
	assert_int_equal(at[0], 136);
	assert_int_equal(at[4], flags);
	assert_memory_equal(at + 8, our6, 16);
	assert_int_equal(at[24], 2);
	assert_int_equal(at[25], 1);
	assert_memory_equal(at + 26, our_mac, 6);
	assert_int_equal(sum16(at, 32, pseudo(ip, 58, 32)), 0xffff);
}

static void
solicitation_is_answered(void **state)
{
	struct fixture *f = *state;
	uint8_t *ip;

	nd(f, 135, peer6, our6);
	expect(f, NET_CONSUMED, LANE_ndp, NET_NO_INFO);
	check_advertisement(reply(f), peer_mac, peer6, 0x60);
	/* Unicast, as for reachability. */
	ip = nd(f, 135, peer6, our6);
	memcpy(f->bytes, our_mac, 6);
	memcpy(ip + 24, our6, 16);
	icmp6_resum(ip, 32);
	expect(f, NET_CONSUMED, LANE_ndp, NET_NO_INFO);
	check_advertisement(reply(f), peer_mac, peer6, 0x60);
	/* Another host probes for our address: all are told. */
	nd(f, 135, zeros, our6);
	expect(f, NET_CONSUMED, LANE_ndp, LANE_ndp_conflict);
	check_advertisement(reply(f), all_nodes_mac, all_nodes, 0x20);
}

static void
ndp_bad_rows(void **state)
{
	struct fixture *f = *state;
	uint8_t *ip = nd(f, 135, peer6, our6);

	ip[7] = 254;
	expect_drop(f, LANE_ndp_bad);
	ip = nd(f, 135, peer6, our6);
	ip[40 + 1] = 1;
	icmp6_resum(ip, 32);
	expect_drop(f, LANE_ndp_bad);
	ip = nd(f, 135, peer6, our6);
	ip[40 + 3] ^= 1;
	expect_drop(f, LANE_ndp_bad);
	ip = nd(f, 135, peer6, our6);
	ip[40 + 25] = 0; /* option without length */
	icmp6_resum(ip, 32);
	expect_drop(f, LANE_ndp_bad);
	ip = nd(f, 135, peer6, our6);
	ip[40 + 25] = 2; /* option beyond the packet */
	icmp6_resum(ip, 32);
	expect_drop(f, LANE_ndp_bad);
	ip = nd(f, 135, peer6, our6);
	memcpy(ip + 40 + 8, our_group, 16);
	icmp6_resum(ip, 32);
	expect_drop(f, LANE_ndp_bad);
	ip = nd(f, 135, peer6, our6);
	store_be16(ip + 4, 20);
	icmp6_resum(ip, 20);
	expect_drop(f, LANE_ndp_bad);
	/* A probe must go to the group, and carry no source address. */
	ip = nd(f, 135, zeros, our6);
	memcpy(ip + 24, our6, 16);
	icmp6_resum(ip, 24);
	expect_drop(f, LANE_ndp_bad);
	ip = nd(f, 135, peer6, our6);
	memset(ip + 8, 0, 16);
	icmp6_resum(ip, 32);
	expect_drop(f, LANE_ndp_bad);
	/* A solicited advertisement to a group. */
	ip = nd(f, 136, peer6, our6);
	ip[40 + 4] = 0x40;
	icmp6_resum(ip, 32);
	expect_drop(f, LANE_ndp_bad);
	assert_int_equal(f->port.reply_count, 0);
}

static void
ndp_ignored_rows(void **state)
{
	static const uint8_t types[] = {129, 130, 133, 134, 137, 143, 200};
	struct fixture *f = *state;
	uint8_t other[16];

	for (size_t i = 0; i < sizeof(types); i++) {
		uint8_t *ip = nd(f, 136, peer6, our6);

		ip[40] = types[i];
		icmp6_resum(ip, 32);
		expect_drop(f, LANE_ndp_ignored);
	}
	/* Somebody with the same last three bytes. */
	memcpy(other, our6, 16);
	other[7] = 5;
	nd(f, 135, peer6, other);
	expect_drop(f, LANE_ndp_ignored);
	nd(f, 136, peer6, peer6);
	expect_drop(f, LANE_ndp_ignored);
}

static void
advertisement_of_our_address_is_a_conflict(void **state)
{
	struct fixture *f = *state;

	nd(f, 136, peer6, our6);
	expect(f, NET_CONSUMED, LANE_ndp, LANE_ndp_conflict);
	/* Our own, looped back. */
	memcpy(f->bytes + 6, our_mac, 6);
	expect(f, NET_CONSUMED, LANE_ndp, NET_NO_INFO);
	assert_int_equal(f->port.reply_count, 0);
}

static void
advertisements_are_limited(void **state)
{
	struct fixture *f = *state;
	struct net_result result = {0};

	nd(f, 135, peer6, our6);
	for (int i = 0; i < 101; i++) {
		result = input(f);
		if (f->port.reply_count == NET_REPLIES_MAX) {
			f->nic->ops->tx(f->nic, f->port.replies, f->port.reply_count);
			f->port.reply_count = 0;
		}
	}
	assert_int_equal(result.verdict, NET_DROPPED);
	assert_int_equal(result.counter, LANE_ndp_rate);
}

/* --- announcements ----------------------------------------------------------------------------- */

static void
announcements_come_three_times(void **state)
{
	struct fixture *f = *state;
	const uint8_t *ip;

	assert_true(net_deadline_ns(&f->port) == UINT64_MAX);
	net_announce(&f->port, NOW);
	assert_true(net_deadline_ns(&f->port) == NOW);
	net_tick(&f->port, NOW);
	assert_int_equal(f->port.reply_count, 2);
	assert_memory_equal(f->port.replies[0].data, broadcast, 6);
	assert_memory_equal(f->port.replies[0].data + 28, our4, 4);
	assert_memory_equal(f->port.replies[0].data + 38, our4, 4);
	/* The probe: from ::, to the group, no option. */
	ip = f->port.replies[1].data + 14;
	assert_memory_equal(f->port.replies[1].data, our_group_mac, 6);
	assert_memory_equal(ip + 8, zeros, 16);
	assert_memory_equal(ip + 24, our_group, 16);
	assert_int_equal(load_be16(ip + 4), 24);
	assert_int_equal(ip[40], 135);
	assert_memory_equal(ip + 48, our6, 16);
	assert_int_equal(sum16(ip + 40, 24, pseudo(ip, 58, 24)), 0xffff);
	f->port.reply_count = 0;
	net_tick(&f->port, NOW + NS_PER_S - 1);
	assert_int_equal(f->port.reply_count, 0);
	/* Tentative: no answer yet, but another's claim or probe is noticed. */
	f->now_ns = NOW + NS_PER_S - 1;
	nd(f, 135, peer6, our6);
	expect(f, NET_CONSUMED, LANE_ndp, NET_NO_INFO);
	nd(f, 135, zeros, our6);
	expect(f, NET_CONSUMED, LANE_ndp, LANE_ndp_duplicate);
	nd(f, 136, peer6, our6);
	expect(f, NET_CONSUMED, LANE_ndp, LANE_ndp_duplicate);
	assert_int_equal(f->port.reply_count, 0);
	net_tick(&f->port, NOW + NS_PER_S);
	assert_int_equal(f->port.reply_count, 2);
	check_advertisement(&f->port.replies[1], all_nodes_mac, all_nodes, 0x20);
	f->port.reply_count = 0;
	net_tick(&f->port, NOW + 2 * NS_PER_S);
	assert_int_equal(f->port.reply_count, 1);
	assert_true(net_deadline_ns(&f->port) == UINT64_MAX);
	net_tick(&f->port, NOW + 90 * NS_PER_S);
	assert_int_equal(f->port.reply_count, 1);
}

static void
groups_to_join(void **state)
{
	struct fixture *f = *state;
	uint8_t macs[4][6];

	assert_int_equal(net_port_groups(&f->port, macs, 4), 2);
	assert_memory_equal(macs[0], all_nodes_mac, 6);
	assert_memory_equal(macs[1], our_group_mac, 6);
	assert_int_equal(net_port_groups(&f->port, macs, 1), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(solicitation_is_answered),
		ROW(ndp_bad_rows),
		ROW(ndp_ignored_rows),
		ROW(advertisement_of_our_address_is_a_conflict),
		ROW(advertisements_are_limited),
		ROW(announcements_come_three_times),
		ROW(groups_to_join),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
