/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builtin "count": walks the window and emits one record, key "count", value the decimal number of
 * records. Stateless. The smallest complete window function, and what the benches run.
 */
#include "batcher/worker/builtin/builtin.h"

#define COUNT_RECORDS 256

static int
count_process(void *user, struct penstock_task *task)
{
	struct penstock_record records[COUNT_RECORDS];
	struct penstock_cursor cursor;
	unsigned long long count = 0;
	int n;

	penstock_cursor_open(&cursor, task);
	while ((n = penstock_cursor_next_many(&cursor, records, COUNT_RECORDS)) > 0) {
		count += (unsigned int)n;
	}
	return n < 0 ? n : penstock_emit_text(task, "count", "%llu", count);
}

const struct penstock_worker builtin_count = {
	.struct_bytes = sizeof(struct penstock_worker),
	.abi = PENSTOCK_WORKER_ABI,
	.name = "count",
	.version = "1",
	.flags = PENSTOCK_STATELESS,
	.process = count_process,
};
