/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library's kernel sockets against a socket of our own on the loopback interface: what arrives is what was
 * sent, in how many messages, and what becomes of it where the kernel refuses. sendmmsg is ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "client/transport.h"

#define HEAD_BYTES 40

/* What the kernel is made to say, and what it was given. */
static struct {
	int refuse_runs;    /* errno of messages of several datagrams; 0: none is refused */
	int refuse_length;  /* EMSGSIZE for a datagram this long, alone or in a run */
	uint32_t take_most; /* messages a call; 0: all */
	uint32_t calls, messages, runs;
} kernel;

static bool
kernel_refuses(const struct msghdr *message)
{
	for (size_t i = 0; i < message->msg_iovlen; i++) {
		if (kernel.refuse_length > 0 && message->msg_iov[i].iov_len == (size_t)kernel.refuse_length) {
			errno = EMSGSIZE;
			return true;
		}
	}
	if (message->msg_iovlen > 1 && kernel.refuse_runs) {
		errno = kernel.refuse_runs;
		return true;
	}
	return false;
}

int
sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
	unsigned int sent = 0;

	kernel.calls++;
	if (kernel.take_most > 0 && count > kernel.take_most) {
		count = kernel.take_most;
	}
	while (sent < count && !kernel_refuses(&messages[sent].msg_hdr)) {
		assert_int_equal(syscall(SYS_sendmmsg, fd, messages + sent, 1, flags), 1);
		kernel.messages++;
		kernel.runs += messages[sent].msg_hdr.msg_iovlen > 1;
		sent++;
	}
	return sent > 0 ? (int)sent : -1;
}

struct fixture {
	struct transport *transport;
	uint16_t port;
	int fd; /* the server's */
};

static int
setup(void **state)
{
	static struct fixture f;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);
	char bootstrap[32], text[128] = "";
	int one = 1;

	f = (struct fixture){.fd = socket(AF_INET, SOCK_DGRAM, 0)};
	memset(&kernel, 0, sizeof(kernel));
	assert_int_equal(bind(f.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(f.fd, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(setsockopt(f.fd, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one)), 0);
	f.port = ntohs(address.sin_port);
	snprintf(bootstrap, sizeof(bootstrap), "127.0.0.1:%u", f.port);
	assert_int_equal(transport_socket_create(bootstrap, &f.transport, text, sizeof(text)), 0);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	f->transport->ops->destroy(f->transport);
	close(f->fd);
	return 0;
}

/* Datagram number n has len bytes, all of them told by n and their place. */
static uint8_t
byte_of(uint32_t n, uint32_t at)
{
	return (uint8_t)(n * 31 + at * 7 + (at >> 8));
}

static void
send_one(struct fixture *f, uint32_t n, uint32_t len)
{
	static uint8_t bytes[TRANSPORT_DATAGRAM_MAX];
	struct client_datagram datagram = {.head = bytes, .head_len = HEAD_BYTES, .body = bytes + HEAD_BYTES,
		.body_len = len - HEAD_BYTES, .port = f->port};

	for (uint32_t i = 0; i < len; i++) {
		bytes[i] = byte_of(n, i);
	}
	f->transport->ops->send(f->transport, &datagram);
}

static void
send_all(struct fixture *f, const uint32_t *lens, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		send_one(f, i, lens[i]);
	}
	f->transport->ops->flush(f->transport);
}

/* The next datagram that arrived is that one. Returns its ECN bits. */
static int
expect(struct fixture *f, uint32_t n, uint32_t len)
{
	uint8_t bytes[TRANSPORT_DATAGRAM_MAX + 1], control[64];
	struct iovec piece = {bytes, sizeof(bytes)};
	struct msghdr message = {
		.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct pollfd fd = {.fd = f->fd, .events = POLLIN};

	assert_int_equal(poll(&fd, 1, 5000), 1);
	assert_int_equal(recvmsg(f->fd, &message, 0), len);
	for (uint32_t i = 0; i < len; i++) {
		assert_int_equal(bytes[i], byte_of(n, i));
	}
	assert_non_null(CMSG_FIRSTHDR(&message));
	return *CMSG_DATA(CMSG_FIRSTHDR(&message)) & IPTOS_ECN_MASK;
}

static void
expect_all(struct fixture *f, const uint32_t *lens, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		(void)expect(f, i, lens[i]);
	}
}

static void
expect_nothing(struct fixture *f)
{
	uint8_t byte;

	assert_int_equal(recv(f->fd, &byte, 1, MSG_DONTWAIT), -1);
}

static void
datagrams_of_one_length_go_as_one_message(void **state)
{
	static const uint32_t lens[] = {1472, 1472, 1472, 1472, 1300, 1472, 60, 60, 60, 1472, 1472};
	struct fixture *f = *state;

	send_all(f, lens, 11);
	expect_all(f, lens, 11);
	expect_nothing(f);
	/* 4 and a shorter end, 1 and a shorter end, 2 alike, 2 alike. */
	assert_int_equal(kernel.calls, 1);
	assert_int_equal(kernel.messages, 4);
	assert_int_equal(kernel.runs, 4);
}

static void
a_message_is_no_longer_than_an_ip_packet(void **state)
{
	struct fixture *f = *state;
	uint32_t lens[20];

	for (uint32_t i = 0; i < 20; i++) {
		lens[i] = 8972;
	}
	send_all(f, lens, 20);
	expect_all(f, lens, 20);
	assert_int_equal(kernel.messages, 3); /* 7, 7, 6 */
}

static void
a_burst_that_the_kernel_takes_in_parts_is_whole(void **state)
{
	static const uint32_t lens[] = {1200, 1200, 700, 900, 900, 400, 1000};
	struct fixture *f = *state;

	kernel.take_most = 1;
	send_all(f, lens, 7);
	expect_all(f, lens, 7);
	expect_nothing(f);
}

static void
where_runs_are_impossible_all_go_one_by_one_from_then_on(void **state)
{
	static const int errors[] = {EIO, EINVAL, EOPNOTSUPP, ENOPROTOOPT};
	static const uint32_t lens[] = {1200, 1200, 1200};

	(void)teardown(state);
	for (uint32_t i = 0; i < 4; i++) {
		struct fixture *f;

		(void)setup(state);
		f = *state;
		kernel.refuse_runs = errors[i];
		send_all(f, lens, 3);
		expect_all(f, lens, 3);
		assert_int_equal(kernel.calls, 2);
		send_all(f, lens, 3);
		expect_all(f, lens, 3);
		expect_nothing(f);
		assert_int_equal(kernel.calls, 3);
		assert_int_equal(kernel.runs, 0);
		(void)teardown(state);
	}
	(void)setup(state);
}

/* No room, or an ICMP error of an earlier datagram: the next burst goes in runs again. */
static void
a_run_that_is_refused_once_goes_one_by_one_once(void **state)
{
	static const uint32_t lens[] = {1200, 1200, 1200};
	struct fixture *f = *state;

	kernel.refuse_runs = ECONNREFUSED;
	send_all(f, lens, 3);
	expect_all(f, lens, 3);
	kernel.refuse_runs = 0;
	send_all(f, lens, 3);
	expect_all(f, lens, 3);
	assert_int_equal(kernel.runs, 1);
}

static void
only_the_datagram_that_is_too_long_is_lost(void **state)
{
	static const uint32_t lens[] = {9000, 1472, 1472, 1472, 8972, 1300, 1300};
	struct fixture *f = *state;

	kernel.refuse_length = 8972;
	send_all(f, lens, 7);
	for (uint32_t i = 0; i < 7; i++) {
		if (i != 4) {
			(void)expect(f, i, lens[i]);
		}
	}
	expect_nothing(f);
}

static void
routers_may_mark_every_datagram(void **state)
{
	struct fixture *f = *state;

	send_all(f, (const uint32_t[]){1200, 1200, 64}, 3);
	assert_int_equal(expect(f, 0, 1200), IPTOS_ECN_ECT0);
	assert_int_equal(expect(f, 1, 1200), IPTOS_ECN_ECT0);
	assert_int_equal(expect(f, 2, 64), IPTOS_ECN_ECT0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(datagrams_of_one_length_go_as_one_message),
		CASE(a_message_is_no_longer_than_an_ip_packet),
		CASE(a_burst_that_the_kernel_takes_in_parts_is_whole),
		CASE(where_runs_are_impossible_all_go_one_by_one_from_then_on),
		CASE(a_run_that_is_refused_once_goes_one_by_one_once),
		CASE(only_the_datagram_that_is_too_long_is_lost),
		CASE(routers_may_mark_every_datagram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
