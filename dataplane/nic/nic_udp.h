/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One kernel UDP socket of nic_socket.c: opened, bound, its messages read and addressed, its losses
 * counted. Private to nic/. Used by the lane's lcore only, but for nic_udp_overflow.
 */
#ifndef NIC_NIC_UDP_H
#define NIC_NIC_UDP_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "base/compiler.h"
#include "nic/nic.h"

#define NIC_UDP_CONTROL_BYTES 128

union nic_udp_name {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
};

/* Room for the control messages of one datagram. */
struct nic_udp_control {
	uint8_t bytes[NIC_UDP_CONTROL_BYTES] ALIGNED(16);
};

struct nic_udp {
	int fd;
	int family;
	uint8_t address[16];	   /* bound to; IPv4 mapped */
	bool wildcard;		   /* local addresses come and go by PKTINFO */
	_Atomic uint64_t overflow; /* SO_RXQ_OVFL, widened */
};

/*
 * Opens a socket at an address (IPv4 mapped) and port, 0 any. Returns the port, or -errno with
 * nothing left open. The buffer may become smaller than asked: net.core.rmem_max.
 */
int nic_udp_open(struct nic_udp *udp, const uint8_t *address, uint16_t port, uint32_t rcvbuf_bytes)
	MUST_CHECK;
/* The class of all that is sent from here on, 0..63 (RFC 2474); the ECN bits stay 0. -errno. */
int nic_udp_set_dscp(struct nic_udp *udp, uint8_t dscp) MUST_CHECK;
void nic_udp_close(struct nic_udp *udp);
/* Peer, own address and congestion mark of a received message; notes the losses that it tells. */
void nic_udp_received(struct nic_udp *udp, struct msghdr *header, struct packet_view *view);
/* Addresses a message to a peer: name at header->msg_name, source in `room` where one must be named. */
void nic_udp_address(const struct nic_udp *udp, struct msghdr *header,
	const struct packet_peer *peer, struct nic_udp_control *room);
/* Datagrams lost to a full socket buffer up to now. Any thread. */
uint64_t nic_udp_overflow(const struct nic_udp *udp);

#endif
