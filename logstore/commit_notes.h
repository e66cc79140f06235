/* SPDX-License-Identifier: Apache-2.0 */
/* What the batcher is told of each partition: one pending note each, offered when its ring has room. */
#ifndef LOGSTORE_COMMIT_NOTES_H
#define LOGSTORE_COMMIT_NOTES_H

#include "logstore/log_shard.h"

/* Adds to the partition's pending note. Log lcore. */
void commit_notes_add(struct log_shard *shard, struct partition *p, uint32_t bytes, uint32_t records,
	int64_t max_timestamp_ms);
/* Offers pending notes. Returns their number. */
uint32_t commit_notes_deliver(struct log_shard *shard);

#endif
