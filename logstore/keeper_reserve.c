/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room that a start after a crash needs: indexes behind the last checkpoint are written again, and
 * segments that were rolled get their seals. While the disk has room that much of it is held by a file
 * of no meaning, which recovery drops first; so whoever filled the disk, the daemon starts and what is
 * too much can be deleted. Keeper thread; keeper_reserve_drop before it runs.
 */
#include <errno.h>
#include "logstore/file_util.h"
#include "logstore/keeper.h"
#include "logstore/segment_index.h"
#include "logstore/store.h"

#define RESERVE_NAME		"penstock-reserve"
#define RESERVE_INTERVAL_BYTES	4096	     /* index.interval.bytes by default */
#define RESERVE_PARTITION_BYTES (32 * KIB) /* index, time index, seal, snapshots: a block and more each */

static uint64_t
wanted_bytes(const struct logstore *store)
{
	uint64_t entries = store->options.recovery_max_bytes / RESERVE_INTERVAL_BYTES;
	uint64_t partitions =
		atomic_load_explicit(&store->partition_count, memory_order_relaxed) + 1ull;

	return entries * (SEGMENT_INDEX_ENTRY_BYTES + SEGMENT_INDEX_TIME_ENTRY_BYTES) +
	       partitions * RESERVE_PARTITION_BYTES;
}

void
keeper_reserve_keep(struct log_keeper *keeper, uint64_t spendable_bytes)
{
	uint64_t wanted = wanted_bytes(keeper->store);
	struct io *io = keeper->io;
	int rc;
	int fd;

	if (keeper->reserve_bytes >= wanted || spendable_bytes < wanted) {
		return;
	}
	fd = io->ops->open(io, RESERVE_NAME, IO_OPEN_CREATE);
	fd = fd == -EEXIST ? io->ops->open(io, RESERVE_NAME, 0) : fd;
	if (fd < 0) {
		return; /* in the next second */
	}
	rc = io->ops->allocate(io, fd, wanted);
	rc = rc < 0 ? rc : io->ops->fsync(io, fd);
	io->ops->close(io, fd);
	keeper->reserve_bytes = rc < 0 ? 0 : wanted;
	if (rc < 0) {
		(void)file_util_remove(io, NULL, RESERVE_NAME);
	}
}

int
keeper_reserve_drop(struct io *io)
{
	return file_util_remove(io, NULL, RESERVE_NAME);
}
