/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake of nic/nic.h: packets in by nic_fake_put(), packets out by nic_fake_take(), nothing else.
 * Deterministic, no clock, no system call, one thread. Tests choose whether views are raw frames or
 * carry UDP payload, how many packets the "driver" takes, and how much room the receive queue has.
 * Released buffers are overwritten, so that use after release shows; a double release aborts.
 */
#ifndef SUPPORT_NIC_FAKE_H
#define SUPPORT_NIC_FAKE_H

#include <stdbool.h>
#include <stdint.h>
#include "nic/nic.h"

#define NIC_FAKE_UNLIMITED UINT32_MAX

struct nic_fake_options {
	bool kernel_stack; /* views carry UDP payload and peers; else Ethernet frames */
	uint8_t mac[6];
	uint16_t mtu;		  /* greatest IP packet */
	uint32_t rx_buffer_count; /* pool */
	uint32_t rx_descriptors;  /* packets that wait for rx(); more are imissed */
	uint32_t tx_buffer_count; /* control reserve; also bounds packets not yet taken */
};

/* One packet in, or out. */
struct nic_fake_packet {
	const void *data;
	uint32_t len;
	uint32_t flags; /* enum packet_flag, beyond KERNEL_STACK, which the fake sets */
	uint64_t rx_time_ns;
	struct packet_peer peer; /* with kernel_stack */
};

/* kernel stack, MTU 1500, 1023 rx buffers, 512 descriptors, 511 tx buffers, MAC 02:00:00:00:00:01. */
void nic_fake_options_init(struct nic_fake_options *options);
struct nic *nic_fake_create(const struct nic_fake_options *options);
/* Copies one packet into the receive queue. False: no buffer or no descriptor, counted imissed. */
bool nic_fake_put(struct nic *nic, const struct nic_fake_packet *packet);
/*
 * The oldest packet sent and not yet taken. Its data stays valid until the next call of take or
 * until destroy. False if there is none.
 */
bool nic_fake_take(struct nic *nic, struct nic_fake_packet *ret_packet);
/* The driver takes that many more packets, then refuses. NIC_FAKE_UNLIMITED is the start value. */
void nic_fake_tx_room(struct nic *nic, uint32_t packets);
/* tx_alloc fails that many times from now on. */
void nic_fake_tx_alloc_fail(struct nic *nic, uint32_t times);
/* Packets that wait for rx(), and packets sent that wait for take(). */
uint32_t nic_fake_rx_waiting(struct nic *nic);
uint32_t nic_fake_tx_waiting(struct nic *nic);
/* Between rx_arm and rx_disarm. */
bool nic_fake_armed(const struct nic *nic);

#endif
