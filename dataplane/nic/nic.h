/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seam 3 of 4: bursts of packets. Implementations: nic_dpdk.c (any DPDK ethdev), nic_socket.c (kernel
 * UDP, named `socket`, never called kernel bypass), tests/support/nic_fake.c, and nic_fault.c, which
 * decorates any of them with loss, duplication and reordering. One `struct nic` is one queue of one
 * port, used by one lane's lcore only.
 */
#ifndef NIC_NIC_H
#define NIC_NIC_H

#include <stdbool.h>
#include <stdint.h>
#include "base/packet.h"

#define NIC_BURST_MAX 64

/* IP and UDP headers of a datagram: what its payload has less than the MTU. */
#define NIC_IP4_UDP_BYTES 28
#define NIC_IP6_UDP_BYTES 48

/* What a queue can and cannot do. */
struct nic_caps {
	const char *driver; /* "net_memif", "net_af_packet", "socket", "fake", ... */
	uint8_t mac[6];
	uint16_t mtu;		 /* greatest IP packet */
	uint16_t queue, queues;	 /* this one, 0-based, and how many its port has */
	bool kernel_stack;	 /* views carry UDP payload */
	bool counts_losses;	 /* imissed means something; else shown as "not visible" */
	bool oerrors_taken;	 /* oerrors are packets that tx took; else what it refused, and is offered again */
	bool tx_ip_csum, tx_udp_csum;
	int rx_fd;		 /* pollable for the `interrupt` idle policy, between rx_arm and rx_disarm; or -1 */
	bool rx_interrupts;	 /* the device itself raises it, once armed */
	uint32_t rx_descriptors;
	uint32_t pool_count;	 /* rx buffers in all */
	uint32_t idle_rx_every;	 /* call rx only every n-th empty turn (af_xdp: 8) */
};

/* Numbers for ledger equations E1, E2, E9, port-wide or the queue's. Absent ones are UINT64_MAX ("not visible"). */
struct nic_stats {
	uint64_t ipackets, imissed, ierrors, rx_nombuf, opackets, oerrors;
	uint64_t queue_ipackets, queue_opackets;
	uint64_t fault_lost, fault_duplicated, fault_reordered; /* the decorator's own terms, of rx */
	uint64_t fault_tx_lost, fault_tx_duplicated, fault_tx_reordered;
};

struct nic;

struct nic_ops {
	/* 0..max views. Never blocks. */
	uint32_t (*rx)(struct nic *nic, struct packet_view *ret_views, uint32_t max);
	/* One writable view of at least len bytes from the control reserve; false if none. */
	bool (*tx_alloc)(struct nic *nic, uint32_t len, struct packet_view *ret_view);
	/* Gives a view of tx_alloc back unsent. */
	void (*tx_free)(struct nic *nic, const struct packet_view *view);
	/*
	 * Takes all n. What the driver refuses waits in a 256-slot software queue, is tried again next
	 * call (n may be 0), then is freed and counted in the return value. Returns packets given up.
	 */
	uint32_t (*tx)(struct nic *nic, const struct packet_view *views, uint32_t n);
	/* Packets in the software queue: nobody wakes the lane when the driver has room again. */
	uint32_t (*tx_queued)(struct nic *nic);
	/* Gives rx owners back in bulk. Only the lane's own lcore. */
	void (*release)(struct nic *nic, const uint64_t *owners, uint32_t n);
	/*
	 * The lane's lcore is about to sleep on caps.rx_fd: from here on the next packet makes it
	 * readable. What came before may not: rx once more, then sleep. False: it cannot be armed, look
	 * again soon. rx_disarm after the sleep, or instead of it. Without a descriptor neither does
	 * anything.
	 */
	bool (*rx_arm)(struct nic *nic);
	void (*rx_disarm)(struct nic *nic);
	/* rx buffers free right now; feeds credits. */
	uint32_t (*buffers_free)(struct nic *nic);
	void (*caps)(struct nic *nic, struct nic_caps *ret_caps);
	/* Housekeeping threads may call this while the lane runs. */
	void (*stats)(struct nic *nic, struct nic_stats *ret_stats);
	/* The number of rx owners out (rx'd and not yet released): 0 after drain. */
	uint32_t (*owners_out)(struct nic *nic);
	void (*destroy)(struct nic *nic);
};

struct nic {
	const struct nic_ops *ops;
};

/* What the net stack of this queue is given. */
static inline struct packet_queue
nic_packet_queue(struct nic *nic)
{
	struct nic_caps caps;
	struct packet_queue queue = {.nic = nic, .tx_alloc = nic->ops->tx_alloc};

	nic->ops->caps(nic, &caps);
	memcpy(queue.mac, caps.mac, sizeof(queue.mac));
	queue.mtu = caps.mtu;
	queue.kernel_stack = caps.kernel_stack;
	queue.tx_udp_csum = caps.tx_udp_csum;
	return queue;
}

#endif
