/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The face of the minimal net stack: Ethernet frames of one queue in, UDP payloads out,
 * and the replies that a host on a network owes: ARP, neighbour advertisements, echo, port
 * unreachable. The server never opens a conversation: every answer goes back by reflection to the
 * MAC address, VLAN and IP address that a packet came from, so there is no routing table.
 *
 * One struct net_port a lane and queue, embedded by the lane, used by its lcore only. Nothing here
 * allocates, reads a clock or logs. Reply frames come from the queue's control reserve.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"
#include "base/counter.h"
#include "base/packet.h"

#define NET_ADDRESSES_MAX 16
#define NET_REPLIES_MAX	  64
#define NET_HEADERS_MAX	  66 /* Ethernet 14, VLAN 4, IPv6 40, UDP 8 */
#define NET_NO_INFO	  LANE_COUNTER_COUNT
#define NET_CSUM_TRIAL	  64 /* checksums that a device calls good are looked at again, of each layer */

enum net_verdict {
	NET_UDP,      /* view is now the UDP payload, peer filled in; nothing counted yet */
	NET_CONSUMED, /* used by the stack: count `counter` */
	NET_DROPPED,  /* count `counter` */
};

struct net_result {
	enum net_verdict verdict;
	enum lane_counter counter; /* CONSUMED, DROPPED: to count once, by the caller */
	enum lane_counter info;	   /* an INFO counter to count besides, or NET_NO_INFO */
};

struct net_options {
	struct packet_queue queue; /* whose packets these are; where replies are written */
	bool answer;		   /* net_mode own: ARP, NDP, ICMP are answered. False: the kernel does */
	uint16_t vlan_id; /* 0 none */
	uint8_t dscp;	 /* of what is sent, 0..63 */
	uint16_t udp_port_first; /* ports of all lanes: others hand over what is not theirs */
	uint16_t udp_port_count;
	uint32_t address_count; /* own addresses, IPv4 mapped. 0 with !answer: any unicast one */
	uint8_t addresses[NET_ADDRESSES_MAX][16];
};

/* A rate limit without a clock of its own (GCRA): the time at which the next one is due. */
struct net_rate {
	uint64_t due_ns;
};

struct net_port {
	struct packet_queue queue;
	uint16_t vlan_id;
	bool answer;
	uint8_t traffic_class; /* dscp << 2 */
	uint16_t udp_port_first, udp_port_count;
	uint32_t address_count;
	uint8_t addresses[NET_ADDRESSES_MAX][16];

	/* How far the device's word on checksums goes. Distrust is set by any thread, and never ends. */
	_Atomic bool csum_distrusted;
	uint32_t ip_csum_trial, l4_csum_trial; /* GOODs still to be looked at in software */

	struct net_rate arp_rate, ndp_rate, icmp_rate, unreachable_rate;
	uint64_t arp_defend_ns;	    /* no second defence before (RFC 5227, 2.4) */
	uint64_t announce_ns;	    /* when the next announcement is due, UINT64_MAX never */
	uint64_t tentative_until_ns; /* IPv6 addresses are being probed until then (RFC 4862, 5.4) */
	uint32_t announced;

	/*
	 * Frames that net_input and net_tick want sent. The lane gives them to nic tx and sets
	 * reply_count to 0, once a turn. Replies beyond the array are not made (tx_no_buffer).
	 */
	uint32_t reply_count;
	struct packet_view replies[NET_REPLIES_MAX];
};

/* Checks and copies the options. -EINVAL: counts, an address that no host may own, DSCP, ports. */
int net_port_init(struct net_port *port, const struct net_options *options) MUST_CHECK;
/*
 * The group MAC addresses that the queue must accept for IPv6: all-nodes and one solicited-node
 * address an IPv6 address. Returns how many of them were written, at most max.
 */
uint32_t net_port_groups(const struct net_port *port, uint8_t (*ret_macs)[6], uint32_t max);

/*
 * Looks at one packet. With a kernel-stack queue only PACKET_MULTI_SEGMENT matters. `owner` stays as
 * it is in every case: the caller releases it.
 */
struct net_result net_input(struct net_port *port, struct packet_view *view, uint64_t now_ns);

/*
 * From the next packet on checksums are verified in software, whatever the device says of them. The
 * stack does this itself when one of the first NET_CSUM_TRIAL of a layer that the device called good is
 * wrong (counted csum_offload_wrong); the port's other queues are told by this. Any thread.
 */
void net_distrust_checksums(struct net_port *port);

/*
 * Begins the announcements again: three gratuitous ARPs a second apart for each IPv4 address, one
 * probe and then an advertisement for each IPv6 address. At start and when the link comes up.
 */
void net_announce(struct net_port *port, uint64_t now_ns);
/* Sends announcements that are due. Once a turn; cheap when none is. */
void net_tick(struct net_port *port, uint64_t now_ns);
uint64_t net_deadline_ns(const struct net_port *port);

/*
 * A datagram for `peer`: ret_view->data points at room for payload_len bytes, to be written by the
 * caller, who may lower ret_view->len. False: no control buffer, or larger than the MTU allows.
 */
bool net_udp_alloc(struct net_port *port, const struct packet_peer *peer, uint32_t payload_len,
	struct packet_view *ret_view);
/* Puts the headers around the payload by reflection; the view is then ready for nic tx. */
void net_udp_reply(struct net_port *port, struct packet_view *view);

#endif
