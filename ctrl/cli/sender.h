/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of records through libpenstock with its account: sent, durable, failed, and the latency
 * from sending to durable. One thread sends; deliveries are counted on the library's thread, so the
 * histogram may be read only after sender_close.
 */
#ifndef CTRL_CLI_SENDER_H
#define CTRL_CLI_SENDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/histogram.h"
#include "client/penstock.h"

struct sender {
	struct penstock_producer *producer;
	int interrupt_fd; /* ends waits; -1: none */
	uint64_t sent;
	uint64_t sent_bytes; /* keys and values */
	uint64_t first_ns;   /* of the first record */
	uint64_t last_ns;    /* when all were settled */
	_Atomic uint64_t durable;
	_Atomic uint64_t failed;
	_Atomic int first_error; /* Kafka's code of the first failure */
	struct histogram latency;
	struct penstock_stats stats; /* as of sender_close */
	char status[256];	     /* what the library said last, as of sender_close */
};

struct sender_options {
	const char *bootstrap; /* host:port */
	const char *client_id; /* NULL: none */
	uint64_t delivery_timeout_ms;
	int interrupt_fd;
};

/* 0 or a negative errno with the reason in text. */
int sender_open(struct sender *sender, const struct sender_options *options, char *text,
	size_t text_bytes);
/* Queues one record; waits for room. -EINTR: interrupted; -ESHUTDOWN, -EMSGSIZE, -EINVAL. */
int sender_send(struct sender *sender, const struct penstock_record_out *record);
/* Waits up to wait_ms for all to be settled: 0, -ETIMEDOUT (call again), -EINTR. */
int sender_settle(struct sender *sender, uint32_t wait_ms);
static inline uint64_t
sender_durable(struct sender *sender)
{
	return atomic_load_explicit(&sender->durable, memory_order_relaxed);
}

static inline uint64_t
sender_failed(struct sender *sender)
{
	return atomic_load_explicit(&sender->failed, memory_order_relaxed);
}
/* Ends the library's thread, giving up what is not settled. */
void sender_close(struct sender *sender);
/* Throughput and latency as two lines of a summary, on `out`. After sender_close. */
void sender_print(const struct sender *sender, FILE *out, const char *indent);

#endif
