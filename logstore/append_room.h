/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room for batches in the shard's memory: sections of extents, in which a part of the open group grows.
 * Sized so that a part becomes few, long writes. Log lcore.
 */
#ifndef LOGSTORE_APPEND_ROOM_H
#define LOGSTORE_APPEND_ROOM_H

#include "logstore/log_shard.h"

/*
 * Contiguous room for len bytes at the partition's end, in its open section or in one that is opened for
 * it. NULL: no memory now, nothing changed.
 */
uint8_t *append_room(struct log_shard *shard, struct partition *p, uint32_t len);
/* Takes back a section just opened, for a part that does not exist yet: nothing was appended. */
void append_room_cancel(struct partition *p);

#endif
