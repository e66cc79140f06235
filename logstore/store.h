/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: options, shards, keeper, and what every thread may look at. Set up by logstore.c,
 * recovered by recovery.c; afterwards only atomics change. Fields are grouped by who writes them and
 * how often, each group on lines of cache of its own: every append looks at `failed` and `room.disk_full`,
 * which hardly ever change, while others below change with each turn of a shard or of the keeper.
 */
#ifndef LOGSTORE_STORE_H
#define LOGSTORE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"
#include "logstore/durable_method.h"
#include "logstore/keeper.h"
#include "logstore/log_shard.h"
#include "logstore/logstore.h"

#define STORE_REASON_MAX 128

struct logstore {
	/* --- nobody after recovery ------------------------------------------------------------- */
	struct log_options options;
	struct io_probe probe;
	uint32_t block_bytes;
	struct durable_method method;
	bool dsync;	   /* durable method */
	bool flush_device; /* flush scope */
	uint32_t run_table_max;
	uint32_t segment_alloc_bytes; /* of a spare, block-aligned */
	uint8_t directory_id[16];
	int lock_fd;
	bool recovered;
	bool was_clean;
	_Atomic bool in_use; /* recovery found partitions, or traces of some */
	struct log_shard *shards[HANDOFF_SHARDS_MAX];
	struct log_keeper *keeper;
	/* By index; the keeper stores, anybody loads (acquire). Objects live as long as the store. */
	_Atomic(struct partition *) *partitions;
	struct ring commands; /* control thread -> keeper */
	struct ring answers;  /* back */

	/* --- each shard and the keeper, each on a line of its own; everybody reads -------------- */
	struct log_room room CACHE_ALIGNED;

	/* --- keeper, seldom; everybody reads --------------------------------------------------- */
	_Atomic bool stopped CACHE_ALIGNED;
	_Atomic uint32_t partition_count;
	_Atomic uint64_t disk_free_bytes; /* its last look at the file system */
	_Atomic uint64_t disk_needs_bytes;

	/* --- keeper, each turn; shards read ---------------------------------------------------- */
	_Atomic int64_t wall_minus_mono_ns CACHE_ALIGNED;

	/* --- any shard, once; everybody reads -------------------------------------------------- */
	_Atomic bool failed CACHE_ALIGNED;
	_Atomic bool failed_reason_set;
	char failed_reason[STORE_REASON_MAX];

	/* --- any shard, each turn -------------------------------------------------------------- */
	_Atomic uint64_t uncheckpointed_bytes CACHE_ALIGNED; /* of all shards */

	/* --- control thread, once; shards and keeper read -------------------------------------- */
	_Atomic bool stop_wanted CACHE_ALIGNED;
} CACHE_ALIGNED;
_Static_assert(offsetof(struct logstore, room) % CACHE_LINE_BYTES == 0, "log_room.h counts on it");
_Static_assert(offsetof(struct logstore, wall_minus_mono_ns) ==
		       offsetof(struct logstore, stopped) + CACHE_LINE_BYTES,
	"the keeper's seldom written fields are one line");
_Static_assert(offsetof(struct logstore, failed) ==
		       offsetof(struct logstore, wall_minus_mono_ns) + CACHE_LINE_BYTES,
	"the keeper's clock has a line for itself");
_Static_assert(offsetof(struct logstore, stop_wanted) ==
		       offsetof(struct logstore, uncheckpointed_bytes) + CACHE_LINE_BYTES,
	"the shards' sum has a line for itself");

/* Turns writing off for the data directory until restart. First reason wins. Any thread. */
void store_fail(struct logstore *store, const char *what, int error);

static inline bool
store_failed(struct logstore *store)
{
	return atomic_load_explicit(&store->failed, memory_order_relaxed);
}

#endif
