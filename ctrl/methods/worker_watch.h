/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the workers' functions are at, judged on the control thread from published copies: a function
 * that does not come back may hold up the lcore of the batcher, the log and the lanes as well.
 */
#ifndef CTRL_METHODS_WORKER_WATCH_H
#define CTRL_METHODS_WORKER_WATCH_H

#include "ctrl/methods/engine.h"

#define WORKER_WATCH_TEXT 512

struct worker_watch {
	struct worker_call call;
	uint32_t lcore;
	uint64_t running_ns; /* 0: in no call */
	bool stuck;	     /* for longer than the job's task_timeout */
};

/* Any thread but a poller's. */
void worker_watch(const struct engine *engine, uint32_t worker, uint64_t now_ns,
	struct worker_watch *ret_watch);
/* "lcore 2 (worker 0): job "x" has not come back from window [a, b) for 11000 ms": returns text. */
const char *worker_watch_words(const struct engine *engine, const struct worker_watch *watch, char *text,
	size_t text_bytes);
/*
 * Whether a job can go no further because its worker is stuck in a call: of its own function, or of
 * another job's that it shares the worker with.
 */
bool worker_watch_job(const struct engine *engine, const struct job_status *status, uint64_t now_ns,
	struct worker_watch *ret_watch);

#endif
