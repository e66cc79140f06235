/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: options, shards, keeper, and what every thread may look at. Set up by logstore.c,
 * recovered by recovery.c; afterwards only atomics change.
 */
#ifndef LOGSTORE_STORE_H
#define LOGSTORE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "logstore/durable_method.h"
#include "logstore/keeper.h"
#include "logstore/log_shard.h"
#include "logstore/logstore.h"

#define STORE_REASON_MAX 128

struct logstore {
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
	_Atomic uint32_t partition_count;
	/* Any shard sets, everybody reads. */
	_Atomic bool failed;
	char failed_reason[STORE_REASON_MAX];
	_Atomic bool failed_reason_set;
	struct log_room room;
	_Atomic bool stop_wanted;
	_Atomic bool stopped;
	_Atomic int64_t wall_minus_mono_ns;
	_Atomic uint64_t uncheckpointed_bytes; /* of all shards */
	/* control thread <-> keeper */
	struct ring commands;
	struct ring answers;
};

/* Turns writing off for the data directory until restart. First reason wins. Any thread. */
void store_fail(struct logstore *store, const char *what, int error);

static inline bool
store_failed(struct logstore *store)
{
	return atomic_load_explicit(&store->failed, memory_order_relaxed);
}

#endif
