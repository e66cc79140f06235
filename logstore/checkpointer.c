/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints. See checkpointer.h. */
#include "logstore/checkpointer.h"

#include "base/bytes.h"
#include "base/ensure.h"
#include "logstore/store.h"

#define CHECKPOINT_BYTES   (16u << 20)
#define CHECKPOINT_IDLE_NS (10 * NS_PER_S)
#define CHECKPOINT_LEAST_NS NS_PER_S /* decision 0012 */
#define CHECKPOINT_SLICE   64
#define CHECKPOINT_SCAN_NS (100 * NS_PER_MS)

static uint32_t
uncheckpointed(const struct segment *s)
{
	return s->durable_pos - s->checkpoint.pos;
}

bool
checkpointer_has_room(struct log_shard *shard, struct partition *p)
{
	struct logstore *store = shard->store;

	/* One batch adds at most one entry to each file; a full page is handed over at once. */
	if (p->pages[p->page_at].away) {
		return false;
	}
	return atomic_load_explicit(&store->uncheckpointed_bytes, memory_order_relaxed) <
		store->options.recovery_max_bytes;
}

void
checkpointer_page_away(struct log_shard *shard, struct partition *p, struct segment *s)
{
	struct index_page *page = &p->pages[p->page_at];

	if (page->entry_count == 0 && page->time_entry_count == 0) {
		return;
	}
	ensure(!page->away);
	page->away = true;
	p->page_at = (uint8_t)((p->page_at + 1) % INDEX_PAGES);
	log_shard_tell(shard,
		&(struct keeper_msg){
			.kind = KEEPER_PAGE, .partition = p, .segment = s, .page = page});
}

bool
checkpointer_capture(struct log_shard *shard, struct partition *p, struct segment *s)
{
	/* Not of a closing segment: its seal says more, and its roll needs the page. */
	if (!p->checkpoint_due || p->checkpoint_busy || s != p->active || s->state != SEGMENT_ACTIVE ||
		p->pages[p->page_at].away || p->state != LOG_PARTITION_SERVING ||
		!snapshot_arena_roomy(&shard->snapshots)) {
		return false;
	}
	struct snapshot_slot *snapshot =
		snapshot_arena_encode(&shard->snapshots, p, p->next_offset);

	if (!snapshot) {
		return false;
	}
	checkpointer_page_away(shard, p, s);
	p->checkpoint_due = false;
	p->checkpoint_busy = true;
	p->checkpoint_segment = s;
	p->checkpoint_snapshot = snapshot;
	p->checkpoint_new = (struct segment_checkpoint){.pos = s->closed_pos,
		.index_entries = s->index.entry_count,
		.time_index_entries = s->index.time_entry_count,
		.offset = p->next_offset,
		.crc = s->closed_crc};
	return true;
}

void
checkpointer_send(struct log_shard *shard, struct partition *p)
{
	struct segment *s = p->checkpoint_segment;

	ensure(p->checkpoint_busy);
	log_shard_tell(shard,
		&(struct keeper_msg){.kind = KEEPER_CHECKPOINT,
			.partition = p,
			.segment = s,
			.snapshot = p->checkpoint_snapshot,
			.checkpoint = p->checkpoint_new,
			.keep_from = p->anchored_offset});
}

void
checkpointer_cancel(struct log_shard *shard, struct partition *p)
{
	ensure(p->checkpoint_busy);
	snapshot_arena_give(&shard->snapshots, p->checkpoint_snapshot);
	p->checkpoint_snapshot = NULL;
	p->checkpoint_segment = NULL;
	p->checkpoint_busy = false;
}

void
checkpointer_done(struct log_shard *shard, struct partition *p, struct segment *s, int result)
{
	ensure(p->checkpoint_busy);
	snapshot_arena_give(&shard->snapshots, p->checkpoint_snapshot);
	p->checkpoint_snapshot = NULL;
	p->checkpoint_busy = false;
	p->checkpoint_ns = shard->now_ns;
	/* Gone when it was sealed in between: the seal says more. */
	if (result < 0 || p->checkpoint_segment != s || s->state == SEGMENT_FREE) {
		return;
	}
	shard->uncheckpointed_bytes -= p->checkpoint_new.pos - s->checkpoint.pos;
	s->checkpoint = p->checkpoint_new;
	partition_publish_checkpoint(p);
	shard->guard.anchor_due = true;
}

static void
consider(struct log_shard *shard, struct partition *p, bool largest_wanted)
{
	struct segment *s = p->active;

	if (!s || p->checkpoint_busy || uncheckpointed(s) == 0) {
		return;
	}
	uint64_t age_ns = shard->now_ns - p->checkpoint_ns;

	if ((uncheckpointed(s) >= CHECKPOINT_BYTES && age_ns >= CHECKPOINT_LEAST_NS) ||
		age_ns >= CHECKPOINT_IDLE_NS || largest_wanted) {
		p->checkpoint_due = true;
	}
	if (p->checkpoint_due && !p->dirty && p->parts_in_flight == 0 &&
		checkpointer_capture(shard, p, s)) {
		checkpointer_send(shard, p);
	}
}

void
checkpointer_poll(struct log_shard *shard)
{
	struct logstore *store = shard->store;
	uint64_t sum = atomic_load_explicit(&store->uncheckpointed_bytes, memory_order_relaxed);
	bool pressed = sum > store->options.recovery_max_bytes / 2;

	if (shard->now_ns < shard->checkpoint_scan_ns || shard->failed) {
		return;
	}
	for (uint32_t i = 0; i < CHECKPOINT_SLICE; i++) {
		struct partition *p = log_shard_next_partition(shard, &shard->housekeeping_at);

		if (!p) {
			shard->housekeeping_at = 0;
			shard->checkpoint_scan_ns = shard->now_ns + CHECKPOINT_SCAN_NS;
			break;
		}
		/* Pressed: every partition above its share, so that the sum falls below half. */
		bool large = pressed && p->active &&
			uncheckpointed(p->active) >= sum / (2 * (uint64_t)shard->partition_count + 2);

		consider(shard, p, large);
	}
}
