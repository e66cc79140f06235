/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builtin "digest": walks the window and emits one record, key "digest", value the number of records
 * and the sum of their content hashes ("1000 0123456789abcdef", batcher/record_digest.h). Sums do not
 * depend on order, so the windows of a drained job add up to what was sent, if nothing was lost or
 * delivered twice: the proof that the system tests ask for, and a check for anyone who counts both ends.
 */
#include "batcher/record_digest.h"
#include "batcher/worker/builtin/builtin.h"

#define DIGEST_RECORDS 256

static int
digest_process(void *user, struct penstock_task *task)
{
	struct penstock_record records[DIGEST_RECORDS];
	struct penstock_cursor cursor;
	unsigned long long count = 0;
	unsigned long long sum = 0;
	int n;

	(void)user;
	penstock_cursor_open(&cursor, task);
	while ((n = penstock_cursor_next_many(&cursor, records, DIGEST_RECORDS)) > 0) {
		for (int i = 0; i < n; i++) {
			sum += record_digest(
				records[i].key, records[i].key_len, records[i].value, records[i].value_len);
		}
		count += (unsigned int)n;
	}
	return n < 0 ? n : penstock_emit_text(task, "digest", "%llu %016llx", count, sum);
}

const struct penstock_worker builtin_digest = {
	.struct_bytes = sizeof(struct penstock_worker),
	.abi = PENSTOCK_WORKER_ABI,
	.name = "digest",
	.version = "1",
	.flags = PENSTOCK_STATELESS,
	.process = digest_process,
};
