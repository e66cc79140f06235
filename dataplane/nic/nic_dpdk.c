/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nic_ops over rte_eth_rx_burst and tx_burst. Lane's lcore only, but for stats and caps.
 *
 * Owner tokens are mbuf pointers. rx buffers come from the queue's own pool, tx ones from its control
 * pool, so that answers can be sent when all rx buffers are held. What the driver refuses waits in
 * tx_queue, in front of everything newer. A packet in several segments is handed out as its first
 * with PACKET_MULTI_SEGMENT, to be dropped; freeing its head frees the chain.
 */
#include "nic/nic_dpdk.h"

#include <string.h>
#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include "base/bytes.h"
#include "base/ensure.h"

#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_IP4  0x0800

static struct nic_dpdk *
dpdk_of(struct nic *nic)
{
	return CONTAINER_OF(nic, struct nic_dpdk, nic);
}

static struct rte_mbuf *
mbuf_of(uint64_t token)
{
	return (struct rte_mbuf *)(uintptr_t)token;
}

static void
count_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(
		counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/* --- rx ---------------------------------------------------------------------------------------- */

static uint32_t
rx_flags(const struct rte_mbuf *m)
{
	uint64_t ip = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
	uint64_t l4 = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
	uint32_t flags = 0;

	flags |= ip == RTE_MBUF_F_RX_IP_CKSUM_GOOD ? PACKET_IP_CSUM_GOOD : 0;
	flags |= ip == RTE_MBUF_F_RX_IP_CKSUM_BAD ? PACKET_IP_CSUM_BAD : 0;
	flags |= l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD ? PACKET_L4_CSUM_GOOD : 0;
	flags |= l4 == RTE_MBUF_F_RX_L4_CKSUM_BAD ? PACKET_L4_CSUM_BAD : 0;
	flags |= m->nb_segs > 1 ? PACKET_MULTI_SEGMENT : 0;
	return flags;
}

static uint32_t
nic_dpdk_rx(struct nic *nic, struct packet_view *ret_views, uint32_t max)
{
	struct nic_dpdk *q = dpdk_of(nic);
	struct rte_mbuf *mbufs[NIC_BURST_MAX];
	uint16_t want = (uint16_t)(max < NIC_BURST_MAX ? max : NIC_BURST_MAX);
	uint16_t n = rte_eth_rx_burst(q->port_id, q->queue, mbufs, want);

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = mbufs[i];
		struct packet_view *view = &ret_views[i];

		memset(view, 0, sizeof(*view));
		view->data = rte_pktmbuf_mtod(m, uint8_t *);
		view->len = m->data_len;
		view->flags = rx_flags(m);
		view->owner = (uint64_t)(uintptr_t)m;
	}
	if (n > 0) {
		q->owners_out += n;
		count_add(&q->rx_packets, n);
	}
	return n;
}

static void
nic_dpdk_release(struct nic *nic, const uint64_t *owners, uint32_t n)
{
	struct nic_dpdk *q = dpdk_of(nic);

	ensure(n <= q->owners_out);
	q->owners_out -= n;
	while (n > 0) {
		struct rte_mbuf *mbufs[NIC_BURST_MAX];
		uint32_t part = n < NIC_BURST_MAX ? n : NIC_BURST_MAX;

		for (uint32_t i = 0; i < part; i++) {
			ensure(owners[i] != 0);
			mbufs[i] = mbuf_of(owners[i]);
		}
		rte_pktmbuf_free_bulk(mbufs, part);
		owners += part;
		n -= part;
	}
}

static bool
nic_dpdk_rx_arm(struct nic *nic)
{
	struct nic_dpdk *q = dpdk_of(nic);

	return !q->interrupts || rte_eth_dev_rx_intr_enable(q->port_id, q->queue) == 0;
}

/* How an event is taken back is the driver's: DPDK's own wait knows it, and does not block here. */
static void
nic_dpdk_rx_disarm(struct nic *nic)
{
	struct nic_dpdk *q = dpdk_of(nic);
	struct rte_epoll_event event;

	if (q->interrupts) {
		(void)rte_eth_dev_rx_intr_disable(q->port_id, q->queue);
		(void)rte_epoll_wait(q->rx_fd, &event, 1, 0);
	}
}

/* Arithmetic, not the pool's count: that walks the caches of 128 lcores. */
static uint32_t
nic_dpdk_buffers_free(struct nic *nic)
{
	struct nic_dpdk *q = dpdk_of(nic);
	uint32_t used = q->pool_reserved + q->owners_out;

	return used < q->pool_count ? q->pool_count - used : 0;
}

static uint32_t
nic_dpdk_owners_out(struct nic *nic)
{
	return dpdk_of(nic)->owners_out;
}

/* --- tx ---------------------------------------------------------------------------------------- */

static bool
nic_dpdk_tx_alloc(struct nic *nic, uint32_t len, struct packet_view *ret_view)
{
	struct nic_dpdk *q = dpdk_of(nic);
	struct rte_mbuf *m = rte_pktmbuf_alloc(q->tx_pool);

	if (!m) {
		return false;
	}
	if (len > rte_pktmbuf_tailroom(m)) {
		rte_pktmbuf_free(m);
		return false;
	}
	memset(ret_view, 0, sizeof(*ret_view));
	ret_view->data = rte_pktmbuf_mtod(m, uint8_t *);
	ret_view->len = len;
	ret_view->owner = (uint64_t)(uintptr_t)m;
	return true;
}

static void
nic_dpdk_tx_free(struct nic *nic, const struct packet_view *view)
{
	(void)nic;
	rte_pktmbuf_free(mbuf_of(view->owner));
}

/* What the device needs in order to complete a UDP checksum: where the headers end. */
static void
tx_set_checksum(struct rte_mbuf *m, const uint8_t *frame)
{
	bool tagged = load_be16(frame + 12) == ETHERTYPE_VLAN;
	uint16_t type = load_be16(frame + (tagged ? 16 : 12));

	m->l2_len = tagged ? 18 : 14;
	m->l3_len = type == ETHERTYPE_IP4 ? 20 : 40;
	m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM |
		(type == ETHERTYPE_IP4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6);
}

static struct rte_mbuf *
tx_mbuf(const struct packet_view *view)
{
	struct rte_mbuf *m = mbuf_of(view->owner);
	ptrdiff_t offset = view->data - (uint8_t *)m->buf_addr;

	ensure(offset >= 0);
	ensure((size_t)offset + view->len <= m->buf_len);
	m->data_off = (uint16_t)offset;
	m->data_len = (uint16_t)view->len;
	m->pkt_len = view->len;
	if (view->flags & PACKET_TX_CSUM) {
		tx_set_checksum(m, view->data);
	}
	return m;
}

/* Offers what waits, oldest first, within the budget. A driver may take part of a burst. */
static void
tx_drain(struct nic_dpdk *q, uint32_t *budget)
{
	while (q->tx_queue.count > 0 && *budget > 0) {
		/* Tokens are pointers of the same size: the queue is an array of mbufs. */
		uint32_t count = q->tx_queue.count < NIC_BURST_MAX ? q->tx_queue.count : NIC_BURST_MAX;
		uint16_t sent;

		count = count < *budget ? count : *budget;
		sent = rte_eth_tx_burst(q->port_id, q->queue,
			(struct rte_mbuf **)(void *)q->tx_queue.tokens, (uint16_t)count);

		*budget -= sent;
		tx_queue_drop_front(&q->tx_queue, sent);
		count_add(&q->tx_packets, sent);
		if (sent < count) {
			return;
		}
	}
}

_Static_assert(sizeof(struct rte_mbuf *) == sizeof(uint64_t), "tokens are pointers");

static uint32_t
nic_dpdk_tx(struct nic *nic, const struct packet_view *views, uint32_t n)
{
	struct nic_dpdk *q = dpdk_of(nic);
	uint32_t given_up = 0, budget = q->tx_budget;

	if (n == 0 && q->tx_queue.count == 0) {
		if (q->driver->reaps_on_tx) {
			(void)rte_eth_tx_burst(q->port_id, q->queue, NULL, 0);
		}
		return 0;
	}
	tx_drain(q, &budget);
	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *m = tx_mbuf(&views[i]);

		if (tx_queue_room(&q->tx_queue) == 0) {
			tx_drain(q, &budget);
		}
		if (tx_queue_room(&q->tx_queue) == 0) {
			rte_pktmbuf_free(m);
			given_up++;
			continue;
		}
		tx_queue_push(&q->tx_queue, (uint64_t)(uintptr_t)m);
	}
	tx_drain(q, &budget);
	return given_up;
}

static uint32_t
nic_dpdk_tx_queued(struct nic *nic)
{
	return dpdk_of(nic)->tx_queue.count;
}

/* --- reports ------------------------------------------------------------------------------------ */

static void
nic_dpdk_caps(struct nic *nic, struct nic_caps *ret_caps)
{
	struct nic_dpdk *q = dpdk_of(nic);

	memset(ret_caps, 0, sizeof(*ret_caps));
	ret_caps->driver = q->driver_name;
	memcpy(ret_caps->mac, q->mac, 6);
	ret_caps->mtu = q->mtu;
	ret_caps->queue = q->queue;
	ret_caps->queues = q->queues;
	ret_caps->counts_losses = q->driver->counts_losses;
	ret_caps->oerrors_taken = q->driver->oerrors_taken;
	ret_caps->tx_udp_csum = q->tx_udp_csum;
	ret_caps->rx_fd = q->rx_fd;
	ret_caps->rx_interrupts = q->interrupts;
	ret_caps->rx_descriptors = q->rx_desc;
	ret_caps->pool_count = q->pool_count;
	ret_caps->idle_rx_every = q->driver->idle_rx_every;
}

/* The queue's own numbers; a port's only queue has the port's. */
static void
stats_of_queue(const struct nic_dpdk *q, const struct rte_eth_stats *stats, struct nic_stats *ret_stats)
{
	/* Packets that were taken and lost cannot be told of one queue. */
	bool lost = q->driver->oerrors_taken && stats->oerrors > 0;

	ret_stats->queue_ipackets = q->queues == 1 ? stats->ipackets :
				    q->counts_queues ? stats->q_ipackets[q->queue] : UINT64_MAX;
	ret_stats->queue_opackets = !q->driver->counts_sent ? UINT64_MAX :
				    q->queues == 1 ? stats->opackets :
				    q->counts_queues && !lost ? stats->q_opackets[q->queue] : UINT64_MAX;
}

static void
stats_of_our_own(const struct nic_dpdk *q, struct nic_stats *ret_stats)
{
	ret_stats->queue_ipackets = atomic_load_explicit(&q->rx_packets, memory_order_relaxed);
	ret_stats->queue_opackets = atomic_load_explicit(&q->tx_packets, memory_order_relaxed);
	ret_stats->ipackets = ret_stats->opackets = 0;
	for (uint16_t i = 0; i < q->queues; i++) {
		const struct nic_dpdk *s = &q->siblings[i];

		ret_stats->ipackets += atomic_load_explicit(&s->rx_packets, memory_order_relaxed);
		ret_stats->opackets += atomic_load_explicit(&s->tx_packets, memory_order_relaxed);
	}
}

/* Port-wide. What the driver cannot see is "not visible", never 0. */
static void
nic_dpdk_stats(struct nic *nic, struct nic_stats *ret_stats)
{
	struct nic_dpdk *q = dpdk_of(nic);
	struct rte_eth_stats stats;

	memset(ret_stats, 0, sizeof(*ret_stats));
	if (rte_eth_stats_get(q->port_id, &stats) != 0) {
		ret_stats->ipackets = ret_stats->imissed = ret_stats->ierrors = UINT64_MAX;
		ret_stats->rx_nombuf = ret_stats->opackets = ret_stats->oerrors = UINT64_MAX;
		ret_stats->queue_ipackets = ret_stats->queue_opackets = UINT64_MAX;
		return;
	}
	ret_stats->ipackets = stats.ipackets;
	ret_stats->imissed = q->driver->counts_losses ? stats.imissed : UINT64_MAX;
	ret_stats->ierrors = stats.ierrors;
	ret_stats->rx_nombuf = q->driver->counts_nombuf ? stats.rx_nombuf : UINT64_MAX;
	ret_stats->opackets = stats.opackets;
	ret_stats->oerrors = stats.oerrors;
	stats_of_queue(q, &stats, ret_stats);
	if (q->driver->forgets_packets) {
		stats_of_our_own(q, ret_stats);
	}
}

/* The queue belongs to its port: this only gives back what waits to be sent. */
static void
nic_dpdk_destroy(struct nic *nic)
{
	struct nic_dpdk *q = dpdk_of(nic);

	for (uint32_t i = 0; i < q->tx_queue.count; i++) {
		rte_pktmbuf_free(mbuf_of(q->tx_queue.tokens[i]));
	}
	q->tx_queue.count = 0;
}

static const struct nic_ops nic_dpdk_ops = {
	.rx = nic_dpdk_rx,
	.tx_alloc = nic_dpdk_tx_alloc,
	.tx_free = nic_dpdk_tx_free,
	.tx = nic_dpdk_tx,
	.tx_queued = nic_dpdk_tx_queued,
	.release = nic_dpdk_release,
	.rx_arm = nic_dpdk_rx_arm,
	.rx_disarm = nic_dpdk_rx_disarm,
	.buffers_free = nic_dpdk_buffers_free,
	.caps = nic_dpdk_caps,
	.stats = nic_dpdk_stats,
	.owners_out = nic_dpdk_owners_out,
	.destroy = nic_dpdk_destroy,
};

void
nic_dpdk_init(struct nic_dpdk *queue)
{
	queue->nic.ops = &nic_dpdk_ops;
}
