/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of groups on the log lcore: who waits for a group's records hears that they are durable,
 * written (relaxed topics) or lost, watermarks rise, extents are let go. Groups end strictly in seq
 * order. No DURABLE leaves before the writes, the guard record and the flush that covers them
 * completed: the group's state says so.
 */
#ifndef LOGSTORE_ACKNOWLEDGER_H
#define LOGSTORE_ACKNOWLEDGER_H

#include "logstore/log_shard.h"

/* Ends the durable groups at the head of the queue: the oldest goes first or nobody does. Returns
 * their number. */
uint32_t acknowledger_poll(struct log_shard *shard);
/* All writes of the group completed: relaxed topics have their ack point. */
void acknowledger_written(struct log_shard *shard, struct group *g);
/* Writing is off: everything not acknowledged is answered so, once the device is done with it. */
void acknowledger_abandon(struct log_shard *shard);

#endif
