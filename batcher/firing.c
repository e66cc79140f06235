/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Firing a window: choose it, build the task, pin a chapter of its records, send it to the worker,
 * hand the output to the sinks. Batcher's lcore. One task of a job is out at a time, so windows of
 * a job fire in order of their start. A failed attempt is repeated with the same ranges; its output
 * is thrown away.
 */
#include <errno.h>
#include <string.h>
#include "base/ensure.h"
#include "batcher/job.h"
#include "batcher/sink/sink.h"

/* Tumbling windows that end at or before it are on time. */
static int64_t
firing_bound_ms(const struct job *job)
{
	return job->spec.time == JOB_TIME_EVENT ? job->watermark.value_ms
						: (int64_t)(job->batch_time_ns / NS_PER_MS);
}

/* Why the window with the least start fires now; false if it does not. */
static bool
firing_reason(const struct job *job, const struct window *w, enum penstock_fire_reason *ret_reason)
{
	*ret_reason = PENSTOCK_FIRE_ON_TIME;
	if (job->spec.window == JOB_WINDOW_NONE) {
		*ret_reason = PENSTOCK_FIRE_MICROBATCH;
		return true;
	}
	if (w->end_ms <= firing_bound_ms(job)) {
		return true;
	}
	*ret_reason = PENSTOCK_FIRE_FINAL;
	return job->final;
}

static void
firing_slices(struct job *job)
{
	const struct window_range *ranges = window_set_ranges(&job->windows, job->firing_window);
	struct worker_task *t = &job->task.inner;

	t->slice_count = 0;
	for (uint32_t i = 0; i < job->partition_count; i++) {
		const struct job_partition *p = &job->partitions[i];

		job->slice_of[i] = UINT32_MAX;
		if (ranges[i].from == ranges[i].until) {
			continue;
		}
		job->slice_of[i] = t->slice_count;
		t->slices[t->slice_count++] = (struct task_slice){
			.topic = p->topic,
			.partition = p->partition,
			.partition_index = p->index,
			.from = ranges[i].from,
			.until = ranges[i].until,
		};
	}
}

/* Gives each slice its exclusions, in one place behind one another. */
static void
firing_exclusions(struct job *job, int64_t start_ms)
{
	struct worker_task *t = &job->task.inner;
	uint32_t first = 0;

	for (uint32_t i = 0; i < job->exclusion_count; i++) {
		const struct job_exclusion *x = &job->exclusions[i];

		if (x->window_start_ms == start_ms && job->slice_of[x->partition] != UINT32_MAX) {
			t->slices[job->slice_of[x->partition]].exclusion_count++;
		}
	}
	for (uint32_t s = 0; s < t->slice_count; s++) {
		t->slices[s].exclusion_first = first;
		first += t->slices[s].exclusion_count;
		t->slices[s].exclusion_count = 0;
	}
	for (uint32_t i = 0; i < job->exclusion_count; i++) {
		const struct job_exclusion *x = &job->exclusions[i];

		if (x->window_start_ms == start_ms && job->slice_of[x->partition] != UINT32_MAX) {
			struct task_slice *slice = &t->slices[job->slice_of[x->partition]];

			t->exclusions[slice->exclusion_first + slice->exclusion_count++] = x->span;
		}
	}
}

/* Forgets the exclusions of windows that start at or before start_ms: they never fire again. */
static void
firing_forget_exclusions(struct job *job, int64_t start_ms)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < job->exclusion_count; i++) {
		if (job->exclusions[i].window_start_ms > start_ms) {
			job->exclusions[kept++] = job->exclusions[i];
		}
	}
	job->exclusion_count = kept;
}

static void
firing_chapter_begin(struct job *job, struct task_place place)
{
	struct worker_task *t = &job->task.inner;

	ensure(t->extent_count == 0);
	job_set_phase(job, JOB_PHASE_FILL);
	job->fill = place;
	job->chapter_bytes = 0;
	t->chapter++;
	t->chapter_start = place;
	t->chapter_end = place;
}

static struct task_place
firing_start_place(const struct worker_task *t)
{
	return (struct task_place){.offset = t->slice_count > 0 ? t->slices[0].from : 0};
}

static void
firing_begin(struct job *job, enum penstock_fire_reason reason)
{
	const struct window *w = &job->windows.windows[job->firing_window];
	struct worker_task *t = &job->task.inner;

	firing_slices(job);
	firing_exclusions(job, w->start_ms);
	t->by_time = job->spec.window == JOB_WINDOW_TUMBLING && job->spec.time == JOB_TIME_EVENT;
	t->low_ms = INT64_MIN;
	t->high_ms = INT64_MAX;
	if (t->by_time) {
		t->low_ms = w->start_ms > -JOB_TIME_LIMIT_MS ? w->start_ms : -JOB_TIME_LIMIT_MS;
		t->high_ms = w->end_ms - 1;
	}
	t->read_error = 0;
	t->suspended = false;
	t->info = (struct penstock_task_info){
		.struct_bytes = sizeof(t->info),
		.attempt = 1,
		.job = job->spec.name,
		.batch_sequence = job->batch_sequence,
		.batch_time_ns = (int64_t)job->batch_time_ns,
		.window_start_ms = w->start_ms,
		.window_end_ms = w->end_ms,
		.event_watermark_ms = job->watermark.value_ms,
		.now_ns = job->now_ms * (int64_t)NS_PER_MS,
		.record_count = w->records,
		.reason = reason,
	};
	job->busy_ns = 0;
	firing_chapter_begin(job, firing_start_place(t));
}

/*
 * All windows that are on time have fired. Every end between the bound before and the one now is
 * one of theirs or belongs to a window that nothing fell into. Before the first firing by event
 * time there is no bound: the first window begins it.
 */
static void
firing_count_skipped(struct job *job)
{
	int64_t size_ms = (int64_t)job->spec.window_size_ms;
	int64_t offset_ms = job->spec.window_offset_ms;
	int64_t bound_ms = firing_bound_ms(job);

	if (job->spec.window != JOB_WINDOW_TUMBLING || bound_ms == EVENT_WATERMARK_NONE) {
		return;
	}
	if (job->passed_ms != EVENT_WATERMARK_NONE) {
		uint64_t passed =
			(uint64_t)((window_set_start_ms(bound_ms, size_ms, offset_ms) -
					   window_set_start_ms(job->passed_ms, size_ms, offset_ms)) /
				   size_ms);

		ensure(passed >= job->fired_on_time);
		job->counters[JOB_windows_skipped] += passed - job->fired_on_time;
	}
	job->passed_ms = bound_ms;
	job->fired_on_time = 0;
}

uint32_t
firing_next(struct job *job)
{
	enum penstock_fire_reason reason;
	uint32_t window = window_set_first(&job->windows);

	if (window != WINDOW_NONE && firing_reason(job, &job->windows.windows[window], &reason)) {
		job->firing_window = window;
		firing_begin(job, reason);
		return 1;
	}
	if (job->exclusion_count > 0 && job->watermark.value_ms != EVENT_WATERMARK_NONE) {
		firing_forget_exclusions(
			job, job->watermark.value_ms - (int64_t)job->spec.window_size_ms);
	}
	firing_count_skipped(job);
	job->dirty = true;
	job_set_phase(job, JOB_PHASE_IDLE);
	if (job->final) {
		job_stop(job, PENSTOCK_CLOSE_DRAINED);
	}
	return 1;
}

void
firing_release(struct job *job)
{
	struct worker_task *t = &job->task.inner;

	for (uint32_t i = 0; i < t->extent_count; i++) {
		batcher_release(job, t->extents[i].pin, t->extents[i].partition_index,
			t->extents[i].held_bytes);
	}
	t->extent_count = 0;
}

void
firing_dispatch(struct job *job, enum task_kind kind)
{
	struct worker_task *t = &job->task.inner;
	struct window_task item = {.task = t, .dispatch_time_ns = job->batcher->now_ns};

	t->kind = kind;
	job->task_out = ring_offer(job->batcher->options.tasks[t->worker], &item, 1) == 1;
	job->task_due = !job->task_out;
}

static bool
firing_chapter_full(const struct job *job)
{
	const struct worker_task *t = &job->task.inner;

	return job->fill.slice == t->slice_count || t->extent_count == TASK_EXTENTS_MAX ||
	       job->chapter_bytes >= JOB_CHAPTER_BYTES ||
	       (t->extent_count > 0 && !batcher_may_read(job));
}

uint32_t
firing_fill(struct job *job)
{
	struct worker_task *t = &job->task.inner;

	if (job->reads_in_flight > 0) {
		return 0;
	}
	if (firing_chapter_full(job)) {
		t->chapter_end = job->fill;
		job_set_phase(job, JOB_PHASE_RUN);
		firing_dispatch(job, TASK_PROCESS);
		return 1;
	}
	uint64_t want = JOB_CHAPTER_BYTES - job->chapter_bytes;

	return batcher_read(job, BATCHER_TOKEN_FIRING, job->fill.offset,
		t->slices[job->fill.slice].until, want < JOB_READ_BYTES ? want : JOB_READ_BYTES);
}

static void
firing_filled_to(struct job *job, int64_t offset)
{
	const struct worker_task *t = &job->task.inner;
	const struct task_slice *slice = &t->slices[job->fill.slice];

	job->fill.offset = offset;
	if (offset >= slice->until) {
		job->fill.slice++;
		job->fill.offset = job->fill.slice < t->slice_count ? slice[1].from : 0;
	}
}

void
firing_read_done(struct job *job, const struct read_done *done)
{
	struct worker_task *t = &job->task.inner;
	const struct task_slice *slice = &t->slices[job->fill.slice];

	const struct task_extent *before =
		t->extent_count > 0 ? &t->extents[t->extent_count - 1] : NULL;
	bool shared = before && before->partition_index == done->partition_index &&
		      before->held == done->held;
	uint32_t held_bytes = done->error || shared ? 0 : done->held_bytes;

	batcher_read_back(job, held_bytes);
	if (done->error) {
		job_read_failed(job, slice->topic, slice->partition, job->fill.offset, done->error);
		return;
	}
	if (!done->data) {
		/* No room in the log's memory: ask again. Or offsets that are gone: behind them. */
		if (job->phase == JOB_PHASE_FILL && done->next_offset > job->fill.offset) {
			firing_filled_to(job, done->next_offset);
		}
		return;
	}
	if (job->phase != JOB_PHASE_FILL || done->next_offset <= job->fill.offset) {
		batcher_release(job, done->pin, done->partition_index, held_bytes);
		if (job->phase == JOB_PHASE_FILL) {
			job_fail(job, -EBADMSG, "%s-%u: the log gave nothing at offset %lld",
				slice->topic, slice->partition, (long long)job->fill.offset);
		}
		return;
	}
	t->extents[t->extent_count++] = (struct task_extent){
		.data = done->data,
		.len = done->data_len,
		.slice = job->fill.slice,
		.until = done->next_offset,
		.pin = done->pin,
		.partition_index = done->partition_index,
		.held_bytes = held_bytes,
		.held = done->held,
	};
	job->chapter_bytes += done->data_len;
	firing_filled_to(job, done->next_offset);
}

void
firing_retry(struct job *job)
{
	firing_chapter_begin(job, firing_start_place(&job->task.inner));
}

/* The call succeeded: sinks, row, counters; the window is gone. */
static void
firing_finish(struct job *job)
{
	const struct worker_task *t = &job->task.inner;
	const struct window *w = &job->windows.windows[job->firing_window];
	struct window_row *row = &job->row;

	*row = (struct window_row){
		.sequence = ++job->window_sequence,
		.start_ms = w->start_ms,
		.end_ms = w->end_ms,
		.record_count = w->records,
		.firing = t->info.firing,
		.reason = t->info.reason,
		.batch_sequence = job->batch_sequence,
		.fired_wall_ms = (int64_t)(job->batcher->wall_ns / NS_PER_MS),
		.busy_ns = job->busy_ns,
		.digest = w->digest,
	};
	if (job->spec.sink_print) {
		job->counters[JOB_output_dropped_rows] += sink_print(t, row);
	}
	if (job->spec.sink_callback) {
		sink_call(t, job->spec.sink_callback, job->spec.sink_user_data);
	}
	history_add(&job->batcher->histories[job->index], row);
	job->counters[JOB_window_rows_overrun] += row->sequence > HISTORY_ROWS;
	job->counters[JOB_fired]++;
	if (t->info.reason == PENSTOCK_FIRE_ON_TIME) {
		job->fired_on_time++;
		if (job->passed_ms == EVENT_WATERMARK_NONE) {
			job->passed_ms = w->start_ms;
		}
	}
	job->counters[JOB_output_records] += t->output_records;
	job->counters[JOB_window_records] += w->records;
	job->counters[JOB_open_records] -= w->records;
	job->window_digest += w->digest;
	if (job->spec.time == JOB_TIME_EVENT) {
		firing_forget_exclusions(job, w->start_ms);
	}
	window_set_remove_first(&job->windows);
	job_set_phase(job, JOB_PHASE_FIRE);
	job->dirty = true;
}

static void
firing_attempt_failed(struct job *job, int result)
{
	struct worker_task *t = &job->task.inner;

	job->counters[JOB_task_failures]++;
	job->dirty = true;
	if (t->info.attempt >= job->spec.task_attempts) {
		job_fail(job, result,
			"function failed %u times on window [%lld, %lld), last with %s (%d)",
			t->info.attempt, (long long)t->info.window_start_ms,
			(long long)t->info.window_end_ms, strerrorname_np(-result), result);
		return;
	}
	t->info.attempt++;
	job_set_phase(job, JOB_PHASE_RETRY);
	job->retry_ns = job->batcher->now_ns + JOB_RETRY_NS;
}

void
firing_task_done(struct job *job, const struct window_done *done)
{
	struct worker_task *t = &job->task.inner;

	job->busy_ns += done->busy_ns;
	firing_release(job);
	if (t->suspended) {
		firing_chapter_begin(job, t->want);
		return;
	}
	switch (done->result) {
	case 0:
		firing_finish(job);
		return;
	case -EAGAIN:
		job->counters[JOB_task_retries]++;
		job->dirty = true;
		job_set_phase(job, JOB_PHASE_RETRY);
		job->retry_ns = job->batcher->now_ns + JOB_RETRY_NS;
		return;
	case -ECANCELED:
		job_fail(job, -ECANCELED, "the function stopped the job at window [%lld, %lld)",
			(long long)t->info.window_start_ms, (long long)t->info.window_end_ms);
		return;
	default:
		firing_attempt_failed(job, done->result);
	}
}
