/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams by kernel UDP sockets: one connected socket a lane, so that ICMP errors and the peer's
 * answers find their lane, and bursts of 32 by sendmmsg and recvmmsg. Datagrams of one length that
 * follow one another go as one message, which the kernel cuts (UDP_SEGMENT): it walks its stack once
 * for all of them. Where a kernel or a device cannot, they go one by one from then on. Never fragments: DF
 * is set and the kernel's own path MTU is not asked (IP_PMTUDISC_PROBE), the client finds it by PROBE
 * frames. ECT(0) is set, so that routers mark instead of dropping; ACKs bring the marks back (ecn_ce).
 * A socket keeps its own port when it is connected to another port of the server: the cookie of the
 * set-up is bound to it. I/O thread only, but for wake.
 */
#include "client/transport.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/ensure.h"

#define SOCKET_BUFFER_BYTES (1 << 20)
#define SOCKET_PORT_DEFAULT "9292"
#define SOCKET_RUN_BYTES_MAX 65000 /* of one message, headers besides */

struct socket_lane {
	int fd; /* -1 not open */
	uint16_t port;
	bool runs_refused; /* no message of several datagrams any more */
};

union socket_control {
	struct cmsghdr header;
	uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
};

struct transport_socket {
	struct transport transport;
	struct sockaddr_storage server;
	socklen_t server_len;
	int wake_fd;
	struct socket_lane lanes[CLIENT_LANES_MAX];
	uint32_t tx_count;
	uint16_t tx_lane;
	uint32_t next_lane; /* receive starts here */
	struct iovec tx_iov[TRANSPORT_BURST];
	struct mmsghdr tx[TRANSPORT_BURST];
	union socket_control tx_control[TRANSPORT_BURST];
	struct iovec rx_iov[TRANSPORT_BURST];
	struct mmsghdr rx[TRANSPORT_BURST];
	uint8_t tx_bytes[TRANSPORT_BURST][TRANSPORT_DATAGRAM_MAX];
	uint8_t rx_bytes[TRANSPORT_BURST][TRANSPORT_DATAGRAM_MAX];
};

static void
socket_set_port(struct sockaddr_storage *address, uint16_t port)
{
	if (address->ss_family == AF_INET6) {
		((struct sockaddr_in6 *)address)->sin6_port = htons(port);
	} else {
		((struct sockaddr_in *)address)->sin_port = htons(port);
	}
}

static void
socket_set(int fd, int level, int name, int value)
{
	/* Each of these only makes things better: without it the protocol still works. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

static int
socket_open(const struct sockaddr_storage *address)
{
	int fd = socket(address->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		return -errno;
	}
	socket_set(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER_BYTES);
	socket_set(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER_BYTES);
	if (address->ss_family == AF_INET6) {
		socket_set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
		socket_set(fd, IPPROTO_IPV6, IPV6_TCLASS, IPTOS_ECN_ECT0);
	} else {
		socket_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
		socket_set(fd, IPPROTO_IP, IP_TOS, IPTOS_ECN_ECT0);
	}
	return fd;
}

static int
socket_connect(struct transport_socket *s, struct socket_lane *lane, uint16_t port)
{
	struct sockaddr_storage address = s->server;

	if (lane->fd < 0) {
		int fd = socket_open(&address);

		if (fd < 0) {
			return fd;
		}
		lane->fd = fd;
		lane->port = 0;
	}
	if (lane->port == port) {
		return 0;
	}
	socket_set_port(&address, port);
	if (connect(lane->fd, (struct sockaddr *)&address, s->server_len) < 0) {
		return -errno;
	}
	lane->port = port;
	return 0;
}

/* How many from `first` on go as one message: all of one length, but for a shorter one at the end. */
static uint32_t
socket_run(const struct transport_socket *s, uint32_t first)
{
	size_t len = s->tx_iov[first].iov_len, total = len, next = len;
	uint32_t n = 1;

	while (next == len && first + n < s->tx_count) {
		next = s->tx_iov[first + n].iov_len;
		if (next > len || total + next > SOCKET_RUN_BYTES_MAX) {
			break;
		}
		total += next;
		n++;
	}
	return n;
}

/* Message i is n datagrams from `first` on. */
static void
socket_message(struct transport_socket *s, uint32_t i, uint32_t first, uint32_t n)
{
	struct msghdr *message = &s->tx[i].msg_hdr;
	uint16_t len = (uint16_t)s->tx_iov[first].iov_len;

	*message = (struct msghdr){.msg_iov = &s->tx_iov[first], .msg_iovlen = n};
	if (n > 1) {
		message->msg_control = &s->tx_control[i];
		message->msg_controllen = sizeof(s->tx_control[i].bytes);
		s->tx_control[i].header = (struct cmsghdr){
			.cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT, .cmsg_len = CMSG_LEN(sizeof(len))};
		memcpy(CMSG_DATA(&s->tx_control[i].header), &len, sizeof(len));
	}
}

/*
 * Sends from datagram `first` on; those before `alone` go one by one. Returns how many the kernel took, or
 * 0 and errno: it refused the message at `first`, which is *ret_refused datagrams.
 */
static uint32_t
socket_send_from(struct transport_socket *s, uint32_t first, uint32_t alone, uint32_t *ret_refused)
{
	const struct socket_lane *lane = &s->lanes[s->tx_lane];
	uint32_t messages = 0, taken = 0;

	for (uint32_t at = first; at < s->tx_count; messages++) {
		uint32_t n = lane->runs_refused || at < alone ? 1 : socket_run(s, at);

		socket_message(s, messages, at, n);
		at += n;
	}
	int sent = sendmmsg(lane->fd, s->tx, messages, MSG_DONTWAIT);

	for (int i = 0; i < sent; i++) {
		taken += (uint32_t)s->tx[i].msg_hdr.msg_iovlen;
	}
	*ret_refused = (uint32_t)s->tx[0].msg_hdr.msg_iovlen;
	return taken;
}

/* Not this once, but never: no checksum offload, an old kernel, a segment that the link does not take. */
static bool
socket_run_impossible(int error)
{
	return error == EIO || error == EINVAL || error == EOPNOTSUPP || error == ENOPROTOOPT;
}

static void
socket_flush(struct transport *transport)
{
	struct transport_socket *s = CONTAINER_OF(transport, struct transport_socket, transport);
	uint32_t done = 0, alone = 0;

	while (done < s->tx_count) {
		uint32_t refused, taken = socket_send_from(s, done, alone, &refused);

		if (taken == 0 && refused > 1) {
			/* One of them may be at fault, or none: each is tried by itself. */
			s->lanes[s->tx_lane].runs_refused |= socket_run_impossible(errno);
			alone = done + refused;
			continue;
		}
		/* Too large, refused, no room: that one is lost, as UDP may; the next may do better. */
		done += taken > 0 ? taken : 1;
	}
	s->tx_count = 0;
}

static void
socket_send(struct transport *transport, const struct client_datagram *datagram)
{
	struct transport_socket *s = CONTAINER_OF(transport, struct transport_socket, transport);
	struct socket_lane *lane = &s->lanes[datagram->lane];
	uint32_t len = datagram->head_len + datagram->body_len;

	ensure(len <= TRANSPORT_DATAGRAM_MAX);
	if (s->tx_count == TRANSPORT_BURST ||
		(s->tx_count > 0 && (s->tx_lane != datagram->lane || lane->port != datagram->port))) {
		socket_flush(transport);
	}
	if (socket_connect(s, lane, datagram->port) < 0) {
		return;
	}
	uint8_t *bytes = s->tx_bytes[s->tx_count];

	memcpy(bytes, datagram->head, datagram->head_len);
	if (datagram->body_len > 0) {
		memcpy(bytes + datagram->head_len, datagram->body, datagram->body_len);
	}
	s->tx_iov[s->tx_count].iov_len = len;
	s->tx_lane = datagram->lane;
	s->tx_count++;
}

static uint32_t
socket_receive(struct transport *transport, struct transport_received *ret, uint32_t max)
{
	struct transport_socket *s = CONTAINER_OF(transport, struct transport_socket, transport);

	ensure(max <= TRANSPORT_BURST);
	for (uint32_t i = 0; i < CLIENT_LANES_MAX; i++) {
		uint32_t at = (s->next_lane + i) % CLIENT_LANES_MAX;

		if (s->lanes[at].fd < 0) {
			continue;
		}
		int n = recvmmsg(s->lanes[at].fd, s->rx, max, MSG_DONTWAIT, NULL);

		if (n <= 0) {
			continue; /* nothing there, or an ICMP error that was waiting */
		}
		for (int k = 0; k < n; k++) {
			ret[k] = (struct transport_received){
				.bytes = s->rx_bytes[k],
				.len = s->rx[k].msg_len,
				.lane = (uint16_t)at,
			};
		}
		s->next_lane = at + 1;
		return (uint32_t)n;
	}
	return 0;
}

static void
socket_wait(struct transport *transport, uint64_t timeout_ns)
{
	struct transport_socket *s = CONTAINER_OF(transport, struct transport_socket, transport);
	struct pollfd fds[CLIENT_LANES_MAX + 1] = {{.fd = s->wake_fd, .events = POLLIN}};
	nfds_t count = 1;
	struct timespec timeout = {
		.tv_sec = (time_t)(timeout_ns / NS_PER_S),
		.tv_nsec = (long)(timeout_ns % NS_PER_S),
	};

	for (uint32_t i = 0; i < CLIENT_LANES_MAX; i++) {
		if (s->lanes[i].fd >= 0) {
			fds[count++] = (struct pollfd){.fd = s->lanes[i].fd, .events = POLLIN};
		}
	}
	if (ppoll(fds, count, &timeout, NULL) > 0 && fds[0].revents) {
		uint64_t wakes;

		(void)!read(s->wake_fd, &wakes, sizeof(wakes));
	}
}

static void
socket_wake(struct transport *transport)
{
	struct transport_socket *s = CONTAINER_OF(transport, struct transport_socket, transport);
	uint64_t one = 1;

	(void)!write(s->wake_fd, &one, sizeof(one));
}

static void
socket_destroy(struct transport *transport)
{
	struct transport_socket *s = CONTAINER_OF(transport, struct transport_socket, transport);

	for (uint32_t i = 0; i < CLIENT_LANES_MAX; i++) {
		if (s->lanes[i].fd >= 0) {
			close(s->lanes[i].fd);
		}
	}
	close(s->wake_fd);
	free(s);
}

static const struct transport_ops socket_ops = {
	.send = socket_send,
	.flush = socket_flush,
	.receive = socket_receive,
	.wait = socket_wait,
	.wake = socket_wake,
	.destroy = socket_destroy,
};

/* Splits "host:port", "[v6]:port", "host". The host part is cut in place. */
static int
socket_split(char *name, char **ret_host, const char **ret_port)
{
	char *colon;

	*ret_port = SOCKET_PORT_DEFAULT;
	if (name[0] == '[') {
		char *end = strchr(name, ']');

		if (!end || (end[1] != '\0' && end[1] != ':')) {
			return -EINVAL;
		}
		*end = '\0';
		*ret_host = name + 1;
		if (end[1] == ':') {
			*ret_port = end + 2;
		}
		return 0;
	}
	*ret_host = name;
	colon = strrchr(name, ':');
	if (colon && strchr(name, ':') == colon) {
		*colon = '\0';
		*ret_port = colon + 1;
	}
	return 0;
}

static int
socket_resolve(const char *bootstrap, struct transport_socket *s, char *text, size_t text_bytes)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *found = NULL;
	const char *port;
	char *host, *end;
	char name[256];

	if (strlen(bootstrap) >= sizeof(name)) {
		snprintf(text, text_bytes, "bootstrap is too long");
		return -EINVAL;
	}
	strcpy(name, bootstrap);
	if (socket_split(name, &host, &port) < 0 || strtoul(port, &end, 10) == 0 || *end != '\0' ||
		strtoul(port, NULL, 10) > UINT16_MAX) {
		snprintf(text, text_bytes, "bootstrap '%s' is not host:port", bootstrap);
		return -EINVAL;
	}
	int rc = getaddrinfo(host, port, &hints, &found);

	if (rc != 0) {
		snprintf(text, text_bytes, "bootstrap '%s': %s", bootstrap, gai_strerror(rc));
		return -EHOSTUNREACH;
	}
	memcpy(&s->server, found->ai_addr, found->ai_addrlen);
	s->server_len = found->ai_addrlen;
	s->transport.ipv6 = found->ai_family == AF_INET6;
	s->transport.port = (uint16_t)strtoul(port, NULL, 10);
	freeaddrinfo(found);
	return 0;
}

/* Largest UDP payload of the interface on the way to the server. */
static uint32_t
socket_max_datagram(const struct transport_socket *s, int fd)
{
	int mtu = 0;
	socklen_t len = sizeof(mtu);
	int rc = s->transport.ipv6 ? getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &mtu, &len)
				   : getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &len);
	int payload = mtu - (s->transport.ipv6 ? 48 : 28);

	if (rc < 0 || payload < 1200) {
		return 1200;
	}
	return payload < CLIENT_DATAGRAM_MAX ? (uint32_t)payload : CLIENT_DATAGRAM_MAX;
}

static void
socket_arrays(struct transport_socket *s)
{
	for (uint32_t i = 0; i < TRANSPORT_BURST; i++) {
		s->tx_iov[i].iov_base = s->tx_bytes[i];
		s->rx_iov[i] = (struct iovec){s->rx_bytes[i], TRANSPORT_DATAGRAM_MAX};
		s->rx[i].msg_hdr = (struct msghdr){.msg_iov = &s->rx_iov[i], .msg_iovlen = 1};
	}
}

int
transport_socket_create(const char *bootstrap, struct transport **ret_transport, char *text,
	size_t text_bytes)
{
	struct transport_socket *s = calloc(1, sizeof(*s));
	int rc;

	if (!s) {
		return -ENOMEM;
	}
	s->transport.ops = &socket_ops;
	for (uint32_t i = 0; i < CLIENT_LANES_MAX; i++) {
		s->lanes[i].fd = -1;
	}
	rc = socket_resolve(bootstrap, s, text, text_bytes);
	if (rc < 0) {
		free(s);
		return rc;
	}
	s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->wake_fd < 0) {
		rc = -errno;
		snprintf(text, text_bytes, "eventfd: %s", strerror(-rc));
		free(s);
		return rc;
	}
	rc = socket_connect(s, &s->lanes[0], s->transport.port);
	if (rc < 0) {
		snprintf(text, text_bytes, "connect to '%s': %s", bootstrap, strerror(-rc));
		socket_destroy(&s->transport);
		return rc;
	}
	s->transport.max_datagram = socket_max_datagram(s, s->lanes[0].fd);
	socket_arrays(s);
	*ret_transport = &s->transport;
	return 0;
}
