/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit on the log lcore: dispatches the open group, writes, flushes, acknowledges in order.
 * No DURABLE note leaves before the writes, the guard record and the flush that covers them
 * completed. A failed write poisons its partition; a failed guard write or flush turns the store's
 * writing off; no flush is ever repeated.
 */
#ifndef LOGSTORE_COMMITTER_H
#define LOGSTORE_COMMITTER_H

#include "logstore/log_shard.h"

/* Takes completions. Returns their number. */
uint32_t committer_reap(struct log_shard *shard);
/* Flush, acknowledge, dispatch what may go now. Returns work done. */
uint32_t committer_poll(struct log_shard *shard);
/* Earliest instant of timed work (linger, mark, relaxed flush), UINT64_MAX if none. */
uint64_t committer_deadline_ns(const struct log_shard *shard);
/* Nothing open, nothing in flight, newest group proven. */
bool committer_quiet(const struct log_shard *shard);

#endif
