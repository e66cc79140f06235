/* SPDX-License-Identifier: Apache-2.0 */
/*
 * station.h. The polling thread owns queues, net ports, ledger. A transport's rings are shared by two:
 * tx is filled by its I/O thread and emptied here, rx the other way. A transport that goes sets
 * CLOSING; the polling thread sends what it left and answers with GONE, after which only the I/O
 * thread knows it. Datagrams are copied on both sides, so no buffer of the port leaves this thread.
 */
#include "support/station.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/waker.h"
#include "net/net.h"
#include "support/datagram_ring.h"
#include "support/neighbour.h"

#define RING_SLOTS	1024 /* more than the packet number window: a session alone never fills it */
#define ASK_EVERY_NS	(100 * NS_PER_MS)
#define IDLE_TURNS	64
#define IDLE_SLEEP_NS	(50 * NS_PER_US)
#define YIELDS_MAX	10000
#define LANES		CLIENT_LANES_MAX

enum link_state {
	LINK_FREE,
	LINK_ASKING, /* the server's MAC address is not known yet */
	LINK_OPEN,
	LINK_CLOSING,
	LINK_GONE, /* the polling thread has let go of it */
};

/* One producer's transport. */
struct station_link {
	struct transport transport;
	struct station *station;
	uint32_t index;
	_Atomic uint32_t state; /* enum link_state */
	uint8_t server[16];
	/* Polling thread's. */
	bool resolved;
	uint8_t server_mac[6];
	uint64_t ask_ns;
	/* Shared. */
	struct datagram_ring tx, rx;
	struct waker waker; /* of the I/O thread */
	uint32_t received;  /* slots that the last receive handed out; I/O thread's */
};

struct station_queue {
	struct nic *nic;
	struct net_port net;
	struct packet_view tx[NIC_BURST_MAX];
	uint32_t tx_count;
};

struct station {
	struct station_options options;
	struct station_queue queues[STATION_QUEUES_MAX];
	uint32_t max_datagram4, max_datagram6;
	uint64_t counters[LANE_COUNTER_COUNT];
	uint64_t rx_stray, rx_ring_full, tx_datagrams;
	_Atomic(struct station_link *) links[STATION_PRODUCERS_MAX];
	pthread_mutex_t lock; /* who takes a place in `links` */
	struct waker waker;   /* of the polling thread */
	pthread_t thread;
	bool running;
	_Atomic uint64_t stop_quiet_ns; /* 0: runs */
};

/* --- polling thread: in ------------------------------------------------------------------------ */

static void
station_flush(struct station *s, struct station_queue *queue)
{
	s->counters[LANE_tx_offered] += queue->tx_count;
	s->counters[LANE_tx_full] += queue->nic->ops->tx(queue->nic, queue->tx, queue->tx_count);
	queue->tx_count = 0;
}

static void
station_queue_tx(struct station *s, struct station_queue *queue, const struct packet_view *view)
{
	if (queue->tx_count == NIC_BURST_MAX) {
		station_flush(s, queue);
	}
	queue->tx[queue->tx_count++] = *view;
}

/* Answers to our own questions; the net stack sees the packet too and counts it. */
static void
station_learn(struct station *s, const struct packet_view *view)
{
	for (uint32_t i = 0; i < STATION_PRODUCERS_MAX; i++) {
		struct station_link *link = atomic_load_explicit(&s->links[i], memory_order_acquire);

		if (link && atomic_load(&link->state) == LINK_ASKING &&
			neighbour_answers(view, link->server, link->server_mac)) {
			uint32_t asking = LINK_ASKING;

			link->resolved = true;
			/* Fails if the I/O thread gave up meanwhile. */
			atomic_compare_exchange_strong(&link->state, &asking, LINK_OPEN);
		}
	}
}

static void
station_deliver(struct station *s, const struct packet_view *view)
{
	uint32_t place = view->peer.local_port - STATION_PORT_FIRST;
	struct station_link *link =
		atomic_load_explicit(&s->links[place / LANES], memory_order_acquire);
	struct datagram_slot *slot;

	if (!link || memcmp(link->server, view->peer.address, 16) != 0 ||
		view->len > link->transport.max_datagram) {
		s->rx_stray++;
		return;
	}
	slot = datagram_ring_room(&link->rx);
	if (!slot) {
		s->rx_ring_full++;
		return;
	}
	slot->len = view->len;
	slot->lane = (uint16_t)(place % LANES);
	slot->port = view->peer.port;
	memcpy(slot->bytes, view->data, view->len);
	datagram_ring_put(&link->rx);
	waker_wake(&link->waker);
}

static uint32_t
station_receive(struct station *s, struct station_queue *queue, uint64_t now_ns)
{
	struct packet_view views[NIC_BURST_MAX];
	uint64_t owners[NIC_BURST_MAX];
	uint32_t n = queue->nic->ops->rx(queue->nic, views, NIC_BURST_MAX);

	for (uint32_t i = 0; i < n; i++) {
		struct net_result result;

		owners[i] = views[i].owner;
		station_learn(s, &views[i]);
		result = net_input(&queue->net, &views[i], now_ns);
		s->counters[result.counter]++;
		if (result.info != NET_NO_INFO) {
			s->counters[result.info]++;
		}
		if (result.verdict == NET_UDP) {
			station_deliver(s, &views[i]);
		}
	}
	s->counters[LANE_rx_packets] += n;
	if (n > 0) {
		queue->nic->ops->release(queue->nic, owners, n);
	}
	return n;
}

/* --- polling thread: out ----------------------------------------------------------------------- */

static void
station_ask(struct station *s, struct station_link *link, uint64_t now_ns)
{
	if (now_ns >= link->ask_ns) {
		link->ask_ns = now_ns + ASK_EVERY_NS;
		(void)neighbour_ask(&s->queues[0].net, s->options.address, link->server);
	}
}

/* False: no buffer; the datagram stays in its ring. */
static bool
station_send_one(struct station *s, struct station_link *link, const struct datagram_slot *slot)
{
	/* Ports of the server's lanes are consecutive, and so are the queues. */
	uint32_t lane = (uint16_t)(slot->port - link->transport.port) % s->options.queue_count;
	struct station_queue *queue = &s->queues[lane];
	struct packet_peer peer = {.port = slot->port, .vlan_tci = s->options.vlan_id,
		.local_port = (uint16_t)(STATION_PORT_FIRST + link->index * LANES + slot->lane)};
	struct packet_view view;

	memcpy(peer.address, link->server, 16);
	memcpy(peer.local_address, s->options.address, 16);
	memcpy(peer.mac, link->server_mac, 6);
	if (!net_udp_alloc(&queue->net, &peer, slot->len, &view)) {
		return false;
	}
	memcpy(view.data, slot->bytes, slot->len);
	net_udp_reply(&queue->net, &view);
	station_queue_tx(s, queue, &view);
	s->tx_datagrams++;
	return true;
}

static uint32_t
station_transmit(struct station *s, struct station_link *link, uint64_t now_ns)
{
	uint32_t state = atomic_load_explicit(&link->state, memory_order_acquire);
	uint32_t used = datagram_ring_used(&link->tx), n = 0;

	if (state == LINK_ASKING) {
		station_ask(s, link, now_ns);
		return 0;
	}
	if (!link->resolved) {
		n = used; /* given up while it asked: nowhere to send to */
	}
	while (n < used && n < TRANSPORT_BURST &&
		station_send_one(s, link, datagram_ring_peek(&link->tx, n))) {
		n++;
	}
	datagram_ring_drop(&link->tx, n);
	if (state == LINK_CLOSING && n == used) {
		atomic_store_explicit(&s->links[link->index], NULL, memory_order_relaxed);
		atomic_store_explicit(&link->state, LINK_GONE, memory_order_release);
	}
	return n;
}

uint32_t
station_turn(struct station *s, uint64_t now_ns)
{
	uint32_t work = 0;

	for (uint32_t i = 0; i < s->options.queue_count; i++) {
		work += station_receive(s, &s->queues[i], now_ns);
	}
	for (uint32_t i = 0; i < STATION_PRODUCERS_MAX; i++) {
		struct station_link *link = atomic_load_explicit(&s->links[i], memory_order_acquire);

		work += link ? station_transmit(s, link, now_ns) : 0;
	}
	for (uint32_t i = 0; i < s->options.queue_count; i++) {
		struct station_queue *queue = &s->queues[i];

		net_tick(&queue->net, now_ns);
		for (uint32_t k = 0; k < queue->net.reply_count; k++) {
			station_queue_tx(s, queue, &queue->net.replies[k]);
		}
		queue->net.reply_count = 0;
		station_flush(s, queue);
	}
	return work;
}

/* Packets arrive without a descriptor to wait on: only a short sleep, which an I/O thread ends. */
static void
station_idle(struct station *s)
{
	struct timespec timeout = {.tv_nsec = IDLE_SLEEP_NS};
	struct pollfd fd = {.fd = s->waker.fd, .events = POLLIN};
	bool waits = false;

	waker_arm(&s->waker);
	for (uint32_t i = 0; i < STATION_PRODUCERS_MAX; i++) {
		struct station_link *link = atomic_load_explicit(&s->links[i], memory_order_acquire);

		waits = waits || (link && datagram_ring_used(&link->tx) > 0 &&
					 atomic_load(&link->state) != LINK_ASKING);
	}
	if (!waits) {
		(void)ppoll(&fd, 1, &timeout, NULL);
	}
	waker_awake(&s->waker);
}

static void *
station_run(void *argument)
{
	struct station *s = argument;
	struct clock *clock = clock_system();
	uint64_t busy_ns = clock_now_ns(clock), quiet_ns;
	uint32_t empty = 0;

	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	if (s->options.thread_begin) {
		ensure(s->options.thread_begin() == 0);
	}
	for (;;) {
		uint64_t now_ns = clock_now_ns(clock);

		if (station_turn(s, now_ns) > 0) {
			busy_ns = now_ns;
			empty = 0;
			continue;
		}
		quiet_ns = atomic_load_explicit(&s->stop_quiet_ns, memory_order_relaxed);
		if (quiet_ns > 0 && now_ns >= busy_ns + quiet_ns) {
			break;
		}
		if (++empty > IDLE_TURNS) {
			station_idle(s);
		}
	}
	if (s->options.thread_end) {
		s->options.thread_end();
	}
	return NULL;
}

/* --- I/O threads: the transport ---------------------------------------------------------------- */

static struct station_link *
link_of(struct transport *transport)
{
	return CONTAINER_OF(transport, struct station_link, transport);
}

static void
link_flush(struct transport *transport)
{
	waker_wake(&link_of(transport)->station->waker);
}

static void
link_send(struct transport *transport, const struct client_datagram *datagram)
{
	struct station_link *link = link_of(transport);
	uint32_t len = datagram->head_len + datagram->body_len;
	struct datagram_slot *slot = datagram_ring_room(&link->tx);

	ensure(datagram->lane < LANES);
	/* Full: the polling thread is busy, and makes room without us. */
	for (uint32_t i = 0; !slot && i < YIELDS_MAX; i++) {
		link_flush(transport);
		sched_yield();
		slot = datagram_ring_room(&link->tx);
	}
	if (!slot || len > transport->max_datagram) {
		return; /* lost, as UDP may */
	}
	slot->len = len;
	slot->lane = datagram->lane;
	slot->port = datagram->port;
	memcpy(slot->bytes, datagram->head, datagram->head_len);
	if (datagram->body_len > 0) {
		memcpy(slot->bytes + datagram->head_len, datagram->body, datagram->body_len);
	}
	datagram_ring_put(&link->tx);
}

static uint32_t
link_receive(struct transport *transport, struct transport_received *ret, uint32_t max)
{
	struct station_link *link = link_of(transport);
	uint32_t used;

	datagram_ring_drop(&link->rx, link->received);
	used = datagram_ring_used(&link->rx);
	link->received = used < max ? used : max;
	for (uint32_t i = 0; i < link->received; i++) {
		const struct datagram_slot *slot = datagram_ring_peek(&link->rx, i);

		ret[i] = (struct transport_received){
			.bytes = slot->bytes, .len = slot->len, .lane = slot->lane};
	}
	return link->received;
}

static void
link_wait(struct transport *transport, uint64_t timeout_ns)
{
	struct station_link *link = link_of(transport);
	struct pollfd fd = {.fd = link->waker.fd, .events = POLLIN};
	struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / NS_PER_S),
		.tv_nsec = (long)(timeout_ns % NS_PER_S)};

	waker_arm(&link->waker);
	if (datagram_ring_used(&link->rx) == link->received) {
		(void)ppoll(&fd, 1, &timeout, NULL);
	}
	waker_awake(&link->waker);
}

static void
link_wake(struct transport *transport)
{
	waker_signal(&link_of(transport)->waker);
}

static void
link_free(struct station_link *link)
{
	datagram_ring_fini(&link->tx);
	datagram_ring_fini(&link->rx);
	waker_close(&link->waker);
	free(link);
}

static void
link_destroy(struct transport *transport)
{
	struct station_link *link = link_of(transport);
	struct station *s = link->station;
	struct clock *clock = clock_system();

	atomic_store(&link->state, LINK_CLOSING);
	while (atomic_load_explicit(&link->state, memory_order_acquire) != LINK_GONE) {
		if (!s->running) {
			(void)station_turn(s, clock_now_ns(clock));
		} else {
			waker_wake(&s->waker);
			clock_sleep_ns(clock, 100 * NS_PER_US);
		}
	}
	link_free(link);
}

static const struct transport_ops link_ops = {
	.send = link_send,
	.flush = link_flush,
	.receive = link_receive,
	.wait = link_wait,
	.wake = link_wake,
	.destroy = link_destroy,
};

/* --- connecting -------------------------------------------------------------------------------- */

/* "192.0.2.2:9292", "[2001:db8::2]:9292". */
static int
link_address(struct station_link *link, const char *bootstrap)
{
	char host[64];
	const char *colon = strrchr(bootstrap, ':');
	size_t len = colon ? (size_t)(colon - bootstrap) : 0;
	unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
	bool ip6 = bootstrap[0] == '[';

	if (len < 2 || len >= sizeof(host) || port == 0 || port > UINT16_MAX ||
		(ip6 && bootstrap[len - 1] != ']')) {
		return -EINVAL;
	}
	len -= ip6 ? 2 : 0;
	memcpy(host, bootstrap + ip6, len);
	host[len] = 0;
	link->transport.port = (uint16_t)port;
	link->transport.ipv6 = ip6;
	if (ip6) {
		return inet_pton(AF_INET6, host, link->server) == 1 ? 0 : -EINVAL;
	}
	memset(link->server + 10, 0xff, 2);
	return inet_pton(AF_INET, host, link->server + 12) == 1 ? 0 : -EINVAL;
}

static int
link_create(struct station *s, const char *bootstrap, struct station_link **ret_link)
{
	struct station_link *link =
		aligned_alloc(CACHE_LINE_BYTES, bytes_ceil(sizeof(*link), CACHE_LINE_BYTES));
	int rc;

	if (!link) {
		return -ENOMEM;
	}
	memset(link, 0, sizeof(*link));
	link->station = s;
	link->waker.fd = -1;
	link->transport.ops = &link_ops;
	atomic_init(&link->state, LINK_ASKING);
	rc = link_address(link, bootstrap);
	link->transport.max_datagram = link->transport.ipv6 ? s->max_datagram6 : s->max_datagram4;
	rc = rc < 0 ? rc : waker_open(&link->waker);
	rc = rc < 0 ? rc : datagram_ring_init(&link->tx, RING_SLOTS, link->transport.max_datagram);
	rc = rc < 0 ? rc : datagram_ring_init(&link->rx, RING_SLOTS, link->transport.max_datagram);
	if (rc < 0) {
		link_free(link);
		return rc;
	}
	*ret_link = link;
	return 0;
}

/* Makes it known to the polling thread, which asks for the server's MAC address. */
static int
link_publish(struct station *s, struct station_link *link)
{
	int rc = -EUSERS;

	pthread_mutex_lock(&s->lock);
	for (uint32_t i = 0; rc < 0 && i < STATION_PRODUCERS_MAX; i++) {
		if (!atomic_load_explicit(&s->links[i], memory_order_relaxed)) {
			link->index = i;
			atomic_store_explicit(&s->links[i], link, memory_order_release);
			rc = 0;
		}
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int
station_connect(void *station, const char *bootstrap, struct transport **ret_transport, char *text,
	size_t text_bytes)
{
	struct station *s = station;
	struct clock *clock = clock_system();
	uint64_t until_ns = clock_now_ns(clock) + s->options.resolve_ms * NS_PER_MS;
	struct station_link *link;
	int rc = link_create(s, bootstrap, &link);

	if (rc < 0) {
		snprintf(text, text_bytes, "'%s' as a server's IP:PORT on the link: %s", bootstrap,
			strerror(-rc));
		return rc;
	}
	rc = link_publish(s, link);
	if (rc < 0) {
		snprintf(text, text_bytes, "a station has %u producers at most", STATION_PRODUCERS_MAX);
		link_free(link);
		return rc;
	}
	while (s->options.resolve_ms > 0 && atomic_load(&link->state) == LINK_ASKING) {
		if (clock_now_ns(clock) >= until_ns) {
			snprintf(text, text_bytes, "nobody on the link answers for %s within %u ms",
				bootstrap, s->options.resolve_ms);
			link_destroy(&link->transport);
			return -EHOSTUNREACH;
		}
		clock_sleep_ns(clock, NS_PER_MS);
	}
	*ret_transport = &link->transport;
	return 0;
}

/* --- start, end -------------------------------------------------------------------------------- */

static int
station_start_queue(struct station *s, uint32_t i)
{
	struct station_queue *queue = &s->queues[i];
	struct net_options net = {.queue = nic_packet_queue(s->options.queues[i]),
		.answer = true,
		.vlan_id = s->options.vlan_id,
		.udp_port_first = STATION_PORT_FIRST,
		.udp_port_count = STATION_PRODUCERS_MAX * LANES,
		.address_count = 1};
	struct nic_caps caps;

	memcpy(net.addresses[0], s->options.address, 16);
	queue->nic = s->options.queues[i];
	queue->nic->ops->caps(queue->nic, &caps);
	s->max_datagram4 = caps.mtu - 28u < CLIENT_DATAGRAM_MAX ? caps.mtu - 28u : CLIENT_DATAGRAM_MAX;
	s->max_datagram6 = caps.mtu - 48u < CLIENT_DATAGRAM_MAX ? caps.mtu - 48u : CLIENT_DATAGRAM_MAX;
	return net_port_init(&queue->net, &net);
}

int
station_create(const struct station_options *options, struct station **ret_station)
{
	struct station *s;
	int rc = 0;

	if (options->queue_count == 0 || options->queue_count > STATION_QUEUES_MAX) {
		return -EINVAL;
	}
	s = aligned_alloc(CACHE_LINE_BYTES, bytes_ceil(sizeof(*s), CACHE_LINE_BYTES));
	if (!s) {
		return -ENOMEM;
	}
	memset(s, 0, sizeof(*s));
	s->options = *options;
	s->waker.fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	for (uint32_t i = 0; rc == 0 && i < options->queue_count; i++) {
		rc = station_start_queue(s, i);
	}
	rc = rc < 0 ? rc : waker_open(&s->waker);
	if (rc < 0) {
		station_destroy(s);
		return rc;
	}
	net_announce(&s->queues[0].net, clock_now_ns(clock_system()));
	*ret_station = s;
	return 0;
}

int
station_start(struct station *s)
{
	int rc = -pthread_create(&s->thread, NULL, station_run, s);

	s->running = rc == 0;
	return rc;
}

void
station_stop(struct station *s, uint64_t quiet_ns)
{
	if (s->running) {
		atomic_store(&s->stop_quiet_ns, quiet_ns > 0 ? quiet_ns : 1);
		pthread_join(s->thread, NULL);
		s->running = false;
	}
}

void
station_destroy(struct station *s)
{
	if (!s) {
		return;
	}
	station_stop(s, 1);
	waker_close(&s->waker);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* --- report ------------------------------------------------------------------------------------ */

void
station_report(struct station *s, struct station_report *ret_report)
{
	uint64_t spent = 0;

	memset(ret_report, 0, sizeof(*ret_report));
	s->queues[0].nic->ops->stats(s->queues[0].nic, &ret_report->port);
	for (uint32_t i = 0; i < s->options.queue_count; i++) {
		struct nic_stats stats;

		s->queues[i].nic->ops->stats(s->queues[i].nic, &stats);
		ret_report->owners_out += s->queues[i].nic->ops->owners_out(s->queues[i].nic);
		ret_report->port.fault_lost += i > 0 ? stats.fault_lost : 0;
		ret_report->port.fault_duplicated += i > 0 ? stats.fault_duplicated : 0;
		ret_report->port.fault_reordered += i > 0 ? stats.fault_reordered : 0;
	}
	for (uint32_t c = 0; c < LANE_COUNTER_COUNT; c++) {
		bool reason = lane_counter_rows[c].class == COUNTER_DROP || c == LANE_arp || c == LANE_ndp ||
			c == LANE_icmp || c == LANE_native;

		spent += reason ? s->counters[c] : 0;
	}
	ret_report->rx_packets = s->counters[LANE_rx_packets];
	ret_report->rx_native = s->counters[LANE_native];
	ret_report->rx_stray = s->rx_stray;
	ret_report->rx_ring_full = s->rx_ring_full;
	ret_report->tx_datagrams = s->tx_datagrams;
	ret_report->tx_offered = s->counters[LANE_tx_offered];
	ret_report->tx_full = s->counters[LANE_tx_full];
	ret_report->adds_up = ret_report->rx_packets == spent && ret_report->owners_out == 0;
}

void
station_report_json(const struct station_report *r, char *ret_text, size_t text_bytes)
{
	snprintf(ret_text, text_bytes,
		"{\"opackets\": %llu, \"ipackets\": %llu, \"rx_packets\": %llu, \"rx_native\": %llu, "
		"\"rx_stray\": %llu, \"rx_ring_full\": %llu, \"tx_datagrams\": %llu, \"tx_offered\": %llu, "
		"\"tx_full\": %llu, \"fault_lost\": %llu, \"fault_duplicated\": %llu, "
		"\"fault_reordered\": %llu, \"adds_up\": %s}",
		(unsigned long long)r->port.opackets, (unsigned long long)r->port.ipackets,
		(unsigned long long)r->rx_packets, (unsigned long long)r->rx_native,
		(unsigned long long)r->rx_stray, (unsigned long long)r->rx_ring_full,
		(unsigned long long)r->tx_datagrams, (unsigned long long)r->tx_offered,
		(unsigned long long)r->tx_full, (unsigned long long)r->port.fault_lost,
		(unsigned long long)r->port.fault_duplicated, (unsigned long long)r->port.fault_reordered,
		r->adds_up ? "true" : "false");
}
