/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments of a partition on the log lcore: a roll takes a prepared spare in the same turn; the old
 * segment goes to the keeper once its last group is acknowledged. Log lcore.
 */
#ifndef LOGSTORE_ROLL_H
#define LOGSTORE_ROLL_H

#include "logstore/log_shard.h"

/* The active segment takes a batch of len after this. False: wait (no spare, keeper is behind). */
bool roll_prepare(struct log_shard *shard, struct partition *p, const struct record_batch *batch,
	uint32_t len);
/* Closes the active segment, if there is one: the next append starts another. False: wait. */
bool roll_close(struct log_shard *shard, struct partition *p);
/* After a batch: from half a segment on its successor is counted as wanted (spares_wanted). */
void roll_appended(struct log_shard *shard, struct partition *p);
/* The segment takes no more: it wants no successor. */
void roll_forget(struct log_shard *shard, struct segment *segment);
/* Hands closed segments whose last group is acknowledged to the keeper, oldest first. */
void roll_seal(struct log_shard *shard, struct partition *p);
/* The keeper sealed it: slot and object become free. */
void roll_sealed(struct log_shard *shard, struct segment *segment);

#endif
