/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard ring on the log lcore: places and builds the records of groups, anchors and marks.
 * Wrap rule: a half may be overwritten only after an anchor in the other half is durable, so a record
 * that does not fit into the rest of its half first asks for an anchor at the start of the other.
 */
#ifndef LOGSTORE_GUARD_WRITER_H
#define LOGSTORE_GUARD_WRITER_H

#include "logstore/log_shard.h"

/* Sizes of the shard's record buffers; -EINVAL with the arithmetic in the log if the ring is small. */
int guard_writer_init(struct log_shard *shard);
/* Whether a group record of that many entries fits into the current half. */
bool guard_writer_fits(const struct log_shard *shard, uint32_t entry_count);
/* Builds the record of a group whose parts are final; sets seq, position, length, buffer. */
void guard_writer_group(struct log_shard *shard, struct group *g);
/* Whether an anchor of everything durable fits into its buffer: not while very many segments wait for seals. */
bool guard_writer_anchor_fits(struct log_shard *shard);
/* Builds it. False: it does not fit now. */
bool guard_writer_anchor(struct log_shard *shard, struct group *g);
/* Builds a mark, or, where poison is untold, a group record without parts. */
void guard_writer_mark(struct log_shard *shard, struct group *g);
/* The record is durable and acknowledged. */
void guard_writer_acked(struct log_shard *shard, const struct group *g);
/* Fills an anchor entry of one unsealed segment, its range from that checkpoint on. Also the keeper's. */
void guard_writer_anchor_entry(const struct partition *p, const struct segment *s,
	const struct segment_checkpoint *from, struct guard_entry *ret_entry);

#endif
