/* SPDX-License-Identifier: Apache-2.0 */
/* Pending notes. See note.h. */
#include "logstore/note.h"

#include <errno.h>
#include <stdlib.h>
#include "base/ensure.h"

#define MERGE_LOOK_MAX 16 /* a second note of one session in a part is allowed: both are cumulative */

int
note_pool_init(struct note_pool *pool, uint32_t count)
{
	pool->notes = calloc(count, sizeof(pool->notes[0]));
	if (!pool->notes) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++) {
		pool->notes[i].next = i + 1 < count ? i + 1 : NOTE_NONE;
	}
	pool->free_first = 0;
	pool->free_count = count;
	return 0;
}

void
note_pool_close(struct note_pool *pool)
{
	free(pool->notes);
	pool->notes = NULL;
}

static bool
merge(struct note *into, uint16_t client, const struct append_done *done)
{
	if (into->client != client || into->done.session_index != done->session_index ||
		into->done.partition_index != done->partition_index || into->done.kind != done->kind) {
		return false;
	}
	/* A duplicate's note may be older than what waits: never step back. */
	if (done->offset > into->done.offset) {
		into->done.offset = done->offset;
		into->done.sequence_last = done->sequence_last;
	}
	return true;
}

static void
push(struct note_pool *pool, struct note_list *list, uint32_t index)
{
	pool->notes[index].next = NOTE_NONE;
	if (list->last == NOTE_NONE) {
		list->first = index;
	} else {
		pool->notes[list->last].next = index;
	}
	list->last = index;
}

void
note_add(struct note_pool *pool, struct note_list *list, uint16_t client,
	const struct append_done *done)
{
	uint32_t looked = 0;

	/* The newest first: one busy session is the usual case. */
	if (list->last != NOTE_NONE && merge(&pool->notes[list->last], client, done)) {
		return;
	}
	for (uint32_t i = list->first; i != NOTE_NONE && looked < MERGE_LOOK_MAX; looked++) {
		if (merge(&pool->notes[i], client, done)) {
			return;
		}
		i = pool->notes[i].next;
	}
	uint32_t index = pool->free_first;

	ensure(index != NOTE_NONE);
	pool->free_first = pool->notes[index].next;
	pool->free_count--;
	pool->notes[index].client = client;
	pool->notes[index].done = *done;
	push(pool, list, index);
}

uint32_t
note_list_pop(struct note_pool *pool, struct note_list *list)
{
	uint32_t index = list->first;

	if (index != NOTE_NONE) {
		list->first = pool->notes[index].next;
		if (list->first == NOTE_NONE) {
			list->last = NOTE_NONE;
		}
	}
	return index;
}

void
note_free(struct note_pool *pool, uint32_t index)
{
	pool->notes[index].next = pool->free_first;
	pool->free_first = index;
	pool->free_count++;
}

void
note_wait(struct note_pool *pool, struct note_list *waiting, uint32_t index)
{
	struct note *note = &pool->notes[index];
	uint32_t looked = 0;

	if (waiting->last != NOTE_NONE && merge(&pool->notes[waiting->last], note->client, &note->done)) {
		note_free(pool, index);
		return;
	}
	for (uint32_t i = waiting->first; i != NOTE_NONE && looked < MERGE_LOOK_MAX; looked++) {
		if (merge(&pool->notes[i], note->client, &note->done)) {
			note_free(pool, index);
			return;
		}
		i = pool->notes[i].next;
	}
	push(pool, waiting, index);
}
