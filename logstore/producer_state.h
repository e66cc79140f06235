/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log remembers of producers: epoch and the last five batches per (partition, producer id).
 * One pool a shard, allocated at start; a list a partition in order of use. Bounded twice: a
 * partition keeps producers_max, the pool its size; the longest idle goes first. It describes what
 * is in the log, so it is changed only where a batch is appended or replayed. Log lcore; recovery
 * uses it before the lcore starts.
 */
#ifndef LOGSTORE_PRODUCER_STATE_H
#define LOGSTORE_PRODUCER_STATE_H

#include <stdint.h>
#include "logstore/producer_snapshot.h"
#include "wire/record_batch.h"

struct producer_list;

struct producer {
	struct producer_entry entry;
	struct producer_list *list; /* of its partition; NULL: free */
	struct producer *list_older, *list_newer;
	struct producer *pool_older, *pool_newer;
	struct producer *hash_next;
	uint64_t used_ns;
};

/* A partition's producers, longest idle first. */
struct producer_list {
	struct producer *oldest;
	struct producer *newest;
	uint32_t count;
	uint32_t key; /* tells partitions apart in the pool's hash */
};

struct producer_pool {
	struct producer *producers;
	struct producer **buckets;
	struct producer *free_first; /* by hash_next */
	struct producer *oldest;
	struct producer *newest;
	uint32_t bucket_count; /* power of two */
	uint32_t producers_max;	/* a partition */
	uint64_t expired_count;
};

enum producer_verdict {
	PRODUCER_ACCEPT,
	PRODUCER_DUPLICATE,
	PRODUCER_OUT_OF_ORDER, /* 45 */
	PRODUCER_EPOCH_OLD,    /* 47 */
};

/* -ENOMEM. Start-up. */
int producer_pool_init(struct producer_pool *pool, uint32_t count, uint32_t producers_max);
void producer_pool_close(struct producer_pool *pool);
/* The producer's state in that partition, or NULL. */
struct producer *producer_find(const struct producer_pool *pool, const struct producer_list *list,
	int64_t producer_id);
/*
 * Kafka's rules of the idempotent producer, in order. DUPLICATE: *ret_batch is the remembered one. A
 * batch without producer id is always accepted.
 */
enum producer_verdict producer_check(const struct producer *producer,
	const struct record_batch *batch, const struct producer_batch **ret_batch);
/* Notes an appended batch; makes the producer, displacing the longest idle, if it is new. */
void producer_note(struct producer_pool *pool, struct producer_list *list,
	const struct record_batch *batch, int64_t last_offset, uint64_t now_ns);
/* Puts a producer of a snapshot file in. */
void producer_restore(struct producer_pool *pool, struct producer_list *list,
	const struct producer_entry *entry, uint64_t now_ns);
/* Forgets every producer of a partition. */
void producer_list_clear(struct producer_pool *pool, struct producer_list *list);
/* Drops at most one producer that was idle longer than that. */
void producer_expire(struct producer_pool *pool, uint64_t now_ns, uint64_t idle_ns);

#endif
