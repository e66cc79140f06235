/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv6 (RFC 8200): UDP and ICMPv6 behind at most one short hop-by-hop header, no fragments. Group
 * destinations carry neighbour discovery only; an unspecified source only a solicitation.
 *
 * Addresses in ::ffff:0:0/96 must not come from the wire: the house stores IPv4 peers like that, and
 * one host could pass for another.
 */
#include "net/net_packet.h"

#define IP6_HOP_BY_HOP	   0
#define IP6_ROUTING	   43
#define IP6_FRAGMENT	   44
#define IP6_ESP		   50
#define IP6_AUTH	   51
#define IP6_DESTINATION	   60
#define IP6_MOBILITY	   135
#define IP6_HIP		   139
#define IP6_SHIM	   140
#define IP6_HOP_LIMIT	   64
#define IP6_HOP_BY_HOP_MAX 64
#define IP6_ND_SOLICIT	   135
#define ECN_CE		   3

static bool
is_unspecified(const uint8_t *address)
{
	return load_be64(address) == 0 && load_be64(address + 8) == 0;
}

static bool
ipv6_source_acceptable(const struct net_port *port, const uint8_t *source)
{
	bool low = load_be64(source) == 0 && load_be32(source + 8) == 0;

	if (source[0] == 0xff || net_is_mapped(source)) {
		return false;
	}
	/* ::/96: the unspecified one is judged by ipv6_pairing_right, the rest has no business here. */
	return (!low || is_unspecified(source)) && !net_address_is_own(port, source);
}

/* Ours, or a group of ours: all-nodes, solicited-node. Sets p->group for the latter. */
static bool
ipv6_destination_ours(struct net_packet *p, const uint8_t *destination)
{
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	const struct net_port *port = p->port;

	if (destination[0] != 0xff) {
		if (port->address_count == 0) {
			return !net_is_mapped(destination) && load_be64(destination) != 0;
		}
		return !net_is_mapped(destination) && net_address_is_own(port, destination);
	}
	p->group = true;
	if (memcmp(destination, all_nodes, 16) == 0) {
		return true;
	}
	for (uint32_t i = 0; i < port->address_count; i++) {
		uint8_t group[16], mac[6];

		ndp_group_of(port->addresses[i], group, mac);
		if (!net_is_mapped(port->addresses[i]) && memcmp(destination, group, 16) == 0) {
			return true;
		}
	}
	return false;
}

/* Groups are for ICMPv6 alone; :: may only ask whether an address is taken (RFC 4861, 4.3). */
static bool
ipv6_pairing_right(const struct net_packet *p, uint8_t next)
{
	bool to_group = p->ip[24] == 0xff;

	if (is_unspecified(p->ip + 8)) {
		return next == PROTOCOL_ICMP6 && p->left > 0 && p->at[0] == IP6_ND_SOLICIT;
	}
	return !to_group || next == PROTOCOL_ICMP6;
}

static bool
is_extension(uint8_t next)
{
	switch (next) {
	case IP6_HOP_BY_HOP: /* a second one, or not the first header */
	case IP6_ROUTING:
	case IP6_ESP:
	case IP6_AUTH:
	case IP6_DESTINATION:
	case IP6_MOBILITY:
	case IP6_HIP:
	case IP6_SHIM:
		return true;
	default:
		return false;
	}
}

/* Skips one hop-by-hop header of at most 64 bytes. */
static bool
ipv6_skip_hop_by_hop(struct net_packet *p, uint8_t *next, struct net_result *ret_result)
{
	uint32_t len = 0;

	if (*next == IP6_HOP_BY_HOP) {
		len = p->left >= 8 ? (p->at[1] + 1u) * 8 : 8;
		if (p->left < len) {
			*ret_result = net_dropped(LANE_ip6_length);
			return false;
		}
		*next = p->at[0];
	}
	if (len > IP6_HOP_BY_HOP_MAX || is_extension(*next)) {
		*ret_result = net_dropped(LANE_ip6_exthdr);
		return false;
	}
	p->at += len;
	p->left -= len;
	return true;
}

static bool
ipv6_base_right(struct net_packet *p, struct net_result *ret_result)
{
	if (!ip_fits(p, IP6_HEADER, ret_result)) {
		return false;
	}
	if (p->at[0] >> 4 != 6) {
		*ret_result = net_dropped(LANE_ip6_version);
		return false;
	}
	return ip_fits(p, IP6_HEADER + load_be16(p->at + 4), ret_result);
}

static void
ipv6_take_base(struct net_packet *p)
{
	struct packet_peer *peer = &p->view->peer;

	p->ip = p->at;
	p->ip_len = IP6_HEADER + load_be16(p->at + 4);
	memcpy(peer->address, p->at + 8, 16);
	memcpy(peer->local_address, p->at + 24, 16);
	if ((p->at[1] >> 4 & 3) == ECN_CE) {
		p->view->flags |= PACKET_ECN_CE;
	}
	p->at += IP6_HEADER;
	p->left = p->ip_len - IP6_HEADER;
}

struct net_result
ipv6_input(struct net_packet *p)
{
	struct net_result result;
	uint8_t next;
	bool addresses_right;

	if (!ipv6_base_right(p, &result)) {
		return result;
	}
	ipv6_take_base(p);
	next = p->ip[6];
	addresses_right = ipv6_source_acceptable(p->port, p->ip + 8) &&
		ipv6_destination_ours(p, p->ip + 24);
	if (addresses_right && !ipv6_skip_hop_by_hop(p, &next, &result)) {
		return result;
	}
	if (addresses_right && next == IP6_FRAGMENT) {
		return ip_fragment();
	}
	if (!addresses_right || !ipv6_pairing_right(p, next)) {
		return net_dropped(LANE_ip6_addr);
	}
	return ip_deliver(p, next);
}

void
ipv6_fill(const struct net_port *port, const struct packet_peer *peer, uint8_t protocol,
	uint32_t payload_len, uint8_t *ret_at)
{
	store_be32(ret_at, 6u << 28 | (uint32_t)port->traffic_class << 20);
	store_be16(ret_at + 4, (uint16_t)payload_len);
	ret_at[6] = protocol;
	ret_at[7] = IP6_HOP_LIMIT;
	memcpy(ret_at + 8, peer->local_address, 16);
	memcpy(ret_at + 24, peer->address, 16);
}
