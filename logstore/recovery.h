/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start of a data directory, in this order: guards, directories, sealed chain, active
 * segments, quarantine, repair, producer state, first anchors. Keeper thread, blocking, before any
 * log lcore runs. Interrupted anywhere it starts again from the same inputs: until the new anchors
 * are durable nothing that a next recovery needs is overwritten.
 */
#ifndef LOGSTORE_RECOVERY_H
#define LOGSTORE_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>
#include "logstore/checkpoint_file.h"
#include "logstore/file_util.h"
#include "logstore/proofs.h"
#include "logstore/quarantine.h"
#include "logstore/store.h"

#define RECOVERY_GUARDS_MAX 64
#define RECOVERY_LOCK_TRIES 3000
#define RECOVERY_LOCK_NS    10000000ull
#define REPAIR_SUFFIX	    ".repair" /* files of a repair that is not decided: repair.h */

/* One guard file as read. */
struct recovery_guard {
	uint32_t shard;
	int fd;
	uint64_t bytes;
	uint8_t *image;
	struct guard_scan scan;
};

/* An offset checkpoint of the data directory, by topic and partition. Empty: missing or malformed. */
struct recovery_offsets {
	struct checkpoint_offset *lines;
	uint32_t count;
};

/* A partition's directory whose topic id is not to be had. */
struct recovery_left {
	char dir[PARTITION_DIR_MAX + 1];
};

struct recovery {
	struct logstore *store;
	struct io *io;
	struct recovery_guard guards[RECOVERY_GUARDS_MAX];
	uint32_t guard_count;
	bool guard_damaged; /* some guard is missing, unreadable or has a damaged proven record */
	struct recovery_entry *entries; /* by topic id, partition, start id, seq */
	uint32_t entry_count;
	struct proofs *proofs; /* of directories that have some; entries point into them */
	uint32_t proofs_count;
	bool proofs_found; /* some directory has the file, good or not */
	struct recovery_offsets log_starts;
	struct recovery_offsets ends; /* after a clean stop only: else they may be of a topic since deleted */
	struct recovery_left *left;
	uint32_t left_count;
	uint64_t behind_left; /* bytes that may still be looked at behind ends of logs */
	uint64_t start_id; /* the new one */
	bool clean;
	struct file_names root;
};

/* recovery_guard.c */
int recovery_guard_load(struct recovery *r);
void recovery_guard_free(struct recovery *r);
/* Entries of one partition with its greatest start id; *ret_count of them. */
const struct recovery_entry *recovery_guard_entries(const struct recovery *r,
	const struct partition *p, uint32_t *ret_count);
/* Opens or makes the shard's guard file and writes the first anchor of this start. */
int recovery_guard_anchor(struct recovery *r, struct log_shard *shard);
int recovery_guard_flush_file(struct recovery *r, struct log_shard *shard);
/* True if an entry not known to be absent may be missing: a partition without entries proves nothing. */
bool recovery_guard_lost(const struct recovery *r);
/* True if an entry names that segment file. */
bool recovery_guard_names(const struct recovery *r, uint64_t file_id);

/* recovery.c: what a checkpoint says of the partition, or -1. */
int64_t recovery_offset(const struct recovery_offsets *offsets, const struct partition *p);

/* recovery_partition.c: one partition directory; report says what was done. */
int recovery_partition(struct recovery *r, struct partition *p, struct log_recovery_report *report);

/* What the names in the directory say of one base offset. */
struct recovery_base {
	int64_t base;
	bool has_log, has_seal, has_index;
	uint64_t prep_id; /* the file has not got its name yet; 0: it has */
};

/* One partition under recovery. */
struct recovery_context {
	struct recovery *r;
	struct io *io;
	struct partition *p;
	struct log_recovery_report *report;
	struct file_names names;
	struct recovery_base *bases;
	uint32_t base_count;
	struct checkpoint_epoch *epochs;
	uint32_t epoch_count;
	const struct recovery_entry *entries;
	uint32_t entry_count;
	struct producer_pool *pool; /* where the producers go: the shard's, or a repair's own */
	struct producer_list *producers;
	int64_t end; /* log end so far */
	int64_t producers_at; /* offset that the loaded producer state is valid at, -1 none yet */
	bool relaxed;
	bool cut;
	int mark_rc; /* of quarantine.json */
};

/* recovery_names.c: what the directory says before a segment is read. Drops what was never finished. */
int recovery_names_read(struct recovery_context *c);
/* Index files without a log go, unless the guard proves that there was one. */
void recovery_names_drop_orphans(struct recovery_context *c);
/* Gives a segment's file the name that a crash took back. */
int recovery_names_finish(struct recovery_context *c, int64_t base, uint64_t prep_id);
int recovery_names_read_epochs(struct recovery_context *c);
/* A new leader epoch from offset `end` on, durably. An error leaves the file as it was, and *ret_epoch. */
int recovery_names_raise_epoch(struct recovery_context *c, int64_t end, int32_t *ret_epoch);
/* -EBADMSG, -EIO: damaged, or of another segment. */
int recovery_names_read_seal(struct recovery_context *c, int64_t base, struct seal *ret_seal);

/*
 * recovery_producers.c: producer state as of `offset`: the newest file at or below it, then a replay of
 * the sealed segments in between. Sets producers_at.
 */
int recovery_producers_restore(struct recovery_context *c, int64_t offset);

/*
 * recovery_doubtful.c: quarantine of offsets [first, end), in state, report and quarantine.json. A file
 * that cannot be written ends the start (mark_rc): the next one would cut. The first mark stays.
 */
void recovery_doubtful_mark(struct recovery_context *c, int64_t base, int64_t first, int64_t end,
	const char *reason);
/* As above; everything that guard entries tell of is in doubt too: it may be acknowledged. */
void recovery_doubtful_mark_rest(struct recovery_context *c, int64_t base, int64_t first, int64_t end,
	const char *reason);
/* The mark of an earlier start. */
void recovery_doubtful_remember(struct recovery_context *c, const struct doubtful_range *known);
/*
 * A marked partition: nothing is changed, renamed or judged any more, so that a repair finds what there
 * was. Rows for reading.
 */
int recovery_doubtful_take(struct recovery_context *c);
/*
 * What is not taken is in no anchor, so its proofs go to a file of its own before the anchors are
 * written, unless they all come from there.
 */
int recovery_doubtful_keep(struct recovery_context *c);
/* Where the log begins: as far as checkpoint and guard tell that what came before was deleted. */
int64_t recovery_doubtful_start(const struct recovery_context *c);

/* One unsealed segment under recovery. */
struct recovery_segment {
	struct recovery *r;
	struct partition *p;
	struct segment *s;
	struct log_recovery_report *report;
	const struct recovery_entry *entries; /* of this segment */
	uint32_t entry_count;
	const struct checkpoint_epoch *epochs;
	uint32_t epoch_count;
	int fd; /* buffered, for recovery's own reads and writes */
	uint64_t file_bytes;
	uint8_t *image; /* [image_from, image_from + image_bytes) of the file */
	uint32_t image_from;
	uint32_t image_bytes;
	uint32_t checkpoint_pos;
	int64_t checkpoint_offset;
	uint32_t index_entries, time_index_entries;
	uint32_t walk_from;    /* a batch start at or below the checkpoint: the last index entry's */
	uint32_t note_from;    /* where the image begins: walk_from, or 0 if producers are older */
	uint32_t rebuild_from; /* checkpoint, or 0 if the indexes do not fit it */
	/* verdict */
	uint32_t end_pos;
	int64_t end_offset;
	uint32_t written_end; /* greatest position any record names */
	bool repaired;
	bool cut;
	bool corrupt;
	int64_t doubtful_end; /* corrupt: offsets [end_offset, doubtful_end) */
	int64_t producers_from; /* batches from here on are replayed */
};

/* recovery_segment.c, for a repair: the whole file as it is, the newest tail copies over it. -ENOMEM. */
int recovery_segment_image(struct recovery_segment *rs);
/* The whole good batch at `pos` of the image, whatever stands before it: its length, or 0. */
uint32_t recovery_segment_batch(const struct recovery_segment *rs, uint32_t pos, uint32_t limit,
	struct record_batch *ret_batch);
/* Reads and judges (changes nothing on disk). */
int recovery_segment_judge(struct recovery_segment *rs);
/* Writes repaired blocks, zeroes behind the end, rebuilds indexes, replays producers. */
int recovery_segment_apply(struct recovery_segment *rs);
void recovery_segment_free(struct recovery_segment *rs);

#endif
