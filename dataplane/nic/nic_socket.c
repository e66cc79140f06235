/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nic_ops over kernel UDP sockets: one socket an address family, one lane. Used by that lane's lcore
 * only, but for stats(), caps() and the two getters, which any thread may call.
 *
 * rx: recvmmsg of 32 straight into buffers that are posted beforehand; unused ones stay posted. With
 * two sockets the first asked alternates, so that a flood on one family cannot starve the other.
 * tx: every packet passes the software queue, which sendmmsg drains; EAGAIN leaves it there.
 *
 * Invariants: a rx buffer is free, posted, or out (owners_out); tokens of rx are index + 1, tokens
 * of tx carry TX_TOKEN besides. The sockets themselves, names, marks and losses are nic_udp.c's.
 */
#include "nic/nic_socket.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "nic/buffer_pool.h"
#include "nic/nic_udp.h"
#include "nic/tx_queue.h"

#define RX_BATCH      32
#define TX_BATCH      32
#define TX_TOKEN      (1ull << 32)
#define NOT_POSTED    UINT32_MAX
#define PORT_TRIES    16
#define ASK_ALL_EVERY 8
#define BUFFERS_MAX   (1u << 20)

/* What tx must remember of a packet until the kernel takes it. */
struct tx_slot {
	uint32_t len;
	struct packet_peer peer;
};

struct nic_socket {
	struct nic nic;
	struct nic_udp udp[NIC_SOCKET_ADDRESSES_MAX];
	uint32_t udp_count;
	uint32_t first_asked;
	uint32_t turns;
	int epoll_fd; /* -1 with one socket */
	uint16_t port;
	uint16_t mtu;
	uint32_t rcvbuf_bytes;

	struct buffer_pool rx_pool;
	uint32_t owners_out;
	uint32_t posted[RX_BATCH];
	struct mmsghdr rx_messages[RX_BATCH];
	struct iovec rx_vectors[RX_BATCH];
	union nic_udp_name rx_names[RX_BATCH];
	struct nic_udp_control rx_control[RX_BATCH];

	struct buffer_pool tx_pool;
	struct tx_slot *tx_slots;
	struct tx_queue tx_queue;
	struct mmsghdr tx_messages[TX_BATCH];
	struct iovec tx_vectors[TX_BATCH];
	union nic_udp_name tx_names[TX_BATCH];
	struct nic_udp_control tx_control[TX_BATCH];

	/* Single writer (the lane), read by stats(). */
	_Atomic uint64_t ipackets CACHE_ALIGNED;
	_Atomic uint64_t ierrors, rx_nombuf, opackets, oerrors;
};

static struct nic_socket *
socket_of(const struct nic *nic)
{
	return CONTAINER_OF(nic, struct nic_socket, nic);
}

static void
count_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(
		counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/* --- rx ---------------------------------------------------------------------------------------- */

/* A buffer for slot i: a free one, else one that is posted behind it. */
static bool
rx_post_one(struct nic_socket *s, uint32_t i)
{
	uint32_t index = NOT_POSTED;

	if (!buffer_pool_take(&s->rx_pool, &index)) {
		for (uint32_t j = RX_BATCH - 1; j > i && index == NOT_POSTED; j--) {
			index = s->posted[j];
			s->posted[j] = NOT_POSTED;
		}
		if (index == NOT_POSTED) {
			return false;
		}
	}
	s->posted[i] = index;
	s->rx_vectors[i].iov_base = buffer_pool_at(&s->rx_pool, index);
	s->rx_vectors[i].iov_len = s->mtu;
	return true;
}

/* Makes slots 0..want-1 ready; returns how many are. */
static uint32_t
rx_post(struct nic_socket *s, uint32_t want)
{
	for (uint32_t i = 0; i < want; i++) {
		if (s->posted[i] == NOT_POSTED && !rx_post_one(s, i)) {
			return i;
		}
	}
	return want;
}

static void
rx_fill_view(struct nic_socket *s, struct nic_udp *udp, uint32_t slot, struct packet_view *view)
{
	struct mmsghdr *message = &s->rx_messages[slot];

	memset(view, 0, sizeof(*view));
	view->data = s->rx_vectors[slot].iov_base;
	view->len = message->msg_len;
	view->flags = PACKET_KERNEL_STACK | PACKET_IP_CSUM_GOOD | PACKET_L4_CSUM_GOOD;
	view->owner = (uint64_t)s->posted[slot] + 1;
	if (message->msg_hdr.msg_flags & MSG_TRUNC) {
		view->flags |= PACKET_MULTI_SEGMENT;
	}
	view->peer.local_port = s->port;
	nic_udp_received(udp, &message->msg_hdr, view);
}

/* Receives into slots first..first+want-1. */
static uint32_t
rx_receive(struct nic_socket *s, struct nic_udp *udp, uint32_t first, uint32_t want)
{
	int n;

	for (uint32_t i = first; i < first + want; i++) {
		struct msghdr *header = &s->rx_messages[i].msg_hdr;

		header->msg_namelen = sizeof(s->rx_names[i]);
		header->msg_controllen = sizeof(s->rx_control[i]);
	}
	n = recvmmsg(udp->fd, &s->rx_messages[first], want, MSG_DONTWAIT, NULL);
	if (n < 0) {
		/* EAGAIN: nothing there. EINTR and errors left by ICMP: the next turn asks again. */
		return 0;
	}
	return (uint32_t)n;
}

static uint32_t
nic_socket_rx(struct nic *nic, struct packet_view *ret_views, uint32_t max)
{
	struct nic_socket *s = socket_of(nic);
	uint32_t want = max < RX_BATCH ? max : RX_BATCH;
	uint32_t ready = rx_post(s, want);
	uint32_t n = 0, busy = s->first_asked;
	bool ask_all;

	if (ready < want) {
		count_add(&s->rx_nombuf, 1);
	}
	/* While one socket is busy the other, most often silent, is asked only now and then. */
	ask_all = s->turns++ % ASK_ALL_EVERY == 0;
	for (uint32_t k = 0; k < s->udp_count && n < ready && (n == 0 || ask_all); k++) {
		uint32_t which = (s->first_asked + k) % s->udp_count;
		struct nic_udp *udp = &s->udp[which];
		uint32_t got = rx_receive(s, udp, n, ready - n);

		for (uint32_t i = n; i < n + got; i++) {
			rx_fill_view(s, udp, i, &ret_views[i]);
			s->posted[i] = NOT_POSTED;
		}
		busy = got > 0 ? which : busy;
		n += got;
	}
	s->first_asked = ask_all ? (s->first_asked + 1) % s->udp_count : busy;
	if (n > 0) {
		s->owners_out += n;
		count_add(&s->ipackets, n);
	}
	return n;
}

static void
nic_socket_release(struct nic *nic, const uint64_t *owners, uint32_t n)
{
	struct nic_socket *s = socket_of(nic);

	ensure(n <= s->owners_out);
	for (uint32_t i = 0; i < n; i++) {
		ensure(owners[i] != 0);
		buffer_pool_give(&s->rx_pool, (uint32_t)(owners[i] - 1));
	}
	s->owners_out -= n;
}

/* Sockets poll readable by themselves. */
static bool
nic_socket_rx_arm(struct nic *nic)
{
	(void)nic;
	return true;
}

static void
nic_socket_rx_disarm(struct nic *nic)
{
	(void)nic;
}

/* Posted buffers count as free: nobody waits for them. */
static uint32_t
nic_socket_buffers_free(struct nic *nic)
{
	struct nic_socket *s = socket_of(nic);

	return s->rx_pool.count - s->owners_out;
}

static uint32_t
nic_socket_owners_out(struct nic *nic)
{
	return socket_of(nic)->owners_out;
}

/* --- tx ---------------------------------------------------------------------------------------- */

static bool
nic_socket_tx_alloc(struct nic *nic, uint32_t len, struct packet_view *ret_view)
{
	struct nic_socket *s = socket_of(nic);
	uint32_t index;

	if (len > s->mtu || !buffer_pool_take(&s->tx_pool, &index)) {
		return false;
	}
	memset(ret_view, 0, sizeof(*ret_view));
	ret_view->data = buffer_pool_at(&s->tx_pool, index);
	ret_view->len = len;
	ret_view->flags = PACKET_KERNEL_STACK;
	ret_view->owner = TX_TOKEN + index + 1;
	return true;
}

static uint32_t
tx_index(uint64_t token)
{
	ensure(token > TX_TOKEN);
	return (uint32_t)(token - TX_TOKEN - 1);
}

static void
nic_socket_tx_free(struct nic *nic, const struct packet_view *view)
{
	buffer_pool_give(&socket_of(nic)->tx_pool, tx_index(view->owner));
}

static struct nic_udp *
tx_socket_for(struct nic_socket *s, const struct packet_peer *peer)
{
	int family = packet_address_is_ip4(peer->address) ? AF_INET : AF_INET6;

	for (uint32_t i = 0; i < s->udp_count; i++) {
		if (s->udp[i].family == family) {
			return &s->udp[i];
		}
	}
	return NULL;
}

static void
tx_prepare(struct nic_socket *s, struct nic_udp *udp, uint32_t slot, uint32_t index)
{
	const struct tx_slot *packet = &s->tx_slots[index];
	struct msghdr *header = &s->tx_messages[slot].msg_hdr;

	s->tx_vectors[slot].iov_base = buffer_pool_at(&s->tx_pool, index);
	s->tx_vectors[slot].iov_len = packet->len;
	nic_udp_address(udp, header, &packet->peer, &s->tx_control[slot]);
}

/* Frees the oldest n packets of the software queue. */
static void
tx_free_front(struct nic_socket *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		buffer_pool_give(&s->tx_pool, tx_index(s->tx_queue.tokens[i]));
	}
	tx_queue_drop_front(&s->tx_queue, n);
}

/* Sends one run of packets of the same family. False: the kernel has no room now. */
static bool
tx_send_run(struct nic_socket *s)
{
	uint32_t index = tx_index(s->tx_queue.tokens[0]);
	struct nic_udp *udp = tx_socket_for(s, &s->tx_slots[index].peer);
	uint32_t n = 0;
	int sent;

	if (!udp) {
		count_add(&s->oerrors, 1);
		tx_free_front(s, 1);
		return true;
	}
	while (n < TX_BATCH && n < s->tx_queue.count) {
		index = tx_index(s->tx_queue.tokens[n]);
		if (tx_socket_for(s, &s->tx_slots[index].peer) != udp) {
			break;
		}
		tx_prepare(s, udp, n, index);
		n++;
	}
	sent = sendmmsg(udp->fd, s->tx_messages, n, MSG_DONTWAIT);
	if (sent < 0 && errno == EINTR) {
		return true;
	}
	if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
		return false;
	}
	/* Any other error is the first packet's own: unreachable, too long, refused by a filter. */
	count_add(sent < 0 ? &s->oerrors : &s->opackets, sent < 0 ? 1 : (uint64_t)sent);
	tx_free_front(s, sent < 0 ? 1 : (uint32_t)sent);
	return true;
}

static void
tx_drain(struct nic_socket *s)
{
	while (s->tx_queue.count > 0 && tx_send_run(s)) {
		continue;
	}
}

static uint32_t
nic_socket_tx(struct nic *nic, const struct packet_view *views, uint32_t n)
{
	struct nic_socket *s = socket_of(nic);
	uint32_t given_up = 0;

	tx_drain(s);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t index = tx_index(views[i].owner);

		if (tx_queue_room(&s->tx_queue) == 0) {
			tx_drain(s);
		}
		if (tx_queue_room(&s->tx_queue) == 0) {
			buffer_pool_give(&s->tx_pool, index);
			given_up++;
			continue;
		}
		s->tx_slots[index].len = views[i].len;
		s->tx_slots[index].peer = views[i].peer;
		tx_queue_push(&s->tx_queue, views[i].owner);
	}
	tx_drain(s);
	return given_up;
}

static uint32_t
nic_socket_tx_queued(struct nic *nic)
{
	return socket_of(nic)->tx_queue.count;
}

/* --- reports ------------------------------------------------------------------------------------ */

static void
nic_socket_caps(struct nic *nic, struct nic_caps *ret_caps)
{
	struct nic_socket *s = socket_of(nic);

	memset(ret_caps, 0, sizeof(*ret_caps));
	ret_caps->driver = "socket";
	ret_caps->mtu = s->mtu;
	ret_caps->queues = 1;
	ret_caps->kernel_stack = true;
	ret_caps->counts_losses = true;
	ret_caps->oerrors_taken = true;
	ret_caps->tx_ip_csum = true;
	ret_caps->tx_udp_csum = true;
	ret_caps->rx_fd = s->epoll_fd >= 0 ? s->epoll_fd : s->udp[0].fd;
	ret_caps->rx_descriptors = RX_BATCH;
	ret_caps->pool_count = s->rx_pool.count;
	ret_caps->idle_rx_every = 1;
}

static void
nic_socket_stats(struct nic *nic, struct nic_stats *ret_stats)
{
	struct nic_socket *s = socket_of(nic);

	memset(ret_stats, 0, sizeof(*ret_stats));
	ret_stats->ipackets = atomic_load_explicit(&s->ipackets, memory_order_relaxed);
	ret_stats->rx_nombuf = atomic_load_explicit(&s->rx_nombuf, memory_order_relaxed);
	ret_stats->opackets = atomic_load_explicit(&s->opackets, memory_order_relaxed);
	ret_stats->oerrors = atomic_load_explicit(&s->oerrors, memory_order_relaxed);
	ret_stats->queue_ipackets = ret_stats->ipackets;
	ret_stats->queue_opackets = ret_stats->opackets;
	for (uint32_t i = 0; i < s->udp_count; i++) {
		ret_stats->imissed += nic_udp_overflow(&s->udp[i]);
	}
}

static void
nic_socket_destroy(struct nic *nic)
{
	struct nic_socket *s = socket_of(nic);

	for (uint32_t i = 0; i < s->udp_count; i++) {
		nic_udp_close(&s->udp[i]);
	}
	if (s->epoll_fd >= 0) {
		close(s->epoll_fd);
	}
	buffer_pool_destroy(&s->rx_pool);
	buffer_pool_destroy(&s->tx_pool);
	free(s->tx_slots);
	free(s);
}

static const struct nic_ops nic_socket_ops = {
	.rx = nic_socket_rx,
	.tx_alloc = nic_socket_tx_alloc,
	.tx_free = nic_socket_tx_free,
	.tx = nic_socket_tx,
	.tx_queued = nic_socket_tx_queued,
	.release = nic_socket_release,
	.rx_arm = nic_socket_rx_arm,
	.rx_disarm = nic_socket_rx_disarm,
	.buffers_free = nic_socket_buffers_free,
	.caps = nic_socket_caps,
	.stats = nic_socket_stats,
	.owners_out = nic_socket_owners_out,
	.destroy = nic_socket_destroy,
};

/* --- start --------------------------------------------------------------------------------------- */

void
nic_socket_options_init(struct nic_socket_options *options)
{
	static const uint8_t loopback[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};

	memset(options, 0, sizeof(*options));
	memcpy(options->addresses[0], loopback, sizeof(loopback));
	options->address_count = 1;
	options->mtu = 1500;
	options->rx_buffer_count = 4095;
	options->tx_buffer_count = 1023;
	options->rcvbuf_bytes = 4 * MIB;
}

static void
udp_close_all(struct nic_socket *s)
{
	while (s->udp_count > 0) {
		nic_udp_close(&s->udp[--s->udp_count]);
	}
}

/* Opens all sockets on one port. */
static int
udp_open_all(struct nic_socket *s, const struct nic_socket_options *options)
{
	uint16_t port = options->port;

	for (uint32_t i = 0; i < options->address_count; i++) {
		int rc = nic_udp_open(&s->udp[i], options->addresses[i], port, options->rcvbuf_bytes);

		if (rc >= 0) {
			s->udp_count++;
			port = (uint16_t)rc;
			rc = nic_udp_set_dscp(&s->udp[i], options->dscp);
		}
		if (rc < 0) {
			udp_close_all(s);
			return rc;
		}
	}
	s->port = port;
	return 0;
}

static int
sockets_start(struct nic_socket *s, const struct nic_socket_options *options)
{
	int bytes = 0;
	socklen_t len = sizeof(bytes);
	int rc = -EADDRINUSE;

	/* A port that is free for one family may be taken for the other. */
	for (int i = 0; i < PORT_TRIES && rc == -EADDRINUSE; i++) {
		rc = udp_open_all(s, options);
		if (options->port != 0) {
			break;
		}
	}
	if (rc < 0) {
		return rc;
	}
	if (getsockopt(s->udp[0].fd, SOL_SOCKET, SO_RCVBUF, &bytes, &len) < 0) {
		return -errno;
	}
	s->rcvbuf_bytes = (uint32_t)bytes;
	if (s->udp_count == 1) {
		return 0;
	}
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0) {
		return -errno;
	}
	for (uint32_t i = 0; i < s->udp_count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};

		if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->udp[i].fd, &event) < 0) {
			return -errno;
		}
	}
	return 0;
}

static int
memory_start(struct nic_socket *s, const struct nic_socket_options *options)
{
	int rc = buffer_pool_create(&s->rx_pool, options->rx_buffer_count, s->mtu);

	if (rc == 0) {
		rc = buffer_pool_create(&s->tx_pool, options->tx_buffer_count, s->mtu);
	}
	if (rc < 0) {
		return rc;
	}
	s->tx_slots = calloc(options->tx_buffer_count, sizeof(*s->tx_slots));
	if (!s->tx_slots) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < RX_BATCH; i++) {
		struct msghdr *header = &s->rx_messages[i].msg_hdr;

		s->posted[i] = NOT_POSTED;
		header->msg_name = &s->rx_names[i];
		header->msg_iov = &s->rx_vectors[i];
		header->msg_iovlen = 1;
		header->msg_control = s->rx_control[i].bytes;
	}
	for (uint32_t i = 0; i < TX_BATCH; i++) {
		struct msghdr *header = &s->tx_messages[i].msg_hdr;

		header->msg_name = &s->tx_names[i];
		header->msg_iov = &s->tx_vectors[i];
		header->msg_iovlen = 1;
	}
	return 0;
}

static bool
options_valid(const struct nic_socket_options *options)
{
	uint32_t ip4_count = 0;

	if (options->address_count == 0 || options->address_count > NIC_SOCKET_ADDRESSES_MAX ||
		options->mtu < 1280 || options->rx_buffer_count < RX_BATCH ||
		options->rx_buffer_count > BUFFERS_MAX || options->tx_buffer_count == 0 ||
		options->tx_buffer_count > BUFFERS_MAX || options->rcvbuf_bytes > INT32_MAX / 2 ||
		options->dscp > 63) {
		return false;
	}
	for (uint32_t i = 0; i < options->address_count; i++) {
		ip4_count += packet_address_is_ip4(options->addresses[i]);
	}
	return options->address_count == 1 || ip4_count == 1;
}

int
nic_socket_create(const struct nic_socket_options *options, struct nic **ret_nic)
{
	struct nic_socket *s;
	int rc;

	if (!options_valid(options)) {
		return -EINVAL;
	}
	s = aligned_alloc(CACHE_LINE_BYTES, bytes_ceil(sizeof(*s), CACHE_LINE_BYTES));
	if (!s) {
		return -ENOMEM;
	}
	memset(s, 0, sizeof(*s));
	s->nic.ops = &nic_socket_ops;
	s->epoll_fd = -1;
	s->mtu = options->mtu;
	rc = memory_start(s, options);
	if (rc == 0) {
		rc = sockets_start(s, options);
	}
	if (rc < 0) {
		nic_socket_destroy(&s->nic);
		return rc;
	}
	*ret_nic = &s->nic;
	return 0;
}

uint16_t
nic_socket_port(const struct nic *nic)
{
	return socket_of(nic)->port;
}

uint32_t
nic_socket_rcvbuf_bytes(const struct nic *nic)
{
	return socket_of(nic)->rcvbuf_bytes;
}
