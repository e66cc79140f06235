/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checked producer of system tests, on the public API of libpenstock: several handles, each with
 * its own thread, number their records per partition ("PRODUCER:NUMBER:" then filler), so that
 * log_check can prove order and absence of duplicates. Prints one JSON object at the end. It travels by
 * kernel sockets, or with --nic by our own net stack on a DPDK device; either way it tells what it sent:
 * `kernel_sent` are the datagrams that the kernel took, the repeats of CLOSE at the very end too.
 *
 *   produce_check --bootstrap HOST:PORT --topic T --partitions P --producers N --records R --bytes B
 *                 [--seconds S] [--rate PER_SECOND] [--status FILE]
 *                 [--nic DEVICE,DEVARGS --address IP [--queues N] [--mtu N] [--vlan N] [--prefix P]
 *                  [--loss-ppm N] [--duplicate-ppm N] [--reorder-ppm N]]
 *
 * R counts all producers together; with --seconds the time ends it too. --status: a small mapped file
 * that tells a kill loop when the last ack came and how much is in flight, and through which it ends
 * the sending.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/histogram.h"
#include "batcher/record_digest.h"
#include "client/penstock.h"
#include "client/producer_config.h"
#include "support/station_device.h"

#define PRODUCERS_MAX	64
#define PARTITIONS_MAX	1024
#define VALUE_BYTES_MAX 1300
#define WAIT_MS		120000

/* Mapped by the kill loop; little endian. */
struct status {
	_Atomic uint64_t last_ack_ns;
	_Atomic uint64_t sent;
	_Atomic uint64_t durable;
	_Atomic uint64_t failed;
	_Atomic uint64_t stop; /* the reader sets it: no more records */
};

struct arguments {
	const char *bootstrap, *topic, *status_path;
	uint32_t partitions, producers, bytes;
	uint64_t records, seconds, rate;
	struct station_device_options nic; /* device NULL: kernel sockets */
	struct station_device *station;
};

struct producer {
	struct arguments *arguments;
	struct status *status;
	uint32_t index;
	uint64_t records; /* its share */
	uint64_t sent, digest;
	uint64_t numbers[PARTITIONS_MAX];
	struct histogram latency; /* written by the handle's own thread */
	int16_t error;
	struct penstock_stats stats;
	char status_text[160];
};

static _Atomic uint64_t kernel_sent, kernel_refused;

/*
 * In place of libc's, which the library would call: what it counts as sent the kernel may have refused,
 * and its statistics end before its last datagrams do. Here nothing is missed and nothing is too much.
 */
int
sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
	int sent = (int)syscall(SYS_sendmmsg, fd, messages, count, flags);

	/* A piece a datagram: the kernel cuts messages that hold several (UDP_SEGMENT). */
	for (int i = 0; i < sent; i++) {
		atomic_fetch_add(&kernel_sent, messages[i].msg_hdr.msg_iovlen);
	}
	if (sent <= 0 && messages[0].msg_hdr.msg_iovlen == 1) {
		atomic_fetch_add(&kernel_refused, 1); /* the library gives it up; several it tries one by one */
	}
	return sent;
}

static void
delivered(void *user_data, const struct penstock_delivery *delivery)
{
	struct producer *p = user_data;

	if (delivery->error) {
		p->error = delivery->error;
		atomic_fetch_add(&p->status->failed, 1);
		return;
	}
	histogram_add(&p->latency, delivery->latency_ns);
	atomic_fetch_add(&p->status->durable, 1);
	atomic_store(&p->status->last_ack_ns, clock_now_ns(clock_system()));
}

static int
produce_one(struct producer *p, struct penstock_producer *handle, uint64_t n)
{
	uint32_t partition = (uint32_t)((n + p->index) % p->arguments->partitions);
	uint64_t number = p->numbers[partition]++;
	char key[24], value[VALUE_BYTES_MAX];
	int key_len = snprintf(key, sizeof(key), "k%" PRIu64, n % 1000);
	int head = snprintf(value, sizeof(value), "%u:%" PRIu64 ":", p->index, number);
	uint32_t len = p->arguments->bytes > (uint32_t)head ? p->arguments->bytes : (uint32_t)head;
	struct penstock_record_out record = {.struct_bytes = sizeof(record),
		.partition = (int32_t)partition,
		.topic = p->arguments->topic,
		.key = key,
		.key_len = (size_t)key_len,
		.value = value,
		.value_len = len,
		.timestamp_ms = -1};
	int rc;

	memset(value + head, 'a' + (int)(n % 26), len - (uint32_t)head);
	rc = penstock_send_wait(handle, &record, WAIT_MS);
	if (rc == 0) {
		p->sent++;
		p->digest += record_digest(key, key_len, value, (int32_t)len);
		atomic_fetch_add(&p->status->sent, 1);
	}
	return rc;
}

static int
produce_all(struct producer *p, struct penstock_producer *handle)
{
	uint64_t start_ns = clock_now_ns(clock_system());
	uint64_t end_ns = p->arguments->seconds ? start_ns + p->arguments->seconds * NS_PER_S : UINT64_MAX;

	for (uint64_t n = 0; n < p->records; n++) {
		uint64_t now_ns = clock_now_ns(clock_system());
		int rc;

		if (now_ns >= end_ns || atomic_load(&p->status->stop)) {
			break;
		}
		if (p->arguments->rate) {
			uint64_t due_ns = start_ns + n * NS_PER_S * p->arguments->producers / p->arguments->rate;

			if (due_ns > now_ns) {
				clock_sleep_ns(clock_system(), due_ns - now_ns);
			}
		}
		rc = produce_one(p, handle, n);
		if (rc < 0) {
			return rc;
		}
	}
	return penstock_flush(handle, WAIT_MS);
}

static void *
produce(void *argument)
{
	struct producer *p = argument;
	struct penstock_config *config = penstock_config_create();
	struct penstock_producer *handle;
	char text[256] = "";
	int rc = penstock_config_set(config, "bootstrap", p->arguments->bootstrap, text, sizeof(text));

	if (p->arguments->station) {
		station_device_use(
			p->arguments->station, &config->transport_fn, &config->transport_data);
	}
	penstock_config_set_delivery(config, delivered, p);
	rc = rc < 0 ? rc : penstock_producer_create(config, &handle, text, sizeof(text));
	penstock_config_destroy(config);
	if (rc < 0) {
		snprintf(p->status_text, sizeof(p->status_text), "%.150s", text);
		return (void *)(intptr_t)rc;
	}
	rc = produce_all(p, handle);
	p->stats.struct_bytes = sizeof(p->stats);
	penstock_producer_stats(handle, &p->stats);
	snprintf(p->status_text, sizeof(p->status_text), "%.150s", penstock_producer_status(handle));
	penstock_producer_destroy(handle, 5000);
	return (void *)(intptr_t)rc;
}

static struct status *
map_status(const char *path)
{
	int fd = path ? open(path, O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;
	struct status *status;

	if (path && (fd < 0 || ftruncate(fd, sizeof(*status)) < 0)) {
		perror(path);
		exit(1);
	}
	status = mmap(NULL, sizeof(*status), PROT_READ | PROT_WRITE,
		path ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
	if (status == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return status;
}

/* Options of --nic. False: not one of them. */
static bool
parse_nic(struct station_device_options *nic, int option, uint32_t number)
{
	switch (option) {
	case 'N': nic->nic.device = optarg; break;
	case 'A': nic->address = optarg; break;
	case 'P': nic->nic.prefix = optarg; break;
	case 'Q': nic->nic.queues = (uint16_t)number; break;
	case 'M': nic->nic.mtu = (uint16_t)number; break;
	case 'V': nic->vlan_id = (uint16_t)number; break;
	case '1': nic->fault.loss_ppm = number; break;
	case '2': nic->fault.duplicate_ppm = number; break;
	case '3': nic->fault.reorder_ppm = number; break;
	default: return false;
	}
	return true;
}

static void
parse(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {{"bootstrap", 1, NULL, 'b'}, {"topic", 1, NULL, 't'},
		{"partitions", 1, NULL, 'p'}, {"producers", 1, NULL, 'n'}, {"records", 1, NULL, 'r'},
		{"bytes", 1, NULL, 's'}, {"seconds", 1, NULL, 'S'}, {"rate", 1, NULL, 'R'},
		{"status", 1, NULL, 'f'}, {"nic", 1, NULL, 'N'}, {"address", 1, NULL, 'A'},
		{"prefix", 1, NULL, 'P'}, {"queues", 1, NULL, 'Q'}, {"mtu", 1, NULL, 'M'},
		{"vlan", 1, NULL, 'V'}, {"loss-ppm", 1, NULL, '1'}, {"duplicate-ppm", 1, NULL, '2'},
		{"reorder-ppm", 1, NULL, '3'}, {NULL, 0, NULL, 0}};
	int option;

	*a = (struct arguments){.bootstrap = "127.0.0.1:9292", .topic = "test", .partitions = 1,
		.producers = 1, .bytes = 100, .records = UINT64_MAX};
	station_device_options_init(&a->nic);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		uint64_t number = optarg ? strtoull(optarg, NULL, 10) : 0;

		switch (option) {
		case 'b': a->bootstrap = optarg; break;
		case 't': a->topic = optarg; break;
		case 'f': a->status_path = optarg; break;
		case 'p': a->partitions = (uint32_t)number; break;
		case 'n': a->producers = (uint32_t)number; break;
		case 'r': a->records = number; break;
		case 's': a->bytes = (uint32_t)number; break;
		case 'S': a->seconds = number; break;
		case 'R': a->rate = number; break;
		default:
			if (!parse_nic(&a->nic, option, (uint32_t)number)) {
				exit(64);
			}
		}
	}
	if (a->partitions < 1 || a->partitions > PARTITIONS_MAX || a->producers < 1 ||
		a->producers > PRODUCERS_MAX || a->bytes > VALUE_BYTES_MAX) {
		fprintf(stderr, "produce_check: a count is out of range\n");
		exit(64);
	}
}

/* The device of --nic, if there is one. */
static void
open_nic(struct arguments *a)
{
	char text[2048] = "";

	if (a->nic.nic.device &&
		station_device_open(&a->nic, &a->station, text, sizeof(text)) < 0) {
		fprintf(stderr, "produce_check: %s\n", text);
		exit(1);
	}
}

/* Returns whether its ledger adds up; json is null without a device. */
static bool
close_nic(struct arguments *a, char *ret_json, size_t json_bytes)
{
	snprintf(ret_json, json_bytes, "null");
	return !a->station || station_device_close(a->station, ret_json, json_bytes);
}

int
main(int argc, char **argv)
{
	static struct producer producers[PRODUCERS_MAX];
	static struct histogram all;
	pthread_t threads[PRODUCERS_MAX];
	struct arguments arguments;
	uint64_t start_ns, end_ns, sent = 0, digest = 0, retransmissions = 0, credit_waits = 0,
			   datagrams = 0, sessions = 0;
	char nic_json[STATION_DEVICE_JSON_BYTES];
	struct status *status;
	intptr_t failure = 0;
	bool adds_up;

	parse(argc, argv, &arguments);
	status = map_status(arguments.status_path);
	open_nic(&arguments);
	start_ns = clock_now_ns(clock_system());
	for (uint32_t i = 0; i < arguments.producers; i++) {
		producers[i].arguments = &arguments;
		producers[i].status = status;
		producers[i].index = i;
		producers[i].records = arguments.records / arguments.producers +
				       (i < arguments.records % arguments.producers);
		histogram_init(&producers[i].latency);
		if (pthread_create(&threads[i], NULL, produce, &producers[i]) != 0) {
			perror("pthread_create");
			return 1;
		}
	}
	for (uint32_t i = 0; i < arguments.producers; i++) {
		void *result;

		pthread_join(threads[i], &result);
		if (result) {
			failure = (intptr_t)result;
			fprintf(stderr, "producer %u: %s; last: %s\n", i, strerror((int)-failure),
				producers[i].status_text);
		}
		sent += producers[i].sent;
		digest += producers[i].digest;
		retransmissions += producers[i].stats.retransmissions;
		credit_waits += producers[i].stats.credit_waits;
		datagrams += producers[i].stats.datagrams_sent;
		sessions += producers[i].stats.sessions;
		histogram_merge(&all, &producers[i].latency);
	}
	end_ns = clock_now_ns(clock_system());
	adds_up = close_nic(&arguments, nic_json, sizeof(nic_json));
	printf("{\"sent\": %" PRIu64 ", \"durable\": %" PRIu64 ", \"failed\": %" PRIu64
	       ", \"digest\": \"%016" PRIx64 "\", \"retransmissions\": %" PRIu64
	       ", \"credit_waits\": %" PRIu64 ", \"datagrams_sent\": %" PRIu64 ", \"sessions\": %" PRIu64
	       ", \"kernel_sent\": %" PRIu64 ", \"kernel_refused\": %" PRIu64 ", \"seconds\": %.3f"
	       ", \"ack_p50_us\": %.1f, \"ack_p99_us\": %.1f, \"ack_p999_us\": %.1f, \"nic\": %s}\n",
		sent, (uint64_t)status->durable, (uint64_t)status->failed, digest, retransmissions, credit_waits,
		datagrams, sessions, (uint64_t)kernel_sent, (uint64_t)kernel_refused,
		(double)(end_ns - start_ns) / 1e9,
		(double)histogram_percentile(&all, 500000) / 1e3,
		(double)histogram_percentile(&all, 990000) / 1e3,
		(double)histogram_percentile(&all, 999000) / 1e3, nic_json);
	return failure || status->failed || !adds_up ? 1 : 0;
}
