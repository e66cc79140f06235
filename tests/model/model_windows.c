/* SPDX-License-Identifier: Apache-2.0 */
/* The batcher in the model (model_windows.h). */
#include "model_windows.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/ensure.h"
#include "batcher/batcher.h"
#include "model_server.h"

#define WINDOWS_SLOTS	  16
#define WINDOWS_PIN_BYTES (256 * KIB)

struct model_windows {
	struct model_windows_options options;
	struct batcher *batcher;
	struct worker *worker;
	struct ring tasks, dones;
	struct route_topic topic;
	struct route_partition partitions[MODEL_WINDOWS_PARTITIONS];
	struct route_table routes;
	struct batcher_command create, drain;
	bool asked, made, drain_asked;
	uint64_t sink_records, sink_digest;
	char broken[256];
};

static void windows_broken(struct model_windows *w, const char *format, ...) PRINTF_LIKE(2, 3);

static void
windows_broken(struct model_windows *w, const char *format, ...)
{
	va_list args;

	if (w->broken[0] == '\0') {
		va_start(args, format);
		vsnprintf(w->broken, sizeof(w->broken), format, args);
		va_end(args);
	}
}

/* The function "digest" emits "count sum" once a window. */
static void
windows_sink(void *user_data, const struct penstock_task_info *info, const void *key,
	int32_t key_len, const void *value, int32_t value_len)
{
	struct model_windows *w = user_data;
	unsigned long long count, digest;
	char text[64];

	snprintf(text, sizeof(text), "%.*s", (int)value_len, (const char *)value);
	if (sscanf(text, "%llu %llx", &count, &digest) != 2) {
		windows_broken(w, "the sink got \"%s\"", text);
		return;
	}
	w->sink_records += count;
	w->sink_digest += digest;
}

static void
windows_routes(struct model_windows *w)
{
	const struct model_windows_options *o = &w->options;

	w->topic = (struct route_topic){
		.partition_count = o->partition_count,
		.name_len = (uint8_t)strlen(MODEL_TOPIC),
		.name = MODEL_TOPIC,
	};
	atomic_store(&w->topic.state, ROUTE_OPEN);
	for (uint32_t p = 0; p < o->partition_count; p++) {
		struct route_partition *partition = &w->partitions[o->indexes[p]];

		*partition = (struct route_partition){
			.partition = p, .shard = (uint16_t)o->shards[p], .flags = ROUTE_WRITABLE};
		atomic_store(&partition->state, ROUTE_OPEN);
	}
	w->routes = (struct route_table){
		.topics = &w->topic,
		.partitions = w->partitions,
		.topics_max = 1,
		.partitions_max = MODEL_WINDOWS_PARTITIONS,
		.topic_count = 1,
		.partition_count = o->partition_count,
	};
}

static void
windows_spec(struct model_windows *w)
{
	struct job_spec *spec = &w->create.spec;
	struct rand *rand = w->options.rand;
	char text[256];

	w->create.kind = BATCHER_CREATE;
	job_spec_init(spec);
	memcpy(spec->name, "model", 6);
	spec->source_count = 1;
	spec->start = JOB_START_EARLIEST;
	spec->batch_interval_ns = (10 + rand_below(rand, 90)) * NS_PER_MS;
	spec->function = plugin_builtin("digest");
	spec->sink_callback = windows_sink;
	spec->sink_user_data = w;
	spec->cut_bytes_max = (64 + rand_below(rand, 192)) * KIB;
	if (rand_below(rand, 3) > 0) {
		spec->window = JOB_WINDOW_TUMBLING;
		spec->time = rand_below(rand, 3) == 0 ? JOB_TIME_INGEST : JOB_TIME_EVENT;
		spec->window_size_ms = spec->time == JOB_TIME_INGEST
					       ? spec->batch_interval_ns / NS_PER_MS * 2
					       : 5 + rand_below(rand, 100);
		spec->out_of_orderness_ms = spec->time == JOB_TIME_EVENT ? rand_below(rand, 50) : 0;
	}
	const char *wrong = job_spec_check(spec, text, sizeof(text));

	if (wrong) {
		windows_broken(w, "job: %s", wrong);
	}
}

struct model_windows *
model_windows_create(const struct model_windows_options *options)
{
	struct model_windows *w = calloc(1, sizeof(*w));
	struct batcher_options batcher = {
		.clock = options->clock,
		.client = options->client,
		.shard_count = options->shard_count,
		.worker_count = 1,
		.pin_bytes_max = WINDOWS_PIN_BYTES,
	};

	ensure(w);
	w->options = *options;
	windows_routes(w);
	windows_spec(w);
	for (uint32_t s = 0; s < options->shard_count; s++) {
		batcher.commit_notes[s] = options->commit_notes[s];
		batcher.read_req[s] = options->read_req[s];
		batcher.read_done[s] = options->read_done[s];
		batcher.extent_release[s] = options->extent_release[s];
	}
	ensure(ring_create(&w->tasks, WINDOWS_SLOTS, sizeof(struct window_task), NULL) == 0);
	ensure(ring_create(&w->dones, WINDOWS_SLOTS, sizeof(struct window_done), NULL) == 0);
	ensure(worker_create(&w->tasks, &w->dones, options->clock, &w->worker) == 0);
	batcher.routes = &w->routes;
	batcher.tasks[0] = &w->tasks;
	batcher.dones[0] = &w->dones;
	batcher.workers[0] = w->worker;
	ensure(batcher_create(&batcher, &w->batcher) == 0);
	return w;
}

void
model_windows_destroy(struct model_windows *windows)
{
	batcher_destroy(windows->batcher);
	worker_destroy(windows->worker);
	ring_destroy(&windows->tasks);
	ring_destroy(&windows->dones);
	free(windows);
}

static void
windows_judge(struct model_windows *w)
{
	struct job_status s;

	if (!w->made) {
		return;
	}
	ensure(batcher_job_status(w->batcher, w->create.job, &s) == 0);
	if (s.state == JOB_FAILED) {
		windows_broken(w, "the job failed (%d): %s", s.error, s.reason);
	}
	if (s.counters[JOB_read_records] !=
		s.counters[JOB_window_records] + s.counters[JOB_late_records] +
			s.counters[JOB_future_records] + s.counters[JOB_no_timestamp_records] +
			s.counters[JOB_open_records]) {
		windows_broken(w, "the job's ledger does not add up");
	}
}

uint32_t
model_windows_poll(struct model_windows *windows, uint64_t now_ns)
{
	struct model_windows *w = windows;
	uint32_t work = batcher_poll(w->batcher, now_ns) + worker_poll(w->worker, now_ns);
	const struct batcher_command *answer;

	/* The log's first notes came with that poll: a job starts from them. */
	if (!w->asked) {
		ensure(batcher_command(w->batcher, &w->create) == 0);
		w->asked = true;
		work++;
	}
	while ((answer = batcher_command_poll(w->batcher)) != NULL) {
		if (answer->error != 0) {
			windows_broken(w, "the batcher answers %d", answer->error);
		}
		w->made |= answer == &w->create && answer->error == 0;
		work++;
	}
	windows_judge(w);
	return work;
}

uint64_t
model_windows_deadline_ns(const struct model_windows *windows)
{
	return batcher_deadline_ns(windows->batcher);
}

bool
model_windows_drained(struct model_windows *windows)
{
	struct job_status s;

	if (!windows->made) {
		return false;
	}
	if (!windows->drain_asked) {
		windows->drain = (struct batcher_command){
			.kind = BATCHER_DRAIN, .job = windows->create.job,
			.job_id = windows->create.job_id};
		ensure(batcher_command(windows->batcher, &windows->drain) == 0);
		windows->drain_asked = true;
	}
	ensure(batcher_job_status(windows->batcher, windows->create.job, &s) == 0);
	return s.state == JOB_DRAINED || windows->broken[0] != '\0';
}

void
model_windows_check(struct model_windows *windows, uint64_t records, uint64_t digest)
{
	struct job_status s;

	ensure(batcher_job_status(windows->batcher, windows->create.job, &s) == 0);
	if (s.counters[JOB_read_records] != records || s.counters[JOB_open_records] != 0) {
		windows_broken(windows, "the log has %llu records, the job read %llu, %llu are open",
			(unsigned long long)records,
			(unsigned long long)s.counters[JOB_read_records],
			(unsigned long long)s.counters[JOB_open_records]);
	}
	if (s.window_digest + s.discard_digest != digest) {
		windows_broken(windows, "windows and late records do not hold what the log does");
	}
	if (windows->sink_records != s.counters[JOB_window_records] ||
		windows->sink_digest != s.window_digest) {
		windows_broken(windows, "the sink got %llu records of %llu in windows",
			(unsigned long long)windows->sink_records,
			(unsigned long long)s.counters[JOB_window_records]);
	}
}

const char *
model_windows_broken(const struct model_windows *windows)
{
	return windows->broken[0] != '\0' ? windows->broken : NULL;
}
