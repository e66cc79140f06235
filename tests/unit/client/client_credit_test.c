/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client at the end of its credit: what was lost is sent again whichever stream it is of, because
 * that alone brings new credit. Client core and reference server in virtual time, datagrams by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "client/client_core.h"
#include "support/native_server.h"

#define TOPIC	   "t"
#define PARTITIONS 3
#define STEP_NS	   (100 * NS_PER_US)
#define LIMIT_NS   (20 * NS_PER_S) /* of virtual time; a delivery times out only later */
#define QUEUE_MAX  64

struct datagram {
	uint8_t bytes[CLIENT_DATAGRAM_MAX];
	uint32_t len;
};

struct link {
	struct datagram to_client[QUEUE_MAX];
	uint32_t waiting;
	struct native_server *server;
	struct client_core *core;
	struct rand client_rand, server_rand;
	uint64_t now_ns;
	uint32_t data_count;
	uint32_t lose; /* which DATA frames, from the first on, get lost */
	uint32_t delivered, failed;
};

static void
server_sends(void *user_data, uint32_t address, uint16_t lane, const uint8_t *bytes, uint32_t len)
{
	struct link *link = user_data;

	(void)address;
	(void)lane;
	ensure(link->waiting < QUEUE_MAX);
	memcpy(link->to_client[link->waiting].bytes, bytes, len);
	link->to_client[link->waiting++].len = len;
}

static void
client_sends(void *user_data, const struct client_datagram *datagram)
{
	struct link *link = user_data;
	uint8_t bytes[CLIENT_DATAGRAM_MAX];

	memcpy(bytes, datagram->head, datagram->head_len);
	if (datagram->body_len > 0) {
		memcpy(bytes + datagram->head_len, datagram->body, datagram->body_len);
	}
	if (bytes[3] == FRAME_DATA && link->data_count++ < link->lose) {
		return;
	}
	native_server_input(link->server, 0, datagram->port, bytes,
		datagram->head_len + datagram->body_len, link->now_ns);
}

static void
client_delivered(void *user_data, const struct client_delivery *delivery)
{
	struct link *link = user_data;

	link->delivered += delivery->error == 0;
	link->failed += delivery->error != 0;
}

static const struct client_core_ops client_ops = {.send = client_sends, .delivered = client_delivered};

static void
link_open(struct link *link, uint64_t credit_packets, uint32_t lose)
{
	struct native_server_options server;
	struct client_core_options client;

	memset(link, 0, sizeof(*link));
	link->now_ns = NS_PER_S;
	link->lose = lose;
	rand_init(&link->client_rand, 1);
	rand_init(&link->server_rand, 2);
	native_server_options_init(&server);
	server.rand = &link->server_rand;
	server.send = server_sends;
	server.user_data = link;
	server.port = 9292;
	server.credit_packets = credit_packets;
	link->server = native_server_create(&server);
	(void)native_server_topic(link->server, TOPIC, PARTITIONS);
	client_core_options_init(&client);
	client.ops = &client_ops;
	client.user_data = link;
	client.rand = &link->client_rand;
	client.port = 9292;
	assert_int_equal(client_core_create(&client, &link->core), 0);
}

static void
link_step(struct link *link)
{
	link->now_ns += STEP_NS;
	(void)client_core_poll(link->core, link->now_ns);
	(void)native_server_poll(link->server, link->now_ns);
	for (uint32_t i = 0; i < link->waiting; i++) {
		client_core_input(link->core, 0, link->to_client[i].bytes, link->to_client[i].len,
			link->now_ns);
	}
	link->waiting = 0;
}

static void
link_close(struct link *link)
{
	client_core_destroy(link->core);
	native_server_destroy(link->server);
}

/* One record for each partition, in turn. */
static void
send_all(struct link *link)
{
	int topic = client_core_topic(link->core, TOPIC);
	struct client_record record = {.value = "v", .value_len = 1, .timestamp_ms = 1};

	while (client_core_partition_count(link->core, topic) == 0) {
		link_step(link);
	}
	for (int32_t p = 0; p < PARTITIONS; p++) {
		assert_int_equal(client_core_send(link->core, topic, p, &record, link->now_ns), 0);
	}
}

static void
lost_batches_are_sent_again_though_others_wait_for_credit(void **state)
{
	static struct link link;

	(void)state;
	for (uint64_t credit = 1; credit <= 2; credit++) {
		/* All that the credit allows, and what the probe timeout repeats of it: only its PING arrives. */
		link_open(&link, credit, (uint32_t)credit + 1);
		send_all(&link);
		for (uint64_t until_ns = link.now_ns + LIMIT_NS;
			link.delivered < PARTITIONS && link.now_ns < until_ns;) {
			link_step(&link);
		}
		assert_int_equal(link.failed, 0);
		assert_int_equal(link.delivered, PARTITIONS);
		assert_true(link.data_count > credit + 1);
		link_close(&link);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_batches_are_sent_again_though_others_wait_for_credit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
