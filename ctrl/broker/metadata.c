/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/broker/metadata.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "base/errcode.h"
#include "base/log.h"
#include "wire/record_batch.h"

#define METADATA_READ_BYTES (256 * KIB)
#define METADATA_READ_TOKEN 0x6d657461ull /* tells our reads from offset look-ups */

enum slot_state {
	SLOT_FREE,
	SLOT_QUEUED, /* waits for room in the append ring */
	SLOT_SENT,   /* the log reads the batch */
	SLOT_COPIED, /* offset known, waits for durable */
};

struct slot {
	enum slot_state state;
	uint32_t batch_len;
	int64_t offset; /* INT64_MIN: refused with `error` */
	int16_t error;
	metadata_durable_fn durable;
	void *user_data;
	uint8_t *batch;
};

struct metadata {
	struct metadata_options options;
	uint32_t partition_index;
	uint16_t shard;
	bool bound;
	bool reading;
	bool replayed;
	int16_t error;
	int64_t read_next;
	int64_t read_until;
	/* Slots are used as a ring: requests go to the log in order. */
	uint32_t head; /* oldest in use */
	uint32_t send; /* next to send */
	uint32_t tail; /* next free; all three count up, index = value % METADATA_PENDING_MAX */
	struct slot slots[METADATA_PENDING_MAX];
	uint8_t *batches;
	uint64_t stored[3]; /* batches, records, bytes whose offset is known */
};

int
metadata_create(const struct metadata_options *options, struct metadata **ret_metadata)
{
	struct metadata *m = calloc(1, sizeof(*m));

	if (!m) {
		return -ENOMEM;
	}
	m->options = *options;
	m->batches = calloc(METADATA_PENDING_MAX, METADATA_RECORD_BYTES);
	if (!m->batches) {
		free(m);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < METADATA_PENDING_MAX; i++) {
		m->slots[i].batch = m->batches + (size_t)i * METADATA_RECORD_BYTES;
	}
	*ret_metadata = m;
	return 0;
}

void
metadata_destroy(struct metadata *m)
{
	if (m) {
		free(m->batches);
		free(m);
	}
}

void
metadata_bind(struct metadata *m, uint32_t partition_index, uint16_t shard)
{
	struct log_partition_status status;

	ensure(!m->bound);
	m->partition_index = partition_index;
	m->shard = shard;
	m->bound = true;
	ensure(logstore_status(m->options.store, partition_index, &status) == 0);
	m->read_next = status.log_start_offset;
	m->read_until = status.high_watermark;
	m->replayed = m->read_next >= m->read_until;
	/* An offset of 0 would read as an empty catalogue. */
	if (status.state == LOG_PARTITION_QUARANTINED) {
		m->error = KAFKA_CORRUPT_MESSAGE;
	} else if (status.state != LOG_PARTITION_SERVING) {
		m->error = KAFKA_KAFKA_STORAGE_ERROR;
	}
}

bool
metadata_bound(const struct metadata *m)
{
	return m->bound;
}

uint16_t
metadata_shard(const struct metadata *m)
{
	return m->shard;
}

bool
metadata_replayed(const struct metadata *m)
{
	return m->replayed;
}

int16_t
metadata_error(const struct metadata *m)
{
	return m->error;
}

void
metadata_stored(const struct metadata *m, uint64_t ret_stored[3])
{
	memcpy(ret_stored, m->stored, sizeof(m->stored));
}

static struct slot *
metadata_slot(struct metadata *m, uint32_t number)
{
	return &m->slots[number % METADATA_PENDING_MAX];
}

int
metadata_append(struct metadata *m, const char *key, json_t *record, metadata_durable_fn durable,
	void *user_data)
{
	struct slot *slot = metadata_slot(m, m->tail);
	struct record_builder builder;
	char *text = json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS);
	int rc;

	json_decref(record);
	if (!text) {
		return -ENOMEM;
	}
	if (m->tail - m->head == METADATA_PENDING_MAX) {
		free(text);
		return -ENOBUFS;
	}
	record_builder_init(&builder, slot->batch, METADATA_RECORD_BYTES);
	rc = record_builder_add(&builder,
		(int64_t)(clock_wall_ns(m->options.clock) / NS_PER_MS), key, (int32_t)strlen(key),
		text, (int32_t)strlen(text));
	free(text);
	if (rc < 0) {
		return -EMSGSIZE;
	}
	slot->batch_len = (uint32_t)record_builder_finish(&builder, -1, -1, -1);
	slot->state = SLOT_QUEUED;
	slot->offset = -1;
	slot->error = 0;
	slot->durable = durable;
	slot->user_data = user_data;
	m->tail++;
	return 0;
}

/* Offers queued batches in order; a full ring is tried again next turn. */
static uint32_t
metadata_send(struct metadata *m)
{
	uint32_t work = 0;

	while (m->send != m->tail) {
		struct slot *slot = metadata_slot(m, m->send);
		struct append_req req = {
			.batch = slot->batch,
			.batch_len = slot->batch_len,
			.partition_index = m->partition_index,
			.owner = m->send + 1ull,
			.client = m->options.client,
			.producer_id = -1,
			.producer_epoch = -1,
			.base_sequence = -1,
			.rx_time_ns = clock_now_ns(m->options.clock),
			.record_count = 1,
			.crc = load_be32(slot->batch + 17),
		};

		if (ring_offer(m->options.append_req[m->shard], &req, 1) == 0) {
			break;
		}
		slot->state = SLOT_SENT;
		m->send++;
		work++;
	}
	return work;
}

static void
metadata_finish_head(struct metadata *m, int16_t error)
{
	struct slot *slot = metadata_slot(m, m->head);
	metadata_durable_fn durable = slot->durable;
	void *user_data = slot->user_data;

	slot->state = SLOT_FREE;
	m->head++;
	if (durable) {
		durable(user_data, error);
	}
}

void
metadata_append_done(struct metadata *m, const struct append_done *done)
{
	struct slot *slot;

	switch (done->kind) {
	case APPEND_COPIED:
		slot = metadata_slot(m, (uint32_t)(done->owner - 1));
		ensure(slot->state == SLOT_SENT);
		slot->state = SLOT_COPIED;
		slot->offset = done->offset;
		m->stored[0]++;
		m->stored[1]++;
		m->stored[2] += slot->batch_len;
		return;
	case APPEND_REFUSED:
		/* Refusals come in order with the rest; everything before is copied already. */
		slot = metadata_slot(m, (uint32_t)(done->owner - 1));
		ensure(slot->state == SLOT_SENT);
		slot->state = SLOT_COPIED;
		slot->offset = INT64_MIN;
		slot->error = done->error ? done->error : KAFKA_KAFKA_STORAGE_ERROR;
		break;
	case APPEND_DURABLE:
		while (m->head != m->send) {
			slot = metadata_slot(m, m->head);
			if (slot->state != SLOT_COPIED || slot->offset > done->offset) {
				break;
			}
			metadata_finish_head(m, slot->error);
		}
		return;
	case APPEND_FAILED:
		while (m->head != m->send) {
			slot = metadata_slot(m, m->head);
			if (slot->state != SLOT_COPIED || slot->offset > done->offset) {
				break;
			}
			metadata_finish_head(m, done->error);
		}
		return;
	default:
		return;
	}
	/* A refusal at the head answers at once: no durable note will follow it. */
	while (m->head != m->send) {
		slot = metadata_slot(m, m->head);
		if (slot->state != SLOT_COPIED || slot->offset >= 0) {
			break;
		}
		metadata_finish_head(m, slot->error);
	}
}

static int16_t
metadata_replay_batch(struct metadata *m, const uint8_t *bytes, size_t len)
{
	struct record_iterator it;
	struct record_view record;
	int rc;

	if (record_iterator_init(&it, bytes, len) < 0) {
		return KAFKA_CORRUPT_MESSAGE;
	}
	while ((rc = record_iterator_next(&it, &record)) == 1) {
		json_error_t error;
		json_t *object;

		if (record.offset < m->read_next) {
			continue;
		}
		object = json_loadb((const char *)record.value, (size_t)(record.value_len > 0 ? record.value_len : 0),
			JSON_REJECT_DUPLICATES, &error);
		if (!object) {
			log_error("broker", "metadata record at offset %lld is no JSON: %s",
				(long long)record.offset, error.text);
			return KAFKA_CORRUPT_MESSAGE;
		}
		m->options.replay(m->options.replay_user_data, object);
		json_decref(object);
		m->read_next = record.offset + 1;
	}
	return rc < 0 ? KAFKA_CORRUPT_MESSAGE : 0;
}

bool
metadata_read_done(struct metadata *m, const struct read_done *done)
{
	struct record_batch_iterator it;
	int rc;

	if (done->token != METADATA_READ_TOKEN) {
		return false;
	}
	m->reading = false;
	if (done->error) {
		m->error = done->error;
		return true;
	}
	if (!done->data) {
		/* The log has no room for the read now, or these offsets are gone. */
		m->read_next = done->next_offset > m->read_next ? done->next_offset : m->read_next;
		m->replayed = m->read_next >= m->read_until;
		return true;
	}
	record_batch_iterator_init(&it, done->data, done->data_len);
	while (!m->error && (rc = record_batch_iterator_next(&it)) != 0) {
		m->error = rc < 0 ? KAFKA_CORRUPT_MESSAGE : metadata_replay_batch(m, it.bytes, it.len);
	}
	struct extent_release release = {.pin = done->pin,
		.partition_index = done->partition_index,
		.client = m->options.client};

	/* Sized for every pin that may be out: see wiring.c. */
	ensure(ring_offer(m->options.extent_release[m->shard], &release, 1) == 1);
	m->replayed = !m->error && m->read_next >= m->read_until;
	return true;
}

uint32_t
metadata_poll(struct metadata *m)
{
	if (!m->bound || m->error) {
		return 0;
	}
	if (m->replayed) {
		return metadata_send(m);
	}
	if (!m->reading) {
		struct read_req req = {
			.partition_index = m->partition_index,
			.bytes_max = METADATA_READ_BYTES,
			.from = m->read_next,
			.until = m->read_until,
			.token = METADATA_READ_TOKEN,
			.client = m->options.client,
		};

		m->reading = ring_offer(m->options.read_req[m->shard], &req, 1) == 1;
		return m->reading;
	}
	return 0;
}
