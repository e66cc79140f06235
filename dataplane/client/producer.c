/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library's handle (penstock.h): a lock around a bounded queue of records, and one I/O thread
 * that alone owns the client core and the sockets.
 *
 * Under the lock: queue positions, topic names, stop and flush requests, published statistics. The
 * core, the transport and the delivery callback are the I/O thread's and run without the lock, so a
 * callback may send. The record's time of sending is taken under the lock: it grows along the queue,
 * which is how flush knows that everything before it is settled.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/ensure.h"
#include "base/errcode.h"
#include "client/producer_config.h"
#include "client/submit_queue.h"
#include "client/transport.h"
#include "wire/native/session_msg.h"

#define PRODUCER_TOPICS_MAX   256
#define PRODUCER_QUEUE_SHARE  4 /* a quarter of buffer.memory is the queue, the rest batches */
#define PRODUCER_STALL_NS     (20 * NS_PER_MS)
#define PRODUCER_WAIT_MAX_NS  NS_PER_S
#define PRODUCER_LANE_RECORDS 1024 /* taken from the queue in one turn */

struct producer_topic {
	char name[SESSION_MSG_TOPIC_NAME_MAX + 1];
	uint32_t partition_count; /* 0: not known yet */
	int16_t error;
};

struct penstock_producer {
	struct penstock_config config;
	struct transport *transport;
	struct client_core *core;
	struct clock *clock;
	struct rand rand;
	pthread_t thread;
	int delivery_fd;
	bool delivered;		/* in this turn; I/O thread */
	uint32_t core_topics;	/* registered with the core; I/O thread */
	uint32_t record_bytes_max;

	pthread_mutex_t lock;
	pthread_cond_t changed; /* room in the queue, flush done, stopped */
	struct submit_queue queue;
	struct producer_topic topics[PRODUCER_TOPICS_MAX];
	uint32_t topic_count;
	uint32_t flush_waiters;
	uint32_t space_waiters;
	uint64_t settled_ns; /* every record sent before this instant is settled */
	uint64_t submitted, failed_in_queue;
	bool io_waits;
	bool stop;
	bool stopped;
	struct penstock_stats stats;
	char status[CLIENT_STATUS_BYTES];
	char status_copy[CLIENT_STATUS_BYTES]; /* what penstock_producer_status returned */
};

/* --- I/O thread -------------------------------------------------------------------------------- */

static void
producer_send_datagram(void *user_data, const struct client_datagram *datagram)
{
	struct penstock_producer *p = user_data;

	p->transport->ops->send(p->transport, datagram);
}

static void
producer_deliver(struct penstock_producer *p, const struct client_delivery *fate)
{
	struct penstock_delivery delivery = {
		.struct_bytes = sizeof(delivery),
		.partition = fate->partition,
		.offset = fate->offset,
		.error = fate->error,
		.topic = fate->topic,
		.record_data = fate->record_data,
		.latency_ns = clock_now_ns(p->clock) - fate->sent_ns,
		.durable = fate->durable,
	};

	p->delivered = true;
	if (p->config.delivery_fn) {
		p->config.delivery_fn(p->config.delivery_data, &delivery);
	}
}

static void
producer_on_delivered(void *user_data, const struct client_delivery *delivery)
{
	producer_deliver(user_data, delivery);
}

static const struct client_core_ops producer_core_ops = {
	.send = producer_send_datagram,
	.delivered = producer_on_delivered,
};

/* Kafka code of a record that the core refuses, 0 if it should be offered again later. */
static int16_t
producer_refusal(struct penstock_producer *p, const struct submit_entry *entry, int rc,
	uint64_t now_ns)
{
	switch (rc) {
	case -EAGAIN:
		return entry->sent_ns + p->config.delivery_timeout_ms * NS_PER_MS <= now_ns
			       ? KAFKA_REQUEST_TIMED_OUT
			       : KAFKA_NONE;
	case -EMSGSIZE:
		return KAFKA_MESSAGE_TOO_LARGE;
	case -ENOENT:
		return client_core_topic_error(p->core, (int)entry->topic);
	case -ESTALE:
		return KAFKA_INVALID_PRODUCER_EPOCH;
	case -ESHUTDOWN:
		return KAFKA_REQUEST_TIMED_OUT;
	default:
		return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	}
}

/* Hands one record to the core. False: not now. */
static bool
producer_take_one(struct penstock_producer *p, const struct submit_entry *entry, uint64_t now_ns)
{
	struct client_record record = {
		.key = submit_entry_key(entry),
		.value = submit_entry_value(entry),
		.key_len = entry->key_len == SUBMIT_NULL ? 0 : entry->key_len,
		.value_len = entry->value_len == SUBMIT_NULL ? 0 : entry->value_len,
		.timestamp_ms = entry->timestamp_ms,
		.sent_ns = entry->sent_ns,
		.record_data = entry->record_data,
	};
	int rc = client_core_send(p->core, (int)entry->topic, entry->partition, &record, now_ns);

	if (rc == 0) {
		return true;
	}
	int16_t error = producer_refusal(p, entry, rc, now_ns);

	if (error == KAFKA_NONE) {
		return false;
	}
	producer_deliver(p, &(struct client_delivery){
		.topic = p->topics[entry->topic].name,
		.partition = entry->partition < 0 ? 0 : (uint32_t)entry->partition,
		.error = error,
		.offset = -1,
		.record_data = entry->record_data,
		.sent_ns = entry->sent_ns,
	});
	p->failed_in_queue++;
	return true;
}

/* Moves records from the queue to the core. True: some are left that the core could not take. */
static bool
producer_take(struct penstock_producer *p, uint64_t now_ns, bool *ret_more)
{
	pthread_mutex_lock(&p->lock);
	uint64_t position = p->queue.taken_bytes, end = p->queue.put_bytes;
	uint32_t topic_count = p->topic_count;

	pthread_mutex_unlock(&p->lock);
	const struct submit_entry *entry;
	bool stalled = false;
	uint32_t taken = 0;

	while (p->core_topics < topic_count) {
		/* The name was checked by penstock_send. */
		ensure(client_core_topic(p->core, p->topics[p->core_topics].name) ==
			(int)p->core_topics);
		p->core_topics++;
	}
	while (taken < PRODUCER_LANE_RECORDS &&
		(entry = submit_queue_next(&p->queue, &position, end)) != NULL) {
		if (!producer_take_one(p, entry, now_ns)) {
			stalled = true;
			break;
		}
		position += entry->bytes;
		taken++;
	}
	pthread_mutex_lock(&p->lock);
	submit_queue_pop(&p->queue, position);
	if (taken > 0 && p->space_waiters > 0) {
		pthread_cond_broadcast(&p->changed);
	}
	*ret_more = !stalled && p->queue.put_bytes != position;
	pthread_mutex_unlock(&p->lock);
	return stalled;
}

static void
producer_publish_topics(struct penstock_producer *p)
{
	for (uint32_t i = 0; i < p->core_topics; i++) {
		p->topics[i].partition_count = client_core_partition_count(p->core, (int)i);
		p->topics[i].error = client_core_topic_error(p->core, (int)i);
	}
}

static void
producer_publish(struct penstock_producer *p)
{
	const uint64_t *counters = client_core_counters(p->core);
	struct client_core_state state;
	uint64_t one = 1;

	client_core_state(p->core, &state);
	pthread_mutex_lock(&p->lock);
	uint64_t position = p->queue.taken_bytes;
	const struct submit_entry *entry =
		submit_queue_next(&p->queue, &position, p->queue.put_bytes);

	producer_publish_topics(p);
	p->stats = (struct penstock_stats){
		.struct_bytes = sizeof(p->stats),
		.sessions = state.sessions,
		.records_sent = p->submitted,
		.records_durable = counters[CLIENT_records_durable],
		.records_failed = counters[CLIENT_records_failed] + p->failed_in_queue,
		.datagrams_sent = counters[CLIENT_datagrams_sent],
		.retransmissions = counters[CLIENT_retransmissions],
		.losses = counters[CLIENT_losses],
		.credit_waits = counters[CLIENT_credit_waits],
		.reconnects = counters[CLIENT_reconnects],
		.buffered_bytes = state.buffered_bytes + p->queue.put_bytes - p->queue.taken_bytes,
		.rtt_ns = state.rtt_ns,
		.producer_id = state.producer_id,
		.producer_epoch = state.producer_epoch,
		.records_received = counters[CLIENT_records_received],
	};
	memcpy(p->status, client_core_status(p->core), sizeof(p->status));
	if (p->flush_waiters > 0) {
		p->settled_ns = client_core_oldest_ns(p->core);
		if (entry && entry->sent_ns < p->settled_ns) {
			p->settled_ns = entry->sent_ns;
		}
		pthread_cond_broadcast(&p->changed);
	}
	pthread_mutex_unlock(&p->lock);
	if (p->delivered) {
		p->delivered = false;
		(void)!write(p->delivery_fd, &one, sizeof(one));
	}
}

/* Sleeps until the deadline, unless records or a request came meanwhile. */
static void
producer_wait(struct penstock_producer *p, uint64_t deadline_ns, uint64_t seen_bytes)
{
	uint64_t now_ns = clock_now_ns(p->clock);

	if (deadline_ns <= now_ns) {
		return;
	}
	pthread_mutex_lock(&p->lock);
	bool idle = p->queue.put_bytes == seen_bytes && p->topic_count == p->core_topics;

	p->io_waits = idle;
	pthread_mutex_unlock(&p->lock);
	if (idle) {
		uint64_t wait_ns = deadline_ns - now_ns;

		p->transport->ops->wait(p->transport,
			wait_ns < PRODUCER_WAIT_MAX_NS ? wait_ns : PRODUCER_WAIT_MAX_NS);
	}
	pthread_mutex_lock(&p->lock);
	p->io_waits = false;
	pthread_mutex_unlock(&p->lock);
}

static void
producer_receive(struct penstock_producer *p)
{
	struct transport_received received[TRANSPORT_BURST];
	uint32_t count, bursts = 0;

	while (bursts++ < 8 &&
		(count = p->transport->ops->receive(p->transport, received, TRANSPORT_BURST)) > 0) {
		uint64_t now_ns = clock_now_ns(p->clock);

		for (uint32_t i = 0; i < count; i++) {
			client_core_input(p->core, received[i].lane, received[i].bytes,
				received[i].len, now_ns);
		}
	}
}

static void *
producer_run(void *user_data)
{
	struct penstock_producer *p = user_data;
	bool closing = false;

	while (!client_core_closed(p->core)) {
		bool more = false;

		producer_receive(p);
		uint64_t now_ns = clock_now_ns(p->clock);
		bool stalled = producer_take(p, now_ns, &more);
		uint64_t deadline_ns = client_core_poll(p->core, now_ns);

		p->transport->ops->flush(p->transport);
		producer_publish(p);
		pthread_mutex_lock(&p->lock);
		bool stop = p->stop;
		uint64_t seen_bytes = p->queue.put_bytes;

		more = more || (!stalled && seen_bytes != p->queue.taken_bytes);
		pthread_mutex_unlock(&p->lock);
		if (stop && !closing) {
			closing = true;
			client_core_close(p->core, now_ns);
			continue;
		}
		if (stalled && deadline_ns > now_ns + PRODUCER_STALL_NS) {
			deadline_ns = now_ns + PRODUCER_STALL_NS;
		}
		if (!more) {
			producer_wait(p, deadline_ns, seen_bytes);
		}
	}
	bool more = true;

	while (more) {
		/* The core is closed: what is left in the queue fails. */
		producer_take(p, clock_now_ns(p->clock), &more);
	}
	producer_publish(p);
	pthread_mutex_lock(&p->lock);
	p->stopped = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* --- creation ---------------------------------------------------------------------------------- */

static void
producer_free(struct penstock_producer *p)
{
	client_core_destroy(p->core);
	if (p->transport) {
		p->transport->ops->destroy(p->transport);
	}
	if (p->delivery_fd >= 0) {
		close(p->delivery_fd);
	}
	submit_queue_destroy(&p->queue);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static int
producer_make_core(struct penstock_producer *p, char *text, size_t text_bytes)
{
	const struct penstock_config *config = &p->config;
	struct client_core_options options;

	client_core_options_init(&options);
	options.ops = &producer_core_ops;
	options.user_data = p;
	options.rand = &p->rand;
	options.buffer_bytes = config->buffer_bytes - config->buffer_bytes / PRODUCER_QUEUE_SHARE;
	options.linger_ns = config->linger_ms * NS_PER_MS;
	options.delivery_timeout_ns = config->delivery_timeout_ms * NS_PER_MS;
	options.retry_backoff_ns = config->retry_backoff_ms * NS_PER_MS;
	options.batch_bytes = (uint32_t)config->batch_bytes;
	options.max_datagram = p->transport->max_datagram;
	if (config->max_datagram > 0 && config->max_datagram < options.max_datagram) {
		options.max_datagram = (uint32_t)config->max_datagram;
	}
	options.topics_max = PRODUCER_TOPICS_MAX;
	options.port = p->transport->port;
	options.ipv6 = p->transport->ipv6;
	options.acks_received = config->acks_received;
	strcpy(options.name, config->client_id);
	p->record_bytes_max = options.max_datagram - FRAME_HEADER_BYTES;
	int rc = client_core_create(&options, &p->core);

	if (rc < 0) {
		snprintf(text, text_bytes, "buffer.memory %llu: %s",
			(unsigned long long)config->buffer_bytes, strerror(-rc));
	}
	return rc;
}

static int
producer_make(struct penstock_producer *p, char *text, size_t text_bytes)
{
	int rc = submit_queue_create(&p->queue, p->config.buffer_bytes / PRODUCER_QUEUE_SHARE);

	if (rc < 0) {
		snprintf(text, text_bytes, "no memory for the queue");
		return rc;
	}
	p->delivery_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (p->delivery_fd < 0) {
		rc = -errno;
		snprintf(text, text_bytes, "eventfd: %s", strerror(-rc));
		return rc;
	}
	if (p->config.transport_fn) {
		rc = p->config.transport_fn(p->config.transport_data, p->config.bootstrap, &p->transport,
			text, text_bytes);
	} else {
		rc = transport_socket_create(p->config.bootstrap, &p->transport, text, text_bytes);
	}
	if (rc < 0) {
		return rc;
	}
	return producer_make_core(p, text, text_bytes);
}

PUBLIC_API int
penstock_producer_create(const struct penstock_config *config,
	struct penstock_producer **ret_producer, char *text, size_t text_bytes)
{
	struct penstock_producer *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;
	char nowhere[1];

	if (!text) {
		text = nowhere;
		text_bytes = sizeof(nowhere);
	}
	if (!p) {
		snprintf(text, text_bytes, "no memory");
		return -ENOMEM;
	}
	p->config = *config;
	p->clock = clock_system();
	p->delivery_fd = -1;
	rand_init_os(&p->rand);
	snprintf(p->status, sizeof(p->status), "connecting");
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	pthread_condattr_destroy(&attr);
	int rc = producer_make(p, text, text_bytes);

	if (rc == 0) {
		rc = -pthread_create(&p->thread, NULL, producer_run, p);
		if (rc < 0) {
			snprintf(text, text_bytes, "thread: %s", strerror(-rc));
		}
	}
	if (rc < 0) {
		producer_free(p);
		return rc;
	}
	*ret_producer = p;
	return 0;
}

/* --- any thread -------------------------------------------------------------------------------- */

/* Waits for `changed`, at most until the instant. -ETIMEDOUT. The lock is held. */
static int
producer_wait_until(struct penstock_producer *p, uint64_t until_ns)
{
	struct timespec at = {
		.tv_sec = (time_t)(until_ns / NS_PER_S),
		.tv_nsec = (long)(until_ns % NS_PER_S),
	};

	return -pthread_cond_timedwait(&p->changed, &p->lock, &at);
}

/* Wakes the I/O thread if it sleeps. The lock is held. */
static void
producer_wake(struct penstock_producer *p)
{
	if (p->io_waits) {
		p->io_waits = false;
		p->transport->ops->wake(p->transport);
	}
}

/* Index of a topic, adding it. The lock is held. */
static int
producer_topic(struct penstock_producer *p, const char *name)
{
	size_t len = strlen(name);

	for (uint32_t i = 0; i < p->topic_count; i++) {
		if (strcmp(p->topics[i].name, name) == 0) {
			return (int)i;
		}
	}
	if (!session_msg_topic_name_valid((const uint8_t *)name, len) ||
		p->topic_count == PRODUCER_TOPICS_MAX) {
		return -EINVAL;
	}
	memcpy(p->topics[p->topic_count].name, name, len + 1);
	producer_wake(p);
	return (int)p->topic_count++;
}

/* Asks the caller's partitioner. The lock is held, and given up for the call. */
static int
producer_partition(struct penstock_producer *p, int topic, const struct penstock_record_out *record,
	int32_t *ret_partition)
{
	uint32_t count = p->topics[topic].partition_count;

	*ret_partition = record->partition;
	if (record->partition != PENSTOCK_PARTITION_ANY || !p->config.partitioner_fn) {
		return record->partition < PENSTOCK_PARTITION_ANY ? -EINVAL : 0;
	}
	if (count == 0) {
		return p->topics[topic].error != 0 ? -EINVAL : -EAGAIN;
	}
	pthread_mutex_unlock(&p->lock);
	uint32_t chosen = p->config.partitioner_fn(p->config.partitioner_data, record->topic,
		record->key, record->key_len, count);

	pthread_mutex_lock(&p->lock);
	if (chosen >= count) {
		return -EINVAL;
	}
	*ret_partition = (int32_t)chosen;
	return 0;
}

/* The lock is held. */
static int
producer_put(struct penstock_producer *p, const struct penstock_record_out *record)
{
	if (p->stop) {
		return -ESHUTDOWN;
	}
	int topic = producer_topic(p, record->topic);

	if (topic < 0) {
		return topic;
	}
	struct submit_entry entry = {
		.topic = (uint32_t)topic,
		.key_len = record->key ? (uint32_t)record->key_len : SUBMIT_NULL,
		.value_len = record->value ? (uint32_t)record->value_len : SUBMIT_NULL,
		.timestamp_ms = record->timestamp_ms,
		.record_data = record->record_data,
	};
	int rc = producer_partition(p, topic, record, &entry.partition);

	if (rc < 0) {
		return rc;
	}
	if (entry.timestamp_ms < 0) {
		entry.timestamp_ms = (int64_t)(clock_wall_ns(p->clock) / NS_PER_MS);
	}
	entry.sent_ns = clock_now_ns(p->clock);
	rc = submit_queue_put(&p->queue, &entry, record->key, record->value);
	if (rc == 0) {
		p->submitted++;
		producer_wake(p);
	}
	return rc;
}

static int
producer_check(const struct penstock_producer *p, const struct penstock_record_out *record)
{
	if (record->struct_bytes < sizeof(*record) || !record->topic) {
		return -EINVAL;
	}
	if (record->key_len > INT32_MAX || record->value_len > INT32_MAX) {
		return -EMSGSIZE;
	}
	struct client_record sized = {
		.key = record->key,
		.value = record->value,
		.key_len = (uint32_t)record->key_len,
		.value_len = (uint32_t)record->value_len,
	};

	return client_batch_cost(&sized) > p->record_bytes_max ? -EMSGSIZE : 0;
}

PUBLIC_API int
penstock_send(struct penstock_producer *p, const struct penstock_record_out *record)
{
	int rc = producer_check(p, record);

	if (rc < 0) {
		return rc;
	}
	pthread_mutex_lock(&p->lock);
	rc = producer_put(p, record);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

PUBLIC_API int
penstock_send_wait(struct penstock_producer *p, const struct penstock_record_out *record,
	uint32_t timeout_ms)
{
	uint64_t until_ns = clock_now_ns(p->clock) + timeout_ms * NS_PER_MS;
	int rc = producer_check(p, record);

	if (rc < 0) {
		return rc;
	}
	pthread_mutex_lock(&p->lock);
	while ((rc = producer_put(p, record)) == -EAGAIN) {
		/* Also the first answer about a topic ends the waiting: look again from time to time. */
		uint64_t now_ns = clock_now_ns(p->clock);

		if (now_ns >= until_ns) {
			rc = -ETIMEDOUT;
			break;
		}
		uint64_t look_ns = now_ns + PRODUCER_STALL_NS;

		p->space_waiters++;
		(void)producer_wait_until(p, look_ns < until_ns ? look_ns : until_ns);
		p->space_waiters--;
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

PUBLIC_API int
penstock_flush(struct penstock_producer *p, uint32_t timeout_ms)
{
	uint64_t start_ns = clock_now_ns(p->clock), until_ns = start_ns + timeout_ms * NS_PER_MS;
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	p->flush_waiters++;
	p->settled_ns = 0;
	p->io_waits = true;
	producer_wake(p);
	while (!p->stopped && p->settled_ns <= start_ns && rc != -ETIMEDOUT) {
		rc = producer_wait_until(p, until_ns);
	}
	rc = p->stopped || p->settled_ns > start_ns ? 0 : -ETIMEDOUT;
	p->flush_waiters--;
	pthread_mutex_unlock(&p->lock);
	return rc;
}

PUBLIC_API int
penstock_fd(const struct penstock_producer *p)
{
	return p->delivery_fd;
}

PUBLIC_API void
penstock_producer_stats(struct penstock_producer *p, struct penstock_stats *ret_stats)
{
	uint32_t bytes = ret_stats->struct_bytes;

	if (bytes == 0 || bytes > sizeof(p->stats)) {
		bytes = sizeof(p->stats);
	}
	pthread_mutex_lock(&p->lock);
	struct penstock_stats stats = p->stats;

	stats.records_sent = p->submitted;
	pthread_mutex_unlock(&p->lock);
	stats.struct_bytes = bytes;
	memcpy(ret_stats, &stats, bytes);
}

PUBLIC_API const char *
penstock_producer_status(struct penstock_producer *p)
{
	pthread_mutex_lock(&p->lock);
	memcpy(p->status_copy, p->status, sizeof(p->status_copy));
	pthread_mutex_unlock(&p->lock);
	return p->status_copy;
}

PUBLIC_API int
penstock_producer_destroy(struct penstock_producer *p, uint32_t timeout_ms)
{
	int rc = penstock_flush(p, timeout_ms);

	pthread_mutex_lock(&p->lock);
	p->stop = true;
	p->io_waits = true;
	producer_wake(p);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	producer_free(p);
	return rc;
}

PUBLIC_API const char *
penstock_version(void)
{
	return PENSTOCK_VERSION;
}

PUBLIC_API const char *
penstock_error_name(int16_t error)
{
	return kafka_error_name(error);
}
