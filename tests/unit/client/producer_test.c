/* SPDX-License-Identifier: Apache-2.0 */
/* libpenstock as users have it: threads, sockets and deliveries, against the reference server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/compiler.h"
#include "client/penstock.h"
#include "support/native_server_udp.h"

#define TOPIC	   "events"
#define PARTITIONS 4

struct fixture {
	struct native_server_udp udp;
	struct penstock_config *config;
	struct penstock_producer *producer;
	_Atomic uint32_t durable, received, failed;
	_Atomic int32_t last_error;
	_Atomic bool wrong;
	_Atomic int64_t last_offset;
	_Atomic uint32_t partition_hits[PARTITIONS];
};

static void
on_delivery(void *user_data, const struct penstock_delivery *delivery)
{
	struct fixture *f = user_data;

	/* Not the test's thread: no asserts here. */
	f->wrong = f->wrong || delivery->struct_bytes != sizeof(*delivery) ||
		   strcmp(delivery->topic, TOPIC) != 0;
	if (delivery->error == 0) {
		f->partition_hits[delivery->partition]++;
		f->last_offset = delivery->offset;
		f->durable += delivery->durable;
		f->received += !delivery->durable;
	} else {
		f->wrong = f->wrong || delivery->durable;
		f->last_error = delivery->error;
		f->failed++;
	}
}

static void
set(struct fixture *f, const char *name, const char *value)
{
	char text[128] = "";

	if (penstock_config_set(f->config, name, value, text, sizeof(text)) != 0) {
		fail_msg("%s", text);
	}
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct native_server_options options;
	char bootstrap[64];

	assert_non_null(f);
	native_server_options_init(&options);
	options.lane_count = 2;
	native_server_udp_start(&f->udp, &options);
	pthread_mutex_lock(&f->udp.lock);
	native_server_topic(f->udp.server, TOPIC, PARTITIONS);
	pthread_mutex_unlock(&f->udp.lock);
	f->config = penstock_config_create();
	assert_non_null(f->config);
	snprintf(bootstrap, sizeof(bootstrap), "127.0.0.1:%u", f->udp.port);
	set(f, "bootstrap", bootstrap);
	set(f, "retry.backoff.ms", "10");
	penstock_config_set_delivery(f->config, on_delivery, f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	if (f->producer) {
		penstock_producer_destroy(f->producer, 0);
	}
	penstock_config_destroy(f->config);
	native_server_udp_stop(&f->udp);
	bool wrong = f->wrong;

	free(f);
	return wrong ? -1 : 0;
}

static void
start(struct fixture *f)
{
	char text[128] = "";

	if (penstock_producer_create(f->config, &f->producer, text, sizeof(text)) != 0) {
		fail_msg("%s", text);
	}
}

static int
send_one(struct fixture *f, const char *key, const char *value, int32_t partition)
{
	struct penstock_record_out record = {
		.struct_bytes = sizeof(record),
		.partition = partition,
		.topic = TOPIC,
		.key = key,
		.key_len = key ? strlen(key) : 0,
		.value = value,
		.value_len = strlen(value),
		.timestamp_ms = -1,
	};

	return penstock_send_wait(f->producer, &record, 5000);
}

static uint32_t
stored_batches(struct fixture *f)
{
	uint32_t count = 0;

	pthread_mutex_lock(&f->udp.lock);
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		count += native_server_stored_count(f->udp.server, p);
	}
	pthread_mutex_unlock(&f->udp.lock);
	return count;
}

static void
records_become_durable_and_flush_waits_for_them(void **state)
{
	struct fixture *f = *state;
	struct penstock_stats stats = {.struct_bytes = sizeof(stats)};

	start(f);
	for (int i = 0; i < 500; i++) {
		assert_int_equal(send_one(f, NULL, "value", i % PARTITIONS), 0);
	}
	assert_int_equal(penstock_flush(f->producer, 10000), 0);
	assert_int_equal(f->durable, 500);
	assert_int_equal(f->failed, 0);
	assert_int_not_equal(f->last_offset, -1);
	penstock_producer_stats(f->producer, &stats);
	assert_int_equal(stats.records_sent, 500);
	assert_int_equal(stats.records_durable, 500);
	assert_int_equal(stats.sessions, 2);
	assert_true(stats.producer_id >= 0);
	assert_true(stats.rtt_ns > 0);
	assert_true(stored_batches(f) > 0);
}

static void
a_key_always_meets_the_same_partition(void **state)
{
	struct fixture *f = *state;

	start(f);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(send_one(f, "same-key", "v", PENSTOCK_PARTITION_ANY), 0);
	}
	assert_int_equal(penstock_flush(f->producer, 10000), 0);
	uint32_t used = 0;

	for (uint32_t p = 0; p < PARTITIONS; p++) {
		used += f->partition_hits[p] > 0;
	}
	assert_int_equal(used, 1);
}

static uint32_t
choose_last(void *user_data, const char *topic, const void *key, size_t key_len,
	uint32_t partition_count)
{
	return partition_count - (key ? 1 : 0);
}

static void
a_custom_partitioner_chooses_and_may_be_out_of_range(void **state)
{
	struct fixture *f = *state;

	penstock_config_set_partitioner(f->config, choose_last, f);
	start(f);
	assert_int_equal(send_one(f, "k", "v", PENSTOCK_PARTITION_ANY), 0);
	assert_int_equal(send_one(f, NULL, "v", PENSTOCK_PARTITION_ANY), -EINVAL);
	assert_int_equal(penstock_flush(f->producer, 10000), 0);
	assert_int_equal(f->partition_hits[PARTITIONS - 1], 1);
}

static void
a_restart_of_the_server_loses_nothing(void **state)
{
	struct fixture *f = *state;

	f->udp.loss_ppm = 20000;
	start(f);
	for (int i = 0; i < 2000; i++) {
		assert_int_equal(send_one(f, NULL, "some value of some length", i % PARTITIONS), 0);
		if (i % 700 == 350) {
			pthread_mutex_lock(&f->udp.lock);
			native_server_crash(f->udp.server);
			pthread_mutex_unlock(&f->udp.lock);
		}
	}
	assert_int_equal(penstock_flush(f->producer, 30000), 0);
	assert_int_equal(f->durable, 2000);
	uint32_t records = 0;

	pthread_mutex_lock(&f->udp.lock);
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		for (uint32_t i = 0; i < native_server_stored_count(f->udp.server, p); i++) {
			struct native_server_stored stored;
			struct record_batch batch;

			native_server_stored(f->udp.server, p, i, &stored);
			assert_int_equal(record_batch_decode(stored.batch, stored.len, &batch), 0);
			records += (uint32_t)batch.record_count;
		}
	}
	pthread_mutex_unlock(&f->udp.lock);
	assert_int_equal(records, 2000);
}

static void
records_fail_after_the_delivery_timeout(void **state)
{
	struct fixture *f = *state;

	set(f, "delivery.timeout.ms", "300");
	f->udp.deaf = true;
	start(f);
	assert_int_equal(send_one(f, NULL, "v", 0), 0);
	assert_int_equal(penstock_flush(f->producer, 5000), 0);
	assert_int_equal(f->failed, 1);
	assert_int_equal(f->last_error, 7);
}

static void
flush_gives_up_in_time(void **state)
{
	struct fixture *f = *state;

	f->udp.deaf = true;
	start(f);
	assert_int_equal(send_one(f, NULL, "v", 0), 0);
	assert_int_equal(penstock_flush(f->producer, 50), -ETIMEDOUT);
	int rc = penstock_producer_destroy(f->producer, 10);

	f->producer = NULL;
	assert_int_equal(rc, -ETIMEDOUT);
	assert_int_equal(f->failed, 1);
}

static void
flush_succeeds_while_the_server_stops(void **state)
{
	struct fixture *f = *state;

	start(f);
	pthread_mutex_lock(&f->udp.lock);
	native_server_disk(f->udp.server, false);
	pthread_mutex_unlock(&f->udp.lock);
	assert_int_equal(send_one(f, NULL, "v", 0), 0);
	while (stored_batches(f) == 0) {
		sched_yield();
	}
	pthread_mutex_lock(&f->udp.lock);
	native_server_drain(f->udp.server, 60000);
	native_server_disk(f->udp.server, true);
	pthread_mutex_unlock(&f->udp.lock);
	assert_int_equal(penstock_flush(f->producer, 20000), 0);
	assert_int_equal(f->durable, 1);
	assert_int_equal(f->failed, 0);
}

static void
a_partition_that_is_not_there_fails_the_record(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_int_equal(send_one(f, NULL, "v", PARTITIONS), 0);
	assert_int_equal(penstock_flush(f->producer, 5000), 0);
	assert_int_equal(f->failed, 1);
	assert_int_equal(f->last_error, 3);
}

static void
a_full_buffer_says_again_and_a_huge_record_is_refused(void **state)
{
	struct fixture *f = *state;
	char value[1100];
	int rc = 0;

	memset(value, 'x', sizeof(value));
	set(f, "buffer.memory", "262144");
	f->udp.deaf = true;
	start(f);
	struct penstock_record_out record = {
		.struct_bytes = sizeof(record),
		.partition = 0,
		.topic = TOPIC,
		.value = value,
		.value_len = sizeof(value),
		.timestamp_ms = -1,
	};

	for (int i = 0; i < 1000 && rc == 0; i++) {
		rc = penstock_send(f->producer, &record);
	}
	assert_int_equal(rc, -EAGAIN);
	assert_int_equal(penstock_send_wait(f->producer, &record, 30), -ETIMEDOUT);
	record.value_len = 100000;
	assert_int_equal(penstock_send(f->producer, &record), -EMSGSIZE);
	record.struct_bytes = 4;
	assert_int_equal(penstock_send(f->producer, &record), -EINVAL);
	record = (struct penstock_record_out){.struct_bytes = sizeof(record), .topic = "bad/name"};
	assert_int_equal(penstock_send(f->producer, &record), -EINVAL);
}

static void
the_fd_is_readable_after_deliveries(void **state)
{
	struct fixture *f = *state;

	start(f);
	struct pollfd fd = {.fd = penstock_fd(f->producer), .events = POLLIN};
	uint64_t count = 0;

	assert_true(fd.fd >= 0);
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_int_equal(send_one(f, NULL, "v", 0), 0);
	assert_int_equal(poll(&fd, 1, 5000), 1);
	assert_int_equal(read(fd.fd, &count, sizeof(count)), 8);
	assert_true(count > 0);
}

/* Reported once, when received; that it becomes durable later is not told, and not counted. */
static void
acks_zero_reports_what_was_received_and_counts_it_as_never_acknowledged(void **state)
{
	struct fixture *f = *state;
	struct penstock_stats stats = {.struct_bytes = sizeof(stats)};

	set(f, "acks", "0");
	pthread_mutex_lock(&f->udp.lock);
	native_server_disk(f->udp.server, false);
	pthread_mutex_unlock(&f->udp.lock);
	start(f);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(send_one(f, NULL, "v", i), 0);
		assert_int_equal(penstock_flush(f->producer, 5000), 0);
		assert_int_equal(f->received, i + 1);
		assert_int_equal(f->last_offset, -1);
		pthread_mutex_lock(&f->udp.lock);
		native_server_disk(f->udp.server, true);
		pthread_mutex_unlock(&f->udp.lock);
	}
	penstock_producer_stats(f->producer, &stats);
	assert_int_equal(stats.records_received, 2);
	assert_int_equal(stats.records_durable, 0);
	assert_int_equal(stats.records_failed, 0);
	assert_int_equal(f->durable, 0);
	assert_int_equal(f->failed, 0);
}

static void *
send_many(void *user_data)
{
	struct fixture *f = user_data;

	for (int i = 0; i < 300; i++) {
		if (send_one(f, NULL, "from some thread", i % PARTITIONS) != 0) {
			return f;
		}
	}
	return NULL;
}

static void
several_threads_share_one_handle(void **state)
{
	struct fixture *f = *state;
	pthread_t threads[4];

	start(f);
	for (uint32_t i = 0; i < ARRAY_COUNT(threads); i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, send_many, f), 0);
	}
	for (uint32_t i = 0; i < ARRAY_COUNT(threads); i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(penstock_flush(f->producer, 20000), 0);
	assert_int_equal(f->durable, 1200);
}

static void
settings_are_checked_by_name_and_range(void **state)
{
	struct fixture *f = *state;
	char text[160] = "";

	assert_int_equal(penstock_config_set(f->config, "no.such", "1", text, sizeof(text)), -EINVAL);
	assert_non_null(strstr(text, "no.such"));
	assert_int_equal(penstock_config_set(f->config, "linger.ms", "-1", text, sizeof(text)),
		-EINVAL);
	assert_int_equal(penstock_config_set(f->config, "acks", "2", text, sizeof(text)), -EINVAL);
	assert_int_equal(penstock_config_set(f->config, "max.datagram", "900", NULL, 0), -EINVAL);
	assert_int_equal(penstock_config_set(f->config, "max.datagram", "0", NULL, 0), 0);
	assert_int_equal(penstock_config_set(f->config, "bootstrap", "127.0.0.1:x", NULL, 0), 0);
	struct penstock_producer *none;

	assert_int_equal(penstock_producer_create(f->config, &none, text, sizeof(text)), -EINVAL);
	assert_non_null(strstr(text, "127.0.0.1:x"));
	assert_string_equal(penstock_error_name(7), "REQUEST_TIMED_OUT");
	assert_true(strlen(penstock_version()) > 0);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	static const struct CMUnitTest tests[] = {
		CASE(records_become_durable_and_flush_waits_for_them),
		CASE(a_key_always_meets_the_same_partition),
		CASE(a_custom_partitioner_chooses_and_may_be_out_of_range),
		CASE(a_restart_of_the_server_loses_nothing),
		CASE(records_fail_after_the_delivery_timeout),
		CASE(flush_gives_up_in_time),
		CASE(flush_succeeds_while_the_server_stops),
		CASE(a_partition_that_is_not_there_fails_the_record),
		CASE(a_full_buffer_says_again_and_a_huge_record_is_refused),
		CASE(the_fd_is_readable_after_deliveries),
		CASE(acks_zero_reports_what_was_received_and_counts_it_as_never_acknowledged),
		CASE(several_threads_share_one_handle),
		CASE(settings_are_checked_by_name_and_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
