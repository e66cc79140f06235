/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Index pages and checkpoints on the log lcore. A checkpoint at position X says that index files and
 * producer state up to X are on disk; the next anchor carries X, and recovery reads from there. What
 * belongs to X is captured when the part that ends at X closes and sent once that is acknowledged.
 */
#ifndef LOGSTORE_CHECKPOINTER_H
#define LOGSTORE_CHECKPOINTER_H

#include "logstore/log_shard.h"

/* Whether the partition can take a batch as far as pages and un-checkpointed bytes go. */
bool checkpointer_has_room(struct log_shard *shard, struct partition *p);
/* Hands the current page, if it has entries, to the keeper; the next of INDEX_PAGES becomes current. */
void checkpointer_page_away(struct log_shard *shard, struct partition *p, struct segment *s);
/* If a checkpoint is due, captures one at the closed end of `s`. True: it was captured. */
bool checkpointer_capture(struct log_shard *shard, struct partition *p, struct segment *s);
/* The captured checkpoint's part is acknowledged: send it. */
void checkpointer_send(struct log_shard *shard, struct partition *p);
/* The captured checkpoint's part failed: there will be none. */
void checkpointer_cancel(struct log_shard *shard, struct partition *p);
/* The keeper's answer; result 0: it is on disk. */
void checkpointer_done(struct log_shard *shard, struct partition *p, struct segment *s, int result);
/* Marks partitions due, a slice a turn; idle ones are captured at once. */
void checkpointer_poll(struct log_shard *shard);

#endif
