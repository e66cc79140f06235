/* SPDX-License-Identifier: Apache-2.0 */
/* Entries and lists of batch_table.h. No allocation after init; a free list threads through `next`.
 */
#include "ingest/batch_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/compiler.h"
#include "base/ensure.h"

static const bool batch_edges[BATCH_STATE_COUNT][BATCH_STATE_COUNT] = {
	[BATCH_PARKED] = {[BATCH_PENDING] = true},
	[BATCH_PENDING] = {[BATCH_OFFERED] = true, [BATCH_CANCELLED] = true},
	[BATCH_OFFERED] = {[BATCH_COPIED] = true},
};

int
batch_table_init(struct batch_table *table, uint32_t count, uint32_t reserve_count)
{
	ensure(reserve_count <= count);
	table->batches = aligned_alloc(CACHE_LINE_BYTES, (size_t)count * sizeof(struct batch));
	if (!table->batches) {
		return -ENOMEM;
	}
	memset(table->batches, 0, (size_t)count * sizeof(struct batch));
	for (uint32_t i = 0; i < count; i++) {
		table->batches[i].next = i + 1 < count ? i + 1 : BATCH_NONE;
	}
	table->count = count;
	table->free_count = count;
	table->free_head = count > 0 ? 0 : BATCH_NONE;
	table->reserve_count = reserve_count;
	return 0;
}

void
batch_table_fini(struct batch_table *table)
{
	free(table->batches);
	table->batches = NULL;
}

uint32_t
batch_table_take(struct batch_table *table, enum batch_state state)
{
	uint32_t index = table->free_head;

	if (index == BATCH_NONE) {
		return BATCH_NONE;
	}
	struct batch *batch = &table->batches[index];

	ensure(batch->state == BATCH_FREE);
	table->free_head = batch->next;
	table->free_count--;
	*batch = (struct batch){.state = (uint8_t)state, .next = BATCH_NONE};
	return index;
}

void
batch_table_give(struct batch_table *table, uint32_t index)
{
	ensure(index < table->count);
	struct batch *batch = &table->batches[index];

	ensure(batch->state != BATCH_FREE);
	ensure(batch->nic_owner == 0);
	batch->state = BATCH_FREE;
	batch->next = table->free_head;
	table->free_head = index;
	table->free_count++;
}

void
batch_set_state(struct batch *batch, enum batch_state state)
{
	ensure(batch_edges[batch->state][state]);
	batch->state = (uint8_t)state;
}

void
batch_list_append(struct batch_table *table, uint32_t *last, uint32_t index)
{
	struct batch *batch = &table->batches[index];

	if (*last == BATCH_NONE) {
		batch->next = index;
	} else {
		batch->next = table->batches[*last].next;
		table->batches[*last].next = index;
	}
	*last = index;
}

void
batch_list_insert(struct batch_table *table, uint32_t *last, uint32_t previous, uint32_t index)
{
	if (*last == BATCH_NONE || previous == *last) {
		batch_list_append(table, last, index);
	} else if (previous == BATCH_NONE) {
		table->batches[index].next = table->batches[*last].next;
		table->batches[*last].next = index;
	} else {
		table->batches[index].next = table->batches[previous].next;
		table->batches[previous].next = index;
	}
}

uint32_t
batch_list_take_first(struct batch_table *table, uint32_t *last)
{
	uint32_t first = batch_list_first(table, *last);

	if (first == BATCH_NONE) {
		return BATCH_NONE;
	}
	if (first == *last) {
		*last = BATCH_NONE;
	} else {
		table->batches[*last].next = table->batches[first].next;
	}
	table->batches[first].next = BATCH_NONE;
	return first;
}
