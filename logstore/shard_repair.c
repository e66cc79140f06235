/* SPDX-License-Identifier: Apache-2.0 */
/* See shard_repair.h. */
#include "logstore/shard_repair.h"

#include <errno.h>
#include "base/ensure.h"
#include "base/errcode.h"
#include "logstore/commit_notes.h"
#include "logstore/repair.h"
#include "logstore/roll.h"
#include "logstore/store.h"

static void
answer(struct log_shard *shard, struct log_command *command, int16_t error)
{
	command->error = error;
	log_shard_tell(shard, &(struct keeper_msg){.kind = KEEPER_COMMAND_DONE, .command = command});
}

/* A write of it failed too, and it was never told poisoned: only a start cuts what was not acknowledged. */
static bool
never_seals(const struct partition *p)
{
	bool stuck = false;

	for (uint32_t i = 0; i < SEGMENTS_OPEN_MAX; i++) {
		const struct segment *s = &p->segments[i];

		stuck |= s->state == SEGMENT_CLOSED && s->durable_pos != s->end_pos;
	}
	return stuck && log_shard_partition_is_quiet(p);
}

bool
shard_repair_try(struct log_shard *shard, struct partition *p, struct log_command *command)
{
	if (p->lent) {
		return false; /* another repair of it: this one looks at what comes of that */
	}
	if (p->state != LOG_PARTITION_QUARANTINED || shard->stopping || shard->failed || never_seals(p)) {
		bool not_quarantined = p->state != LOG_PARTITION_QUARANTINED;
		/* Writing is off until a restart, or this is the end of the process. */
		int why = shard->stopping ? -ECANCELED : -EROFS;

		command->internal = NULL; /* no longer one of those that wait */
		command->repair.verdict =
			not_quarantined ? LOG_REPAIR_NOT_QUARANTINED : LOG_REPAIR_FAILED;
		command->repair.error = not_quarantined ? 0 : why;
		answer(shard, command,
			not_quarantined ? KAFKA_INVALID_CONFIG : KAFKA_KAFKA_STORAGE_ERROR);
		return true;
	}
	/* Reads go on: the keeper does them between the steps, and answers them before the repair. */
	if ((p->active && !roll_close(shard, p)) || partition_segments_open(p) > 0 ||
		!log_shard_partition_is_quiet(p)) {
		return false;
	}
	/* What it serves from here on is what the repaired files say. */
	while (p->newest) {
		partition_extent_forget(p->newest);
	}
	p->lent = true;
	p->lent_producers = p->producers.count > 0;
	log_shard_tell(shard,
		&(struct keeper_msg){.kind = KEEPER_REPAIR, .partition = p, .command = command});
	return true;
}

static void
take_producers(struct log_shard *shard, struct partition *p, const struct repair *repair)
{
	struct producer_snapshot_reader reader;
	struct producer_entry entry;
	int rc = producer_snapshot_open(&reader, PRODUCER_SNAPSHOT_OWN, NULL, repair->producers,
		repair->producers_len);

	ensure(rc == 0); /* the keeper encoded it a moment ago */
	while (producer_snapshot_next(&reader, &entry) == 1) {
		producer_restore(&shard->producers, &p->producers, &entry, shard->now_ns);
	}
}

void
shard_repair_done(struct log_shard *shard, struct partition *p, struct log_command *command)
{
	const struct repair *repair = command->internal;
	int16_t error = command->error;

	p->lent = false;
	if (p->state == LOG_PARTITION_DELETED) {
		error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	} else if (error == KAFKA_NONE) {
		p->size_bytes = repair->size_bytes;
		p->segment_count = repair->segment_count;
		p->last_end_pos = repair->last_end_pos;
		if (repair->producers) {
			take_producers(shard, p, repair);
		}
		p->leader_epoch = repair->leader_epoch;
		partition_set_state(p, LOG_PARTITION_SERVING);
		command->offset = p->next_offset;
		partition_publish_checkpoint(p);
		partition_publish(p);
		commit_notes_add(shard, p, 0, 0, -1); /* whoever waits for it may read on */
	}
	answer(shard, command, error);
}
