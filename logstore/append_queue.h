/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Append requests of partitions that cannot go on now (no prepared segment, no index page, or they
 * had their share of the open group), in order per partition, so that they hold up no request of
 * another partition behind them. Bounded: when it is full, requests stay in the client's ring as
 * before. Log lcore.
 *
 * Invariant: a partition is in the list of waiting partitions exactly while it has a request here.
 */
#ifndef LOGSTORE_APPEND_QUEUE_H
#define LOGSTORE_APPEND_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/handoff.h"

#define APPEND_QUEUE_NONE UINT32_MAX

struct partition;

struct queued_append {
	struct append_req req;
	uint32_t next;
};

struct append_queue {
	struct queued_append *items;
	uint32_t free_first;
	uint32_t count; /* requests here */
	struct partition *first, *last; /* by append_queue_next; asked in turn */
};

static inline bool
append_queue_is_full(const struct append_queue *queue)
{
	return queue->free_first == APPEND_QUEUE_NONE;
}

/* Start-up. -ENOMEM. */
int append_queue_init(struct append_queue *queue, uint32_t requests_max);
void append_queue_close(struct append_queue *queue);
/* Adds behind the partition's other requests. False: full, nothing changed. */
bool append_queue_add(struct append_queue *queue, struct partition *p, const struct append_req *req);
/* The oldest request of the first partition; there is one. Valid until it is taken. */
const struct append_req *append_queue_first(const struct append_queue *queue);
/* Takes the oldest request of the first partition away; the partition leaves the list if it was its last. */
void append_queue_pop(struct append_queue *queue);
/* The first partition goes behind the others. */
void append_queue_rotate(struct append_queue *queue);

#endif
