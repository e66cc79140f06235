/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record batches on their way: a pool of fixed buffers, allocated once, each one datagram's worth.
 * A batch collects records of one partition (OPEN), is closed (FULL), gets its sequence when it is
 * first sent, and stays unchanged from then on until it is durable or failed: what is sent again is
 * the same bytes, so the server can tell a duplicate by its sequence.
 *
 * Beside the bytes the pool keeps one small note a record (the caller's pointer and the time of its
 * sending) in chunks, for the deliveries. A token names a batch for packets in flight: it goes stale
 * when the batch is freed, so an old packet's ACK cannot touch the buffer's next user. I/O thread only.
 */
#ifndef CLIENT_CLIENT_BATCH_H
#define CLIENT_CLIENT_BATCH_H

#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"
#include "wire/record_batch.h"

#define CLIENT_CHUNK_RECORDS 15

enum client_batch_state {
	CLIENT_BATCH_FREE,
	CLIENT_BATCH_OPEN,     /* collects records */
	CLIENT_BATCH_FULL,     /* closed, no sequence yet */
	CLIENT_BATCH_UNSENT,   /* has a sequence; the server has nothing of it: send and charge */
	CLIENT_BATCH_FLYING,   /* sent, not acknowledged */
	CLIENT_BATCH_LOST,     /* sent, declared lost: send again, free of charge */
	CLIENT_BATCH_RECEIVED, /* the server has it, not durable yet */
	CLIENT_BATCH_STATE_COUNT,
};

struct client_record_note {
	void *record_data;
	uint64_t sent_ns;
};

struct client_chunk {
	struct client_chunk *next;
	uint32_t count;
	struct client_record_note notes[CLIENT_CHUNK_RECORDS];
};
_Static_assert(sizeof(struct client_chunk) == 256, "client_chunk is four cache lines");

struct client_batch {
	struct client_batch *next; /* in its stream, oldest first; or in the pool's free list */
	struct client_batch *prev;
	uint8_t *bytes;
	uint32_t len;
	uint32_t index;
	uint32_t generation;
	uint8_t state; /* enum client_batch_state */
	bool reported; /* acks=0: delivered already, kept only to be sent again */
	bool stamped;  /* builder finished: bytes hold a whole batch */
	int32_t base_sequence;
	int32_t record_count;
	uint64_t created_ns;
	uint64_t first_pn; /* of this session and since the last rewind; older acks do not count */
	uint64_t last_pn;
	uint64_t sends;
	struct client_stream *stream;
	struct client_chunk *notes_first;
	struct client_chunk *notes_last;
	struct record_builder builder;
};

struct client_batch_pool {
	struct client_batch *batches;
	uint8_t *arena;
	struct client_chunk *chunks;
	struct client_batch *free_batches;
	struct client_chunk *free_chunks;
	uint32_t batch_count;
	uint32_t free_count;
	uint32_t room_bytes; /* a batch */
};

/* -ENOMEM; -EINVAL if memory does not hold four batches. */
int client_batch_pool_create(struct client_batch_pool *pool, uint64_t memory_bytes,
	uint32_t room_bytes);
void client_batch_pool_destroy(struct client_batch_pool *pool);

/* An OPEN batch of at most room_bytes (<= the pool's), or NULL: the pool is empty. */
struct client_batch *client_batch_take(struct client_batch_pool *pool, uint32_t room_bytes,
	uint64_t now_ns);
void client_batch_give(struct client_batch_pool *pool, struct client_batch *batch);
uint64_t client_batch_token(const struct client_batch *batch);
/* The batch of a token, NULL if it was freed since. */
struct client_batch *client_batch_of(struct client_batch_pool *pool, uint64_t token);

struct client_record {
	const void *key; /* NULL: none */
	const void *value; /* NULL: null */
	uint32_t key_len;
	uint32_t value_len;
	int64_t timestamp_ms;
	uint64_t sent_ns;
	void *record_data;
};

/* Bytes of a batch that holds only this record. */
uint64_t client_batch_cost(const struct client_record *record);
/* -ENOBUFS: the batch is full; -EAGAIN: no memory for the note. */
int client_batch_add(struct client_batch_pool *pool, struct client_batch *batch,
	const struct client_record *record);
/* Writes producer and sequence into the bytes, first time or again; the batch becomes UNSENT. */
void client_batch_stamp(struct client_batch *batch, int64_t producer_id, int16_t producer_epoch,
	int32_t base_sequence);

/* --- sequences: 0 .. 2^31-1, wrapping to 0; -1 none ---------------------------------------------- */

static inline int32_t
client_seq_add(int32_t sequence, int32_t count)
{
	return (int32_t)(((uint32_t)sequence + (uint32_t)count) & 0x7fffffff);
}

/* a is at or before b. Neither is -1. */
static inline bool
client_seq_le(int32_t a, int32_t b)
{
	return (((uint32_t)b - (uint32_t)a) & 0x7fffffff) < 1u << 30;
}

static inline int32_t
client_batch_last_sequence(const struct client_batch *batch)
{
	return client_seq_add(batch->base_sequence, batch->record_count - 1);
}

static inline bool
client_batch_sequenced(const struct client_batch *batch)
{
	return batch->state >= CLIENT_BATCH_UNSENT;
}

#endif
