/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 256-slot software queue behind nic_ops.tx: tokens that the driver refused, oldest first, kept
 * in one run so that a driver's burst call can take them as an array. Lane's lcore only.
 */
#ifndef NIC_TX_QUEUE_H
#define NIC_TX_QUEUE_H

#include <stdint.h>
#include <string.h>
#include "base/ensure.h"

#define TX_QUEUE_SLOTS 256

struct tx_queue {
	uint32_t count;
	uint64_t tokens[TX_QUEUE_SLOTS];
};

static inline uint32_t
tx_queue_room(const struct tx_queue *queue)
{
	return TX_QUEUE_SLOTS - queue->count;
}

static inline void
tx_queue_push(struct tx_queue *queue, uint64_t token)
{
	ensure(queue->count < TX_QUEUE_SLOTS);
	queue->tokens[queue->count++] = token;
}

/* Removes the oldest n. */
static inline void
tx_queue_drop_front(struct tx_queue *queue, uint32_t n)
{
	ensure(n <= queue->count);
	queue->count -= n;
	memmove(queue->tokens, queue->tokens + n, queue->count * sizeof(queue->tokens[0]));
}

#endif
