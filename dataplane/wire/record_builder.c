/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds one uncompressed record batch in the caller's memory: header last, when lengths and CRC are
 * known. One thread at a time per builder.
 */
#include <errno.h>
#include "base/ensure.h"
#include "wire/record_batch.h"

void
record_builder_init(struct record_builder *b, void *room, size_t room_bytes)
{
	/* A batch's length travels as an i32; more room than that is of no use. */
	size_t usable = room_bytes < INT32_MAX ? room_bytes : INT32_MAX;

	b->writer = writer_init(room, usable);
	writer_zeros(&b->writer, RECORD_BATCH_HEADER_BYTES);
	b->batch = (struct record_batch){
		.leader_epoch = -1,
		.magic = RECORD_BATCH_MAGIC,
		.producer_id = -1,
		.producer_epoch = -1,
		.base_sequence = -1,
	};
}

/* Wraps like the readers' addition, so that any two timestamps come back as they were. */
static int64_t
record_builder_delta(const struct record_builder *b, int64_t timestamp_ms)
{
	if (b->batch.record_count == 0) {
		return 0;
	}
	return (int64_t)((uint64_t)timestamp_ms - (uint64_t)b->batch.base_timestamp_ms);
}

/* Bytes of a record after its length field. */
static size_t
record_builder_body(const struct record_builder *b, int64_t timestamp_ms, int32_t key_len,
	int32_t value_len)
{
	size_t bytes = 1 + varlong_len(record_builder_delta(b, timestamp_ms)) +
		       varlong_len(b->batch.record_count);

	bytes += varlong_len(key_len) + (key_len > 0 ? (size_t)key_len : 0);
	bytes += varlong_len(value_len) + (value_len > 0 ? (size_t)value_len : 0);
	return bytes + 1;
}

size_t
record_builder_cost(const struct record_builder *b, int64_t timestamp_ms, int32_t key_len,
	int32_t value_len)
{
	size_t body = record_builder_body(b, timestamp_ms, key_len, value_len);

	return varlong_len((int64_t)body) + body;
}

int
record_builder_add(struct record_builder *b, int64_t timestamp_ms, const void *key, int32_t key_len,
	const void *value, int32_t value_len)
{
	int32_t key_bytes = key ? key_len : -1;
	int32_t value_bytes = value ? value_len : -1;
	size_t body = record_builder_body(b, timestamp_ms, key_bytes, value_bytes);
	size_t cost = varlong_len((int64_t)body) + body;
	struct writer *w = &b->writer;

	if (w->failed || writer_left(w) < cost) {
		return -ENOBUFS;
	}
	if (b->batch.record_count == 0) {
		b->batch.base_timestamp_ms = timestamp_ms;
		b->batch.max_timestamp_ms = timestamp_ms;
	}
	writer_varint(w, (int32_t)body);
	writer_u8(w, 0);
	writer_varlong(w, record_builder_delta(b, timestamp_ms));
	writer_varint(w, b->batch.record_count);
	writer_varint(w, key_bytes);
	if (key_bytes > 0) {
		writer_copy(w, key, (size_t)key_bytes);
	}
	writer_varint(w, value_bytes);
	if (value_bytes > 0) {
		writer_copy(w, value, (size_t)value_bytes);
	}
	writer_varint(w, 0);
	ensure(!w->failed);
	b->batch.last_offset_delta = b->batch.record_count++;
	if (timestamp_ms > b->batch.max_timestamp_ms) {
		b->batch.max_timestamp_ms = timestamp_ms;
	}
	return 0;
}

size_t
record_builder_finish(struct record_builder *b, int64_t producer_id, int16_t producer_epoch,
	int32_t base_sequence)
{
	size_t len = writer_len(&b->writer);

	ensure(b->batch.record_count > 0);
	b->batch.batch_length = (int32_t)(len - RECORD_BATCH_LENGTH_BYTES);
	b->batch.producer_id = producer_id;
	b->batch.producer_epoch = producer_epoch;
	b->batch.base_sequence = base_sequence;
	record_batch_encode(&b->batch, b->writer.begin);
	b->batch.crc = record_batch_crc(b->writer.begin, len);
	store_be32(b->writer.begin + 17, b->batch.crc);
	return len;
}
