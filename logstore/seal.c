/* SPDX-License-Identifier: Apache-2.0 */
/* Seal files and the gathering of their runs; format in seal.h. */
#include "logstore/seal.h"

#include <errno.h>
#include <string.h>
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "base/ensure.h"

#define SEAL_MAGIC     "PSSEAL01"
#define SEAL_MAGIC_LEN 8
#define SEAL_CRC_AT    8
#define SEAL_CRC_FROM  12
#define SEAL_VERSION   1

void
seal_runs_init(struct seal_runs *gather, struct seal_run *runs, uint32_t runs_max)
{
	ensure(runs_max > 0);
	*gather = (struct seal_runs){.runs = runs, .runs_max = runs_max};
}

static void
seal_runs_close(struct seal_runs *gather)
{
	ensure(gather->run_count < gather->runs_max);
	gather->runs[gather->run_count++] = (struct seal_run){
		.end_pos = (uint32_t)gather->pos,
		.end_relative = gather->end_relative,
		.crc = gather->open.crc,
	};
	gather->open = (struct range_crc){0};
}

void
seal_runs_add(struct seal_runs *gather, uint32_t crc, uint32_t bytes, uint32_t end_relative)
{
	ensure(end_relative > gather->end_relative);
	range_crc_append(&gather->open, crc, bytes);
	range_crc_append(&gather->whole, crc, bytes);
	gather->pos += bytes;
	gather->end_relative = end_relative;
	if (gather->open.len >= SEAL_RUN_MIN) {
		seal_runs_close(gather);
	}
}

void
seal_runs_finish(struct seal_runs *gather)
{
	if (gather->open.len > 0) {
		seal_runs_close(gather);
	}
}

int
seal_encode(const struct seal *seal, const struct seal_run *runs, void *bytes, size_t room)
{
	struct writer w = writer_init(bytes, room);
	uint32_t i;

	writer_copy(&w, SEAL_MAGIC, SEAL_MAGIC_LEN);
	writer_le32(&w, 0);
	writer_le16(&w, SEAL_VERSION);
	writer_le16(&w, seal->flags);
	writer_copy(&w, seal->topic_id, sizeof(seal->topic_id));
	writer_le32(&w, seal->partition);
	writer_le64(&w, seal->file_id);
	writer_le64(&w, (uint64_t)seal->base_offset);
	writer_le64(&w, (uint64_t)seal->end_offset);
	writer_le64(&w, seal->log_bytes);
	writer_le64(&w, seal->batch_count);
	writer_le64(&w, seal->record_count);
	writer_le64(&w, (uint64_t)seal->max_timestamp_ms);
	writer_le64(&w, (uint64_t)seal->max_timestamp_offset);
	writer_le64(&w, (uint64_t)seal->first_timestamp_ms);
	writer_le32(&w, seal->log_crc);
	writer_le32(&w, seal->index_crc);
	writer_le32(&w, seal->time_index_crc);
	writer_le32(&w, seal->txn_index_crc);
	writer_le32(&w, seal->run_count);
	for (i = 0; i < seal->run_count; i++) {
		writer_le32(&w, runs[i].end_pos);
		writer_le32(&w, runs[i].end_relative);
		writer_le32(&w, runs[i].crc);
		writer_le32(&w, 0);
	}
	if (w.failed) {
		return -ENOBUFS;
	}
	ensure(writer_len(&w) == seal_bytes(seal->run_count));
	store_le32((uint8_t *)bytes + SEAL_CRC_AT, crc32c_update(0, (uint8_t *)bytes + SEAL_CRC_FROM,
		writer_len(&w) - SEAL_CRC_FROM));
	return (int)writer_len(&w);
}

void
seal_run_get(const uint8_t *bytes, uint32_t index, struct seal_run *ret_run)
{
	const uint8_t *at = bytes + SEAL_HEADER_BYTES + (size_t)index * SEAL_RUN_BYTES;

	ret_run->end_pos = load_le32(at);
	ret_run->end_relative = load_le32(at + 4);
	ret_run->crc = load_le32(at + 8);
}

/* Runs rise, end where the log ends, and their CRCs combine to the log's. */
static int
seal_check_runs(const uint8_t *bytes, const struct seal *seal)
{
	struct range_crc whole = {0};
	struct seal_run last = {0};
	uint32_t i;

	for (i = 0; i < seal->run_count; i++) {
		struct seal_run run;
		bool is_last = i + 1 == seal->run_count;

		seal_run_get(bytes, i, &run);
		if (run.end_pos <= last.end_pos || run.end_relative <= last.end_relative ||
			(!is_last && run.end_pos - last.end_pos < SEAL_RUN_MIN)) {
			return -EBADMSG;
		}
		range_crc_append(&whole, run.crc, run.end_pos - last.end_pos);
		last = run;
	}
	if (last.end_pos != seal->log_bytes || whole.crc != seal->log_crc) {
		return -EBADMSG;
	}
	if (last.end_relative > (uint64_t)(seal->end_offset - seal->base_offset)) {
		return -EBADMSG;
	}
	if (!(seal->flags & SEAL_COMPACTED) &&
		last.end_relative != (uint64_t)(seal->end_offset - seal->base_offset)) {
		return -EBADMSG;
	}
	return 0;
}

static void
seal_get(struct reader *r, struct seal *s)
{
	s->flags = reader_le16(r);
	reader_copy(r, s->topic_id, sizeof(s->topic_id));
	s->partition = reader_le32(r);
	s->file_id = reader_le64(r);
	s->base_offset = (int64_t)reader_le64(r);
	s->end_offset = (int64_t)reader_le64(r);
	s->log_bytes = reader_le64(r);
	s->batch_count = reader_le64(r);
	s->record_count = reader_le64(r);
	s->max_timestamp_ms = (int64_t)reader_le64(r);
	s->max_timestamp_offset = (int64_t)reader_le64(r);
	s->first_timestamp_ms = (int64_t)reader_le64(r);
	s->log_crc = reader_le32(r);
	s->index_crc = reader_le32(r);
	s->time_index_crc = reader_le32(r);
	s->txn_index_crc = reader_le32(r);
	s->run_count = reader_le32(r);
}

int
seal_parse(const uint8_t *bytes, size_t len, struct seal *ret_seal)
{
	struct reader r = reader_init(bytes, len);
	const uint8_t *magic = reader_bytes(&r, SEAL_MAGIC_LEN);
	struct seal s = {0};
	uint32_t crc;
	uint16_t version;

	if (!magic || memcmp(magic, SEAL_MAGIC, SEAL_MAGIC_LEN) != 0) {
		return -EBADMSG;
	}
	crc = reader_le32(&r);
	version = reader_le16(&r);
	seal_get(&r, &s);
	if (r.failed || version != SEAL_VERSION || s.run_count > SEAL_RUNS_MAX ||
		len != seal_bytes(s.run_count)) {
		return -EBADMSG;
	}
	if (crc32c_update(0, bytes + SEAL_CRC_FROM, len - SEAL_CRC_FROM) != crc) {
		return -EBADMSG;
	}
	if (s.base_offset < 0 || s.end_offset < s.base_offset || s.log_bytes > INT32_MAX) {
		return -EBADMSG;
	}
	if (seal_check_runs(bytes, &s) < 0) {
		return -EBADMSG;
	}
	*ret_seal = s;
	return 0;
}
