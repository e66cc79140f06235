/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kafka RecordBatch v2 (KIP-98): the one layout of records on the wire, in memory and on disk. The
 * engine fills in baseOffset and partitionLeaderEpoch, which the CRC leaves out, and otherwise keeps
 * the bytes verbatim. All integers big-endian.
 */
#ifndef WIRE_RECORD_BATCH_H
#define WIRE_RECORD_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cursor.h"

#define RECORD_BATCH_HEADER_BYTES   61
#define RECORD_BATCH_LENGTH_BYTES   12 /* baseOffset + batchLength come before what it counts */
#define RECORD_BATCH_LENGTH_MIN	    49
#define RECORD_BATCH_CRC_FROM	    21 /* the CRC covers from here to the end */
#define RECORD_BATCH_MAGIC	    2

enum record_batch_attribute {
	RECORD_BATCH_CODEC_MASK = 7,
	RECORD_BATCH_LOG_APPEND_TIME = 8,
	RECORD_BATCH_TRANSACTIONAL = 16,
	RECORD_BATCH_CONTROL = 32,
};

struct record_batch {
	int64_t base_offset;
	int32_t batch_length;
	int32_t leader_epoch;
	uint8_t magic;
	uint32_t crc;
	uint16_t attributes;
	int32_t last_offset_delta;
	int64_t base_timestamp_ms;
	int64_t max_timestamp_ms;
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence;
	int32_t record_count;
};

/* Decodes the 61-byte header; no judgement. -EBADMSG if fewer bytes are there. Any thread. */
int record_batch_decode(const uint8_t *bytes, size_t len, struct record_batch *ret_batch);
/* Writes the header with batch->crc as given. */
void record_batch_encode(const struct record_batch *batch, uint8_t bytes[RECORD_BATCH_HEADER_BYTES]);
/* CRC-32C of bytes 21..end of a whole batch. */
uint32_t record_batch_crc(const uint8_t *bytes, size_t len);
/* Patches what the broker owns, in place. */
void record_batch_stamp(uint8_t *bytes, int64_t base_offset, int32_t leader_epoch);

static inline size_t
record_batch_total_bytes(const struct record_batch *batch)
{
	return (size_t)batch->batch_length + RECORD_BATCH_LENGTH_BYTES;
}

/* Last sequence of the batch; wraps 2147483647 -> 0. */
static inline int32_t
record_batch_last_sequence(const struct record_batch *batch)
{
	return (int32_t)(((int64_t)batch->base_sequence + batch->last_offset_delta) & 0x7fffffff);
}

/* Last offset of the batch; wraps instead of overflowing: headers may be damaged. */
static inline int64_t
record_batch_last_offset(const struct record_batch *batch)
{
	return (int64_t)((uint64_t)batch->base_offset + (uint64_t)(int64_t)batch->last_offset_delta);
}

/*
 * The judge of a batch that is to be appended, of which `len` bytes arrived: what its header tells
 * without topic and session, in this order: 2 (under 61 bytes, 12 + batchLength is not len, magic is not
 * 2), 87 (baseOffset not 0, no records, lastOffsetDelta + 1 is not the count, control bit, a producer id
 * with baseSequence < 0), 76 (codec 5-7), 48 (transactional). Returns 0 or that Kafka code. Left to the
 * caller: CRC (2), producer (45, 47), timestamps (32), size limits (10, 18). *ret_batch is decoded
 * whenever 61 bytes are there, else zeroed with producer and sequence -1.
 */
int16_t record_batch_validate(const uint8_t *bytes, size_t len, struct record_batch *ret_batch);
/* What of it holds for a stored batch too, on a decoded header: 0, 87, 76 or 48. */
int16_t record_batch_validate_fields(const struct record_batch *batch);
/* Smallest and greatest timestamp of a batch's records. */
struct record_batch_times {
	int64_t min_ms;
	int64_t max_ms;
};

/*
 * Walks uncompressed records; 0 or 87. Compressed ones are not looked at: 0, and both times are
 * the header's maxTimestamp. *ret_times is set with 0 only.
 */
int16_t record_batch_validate_records(const uint8_t *bytes, const struct record_batch *batch,
	struct record_batch_times *ret_times);

/* Walks record batches that lie behind one another. */
struct record_batch_iterator {
	const uint8_t *next; /* where the next one begins */
	const uint8_t *end;
	const uint8_t *bytes; /* of the one at hand */
	size_t len;
	struct record_batch batch; /* its header */
};

/* `bytes` may be NULL if `len` is 0. */
void record_batch_iterator_init(struct record_batch_iterator *it, const void *bytes, size_t len);
/*
 * 1: the next batch, whole. 0: nothing is left. -ENODATA: what is left is the begin of a batch that
 * needs `len` bytes, 0 if not even its header is whole. -EBADMSG: it is no batch, by its length or its
 * magic. With an error `bytes` is where it stands, `batch` the header if that is whole, and the walk
 * does not go on. CRC, offsets and all else are the caller's to judge. Any thread.
 */
int record_batch_iterator_next(struct record_batch_iterator *it);

/* One record, in place. key/value NULL with length -1: null. */
struct record_view {
	int64_t offset;
	int64_t timestamp_ms;
	const uint8_t *key;
	const uint8_t *value;
	const uint8_t *headers; /* encoded, header_count of them */
	int32_t key_len;
	int32_t value_len;
	int32_t header_count;
	uint32_t headers_len;
};

/* Iterates the records of one uncompressed batch whose CRC was checked. */
struct record_iterator {
	struct reader reader;
	struct record_batch batch;
	int32_t next_index;
};

/* -EBADMSG: malformed header; -ENOTSUP: compressed. */
int record_iterator_init(struct record_iterator *it, const uint8_t *batch_bytes, size_t len);
/* 1 with the record, 0 at the end, -EBADMSG. */
int record_iterator_next(struct record_iterator *it, struct record_view *ret_record);

/* Builds one uncompressed batch in caller's memory: client library, tests, internal topics. */
struct record_builder {
	struct writer writer;
	struct record_batch batch;
};

void record_builder_init(struct record_builder *b, void *room, size_t room_bytes);
/* Bytes a record would add now; headers not counted. */
size_t record_builder_cost(const struct record_builder *b, int64_t timestamp_ms, int32_t key_len,
	int32_t value_len);
/* -ENOBUFS: does not fit, batch unchanged. NULL key or value = null. */
int record_builder_add(struct record_builder *b, int64_t timestamp_ms, const void *key,
	int32_t key_len, const void *value, int32_t value_len);
/* Stamps producer fields, lengths and CRC; returns the batch's bytes. At least one record. */
size_t record_builder_finish(struct record_builder *b, int64_t producer_id, int16_t producer_epoch,
	int32_t base_sequence);
/* Stamps a producer id, epoch and sequence into a finished batch and renews its CRC. */
void record_batch_set_producer(uint8_t *bytes, size_t len, int64_t producer_id,
	int16_t producer_epoch, int32_t base_sequence);

#endif
