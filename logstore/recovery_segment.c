/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One unsealed segment at start. Judging reads from the checkpoint on, overlays the newest tail
 * copies, checks each range (range_crc, then batch CRC, chain, epoch) and decides: good, cut (never
 * proven) or corrupt (proven: nothing is changed). Applying writes repaired blocks, zeroes what
 * in-flight groups may have left, and rebuilds indexes and producer state. See recovery.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/ensure.h"
#include "base/log.h"
#include "logstore/recovery.h"

#define READ_PIECE  (1u << 20)
#define ZERO_PIECE  (256u << 10)
#define ZERO_ENOUGH (1u << 20) /* so many zeros in a row are enough where many have been looked at */

/* --- reading ----------------------------------------------------------------------------------- */

/* A failed read is halved down to a block; that block counts as garbage (zeros here). */
static void
read_range(struct recovery_segment *rs, uint8_t *bytes, uint32_t from, uint32_t len)
{
	uint32_t block = rs->r->store->block_bytes;
	struct io *io = rs->r->io;

	if (len == 0 || io->ops->pread(io, rs->fd, bytes, len, from) >= 0) {
		return;
	}
	if (len <= block) {
		memset(bytes, 0, len);
		return;
	}
	uint32_t half = (uint32_t)bytes_ceil(len / 2, block);

	read_range(rs, bytes, from, half);
	read_range(rs, bytes + half, from + half, len - half);
}

static int
load_image(struct recovery_segment *rs, uint32_t from, uint32_t end)
{
	uint32_t block = rs->r->store->block_bytes;
	uint32_t start = (uint32_t)bytes_floor(from, block);
	uint32_t file_end = end < rs->file_bytes ? end : (uint32_t)rs->file_bytes;
	size_t room = bytes_ceil(end > start ? end - start : 1, block);

	free(rs->image);
	rs->image = aligned_alloc(4096, bytes_ceil(room, 4096));
	if (!rs->image) {
		return -ENOMEM;
	}
	memset(rs->image, 0, room);
	rs->image_from = start;
	rs->image_bytes = end - start;
	for (uint32_t at = start; at < file_end; at += READ_PIECE) {
		uint32_t len = file_end - at < READ_PIECE ? file_end - at : READ_PIECE;

		read_range(rs, rs->image + (at - start), at, len);
	}
	rs->report->scanned_bytes += file_end > start ? file_end - start : 0;
	return 0;
}

static uint8_t *
at_pos(const struct recovery_segment *rs, uint32_t pos)
{
	ensure(pos >= rs->image_from);
	return rs->image + (pos - rs->image_from);
}

/* Newest copy of each tail block over what the disk says; entries come oldest first. */
static void
overlay_tails(struct recovery_segment *rs)
{
	for (uint32_t i = 0; i < rs->entry_count; i++) {
		const struct guard_entry *e = &rs->entries[i].entry;

		if (e->tail_len == 0 || (e->flags & GUARD_POISON)) {
			continue;
		}
		uint32_t from = e->end_pos - e->tail_len;

		if (from < rs->image_from || memcmp(at_pos(rs, from), rs->entries[i].tail, e->tail_len) == 0) {
			continue;
		}
		memcpy(at_pos(rs, from), rs->entries[i].tail, e->tail_len);
		rs->repaired = true;
	}
}

int
recovery_segment_image(struct recovery_segment *rs)
{
	uint64_t end = rs->file_bytes;

	for (uint32_t i = 0; i < rs->entry_count; i++) {
		const struct guard_entry *e = &rs->entries[i].entry;

		end = !(e->flags & GUARD_POISON) && e->end_pos > end ? e->end_pos : end;
	}
	int rc = load_image(rs, 0, (uint32_t)end);

	if (rc == 0) {
		overlay_tails(rs);
	}
	return rc;
}

/* --- checking ---------------------------------------------------------------------------------- */

static int32_t
epoch_at(const struct recovery_segment *rs, int64_t offset)
{
	int32_t epoch = 0;

	for (uint32_t i = 0; i < rs->epoch_count && rs->epochs[i].start_offset <= offset; i++) {
		epoch = rs->epochs[i].epoch;
	}
	return epoch;
}

uint32_t
recovery_segment_batch(const struct recovery_segment *rs, uint32_t pos, uint32_t limit,
	struct record_batch *ret_batch)
{
	const uint8_t *bytes = at_pos(rs, pos);

	if (record_batch_decode(bytes, limit - pos, ret_batch) < 0 ||
		ret_batch->magic != RECORD_BATCH_MAGIC ||
		ret_batch->batch_length < RECORD_BATCH_LENGTH_MIN) {
		return 0;
	}
	uint64_t total = record_batch_total_bytes(ret_batch);

	if (total > limit - pos || ret_batch->base_offset < 0 || ret_batch->last_offset_delta < 0 ||
		ret_batch->base_offset > INT64_MAX - INT32_MAX - 1 ||
		ret_batch->record_count > (int64_t)ret_batch->last_offset_delta + 1 ||
		ret_batch->leader_epoch != epoch_at(rs, ret_batch->base_offset) ||
		record_batch_crc(bytes, total) != ret_batch->crc) {
		return 0;
	}
	return (uint32_t)total;
}

/* Walks good batches of [pos, limit): moves end_pos and end_offset. True: all of it was good. */
static bool
walk_batches(struct recovery_segment *rs, uint32_t limit)
{
	while (rs->end_pos < limit) {
		struct record_batch batch;
		uint32_t total = recovery_segment_batch(rs, rs->end_pos, limit, &batch);

		if (total == 0 || batch.base_offset != rs->end_offset) {
			return false;
		}
		rs->end_pos += total;
		rs->end_offset += (int64_t)batch.last_offset_delta + 1;
	}
	return true;
}

static bool
range_crc_is_good(const struct recovery_segment *rs, const struct guard_entry *e)
{
	struct range_crc range = {0};
	struct range_crc_place place = {.partition = rs->p->partition,
		.segment_base = rs->s->base,
		.start_pos = e->start_pos};

	memcpy(place.topic_id, rs->p->topic_id, sizeof(place.topic_id));
	range.len = e->end_pos - e->start_pos;
	range.crc = crc32c_update(0, at_pos(rs, e->start_pos), range.len);
	return range_crc_bind(&place, &range) == e->range_crc;
}

/* Judges entries in order; stops at the first that is not good. */
static void
judge_ranges(struct recovery_segment *rs)
{
	for (uint32_t i = 0; i < rs->entry_count; i++) {
		const struct recovery_entry *re = &rs->entries[i];
		const struct guard_entry *e = &re->entry;

		if (e->flags & GUARD_POISON) {
			continue;
		}
		bool gap = e->start_pos != rs->end_pos;
		bool good = true;

		if (gap && e->start_pos > rs->end_pos) {
			/* A damaged guard record is missing here: its bytes must still be whole batches. */
			good = rs->r->guard_damaged && walk_batches(rs, e->start_pos);
			gap = !good;
		}
		/* Batches first: they say how far a bad range is good. */
		good = good && !gap && walk_batches(rs, e->end_pos) && range_crc_is_good(rs, e) &&
			rs->end_offset == e->end_offset;
		if (good) {
			continue;
		}
		bool proven = false;

		for (uint32_t k = i; k < rs->entry_count; k++) {
			proven |= rs->entries[k].proven && !(rs->entries[k].entry.flags & GUARD_POISON);
			rs->doubtful_end = rs->entries[k].entry.end_offset;
		}
		rs->corrupt = proven;
		rs->cut = !proven;
		return;
	}
}

/* After the end: a batch with a greater offset means that something in between was lost. */
static bool
later_batch(const struct recovery_segment *rs, uint32_t limit, int64_t *ret_end)
{
	bool found = false;

	for (uint32_t pos = rs->end_pos + 1; pos + RECORD_BATCH_HEADER_BYTES <= limit; pos++) {
		struct record_batch batch;
		const uint8_t *bytes = at_pos(rs, pos);

		if (bytes[16] != RECORD_BATCH_MAGIC || record_batch_decode(bytes, limit - pos, &batch) < 0 ||
			batch.base_offset < rs->end_offset || batch.batch_length < RECORD_BATCH_LENGTH_MIN ||
			record_batch_last_offset(&batch) < batch.base_offset ||
			record_batch_last_offset(&batch) == INT64_MAX) {
			continue;
		}
		uint64_t total = record_batch_total_bytes(&batch);

		if (total <= limit - pos && record_batch_crc(bytes, total) == batch.crc) {
			*ret_end = record_batch_last_offset(&batch) + 1;
			found = true;
			pos += (uint32_t)total - 1;
		}
	}
	return found;
}

/* No guard entry: scan with the checks that need no side file. */
static int
judge_scan(struct recovery_segment *rs)
{
	uint32_t limit = (uint32_t)rs->file_bytes;
	int rc = load_image(rs, 0, limit);

	if (rc < 0) {
		return rc;
	}
	rs->end_pos = 0;
	rs->end_offset = rs->s->base;
	(void)walk_batches(rs, limit);
	rs->written_end = rs->end_pos;
	bool lost_guard = recovery_guard_lost(rs->r);

	if (lost_guard && later_batch(rs, limit, &rs->doubtful_end)) {
		rs->corrupt = true;
	} else {
		rs->cut = lost_guard;
	}
	return 0;
}

/* Indexes that do not fit what they stand for: they are made anew, from the front. */
static void
forget_indexes(struct recovery_segment *rs)
{
	segment_index_init(&rs->s->index, rs->s->base, rs->p->config.index_interval_bytes,
		rs->p->config.index_bytes_max);
	rs->index_entries = 0;
	rs->time_index_entries = 0;
	rs->walk_from = 0;
	rs->rebuild_from = 0;
}

/*
 * Sets where the walk and the rebuild of the indexes begin: at the last entry and the checkpoint, or
 * both at 0 if the files do not fit their counts.
 */
static void
check_indexes(struct recovery_segment *rs)
{
	struct file_bytes index = {0};
	struct file_bytes times = {0};
	char name[FILE_PATH_MAX];
	uint32_t from = 0;
	size_t len = (size_t)rs->index_entries * SEGMENT_INDEX_ENTRY_BYTES;
	size_t time_len = (size_t)rs->time_index_entries * SEGMENT_INDEX_TIME_ENTRY_BYTES;

	file_util_segment_path(name, NULL, rs->s->base, ".index");
	bool good = file_util_read(rs->r->io, rs->p->dir, name, &index) == 0 && index.len >= len;

	file_util_segment_path(name, NULL, rs->s->base, ".timeindex");
	good = good && file_util_read(rs->r->io, rs->p->dir, name, &times) == 0 &&
		times.len >= time_len &&
		segment_index_check(index.bytes, len, rs->checkpoint_pos) == 0 &&
		segment_index_check_time(times.bytes, time_len) == 0 &&
		(time_len == 0 || load_be64(times.bytes) != 0); /* zeros: a torn block */
	if (good && rs->index_entries > 0) {
		from = (uint32_t)segment_index_decode(index.bytes + len - SEGMENT_INDEX_ENTRY_BYTES)
			       .position;
	}
	struct segment_index_time_entry last = {0};

	if (good && rs->time_index_entries > 0) {
		last = segment_index_decode_time(
			times.bytes + time_len - SEGMENT_INDEX_TIME_ENTRY_BYTES);
	}
	if (good) {
		segment_index_resume(&rs->s->index, rs->index_entries, rs->time_index_entries,
			rs->time_index_entries > 0 ? &last : NULL);
		if (rs->time_index_entries > 0) {
			rs->s->index.max_timestamp_ms = last.timestamp_ms;
			rs->s->index.max_timestamp_offset = rs->s->base + last.relative_offset;
		}
		rs->rebuild_from = rs->checkpoint_pos;
		rs->walk_from = from;
	} else {
		forget_indexes(rs);
	}
	free(index.bytes);
	free(times.bytes);
}

/* Up to the checkpoint: what the walk begins with must be the batches that lead there. */
static int
load_to_checkpoint(struct recovery_segment *rs, bool *ret_good)
{
	uint32_t end = rs->written_end > rs->walk_from ? rs->written_end : rs->walk_from;
	struct record_batch first;

	rs->note_from = rs->producers_from < rs->checkpoint_offset ? 0 : rs->walk_from;
	int rc = load_image(rs, rs->note_from, end);

	if (rc < 0) {
		return rc;
	}
	overlay_tails(rs);
	rs->end_pos = rs->note_from;
	rs->end_offset = rs->s->base;
	if (rs->note_from > 0 && rs->note_from < rs->checkpoint_pos &&
		record_batch_decode(at_pos(rs, rs->note_from), rs->checkpoint_pos - rs->note_from, &first) ==
			0) {
		rs->end_offset = first.base_offset;
	}
	*ret_good = rs->note_from == rs->checkpoint_pos ||
		(walk_batches(rs, rs->checkpoint_pos) && rs->end_offset == rs->checkpoint_offset);
	return 0;
}

int
recovery_segment_judge(struct recovery_segment *rs)
{
	bool good = false;

	if (rs->entry_count == 0) {
		rs->checkpoint_offset = rs->s->base;
		return judge_scan(rs);
	}
	const struct recovery_entry *first = &rs->entries[0];

	rs->checkpoint_offset = rs->s->base;
	if (first->anchor) {
		rs->checkpoint_pos = first->entry.start_pos;
		rs->checkpoint_offset = first->entry.first_offset;
		rs->index_entries = first->entry.index_entries;
		rs->time_index_entries = first->entry.time_index_entries;
	}
	for (uint32_t i = 0; i < rs->entry_count; i++) {
		if (rs->entries[i].entry.end_pos > rs->written_end) {
			rs->written_end = rs->entries[i].entry.end_pos;
		}
	}
	check_indexes(rs);
	int rc = load_to_checkpoint(rs, &good);

	if (rc == 0 && !good && rs->walk_from > 0) {
		/* The index may have led to the wrong place: from the front then. */
		forget_indexes(rs);
		rc = load_to_checkpoint(rs, &good);
	}
	if (rc < 0) {
		return rc;
	}
	if (!good) {
		rs->corrupt = true; /* all before the checkpoint is proven */
		rs->doubtful_end = rs->entries[rs->entry_count - 1].entry.end_offset;
		return 0;
	}
	rs->end_pos = rs->checkpoint_pos;
	rs->end_offset = rs->checkpoint_offset;
	judge_ranges(rs);
	return 0;
}

/* --- applying ---------------------------------------------------------------------------------- */

/* The image's blocks that the overlay changed, and the cut block with zeros behind its end. */
static int
write_blocks(struct recovery_segment *rs)
{
	uint32_t block = rs->r->store->block_bytes;
	struct io *io = rs->r->io;
	int rc = 0;

	for (uint32_t i = 0; rc >= 0 && rs->repaired && i < rs->entry_count; i++) {
		const struct guard_entry *e = &rs->entries[i].entry;
		uint32_t from = e->end_pos - e->tail_len;

		if (e->tail_len > 0 && !(e->flags & GUARD_POISON) && from >= rs->image_from &&
			from + e->tail_len <= rs->end_pos) {
			rc = io->ops->pwrite(io, rs->fd, at_pos(rs, from), e->tail_len, from);
		}
	}
	uint32_t tail_from = (uint32_t)bytes_floor(rs->end_pos, block);
	uint32_t tail_len = rs->end_pos - tail_from;

	if (rc < 0 || rs->file_bytes < tail_from + block) {
		return rc < 0 ? rc : 0; /* truncated already: it is about to be sealed */
	}
	uint8_t *bytes = aligned_alloc(4096, bytes_ceil(block, 4096));

	if (!bytes) {
		return -ENOMEM;
	}
	memset(bytes, 0, block);
	if (tail_len > 0) {
		memcpy(bytes, at_pos(rs, tail_from), tail_len);
	}
	rc = io->ops->pwrite(io, rs->fd, bytes, block, tail_from);
	free(bytes);
	return rc < 0 ? rc : 0;
}

/*
 * What groups in flight may have left behind the end, with holes where a write did not land. Only pieces
 * that are not zero are written. Half of log.recovery.max.bytes is looked at for all partitions together;
 * where there are so many, one hole of zeros ends it.
 */
static int
zero_behind(struct recovery_segment *rs)
{
	uint32_t block = rs->r->store->block_bytes;
	uint64_t at = bytes_ceil(rs->end_pos, block);
	uint64_t limit = at + 2 * rs->r->store->options.group_max_bytes;
	uint64_t zeros = 0;
	struct io *io = rs->r->io;
	uint8_t *piece = aligned_alloc(4096, ZERO_PIECE);
	int rc = piece ? 0 : -ENOMEM;

	limit = limit < rs->file_bytes ? limit : rs->file_bytes;
	while (rc >= 0 && at < limit &&
		(rs->r->behind_left > 0 || zeros < ZERO_ENOUGH || at < rs->written_end)) {
		uint32_t len = limit - at < ZERO_PIECE ? (uint32_t)(limit - at) : ZERO_PIECE;

		rs->r->behind_left -= len < rs->r->behind_left ? len : rs->r->behind_left;
		bool dirty = io->ops->pread(io, rs->fd, piece, len, at) < 0;

		for (uint32_t i = 0; i < len && !dirty; i++) {
			dirty = piece[i] != 0;
		}
		zeros = dirty ? 0 : zeros + len;
		if (dirty) {
			memset(piece, 0, len);
			rc = io->ops->pwrite(io, rs->fd, piece, len, at);
		}
		at += len;
	}
	free(piece);
	return rc < 0 ? rc : 0;
}

struct index_rebuild {
	struct recovery_segment *rs;
	uint8_t *entries;
	uint8_t *times;
	uint32_t entry_count, time_count;
};

static void
note_producer(struct recovery_segment *rs, const struct record_batch *batch)
{
	struct log_shard *shard = rs->r->store->shards[rs->p->shard];

	if (batch->producer_id >= 0 && batch->base_offset >= rs->producers_from) {
		producer_note(&shard->producers, &rs->p->producers, batch, record_batch_last_offset(batch),
			clock_now_ns(rs->r->store->options.clock));
	}
}

/* Feeds one batch behind the checkpoint to everything that the appender would have fed. */
static void
replay_batch(struct index_rebuild *ib, uint32_t pos, const struct record_batch *batch, uint32_t total)
{
	struct recovery_segment *rs = ib->rs;
	struct segment *s = rs->s;
	int64_t last = record_batch_last_offset(batch);
	uint32_t crc = range_crc_of_batch(at_pos(rs, pos), total);
	struct segment_index_step step = segment_index_append(&s->index,
		&(struct segment_index_batch){.last_offset = last,
			.max_timestamp_ms = batch->max_timestamp_ms,
			.position = pos,
			.bytes = total});

	if (step.has_entry) {
		segment_index_encode(&step.entry,
			ib->entries + (size_t)ib->entry_count++ * SEGMENT_INDEX_ENTRY_BYTES);
	}
	if (step.has_time_entry) {
		segment_index_encode_time(&step.time_entry,
			ib->times + (size_t)ib->time_count++ * SEGMENT_INDEX_TIME_ENTRY_BYTES);
	}
	range_crc_append(&s->closed_crc, crc, total);
	seal_runs_add(&s->runs, crc, total, (uint32_t)(last + 1 - s->base));
	s->batch_count++;
	s->record_count += (uint32_t)batch->record_count;
	note_producer(rs, batch);
}

static void
note_between(struct recovery_segment *rs, uint32_t pos, const struct record_batch *batch, uint32_t total)
{
	struct segment_index *index = &rs->s->index;

	if (pos < rs->walk_from) {
		return;
	}
	index->bytes_since_entry += total;
	if (batch->max_timestamp_ms > index->max_timestamp_ms) {
		index->max_timestamp_ms = batch->max_timestamp_ms;
		index->max_timestamp_offset = record_batch_last_offset(batch);
	}
}

static int
replay(struct index_rebuild *ib)
{
	struct recovery_segment *rs = ib->rs;
	struct segment *s = rs->s;
	uint32_t pos = rs->note_from;
	struct record_batch_iterator it;
	int rc;

	/*
	 * Between the last index entry and the checkpoint: only counts and the greatest timestamp. Before
	 * that entry, where the producers' file is older: only producers.
	 */
	record_batch_iterator_init(&it, at_pos(rs, pos), rs->end_pos - pos);
	for (; (rc = record_batch_iterator_next(&it)) == 1; pos += (uint32_t)it.len) {
		if (pos == 0) {
			s->has_first_timestamp = true;
			s->first_timestamp_ms = it.batch.max_timestamp_ms;
		}
		if (pos >= rs->rebuild_from) {
			replay_batch(ib, pos, &it.batch, (uint32_t)it.len);
		} else {
			note_producer(rs, &it.batch);
			note_between(rs, pos, &it.batch, (uint32_t)it.len);
		}
	}
	return rc < 0 ? -EBADMSG : 0;
}

/* Over what is there, then cut: blocks that were given away first might not be had again. */
static int
write_tail_of(struct io *io, int fd, uint64_t keep_bytes, const uint8_t *bytes, size_t len)
{
	int rc = len > 0 ? io->ops->pwrite(io, fd, bytes, len, keep_bytes) : 0;

	rc = rc < 0 ? rc : io->ops->truncate(io, fd, keep_bytes + len);
	return rc < 0 ? rc : io->ops->fsync(io, fd);
}

static int
rebuild_indexes(struct recovery_segment *rs)
{
	struct log_keeper *keeper = rs->r->store->keeper;
	struct segment *s = rs->s;
	uint32_t batches_max = (rs->end_pos - rs->walk_from) / RECORD_BATCH_HEADER_BYTES + 1;
	struct index_rebuild ib = {.rs = rs,
		.entries = malloc((size_t)batches_max * SEGMENT_INDEX_ENTRY_BYTES),
		.times = malloc((size_t)batches_max * SEGMENT_INDEX_TIME_ENTRY_BYTES)};
	int rc = ib.entries && ib.times ? replay(&ib) : -ENOMEM;

	rc = rc < 0 ? rc : keeper_segment_open_indexes(keeper, rs->p, s);
	rc = rc < 0 ? rc
		    : write_tail_of(rs->r->io, s->index_fd,
			      (uint64_t)rs->index_entries * SEGMENT_INDEX_ENTRY_BYTES, ib.entries,
			      (size_t)ib.entry_count * SEGMENT_INDEX_ENTRY_BYTES);
	rc = rc < 0 ? rc
		    : write_tail_of(rs->r->io, s->time_index_fd,
			      (uint64_t)rs->time_index_entries * SEGMENT_INDEX_TIME_ENTRY_BYTES, ib.times,
			      (size_t)ib.time_count * SEGMENT_INDEX_TIME_ENTRY_BYTES);
	s->index_bytes = (uint64_t)s->index.entry_count * SEGMENT_INDEX_ENTRY_BYTES;
	s->time_index_bytes = (uint64_t)s->index.time_entry_count * SEGMENT_INDEX_TIME_ENTRY_BYTES;
	free(ib.entries);
	free(ib.times);
	return rc;
}

/* Without the segment's first batch in the image: its timestamp decides when it rolls by age. */
static void
read_first_timestamp(struct recovery_segment *rs)
{
	uint8_t header[RECORD_BATCH_HEADER_BYTES];
	struct record_batch batch;
	struct io *io = rs->r->io;

	if (rs->s->has_first_timestamp || rs->end_pos == 0) {
		return;
	}
	if (io->ops->pread(io, rs->fd, header, sizeof(header), 0) >= 0 &&
		record_batch_decode(header, sizeof(header), &batch) == 0) {
		rs->s->has_first_timestamp = true;
		rs->s->first_timestamp_ms = batch.max_timestamp_ms;
	}
}

int
recovery_segment_apply(struct recovery_segment *rs)
{
	struct segment *s = rs->s;
	struct io *io = rs->r->io;
	int rc = write_blocks(rs);

	rc = rc < 0 ? rc : zero_behind(rs);
	rc = rc < 0 ? rc : io->ops->fsync(io, rs->fd);
	s->crc_from = rs->rebuild_from;
	s->end_pos = rs->end_pos;
	s->closed_pos = rs->end_pos;
	s->durable_pos = rs->end_pos;
	s->end_offset = rs->end_offset;
	s->durable_end_offset = rs->end_offset;
	rc = rc < 0 ? rc : rebuild_indexes(rs);
	if (rc < 0) {
		return rc;
	}
	read_first_timestamp(rs);
	s->durable_crc = s->closed_crc;
	/* The next anchor repeats the checkpoint this recovery started from. */
	s->checkpoint = (struct segment_checkpoint){.pos = rs->rebuild_from,
		.offset = rs->rebuild_from == rs->checkpoint_pos ? rs->checkpoint_offset : s->base,
		.index_entries = rs->index_entries,
		.time_index_entries = rs->time_index_entries};
	uint32_t tail = rs->end_pos & (rs->r->store->block_bytes - 1);

	memcpy(s->tail_block, at_pos(rs, rs->end_pos - tail), tail);
	s->roll_noted = true;
	return 0;
}

void
recovery_segment_free(struct recovery_segment *rs)
{
	free(rs->image);
	rs->image = NULL;
	if (rs->fd >= 0) {
		rs->r->io->ops->close(rs->r->io, rs->fd);
		rs->fd = -1;
	}
}
