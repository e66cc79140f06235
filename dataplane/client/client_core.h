/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The native producer without sockets, clock, threads or randomness of its own: datagrams and time
 * in, datagrams and deliveries out. penstock.h's library, the load generator and the model drive it.
 *
 * One core is one producer: one id and epoch, one session per lane that it needs, one stream per
 * partition. All calls come from one thread, never from inside a callback. The caller polls after
 * input, after sends and at the deadline. Memory is taken at creation and bounded.
 *
 * Promise: the records of one partition are stored in the order of client_core_send, each once,
 * whatever the network loses, repeats, reorders or damages and however often the server restarts; a
 * delivery without error means durable. A record that failed with error 7 (timeout) or 10 may or may
 * not be in the log; later records of its partition follow it in order.
 */
#ifndef CLIENT_CLIENT_CORE_H
#define CLIENT_CLIENT_CORE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/counter.h"
#include "base/handoff.h"
#include "base/rand.h"
#include "client/client_batch.h"

#define CLIENT_LANES_MAX     HANDOFF_LANES_MAX /* of any server */
#define CLIENT_DATAGRAM_MIN  1200
#define CLIENT_DATAGRAM_MAX  8972
#define CLIENT_NAME_MAX	     64
#define CLIENT_STATUS_BYTES  192

struct client_core;

/* One UDP payload in two pieces. Valid during the callback only. */
struct client_datagram {
	const uint8_t *head;
	const uint8_t *body; /* may be NULL with body_len 0 */
	uint32_t head_len;
	uint32_t body_len;
	uint16_t lane; /* which socket: answers come back to the same one */
	uint16_t port; /* of the server */
};

/* One record's fate. */
struct client_delivery {
	const char *topic;
	uint32_t partition;
	int16_t error; /* Kafka code, 0 taken */
	bool durable;  /* false with acks=0: received, which a crash may undo */
	int64_t offset; /* -1 on error, or when one ACK covered several batches between others' records */
	void *record_data;
	uint64_t sent_ns; /* as given with the record */
};

struct client_core_ops {
	/* Takes the datagram or loses it: UDP. */
	void (*send)(void *user_data, const struct client_datagram *datagram);
	void (*delivered)(void *user_data, const struct client_delivery *delivery);
};

struct client_core_options {
	const struct client_core_ops *ops;
	void *user_data;
	struct rand *rand; /* nonces and sticky choices; the core's own */
	uint64_t buffer_bytes;
	uint64_t linger_ns;
	uint64_t delivery_timeout_ns;
	uint64_t retry_backoff_ns;
	uint32_t batch_bytes;  /* 0: one datagram */
	uint32_t max_datagram; /* largest UDP payload of the interface, >= 1200 */
	uint32_t topics_max;
	uint32_t partitions_max; /* over all topics */
	uint16_t port;	   /* of the server's lane 0 */
	bool ipv6;
	bool acks_received; /* acks=0: deliver when received */
	bool auto_create;
	char name[CLIENT_NAME_MAX + 1]; /* "": a fresh producer id */
};

void client_core_options_init(struct client_core_options *options);
/* -EINVAL: an option is out of range; -ENOMEM. */
int client_core_create(const struct client_core_options *options, struct client_core **ret_core);
void client_core_destroy(struct client_core *core);

/* Index of a topic, registering it: -EINVAL bad name, -ENOSPC topics_max reached. */
int client_core_topic(struct client_core *core, const char *name);
/* 0 while it is being resolved. */
uint32_t client_core_partition_count(const struct client_core *core, int topic);
/* Kafka code if the server refused the topic (17, 29, ...), else 0. */
int16_t client_core_topic_error(const struct client_core *core, int topic);
/*
 * Takes one record; copies key and value. partition -1: by key or sticky. -EAGAIN: no memory or the
 * topic is not resolved yet; -EMSGSIZE: larger than the path carries; -EINVAL: no such partition;
 * -ENOENT: see client_core_topic_error; -ESTALE: fenced; -ESHUTDOWN.
 */
int client_core_send(struct client_core *core, int topic, int32_t partition,
	const struct client_record *record, uint64_t now_ns);

/* One datagram from the server, on the socket of that lane. */
void client_core_input(struct client_core *core, uint16_t lane, const uint8_t *bytes, uint32_t len,
	uint64_t now_ns);
/* Does all that is due. Returns the deadline of the next call, UINT64_MAX none. */
uint64_t client_core_poll(struct client_core *core, uint64_t now_ns);

/* When the oldest record that is neither durable nor failed was sent; UINT64_MAX if there is none. */
uint64_t client_core_oldest_ns(const struct client_core *core);
/* Says CLOSE to every session; keep polling until client_core_closed. What is not durable fails. */
void client_core_close(struct client_core *core, uint64_t now_ns);
bool client_core_closed(const struct client_core *core);

struct client_core_state {
	int64_t producer_id;
	int16_t producer_epoch;
	uint32_t sessions;
	uint64_t buffered_bytes;
	uint64_t rtt_ns; /* smoothed, of the session with most in flight */
	uint16_t datagram_bytes; /* of that session */
	bool fenced;
};

void client_core_state(const struct client_core *core, struct client_core_state *ret_state);
const uint64_t *client_core_counters(const struct client_core *core);
/* Last thing worth telling people; never NULL. */
const char *client_core_status(const struct client_core *core);

#endif
