/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoded producer states on their way from the log lcore to the keeper: a ring of bytes and a ring
 * of slots, taken in order, given back in any order. The lcore encodes (the state changes under its
 * hands), the keeper only writes the bytes to files. Full: rolls and checkpoints wait. Log lcore;
 * between hand-over and answer the slot's bytes are the keeper's to read.
 */
#ifndef LOGSTORE_SNAPSHOT_ARENA_H
#define LOGSTORE_SNAPSHOT_ARENA_H

#include <stdbool.h>
#include <stdint.h>
#include "logstore/partition.h"

#define SNAPSHOT_SLOTS 256

struct snapshot_slot {
	const uint8_t *own; /* `.producers` */
	const uint8_t *kafka; /* `.snapshot` */
	uint32_t own_len;
	uint32_t kafka_len;
	uint32_t from; /* in the ring */
	uint32_t bytes;
	bool used;
	int64_t offset; /* file name */
};

struct snapshot_arena {
	uint8_t *memory;
	uint32_t bytes;
	uint32_t at; /* next free byte */
	uint32_t first, count; /* of slots, oldest first */
	struct snapshot_slot slots[SNAPSHOT_SLOTS];
};

/* Room for at least two states of producers_max. -ENOMEM. Start-up. */
int snapshot_arena_init(struct snapshot_arena *arena, uint32_t producers_max);
void snapshot_arena_close(struct snapshot_arena *arena);
/* Encodes the partition's producers as of `offset`. NULL: no room now. */
struct snapshot_slot *snapshot_arena_encode(struct snapshot_arena *arena, const struct partition *p,
	int64_t offset);
void snapshot_arena_give(struct snapshot_arena *arena, struct snapshot_slot *slot);

#endif
