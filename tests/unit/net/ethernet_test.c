/* SPDX-License-Identifier: Apache-2.0 */
/* Ethernet and VLAN: which frames are ours, tagged and untagged. */
#include "net_rig.h"

static void
ethernet_rows(void **state)
{
	struct fixture *f = *state;

	for (f->len = 0; f->len < 14; f->len++) {
		expect_drop(f, LANE_eth_short);
	}
	good4(f);
	f->bytes[5] ^= 1;
	expect_drop(f, LANE_eth_dst);
	good4(f);
	memcpy(f->bytes, "\x33\x33\xff\x00\x00\x01", 6); /* a group of somebody else */
	expect_drop(f, LANE_eth_dst);
	good4(f);
	f->bytes[6] |= 1; /* a group as source */
	expect_drop(f, LANE_eth_dst);
	good4(f);
	store_be16(f->bytes + 12, 0x88cc);
	expect_drop(f, LANE_eth_type);
	store_be16(f->bytes + 12, 46); /* 802.3 length */
	expect_drop(f, LANE_eth_type);
	good4(f);
	memcpy(f->bytes, broadcast, 6);
	expect_hello(f, NET_NO_INFO);
}

static void
vlan_rows_of_an_untagged_port(void **state)
{
	struct fixture *f = *state;

	good4(f);
	insert_tag(f, 0x8100, 0xa000); /* priority tag */
	expect_hello(f, NET_NO_INFO);
	assert_int_equal(f->view.peer.vlan_tci, 0);
	good4(f);
	insert_tag(f, 0x8100, 7);
	expect_drop(f, LANE_vlan_id);
	good4(f);
	insert_tag(f, 0x8100, 0);
	insert_tag(f, 0x8100, 0);
	expect_drop(f, LANE_vlan_nested);
	good4(f);
	insert_tag(f, 0x88a8, 0);
	expect_drop(f, LANE_vlan_nested);
	good4(f);
	insert_tag(f, 0x8100, 0);
	f->len = 17;
	expect_drop(f, LANE_eth_short);
}

static void
vlan_rows_of_a_tagged_port(void **state)
{
	struct fixture *f = *state;
	struct packet_view *answer;

	good4(f);
	expect_drop(f, LANE_vlan_id);
	good4(f);
	insert_tag(f, 0x8100, 0);
	expect_drop(f, LANE_vlan_id);
	good4(f);
	insert_tag(f, 0x8100, 0x6007);
	expect_hello(f, NET_NO_INFO);
	assert_int_equal(f->view.peer.vlan_tci, 0x6007);
	/* And what leaves carries the tag. */
	ethernet(f, broadcast, 0x0806);
	add(f, "\0\1\x08\0\6\4\0\1", 8);
	add(f, peer_mac, 6);
	add(f, peer4, 4);
	add(f, NULL, 6);
	add(f, our4, 4);
	insert_tag(f, 0x8100, 7);
	expect(f, NET_CONSUMED, LANE_arp, NET_NO_INFO);
	answer = reply(f);
	assert_int_equal(load_be32(answer->data + 12), 0x81000007);
	assert_int_equal(load_be16(answer->data + 16), 0x0806);
	assert_true(answer->len >= 60);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(ethernet_rows),
		ROW(vlan_rows_of_an_untagged_port),
		ROW_TAGGED(vlan_rows_of_a_tagged_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
