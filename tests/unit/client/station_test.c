/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's station between fakes, single-stepped. The peer is a host with our own net stack on two
 * queues, wired to the station's by hand: it answers questions and echoes datagrams.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/bytes.h"
#include "base/compiler.h"
#include "net/net.h"
#include "support/nic_device.h"
#include "support/nic_fake.h"
#include "support/station.h"

#define QUEUES	  2
#define PORT	  9292
#define START_NS  (1000 * NS_PER_S)

struct fixture {
	struct nic *nics[QUEUES];    /* the station's */
	struct nic *servers[QUEUES]; /* the host's */
	struct net_port nets[QUEUES];
	struct station *station;
	uint64_t now_ns;
	uint32_t echoed[QUEUES];
	uint16_t last_port[QUEUES]; /* that a datagram came from */
};

static void
address_of(const char *text, uint8_t *ret)
{
	assert_int_equal(nic_device_address(text, ret), 0);
}

static struct nic *
make_nic(uint8_t last)
{
	struct nic_fake_options options;

	nic_fake_options_init(&options);
	options.kernel_stack = false;
	options.mac[5] = last;
	options.rx_buffer_count = 2047;
	options.rx_descriptors = 2047;
	options.tx_buffer_count = 2047;
	return nic_fake_create(&options);
}

static int
set_up(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;
	struct station_options options = {.queue_count = QUEUES};

	memset(f, 0, sizeof(*f));
	f->now_ns = START_NS;
	address_of("192.0.2.1", options.address);
	for (uint32_t i = 0; i < QUEUES; i++) {
		struct net_options net = {.answer = true, .udp_port_first = PORT,
			.udp_port_count = QUEUES, .address_count = 2};

		options.queues[i] = f->nics[i] = make_nic(1);
		f->servers[i] = make_nic(99);
		net.queue = nic_packet_queue(f->servers[i]);
		address_of("192.0.2.2", net.addresses[0]);
		address_of("2001:db8::2", net.addresses[1]);
		assert_int_equal(net_port_init(&f->nets[i], &net), 0);
	}
	assert_int_equal(station_create(&options, &f->station), 0);
	*state = f;
	return 0;
}

static int
set_up_ip6(void **state)
{
	struct fixture *f;
	struct station_options options = {.queue_count = QUEUES};

	(void)set_up(state);
	f = *state;
	station_destroy(f->station);
	memcpy(options.queues, f->nics, sizeof(f->nics));
	address_of("2001:db8::1", options.address);
	assert_int_equal(station_create(&options, &f->station), 0);
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;
	struct station_report report;

	station_report(f->station, &report);
	assert_true(report.adds_up);
	station_destroy(f->station);
	for (uint32_t i = 0; i < QUEUES; i++) {
		f->nics[i]->ops->destroy(f->nics[i]);
		f->servers[i]->ops->destroy(f->servers[i]);
	}
	return 0;
}

/* Everything that one side sent lies in the other's queue afterwards. Returns packets. */
static uint32_t
carry(struct nic *from, struct nic *to)
{
	struct nic_fake_packet packet;
	uint32_t n = 0;

	for (; nic_fake_take(from, &packet); n++) {
		packet.flags = 0;
		assert_true(nic_fake_put(to, &packet));
	}
	return n;
}

/* The host's turn on one queue: answers, echoes. */
static void
host_turn(struct fixture *f, uint32_t q)
{
	struct nic *nic = f->servers[q];
	struct packet_view view, out;

	while (nic->ops->rx(nic, &view, 1) == 1) {
		if (net_input(&f->nets[q], &view, f->now_ns).verdict == NET_UDP) {
			f->last_port[q] = view.peer.port;
			f->echoed[q]++;
			assert_true(net_udp_alloc(&f->nets[q], &view.peer, view.len, &out));
			memcpy(out.data, view.data, view.len);
			net_udp_reply(&f->nets[q], &out);
			assert_int_equal(nic->ops->tx(nic, &out, 1), 0);
		}
		nic->ops->release(nic, &view.owner, 1);
	}
	assert_int_equal(nic->ops->tx(nic, f->nets[q].replies, f->nets[q].reply_count), 0);
	f->nets[q].reply_count = 0;
}

static void
step(struct fixture *f, bool host_is_there)
{
	f->now_ns += NS_PER_MS;
	(void)station_turn(f->station, f->now_ns);
	for (uint32_t q = 0; q < QUEUES; q++) {
		(void)carry(f->nics[q], f->servers[q]);
		if (host_is_there) {
			host_turn(f, q);
			(void)carry(f->servers[q], f->nics[q]);
		}
	}
}

static void
run(struct fixture *f, uint32_t steps)
{
	for (uint32_t i = 0; i < steps; i++) {
		step(f, true);
	}
}

static struct transport *
join(struct fixture *f, const char *bootstrap)
{
	struct transport *transport = NULL;
	char text[128] = "";

	assert_int_equal(station_connect(f->station, bootstrap, &transport, text, sizeof(text)), 0);
	return transport;
}

static void
say(struct transport *transport, uint16_t lane, uint16_t port, const char *words)
{
	struct client_datagram datagram = {.head = (const uint8_t *)words, .head_len = 3,
		.body = (const uint8_t *)words + 3, .body_len = (uint32_t)strlen(words) - 3,
		.lane = lane, .port = port};

	transport->ops->send(transport, &datagram);
	transport->ops->flush(transport);
}

static void
expect(struct transport *transport, uint16_t lane, const char *words)
{
	struct transport_received received;

	assert_int_equal(transport->ops->receive(transport, &received, 1), 1);
	assert_int_equal(received.lane, lane);
	assert_int_equal(received.len, strlen(words));
	assert_memory_equal(received.bytes, words, received.len);
}

static void
expect_nothing(struct transport *transport)
{
	struct transport_received received;

	assert_int_equal(transport->ops->receive(transport, &received, 1), 0);
}

static void
datagrams_wait_until_the_server_answers_for_its_address(void **state)
{
	struct fixture *f = *state;
	struct transport *transport = join(f, "192.0.2.2:9292");

	say(transport, 0, PORT, "who is there");
	for (uint32_t i = 0; i < 350; i++) {
		step(f, false);
	}
	/* Asked every 100 ms, besides its own announcements; and nothing else was sent. */
	assert_in_range(nic_fake_rx_waiting(f->servers[0]), 4, 8);
	assert_int_equal(f->echoed[0], 0);
	run(f, 120);
	assert_int_equal(f->echoed[0], 1);
	expect(transport, 0, "who is there");
	transport->ops->destroy(transport);
}

static void
a_lane_has_a_queue_and_a_source_port_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct transport *transport = join(f, "192.0.2.2:9292");

	run(f, 10);
	say(transport, 0, PORT, "to lane 0");
	say(transport, 3, PORT + 1, "to the server's lane 1 on our third");
	run(f, 2);
	assert_int_equal(f->echoed[0], 1);
	assert_int_equal(f->echoed[1], 1);
	assert_int_equal(f->last_port[0], STATION_PORT_FIRST);
	assert_int_equal(f->last_port[1], STATION_PORT_FIRST + 3);
	expect(transport, 0, "to lane 0");
	expect(transport, 3, "to the server's lane 1 on our third");
	expect_nothing(transport);
	transport->ops->destroy(transport);
}

static void
producers_get_their_own_answers_only(void **state)
{
	struct fixture *f = *state;
	struct transport *first = join(f, "192.0.2.2:9292");
	struct transport *second = join(f, "192.0.2.2:9292");
	struct station_report report;

	run(f, 10);
	say(first, 0, PORT, "first");
	say(second, 0, PORT, "second");
	run(f, 2);
	expect(first, 0, "first");
	expect_nothing(first);
	expect(second, 0, "second");
	say(second, 0, PORT, "a late answer");
	step(f, false);
	second->ops->destroy(second);
	run(f, 2);
	expect_nothing(first);
	station_report(f->station, &report);
	assert_int_equal(report.rx_stray, 1);
	assert_int_equal(report.tx_datagrams, 3);
	first->ops->destroy(first);
}

static void
a_full_ring_loses_and_counts_what_comes_next(void **state)
{
	struct fixture *f = *state;
	struct transport *transport = join(f, "192.0.2.2:9292");
	struct transport_received received[TRANSPORT_BURST];
	struct station_report report;
	uint32_t got = 0, n;

	run(f, 10);
	for (uint32_t i = 0; i < 1100; i++) {
		say(transport, 0, PORT, "again");
		step(f, true);
	}
	run(f, 2);
	while ((n = transport->ops->receive(transport, received, TRANSPORT_BURST)) > 0) {
		got += n;
	}
	station_report(f->station, &report);
	assert_int_equal(got, 1024);
	assert_int_equal(report.rx_ring_full, 1100 - 1024);
	assert_int_equal(report.rx_native, 1100);
	transport->ops->destroy(transport);
}

static void
a_driver_without_room_is_tried_again(void **state)
{
	struct fixture *f = *state;
	struct transport *transport = join(f, "192.0.2.2:9292");

	run(f, 10);
	nic_fake_tx_alloc_fail(f->nics[0], 2);
	nic_fake_tx_room(f->nics[0], 0);
	say(transport, 0, PORT, "patience");
	run(f, 4);
	assert_int_equal(f->echoed[0], 0);
	nic_fake_tx_room(f->nics[0], NIC_FAKE_UNLIMITED);
	run(f, 2);
	expect(transport, 0, "patience");
	transport->ops->destroy(transport);
}

static void
nothing_is_sent_for_a_producer_that_gave_up_asking(void **state)
{
	struct fixture *f = *state;
	struct transport *transport = join(f, "192.0.2.77:9292");
	struct station_report report;

	run(f, 10);
	say(transport, 0, PORT, "nobody");
	transport->ops->destroy(transport);
	station_report(f->station, &report);
	assert_int_equal(report.tx_datagrams, 0);
}

static void
ip6_neighbours_are_solicited(void **state)
{
	struct fixture *f = *state;
	struct transport *transport = join(f, "[2001:db8::2]:9292");

	assert_int_equal(transport->max_datagram, 1500 - 48);
	run(f, 10);
	say(transport, 1, PORT, "by neighbour discovery");
	run(f, 2);
	expect(transport, 1, "by neighbour discovery");
	transport->ops->destroy(transport);
}

static void
only_addresses_on_the_link_are_servers(void **state)
{
	static const char *const wrong[] = {"", "192.0.2.2", "192.0.2.2:", "192.0.2.2:0",
		"192.0.2.2:70000", "localhost:9292", "[2001:db8::2:9292", "[192.0.2.2]:9292"};
	struct fixture *f = *state;
	struct transport *transport;
	char text[128];

	for (uint32_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		text[0] = 0;
		assert_int_equal(
			station_connect(f->station, wrong[i], &transport, text, sizeof(text)), -EINVAL);
		assert_true(text[0] != 0);
	}
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(datagrams_wait_until_the_server_answers_for_its_address),
		ROW(a_lane_has_a_queue_and_a_source_port_of_its_own),
		ROW(producers_get_their_own_answers_only),
		ROW(a_full_ring_loses_and_counts_what_comes_next),
		ROW(a_driver_without_room_is_tried_again),
		ROW(nothing_is_sent_for_a_producer_that_gave_up_asking),
		ROW(only_addresses_on_the_link_are_servers),
		cmocka_unit_test_setup_teardown(ip6_neighbours_are_solicited, set_up_ip6, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
