/* SPDX-License-Identifier: Apache-2.0 */
/* Records between the threads that send and the I/O thread (submit_queue.h). */
#include "client/submit_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"

#define SUBMIT_FILLER UINT32_MAX
#define SUBMIT_ALIGN  8

int
submit_queue_create(struct submit_queue *queue, uint64_t room_bytes)
{
	*queue = (struct submit_queue){.room_bytes = bytes_floor(room_bytes, SUBMIT_ALIGN)};
	queue->ring = malloc(queue->room_bytes);
	return queue->ring ? 0 : -ENOMEM;
}

void
submit_queue_destroy(struct submit_queue *queue)
{
	free(queue->ring);
	queue->ring = NULL;
}

static uint64_t
submit_len(uint32_t len)
{
	return len == SUBMIT_NULL ? 0 : len;
}

int
submit_queue_put(struct submit_queue *queue, const struct submit_entry *entry, const void *key,
	const void *value)
{
	uint64_t key_len = submit_len(entry->key_len), value_len = submit_len(entry->value_len);
	uint64_t bytes = bytes_ceil(sizeof(*entry) + key_len + value_len, SUBMIT_ALIGN);
	uint64_t at = queue->put_bytes % queue->room_bytes;
	uint64_t to_end = queue->room_bytes - at;
	uint64_t need = bytes <= to_end ? bytes : to_end + bytes;

	if (bytes > queue->room_bytes / 2) {
		return -EMSGSIZE;
	}
	if (queue->put_bytes - queue->taken_bytes + need > queue->room_bytes) {
		return -EAGAIN;
	}
	if (bytes > to_end) {
		/* Room for two words is always left: all is padded to 8. */
		uint32_t filler[2] = {(uint32_t)to_end, SUBMIT_FILLER};

		memcpy(queue->ring + at, filler, sizeof(filler));
		queue->put_bytes += to_end;
		at = 0;
	}
	struct submit_entry head = *entry;
	uint8_t *room = queue->ring + at;

	head.bytes = (uint32_t)bytes;
	memcpy(room, &head, sizeof(head));
	if (key_len > 0) {
		memcpy(room + sizeof(head), key, key_len);
	}
	if (value_len > 0) {
		memcpy(room + sizeof(head) + key_len, value, value_len);
	}
	queue->put_bytes += bytes;
	return 0;
}

const struct submit_entry *
submit_queue_next(const struct submit_queue *queue, uint64_t *position, uint64_t end)
{
	while (*position < end) {
		const struct submit_entry *entry =
			(const void *)(queue->ring + *position % queue->room_bytes);

		if (entry->topic != SUBMIT_FILLER) {
			return entry;
		}
		*position += entry->bytes;
	}
	return NULL;
}

const void *
submit_entry_key(const struct submit_entry *entry)
{
	return entry->key_len == SUBMIT_NULL ? NULL : entry + 1;
}

const void *
submit_entry_value(const struct submit_entry *entry)
{
	return entry->value_len == SUBMIT_NULL
		       ? NULL
		       : (const uint8_t *)(entry + 1) + submit_len(entry->key_len);
}

void
submit_queue_pop(struct submit_queue *queue, uint64_t position)
{
	ensure(position >= queue->taken_bytes);
	ensure(position <= queue->put_bytes);
	queue->taken_bytes = position;
}
