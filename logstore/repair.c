/* SPDX-License-Identifier: Apache-2.0 */
/* The course of a repair: judge, refuse or write, decide, serve. See repair.h. */
#include "logstore/repair.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/errcode.h"
#include "base/ensure.h"
#include "base/log.h"

static uint64_t
wall_ms(const struct repair *r)
{
	return clock_wall_ns(r->recovery.store->options.clock) / NS_PER_MS;
}

/* --- what there is ----------------------------------------------------------------------------- */

/* The proofs beside the log: without them it may be whole all the same. */
static int
read_proofs(struct repair *r)
{
	int rc = proofs_read(r->recovery.store, r->p->dir, &r->proofs);

	if (rc < 0) {
		return rc == -ENOENT || rc == -EBADMSG ? 0 : rc;
	}
	r->entries = calloc(r->proofs.header.entry_count + 1, sizeof(r->entries[0]));
	if (!r->entries) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < r->proofs.header.entry_count; i++) {
		struct recovery_entry e = proofs_entry(&r->proofs, i);

		if (e.entry.partition == r->p->partition &&
			memcmp(e.entry.topic_id, r->p->topic_id, 16) == 0) {
			r->entries[r->c.entry_count++] = e;
		}
	}
	r->c.entries = r->entries;
	return 0;
}

static bool
is_named(const struct repair *r, const struct recovery_base *b)
{
	bool named = b->has_log || b->has_seal;

	for (uint32_t i = 0; i < r->c.entry_count && !named; i++) {
		named = r->c.entries[i].entry.segment_base == b->base;
	}
	return named;
}

/*
 * A segment for each base that any name or proof tells of, each up to the next, and one in front if the
 * first is missing. What lies from the end on was never acknowledged.
 */
static int
list_segments(struct repair *r)
{
	r->segments = calloc(r->c.base_count + 1, sizeof(r->segments[0]));
	if (!r->segments) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < r->c.base_count; i++) {
		const struct recovery_base *b = &r->c.bases[i];

		if (b->base >= r->end || !is_named(r, b)) {
			continue;
		}
		if (r->segment_count == 0 && b->base > r->start) {
			r->segments[r->segment_count++].base = r->start;
		}
		r->segments[r->segment_count++] =
			(struct repair_segment){.base = b->base, .prep_id = b->prep_id};
	}
	if (r->segment_count == 0 && r->start < r->end) {
		r->segments[r->segment_count++].base = r->start;
	}
	for (uint32_t i = 0; i < r->segment_count; i++) {
		r->segments[i].end = i + 1 < r->segment_count ? r->segments[i + 1].base : r->end;
	}
	return 0;
}

int
repair_begin(struct logstore *store, struct partition *p, struct log_command *command,
	struct repair **ret_repair)
{
	struct repair *r = calloc(1, sizeof(*r));

	if (!r) {
		return -ENOMEM;
	}
	r->p = p;
	r->command = command;
	r->start = p->log_start_offset;
	r->end = p->next_offset;
	r->leader_epoch = p->leader_epoch;
	r->recovery.store = store;
	r->recovery.io = store->options.keeper_io;
	r->c = (struct recovery_context){
		.r = &r->recovery, .io = r->recovery.io, .p = p, .report = &r->report};
	int rc = repair_swap_settle(r->c.io, p->dir, wall_ms(r));

	rc = rc < 0 ? rc : read_proofs(r);
	rc = rc < 0 ? rc : recovery_names_read(&r->c);
	rc = rc < 0 ? rc : recovery_names_read_epochs(&r->c);
	rc = rc < 0 ? rc : list_segments(r);
	if (rc < 0) {
		repair_free(r);
		return rc;
	}
	*ret_repair = r;
	return 0;
}

void
repair_free(struct repair *r)
{
	free(r->segments);
	free(r->entries);
	free(r->proofs.file.bytes);
	free(r->c.bases);
	free(r->c.epochs);
	free(r->c.names.names);
	free(r->producers);
	free(r);
}

/* --- verdict ----------------------------------------------------------------------------------- */

/* The loss must be what was asked for, to the offset. */
static enum log_repair_verdict
verdict_of(const struct log_repair *asked)
{
	if (asked->hole_count == 0) {
		return asked->accept_loss ? LOG_REPAIR_NOTHING_LOST : LOG_REPAIR_DONE;
	}
	return asked->accept_loss && asked->from == asked->loss_from && asked->until == asked->loss_until
		? LOG_REPAIR_DONE
		: LOG_REPAIR_LOSS;
}

/* --- taking it up again ------------------------------------------------------------------------ */

static int
take_rows(struct repair *r)
{
	struct partition *p = r->p;
	int rc = 0;

	p->row_count = 0;
	for (uint32_t i = 0; rc == 0 && i < r->segment_count; i++) {
		const struct repair_segment *s = &r->segments[i];

		rc = partition_row_add(p,
			&(struct segment_row){.base = s->base,
				.end_offset = s->end,
				.log_bytes = s->log_bytes,
				.sealed = true,
				.gaps = s->gaps});
		r->size_bytes += s->log_bytes;
		r->last_end_pos = (uint32_t)s->log_bytes;
	}
	return rc;
}

/* A partition that was quarantined at a start has no producer in memory: their state, from the log. */
static int
take_producers(struct repair *r)
{
	const struct log_options *o = &r->recovery.store->options;
	struct producer_snapshot_identity identity = {.partition = r->p->partition, .offset = r->end};
	struct producer_snapshot_writer writer;
	struct producer_pool pool;
	struct producer_list list = {0};
	int rc = producer_pool_init(&pool, o->producers_max, o->producers_max);

	if (rc < 0) {
		return rc;
	}
	r->c.pool = &pool;
	r->c.producers = &list;
	rc = recovery_producers_restore(&r->c, r->end);
	size_t room = producer_snapshot_bytes(PRODUCER_SNAPSHOT_OWN, list.count);

	r->producers = malloc(room);
	rc = rc < 0 || r->producers ? rc : -ENOMEM;
	if (rc == 0) {
		memcpy(identity.topic_id, r->p->topic_id, sizeof(identity.topic_id));
		producer_snapshot_begin(&writer, PRODUCER_SNAPSHOT_OWN, &identity, r->producers, room);
		for (const struct producer *at = list.oldest; at; at = at->list_newer) {
			producer_snapshot_add(&writer, &at->entry);
		}
		int64_t len = producer_snapshot_finish(&writer);

		r->producers_len = len < 0 ? 0 : (size_t)len;
		rc = len < 0 ? (int)len : 0;
	}
	producer_pool_close(&pool);
	return rc;
}

static int
swap(struct repair *r)
{
	struct partition *p = r->p;
	/* Proofs tell of a start: readers may have seen more of a relaxed topic than that start found. */
	int rc = r->c.relaxed ? recovery_names_raise_epoch(&r->c, r->end, &r->leader_epoch) : 0;

	rc = rc < 0 ? rc : repair_swap_decide(r->c.io, p->dir, r->end);
	rc = rc < 0 ? rc : repair_swap_settle(r->c.io, p->dir, wall_ms(r));
	rc = rc < 0 ? rc : take_rows(r);
	if (rc < 0) {
		return rc;
	}
	p->has_doubtful = false;
	p->doubtful_written = false;
	p->proofs_stale = false;
	rc = p->lent_producers ? 0 : take_producers(r);
	return rc == 0 && p->has_doubtful ? -EIO : rc; /* damaged again, between then and now */
}

/* --- steps ------------------------------------------------------------------------------------- */

static const bool repair_edges[REPAIR_PHASE_COUNT][REPAIR_PHASE_COUNT] = {
	[REPAIR_JUDGE] = {[REPAIR_WRITE] = true, [REPAIR_DONE] = true},
	[REPAIR_WRITE] = {[REPAIR_SWAP] = true, [REPAIR_DONE] = true},
	[REPAIR_SWAP] = {[REPAIR_DONE] = true},
};

static void
repair_set_phase(struct repair *r, enum repair_phase phase)
{
	ensure(repair_edges[r->phase][phase]);
	r->phase = phase;
}

static bool
answer(struct repair *r, int rc)
{
	struct log_repair *asked = &r->command->repair;

	repair_set_phase(r, REPAIR_DONE);
	r->command->error = KAFKA_NONE;
	if (rc < 0) {
		log_error("logstore", "%s: not repaired: errno=%d", r->p->dir, -rc);
		repair_swap_discard(r->c.io, r->p->dir);
		asked->verdict = LOG_REPAIR_FAILED;
		asked->error = rc;
		r->command->error = KAFKA_KAFKA_STORAGE_ERROR;
	} else if (asked->verdict == LOG_REPAIR_DONE) {
		log_warning("logstore",
			"%s: repaired, action=%s lost_offsets=%" PRIu64 " [%" PRId64 ", %" PRId64
			") segments_written=%u",
			r->p->dir, asked->accept_loss ? "accept_loss" : "restore", asked->lost_offsets,
			asked->loss_from, asked->loss_until, asked->segments_written);
	} else {
		r->command->error = KAFKA_CORRUPT_MESSAGE;
	}
	return false;
}

static bool
judge_step(struct repair *r)
{
	struct log_repair *asked = &r->command->repair;

	if (r->at < r->segment_count) {
		int rc = repair_segment_judge(r, &r->segments[r->at++]);

		return rc < 0 ? answer(r, rc) : true;
	}
	asked->verdict = verdict_of(asked);
	if (asked->verdict != LOG_REPAIR_DONE) {
		return answer(r, 0);
	}
	repair_set_phase(r, REPAIR_WRITE);
	r->at = 0;
	return true;
}

static bool
write_step(struct repair *r)
{
	int rc = 0;

	while (r->at < r->segment_count && r->segments[r->at].keep) {
		r->at++;
	}
	if (r->at == r->segment_count) {
		repair_set_phase(r, REPAIR_SWAP);
		return true;
	}
	rc = repair_segment_write(r, &r->segments[r->at++]);
	r->command->repair.segments_written++;
	return rc < 0 ? answer(r, rc) : true;
}

bool
repair_step(struct repair *r)
{
	switch (r->phase) {
	case REPAIR_JUDGE:
		return judge_step(r);
	case REPAIR_WRITE:
		return write_step(r);
	case REPAIR_SWAP:
		return answer(r, swap(r));
	case REPAIR_DONE:
	default:
		return false;
	}
}
