/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: the poller that calls window functions, one task at a time, and what others may know of
 * the call it is in. Part of the batcher's face.
 */
#ifndef BATCHER_WORKER_WORKER_H
#define BATCHER_WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/compiler.h"
#include "base/ring.h"

#define WORKER_CALL_JOB_BYTES 72

struct worker;

/* On rings of the caller's, which outlive it; dones has room for one of each job. -ENOMEM. Start-up. */
int worker_create(struct ring *tasks, struct ring *dones, struct clock *clock,
	struct worker **ret_worker) MUST_CHECK;
/* Once its lcore polls no more. */
void worker_destroy(struct worker *worker);
/* Runs at most one task. Worker lcore. */
uint32_t worker_poll(struct worker *worker, uint64_t now_ns);

/*
 * The call of a job's function that a worker is in, or the last one. Whether it is stuck is judged
 * by who reads this: the batcher may share the lcore that does not come back. It looks itself only
 * to give a new job another worker.
 */
struct worker_call {
	uint64_t since_ns; /* 0: in none */
	uint64_t ended_ns; /* of the last one; 0: none yet */
	uint64_t timeout_ns;
	uint64_t job_id;
	int64_t window_start_ms; /* start = end: open or close */
	int64_t window_end_ms;
	char job[WORKER_CALL_JOB_BYTES];
};

/* Any thread. */
void worker_call(struct worker *worker, struct worker_call *ret_call);

/* Whether it lasts longer than the job's task_timeout. Any thread. */
static inline bool
worker_call_stuck(const struct worker_call *call, uint64_t now_ns)
{
	return call->since_ns > 0 && now_ns > call->since_ns &&
	       now_ns - call->since_ns > call->timeout_ns;
}

#endif
