/* SPDX-License-Identifier: Apache-2.0 */
/* Questions by the reply frames of net/, so that tags, padding and addresses are made in one place. */
#include "support/neighbour.h"

#include "net/checksum.h"
#include "net/net_packet.h"

#define ARP_LEN	       28
#define ARP_REQUEST    1
#define ARP_REPLY      2
#define ND_SOLICIT     135
#define ND_ADVERT      136
#define ND_LEN	       24
#define ND_OPTION_LEN  8
#define OPTION_SOURCE  1
#define OPTION_TARGET  2
#define ND_HOP_LIMIT   255

static bool
ask_arp(struct net_port *port, const uint8_t *our_ip4, const uint8_t *ip4)
{
	struct net_target target = {.vlan_tci = port->vlan_id};
	uint8_t *at;

	memset(target.mac, 0xff, 6);
	at = net_reply_begin(port, &target, ETHERTYPE_ARP, ARP_LEN);
	if (!at) {
		return false;
	}
	store_be16(at, 1);
	store_be16(at + 2, ETHERTYPE_IP4);
	at[4] = 6;
	at[5] = 4;
	store_be16(at + 6, ARP_REQUEST);
	memcpy(at + 8, port->queue.mac, 6);
	memcpy(at + 14, our_ip4, 4);
	memcpy(at + 24, ip4, 4);
	return true;
}

static bool
ask_ndp(struct net_port *port, const uint8_t *our_address, const uint8_t *address)
{
	struct net_target target = {.vlan_tci = port->vlan_id};
	struct packet_peer peer = {0};
	uint32_t len = ND_LEN + ND_OPTION_LEN;
	uint16_t checksum;
	uint8_t *ip, *at;

	memcpy(peer.local_address, our_address, 16);
	ndp_group_of(address, peer.address, target.mac);
	ip = net_reply_begin(port, &target, ETHERTYPE_IP6, IP6_HEADER + len);
	if (!ip) {
		return false;
	}
	ipv6_fill(port, &peer, PROTOCOL_ICMP6, len, ip);
	ip[7] = ND_HOP_LIMIT;
	at = ip + IP6_HEADER;
	at[0] = ND_SOLICIT;
	memcpy(at + 8, address, 16);
	at[ND_LEN] = OPTION_SOURCE;
	at[ND_LEN + 1] = 1;
	memcpy(at + ND_LEN + 2, port->queue.mac, 6);
	checksum = checksum_finish(checksum_add(
		checksum_pseudo6(our_address, peer.address, PROTOCOL_ICMP6, len), at, len));
	memcpy(at + 2, &checksum, 2);
	return true;
}

bool
neighbour_ask(struct net_port *port, const uint8_t *our_address, const uint8_t *address)
{
	return net_is_mapped(address) ? ask_arp(port, our_address + 12, address + 12)
				      : ask_ndp(port, our_address, address);
}

static bool
answers_arp(const uint8_t *at, uint32_t left, const uint8_t *ip4, uint8_t *ret_mac)
{
	if (left < ARP_LEN || load_be16(at + 6) != ARP_REPLY || memcmp(at + 14, ip4, 4) != 0) {
		return false;
	}
	memcpy(ret_mac, at + 8, 6);
	return true;
}

static bool
answers_ndp(const uint8_t *ip, uint32_t left, const uint8_t *address, uint8_t *ret_mac)
{
	const uint8_t *at = ip + IP6_HEADER;
	uint32_t len = left >= IP6_HEADER ? load_be16(ip + 4) : 0;

	if (left < IP6_HEADER + ND_LEN + ND_OPTION_LEN || ip[6] != PROTOCOL_ICMP6 ||
		ip[7] != ND_HOP_LIMIT || len < ND_LEN + ND_OPTION_LEN || len > left - IP6_HEADER) {
		return false;
	}
	if (at[0] != ND_ADVERT || memcmp(at + 8, address, 16) != 0 || at[ND_LEN] != OPTION_TARGET ||
		checksum_finish(checksum_add(
			checksum_pseudo6(ip + 8, ip + 24, PROTOCOL_ICMP6, len), at, len)) != 0) {
		return false;
	}
	memcpy(ret_mac, at + ND_LEN + 2, 6);
	return true;
}

bool
neighbour_answers(const struct packet_view *view, const uint8_t *address, uint8_t *ret_mac)
{
	bool tagged = view->len >= ETHERNET_HEADER && load_be16(view->data + 12) == ETHERTYPE_VLAN;
	uint32_t header = ETHERNET_HEADER + (tagged ? VLAN_TAG : 0);
	uint16_t type;

	if (view->len < header || (view->flags & (PACKET_KERNEL_STACK | PACKET_MULTI_SEGMENT))) {
		return false;
	}
	type = load_be16(view->data + header - 2);
	if (type == ETHERTYPE_ARP && net_is_mapped(address)) {
		return answers_arp(view->data + header, view->len - header, address + 12, ret_mac);
	}
	return type == ETHERTYPE_IP6 && !net_is_mapped(address) &&
		answers_ndp(view->data + header, view->len - header, address, ret_mac);
}
