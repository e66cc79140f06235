/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libpenstock: the native producer library. Records in, durable acknowledgements out, over UDP.
 *
 * A handle may be used by many threads. Sends are asynchronous: penstock_send copies the record into
 * a bounded buffer and returns; the delivery callback runs on the handle's own thread once the record
 * is on disk at the server (acks=0: was received there) or has failed for good. Settings have Kafka's names.
 */
#ifndef PENSTOCK_H
#define PENSTOCK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct penstock_config;
struct penstock_producer;

/*
 * One record's fate. error: 0 taken, else a Kafka error code (7: delivery timeout). Taken means durable;
 * with acks=0 it means no more than received: such a record counts as never acknowledged, and a crash of
 * the server may lose it.
 */
struct penstock_delivery {
	uint32_t struct_bytes;
	uint32_t partition;
	int64_t offset; /* -1 on error, and while it is not durable */
	int16_t error;
	const char *topic;
	void *record_data;    /* what penstock_send was given */
	uint64_t latency_ns; /* from penstock_send to here */
	int32_t durable;     /* 1: on disk (a relaxed topic: taken as it promises); 0: failed, or acks=0 */
	int32_t reserved;
};

typedef void (*penstock_delivery_fn)(void *user_data, const struct penstock_delivery *delivery);
/* Chooses a partition; runs in the sending thread. Out of range: the record is refused. */
typedef uint32_t (*penstock_partitioner_fn)(void *user_data, const char *topic, const void *key,
	size_t key_len, uint32_t partition_count);

/*
 * Settings by name, as strings: "bootstrap" (host:port, default 127.0.0.1:9292), "client.id" (a name
 * keeps the producer id stable and fences older sessions), "linger.ms" 0, "batch.size" (0 = one
 * datagram), "buffer.memory" 33554432, "delivery.timeout.ms" 120000, "retry.backoff.ms" 100,
 * "acks" all | 1 | 0, "max.datagram" 0 (the path's).
 */
struct penstock_config *penstock_config_create(void);
/* 0; -EINVAL with the reason in text (may be NULL): unknown name, bad value, out of range. */
int penstock_config_set(struct penstock_config *config, const char *name, const char *value,
	char *text, size_t text_bytes);
void penstock_config_set_delivery(struct penstock_config *config, penstock_delivery_fn fn,
	void *user_data);
void penstock_config_set_partitioner(struct penstock_config *config, penstock_partitioner_fn fn,
	void *user_data);
void penstock_config_destroy(struct penstock_config *config);

/* Starts the handle's thread; the config is copied. Connects in the background. Negative errno. */
int penstock_producer_create(const struct penstock_config *config,
	struct penstock_producer **ret_producer, char *text, size_t text_bytes);

#define PENSTOCK_PARTITION_ANY (-1)

struct penstock_record_out {
	uint32_t struct_bytes;
	int32_t partition; /* PENSTOCK_PARTITION_ANY: murmur2 of the key, sticky without one */
	const char *topic;
	const void *key; /* NULL: no key */
	size_t key_len;
	const void *value;
	size_t value_len;
	int64_t timestamp_ms; /* -1: now */
	void *record_data;    /* comes back in the delivery */
};

/*
 * Queues one record; copies key and value. -EAGAIN: the buffer is full, wait and send again (or use
 * penstock_send_wait); -EMSGSIZE: larger than a datagram carries (batches over several datagrams are
 * not offered yet); -EINVAL; -ESHUTDOWN.
 */
int penstock_send(struct penstock_producer *producer, const struct penstock_record_out *record);
/* The same, waiting up to timeout_ms for buffer space. -ETIMEDOUT. */
int penstock_send_wait(struct penstock_producer *producer,
	const struct penstock_record_out *record, uint32_t timeout_ms);
/* Waits until all that was sent before is durable (acks=0: received) or failed. -ETIMEDOUT. */
int penstock_flush(struct penstock_producer *producer, uint32_t timeout_ms);
/* Readable when deliveries were made since the last read of 8 bytes; -1 if there is none. */
int penstock_fd(const struct penstock_producer *producer);

struct penstock_stats {
	uint32_t struct_bytes;
	uint32_t sessions;
	uint64_t records_sent, records_durable, records_failed;
	uint64_t datagrams_sent, retransmissions, losses, credit_waits, reconnects;
	uint64_t buffered_bytes;
	uint64_t rtt_ns; /* smoothed, of the busiest session */
	int64_t producer_id;
	int32_t producer_epoch;
	int32_t reserved;
	uint64_t records_received; /* acks=0: reported, and never counted durable */
};

void penstock_producer_stats(struct penstock_producer *producer, struct penstock_stats *ret_stats);
/* Last thing the server or the network said, for people; never NULL. Valid until the next call. */
const char *penstock_producer_status(struct penstock_producer *producer);
/* Flushes for up to timeout_ms, says CLOSE, stops the thread, frees. 0 or -ETIMEDOUT (data given up). */
int penstock_producer_destroy(struct penstock_producer *producer, uint32_t timeout_ms);

const char *penstock_version(void);
const char *penstock_error_name(int16_t error);

#ifdef __cplusplus
}
#endif

#endif
