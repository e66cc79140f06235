/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lane's table of record batches on their way to the log: one line of cache each, allocated at
 * start, never more. `append_req.owner` is an entry's index + 1. An entry lives from acceptance to
 * DURABLE; it holds an rx buffer (`nic_owner`) only until COPIED, REFUSED or discard. Lane's lcore
 * only. Every entry with a buffer is in exactly one hold term of ledger equation E5.
 */
#ifndef INGEST_BATCH_TABLE_H
#define INGEST_BATCH_TABLE_H

#include <stdint.h>

#define BATCH_NONE UINT32_MAX

enum batch_state {
	BATCH_FREE,
	BATCH_PARKED,  /* ahead of order, in its stream's parked list */
	BATCH_PENDING, /* in order, in its shard's FIFO, not yet in the ring */
	BATCH_OFFERED, /* in the append ring or in the log's hands */
	BATCH_COPIED, /* stored, buffer given back; waits for DURABLE in its stream's copied list */
	BATCH_CANCELLED, /* its session ended while it was pending: only its FIFO knows it still */
	BATCH_STATE_COUNT,
};

enum batch_flag {
	BATCH_QUERY = 1, /* no batch: asks the log for the stream's last sequence */
	BATCH_PROOF = 2, /* is in the log: asks when it is durable */
};

struct batch {
	const uint8_t *bytes;
	uint64_t nic_owner; /* 0: none held */
	uint64_t rx_time_ns;
	uint32_t len;
	uint32_t records; /* as the header says, 0 if that is negative */
	uint32_t crc;
	int32_t base_sequence;
	int32_t last_sequence;
	uint32_t session_index;
	uint32_t stream_index; /* slot of native_stream.h */
	uint32_t next;         /* in the list of its state */
	uint8_t state;
	uint8_t flags;
	uint8_t generation; /* of its stream when accepted */
	uint8_t reserved[5];
};
_Static_assert(sizeof(struct batch) == 64, "batch is one cache line");

struct batch_table {
	struct batch *batches;
	uint32_t count;
	uint32_t free_count;
	uint32_t free_head;
	/* COPIED entries are merged from here on: the rest is kept for batches that hold buffers.
	 */
	uint32_t reserve_count;
};

/* Start-up. reserve_count: entries that only batches with an rx buffer may take. -ENOMEM. */
int batch_table_init(struct batch_table *table, uint32_t count, uint32_t reserve_count);
void batch_table_fini(struct batch_table *table);
/* A zeroed entry in the given state, or BATCH_NONE. */
uint32_t batch_table_take(struct batch_table *table, enum batch_state state);
void batch_table_give(struct batch_table *table, uint32_t index);
/* Moves an entry along its life; an edge that does not exist aborts. */
void batch_set_state(struct batch *batch, enum batch_state state);

static inline struct batch *
batch_at(const struct batch_table *table, uint32_t index)
{
	return &table->batches[index];
}

/*
 * Circular singly linked lists, named by their last entry (whose next is the first), so that one
 * u32 in a stream slot gives both ends.
 */
static inline uint32_t
batch_list_first(const struct batch_table *table, uint32_t last)
{
	return last == BATCH_NONE ? BATCH_NONE : table->batches[last].next;
}

void batch_list_append(struct batch_table *table, uint32_t *last, uint32_t index);
/* Inserts after `previous`, or before the first if previous is BATCH_NONE. */
void batch_list_insert(
	struct batch_table *table, uint32_t *last, uint32_t previous, uint32_t index);
/* Removes and returns the first, or BATCH_NONE. */
uint32_t batch_list_take_first(struct batch_table *table, uint32_t *last);

#endif
