/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of a log shard to its device: a fixed table, each from its start to the reaping of its
 * completion. Log lcore only.
 */
#ifndef LOGSTORE_SHARD_OP_H
#define LOGSTORE_SHARD_OP_H

#include "logstore/log_shard.h"

/* Takes an op and queues it. False: no op or no room at the device now; nothing happened. */
bool shard_op_start(struct log_shard *shard, const struct shard_op *wanted);
/* Its completion has been reaped. */
void shard_op_end(struct log_shard *shard, uint32_t index);
/* Writes refused for the moment go again with the same bytes. */
void shard_op_requeue(struct log_shard *shard);

#endif
