/* SPDX-License-Identifier: Apache-2.0 */
/* A window function that never comes back from its first window with records. For held_up_test.py. */
#include <stdint.h>
#include "penstock_worker.h"

static int
looping_process(void *user, struct penstock_task *task)
{
	static volatile uint64_t turns;
	struct penstock_task_info info;

	(void)user;
	penstock_task_info(task, &info);
	while (info.record_count > 0) {
		turns++;
	}
	return 0;
}

const struct penstock_worker *
penstock_worker_entry(uint32_t host_abi)
{
	static const struct penstock_worker looping = {
		.struct_bytes = sizeof(looping),
		.abi = PENSTOCK_WORKER_ABI,
		.name = "looping",
		.process = looping_process,
	};

	return host_abi == PENSTOCK_WORKER_ABI ? &looping : NULL;
}
