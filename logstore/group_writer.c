/* SPDX-License-Identifier: Apache-2.0 */
/* The write phase of groups. See group_writer.h. */
#include "logstore/group_writer.h"

#include <errno.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "logstore/acknowledger.h"
#include "logstore/shard_op.h"
#include "logstore/store.h"

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

/* All writes of a group came back. */
static void
group_written(struct log_shard *shard, struct group *g)
{
	group_set_state(g, shard->store->dsync ? GROUP_DURABLE : GROUP_WRITTEN);
	g->written_ns = shard->now_ns;
	if (g->guard_failed) {
		log_shard_fail(shard, "guard write failed", EIO);
		return;
	}
	acknowledger_written(shard, g);
}

void
group_writer_complete(struct log_shard *shard, const struct shard_op *op, bool good)
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

void
group_writer_begin(struct log_shard *shard, struct group *g)
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

uint32_t
group_writer_poll(struct log_shard *shard)
{
	if (shard->ops_unqueued > 0) {
		shard_op_requeue(shard);
	}
	for (uint32_t i = 0; i < shard->group_count; i++) {
		struct group *g = shard_group(shard, i);

		if (g->state == GROUP_WRITING && !g->dispatched) {
			queue_group(shard, g);
			return 1; /* the guard's order within the device is the queue's */
		}
	}
	return 0;
}
