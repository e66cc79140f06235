/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads on the log lcore: from the tail cache by pinned extents, no copy; otherwise a cold read that
 * the keeper fills into an extent of the pool, verified there (batch CRC and offset chain). Log lcore.
 */
#ifndef LOGSTORE_READER_H
#define LOGSTORE_READER_H

#include "logstore/log_shard.h"

/* Answers read requests and takes pins back. Returns work done. */
uint32_t reader_poll(struct log_shard *shard);
/* The keeper's answer to a cold read. */
void reader_cold_done(struct log_shard *shard, struct cold_read *read);

#endif
