/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ARP (RFC 826) for our own IPv4 addresses, with the announcements and the defence of RFC 5227. No
 * cache: answers to data go back by reflection, so we never ask.
 */
#include "net/net_packet.h"

#define ARP_LEN		    28
#define ARP_REQUEST	    1
#define ARP_REPLY	    2
#define ARP_REPLIES_PER_S   1000
#define ARP_DEFEND_INTERVAL (10 * NS_PER_S) /* RFC 5227, 1.1 */

static const uint8_t arp_zeros[6];
static const uint8_t arp_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

struct arp_fields {
	uint16_t operation;
	const uint8_t *target_mac;
	const uint8_t *sender_ip;
	const uint8_t *target_ip;
};

static bool
arp_send(struct net_port *port, const struct net_target *target, const struct arp_fields *fields)
{
	uint8_t *at = net_reply_begin(port, target, ETHERTYPE_ARP, ARP_LEN);

	if (!at) {
		return false;
	}
	store_be16(at, 1);
	store_be16(at + 2, ETHERTYPE_IP4);
	at[4] = 6;
	at[5] = 4;
	store_be16(at + 6, fields->operation);
	memcpy(at + 8, port->queue.mac, 6);
	memcpy(at + 14, fields->sender_ip, 4);
	memcpy(at + 18, fields->target_mac, 6);
	memcpy(at + 24, fields->target_ip, 4);
	return true;
}

/* An ARP announcement: a request whose sender and target are the address itself (RFC 5227, 3). */
static void
arp_announce_one(struct net_port *port, const uint8_t *ip4)
{
	struct net_target target = {.vlan_tci = port->vlan_id};
	struct arp_fields fields = {ARP_REQUEST, arp_zeros, ip4, ip4};

	memcpy(target.mac, arp_broadcast, 6);
	(void)arp_send(port, &target, &fields);
}

void
arp_announce(struct net_port *port)
{
	for (uint32_t i = 0; i < port->address_count; i++) {
		if (net_is_mapped(port->addresses[i])) {
			arp_announce_one(port, port->addresses[i] + 12);
		}
	}
}

/* Another host claims our address: say once more that it is ours, but not in a storm. */
static struct net_result
arp_conflict(struct net_packet *p, const uint8_t *ip4)
{
	struct net_port *port = p->port;

	p->info = LANE_arp_conflict;
	if (port->answer && p->now_ns >= port->arp_defend_ns) {
		port->arp_defend_ns = p->now_ns + ARP_DEFEND_INTERVAL;
		arp_announce_one(port, ip4);
	}
	return net_consumed(LANE_arp);
}

static struct net_result
arp_answer(struct net_packet *p)
{
	struct net_target target = net_reply_target(p);
	struct arp_fields fields = {ARP_REPLY, p->at + 8, p->at + 24, p->at + 14};

	if (!net_rate_allow(&p->port->arp_rate, p->now_ns, ARP_REPLIES_PER_S)) {
		return net_dropped(LANE_arp_rate);
	}
	if (!arp_send(p->port, &target, &fields)) {
		p->info = LANE_tx_no_buffer;
	}
	return net_consumed(LANE_arp);
}

static bool
arp_well_formed(const struct net_packet *p)
{
	return p->left >= ARP_LEN && load_be16(p->at) == 1 && load_be16(p->at + 2) == ETHERTYPE_IP4 &&
		p->at[4] == 6 && p->at[5] == 4 && !net_mac_is_group(p->at + 8) &&
		p->at[14] < 224;
}

struct net_result
arp_input(struct net_packet *p)
{
	bool well_formed = arp_well_formed(p);

	if (well_formed && net_ip4_is_own(p->port, p->at + 14) &&
		memcmp(p->at + 8, p->port->queue.mac, 6) != 0) {
		return arp_conflict(p, p->at + 14);
	}
	if (!well_formed || load_be16(p->at + 6) != ARP_REQUEST || !p->port->answer ||
		!net_ip4_is_own(p->port, p->at + 24) || memcmp(p->at + 8, p->port->queue.mac, 6) == 0) {
		return net_dropped(LANE_arp_other);
	}
	return arp_answer(p);
}
