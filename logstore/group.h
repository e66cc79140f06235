/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group commit: what one guard record covers. Parts are gathered while the group is open, written
 * with the guard record, flushed, and acknowledged strictly in seq order. Plain data of the log
 * lcore; committer.c drives it, appender.c fills the open one.
 *
 *   FREE -> OPEN -> WRITING -> WRITTEN -> FLUSHING -> DURABLE -> FREE
 *   an anchor or a mark gathers nothing: FREE -> WRITING; DSYNC method: WRITING -> DURABLE
 */
#ifndef LOGSTORE_GROUP_H
#define LOGSTORE_GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include "logstore/chunk_pool.h"
#include "logstore/guard.h"
#include "logstore/note.h"
#include "logstore/range_crc.h"

#define GROUPS_MAX	6 /* one open, up to four in flight, an anchor or mark */
#define GROUP_PARTS_MAX 512

struct segment;
struct partition;

enum group_state {
	GROUP_FREE,
	GROUP_OPEN, /* gathers parts */
	GROUP_WRITING, /* its writes go out and come back */
	GROUP_WRITTEN, /* all its writes completed; flush method: waits for a flush */
	GROUP_FLUSHING, /* covered by the flush in flight */
	GROUP_DURABLE, /* waits for its turn to be acknowledged */
	GROUP_STATE_COUNT,
};

/* One partition's share of one group: a range of one segment. */
struct group_part {
	struct partition *partition;
	struct segment *segment;
	struct extent *first_extent;
	uint32_t first_section; /* in first_extent */
	uint32_t section_count; /* through newer extents */
	uint32_t start_pos, end_pos;
	int64_t first_offset, end_offset;
	struct range_crc crc;
	uint32_t batch_count, record_count;
	uint32_t guard_flags, guard_aux;
	int64_t max_timestamp_ms;
	const uint8_t *tail; /* end_pos mod B bytes, in the last section */
	struct note_list durable_notes;
	struct note_list appended_notes;
	int32_t leader_epoch;
	bool failed;   /* a write of it failed */
	bool urgent;   /* not of a relaxed topic: flush at once */
	bool checkpoint; /* the partition's captured checkpoint is at end_pos */
};

struct group {
	enum group_state state;
	enum guard_kind kind;
	uint64_t seq;
	struct group_part *parts; /* GROUP_PARTS_MAX */
	uint32_t part_count;
	uint32_t payload_bytes;
	uint64_t opened_ns;
	uint64_t written_ns;
	bool urgent;
	uint32_t flush_ms; /* relaxed: the shortest time of its topics between write and flush */
	/* Dispatch: what is still to be handed to the device. */
	uint32_t next_part;
	struct extent *next_extent; /* NULL: next_part is not begun */
	uint32_t next_section;
	uint32_t next_count; /* sections of next_part done */
	uint32_t next_off;   /* bytes of the next section already queued */
	uint32_t guard_off;
	bool dispatched; /* all is queued */
	uint32_t writes_pending;
	/* Its guard record. */
	uint8_t *guard_buffer;
	uint64_t guard_position;
	uint32_t guard_len; /* padded */
	bool guard_failed;
	uint64_t durable_seq; /* as the record says */
};

/* Moves it along its life; an edge that does not exist aborts. Log lcore. */
void group_set_state(struct group *g, enum group_state state);

#endif
