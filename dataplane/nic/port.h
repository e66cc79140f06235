/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One DPDK port with a queue and its two pools a lane: set up in the order that DPDK wants, checked
 * against what the device says, closed in one go. Housekeeping thread, after eal_start(). The queues
 * come out as struct nic (nic_dpdk.c); they die with the port.
 */
#ifndef NIC_PORT_H
#define NIC_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"
#include "nic/nic.h"
#include "nic/port_plan.h"

#define PORT_QUEUES_MAX 16
#define PORT_TEXT_BYTES 2048

struct port;

struct port_options {
	const char *device; /* ethdev name: "net_memif0", or "0000:41:00.0" */
	const struct port_driver *driver;
	const char *devargs; /* of the profile, for the plan; or NULL */
	uint16_t index;	     /* names pools */
	uint16_t queues;
	uint16_t mtu;
	uint16_t rx_desc, tx_desc;
	uint16_t burst;
	uint16_t udp_port_first; /* queue i gets UDP port first + i by flow rules, where there are any */
	bool rx_interrupts;	 /* lanes sleep under the `interrupt` policy: descriptors where the device has them */
	bool isolate;		 /* bifurcated drivers: only our flow rules' packets */
	uint64_t link_wait_ns;	 /* 0 for virtual devices */
	struct port_plan plan;	 /* of port_plan() */
};

/* 1 queue, MTU 1500, 1024 descriptors, burst 32, no link wait. */
void port_options_init(struct port_options *options);
/*
 * Sets up and starts. On failure nothing is left and text says what did not fit; on success text
 * holds what was granted, a line a fact. -ENODEV, -EINVAL, -ENOMEM, what the driver returns.
 */
int port_open(const struct port_options *options, struct port **ret_port, char *text,
	uint32_t text_bytes) MUST_CHECK;
/*
 * Stops the device and frees the pools; the lanes have given all owners back. Returns how many
 * buffers did not come home, by the better of two looks: before the device was closed and after
 * (some drivers keep theirs until then, others give nothing back). 0 but for zero-copy memif.
 */
uint32_t port_close(struct port *port);
struct nic *port_queue(struct port *port, uint16_t queue);
/* Group MAC addresses for IPv6 (net_port_groups): list, else all-multicast, else promiscuous. */
int port_join(struct port *port, uint8_t (*macs)[6], uint32_t count);
/* Any thread but the lanes': a driver may ask the kernel. */
bool port_link_up(struct port *port);
/* Packets to another lane's port arrive on their queue: flow rules or one queue. Else hand-over. */
bool port_steers(const struct port *port);

#endif
