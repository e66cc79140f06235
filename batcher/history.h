/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last 256 fired windows of a job, and its status, as any thread may read them. Written by the
 * batcher's lcore only.
 */
#ifndef BATCHER_HISTORY_H
#define BATCHER_HISTORY_H

#include "batcher/batcher.h"
#include "base/published.h"

#define HISTORY_ROWS 256

_Static_assert(sizeof(struct window_row) % sizeof(uint64_t) == 0, "rows are whole words");
_Static_assert(sizeof(struct job_status) % sizeof(uint64_t) == 0, "status is whole words");

struct history_row {
	_Atomic uint64_t version;
	_Atomic uint64_t words[PUBLISHED_WORDS(struct window_row)];
};

struct history {
	_Atomic uint64_t status_version;
	_Atomic uint64_t status_words[PUBLISHED_WORDS(struct job_status)];
	_Atomic uint64_t last; /* sequence of the newest row */
	struct history_row rows[HISTORY_ROWS];
};

/* A new job takes the slot: no rows. Batcher's lcore, as is everything that writes. */
void history_reset(struct history *history);
/* Publishes row->sequence, which is last + 1. */
void history_add(struct history *history, const struct window_row *row);
void history_set_status(struct history *history, const struct job_status *status);
/* False: no job ever was here. Any thread. */
bool history_status(struct history *history, struct job_status *ret_status);
/* Rows with sequence > since, oldest first. Any thread. */
uint32_t history_list(
	struct history *history, uint64_t since, struct window_row *ret_rows, uint32_t max);

#endif
