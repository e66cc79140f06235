/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records between the threads that send and the I/O thread: one ring of bytes, bounded, made once.
 * The caller of each function holds the producer's lock, but for the bytes of entries that the I/O
 * thread has seen by submit_queue_next: they stay until submit_queue_pop.
 */
#ifndef CLIENT_SUBMIT_QUEUE_H
#define CLIENT_SUBMIT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SUBMIT_NULL UINT32_MAX /* key_len, value_len: no key, null value */

/* Key and value follow the entry, in this order. */
struct submit_entry {
	uint32_t bytes; /* with key, value and padding */
	uint32_t topic; /* UINT32_MAX: filler before the ring's end */
	int32_t partition;
	uint32_t key_len;
	uint32_t value_len;
	uint32_t reserved;
	int64_t timestamp_ms;
	uint64_t sent_ns;
	void *record_data;
};

struct submit_queue {
	uint8_t *ring;
	uint64_t room_bytes; /* multiple of 8 */
	uint64_t put_bytes;  /* positions only grow */
	uint64_t taken_bytes;
};

/* -ENOMEM. */
int submit_queue_create(struct submit_queue *queue, uint64_t room_bytes);
void submit_queue_destroy(struct submit_queue *queue);
/* Copies one record in. -EAGAIN: full now; -EMSGSIZE: larger than the ring can ever hold. */
int submit_queue_put(struct submit_queue *queue, const struct submit_entry *entry, const void *key,
	const void *value);
/* The entry at `position` (from taken_bytes on) or NULL at `end`; skips fillers by moving *position. */
const struct submit_entry *submit_queue_next(const struct submit_queue *queue, uint64_t *position,
	uint64_t end);
const void *submit_entry_key(const struct submit_entry *entry);
const void *submit_entry_value(const struct submit_entry *entry);
/* Everything before `position` was used. */
void submit_queue_pop(struct submit_queue *queue, uint64_t position);

#endif
