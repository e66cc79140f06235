/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that come later than COPIED: DURABLE, APPENDED and FAILED, merged per (client, session,
 * partition). A note waits with its group, then with its client until the done ring has room. Never
 * dropped: an empty pool holds appends back. Log lcore.
 */
#ifndef LOGSTORE_NOTE_H
#define LOGSTORE_NOTE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/handoff.h"

#define NOTE_NONE UINT32_MAX

struct note {
	struct append_done done; /* kind is set when the note leaves */
	uint16_t client;
	uint16_t reserved;
	uint32_t next;
};

struct note_list {
	uint32_t first;
	uint32_t last;
};

struct note_pool {
	struct note *notes;
	uint32_t free_first;
	uint32_t free_count;
};

int note_pool_init(struct note_pool *pool, uint32_t count);
void note_pool_close(struct note_pool *pool);

static inline struct note_list
note_list_empty(void)
{
	return (struct note_list){.first = NOTE_NONE, .last = NOTE_NONE};
}

/*
 * Adds to a part's list what one batch is owed; merges with a recent note of the same session. The
 * pool has a free note (the caller looked).
 */
void note_add(struct note_pool *pool, struct note_list *list, uint16_t client,
	const struct append_done *done);
/* Moves a note, already taken out of its list, behind a client's waiting ones, merging. */
void note_wait(struct note_pool *pool, struct note_list *waiting, uint32_t index);
/* Takes the first note out of a list: its index, or NOTE_NONE. */
uint32_t note_list_pop(struct note_pool *pool, struct note_list *list);
void note_free(struct note_pool *pool, uint32_t index);

#endif
