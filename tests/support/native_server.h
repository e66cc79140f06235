/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reference server of the native protocol in memory: written from the protocol page, not from
 * dataplane/ingest, so that the client is tested against a second reading of the rules and the model
 * can run before and beside the real pipeline. Lanes, cookies (a constant, checked), sessions, packet
 * numbers, order, duplicates, refusals, credits, a log with a slow disk, crash and restart.
 *
 * Sans I/O: datagrams and time in, datagrams out. Slow and simple. Tests only.
 */
#ifndef SUPPORT_NATIVE_SERVER_H
#define SUPPORT_NATIVE_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/rand.h"
#include "wire/native/frame.h"
#include "wire/native/session_msg.h"
#include "wire/record_batch.h"

struct native_server;

struct native_server_options {
	struct rand *rand;
	void *user_data;
	/* One datagram to a client's address. */
	void (*send)(void *user_data, uint32_t address, uint16_t lane, const uint8_t *bytes,
		uint32_t len);
	/* Kafka code to refuse a batch with, 0 to take it. May be NULL. */
	int16_t (*refuse)(void *user_data, uint32_t partition_index, const struct record_batch *batch);
	uint64_t disk_ns;	 /* from append to durable */
	uint64_t idle_timeout_ns;
	uint64_t credit_bytes;	 /* share of each session */
	uint64_t credit_packets;
	uint32_t max_datagram;
	uint16_t lane_count;
	uint16_t port;		 /* lane i listens on port + i */
};

void native_server_options_init(struct native_server_options *options);
struct native_server *native_server_create(const struct native_server_options *options);
void native_server_destroy(struct native_server *server);
/* Partitions are dense over all topics; lane = partition index % lanes. Returns the first index. */
uint32_t native_server_topic(struct native_server *server, const char *name, uint32_t partitions);

void native_server_input(struct native_server *server, uint32_t address, uint16_t port,
	const uint8_t *bytes, uint32_t len, uint64_t now_ns);
/* Returns the next deadline. */
uint64_t native_server_poll(struct native_server *server, uint64_t now_ns);
/*
 * kill -9 and restart: sessions, handles and a random part of what was not durable are gone; the boot
 * id is new.
 */
void native_server_crash(struct native_server *server);
/* Ends every session with this reason and, if it is FENCED, raises nobody's epoch. */
void native_server_close_all(struct native_server *server, uint16_t reason, uint32_t retry_after_ms);
/*
 * Begins to stop: CLOSED(DRAINING) to every session, no batch and no HELLO is taken any more; what was
 * taken becomes durable and is told. A crash ends it.
 */
void native_server_drain(struct native_server *server, uint32_t retry_after_ms);
/* Forgets all producer state of the logs, as if it had expired. */
void native_server_expire(struct native_server *server);
/* While false nothing becomes durable. */
void native_server_disk(struct native_server *server, bool running);

struct native_server_stored {
	const uint8_t *batch;
	uint32_t len;
	int64_t offset; /* of its first record */
	bool durable;
};

uint32_t native_server_stored_count(const struct native_server *server, uint32_t partition_index);
void native_server_stored(const struct native_server *server, uint32_t partition_index,
	uint32_t at, struct native_server_stored *ret);

struct native_server_counts {
	uint64_t data, duplicates, stored, refused, parked, credit_exceeded, violations, resets;
	uint64_t frames_bad, hellos, accepts, resolves, pings, probes, pn_duplicates, acks;
	uint32_t sessions;
	uint64_t boot_id;
};

void native_server_counts(const struct native_server *server, struct native_server_counts *ret);

#endif
