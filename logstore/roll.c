/* SPDX-License-Identifier: Apache-2.0 */
/* Rolls. See roll.h. */
#include "logstore/roll.h"

#include "base/bytes.h"
#include "base/ensure.h"
#include "logstore/appender.h"
#include "logstore/checkpointer.h"
#include "logstore/store.h"

static uint64_t
segment_limit(const struct partition *p)
{
	const struct segment *s = p->active;

	return p->config.segment_bytes < s->alloc_bytes ? p->config.segment_bytes : s->alloc_bytes;
}

/*
 * Kafka's segment.ms less a part of segment.jitter.ms. The part is the segment's own, also over a
 * restart: partitions that began together do not roll together.
 */
static bool
is_old(const struct partition *p, const struct segment *s, int64_t age_ms)
{
	int64_t limit = p->config.segment_ms;
	int64_t jitter = p->config.segment_jitter_ms < limit ? p->config.segment_jitter_ms : limit;

	if (limit <= 0 || age_ms <= limit - jitter) {
		return false;
	}
	return age_ms > limit || age_ms > limit - (int64_t)(s->file_id % (uint64_t)jitter);
}

static bool
roll_wanted(const struct log_shard *shard, const struct partition *p,
	const struct record_batch *batch, uint32_t len)
{
	const struct segment *s = p->active;

	if (s->end_pos == 0) {
		return false;
	}
	if ((uint64_t)s->end_pos + len > segment_limit(p)) {
		return true;
	}
	if (s->has_first_timestamp &&
		is_old(p, s, batch->max_timestamp_ms - s->first_timestamp_ms)) {
		return true;
	}
	return segment_index_full(&s->index,
		&(struct segment_index_batch){.last_offset = p->next_offset + batch->last_offset_delta,
			.max_timestamp_ms = batch->max_timestamp_ms,
			.position = s->end_pos,
			.bytes = len});
}

void
roll_appended(struct log_shard *shard, struct partition *p)
{
	struct segment *s = p->active;

	if (!s->half_full && s->end_pos >= segment_limit(p) / 2) {
		s->half_full = true;
		shard->half_full++;
		atomic_store_explicit(&shard->spares_wanted, shard->half_full, memory_order_relaxed);
	}
}

void
roll_forget(struct log_shard *shard, struct segment *s)
{
	if (s->half_full) {
		s->half_full = false;
		shard->half_full--;
		atomic_store_explicit(&shard->spares_wanted, shard->half_full, memory_order_relaxed);
	}
}

bool
roll_close(struct log_shard *shard, struct partition *p)
{
	struct segment *s = p->active;

	if (!s) {
		return true;
	}
	if (!checkpointer_has_room(shard, p)) {
		return false;
	}
	struct snapshot_slot *snapshot =
		snapshot_arena_encode(&shard->snapshots, p, p->next_offset);

	if (!snapshot) {
		return false;
	}
	segment_set_state(s, SEGMENT_CLOSED);
	roll_forget(shard, s);
	appender_close_part(shard, p);
	s->has_last_time_entry = segment_index_close(&s->index, &s->last_time_entry);
	checkpointer_page_away(shard, p, s);
	seal_runs_finish(&s->runs);
	s->snapshot = snapshot;
	p->last_end_pos = s->end_pos;
	p->active = NULL;
	shard_count(shard, SHARD_rolls, 1);
	roll_seal(shard, p);
	return true;
}

static bool
has_spare(struct log_shard *shard, const struct partition *p)
{
	if (shard->spare_count > (p->internal ? 0 : SHARD_SPARES_INTERNAL)) {
		return true;
	}
	if (!shard->prep_missed) {
		shard->prep_missed = true;
		shard_count(shard, SHARD_prep_miss, 1);
	}
	return false;
}

static bool
take_spare(struct log_shard *shard, struct partition *p)
{
	if (!has_spare(shard, p)) {
		return false;
	}
	struct segment *s = partition_segment_take(p, p->next_offset);

	if (!s) {
		return false;
	}
	struct shard_spare *spare = &shard->spares[--shard->spare_count];

	atomic_fetch_add_explicit(&shard->spares_taken, 1, memory_order_relaxed);
	shard->prep_missed = false;
	s->file_id = spare->file_id;
	s->fd = spare->fd;
	s->slot = spare->slot;
	s->alloc_bytes = spare->bytes;
	s->prev_end_pos = p->last_end_pos;
	p->active = s;
	p->segment_count++;
	log_shard_tell(shard,
		&(struct keeper_msg){.kind = KEEPER_ROLLED, .partition = p, .segment = s});
	partition_publish_checkpoint(p);
	partition_publish(p);
	return true;
}

bool
roll_prepare(struct log_shard *shard, struct partition *p, const struct record_batch *batch,
	uint32_t len)
{
	if (p->active && roll_wanted(shard, p, batch, len)) {
		/* First see that the next one is there: a partition never waits without a segment. */
		if (partition_segments_open(p) == SEGMENTS_OPEN_MAX || !has_spare(shard, p) ||
			!roll_close(shard, p)) {
			return false;
		}
	}
	return p->active || take_spare(shard, p);
}

void
roll_seal(struct log_shard *shard, struct partition *p)
{
	if (p->state == LOG_PARTITION_POISONED || p->state == LOG_PARTITION_DELETED || shard->failed) {
		return;
	}
	for (uint32_t i = 0; i < SEGMENTS_OPEN_MAX; i++) {
		struct segment *s = &p->segments[i];

		if (s->state != SEGMENT_CLOSED || s->durable_pos != s->end_pos) {
			continue;
		}
		segment_set_state(s, SEGMENT_SEALING);
		s->seal_checkpoint = s->checkpoint;
		log_shard_tell(shard,
			&(struct keeper_msg){.kind = KEEPER_SEAL,
				.partition = p,
				.segment = s,
				.snapshot = s->snapshot,
				.keep_from = p->anchored_offset});
	}
}

void
roll_sealed(struct log_shard *shard, struct segment *s)
{
	struct partition *p = s->partition;

	ensure(s->state == SEGMENT_SEALING);
	shard->uncheckpointed_bytes -= s->durable_pos - s->checkpoint.pos;
	log_shard_slot_free(shard, s->slot);
	log_shard_tell(shard,
		&(struct keeper_msg){.kind = KEEPER_CLOSE_FD, .position = (uint64_t)s->fd});
	snapshot_arena_give(&shard->snapshots, s->snapshot);
	s->snapshot = NULL;
	if (s->end_pos == 0) {
		p->segment_count--;
	}
	segment_set_state(s, SEGMENT_FREE);
	shard->guard.anchor_due = true;
	if (p->checkpoint_segment == s) {
		p->checkpoint_segment = NULL;
	}
	partition_publish_checkpoint(p);
	partition_publish(p);
}
