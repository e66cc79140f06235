/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RecordBatch v2: header codec, validation and the record iterator. Called by lanes, log lcores, the
 * batcher and the client; stateless. Validation of what comes from outside returns Kafka codes.
 */
#include "wire/record_batch.h"

#include <errno.h>
#include "base/crc32c.h"
#include "base/ensure.h"
#include "base/errcode.h"

#define RECORD_BATCH_CODEC_MAX 4 /* zstd; 5-7 are no codecs */

int
record_batch_decode(const uint8_t *bytes, size_t len, struct record_batch *ret_batch)
{
	struct reader r = reader_init(bytes, len);
	struct record_batch *b = ret_batch;

	b->base_offset = (int64_t)reader_be64(&r);
	b->batch_length = (int32_t)reader_be32(&r);
	b->leader_epoch = (int32_t)reader_be32(&r);
	b->magic = reader_u8(&r);
	b->crc = reader_be32(&r);
	b->attributes = reader_be16(&r);
	b->last_offset_delta = (int32_t)reader_be32(&r);
	b->base_timestamp_ms = (int64_t)reader_be64(&r);
	b->max_timestamp_ms = (int64_t)reader_be64(&r);
	b->producer_id = (int64_t)reader_be64(&r);
	b->producer_epoch = (int16_t)reader_be16(&r);
	b->base_sequence = (int32_t)reader_be32(&r);
	b->record_count = (int32_t)reader_be32(&r);
	return r.failed ? -EBADMSG : 0;
}

void
record_batch_encode(const struct record_batch *batch, uint8_t bytes[RECORD_BATCH_HEADER_BYTES])
{
	store_be64(bytes, (uint64_t)batch->base_offset);
	store_be32(bytes + 8, (uint32_t)batch->batch_length);
	store_be32(bytes + 12, (uint32_t)batch->leader_epoch);
	bytes[16] = batch->magic;
	store_be32(bytes + 17, batch->crc);
	store_be16(bytes + 21, batch->attributes);
	store_be32(bytes + 23, (uint32_t)batch->last_offset_delta);
	store_be64(bytes + 27, (uint64_t)batch->base_timestamp_ms);
	store_be64(bytes + 35, (uint64_t)batch->max_timestamp_ms);
	store_be64(bytes + 43, (uint64_t)batch->producer_id);
	store_be16(bytes + 51, (uint16_t)batch->producer_epoch);
	store_be32(bytes + 53, (uint32_t)batch->base_sequence);
	store_be32(bytes + 57, (uint32_t)batch->record_count);
}

uint32_t
record_batch_crc(const uint8_t *bytes, size_t len)
{
	ensure(len >= RECORD_BATCH_HEADER_BYTES);
	return crc32c_update(0, bytes + RECORD_BATCH_CRC_FROM, len - RECORD_BATCH_CRC_FROM);
}

void
record_batch_stamp(uint8_t *bytes, int64_t base_offset, int32_t leader_epoch)
{
	store_be64(bytes, (uint64_t)base_offset);
	store_be32(bytes + 12, (uint32_t)leader_epoch);
}

int16_t
record_batch_validate_fields(const struct record_batch *b)
{
	if (b->record_count <= 0 || (int64_t)b->last_offset_delta + 1 != b->record_count) {
		return KAFKA_INVALID_RECORD;
	}
	if (b->attributes & RECORD_BATCH_CONTROL) {
		return KAFKA_INVALID_RECORD;
	}
	if (b->producer_id >= 0 && b->base_sequence < 0) {
		return KAFKA_INVALID_RECORD;
	}
	if ((b->attributes & RECORD_BATCH_CODEC_MASK) > RECORD_BATCH_CODEC_MAX) {
		return KAFKA_UNSUPPORTED_COMPRESSION_TYPE;
	}
	if (b->attributes & RECORD_BATCH_TRANSACTIONAL) {
		return KAFKA_INVALID_TXN_STATE;
	}
	return 0;
}

int16_t
record_batch_validate(const uint8_t *bytes, size_t len, struct record_batch *ret_batch)
{
	struct record_batch *b = ret_batch;

	if (record_batch_decode(bytes, len, b) < 0) {
		*b = (struct record_batch){.producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
		return KAFKA_CORRUPT_MESSAGE;
	}
	if (b->batch_length < RECORD_BATCH_LENGTH_MIN || record_batch_total_bytes(b) != len ||
		b->magic != RECORD_BATCH_MAGIC) {
		return KAFKA_CORRUPT_MESSAGE;
	}
	if (b->base_offset != 0) {
		return KAFKA_INVALID_RECORD;
	}
	return record_batch_validate_fields(b);
}

/* The body of one header of a record. */
static bool
record_header_parse(struct reader *r, const uint8_t **ret_key, int32_t *ret_key_len,
	const uint8_t **ret_value, int32_t *ret_value_len)
{
	*ret_key_len = reader_varint(r);
	if (*ret_key_len < 0) {
		return false;
	}
	*ret_key = reader_bytes(r, (size_t)*ret_key_len);
	*ret_value_len = reader_varint(r);
	if (*ret_value_len < -1) {
		return false;
	}
	*ret_value = *ret_value_len < 0 ? NULL : reader_bytes(r, (size_t)*ret_value_len);
	return !r->failed;
}

/* Length-prefixed bytes where -1 is null. */
static bool
record_nullable(struct reader *r, const uint8_t **ret_bytes, int32_t *ret_len)
{
	*ret_len = reader_varint(r);
	*ret_bytes = NULL;
	if (r->failed || *ret_len < -1) {
		return false;
	}
	if (*ret_len >= 0) {
		*ret_bytes = reader_bytes(r, (size_t)*ret_len);
	}
	return !r->failed;
}

/* One whole record, header list included; who judges the offsetDelta is the caller. */
static bool
record_parse(struct reader *outer, const struct record_batch *batch, struct record_view *v,
	int32_t *ret_offset_delta)
{
	int32_t length = reader_varint(outer);

	if (outer->failed || length < 0) {
		return false;
	}
	const uint8_t *body = reader_bytes(outer, (size_t)length);

	if (!body) {
		return false;
	}
	struct reader r = reader_init(body, (size_t)length);

	reader_u8(&r); /* attributes, unused */
	v->timestamp_ms = (int64_t)((uint64_t)batch->base_timestamp_ms + (uint64_t)reader_varlong(&r));
	*ret_offset_delta = reader_varint(&r);
	v->offset = (int64_t)((uint64_t)batch->base_offset + (uint64_t)(int64_t)*ret_offset_delta);
	if (!record_nullable(&r, &v->key, &v->key_len) ||
		!record_nullable(&r, &v->value, &v->value_len)) {
		return false;
	}
	v->header_count = reader_varint(&r);
	if (r.failed || v->header_count < 0) {
		return false;
	}
	v->headers = r.at;
	v->headers_len = (uint32_t)reader_left(&r);
	for (int32_t i = 0; i < v->header_count; i++) {
		const uint8_t *key, *value;
		int32_t key_len, value_len;

		/* Every header takes 2 bytes or more, so the record's length bounds this loop. */
		if (!record_header_parse(&r, &key, &key_len, &value, &value_len)) {
			return false;
		}
	}
	return reader_left(&r) == 0;
}

int16_t
record_batch_validate_records(const uint8_t *bytes, const struct record_batch *batch,
	struct record_batch_times *ret_times)
{
	struct record_batch_times times = {.min_ms = INT64_MAX, .max_ms = INT64_MIN};
	size_t len = record_batch_total_bytes(batch);
	struct record_view view;
	int32_t offset_delta;

	if (batch->attributes & RECORD_BATCH_CODEC_MASK) {
		ret_times->min_ms = ret_times->max_ms = batch->max_timestamp_ms;
		return 0;
	}
	ensure(len >= RECORD_BATCH_HEADER_BYTES);
	struct reader r = reader_init(bytes + RECORD_BATCH_HEADER_BYTES,
		len - RECORD_BATCH_HEADER_BYTES);

	for (int32_t i = 0; i < batch->record_count; i++) {
		if (!record_parse(&r, batch, &view, &offset_delta) || offset_delta != i) {
			return KAFKA_INVALID_RECORD;
		}
		times.min_ms = view.timestamp_ms < times.min_ms ? view.timestamp_ms : times.min_ms;
		times.max_ms = view.timestamp_ms > times.max_ms ? view.timestamp_ms : times.max_ms;
	}
	if (reader_left(&r) != 0) {
		return KAFKA_INVALID_RECORD;
	}
	*ret_times = times;
	return 0;
}

void
record_batch_iterator_init(struct record_batch_iterator *it, const void *bytes, size_t len)
{
	it->next = bytes;
	it->end = len > 0 ? it->next + len : it->next; /* of nothing there need not be bytes */
	it->bytes = bytes;
	it->len = 0;
}

int
record_batch_iterator_next(struct record_batch_iterator *it)
{
	size_t left = (size_t)(it->end - it->next);

	it->bytes = it->next;
	it->len = 0;
	if (left == 0) {
		return 0;
	}
	if (record_batch_decode(it->bytes, left, &it->batch) < 0) {
		return -ENODATA;
	}
	if (it->batch.batch_length < RECORD_BATCH_LENGTH_MIN) {
		return -EBADMSG;
	}
	it->len = record_batch_total_bytes(&it->batch);
	if (it->len > left) {
		return -ENODATA;
	}
	if (it->batch.magic != RECORD_BATCH_MAGIC) {
		return -EBADMSG;
	}
	it->next += it->len;
	return 1;
}

int
record_iterator_init(struct record_iterator *it, const uint8_t *batch_bytes, size_t len)
{
	if (record_batch_decode(batch_bytes, len, &it->batch) < 0 ||
		it->batch.magic != RECORD_BATCH_MAGIC ||
		it->batch.batch_length < RECORD_BATCH_LENGTH_MIN ||
		record_batch_total_bytes(&it->batch) > len || it->batch.record_count < 0) {
		return -EBADMSG;
	}
	if (it->batch.attributes & RECORD_BATCH_CODEC_MASK) {
		return -ENOTSUP;
	}
	it->reader = reader_init(batch_bytes + RECORD_BATCH_HEADER_BYTES,
		record_batch_total_bytes(&it->batch) - RECORD_BATCH_HEADER_BYTES);
	it->next_index = 0;
	return 0;
}

int
record_iterator_next(struct record_iterator *it, struct record_view *ret_record)
{
	int32_t offset_delta;

	if (it->next_index >= it->batch.record_count) {
		return reader_left(&it->reader) == 0 ? 0 : -EBADMSG;
	}
	if (!record_parse(&it->reader, &it->batch, ret_record, &offset_delta)) {
		return -EBADMSG;
	}
	/* Compaction leaves gaps, but never leaves the range or goes back. */
	if (offset_delta < it->next_index || offset_delta > it->batch.last_offset_delta) {
		return -EBADMSG;
	}
	if (it->batch.attributes & RECORD_BATCH_LOG_APPEND_TIME) {
		ret_record->timestamp_ms = it->batch.max_timestamp_ms;
	}
	it->next_index++;
	return 1;
}

void
record_batch_set_producer(uint8_t *bytes, size_t len, int64_t producer_id, int16_t producer_epoch,
	int32_t base_sequence)
{
	ensure(len >= RECORD_BATCH_HEADER_BYTES);
	store_be64(bytes + 43, (uint64_t)producer_id);
	store_be16(bytes + 51, (uint16_t)producer_epoch);
	store_be32(bytes + 53, (uint32_t)base_sequence);
	store_be32(bytes + 17, record_batch_crc(bytes, len));
}
