/* SPDX-License-Identifier: Apache-2.0 */
/* Producer state in memory. See producer_state.h. */
#include "logstore/producer_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"

static uint32_t
bucket_of(const struct producer_pool *pool, uint32_t key, int64_t producer_id)
{
	uint64_t h = ((uint64_t)producer_id * 0x9e3779b97f4a7c15ull) ^ ((uint64_t)key << 32 | key);

	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9ull;
	return (uint32_t)(h >> 32) & (pool->bucket_count - 1);
}

int
producer_pool_init(struct producer_pool *pool, uint32_t count, uint32_t producers_max)
{
	*pool = (struct producer_pool){.producers_max = producers_max, .bucket_count = 64};
	while (pool->bucket_count < count) {
		pool->bucket_count *= 2;
	}
	pool->producers = calloc(count, sizeof(pool->producers[0]));
	pool->buckets = calloc(pool->bucket_count, sizeof(pool->buckets[0]));
	if (!pool->producers || !pool->buckets) {
		producer_pool_close(pool);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++) {
		pool->producers[i].hash_next = pool->free_first;
		pool->free_first = &pool->producers[i];
	}
	return 0;
}

void
producer_pool_close(struct producer_pool *pool)
{
	free(pool->producers);
	free(pool->buckets);
	pool->producers = NULL;
	pool->buckets = NULL;
}

struct producer *
producer_find(const struct producer_pool *pool, const struct producer_list *list, int64_t producer_id)
{
	struct producer *p = pool->buckets[bucket_of(pool, list->key, producer_id)];

	while (p && (p->list != list || p->entry.producer_id != producer_id)) {
		p = p->hash_next;
	}
	return p;
}

static void
unlink_orders(struct producer_pool *pool, struct producer *p)
{
	struct producer_list *list = p->list;

	*(p->list_older ? &p->list_older->list_newer : &list->oldest) = p->list_newer;
	*(p->list_newer ? &p->list_newer->list_older : &list->newest) = p->list_older;
	*(p->pool_older ? &p->pool_older->pool_newer : &pool->oldest) = p->pool_newer;
	*(p->pool_newer ? &p->pool_newer->pool_older : &pool->newest) = p->pool_older;
}

static void
link_newest(struct producer_pool *pool, struct producer *p)
{
	struct producer_list *list = p->list;

	p->list_newer = NULL;
	p->list_older = list->newest;
	*(list->newest ? &list->newest->list_newer : &list->oldest) = p;
	list->newest = p;
	p->pool_newer = NULL;
	p->pool_older = pool->newest;
	*(pool->newest ? &pool->newest->pool_newer : &pool->oldest) = p;
	pool->newest = p;
}

static void
drop(struct producer_pool *pool, struct producer *p)
{
	struct producer **link =
		&pool->buckets[bucket_of(pool, p->list->key, p->entry.producer_id)];

	while (*link != p) {
		link = &(*link)->hash_next;
	}
	*link = p->hash_next;
	unlink_orders(pool, p);
	p->list->count--;
	p->list = NULL;
	p->hash_next = pool->free_first;
	pool->free_first = p;
}

static struct producer *
make(struct producer_pool *pool, struct producer_list *list, int64_t producer_id)
{
	if (list->count >= pool->producers_max) {
		pool->expired_count++;
		drop(pool, list->oldest);
	}
	if (!pool->free_first) {
		pool->expired_count++;
		drop(pool, pool->oldest);
	}
	struct producer *p = pool->free_first;
	struct producer **bucket = &pool->buckets[bucket_of(pool, list->key, producer_id)];

	pool->free_first = p->hash_next;
	*p = (struct producer){.list = list, .hash_next = *bucket};
	p->entry = (struct producer_entry){
		.producer_id = producer_id, .txn_first_offset = -1, .coordinator_epoch = -1};
	*bucket = p;
	list->count++;
	link_newest(pool, p);
	return p;
}

enum producer_verdict
producer_check(const struct producer *producer, const struct record_batch *batch,
	const struct producer_batch **ret_batch)
{
	if (!producer) {
		return PRODUCER_ACCEPT;
	}
	const struct producer_entry *e = &producer->entry;

	if (batch->producer_epoch < e->epoch) {
		return PRODUCER_EPOCH_OLD;
	}
	if (batch->producer_epoch > e->epoch) {
		return batch->base_sequence == 0 ? PRODUCER_ACCEPT : PRODUCER_OUT_OF_ORDER;
	}
	if (e->batch_count == 0) {
		return batch->base_sequence == 0 ? PRODUCER_ACCEPT : PRODUCER_OUT_OF_ORDER;
	}
	int32_t last = record_batch_last_sequence(batch);

	for (uint32_t i = 0; i < e->batch_count; i++) {
		const struct producer_batch *b = &e->batches[i];

		if (b->last_sequence == last && b->offset_delta == batch->last_offset_delta) {
			*ret_batch = b;
			return PRODUCER_DUPLICATE;
		}
	}
	int32_t next = (int32_t)(((int64_t)e->batches[e->batch_count - 1].last_sequence + 1) & 0x7fffffff);

	return batch->base_sequence == next ? PRODUCER_ACCEPT : PRODUCER_OUT_OF_ORDER;
}

void
producer_note(struct producer_pool *pool, struct producer_list *list,
	const struct record_batch *batch, int64_t last_offset, uint64_t now_ns)
{
	struct producer *p = producer_find(pool, list, batch->producer_id);

	if (!p) {
		p = make(pool, list, batch->producer_id);
	} else {
		unlink_orders(pool, p);
		link_newest(pool, p);
	}
	struct producer_entry *e = &p->entry;

	if (e->epoch != batch->producer_epoch) {
		e->batch_count = 0;
		e->epoch = batch->producer_epoch;
	}
	if (e->batch_count == PRODUCER_SNAPSHOT_BATCHES) {
		memmove(&e->batches[0], &e->batches[1],
			(PRODUCER_SNAPSHOT_BATCHES - 1) * sizeof(e->batches[0]));
		e->batch_count--;
	}
	e->batches[e->batch_count++] =
		(struct producer_batch){.last_sequence = record_batch_last_sequence(batch),
			.offset_delta = batch->last_offset_delta,
			.last_offset = last_offset,
			.timestamp_ms = batch->max_timestamp_ms};
	e->last_timestamp_ms = batch->max_timestamp_ms;
	p->used_ns = now_ns;
}

void
producer_restore(struct producer_pool *pool, struct producer_list *list,
	const struct producer_entry *entry, uint64_t now_ns)
{
	struct producer *p = producer_find(pool, list, entry->producer_id);

	if (!p) {
		p = make(pool, list, entry->producer_id);
	}
	p->entry = *entry;
	p->used_ns = now_ns;
}

void
producer_list_clear(struct producer_pool *pool, struct producer_list *list)
{
	while (list->oldest) {
		drop(pool, list->oldest);
	}
}

void
producer_expire(struct producer_pool *pool, uint64_t now_ns, uint64_t idle_ns)
{
	struct producer *p = pool->oldest;

	if (p && now_ns - p->used_ns > idle_ns) {
		pool->expired_count++;
		drop(pool, p);
	}
}
