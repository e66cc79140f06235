/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The batcher's loop and its face. batcher_poll() is the table of contents: take what arrived
 * (notes, commands, reads, tasks), let every job take one step, publish. The control thread makes
 * and frees jobs and hands them over by a ring of pointers; nothing else is shared but published
 * copies.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "batcher/job.h"

#define BATCHER_BURST        64
#define BATCHER_NOTES_BURSTS 256
#define BATCHER_COMMANDS     32
#define BATCHER_WALL_STEP_NS (100 * NS_PER_US)

int
batcher_create(const struct batcher_options *options, struct batcher **ret_batcher)
{
	struct batcher *b = calloc(1, sizeof(*b));
	struct waker *taker = options->commit_notes[0] ? options->commit_notes[0]->taker : NULL;

	if (!b) {
		return -ENOMEM;
	}
	ensure(options->worker_count >= 1);
	ensure(options->worker_count <= HANDOFF_WORKERS_MAX);
	b->options = *options;
	b->partitions_max = options->routes->partitions_max;
	b->notes = calloc(b->partitions_max, sizeof(*b->notes));
	b->histories = calloc(BATCHER_JOBS_MAX, sizeof(*b->histories));
	if (!b->notes || !b->histories ||
		ring_create(&b->commands, BATCHER_COMMANDS, sizeof(void *), taker) ||
		ring_create(&b->answers, BATCHER_COMMANDS, sizeof(void *), options->answered)) {
		batcher_destroy(b);
		return -ENOMEM;
	}
	*ret_batcher = b;
	return 0;
}

void
batcher_stop(struct batcher *b)
{
	/* Pairs with the acquire load in batcher_poll: commands given before are seen. */
	atomic_store_explicit(&b->stop, true, memory_order_release);
	if (b->commands.taker) {
		waker_wake(b->commands.taker);
	}
}

bool
batcher_stopped(const struct batcher *b)
{
	return atomic_load_explicit(&b->stopped, memory_order_acquire);
}

void
batcher_destroy(struct batcher *b)
{
	for (uint32_t i = 0; i < BATCHER_JOBS_MAX; i++) {
		if (b->built[i]) {
			job_destroy(b->built[i]);
		}
	}
	if (b->commands.queue) {
		ring_destroy(&b->commands);
	}
	if (b->answers.queue) {
		ring_destroy(&b->answers);
	}
	free(b->histories);
	free(b->notes);
	free(b);
}

/* --- the log ------------------------------------------------------------------------------------
 */

int64_t
batcher_visible(const struct batcher *b, uint32_t partition_index)
{
	/* No note yet: nothing is visible. The log sends one a partition before jobs are made. */
	const struct commit_note *note = &b->notes[partition_index];
	int64_t visible = note->high_watermark;

	if (note->durable_offset < visible) {
		visible = note->durable_offset;
	}
	return note->last_stable_offset < visible ? note->last_stable_offset : visible;
}

int64_t
batcher_log_start(const struct batcher *b, uint32_t partition_index)
{
	return b->notes[partition_index].log_start_offset;
}

bool
batcher_may_read(const struct job *job)
{
	const struct batcher *b = job->batcher;

	return job->pin_bytes == 0 ||
	       b->pin_bytes + job->pin_bytes + READ_HOLD_BYTES_MAX <= b->options.pin_bytes_max;
}

bool
batcher_read(struct job *job, uint32_t partition, int64_t from, int64_t until, uint64_t bytes)
{
	struct batcher *b = job->batcher;
	uint32_t index = partition == BATCHER_TOKEN_FIRING
				 ? job->task.inner.slices[job->fill.slice].partition_index
				 : job->partitions[partition].index;
	struct read_req req = {
		.partition_index = index,
		.bytes_max = (uint32_t)bytes,
		.from = from,
		.until = until,
		.token = (uint64_t)job->index << 32 | partition,
		.client = (uint16_t)b->options.client,
	};

	if (ring_offer(b->options.read_req[b->options.routes->partitions[index].shard], &req, 1) ==
		0) {
		return false;
	}
	b->pin_bytes += READ_HOLD_BYTES_MAX;
	job->pin_bytes += READ_HOLD_BYTES_MAX;
	job->reads_in_flight++;
	return true;
}

void
batcher_read_back(struct job *job, uint64_t held_bytes)
{
	job->reads_in_flight--;
	job->pin_bytes += held_bytes - READ_HOLD_BYTES_MAX;
	job->batcher->pin_bytes += held_bytes - READ_HOLD_BYTES_MAX;
}

static bool
batcher_offer_release(struct batcher *b, const struct extent_release *release)
{
	uint16_t shard = b->options.routes->partitions[release->partition_index].shard;

	return ring_offer(b->options.extent_release[shard], release, 1) == 1;
}

void
batcher_release(struct job *job, uint64_t pin, uint32_t partition_index, uint64_t held_bytes)
{
	struct batcher *b = job->batcher;
	struct extent_release release = {
		.pin = pin,
		.partition_index = partition_index,
		.client = (uint16_t)b->options.client,
	};

	b->pin_bytes -= held_bytes;
	job->pin_bytes -= held_bytes;
	if (!batcher_offer_release(b, &release)) {
		ensure(b->return_count < BATCHER_RETURNS_MAX);
		b->returns[b->return_count++] = release;
	}
}

/* Pins that found their ring full, newest first: their order does not matter. */
static uint32_t
batcher_return_pins(struct batcher *b)
{
	uint32_t work = 0;

	while (b->return_count > 0 && batcher_offer_release(b, &b->returns[b->return_count - 1])) {
		b->return_count--;
		work++;
	}
	return work;
}

/* A job in a long call publishes nothing of itself: its lag is told all the same. */
static void
batcher_move_lags(struct batcher *b)
{
	for (uint32_t i = 0; i < BATCHER_JOBS_MAX; i++) {
		if (b->jobs[i] && b->jobs[i]->phase < JOB_PHASE_END) {
			b->jobs[i]->lag_moved = true;
		}
	}
}

/* Takes every note that is there: a drain or a `latest` must not miss what is durable already. */
static uint32_t
batcher_take_notes(struct batcher *b)
{
	struct commit_note notes[BATCHER_BURST];
	uint32_t work = 0;

	for (uint32_t shard = 0; shard < b->options.shard_count; shard++) {
		uint32_t n = BATCHER_BURST;

		for (uint32_t i = 0; i < BATCHER_NOTES_BURSTS && n == BATCHER_BURST; i++) {
			n = ring_take(b->options.commit_notes[shard], notes, BATCHER_BURST);
			for (uint32_t k = 0; k < n; k++) {
				ensure(notes[k].partition_index < b->partitions_max);
				b->notes[notes[k].partition_index] = notes[k];
			}
			work += n;
		}
	}
	if (work > 0) {
		batcher_move_lags(b);
	}
	return work;
}

static uint32_t
batcher_take_reads(struct batcher *b)
{
	struct read_done dones[JOB_SCAN_READS_MAX];
	uint32_t work = 0;

	for (uint32_t shard = 0; shard < b->options.shard_count; shard++) {
		uint32_t n = ring_take(b->options.read_done[shard], dones, JOB_SCAN_READS_MAX);

		for (uint32_t i = 0; i < n; i++) {
			struct job *job = b->jobs[dones[i].token >> 32];

			ensure(job); /* a job stays until its reads are back */
			job_read_done(job, &dones[i]);
		}
		work += n;
	}
	return work;
}

static uint32_t
batcher_take_dones(struct batcher *b)
{
	uint32_t work = 0;

	for (uint32_t worker = 0; worker < b->options.worker_count; worker++) {
		struct window_done dones[BATCHER_JOBS_MAX];
		uint32_t n = ring_take(b->options.dones[worker], dones, BATCHER_JOBS_MAX);

		for (uint32_t i = 0; i < n; i++) {
			struct penstock_task *task =
				CONTAINER_OF(dones[i].task, struct penstock_task, inner);

			job_task_done(CONTAINER_OF(task, struct job, task), &dones[i]);
		}
		work += n;
	}
	return work;
}

/* --- commands -----------------------------------------------------------------------------------
 */

void
batcher_answer(struct batcher *b, struct batcher_command *command, int error)
{
	command->error = error;
	ensure(ring_offer(&b->answers, &command, 1) == 1);
}

static void
batcher_change(struct batcher *b, struct batcher_command *command)
{
	struct job *job = b->jobs[command->job];

	if (!job) {
		batcher_answer(b, command, -ENOENT);
	} else if (job->create_command || job->delete_command) {
		batcher_answer(b, command, -EBUSY);
	} else if (command->kind == BATCHER_DELETE) {
		job->delete_command = command;
		job_stop(job, PENSTOCK_CLOSE_DELETED);
	} else {
		job_drain(job);
		batcher_answer(b, command, job->state == JOB_FAILED ? job->error : 0);
	}
}

static uint32_t
batcher_take_commands(struct batcher *b)
{
	struct batcher_command *commands[BATCHER_COMMANDS];
	uint32_t n = ring_take(&b->commands, commands, BATCHER_COMMANDS);

	for (uint32_t i = 0; i < n; i++) {
		struct batcher_command *command = commands[i];

		if (command->kind == BATCHER_CREATE) {
			struct job *job = b->built[command->job];

			b->jobs[command->job] = job;
			job->create_command = command;
			job_start(job);
		} else {
			batcher_change(b, command);
		}
	}
	return n;
}

/* --- the loop -----------------------------------------------------------------------------------
 */

static uint64_t
batcher_phase_deadline(const struct batcher *b, const struct job *job)
{
	switch (job->phase) {
	case JOB_PHASE_IDLE:
		return job->clock.next_ns > b->wall_ns
			       ? b->now_ns + (job->clock.next_ns - b->wall_ns)
			       : b->now_ns;
	case JOB_PHASE_RETRY:
		return job->retry_ns;
	case JOB_PHASE_SCAN:
	case JOB_PHASE_FILL:
		/* With nothing on its way a ring was full: nobody will wake us. */
		return job->reads_in_flight > 0 ? UINT64_MAX : b->now_ns;
	default:
		return UINT64_MAX;
	}
}

static uint64_t
batcher_job_deadline(const struct batcher *b, const struct job *job)
{
	uint64_t deadline_ns = job->task_due ? b->now_ns : batcher_phase_deadline(b, job);

	return job->lag_moved && job->published_ns + JOB_LAG_NS < deadline_ns
		       ? job->published_ns + JOB_LAG_NS
		       : deadline_ns;
}

static uint32_t
batcher_poll_jobs(struct batcher *b)
{
	uint32_t work = 0;

	b->deadline_ns = b->return_count > 0 ? b->now_ns : UINT64_MAX;
	for (uint32_t i = 0; i < BATCHER_JOBS_MAX; i++) {
		struct job *job = b->jobs[i];

		if (!job) {
			continue;
		}
		work += job_poll(job);
		if (b->jobs[i] != job) {
			continue; /* deleted: no longer ours */
		}
		if (job->dirty || (job->lag_moved && b->now_ns >= job->published_ns + JOB_LAG_NS)) {
			job_publish(job);
		}
		uint64_t deadline_ns = batcher_job_deadline(b, job);

		if (deadline_ns < b->deadline_ns) {
			b->deadline_ns = deadline_ns;
		}
	}
	return work;
}

/* One that is being opened is stopped once it is open. Returns work done. */
static uint32_t
batcher_stop_jobs(struct batcher *b)
{
	bool ended = b->return_count == 0;
	uint32_t work = 0;

	for (uint32_t i = 0; i < BATCHER_JOBS_MAX; i++) {
		struct job *job = b->jobs[i];

		if (!job) {
			continue;
		}
		ended = ended && job->phase == JOB_PHASE_END;
		if (job->phase != JOB_PHASE_OPEN && job->phase < JOB_PHASE_STOP) {
			job_stop(job, PENSTOCK_CLOSE_SHUTDOWN);
			work++;
		}
	}
	atomic_store_explicit(&b->stopped, ended, memory_order_release);
	return work;
}

static void
batcher_read_clocks(struct batcher *b, uint64_t now_ns)
{
	b->now_ns = now_ns;
	if (now_ns >= b->wall_read_ns + BATCHER_WALL_STEP_NS || b->wall_ns == 0) {
		b->wall_ns = clock_wall_ns(b->options.clock);
		b->wall_read_ns = now_ns;
	}
}

uint32_t
batcher_poll(struct batcher *b, uint64_t now_ns)
{
	/* Before the commands are taken: none may come behind the last look at the jobs. */
	bool stop = atomic_load_explicit(&b->stop, memory_order_acquire);
	uint32_t work = 0;

	batcher_read_clocks(b, now_ns);
	work += batcher_return_pins(b);	  /* that found the log's ring full */
	work += batcher_take_notes(b);	  /* what became visible, before anything asks for it */
	work += batcher_take_commands(b); /* jobs come, drain and go */
	work += batcher_take_reads(b);	  /* to the micro-batch or the firing that asked */
	work += batcher_take_dones(b);	  /* functions opened, called, closed */
	work += batcher_poll_jobs(b);	  /* one step of each job; publish */
	if (unlikely(stop)) {
		work += batcher_stop_jobs(b); /* those that are open */
	}
	return work;
}

uint64_t
batcher_deadline_ns(const struct batcher *b)
{
	return b->deadline_ns;
}

/* --- control thread -----------------------------------------------------------------------------
 */

static bool
batcher_name_taken(const struct batcher *b, const char *name)
{
	for (uint32_t i = 0; i < BATCHER_JOBS_MAX; i++) {
		if (b->built[i] && strcmp(b->built[i]->spec.name, name) == 0) {
			return true;
		}
	}
	return false;
}

/* Makes the job in a free slot, command->job. Negative errno. */
static int
batcher_build(struct batcher *b, struct batcher_command *command)
{
	char text[256];
	int rc;

	if (job_spec_check(&command->spec, text, sizeof(text))) {
		return -EINVAL;
	}
	if (batcher_name_taken(b, command->spec.name)) {
		return -EEXIST;
	}
	for (uint32_t i = 0; i < BATCHER_JOBS_MAX; i++) {
		if (!b->built[i]) {
			rc = job_create(b, &command->spec, i, &b->built[i]);
			if (rc == 0) {
				command->job = i;
				command->job_id = b->built[i]->id = ++b->jobs_made;
				b->built[i]->task.inner.job_id = command->job_id;
			}
			return rc;
		}
	}
	return -ENOSPC;
}

int
batcher_command(struct batcher *b, struct batcher_command *command)
{
	int rc = 0;

	if (b->commands_out + b->refused_count == BATCHER_JOBS_MAX) {
		return -EAGAIN;
	}
	if (command->kind != BATCHER_DELETE &&
		atomic_load_explicit(&b->stop, memory_order_relaxed)) {
		rc = -ESHUTDOWN;
	} else if (command->kind == BATCHER_CREATE) {
		rc = batcher_build(b, command);
	} else if (command->job >= BATCHER_JOBS_MAX || !b->built[command->job] ||
		b->built[command->job]->id != command->job_id) {
		rc = -ENOENT;
	}
	if (rc) {
		command->error = rc;
		b->refused[b->refused_count++] = command;
		return 0;
	}
	ensure(ring_offer(&b->commands, &command, 1) == 1);
	b->commands_out++;
	return 0;
}

struct batcher_command *
batcher_command_poll(struct batcher *b)
{
	struct batcher_command *command;

	if (b->refused_count > 0) {
		return b->refused[--b->refused_count];
	}
	if (ring_take(&b->answers, &command, 1) == 0) {
		return NULL;
	}
	b->commands_out--;
	if ((command->kind == BATCHER_CREATE && command->error) ||
		(command->kind == BATCHER_DELETE && command->error == 0)) {
		job_destroy(b->built[command->job]);
		b->built[command->job] = NULL;
	}
	return command;
}

/* --- any thread ---------------------------------------------------------------------------------
 */

int
batcher_job_status(struct batcher *b, uint32_t job, struct job_status *ret_status)
{
	if (job >= BATCHER_JOBS_MAX || !history_status(&b->histories[job], ret_status) ||
		ret_status->state == JOB_DELETED) {
		return -ENOENT;
	}
	return 0;
}

uint32_t
batcher_windows(
	struct batcher *b, uint32_t job, uint64_t since, struct window_row *ret_rows, uint32_t max)
{
	return job < BATCHER_JOBS_MAX ? history_list(&b->histories[job], since, ret_rows, max) : 0;
}
