/* SPDX-License-Identifier: Apache-2.0 */
/* The flush phase of groups. See flusher.h. */
#include "logstore/flusher.h"

#include "base/bytes.h"
#include "logstore/shard_op.h"
#include "logstore/store.h"

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

void
flusher_complete(struct log_shard *shard, int32_t result)
{
	shard->flushes_pending--;
	if (result < 0) {
		shard_count(shard, SHARD_io_errors, 1);
		shard->flush_failed = true;
		log_shard_fail(shard, "flush failed", -result);
	} else if (shard->flushes_pending == 0 && !shard->flush_scanning && !shard->flush_failed) {
		flush_done(shard);
	}
}

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
	uint32_t written = shard_groups_in(shard, GROUP_WRITTEN);

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

uint32_t
flusher_poll(struct log_shard *shard)
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
