/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit. See committer.h. Flush method: one group in its write phase, one flush in flight
 * that covers every group whose writes had completed when it was submitted. DSYNC method: up to four
 * groups in flight. A group is dispatched only when no partition of it has a write in flight, so no
 * two writes of one block overlap (tail rule T2).
 */
#include "logstore/committer.h"

#include <errno.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/errcode.h"
#include "logstore/appender.h"
#include "logstore/checkpointer.h"
#include "logstore/commit_notes.h"
#include "logstore/guard_writer.h"
#include "logstore/roll.h"
#include "logstore/shard_op.h"
#include "logstore/store.h"

#define ANCHOR_EVERY_NS (10 * NS_PER_S)
#define REAP_MAX	64

/* --- failures ---------------------------------------------------------------------------------- */

/* No segment of the partition is sealed any more: what was encoded for that makes room for others. */
static void
forget_snapshots(struct log_shard *shard, struct partition *p)
{
	for (uint32_t i = 0; i < SEGMENTS_OPEN_MAX; i++) {
		struct segment *s = &p->segments[i];

		if (s->state == SEGMENT_CLOSED && s->snapshot) {
			snapshot_arena_give(&shard->snapshots, s->snapshot);
			s->snapshot = NULL;
		}
	}
}

static void
poison(struct log_shard *shard, struct group *g, struct group_part *part)
{
	struct partition *p = part->partition;

	part->failed = true;
	if (p->state == LOG_PARTITION_SERVING) {
		partition_set_state(p, LOG_PARTITION_POISONED);
		shard_count(shard, SHARD_poisoned, 1);
		p->poison_pending = true;
		p->poison_seq = g->seq;
		p->poison_base = part->segment->base;
		p->poison_file_id = part->segment->file_id;
		shard->poison_count++;
		forget_snapshots(shard, p);
		partition_publish(p);
	}
}

static void
fail_shard(struct log_shard *shard, const char *what, int error)
{
	shard->failed = true;
	store_fail(shard->store, what, error);
}

static void
send_notes(struct log_shard *shard, struct note_list *list, enum append_done_kind kind)
{
	uint32_t index;

	while ((index = note_list_pop(&shard->notes, list)) != NOTE_NONE) {
		struct note *note = &shard->notes.notes[index];

		note->done.kind = (uint8_t)kind;
		note->done.error = kind == APPEND_FAILED ? KAFKA_KAFKA_STORAGE_ERROR : 0;
		note_wait(&shard->notes, &shard->waiting[note->client], index);
	}
}

static void
drop_notes(struct log_shard *shard, struct note_list *list)
{
	uint32_t index;

	while ((index = note_list_pop(&shard->notes, list)) != NOTE_NONE) {
		note_free(&shard->notes, index);
	}
}

static void
release_extents(struct log_shard *shard, struct group_part *part)
{
	struct extent *e = part->first_extent;
	uint32_t at = part->first_section;
	uint32_t left = part->section_count;

	while (left > 0) {
		uint32_t here = e->section_count - at;
		struct extent *next = e->newer;

		here = here < left ? here : left;
		left -= here;
		at = 0;
		chunk_pool_unhold(&shard->pool, e);
		e = next;
	}
}

static void
end_part(struct log_shard *shard, struct group_part *part)
{
	struct partition *p = part->partition;

	release_extents(shard, part);
	ensure(p->parts_in_flight > 0);
	p->parts_in_flight--;
	if (p->newest_part == part) {
		p->newest_part = NULL;
	}
}

static void
fail_part(struct log_shard *shard, struct group_part *part)
{
	send_notes(shard, &part->durable_notes, APPEND_FAILED);
	drop_notes(shard, &part->appended_notes);
	if (part->checkpoint) {
		checkpointer_cancel(shard, part->partition);
	}
	end_part(shard, part);
}

/* Writing is off: everything not acknowledged is answered so, once the device is done with it. */
static void
abandon_groups(struct log_shard *shard)
{
	if (shard->ops_busy > 0 && shard->ops_busy > shard->ops_unqueued) {
		return;
	}
	if (shard->open) {
		for (uint32_t i = 0; i < shard->open->part_count; i++) {
			appender_close_part(shard, shard->open->parts[i].partition);
		}
	}
	for (uint32_t i = 0; i < GROUPS_MAX; i++) {
		struct group *g = &shard->groups[i];

		if (g->state == GROUP_FREE) {
			continue;
		}
		for (uint32_t k = 0; k < g->part_count; k++) {
			fail_part(shard, &g->parts[k]);
		}
		group_set_state(g, GROUP_FREE);
		g->part_count = 0;
	}
	shard->open = NULL;
	shard->group_count = 0;
}

/* --- completions ------------------------------------------------------------------------------- */

static void
raise_watermark(struct log_shard *shard, struct group_part *part)
{
	struct partition *p = part->partition;

	/* With risk "crash" the watermark and the batcher know since the append. */
	if (part->end_offset > p->high_watermark) {
		p->high_watermark = part->end_offset;
		partition_publish(p);
		commit_notes_add(shard, p, part->end_pos - part->start_pos, part->record_count,
			part->max_timestamp_ms);
	}
}

/* All writes of a group came back. */
static void
group_written(struct log_shard *shard, struct group *g)
{
	group_set_state(g, shard->store->dsync ? GROUP_DURABLE : GROUP_WRITTEN);
	g->written_ns = shard->now_ns;
	if (g->guard_failed) {
		fail_shard(shard, "guard write failed", EIO);
		return;
	}
	for (uint32_t i = 0; i < g->part_count; i++) {
		struct group_part *part = &g->parts[i];

		ensure(part->partition->writes_in_flight > 0);
		part->partition->writes_in_flight--;
		if (!part->failed && !part->urgent) {
			raise_watermark(shard, part);
			send_notes(shard, &part->appended_notes, APPEND_APPENDED);
		}
	}
}

static void
flush_done(struct log_shard *shard)
{
	histogram_add(&shard->flush_times, shard->now_ns - shard->flush_started_ns);
	shard_count(shard, SHARD_flush_ns, shard->now_ns - shard->flush_started_ns);
	shard->flush_busy = false;
	for (uint32_t i = 0; i < shard->group_count; i++) {
		struct group *g = shard_group(shard, i);

		if (g->state == GROUP_FLUSHING) {
			group_set_state(g, GROUP_DURABLE);
		}
	}
}

static void
complete_write(struct log_shard *shard, const struct shard_op *op, bool good)
{
	struct group *g = &shard->groups[op->group];

	if (!good) {
		shard_count(shard, SHARD_io_errors, 1);
		if (op->kind == SHARD_OP_GUARD) {
			g->guard_failed = true;
		} else {
			poison(shard, g, &g->parts[op->part]);
		}
	}
	ensure(g->writes_pending > 0);
	g->writes_pending--;
	if (g->writes_pending == 0 && g->dispatched) {
		group_written(shard, g);
	}
}

static void
complete(struct log_shard *shard, const struct io_completion *c)
{
	ensure(c->token < SHARD_OPS_MAX);
	struct shard_op *op = &shard->ops[c->token];

	ensure(op->kind != SHARD_OP_FREE);
	if (op->kind == SHARD_OP_FLUSH) {
		shard_op_end(shard, (uint32_t)c->token);
		shard->flushes_pending--;
		if (c->result < 0) {
			shard_count(shard, SHARD_io_errors, 1);
			shard->flush_failed = true;
			fail_shard(shard, "flush failed", -c->result);
		} else if (shard->flushes_pending == 0 && !shard->flush_scanning &&
			!shard->flush_failed) {
			flush_done(shard);
		}
		return;
	}
	if ((c->result == -EAGAIN || c->result == -EINTR) && op->retries < SHARD_RETRIES_MAX) {
		op->retries++;
		op->queued = false;
		shard->ops_unqueued++;
		shard_count(shard, SHARD_io_retries, 1);
		return;
	}
	struct shard_op done = *op;

	shard_op_end(shard, (uint32_t)c->token);
	complete_write(shard, &done, c->result == (int32_t)done.len);
}

uint32_t
committer_reap(struct log_shard *shard)
{
	struct io_completion completions[REAP_MAX];
	uint32_t n = shard->io->ops->reap(shard->io, completions, REAP_MAX);

	for (uint32_t i = 0; i < n; i++) {
		complete(shard, &completions[i]);
	}
	return n;
}

/* --- write phase ------------------------------------------------------------------------------- */

/* No payload of its blocks: the begun one before a part's first section, padding behind its last. */
static uint32_t
section_beside_bytes(const struct section *s, uint64_t block, bool first, bool last)
{
	uint64_t end = (uint64_t)s->pos + s->len;

	return (uint32_t)((first ? s->pos - bytes_floor(s->pos, block) : 0) +
			  (last ? bytes_ceil(end, block) - end : 0));
}

/* Queues the writes of one part from where it stopped. False: the device takes no more now. */
static bool
queue_part(struct log_shard *shard, struct group *g, uint32_t group_index)
{
	struct group_part *part = &g->parts[g->next_part];
	uint64_t block = shard->block_bytes;

	if (part->failed) {
		return true;
	}
	if (!g->next_extent) {
		g->next_extent = part->first_extent;
		g->next_section = part->first_section;
		g->next_count = 0;
		g->next_off = 0;
	}
	while (g->next_count < part->section_count) {
		struct section *s = &g->next_extent->sections[g->next_section];
		bool last = g->next_count + 1 == part->section_count;
		uint64_t from = bytes_floor(s->pos, block);
		uint64_t end = (uint64_t)s->pos + s->len;
		/* A section that goes on in the next extent leaves its begun block to that one. */
		uint32_t len = (uint32_t)((last ? bytes_ceil(end, block) : bytes_floor(end, block)) - from);

		ensure(from + len <= part->segment->alloc_bytes);
		while (g->next_off < len) {
			uint32_t piece = len - g->next_off;

			piece = piece < SHARD_WRITE_MAX ? piece : SHARD_WRITE_MAX;
			if (!shard_op_start(shard,
				    &(struct shard_op){.kind = SHARD_OP_DATA,
					    .group = (uint8_t)group_index,
					    .part = (uint16_t)g->next_part,
					    .slot = part->segment->slot,
					    .buffer = g->next_extent->memory + s->block_off + g->next_off,
					    .position = from + g->next_off,
					    .len = piece,
					    .flags = shard->store->dsync ? IO_WRITE_DSYNC : 0})) {
				return false;
			}
			g->writes_pending++;
			g->next_off += piece;
			shard_count(shard, SHARD_write_data_bytes, piece);
			shard_count(shard, SHARD_writes, 1);
		}
		shard_count(shard, SHARD_write_tail_bytes,
			section_beside_bytes(s, block, g->next_count == 0, last));
		g->next_off = 0;
		g->next_count++;
		if (++g->next_section == g->next_extent->section_count) {
			g->next_extent = g->next_extent->newer;
			g->next_section = 0;
		}
	}
	return true;
}

static bool
queue_guard(struct log_shard *shard, struct group *g, uint32_t group_index)
{
	while (g->guard_off < g->guard_len) {
		uint32_t piece = g->guard_len - g->guard_off;

		piece = piece < SHARD_WRITE_MAX ? piece : SHARD_WRITE_MAX;
		if (!shard_op_start(shard,
			    &(struct shard_op){.kind = SHARD_OP_GUARD,
				    .group = (uint8_t)group_index,
				    .slot = shard->guard.slot,
				    .buffer = g->guard_buffer + g->guard_off,
				    .position = g->guard_position + g->guard_off,
				    .len = piece,
				    .flags = shard->store->dsync ? IO_WRITE_DSYNC : 0})) {
			return false;
		}
		g->writes_pending++;
		shard_count(shard, SHARD_writes, 1);
		g->guard_off += piece;
	}
	return true;
}

static void
queue_group(struct log_shard *shard, struct group *g)
{
	uint32_t group_index = (uint32_t)(g - shard->groups);

	while (g->next_part < g->part_count) {
		if (!queue_part(shard, g, group_index)) {
			return;
		}
		g->next_extent = NULL;
		g->next_part++;
	}
	if (!queue_guard(shard, g, group_index)) {
		return;
	}
	g->dispatched = true;
	if (g->writes_pending == 0) {
		group_written(shard, g);
	}
}

static void
enqueue_group(struct log_shard *shard, struct group *g)
{
	group_set_state(g, GROUP_WRITING);
	g->next_part = 0;
	g->next_extent = NULL;
	g->guard_off = 0;
	g->dispatched = false;
	g->writes_pending = 0;
	g->guard_failed = false;
	shard->queue[(shard->group_first + shard->group_count++) % GROUPS_MAX] = g;
	queue_group(shard, g);
}

/* --- what to dispatch -------------------------------------------------------------------------- */

static uint32_t
count_state(const struct log_shard *shard, enum group_state state)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < shard->group_count; i++) {
		count += shard->queue[(shard->group_first + i) % GROUPS_MAX]->state == state;
	}
	return count;
}

static struct group *
free_group(struct log_shard *shard)
{
	for (uint32_t i = 0; i < GROUPS_MAX; i++) {
		struct group *g = &shard->groups[i];

		if (g->state == GROUP_FREE) {
			g->part_count = 0;
			g->payload_bytes = 0;
			g->urgent = true;
			g->flush_ms = 0;
			g->opened_ns = shard->now_ns;
			g->guard_buffer = shard->group_buffers + (size_t)i * shard->guard.group_room;
			return g;
		}
	}
	return NULL;
}

/* An anchor is dispatched alone: all earlier groups are acknowledged. */
static uint32_t
dispatch_anchor(struct log_shard *shard)
{
	struct group *g = shard->group_count == 0 ? free_group(shard) : NULL;

	if (!g) {
		return 0;
	}
	g->kind = GUARD_ANCHOR;
	if (!guard_writer_anchor(shard, g)) {
		return 0;
	}
	enqueue_group(shard, g);
	return 1;
}

static uint32_t
dispatch_mark(struct log_shard *shard)
{
	struct group *g = free_group(shard);

	if (!g) {
		return 0;
	}
	g->kind = GUARD_MARK;
	guard_writer_mark(shard, g);
	enqueue_group(shard, g);
	return 1;
}

/* T2 and the write phases: may the open group go? */
static bool
open_may_go(const struct log_shard *shard)
{
	const struct group *g = shard->open;
	uint32_t in_flight = shard->store->dsync ? 4 : 1;

	if (count_state(shard, GROUP_WRITING) >= in_flight || shard->group_count >= GROUPS_MAX - 2) {
		return false;
	}
	if (shard->now_ns - g->opened_ns < shard->store->options.group_linger_ns &&
		g->payload_bytes < shard->store->options.group_max_bytes / 2 && !shard->stopping) {
		return false;
	}
	for (uint32_t i = 0; i < g->part_count; i++) {
		if (g->parts[i].partition->writes_in_flight > 0) {
			return false;
		}
	}
	/* At most two groups unproven: one waits for the flush in flight, the next stays open. */
	for (uint32_t i = 0; i < shard->group_count; i++) {
		const struct group *w = shard->queue[(shard->group_first + i) % GROUPS_MAX];

		if (w->state == GROUP_WRITTEN && w->urgent && shard->flush_busy) {
			return false;
		}
	}
	return true;
}

static uint32_t
dispatch_open(struct log_shard *shard)
{
	struct group *g = shard->open;

	for (uint32_t i = 0; i < g->part_count; i++) {
		if (g->parts[i].partition->dirty && g->parts[i].partition->open_part == i) {
			appender_close_part(shard, g->parts[i].partition);
		}
	}
	shard->open = NULL;
	for (uint32_t i = 0; i < g->part_count; i++) {
		g->parts[i].partition->writes_in_flight++;
		g->parts[i].failed = g->parts[i].partition->state == LOG_PARTITION_POISONED;
	}
	g->guard_buffer = shard->group_buffers +
		(size_t)(g - shard->groups) * shard->guard.group_room;
	guard_writer_group(shard, g);
	shard_count(shard, SHARD_groups, 1);
	shard_count(shard, SHARD_group_bytes, g->payload_bytes);
	shard_count(shard, SHARD_group_partitions, g->part_count);
	enqueue_group(shard, g);
	return 1;
}

static bool
mark_wanted(const struct log_shard *shard)
{
	return shard->group_count == 0 &&
		(shard->guard.data_seq > shard->guard.proven_seq || shard->poison_count > 0);
}

static uint32_t
dispatch(struct log_shard *shard)
{
	const struct shard_guard *guard = &shard->guard;
	bool open = shard->open && shard->open->part_count > 0;

	if (guard->anchor_due && shard->now_ns - guard->anchor_ns >= ANCHOR_EVERY_NS &&
		!shard->anchor_wanted) {
		shard->anchor_wanted = true;
	}
	if (open && !guard_writer_fits(shard, shard->open->part_count)) {
		shard->anchor_wanted = true;
	}
	if (shard->anchor_wanted && shard->group_count > 0) {
		return 0;
	}
	/* More segments wait for their seals than an anchor holds: groups go on while the half has room. */
	if (shard->anchor_wanted && guard_writer_anchor_fits(shard)) {
		shard->anchor_wanted = dispatch_anchor(shard) == 0;
		return !shard->anchor_wanted;
	}
	if (open) {
		return guard_writer_fits(shard, shard->open->part_count) && open_may_go(shard)
			? dispatch_open(shard)
			: 0;
	}
	if (!mark_wanted(shard)) {
		return 0;
	}
	if (shard->now_ns - shard->quiet_ns < shard->store->options.mark_idle_ns && !shard->stopping) {
		return 0;
	}
	if (!guard_writer_fits(shard, 0)) {
		shard->anchor_wanted = true;
		return guard_writer_anchor_fits(shard);
	}
	return dispatch_mark(shard);
}

/* --- flush phase ------------------------------------------------------------------------------- */

static bool
queue_flush(struct log_shard *shard, uint32_t slot)
{
	if (!shard_op_start(shard, &(struct shard_op){.kind = SHARD_OP_FLUSH, .slot = slot})) {
		return false;
	}
	shard->flushes_pending++;
	shard_count(shard, SHARD_flushes, 1);
	return true;
}

/* Scope file: one flush for each segment the covered groups wrote, and the guard. */
static void
scan_flush_slots(struct log_shard *shard)
{
	for (; shard->flush_group < shard->group_count; shard->flush_group++, shard->flush_part = 0) {
		struct group *g = shard_group(shard, shard->flush_group);

		if (g->state != GROUP_FLUSHING) {
			continue;
		}
		for (; shard->flush_part < g->part_count; shard->flush_part++) {
			struct segment *s = g->parts[shard->flush_part].segment;

			if (s->flush_mark == shard->flush_number || g->parts[shard->flush_part].failed) {
				continue;
			}
			if (!queue_flush(shard, s->slot)) {
				return;
			}
			s->flush_mark = shard->flush_number;
		}
	}
	if (queue_flush(shard, shard->guard.slot)) {
		shard->flush_scanning = false;
	}
}

static bool
flush_is_due(struct log_shard *shard)
{
	uint32_t written = count_state(shard, GROUP_WRITTEN);

	if (written == 0 || shard->flush_busy) {
		return false;
	}
	if (shard->anchor_wanted || shard->stopping || shard->group_count >= GROUPS_MAX - 2 ||
		shard->pool.dirty_chunks > shard->pool.dirty_chunks_max / 2) {
		return true;
	}
	for (uint32_t i = 0; i < shard->group_count; i++) {
		struct group *g = shard_group(shard, i);

		if (g->state == GROUP_WRITTEN &&
			(g->urgent || shard->now_ns - g->written_ns >= (uint64_t)g->flush_ms * NS_PER_MS)) {
			return true;
		}
	}
	return false;
}

static uint32_t
flush(struct log_shard *shard)
{
	if (shard->flush_scanning) {
		scan_flush_slots(shard);
		return 1;
	}
	if (!flush_is_due(shard)) {
		return 0;
	}
	if (shard->store->flush_device && !queue_flush(shard, shard->flush_slot)) {
		return 0;
	}
	for (uint32_t i = 0; i < shard->group_count; i++) {
		struct group *g = shard_group(shard, i);

		if (g->state == GROUP_WRITTEN) {
			group_set_state(g, GROUP_FLUSHING);
		}
	}
	shard->flush_busy = true;
	shard->flush_started_ns = shard->now_ns;
	if (!shard->store->flush_device) {
		shard->flush_number++;
		shard->flush_group = 0;
		shard->flush_part = 0;
		shard->flush_scanning = true;
		scan_flush_slots(shard);
	}
	return 1;
}

/* --- acknowledge ------------------------------------------------------------------------------- */

static void
ack_part(struct log_shard *shard, struct group_part *part)
{
	struct partition *p = part->partition;
	struct segment *s = part->segment;

	if (part->failed) {
		fail_part(shard, part);
		return;
	}
	shard->uncheckpointed_bytes += part->end_pos - part->start_pos;
	s->durable_pos = part->end_pos;
	s->durable_end_offset = part->end_offset;
	range_crc_append(&s->durable_crc, part->crc.crc, part->crc.len);
	if (s->state != SEGMENT_ACTIVE) {
		memcpy(s->tail_block, part->tail, part->end_pos & (shard->block_bytes - 1));
	}
	p->durable_offset = part->end_offset;
	raise_watermark(shard, part);
	send_notes(shard, &part->appended_notes, APPEND_APPENDED);
	send_notes(shard, &part->durable_notes, APPEND_DURABLE);
	end_part(shard, part);
	if (part->checkpoint) {
		checkpointer_send(shard, p);
	}
	roll_seal(shard, p);
	partition_publish(p);
}

/* Strictly in seq order: the oldest group goes first or nobody does. */
static uint32_t
acknowledge(struct log_shard *shard)
{
	uint32_t count = 0;

	while (shard->group_count > 0 && shard_group(shard, 0)->state == GROUP_DURABLE) {
		struct group *g = shard_group(shard, 0);

		guard_writer_acked(shard, g);
		for (uint32_t i = 0; i < g->part_count; i++) {
			ack_part(shard, &g->parts[i]);
		}
		histogram_add(&shard->group_times, shard->now_ns - g->opened_ns);
		shard_count(shard, SHARD_group_ns, shard->now_ns - g->opened_ns);
		group_set_state(g, GROUP_FREE);
		g->part_count = 0;
		shard->group_first = (shard->group_first + 1) % GROUPS_MAX;
		shard->group_count--;
		shard->quiet_ns = shard->now_ns;
		count++;
	}
	return count;
}

uint32_t
committer_poll(struct log_shard *shard)
{
	uint32_t work = 0;

	if (store_failed(shard->store)) {
		shard->failed = true;
	}
	if (shard->failed) {
		abandon_groups(shard);
		return 0;
	}
	if (shard->ops_unqueued > 0) {
		shard_op_requeue(shard);
	}
	for (uint32_t i = 0; i < shard->group_count; i++) {
		struct group *g = shard_group(shard, i);

		if (g->state == GROUP_WRITING && !g->dispatched) {
			queue_group(shard, g);
			work++;
			break; /* the guard's order within the device is the queue's */
		}
	}
	work += acknowledge(shard);
	work += flush(shard);
	work += dispatch(shard);
	work += acknowledge(shard);
	return work;
}

/*
 * What was due at the last poll was tried there: if it did not go, it waits for the device and not
 * for time, and a loop that sleeps must not turn at full speed until then.
 */
static uint64_t
earlier(const struct log_shard *shard, uint64_t deadline, uint64_t at_ns)
{
	return at_ns > shard->now_ns && at_ns < deadline ? at_ns : deadline;
}

uint64_t
committer_deadline_ns(const struct log_shard *shard)
{
	uint64_t deadline = UINT64_MAX;

	if (shard->failed) {
		return deadline;
	}
	if (shard->open && shard->open->part_count > 0) {
		deadline = earlier(shard, deadline,
			shard->open->opened_ns + shard->store->options.group_linger_ns);
	}
	if (mark_wanted(shard)) {
		deadline = earlier(shard, deadline,
			shard->quiet_ns + shard->store->options.mark_idle_ns);
	}
	for (uint32_t i = 0; i < shard->group_count; i++) {
		const struct group *g = shard->queue[(shard->group_first + i) % GROUPS_MAX];

		if (g->state == GROUP_WRITTEN && g->part_count > 0) {
			deadline = earlier(shard, deadline,
				g->written_ns +
					(uint64_t)g->flush_ms * NS_PER_MS);
		}
	}
	return deadline;
}

bool
committer_quiet(const struct log_shard *shard)
{
	return shard->group_count == 0 && !(shard->open && shard->open->part_count > 0) &&
		!mark_wanted(shard);
}
