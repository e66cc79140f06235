/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preparing segments: created under a .tmp name, flocked, allocated, zeroed in steps, fsynced and
 * only then renamed to .prep, so that .prep means: writing here costs no metadata. Keeper thread.
 */
#include <errno.h>
#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "logstore/file_util.h"
#include "logstore/keeper.h"
#include "logstore/store.h"

#define RATE_LATE_NS (40 * NS_PER_MS) /* longer than the thread sleeps between polls */

static void
give(struct log_keeper *keeper, uint32_t shard, uint64_t file_id, int fd)
{
	uint32_t n = ring_offer(&keeper->store->shards[shard]->from_keeper,
		&(struct shard_msg){.kind = SHARD_SPARE,
			.file_id = file_id,
			.fd = fd,
			.bytes = keeper->store->segment_alloc_bytes},
		1);

	ensure(n == 1);
	keeper->inbox[shard].spares_given++;
}

uint32_t
keeper_spare_least(const struct logstore *store)
{
	return store->options.spares_min + SHARD_SPARES_INTERNAL;
}

/* Given and not yet taken. */
static uint32_t
spares_out(const struct log_keeper *keeper, uint32_t shard)
{
	return keeper->inbox[shard].spares_given -
		atomic_load_explicit(&keeper->store->shards[shard]->spares_taken, memory_order_relaxed);
}

/*
 * Partitions that are fed alike roll together: each half-full segment has its spare before that, as
 * long as the disk has room for so many.
 */
static uint32_t
spares_wanted(const struct log_keeper *keeper, uint32_t shard)
{
	uint32_t wanted = keeper_spare_least(keeper->store);

	if (keeper->space_roomy) {
		wanted += atomic_load_explicit(&keeper->store->shards[shard]->spares_wanted,
			memory_order_relaxed);
	}
	return wanted < SHARD_SPARES_MAX ? wanted : SHARD_SPARES_MAX;
}

bool
keeper_spare_short(const struct log_keeper *keeper)
{
	for (uint32_t i = 0; i < keeper->store->options.shard_count; i++) {
		if (spares_out(keeper, i) < keeper_spare_least(keeper->store)) {
			return true;
		}
	}
	return false;
}

static int
begin(struct log_keeper *keeper)
{
	struct keeper_prep *prep = &keeper->prep;
	char path[FILE_PATH_MAX];

	do {
		prep->file_id = rand_u64(keeper->store->options.rand);
	} while (prep->file_id == 0);
	file_util_spare_path(path, prep->file_id, "tmp");
	int fd = keeper->io->ops->open(keeper->io, path, IO_OPEN_CREATE | IO_OPEN_DIRECT | IO_OPEN_LOCK);

	if (fd < 0) {
		return fd;
	}
	prep->fd = fd;
	prep->zeroed_bytes = 0;
	prep->busy = true;
	return keeper->io->ops->allocate(keeper->io, fd, keeper->store->segment_alloc_bytes);
}

static int
finish(struct log_keeper *keeper)
{
	struct keeper_prep *prep = &keeper->prep;
	struct io *io = keeper->io;
	char tmp[FILE_PATH_MAX];
	char path[FILE_PATH_MAX];

	file_util_spare_path(tmp, prep->file_id, "tmp");
	file_util_spare_path(path, prep->file_id, "prep");
	int rc = io->ops->fsync(io, prep->fd);

	/* ext4 without a journal may leave the inode behind, and with it the extents. */
	if (rc == 0 && keeper->store->probe.no_journal) {
		rc = io->ops->sync_fs(io);
	}
	rc = rc < 0 ? rc : io->ops->rename(io, tmp, path);
	rc = rc < 0 ? rc : io->ops->fsync_dir(io, ".");
	if (rc == 0) {
		give(keeper, prep->shard, prep->file_id, prep->fd);
		prep->fd = -1;
		prep->busy = false;
		keeper->prep_full = false;
	}
	return rc;
}

/* log.prep.rate is for spares ahead of need: one that the next roll may miss is made at full speed.
 */
static bool
must_wait(const struct log_keeper *keeper)
{
	const struct keeper_prep *prep = &keeper->prep;

	return keeper->store->options.prep_rate > 0 && prep->busy &&
	       keeper->now_ns < prep->next_ns && !keeper_spare_short(keeper);
}

/* A thread that woke late catches up, by RATE_LATE_NS at most; what was made at full speed is no
 * debt. */
static void
pace(struct log_keeper *keeper, uint64_t bytes)
{
	struct keeper_prep *prep = &keeper->prep;
	uint64_t rate = keeper->store->options.prep_rate;

	if (rate == 0) {
		return;
	}
	if (keeper_spare_short(keeper)) {
		prep->next_ns = keeper->now_ns;
		return;
	}
	if (prep->next_ns + RATE_LATE_NS < keeper->now_ns) {
		prep->next_ns = keeper->now_ns - RATE_LATE_NS;
	}
	prep->next_ns += bytes * NS_PER_S / rate;
}

static int
step(struct log_keeper *keeper)
{
	struct keeper_prep *prep = &keeper->prep;
	uint64_t total = keeper->store->segment_alloc_bytes;

	if (!prep->busy) {
		return begin(keeper);
	}
	if (prep->zeroed_bytes < total) {
		uint64_t left = total - prep->zeroed_bytes;
		uint64_t most =
			keeper->store->options.prep_rate > 0 ? KEEPER_RATE_STEP : KEEPER_ZERO_STEP;
		uint64_t len = left < most ? left : most;
		int rc = keeper->io->ops->zero(keeper->io, prep->fd, prep->zeroed_bytes, len);

		if (rc < 0) {
			return rc;
		}
		prep->zeroed_bytes += len;
		pace(keeper, len);
		return 0;
	}
	return finish(keeper);
}

static void
abandon(struct log_keeper *keeper, int error)
{
	struct keeper_prep *prep = &keeper->prep;
	char path[FILE_PATH_MAX];

	log_warning("logstore", "no prepared segment, again in 1 s: errno=%d", -error);
	if (prep->fd >= 0) {
		keeper->io->ops->close(keeper->io, prep->fd);
		prep->fd = -1;
	}
	file_util_spare_path(path, prep->file_id, "tmp");
	(void)file_util_remove(keeper->io, NULL, path);
	file_util_spare_path(path, prep->file_id, "prep");
	(void)file_util_remove(keeper->io, NULL, path);
	prep->busy = false;
	/* One more than needed that finds no room is no reason to refuse producers. */
	keeper->prep_full = (error == -ENOSPC || error == -EDQUOT) && keeper_spare_short(keeper);
	keeper->space_ns = 0;
	keeper->prep_retry_ns = keeper->now_ns + KEEPER_RETRY_NS;
}

uint32_t
keeper_spare_step(struct log_keeper *keeper)
{
	struct logstore *store = keeper->store;

	if (keeper->now_ns < keeper->prep_retry_ns || must_wait(keeper)) {
		return 0;
	}
	if (!keeper->prep.busy) {
		uint32_t shard = 0;

		while (shard < store->options.shard_count &&
			spares_out(keeper, shard) >= spares_wanted(keeper, shard)) {
			shard++;
		}
		if (shard == store->options.shard_count) {
			keeper->prep_full = false;
		}
		if (shard == store->options.shard_count || keeper->space_low ||
			atomic_load_explicit(&store->stop_wanted, memory_order_relaxed)) {
			return 0;
		}
		keeper->prep.shard = shard;
	}
	int rc = step(keeper);

	if (rc < 0) {
		abandon(keeper, rc);
	}
	return 1;
}

int
keeper_spare_adopt(struct log_keeper *keeper, uint64_t file_id, uint32_t shard)
{
	char path[FILE_PATH_MAX];

	file_util_spare_path(path, file_id, "prep");
	int fd = keeper->io->ops->open(keeper->io, path, IO_OPEN_DIRECT | IO_OPEN_LOCK);

	if (fd < 0) {
		return fd;
	}
	give(keeper, shard, file_id, fd);
	return 0;
}
