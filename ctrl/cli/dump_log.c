/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment: batch after batch until the zero tail that prewriting leaves, or the end of the file. A
 * batch whose length cannot be believed ends the walk, because nothing tells where the next begins.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/errcode.h"
#include "ctrl/cli/dump.h"

#define TEXT_BYTES_MAX 256 /* of a key or a value that are shown */

struct walk {
	struct dump *dump;
	struct record_batch_iterator it;
	uint64_t position; /* of the batch at hand */
	int64_t next_offset;
};

static bool
all_zero(const uint8_t *bytes, uint64_t len)
{
	return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

/* Printable ASCII and whole UTF-8 as they are, else \xNN; cut with "..." */
static json_t *
text_value(const uint8_t *bytes, int32_t len)
{
	char text[TEXT_BYTES_MAX * 4 + 4];
	size_t at = 0;
	json_t *whole;

	if (len < 0) {
		return json_null();
	}
	if (len <= TEXT_BYTES_MAX && !memchr(bytes, '\0', (size_t)len)) {
		whole = json_stringn((const char *)bytes, (size_t)len);
		if (whole) {
			return whole;
		}
	}
	for (int32_t i = 0; i < len && i < TEXT_BYTES_MAX; i++) {
		bool plain = bytes[i] >= 0x20 && bytes[i] < 0x7f;

		at += (size_t)snprintf(text + at, sizeof(text) - at, plain ? "%c" : "\\x%02x", bytes[i]);
	}
	if (len > TEXT_BYTES_MAX) {
		at += (size_t)snprintf(text + at, sizeof(text) - at, "...");
	}
	return json_stringn(text, at);
}

static void
dump_records(struct walk *w, const uint8_t *bytes, size_t len)
{
	struct record_iterator it;
	struct record_view r;
	int rc = record_iterator_init(&it, bytes, len);

	if (rc != 0) {
		dump_row(w->dump, json_pack("{s:s}", "record",
			rc == -ENOTSUP ? "compressed, not shown" : "cannot be read"));
		return;
	}
	while (record_iterator_next(&it, &r) == 1) {
		dump_row(w->dump, json_pack("{s:I,s:I,s:i,s:o,s:o}", "record", (json_int_t)r.offset,
			"timestamp_ms", (json_int_t)r.timestamp_ms, "headers", (int)r.header_count, "key",
			text_value(r.key, r.key_len), "value", text_value(r.value, r.value_len)));
	}
}

static const char *
codec_name(uint16_t attributes)
{
	static const char *const names[] = {"none", "gzip", "snappy", "lz4", "zstd", "5", "6", "7"};

	return names[attributes & RECORD_BATCH_CODEC_MASK];
}

static json_t *
batch_row(const struct walk *w, const struct record_batch *b, bool crc_right)
{
	return json_pack("{s:I,s:I,s:i,s:I,s:I,s:I,s:I,s:i,s:i,s:i,s:s,s:b,s:b,s:s}", "base_offset",
		(json_int_t)b->base_offset, "last_offset",
		(json_int_t)record_batch_last_offset(b), "count", b->record_count, "position",
		(json_int_t)w->position, "bytes", (json_int_t)record_batch_total_bytes(b),
		"max_timestamp_ms", (json_int_t)b->max_timestamp_ms, "producer_id",
		(json_int_t)b->producer_id, "producer_epoch", (int)b->producer_epoch, "base_sequence",
		b->base_sequence, "leader_epoch", b->leader_epoch, "codec", codec_name(b->attributes),
		"transactional", (b->attributes & RECORD_BATCH_TRANSACTIONAL) != 0, "control",
		(b->attributes & RECORD_BATCH_CONTROL) != 0, "crc", crc_right ? "OK" : "WRONG");
}

/* What is wrong with a batch whose length holds. */
static void
judge_batch(struct walk *w, const struct record_batch *b, const uint8_t *bytes, bool crc_right)
{
	int16_t error = record_batch_validate_fields(b);
	struct record_batch_times times;

	if (!crc_right) {
		dump_damage(w->dump, w->position, "crc is %08x, the bytes give %08x", b->crc,
			record_batch_crc(bytes, record_batch_total_bytes(b)));
	}
	if (b->base_offset < w->next_offset) {
		dump_damage(w->dump, w->position, "base offset %" PRId64 ", at least %" PRId64 " is due",
			b->base_offset, w->next_offset);
	}
	if (b->base_offset < 0 || record_batch_last_offset(b) == INT64_MAX ||
		(b->last_offset_delta >= 0 && record_batch_last_offset(b) < b->base_offset)) {
		dump_damage(w->dump, w->position, "offsets outside 0 to 2^63 - 2");
	}
	if (error) {
		dump_damage(w->dump, w->position, "header fields contradict each other: %s",
			kafka_error_name(error));
	} else if (crc_right && (b->attributes & RECORD_BATCH_CODEC_MASK) == 0 &&
		   record_batch_validate_records(bytes, b, &times) != 0) {
		dump_damage(w->dump, w->position, "records do not fill the batch as the header says");
	}
}

/* One batch; false: the walk ends here. */
static bool
walk_batch(struct walk *w)
{
	uint64_t left = (uint64_t)(w->it.end - w->it.next);
	int rc = record_batch_iterator_next(&w->it);
	const struct record_batch *b = &w->it.batch;
	bool crc_right;

	if (rc == -ENODATA && w->it.len == 0) {
		dump_damage(w->dump, w->position, "%" PRIu64 " bytes: too few for a batch", left);
		return false;
	}
	if (rc < 0) {
		dump_damage(w->dump, w->position, "no batch: magic %d, length %" PRId32 ", %" PRIu64
			" bytes left", b->magic, b->batch_length, left);
		return false;
	}
	crc_right = record_batch_crc(w->it.bytes, w->it.len) == b->crc;
	dump_row(w->dump, batch_row(w, b, crc_right));
	judge_batch(w, b, w->it.bytes, crc_right);
	if (w->dump->deep && crc_right) {
		dump_records(w, w->it.bytes, w->it.len);
	}
	w->dump->batches++;
	w->dump->records += b->record_count > 0 ? (uint64_t)b->record_count : 0;
	w->next_offset = (int64_t)((uint64_t)record_batch_last_offset(b) + 1);
	w->position += w->it.len;
	return true;
}

uint64_t
dump_log(struct dump *dump, const struct dump_file *log, int64_t base_offset)
{
	struct walk w = {.dump = dump, .next_offset = base_offset > 0 ? base_offset : 0};

	record_batch_iterator_init(&w.it, log->bytes, log->len);
	if (base_offset >= 0 && dump->end_offset >= 0 && base_offset != dump->end_offset) {
		dump_damage(dump, 0, "the segment before ends at offset %" PRId64 ", this one begins at %" PRId64,
			dump->end_offset, base_offset);
	}
	while (w.position < log->len && (dump->max_bytes == 0 || w.position < dump->max_bytes)) {
		uint64_t left = log->len - w.position;
		uint64_t header = left < RECORD_BATCH_HEADER_BYTES ? left : RECORD_BATCH_HEADER_BYTES;

		if (all_zero(w.it.next, header)) {
			if (all_zero(w.it.next, left)) {
				dump_row(dump, json_pack("{s:I,s:I}", "zero_tail_position",
					(json_int_t)w.position, "zero_bytes", (json_int_t)left));
			} else {
				dump_damage(dump, w.position, "zeros, and other bytes behind them");
			}
			break;
		}
		if (!walk_batch(&w)) {
			break;
		}
	}
	dump->end_offset = base_offset >= 0 && dump->max_bytes == 0 ? w.next_offset : -1;
	return w.position;
}
