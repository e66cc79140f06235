/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/methods/worker_watch.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/bytes.h"

void
worker_watch(const struct engine *engine, uint32_t worker, uint64_t now_ns, struct worker_watch *ret_watch)
{
	*ret_watch = (struct worker_watch){.lcore = engine->worker_lcores[worker]};
	worker_call(engine->workers[worker], &ret_watch->call);
	if (ret_watch->call.since_ns > 0) {
		ret_watch->running_ns =
			now_ns > ret_watch->call.since_ns ? now_ns - ret_watch->call.since_ns : 1;
		ret_watch->stuck = worker_call_stuck(&ret_watch->call, now_ns);
	}
}

const char *
worker_watch_words(const struct engine *engine, const struct worker_watch *watch, char *text,
	size_t text_bytes)
{
	const struct worker_call *call = &watch->call;
	char what[80] = "its open or close";

	if (call->window_start_ms != call->window_end_ms) {
		snprintf(what, sizeof(what), "window [%" PRId64 ", %" PRId64 ")", call->window_start_ms,
			call->window_end_ms);
	}
	snprintf(text, text_bytes,
		"lcore %u (%s): the function of job \"%s\" has not come back from %s for %" PRIu64
		" ms; its task_timeout is %" PRIu64 " ms",
		watch->lcore, engine->lcores[watch->lcore].role, call->job, what,
		(uint64_t)(watch->running_ns / NS_PER_MS), (uint64_t)(call->timeout_ns / NS_PER_MS));
	return text;
}

bool
worker_watch_job(const struct engine *engine, const struct job_status *status, uint64_t now_ns,
	struct worker_watch *ret_watch)
{
	bool ended = status->state == JOB_DRAINED || status->state == JOB_FAILED;

	worker_watch(engine, status->worker, now_ns, ret_watch);
	return ret_watch->stuck && (!ended || ret_watch->call.job_id == status->job_id);
}
