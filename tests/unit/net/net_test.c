/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every row of the net stack's table: what is accepted, what each malformed packet is counted as, and
 * what is answered. Frames are built here byte by byte, apart from the code under test, and put
 * through the fake queue's views. Checksums of replies are checked with a loop of our own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "base/bytes.h"
#include "base/rand.h"
#include "net/net.h"
#include "support/nic_fake.h"

#define FIRST_PORT 9292
#define PORTS	   2
#define NOW	   (1000 * NS_PER_S)

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 99};
static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};
static const uint8_t our4[4] = {192, 0, 2, 2};
static const uint8_t peer4[4] = {192, 0, 2, 1};
static const uint8_t our4_mapped[16] = {[10] = 255, 255, 192, 0, 2, 2};
static const uint8_t peer4_mapped[16] = {[10] = 255, 255, 192, 0, 2, 1};
static const uint8_t our6[16] = {0x20, 1, 0x0d, 0xb8, [13] = 0xab, 0xcd, 0xef};
static const uint8_t peer6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 1};
static const uint8_t our_group[16] = {0xff, 2, [11] = 1, 0xff, 0xab, 0xcd, 0xef};
static const uint8_t our_group_mac[6] = {0x33, 0x33, 0xff, 0xab, 0xcd, 0xef};
static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
static const uint8_t zeros[16];

struct fixture {
	struct nic *nic;
	struct net_port port;
	struct packet_view view;
	uint8_t bytes[2048];
	uint32_t len;
	uint64_t now_ns;
};

static void
fixture_open(struct fixture *f, bool answer, uint16_t vlan_id)
{
	struct nic_fake_options nic_options;
	struct net_options options = {.answer = answer,
		.vlan_id = vlan_id,
		.dscp = 10,
		.udp_port_first = FIRST_PORT,
		.udp_port_count = PORTS,
		.address_count = 2};

	memset(f, 0, sizeof(*f));
	nic_fake_options_init(&nic_options);
	nic_options.kernel_stack = false;
	f->nic = nic_fake_create(&nic_options);
	f->now_ns = NOW;
	options.nic = f->nic;
	memcpy(options.addresses[0], our4_mapped, 16);
	memcpy(options.addresses[1], our6, 16);
	assert_int_equal(net_port_init(&f->port, &options), 0);
}

static int
set_up(void **state)
{
	static struct fixture f;

	fixture_open(&f, true, 0);
	*state = &f;
	return 0;
}

static int
set_up_vlan(void **state)
{
	static struct fixture f;

	fixture_open(&f, true, 7);
	*state = &f;
	return 0;
}

static int
set_up_kernel_answers(void **state)
{
	static struct fixture f;

	fixture_open(&f, false, 0);
	*state = &f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	f->nic->ops->destroy(f->nic);
	return 0;
}

/* --- building ------------------------------------------------------------------------------------ */

static uint32_t
sum16(const uint8_t *at, uint32_t len, uint32_t sum)
{
	for (uint32_t i = 0; i < len; i++) {
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* Appends bytes; NULL: zeros. Returns where they are. */
static uint8_t *
add(struct fixture *f, const void *bytes, uint32_t len)
{
	uint8_t *at = f->bytes + f->len;

	assert_true(f->len + len <= sizeof(f->bytes));
	if (bytes) {
		memcpy(at, bytes, len);
	} else {
		memset(at, 0, len);
	}
	f->len += len;
	return at;
}

static void
add16(struct fixture *f, uint16_t v)
{
	store_be16(add(f, NULL, 2), v);
}

static void
ethernet(struct fixture *f, const uint8_t *to, uint16_t type)
{
	f->len = 0;
	add(f, to, 6);
	add(f, peer_mac, 6);
	add16(f, type);
}

/* Returns the header, its checksum right. */
static uint8_t *
ip4(struct fixture *f, const uint8_t *from, const uint8_t *to, uint8_t protocol, uint32_t payload)
{
	uint8_t *at = add(f, NULL, 20);

	at[0] = 0x45;
	store_be16(at + 2, (uint16_t)(20 + payload));
	at[8] = 3;
	at[9] = protocol;
	memcpy(at + 12, from, 4);
	memcpy(at + 16, to, 4);
	store_be16(at + 10, (uint16_t)~sum16(at, 20, 0));
	return at;
}

static void
ip4_resum(uint8_t *at)
{
	store_be16(at + 10, 0);
	store_be16(at + 10, (uint16_t)~sum16(at, 20, 0));
}

static uint8_t *
ip6(struct fixture *f, const uint8_t *from, const uint8_t *to, uint8_t next, uint32_t payload)
{
	uint8_t *at = add(f, NULL, 40);

	at[0] = 0x60;
	store_be16(at + 4, (uint16_t)payload);
	at[6] = next;
	at[7] = 255;
	memcpy(at + 8, from, 16);
	memcpy(at + 24, to, 16);
	return at;
}

/* Sums of protocol over the IP header at `ip` and the bytes behind it. */
static uint32_t
pseudo(const uint8_t *ip, uint8_t protocol, uint32_t len)
{
	bool v4 = ip[0] >> 4 == 4;
	uint32_t sum = v4 ? sum16(ip + 12, 8, 0) : sum16(ip + 8, 32, 0);

	sum += protocol + len;
	return (sum & 0xffff) + (sum >> 16);
}

static uint8_t *
udp(struct fixture *f, uint16_t to, const char *text)
{
	uint32_t len = 8 + (uint32_t)strlen(text);
	uint8_t *ip = f->bytes + f->len - ((f->bytes[12] == 0x86 || f->bytes[16] == 0x86) ? 40 : 20);
	uint8_t *at = add(f, NULL, 8);
	uint16_t sum;

	store_be16(at, 40000);
	store_be16(at + 2, to);
	store_be16(at + 4, (uint16_t)len);
	add(f, text, (uint32_t)strlen(text));
	sum = (uint16_t)~sum16(at, len, pseudo(ip, 17, len));
	store_be16(at + 6, sum ? sum : 0xffff);
	return at;
}

/* A right IPv4 datagram; pieces may be spoiled afterwards. */
static uint8_t *
good4(struct fixture *f)
{
	uint8_t *ip;

	ethernet(f, our_mac, 0x0800);
	ip = ip4(f, peer4, our4, 17, 8 + 5);
	udp(f, FIRST_PORT, "hello");
	return ip;
}

static uint8_t *
good6(struct fixture *f)
{
	uint8_t *ip;

	ethernet(f, our_mac, 0x86dd);
	ip = ip6(f, peer6, our6, 17, 8 + 5);
	udp(f, FIRST_PORT, "hello");
	return ip;
}

static struct net_result
input(struct fixture *f)
{
	f->view = (struct packet_view){.data = f->bytes, .len = f->len, .owner = 1, .flags = f->view.flags};
	return net_input(&f->port, &f->view, f->now_ns);
}

static void
expect(struct fixture *f, enum net_verdict verdict, enum lane_counter counter, enum lane_counter info)
{
	struct net_result result = input(f);

	assert_int_equal(result.verdict, verdict);
	assert_string_equal(lane_counter_rows[result.counter].name, lane_counter_rows[counter].name);
	assert_int_equal(result.info, info);
	assert_int_equal(f->view.owner, 1);
}

static void
expect_drop(struct fixture *f, enum lane_counter counter)
{
	expect(f, NET_DROPPED, counter, NET_NO_INFO);
}

static void
expect_hello(struct fixture *f, enum lane_counter info)
{
	struct net_result result = input(f);

	assert_int_equal(result.verdict, NET_UDP);
	assert_int_equal(result.info, info);
	assert_int_equal(f->view.len, 5);
	assert_memory_equal(f->view.data, "hello", 5);
	assert_int_equal(f->port.reply_count, 0);
}

/* The only reply that is queued. */
static struct packet_view *
reply(struct fixture *f)
{
	assert_int_equal(f->port.reply_count, 1);
	f->port.reply_count = 0;
	return &f->port.replies[0];
}

/* --- Ethernet and VLAN ----------------------------------------------------------------------------- */

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
insert_tag(struct fixture *f, uint16_t tpid, uint16_t tci)
{
	memmove(f->bytes + 16, f->bytes + 12, f->len - 12);
	store_be16(f->bytes + 12, tpid);
	store_be16(f->bytes + 14, tci);
	f->len += 4;
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

/* --- ARP -------------------------------------------------------------------------------------------- */

static uint8_t *
arp(struct fixture *f, uint16_t operation, const uint8_t *from4, const uint8_t *to4)
{
	uint8_t *at;

	ethernet(f, broadcast, 0x0806);
	at = add(f, "\0\1\x08\0\6\4\0\0", 8);
	at[7] = (uint8_t)operation;
	add(f, peer_mac, 6);
	add(f, from4, 4);
	add(f, NULL, 6);
	add(f, to4, 4);
	return at;
}

static void
arp_request_is_answered(void **state)
{
	struct fixture *f = *state;
	struct packet_view *answer;
	uint8_t want[42] = {2, 0, 0, 0, 0, 99, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0,
		0, 1, 192, 0, 2, 2, 2, 0, 0, 0, 0, 99, 192, 0, 2, 1};

	arp(f, 1, peer4, our4);
	expect(f, NET_CONSUMED, LANE_arp, NET_NO_INFO);
	answer = reply(f);
	assert_memory_equal(answer->data, want, sizeof(want));
	assert_int_equal(answer->len, 60);
	/* A probe, whose sender has no address yet, is answered too (RFC 5227, 2.1.1). */
	arp(f, 1, zeros, our4);
	expect(f, NET_CONSUMED, LANE_arp, NET_NO_INFO);
	reply(f);
}

static void
arp_other_rows(void **state)
{
	struct fixture *f = *state;
	uint8_t *at;

	arp(f, 1, peer4, peer4);
	expect_drop(f, LANE_arp_other);
	arp(f, 2, peer4, our4);
	expect_drop(f, LANE_arp_other);
	for (int i = 0; i < 6; i++) {
		at = arp(f, 1, peer4, our4);
		at[i] ^= 0x40;
		expect_drop(f, LANE_arp_other);
	}
	at = arp(f, 1, peer4, our4);
	f->len--;
	expect_drop(f, LANE_arp_other);
	at = arp(f, 1, peer4, our4);
	at[8] |= 1; /* sender's MAC is a group */
	expect_drop(f, LANE_arp_other);
	at = arp(f, 1, broadcast, our4);
	expect_drop(f, LANE_arp_other);
	assert_int_equal(f->port.reply_count, 0);
	(void)at;
}

static void
arp_conflict_is_seen_and_defended_once(void **state)
{
	struct fixture *f = *state;
	struct packet_view *defence;

	arp(f, 2, our4, our4);
	expect(f, NET_CONSUMED, LANE_arp, LANE_arp_conflict);
	defence = reply(f);
	assert_memory_equal(defence->data, broadcast, 6);
	assert_memory_equal(defence->data + 28, our4, 4);
	assert_memory_equal(defence->data + 38, our4, 4);
	f->now_ns += 9 * NS_PER_S;
	arp(f, 1, our4, our4);
	expect(f, NET_CONSUMED, LANE_arp, LANE_arp_conflict);
	assert_int_equal(f->port.reply_count, 0);
	f->now_ns += 2 * NS_PER_S;
	expect(f, NET_CONSUMED, LANE_arp, LANE_arp_conflict);
	reply(f);
}

static void
arp_replies_are_limited(void **state)
{
	struct fixture *f = *state;
	uint32_t answered = 0, limited = 0;

	arp(f, 1, peer4, our4);
	for (int i = 0; i < 4000; i++) {
		struct net_result result;

		f->now_ns += NS_PER_S / 2000;
		result = input(f);
		answered += result.verdict == NET_CONSUMED;
		limited += result.verdict == NET_DROPPED && result.counter == LANE_arp_rate;
		if (f->port.reply_count > 0) {
			f->nic->ops->tx(f->nic, f->port.replies, f->port.reply_count);
			f->port.reply_count = 0;
			while (nic_fake_take(f->nic, &(struct nic_fake_packet){0})) {
				continue;
			}
		}
	}
	assert_int_equal(answered + limited, 4000);
	assert_in_range(answered, 2000, 2101);
}

static void
lack_of_buffers_shows(void **state)
{
	struct fixture *f = *state;

	nic_fake_tx_alloc_fail(f->nic, 1);
	arp(f, 1, peer4, our4);
	expect(f, NET_CONSUMED, LANE_arp, LANE_tx_no_buffer);
	assert_int_equal(f->port.reply_count, 0);
	for (uint32_t i = 0; i < NET_REPLIES_MAX; i++) {
		expect(f, NET_CONSUMED, LANE_arp, NET_NO_INFO);
	}
	expect(f, NET_CONSUMED, LANE_arp, LANE_tx_no_buffer);
	assert_int_equal(f->port.reply_count, NET_REPLIES_MAX);
}

/* --- IPv4 -------------------------------------------------------------------------------------------- */

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

static void
ip4_device_checksums(void **state)
{
	struct fixture *f = *state;
	uint8_t *ip = good4(f);

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

/* --- IPv6 -------------------------------------------------------------------------------------------- */

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

/* --- NDP ---------------------------------------------------------------------------------------------- */

static void
icmp6_resum(uint8_t *ip, uint32_t len)
{
	uint8_t *at = ip + 40;

	store_be16(at + 2, 0);
	store_be16(at + 2, (uint16_t)~sum16(at, len, pseudo(ip, 58, len)));
}

/* A solicitation or advertisement for target, with a source address option unless from ::. */
static uint8_t *
nd(struct fixture *f, uint8_t type, const uint8_t *from, const uint8_t *target)
{
	bool probe = from == zeros;
	uint32_t len = 24 + (probe ? 0 : 8);
	uint8_t *ip, *at;

	ethernet(f, type == 135 ? our_group_mac : all_nodes_mac, 0x86dd);
	ip = ip6(f, from, type == 135 ? our_group : all_nodes, 58, len);
	at = add(f, NULL, len);
	at[0] = type;
	memcpy(at + 8, target, 16);
	if (!probe) {
		at[24] = type == 135 ? 1 : 2;
		at[25] = 1;
		memcpy(at + 26, peer_mac, 6);
	}
	icmp6_resum(ip, len);
	return ip;
}

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

/* --- announcements -------------------------------------------------------------------------------------- */

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
	/* Tentative: no answer yet, but another's probe is noticed. */
	f->now_ns = NOW + NS_PER_S - 1;
	nd(f, 135, peer6, our6);
	expect(f, NET_CONSUMED, LANE_ndp, NET_NO_INFO);
	nd(f, 135, zeros, our6);
	expect(f, NET_CONSUMED, LANE_ndp, LANE_ndp_conflict);
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

/* --- ICMP ----------------------------------------------------------------------------------------------- */

static uint8_t *
echo4(struct fixture *f, uint8_t type, uint8_t code, const char *text)
{
	uint32_t len = 8 + (uint32_t)strlen(text);
	uint8_t *at;

	ethernet(f, our_mac, 0x0800);
	ip4(f, peer4, our4, 1, len);
	at = add(f, NULL, 8);
	at[0] = type;
	at[1] = code;
	store_be16(at + 4, 77);
	store_be16(at + 6, 3);
	add(f, text, len - 8);
	store_be16(at + 2, (uint16_t)~sum16(at, len, 0));
	return at;
}

static uint8_t *
echo6(struct fixture *f, uint8_t type, const char *text)
{
	uint32_t len = 8 + (uint32_t)strlen(text);
	uint8_t *ip, *at;

	ethernet(f, our_mac, 0x86dd);
	ip = ip6(f, peer6, our6, 58, len);
	at = add(f, NULL, 8);
	at[0] = type;
	store_be16(at + 4, 77);
	add(f, text, len - 8);
	icmp6_resum(ip, len);
	return ip;
}

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

/* --- UDP ------------------------------------------------------------------------------------------------- */

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

/* --- modes ------------------------------------------------------------------------------------------------ */

static void
kernel_answers_mode_sends_nothing(void **state)
{
	struct fixture *f = *state;

	good4(f);
	expect_hello(f, NET_NO_INFO);
	arp(f, 1, peer4, our4);
	expect_drop(f, LANE_arp_other);
	nd(f, 135, peer6, our6);
	expect_drop(f, LANE_ndp_ignored);
	echo4(f, 8, 0, "x");
	expect_drop(f, LANE_icmp_ignored);
	ethernet(f, our_mac, 0x0800);
	ip4(f, peer4, our4, 17, 13);
	udp(f, 53, "hello");
	expect_drop(f, LANE_udp_port);
	net_announce(&f->port, NOW);
	net_tick(&f->port, NOW);
	assert_int_equal(f->port.reply_count, 0);
	assert_true(net_deadline_ns(&f->port) == UINT64_MAX);
}

static void
cut_packets_are_dropped(void **state)
{
	struct fixture *f = *state;

	good4(f);
	f->view.flags = PACKET_MULTI_SEGMENT;
	expect_drop(f, LANE_multi_segment);
	f->view.flags = PACKET_MULTI_SEGMENT | PACKET_KERNEL_STACK;
	expect_drop(f, LANE_multi_segment);
}

static void
kernel_stack_passes_through(void **state)
{
	struct nic_fake_options nic_options;
	struct net_options options = {.answer = true, .udp_port_first = 1, .udp_port_count = 1};
	struct net_port port;
	struct packet_view view;
	struct packet_view in = {.data = (uint8_t *)"hi", .len = 2, .flags = PACKET_KERNEL_STACK, .owner = 1,
		.peer = {.port = 5, .local_port = 6}};

	memcpy(in.peer.address, peer4_mapped, 16);
	nic_fake_options_init(&nic_options);
	options.nic = nic_fake_create(&nic_options);
	assert_int_equal(net_port_init(&port, &options), 0);
	assert_int_equal(net_input(&port, &in, NOW).verdict, NET_UDP);
	assert_int_equal(in.len, 2);
	assert_true(net_udp_alloc(&port, &in.peer, 1472, &view));
	assert_false(net_udp_alloc(&port, &in.peer, 1473, &(struct packet_view){0}));
	net_udp_reply(&port, &view);
	assert_int_equal(view.len, 1472);
	assert_memory_equal(&view.peer, &in.peer, sizeof(in.peer));
	options.nic->ops->tx(options.nic, &view, 1);
	options.nic->ops->destroy(options.nic);
}

static void
bad_options_are_refused(void **state)
{
	struct fixture *f = *state;
	struct net_options good = {.nic = f->nic, .answer = true, .udp_port_first = 1, .udp_port_count = 1,
		.address_count = 1};
	struct net_options bad;
	struct net_port port;

	memcpy(good.addresses[0], our4_mapped, 16);
	assert_int_equal(net_port_init(&port, &good), 0);
	bad = good;
	bad.address_count = 0;
	assert_int_equal(net_port_init(&port, &bad), -EINVAL);
	bad = good;
	bad.addresses[0][12] = 224;
	assert_int_equal(net_port_init(&port, &bad), -EINVAL);
	bad = good;
	memcpy(bad.addresses[0], all_nodes, 16);
	assert_int_equal(net_port_init(&port, &bad), -EINVAL);
	bad = good;
	memset(bad.addresses[0], 0, 16);
	assert_int_equal(net_port_init(&port, &bad), -EINVAL);
	bad = good;
	bad.udp_port_first = 65535;
	bad.udp_port_count = 2;
	assert_int_equal(net_port_init(&port, &bad), -EINVAL);
	bad = good;
	bad.vlan_id = 4095;
	assert_int_equal(net_port_init(&port, &bad), -EINVAL);
	bad = good;
	bad.dscp = 64;
	assert_int_equal(net_port_init(&port, &bad), -EINVAL);
}

/* Any byte of any of these frames spoiled, or the frame cut anywhere: a verdict, and no access outside. */
static void
spoiled_frames_get_a_verdict(void **state)
{
	struct fixture *f = *state;
	struct rand rand;

	rand_init(&rand, 42);
	for (int i = 0; i < 20000; i++) {
		uint8_t *exact;
		uint32_t len;

		switch (rand_below(&rand, 6)) {
		case 0:
			good4(f);
			break;
		case 1:
			good6(f);
			break;
		case 2:
			arp(f, 1, peer4, our4);
			break;
		case 3:
			nd(f, 135, peer6, our6);
			break;
		case 4:
			echo6(f, 128, "xyz");
			break;
		default:
			echo4(f, 8, 0, "xyz");
			break;
		}
		for (uint64_t k = rand_below(&rand, 4); k > 0; k--) {
			f->bytes[rand_below(&rand, f->len)] = (uint8_t)rand_u64(&rand);
		}
		len = rand_below(&rand, 2) ? f->len : (uint32_t)rand_below(&rand, f->len);
		exact = test_malloc(len + 1);
		memcpy(exact, f->bytes, len);
		f->view = (struct packet_view){.data = exact, .len = len, .owner = 1};
		(void)net_input(&f->port, &f->view, f->now_ns);
		assert_true(f->view.data >= exact);
		assert_true(f->view.data + f->view.len <= exact + len);
		test_free(exact);
		f->now_ns += NS_PER_MS;
		f->nic->ops->tx(f->nic, f->port.replies, f->port.reply_count);
		f->port.reply_count = 0;
		while (nic_fake_take(f->nic, &(struct nic_fake_packet){0})) {
			continue;
		}
	}
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(ethernet_rows),
		ROW(vlan_rows_of_an_untagged_port),
		cmocka_unit_test_setup_teardown(vlan_rows_of_a_tagged_port, set_up_vlan, tear_down),
		ROW(arp_request_is_answered),
		ROW(arp_other_rows),
		ROW(arp_conflict_is_seen_and_defended_once),
		ROW(arp_replies_are_limited),
		ROW(lack_of_buffers_shows),
		ROW(ip4_datagram_arrives),
		ROW(ip4_congestion_mark_is_passed_up),
		ROW(ip4_header_rows),
		ROW(ip4_device_checksums),
		ROW(ip4_address_rows),
		ROW(fragments_are_dropped),
		ROW(ip6_datagram_arrives),
		ROW(ip6_header_rows),
		ROW(ip6_extension_rows),
		ROW(ip6_address_rows),
		ROW(solicitation_is_answered),
		ROW(ndp_bad_rows),
		ROW(ndp_ignored_rows),
		ROW(advertisement_of_our_address_is_a_conflict),
		ROW(advertisements_are_limited),
		ROW(announcements_come_three_times),
		ROW(groups_to_join),
		ROW(echo_is_answered),
		ROW(icmp_rows),
		ROW(echo_is_limited),
		ROW(udp_rows),
		ROW(udp_without_checksum),
		ROW(udp_shorter_than_ip),
		ROW(udp_ports_of_all_lanes),
		ROW(closed_port_is_unreachable),
		ROW(closed_port_without_answer),
		ROW(udp_reply_mirrors_the_datagram),
		cmocka_unit_test_setup_teardown(udp_reply_keeps_the_tag_and_the_mtu, set_up_vlan, tear_down),
		cmocka_unit_test_setup_teardown(kernel_answers_mode_sends_nothing, set_up_kernel_answers, tear_down),
		ROW(cut_packets_are_dropped),
		ROW(kernel_stack_passes_through),
		ROW(bad_options_are_refused),
		ROW(spoiled_frames_get_a_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
