/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two lanes and two log shards, each on a thread of its own, in one process over net_ring: the
 * daemon's whole wiring takes port A, two producers of libpenstock travel by port B. Half the
 * partitions are told to the other lane than their shard's own, so that all four rings [lane][shard]
 * carry batches. Sent = durable = logged by content. While both lanes carry that, a producer is fenced by
 * one of its own name, and a topic is deleted under another: whom it concerns is told, nobody else is
 * touched. The ledgers add up, of each lane, of the log and of each partition; every buffer comes home.
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
#include "base/errcode.h"
#include "batcher/record_digest.h"
#include "client/producer_config.h"
#include "ctrl/daemon/config.h"
#include "ctrl/daemon/wiring.h"
#include "ctrl/methods/partition_watch.h"
#include "logstore/io/io_trace.h"
#include "nic/eal.h"
#include "support/ring_pair.h"
#include "support/station.h"

#define LANES	   2
#define SHARDS	   2
#define PARTITIONS 8
#define RECORDS	   20000 /* of who is to succeed */
#define TROUBLE	   500 /* durable records after which a producer meets its end */
#define ENDLESS	   2000000
#define RING_SLOTS 256
#define LIMIT_NS   (100 * NS_PER_S)
#define TOPIC	   "grid"
#define FENCED	   "fenced"
#define DOOMED	   "doomed"

static const char config_format[] =
	"mode: dev\n"
	"fault.io.trace: true\n"
	"data.dirs: [%s]\n"
	"log.shards: 2\n"
	"lcores.share: none\n"
	"dataplane.lcore.idle: sleep\n"
	"broker.auto.create.topics.enable: false\n"
	"ports: [{driver: vdev, devargs: net_ring0, address: [192.0.2.2], rx_queues: 2}]\n";

enum {
	GRID_0,
	GRID_1,
	OLDER, /* ends when NEWER comes */
	NEWER,
	HEIR, /* its topic is deleted */
	PRODUCERS,
};

struct producer {
	const char *topic, *name, *timeout_ms;
	struct station *station;
	uint32_t index;
	uint64_t digest, sent;
	_Atomic uint64_t durable, failed;
	_Atomic int16_t error; /* of its first failure */
	_Atomic bool ended;
	int rc;
	char text[256];
	pthread_t thread;
};

static struct wiring wiring;
static struct config config;
static struct producer producers[PRODUCERS] = {[GRID_0] = {.topic = TOPIC}, [GRID_1] = {.topic = TOPIC},
	[OLDER] = {.topic = FENCED, .name = "twin"}, [NEWER] = {.topic = FENCED, .name = "twin"},
	[HEIR] = {.topic = DOOMED, .timeout_ms = "2000"}};
static _Atomic bool trouble_is_over;

/* --- producers ---------------------------------------------------------------------------------- */

static void
delivered(void *user_data, const struct penstock_delivery *delivery)
{
	struct producer *p = user_data;

	if (delivery->error && atomic_load(&p->failed) == 0) {
		atomic_store(&p->error, delivery->error);
	}
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
		.topic = p->topic,
		.value = value,
		.value_len = (size_t)len,
		.timestamp_ms = -1};

	memset(value + head, 'x', (size_t)(len - head));
	int rc = penstock_send_wait(handle, &record, 60000);

	if (rc == 0) {
		p->digest += record_digest(NULL, -1, value, len);
		p->sent++;
	}
	return rc;
}

/* Who is to meet its end goes on until then; the others at least as long as that lasts. */
static bool
has_more(struct producer *p, uint64_t n)
{
	if (p->index == OLDER || p->index == HEIR) {
		return n < ENDLESS && atomic_load(&p->failed) == 0;
	}
	return n < RECORDS || (p->index != NEWER && n < ENDLESS && !atomic_load(&trouble_is_over));
}

static void *
produce(void *argument)
{
	struct producer *p = argument;
	struct penstock_config *settings = penstock_config_create();
	struct penstock_producer *handle = NULL;

	p->rc = penstock_config_set(settings, "bootstrap", "192.0.2.2:9292", p->text, sizeof(p->text));
	if (p->rc == 0 && p->name) {
		p->rc = penstock_config_set(settings, "client.id", p->name, p->text, sizeof(p->text));
	}
	if (p->rc == 0 && p->timeout_ms) {
		p->rc = penstock_config_set(
			settings, "delivery.timeout.ms", p->timeout_ms, p->text, sizeof(p->text));
	}
	settings->transport_fn = station_connect;
	settings->transport_data = p->station;
	penstock_config_set_delivery(settings, delivered, p);
	p->rc = p->rc < 0 ? p->rc
			  : penstock_producer_create(settings, &handle, p->text, sizeof(p->text));
	penstock_config_destroy(settings);
	for (uint64_t n = 0; p->rc == 0 && has_more(p, n); n++) {
		p->rc = send_one(p, handle, n);
	}
	if (handle) {
		p->rc = p->rc < 0 ? p->rc : penstock_flush(handle, 60000);
		snprintf(p->text, sizeof(p->text), "%.200s", penstock_producer_status(handle));
		penstock_producer_destroy(handle, 5000);
	}
	atomic_store(&p->ended, true);
	return NULL;
}

static void
start_producer(struct station *station, uint32_t index)
{
	struct producer *p = &producers[index];

	p->station = station;
	p->index = index;
	ensure(pthread_create(&p->thread, NULL, produce, p) == 0);
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

static bool answered;

static bool
broker_has_answered(void)
{
	return answered;
}

static bool
both_are_under_way(void)
{
	return atomic_load(&producers[OLDER].durable) > TROUBLE && atomic_load(&producers[HEIR].durable) > TROUBLE;
}

static bool
trouble_is_told(void)
{
	return atomic_load(&producers[OLDER].ended) && atomic_load(&producers[HEIR].ended) &&
	       atomic_load(&producers[NEWER].ended) && answered;
}

static bool
all_is_produced(void)
{
	return atomic_load(&producers[GRID_0].ended) && atomic_load(&producers[GRID_1].ended);
}

static bool
is_stopped(void)
{
	return wiring_stopped(&wiring);
}

static void
on_answer(void *user_data, int16_t error, const char *text)
{
	(void)user_data;
	if (error) {
		fprintf(stderr, "topic: %s\n", text);
	}
	ensure(error == 0);
	answered = true;
}

static void
create_topic(const char *name)
{
	struct broker_topic_create create = {.name = name, .partitions = PARTITIONS};

	answered = false;
	broker_topic_create(wiring.engine.broker, &create, on_answer, NULL);
	ensure(step_until(broker_has_answered));
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
	create_topic(TOPIC);
	create_topic(FENCED);
	create_topic(DOOMED);
	ensure(cross_lanes() == 3 * PARTITIONS / 2);
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

/* Each partition at each lane and in the log, one by one. */
static uint32_t
check_partitions(void)
{
	struct partition_watch_names names;
	struct ledger_equation e;

	partition_watch_equation(&wiring.engine, &names, &e);
	printf("partitions: %" PRIu64 ", %" PRIu64 " off\n", e.terms[0].value, e.terms[1].value);
	for (uint32_t i = 2; i < e.term_count; i++) {
		fprintf(stderr, "partition %s: %" PRIu64 " records astray\n", e.terms[i].name, e.terms[i].value);
	}
	return e.difference != 0 || e.terms[0].value < 3 * PARTITIONS;
}

/* Of the three topics some records came by each lane. */
static uint32_t
check_lanes(void)
{
	uint64_t stored[LANES] = {0}, refused = 0;

	for (uint32_t i = 0; i < atomic_load(&wiring.routes.partition_count); i++) {
		for (uint32_t lane = 0; lane < LANES; lane++) {
			uint64_t records[LANE_FATE_COUNT];

			lane_partition_records(wiring.engine.lanes[lane], i, records);
			stored[lane] += records[LANE_FATE_STORED];
			refused += records[LANE_FATE_REFUSED];
		}
	}
	printf("lanes: %" PRIu64 " and %" PRIu64 " records stored, %" PRIu64 " refused\n", stored[0], stored[1], refused);
	return stored[0] == 0 || stored[1] == 0;
}

/* --- what became of the producers --------------------------------------------------------------------- */

/* All that it sent is durable. */
static bool
succeeded(const struct producer *p)
{
	return p->rc == 0 && p->sent >= RECORDS && atomic_load(&p->durable) == p->sent && atomic_load(&p->failed) == 0;
}

/* It was told of each record: of some that they are durable, of the others this error; and why, in words. */
static bool
ended_by(const struct producer *p, int16_t error, const char *why)
{
	return atomic_load(&p->error) == error && strstr(p->text, why) && atomic_load(&p->durable) > TROUBLE &&
	       atomic_load(&p->durable) + atomic_load(&p->failed) == p->sent;
}

static uint32_t
check_producers(void)
{
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < PRODUCERS; i++) {
		struct producer *p = &producers[i];
		bool good;

		(void)pthread_join(p->thread, NULL);
		/* As with Kafka: a topic that is not there may come back until the delivery timeout. */
		good = i == OLDER  ? ended_by(p, KAFKA_INVALID_PRODUCER_EPOCH, "fenced")
		       : i == HEIR ? ended_by(p, KAFKA_REQUEST_TIMED_OUT, "no such topic")
				   : succeeded(p);
		printf("producer %u: %" PRIu64 " sent, %" PRIu64 " durable, %" PRIu64 " failed\n", i, p->sent,
			atomic_load(&p->durable), atomic_load(&p->failed));
		if (!good) {
			fprintf(stderr, "producer %u: %d, error %d, %s\n", i, p->rc, atomic_load(&p->error), p->text);
			wrong++;
		}
	}
	return wrong;
}

/* --- the log as files, read by a program that shares no code with logstore -------------------------------- */

/* A topic's line; records -1 if the log is not right. */
static int64_t
log_line(const char *program, const char *dir, const char *topic, char *ret_line, int bytes)
{
	char command[512];
	int64_t records = -1;
	const char *at;
	FILE *pipe;

	snprintf(command, sizeof(command), "'%s' '%s' %s --order", program, dir, topic);
	pipe = popen(command, "re");
	ensure(pipe != NULL);
	ret_line[0] = 0;
	(void)!fgets(ret_line, bytes, pipe);
	at = strstr(ret_line, "\"records\": ");
	if (pclose(pipe) == 0 && at) {
		records = strtoll(at + strlen("\"records\": "), NULL, 10);
	}
	return records;
}

/* What the two of the grid sent, to the byte. Of the twins all that was durable, and nothing that was not sent. */
static uint32_t
check_log(const char *program, const char *dir)
{
	const struct producer *a = &producers[GRID_0], *b = &producers[GRID_1], *older = &producers[OLDER],
			      *newer = &producers[NEWER];
	int64_t sent = (int64_t)(a->sent + b->sent);
	char line[512], digest[40];
	uint32_t wrong = 0;
	int64_t records = log_line(program, dir, TOPIC, line, sizeof(line));

	snprintf(digest, sizeof(digest), "%016" PRIx64, a->digest + b->digest);
	if (records != sent || !strstr(line, digest)) {
		fprintf(stderr, "%s: %swant %" PRId64 ", %s\n", TOPIC, line, sent, digest);
		wrong++;
	}
	records = log_line(program, dir, FENCED, line, sizeof(line));
	if (records < (int64_t)(older->durable + newer->durable) || records > (int64_t)(older->sent + newer->sent)) {
		fprintf(stderr, "%s: %swant %" PRIu64 " to %" PRIu64 "\n", FENCED, line,
			older->durable + newer->durable, older->sent + newer->sent);
		wrong++;
	}
	return wrong;
}

/* Nothing of the deleted topic is left. */
static uint32_t
check_deleted(const char *dir)
{
	char path[256];
	uint32_t left = 0;

	for (uint32_t i = 0; i < PARTITIONS; i++) {
		snprintf(path, sizeof(path), "%s/" DOOMED "-%u", dir, i);
		left += access(path, F_OK) == 0;
	}
	if (left > 0) {
		fprintf(stderr, "%u directories of a deleted topic\n", left);
	}
	return left;
}

static int
remove_entry(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
	(void)info;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* All of it happens while the two of the grid go on. */
static uint32_t
run_producers(struct station *station)
{
	uint32_t wrong = 0;

	start_producer(station, GRID_0);
	start_producer(station, GRID_1);
	start_producer(station, OLDER);
	start_producer(station, HEIR);
	wrong += !step_until(both_are_under_way);
	start_producer(station, NEWER);
	answered = false;
	broker_topic_delete(wiring.engine.broker, DOOMED, false, on_answer, NULL);
	wrong += !step_until(trouble_is_told);
	wrong += all_is_produced(); /* then it was no trouble for anybody */
	atomic_store(&trouble_is_over, true);
	wrong += !step_until(all_is_produced);
	return wrong + check_producers();
}

int
main(int argc, char **argv)
{
	char dir[] = "/tmp/penstock-2x2-XXXXXX";
	struct port *a, *b;
	struct station *station;
	struct station_report report;
	uint32_t wrong, missing;

	ensure(argc == 2);
	ensure(mkdtemp(dir) != NULL);
	ensure(ring_pair_open(LANES, RING_SLOTS, &a, &b));
	start_daemon(dir, a);
	station = open_station(b);
	wrong = run_producers(station);
	/* A session of a fenced producer may be there still and be told to go: the station takes that off the ring. */
	wiring_stop_begin(&wiring, clock_now_ns(clock_system()), 60 * NS_PER_S);
	wrong += !step_until(is_stopped);
	station_stop(station, 100 * NS_PER_MS);
	station_report(station, &report);
	wrong += !report.adds_up;
	wrong += check_rings();
	wrong += check_traces();
	wrong += check_ledgers();
	wrong += check_partitions();
	wrong += check_lanes();
	station_destroy(station);
	wiring_destroy(&wiring);
	missing = port_close(b);
	wrong += check_log(argv[1], dir);
	wrong += check_deleted(dir);
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	printf("%u wrong, %u buffers missing\n", wrong, missing);
	return wrong == 0 && missing == 0 ? 0 : 1;
}
