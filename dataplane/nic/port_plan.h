/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of packet pools: how many buffers of what size one lane of a port
 * needs, and the memory that they take. Pure: shown at start, checked by --check, refused if it does
 * not hold. No DPDK, any thread.
 */
#ifndef NIC_PORT_PLAN_H
#define NIC_PORT_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"
#include "nic/port_driver.h"

#define PORT_CONTROL_BUFFERS 1023 /* the control reserve of a lane, from which all tx comes */

struct port_plan_in {
	const struct port_driver *driver;
	const char *devargs;	/* for bsize, framesz; or NULL */
	uint32_t lanes;		/* queues of the port */
	uint32_t mtu;
	uint32_t rx_desc, tx_desc;
	uint32_t burst;
	uint32_t append_slots; /* ring slots that may hold a buffer each, all shards of a lane */
	uint32_t pool_count;   /* 0: the smallest that fits */
	uint32_t page_bytes;   /* 4096 without hugepages, else 2 MiB or 1 GiB */
};

/* 1 lane, MTU 1500, 1024 descriptors, burst 32, 1024 slots, 2 MiB pages. driver is left NULL. */
void port_plan_init(struct port_plan_in *in);

struct port_plan {
	uint32_t data_room;	/* headroom included */
	uint32_t element_bytes;
	bool exact_elements; /* element_bytes as they are, without the padding that spreads them */
	uint32_t cache;
	uint32_t driver_extra;
	uint32_t park_max;	/* batches ahead of order that a lane may hold */
	uint32_t pool_need;	/* what the terms add up to */
	uint32_t pool_count;	/* 2^k - 1 */
	uint32_t control_count;
	uint64_t pool_bytes;	/* one lane's rx pool */
	uint64_t control_bytes; /* one lane's control pool */
	uint64_t total_bytes;	/* all lanes of the port */
};

/* -EINVAL: does not hold; `text` shows the sum, one term a line with the key that changes it. */
int port_plan(const struct port_plan_in *in, struct port_plan *ret_plan, char *text,
	uint32_t text_bytes) MUST_CHECK;
/* What -m is given: the pools and rings of all ports, 5 % and 32 MiB more. */
uint32_t port_plan_memory_mib(uint64_t pool_bytes, uint64_t ring_bytes);

#endif
