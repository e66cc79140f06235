/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records a second of one core into a count window: the cursor alone, and the whole job (scan,
 * judge, digest, pin, cursor) over a log in memory. Prints one JSON object a line. Arguments: value
 * bytes (default 100), records a batch (default 100), repeats (default 5).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "unit/batcher/rig.h"
#include "batcher/worker/worker_task.h"

#define BENCH_BATCHES 4000

struct bench_shape {
	uint32_t value_bytes;
	uint32_t records;
	uint32_t repeats;
};

static uint64_t
bench_fill(struct rig *rig, const struct bench_shape *shape)
{
	size_t room_bytes =
		RECORD_BATCH_HEADER_BYTES + shape->records * (shape->value_bytes + 64ul);
	uint8_t *room = malloc(room_bytes);
	uint8_t *value = calloc(1, shape->value_bytes + 1);
	uint64_t bytes = 0;

	ensure(room && value);
	for (uint32_t i = 0; i < BENCH_BATCHES; i++) {
		struct record_builder builder;

		record_builder_init(&builder, room, room_bytes);
		for (uint32_t k = 0; k < shape->records; k++) {
			ensure(!record_builder_add(
				&builder, 1000 + k, "key", 3, value, (int32_t)shape->value_bytes));
		}
		size_t len = record_builder_finish(&builder, -1, -1, -1);

		fake_log_append(&rig->log, 0, room, len);
		bytes += len;
	}
	ensure(fake_log_note(&rig->log, 0));
	free(room);
	free(value);
	return bytes;
}

static void
bench_print(const char *name, const struct bench_shape *shape, double records, uint64_t ns)
{
	printf("{\"bench\": \"%s\", \"value_bytes\": %u, \"records_per_batch\": %u, "
	       "\"records_per_s\": %.0f}\n",
		name, shape->value_bytes, shape->records, records * 1e9 / (double)ns);
}

/* One job over everything; the cursor's share is what the worker reports as busy. */
static void
bench_once(const struct bench_shape *shape)
{
	struct rig rig;
	struct job_spec spec = rig_event_spec(plugin_builtin("count"), 3600 * 1000);
	double records = (double)BENCH_BATCHES * shape->records;
	struct window_row row;
	uint32_t job;

	rig_init(&rig, (struct rig_options){.partitions = 1, .pin_bytes_max = 256 * MIB});
	spec.cut_bytes_max = UINT64_MAX;
	ensure(!rig_create(&rig, &spec, &job));
	bench_fill(&rig, shape);
	/* The fake clock drives the job; real time is measured around it. */
	struct clock *clock = clock_system();
	uint64_t begin_ns = clock_now_ns(clock);

	ensure(!rig_change(&rig, job, BATCHER_DRAIN));
	rig_settle(&rig);
	uint64_t all_ns = clock_now_ns(clock) - begin_ns;

	ensure(batcher_windows(rig.batcher, job, 0, &row, 1) == 1);
	ensure(row.record_count == (uint64_t)records);
	bench_print("job_count_window", shape, records, all_ns);
	rig_free(&rig);
}

/* The cursor over one extent in memory, as a worker's count sees it. */
static void
bench_cursor(const struct bench_shape *shape)
{
	struct rig rig;

	rig_init(&rig, (struct rig_options){.partitions = 1});
	uint64_t bytes = bench_fill(&rig, shape);
	double records = (double)BENCH_BATCHES * shape->records;
	struct penstock_task *task = calloc(1, sizeof(*task));
	struct task_slice slice = {"fake", 0, 0, 0, (int64_t)records, 0, 0};
	uint8_t output[256];

	ensure(task);
	task->inner.slices = &slice;
	task->inner.slice_count = 1;
	task->inner.by_time = true;
	task->inner.low_ms = 0;
	task->inner.high_ms = INT64_MAX;
	task->inner.chapter_end = (struct task_place){1, 0};
	task->inner.extent_count = 1;
	task->inner.extents[0] = (struct task_extent){
		rig.log.partitions[0].bytes, (uint32_t)bytes, 0, (int64_t)records, 0, 0};
	task->inner.info.record_count = (uint64_t)records;
	task->inner.output = output;
	task->inner.output_bytes_max = sizeof(output);
	uint64_t begin_ns = clock_now_ns(clock_system());

	ensure(plugin_builtin("count")->process(NULL, task) == 0);
	bench_print("cursor_count", shape, records, clock_now_ns(clock_system()) - begin_ns);
	free(task);
	rig_free(&rig);
}

int
main(int argc, char **argv)
{
	struct bench_shape shape = {
		.value_bytes = argc > 1 ? (uint32_t)atoi(argv[1]) : 100,
		.records = argc > 2 ? (uint32_t)atoi(argv[2]) : 100,
		.repeats = argc > 3 ? (uint32_t)atoi(argv[3]) : 5,
	};

	for (uint32_t i = 0; i < shape.repeats; i++) {
		bench_cursor(&shape);
		bench_once(&shape);
	}
	return 0;
}
