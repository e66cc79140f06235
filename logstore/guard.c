/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding, parsing and sorting of guard records; format in guard.h. The builder runs on the log
 * lcore once a group (crc over the whole record is its only cost), the scan in recovery.
 */
#include "logstore/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/ensure.h"

#define GUARD_MAGIC	"PSGUARD1"
#define GUARD_MAGIC_LEN 8
#define GUARD_CRC_AT	8
#define GUARD_CRC_FROM	12
#define GUARD_VERSION	1

uint64_t
guard_record_bytes_max(uint32_t entry_count, uint32_t block_bytes)
{
	uint64_t entry_bytes = GUARD_ENTRY_BYTES + (uint64_t)block_bytes - 1;

	return bytes_ceil(GUARD_HEADER_BYTES + entry_count * entry_bytes, block_bytes);
}

/* Bytes that the record takes in the ring. */
static uint32_t
guard_record_padded_bytes(const struct guard_header *header, uint32_t block_bytes)
{
	return (uint32_t)bytes_ceil(header->record_len, block_bytes);
}

int
guard_builder_init(struct guard_builder *b, void *buffer, uint32_t room_bytes,
	uint32_t block_bytes, uint32_t entry_count)
{
	uint64_t fixed = GUARD_HEADER_BYTES + (uint64_t)entry_count * GUARD_ENTRY_BYTES;

	ensure((block_bytes & (block_bytes - 1)) == 0);
	ensure(block_bytes >= GUARD_HEADER_BYTES);
	ensure(room_bytes % block_bytes == 0);
	if (fixed > room_bytes) {
		return -ENOBUFS;
	}
	*b = (struct guard_builder){
		.buffer = buffer,
		.room_bytes = room_bytes,
		.block_bytes = block_bytes,
		.entry_count = entry_count,
		.len = (uint32_t)fixed,
	};
	return 0;
}

static void
guard_put_entry(uint8_t *at, const struct guard_entry *e, uint32_t tail_off, uint32_t tail_len)
{
	struct writer w = writer_init(at, GUARD_ENTRY_BYTES);

	writer_copy(&w, e->topic_id, sizeof(e->topic_id));
	writer_le32(&w, e->partition);
	writer_le32(&w, (uint32_t)e->leader_epoch);
	writer_le64(&w, (uint64_t)e->segment_base);
	writer_le64(&w, e->file_id);
	writer_le32(&w, e->start_pos);
	writer_le32(&w, e->end_pos);
	writer_le64(&w, (uint64_t)e->first_offset);
	writer_le64(&w, (uint64_t)e->end_offset);
	writer_le32(&w, e->range_crc);
	writer_le32(&w, e->batch_count);
	writer_le32(&w, tail_off);
	writer_le32(&w, tail_len);
	writer_le32(&w, e->flags);
	writer_le32(&w, e->aux);
	writer_le32(&w, e->index_entries);
	writer_le32(&w, e->time_index_entries);
	writer_le64(&w, (uint64_t)e->producers_offset);
	writer_le64(&w, (uint64_t)e->log_start_offset);
	writer_zeros(&w, 16);
	ensure(!w.failed);
	ensure(writer_len(&w) == GUARD_ENTRY_BYTES);
}

int
guard_builder_add(struct guard_builder *b, const struct guard_entry *entry, const void *tail)
{
	uint32_t tail_len = entry->end_pos & (b->block_bytes - 1);
	uint8_t *at = b->buffer + GUARD_HEADER_BYTES + (size_t)b->added_count * GUARD_ENTRY_BYTES;

	ensure(b->added_count < b->entry_count);
	ensure(entry->start_pos <= entry->end_pos);
	if (tail_len > b->room_bytes - b->len) {
		return -ENOBUFS;
	}
	guard_put_entry(at, entry, b->len, tail_len);
	if (tail_len > 0) {
		memcpy(b->buffer + b->len, tail, tail_len);
	}
	b->len += tail_len;
	b->added_count++;
	return 0;
}

uint32_t
guard_builder_finish(struct guard_builder *b, struct guard_header *header)
{
	struct writer w = writer_init(b->buffer, GUARD_HEADER_BYTES);
	uint32_t padded = (uint32_t)bytes_ceil(b->len, b->block_bytes);

	ensure(b->added_count == b->entry_count);
	ensure(header->durable_seq < header->seq);
	header->entry_count = b->entry_count;
	header->record_len = b->len;
	memset(b->buffer + b->len, 0, padded - b->len);
	writer_copy(&w, GUARD_MAGIC, GUARD_MAGIC_LEN);
	writer_le32(&w, 0);
	writer_le32(&w, header->record_len);
	writer_copy(&w, header->directory_id, sizeof(header->directory_id));
	writer_le16(&w, header->shard);
	writer_u8(&w, header->kind);
	writer_u8(&w, GUARD_VERSION);
	writer_le32(&w, header->entry_count);
	writer_le64(&w, header->start_id);
	writer_le64(&w, header->seq);
	writer_le64(&w, header->durable_seq);
	writer_le32(&w, header->chain_crc);
	writer_le32(&w, header->block_number);
	writer_le64(&w, header->wall_ms);
	ensure(!w.failed);
	ensure(writer_len(&w) == GUARD_HEADER_BYTES);
	header->crc = crc32c_update(0, b->buffer + GUARD_CRC_FROM, b->len - GUARD_CRC_FROM);
	store_le32(b->buffer + GUARD_CRC_AT, header->crc);
	return padded;
}

/* --- parsing --------------------------------------------------------------------------------- */

const uint8_t *
guard_record_entry(const uint8_t *bytes, uint32_t index, struct guard_entry *ret_entry)
{
	struct reader r = reader_init(bytes + GUARD_HEADER_BYTES + (size_t)index * GUARD_ENTRY_BYTES,
		GUARD_ENTRY_BYTES);
	struct guard_entry *e = ret_entry;

	reader_copy(&r, e->topic_id, sizeof(e->topic_id));
	e->partition = reader_le32(&r);
	e->leader_epoch = (int32_t)reader_le32(&r);
	e->segment_base = (int64_t)reader_le64(&r);
	e->file_id = reader_le64(&r);
	e->start_pos = reader_le32(&r);
	e->end_pos = reader_le32(&r);
	e->first_offset = (int64_t)reader_le64(&r);
	e->end_offset = (int64_t)reader_le64(&r);
	e->range_crc = reader_le32(&r);
	e->batch_count = reader_le32(&r);
	e->tail_off = reader_le32(&r);
	e->tail_len = reader_le32(&r);
	e->flags = reader_le32(&r);
	e->aux = reader_le32(&r);
	e->index_entries = reader_le32(&r);
	e->time_index_entries = reader_le32(&r);
	e->producers_offset = (int64_t)reader_le64(&r);
	e->log_start_offset = (int64_t)reader_le64(&r);
	return bytes + e->tail_off;
}

/* One entry against the record it stands in: tails lie back to back, so each offset is known. */
static bool
guard_entry_valid(const struct guard_entry *e, const struct guard_header *h, uint32_t block_bytes,
	uint32_t tail_off)
{
	return e->tail_off == tail_off && e->tail_len == (e->end_pos & (block_bytes - 1)) &&
		e->tail_len <= h->record_len - tail_off && e->start_pos <= e->end_pos &&
		e->segment_base >= 0 && e->first_offset >= e->segment_base &&
		e->end_offset >= e->first_offset;
}

static int
guard_check_entries(const uint8_t *bytes, const struct guard_header *h, uint32_t block_bytes)
{
	uint32_t tail_off = GUARD_HEADER_BYTES + h->entry_count * GUARD_ENTRY_BYTES;
	struct guard_entry entry;
	uint32_t i;

	for (i = 0; i < h->entry_count; i++) {
		guard_record_entry(bytes, i, &entry);
		if (!guard_entry_valid(&entry, h, block_bytes, tail_off)) {
			return -EBADMSG;
		}
		tail_off += entry.tail_len;
	}
	return tail_off == h->record_len ? 0 : -EBADMSG;
}

int
guard_record_parse(const uint8_t *bytes, size_t len, uint32_t block_bytes,
	struct guard_header *ret_header)
{
	struct reader r = reader_init(bytes, len);
	const uint8_t *magic = reader_bytes(&r, GUARD_MAGIC_LEN);
	struct guard_header h = {0};
	uint8_t version;

	if (!magic || memcmp(magic, GUARD_MAGIC, GUARD_MAGIC_LEN) != 0) {
		return -ENOENT;
	}
	h.crc = reader_le32(&r);
	h.record_len = reader_le32(&r);
	reader_copy(&r, h.directory_id, sizeof(h.directory_id));
	h.shard = reader_le16(&r);
	h.kind = reader_u8(&r);
	version = reader_u8(&r);
	h.entry_count = reader_le32(&r);
	h.start_id = reader_le64(&r);
	h.seq = reader_le64(&r);
	h.durable_seq = reader_le64(&r);
	h.chain_crc = reader_le32(&r);
	h.block_number = reader_le32(&r);
	h.wall_ms = reader_le64(&r);
	if (r.failed || h.record_len < GUARD_HEADER_BYTES || h.record_len > len ||
		h.entry_count > (h.record_len - GUARD_HEADER_BYTES) / GUARD_ENTRY_BYTES) {
		return -EBADMSG;
	}
	if (crc32c_update(0, bytes + GUARD_CRC_FROM, h.record_len - GUARD_CRC_FROM) != h.crc) {
		return -EBADMSG;
	}
	if (version != GUARD_VERSION || h.kind < GUARD_GROUP || h.kind > GUARD_MARK ||
		h.durable_seq >= h.seq || (h.kind == GUARD_MARK && h.entry_count > 0)) {
		return -EBADMSG;
	}
	if (guard_check_entries(bytes, &h, block_bytes) < 0) {
		return -EBADMSG;
	}
	*ret_header = h;
	return 0;
}

/* --- a whole ring ---------------------------------------------------------------------------- */

static int
guard_found_compare(const void *a, const void *b)
{
	const struct guard_found *x = a;
	const struct guard_found *y = b;

	if (x->header.start_id != y->header.start_id) {
		return x->header.start_id < y->header.start_id ? -1 : 1;
	}
	if (x->header.seq != y->header.seq) {
		return x->header.seq < y->header.seq ? -1 : 1;
	}
	return 0;
}

static bool
guard_is_ours(const struct guard_image *image, const struct guard_header *h, uint64_t block)
{
	return h->shard == image->shard && h->block_number == block &&
		memcmp(h->directory_id, image->directory_id, sizeof(h->directory_id)) == 0;
}

static int
guard_collect(const struct guard_image *image, struct guard_scan *scan)
{
	uint64_t at = 0;
	struct guard_header h;

	while (at + image->block_bytes <= image->len) {
		if (guard_record_parse(image->bytes + at, image->len - at, image->block_bytes,
			&h) < 0 || !guard_is_ours(image, &h, at / image->block_bytes)) {
			at += image->block_bytes;
			continue;
		}
		if (scan->found_count == scan->found_max) {
			return -ENOBUFS;
		}
		scan->found[scan->found_count++] = (struct guard_found){.header = h, .position = at};
		at += guard_record_padded_bytes(&h, image->block_bytes);
	}
	return 0;
}

static void
guard_summarize(const struct guard_image *image, struct guard_scan *scan)
{
	const struct guard_found *newest;
	uint32_t i;

	for (i = 0; i < scan->found_count; i++) {
		const struct guard_header *h = &scan->found[i].header;

		scan->seq_max = h->seq > scan->seq_max ? h->seq : scan->seq_max;
		if (h->durable_seq > scan->durable_seq) {
			scan->durable_seq = h->durable_seq;
		}
		if (h->kind == GUARD_ANCHOR) {
			scan->anchor_index = i;
		}
	}
	if (scan->found_count > 0) {
		newest = &scan->found[scan->found_count - 1];
		scan->start_id_max = newest->header.start_id;
		scan->next_block = (newest->position + guard_record_padded_bytes(&newest->header,
			image->block_bytes)) / image->block_bytes;
	}
}

/*
 * Marks what the newest anchor and the chain behind it make usable, then judges the first missing
 * record. A later record proves it if it says so (durable_seq), or if it belongs to a later start:
 * every start makes an anchor durable before its first group, and that anchor is not among the found.
 */
static void
guard_follow_chain(struct guard_scan *scan)
{
	uint32_t next = 0;
	uint32_t i;
	const struct guard_header *last = NULL;

	if (scan->anchor_index >= 0) {
		last = &scan->found[scan->anchor_index].header;
		scan->found[scan->anchor_index].usable = true;
		next = (uint32_t)scan->anchor_index + 1;
	}
	for (; last && next < scan->found_count; next++) {
		const struct guard_header *h = &scan->found[next].header;

		if (h->start_id != last->start_id || h->seq != last->seq + 1 ||
			h->chain_crc != last->crc) {
			break;
		}
		scan->found[next].usable = true;
		last = h;
	}
	scan->missing_seq = last ? last->seq + 1 : 1;
	for (i = next; i < scan->found_count; i++) {
		const struct guard_header *h = &scan->found[i].header;

		if (!last || h->start_id > last->start_id || h->durable_seq >= scan->missing_seq) {
			scan->damaged = true;
		}
	}
	for (i = next; scan->damaged && i < scan->found_count; i++) {
		scan->found[i].usable = true;
	}
}

int
guard_scan(const struct guard_image *image, struct guard_scan *scan)
{
	struct guard_scan fresh = {
		.found = scan->found,
		.found_max = scan->found_max,
		.anchor_index = -1,
	};
	int rc;

	ensure((image->block_bytes & (image->block_bytes - 1)) == 0);
	rc = guard_collect(image, &fresh);
	if (rc < 0) {
		return rc;
	}
	qsort(fresh.found, fresh.found_count, sizeof(*fresh.found), guard_found_compare);
	guard_summarize(image, &fresh);
	guard_follow_chain(&fresh);
	*scan = fresh;
	return 0;
}
