/* SPDX-License-Identifier: Apache-2.0 */
/* Kafka's `.snapshot` and our `.producers`; formats in producer_snapshot.h and KIP-98. */
#include "logstore/producer_snapshot.h"

#include <errno.h>
#include <string.h>
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/ensure.h"

#define KAFKA_VERSION	   1
#define KAFKA_HEADER_BYTES 10 /* version i16, crc u32, count i32 */
#define KAFKA_CRC_AT	   2
#define KAFKA_COUNT_AT	   6 /* the crc covers from here */
#define KAFKA_ENTRY_BYTES  46

#define OWN_MAGIC	 "PSPROD01"
#define OWN_MAGIC_LEN	 8
#define OWN_VERSION	 1
#define OWN_HEADER_BYTES 48
#define OWN_CRC_AT	 8
#define OWN_CRC_FROM	 12
#define OWN_COUNT_AT	 36
#define OWN_ENTRY_BYTES	 152

size_t
producer_snapshot_bytes(enum producer_snapshot_format format, uint32_t count)
{
	return format == PRODUCER_SNAPSHOT_KAFKA ?
		KAFKA_HEADER_BYTES + (size_t)count * KAFKA_ENTRY_BYTES :
		OWN_HEADER_BYTES + (size_t)count * OWN_ENTRY_BYTES;
}

/* --- writing --------------------------------------------------------------------------------- */

void
producer_snapshot_begin(struct producer_snapshot_writer *pw, enum producer_snapshot_format format,
	const struct producer_snapshot_identity *identity, void *bytes, size_t room)
{
	*pw = (struct producer_snapshot_writer){.w = writer_init(bytes, room), .format = format};
	if (format == PRODUCER_SNAPSHOT_KAFKA) {
		writer_be16(&pw->w, KAFKA_VERSION);
		writer_zeros(&pw->w, KAFKA_HEADER_BYTES - 2);
		return;
	}
	writer_copy(&pw->w, OWN_MAGIC, OWN_MAGIC_LEN);
	writer_le32(&pw->w, 0);
	writer_le16(&pw->w, OWN_VERSION);
	writer_le16(&pw->w, 0);
	writer_copy(&pw->w, identity->topic_id, sizeof(identity->topic_id));
	writer_le32(&pw->w, identity->partition);
	writer_le32(&pw->w, 0);
	writer_le64(&pw->w, (uint64_t)identity->offset);
}

static void
producer_snapshot_add_kafka(struct writer *w, const struct producer_entry *e)
{
	struct producer_batch none = {
		.last_sequence = -1,
		.last_offset = -1,
		.timestamp_ms = e->last_timestamp_ms,
	};
	const struct producer_batch *last =
		e->batch_count > 0 ? &e->batches[e->batch_count - 1] : &none;

	writer_be64(w, (uint64_t)e->producer_id);
	writer_be16(w, (uint16_t)e->epoch);
	writer_be32(w, (uint32_t)last->last_sequence);
	writer_be64(w, (uint64_t)last->last_offset);
	writer_be32(w, (uint32_t)last->offset_delta);
	writer_be64(w, (uint64_t)e->last_timestamp_ms);
	writer_be32(w, (uint32_t)e->coordinator_epoch);
	writer_be64(w, (uint64_t)e->txn_first_offset);
}

static void
producer_snapshot_add_own(struct writer *w, const struct producer_entry *e)
{
	uint32_t i;

	writer_le64(w, (uint64_t)e->producer_id);
	writer_le16(w, (uint16_t)e->epoch);
	writer_u8(w, e->batch_count);
	writer_u8(w, 0);
	writer_le32(w, (uint32_t)e->coordinator_epoch);
	writer_le64(w, (uint64_t)e->txn_first_offset);
	writer_le64(w, (uint64_t)e->last_timestamp_ms);
	for (i = 0; i < e->batch_count; i++) {
		writer_le32(w, (uint32_t)e->batches[i].last_sequence);
		writer_le32(w, (uint32_t)e->batches[i].offset_delta);
		writer_le64(w, (uint64_t)e->batches[i].last_offset);
		writer_le64(w, (uint64_t)e->batches[i].timestamp_ms);
	}
	writer_zeros(w, (PRODUCER_SNAPSHOT_BATCHES - (size_t)e->batch_count) * 24);
}

void
producer_snapshot_add(struct producer_snapshot_writer *pw, const struct producer_entry *entry)
{
	ensure(entry->batch_count <= PRODUCER_SNAPSHOT_BATCHES);
	if (pw->format == PRODUCER_SNAPSHOT_KAFKA) {
		producer_snapshot_add_kafka(&pw->w, entry);
	} else {
		producer_snapshot_add_own(&pw->w, entry);
	}
	pw->count++;
}

int64_t
producer_snapshot_finish(struct producer_snapshot_writer *pw)
{
	uint8_t *bytes = pw->w.begin;
	size_t len = writer_len(&pw->w);

	if (pw->w.failed) {
		return -ENOBUFS;
	}
	ensure(len == producer_snapshot_bytes(pw->format, pw->count));
	if (pw->format == PRODUCER_SNAPSHOT_KAFKA) {
		store_be32(bytes + KAFKA_COUNT_AT, pw->count);
		store_be32(bytes + KAFKA_CRC_AT,
			crc32c_update(0, bytes + KAFKA_COUNT_AT, len - KAFKA_COUNT_AT));
	} else {
		store_le32(bytes + OWN_COUNT_AT, pw->count);
		store_le32(bytes + OWN_CRC_AT,
			crc32c_update(0, bytes + OWN_CRC_FROM, len - OWN_CRC_FROM));
	}
	return (int64_t)len;
}

/* --- reading --------------------------------------------------------------------------------- */

static int
producer_snapshot_open_kafka(struct producer_snapshot_reader *pr, const uint8_t *bytes, size_t len)
{
	uint16_t version = reader_be16(&pr->r);
	uint32_t crc = reader_be32(&pr->r);

	pr->count = reader_be32(&pr->r);
	if (pr->r.failed || version != KAFKA_VERSION) {
		return -EBADMSG;
	}
	return crc == crc32c_update(0, bytes + KAFKA_COUNT_AT, len - KAFKA_COUNT_AT) ? 0 : -EBADMSG;
}

static int
producer_snapshot_open_own(struct producer_snapshot_reader *pr,
	const struct producer_snapshot_identity *identity, const uint8_t *bytes, size_t len)
{
	const uint8_t *magic = reader_bytes(&pr->r, OWN_MAGIC_LEN);
	uint32_t crc = reader_le32(&pr->r);
	uint16_t version = reader_le16(&pr->r);
	struct producer_snapshot_identity found = {0};

	reader_skip(&pr->r, 2);
	reader_copy(&pr->r, found.topic_id, sizeof(found.topic_id));
	found.partition = reader_le32(&pr->r);
	pr->count = reader_le32(&pr->r);
	found.offset = (int64_t)reader_le64(&pr->r);
	if (pr->r.failed || memcmp(magic, OWN_MAGIC, OWN_MAGIC_LEN) != 0 || version != OWN_VERSION) {
		return -EBADMSG;
	}
	if (crc != crc32c_update(0, bytes + OWN_CRC_FROM, len - OWN_CRC_FROM)) {
		return -EBADMSG;
	}
	if (identity && (found.partition != identity->partition || found.offset != identity->offset ||
		memcmp(found.topic_id, identity->topic_id, sizeof(found.topic_id)) != 0)) {
		return -ESTALE;
	}
	return 0;
}

int
producer_snapshot_open(struct producer_snapshot_reader *pr, enum producer_snapshot_format format,
	const struct producer_snapshot_identity *identity, const uint8_t *bytes, size_t len)
{
	int rc;

	*pr = (struct producer_snapshot_reader){.r = reader_init(bytes, len), .format = format};
	rc = format == PRODUCER_SNAPSHOT_KAFKA ?
		producer_snapshot_open_kafka(pr, bytes, len) :
		producer_snapshot_open_own(pr, identity, bytes, len);
	if (rc < 0) {
		return rc;
	}
	if (pr->count > PRODUCER_SNAPSHOT_PRODUCERS_MAX ||
		len != producer_snapshot_bytes(format, pr->count)) {
		return -EBADMSG;
	}
	pr->left = pr->count;
	return 0;
}

static void
producer_snapshot_next_kafka(struct reader *r, struct producer_entry *e)
{
	struct producer_batch *batch = &e->batches[0];

	e->producer_id = (int64_t)reader_be64(r);
	e->epoch = (int16_t)reader_be16(r);
	batch->last_sequence = (int32_t)reader_be32(r);
	batch->last_offset = (int64_t)reader_be64(r);
	batch->offset_delta = (int32_t)reader_be32(r);
	batch->timestamp_ms = (int64_t)reader_be64(r);
	e->last_timestamp_ms = batch->timestamp_ms;
	e->coordinator_epoch = (int32_t)reader_be32(r);
	e->txn_first_offset = (int64_t)reader_be64(r);
	/* Kafka's reader takes a negative last offset as "no batch yet". */
	if (batch->last_offset >= 0) {
		e->batch_count = 1;
	} else {
		*batch = (struct producer_batch){0};
	}
}

static void
producer_snapshot_next_own(struct reader *r, struct producer_entry *e)
{
	uint32_t i;

	e->producer_id = (int64_t)reader_le64(r);
	e->epoch = (int16_t)reader_le16(r);
	e->batch_count = reader_u8(r);
	reader_skip(r, 1);
	e->coordinator_epoch = (int32_t)reader_le32(r);
	e->txn_first_offset = (int64_t)reader_le64(r);
	e->last_timestamp_ms = (int64_t)reader_le64(r);
	for (i = 0; i < PRODUCER_SNAPSHOT_BATCHES; i++) {
		e->batches[i].last_sequence = (int32_t)reader_le32(r);
		e->batches[i].offset_delta = (int32_t)reader_le32(r);
		e->batches[i].last_offset = (int64_t)reader_le64(r);
		e->batches[i].timestamp_ms = (int64_t)reader_le64(r);
	}
}

static bool
producer_snapshot_valid(const struct producer_entry *e)
{
	int64_t last_offset = -1;
	uint32_t i;

	if (e->producer_id < 0 || e->epoch < 0 || e->txn_first_offset < -1 ||
		e->batch_count > PRODUCER_SNAPSHOT_BATCHES) {
		return false;
	}
	for (i = 0; i < e->batch_count; i++) {
		const struct producer_batch *b = &e->batches[i];

		/* A control batch leaves last_sequence -1 with a real offset. */
		if (b->last_offset <= last_offset || b->offset_delta < 0 || b->last_sequence < -1 ||
			b->offset_delta > b->last_offset) {
			return false;
		}
		last_offset = b->last_offset;
	}
	return true;
}

int
producer_snapshot_next(struct producer_snapshot_reader *pr, struct producer_entry *ret_entry)
{
	struct producer_entry e = {0};

	if (pr->left == 0) {
		return 0;
	}
	if (pr->format == PRODUCER_SNAPSHOT_KAFKA) {
		producer_snapshot_next_kafka(&pr->r, &e);
	} else {
		producer_snapshot_next_own(&pr->r, &e);
	}
	if (pr->r.failed || !producer_snapshot_valid(&e)) {
		return -EBADMSG;
	}
	pr->left--;
	*ret_entry = e;
	return 1;
}
