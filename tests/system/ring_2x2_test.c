/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two lanes and two log shards, each on a thread of its own, in one process over net_ring: the
 * daemon's whole wiring takes port A, two producers of libpenstock travel by port B. Half the
 * partitions are told to the other lane than their shard's own, so that all four rings [lane][shard]
 * carry batches. Sent = durable = logged by content, the ledgers add up, every buffer comes home.
 *
 *   ring_2x2_test LOG_CHECK
 */
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/ensure.h"
#include "batcher/record_digest.h"
#include "client/producer_config.h"
#include "ctrl/daemon/config.h"
#include "ctrl/daemon/wiring.h"
#include "logstore/io/io_trace.h"
#include "nic/eal.h"
#include "support/ring_pair.h"
#include "support/station.h"

#define LANES	   2
#define SHARDS	   2
#define PRODUCERS  2
#define PARTITIONS 8
#define RECORDS	   20000 /* a producer */
#define RING_SLOTS 256
#define LIMIT_NS   (100 * NS_PER_S)
#define TOPIC	   "grid"

static const char config_format[] =
	"mode: dev\n"
	"fault.io.trace: true\n"
	"data.dirs: [%s]\n"
	"log.shards: 2\n"
	"lcores.share: none\n"
	"dataplane.lcore.idle: sleep\n"
	"ports: [{driver: vdev, devargs: net_ring0, address: [192.0.2.2], rx_queues: 2}]\n";

struct producer {
	struct station *station;
	uint32_t index;
	uint64_t digest, sent;
	_Atomic uint64_t durable, failed;
	int rc;
	char text[256];
	pthread_t thread;
};

static struct wiring wiring;
static struct config config;
static struct producer producers[PRODUCERS];

/* --- producers ---------------------------------------------------------------------------------- */

static void
delivered(void *user_data, const struct penstock_delivery *delivery)
{
	struct producer *p = user_data;

	atomic_fetch_add(delivery->error ? &p->failed : &p->durable, 1);
}

/* "PRODUCER:NUMBER:" rising in each partition, as log_check --order asks. */
static int
send_one(struct producer *p, struct penstock_producer *handle, uint64_t n)
{
	char value[200];
	int head = snprintf(value, sizeof(value), "%u:%" PRIu64 ":", p->index, n / PARTITIONS);
	int32_t len = head + (int32_t)(n % 150);
	struct penstock_record_out record = {.struct_bytes = sizeof(record),
		.partition = (int32_t)(n % PARTITIONS),
		.topic = TOPIC,
		.value = value,
		.value_len = (size_t)len,
		.timestamp_ms = -1};

	memset(value + head, 'x', (size_t)(len - head));
	p->digest += record_digest(NULL, -1, value, len);
	p->sent++;
	return penstock_send_wait(handle, &record, 60000);
}

static void *
produce(void *argument)
{
	struct producer *p = argument;
	struct penstock_config *settings = penstock_config_create();
	struct penstock_producer *handle = NULL;

	p->rc = penstock_config_set(settings, "bootstrap", "192.0.2.2:9292", p->text, sizeof(p->text));
	settings->transport_fn = station_connect;
	settings->transport_data = p->station;
	penstock_config_set_delivery(settings, delivered, p);
	p->rc = p->rc < 0 ? p->rc
			  : penstock_producer_create(settings, &handle, p->text, sizeof(p->text));
	penstock_config_destroy(settings);
	for (uint64_t n = 0; n < RECORDS && p->rc == 0; n++) {
		p->rc = send_one(p, handle, n);
	}
	if (handle) {
		p->rc = p->rc < 0 ? p->rc : penstock_flush(handle, 60000);
		snprintf(p->text, sizeof(p->text), "%.200s", penstock_producer_status(handle));
		penstock_producer_destroy(handle, 5000);
	}
	return NULL;
}

static struct station *
open_station(struct port *port)
{
	struct station_options options = {.queue_count = LANES, .address = {[10] = 0xff, 0xff, 192, 0, 2, 1},
		.resolve_ms = 10000, .thread_begin = eal_thread_register,
		.thread_end = eal_thread_unregister};
	struct station *station = NULL;

	for (uint16_t i = 0; i < LANES; i++) {
		options.queues[i] = port_queue(port, i);
	}
	ensure(station_create(&options, &station) == 0);
	ensure(station_start(station) == 0);
	return station;
}

/* --- the daemon, its control thread played by main ------------------------------------------------- */

/* Steps the control thread until the condition holds. False: not in time. */
static bool
step_until(bool (*holds)(void))
{
	uint64_t until_ns = clock_now_ns(clock_system()) + LIMIT_NS;

	while (!holds()) {
		uint64_t now_ns = clock_now_ns(clock_system());

		if (now_ns > until_ns) {
			return false;
		}
		if (wiring_poll(&wiring, now_ns) == 0) {
			clock_sleep_ns(clock_system(), NS_PER_MS);
		}
	}
	return true;
}

static bool
is_running(void)
{
	return wiring.engine.state == ENGINE_RUNNING;
}

static bool created;

static bool
topic_is_there(void)
{
	return created;
}

static bool
all_is_produced(void)
{
	for (uint32_t i = 0; i < PRODUCERS; i++) {
		if (atomic_load(&producers[i].durable) + atomic_load(&producers[i].failed) < RECORDS &&
			pthread_tryjoin_np(producers[i].thread, NULL) != 0) {
			return false;
		}
	}
	return true;
}

static bool
is_stopped(void)
{
	return wiring_stopped(&wiring);
}

static void
on_created(void *user_data, int16_t error, const char *text)
{
	(void)user_data;
	if (error) {
		fprintf(stderr, "topic: %s\n", text);
	}
	ensure(error == 0);
	created = true;
}

/* Half of each shard's partitions come by the lane that is not its own. */
static uint32_t
cross_lanes(void)
{
	struct route_table *routes = &wiring.routes;
	uint32_t met[SHARDS] = {0}, crossed = 0;

	for (uint32_t i = 0; i < atomic_load(&routes->partition_count); i++) {
		struct route_partition *p = &routes->partitions[i];

		if (!(p->flags & ROUTE_INTERNAL) && met[p->shard]++ % 2 == 1) {
			p->lane = (uint16_t)((p->lane + 1) % LANES);
			crossed++;
		}
	}
	return crossed;
}

static void
start_daemon(const char *dir, struct port *port)
{
	char text[1024], report[1024];
	struct config_source source = {.path = "ring_2x2", .text = text};
	struct broker_topic_create create = {.name = TOPIC, .partitions = PARTITIONS};
	struct wiring_error error;

	snprintf(text, sizeof(text), config_format, dir);
	if (config_load(&source, &config, report, sizeof(report)) < 0) {
		fputs(report, stderr);
		ensure(false);
	}
	wiring.engine.version = PENSTOCK_VERSION;
	wiring.device_made = port;
	if (wiring_start(&wiring, &config, &error) < 0) {
		fputs(error.text, stderr);
		ensure(false);
	}
	ensure(step_until(is_running));
	broker_topic_create(wiring.engine.broker, &create, on_created, NULL);
	ensure(step_until(topic_is_there));
	ensure(cross_lanes() == PARTITIONS / 2);
}

/* --- what must hold --------------------------------------------------------------------------------- */

static uint32_t
check_ledgers(void)
{
	static struct ledger_equation equations[LEDGER_EQUATIONS_MAX];
	uint32_t wrong = 0;

	for (uint32_t lane = 0; lane < LANES; lane++) {
		struct nic *nic = wiring.engine.nics[lane];
		uint64_t values[COUNTER_SLOTS_MAX];
		struct nic_stats stats;
		struct nic_caps caps;

		nic->ops->stats(nic, &stats);
		nic->ops->caps(nic, &caps);
		lane_counters(wiring.engine.lanes[lane], values);
		uint32_t count = ledger_equations(values, &stats, &caps, equations);

		for (uint32_t i = 0; i < count; i++) {
			bool of_queue = strcmp(equations[i].name, "E2 queue") == 0 ||
					strcmp(equations[i].name, "E9 port") == 0;

			/* net_ring counts by queue, so each lane is held against its own. */
			if ((of_queue && !equations[i].visible) || equations[i].difference != 0) {
				fprintf(stderr, "lane %u: %s: %" PRId64 "\n", lane, equations[i].name,
					equations[i].difference);
				wrong++;
			}
		}
	}
	return wrong;
}

/* The trace of the I/O seam, that would have ended us at a DURABLE note too early, judged each shard. */
static uint32_t
check_traces(void)
{
	uint32_t silent = 0;

	for (uint32_t shard = 0; shard < SHARDS; shard++) {
		struct io_trace_counts counts;

		io_trace_counts(wiring.shard_trace[shard], &counts);
		printf("trace [%u]: %" PRIu64 " notes judged, %" PRIu64 " groups proven\n", shard, counts.judged,
			counts.proven);
		silent += counts.judged == 0 || counts.proven == 0;
	}
	return silent;
}

/* Every lane has spoken to every shard. */
static uint32_t
check_rings(void)
{
	uint32_t silent = 0;

	for (uint32_t lane = 0; lane < LANES; lane++) {
		for (uint32_t shard = 0; shard < SHARDS; shard++) {
			uint32_t carried = wiring.log_rings[lane][shard].append_req.queue->prod.tail;

			printf("ring [%u][%u]: %u requests\n", lane, shard, carried);
			silent += carried == 0;
		}
	}
	return silent;
}

static int
remove_entry(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
	(void)info;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* The log as files, read by a program that shares no code with logstore. */
static uint32_t
check_log(const char *program, const char *dir)
{
	char command[512], line[512] = "", records[40], digest[40];
	uint64_t sum = 0, sent = 0;

	for (uint32_t i = 0; i < PRODUCERS; i++) {
		sum += producers[i].digest;
		sent += producers[i].sent;
	}
	snprintf(command, sizeof(command), "'%s' '%s' " TOPIC " --order", program, dir);
	FILE *pipe = popen(command, "re");

	ensure(pipe != NULL);
	(void)!fgets(line, sizeof(line), pipe);
	int status = pclose(pipe);

	snprintf(records, sizeof(records), "\"records\": %" PRIu64, sent);
	snprintf(digest, sizeof(digest), "%016" PRIx64, sum);
	if (sum == 0 || status != 0 || !strstr(line, records) || !strstr(line, digest)) {
		fprintf(stderr, "log_check: status %d, %swant %s, %s\n", status, line, records, digest);
		return 1;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	char dir[] = "/tmp/penstock-2x2-XXXXXX";
	struct port *a, *b;
	struct station *station;
	struct station_report report;
	uint32_t wrong = 0, missing;

	ensure(argc == 2);
	ensure(mkdtemp(dir) != NULL);
	ensure(ring_pair_open(LANES, RING_SLOTS, &a, &b));
	start_daemon(dir, a);
	station = open_station(b);
	for (uint32_t i = 0; i < PRODUCERS; i++) {
		producers[i].station = station;
		producers[i].index = i;
		ensure(pthread_create(&producers[i].thread, NULL, produce, &producers[i]) == 0);
	}
	wrong += !step_until(all_is_produced);
	for (uint32_t i = 0; i < PRODUCERS; i++) {
		(void)pthread_join(producers[i].thread, NULL);
		printf("producer %u: %" PRIu64 " sent, %" PRIu64 " durable\n", i, producers[i].sent,
			atomic_load(&producers[i].durable));
		if (producers[i].rc != 0 || atomic_load(&producers[i].durable) != RECORDS) {
			fprintf(stderr, "producer %u: %d, %s\n", i, producers[i].rc, producers[i].text);
			wrong++;
		}
	}
	station_stop(station, 100 * NS_PER_MS);
	station_report(station, &report);
	wrong += !report.adds_up;
	wiring_stop_begin(&wiring, clock_now_ns(clock_system()), 60 * NS_PER_S);
	wrong += !step_until(is_stopped);
	wrong += check_rings();
	wrong += check_traces();
	wrong += check_ledgers();
	station_destroy(station);
	wiring_destroy(&wiring);
	missing = port_close(b);
	wrong += check_log(argv[1], dir);
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	printf("%u wrong, %u buffers missing\n", wrong, missing);
	return wrong == 0 && missing == 0 ? 0 : 1;
}
