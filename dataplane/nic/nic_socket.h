/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue that needs nothing: kernel UDP sockets behind nic/nic.h. Shown as driver
 * `socket` everywhere; it is never called kernel bypass. No DPDK, no privilege.
 */
#ifndef NIC_NIC_SOCKET_H
#define NIC_NIC_SOCKET_H

#include <stdint.h>
#include "base/compiler.h"
#include "nic/nic.h"

#define NIC_SOCKET_ADDRESSES_MAX 2

struct nic_socket_options {
	/* At most one of each family, IPv4 stored mapped; unspecified ones bind to all. */
	uint8_t addresses[NIC_SOCKET_ADDRESSES_MAX][16];
	uint32_t address_count;
	uint16_t port;		  /* 0: any free one, the same for both families */
	uint16_t mtu;		  /* greatest IP packet; larger datagrams arrive cut and marked */
	uint32_t rx_buffer_count; /* 4095 */
	uint32_t tx_buffer_count; /* 1023 */
	uint8_t dscp;		  /* of what is sent, 0..63 */
	uint32_t rcvbuf_bytes;	  /* SO_RCVBUF; forced past rmem_max where CAP_NET_ADMIN allows */
};

/* 127.0.0.1 only, any port, MTU 1500, 4095 + 1023 buffers, 4 MiB of socket buffer. */
void nic_socket_options_init(struct nic_socket_options *options);
/*
 * Opens and binds the sockets and takes all memory. Start-up. -EINVAL for options that make no
 * sense, -EADDRINUSE, -EACCES, -ENOMEM, -EAFNOSUPPORT and what socket(2), bind(2) say.
 */
int nic_socket_create(const struct nic_socket_options *options, struct nic **ret_nic) MUST_CHECK;
/* The bound UDP port. Any thread. */
uint16_t nic_socket_port(const struct nic *nic);
/* What the kernel granted of rcvbuf_bytes, per socket (it doubles what is asked). Any thread. */
uint32_t nic_socket_rcvbuf_bytes(const struct nic *nic);

#endif
