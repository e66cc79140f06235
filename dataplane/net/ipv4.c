/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv4 (RFC 791, RFC 1122): no options, no fragments. TTL and DSCP of what arrives do not matter;
 * what leaves has TTL 64, DF set and identification 0 (RFC 6864, 4.1).
 */
#include "net/checksum.h"
#include "net/net_packet.h"

#define IP4_DF		0x4000
#define IP4_MF_OR_OFFSET 0x3fff
#define IP4_TTL		64
#define ECN_CE		3

/* RFC 1122, 3.2.1.3: no source in 0/8, 127/8, 224/3; never ourselves. */
static bool
ipv4_source_acceptable(const struct net_port *port, const uint8_t *source)
{
	return source[0] != 0 && source[0] != 127 && source[0] < 224 && !net_ip4_is_own(port, source);
}

static bool
ipv4_destination_ours(const struct net_port *port, const uint8_t *destination)
{
	if (port->address_count == 0) {
		return destination[0] != 0 && destination[0] != 127 && destination[0] < 224;
	}
	return net_ip4_is_own(port, destination);
}

static bool
ipv4_checksum_right(struct net_packet *p)
{
	uint32_t *trial = &p->port->ip_csum_trial;
	enum ip_csum_word word =
		ip_checksum_word(p, PACKET_IP_CSUM_GOOD, PACKET_IP_CSUM_BAD, *trial);
	bool right;

	if (word == IP_CSUM_KNOWN_GOOD || word == IP_CSUM_KNOWN_BAD) {
		return word == IP_CSUM_KNOWN_GOOD;
	}
	right = checksum_finish(checksum_add(0, p->at, IP4_HEADER)) == 0;
	return word == IP_CSUM_ON_TRIAL ? ip_checksum_trial(p, trial, right) : right;
}

/* Everything of the header that is no length. True: `at` is behind it. */
static bool
ipv4_header_acceptable(struct net_packet *p, struct net_result *ret_result)
{
	if (!ipv4_checksum_right(p)) {
		*ret_result = net_dropped(LANE_ip4_csum);
		return false;
	}
	if (!ipv4_source_acceptable(p->port, p->at + 12) ||
		!ipv4_destination_ours(p->port, p->at + 16)) {
		*ret_result = net_dropped(LANE_ip4_addr);
		return false;
	}
	if (load_be16(p->at + 6) & IP4_MF_OR_OFFSET) {
		*ret_result = ip_fragment();
		return false;
	}
	return true;
}

static bool
ipv4_lengths_right(struct net_packet *p, struct net_result *ret_result)
{
	uint32_t header, total;

	if (!ip_fits(p, IP4_HEADER, ret_result)) {
		return false;
	}
	header = (p->at[0] & 15) * 4u;
	total = load_be16(p->at + 2);
	if (p->at[0] >> 4 != 4) {
		*ret_result = net_dropped(LANE_ip4_version);
		return false;
	}
	if (header < IP4_HEADER || total < header) {
		*ret_result = net_dropped(LANE_ip4_length);
		return false;
	}
	if (header > IP4_HEADER) {
		*ret_result = net_dropped(LANE_ip4_options);
		return false;
	}
	return ip_fits(p, total, ret_result);
}

struct net_result
ipv4_input(struct net_packet *p)
{
	struct packet_peer *peer = &p->view->peer;
	struct net_result result;

	if (!ipv4_lengths_right(p, &result) || !ipv4_header_acceptable(p, &result)) {
		return result;
	}
	p->ip4 = true;
	p->ip = p->at;
	p->ip_len = load_be16(p->at + 2);
	net_map_ip4(peer->address, p->at + 12);
	net_map_ip4(peer->local_address, p->at + 16);
	if ((p->at[1] & 3) == ECN_CE) {
		p->view->flags |= PACKET_ECN_CE;
	}
	p->at += IP4_HEADER;
	p->left = p->ip_len - IP4_HEADER; /* what is behind is padding */
	return ip_deliver(p, p->ip[9]);
}

void
ipv4_fill(const struct net_port *port, const struct packet_peer *peer, uint8_t protocol,
	uint32_t payload_len, uint8_t *ret_at)
{
	uint16_t checksum;

	ret_at[0] = 0x45;
	ret_at[1] = port->traffic_class;
	store_be16(ret_at + 2, (uint16_t)(IP4_HEADER + payload_len));
	store_be16(ret_at + 4, 0);
	store_be16(ret_at + 6, IP4_DF);
	ret_at[8] = IP4_TTL;
	ret_at[9] = protocol;
	store_be16(ret_at + 10, 0);
	memcpy(ret_at + 12, peer->local_address + 12, 4);
	memcpy(ret_at + 16, peer->address + 12, 4);
	checksum = checksum_finish(checksum_add(0, ret_at, IP4_HEADER));
	memcpy(ret_at + 10, &checksum, 2);
}
