/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a quarantine: `partition.repair`. The partition is lent to the keeper: quiet, every segment
 * closed. All that is in doubt is read again, with the proofs' tail copies over it; batches that are
 * sound in themselves and in order are kept, and what lies between them is the loss. A loss is only
 * accepted by its exact first and end offset; without one the doubt ends as a restored file ends it.
 *
 * What has to change is written beside the old files as NAME.repair: sealed segments, with the flag
 * SEAL_COMPACTED where offsets are missing. The file `penstock-repair`, once durable, is the decision:
 * from then on the repair is completed, by the next start if need be (repair_swap.c). Old files stay as
 * NAME.damaged-<ms>; whoever does not need them deletes them.
 *
 * Keeper thread; blocking, one segment a step: it is read into memory, and copied if it changes.
 */
#ifndef LOGSTORE_REPAIR_H
#define LOGSTORE_REPAIR_H

#include <stdbool.h>
#include <stdint.h>
#include "logstore/recovery.h"

/* One segment of the log as it shall be: offsets [base, end). */
struct repair_segment {
	int64_t base;
	int64_t end;
	uint64_t prep_id; /* its file has not got its name yet */
	bool keep;	  /* stays as it is: sealed, and sound or not in doubt */
	bool gaps;	  /* offsets are missing */
	bool foreign;	  /* sound, and not what was sealed: nothing in it is this segment's */
	uint64_t log_bytes;
	uint32_t batch_count;
};

enum repair_phase {
	REPAIR_JUDGE, /* reads a segment a step; the verdict at the end */
	REPAIR_WRITE, /* writes those that are not kept, beside the old ones */
	REPAIR_SWAP,  /* decides, and puts the new ones in their place */
	REPAIR_DONE,  /* answered */
	REPAIR_PHASE_COUNT,
};

struct repair {
	struct partition *p;
	struct log_command *command; /* answer: error, repair.verdict and what is lost */
	enum repair_phase phase;
	uint32_t at; /* segment of the phase */
	struct repair_segment *segments;
	uint32_t segment_count;
	int64_t start, end; /* offsets that the log must account for */
	struct recovery recovery;
	struct recovery_context c;
	struct log_recovery_report report;
	struct proofs proofs;
	struct recovery_entry *entries;
	/* What the log lcore takes over when it serves again. */
	uint64_t size_bytes;
	uint32_t last_end_pos;
	int32_t leader_epoch;
	uint8_t *producers; /* `.producers` as of the end; NULL: the lcore has them */
	size_t producers_len;
};

/*
 * Begins to judge a partition that was lent. What an earlier repair decided is completed first, what it
 * did not decide is dropped. Negative errno: nothing was changed.
 */
int repair_begin(struct logstore *store, struct partition *p, struct log_command *command,
	struct repair **ret_repair) MUST_CHECK;
/* One segment further, or the decision. True: there is more to do; false: the command is answered. */
bool repair_step(struct repair *repair);
void repair_free(struct repair *repair);

/* repair_segment.c: notes what is lost and whether the segment stays as it is. Writes nothing. */
int repair_segment_judge(struct repair *repair, struct repair_segment *segment) MUST_CHECK;
/* Writes its files anew, durably, as NAME.repair. */
int repair_segment_write(struct repair *repair, struct repair_segment *segment) MUST_CHECK;

/*
 * repair_swap.c: the decision, durable; offsets from `end` on are nobody's. Then repair_swap_settle
 * gives the new files their names.
 */
int repair_swap_decide(struct io *io, const char *dir, int64_t end) MUST_CHECK;
/* Completes a repair that was decided. Interrupted anywhere it is called again. Keeper, or recovery. */
int repair_swap_settle(struct io *io, const char *dir, uint64_t wall_ms) MUST_CHECK;
/* Drops what was written, unless it was decided; what stays by an error goes at the next try or start. */
void repair_swap_discard(struct io *io, const char *dir);

#endif
