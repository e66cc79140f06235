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
#define BAD_LONG       8
#define BAD_FLAGS      9

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
	/* What a daemon does not know and would have to ignore. */
	static const struct {
		struct penstock_worker table;
		int (*newer)(void *user, struct penstock_task *task);
	} longer = {
		.table = {.struct_bytes = sizeof(longer),
			.abi = PENSTOCK_WORKER_ABI,
			.name = "longer",
			.process = bad_process},
		.newer = bad_process,
	};
	static const struct penstock_worker bad = {
		.struct_bytes = BAD == BAD_SHORT ? 16 : sizeof(bad),
		.flags = BAD == BAD_FLAGS ? 0x80 : 0,
		.abi = BAD == BAD_ABI ? 99 : PENSTOCK_WORKER_ABI,
		.name = BAD == BAD_NAMELESS ? "" : "bad",
		.process = BAD == BAD_NO_PROCESS ? NULL : bad_process,
	};

	if (BAD == BAD_LONG) {
		return &longer.table;
	}
	return BAD == BAD_NULL ? NULL : &bad;
}
#endif
