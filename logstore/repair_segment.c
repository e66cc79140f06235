/* SPDX-License-Identifier: Apache-2.0 */
/* One segment under repair: which batches are sound, and its files written anew. See repair.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/crc32c.h"
#include "base/ensure.h"
#include "base/log.h"
#include "logstore/repair.h"

#define HOLES_TOLD 16

/* The segment as it lies there. */
struct salvage {
	struct repair *repair;
	struct repair_segment *segment;
	struct recovery_segment image;
	struct recovery_entry *entries;
	uint32_t pos;
	int64_t expect; /* of the next sound batch, or greater */
	int64_t hint;	/* where the batch behind a damaged one begins, by the header of that; -1: it says nothing */
	struct record_batch batch; /* that was found last, and its place */
	uint32_t batch_pos, batch_bytes;
};

/* --- finding sound batches --------------------------------------------------------------------- */

static int
open_image(struct salvage *s)
{
	struct repair *r = s->repair;
	struct recovery_segment *image = &s->image;
	char path[FILE_PATH_MAX];
	struct io_stat stat;

	*image = (struct recovery_segment){.r = &r->recovery,
		.p = r->p,
		.report = &r->report,
		.epochs = r->c.epochs,
		.epoch_count = r->c.epoch_count,
		.fd = -1};
	s->entries = calloc(r->c.entry_count + 1, sizeof(s->entries[0]));
	if (!s->entries) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < r->c.entry_count; i++) {
		if (r->c.entries[i].entry.segment_base == s->segment->base) {
			s->entries[image->entry_count++] = r->c.entries[i];
		}
	}
	image->entries = s->entries;
	file_util_segment_path(path, r->p->dir, s->segment->base, ".log");
	if (s->segment->prep_id != 0) {
		file_util_spare_path(path, s->segment->prep_id, "prep");
	}
	int rc = r->c.io->ops->stat(r->c.io, path, &stat);

	if (rc == -ENOENT) {
		return recovery_segment_image(image); /* as much as the proofs hold of it */
	}
	image->file_bytes = rc < 0 ? 0 : stat.size_bytes;
	if (image->file_bytes > INT32_MAX) {
		return -EFBIG; /* no segment of ours, nor of Kafka's */
	}
	image->fd = rc < 0 ? rc : r->c.io->ops->open(r->c.io, path, IO_OPEN_READ_ONLY);
	return image->fd < 0 ? image->fd : recovery_segment_image(image);
}

static void
close_image(struct salvage *s)
{
	recovery_segment_free(&s->image);
	free(s->entries);
}

/*
 * The base offset stands outside the CRC. Behind a gap nothing before the batch speaks for it: so what comes
 * behind must, or the header of the damaged one before it.
 */
static bool
is_in_place(const struct salvage *s)
{
	const uint8_t *image = s->image.image;
	uint32_t limit = s->image.image_bytes;
	uint32_t behind = s->batch_pos + s->batch_bytes;
	int64_t end = record_batch_last_offset(&s->batch) + 1;
	struct record_batch next;

	if (s->batch.base_offset == s->expect || s->batch.base_offset == s->hint || end == s->segment->end) {
		return true;
	}
	return record_batch_decode(image + behind, limit - behind, &next) == 0 && next.base_offset == end &&
		recovery_segment_batch(&s->image, behind, limit, &next) > 0;
}

static bool
sound_at(struct salvage *s, uint32_t pos)
{
	const uint8_t *bytes = s->image.image + pos;
	uint32_t limit = s->image.image_bytes;

	s->batch_pos = pos;
	/* Place first, the CRC last: what looks like a batch inside a payload costs little. */
	if (record_batch_decode(bytes, limit - pos, &s->batch) < 0 ||
		s->batch.base_offset < s->expect || s->batch.base_offset >= s->segment->end ||
		s->batch.last_offset_delta >= s->segment->end - s->batch.base_offset) {
		return false;
	}
	s->batch_bytes = recovery_segment_batch(&s->image, pos, limit, &s->batch);
	return s->batch_bytes > 0 && is_in_place(s);
}

/*
 * Behind a batch that is not sound: where its own length says that the next one is, so that nothing
 * inside it is taken for one; else wherever there is one.
 */
static bool
find_behind(struct salvage *s, uint32_t pos)
{
	const uint8_t *image = s->image.image;
	uint32_t limit = s->image.image_bytes;
	struct record_batch bad;
	bool header = record_batch_decode(image + pos, limit - pos, &bad) == 0 &&
		bad.magic == RECORD_BATCH_MAGIC && bad.batch_length >= RECORD_BATCH_LENGTH_MIN;

	s->hint = header && bad.base_offset == s->expect && bad.last_offset_delta >= 0
		? bad.base_offset + bad.last_offset_delta + 1
		: -1;
	if (header && record_batch_total_bytes(&bad) < limit - pos &&
		sound_at(s, pos + (uint32_t)record_batch_total_bytes(&bad))) {
		return true;
	}
	for (uint32_t at = pos + 1; at + RECORD_BATCH_HEADER_BYTES <= limit; at++) {
		if (image[at + 16] == RECORD_BATCH_MAGIC && sound_at(s, at)) {
			return true;
		}
	}
	return false;
}

/* The next sound batch, in s->batch. False: there is none. */
static bool
next_batch(struct salvage *s)
{
	s->hint = -1;
	if (s->image.image_bytes - s->pos < RECORD_BATCH_HEADER_BYTES ||
		(!sound_at(s, s->pos) && !find_behind(s, s->pos))) {
		return false;
	}
	s->pos = s->batch_pos + s->batch_bytes;
	return true;
}

/* --- judging ----------------------------------------------------------------------------------- */

static void
note_loss(struct salvage *s, int64_t from, int64_t until)
{
	struct log_repair *asked = &s->repair->command->repair;

	s->segment->gaps = true;
	if (from < s->repair->start) {
		from = s->repair->start;
	}
	if (from >= until) {
		return;
	}
	if (asked->hole_count < HOLES_TOLD) {
		log_warning("logstore", "%s: offsets [%" PRId64 ", %" PRId64 ") of segment %" PRId64
				       " are lost, unless a file with them is put back",
			s->repair->p->dir, from, until, s->segment->base);
	}
	if (asked->hole_count == 0 || from < asked->loss_from) {
		asked->loss_from = from;
	}
	asked->loss_until = until;
	asked->lost_offsets += (uint64_t)(until - from);
	asked->hole_count++;
}

/* A sealed segment that an earlier repair left with gaps, and that is as it was left. */
static bool
is_as_sealed(struct repair *r, const struct repair_segment *segment, const struct seal *seal)
{
	char path[FILE_PATH_MAX];
	uint64_t len = 0;
	uint32_t crc = 0;

	file_util_segment_path(path, r->p->dir, segment->base, ".log");
	return (seal->flags & SEAL_COMPACTED) &&
		file_util_crc(r->c.io, path, &crc, &len) == 0 && len == seal->log_bytes &&
		crc == seal->log_crc;
}

/* What quarantine.json names. The end of the doubt may not be known. */
static bool
in_doubt(const struct partition *p, const struct repair_segment *segment)
{
	const struct doubtful_range *d = &p->doubtful;

	return segment->end > d->first_offset &&
		(segment->base < d->end_offset || d->end_offset <= d->first_offset);
}

/* Sealed, and it joins the next segment. Whether its bytes are good is another question. */
static bool
read_seal(struct repair *r, struct repair_segment *segment, struct seal *ret_seal)
{
	char path[FILE_PATH_MAX];
	struct io_stat stat;

	file_util_segment_path(path, r->p->dir, segment->base, ".log");
	return segment->prep_id == 0 && r->c.io->ops->stat(r->c.io, path, &stat) == 0 &&
		recovery_names_read_seal(&r->c, segment->base, ret_seal) == 0 &&
		ret_seal->log_bytes == stat.size_bytes && ret_seal->end_offset == segment->end;
}

/*
 * Sealed, and each of its batches is sound. It stays unless the proofs mended it. A file of another segment is
 * sound too: that it was put in the wrong place only the seal can tell.
 */
static void
judge_whole(struct salvage *s, const struct seal *seal)
{
	struct repair_segment *segment = s->segment;

	if (segment->log_bytes == seal->log_bytes &&
		crc32c_update(0, s->image.image, segment->log_bytes) == seal->log_crc) {
		segment->keep = !s->image.repaired;
		return;
	}
	log_warning("logstore", "%s: the file of segment %" PRId64 " is not the one that was sealed",
		s->repair->p->dir, segment->base);
	segment->foreign = true;
	segment->log_bytes = 0;
	segment->batch_count = 0;
	note_loss(s, segment->base, segment->end);
}

int
repair_segment_judge(struct repair *repair, struct repair_segment *segment)
{
	struct salvage s = {.repair = repair, .segment = segment, .expect = segment->base};
	struct seal seal = {0};
	bool sealed = read_seal(repair, segment, &seal);

	segment->log_bytes = seal.log_bytes;
	segment->gaps = (seal.flags & SEAL_COMPACTED) != 0;
	if (sealed &&
		(!in_doubt(repair->p, segment) || is_as_sealed(repair, segment, &seal))) {
		segment->keep = true;
		return 0;
	}
	int rc = open_image(&s);

	segment->gaps = false;
	segment->log_bytes = 0;
	while (rc == 0 && next_batch(&s)) {
		if (s.batch.base_offset > s.expect) {
			note_loss(&s, s.expect, s.batch.base_offset);
		}
		s.expect = record_batch_last_offset(&s.batch) + 1;
		segment->log_bytes += s.batch_bytes;
		segment->batch_count++;
	}
	if (rc == 0 && s.expect < segment->end) {
		note_loss(&s, s.expect, segment->end);
	}
	if (rc == 0 && sealed && !segment->gaps) {
		judge_whole(&s, &seal);
	}
	close_image(&s);
	return rc;
}

/* --- writing ----------------------------------------------------------------------------------- */

struct rewrite {
	int fd;
	uint32_t end_pos; /* of the new file */
	struct segment_index index;
	uint8_t *entries;
	uint8_t *times;
	size_t entries_len, times_len;
	struct seal_run *run_table;
	struct seal_runs runs;
	struct seal seal;
};

static int
rewrite_begin(struct rewrite *w, struct salvage *s)
{
	struct repair *r = s->repair;
	const struct log_topic_config *config = &r->p->config;
	size_t batches = (size_t)s->segment->batch_count + 1;
	char path[FILE_PATH_MAX];

	*w = (struct rewrite){.fd = -1,
		.entries = malloc(batches * SEGMENT_INDEX_ENTRY_BYTES),
		.times = malloc((batches + 1) * SEGMENT_INDEX_TIME_ENTRY_BYTES),
		.run_table = calloc(SEAL_RUNS_MAX, sizeof(struct seal_run))};
	if (!w->entries || !w->times || !w->run_table) {
		return -ENOMEM;
	}
	seal_runs_init(&w->runs, w->run_table, SEAL_RUNS_MAX);
	segment_index_init(&w->index, s->segment->base, config->index_interval_bytes,
		config->index_bytes_max);
	w->seal = (struct seal){.flags = s->segment->gaps ? SEAL_COMPACTED : 0,
		.partition = r->p->partition,
		.file_id = rand_u64(r->recovery.store->options.rand),
		.base_offset = s->segment->base,
		.end_offset = s->segment->end};
	memcpy(w->seal.topic_id, r->p->topic_id, sizeof(w->seal.topic_id));
	file_util_segment_path(path, r->p->dir, s->segment->base, ".log" REPAIR_SUFFIX);
	w->fd = r->c.io->ops->open(r->c.io, path, IO_OPEN_CREATE);
	return w->fd < 0 ? w->fd : 0;
}

static void
rewrite_free(struct rewrite *w, struct io *io)
{
	if (w->fd >= 0) {
		io->ops->close(io, w->fd);
	}
	free(w->entries);
	free(w->times);
	free(w->run_table);
}

static int
rewrite_batch(struct rewrite *w, struct salvage *s)
{
	const uint8_t *bytes = s->image.image + s->batch_pos;
	int64_t last = record_batch_last_offset(&s->batch);
	struct segment_index_step step = segment_index_append(&w->index,
		&(struct segment_index_batch){.last_offset = last,
			.max_timestamp_ms = s->batch.max_timestamp_ms,
			.position = w->end_pos,
			.bytes = s->batch_bytes});

	if (step.has_entry) {
		segment_index_encode(&step.entry, w->entries + w->entries_len);
		w->entries_len += SEGMENT_INDEX_ENTRY_BYTES;
	}
	if (step.has_time_entry) {
		segment_index_encode_time(&step.time_entry, w->times + w->times_len);
		w->times_len += SEGMENT_INDEX_TIME_ENTRY_BYTES;
	}
	if (w->end_pos == 0) {
		w->seal.first_timestamp_ms = s->batch.max_timestamp_ms;
	}
	seal_runs_add(&w->runs, range_crc_of_batch(bytes, s->batch_bytes), s->batch_bytes,
		(uint32_t)(last + 1 - s->segment->base));
	w->seal.batch_count++;
	w->seal.record_count += (uint32_t)s->batch.record_count;
	int rc = s->repair->c.io->ops->pwrite(s->repair->c.io, w->fd, bytes, s->batch_bytes, w->end_pos);

	w->end_pos += s->batch_bytes;
	return rc < 0 ? rc : 0;
}

static int
write_file(struct salvage *s, const char *suffix, const void *bytes, size_t len)
{
	char name[FILE_PATH_MAX];

	file_util_segment_path(name, NULL, s->segment->base, suffix);
	return file_util_replace_lazy(s->repair->c.io, s->repair->p->dir, name, bytes, len);
}

/* Indexes and seal of what was copied. */
static int
rewrite_end(struct rewrite *w, struct salvage *s)
{
	struct segment_index_time_entry last;
	struct io *io = s->repair->c.io;
	int rc = io->ops->fsync(io, w->fd);

	if (segment_index_close(&w->index, &last)) {
		segment_index_encode_time(&last, w->times + w->times_len);
		w->times_len += SEGMENT_INDEX_TIME_ENTRY_BYTES;
	}
	seal_runs_finish(&w->runs);
	w->seal.log_bytes = w->end_pos;
	w->seal.max_timestamp_ms = w->index.max_timestamp_ms;
	w->seal.max_timestamp_offset = w->index.max_timestamp_offset;
	w->seal.log_crc = w->runs.whole.crc;
	w->seal.index_crc = crc32c_update(0, w->entries, w->entries_len);
	w->seal.time_index_crc = crc32c_update(0, w->times, w->times_len);
	w->seal.run_count = w->runs.run_count;
	uint8_t *bytes = malloc(seal_bytes(w->seal.run_count));
	int len = bytes ? seal_encode(&w->seal, w->run_table, bytes, seal_bytes(w->seal.run_count))
			: -ENOMEM;

	rc = rc < 0 ? rc : len;
	rc = rc < 0 ? rc : write_file(s, ".index" REPAIR_SUFFIX, w->entries, w->entries_len);
	rc = rc < 0 ? rc : write_file(s, ".timeindex" REPAIR_SUFFIX, w->times, w->times_len);
	rc = rc < 0 ? rc : write_file(s, ".seal" REPAIR_SUFFIX, bytes, (size_t)len);
	rc = rc < 0 ? rc : io->ops->fsync_dir(io, s->repair->p->dir);
	free(bytes);
	return rc;
}

/* A file that kept the name of a spare would be taken for one after the repair. */
static int
finish_name(struct salvage *s)
{
	int rc = s->segment->prep_id == 0 ? 0
					  : recovery_names_finish(&s->repair->c, s->segment->base,
						    s->segment->prep_id);

	s->segment->prep_id = rc < 0 ? s->segment->prep_id : 0;
	return rc;
}

int
repair_segment_write(struct repair *repair, struct repair_segment *segment)
{
	struct salvage s = {
		.repair = repair, .segment = segment, .expect = segment->base, .image = {.fd = -1}};
	struct rewrite w;
	int rc = finish_name(&s);

	rc = rc < 0 ? rc : open_image(&s);
	int begun = rewrite_begin(&w, &s);

	rc = rc < 0 ? rc : begun;
	while (rc == 0 && !segment->foreign && next_batch(&s)) {
		s.expect = record_batch_last_offset(&s.batch) + 1;
		rc = rewrite_batch(&w, &s);
	}
	/* A disk that says something else than a moment ago is not one to decide on. */
	if (rc == 0 && (w.end_pos != segment->log_bytes || w.seal.batch_count != segment->batch_count)) {
		rc = -EIO;
	}
	rc = rc < 0 ? rc : rewrite_end(&w, &s);
	rewrite_free(&w, repair->c.io);
	close_image(&s);
	return rc;
}
