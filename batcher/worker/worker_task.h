/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of a job's function, as it travels batcher -> worker -> batcher: what to call, where the
 * window's records lie, what the function emitted. One task a job, made with the job, used again
 * for every window. Owner: the worker between window_task and window_done, else the batcher.
 *
 * A window passes in chapters: runs of pinned extents, in the order (slice, offset). Mostly one
 * chapter holds the whole window; else the worker's cursor asks for the next one (`want`) by
 * setting process() aside on its fiber and sending the task back with wants_more.
 */
#ifndef BATCHER_WORKER_WORKER_TASK_H
#define BATCHER_WORKER_WORKER_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"
#include "batcher/worker/fiber.h"
#include "batcher/worker/penstock_worker.h"

#define TASK_EXTENTS_MAX 64

enum task_kind {
	TASK_OPEN,
	TASK_PROCESS,
	TASK_CLOSE,
};

struct penstock_job {
	const char *name;
	uint32_t param_count; /* pairs */
	const char *const *params;
};

struct task_slice {
	const char *topic;
	uint32_t partition;       /* within its topic */
	uint32_t partition_index; /* of base/route_table.h */
	int64_t from;
	int64_t until;
	uint32_t exclusion_first; /* into worker_task.exclusions */
	uint32_t exclusion_count;
};

/*
 * Records of offsets [from, until) above limit_ms were judged too far in the future at their
 * micro-batch, although their window fired later: the cursor leaves them out again.
 */
struct task_exclusion {
	int64_t from;
	int64_t until;
	int64_t limit_ms;
};

struct task_extent {
	const uint8_t *data;
	uint32_t len;
	uint32_t slice;
	int64_t until; /* first offset behind it */
	uint64_t pin;
	uint32_t partition_index;
	uint32_t held_bytes; /* counted for it: 0 if the extent before holds the same memory */
	uint64_t held;
};

/* A place in the window's order of records. {slice_count, 0} is the end. */
struct task_place {
	uint32_t slice;
	int64_t offset;
};

struct worker_task {
	uint64_t job_id;
	uint64_t timeout_ns; /* a call of more is reported stuck */
	const struct penstock_worker *function;
	struct penstock_job job;
	void *user;
	uint32_t worker; /* index of the lcore that opened it */

	enum task_kind kind;
	enum penstock_close_reason close_reason;
	struct penstock_task_info info;

	struct task_slice *slices;
	uint32_t slice_count;
	/* Only timestamps of [low_ms, high_ms], and never -1 (none) if judged by event time. */
	bool by_time;
	int64_t low_ms;
	int64_t high_ms;
	struct task_exclusion *exclusions;

	uint32_t chapter; /* +1 whenever extents change */
	struct task_place chapter_start;
	struct task_place chapter_end;
	uint32_t extent_count;
	struct task_extent extents[TASK_EXTENTS_MAX];
	int read_error; /* negative errno: there is no more; cursors return it */

	struct fiber *fiber;
	bool suspended; /* process() waits on the fiber */
	bool wants_more;
	struct task_place want;
	int result; /* of process(), once it returned */

	uint8_t *output;
	uint64_t output_bytes;
	uint64_t output_bytes_max;
	uint64_t output_records;
};

struct penstock_task {
	struct worker_task inner;
};

static inline bool
task_place_before(struct task_place a, struct task_place b)
{
	return a.slice != b.slice ? a.slice < b.slice : a.offset < b.offset;
}

/*
 * Fills a caller's struct, struct_bytes first, as far as both sides know it; zero behind. Never more
 * than caller_bytes are written.
 */
void worker_task_fill(
	void *ret_struct, size_t caller_bytes, const void *source, size_t source_bytes);

/* One record in the output buffer; key and value bytes follow. */
struct task_output {
	int32_t key_len;
	int32_t value_len;
};

/* The output record at *position, which moves on; false at the end. NULL key or value = null. */
bool worker_task_output(const struct worker_task *task, uint64_t *position,
	struct task_output *ret_output, const uint8_t **ret_key, const uint8_t **ret_value);

#endif
