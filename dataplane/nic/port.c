/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port.h: the set-up order of a DPDK port. Housekeeping thread; the lanes start after it and stop
 * before port_close(). Nothing is assumed of a device: offloads, descriptors, MTU are asked for and
 * what was granted is kept and shown.
 */
#include "nic/port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_memzone.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "nic/nic_dpdk.h"
#include "nic/port_pool.h"
#include "nic/port_steering.h"
#include "nic/rt_signals.h"

#define LINK_POLL_NS  (20 * NS_PER_MS)
#define STANDARD_MTU  1500
#define FLOWS_A_QUEUE 2

struct port {
	uint16_t port_id;
	uint16_t queue_count;
	bool started, configured;
	enum port_steering steering;
	bool asks_interrupts; /* of every rx queue */
	struct rte_ether_addr mac;
	struct port_options options;
	struct rte_eth_dev_info info;
	char driver_name[64];
	uint64_t tx_offloads;
	struct nic_dpdk *queues;
	struct rte_flow *flows[PORT_QUEUES_MAX * FLOWS_A_QUEUE];
	uint32_t flow_count;
	char *text;
	uint32_t text_bytes, text_used;
};

void
port_options_init(struct port_options *options)
{
	memset(options, 0, sizeof(*options));
	options->queues = 1;
	options->mtu = STANDARD_MTU;
	options->rx_desc = 1024;
	options->tx_desc = 1024;
	options->burst = 32;
}

PRINTF_LIKE(2, 3) static void
port_say(struct port *port, const char *format, ...)
{
	va_list list;
	int len;

	if (port->text_used + 1 >= port->text_bytes) {
		return;
	}
	va_start(list, format);
	len = vsnprintf(
		port->text + port->text_used, port->text_bytes - port->text_used, format, list);
	va_end(list);
	port->text_used += (uint32_t)len;
	if (port->text_used >= port->text_bytes) {
		port->text_used = port->text_bytes - 1;
	}
}

/* Replaces all that was said by the failure; returns rc. */
static int
port_fail(struct port *port, int rc, const char *what)
{
	port->text_used = 0;
	port_say(port, "port %s: %s: %s", port->options.device, what, rte_strerror(-rc));
	return rc;
}

/* --- what the device says ------------------------------------------------------------------------ */

static int
port_find(struct port *port)
{
	int rc = rte_eth_dev_get_port_by_name(port->options.device, &port->port_id);

	if (rc < 0) {
		return port_fail(port, -ENODEV, "no such device (the driver's lines say why)");
	}
	rc = rte_eth_dev_info_get(port->port_id, &port->info);
	if (rc < 0) {
		return port_fail(port, rc, "device info");
	}
	snprintf(port->driver_name, sizeof(port->driver_name), "%s", port->info.driver_name);
	if (port->options.queues > port->info.max_rx_queues ||
		port->options.queues > port->info.max_tx_queues) {
		port_fail(port, -EINVAL, "queues");
		port_say(port, ": %u wanted, the device has %u rx, %u tx (ports[].rx_queues)",
			port->options.queues, port->info.max_rx_queues, port->info.max_tx_queues);
		return -EINVAL;
	}
	if (port->options.plan.data_room < port->info.min_rx_bufsize) {
		return port_fail(port, -EINVAL, "packet buffers are smaller than the device takes");
	}
	return 0;
}

/* --- configure, queues --------------------------------------------------------------------------- */

static int
port_configure(struct port *port)
{
	struct rte_eth_conf conf;
	uint64_t rx_wanted = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |
		RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	uint64_t tx_wanted = RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	uint16_t n = port->options.queues;
	int rc;

	memset(&conf, 0, sizeof(conf));
	conf.rxmode.mtu = STANDARD_MTU;
	conf.rxmode.offloads = rx_wanted & port->info.rx_offload_capa;
	conf.txmode.offloads = tx_wanted & port->info.tx_offload_capa;
	conf.intr_conf.rxq = port->asks_interrupts;
	if (n > 1 && port->info.flow_type_rss_offloads != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = port->info.flow_type_rss_offloads &
			(RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP | RTE_ETH_RSS_IP);
	}
	if (port->options.isolate) {
		rc = rte_flow_isolate(port->port_id, 1, NULL);
		if (rc < 0) {
			return port_fail(port, rc, "flow isolation");
		}
	}
	rc = rte_eth_dev_configure(port->port_id, n, n, &conf);
	if (rc < 0) {
		return port_fail(port, rc, "configure");
	}
	port->configured = true;
	port->tx_offloads = conf.txmode.offloads;
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(
		port->port_id, &port->options.rx_desc, &port->options.tx_desc);
	if (rc < 0) {
		return port_fail(port, rc, "descriptors");
	}
	port_say(port, "port %s: driver %s, %u queue(s), %u rx and %u tx descriptors\n",
		port->options.device, port->driver_name, n, port->options.rx_desc,
		port->options.tx_desc);
	port_say(port, "port %s: rx offloads 0x%llx, tx offloads 0x%llx granted\n",
		port->options.device, (unsigned long long)conf.rxmode.offloads,
		(unsigned long long)conf.txmode.offloads);
	return 0;
}

static void
pool_memory_free(struct rte_mempool_memhdr *chunk, void *zone)
{
	(void)chunk;
	(void)rte_memzone_free(zone);
}

/* Elements back to back, from a page's begin on. */
static int
pool_populate_array(const struct port *port, struct rte_mempool *pool, uint32_t count)
{
	uint32_t bytes = port->options.plan.element_bytes;
	const struct rte_memzone *zone = rte_memzone_reserve_aligned(pool->name, (size_t)count * bytes,
		pool->socket_id, 0, bytes);
	int rc;

	if (!zone) {
		return -ENOMEM;
	}
	rc = rte_mempool_populate_virt(pool, zone->addr, zone->len, (size_t)sysconf(_SC_PAGESIZE), pool_memory_free,
		(void *)(uintptr_t)zone);
	return rc < 0 ? rc : rc != (int)count ? -ENOMEM : 0;
}

/*
 * As rte_pktmbuf_pool_create, but elements are exactly as long as planned. AF_XDP's driver takes the
 * pool's count times the element for the length of its memory: with gaps at the ends of pages, where
 * elements do not divide a page, the last buffers would lie outside, and the kernel would drop each of
 * them for good at its first use.
 */
static struct rte_mempool *
pool_create_exact(const struct port *port, const char *name, uint32_t count, uint32_t cache)
{
	const struct port_plan *plan = &port->options.plan;
	struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = (uint16_t)plan->data_room};
	struct rte_mempool *pool = rte_mempool_create_empty(name, count,
		(uint32_t)sizeof(struct rte_mbuf) + plan->data_room, cache, sizeof(private),
		rte_eth_dev_socket_id(port->port_id), RTE_MEMPOOL_F_NO_SPREAD);

	if (!pool) {
		return NULL;
	}
	rte_errno = -rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL);
	if (rte_errno == 0) {
		rte_pktmbuf_pool_init(pool, &private);
		rte_errno = -pool_populate_array(port, pool, count);
	}
	if (rte_errno != 0) {
		rte_mempool_free(pool);
		return NULL;
	}
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}

static struct rte_mempool *
pool_create(struct port *port, const char *kind, uint16_t queue, uint32_t count)
{
	const struct port_plan *plan = &port->options.plan;
	char name[RTE_MEMPOOL_NAMESIZE];
	uint32_t cache = plan->cache < count / 3 ? plan->cache : count / 3;

	snprintf(name, sizeof(name), "%s_%u_%u", kind, port->options.index, queue);
	if (plan->exact_elements) {
		return pool_create_exact(port, name, count, cache);
	}
	return rte_pktmbuf_pool_create(name, count, cache, 0, (uint16_t)plan->data_room,
		rte_eth_dev_socket_id(port->port_id));
}

/* An element of a pool that must be one array: how far it lies from where it belongs. */
static void
element_measure(struct rte_mempool *pool, void *user_data, void *element, unsigned int index)
{
	const struct rte_mempool_memhdr *chunk = STAILQ_FIRST(&pool->mem_list);
	uint64_t place = (uint64_t)((uint8_t *)element - (uint8_t *)chunk->addr) - pool->header_size;
	uint32_t *misplaced = user_data;

	*misplaced += place != (uint64_t)index * (pool->header_size + pool->elt_size + pool->trailer_size);
}

/* -EINVAL if a driver that wants one array of elements, from a page's begin on, does not get it. */
static int
pool_check_array(struct port *port, struct rte_mempool *pool)
{
	const struct rte_mempool_memhdr *chunk = STAILQ_FIRST(&pool->mem_list);
	struct port_pool_shape shape = {.pieces = pool->nb_mem_chunks,
		.count = pool->populated_size,
		.address = (uintptr_t)chunk->addr};
	char text[512];

	if (!port->options.plan.exact_elements) {
		return 0;
	}
	rte_mempool_obj_iter(pool, element_measure, &shape.misplaced);
	if (!port_pool_is_array(&shape, port->options.driver->chunk_bytes, text, sizeof(text))) {
		port_fail(port, -EINVAL, "packet pool");
		port_say(port, ": %s", text);
		return -EINVAL;
	}
	return 0;
}

static int
queue_pools(struct port *port, uint16_t queue)
{
	const struct port_options *o = &port->options;
	struct nic_dpdk *q = &port->queues[queue];
	int rc;

	q->rx_pool = pool_create(port, "rx", queue, o->plan.pool_count);
	q->tx_pool = pool_create(port, "tx", queue, o->plan.control_count);
	if (!q->rx_pool || !q->tx_pool) {
		return port_fail(port, rte_errno ? -rte_errno : -ENOMEM,
			"packet pool (memory.per_node, hugepages)");
	}
	rc = pool_check_array(port, q->rx_pool);
	q->rx_at_start = rte_mempool_avail_count(q->rx_pool);
	q->tx_at_start = rte_mempool_avail_count(q->tx_pool);
	return rc;
}

static int
queue_create(struct port *port, uint16_t queue)
{
	const struct port_options *o = &port->options;
	struct nic_dpdk *q = &port->queues[queue];
	int rc;

	rc = rte_eth_rx_queue_setup(port->port_id, queue, o->rx_desc,
		(unsigned int)rte_eth_dev_socket_id(port->port_id), NULL, q->rx_pool);
	if (rc < 0) {
		return port_fail(port, rc, "rx queue");
	}
	rc = rte_eth_tx_queue_setup(port->port_id, queue, o->tx_desc,
		(unsigned int)rte_eth_dev_socket_id(port->port_id), NULL);
	return rc < 0 ? port_fail(port, rc, "tx queue") : 0;
}

/* Drivers that cannot change it tell ENOTSUP or EINVAL; the plan has judged whether that matters. */
static int
port_set_mtu(struct port *port)
{
	uint16_t mtu = 0;
	int rc;

	if (port->options.mtu == STANDARD_MTU || port->options.driver->is_virtual) {
		return 0;
	}
	rc = rte_eth_dev_set_mtu(port->port_id, port->options.mtu);
	(void)rte_eth_dev_get_mtu(port->port_id, &mtu);
	return rc < 0 && mtu < port->options.mtu ? port_fail(port, rc, "MTU") : 0;
}

/* --- steering --------------------------------------------------------------------------------------- */

static struct rte_flow *
flow_to_queue(struct port *port, uint16_t queue, bool ip6, bool create, struct rte_flow_error *ret_error)
{
	struct rte_flow_attr attr = {.ingress = 1};
	struct rte_flow_item_udp spec = {.hdr.dst_port =
			htobe16((uint16_t)(port->options.udp_port_first + queue))};
	struct rte_flow_item_udp mask = {.hdr.dst_port = UINT16_MAX};
	struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = ip6 ? RTE_FLOW_ITEM_TYPE_IPV6 : RTE_FLOW_ITEM_TYPE_IPV4},
		{.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &spec, .mask = &mask},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	struct rte_flow_action_queue target = {.index = queue};
	struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &target},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};

	if (!create) {
		/* A marker that is no flow: the caller only asks whether it would do. */
		return rte_flow_validate(port->port_id, &attr, pattern, actions, ret_error) == 0
			? (struct rte_flow *)port
			: NULL;
	}
	return rte_flow_create(port->port_id, &attr, pattern, actions, ret_error);
}

static void
flows_destroy(struct port *port)
{
	while (port->flow_count > 0) {
		(void)rte_flow_destroy(port->port_id, port->flows[--port->flow_count], NULL);
	}
}

/* All rules or none: half a set would send some lanes' packets to the wrong queue. */
static bool
port_rules_create(struct port *port, struct rte_flow_error *ret_error)
{
	uint16_t n = port->options.queues;

	if (port->options.udp_port_first == 0 || port->options.driver->is_virtual) {
		ret_error->message = "none was asked for";
		return false;
	}
	for (uint16_t i = 0; i < n * FLOWS_A_QUEUE; i++) {
		if (!flow_to_queue(port, i / FLOWS_A_QUEUE, i % FLOWS_A_QUEUE, false, ret_error)) {
			return false;
		}
	}
	for (uint16_t i = 0; i < n * FLOWS_A_QUEUE; i++) {
		struct rte_flow *flow =
			flow_to_queue(port, i / FLOWS_A_QUEUE, i % FLOWS_A_QUEUE, true, ret_error);

		if (!flow) {
			flows_destroy(port);
			return false;
		}
		port->flows[port->flow_count++] = flow;
	}
	return true;
}

/* An isolated device without rules would start, and never receive anything. */
static int
port_steer(struct port *port)
{
	struct rte_flow_error error = {.message = NULL};
	struct port_steering_in in = {.queues = port->options.queues, .isolate = port->options.isolate};
	int rc;

	rte_errno = 0;
	in.rules = port_rules_create(port, &error);
	rc = rte_errno ? -rte_errno : -ENOTSUP;
	port->steering = port_steering(&in);
	if (port->steering != PORT_STEERING_DEAF) {
		return 0;
	}
	port_fail(port, rc, "flow rules");
	port_say(port,
		": %s; the device is shared with the kernel and gives us only what rules name, so nothing would "
		"arrive (all of it does with ports[].net_mode: own)",
		error.message ? error.message : "the driver says no more");
	return rc;
}

/* --- start -------------------------------------------------------------------------------------------- */

bool
port_link_up(struct port *port)
{
	struct rte_eth_link link;

	memset(&link, 0, sizeof(link));
	return rte_eth_link_get_nowait(port->port_id, &link) == 0 && link.link_status;
}

static void
port_wait_link(struct port *port)
{
	struct clock *clock = clock_system();
	uint64_t until_ns = clock_now_ns(clock) + port->options.link_wait_ns;

	while (!port_link_up(port) && clock_now_ns(clock) < until_ns) {
		clock_sleep_ns(clock, LINK_POLL_NS);
	}
	port_say(port, "port %s: link %s\n", port->options.device, port_link_up(port) ? "up" : "down");
}

/*
 * What a lane can sleep on. That the device took intr_conf.rxq proves nothing: whoever can raise an
 * interrupt can be told to. Such events are taken back in as many ways as there are buses, so DPDK's
 * own epoll set stands between. net_tap has a descriptor and nothing to be told.
 */
static void
queue_find_fd(struct port *port, uint16_t queue)
{
	struct nic_dpdk *q = &port->queues[queue];

	q->rx_fd = -1;
	if (port->asks_interrupts && rte_eth_dev_rx_intr_enable(port->port_id, queue) == 0) {
		(void)rte_eth_dev_rx_intr_disable(port->port_id, queue);
		q->rx_fd = epoll_create1(EPOLL_CLOEXEC);
		q->interrupts = q->rx_fd >= 0 && rte_eth_dev_rx_intr_ctl_q(port->port_id, queue, q->rx_fd,
			RTE_INTR_EVENT_ADD, NULL) == 0;
		if (q->rx_fd >= 0 && !q->interrupts) {
			close(q->rx_fd);
			q->rx_fd = -1;
		}
	} else if (port->asks_interrupts) {
		q->rx_fd = rte_eth_dev_rx_intr_ctl_q_get_fd(port->port_id, queue);
	}
	if (port->options.rx_interrupts) {
		port_say(port, "port %s: idle queue %u %s\n", port->options.device, queue,
			q->interrupts  ? "wakes its lane by an interrupt"
			: q->rx_fd >= 0 ? "wakes its lane by a descriptor"
					: "has nothing to wake its lane by: looked at every 20 us to 1 ms");
	}
}

static void
queue_forget_fd(struct port *port, uint16_t queue)
{
	struct nic_dpdk *q = &port->queues[queue];

	if (q->interrupts) {
		(void)rte_eth_dev_rx_intr_ctl_q(port->port_id, queue, q->rx_fd, RTE_INTR_EVENT_DEL, NULL);
		close(q->rx_fd);
		q->interrupts = false;
	}
}

static void
queue_finish(struct port *port, uint16_t queue)
{
	struct nic_dpdk *q = &port->queues[queue];

	nic_dpdk_init(q);
	q->port_id = port->port_id;
	q->queue = queue;
	q->queues = port->options.queues;
	q->mtu = port->options.mtu;
	q->driver = port->options.driver;
	q->driver_name = port->driver_name;
	q->siblings = port->queues;
	q->counts_queues = *port->info.dev_flags & RTE_ETH_DEV_AUTOFILL_QUEUE_XSTATS &&
			   q->queue < RTE_ETHDEV_QUEUE_STAT_CNTRS;
	q->tx_udp_csum = port->tx_offloads & RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	q->rx_desc = port->options.rx_desc;
	q->tx_budget = port_tx_budget(port->options.driver, port->options.devargs);
	queue_find_fd(port, queue);
	memcpy(q->mac, port->mac.addr_bytes, 6);
	q->pool_count = port->options.plan.pool_count;
	q->pool_held = q->rx_at_start - rte_mempool_avail_count(q->rx_pool);
	/* Some take theirs only when a peer connects. */
	q->pool_reserved = port->options.plan.driver_extra > q->pool_held
		? port->options.plan.driver_extra
		: q->pool_held;
}

/* Some virtual devices (net_ring) have none, and a host without one is on no network. */
static void
port_find_mac(struct port *port)
{
	if (rte_eth_macaddr_get(port->port_id, &port->mac) != 0 ||
		!rte_is_valid_assigned_ether_addr(&port->mac)) {
		rte_eth_random_addr(port->mac.addr_bytes);
	}
}

static int
port_bring_up(struct port *port)
{
	struct rt_signals signals;
	int rc = port_configure(port);

	rt_signals_take(&signals);
	for (uint16_t i = 0; rc == 0 && i < port->options.queues; i++) {
		rc = queue_create(port, i);
	}
	rt_signals_give_back(&signals);
	if (rc == 0) {
		rc = port_set_mtu(port);
	}
	if (rc < 0) {
		return rc;
	}
	rc = rte_eth_dev_start(port->port_id);
	return rc < 0 ? port_fail(port, rc, "start") : 0;
}

static int
port_start(struct port *port)
{
	const struct port_driver *driver = port->options.driver;
	int rc = port_find(port);

	for (uint16_t i = 0; rc == 0 && i < port->options.queues; i++) {
		rc = queue_pools(port, i);
	}
	if (rc < 0) {
		return rc;
	}
	port->asks_interrupts = port->options.rx_interrupts && (driver->has_rx_fd || !driver->is_virtual);
	rc = port_bring_up(port);
	if (rc < 0 && port->asks_interrupts) {
		/* Some devices have too few vectors for it, and do not start then. */
		port->asks_interrupts = false;
		port->text_used = 0;
		rc = port_bring_up(port);
	}
	if (rc < 0) {
		return rc;
	}
	port->started = true;
	port_find_mac(port);
	for (uint16_t i = 0; i < port->options.queues; i++) {
		queue_finish(port, i);
	}
	rc = port_steer(port);
	if (rc == 0) {
		port_wait_link(port);
	}
	return rc;
}

int
port_open(const struct port_options *options, struct port **ret_port, char *text, uint32_t text_bytes)
{
	struct port *port;
	int rc;

	text[0] = 0;
	if (options->queues == 0 || options->queues > PORT_QUEUES_MAX || options->plan.pool_count == 0) {
		snprintf(text, text_bytes, "port %s: 1 to %u queues", options->device, PORT_QUEUES_MAX);
		return -EINVAL;
	}
	port = calloc(1, sizeof(*port));
	if (!port) {
		return -ENOMEM;
	}
	port->options = *options;
	port->text = text;
	port->text_bytes = text_bytes;
	port->queues = aligned_alloc(CACHE_LINE_BYTES, options->queues * sizeof(*port->queues));
	if (!port->queues) {
		free(port);
		return -ENOMEM;
	}
	memset(port->queues, 0, options->queues * sizeof(*port->queues));
	rc = port_start(port);
	if (rc < 0) {
		(void)port_close(port);
		return rc;
	}
	port->text = NULL;
	port->text_bytes = 0;
	*ret_port = port;
	return 0;
}

/* Buffers that are not where they were before the start, but for what the driver keeps. */
static uint32_t
buffers_missing(const struct port *port, bool closed)
{
	uint32_t missing = 0;

	for (uint16_t i = 0; i < port->options.queues; i++) {
		const struct nic_dpdk *q = &port->queues[i];
		uint32_t held = closed ? 0 : q->pool_held;

		if (q->rx_pool && q->tx_pool) {
			missing += q->rx_at_start - held - rte_mempool_avail_count(q->rx_pool);
			missing += q->tx_at_start - rte_mempool_avail_count(q->tx_pool);
		}
	}
	return missing;
}

uint32_t
port_close(struct port *port)
{
	uint32_t before, after;

	for (uint16_t i = 0; port->started && i < port->options.queues; i++) {
		queue_forget_fd(port, i);
		port->queues[i].nic.ops->destroy(&port->queues[i].nic);
	}
	before = buffers_missing(port, false);
	flows_destroy(port);
	if (port->started) {
		(void)rte_eth_dev_stop(port->port_id);
	}
	if (port->configured) {
		(void)rte_eth_dev_close(port->port_id);
	}
	after = buffers_missing(port, true);
	for (uint16_t i = 0; i < port->options.queues; i++) {
		rte_mempool_free(port->queues[i].rx_pool);
		rte_mempool_free(port->queues[i].tx_pool);
	}
	free(port->queues);
	free(port);
	return before < after ? before : after;
}

struct nic *
port_queue(struct port *port, uint16_t queue)
{
	ensure(queue < port->options.queues);
	return &port->queues[queue].nic;
}

int
port_join(struct port *port, uint8_t (*macs)[6], uint32_t count)
{
	int rc;

	if (count == 0) {
		return 0;
	}
	rc = rte_eth_dev_set_mc_addr_list(port->port_id, (struct rte_ether_addr *)(void *)macs, count);
	if (rc < 0) {
		rc = rte_eth_allmulticast_enable(port->port_id);
	}
	if (rc < 0) {
		rc = rte_eth_promiscuous_enable(port->port_id);
	}
	/* Devices without any filter let all through. */
	return rc == -ENOTSUP && port->options.driver->is_virtual ? 0 : rc;
}

bool
port_steers(const struct port *port)
{
	return port->steering != PORT_STEERING_PEER;
}
