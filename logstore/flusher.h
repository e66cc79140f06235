/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flush phase of groups on the log lcore, flush method only: one flush at a time, of the device
 * or of each file, that covers every group whose writes had completed when it was submitted. A
 * failed flush turns the store's writing off; none is ever repeated.
 */
#ifndef LOGSTORE_FLUSHER_H
#define LOGSTORE_FLUSHER_H

#include "logstore/log_shard.h"

/* Submits a flush if one is due and none is in flight. Returns work done. */
uint32_t flusher_poll(struct log_shard *shard);
/* A flush came back with 0 or a negative errno. */
void flusher_complete(struct log_shard *shard, int32_t result);

#endif
