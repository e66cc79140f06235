/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the protocol files of net/ share while one packet climbs the layers. Private to the folder.
 * `at` and `left` are the bytes not yet taken: each layer checks lengths against `left`, reads its
 * header and moves on. A drop reason is named in exactly one place of the folder.
 */
#ifndef NET_NET_PACKET_H
#define NET_NET_PACKET_H

#include <string.h>
#include "base/bytes.h"
#include "net/net.h"

#define ETHERNET_HEADER 14
#define VLAN_TAG	4
#define IP4_HEADER	20
#define IP6_HEADER	40
#define UDP_HEADER	8
#define ICMP_HEADER	8

#define ETHERTYPE_IP4  0x0800
#define ETHERTYPE_ARP  0x0806
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8
#define ETHERTYPE_IP6  0x86dd

#define PROTOCOL_ICMP  1
#define PROTOCOL_UDP   17
#define PROTOCOL_ICMP6 58

struct net_packet {
	struct net_port *port;
	struct packet_view *view; /* peer is filled in on the way */
	uint64_t now_ns;
	uint8_t *at;
	uint32_t left;
	uint8_t *ip; /* the IP header, for quoting */
	uint32_t ip_len;
	bool ip4;
	bool group; /* to a group MAC address or group IP address: no echo, no ICMP error */
	enum lane_counter info;
};

static inline struct net_result
net_dropped(enum lane_counter counter)
{
	return (struct net_result){NET_DROPPED, counter, NET_NO_INFO};
}

static inline struct net_result
net_consumed(enum lane_counter counter)
{
	return (struct net_result){NET_CONSUMED, counter, NET_NO_INFO};
}

static inline bool
net_mac_is_group(const uint8_t *mac)
{
	return mac[0] & 1;
}

/*
 * Allows per_second events a second in the long run, a tenth of that at once (GCRA). Called only when
 * there is an event to decide on.
 */
static inline bool
net_rate_allow(struct net_rate *rate, uint64_t now_ns, uint32_t per_second)
{
	uint64_t due_ns = rate->due_ns > now_ns ? rate->due_ns : now_ns;

	if (due_ns - now_ns >= NS_PER_S / 10) {
		return false;
	}
	rate->due_ns = due_ns + NS_PER_S / per_second;
	return true;
}

static inline void
net_map_ip4(uint8_t *ret_address, const uint8_t *ip4)
{
	memset(ret_address, 0, 10);
	memset(ret_address + 10, 0xff, 2);
	memcpy(ret_address + 12, ip4, 4);
}

static inline bool
net_is_mapped(const uint8_t *address)
{
	return load_be64(address) == 0 && load_be32(address + 8) == 0xffff;
}

/* Mapped or plain 16 bytes. */
bool net_address_is_own(const struct net_port *port, const uint8_t *address);
bool net_ip4_is_own(const struct net_port *port, const uint8_t *ip4);

/* Where a reply frame goes: from a packet, or to a group. */
struct net_target {
	uint8_t mac[6];
	uint16_t vlan_tci;
};

/*
 * A reply frame of `len` bytes behind its Ethernet header, zeroed, queued in port->replies.
 * Returns where those bytes begin, or NULL: no control buffer or no slot.
 */
uint8_t *net_reply_begin(struct net_port *port, const struct net_target *target,
	uint16_t ethertype, uint32_t len);
struct net_target net_reply_target(const struct net_packet *p);

struct net_result ethernet_input(struct net_packet *p);
/* Writes a header; returns its length. vlan_tci 0: no tag. */
uint32_t ethernet_fill(const struct net_port *port, const struct net_target *target,
	uint16_t ethertype, uint8_t *ret_at);

struct net_result arp_input(struct net_packet *p);
/* Gratuitous ARP for every IPv4 address. */
void arp_announce(struct net_port *port);

struct net_result ipv4_input(struct net_packet *p);
/* Fills a header for what follows it, checksum included. */
void ipv4_fill(const struct net_port *port, const struct packet_peer *peer, uint8_t protocol,
	uint32_t payload_len, uint8_t *ret_at);

struct net_result ipv6_input(struct net_packet *p);
void ipv6_fill(const struct net_port *port, const struct packet_peer *peer, uint8_t protocol,
	uint32_t payload_len, uint8_t *ret_at);

/* Checks that both IP versions make at the same place of the packet, and name once. */
bool ip_fits(const struct net_packet *p, uint32_t need, struct net_result *ret_result);
struct net_result ip_fragment(void);
/* Hands the payload to UDP or ICMP by protocol number. */
struct net_result ip_deliver(struct net_packet *p, uint8_t protocol);
/*
 * What a checksum is worth, given the device's word on it: flags good and bad of the view, and the
 * layer's count of GOODs still on trial. The stack looks itself unless the answer is KNOWN.
 */
enum ip_csum_word {
	IP_CSUM_KNOWN_GOOD,
	IP_CSUM_KNOWN_BAD,
	IP_CSUM_LOOK,
	IP_CSUM_ON_TRIAL, /* look, and call ip_checksum_trial with the result */
};
enum ip_csum_word ip_checksum_word(
	const struct net_packet *p, uint32_t good, uint32_t bad, uint32_t trial);
/* One look less; a wrong one ends the trust in the device. Returns right. */
bool ip_checksum_trial(struct net_packet *p, uint32_t *trial, bool right);
bool ip_checksum_right(const struct net_packet *p, uint8_t protocol, uint32_t len);

struct net_result ndp_input(struct net_packet *p, uint8_t type);
/* Duplicate address detection: a solicitation from :: for every IPv6 address. */
void ndp_probe(struct net_port *port);
/* Unsolicited advertisement for every IPv6 address. */
void ndp_announce(struct net_port *port);
void ndp_group_of(const uint8_t *address, uint8_t *ret_group, uint8_t *ret_mac);

struct net_result icmp_input(struct net_packet *p);
struct net_result icmp6_input(struct net_packet *p);
/* Port unreachable for the packet, if the rules and the rate allow. */
void icmp_port_unreachable(struct net_packet *p);

struct net_result udp_input(struct net_packet *p);

#endif
