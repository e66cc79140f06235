/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's poller: takes one task, calls the user's function, sends the task back. Worker
 * lcore. Invariant: every window_task taken is answered by exactly one window_done, in order; a
 * done that found its ring full is kept and sent before anything else is taken.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/handoff.h"
#include "base/published.h"
#include "batcher/worker/worker.h"
#include "batcher/worker/worker_task.h"

#define ERRNO_MAX 4095

struct worker {
	struct ring *tasks;
	struct ring *dones;
	struct clock *clock;
	bool done_kept;
	struct window_done done;
	struct worker_call call;
	_Atomic uint64_t call_version; /* the call as others read it */
	_Atomic uint64_t call_words[PUBLISHED_WORDS(struct worker_call)];
};

_Static_assert(sizeof(struct worker_call) % sizeof(uint64_t) == 0, "a call is whole words");

int
worker_create(
	struct ring *tasks, struct ring *dones, struct clock *clock, struct worker **ret_worker)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker) {
		return -ENOMEM;
	}
	worker->tasks = tasks;
	worker->dones = dones;
	worker->clock = clock;
	*ret_worker = worker;
	return 0;
}

void
worker_destroy(struct worker *worker)
{
	free(worker);
}

static void
worker_process(void *arg)
{
	struct worker_task *t = arg;

	t->output_bytes = 0;
	t->output_records = 0;
	t->result = t->function->process(t->user, (struct penstock_task *)t);
	/* Neither 0 nor an errno: people are told by name what went wrong. */
	if (t->result > 0 || t->result < -ERRNO_MAX ||
		(t->result < 0 && !strerrorname_np(-t->result))) {
		t->result = -EPROTO;
	}
}

/* The chapter in hand is the whole window: no cursor will ask for more. */
static bool
worker_task_whole(const struct worker_task *t)
{
	return t->chapter_start.slice == 0 && t->chapter_end.slice == t->slice_count &&
	       (t->slice_count == 0 || t->chapter_start.offset == t->slices[0].from);
}

/* Starts process(), or goes on with it; t->suspended afterwards if it is not at its end. */
static void
worker_run(struct worker_task *t)
{
	t->wants_more = false;
	if (t->suspended) {
		t->suspended = false;
		(void)fiber_resume(t->fiber);
	} else if (worker_task_whole(t)) {
		worker_process(t);
	} else {
		(void)fiber_start(t->fiber, worker_process, t);
	}
}

void
worker_call(struct worker *worker, struct worker_call *ret_call)
{
	if (published_load(&worker->call_version, worker->call_words, ret_call,
		    PUBLISHED_WORDS(struct worker_call)) == 0) {
		*ret_call = (struct worker_call){0};
	}
}

static void
worker_publish(struct worker *worker)
{
	published_store(&worker->call_version, worker->call_words, &worker->call,
		PUBLISHED_WORDS(struct worker_call));
}

/* Before the function is called: it may never return. */
static void
worker_enter(struct worker *worker, const struct worker_task *t, uint64_t now_ns)
{
	struct worker_call *call = &worker->call;
	bool window = t->kind == TASK_PROCESS;

	call->since_ns = now_ns;
	call->timeout_ns = t->timeout_ns;
	call->job_id = t->job_id;
	call->window_start_ms = window ? t->info.window_start_ms : 0;
	call->window_end_ms = window ? t->info.window_end_ms : 0;
	(void)snprintf(call->job, sizeof(call->job), "%s", t->job.name);
	worker_publish(worker);
}

static void
worker_leave(struct worker *worker, uint64_t now_ns)
{
	worker->call.since_ns = 0;
	worker->call.ended_ns = now_ns;
	worker_publish(worker);
}

static void
worker_perform(struct worker_task *t)
{
	t->result = 0;
	switch (t->kind) {
	case TASK_OPEN:
		if (t->function->open) {
			t->result = t->function->open(&t->job, &t->user);
		}
		return;
	case TASK_PROCESS:
		worker_run(t);
		return;
	case TASK_CLOSE:
		if (t->function->close) {
			t->function->close(t->user, t->close_reason);
		}
		return;
	}
}

uint32_t
worker_poll(struct worker *worker, uint64_t now_ns)
{
	struct window_task item;

	if (worker->done_kept) {
		worker->done_kept = ring_offer(worker->dones, &worker->done, 1) == 0;
		return worker->done_kept ? 0 : 1;
	}
	if (ring_take(worker->tasks, &item, 1) == 0) {
		return 0;
	}
	uint64_t begin_ns = clock_now_ns(worker->clock);

	worker_enter(worker, item.task, begin_ns);
	worker_perform(item.task);

	uint64_t end_ns = clock_now_ns(worker->clock);

	worker_leave(worker, end_ns);
	worker->done = (struct window_done){
		.task = item.task,
		.result = item.task->result,
		.busy_ns = end_ns - begin_ns,
	};
	worker->done_kept = ring_offer(worker->dones, &worker->done, 1) == 0;
	return 1;
}
