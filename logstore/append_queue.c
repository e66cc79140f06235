/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting append requests. See append_queue.h. */
#include "logstore/append_queue.h"

#include <errno.h>
#include <stdlib.h>
#include "base/ensure.h"
#include "logstore/partition.h"

int
append_queue_init(struct append_queue *queue, uint32_t requests_max)
{
	*queue = (struct append_queue){.items = calloc(requests_max, sizeof(queue->items[0]))};
	if (!queue->items) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < requests_max; i++) {
		queue->items[i].next = i + 1 < requests_max ? i + 1 : APPEND_QUEUE_NONE;
	}
	return 0;
}

void
append_queue_close(struct append_queue *queue)
{
	free(queue->items);
	queue->items = NULL;
}

static void
list_partition(struct append_queue *queue, struct partition *p)
{
	p->append_queue_next = NULL;
	if (queue->last) {
		queue->last->append_queue_next = p;
	} else {
		queue->first = p;
	}
	queue->last = p;
}

static void
unlist_first(struct append_queue *queue)
{
	queue->first = queue->first->append_queue_next;
	if (!queue->first) {
		queue->last = NULL;
	}
}

bool
append_queue_add(struct append_queue *queue, struct partition *p, const struct append_req *req)
{
	uint32_t index = queue->free_first;

	if (index == APPEND_QUEUE_NONE) {
		return false;
	}
	struct queued_append *item = &queue->items[index];

	queue->free_first = item->next;
	queue->count++;
	item->req = *req;
	item->next = APPEND_QUEUE_NONE;
	if (p->append_first == APPEND_QUEUE_NONE) {
		p->append_first = index;
		list_partition(queue, p);
	} else {
		queue->items[p->append_last].next = index;
	}
	p->append_last = index;
	return true;
}

const struct append_req *
append_queue_first(const struct append_queue *queue)
{
	uint32_t index = queue->first->append_first;

	ensure(index != APPEND_QUEUE_NONE);
	return &queue->items[index].req;
}

void
append_queue_pop(struct append_queue *queue)
{
	struct partition *p = queue->first;
	uint32_t index = p->append_first;

	ensure(index != APPEND_QUEUE_NONE);
	p->append_first = queue->items[index].next;
	queue->items[index].next = queue->free_first;
	queue->free_first = index;
	queue->count--;
	if (p->append_first == APPEND_QUEUE_NONE) {
		unlist_first(queue);
	}
}

void
append_queue_rotate(struct append_queue *queue)
{
	struct partition *p = queue->first;

	unlist_first(queue);
	list_partition(queue, p);
}
