/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One producer stream: a (session, partition) pair, 64 bytes. It keeps the order of sequences. The
 * slots of a lane are one pool with one hash table, both sized at start. Lane's lcore only.
 *
 * Sequences are 31 bits and wrap to 0; -1 means none. received_seq: last accepted in order.
 * copied_seq: last that is known to be in the log. durable_seq: last on disk (or at the topic's ack
 * point). durable <= copied <= received, but for the moments after a refusal.
 *
 *   FREE --open--> QUERYING --STATE--> OPEN --session ended, nothing in the log--> FREE
 *                     `--QUERY refused--> FREE
 */
#ifndef INGEST_NATIVE_STREAM_H
#define INGEST_NATIVE_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"

#define STREAM_NONE       UINT32_MAX
#define STREAM_PARKED_MAX 1024
#define STREAM_AHEAD_MAX  (1u << 28)
#define SEQUENCE_MASK     0x7fffffffu

enum native_stream_state {
	STREAM_FREE,
	STREAM_QUERYING,
	STREAM_OPEN,
	STREAM_STATE_COUNT,
};

enum native_stream_flag {
	STREAM_DIRTY = 1,    /* in its session's dirty list: an ACK has to carry its entry */
	STREAM_REWOUND = 2,  /* after a refusal at S: only base S = received_seq + 1 is accepted */
	STREAM_UNPROVEN = 4, /* copied_seq is from STATE: in the log, perhaps not durable */
};

struct native_stream {
	int64_t durable_offset; /* -1 none */
	uint32_t stream;        /* partition_index + 1 */
	uint32_t session_index;
	uint32_t hash_next; /* also links free slots */
	uint32_t session_next;
	uint32_t dirty_next;
	uint32_t parked_last; /* by sequence, batch_table.h lists */
	uint32_t copied_last; /* in order of copying */
	int32_t received_seq;
	int32_t copied_seq;
	int32_t durable_seq;
	int32_t restored_seq; /* as STATE told: what this session never charged for */
	int16_t error;        /* Kafka code */
	uint16_t parked_count;
	uint16_t in_log_count; /* requests pending, in the ring or in the log's hands, QUERY
				  included */
	uint16_t metadata_low; /* low bits of the topic's metadata_version when last resolved */
	uint8_t state;
	uint8_t flags;
	uint8_t generation; /* +1 when the log refuses: what it has of older ones moves nothing */
	uint8_t reserved;
};
_Static_assert(sizeof(struct native_stream) == 64, "native_stream is one cache line");

struct native_stream_table {
	struct native_stream *slots;
	uint32_t *buckets;
	uint32_t count;
	uint32_t used_count;
	uint32_t bucket_mask;
	uint32_t free_head;
};

/* Start-up. -ENOMEM. */
int native_stream_table_init(struct native_stream_table *table, uint32_t count);
void native_stream_table_fini(struct native_stream_table *table);
/* The slot, or STREAM_NONE. */
uint32_t native_stream_find(
	const struct native_stream_table *table, uint32_t session_index, uint32_t stream);
/* A slot in QUERYING, or STREAM_NONE if the pool is used up. Must not be there yet. */
uint32_t native_stream_open(
	struct native_stream_table *table, uint32_t session_index, uint32_t stream);
/* Nothing of it may be parked, copied or in the log. The caller unlinks it from its session. */
void native_stream_free(struct native_stream_table *table, uint32_t index);
void native_stream_set_state(struct native_stream *stream, enum native_stream_state state);
void native_stream_prefetch(
	const struct native_stream_table *table, uint32_t session_index, uint32_t stream);

static inline struct native_stream *
native_stream_at(const struct native_stream_table *table, uint32_t index)
{
	return &table->slots[index];
}

/* Sequence arithmetic. */
static inline int32_t
sequence_next(int32_t sequence)
{
	return (int32_t)(((uint32_t)sequence + 1) & SEQUENCE_MASK);
}

static inline int32_t
sequence_previous(int32_t sequence)
{
	return (int32_t)(((uint32_t)sequence - 1) & SEQUENCE_MASK);
}

/* How far a lies ahead of b, mod 2^31: 0 if equal. */
static inline uint32_t
sequence_ahead(int32_t a, int32_t b)
{
	return ((uint32_t)a - (uint32_t)b) & SEQUENCE_MASK;
}

/* The S of a refusal that still stands, -1 if there is none (or no sequence could be read). */
static inline int32_t
native_stream_error_seq(const struct native_stream *stream)
{
	return stream->flags & STREAM_REWOUND ? sequence_next(stream->received_seq) : -1;
}

/* a <= b in serial order; -1 (none) is before all. */
static inline bool
sequence_covers(int32_t b, int32_t a)
{
	return b >= 0 && (a < 0 || sequence_ahead(b, a) < 1u << 30);
}

#endif
