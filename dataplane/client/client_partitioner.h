/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which partition a record goes to, as Kafka's default: the one the caller names, else murmur2 of the
 * key, else sticky: the same partition until its batch is closed, then another at random, so that
 * records without a key still fill whole batches. One sticky state a topic. I/O thread only.
 */
#ifndef CLIENT_CLIENT_PARTITIONER_H
#define CLIENT_CLIENT_PARTITIONER_H

#include <stddef.h>
#include <stdint.h>
#include "base/rand.h"

struct client_sticky {
	uint32_t partition;
	uint32_t partition_count; /* that it was chosen from; 0: choose */
};

/* wanted: a partition or -1. The result may be out of range if the caller named it so. */
uint32_t client_partitioner_choose(struct client_sticky *sticky, struct rand *rand, int32_t wanted,
	const void *key, size_t key_len, uint32_t partition_count);
/* The batch of `partition` was closed: a new sticky partition is chosen next. */
void client_partitioner_closed(struct client_sticky *sticky, uint32_t partition);

#endif
