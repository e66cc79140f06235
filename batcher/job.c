/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job's life: made by the control thread, opened on its worker, polled through its phases,
 * stopped in order (reads and task back, pins given up, function closed), published for readers.
 * Everything but job_create and job_destroy runs on the batcher's lcore.
 */
#include "batcher/job.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "base/errcode.h"

static const bool job_state_edges[JOB_STATE_COUNT][JOB_STATE_COUNT] = {
	[JOB_STARTING] = {[JOB_RUNNING] = true, [JOB_DELETED] = true},
	[JOB_RUNNING] = {[JOB_DRAINING] = true, [JOB_FAILED] = true, [JOB_DELETED] = true},
	[JOB_DRAINING] = {[JOB_DRAINED] = true, [JOB_FAILED] = true, [JOB_DELETED] = true},
	[JOB_DRAINED] = {[JOB_DELETED] = true},
	[JOB_FAILED] = {[JOB_DELETED] = true},
};

static const bool job_phase_edges[JOB_PHASE_COUNT][JOB_PHASE_COUNT] = {
	[JOB_PHASE_OPEN] = {[JOB_PHASE_IDLE] = true},
	[JOB_PHASE_IDLE] = {[JOB_PHASE_SCAN] = true, [JOB_PHASE_STOP] = true},
	[JOB_PHASE_SCAN] = {[JOB_PHASE_FIRE] = true, [JOB_PHASE_STOP] = true},
	[JOB_PHASE_FIRE] = {[JOB_PHASE_FILL] = true,
		[JOB_PHASE_IDLE] = true,
		[JOB_PHASE_STOP] = true},
	[JOB_PHASE_FILL] = {[JOB_PHASE_RUN] = true, [JOB_PHASE_STOP] = true},
	[JOB_PHASE_RUN] = {[JOB_PHASE_FILL] = true,
		[JOB_PHASE_FIRE] = true,
		[JOB_PHASE_RETRY] = true,
		[JOB_PHASE_STOP] = true},
	[JOB_PHASE_RETRY] = {[JOB_PHASE_FILL] = true, [JOB_PHASE_STOP] = true},
	[JOB_PHASE_STOP] = {[JOB_PHASE_CLOSE] = true, [JOB_PHASE_END] = true},
	[JOB_PHASE_CLOSE] = {[JOB_PHASE_END] = true},
};

void
job_set_state(struct job *job, enum job_state state)
{
	ensure(job_state_edges[job->state][state]);
	job->state = state;
}

void
job_set_phase(struct job *job, enum job_phase phase)
{
	ensure(job_phase_edges[job->phase][phase]);
	job->phase = phase;
}

static void
job_init(struct job *job)
{
	struct worker_task *t = &job->task.inner;
	const struct job_spec *spec = &job->spec;

	if (job->spec.task_timeout_ns == 0) {
		job->spec.task_timeout_ns = 10 * spec->batch_interval_ns;
		if (job->spec.task_timeout_ns < 10 * NS_PER_S) {
			job->spec.task_timeout_ns = 10 * NS_PER_S;
		}
	}
	job->watermark.out_of_orderness_ms = (int64_t)spec->out_of_orderness_ms;
	job->watermark.idle_timeout_ns = spec->idle_timeout_ms * NS_PER_MS;
	job->watermark.idle_close_ns = spec->idle_close_ms * NS_PER_MS;
	job->watermark.partition_count = job->partition_count;
	t->function = spec->function;
	t->job = (struct penstock_job){
		.name = spec->name, .param_count = spec->param_count, .params = spec->params};
	t->output_bytes_max = spec->output_bytes_max;
	t->timeout_ns = job->spec.task_timeout_ns;
}

int
job_create(
	struct batcher *batcher, const struct job_spec *spec, uint32_t index, struct job **ret_job)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job) {
		return -ENOMEM;
	}
	job->batcher = batcher;
	job->index = index;
	job->spec = *spec;
	job->partitions = calloc(BATCHER_JOB_PARTITIONS_MAX, sizeof(*job->partitions));
	int rc = job->partitions ? job_source_add_all(job) : -ENOMEM;

	if (rc == 0) {
		rc = job_memory_create(job);
	}
	if (rc) {
		job_destroy(job);
		return rc;
	}
	job_init(job);
	*ret_job = job;
	return 0;
}

void
job_destroy(struct job *job)
{
	job_memory_destroy(job);
	free(job);
}

/*
 * The worker with the fewest jobs, as the function stays on the lcore that opened it; none that is
 * stuck in a call, which may never end. WORKER_NONE: all are.
 */
static uint32_t
job_choose_worker(const struct batcher *batcher)
{
	uint32_t best = WORKER_NONE;

	for (uint32_t i = 0; i < batcher->options.worker_count; i++) {
		struct worker_call call;

		worker_call(batcher->options.workers[i], &call);
		if (!worker_call_stuck(&call, batcher->now_ns) &&
			(best == WORKER_NONE ||
				batcher->worker_jobs[i] < batcher->worker_jobs[best])) {
			best = i;
		}
	}
	return best;
}

/* It never was: the place is free, the control thread frees the memory. */
static void
job_refuse(struct job *job, int error)
{
	struct batcher *b = job->batcher;
	struct batcher_command *command = job->create_command;

	job->create_command = NULL;
	job_set_state(job, JOB_DELETED);
	job_publish(job);
	b->jobs[job->index] = NULL;
	batcher_answer(b, command, error);
}

void
job_start(struct job *job)
{
	struct batcher *b = job->batcher;

	uint32_t worker = job_choose_worker(b);

	if (worker == WORKER_NONE) {
		job_refuse(job, -ETIMEDOUT);
		return;
	}
	history_reset(&b->histories[job->index]);
	for (uint32_t i = 0; i < job->partition_count; i++) {
		struct job_partition *p = &job->partitions[i];

		p->next = job->spec.start == JOB_START_EARLIEST ? batcher_log_start(b, p->index)
								: batcher_visible(b, p->index);
	}
	job->task.inner.worker = worker;
	b->worker_jobs[worker]++;
	job->dirty = true;
	firing_dispatch(job, TASK_OPEN);
}

void
job_stop(struct job *job, enum penstock_close_reason reason)
{
	if (job->phase >= JOB_PHASE_STOP) {
		return;
	}
	job->stop_reason = reason;
	job_set_phase(job, JOB_PHASE_STOP);
	job->task_due = false;
	job->dirty = true;
}

void
job_fail(struct job *job, int error, const char *format, ...)
{
	va_list args;

	if (job->phase >= JOB_PHASE_STOP) {
		return; /* the first cause counts */
	}
	va_start(args, format);
	(void)vsnprintf(job->reason, sizeof(job->reason), format, args);
	va_end(args);
	job->error = error;
	job_set_state(job, JOB_FAILED);
	job_stop(job, PENSTOCK_CLOSE_FAILED);
}

void
job_read_failed(
	struct job *job, const char *topic, uint32_t partition, int64_t offset, int16_t error)
{
	if (job_source_deleted(job)) {
		return;
	}
	if (error == KAFKA_CORRUPT_MESSAGE) {
		job_fail(job, -EIO,
			"%s-%u: damaged at or after offset %lld, the partition is in quarantine. fix: penstock partition "
			"repair %s %u --action restore, then make the job again",
			topic, partition, (long long)offset, topic, partition);
		return;
	}
	job_fail(job, -EIO, "%s-%u: reading from offset %lld failed: %s (Kafka error %d)", topic, partition,
		(long long)offset, kafka_error_text(error), error);
}

void
job_drain(struct job *job)
{
	if (job->state != JOB_RUNNING) {
		return;
	}
	job_set_state(job, JOB_DRAINING);
	job->dirty = true;
	for (uint32_t i = 0; i < job->partition_count; i++) {
		struct job_partition *p = &job->partitions[i];

		p->drain_until = batcher_visible(job->batcher, p->index);
	}
}

/* Nothing of the job is on its way any more. */
static void
job_end(struct job *job)
{
	struct batcher *b = job->batcher;

	job_set_phase(job, JOB_PHASE_END);
	job->dirty = true;
	job->opened = false;
	b->worker_jobs[job->task.inner.worker]--;
	if (job->stop_reason == PENSTOCK_CLOSE_DRAINED) {
		job_set_state(job, JOB_DRAINED);
	}
}

/* Stopping, one step a call: wait for what is out, let a suspended process() end, close. */
static uint32_t
job_poll_stop(struct job *job)
{
	struct worker_task *t = &job->task.inner;

	if (job->reads_in_flight > 0 || job->task_out) {
		return 0;
	}
	firing_release(job);
	if (t->suspended) {
		t->read_error = -ECANCELED;
		t->chapter++;
		firing_dispatch(job, TASK_PROCESS);
		return 1;
	}
	if (!job->opened) {
		job_end(job);
		return 1;
	}
	job_set_phase(job, JOB_PHASE_CLOSE);
	t->close_reason = job->stop_reason;
	firing_dispatch(job, TASK_CLOSE);
	return 1;
}

/* A deleted job at its end leaves the batcher; the control thread frees it. */
static uint32_t
job_poll_end(struct job *job)
{
	struct batcher *b = job->batcher;
	struct batcher_command *command = job->delete_command;

	if (!command) {
		return 0;
	}
	job_set_state(job, JOB_DELETED);
	job_publish(job);
	b->jobs[job->index] = NULL;
	batcher_answer(b, command, 0); /* from here on it is the control thread's */
	return 1;
}

static uint32_t
job_poll_retry(struct job *job)
{
	if (job->batcher->now_ns < job->retry_ns) {
		return 0;
	}
	firing_retry(job);
	return 1;
}

uint32_t
job_poll(struct job *job)
{
	if (job->task_due) {
		firing_dispatch(job, job->task.inner.kind);
		return job->task_out;
	}
	if (job->phase > JOB_PHASE_OPEN && job->phase < JOB_PHASE_STOP && job_source_deleted(job)) {
		return 1;
	}
	switch (job->phase) {
	case JOB_PHASE_IDLE:
		return microbatch_poll(job);
	case JOB_PHASE_SCAN:
		return microbatch_scan(job);
	case JOB_PHASE_FIRE:
		return firing_next(job);
	case JOB_PHASE_FILL:
		return firing_fill(job);
	case JOB_PHASE_RETRY:
		return job_poll_retry(job);
	case JOB_PHASE_STOP:
		return job_poll_stop(job);
	case JOB_PHASE_END:
		return job_poll_end(job);
	case JOB_PHASE_OPEN:
	case JOB_PHASE_RUN:
	case JOB_PHASE_CLOSE:
		return 0; /* the worker's turn */
	case JOB_PHASE_COUNT:
		break;
	}
	return 0;
}

static void
job_open_done(struct job *job, int result)
{
	struct batcher *b = job->batcher;
	struct batcher_command *command = job->create_command;

	if (result) {
		b->worker_jobs[job->task.inner.worker]--;
		command->by_function = true;
		job_refuse(job, result > 0 ? -EPROTO : result);
		return;
	}
	job->create_command = NULL;
	job->opened = true;
	job_set_state(job, JOB_RUNNING);
	job_set_phase(job, JOB_PHASE_IDLE);
	batch_clock_start(&job->clock, job->spec.batch_interval_ns, b->wall_ns);
	job->passed_ms =
		job->spec.time == JOB_TIME_EVENT
			? EVENT_WATERMARK_NONE
			: (int64_t)((job->clock.next_ns - job->spec.batch_interval_ns) / NS_PER_MS);
	event_watermark_start(&job->watermark, b->now_ns);
	job_publish(job); /* before the answer: who has it looks at the job, maybe before this turn ends */
	batcher_answer(b, command, 0);
}

void
job_task_done(struct job *job, const struct window_done *done)
{
	job->task_out = false;
	switch (job->task.inner.kind) {
	case TASK_OPEN:
		job_open_done(job, done->result);
		return;
	case TASK_PROCESS:
		if (job->phase == JOB_PHASE_RUN) {
			firing_task_done(job, done);
		}
		return;
	case TASK_CLOSE:
		job_end(job);
		return;
	}
}

void
job_read_done(struct job *job, const struct read_done *done)
{
	uint32_t partition = (uint32_t)done->token;

	if (partition == BATCHER_TOKEN_FIRING) {
		firing_read_done(job, done);
	} else {
		ensure(partition < job->partition_count);
		microbatch_read_done(job, partition, done);
	}
}

void
job_publish(struct job *job)
{
	struct job_status status = {
		.job_id = job->id,
		.state = job->state,
		.error = job->error,
		.worker = job->task.inner.worker,
		.batch_sequence = job->batch_sequence,
		.event_watermark_ms = job->watermark.value_ms,
		.open_windows = job->windows.open_count,
		.window_digest = job->window_digest,
		.discard_digest = job->discard_digest,
	};

	if (!job->opened && job->batch_sequence == 0) {
		status.event_watermark_ms = EVENT_WATERMARK_NONE;
	}
	memcpy(status.name, job->spec.name, sizeof(status.name));
	memcpy(status.reason, job->reason, sizeof(status.reason));
	for (uint32_t i = 0; i < job->partition_count; i++) {
		const struct job_partition *p = &job->partitions[i];
		int64_t visible = batcher_visible(job->batcher, p->index);

		status.lag_records += visible > p->next ? (uint64_t)(visible - p->next) : 0;
	}
	job->counters[JOB_clock_backward] = job->clock.backward_count;
	memcpy(status.counters, job->counters, sizeof(status.counters));
	history_set_status(&job->batcher->histories[job->index], &status);
	job->dirty = false;
	job->lag_moved = false;
	job->published_ns = job->batcher->now_ns;
}
