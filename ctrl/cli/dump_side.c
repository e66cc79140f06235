/* SPDX-License-Identifier: Apache-2.0 */
/* Files beside a segment: indexes, seal, producer state. Codecs are logstore's. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/crc32c.h"
#include "ctrl/cli/dump.h"
#include "logstore/producer_snapshot.h"
#include "logstore/seal.h"
#include "logstore/segment_index.h"

static json_t *
hex_value(const uint8_t *bytes, size_t len)
{
	char text[65];

	for (size_t i = 0; i < len && i < 32; i++) {
		snprintf(text + 2 * i, sizeof(text) - 2 * i, "%02x", bytes[i]);
	}
	return json_stringn(text, 2 * len);
}

/* The batch at the entry's position must have exactly the entry's last offset. */
static void
check_index_entry(struct dump *dump, const struct segment_index_entry *entry,
	const struct dump_file *log, int64_t base_offset)
{
	struct record_batch b;
	uint64_t position = (uint64_t)entry->position;

	if (entry->position < 0 || position >= log->len ||
		record_batch_decode(log->bytes + position, log->len - position, &b) != 0 ||
		record_batch_last_offset(&b) != base_offset + entry->relative_offset) {
		dump_damage(dump, position, "the log has no batch here that ends at offset %" PRId64,
			base_offset + entry->relative_offset);
	}
}

void
dump_index(struct dump *dump, const struct dump_file *index, const struct dump_file *log,
	int64_t base_offset)
{
	int64_t base = base_offset > 0 ? base_offset : 0;

	for (size_t at = 0; at + SEGMENT_INDEX_ENTRY_BYTES <= index->len; at += SEGMENT_INDEX_ENTRY_BYTES) {
		struct segment_index_entry entry = segment_index_decode(index->bytes + at);

		dump_row(dump, json_pack("{s:I,s:i}", "offset", (json_int_t)(base + entry.relative_offset),
			"position", entry.position));
		if (log->bytes && base_offset >= 0) {
			check_index_entry(dump, &entry, log, base_offset);
		}
	}
	if (index->len && segment_index_check(index->bytes, index->len, log->bytes ? log->len : UINT64_MAX)) {
		dump_damage(dump, 0, "offset index: length or order of its entries is wrong");
	}
}

void
dump_time_index(struct dump *dump, const struct dump_file *index, int64_t base_offset)
{
	int64_t base = base_offset > 0 ? base_offset : 0;

	for (size_t at = 0; at + SEGMENT_INDEX_TIME_ENTRY_BYTES <= index->len;
		at += SEGMENT_INDEX_TIME_ENTRY_BYTES) {
		struct segment_index_time_entry entry = segment_index_decode_time(index->bytes + at);

		dump_row(dump, json_pack("{s:I,s:I}", "timestamp_ms", (json_int_t)entry.timestamp_ms,
			"offset", (json_int_t)(base + entry.relative_offset)));
	}
	if (index->len && segment_index_check_time(index->bytes, index->len)) {
		dump_damage(dump, 0, "time index: length or order of its entries is wrong");
	}
}

/* CRC and length of a file that the seal speaks of. Files that are not there are not judged. */
static void
check_sealed(struct dump *dump, const char *path, const char *kind, uint32_t crc, uint64_t len)
{
	char beside[4096];
	struct dump_file file;

	snprintf(beside, sizeof(beside), "%.*s%s", (int)(strrchr(path, '.') - path), path, kind);
	if (dump_map(beside, &file) != 0) {
		return;
	}
	if (len != UINT64_MAX && file.len < len) {
		dump_damage(dump, 0, "%s is %zu bytes long, the seal says %" PRIu64, kind, file.len, len);
	} else if (crc32c_update(0, file.bytes, len == UINT64_MAX ? file.len : len) != crc) {
		dump_damage(dump, 0, "%s: its bytes do not have the seal's crc", kind);
	}
	dump_unmap(&file);
}

void
dump_seal(struct dump *dump, const struct dump_file *file, const char *path)
{
	struct seal seal;
	struct seal_run run;

	if (!file->bytes || seal_parse(file->bytes, file->len, &seal) != 0) {
		dump_damage(dump, 0, "no whole, consistent seal");
		return;
	}
	dump_row(dump, json_pack("{s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:i,s:I}", "topic_id",
		hex_value(seal.topic_id, 16), "partition", (json_int_t)seal.partition, "file_id",
		(json_int_t)seal.file_id, "base_offset", (json_int_t)seal.base_offset, "end_offset",
		(json_int_t)seal.end_offset, "log_bytes", (json_int_t)seal.log_bytes, "batches",
		(json_int_t)seal.batch_count, "records", (json_int_t)seal.record_count,
		"max_timestamp_ms", (json_int_t)seal.max_timestamp_ms, "max_timestamp_offset",
		(json_int_t)seal.max_timestamp_offset, "flags", (int)seal.flags, "log_crc",
		(json_int_t)seal.log_crc));
	for (uint32_t i = 0; i < seal.run_count; i++) {
		seal_run_get(file->bytes, i, &run);
		dump_row(dump, json_pack("{s:I,s:I,s:I,s:I}", "run", (json_int_t)i, "end_position",
			(json_int_t)run.end_pos, "end_offset",
			(json_int_t)(seal.base_offset + run.end_relative), "crc", (json_int_t)run.crc));
	}
	check_sealed(dump, path, ".log", seal.log_crc, seal.log_bytes);
	check_sealed(dump, path, ".index", seal.index_crc, UINT64_MAX);
	check_sealed(dump, path, ".timeindex", seal.time_index_crc, UINT64_MAX);
	if (dump->end_offset >= 0) {
		if (dump->end_offset > seal.end_offset) {
			dump_damage(dump, 0, "the log goes on to offset %" PRId64, dump->end_offset);
		}
		dump->end_offset = seal.end_offset;
	}
}

static json_t *
producer_row(const struct producer_entry *entry)
{
	json_t *batches = json_array();

	for (uint32_t i = 0; i < entry->batch_count; i++) {
		const struct producer_batch *b = &entry->batches[i];

		json_array_append_new(batches, json_pack("{s:i,s:i,s:I}", "first_sequence",
			(int)(((int64_t)b->last_sequence - b->offset_delta) & 0x7fffffff), "last_sequence",
			b->last_sequence, "last_offset", (json_int_t)b->last_offset));
	}
	return json_pack("{s:I,s:i,s:i,s:I,s:I,s:o}", "producer_id", (json_int_t)entry->producer_id,
		"epoch", (int)entry->epoch, "coordinator_epoch", entry->coordinator_epoch,
		"txn_first_offset", (json_int_t)entry->txn_first_offset, "last_timestamp_ms",
		(json_int_t)entry->last_timestamp_ms, "batches", batches);
}

void
dump_producers(struct dump *dump, const struct dump_file *file, bool own_format)
{
	struct producer_snapshot_reader reader;
	struct producer_entry entry;
	int rc = file->bytes ? producer_snapshot_open(&reader,
				       own_format ? PRODUCER_SNAPSHOT_OWN : PRODUCER_SNAPSHOT_KAFKA, NULL,
				       file->bytes, file->len) :
			       -1;

	if (rc != 0) {
		dump_damage(dump, 0, "producer state: version, length or crc is wrong");
		return;
	}
	while ((rc = producer_snapshot_next(&reader, &entry)) == 1) {
		dump_row(dump, producer_row(&entry));
	}
	if (rc != 0) {
		dump_damage(dump, (uint64_t)(reader.r.at - file->bytes),
			"a producer's fields that no writer makes");
	}
}
