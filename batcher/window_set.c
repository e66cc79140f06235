/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open windows, sorted by start in one array of indexes. Few windows are open at a time and new
 * ones mostly go to the end, so a binary search and a short memmove beat a tree. Batcher's lcore.
 */
#include "batcher/window_set.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"

int
window_set_create(struct window_set *set, uint32_t max, uint32_t partition_count)
{
	*set = (struct window_set){.max = max, .partition_count = partition_count};
	set->windows = calloc(max, sizeof(*set->windows));
	set->ranges = calloc((size_t)max * partition_count, sizeof(*set->ranges));
	set->order = calloc(max, sizeof(*set->order));
	set->unused = calloc(max, sizeof(*set->unused));
	if (!set->windows || !set->ranges || !set->order || !set->unused) {
		window_set_destroy(set);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < max; i++) {
		set->unused[i] = max - 1 - i;
	}
	return 0;
}

void
window_set_destroy(struct window_set *set)
{
	free(set->windows);
	free(set->ranges);
	free(set->order);
	free(set->unused);
	*set = (struct window_set){0};
}

/* Place in `order` of the first window whose start is not below start_ms. */
static uint32_t
window_set_place(const struct window_set *set, int64_t start_ms)
{
	uint32_t low = 0;
	uint32_t high = set->open_count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (set->windows[set->order[mid]].start_ms < start_ms) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low;
}

uint32_t
window_set_open(struct window_set *set, int64_t start_ms, int64_t end_ms)
{
	uint32_t place = window_set_place(set, start_ms);

	if (place < set->open_count && set->windows[set->order[place]].start_ms == start_ms) {
		return set->order[place];
	}
	if (set->open_count == set->max) {
		return WINDOW_NONE;
	}
	uint32_t index = set->unused[set->max - set->open_count - 1];

	memmove(&set->order[place + 1], &set->order[place],
		(set->open_count - place) * sizeof(set->order[0]));
	set->order[place] = index;
	set->open_count++;
	set->windows[index] = (struct window){.start_ms = start_ms, .end_ms = end_ms};
	memset(&set->ranges[(size_t)index * set->partition_count], 0,
		set->partition_count * sizeof(set->ranges[0]));
	return index;
}

uint32_t
window_set_first(const struct window_set *set)
{
	return set->open_count > 0 ? set->order[0] : WINDOW_NONE;
}

void
window_set_remove_first(struct window_set *set)
{
	ensure(set->open_count > 0);
	set->unused[set->max - set->open_count] = set->order[0];
	set->open_count--;
	memmove(&set->order[0], &set->order[1], set->open_count * sizeof(set->order[0]));
}

void
window_set_add(struct window_set *set, uint32_t window, uint32_t partition, int64_t offset,
	uint64_t digest)
{
	struct window_range *range =
		&set->ranges[(size_t)window * set->partition_count + partition];

	if (range->from == range->until) {
		range->from = offset;
	}
	range->until = offset + 1;
	set->windows[window].records++;
	set->windows[window].digest += digest;
}

const struct window_range *
window_set_ranges(const struct window_set *set, uint32_t window)
{
	return &set->ranges[(size_t)window * set->partition_count];
}

int64_t
window_set_start_ms(int64_t t_ms, int64_t size_ms, int64_t offset_ms)
{
	int64_t from = t_ms - offset_ms;
	int64_t remainder = from % size_ms;

	if (remainder < 0) {
		remainder += size_ms;
	}
	return t_ms - remainder;
}
