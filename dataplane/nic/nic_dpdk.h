/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of a DPDK port behind nic/nic.h. Private to nic/: port.c fills the struct and hands it
 * out as struct nic.
 */
#ifndef NIC_NIC_DPDK_H
#define NIC_NIC_DPDK_H

#include <stdatomic.h>
#include <rte_mbuf.h>
#include "nic/nic.h"
#include "nic/port_driver.h"
#include "nic/tx_queue.h"

struct nic_dpdk {
	struct nic nic;
	uint16_t port_id;
	uint16_t queue;
	uint16_t queues;
	uint16_t mtu;
	const struct port_driver *driver;
	const char *driver_name; /* as the device says: "net_memif", "mlx5_pci" */
	uint8_t mac[6];
	bool tx_udp_csum;
	bool counts_queues; /* the driver's numbers of this queue mean something */
	int rx_fd;
	bool interrupts; /* rx_fd is an epoll descriptor of ours over the device's; else it is the device's own */
	uint32_t rx_desc;
	uint32_t tx_budget; /* packets that one tx call may give the driver: port_tx_budget() */
	struct rte_mempool *rx_pool, *tx_pool;
	uint32_t pool_count;
	uint32_t pool_held; /* buffers that the driver took at start */
	uint32_t pool_reserved; /* those and what it may take later; never the lane's */
	uint32_t rx_at_start, tx_at_start; /* free ones before the device was started */

	const struct nic_dpdk *siblings; /* [queues], this one among them */

	/* Lane's lcore writes, stats() reads. */
	_Atomic uint64_t rx_packets CACHE_ALIGNED;
	_Atomic uint64_t tx_packets;
	uint32_t owners_out;
	struct tx_queue tx_queue;
};

/* Sets the functions; all else is port.c's. */
void nic_dpdk_init(struct nic_dpdk *queue);

#endif
