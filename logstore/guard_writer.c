/* SPDX-License-Identifier: Apache-2.0 */
/* Guard records of one shard. See guard_writer.h. */
#include "logstore/guard_writer.h"

#include <errno.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/log.h"
#include "logstore/store.h"

#define POISON_ROOM 64 /* entries of poison beside a group's parts */

/* Poison entries have no tail copy. */
static uint32_t
group_room(const struct log_shard *shard)
{
	return (uint32_t)(guard_record_bytes_max(shard->parts_max, shard->block_bytes) +
		bytes_ceil(POISON_ROOM * GUARD_ENTRY_BYTES, shard->block_bytes));
}

int
guard_writer_init(struct log_shard *shard)
{
	struct shard_guard *g = &shard->guard;
	const struct log_options *o = &shard->store->options;
	uint64_t half = o->guard_bytes / 2;
	uint64_t anchor = (uint64_t)o->partitions_max * 3 / 2 * (GUARD_ENTRY_BYTES + shard->block_bytes) +
		shard->block_bytes;

	shard->parts_max = o->partitions_max * 2 < GROUP_PARTS_MAX ? o->partitions_max * 2
								  : GROUP_PARTS_MAX;
	if (shard->parts_max < 4) {
		shard->parts_max = 4;
	}
	g->group_room = group_room(shard);
	while (shard->parts_max > 4 && g->group_room > half / 4) {
		shard->parts_max /= 2;
		g->group_room = group_room(shard);
	}
	g->anchor_room = (uint32_t)bytes_ceil(anchor, shard->block_bytes);
	g->blocks = (uint32_t)(half / shard->block_bytes) * 2;
	if (half < g->anchor_room || half < g->group_room + shard->block_bytes) {
		log_error("logstore",
			"guard too small: half of log.guard.bytes=%llu must hold 1.5 x %u partitions x "
			"(%u + %u) = %u and a group record of %u",
			(unsigned long long)o->guard_bytes, o->partitions_max, GUARD_ENTRY_BYTES,
			shard->block_bytes, g->anchor_room, g->group_room);
		return -EINVAL;
	}
	return 0;
}

/* The half that the newest record lies in: the ring is never empty, recovery wrote an anchor. */
static uint32_t
current_half(const struct shard_guard *g)
{
	return g->at - 1 < g->blocks / 2 ? 0 : 1;
}

bool
guard_writer_fits(const struct log_shard *shard, uint32_t entry_count)
{
	const struct shard_guard *g = &shard->guard;
	uint64_t bytes = guard_record_bytes_max(entry_count + shard->poison_count, shard->block_bytes);
	uint32_t end = (current_half(g) + 1) * (g->blocks / 2);

	return bytes / shard->block_bytes <= end - g->at;
}

static void
fill_identity(const struct partition *p, const struct segment *s, struct guard_entry *e)
{
	*e = (struct guard_entry){.partition = p->partition,
		.leader_epoch = p->leader_epoch,
		.segment_base = s->base,
		.file_id = s->file_id,
		.log_start_offset = p->log_start_offset,
		.producers_offset = s->checkpoint.offset};
	memcpy(e->topic_id, p->topic_id, sizeof(e->topic_id));
	if (p->config.ack_risk != 0) {
		e->flags |= GUARD_RELAXED;
	}
}

static uint32_t
bind_range(const struct partition *p, const struct segment *s, uint32_t start_pos,
	const struct range_crc *range)
{
	struct range_crc_place place = {
		.partition = p->partition, .segment_base = s->base, .start_pos = start_pos};

	memcpy(place.topic_id, p->topic_id, sizeof(place.topic_id));
	return range_crc_bind(&place, range);
}

void
guard_writer_anchor_entry(const struct partition *p, const struct segment *s,
	const struct segment_checkpoint *from, struct guard_entry *ret_entry)
{
	struct range_crc range = s->durable_crc;

	range_crc_drop_prefix(&range, &from->crc);
	fill_identity(p, s, ret_entry);
	ret_entry->producers_offset = from->offset;
	ret_entry->start_pos = from->pos;
	ret_entry->end_pos = s->durable_pos;
	ret_entry->first_offset = from->offset;
	ret_entry->end_offset = s->durable_end_offset;
	ret_entry->range_crc = bind_range(p, s, from->pos, &range);
	ret_entry->index_entries = from->index_entries;
	ret_entry->time_index_entries = from->time_index_entries;
}

static void
add_poison(struct log_shard *shard, struct guard_builder *b)
{
	uint32_t at = 0;
	uint32_t told = 0;
	struct partition *p = log_shard_next_partition(shard, &at);

	for (; p && told < POISON_ROOM; p = log_shard_next_partition(shard, &at)) {
		if (!p->poison_pending) {
			continue;
		}
		struct guard_entry e = {.partition = p->partition,
			.leader_epoch = p->leader_epoch,
			.segment_base = p->poison_base,
			.file_id = p->poison_file_id,
			.flags = GUARD_POISON,
			.aux = (uint32_t)p->poison_seq};

		memcpy(e.topic_id, p->topic_id, sizeof(e.topic_id));
		int rc = guard_builder_add(b, &e, NULL);

		ensure(rc == 0);
		p->poison_pending = false;
		shard->poison_count--;
		told++;
	}
}

static uint32_t
poison_entries(const struct log_shard *shard)
{
	return shard->poison_count < POISON_ROOM ? shard->poison_count : POISON_ROOM;
}

static void
finish(struct log_shard *shard, struct group *g, struct guard_builder *b)
{
	struct shard_guard *guard = &shard->guard;
	struct guard_header header = {.shard = (uint16_t)shard->index,
		.kind = (uint8_t)g->kind,
		.start_id = guard->start_id,
		.seq = ++guard->seq,
		.durable_seq = guard->acked_seq,
		.chain_crc = guard->chain_crc,
		.block_number = guard->at,
		.wall_ms = (shard->now_ns + (uint64_t)shard->wall_minus_mono_ns) / NS_PER_MS};

	memcpy(header.directory_id, shard->store->directory_id, sizeof(header.directory_id));
	g->guard_len = guard_builder_finish(b, &header);
	g->guard_position = (uint64_t)guard->at * shard->block_bytes;
	g->seq = header.seq;
	g->durable_seq = header.durable_seq;
	guard->chain_crc = header.crc;
	guard->at += g->guard_len / shard->block_bytes;
	ensure(guard->at <= guard->blocks);
	shard_count(shard, SHARD_write_guard_bytes, g->guard_len);
}

void
guard_writer_group(struct log_shard *shard, struct group *g)
{
	struct guard_builder b;
	uint32_t entries = poison_entries(shard);

	for (uint32_t i = 0; i < g->part_count; i++) {
		entries += !g->parts[i].failed;
	}
	int rc = guard_builder_init(&b, g->guard_buffer, shard->guard.group_room, shard->block_bytes,
		entries);

	ensure(rc == 0);
	for (uint32_t i = 0; i < g->part_count; i++) {
		const struct group_part *part = &g->parts[i];
		struct guard_entry e;

		if (part->failed) {
			continue;
		}
		fill_identity(part->partition, part->segment, &e);
		e.leader_epoch = part->leader_epoch;
		e.start_pos = part->start_pos;
		e.end_pos = part->end_pos;
		e.first_offset = part->first_offset;
		e.end_offset = part->end_offset;
		e.batch_count = part->batch_count;
		e.flags |= part->guard_flags;
		e.aux = part->guard_aux;
		e.range_crc = bind_range(part->partition, part->segment, part->start_pos, &part->crc);
		rc = guard_builder_add(&b, &e, part->tail);
		ensure(rc == 0);
	}
	add_poison(shard, &b);
	finish(shard, g, &b);
}

/* Segments an anchor tells of. */
static bool
anchored(const struct segment *s)
{
	return s->state != SEGMENT_FREE && s->durable_pos > 0;
}

static uint32_t
count_anchored(struct log_shard *shard)
{
	uint32_t at = 0;
	uint32_t count = 0;
	struct partition *p = log_shard_next_partition(shard, &at);

	for (; p; p = log_shard_next_partition(shard, &at)) {
		for (uint32_t i = 0; i < SEGMENTS_OPEN_MAX; i++) {
			count += anchored(&p->segments[i]);
		}
	}
	return count;
}

bool
guard_writer_anchor_fits(struct log_shard *shard)
{
	return guard_record_bytes_max(count_anchored(shard), shard->block_bytes) <=
		shard->guard.anchor_room;
}

bool
guard_writer_anchor(struct log_shard *shard, struct group *g)
{
	struct shard_guard *guard = &shard->guard;
	struct guard_builder b;
	uint32_t entries = count_anchored(shard);
	uint64_t bytes = guard_record_bytes_max(entries, shard->block_bytes);
	uint32_t at = 0;

	if (bytes > guard->anchor_room) {
		return false;
	}
	if (!guard_writer_fits(shard, entries)) {
		uint32_t half = current_half(guard);

		/* The other half is overwritten: this one must hold a durable anchor. */
		ensure(guard->anchored_half == half);
		guard->at = half == 0 ? guard->blocks / 2 : 0;
	}
	int rc = guard_builder_init(&b, guard->anchor_buffer, guard->anchor_room, shard->block_bytes,
		entries);

	ensure(rc == 0);
	struct partition *p = log_shard_next_partition(shard, &at);

	for (; p; p = log_shard_next_partition(shard, &at)) {
		for (uint32_t i = 0; i < SEGMENTS_OPEN_MAX; i++) {
			struct guard_entry e;

			if (!anchored(&p->segments[i])) {
				continue;
			}
			guard_writer_anchor_entry(p, &p->segments[i], &p->segments[i].checkpoint, &e);
			rc = guard_builder_add(&b, &e, p->segments[i].tail_block);
			ensure(rc == 0);
		}
		if (p->poison_pending) {
			/* The anchor ends at what was acknowledged: the failed range is not in it. */
			p->poison_pending = false;
			shard->poison_count--;
		}
		p->anchoring_offset = p->active ? p->active->checkpoint.offset : p->next_offset;
	}
	g->guard_buffer = guard->anchor_buffer;
	finish(shard, g, &b);
	guard->anchor_due = false;
	guard->anchor_ns = shard->now_ns;
	shard_count(shard, SHARD_anchors, 1);
	return true;
}

void
guard_writer_mark(struct log_shard *shard, struct group *g)
{
	struct guard_builder b;
	uint32_t entries = poison_entries(shard);
	int rc = guard_builder_init(&b, g->guard_buffer, shard->guard.group_room, shard->block_bytes,
		entries);

	ensure(rc == 0);
	g->kind = entries > 0 ? GUARD_GROUP : GUARD_MARK;
	add_poison(shard, &b);
	finish(shard, g, &b);
	shard_count(shard, SHARD_marks, 1);
}

void
guard_writer_acked(struct log_shard *shard, const struct group *g)
{
	struct shard_guard *guard = &shard->guard;
	uint32_t at = 0;

	ensure(g->seq == guard->acked_seq + 1);
	guard->acked_seq = g->seq;
	guard->proven_seq = g->durable_seq;
	if (g->kind == GUARD_GROUP) {
		guard->data_seq = g->seq;
	}
	if (g->kind == GUARD_ANCHOR) {
		uint64_t block = g->guard_position / shard->block_bytes;
		struct partition *p = log_shard_next_partition(shard, &at);

		guard->anchored_half = block < guard->blocks / 2 ? 0 : 1;
		for (; p; p = log_shard_next_partition(shard, &at)) {
			p->anchored_offset = p->anchoring_offset;
		}
	}
}
