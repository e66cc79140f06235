/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Window history: a ring of rows, each with its own seqlock. A reader that is overtaken by 256
 * firings sees a row with a newer sequence and leaves it out. Written on the batcher's lcore.
 */
#include "batcher/history.h"

void
history_reset(struct history *history)
{
	atomic_store_explicit(&history->last, 0, memory_order_release);
}

void
history_add(struct history *history, const struct window_row *row)
{
	struct history_row *slot = &history->rows[(row->sequence - 1) % HISTORY_ROWS];

	published_store(&slot->version, slot->words, row, PUBLISHED_WORDS(struct window_row));
	/* Pairs with the acquire load in history_list. */
	atomic_store_explicit(&history->last, row->sequence, memory_order_release);
}

void
history_set_status(struct history *history, const struct job_status *status)
{
	published_store(&history->status_version, history->status_words, status,
		PUBLISHED_WORDS(struct job_status));
}

bool
history_status(struct history *history, struct job_status *ret_status)
{
	return published_load(&history->status_version, history->status_words, ret_status,
		       PUBLISHED_WORDS(struct job_status)) > 0;
}

uint32_t
history_list(struct history *history, uint64_t since, struct window_row *ret_rows, uint32_t max)
{
	uint64_t last = atomic_load_explicit(&history->last, memory_order_acquire);
	uint64_t sequence = last > HISTORY_ROWS ? last - HISTORY_ROWS + 1 : 1;
	uint32_t n = 0;

	if (sequence <= since) {
		sequence = since + 1;
	}
	for (; sequence <= last && n < max; sequence++) {
		struct history_row *slot = &history->rows[(sequence - 1) % HISTORY_ROWS];

		published_load(&slot->version, slot->words, &ret_rows[n],
			PUBLISHED_WORDS(struct window_row));
		n += ret_rows[n].sequence == sequence;
	}
	return n;
}
