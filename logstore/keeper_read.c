/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cold reads: finds the segment, goes through its index, reads, and checks CRC and offset chain of
 * every batch (behind a gap, the seal) before any byte is handed out. Keeper thread. An unsealed segment is read O_DIRECT,
 * because its writes go past the page cache.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/errcode.h"
#include "base/log.h"
#include "logstore/file_util.h"
#include "logstore/keeper.h"
#include "logstore/quarantine.h"
#include "logstore/store.h"

struct cold {
	struct log_keeper *keeper;
	struct partition *p;
	struct cold_read *read;
	struct segment_row *row;
	int fd;
	uint64_t file_bytes;
	uint64_t pos;
	int64_t expect; /* base offset of the batch at pos, -1: any (from an index entry) */
	int64_t expect_last; /* -1: any */
	bool started;
};

static int
open_segment(struct cold *c)
{
	struct io *io = c->keeper->io;
	char path[FILE_PATH_MAX];
	struct io_stat stat;

	file_util_segment_path(path, c->p->dir, c->row->base, ".log");
	int rc = io->ops->stat(io, path, &stat);

	if (rc < 0) {
		return rc;
	}
	c->file_bytes = stat.size_bytes;
	/* A length of no whole blocks is the seal's: nothing is written to the segment any more. */
	bool written = !c->row->sealed && stat.size_bytes % c->keeper->store->block_bytes == 0;

	c->fd = io->ops->open(io, path, IO_OPEN_READ_ONLY | (written ? IO_OPEN_DIRECT : 0));
	return c->fd < 0 ? c->fd : 0;
}

static void
seek_by_index(struct cold *c)
{
	struct file_bytes index;
	char name[FILE_PATH_MAX];

	file_util_segment_path(name, NULL, c->row->base, ".index");
	if (file_util_read(c->keeper->io, c->p->dir, name, &index) < 0) {
		return; /* slower, not wrong */
	}
	size_t len = index.len / SEGMENT_INDEX_ENTRY_BYTES * SEGMENT_INDEX_ENTRY_BYTES;
	int64_t at = segment_index_find(index.bytes, len, c->read->req.from - c->row->base);

	if (at >= 0) {
		struct segment_index_entry e =
			segment_index_decode(index.bytes + at * SEGMENT_INDEX_ENTRY_BYTES);

		c->pos = (uint64_t)e.position;
		c->expect = -1;
		c->expect_last = c->row->base + e.relative_offset;
	}
	free(index.bytes);
}

/* No batch of [from, until) is left: a repair accepted the loss of these offsets. */
static int
answer_gap(struct cold *c)
{
	struct cold_read *read = c->read;

	read->next_offset = c->row->end_offset < read->req.until ? c->row->end_offset : read->req.until;
	return 0;
}

/* All of the file was looked at, up to c->pos. Only where offsets may be missing that is no damage. */
static int
end_of_file(struct cold *c)
{
	return c->row->gaps && c->pos == c->file_bytes ? answer_gap(c) : -EBADMSG;
}

/* The segment's seal, with its runs in `ret_file`, which the caller frees. Negative errno: nothing to free. */
static int
read_seal(const struct cold *c, struct file_bytes *ret_file, struct seal *ret_seal)
{
	char name[FILE_PATH_MAX];

	file_util_segment_path(name, NULL, c->row->base, ".seal");
	int rc = file_util_read(c->keeper->io, c->p->dir, name, ret_file);

	if (rc < 0) {
		return rc;
	}
	rc = seal_parse(ret_file->bytes, ret_file->len, ret_seal);
	if (rc == 0 && (ret_seal->base_offset != c->row->base || ret_seal->partition != c->p->partition ||
			       memcmp(ret_seal->topic_id, c->p->topic_id, sizeof(ret_seal->topic_id)) != 0)) {
		rc = -EBADMSG;
	}
	if (rc < 0) {
		free(ret_file->bytes);
	}
	return rc;
}

/*
 * Behind a gap nothing in the log says that a batch stands at its place: its base offset is outside the CRC, and any
 * greater one would do. The seal covers it. The run that holds c->pos is read for that: a megabyte or a batch more.
 */
static int
check_run(const struct cold *c)
{
	struct io *io = c->keeper->io;
	struct file_bytes file;
	struct seal_run run = {0};
	struct seal seal;
	uint32_t from = 0;
	int rc = read_seal(c, &file, &seal);

	if (rc < 0) {
		return rc == -ENOENT ? -EBADMSG : rc;
	}
	for (uint32_t i = 0; i < seal.run_count && run.end_pos <= c->pos; i++) {
		from = run.end_pos;
		seal_run_get(file.bytes, i, &run);
	}
	free(file.bytes);
	if (run.end_pos <= c->pos || run.end_pos > c->file_bytes) {
		return -EBADMSG;
	}
	uint8_t *bytes = malloc(run.end_pos - from);

	rc = bytes ? io->ops->pread(io, c->fd, bytes, run.end_pos - from, from) : -ENOMEM;
	if (rc >= 0) {
		rc = crc32c_update(0, bytes, run.end_pos - from) == run.crc ? 0 : -EBADMSG;
	}
	free(bytes);
	return rc;
}

/* Its place is the next in the chain, or behind a gap where one may be. */
static int
check_place(const struct cold *c, const struct record_batch *batch)
{
	if (c->expect < 0 || batch->base_offset == c->expect) {
		return 0;
	}
	return c->row->gaps && batch->base_offset > c->expect ? check_run(c) : -EBADMSG;
}

/* One batch at buffer offset `at`. 1: go on; 0: enough; negative: corrupt. */
static int
take_batch(struct cold *c, uint32_t at, const struct record_batch *batch, uint32_t total)
{
	struct cold_read *read = c->read;
	int64_t last = record_batch_last_offset(batch);

	/* The base offset stands outside the CRC. */
	if (batch->base_offset < 0 || last < batch->base_offset || last == INT64_MAX ||
		(c->expect_last >= 0 && last != c->expect_last) || batch->magic != RECORD_BATCH_MAGIC ||
		record_batch_crc(read->buffer + at, total) != batch->crc) {
		return -EBADMSG;
	}
	int rc = check_place(c, batch);

	if (rc < 0) {
		return rc;
	}
	if (last >= read->req.from) {
		if (!c->started && batch->base_offset >= read->req.until) {
			return answer_gap(c);
		}
		if (!c->started) {
			c->started = true;
			read->data_off = at;
			read->first_offset = batch->base_offset;
		} else if (batch->base_offset >= read->req.until ||
			at + total - read->data_off > read->req.bytes_max) {
			return 0;
		}
		read->data_len = at + total - read->data_off;
		read->next_offset = last + 1;
	}
	c->expect = last + 1;
	c->expect_last = -1;
	c->pos += total;
	return 1;
}

/*
 * The piece ends before the first batch that is asked for does, which takes `bytes` (0: not known yet).
 * 1: read on, which begins with that batch; 0: answered; negative errno.
 */
static int
more_wanted(struct cold *c, size_t bytes, bool more_in_file)
{
	if (bytes == 0) {
		return more_in_file ? 1 : end_of_file(c);
	}
	if (bytes + 2 * c->keeper->store->block_bytes > c->read->buffer_bytes) {
		c->read->want_bytes = (uint32_t)bytes;
		return 0;
	}
	return 1;
}

/* Reads one piece and takes its batches. 1: read on; 0: answered; negative errno. */
static int
read_piece(struct cold *c)
{
	struct cold_read *read = c->read;
	struct io *io = c->keeper->io;
	uint64_t from = bytes_floor(c->pos, c->keeper->store->block_bytes);
	uint64_t left = c->file_bytes - from;
	uint32_t len = left < read->buffer_bytes ? (uint32_t)left : read->buffer_bytes;
	uint32_t at = (uint32_t)(c->pos - from);
	struct record_batch_iterator it;

	if (c->pos >= c->file_bytes) {
		return end_of_file(c);
	}
	int rc = io->ops->pread(io, c->fd, read->buffer, len, from);

	if (rc < 0) {
		return rc;
	}
	record_batch_iterator_init(&it, read->buffer + at, len - at);
	while (!c->started || c->expect < read->limit_offset) {
		rc = record_batch_iterator_next(&it);
		if (rc == -EBADMSG || it.len > c->file_bytes - c->pos) {
			return -EBADMSG;
		}
		if (rc != 1) {
			return c->started ? 0 : more_wanted(c, it.len, len < left);
		}
		rc = take_batch(c, (uint32_t)(it.bytes - read->buffer), &it.batch, (uint32_t)it.len);
		if (rc <= 0) {
			return rc;
		}
	}
	return 0;
}

static int
read_once(struct cold *c, bool by_index)
{
	int rc = open_segment(c);

	if (rc < 0) {
		return rc;
	}
	c->pos = 0;
	c->expect = c->row->base;
	c->expect_last = -1;
	if (by_index) {
		seek_by_index(c);
	}
	c->started = false;
	do {
		rc = read_piece(c);
	} while (rc == 1);
	c->keeper->io->ops->close(c->keeper->io, c->fd);
	return rc;
}

/* Old segments' seals are not read before they are needed. */
static void
learn_gaps(struct cold *c)
{
	struct file_bytes file;
	struct seal seal;

	if (c->row->sealed && read_seal(c, &file, &seal) == 0) {
		c->row->gaps = (seal.flags & SEAL_COMPACTED) != 0;
		free(file.bytes);
	}
}

static void
end_before(struct cold_read *read, int64_t offset)
{
	if (read->limit_offset > offset) {
		read->limit_offset = offset;
		read->req.until = offset;
	}
}

/*
 * The next start must know it too. In doubt is what follows the good batches of the segment; the next one
 * stands by itself.
 */
static void
quarantine(struct cold *c)
{
	struct partition *p = c->p;
	const struct segment_row *row = c->row;
	struct quarantine_cause cause = {.segment_base = row->base,
		.first_offset = c->expect >= row->base ? c->expect : row->base,
		.end_offset = row->end_offset,
		.reason = "damaged when it was read"};

	if (row + 1 < p->rows + p->row_count) {
		cause.end_offset = row[1].base;
	} else if (row->end_offset == INT64_MAX) {
		cause.end_offset =
			atomic_load_explicit(&p->status.high_watermark, memory_order_relaxed);
	}
	/* What cannot be written now is written with the next read of it. */
	(void)quarantine_mark(c->keeper->io, p, &cause);
	c->read->error = KAFKA_CORRUPT_MESSAGE;
	c->read->corrupt = true;
}

bool
keeper_read_may_go(struct partition *p, const struct cold_read *read)
{
	const struct segment_row *row = partition_row_find(p, read->req.from);

	return read->segment_base < 0 || (row && row->base == read->segment_base);
}

void
keeper_read(struct log_keeper *keeper, struct partition *p, struct cold_read *read)
{
	struct cold c = {.keeper = keeper, .p = p, .read = read};

	c.row = partition_row_find(p, read->req.from);
	if (quarantine_covers(p, read->req.from) && (p->doubtful_written || !c.row)) {
		read->error = KAFKA_CORRUPT_MESSAGE;
		return;
	}
	if (!c.row) {
		read->error = KAFKA_OFFSET_OUT_OF_RANGE;
		return;
	}
	if (quarantine_covers(p, read->req.from)) {
		quarantine(&c);
		return;
	}
	if (p->has_doubtful && read->req.from < p->doubtful.first_offset) {
		end_before(read, p->doubtful.first_offset);
	}
	/* A segment that waits for its seal goes on as zeros, and the high watermark may be in the next. */
	if (c.row + 1 < p->rows + p->row_count) {
		end_before(read, c.row[1].base);
	}
	int rc = read_once(&c, true);

	if (rc < 0) {
		/* Once again, from the front: a bus may have erred, not the medium; or only the index. */
		learn_gaps(&c);
		rc = read_once(&c, false);
	}
	if (rc == -EBADMSG || rc == -EIO) {
		quarantine(&c);
	} else if (rc < 0) {
		read->error = KAFKA_KAFKA_STORAGE_ERROR;
	}
}
