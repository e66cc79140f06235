/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoded producer states on their way from the log lcore to the keeper, taken and given back in any
 * order: one that stays, because its partition's files cannot be written, holds up no other. The lcore
 * encodes (the state changes under its hands), the keeper only writes the bytes to files. Full: rolls
 * wait; checkpoints do so when half of it is taken. Log lcore; between hand-over and answer the slot's
 * bytes are the keeper's to read.
 *
 * Invariant: the list of used slots rises in `from`, and their bytes do not overlap.
 */
#ifndef LOGSTORE_SNAPSHOT_ARENA_H
#define LOGSTORE_SNAPSHOT_ARENA_H

#include <stdbool.h>
#include <stdint.h>
#include "logstore/partition.h"

#define SNAPSHOT_SLOTS_MIN 256
#define SNAPSHOT_NONE	   UINT32_MAX

struct snapshot_slot {
	const uint8_t *own; /* `.producers` */
	const uint8_t *kafka; /* `.snapshot` */
	uint32_t own_len;
	uint32_t kafka_len;
	uint32_t from; /* in the arena */
	uint32_t bytes;
	uint32_t next; /* used: by `from`; else free */
	bool used;
	int64_t offset; /* file name */
};

struct snapshot_arena {
	uint8_t *memory;
	uint32_t bytes;
	uint32_t used_bytes;
	uint32_t first, free_first; /* lists of slots */
	uint32_t count, slots_max;
	struct snapshot_slot *slots;
};

/* Room for at least two states of producers_max, and slots for two a partition. -ENOMEM. Start-up. */
int snapshot_arena_init(struct snapshot_arena *arena, uint32_t producers_max, uint32_t partitions_max);
void snapshot_arena_close(struct snapshot_arena *arena);
/* Encodes the partition's producers as of `offset`. NULL: no room now. */
struct snapshot_slot *snapshot_arena_encode(struct snapshot_arena *arena, const struct partition *p,
	int64_t offset);
/* Whether what can wait may take a slot: the other half is for rolls, behind which appends wait. */
bool snapshot_arena_roomy(const struct snapshot_arena *arena);
void snapshot_arena_give(struct snapshot_arena *arena, struct snapshot_slot *slot);

#endif
