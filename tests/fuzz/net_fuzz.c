/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One raw Ethernet frame through the net stack: [flags][frame]. Checksums are made right first unless
 * the flags say otherwise, so that mutations get past them. Whatever the frame is, it gets one
 * verdict; a drop leaves the view as it was; at most one answer goes out, well formed, not much
 * larger than the question, and never because of a group or to one, but for the two that RFC 5227 and
 * RFC 4861 ask for (a claim of our address, a probe for it).
 */
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "fuzz/fuzz.h"
#include "net/net.h"
#include "support/nic_fake.h"

#define FIRST_PORT   9292
#define PORTS	     2
#define VLAN_ID	     7
#define FRAME_MAX    1522
#define FRAME_MIN    60
#define ANSWER_EXTRA 48 /* an ICMPv6 error: its header and the quoted IPv6 header */
#define NOW_NS	     (1000 * NS_PER_S)
#define ETHERNET     14
#define ARP	     0x0806
#define IP4	     0x0800
#define IP6	     0x86dd

enum input_flag {
	INPUT_VLAN = 1,
	INPUT_KERNEL_ANSWERS = 2,
	INPUT_CHECKSUMS_AS_THEY_ARE = 4,
	INPUT_HARDWARE_GOOD = 8,
	INPUT_HARDWARE_BAD = 16,
	INPUT_TENTATIVE = 32, /* our addresses are being probed */
	INPUT_ANY_ADDRESS = 64, /* no address of our own: with the kernel's answers */
};

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t our4_mapped[16] = {[10] = 255, 255, 192, 0, 2, 2};
static const uint8_t our6[16] = {0x20, 1, 0x0d, 0xb8, [13] = 0xab, 0xcd, 0xef};

static uint32_t
sum16(const uint8_t *at, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

/* What a frame holds, by a reading of our own. `ip` NULL: no whole IP header. */
struct layers {
	uint16_t type;
	uint8_t *ip;
	uint8_t *body; /* behind the IP header */
	size_t body_len; /* as the header says, cut to the frame */
	uint8_t protocol;
	bool ip4;
};

static struct layers
read_layers(uint8_t *frame, size_t len)
{
	struct layers l = {0};
	size_t at = ETHERNET, header, total;

	if (len < ETHERNET + 4) {
		return l;
	}
	if (load_be16(frame + 12) == 0x8100) {
		at += 4;
	}
	l.type = load_be16(frame + at - 2);
	l.ip4 = l.type == IP4;
	header = l.ip4 ? 20 : 40;
	if ((l.type != IP4 && l.type != IP6) || len - at < header) {
		return l;
	}
	l.ip = frame + at;
	total = l.ip4 ? load_be16(l.ip + 2) : 40u + load_be16(l.ip + 4);
	total = total < len - at ? total : len - at;
	l.protocol = l.ip4 ? l.ip[9] : l.ip[6];
	l.body = l.ip + header;
	l.body_len = total > header ? total - header : 0;
	return l;
}

/* The sum over a message and its pseudo-header where it has one. */
static uint16_t
message_sum(const struct layers *l, size_t len)
{
	uint32_t sum = 0;

	if (!l->ip4) {
		sum = sum16(l->ip + 8, 32, 0) + (uint32_t)len + l->protocol;
	} else if (l->protocol == 17) {
		sum = sum16(l->ip + 12, 8, 0) + (uint32_t)len + l->protocol;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum16(l->body, len, sum);
}

static void
fix_checksums(uint8_t *frame, size_t frame_len)
{
	struct layers l = read_layers(frame, frame_len);
	size_t at = l.protocol == 17 ? 6 : 2;
	size_t len = l.body_len;

	if (!l.ip) {
		return;
	}
	if (l.ip4) {
		store_be16(l.ip + 10, 0);
		store_be16(l.ip + 10, (uint16_t)~sum16(l.ip, 20, 0));
	}
	if (l.protocol == 17 && len >= 8 && load_be16(l.body + 4) <= len) {
		len = load_be16(l.body + 4);
	}
	if ((l.protocol == 17 || l.protocol == 1 || l.protocol == 58) && len >= 8) {
		store_be16(l.body + at, 0);
		store_be16(l.body + at, message_sum(&l, len));
	}
}

static void
port_open(struct net_port *port, struct nic *nic, uint8_t flags)
{
	struct net_options options = {.queue = nic_packet_queue(nic),
		.answer = !(flags & INPUT_KERNEL_ANSWERS),
		.vlan_id = flags & INPUT_VLAN ? VLAN_ID : 0,
		.udp_port_first = FIRST_PORT,
		.udp_port_count = PORTS,
		.address_count = 2};

	memcpy(options.addresses[0], our4_mapped, 16);
	memcpy(options.addresses[1], our6, 16);
	if (flags & INPUT_KERNEL_ANSWERS && flags & INPUT_ANY_ADDRESS) {
		options.address_count = 0;
	}
	ensure(net_port_init(port, &options) == 0);
	if (flags & INPUT_TENTATIVE) {
		net_announce(port, NOW_NS);
	}
}

static bool
address_is_group(const struct layers *l, const uint8_t *address)
{
	return l->ip4 ? address[0] >= 224 : address[0] == 0xff;
}

/* An answer's form, and whether this question may have one. */
static void
check_answer(const struct packet_view *answer, uint8_t *question, size_t question_len)
{
	struct layers asked = read_layers(question, question_len);
	struct layers l = read_layers(answer->data, answer->len);
	size_t limit = (question_len > FRAME_MIN ? question_len : FRAME_MIN) + ANSWER_EXTRA;
	bool neighbour = asked.protocol == 58 && asked.body_len > 0 && asked.body[0] == 135;

	ensure(answer->len <= limit);
	ensure(memcmp(answer->data + 6, our_mac, 6) == 0);
	ensure(!(question[6] & 1));
	if (answer->data[0] & 1) {
		ensure(l.type == ARP || neighbour);
	} else {
		ensure(memcmp(answer->data, question + 6, 6) == 0);
	}
	ensure(l.type == asked.type);
	if (l.type == ARP) {
		return;
	}
	ensure(l.ip != NULL);
	ensure(!address_is_group(&asked, asked.ip4 ? asked.ip + 12 : asked.ip + 8));
	ensure(neighbour || !(question[0] & 1));
	ensure(neighbour || !address_is_group(&asked, asked.ip4 ? asked.ip + 16 : asked.ip + 24));
	ensure(neighbour || !address_is_group(&l, l.ip4 ? l.ip + 16 : l.ip + 24));
	ensure(!l.ip4 || (uint16_t)~sum16(l.ip, 20, 0) == 0);
	ensure(message_sum(&l, l.body_len) == 0);
	ensure(l.protocol == (l.ip4 ? 1 : 58));
}

/* A payload that came out: inside the frame, for one of our ports; and an echo of it goes back. */
static void
check_payload(struct net_port *port, const struct packet_view *in, const struct packet_view *out)
{
	struct packet_view reply;
	struct layers l;
	uint32_t len = out->len;

	ensure(out->data >= in->data);
	ensure(out->data + out->len <= in->data + in->len);
	ensure(out->peer.port != 0);
	ensure(out->peer.local_port >= FIRST_PORT);
	ensure(out->peer.local_port < FIRST_PORT + PORTS);
	ensure(!(out->peer.mac[0] & 1));
	ensure(out->peer.address[0] != 0xff);
	if (!net_udp_alloc(port, &out->peer, len, &reply)) {
		return;
	}
	memcpy(reply.data, out->data, len);
	net_udp_reply(port, &reply);
	l = read_layers(reply.data, reply.len);
	ensure(l.ip != NULL);
	ensure(l.body_len == len + 8);
	ensure(message_sum(&l, l.body_len) == 0);
	ensure(load_be16(l.body) == out->peer.local_port);
	ensure(load_be16(l.body + 2) == out->peer.port);
	ensure(memcmp(l.body + 8, out->data, len) == 0);
	(void)port->queue.nic->ops->tx(port->queue.nic, &reply, 1);
}

static void
fuzz_frame(struct net_port *port, uint8_t *frame, size_t len, uint8_t flags)
{
	struct packet_view view = {.data = frame, .len = (uint32_t)len, .owner = 5};
	uint8_t question[FRAME_MAX];
	struct packet_view before;
	struct net_result result;

	view.flags = (flags & INPUT_HARDWARE_GOOD ? PACKET_IP_CSUM_GOOD | PACKET_L4_CSUM_GOOD : 0) |
		(flags & INPUT_HARDWARE_BAD ? PACKET_L4_CSUM_BAD : 0);
	before = view;
	memcpy(question, frame, len);
	result = net_input(port, &view, NOW_NS);
	ensure(view.owner == before.owner);
	ensure(view.flags == before.flags || view.flags == (before.flags | PACKET_ECN_CE));
	ensure(result.info == NET_NO_INFO || result.info < LANE_COUNTER_COUNT);
	ensure(port->reply_count <= 1);
	if (result.verdict == NET_UDP) {
		ensure(port->reply_count == 0);
		check_payload(port, &before, &view);
		return;
	}
	ensure(result.verdict == NET_CONSUMED || result.verdict == NET_DROPPED);
	ensure(result.counter < LANE_COUNTER_COUNT);
	ensure(view.data == before.data);
	ensure(view.len == before.len);
	if (port->reply_count == 1) {
		ensure(!(flags & INPUT_KERNEL_ANSWERS));
		check_answer(&port->replies[0], question, len);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct net_port port;
	struct nic_fake_options options;
	struct nic_fake_packet sent;
	struct nic *nic;
	uint8_t *frame;

	if (len == 0 || len - 1 > FRAME_MAX) {
		return 0;
	}
	frame = malloc(len);
	ensure(frame != NULL);
	memcpy(frame, bytes + 1, len - 1);
	nic_fake_options_init(&options);
	options.kernel_stack = false;
	options.rx_buffer_count = options.rx_descriptors = 1;
	options.tx_buffer_count = 4;
	nic = nic_fake_create(&options);
	port_open(&port, nic, bytes[0]);
	if (!(bytes[0] & INPUT_CHECKSUMS_AS_THEY_ARE)) {
		fix_checksums(frame, len - 1);
	}
	fuzz_frame(&port, frame, len - 1, bytes[0]);
	(void)nic->ops->tx(nic, port.replies, port.reply_count);
	while (nic_fake_take(nic, &sent)) {
		ensure(sent.len <= FRAME_MAX);
	}
	nic->ops->destroy(nic);
	free(frame);
	return 0;
}
