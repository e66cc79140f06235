/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ethernet II and one 802.1Q tag. A frame is for us if it goes to our address, to all, or to a group
 * that we joined for IPv6; a source that is a group address would make us answer to many: refused.
 */
#include "net/net_packet.h"

#define VLAN_ID_MASK  0x0fff
#define VLAN_PCP_MASK 0xe000

static const uint8_t ethernet_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* All-nodes or the solicited-node group of one of our IPv6 addresses (RFC 4291, 2.7.1). */
static bool
group_is_joined(const struct net_port *port, const uint8_t *mac)
{
	static const uint8_t all_nodes[6] = {0x33, 0x33, 0, 0, 0, 1};
	bool solicited = load_be16(mac) == 0x3333 && mac[2] == 0xff;

	if (memcmp(mac, all_nodes, 6) == 0) {
		return true;
	}
	for (uint32_t i = 0; solicited && i < port->address_count; i++) {
		if (!net_is_mapped(port->addresses[i]) &&
			memcmp(port->addresses[i] + 13, mac + 3, 3) == 0) {
			return true;
		}
	}
	return false;
}

static bool
mac_is_ours(struct net_packet *p, const uint8_t *destination)
{
	if (likely(memcmp(destination, p->port->queue.mac, 6) == 0)) {
		return true;
	}
	p->group = true;
	return memcmp(destination, ethernet_broadcast, 6) == 0 ||
		group_is_joined(p->port, destination);
}

static struct net_result
ethernet_deliver(struct net_packet *p, uint16_t type)
{
	switch (type) {
	case ETHERTYPE_IP4:
		return ipv4_input(p);
	case ETHERTYPE_IP6:
		return ipv6_input(p);
	case ETHERTYPE_ARP:
		return arp_input(p);
	default:
		return net_dropped(LANE_eth_type);
	}
}

/* The id must be the port's; id 0 is a priority tag, which counts as none (802.1Q, 9.6). */
struct net_result
ethernet_input(struct net_packet *p)
{
	bool tagged = p->left >= ETHERNET_HEADER && load_be16(p->at + 12) == ETHERTYPE_VLAN;
	uint32_t header = tagged ? ETHERNET_HEADER + VLAN_TAG : ETHERNET_HEADER;
	uint16_t type, tci = 0;

	if (p->left < header) {
		return net_dropped(LANE_eth_short);
	}
	if (!mac_is_ours(p, p->at) || net_mac_is_group(p->at + 6)) {
		return net_dropped(LANE_eth_dst);
	}
	type = load_be16(p->at + header - 2);
	if (tagged) {
		tci = load_be16(p->at + ETHERNET_HEADER);
	}
	if (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ) {
		return net_dropped(LANE_vlan_nested);
	}
	if ((tci & VLAN_ID_MASK) != p->port->vlan_id) {
		return net_dropped(LANE_vlan_id);
	}
	memcpy(p->view->peer.mac, p->at + 6, 6);
	p->view->peer.vlan_tci = p->port->vlan_id ? tci & (VLAN_ID_MASK | VLAN_PCP_MASK) : 0;
	p->at += header;
	p->left -= header;
	return ethernet_deliver(p, type);
}

uint32_t
ethernet_fill(const struct net_port *port, const struct net_target *target, uint16_t ethertype,
	uint8_t *ret_at)
{
	memcpy(ret_at, target->mac, 6);
	memcpy(ret_at + 6, port->queue.mac, 6);
	if (target->vlan_tci == 0) {
		store_be16(ret_at + 12, ethertype);
		return ETHERNET_HEADER;
	}
	store_be16(ret_at + 12, ETHERTYPE_VLAN);
	store_be16(ret_at + 14, target->vlan_tci);
	store_be16(ret_at + 16, ethertype);
	return ETHERNET_HEADER + VLAN_TAG;
}
