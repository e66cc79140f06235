/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client core and reference server in virtual time, one step after the other, datagrams by hand. For
 * the tests of this folder.
 */
#ifndef UNIT_CLIENT_CLIENT_RIG_H
#define UNIT_CLIENT_CLIENT_RIG_H

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
#include "support/client_peek.h"
#include "support/native_server.h"

#define TOPIC	   "t"
#define PARTITIONS 3
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
	bool held;     /* what the server sends waits for link_deliver */
	bool stripped; /* ACKs lose their stream entries */
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

static inline void
server_sends(void *user_data, uint32_t address, uint16_t lane, const uint8_t *bytes, uint32_t len)
{
	struct link *link = user_data;

	(void)address;
	(void)lane;
	ensure(link->waiting < QUEUE_MAX);
	memcpy(link->to_client[link->waiting].bytes, bytes, len);
	link->to_client[link->waiting++].len = len;
}

static inline void
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

static inline void
client_delivered(void *user_data, const struct client_delivery *delivery)
{
	struct link *link = user_data;

	link->delivered += delivery->error == 0;
	link->failed += delivery->error != 0;
}

static inline int16_t
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

static inline void
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

static inline void
link_strip(struct datagram *datagram)
{
	struct session_msg_ack ack;
	struct frame frame;
	struct writer body = frame_body_writer(datagram->bytes, sizeof(datagram->bytes));

	ensure(frame_decode(datagram->bytes, datagram->len, FRAME_SIDE_CLIENT, &frame) == FRAME_OK);
	if (frame.type != FRAME_ACK) {
		return;
	}
	ensure(session_msg_ack_decode(frame.body, frame.body_len, &ack) == 0);
	ack.entries = 0;
	session_msg_ack_encode(&body, &ack);
	datagram->len = (uint32_t)frame_finish(&frame, datagram->bytes, &body);
}

/* Hands the client one datagram of those that wait. */
static inline void
link_deliver(struct link *link, uint32_t at)
{
	ensure(at < link->waiting);
	if (link->stripped) {
		link_strip(&link->to_client[at]);
	}
	client_core_input(link->core, 0, link->to_client[at].bytes, link->to_client[at].len,
		link->now_ns);
}

static inline void
link_step(struct link *link)
{
	link->now_ns += STEP_NS;
	(void)client_core_poll(link->core, link->now_ns);
	(void)native_server_poll(link->server, link->now_ns);
	if (link->held) {
		return;
	}
	for (uint32_t i = 0; i < link->waiting; i++) {
		link_deliver(link, i);
	}
	link->waiting = 0;
}

static inline void
link_close(struct link *link)
{
	client_core_destroy(link->core);
	native_server_destroy(link->server);
}

static inline void
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
static inline void
send_all(struct link *link)
{
	for (int32_t p = 0; p < PARTITIONS; p++) {
		send_one(link, p, 1);
	}
}

static inline void
run_until_delivered(struct link *link, uint32_t count)
{
	for (uint64_t until_ns = link->now_ns + LIMIT_NS;
		link->delivered < count && link->now_ns < until_ns;) {
		link_step(link);
	}
	assert_int_equal(link->delivered, count);
}

#endif
