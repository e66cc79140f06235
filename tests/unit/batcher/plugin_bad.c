/* SPDX-License-Identifier: Apache-2.0 */
/* Plug-ins that break the contract in one way each; BAD chooses. For plugin_test. */
#include "batcher/worker/penstock_worker.h"

#define BAD_NO_ENTRY   1
#define BAD_NULL       2
#define BAD_ABI        3
#define BAD_SHORT      4
#define BAD_NAMELESS   5
#define BAD_NO_PROCESS 6
#define BAD_UNRESOLVED 7

int penstock_no_such_call(struct penstock_task *task);

#if BAD != BAD_NO_ENTRY
static int
bad_process(void *user, struct penstock_task *task)
{
#if BAD == BAD_UNRESOLVED
	return penstock_no_such_call(task);
#else
	return 0;
#endif
}

const struct penstock_worker *
penstock_worker_entry(uint32_t host_abi)
{
	static const struct penstock_worker bad = {
		.struct_bytes = BAD == BAD_SHORT ? 16 : sizeof(bad),
		.abi = BAD == BAD_ABI ? 99 : PENSTOCK_WORKER_ABI,
		.name = BAD == BAD_NAMELESS ? "" : "bad",
		.process = BAD == BAD_NO_PROCESS ? NULL : bad_process,
	};

	return BAD == BAD_NULL ? NULL : &bad;
}
#endif
