/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Neighbour discovery (RFC 4861) for our own IPv6 addresses, and duplicate address detection
 * (RFC 4862, 5.4): one probe, a second of waiting, then an advertisement. Routers and redirects are
 * ignored: nothing here routes.
 */
#include "net/checksum.h"
#include "net/net_packet.h"

#define ND_ROUTER_SOLICIT 133
#define ND_ROUTER_ADVERT  134
#define ND_SOLICIT	  135
#define ND_ADVERT	  136
#define ND_REDIRECT	  137
#define ND_LEN		  24 /* type, code, checksum, flags, target */
#define ND_OPTION_LEN	  8
#define ND_HOP_LIMIT	  255
#define ND_FLAG_SOLICITED 0x40
#define ND_FLAG_OVERRIDE  0x20
#define ND_REPLIES_PER_S  1000
#define OPTION_SOURCE	  1
#define OPTION_TARGET	  2

static const uint8_t ndp_unspecified[16];
static const uint8_t ndp_all_nodes[16] = {0xff, 2, [15] = 1};
static const uint8_t ndp_all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};

struct ndp_message {
	uint8_t type, flags, option;
	const uint8_t *source, *destination, *target;
};

void
ndp_group_of(const uint8_t *address, uint8_t *ret_group, uint8_t *ret_mac)
{
	static const uint8_t prefix[13] = {0xff, 2, [11] = 1, [12] = 0xff};

	memcpy(ret_group, prefix, 13);
	memcpy(ret_group + 13, address + 13, 3);
	store_be16(ret_mac, 0x3333);
	memcpy(ret_mac + 2, ret_group + 12, 4);
}

/* option 0: without one, as a probe from :: must be (RFC 4861, 4.3). */
static bool
ndp_send(struct net_port *port, const struct net_target *to, const struct ndp_message *message)
{
	uint32_t len = ND_LEN + (message->option ? ND_OPTION_LEN : 0);
	uint8_t *ip = net_reply_begin(port, to, ETHERTYPE_IP6, IP6_HEADER + len);
	struct packet_peer peer;
	uint8_t *at;
	uint16_t checksum;

	if (!ip) {
		return false;
	}
	memcpy(peer.local_address, message->source, 16);
	memcpy(peer.address, message->destination, 16);
	ipv6_fill(port, &peer, PROTOCOL_ICMP6, len, ip);
	ip[7] = ND_HOP_LIMIT;
	at = ip + IP6_HEADER;
	at[0] = message->type;
	at[4] = message->flags;
	memcpy(at + 8, message->target, 16);
	if (message->option) {
		at[ND_LEN] = message->option;
		at[ND_LEN + 1] = 1;
		memcpy(at + ND_LEN + 2, port->queue.mac, 6);
	}
	checksum = checksum_finish(
		checksum_add(checksum_pseudo6(message->source, message->destination, PROTOCOL_ICMP6, len),
			at, len));
	memcpy(at + 2, &checksum, 2);
	return true;
}

void
ndp_probe(struct net_port *port)
{
	for (uint32_t i = 0; i < port->address_count; i++) {
		struct net_target to = {.vlan_tci = port->vlan_id};
		uint8_t group[16];
		struct ndp_message message = {.type = ND_SOLICIT, .source = ndp_unspecified,
			.destination = group, .target = port->addresses[i]};

		if (!net_is_mapped(port->addresses[i])) {
			ndp_group_of(port->addresses[i], group, to.mac);
			(void)ndp_send(port, &to, &message);
		}
	}
}

static bool
ndp_advertise_to_all(struct net_port *port, const uint8_t *address)
{
	struct net_target to = {.vlan_tci = port->vlan_id};
	struct ndp_message message = {.type = ND_ADVERT, .flags = ND_FLAG_OVERRIDE,
		.option = OPTION_TARGET, .source = address, .destination = ndp_all_nodes,
		.target = address};

	memcpy(to.mac, ndp_all_nodes_mac, 6);
	return ndp_send(port, &to, &message);
}

void
ndp_announce(struct net_port *port)
{
	for (uint32_t i = 0; i < port->address_count; i++) {
		if (!net_is_mapped(port->addresses[i])) {
			(void)ndp_advertise_to_all(port, port->addresses[i]);
		}
	}
}

/* RFC 4861, 7.1.1 and 7.1.2: all options have a length, those of a probe are no source address. */
static bool
ndp_options_right(const struct net_packet *p, bool probe)
{
	uint32_t at = ND_LEN;

	while (at < p->left) {
		uint32_t len;

		if (p->left - at < ND_OPTION_LEN) {
			return false;
		}
		len = p->at[at + 1] * 8u;
		if (len == 0 || len > p->left - at || (probe && p->at[at] == OPTION_SOURCE)) {
			return false;
		}
		at += len;
	}
	return true;
}

static bool
ndp_well_formed(const struct net_packet *p, uint8_t type)
{
	bool probe = memcmp(p->ip + 8, ndp_unspecified, 16) == 0;

	if (p->ip[7] != ND_HOP_LIMIT || p->left < ND_LEN || p->at[1] != 0 || p->at[8] == 0xff) {
		return false;
	}
	/* A probe goes to the solicited-node group; an advertisement to a group is not solicited. */
	if (type == ND_SOLICIT && probe && p->ip[24] != 0xff) {
		return false;
	}
	if (type == ND_ADVERT && p->ip[24] == 0xff && (p->at[4] & ND_FLAG_SOLICITED)) {
		return false;
	}
	return ndp_options_right(p, type == ND_SOLICIT && probe) &&
		ip_checksum_right(p, PROTOCOL_ICMP6, p->left);
}

/* While we probe, another's claim means that the address is a duplicate (RFC 4862, 5.4.3, 5.4.4). */
static enum lane_counter
ndp_conflict(const struct net_packet *p)
{
	return p->now_ns < p->port->tentative_until_ns ? LANE_ndp_duplicate : LANE_ndp_conflict;
}

/*
 * An answer by reflection, or to all if a host probes for an address that is ours already. While we
 * are probing ourselves we say nothing, but another's probe means that both want it.
 */
static struct net_result
ndp_solicited(struct net_packet *p, bool from_us)
{
	bool probe = memcmp(p->ip + 8, ndp_unspecified, 16) == 0;
	struct net_target to = net_reply_target(p);
	struct ndp_message message = {.type = ND_ADVERT,
		.flags = ND_FLAG_SOLICITED | ND_FLAG_OVERRIDE, .option = OPTION_TARGET,
		.source = p->at + 8, .destination = p->ip + 8, .target = p->at + 8};
	bool sent;

	if (probe && !from_us) {
		p->info = ndp_conflict(p);
	}
	if (from_us || p->now_ns < p->port->tentative_until_ns) {
		return net_consumed(LANE_ndp);
	}
	if (!net_rate_allow(&p->port->ndp_rate, p->now_ns, ND_REPLIES_PER_S)) {
		return net_dropped(LANE_ndp_rate);
	}
	sent = probe ? ndp_advertise_to_all(p->port, p->at + 8) : ndp_send(p->port, &to, &message);
	if (!sent) {
		p->info = LANE_tx_no_buffer;
	}
	return net_consumed(LANE_ndp);
}

struct net_result
ndp_input(struct net_packet *p, uint8_t type)
{
	bool from_us = memcmp(p->view->peer.mac, p->port->queue.mac, 6) == 0;

	if ((type == ND_SOLICIT || type == ND_ADVERT) && !ndp_well_formed(p, type)) {
		return net_dropped(LANE_ndp_bad);
	}
	if ((type != ND_SOLICIT && type != ND_ADVERT) || !p->port->answer ||
		!net_address_is_own(p->port, p->at + 8)) {
		return net_dropped(LANE_ndp_ignored);
	}
	if (type == ND_SOLICIT) {
		return ndp_solicited(p, from_us);
	}
	if (!from_us) {
		p->info = ndp_conflict(p);
	}
	return net_consumed(LANE_ndp);
}
