/* SPDX-License-Identifier: Apache-2.0 */
/* The end of groups. See acknowledger.h. */
#include "logstore/acknowledger.h"

#include <string.h>
#include "base/ensure.h"
#include "base/errcode.h"
#include "logstore/appender.h"
#include "logstore/checkpointer.h"
#include "logstore/commit_notes.h"
#include "logstore/guard_writer.h"
#include "logstore/roll.h"

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

void
acknowledger_abandon(struct log_shard *shard)
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

void
acknowledger_written(struct log_shard *shard, struct group *g)
{
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

uint32_t
acknowledger_poll(struct log_shard *shard)
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
