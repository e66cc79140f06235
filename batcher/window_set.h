/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A job's open windows. Of a window only offsets are kept (`replay` mode): per partition the range
 * from the first to behind the last record in it, plus the exact count and digest. Bounded by
 * open_windows_max; ordered by start. Batcher's lcore; memory is made with the job.
 */
#ifndef BATCHER_WINDOW_SET_H
#define BATCHER_WINDOW_SET_H

#include <stdint.h>
#include "base/compiler.h"

#define WINDOW_NONE UINT32_MAX

struct window_range {
	int64_t from;
	int64_t until; /* from == until: nothing */
};

struct window {
	int64_t start_ms;
	int64_t end_ms;
	uint64_t records;
	uint64_t digest;
};

struct window_set {
	uint32_t max;
	uint32_t partition_count;
	uint32_t open_count;
	struct window *windows;      /* [max] */
	struct window_range *ranges; /* [max][partition_count] */
	uint32_t *order;             /* indexes of open windows, by start */
	uint32_t *unused;            /* the other indexes */
};

/* Control thread. -ENOMEM. */
int window_set_create(struct window_set *set, uint32_t max, uint32_t partition_count) MUST_CHECK;
void window_set_destroy(struct window_set *set);
/* The open window of that start, opened if need be; WINDOW_NONE at the limit. */
uint32_t window_set_open(struct window_set *set, int64_t start_ms, int64_t end_ms);
/* The open window with the least start, or WINDOW_NONE. */
uint32_t window_set_first(const struct window_set *set);
void window_set_remove_first(struct window_set *set);
/* Counts one record into a window. Offsets of a partition come in order. */
void window_set_add(struct window_set *set, uint32_t window, uint32_t partition, int64_t offset,
	uint64_t digest);
const struct window_range *window_set_ranges(const struct window_set *set, uint32_t window);

/* floor((t - offset) / size) * size + offset, for any sign. */
int64_t window_set_start_ms(int64_t t_ms, int64_t size_ms, int64_t offset_ms);

#endif
