/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A packet as every layer above a queue sees it: bytes, flags, who owns them, who sent them. What made
 * it and takes it back is nic/, which nobody needs to know for this.
 */
#ifndef BASE_PACKET_H
#define BASE_PACKET_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum packet_flag {
	PACKET_KERNEL_STACK = 1, /* data is the UDP payload; peer_* and local_port are filled in */
	PACKET_IP_CSUM_GOOD = 2,
	PACKET_IP_CSUM_BAD = 4,
	PACKET_L4_CSUM_GOOD = 8,
	PACKET_L4_CSUM_BAD = 16,
	PACKET_MULTI_SEGMENT = 32, /* data is only the first part: to be dropped */
	PACKET_ECN_CE = 64,
	PACKET_TX_CSUM = 128, /* tx: UDP checksum is the pseudo-header's sum, the device ends it */
};

/* Where a datagram came from, and everything a reply by reflection needs. IPv4 is stored mapped. */
struct packet_peer {
	uint8_t address[16];	   /* remote, ::ffff:a.b.c.d for IPv4 */
	uint8_t local_address[16]; /* ours, that it was sent to */
	uint16_t port;		   /* remote UDP port, host order */
	uint16_t local_port;
	uint8_t mac[6];	   /* remote; zero with PACKET_KERNEL_STACK */
	uint16_t vlan_tci; /* 0 none */
};

static inline bool
packet_address_is_ip4(const uint8_t *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(address, mapped, sizeof(mapped)) == 0;
}

/*
 * One packet. rx: data stays valid until `owner` is released. tx: a view from tx_alloc that the
 * caller filled: `len` bytes of frame, or with kernel_stack queues of UDP payload for `peer`.
 */
struct packet_view {
	uint8_t *data;
	uint32_t len;
	uint32_t flags; /* enum packet_flag */
	uint64_t owner; /* token; never 0 */
	uint64_t rx_time_ns; /* 0: use the turn's clock */
	struct packet_peer peer;
};

struct nic;

/* A queue, as far as a net stack needs it to write packets of its own. */
struct packet_queue {
	struct nic *nic; /* only for tx_alloc; nobody looks inside */
	/* One writable view of at least len bytes from the control reserve; false if none. */
	bool (*tx_alloc)(struct nic *nic, uint32_t len, struct packet_view *ret_view);
	uint8_t mac[6];
	uint16_t mtu; /* greatest IP packet */
	bool kernel_stack; /* views carry UDP payload */
	bool tx_udp_csum;
};

#endif
