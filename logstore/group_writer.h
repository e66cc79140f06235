/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The write phase of groups on the log lcore: a group's sections and its guard record go to the
 * device, as many at a time as it takes, and come back. A failed write poisons its partition; a
 * failed guard write turns the store's writing off.
 */
#ifndef LOGSTORE_GROUP_WRITER_H
#define LOGSTORE_GROUP_WRITER_H

#include "logstore/log_shard.h"

/*
 * Puts a group, its guard record built, at the end of the queue and begins to write it. The caller
 * has seen to it that no partition of it has a write in flight (tail rule T2).
 */
void group_writer_begin(struct log_shard *shard, struct group *g);
/* Repeats what the device refused for the moment; goes on with a group begun. Returns work done. */
uint32_t group_writer_poll(struct log_shard *shard);
/* A DATA or GUARD op, by now free again, came back; `good`: all of its bytes are written. */
void group_writer_complete(struct log_shard *shard, const struct shard_op *op, bool good);

#endif
