/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a whole segment again to learn what its seal must say: for a segment that was resumed after a
 * crash, whose first part nobody has in memory. Every batch is checked on the way. Keeper thread.
 */
#include <errno.h>
#include <stdlib.h>
#include "base/crc32c.h"
#include "logstore/file_util.h"
#include "logstore/keeper.h"
#include "logstore/store.h"

#define RESCAN_BYTES (1u << 20)

struct rescan {
	struct segment *s;
	struct io *io;
	int fd;
	uint8_t *buffer;
	uint32_t room;
	uint32_t pos;
	int64_t next_offset;
};

static int
note_batch(struct rescan *r, const uint8_t *bytes, const struct record_batch *batch, uint32_t total)
{
	struct segment *s = r->s;

	if (batch->base_offset != r->next_offset || batch->last_offset_delta < 0 ||
		record_batch_crc(bytes, total) != batch->crc) {
		return -EBADMSG;
	}
	if (r->pos == 0) {
		s->first_timestamp_ms = batch->max_timestamp_ms;
	}
	r->next_offset = record_batch_last_offset(batch) + 1;
	seal_runs_add(&s->runs, range_crc_of_batch(bytes, total), total,
		(uint32_t)(r->next_offset - s->base));
	s->batch_count++;
	s->record_count += (uint32_t)batch->record_count;
	return 0;
}

/* Room for a batch larger than the buffer: only the segment itself knows how large its batches are. */
static int
scan_grow(struct rescan *r, const struct record_batch *batch, uint32_t total)
{
	if (batch->magic != RECORD_BATCH_MAGIC || batch->base_offset != r->next_offset ||
		total <= r->room) {
		return -EBADMSG;
	}
	uint8_t *buffer = realloc(r->buffer, total);

	if (!buffer) {
		return -ENOMEM;
	}
	r->buffer = buffer;
	r->room = total;
	return 0;
}

/* Reads one piece at r->pos and takes the whole batches in it, or makes room for the first one. */
static int
scan_piece(struct rescan *r)
{
	uint32_t left = r->s->end_pos - r->pos;
	uint32_t len = left < r->room ? left : r->room;
	int rc = r->io->ops->pread(r->io, r->fd, r->buffer, len, r->pos);
	struct record_batch_iterator it;

	if (rc < 0) {
		return rc;
	}
	record_batch_iterator_init(&it, r->buffer, len);
	while ((rc = record_batch_iterator_next(&it)) == 1) {
		rc = note_batch(r, it.bytes, &it.batch, (uint32_t)it.len);
		if (rc < 0) {
			return rc;
		}
		r->pos += (uint32_t)it.len;
	}
	if (rc == -EBADMSG || it.len > r->s->end_pos - r->pos) {
		return -EBADMSG;
	}
	if (it.bytes > r->buffer) {
		return 0; /* a batch that is cut off begins the next piece */
	}
	return it.len > 0 ? scan_grow(r, &it.batch, (uint32_t)it.len) : -EBADMSG;
}

int
keeper_rescan(struct log_keeper *keeper, struct partition *p, struct segment *s,
	int64_t *ret_good_end)
{
	struct rescan r = {.s = s, .io = keeper->io, .next_offset = s->base};
	char path[FILE_PATH_MAX];

	r.room = RESCAN_BYTES < s->end_pos ? RESCAN_BYTES : s->end_pos;
	file_util_segment_path(path, p->dir, s->base, ".log");
	r.fd = keeper->io->ops->open(keeper->io, path, IO_OPEN_READ_ONLY);
	if (r.fd < 0) {
		return r.fd;
	}
	r.buffer = malloc(r.room);
	int rc = r.buffer ? 0 : -ENOMEM;

	seal_runs_init(&s->runs, s->run_table, s->run_table_max);
	s->batch_count = 0;
	s->record_count = 0;
	while (rc == 0 && r.pos < s->end_pos) {
		rc = scan_piece(&r);
	}
	if (rc == 0) {
		seal_runs_finish(&s->runs);
		s->crc_from = 0;
		rc = r.next_offset == s->end_offset ? 0 : -EBADMSG;
	}
	free(r.buffer);
	keeper->io->ops->close(keeper->io, r.fd);
	*ret_good_end = r.next_offset;
	return rc;
}
