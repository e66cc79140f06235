/* SPDX-License-Identifier: Apache-2.0 */
/* A quarantined partition on its way to the keeper, which repairs it, and back. Log lcore. */
#ifndef LOGSTORE_SHARD_REPAIR_H
#define LOGSTORE_SHARD_REPAIR_H

#include "logstore/log_shard.h"

/*
 * Lends the partition to the keeper, once all of its segments are sealed and nothing of it is under way.
 * Called again each turn until it returns true: lent, or refused and answered.
 */
bool shard_repair_try(struct log_shard *shard, struct partition *p, struct log_command *command);
/* It is back: it serves again if it was repaired, and the command is answered. */
void shard_repair_done(struct log_shard *shard, struct partition *p, struct log_command *command);

#endif
