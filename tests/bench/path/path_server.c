/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server side of the path bench: one real lane and one real log shard on one lcore, over any DPDK
 * virtual device, with a disk that forgets (io_forget.h). Prints one JSON object a second, and one
 * with the whole run's numbers and its ledger at the end (SIGTERM, or --seconds after the first packet).
 *
 *   path_server --nic DEVICE,DEVARGS [--address IP] [--cpu N] [--partitions N] [--seconds N]
 *               [--topic NAME] [--prefix P] [--hugepages]
 *               [--buffer-mib N] [--cache-mib N] [--disk-us N] [--linger-us N] [--burst N]
 */
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/errcode.h"
#include "base/histogram.h"
#include "dataplane.h"
#include "io_forget.h"
#include "logstore/logstore.h"
#include "nic/eal.h"
#include "path_options.h"
#include "support/nic_device.h"

#define NATIVE_PORT	9292
#define PARTITIONS_MAX	256
#define APPEND_SLOTS	1024
#define HOUSEKEEPING_NS (500 * NS_PER_US)
#define DRAIN_MAX_NS	(20 * NS_PER_S)

struct arguments {
	struct path_options path; /* cpu: of the lcore */
	uint32_t partitions;
	uint32_t buffer_mib, cache_mib; /* log.buffer.bytes, log.cache.bytes */
	uint32_t disk_us;   /* what a write takes */
	uint32_t linger_us; /* log.group.linger */
	uint32_t burst;	    /* dataplane.burst */
};

struct server {
	struct arguments arguments;
	struct clock *clock;
	struct rand rand;
	struct nic_device *device;
	struct nic *nic;
	char dir[64];
	struct io *keeper_io, *shard_io;
	struct logstore *store;
	struct route_topic topic;
	struct route_partition partitions[PARTITIONS_MAX];
	struct route_table routes;
	struct lane_secrets secrets;
	struct ring append_req, append_done, control_ask, control_answer;
	struct lane *lane;
	int64_t next_producer_id;
	/* The lcore. */
	pthread_t thread;
	_Atomic bool stop, failed;
	_Atomic uint64_t busy_ns, turns, busy_turns;
	struct histogram full_turns; /* ns of turns that took a whole burst; read after the end */
};

/* --- the lcore --------------------------------------------------------------------------------- */

static void
add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(
		counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/* rx + log, one turn after the other, spinning: the clock is read once a turn. */
static void *
lcore_run(void *argument)
{
	struct server *s = argument;
	struct log_shard *shard = logstore_shard(s->store, 0);
	uint64_t now_ns;

	path_pin(&s->arguments.path);
	path_must(eal_thread_register(), "lcore");
	path_must(log_shard_start(shard), "log shard");
	now_ns = clock_now_ns(s->clock);
	while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
		uint32_t work = lane_poll(s->lane, now_ns) + log_shard_poll(shard, now_ns);
		uint64_t after_ns = clock_now_ns(s->clock);

		add(&s->turns, 1);
		/* Received, offered, appended; answers besides. */
		if (work >= 3 * s->arguments.burst) {
			histogram_add(&s->full_turns, after_ns - now_ns);
		}
		if (work > 0) {
			add(&s->busy_turns, 1);
			add(&s->busy_ns, after_ns - now_ns);
		}
		now_ns = after_ns;
	}
	eal_thread_unregister();
	return NULL;
}

/* --- control: the least that a producer needs --------------------------------------------------- */

static void
control_answer_one(struct server *s, const struct control_ask *ask)
{
	struct control_answer answer = {.kind = ask->kind,
		.session_index = ask->session_index,
		.token = ask->token};

	if (ask->kind == CONTROL_PRODUCER) {
		bool again = ask->flags & (CONTROL_JOIN | CONTROL_BUMP);

		answer.producer_id = again ? ask->producer_id : s->next_producer_id++;
		answer.producer_epoch = (int16_t)(again ? ask->producer_epoch : 0);
		answer.producer_epoch = (int16_t)(answer.producer_epoch + !!(ask->flags & CONTROL_BUMP));
	} else if (ask->kind == CONTROL_RESOLVE) {
		bool known = ask->name_len == s->topic.name_len &&
			memcmp(ask->name, s->topic.name, ask->name_len) == 0;

		answer.error = known ? 0 : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	} else {
		return;
	}
	ensure(ring_offer(&s->control_answer, &answer, 1) == 1);
}

/* One round of everything that is not the lcore's. */
static void
housekeep(struct server *s)
{
	struct control_ask ask;

	while (ring_take(&s->control_ask, &ask, 1) == 1) {
		control_answer_one(s, &ask);
	}
	if (log_keeper_poll(logstore_keeper(s->store), clock_now_ns(s->clock)) == 0) {
		clock_sleep_ns(s->clock, HOUSEKEEPING_NS);
	}
}

static void
create_partition(struct server *s, uint32_t partition)
{
	struct log_command command = {.kind = LOG_COMMAND_CREATE, .partition = partition};
	struct route_partition *route;

	memcpy(command.topic, s->topic.name, s->topic.name_len);
	memcpy(command.topic_id, s->topic.topic_id, sizeof(command.topic_id));
	log_topic_config_init(&command.config);
	path_must(logstore_command(s->store, &command), "partition");
	while (logstore_command_poll(s->store) != &command) {
		housekeep(s);
	}
	path_must(command.error ? -EIO : 0, "partition");
	/* RESOLVED names streams by partition index: dense, from 0. */
	ensure(command.partition_index == partition);
	route = &s->partitions[partition];
	route->partition = partition;
	route->flags = ROUTE_WRITABLE;
	atomic_store(&route->state, ROUTE_OPEN);
}

/* --- start ------------------------------------------------------------------------------------- */

static void
start_log(struct server *s)
{
	struct log_options options;
	struct nic_caps caps;

	snprintf(s->dir, sizeof(s->dir), "/tmp/penstock-path-XXXXXX");
	path_must(mkdtemp(s->dir) ? 0 : -errno, "temporary directory");
	path_must(io_forget_create(s->dir, 0, &s->keeper_io), "disk");
	path_must(io_forget_create(s->dir, s->arguments.disk_us * NS_PER_US, &s->shard_io), "disk");
	log_options_init(&options);
	options.clock = s->clock;
	options.rand = &s->rand;
	options.keeper_io = s->keeper_io;
	options.shard_io[0] = s->shard_io;
	options.partitions_max = PARTITIONS_MAX;
	options.buffer_bytes = s->arguments.buffer_mib * MIB;
	options.cache_bytes = s->arguments.cache_mib * MIB;
	options.group_max_bytes = options.buffer_bytes / 8;
	options.spare_bytes = GIB;
	options.free_low_bytes = 16 * MIB;
	options.group_linger_ns = s->arguments.linger_us * NS_PER_US;
	options.durable_method = LOG_DURABLE_DSYNC;
	options.flush_scope = LOG_FLUSH_FILE;
	path_must(ring_create(&s->append_req, APPEND_SLOTS, sizeof(struct append_req), NULL), "ring");
	s->nic->ops->caps(s->nic, &caps);
	path_must(ring_create(&s->append_done, lane_done_slots(APPEND_SLOTS, &caps),
			  sizeof(struct append_done), NULL), "ring");
	path_must(ring_create(&s->control_ask, 512, sizeof(struct control_ask), NULL), "ring");
	path_must(ring_create(&s->control_answer, 512, sizeof(struct control_answer), NULL), "ring");
	path_must(logstore_create(&options, &s->store, NULL), "log");
	logstore_attach(s->store, 0, 0,
		&(struct log_client_rings){
			.append_req = &s->append_req, .append_done = &s->append_done});
	path_must(logstore_recover(s->store, NULL, NULL, NULL), "log");
}

static void
start_topic(struct server *s)
{
	size_t len = strlen(s->arguments.path.topic);

	ensure(len > 0 && len <= HANDOFF_TOPIC_NAME_MAX);
	s->topic = (struct route_topic){.partition_count = s->arguments.partitions,
		.max_message_bytes = 1048588,
		.metadata_version = 1,
		.timestamp_before_max_ms = INT64_MAX,
		.timestamp_after_max_ms = INT64_MAX,
		.name_len = (uint8_t)len};
	memcpy(s->topic.name, s->arguments.path.topic, len);
	rand_fill(&s->rand, s->topic.topic_id, sizeof(s->topic.topic_id));
	atomic_store(&s->topic.state, ROUTE_OPEN);
	s->routes = (struct route_table){.topics = &s->topic,
		.partitions = s->partitions,
		.topics_max = 1,
		.partitions_max = PARTITIONS_MAX};
	atomic_store(&s->routes.topic_count, 1);
	atomic_store(&s->routes.partition_count, s->arguments.partitions);
}

static void
start_lane(struct server *s)
{
	struct lane_options options;
	char text[LANE_TEXT_BYTES] = "";

	lane_secrets_init(&s->secrets, &s->rand, clock_now_ns(s->clock));
	rand_fill(&s->rand, s->secrets.reset_key, sizeof(s->secrets.reset_key));
	lane_options_init(&options);
	options.clock = s->clock;
	options.rand = &s->rand;
	options.nic = s->nic;
	options.routes = &s->routes;
	options.secrets = &s->secrets;
	options.native_port_base = NATIVE_PORT;
	options.sessions_max = 256;
	options.burst = s->arguments.burst;
	options.max_datagram = s->arguments.path.nic.mtu - (uint32_t)NIC_IP4_UDP_BYTES;
	options.address_count = 1;
	path_must(nic_device_address(s->arguments.path.address, options.addresses[0]), "--address");
	options.append_req[0] = &s->append_req;
	options.append_done[0] = &s->append_done;
	options.control_ask = &s->control_ask;
	options.control_answer = &s->control_answer;
	options.log_room = logstore_room(s->store);
	if (lane_create(&options, &s->lane, text, sizeof(text)) < 0) {
		path_die("lane", text);
	}
}

static void
start(struct server *s)
{
	char text[2048] = "";

	s->clock = clock_system();
	rand_init_os(&s->rand);
	s->next_producer_id = 1000;
	if (nic_device_open(&s->arguments.path.nic, &s->device, text, sizeof(text)) < 0) {
		path_die("--nic", text);
	}
	s->nic = nic_device_queue(s->device, 0);
	start_topic(s);
	start_log(s);
	start_lane(s);
	path_must(-pthread_create(&s->thread, NULL, lcore_run, s), "thread");
	for (uint32_t i = 0; i < s->arguments.partitions; i++) {
		create_partition(s, i);
	}
	printf("{\"ready\": true}\n");
	fflush(stdout);
}

/* --- reports ----------------------------------------------------------------------------------- */

struct sample {
	uint64_t time_ns, busy_ns, turns, busy_turns;
	uint64_t values[LANE_COUNTER_COUNT];
};

static void
take_sample(struct server *s, struct sample *ret)
{
	ret->time_ns = clock_now_ns(s->clock);
	ret->busy_ns = atomic_load(&s->busy_ns);
	ret->turns = atomic_load(&s->turns);
	ret->busy_turns = atomic_load(&s->busy_turns);
	lane_counters(s->lane, ret->values);
}

static void
print_rates(const char *kind, const struct sample *from, const struct sample *to)
{
	double seconds = (double)(to->time_ns - from->time_ns) / 1e9;
	uint64_t packets = to->values[LANE_rx_packets] - from->values[LANE_rx_packets];
	uint64_t bytes = to->values[LANE_rx_bytes] - from->values[LANE_rx_bytes];
	uint64_t batches = to->values[LANE_stored] - from->values[LANE_stored];
	double busy_ns = (double)(to->busy_ns - from->busy_ns);
	uint64_t busy_turns = to->busy_turns - from->busy_turns;

	printf("{\"%s\": true, \"seconds\": %.3f, \"rx_pps\": %.0f, \"rx_bits_per_s\": %.0f, "
	       "\"batches_per_s\": %.0f, \"busy_share\": %.4f, \"busy_ns_per_packet\": %.1f, "
	       "\"packets_per_busy_turn\": %.2f",
		kind, seconds, (double)packets / seconds, (double)bytes * 8 / seconds,
		(double)batches / seconds, busy_ns / 1e9 / seconds,
		packets ? busy_ns / (double)packets : 0, busy_turns ? (double)packets / (double)busy_turns : 0);
}

/* True if every equation that can be seen holds. */
static bool
print_ledger(struct server *s, const uint64_t *values)
{
	static struct ledger_equation equations[LEDGER_EQUATIONS_MAX];
	struct nic_stats stats;
	struct nic_caps caps;
	bool adds_up = true;
	uint32_t n;

	s->nic->ops->stats(s->nic, &stats);
	s->nic->ops->caps(s->nic, &caps);
	n = ledger_equations(values, &stats, &caps, equations);
	printf(", \"ipackets\": %llu, \"ledger\": {", (unsigned long long)stats.ipackets);
	for (uint32_t i = 0; i < n; i++) {
		adds_up = adds_up && (!equations[i].visible || equations[i].difference == 0);
		printf("%s\"%s\": %lld", i ? ", " : "", equations[i].name,
			(long long)equations[i].difference);
	}
	printf("}, \"counters\": {");
	for (uint32_t c = 0, shown = 0; c < LANE_COUNTER_COUNT; c++) {
		if (values[c] > 0) {
			printf("%s\"%s\": %llu", shown++ ? ", " : "", lane_counter_rows[c].name,
				(unsigned long long)values[c]);
		}
	}
	printf("}, \"adds_up\": %s", adds_up ? "true" : "false");
	return adds_up;
}

/* --- life -------------------------------------------------------------------------------------- */

/* One line a second; ends by signal, or the given time after the first batch. */
static void
serve(struct server *s, struct sample *ret_first, struct sample *ret_last)
{
	struct sample last, now;
	bool begun = false;

	take_sample(s, &last);
	*ret_first = *ret_last = last;
	while (!path_stop_asked) {
		housekeep(s);
		if (clock_now_ns(s->clock) < last.time_ns + NS_PER_S) {
			continue;
		}
		take_sample(s, &now);
		if (now.values[LANE_stored] > last.values[LANE_stored]) {
			/* The second in which it began is not whole. */
			if (!begun) {
				*ret_first = now;
				begun = true;
			} else {
				*ret_last = now;
			}
			print_rates("second", &last, &now);
			printf("}\n");
			fflush(stdout);
		}
		last = now;
		if (begun && s->arguments.path.seconds > 0 &&
			now.time_ns >= ret_first->time_ns + s->arguments.path.seconds * NS_PER_S) {
			break;
		}
	}
}

static void
drain(struct server *s)
{
	uint64_t until_ns = clock_now_ns(s->clock) + DRAIN_MAX_NS;

	lane_drain_begin(s->lane);
	while (!lane_drained(s->lane) && clock_now_ns(s->clock) < until_ns) {
		housekeep(s);
	}
	logstore_stop_begin(s->store);
	while (!logstore_stopped(s->store) && clock_now_ns(s->clock) < until_ns) {
		housekeep(s);
	}
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static void
finish(struct server *s)
{
	logstore_destroy(s->store);
	s->keeper_io->ops->destroy(s->keeper_io);
	s->shard_io->ops->destroy(s->shard_io);
	lane_destroy(s->lane);
	(void)nic_device_close(s->device);
	if (nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0) {
		fprintf(stderr, "path_server: %s is left: %s\n", s->dir, strerror(errno));
	}
}

static void
parse(int argc, char **argv, struct arguments *a)
{
	const struct path_option own[] = {
		{.name = "partitions", .number = &a->partitions},
		{.name = "buffer-mib", .number = &a->buffer_mib},
		{.name = "cache-mib", .number = &a->cache_mib},
		{.name = "disk-us", .number = &a->disk_us},
		{.name = "linger-us", .number = &a->linger_us},
		{.name = "burst", .number = &a->burst},
		{.name = NULL},
	};

	*a = (struct arguments){.path = {.address = "192.0.2.2", .topic = "path", .cpu = -1},
		.partitions = 16, .buffer_mib = 64, .cache_mib = 16, .disk_us = 100, .burst = 32};
	nic_device_options_init(&a->path.nic);
	a->path.nic.prefix = "penstock-path-server";
	path_options_read(argc, argv, &a->path, own);
	if (!a->path.nic.device || a->partitions == 0 || a->partitions > PARTITIONS_MAX) {
		path_die("usage", "--nic DEVICE,DEVARGS [--partitions 1..256] ...");
	}
}

int
main(int argc, char **argv)
{
	struct server *s = aligned_alloc(CACHE_LINE_BYTES, bytes_ceil(sizeof(*s), CACHE_LINE_BYTES));
	static struct sample first, last, end;
	bool adds_up;

	ensure(s != NULL);
	memset(s, 0, sizeof(*s));
	histogram_init(&s->full_turns);
	parse(argc, argv, &s->arguments);
	path_stop_on_signals();
	start(s);
	serve(s, &first, &last);
	drain(s);
	take_sample(s, &end);
	if (last.time_ns <= first.time_ns) {
		last = end;
	}
	print_rates("total", &first, &last);
	printf(", \"full_turn_ns_p10\": %llu, \"full_turn_ns_p50\": %llu",
		(unsigned long long)histogram_percentile(&s->full_turns, 100000),
		(unsigned long long)histogram_percentile(&s->full_turns, 500000));
	adds_up = print_ledger(s, end.values);
	printf("}\n");
	finish(s);
	return adds_up ? 0 : 1;
}
