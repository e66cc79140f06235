/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything a job needs, stepped by one thread in virtual time: fake log, batcher, workers, and a
 * function that writes down what it was given. For the tests of this folder.
 */
#ifndef UNIT_BATCHER_RIG_H
#define UNIT_BATCHER_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "batcher/batcher.h"
#include "base/bytes.h"
#include "base/ensure.h"
#include "support/clock_fake.h"
#include "support/fake_log.h"
#include "wire/record_batch.h"

#define RIG_WORKERS 2
#define RIG_WALL_MS INT64_C(1700000000000) /* a multiple of 1 s */

struct rig {
	struct clock_fake clock;
	struct fake_log log;
	struct batcher *batcher;
	struct worker *workers[RIG_WORKERS];
	struct ring tasks[RIG_WORKERS];
	struct ring dones[RIG_WORKERS];
	bool worker_held; /* workers are not polled */
};

struct rig_options {
	uint32_t partitions;
	uint32_t shards;
	uint32_t ring_count;
	uint64_t pin_bytes_max;
	uint32_t workers; /* of RIG_WORKERS; 0: all */
	struct waker *answered;
};

static inline void
rig_init(struct rig *rig, struct rig_options o)
{
	struct batcher_options options = {0};

	memset(rig, 0, sizeof(*rig));
	o.shards = o.shards ? o.shards : 1;
	o.ring_count = o.ring_count ? o.ring_count : 1024;
	clock_fake_init(&rig->clock, NS_PER_S, (uint64_t)RIG_WALL_MS * NS_PER_MS);
	fake_log_init(&rig->log, o.partitions ? o.partitions : 1, o.shards, o.ring_count);
	options.clock = &rig->clock.clock;
	options.routes = &rig->log.routes;
	options.client = 3;
	options.shard_count = o.shards;
	options.worker_count = o.workers ? o.workers : RIG_WORKERS;
	options.answered = o.answered;
	options.pin_bytes_max = o.pin_bytes_max ? o.pin_bytes_max : 64 * MIB;
	for (uint32_t s = 0; s < o.shards; s++) {
		options.commit_notes[s] = &rig->log.commit_notes[s];
		options.read_req[s] = &rig->log.read_req[s];
		options.read_done[s] = &rig->log.read_done[s];
		options.extent_release[s] = &rig->log.extent_release[s];
	}
	for (uint32_t w = 0; w < RIG_WORKERS; w++) {
		ensure(!ring_create(&rig->tasks[w], 16, sizeof(struct window_task), NULL));
		ensure(!ring_create(&rig->dones[w], 16, sizeof(struct window_done), NULL));
		ensure(!worker_create(
			&rig->tasks[w], &rig->dones[w], &rig->clock.clock, &rig->workers[w]));
		options.tasks[w] = &rig->tasks[w];
		options.dones[w] = &rig->dones[w];
		options.workers[w] = rig->workers[w];
	}
	ensure(!batcher_create(&options, &rig->batcher));
}

static inline uint32_t
rig_poll(struct rig *rig)
{
	uint32_t work = batcher_poll(rig->batcher, clock_now_ns(&rig->clock.clock));

	for (uint32_t w = 0; w < RIG_WORKERS && !rig->worker_held; w++) {
		work += worker_poll(rig->workers[w], clock_now_ns(&rig->clock.clock));
	}
	return work + fake_log_poll(&rig->log);
}

/* Steps until nothing moves at this instant. */
static inline void
rig_settle(struct rig *rig)
{
	uint32_t idle = 0;

	for (uint32_t i = 0; idle < 3; i++) {
		ensure(i < 1000000);
		idle = rig_poll(rig) > 0 ? 0 : idle + 1;
	}
}

static inline void
rig_advance_ms(struct rig *rig, uint64_t ms)
{
	clock_fake_advance(&rig->clock, ms * NS_PER_MS);
	rig_settle(rig);
}

static inline void
rig_free(struct rig *rig)
{
	rig->worker_held = false;
	batcher_stop(rig->batcher);
	rig_settle(rig);
	ensure(batcher_stopped(rig->batcher));
	ensure(rig->log.pins == 0);
	batcher_destroy(rig->batcher);
	fake_log_poll(&rig->log);
	for (uint32_t w = 0; w < RIG_WORKERS; w++) {
		worker_destroy(rig->workers[w]);
		ring_destroy(&rig->tasks[w]);
		ring_destroy(&rig->dones[w]);
	}
	fake_log_free(&rig->log);
}

/* Runs one command to its answer; returns its error. */
static inline int
rig_command(struct rig *rig, struct batcher_command *command)
{
	struct batcher_command *answer = NULL;

	ensure(batcher_command(rig->batcher, command) == 0);
	for (uint32_t i = 0; !answer && i < 1000000; i++) {
		(void)rig_poll(rig);
		answer = batcher_command_poll(rig->batcher);
	}
	ensure(answer == command);
	return command->error;
}

static inline int
rig_create(struct rig *rig, const struct job_spec *spec, uint32_t *ret_job)
{
	struct batcher_command command = {.kind = BATCHER_CREATE, .spec = *spec};
	int rc = rig_command(rig, &command);

	*ret_job = command.job;
	return rc;
}

/* To the job that has this place now. */
static inline int
rig_change(struct rig *rig, uint32_t job, enum batcher_command_kind kind)
{
	struct batcher_command command = {.kind = kind, .job = job};
	struct job_status status;

	if (batcher_job_status(rig->batcher, job, &status) == 0) {
		command.job_id = status.job_id;
	}
	return rig_command(rig, &command);
}

static inline struct job_status
rig_status(struct rig *rig, uint32_t job)
{
	struct job_status status;

	ensure(batcher_job_status(rig->batcher, job, &status) == 0);
	return status;
}

/* Appends one record batch of records with these times, keys "k", values "v<time>"; sends the note.
 */
static inline void
rig_append(struct rig *rig, uint32_t partition, const int64_t *times_ms, uint32_t count)
{
	uint8_t room[16384];
	char value[32];
	struct record_builder builder;

	record_builder_init(&builder, room, sizeof(room));
	for (uint32_t i = 0; i < count; i++) {
		int len = snprintf(value, sizeof(value), "v%lld", (long long)times_ms[i]);

		ensure(!record_builder_add(&builder, times_ms[i], "k", 1, value, len));
	}
	size_t len = record_builder_finish(&builder, -1, -1, -1);

	fake_log_append(&rig->log, partition, room, len);
	ensure(fake_log_note(&rig->log, partition));
}

#define RIG_APPEND(rig, partition, ...)                                                            \
	do {                                                                                       \
		const int64_t times_ms[] = {__VA_ARGS__};                                          \
		rig_append(rig, partition, times_ms, sizeof(times_ms) / sizeof(times_ms[0]));      \
	} while (0)

static inline struct job_spec
rig_spec(const struct penstock_worker *function)
{
	struct job_spec spec;

	job_spec_init(&spec);
	memcpy(spec.name, "job", 4);
	spec.source_count = 1;
	spec.start = JOB_START_EARLIEST;
	spec.function = function;
	return spec;
}

/* Tumbling windows on event time. */
static inline struct job_spec
rig_event_spec(const struct penstock_worker *function, uint64_t size_ms)
{
	struct job_spec spec = rig_spec(function);

	spec.time = JOB_TIME_EVENT;
	spec.window = JOB_WINDOW_TUMBLING;
	spec.window_size_ms = size_ms;
	return spec;
}

/* read = windows + late + future + no timestamp + open; asserted after every step of every test. */
static inline void
rig_check_ledger(struct rig *rig, uint32_t job)
{
	struct job_status s = rig_status(rig, job);

	assert_int_equal(s.counters[JOB_read_records],
		s.counters[JOB_window_records] + s.counters[JOB_late_records] +
			s.counters[JOB_future_records] + s.counters[JOB_no_timestamp_records] +
			s.counters[JOB_open_records]);
}

#endif
