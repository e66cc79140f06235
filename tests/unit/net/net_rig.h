/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the net stack's tests share: a port on the fake queue, frames built byte by byte, apart from the
 * code under test, and what is expected of one. Checksums of replies are checked with a loop of our own.
 */
#ifndef UNIT_NET_NET_RIG_H
#define UNIT_NET_NET_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/bytes.h"
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

static inline void
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
	options.queue = nic_packet_queue(f->nic);
	memcpy(options.addresses[0], our4_mapped, 16);
	memcpy(options.addresses[1], our6, 16);
	assert_int_equal(net_port_init(&f->port, &options), 0);
}

static inline int
set_up(void **state)
{
	static struct fixture f;

	fixture_open(&f, true, 0);
	*state = &f;
	return 0;
}

static inline int
set_up_vlan(void **state)
{
	static struct fixture f;

	fixture_open(&f, true, 7);
	*state = &f;
	return 0;
}

static inline int
set_up_kernel_answers(void **state)
{
	static struct fixture f;

	fixture_open(&f, false, 0);
	*state = &f;
	return 0;
}

static inline int
tear_down(void **state)
{
	struct fixture *f = *state;

	f->nic->ops->destroy(f->nic);
	return 0;
}

/* --- building ------------------------------------------------------------------------------------ */

static inline uint32_t
sum16(const uint8_t *at, uint32_t len, uint32_t sum)
{
	for (uint32_t i = 0; i < len; i++) {
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* Appends bytes; NULL: zeros. Returns where they are. */
static inline uint8_t *
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

static inline void
add16(struct fixture *f, uint16_t v)
{
	store_be16(add(f, NULL, 2), v);
}

static inline void
ethernet(struct fixture *f, const uint8_t *to, uint16_t type)
{
	f->len = 0;
	add(f, to, 6);
	add(f, peer_mac, 6);
	add16(f, type);
}

/* Returns the header, its checksum right. */
static inline uint8_t *
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

static inline void
ip4_resum(uint8_t *at)
{
	store_be16(at + 10, 0);
	store_be16(at + 10, (uint16_t)~sum16(at, 20, 0));
}

static inline uint8_t *
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
static inline uint32_t
pseudo(const uint8_t *ip, uint8_t protocol, uint32_t len)
{
	bool v4 = ip[0] >> 4 == 4;
	uint32_t sum = v4 ? sum16(ip + 12, 8, 0) : sum16(ip + 8, 32, 0);

	sum += protocol + len;
	return (sum & 0xffff) + (sum >> 16);
}

static inline uint8_t *
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
static inline uint8_t *
good4(struct fixture *f)
{
	uint8_t *ip;

	ethernet(f, our_mac, 0x0800);
	ip = ip4(f, peer4, our4, 17, 8 + 5);
	udp(f, FIRST_PORT, "hello");
	return ip;
}

static inline uint8_t *
good6(struct fixture *f)
{
	uint8_t *ip;

	ethernet(f, our_mac, 0x86dd);
	ip = ip6(f, peer6, our6, 17, 8 + 5);
	udp(f, FIRST_PORT, "hello");
	return ip;
}

static inline void
insert_tag(struct fixture *f, uint16_t tpid, uint16_t tci)
{
	memmove(f->bytes + 16, f->bytes + 12, f->len - 12);
	store_be16(f->bytes + 12, tpid);
	store_be16(f->bytes + 14, tci);
	f->len += 4;
}

static inline uint8_t *
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

static inline void
icmp6_resum(uint8_t *ip, uint32_t len)
{
	uint8_t *at = ip + 40;

	store_be16(at + 2, 0);
	store_be16(at + 2, (uint16_t)~sum16(at, len, pseudo(ip, 58, len)));
}

/* A solicitation or advertisement for target, with a source address option unless from ::. */
static inline uint8_t *
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

static inline uint8_t *
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

static inline uint8_t *
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

/* --- judging -------------------------------------------------------------------------------------- */

static inline struct net_result
input(struct fixture *f)
{
	f->view = (struct packet_view){.data = f->bytes, .len = f->len, .owner = 1, .flags = f->view.flags};
	return net_input(&f->port, &f->view, f->now_ns);
}

static inline void
expect(struct fixture *f, enum net_verdict verdict, enum lane_counter counter, enum lane_counter info)
{
	struct net_result result = input(f);

	assert_int_equal(result.verdict, verdict);
	assert_string_equal(lane_counter_rows[result.counter].name, lane_counter_rows[counter].name);
	assert_int_equal(result.info, info);
	assert_int_equal(f->view.owner, 1);
}

static inline void
expect_drop(struct fixture *f, enum lane_counter counter)
{
	expect(f, NET_DROPPED, counter, NET_NO_INFO);
}

static inline void
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
static inline struct packet_view *
reply(struct fixture *f)
{
	assert_int_equal(f->port.reply_count, 1);
	f->port.reply_count = 0;
	return &f->port.replies[0];
}

#define ROW(name)	 cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define ROW_TAGGED(name) cmocka_unit_test_setup_teardown(name, set_up_vlan, tear_down)

#endif
