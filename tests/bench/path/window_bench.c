/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log -> count window on one core: a real log shard whose tail is in memory, the batcher and a worker,
 * polled in turn by one thread as one lcore would. The disk forgets (io_forget.h): reading is what is
 * measured, not writing. In each round a plain loop over the same record batches, then the job.
 *
 *   window_bench [VALUE_BYTES [RECORDS_A_BATCH [ROUNDS [MIB]]]]
 *
 * Prints one JSON object a round. Time is the thread's CPU time: a core's worth, whatever else the
 * machine does. Exit status 1: a round allocated memory after its job was made, or miscounted.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "alloc_count.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/errcode.h"
#include "base/rand.h"
#include "batcher/batcher.h"
#include "io_forget.h"
#include "logstore/logstore.h"
#include "wire/record_batch.h"

#define APPENDER	  0 /* clients of the log */
#define BATCHER		  1
#define RING_SLOTS	  1024
#define BATCH_BYTES_MAX	  (1u << 20)
#define TIME_FIRST_MS	  1700000000000
#define WINDOW_MS	  (1000 * 3600 * 1000ull)
#define POLLS_MAX	  UINT64_C(10000000)

struct client_rings {
	struct ring append_req, append_done, read_req, read_done, extent_release;
};

struct bench {
	uint32_t value_bytes, records_a_batch, rounds;
	uint64_t bytes_wanted;
	struct clock *clock;
	struct rand rand;
	char dir[64];
	struct io *keeper_io, *shard_io;
	struct logstore *store;
	struct client_rings clients[2];
	struct ring notes, tasks, dones;
	struct route_topic topic;
	struct route_partition partition;
	struct route_table routes;
	struct batcher *batcher;
	struct worker *worker;
	/* The record batches as they were appended, for the plain loop. */
	uint8_t *bytes;
	uint64_t byte_count, records;
};

static uint64_t
cpu_ns(void)
{
	struct timespec now;

	ensure(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* One turn of the lcore. */
static void
turn(struct bench *b)
{
	uint64_t now_ns = clock_now_ns(b->clock);

	(void)log_shard_poll(logstore_shard(b->store, 0), now_ns);
	(void)batcher_poll(b->batcher, now_ns);
	(void)worker_poll(b->worker, now_ns);
}

static void
turn_with_keeper(struct bench *b)
{
	(void)log_keeper_poll(logstore_keeper(b->store), clock_now_ns(b->clock));
	turn(b);
}

/* --- start ------------------------------------------------------------------------------------- */

static void
start_rings(struct bench *b)
{
	for (uint32_t c = 0; c < 2; c++) {
		struct client_rings *r = &b->clients[c];

		ensure(!ring_create(&r->append_req, RING_SLOTS, sizeof(struct append_req), NULL));
		ensure(!ring_create(&r->append_done, RING_SLOTS, sizeof(struct append_done), NULL));
		ensure(!ring_create(&r->read_req, RING_SLOTS, sizeof(struct read_req), NULL));
		ensure(!ring_create(&r->read_done, RING_SLOTS, sizeof(struct read_done), NULL));
		ensure(!ring_create(&r->extent_release, RING_SLOTS, sizeof(struct extent_release), NULL));
	}
	ensure(!ring_create(&b->notes, RING_SLOTS, sizeof(struct commit_note), NULL));
	ensure(!ring_create(&b->tasks, 16, sizeof(struct window_task), NULL));
	ensure(!ring_create(&b->dones, 16, sizeof(struct window_done), NULL));
}

static void
start_log(struct bench *b)
{
	struct log_options options;

	snprintf(b->dir, sizeof(b->dir), "/tmp/penstock-window-XXXXXX");
	ensure(mkdtemp(b->dir));
	ensure(!io_forget_create(b->dir, 0, &b->keeper_io));
	ensure(!io_forget_create(b->dir, 0, &b->shard_io));
	log_options_init(&options);
	options.clock = b->clock;
	options.rand = &b->rand;
	options.keeper_io = b->keeper_io;
	options.shard_io[0] = b->shard_io;
	options.client_count = 2;
	options.partitions_max = 8;
	options.buffer_bytes = 16 * MIB;
	options.cache_bytes = 2 * b->bytes_wanted + 64 * MIB; /* all of it stays in memory */
	options.group_max_bytes = MIB;
	options.spare_bytes = GIB;
	options.free_low_bytes = 16 * MIB;
	options.durable_method = LOG_DURABLE_DSYNC;
	options.flush_scope = LOG_FLUSH_FILE;
	ensure(!logstore_create(&options, &b->store, NULL));
	for (uint32_t c = 0; c < 2; c++) {
		struct client_rings *r = &b->clients[c];

		logstore_attach(b->store, c, 0,
			&(struct log_client_rings){.append_req = &r->append_req,
				.append_done = &r->append_done,
				.read_req = &r->read_req,
				.read_done = &r->read_done,
				.extent_release = &r->extent_release});
	}
	logstore_attach_notes(b->store, 0, &b->notes);
	ensure(!logstore_recover(b->store, NULL, NULL, NULL));
	ensure(!log_shard_start(logstore_shard(b->store, 0)));
}

static void
start_batcher(struct bench *b)
{
	struct batcher_options options = {.clock = b->clock,
		.routes = &b->routes,
		.client = BATCHER,
		.shard_count = 1,
		.worker_count = 1,
		.pin_bytes_max = 256 * MIB};
	struct client_rings *r = &b->clients[BATCHER];

	memcpy(b->topic.name, "window", 6);
	b->topic.name_len = 6;
	b->topic.partition_count = 1;
	b->topic.metadata_version = 1;
	atomic_store(&b->topic.state, ROUTE_OPEN);
	b->partition.flags = ROUTE_WRITABLE;
	atomic_store(&b->partition.state, ROUTE_OPEN);
	b->routes = (struct route_table){.topics = &b->topic,
		.partitions = &b->partition,
		.topics_max = 1,
		.partitions_max = 1};
	atomic_store(&b->routes.topic_count, 1);
	atomic_store(&b->routes.partition_count, 1);
	options.commit_notes[0] = &b->notes;
	options.read_req[0] = &r->read_req;
	options.read_done[0] = &r->read_done;
	options.extent_release[0] = &r->extent_release;
	options.tasks[0] = &b->tasks;
	options.dones[0] = &b->dones;
	ensure(!worker_create(&b->tasks, &b->dones, b->clock, &b->worker));
	options.workers[0] = b->worker;
	ensure(!batcher_create(&options, &b->batcher));
}

static void
create_partition(struct bench *b)
{
	struct log_command command = {.kind = LOG_COMMAND_CREATE};

	memcpy(command.topic, "window", 6);
	rand_fill(&b->rand, command.topic_id, sizeof(command.topic_id));
	memcpy(b->topic.topic_id, command.topic_id, sizeof(command.topic_id));
	log_topic_config_init(&command.config);
	ensure(!logstore_command(b->store, &command));
	while (logstore_command_poll(b->store) != &command) {
		turn_with_keeper(b);
	}
	ensure(command.error == 0 && command.partition_index == 0);
}

/* --- the log's contents ------------------------------------------------------------------------ */

static size_t
make_batch(struct bench *b, uint8_t *room, uint32_t number)
{
	struct record_builder builder;
	uint8_t *value = calloc(1, b->value_bytes + 1ul);

	ensure(value);
	record_builder_init(&builder, room, BATCH_BYTES_MAX);
	for (uint32_t i = 0; i < b->records_a_batch; i++) {
		rand_fill(&b->rand, value, b->value_bytes);
		ensure(!record_builder_add(&builder, (int64_t)(TIME_FIRST_MS + number % 60000), "key", 3,
			value, (int32_t)b->value_bytes));
	}
	free(value);
	return record_builder_finish(&builder, -1, -1, -1);
}

/* Takes answers of the log; returns how many batches were copied. */
static uint32_t
take_done(struct bench *b)
{
	struct append_done done;
	uint32_t copied = 0;

	while (ring_take(&b->clients[APPENDER].append_done, &done, 1) == 1) {
		ensure(done.kind != APPEND_REFUSED);
		ensure(done.kind != APPEND_FAILED);
		copied += done.kind == APPEND_COPIED;
	}
	return copied;
}

/* Offers a batch; the log is stepped when its ring is full, so that groups are large. */
static uint32_t
append_one(struct bench *b, const uint8_t *batch, size_t len)
{
	struct append_req req = {.batch = batch,
		.batch_len = (uint32_t)len,
		.client = APPENDER,
		.producer_id = -1,
		.base_sequence = -1,
		.producer_epoch = -1,
		.rx_time_ns = clock_now_ns(b->clock),
		.record_count = b->records_a_batch};
	uint32_t copied = 0;

	while (ring_offer(&b->clients[APPENDER].append_req, &req, 1) == 0) {
		turn_with_keeper(b);
		copied += take_done(b);
	}
	return copied;
}

static void
fill(struct bench *b)
{
	uint32_t sent = 0, copied = 0;

	b->bytes = malloc(b->bytes_wanted + BATCH_BYTES_MAX);
	ensure(b->bytes);
	for (; b->byte_count < b->bytes_wanted; sent++) {
		size_t len = make_batch(b, b->bytes + b->byte_count, sent);

		copied += append_one(b, b->bytes + b->byte_count, len);
		b->byte_count += len;
		b->records += b->records_a_batch;
	}
	while (copied < sent) {
		turn_with_keeper(b);
		copied += take_done(b);
	}
	for (uint32_t i = 0; i < 1000; i++) { /* the last groups, their notes */
		turn_with_keeper(b);
		(void)take_done(b);
	}
}

/* --- rounds ------------------------------------------------------------------------------------ */

static uint64_t
plain_loop_ns(const struct bench *b)
{
	uint64_t begin_ns = cpu_ns(), count = 0;

	struct record_batch_iterator batches;

	record_batch_iterator_init(&batches, b->bytes, b->byte_count);
	while (record_batch_iterator_next(&batches) > 0) {
		struct record_iterator it;
		struct record_view record;

		ensure(!record_iterator_init(&it, batches.bytes, batches.len));
		while (record_iterator_next(&it, &record) > 0) {
			count++;
		}
	}
	ensure(count == b->records);
	return cpu_ns() - begin_ns;
}

static void
command(struct bench *b, struct batcher_command *c)
{
	struct batcher_command *answer = NULL;

	ensure(!batcher_command(b->batcher, c));
	for (uint64_t i = 0; !answer; i++) {
		ensure(i < POLLS_MAX);
		turn(b);
		answer = batcher_command_poll(b->batcher);
	}
	ensure(answer == c);
	ensure(c->error == 0);
}

static bool
job_round(struct bench *b, uint32_t round)
{
	struct batcher_command create = {.kind = BATCHER_CREATE};
	struct job_status status;
	uint64_t loop_ns = plain_loop_ns(b);

	job_spec_init(&create.spec);
	snprintf(create.spec.name, sizeof(create.spec.name), "round%u", round);
	create.spec.source_count = 1;
	create.spec.start = JOB_START_EARLIEST;
	create.spec.function = plugin_builtin("count");
	create.spec.time = JOB_TIME_EVENT;
	create.spec.window = JOB_WINDOW_TUMBLING;
	create.spec.window_size_ms = WINDOW_MS;
	create.spec.cut_bytes_max = UINT64_MAX;
	command(b, &create);
	struct batcher_command drain = {.kind = BATCHER_DRAIN, .job = create.job,
		.job_id = create.job_id};
	uint64_t turns = 0, calls = alloc_count_here(), begin_ns = cpu_ns();

	command(b, &drain);
	for (uint64_t i = 0;; i++) {
		ensure(i < POLLS_MAX);
		turn(b);
		turns++;
		ensure(!batcher_job_status(b->batcher, create.job, &status));
		if (status.state != JOB_DRAINING) {
			break;
		}
	}
	uint64_t job_ns = cpu_ns() - begin_ns;

	calls = alloc_count_here() - calls;
	ensure(status.state == JOB_DRAINED);
	bool right = status.counters[JOB_window_records] == b->records && calls == 0;

	printf("{\"records\": %llu, \"value_bytes\": %u, \"records_a_batch\": %u, \"batch_bytes\": %llu, "
	       "\"plain_loop_per_s\": %.0f, \"job_per_s\": %.0f, \"in_windows\": %llu, \"turns\": %llu, \"allocations\": %llu}\n",
		(unsigned long long)b->records, b->value_bytes, b->records_a_batch,
		(unsigned long long)(b->byte_count / (b->records / b->records_a_batch)),
		(double)b->records * 1e9 / (double)loop_ns, (double)b->records * 1e9 / (double)job_ns,
		(unsigned long long)status.counters[JOB_window_records], (unsigned long long)turns,
		(unsigned long long)calls);
	fflush(stdout);
	struct batcher_command end = {.kind = BATCHER_DELETE, .job = create.job,
		.job_id = create.job_id};

	command(b, &end);
	return right;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static uint64_t
argument(int argc, char **argv, int index, uint64_t otherwise)
{
	return argc > index ? strtoull(argv[index], NULL, 10) : otherwise;
}

int
main(int argc, char **argv)
{
	static struct bench bench;
	struct bench *b = &bench;
	bool right = true;

	b->value_bytes = (uint32_t)argument(argc, argv, 1, 100);
	b->records_a_batch = (uint32_t)argument(argc, argv, 2, 10);
	b->rounds = (uint32_t)argument(argc, argv, 3, 5);
	b->bytes_wanted = argument(argc, argv, 4, 128) * MIB;
	ensure((uint64_t)b->records_a_batch * (b->value_bytes + 32ull) < BATCH_BYTES_MAX / 2);
	ensure(b->records_a_batch > 0);
	b->clock = clock_system();
	rand_init(&b->rand, 1);
	start_rings(b);
	start_log(b);
	start_batcher(b);
	create_partition(b);
	fill(b);
	for (uint32_t i = 0; i < b->rounds; i++) {
		right &= job_round(b, i);
	}
	(void)nftw(b->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return right ? 0 : 1;
}
