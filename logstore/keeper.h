/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The housekeeping thread of a data directory: everything that blocks. Takes messages of the shards
 * in order, makes spares, names rolled segments, writes indexes, checkpoints and seals, reads cold
 * data, creates and deletes partitions. No ack waits for it.
 *
 * Work that fails (disk full, EIO in a metadata file) is kept and tried again every second; what
 * comes behind it of the same partition waits, so order holds there.
 */
#ifndef LOGSTORE_KEEPER_H
#define LOGSTORE_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include "logstore/keeper_msg.h"
#include "logstore/logstore.h"

#define KEEPER_RETRY_NS	 1000000000ull
#define KEEPER_ZERO_STEP (4u << 20)
#define KEEPER_RATE_STEP (1u << 20) /* with log.prep.rate */

struct logstore;
struct repair;

/* A spare in the making. */
struct keeper_prep {
	bool busy;
	uint32_t shard;
	uint64_t file_id;
	int fd;
	uint64_t zeroed_bytes;
	uint64_t next_ns; /* with log.prep.rate: not before */
};

/*
 * Messages of one shard. What failed, and what waits behind it for the order of its partition, is late
 * and tried again every second; other partitions go on, so that a full disk can be emptied.
 *
 * Seals and checkpoints, many syncs each, are slow: one a turn, in order among themselves, and behind
 * what appends wait for (names, index pages). A page is told before the seal of its segment, and so it
 * is written before it.
 */
struct keeper_inbox {
	struct keeper_msg *late; /* oldest first; room for all that can be outstanding */
	uint32_t late_count, late_max;
	struct ring slow; /* seals and checkpoints, and STOPPED behind them; oldest first */
	uint64_t retry_ns;
	bool stopped;
	bool stopped_clean;
	uint32_t spares_given; /* since the start; wraps */
};

struct log_keeper {
	struct logstore *store;
	struct io *io;
	uint64_t now_ns;
	struct keeper_inbox inbox[HANDOFF_SHARDS_MAX];
	struct keeper_prep prep;
	uint64_t prep_retry_ns;
	bool prep_full; /* the last spare failed for want of space */
	bool space_low;
	bool space_roomy; /* enough for spares beside spares_min */
	uint64_t space_ns;
	uint64_t reserve_bytes; /* held by penstock-reserve; 0: it must be made or looked at */
	uint64_t checkpoint_ns;
	bool clean_written;
	struct repair *repair;	     /* under way */
	struct log_command *repairs; /* wait for it, by `internal`, oldest first */
};

int log_keeper_init(struct log_keeper *keeper, struct logstore *store);
void log_keeper_close(struct log_keeper *keeper);

/* keeper_spare.c: one bounded step of preparation. */
uint32_t keeper_spare_step(struct log_keeper *keeper);
/* A shard's spares at least: spares_min, and what is kept for internal topics. */
uint32_t keeper_spare_least(const struct logstore *store);
/* Whether a shard has fewer than that: the next roll may find none. */
bool keeper_spare_short(const struct log_keeper *keeper);
/* Adopts a spare that an earlier run prepared. */
int keeper_spare_adopt(struct log_keeper *keeper, uint64_t file_id, uint32_t shard);

/* keeper_reserve.c: makes or enlarges the room that a start needs, out of what may be spent for it. */
void keeper_reserve_keep(struct log_keeper *keeper, uint64_t spendable_bytes);
/* Gives it away. 0 if there is none. */
int keeper_reserve_drop(struct io *io);

/*
 * keeper_segment.c: each is one message; 0 or negative errno: to be tried again. A segment found damaged
 * at its seal is done too: its partition is quarantined then (partition.has_doubtful).
 */
int keeper_segment_name(struct log_keeper *keeper, struct partition *p, struct segment *s);
int keeper_segment_page(struct log_keeper *keeper, struct segment *s, const struct index_page *page);
int keeper_segment_seal(struct log_keeper *keeper, struct partition *p, struct segment *s,
	const struct snapshot_slot *snapshot);
int keeper_segment_checkpoint(struct log_keeper *keeper, const struct keeper_msg *msg);
void keeper_segment_close_files(struct log_keeper *keeper, struct segment *s);
/* Creates or opens the two index files of an unsealed segment. */
int keeper_segment_open_indexes(struct log_keeper *keeper, struct partition *p, struct segment *s);
/* Removes .producers files below keep_from and .snapshot files without a segment. */
void keeper_segment_prune(struct log_keeper *keeper, struct partition *p, int64_t keep_from);

/*
 * keeper_rescan.c: what a seal needs, from the file: for segments resumed after a crash. -EBADMSG, -EIO:
 * damaged, and offsets below *ret_good_end are not.
 */
int keeper_rescan(struct log_keeper *keeper, struct partition *p, struct segment *s,
	int64_t *ret_good_end);

/* keeper_partition.c */
int keeper_partition_create(struct log_keeper *keeper, struct log_command *command,
	struct partition **ret_partition);
/* 1 if a directory has segments or seals, 0 if not or if it is not there. */
int keeper_partition_holds_log(struct log_keeper *keeper, const char *dir);
int keeper_partition_remove(struct log_keeper *keeper, struct partition *p);
/*
 * recovery-point and log-start checkpoints of the data directory. `ended`: at a clean stop the
 * recovery point is the end of each log, which the next start holds its segments against; before,
 * it is the checkpoint of the newest segment: Kafka looks at nothing below it (decision 0014).
 */
int keeper_partition_write_checkpoints(struct log_keeper *keeper, bool ended);
/* Deletes every file of a directory and the directory. */
int keeper_partition_erase_dir(struct log_keeper *keeper, const char *dir);

/* keeper_repair.c: takes a lent partition; its turn comes when others before it are done. */
void keeper_repair_add(struct log_keeper *keeper, struct log_command *command);
/* One step of the repair that is under way. */
uint32_t keeper_repair_step(struct log_keeper *keeper);
/* Forgets the repair that the end of the process broke off; on the disk it is undone or done. */
void keeper_repair_close(struct log_keeper *keeper);
/* The log lcore took the partition back. */
void keeper_repair_end(struct log_command *command);

/* keeper_read.c: whether the segment has its name; what of the partition is late otherwise does not matter. */
bool keeper_read_may_go(struct partition *p, const struct cold_read *read);
/* Fills in the answer. */
void keeper_read(struct log_keeper *keeper, struct partition *p, struct cold_read *read);

#endif
