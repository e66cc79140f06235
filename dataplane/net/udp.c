/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP (RFC 768) over IPv4 and IPv6. In: the view becomes the payload, in place. Out: headers around a
 * payload by reflection. A checksum is verified unless the device did and is believed (ip.c); 0 is
 * allowed on IPv4 only (RFC 8200, 8.1).
 */
#include "base/ensure.h"
#include "net/checksum.h"
#include "net/net_packet.h"

static bool
udp_checksum_right(struct net_packet *p, uint32_t len)
{
	uint32_t *trial = &p->port->l4_csum_trial;
	enum ip_csum_word word;
	bool right;

	if (load_be16(p->at + 6) == 0) {
		p->info = p->ip4 ? LANE_udp_csum_zero : NET_NO_INFO;
		return p->ip4;
	}
	word = ip_checksum_word(p, PACKET_L4_CSUM_GOOD, PACKET_L4_CSUM_BAD, *trial);
	if (word == IP_CSUM_KNOWN_GOOD || word == IP_CSUM_KNOWN_BAD) {
		return word == IP_CSUM_KNOWN_GOOD;
	}
	right = ip_checksum_right(p, PROTOCOL_UDP, len);
	return word == IP_CSUM_ON_TRIAL ? ip_checksum_trial(p, trial, right) : right;
}

/* Source port 0 can not be answered. */
static struct net_result
udp_closed(struct net_packet *p)
{
	if (p->view->peer.port != 0) {
		icmp_port_unreachable(p);
	}
	return net_dropped(LANE_udp_port);
}

struct net_result
udp_input(struct net_packet *p)
{
	struct net_port *port = p->port;
	struct packet_view *view = p->view;
	uint32_t len = p->left >= UDP_HEADER ? load_be16(p->at + 4) : 0;

	if (len < UDP_HEADER || len > p->left) {
		return net_dropped(LANE_udp_len);
	}
	if (!udp_checksum_right(p, len)) {
		return net_dropped(LANE_udp_csum);
	}
	view->peer.port = load_be16(p->at);
	view->peer.local_port = load_be16(p->at + 2);
	if (view->peer.port == 0 || view->peer.local_port < port->udp_port_first ||
		view->peer.local_port - port->udp_port_first >= port->udp_port_count) {
		return udp_closed(p);
	}
	view->data = p->at + UDP_HEADER;
	view->len = len - UDP_HEADER;
	return (struct net_result){NET_UDP, LANE_native, NET_NO_INFO};
}

static uint32_t
udp_headers_len(const struct packet_peer *peer)
{
	return ETHERNET_HEADER + (peer->vlan_tci ? VLAN_TAG : 0) +
		(net_is_mapped(peer->address) ? IP4_HEADER : IP6_HEADER) + UDP_HEADER;
}

bool
net_udp_alloc(struct net_port *port, const struct packet_peer *peer, uint32_t payload_len,
	struct packet_view *ret_view)
{
	uint32_t ip_len = (net_is_mapped(peer->address) ? IP4_HEADER : IP6_HEADER) + UDP_HEADER;
	uint32_t headers = port->queue.kernel_stack ? 0 : udp_headers_len(peer);

	if (payload_len + ip_len > port->queue.mtu ||
		!port->queue.tx_alloc(port->queue.nic, headers + payload_len, ret_view)) {
		return false;
	}
	ret_view->data += headers;
	ret_view->len = payload_len;
	ret_view->peer = *peer;
	return true;
}

static uint16_t
udp_checksum(const struct packet_peer *peer, const uint8_t *at, uint32_t len, bool pseudo_only)
{
	uint64_t sum = net_is_mapped(peer->address)
		? checksum_pseudo4(peer->local_address + 12, peer->address + 12, PROTOCOL_UDP,
			  (uint16_t)len)
		: checksum_pseudo6(peer->local_address, peer->address, PROTOCOL_UDP, len);
	uint16_t checksum;

	if (pseudo_only) {
		/* The device adds the rest and complements. */
		return (uint16_t)~checksum_finish(sum);
	}
	checksum = checksum_finish(checksum_add(sum, at, len));
	return checksum == 0 ? 0xffff : checksum;
}

void
net_udp_reply(struct net_port *port, struct packet_view *view)
{
	const struct packet_peer *peer = &view->peer;
	bool ip4 = net_is_mapped(peer->address);
	uint32_t headers = udp_headers_len(peer);
	uint32_t udp_len = UDP_HEADER + view->len;
	struct net_target target = {.vlan_tci = peer->vlan_tci};
	uint16_t checksum;
	uint8_t *at;

	if (port->queue.kernel_stack) {
		return;
	}
	ensure(udp_len <= UINT16_MAX - IP4_HEADER);
	view->data -= headers;
	view->len += headers;
	memcpy(target.mac, peer->mac, 6);
	at = view->data +
		ethernet_fill(port, &target, ip4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6, view->data);
	if (ip4) {
		ipv4_fill(port, peer, PROTOCOL_UDP, udp_len, at);
		at += IP4_HEADER;
	} else {
		ipv6_fill(port, peer, PROTOCOL_UDP, udp_len, at);
		at += IP6_HEADER;
	}
	store_be16(at, peer->local_port);
	store_be16(at + 2, peer->port);
	store_be16(at + 4, (uint16_t)udp_len);
	store_be16(at + 6, 0);
	checksum = udp_checksum(peer, at, udp_len, port->queue.tx_udp_csum);
	memcpy(at + 6, &checksum, 2);
	view->flags |= port->queue.tx_udp_csum ? PACKET_TX_CSUM : 0;
}
