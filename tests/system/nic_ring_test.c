/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two lanes in one process over net_ring: port A echoes on two threads of its own, port B, wired
 * crosswise to it, asks from the main thread. Proves queue separation, lcore registration, buffers
 * across pools and a refusing driver (the rings are small) without any privilege.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "net/net.h"
#include "nic/eal.h"
#include "nic/port.h"
#include "support/ring_pair.h"

#define LANES	    2
#define RING_SLOTS  128
#define BURST	    32
#define PACKETS	    20000
#define WINDOW	    96
#define UDP_PORT    9292
#define LIMIT_NS    (60 * NS_PER_S)

struct lane {
	struct net_port net;
	struct nic *nic;
	uint64_t rx_packets, native, other, given_up;
	pthread_t thread;
	atomic_bool *stop;
	bool registered;
};

static const uint8_t ours[16] = {[10] = 0xff, 0xff, 192, 0, 2, 2};
static const uint8_t peers[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};

static void
net_start(struct net_port *net, struct nic *nic, const uint8_t *address)
{
	struct net_options options = {.queue = nic_packet_queue(nic), .answer = true, .udp_port_first = UDP_PORT,
		.udp_port_count = LANES, .address_count = 1};

	memcpy(options.addresses[0], address, 16);
	ensure(net_port_init(net, &options) == 0);
}

static void
lane_turn(struct lane *lane)
{
	struct packet_view views[BURST], answers[BURST];
	uint64_t owners[BURST];
	uint32_t answer_count = 0;
	uint32_t n = lane->nic->ops->rx(lane->nic, views, BURST);

	lane->rx_packets += n;
	for (uint32_t i = 0; i < n; i++) {
		owners[i] = views[i].owner;
		if (net_input(&lane->net, &views[i], 1).verdict != NET_UDP) {
			lane->other++;
			continue;
		}
		lane->native++;
		if (net_udp_alloc(&lane->net, &views[i].peer, views[i].len, &answers[answer_count])) {
			memcpy(answers[answer_count].data, views[i].data, views[i].len);
			net_udp_reply(&lane->net, &answers[answer_count]);
			answer_count++;
		}
	}
	lane->given_up += lane->nic->ops->tx(lane->nic, answers, answer_count);
	if (n > 0) {
		lane->nic->ops->release(lane->nic, owners, n);
	}
}

static void *
lane_main(void *argument)
{
	struct lane *lane = argument;

	lane->registered = eal_thread_register() == 0;
	while (!atomic_load_explicit(lane->stop, memory_order_relaxed)) {
		lane_turn(lane);
	}
	eal_thread_unregister();
	return NULL;
}

/* --- the asking side ------------------------------------------------------------------------------ */

struct asker {
	struct net_port net[LANES];
	struct nic *nic[LANES];
	uint8_t mac[6];
	uint32_t next[LANES], answered[LANES], strange;
};

static void
ask(struct asker *a, uint32_t lane)
{
	struct packet_peer peer = {.port = (uint16_t)(UDP_PORT + lane), .local_port = UDP_PORT};
	struct packet_view view;

	memcpy(peer.mac, a->mac, 6);
	memcpy(peer.address, ours, 16);
	memcpy(peer.local_address, peers, 16);
	if (!net_udp_alloc(&a->net[lane], &peer, 64 + a->next[lane] % 1000, &view)) {
		return;
	}
	memset(view.data, (int)lane, view.len);
	store_be32(view.data, a->next[lane]++);
	net_udp_reply(&a->net[lane], &view);
	ensure(a->nic[lane]->ops->tx(a->nic[lane], &view, 1) == 0);
}

/* Rings keep order: echoes come as they were asked, from the port of their lane. */
static void
take(struct asker *a, uint32_t lane)
{
	struct packet_view views[BURST];
	uint32_t n = a->nic[lane]->ops->rx(a->nic[lane], views, BURST);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t owner = views[i].owner;
		bool right = net_input(&a->net[lane], &views[i], 1).verdict == NET_UDP &&
			views[i].peer.port == UDP_PORT + lane &&
			load_be32(views[i].data) == a->answered[lane] &&
			views[i].len == 64 + a->answered[lane] % 1000 && views[i].data[63] == lane;

		a->strange += !right;
		a->answered[lane]++;
		a->nic[lane]->ops->release(a->nic[lane], &owner, 1);
	}
}

static void
ask_all(struct asker *a)
{
	uint64_t until_ns = clock_now_ns(clock_system()) + LIMIT_NS;

	while ((a->answered[0] < PACKETS || a->answered[1] < PACKETS) &&
		clock_now_ns(clock_system()) < until_ns) {
		for (uint32_t lane = 0; lane < LANES; lane++) {
			while (a->next[lane] < PACKETS && a->next[lane] - a->answered[lane] < WINDOW) {
				uint32_t before = a->next[lane];

				ask(a, lane);
				if (a->next[lane] == before) {
					break;
				}
			}
			a->nic[lane]->ops->tx(a->nic[lane], NULL, 0);
			take(a, lane);
		}
	}
}

int
main(void)
{
	static struct lane lanes[LANES];
	static struct asker asker;
	atomic_bool stop = false;
	struct port *a, *b;
	struct nic_caps caps;
	uint32_t missing, wrong;

	ensure(ring_pair_open(LANES, RING_SLOTS, &a, &b));
	for (uint16_t i = 0; i < LANES; i++) {
		lanes[i].nic = port_queue(a, i);
		lanes[i].stop = &stop;
		asker.nic[i] = port_queue(b, i);
		net_start(&lanes[i].net, lanes[i].nic, ours);
		net_start(&asker.net[i], asker.nic[i], peers);
	}
	lanes[0].nic->ops->caps(lanes[0].nic, &caps);
	ensure(strcmp(caps.driver, "net_ring") == 0);
	ensure(!caps.counts_losses);
	ensure(caps.queues == LANES);
	memcpy(asker.mac, caps.mac, 6);
	for (uint16_t i = 0; i < LANES; i++) {
		ensure(pthread_create(&lanes[i].thread, NULL, lane_main, &lanes[i]) == 0);
	}
	ask_all(&asker);
	atomic_store(&stop, true);
	wrong = asker.strange;
	for (uint16_t i = 0; i < LANES; i++) {
		pthread_join(lanes[i].thread, NULL);
		wrong += !lanes[i].registered || lanes[i].native != PACKETS || lanes[i].other != 0 ||
			lanes[i].given_up != 0 || asker.answered[i] != PACKETS ||
			lanes[i].nic->ops->owners_out(lanes[i].nic) != 0 ||
			asker.nic[i]->ops->owners_out(asker.nic[i]) != 0;
		printf("lane %u: %llu packets, %llu native, %u answered\n", i,
			(unsigned long long)lanes[i].rx_packets, (unsigned long long)lanes[i].native,
			asker.answered[i]);
	}
	missing = port_close(a);
	missing += port_close(b);
	printf("%u wrong, %u buffers missing\n", wrong, missing);
	return wrong == 0 && missing == 0 ? 0 : 1;
}
