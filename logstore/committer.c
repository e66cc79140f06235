/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit. See committer.h. Flush method: one group in its write phase, one flush in flight
 * that covers every group whose writes had completed when it was submitted. DSYNC method: up to four
 * groups in flight. A group is dispatched only when no partition of it has a write in flight, so no
 * two writes of one block overlap (tail rule T2).
 */
#include "logstore/committer.h"

#include "base/bytes.h"
#include "base/ensure.h"
#include "logstore/acknowledger.h"
#include "logstore/appender.h"
#include "logstore/flusher.h"
#include "logstore/group_writer.h"
#include "logstore/guard_writer.h"
#include "logstore/shard_op.h"
#include "logstore/store.h"

#define ANCHOR_EVERY_NS (10 * NS_PER_S)
#define REAP_MAX	64

/* --- completions ------------------------------------------------------------------------------- */

static void
complete(struct log_shard *shard, const struct io_completion *c)
{
	ensure(c->token < SHARD_OPS_MAX);
	struct shard_op *op = &shard->ops[c->token];

	ensure(op->kind != SHARD_OP_FREE);
	if (op->kind == SHARD_OP_FLUSH) {
		shard_op_end(shard, (uint32_t)c->token);
		flusher_complete(shard, c->result);
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
	group_writer_complete(shard, &done, c->result == (int32_t)done.len);
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

/* --- what to dispatch -------------------------------------------------------------------------- */

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
	group_writer_begin(shard, g);
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
	group_writer_begin(shard, g);
	return 1;
}

/* T2 and the write phases: may the open group go? */
static bool
open_may_go(const struct log_shard *shard)
{
	const struct group *g = shard->open;
	uint32_t in_flight = shard->store->dsync ? 4 : 1;

	if (shard_groups_in(shard, GROUP_WRITING) >= in_flight || shard->group_count >= GROUPS_MAX - 2) {
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
		const struct group *w = shard_group(shard, i);

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
	group_writer_begin(shard, g);
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

/* --- the turn ---------------------------------------------------------------------------------- */

uint32_t
committer_poll(struct log_shard *shard)
{
	uint32_t work = 0;

	if (store_failed(shard->store)) {
		shard->failed = true;
	}
	if (shard->failed) {
		acknowledger_abandon(shard);
		return 0;
	}
	work += group_writer_poll(shard); /* go on with what the device did not take */
	work += acknowledger_poll(shard); /* what completions made durable */
	work += flusher_poll(shard);	  /* what is written */
	work += dispatch(shard);	  /* the open group, an anchor or a mark */
	work += acknowledger_poll(shard); /* so that none of it waits for the next turn */
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
		const struct group *g = shard_group(shard, i);

		if (g->state == GROUP_WRITTEN && g->part_count > 0) {
			deadline = earlier(shard, deadline,
				g->written_ns + (uint64_t)g->flush_ms * NS_PER_MS);
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
