/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One unsealed segment: slot, descriptor, positions, gathered CRCs and index state. The object is a
 * place in its partition (partition.h) and belongs to the log lcore, or to recovery before it; the
 * keeper's fields are the keeper's. A sealed segment has none: it is a row of the partition.
 *
 *   FREE -taken-> ACTIVE -roll-> CLOSED -last group acknowledged-> SEALING -sealed-> FREE
 *   ACTIVE, CLOSED -> FREE when the partition is deleted; ACTIVE -> FREE when recovery does not go on
 *   with it
 */
#ifndef LOGSTORE_SEGMENT_H
#define LOGSTORE_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"
#include "logstore/range_crc.h"
#include "logstore/seal.h"
#include "logstore/segment_index.h"

#define SEGMENT_BLOCK_MAX 4096

struct log_topic_config;
struct partition;
struct snapshot_slot;

/* What a checkpoint at position `pos` of a segment says. */
struct segment_checkpoint {
	uint32_t pos;
	uint32_t index_entries;
	uint32_t time_index_entries;
	int64_t offset; /* end offset at pos = name of the .producers file */
	struct range_crc crc; /* of [crc_from, pos) */
};

enum segment_state {
	SEGMENT_FREE,	 /* no segment: the object may be taken */
	SEGMENT_ACTIVE,	 /* takes batches */
	SEGMENT_CLOSED,	 /* takes no more bytes; waits for its last group */
	SEGMENT_SEALING, /* with the keeper */
	SEGMENT_STATE_COUNT,
};

struct segment {
	enum segment_state state;
	struct partition *partition;
	int64_t base;
	uint64_t file_id;
	int fd;
	uint32_t slot;
	uint32_t alloc_bytes;
	uint32_t end_pos;     /* appended */
	uint32_t closed_pos;  /* in closed groups */
	uint32_t durable_pos; /* acknowledged */
	int64_t end_offset;
	int64_t durable_end_offset;
	uint32_t prev_end_pos; /* of the segment before, for the ROLL flag */
	bool roll_noted;       /* a guard entry carried ROLL */
	bool half_full;	       /* counted in the shard's spares_wanted */
	uint32_t crc_from;     /* CRCs and runs are known from here on; 0: of the whole segment */
	struct range_crc closed_crc; /* [crc_from, closed_pos) */
	struct range_crc durable_crc;
	struct segment_checkpoint checkpoint;
	struct segment_index index;
	struct seal_runs runs;
	struct seal_run *run_table;
	uint32_t run_table_max;
	uint64_t batch_count, record_count; /* from crc_from on */
	int64_t first_timestamp_ms;
	bool has_first_timestamp;
	/* At closing, for the seal. */
	bool has_last_time_entry;
	struct segment_index_time_entry last_time_entry;
	/* Producer state at the end, encoded; keeper's until it answers. */
	struct snapshot_slot *snapshot;
	uint64_t flush_mark; /* the flush that covered it last: scope file */
	uint8_t tail_block[SEGMENT_BLOCK_MAX]; /* closed_pos mod B bytes: what the next group copies */
	struct segment_checkpoint seal_checkpoint; /* as of then; `checkpoint` is still the shard's */
	/* Keeper's: lines of their own, for the log lcore writes all that is above. */
	int index_fd CACHE_ALIGNED;
	int time_index_fd;
	uint64_t index_bytes; /* written so far */
	uint64_t time_index_bytes;
} CACHE_ALIGNED;
_Static_assert(offsetof(struct segment, index_fd) == sizeof(struct segment) - CACHE_LINE_BYTES,
	"the keeper's fields are the last line");

/*
 * Makes a free object the active segment from `base` on: counters at zero, no descriptors. Log lcore,
 * or recovery.
 */
void segment_begin(struct segment *s, int64_t base, const struct log_topic_config *config);
/* Moves it along its life; an edge that does not exist aborts. Log lcore, or recovery. */
void segment_set_state(struct segment *s, enum segment_state state);

#endif
