/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between a log shard and the keeper, one SPSC ring each way and shard. Small values and
 * pointers whose owner changes with the message; order is kept. The shard's ring is sized for all
 * messages that can be outstanding, so offering to it never fails.
 */
#ifndef LOGSTORE_KEEPER_MSG_H
#define LOGSTORE_KEEPER_MSG_H

#include <stdint.h>
#include "logstore/partition.h"
#include "logstore/snapshot_arena.h"

/* Outstanding messages to the keeper a partition, at most. */
#define KEEPER_MSGS_PARTITION (INDEX_PAGES + 3 * SEGMENTS_OPEN_MAX + 5)

enum keeper_msg_kind {
	KEEPER_ROLLED = 1, /* segment took its spare: give it its name and index files */
	KEEPER_PAGE,	   /* append the page's entries to the segment's index files -> PAGE_DONE */
	KEEPER_SEAL,	   /* segment's last group is acknowledged -> SEALED */
	KEEPER_CHECKPOINT, /* sync indexes, write .producers -> CHECKPOINT_DONE */
	KEEPER_CLOSE_FD,   /* the slot is free; `position` is the descriptor */
	KEEPER_READ,	   /* cold read into `read` -> READ_DONE */
	KEEPER_REPAIR,	   /* the partition is quiet and closed: it is lent -> REPAIRED with `command` */
	KEEPER_REMOVE,	   /* the partition is quiet: delete it, answer `command` */
	KEEPER_COMMAND_DONE, /* `command` is answered */
	KEEPER_STOPPED,	   /* the shard holds nothing any more; `result` 0: clean */
};

enum shard_msg_kind {
	SHARD_SPARE = 1, /* a prepared segment: file_id, descriptor, length */
	SHARD_ADD,	 /* serve this partition; answer `command` */
	SHARD_PAGE_DONE,
	SHARD_SEALED,
	SHARD_CHECKPOINT_DONE, /* result 0, or the work was given up: try again later */
	SHARD_READ_DONE,
	SHARD_REPAIRED, /* the partition is given back; `command` says how */
	SHARD_COMMAND, /* CONFIG, ROLL, DELETE, REPAIR: for the partition's lcore */
};

/* A cold read: buffer is an extent of the shard's pool, pinned while the keeper fills it. */
struct cold_read {
	struct read_req req;
	struct extent *extent;
	uint8_t *buffer;
	uint32_t buffer_bytes;
	int64_t limit_offset; /* nothing from here on */
	int64_t segment_base; /* of the unsealed segment it is in; -1: in a sealed one */
	/* answer */
	int16_t error;
	bool in_use;
	uint32_t data_off;
	uint32_t data_len;
	uint32_t want_bytes; /* > 0: the first batch needs that much, ask again */
	int64_t first_offset;
	int64_t next_offset;
	bool corrupt;
};

struct keeper_msg {
	uint32_t kind;
	int32_t result;
	struct partition *partition;
	struct segment *segment;
	struct index_page *page;
	struct snapshot_slot *snapshot;
	struct segment_checkpoint checkpoint;
	int64_t keep_from; /* CHECKPOINT: .producers files below may go */
	struct cold_read *read;
	struct log_command *command;
	uint64_t file_id;
	uint64_t position;
	int64_t offset;
};
_Static_assert(sizeof(struct keeper_msg) == 128, "keeper_msg is two cache lines");

struct shard_msg {
	uint32_t kind;
	int32_t result;
	struct partition *partition;
	struct segment *segment;
	struct index_page *page;
	struct snapshot_slot *snapshot;
	struct cold_read *read;
	struct log_command *command;
	uint64_t file_id;
	uint64_t bytes;
	int64_t fd;
};
_Static_assert(sizeof(struct shard_msg) == 80, "shard_msg");

#endif
