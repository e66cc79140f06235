/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One partition as log lcore and keeper see it. Made by the keeper (create, recovery), then given to
 * its shard by a message; never freed before the store is. Fields are grouped by who writes them, each
 * group on lines of cache of its own: identity nobody after creation; `shard` fields the log lcore;
 * `keeper` fields the keeper; `status` atomics the log lcore, read by anybody.
 *
 * Of its unsealed segments (segment.h, at most SEGMENTS_OPEN_MAX) the newest is the active one; older
 * ones wait to be sealed. Its states are those of logstore.h; partition_set_state() has their edges.
 */
#ifndef LOGSTORE_PARTITION_H
#define LOGSTORE_PARTITION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"
#include "logstore/append_queue.h"
#include "logstore/group.h"
#include "logstore/logstore.h"
#include "logstore/producer_state.h"
#include "logstore/segment.h"

#define SEGMENTS_OPEN_MAX    3
#define INDEX_PAGES	     8 /* one holds 800 KB of log, and the keeper may be in a sync */
#define INDEX_PAGE_ENTRIES   200
#define PARTITION_DIR_MAX    255

struct log_shard;

/* Index entries on their way to the keeper. Owned by the shard unless `away`. */
struct index_page {
	uint32_t entry_count;
	uint32_t time_entry_count;
	bool away;
	uint8_t entries[INDEX_PAGE_ENTRIES * SEGMENT_INDEX_ENTRY_BYTES];
	uint8_t time_entries[INDEX_PAGE_ENTRIES * SEGMENT_INDEX_TIME_ENTRY_BYTES];
} CACHE_ALIGNED; /* the next page is the shard's while this one is away */

/* A sealed or unsealed segment as the keeper knows it: for cold reads and checkpoints. */
struct segment_row {
	int64_t base;
	int64_t end_offset; /* INT64_MAX while unsealed */
	uint64_t log_bytes;
	bool sealed;
	bool gaps; /* as its seal says; of old segments it is only known when a gap was met */
};

/* Range that must not be served: quarantine.json. Offsets [first, end); end <= first: all from first on. */
struct doubtful_range {
	int64_t first_offset;
	int64_t end_offset;
};

struct partition_status {
	_Atomic uint32_t state CACHE_ALIGNED;
	_Atomic int32_t leader_epoch;
	_Atomic int64_t log_start_offset;
	_Atomic int64_t log_end_offset;
	_Atomic int64_t opened_offset; /* set once, before anybody appends */
	_Atomic int64_t high_watermark;
	_Atomic int64_t durable_offset;
	_Atomic int64_t checkpointed_offset; /* of its newest segment; for Kafka: decision 0014 */
	_Atomic uint64_t durable_position;
	_Atomic int64_t active_base_offset;
	_Atomic uint64_t size_bytes;
	_Atomic uint32_t segment_count;
};

struct partition {
	/* --- identity ------------------------------------------------------------------------ */
	uint32_t index;
	uint32_t partition;
	uint16_t shard;
	bool internal; /* by its name, as for Kafka: "__..." */
	uint8_t topic_id[16];
	char topic[HANDOFF_TOPIC_NAME_MAX + 1];
	char dir[PARTITION_DIR_MAX + 1];
	void *memory; /* what is freed: begins before the object */

	/* --- shard ---------------------------------------------------------------------------- */
	struct log_topic_config config CACHE_ALIGNED;
	enum log_partition_state state;
	int32_t leader_epoch;
	int64_t next_offset;
	int64_t durable_offset;
	int64_t high_watermark;
	int64_t log_start_offset;
	int64_t max_timestamp_ms; /* of records below the high watermark not yet told, -1 none */
	struct segment segments[SEGMENTS_OPEN_MAX];
	struct segment *active;
	uint32_t last_end_pos; /* end of the last segment: aux of the next ROLL */
	struct producer_list producers;
	struct index_page pages[INDEX_PAGES];
	uint8_t page_at;
	/* memory */
	struct extent *newest;	/* of its list; may be full */
	struct extent *oldest;
	/* its part of the open group */
	bool dirty;
	uint32_t open_part; /* index in the open group */
	struct section *open_section;
	struct extent *open_extent;
	uint32_t parts_in_flight; /* closed, not acknowledged */
	uint32_t writes_in_flight; /* dispatched parts whose writes are not complete */
	struct group_part *newest_part; /* closed, not acknowledged; NULL when none */
	uint32_t part_bytes; /* of its largest part of late: sizes the next extent */
	bool poison_pending;
	uint64_t poison_seq;
	int64_t poison_base; /* segment */
	uint64_t poison_file_id;
	/* checkpoints */
	bool checkpoint_due;
	bool checkpoint_busy; /* captured, waiting for its group or with the keeper */
	struct segment *checkpoint_segment;
	struct segment_checkpoint checkpoint_new;
	struct snapshot_slot *checkpoint_snapshot;
	uint64_t checkpoint_ns;
	int64_t anchoring_offset; /* checkpoint offset that the newest anchor names */
	int64_t anchored_offset;  /* and that the newest durable anchor names */
	/* commit note not yet taken */
	bool commit_note_pending;
	struct partition *note_next;
	uint32_t note_bytes, note_records;
	int64_t note_max_timestamp_ms;
	struct log_command *waiting_command; /* linked by `internal` */
	bool lent; /* the keeper repairs it */
	bool lent_producers; /* there were any in memory when it was lent */
	uint32_t append_first, append_last; /* requests in the shard's append_queue */
	struct partition *append_queue_next;
	uint64_t size_bytes;
	uint32_t segment_count;

	/* --- keeper --------------------------------------------------------------------------- */
	struct segment_row *rows CACHE_ALIGNED; /* by base; grows by housekeeping */
	uint32_t row_count;
	uint32_t rows_max;
	struct doubtful_range doubtful;
	bool has_doubtful;
	bool doubtful_written; /* quarantine.json holds it */
	bool proofs_stale;     /* its penstock-proofs go when this start's anchors are durable */
	bool removed;
	uint32_t late_count; /* messages that the keeper tries again */
	uint64_t late_ns;    /* when one of them failed last: the others wait behind it */

	/* --- anybody reads ---------------------------------------------------------------------- */
	struct partition_status status;
};
_Static_assert(offsetof(struct partition, config) % CACHE_LINE_BYTES == 0, "the shard's lines");
_Static_assert(offsetof(struct partition, rows) % CACHE_LINE_BYTES == 0, "the keeper's lines");
_Static_assert(offsetof(struct partition, status) % CACHE_LINE_BYTES == 0, "lines that all read");
_Static_assert(sizeof(struct partition) ==
		       offsetof(struct partition, status) + sizeof(struct partition_status),
	"status is the last group");

struct partition_identity {
	const char *topic;
	uint32_t partition;
	uint8_t topic_id[16];
};

/*
 * A fresh partition object, absent of segments. run_table_max: seal runs of the largest segment. Most of
 * it is index pages and tail blocks, which cost memory only once they are used. Keeper; NULL: out of
 * memory.
 */
struct partition *partition_make(const struct partition_identity *identity, uint32_t index,
	uint16_t shard, uint32_t run_table_max);
void partition_free(struct partition *p);
/* Moves it along its life; an edge that does not exist aborts. Log lcore, or recovery before it. */
void partition_set_state(struct partition *p, enum log_partition_state state);
/* Publishes the status atomics. Log lcore (or recovery). */
void partition_publish(struct partition *p);
/*
 * Publishes the checkpoint of its newest unsealed segment, or the durable offset if all is sealed;
 * for recovery-point-offset-checkpoint. Log lcore, when a segment begins and when a checkpoint or a
 * seal is done (or recovery).
 */
void partition_publish_checkpoint(struct partition *p);
/* A free segment object made active: counters at zero. NULL: all are in use. */
struct segment *partition_segment_take(struct partition *p, int64_t base);
/* Unsealed segments now. */
uint32_t partition_segments_open(const struct partition *p);
/* Extent list. */
void partition_extent_add(struct partition *p, struct extent *extent);
void partition_extent_forget(struct extent *extent);
/* Keeper: rows. */
int partition_row_add(struct partition *p, const struct segment_row *row);
struct segment_row *partition_row_find(struct partition *p, int64_t offset);

#endif
