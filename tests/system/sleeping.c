/* SPDX-License-Identifier: Apache-2.0 */
/* A window function that sleeps for `sleep_ms` in each window with records, which none should: what
 * others lose by it. */
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include "penstock_worker.h"

static int
sleeping_open(const struct penstock_job *job, void **ret_user)
{
	static struct timespec pauses[16];
	static unsigned int opened;
	const char *ms = penstock_job_param(job, "sleep_ms");
	struct timespec *pause = &pauses[opened++ % 16];

	pause->tv_sec = ms ? atol(ms) / 1000 : 0;
	pause->tv_nsec = ms ? atol(ms) % 1000 * 1000000 : 0;
	*ret_user = pause;
	return 0;
}

static int
sleeping_process(void *user, struct penstock_task *task)
{
	struct penstock_task_info info;

	penstock_task_info(task, &info);
	if (info.record_count > 0) {
		nanosleep(user, NULL);
	}
	return 0;
}

const struct penstock_worker *
penstock_worker_entry(uint32_t host_abi)
{
	static const struct penstock_worker sleeping = {
		.struct_bytes = sizeof(sleeping),
		.abi = PENSTOCK_WORKER_ABI,
		.name = "sleeping",
		.open = sleeping_open,
		.process = sleeping_process,
	};

	return host_abi == PENSTOCK_WORKER_ABI ? &sleeping : NULL;
}
