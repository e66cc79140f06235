/* SPDX-License-Identifier: Apache-2.0 */
/* nic_socket over real loopback sockets: payload, peers, ECN, both families, losses, owners. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/compiler.h"
#include "nic/nic_socket.h"
#include "nic/tx_queue.h"

static const uint8_t loopback4[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
static const uint8_t loopback6[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

static struct nic *
make(const struct nic_socket_options *options)
{
	struct nic *nic = NULL;

	assert_int_equal(nic_socket_create(options, &nic), 0);
	return nic;
}

static struct nic *
make_default(void)
{
	struct nic_socket_options options;

	nic_socket_options_init(&options);
	return make(&options);
}

/* A client socket connected to the nic; family AF_INET or AF_INET6. */
static int
client(struct nic *nic, int family)
{
	struct sockaddr_in ip4 = {.sin_family = AF_INET, .sin_port = htons(nic_socket_port(nic)),
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct sockaddr_in6 ip6 = {.sin6_family = AF_INET6, .sin6_port = htons(nic_socket_port(nic)),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (family == AF_INET) {
		assert_int_equal(connect(fd, (struct sockaddr *)&ip4, sizeof(ip4)), 0);
	} else {
		assert_int_equal(connect(fd, (struct sockaddr *)&ip6, sizeof(ip6)), 0);
	}
	return fd;
}

static uint16_t
port_of(int fd)
{
	struct sockaddr_in6 name;
	socklen_t len = sizeof(name);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	return ntohs(name.sin6_port); /* at the same place in sockaddr_in */
}

/* Loopback delivers within send(2), so one rx finds what was sent. */
static uint32_t
rx_wait(struct nic *nic, struct packet_view *views, uint32_t max)
{
	struct nic_caps caps;
	struct pollfd poll_fd = {.events = POLLIN};

	nic->ops->caps(nic, &caps);
	poll_fd.fd = caps.rx_fd;
	assert_int_equal(poll(&poll_fd, 1, 2000), 1);
	return nic->ops->rx(nic, views, max);
}

static void
payload_and_peer_arrive(void **state)
{
	struct nic *nic = make_default();
	int fd = client(nic, AF_INET);
	struct packet_view views[4];

	assert_int_equal(nic->ops->rx(nic, views, 4), 0);
	assert_int_equal(send(fd, "hello", 5, 0), 5);
	assert_int_equal(rx_wait(nic, views, 4), 1);
	assert_int_equal(views[0].len, 5);
	assert_memory_equal(views[0].data, "hello", 5);
	assert_true(views[0].flags & PACKET_KERNEL_STACK);
	assert_false(views[0].flags & (PACKET_ECN_CE | PACKET_MULTI_SEGMENT));
	assert_memory_equal(views[0].peer.address, loopback4, 16);
	assert_memory_equal(views[0].peer.local_address, loopback4, 16);
	assert_int_equal(views[0].peer.port, port_of(fd));
	assert_int_equal(views[0].peer.local_port, nic_socket_port(nic));
	assert_int_equal((uintptr_t)views[0].data % CACHE_LINE_BYTES, 0);
	nic->ops->release(nic, &views[0].owner, 1);
	close(fd);
	nic->ops->destroy(nic);
}

static void
echo_once(struct nic *nic, int family, const uint8_t *address)
{
	int fd = client(nic, family);
	struct packet_view view, answer;
	char text[8] = {0};

	assert_int_equal(send(fd, "ping", 4, 0), 4);
	assert_int_equal(rx_wait(nic, &view, 1), 1);
	assert_memory_equal(view.peer.address, address, 16);
	assert_memory_equal(view.peer.local_address, address, 16);
	assert_true(nic->ops->tx_alloc(nic, 4, &answer));
	memcpy(answer.data, "pong", 4);
	answer.peer = view.peer;
	assert_int_equal(nic->ops->tx(nic, &answer, 1), 0);
	/* Connected: only an answer from the address and port that was asked gets here. */
	assert_int_equal(recv(fd, text, sizeof(text), 0), 4);
	assert_string_equal(text, "pong");
	nic->ops->release(nic, &view.owner, 1);
	close(fd);
}

/* One family keeps the queue busy: the other's datagram is taken all the same, soon. */
static void
busy_family_does_not_starve_the_other(void **state)
{
	struct nic_socket_options options;
	struct packet_view views[4];
	bool seen = false;
	struct nic *nic;
	int fd4, fd6;

	nic_socket_options_init(&options);
	memcpy(options.addresses[1], loopback6, 16);
	options.address_count = 2;
	nic = make(&options);
	fd4 = client(nic, AF_INET);
	fd6 = client(nic, AF_INET6);
	for (uint32_t turn = 0; turn < 3 && nic->ops->rx(nic, views, 4) == 0; turn++) {
		assert_int_equal(send(fd4, "four", 4, 0), 4);
	}
	assert_int_equal(send(fd6, "six", 3, 0), 3);
	for (uint32_t turn = 0; turn < 16 && !seen; turn++) {
		uint64_t owners[4];
		uint32_t n;

		assert_int_equal(send(fd4, "four", 4, 0), 4);
		n = nic->ops->rx(nic, views, 4);
		for (uint32_t i = 0; i < n; i++) {
			seen |= views[i].len == 3;
			owners[i] = views[i].owner;
		}
		nic->ops->release(nic, owners, n);
	}
	assert_true(seen);
	close(fd4);
	close(fd6);
	nic->ops->destroy(nic);
	(void)state;
}

static void
both_families_share_a_port(void **state)
{
	struct nic_socket_options options;
	struct nic *nic;

	nic_socket_options_init(&options);
	memcpy(options.addresses[1], loopback6, 16);
	options.address_count = 2;
	nic = make(&options);
	echo_once(nic, AF_INET, loopback4);
	echo_once(nic, AF_INET6, loopback6);
	assert_int_equal(nic->ops->owners_out(nic), 0);
	nic->ops->destroy(nic);
}

static void
wildcard_answers_from_the_asked_address(void **state)
{
	struct nic_socket_options options;
	struct nic *nic;

	nic_socket_options_init(&options);
	memset(options.addresses[0] + 12, 0, 4);
	memset(options.addresses[1], 0, 16);
	options.address_count = 2;
	nic = make(&options);
	echo_once(nic, AF_INET, loopback4);
	echo_once(nic, AF_INET6, loopback6);
	nic->ops->destroy(nic);
}

static void
no_family_starves(void **state)
{
	struct nic_socket_options options;
	struct nic *nic;
	struct packet_view views[64];
	uint32_t other = 0;
	int fd4, fd6;

	nic_socket_options_init(&options);
	memcpy(options.addresses[1], loopback6, 16);
	options.address_count = 2;
	nic = make(&options);
	fd4 = client(nic, AF_INET);
	fd6 = client(nic, AF_INET6);
	for (int i = 0; i < 80; i++) {
		assert_int_equal(send(fd4, "x", 1, 0), 1);
	}
	assert_int_equal(send(fd6, "y", 1, 0), 1);
	for (int turn = 0; turn < 2; turn++) {
		uint32_t n = nic->ops->rx(nic, views, 64);

		for (uint32_t i = 0; i < n; i++) {
			other += views[i].data[0] == 'y';
			nic->ops->release(nic, &views[i].owner, 1);
		}
	}
	assert_int_equal(other, 1);
	close(fd4);
	close(fd6);
	nic->ops->destroy(nic);
}

static void
congestion_mark_is_seen(void **state)
{
	struct nic *nic = make_default();
	int fd = client(nic, AF_INET);
	int tos = 3;
	struct packet_view view;

	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)), 0);
	assert_int_equal(send(fd, "c", 1, 0), 1);
	assert_int_equal(rx_wait(nic, &view, 1), 1);
	assert_true(view.flags & PACKET_ECN_CE);
	nic->ops->release(nic, &view.owner, 1);
	close(fd);
	nic->ops->destroy(nic);
}

/* The traffic class that the client's kernel saw on the answer. */
static int
class_of_answer(int fd, int family)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[64];
	} control;
	char byte;
	struct iovec vector = {&byte, 1};
	struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control)};
	int value = 0;

	assert_int_equal(recvmsg(fd, &header, 0), 1);
	assert_non_null(CMSG_FIRSTHDR(&header));
	memcpy(&value, CMSG_DATA(CMSG_FIRSTHDR(&header)), family == AF_INET ? 1 : sizeof(value));
	return value;
}

static void
answers_carry_the_class(void **state)
{
	static const int families[] = {AF_INET, AF_INET6};
	struct nic_socket_options options;
	struct nic *nic;

	nic_socket_options_init(&options);
	memcpy(options.addresses[1], loopback6, 16);
	options.address_count = 2;
	options.dscp = 46;
	nic = make(&options);
	for (int i = 0; i < 2; i++) {
		bool ip4 = families[i] == AF_INET;
		int fd = client(nic, families[i]), on = 1;
		struct packet_view view, answer;

		assert_int_equal(setsockopt(fd, ip4 ? IPPROTO_IP : IPPROTO_IPV6,
					 ip4 ? IP_RECVTOS : IPV6_RECVTCLASS, &on, sizeof(on)), 0);
		assert_int_equal(send(fd, "q", 1, 0), 1);
		assert_int_equal(rx_wait(nic, &view, 1), 1);
		assert_true(nic->ops->tx_alloc(nic, 1, &answer));
		answer.data[0] = 'a';
		answer.peer = view.peer;
		assert_int_equal(nic->ops->tx(nic, &answer, 1), 0);
		assert_int_equal(class_of_answer(fd, families[i]), 46 << 2);
		nic->ops->release(nic, &view.owner, 1);
		close(fd);
	}
	nic->ops->destroy(nic);
	options.dscp = 64;
	assert_int_equal(nic_socket_create(&options, &nic), -EINVAL);
	(void)state;
}

static void
too_long_is_marked_cut(void **state)
{
	struct nic *nic = make_default();
	int fd = client(nic, AF_INET);
	static char big[4000];
	struct packet_view view;

	assert_int_equal(send(fd, big, sizeof(big), 0), sizeof(big));
	assert_int_equal(rx_wait(nic, &view, 1), 1);
	assert_true(view.flags & PACKET_MULTI_SEGMENT);
	assert_int_equal(view.len, 1500);
	nic->ops->release(nic, &view.owner, 1);
	close(fd);
	nic->ops->destroy(nic);
}

/* Every buffer can be out at once, in any order; none is lost while some stay posted. */
static void
all_buffers_can_be_out(void **state)
{
	struct nic_socket_options options;
	struct nic *nic;
	struct packet_view views[64];
	uint64_t owners[40];
	uint32_t n = 0;
	int fd;

	nic_socket_options_init(&options);
	options.rx_buffer_count = 40;
	nic = make(&options);
	fd = client(nic, AF_INET);
	for (int i = 0; i < 60; i++) {
		uint8_t byte = (uint8_t)i;

		assert_int_equal(send(fd, &byte, 1, 0), 1);
	}
	for (int turn = 0; turn < 20; turn++) {
		uint32_t got = nic->ops->rx(nic, views, 3);

		for (uint32_t i = 0; i < got; i++) {
			assert_int_equal(views[i].data[0], n);
			owners[n++] = views[i].owner;
		}
	}
	assert_int_equal(n, 40);
	assert_int_equal(nic->ops->owners_out(nic), 40);
	assert_int_equal(nic->ops->buffers_free(nic), 0);
	assert_int_equal(nic->ops->rx(nic, views, 32), 0);
	nic->ops->release(nic, owners, 40);
	assert_int_equal(nic->ops->buffers_free(nic), 40);
	assert_int_equal(nic->ops->rx(nic, views, 32), 20);
	assert_int_equal(views[0].data[0], 40);
	for (uint32_t i = 0; i < 20; i++) {
		nic->ops->release(nic, &views[i].owner, 1);
	}
	close(fd);
	nic->ops->destroy(nic);
}

/* E1: what arrived plus what the full socket buffer dropped is what was sent. */
static void
overflow_adds_up(void **state)
{
	struct nic_socket_options options;
	struct nic *nic;
	struct nic_stats stats;
	struct packet_view views[32];
	uint64_t received = 0;
	uint32_t n;
	int fd;

	nic_socket_options_init(&options);
	options.rcvbuf_bytes = 4096;
	nic = make(&options);
	fd = client(nic, AF_INET);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(send(fd, "0123456789", 10, 0), 10);
	}
	nic->ops->stats(nic, &stats);
	assert_true(stats.imissed > 0);
	while ((n = nic->ops->rx(nic, views, 32)) > 0) {
		for (uint32_t i = 0; i < n; i++) {
			nic->ops->release(nic, &views[i].owner, 1);
		}
		received += n;
	}
	/* The next datagram brings the kernel's own count by SO_RXQ_OVFL: the sum must not change. */
	assert_int_equal(send(fd, "last", 4, 0), 4);
	assert_int_equal(rx_wait(nic, views, 1), 1);
	nic->ops->release(nic, &views[0].owner, 1);
	nic->ops->stats(nic, &stats);
	assert_int_equal(stats.ipackets, received + 1);
	assert_int_equal(stats.ipackets + stats.imissed, 201);
	close(fd);
	nic->ops->destroy(nic);
}

static void
tx_of_another_family_is_an_error_not_a_leak(void **state)
{
	struct nic_socket_options options;
	struct nic *nic;
	struct packet_view view;
	struct nic_stats stats;

	nic_socket_options_init(&options);
	options.tx_buffer_count = 1;
	nic = make(&options);
	for (int i = 0; i < 3; i++) {
		assert_true(nic->ops->tx_alloc(nic, 1, &view));
		assert_false(nic->ops->tx_alloc(nic, 1, &(struct packet_view){0}));
		memcpy(view.peer.address, loopback6, 16);
		view.peer.port = 9;
		assert_int_equal(nic->ops->tx(nic, &view, 1), 0);
	}
	nic->ops->stats(nic, &stats);
	assert_int_equal(stats.oerrors, 3);
	assert_int_equal(stats.opackets, 0);
	nic->ops->destroy(nic);
}

static void
many_answers_go_out_in_order(void **state)
{
	struct nic *nic = make_default();
	int fd = client(nic, AF_INET);
	struct packet_view view, answers[100];
	struct nic_stats stats;

	assert_int_equal(send(fd, "ask", 3, 0), 3);
	assert_int_equal(rx_wait(nic, &view, 1), 1);
	for (uint32_t i = 0; i < 100; i++) {
		assert_true(nic->ops->tx_alloc(nic, 1, &answers[i]));
		answers[i].data[0] = (uint8_t)i;
		answers[i].peer = view.peer;
	}
	assert_int_equal(nic->ops->tx(nic, answers, 100), 0);
	for (uint32_t i = 0; i < 100; i++) {
		uint8_t byte = 255;

		assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 1);
		assert_int_equal(byte, i);
	}
	nic->ops->stats(nic, &stats);
	assert_int_equal(stats.opackets, 100);
	nic->ops->release(nic, &view.owner, 1);
	close(fd);
	nic->ops->destroy(nic);
}

static void
bad_options_and_taken_ports_are_refused(void **state)
{
	struct nic_socket_options options;
	struct nic *nic = make_default();
	struct nic *other = NULL;

	nic_socket_options_init(&options);
	options.port = nic_socket_port(nic);
	assert_int_equal(nic_socket_create(&options, &other), -EADDRINUSE);
	nic_socket_options_init(&options);
	options.address_count = 0;
	assert_int_equal(nic_socket_create(&options, &other), -EINVAL);
	nic_socket_options_init(&options);
	memcpy(options.addresses[1], loopback4, 16);
	options.address_count = 2;
	assert_int_equal(nic_socket_create(&options, &other), -EINVAL);
	nic_socket_options_init(&options);
	options.mtu = 100;
	assert_int_equal(nic_socket_create(&options, &other), -EINVAL);
	assert_null(other);
	nic->ops->destroy(nic);
}

static void
it_says_what_it_is(void **state)
{
	struct nic *nic = make_default();
	struct nic_caps caps;

	nic->ops->caps(nic, &caps);
	assert_string_equal(caps.driver, "socket");
	assert_true(caps.kernel_stack);
	assert_true(caps.counts_losses);
	assert_int_equal(caps.mtu, 1500);
	assert_int_equal(caps.pool_count, 4095);
	assert_true(nic_socket_rcvbuf_bytes(nic) >= 64 * 1024);
	nic->ops->destroy(nic);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payload_and_peer_arrive),
		cmocka_unit_test(both_families_share_a_port),
		cmocka_unit_test(busy_family_does_not_starve_the_other),
		cmocka_unit_test(wildcard_answers_from_the_asked_address),
		cmocka_unit_test(no_family_starves),
		cmocka_unit_test(congestion_mark_is_seen),
		cmocka_unit_test(answers_carry_the_class),
		cmocka_unit_test(too_long_is_marked_cut),
		cmocka_unit_test(all_buffers_can_be_out),
		cmocka_unit_test(overflow_adds_up),
		cmocka_unit_test(tx_of_another_family_is_an_error_not_a_leak),
		cmocka_unit_test(many_answers_go_out_in_order),
		cmocka_unit_test(bad_options_and_taken_ports_are_refused),
		cmocka_unit_test(it_says_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
