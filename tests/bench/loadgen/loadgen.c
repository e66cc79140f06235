/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load generator (loadgen.h). One thread a producer sends; each handle's own thread takes deliveries
 * and keeps that producer's numbers, which are read only after the handle is destroyed.
 */
#include "loadgen.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/ensure.h"
#include "base/hash.h"
#include "base/rand.h"
#include "client/penstock.h"
#include "client/producer_config.h"

#define LOADGEN_SEND_WAIT_MS 1000
#define LOADGEN_HASH_MAX     (LOADGEN_VALUE_MAX * 2 + 512)

struct loadgen_producer {
	const struct loadgen_options *options;
	struct penstock_producer *handle;
	struct clock *clock;
	pthread_t thread;
	uint32_t index;
	uint64_t start_ns;
	uint64_t interval_ns; /* between two records of this producer; 0: none */
	uint64_t count_max;
	/* Sending thread. */
	uint64_t sent;
	uint64_t refused; /* by penstock_send */
	bool gave_up;
	/* The handle's thread. */
	struct loadgen_report report;
	uint64_t last_ns;
	int flush_rc;
};

void
loadgen_options_init(struct loadgen_options *options)
{
	*options = (struct loadgen_options){
		.bootstrap = "127.0.0.1:9292",
		.topic = "loadgen",
		.acks = "all",
		.producers = 1,
		.value_bytes = 100,
		.seed = 1,
		.flush_ms = 30000,
		.delivery_timeout_ms = 120000,
		.buffer_bytes = 32 * MIB,
	};
}

void
loadgen_record(const struct loadgen_options *options, uint32_t producer, uint64_t number,
	uint8_t *ret_key, uint8_t *ret_value)
{
	struct rand rand;

	rand_init(&rand, options->seed ^ (uint64_t)producer << 48 ^ number * 0x9e3779b97f4a7c15ull);
	rand_fill(&rand, ret_key, options->key_bytes);
	store_le64(ret_value, producer);
	store_le64(ret_value + 8, number);
	rand_fill(&rand, ret_value + 16, options->value_bytes - 16);
}

uint64_t
loadgen_hash(const char *topic, uint32_t partition, const uint8_t *key, int32_t key_len,
	const uint8_t *value, int32_t value_len)
{
	static const uint8_t hash_key[16];
	uint8_t bytes[LOADGEN_HASH_MAX];
	uint8_t *at = bytes;
	size_t topic_len = strlen(topic);

	ensure(topic_len < 256);
	ensure(key_len <= LOADGEN_VALUE_MAX);
	ensure(value_len <= LOADGEN_VALUE_MAX);
	store_le16(at, (uint16_t)topic_len);
	memcpy(at + 2, topic, topic_len);
	at += 2 + topic_len;
	store_le32(at, partition);
	store_le32(at + 4, (uint32_t)key_len);
	at += 8;
	if (key_len > 0) {
		memcpy(at, key, (size_t)key_len);
		at += key_len;
	}
	store_le32(at, (uint32_t)value_len);
	at += 4;
	if (value_len > 0) {
		memcpy(at, value, (size_t)value_len);
		at += value_len;
	}
	return hash_siphash24(hash_key, bytes, (size_t)(at - bytes));
}

/* When a record is due. */
static uint64_t
loadgen_due_ns(const struct loadgen_producer *p, uint64_t number)
{
	return p->start_ns + number * p->interval_ns;
}

static void
loadgen_delivered(void *user_data, const struct penstock_delivery *delivery)
{
	struct loadgen_producer *p = user_data;
	const struct loadgen_options *options = p->options;
	struct loadgen_report *report = &p->report;
	uint64_t number = (uint64_t)(uintptr_t)delivery->record_data;
	uint8_t key[LOADGEN_VALUE_MAX], value[LOADGEN_VALUE_MAX];

	p->last_ns = clock_now_ns(p->clock);
	if (delivery->error != 0) {
		bool known = delivery->error > 0 &&
			     delivery->error < (int)ARRAY_COUNT(report->failed_by_code);

		report->failed++;
		report->failed_by_code[known ? delivery->error : 0]++;
		return;
	}
	if (!delivery->durable) {
		report->received++;
		return;
	}
	report->durable++;
	report->bytes += options->key_bytes + options->value_bytes;
	histogram_add(&report->latency, p->interval_ns > 0
						? p->last_ns - loadgen_due_ns(p, number)
						: delivery->latency_ns);
	loadgen_record(options, p->index, number, key, value);
	report->content_hash += loadgen_hash(options->topic, delivery->partition, key,
		options->key_bytes > 0 ? (int32_t)options->key_bytes : -1, value,
		(int32_t)options->value_bytes);
}

static bool
loadgen_send_one(struct loadgen_producer *p)
{
	const struct loadgen_options *options = p->options;
	uint8_t key[LOADGEN_VALUE_MAX], value[LOADGEN_VALUE_MAX];
	struct penstock_record_out record = {
		.struct_bytes = sizeof(record),
		.partition = options->partitions > 0 ? (int32_t)(p->sent % options->partitions)
						     : PENSTOCK_PARTITION_ANY,
		.topic = options->topic,
		.key = options->key_bytes > 0 ? key : NULL,
		.key_len = options->key_bytes,
		.value = value,
		.value_len = options->value_bytes,
		.timestamp_ms = -1,
		.record_data = (void *)(uintptr_t)p->sent,
	};
	uint64_t until_ns = clock_now_ns(p->clock) + options->delivery_timeout_ms * NS_PER_MS;
	int rc;

	loadgen_record(options, p->index, p->sent, key, value);
	do {
		rc = penstock_send_wait(p->handle, &record, LOADGEN_SEND_WAIT_MS);
	} while (rc == -ETIMEDOUT && clock_now_ns(p->clock) < until_ns);
	if (rc < 0) {
		snprintf(p->report.text, sizeof(p->report.text), "send: %s (%s)", strerror(-rc),
			penstock_producer_status(p->handle));
		p->gave_up = true;
		return false;
	}
	p->sent++;
	return true;
}

static bool
loadgen_more(const struct loadgen_producer *p, uint64_t now_ns)
{
	if (p->gave_up || (p->count_max > 0 && p->sent >= p->count_max)) {
		return false;
	}
	return p->options->duration_ms == 0 ||
	       now_ns < p->start_ns + p->options->duration_ms * NS_PER_MS;
}

static void *
loadgen_thread(void *user_data)
{
	struct loadgen_producer *p = user_data;
	uint64_t now_ns = clock_now_ns(p->clock);

	if (now_ns < p->start_ns) {
		clock_sleep_ns(p->clock, p->start_ns - now_ns);
	}
	while (loadgen_more(p, now_ns = clock_now_ns(p->clock))) {
		uint64_t due_ns = p->interval_ns > 0 ? loadgen_due_ns(p, p->sent) : now_ns;

		if (due_ns > now_ns) {
			clock_sleep_ns(p->clock, due_ns - now_ns);
			continue;
		}
		loadgen_send_one(p);
	}
	p->flush_rc = penstock_flush(p->handle, p->options->flush_ms);
	return NULL;
}

static int
loadgen_set(struct penstock_config *config, const char *name, const char *value, char *text)
{
	return penstock_config_set(config, name, value, text, LOADGEN_TEXT_BYTES);
}

static int
loadgen_set_number(struct penstock_config *config, const char *name, uint64_t value, char *text)
{
	char number[24];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)value);
	return loadgen_set(config, name, number, text);
}

static int
loadgen_open(struct loadgen_producer *p)
{
	const struct loadgen_options *options = p->options;
	struct penstock_config *config = penstock_config_create();
	char *text = p->report.text, name[64];
	int rc = config ? 0 : -ENOMEM;

	if (rc == 0) {
		rc = loadgen_set(config, "bootstrap", options->bootstrap, text);
	}
	if (rc == 0) {
		rc = loadgen_set(config, "acks", options->acks, text);
	}
	if (rc == 0 && options->client_id) {
		snprintf(name, sizeof(name), "%.40s-%u", options->client_id, p->index);
		rc = loadgen_set(config, "client.id", name, text);
	}
	if (rc == 0) {
		rc = loadgen_set_number(config, "linger.ms", options->linger_ms, text);
	}
	if (rc == 0) {
		rc = loadgen_set_number(config, "buffer.memory", options->buffer_bytes, text);
	}
	if (rc == 0) {
		rc = loadgen_set_number(config, "delivery.timeout.ms", options->delivery_timeout_ms,
			text);
	}
	if (rc == 0) {
		rc = loadgen_set_number(config, "max.datagram", options->max_datagram, text);
	}
	if (rc == 0) {
		penstock_config_set_delivery(config, loadgen_delivered, p);
		config->transport_fn = options->transport_fn;
		config->transport_data = options->transport_data;
		rc = penstock_producer_create(config, &p->handle, text, LOADGEN_TEXT_BYTES);
	}
	penstock_config_destroy(config);
	return rc;
}

static void
loadgen_prepare(struct loadgen_producer *p, const struct loadgen_options *options, uint32_t index)
{
	p->options = options;
	p->index = index;
	p->clock = clock_system();
	histogram_init(&p->report.latency);
	if (options->rate > 0) {
		p->interval_ns = NS_PER_S * options->producers / options->rate;
	}
	if (options->count > 0) {
		p->count_max = options->count / options->producers +
			       (index < options->count % options->producers);
	}
}

/* The handle is gone: its numbers may be read. */
static void
loadgen_sum(struct loadgen_producer *p, struct loadgen_report *total)
{
	total->sent += p->sent;
	total->durable += p->report.durable;
	total->received += p->report.received;
	total->failed += p->report.failed;
	total->bytes += p->report.bytes;
	total->content_hash += p->report.content_hash;
	for (uint32_t i = 0; i < ARRAY_COUNT(total->failed_by_code); i++) {
		total->failed_by_code[i] += p->report.failed_by_code[i];
	}
	histogram_merge(&total->latency, &p->report.latency);
	if (p->last_ns > p->start_ns && p->last_ns - p->start_ns > total->elapsed_ns) {
		total->elapsed_ns = p->last_ns - p->start_ns;
	}
	if (p->report.text[0] != '\0') {
		memcpy(total->text, p->report.text, sizeof(total->text));
	}
}

static int
loadgen_close(struct loadgen_producer *p, struct loadgen_report *total)
{
	struct penstock_stats stats = {.struct_bytes = sizeof(stats)};

	penstock_producer_stats(p->handle, &stats);
	total->datagrams += stats.datagrams_sent;
	total->retransmissions += stats.retransmissions;
	total->losses += stats.losses;
	total->credit_waits += stats.credit_waits;
	total->reconnects += stats.reconnects;
	if (p->flush_rc < 0 && p->report.text[0] == '\0') {
		snprintf(p->report.text, sizeof(p->report.text), "flush: %s",
			penstock_producer_status(p->handle));
	}
	penstock_producer_destroy(p->handle, 0);
	return p->flush_rc < 0 || p->gave_up ? -ETIMEDOUT : 0;
}

int
loadgen_run(const struct loadgen_options *options, struct loadgen_report *ret_report)
{
	struct loadgen_producer *producers = calloc(options->producers, sizeof(*producers));
	uint32_t open = 0;
	int rc = 0;

	memset(ret_report, 0, sizeof(*ret_report));
	histogram_init(&ret_report->latency);
	ensure(options->producers > 0 && options->producers <= LOADGEN_PRODUCERS_MAX);
	ensure(options->value_bytes >= 16 && options->value_bytes <= LOADGEN_VALUE_MAX);
	ensure(options->key_bytes <= LOADGEN_VALUE_MAX);
	if (!producers) {
		return -ENOMEM;
	}
	for (; open < options->producers && rc == 0; open++) {
		loadgen_prepare(&producers[open], options, open);
		rc = loadgen_open(&producers[open]);
		if (rc < 0) {
			memcpy(ret_report->text, producers[open].report.text, LOADGEN_TEXT_BYTES);
			break;
		}
	}
	uint64_t start_ns = clock_now_ns(clock_system()) + NS_PER_MS;

	for (uint32_t i = 0; i < open && rc == 0; i++) {
		producers[i].start_ns = start_ns;
		ensure(pthread_create(&producers[i].thread, NULL, loadgen_thread, &producers[i]) == 0);
	}
	for (uint32_t i = 0; i < open; i++) {
		if (rc == 0 || rc == -ETIMEDOUT) {
			pthread_join(producers[i].thread, NULL);
		}
		int closed = loadgen_close(&producers[i], ret_report);

		rc = rc == 0 ? closed : rc;
		loadgen_sum(&producers[i], ret_report);
	}
	free(producers);
	return rc;
}
