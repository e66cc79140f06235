/* SPDX-License-Identifier: Apache-2.0 */
/* Partition objects: making, lists, published status. See partition.h. */
#include "logstore/partition.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"

static const bool partition_edges[LOG_PARTITION_STATE_COUNT][LOG_PARTITION_STATE_COUNT] = {
	[LOG_PARTITION_ABSENT] = {[LOG_PARTITION_SERVING] = true},
	[LOG_PARTITION_SERVING] = {[LOG_PARTITION_POISONED] = true,
		[LOG_PARTITION_QUARANTINED] = true,
		[LOG_PARTITION_OFFLINE] = true,
		[LOG_PARTITION_DELETED] = true},
	[LOG_PARTITION_POISONED] = {[LOG_PARTITION_DELETED] = true},
	[LOG_PARTITION_QUARANTINED] = {[LOG_PARTITION_SERVING] = true, [LOG_PARTITION_DELETED] = true},
	[LOG_PARTITION_OFFLINE] = {[LOG_PARTITION_DELETED] = true},
};

struct partition *
partition_make(const struct partition_identity *identity, uint32_t index, uint16_t shard,
	uint32_t run_table_max)
{
	/* Not aligned_alloc and memset: that would touch every page of it. */
	void *memory = calloc(1, sizeof(struct partition) + CACHE_LINE_BYTES);

	if (!memory) {
		return NULL;
	}
	struct seal_run *runs =
		calloc((size_t)run_table_max * SEGMENTS_OPEN_MAX, sizeof(struct seal_run));

	if (!runs) {
		free(memory);
		return NULL;
	}
	struct partition *p = (void *)bytes_ceil((uintptr_t)memory, CACHE_LINE_BYTES);

	p->memory = memory;
	for (uint32_t i = 0; i < SEGMENTS_OPEN_MAX; i++) {
		p->segments[i].partition = p;
		p->segments[i].run_table = runs + (size_t)i * run_table_max;
		p->segments[i].run_table_max = run_table_max;
		p->segments[i].fd = -1;
		p->segments[i].index_fd = -1;
		p->segments[i].time_index_fd = -1;
	}
	p->index = index;
	p->partition = identity->partition;
	p->shard = shard;
	p->internal = strncmp(identity->topic, "__", 2) == 0;
	memcpy(p->topic_id, identity->topic_id, sizeof(p->topic_id));
	(void)snprintf(p->topic, sizeof(p->topic), "%s", identity->topic);
	int len = snprintf(p->dir, sizeof(p->dir), "%s-%u", p->topic, p->partition);

	ensure(len > 0);
	ensure((size_t)len < sizeof(p->dir));
	log_topic_config_init(&p->config);
	p->producers.key = index;
	partition_set_state(p, LOG_PARTITION_SERVING);
	p->append_first = APPEND_QUEUE_NONE;
	p->max_timestamp_ms = -1;
	p->note_max_timestamp_ms = -1;
	return p;
}

void
partition_free(struct partition *p)
{
	if (p) {
		free(p->segments[0].run_table);
		free(p->rows);
		free(p->memory);
	}
}

void
partition_set_state(struct partition *p, enum log_partition_state state)
{
	ensure(partition_edges[p->state][state]);
	p->state = state;
}

void
partition_publish(struct partition *p)
{
	struct partition_status *s = &p->status;

	atomic_store_explicit(&s->state, (uint32_t)p->state, memory_order_relaxed);
	atomic_store_explicit(&s->leader_epoch, p->leader_epoch, memory_order_relaxed);
	atomic_store_explicit(&s->log_start_offset, p->log_start_offset, memory_order_relaxed);
	atomic_store_explicit(&s->log_end_offset, p->next_offset, memory_order_relaxed);
	atomic_store_explicit(&s->high_watermark, p->high_watermark, memory_order_relaxed);
	atomic_store_explicit(&s->durable_offset, p->durable_offset, memory_order_relaxed);
	atomic_store_explicit(&s->durable_position, p->active ? p->active->durable_pos : 0,
		memory_order_relaxed);
	atomic_store_explicit(&s->active_base_offset, p->active ? p->active->base : p->next_offset,
		memory_order_relaxed);
	atomic_store_explicit(&s->size_bytes, p->size_bytes, memory_order_relaxed);
	atomic_store_explicit(&s->segment_count, p->segment_count, memory_order_release);
}

void
partition_publish_checkpoint(struct partition *p)
{
	const struct segment *newest = NULL;

	for (uint32_t i = 0; i < SEGMENTS_OPEN_MAX; i++) {
		const struct segment *s = &p->segments[i];

		if (s->state != SEGMENT_FREE && (!newest || s->base > newest->base)) {
			newest = s;
		}
	}
	atomic_store_explicit(&p->status.checkpointed_offset,
		newest ? newest->checkpoint.offset : p->durable_offset, memory_order_relaxed);
}

struct segment *
partition_segment_take(struct partition *p, int64_t base)
{
	for (uint32_t i = 0; i < SEGMENTS_OPEN_MAX; i++) {
		struct segment *s = &p->segments[i];

		if (s->state == SEGMENT_FREE) {
			segment_begin(s, base, &p->config);
			return s;
		}
	}
	return NULL;
}

uint32_t
partition_segments_open(const struct partition *p)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < SEGMENTS_OPEN_MAX; i++) {
		count += p->segments[i].state != SEGMENT_FREE;
	}
	return count;
}

void
partition_extent_add(struct partition *p, struct extent *extent)
{
	extent->partition = p;
	extent->newer = NULL;
	extent->older = p->newest;
	*(p->newest ? &p->newest->newer : &p->oldest) = extent;
	p->newest = extent;
}

void
partition_extent_forget(struct extent *extent)
{
	struct partition *p = extent->partition;

	*(extent->older ? &extent->older->newer : &p->oldest) = extent->newer;
	*(extent->newer ? &extent->newer->older : &p->newest) = extent->older;
	extent->partition = NULL;
	extent->older = NULL;
	extent->newer = NULL;
}

int
partition_row_add(struct partition *p, const struct segment_row *row)
{
	if (p->row_count == p->rows_max) {
		uint32_t max = p->rows_max ? p->rows_max * 2 : 8;
		struct segment_row *rows = realloc(p->rows, max * sizeof(rows[0]));

		if (!rows) {
			return -ENOMEM;
		}
		p->rows = rows;
		p->rows_max = max;
	}
	ensure(p->row_count == 0 || p->rows[p->row_count - 1].base < row->base);
	p->rows[p->row_count++] = *row;
	return 0;
}

struct segment_row *
partition_row_find(struct partition *p, int64_t offset)
{
	uint32_t low = 0;
	uint32_t high = p->row_count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (p->rows[mid].base <= offset) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low > 0 ? &p->rows[low - 1] : NULL;
}
