/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Step "append" of the log lcore: takes append requests, answers QUERY, checks sequence and epoch,
 * assigns offsets, copies each batch into the open group with its CRC in the same pass. A request that
 * cannot go on for want of what all share (memory, notes, room in the group) stays in its client's inbox:
 * back-pressure. One whose partition cannot (no spare, no index page, its share of the group taken) waits in the append queue, and
 * those of other partitions pass.
 */
#ifndef LOGSTORE_APPENDER_H
#define LOGSTORE_APPENDER_H

#include "logstore/log_shard.h"

/* One bounded step over all clients. Returns requests answered. */
uint32_t appender_poll(struct log_shard *shard);
/* Ends the partition's part of the open group, if it has one. For rolls and the committer. */
void appender_close_part(struct log_shard *shard, struct partition *p);
/* Queues DONE notes that wait for room in their client's ring. Returns notes delivered. */
uint32_t appender_deliver(struct log_shard *shard);

#endif
