/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load generator as a function: n producers on libpenstock, open loop. Latency is counted from
 * the instant at which a record was due, not from when it could be sent, so that a slow server cannot
 * hide behind a waiting sender.
 *
 * Contents follow from (seed, producer, number). The content hash is the sum, modulo 2^64, over all
 * durable records of SipHash-2-4 with a key of 16 zero bytes of: topic length u16, topic, partition
 * u32, key length i32 (-1 none), key, value length i32, value; integers little-endian. A sum does not
 * depend on order, so a reader of the log can compare it without sorting.
 */
#ifndef LOADGEN_LOADGEN_H
#define LOADGEN_LOADGEN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/histogram.h"
#include "client/transport.h"

#define LOADGEN_PRODUCERS_MAX 64
#define LOADGEN_VALUE_MAX     8192
#define LOADGEN_TEXT_BYTES    256

struct loadgen_options {
	const char *bootstrap;
	const char *topic;
	const char *acks;
	const char *client_id; /* NULL: fresh ids; else the prefix of each producer's name */
	uint32_t producers;
	uint32_t partitions;  /* records go round over 0..n-1; 0: by key, or sticky without one */
	uint32_t key_bytes;   /* 0: no key */
	uint32_t value_bytes; /* at least 16 */
	uint64_t rate;	      /* records a second over all producers; 0: as fast as possible */
	uint64_t count;	      /* records over all producers; 0: by duration */
	uint64_t duration_ms;
	uint64_t seed;
	uint32_t linger_ms;
	uint32_t flush_ms; /* wait for the last records */
	uint32_t delivery_timeout_ms;
	uint32_t max_datagram; /* 0: the path's */
	uint64_t buffer_bytes;
	transport_create_fn transport_fn; /* NULL: kernel sockets */
	void *transport_data;
};

struct loadgen_report {
	uint64_t sent, durable, failed;
	uint64_t received; /* acks=0: told no more than that, so neither durable nor failed */
	uint64_t bytes; /* key and value of durable records */
	uint64_t content_hash;
	uint64_t elapsed_ns; /* from the first send to the last delivery */
	uint64_t failed_by_code[128]; /* Kafka code, [0]: any other */
	uint64_t datagrams, retransmissions, losses, credit_waits, reconnects;
	struct histogram latency;
	char text[LOADGEN_TEXT_BYTES]; /* why it did not run, or the last status */
};

void loadgen_options_init(struct loadgen_options *options);
/* Blocks. Negative errno with text if it could not start; -ETIMEDOUT if records were left. */
int loadgen_run(const struct loadgen_options *options, struct loadgen_report *ret_report);
/* Key (key_bytes) and value (value_bytes) of one record. */
void loadgen_record(const struct loadgen_options *options, uint32_t producer, uint64_t number,
	uint8_t *ret_key, uint8_t *ret_value);
uint64_t loadgen_hash(const char *topic, uint32_t partition, const uint8_t *key, int32_t key_len,
	const uint8_t *value, int32_t value_len);

#endif
