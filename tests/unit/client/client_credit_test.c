/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client at the end of its credit: what was lost is sent again whichever stream it is of, because
 * that alone brings new credit; and where nothing is left that could bring any, a new session does.
 * Client core and reference server in virtual time, datagrams by hand.
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
#include "base/errcode.h"
#include "client/client_core.h"
#include "client/client_mtu.h"
#include "support/native_server.h"

#define TOPIC	   "t"
#define PARTITIONS 3
#define MANY	   32 /* a session of the reference server has no more */
#define STEP_NS	   (100 * NS_PER_US)
#define LIMIT_NS   (20 * NS_PER_S) /* of virtual time; a delivery times out only later */
#define QUEUE_MAX  64
#define LARGE_BYTES 1250 /* a value that no datagram of the base size holds */

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
	uint32_t lose;	 /* which DATA frames, from the first on, get lost */
	uint32_t refuse; /* so many batches are refused yet */
	uint32_t mtu;	 /* larger datagrams get lost */
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
	if (datagram->head_len + datagram->body_len > link->mtu) {
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

static int16_t
server_refuses(void *user_data, uint32_t partition_index, const struct record_batch *batch)
{
	struct link *link = user_data;

	(void)partition_index;
	(void)batch;
	if (link->refuse == 0) {
		return 0;
	}
	link->refuse--;
	return KAFKA_KAFKA_STORAGE_ERROR;
}

static const struct client_core_ops client_ops = {.send = client_sends, .delivered = client_delivered};

static void
link_open(struct link *link, uint64_t credit_packets, uint64_t credit_bytes)
{
	struct native_server_options server;
	struct client_core_options client;

	memset(link, 0, sizeof(*link));
	link->now_ns = NS_PER_S;
	link->mtu = UINT32_MAX;
	rand_init(&link->client_rand, 1);
	rand_init(&link->server_rand, 2);
	native_server_options_init(&server);
	server.rand = &link->server_rand;
	server.send = server_sends;
	server.refuse = server_refuses;
	server.user_data = link;
	server.port = 9292;
	server.credit_packets = credit_packets;
	server.credit_bytes = credit_bytes;
	link->server = native_server_create(&server);
	(void)native_server_topic(link->server, TOPIC, PARTITIONS);
	client_core_options_init(&client);
	client.ops = &client_ops;
	client.user_data = link;
	client.rand = &link->client_rand;
	client.port = 9292;
	client.batch_bytes = 1; /* a batch for each record */
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

static void
send_one(struct link *link, int32_t partition, uint32_t value_bytes)
{
	static const uint8_t value[LARGE_BYTES];
	int topic = client_core_topic(link->core, TOPIC);
	struct client_record record = {.value = value, .value_len = value_bytes, .timestamp_ms = 1};

	while (client_core_partition_count(link->core, topic) == 0) {
		link_step(link);
	}
	assert_int_equal(client_core_send(link->core, topic, partition, &record, link->now_ns), 0);
}

/* One record for each partition, in turn. */
static void
send_all(struct link *link)
{
	for (int32_t p = 0; p < PARTITIONS; p++) {
		send_one(link, p, 1);
	}
}

static void
run_until_delivered(struct link *link, uint32_t count)
{
	for (uint64_t until_ns = link->now_ns + LIMIT_NS;
		link->delivered < count && link->now_ns < until_ns;) {
		link_step(link);
	}
	assert_int_equal(link->delivered, count);
}

static uint32_t
link_datagram_bytes(const struct link *link)
{
	struct client_core_state state;

	client_core_state(link->core, &state);
	return state.datagram_bytes;
}

static void
lost_batches_are_sent_again_though_others_wait_for_credit(void **state)
{
	static struct link link;

	(void)state;
	for (uint64_t credit = 1; credit <= 2; credit++) {
		/* All that the credit allows, and what the probe timeout repeats of it: only its PING arrives. */
		link_open(&link, credit, 1 * MIB);
		link.lose = (uint32_t)credit + 1;
		send_all(&link);
		run_until_delivered(&link, PARTITIONS);
		assert_int_equal(link.failed, 0);
		assert_true(link.data_count > credit + 1);
		link_close(&link);
	}
}

/*
 * The path gets narrower: two large batches are given up, and their charges come back from nobody. The
 * new epoch has to wait for the third, which was refused and needs credit to be sent again.
 */
static void
credit_of_what_was_given_up_comes_back_with_a_new_session(void **state)
{
	static struct link link;
	uint64_t used_bytes, limit_bytes, used_packets, limit_packets;
	const uint64_t *counters;

	(void)state;
	link_open(&link, 2, 1 * MIB);
	while (client_core_partition_count(link.core, client_core_topic(link.core, TOPIC)) == 0 ||
		link_datagram_bytes(&link) < LARGE_BYTES + 100) {
		link_step(&link);
	}
	counters = client_core_counters(link.core);
	link.mtu = CLIENT_MTU_BASE;
	link.refuse = 1;
	send_one(&link, 0, LARGE_BYTES);
	send_one(&link, 1, 1);
	link_step(&link);
	assert_int_equal(link.refuse, 0);
	send_one(&link, 2, LARGE_BYTES);
	for (uint32_t i = 0; i < LIMIT_NS / STEP_NS && counters[CLIENT_credit_waits] == 0; i++) {
		link_step(&link);
	}
	assert_int_equal(link.failed, 2);
	assert_true(client_core_credit(link.core, 0, &used_bytes, &limit_bytes, &used_packets,
		&limit_packets));
	assert_int_equal(used_packets, limit_packets);
	assert_int_equal(counters[CLIENT_epoch_bumps], 0);
	run_until_delivered(&link, 1);
	assert_int_equal(link.failed, 2);
	send_one(&link, 2, 1);
	run_until_delivered(&link, 2);
	assert_int_equal(link.failed, 2);
	assert_int_equal(counters[CLIENT_epoch_bumps], 1);
	link_close(&link);
}

/* A disk that stands still looks alike, but what it owes is known: the session stays. */
static void
credit_that_the_disk_owes_is_waited_for(void **state)
{
	static struct link link;

	(void)state;
	link_open(&link, PARTITIONS, 150); /* two batches of some 70 bytes */
	native_server_disk(link.server, false);
	send_all(&link);
	for (uint32_t i = 0; i < LIMIT_NS / STEP_NS; i++) {
		link_step(&link);
	}
	assert_int_equal(link.delivered, 0);
	native_server_disk(link.server, true);
	run_until_delivered(&link, PARTITIONS);
	assert_int_equal(client_core_counters(link.core)[CLIENT_reconnects], 0);
	link_close(&link);
}

/* A record for each of many partitions, of which credit lets two go. */
static void
fill_many(struct link *link)
{
	struct client_record record = {.value = "v", .value_len = 1, .timestamp_ms = 1};
	int topic;

	link_open(link, MANY, 150); /* two batches of some 70 bytes */
	(void)native_server_topic(link->server, "many", MANY);
	topic = client_core_topic(link->core, "many");
	while (client_core_partition_count(link->core, topic) == 0) {
		link_step(link);
	}
	for (int32_t p = 0; p < MANY; p++) {
		assert_int_equal(client_core_send(link->core, topic, p, &record, link->now_ns), 0);
	}
}

static void
what_waits_for_credit_costs_nothing_meanwhile(void **state)
{
	static struct link link;
	uint64_t looks;

	(void)state;
	fill_many(&link);
	native_server_disk(link.server, false);
	for (uint32_t i = 0; i < 100; i++) {
		link_step(&link);
	}
	looks = client_core_counters(link.core)[CLIENT_stream_looks];
	for (uint32_t i = 0; i < 1000; i++) {
		link_step(&link);
	}
	/* The one that is next, at each poll. */
	assert_true(client_core_counters(link.core)[CLIENT_stream_looks] - looks <= 1000);
	native_server_disk(link.server, true);
	run_until_delivered(&link, MANY);
	assert_int_equal(link.failed, 0);
	link_close(&link);
}

/* What was lost is found without a look at all that wait. */
static void
what_was_lost_is_found_among_many_that_wait(void **state)
{
	static struct link link;
	uint64_t looks;

	(void)state;
	fill_many(&link);
	link.lose = 2;
	link_step(&link);
	assert_int_equal(link.data_count, 2);
	looks = client_core_counters(link.core)[CLIENT_stream_looks];
	native_server_disk(link.server, false);
	for (uint32_t i = 0; i < 1000; i++) {
		link_step(&link);
	}
	assert_true(link.data_count > 3);
	assert_true(client_core_counters(link.core)[CLIENT_losses] >= 2);
	assert_true(client_core_counters(link.core)[CLIENT_stream_looks] - looks <= 1000 + 20);
	native_server_disk(link.server, true);
	run_until_delivered(&link, MANY);
	assert_int_equal(link.failed, 0);
	link_close(&link);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_batches_are_sent_again_though_others_wait_for_credit),
		cmocka_unit_test(credit_of_what_was_given_up_comes_back_with_a_new_session),
		cmocka_unit_test(credit_that_the_disk_owes_is_waited_for),
		cmocka_unit_test(what_waits_for_credit_costs_nothing_meanwhile),
		cmocka_unit_test(what_was_lost_is_found_among_many_that_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
