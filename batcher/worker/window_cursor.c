/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cursor of window functions: record views straight out of the log's pinned memory, partition
 * by partition in offset order. Worker lcore. It reproduces the judgement that the batcher made at
 * each record's micro-batch (batcher/microbatch.c proves why an interval and the exclusions
 * suffice), and at the end compares its count with the batcher's: a difference is damage, never
 * silence.
 *
 * Bytes come from the log, so they are checked like any disk content; what is walked once per
 * record is one bounded pass without calls.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "base/compiler.h"
#include "base/ensure.h"
#include "batcher/worker/worker_task.h"
#include "wire/record_batch.h"

struct cursor {
	struct worker_task *task;
	struct task_place place; /* next record to look at */
	const uint8_t *at;       /* next record while records_left > 0, else next record batch */
	const uint8_t *batch_end;
	const uint8_t *extent_end;
	int64_t base_offset;
	int64_t base_timestamp_ms;
	int64_t append_time_ms;
	int64_t until;  /* of the slice */
	int64_t low_ms; /* timestamps [low, high] pass */
	int64_t high_ms;
	uint64_t delivered;
	uint32_t chapter;
	uint32_t extent; /* index of the one being read */
	int32_t records_left;
	int32_t error;
	bool append_time;
	bool done;
};
_Static_assert(sizeof(struct cursor) <= sizeof(struct penstock_cursor), "cursor fits its opaque");
_Static_assert(offsetof(struct penstock_record, headers) == PENSTOCK_RECORD_BYTES_MIN,
	"a record ends behind its value at the earliest");

/* Where the caller wants records: of its own length each, which is at least the minimum. */
struct cursor_room {
	uint8_t *at;
	uint32_t left;
	size_t record_bytes;
};

static inline struct cursor *
cursor_of(struct penstock_cursor *opaque)
{
	return (struct cursor *)opaque;
}

void
penstock_cursor_open(struct penstock_cursor *opaque, const struct penstock_task *task)
{
	struct cursor *c = cursor_of(opaque);
	/* The task is the caller's to read; only the cursor asks for chapters through it. */
	struct worker_task *t = &((struct penstock_task *)task)->inner;

	memset(opaque, 0, sizeof(*opaque));
	c->task = t;
	c->place = (struct task_place){.offset = t->slice_count > 0 ? t->slices[0].from : 0};
	c->low_ms = t->low_ms;
	c->high_ms = t->high_ms;
	c->chapter = t->chapter - 1; /* none yet */
}

/* Points at the extent that holds c->place; false if the current chapter lacks it. */
static bool
cursor_seek(struct cursor *c)
{
	const struct worker_task *t = c->task;

	if (task_place_before(c->place, t->chapter_start) ||
		!task_place_before(c->place, t->chapter_end)) {
		return false;
	}
	for (uint32_t i = 0; i < t->extent_count; i++) {
		const struct task_extent *extent = &t->extents[i];

		if (extent->slice < c->place.slice ||
			(extent->slice == c->place.slice && extent->until <= c->place.offset)) {
			continue;
		}
		if (extent->slice > c->place.slice) {
			/* No extent holds the rest of its slice: these offsets are gone. */
			c->place = (struct task_place){
				.slice = extent->slice, .offset = t->slices[extent->slice].from};
		}
		c->extent = i;
		c->at = extent->data;
		c->extent_end = extent->data + extent->len;
		c->until = t->slices[extent->slice].until;
		c->records_left = 0;
		c->chapter = t->chapter;
		return true;
	}
	return false;
}

/* Moves c->place to the start of the next slice once its own is used up. */
static void
cursor_skip_slices(struct cursor *c)
{
	const struct worker_task *t = c->task;

	while (c->place.slice < t->slice_count &&
		c->place.offset >= t->slices[c->place.slice].until) {
		c->place.slice++;
		c->place.offset =
			c->place.slice < t->slice_count ? t->slices[c->place.slice].from : 0;
	}
}

/* The chapter has c->place and no extent at or behind it: these offsets are gone. */
static bool
cursor_skip_gap(struct cursor *c)
{
	const struct worker_task *t = c->task;

	if (task_place_before(c->place, t->chapter_start) ||
		!task_place_before(c->place, t->chapter_end)) {
		return false;
	}
	c->place = t->chapter_end;
	return true;
}

/* Finds c->place, asking for another chapter if need be. 1, 0 at the end, negative errno. */
static int
cursor_find(struct cursor *c, bool may_suspend)
{
	struct worker_task *t = c->task;

	for (;;) {
		cursor_skip_slices(c);
		if (c->place.slice == t->slice_count) {
			c->done = true;
			return c->delivered == t->info.record_count ? 0 : -EBADMSG;
		}
		if (cursor_seek(c)) {
			return 1;
		}
		if (cursor_skip_gap(c)) {
			continue;
		}
		if (t->read_error) {
			return t->read_error;
		}
		if (!may_suspend) {
			return 0;
		}
		t->want = c->place;
		t->wants_more = true;
		t->suspended = true;
		fiber_yield(t->fiber);
	}
}

/* Opens the next record batch of the extent at c->at. 1 opened, 0 nothing in it, -errno. */
static int
cursor_open_batch(struct cursor *c)
{
	size_t left = (size_t)(c->extent_end - c->at);
	struct record_batch batch;

	if (record_batch_decode(c->at, left, &batch) || batch.magic != RECORD_BATCH_MAGIC ||
		batch.batch_length < RECORD_BATCH_LENGTH_MIN ||
		record_batch_total_bytes(&batch) > left || batch.record_count < 0 ||
		batch.base_offset < 0 || record_batch_last_offset(&batch) < batch.base_offset ||
		record_batch_last_offset(&batch) == INT64_MAX) {
		return -EBADMSG;
	}
	const uint8_t *end = c->at + record_batch_total_bytes(&batch);
	int64_t next_offset = record_batch_last_offset(&batch) + 1;

	if ((batch.attributes & RECORD_BATCH_CONTROL) || next_offset <= c->place.offset) {
		c->at = end;
		if (next_offset > c->place.offset) {
			c->place.offset = next_offset;
		}
		return 0;
	}
	if (batch.attributes & RECORD_BATCH_CODEC_MASK) {
		return -ENOTSUP;
	}
	c->at += RECORD_BATCH_HEADER_BYTES;
	c->batch_end = end;
	c->base_offset = batch.base_offset;
	c->base_timestamp_ms = batch.base_timestamp_ms;
	c->append_time = batch.attributes & RECORD_BATCH_LOG_APPEND_TIME;
	c->append_time_ms = batch.max_timestamp_ms;
	c->records_left = batch.record_count;
	return 1;
}

/*
 * Gets to a record: in this batch, the next batch, extent or chapter. 1 with records_left > 0, 0 at
 * the end or, without may_suspend, before a chapter change; negative errno.
 */
static int
cursor_advance(struct cursor *c, bool may_suspend)
{
	for (;;) {
		int rc;

		if (c->chapter != c->task->chapter) {
			c->records_left = 0;
			c->at = c->extent_end = NULL;
		}
		if (c->records_left > 0) {
			return 1;
		}
		if (c->at == c->extent_end || c->place.offset >= c->until) {
			if (c->at && c->place.offset < c->until) {
				c->place.offset = c->task->extents[c->extent].until;
			}
			c->at = c->extent_end =
				NULL; /* used up, even if find must be asked again */
			rc = cursor_find(c, may_suspend);
			if (rc <= 0) {
				return rc;
			}
		}
		rc = cursor_open_batch(c);
		if (rc < 0) {
			return rc;
		}
	}
}

static inline bool
cursor_varint(const uint8_t **at, const uint8_t *end, int64_t *ret_value)
{
	const uint8_t *p = *at;
	uint64_t v = 0;

	for (uint32_t shift = 0; p < end && shift < 64; shift += 7) {
		uint8_t byte = *p++;

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (likely(!(byte & 0x80))) {
			*at = p;
			*ret_value = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
			return true;
		}
	}
	return false;
}

/* A length-prefixed field of a record; NULL for null (-1). */
static inline bool
cursor_field(const uint8_t **at, const uint8_t *end, int32_t *ret_len, const void **ret_bytes)
{
	int64_t len;

	if (unlikely(!cursor_varint(at, end, &len) || len < -1 || len > end - *at)) {
		return false;
	}
	*ret_len = (int32_t)len;
	*ret_bytes = len < 0 ? NULL : *at;
	*at += len < 0 ? 0 : len;
	return true;
}

/* Decodes the record at c->at and steps over it. False: malformed. */
static inline bool
cursor_record(struct cursor *c, struct penstock_record *r)
{
	const uint8_t *p = c->at;
	int64_t length;
	int64_t timestamp_delta;
	int64_t offset_delta;
	int64_t header_count;

	if (unlikely(!cursor_varint(&p, c->batch_end, &length) || length < 1 ||
		     length > c->batch_end - p)) {
		return false;
	}
	const uint8_t *end = p + length;

	p++; /* attributes: none defined */
	if (unlikely(!cursor_varint(&p, end, &timestamp_delta) ||
		     !cursor_varint(&p, end, &offset_delta) ||
		     !cursor_field(&p, end, &r->key_len, &r->key) ||
		     !cursor_field(&p, end, &r->value_len, &r->value) ||
		     !cursor_varint(&p, end, &header_count) || header_count < 0 ||
		     header_count > end - p)) { /* a header takes 2 bytes at least */
		return false;
	}
	r->offset = (int64_t)((uint64_t)c->base_offset + (uint64_t)offset_delta);
	r->timestamp_ms =
		c->append_time
			? c->append_time_ms
			: (int64_t)((uint64_t)c->base_timestamp_ms + (uint64_t)timestamp_delta);
	r->header_count = (int32_t)header_count;
	r->headers = p;
	r->headers_bytes = (uint32_t)(end - p);
	r->reserved = 0;
	c->at = end;
	c->records_left--;
	return true;
}

static bool
cursor_excluded(const struct cursor *c, const struct penstock_record *r)
{
	const struct task_slice *slice = &c->task->slices[c->place.slice];
	const struct task_exclusion *x = &c->task->exclusions[slice->exclusion_first];

	for (uint32_t i = 0; i < slice->exclusion_count; i++, x++) {
		if (r->offset >= x->from && r->offset < x->until) {
			return r->timestamp_ms > x->limit_ms;
		}
	}
	return false;
}

/* The rare rules: no timestamp in a window around -1; refused as future at the time. */
static bool
cursor_refused(const struct cursor *c, const struct penstock_record *r)
{
	return (c->task->by_time && r->timestamp_ms == -1) || cursor_excluded(c, r);
}

/* A record of the caller's length may end before or behind ours. */
static void
cursor_fit(const struct penstock_record *r, uint8_t *room, size_t record_bytes)
{
	size_t known = record_bytes < sizeof(*r) ? record_bytes : sizeof(*r);

	memcpy(room, r, known);
	memset(room + known, 0, record_bytes - known);
}

/* Fills room from the open batch. -EBADMSG, else how many. */
static inline int
cursor_fill(struct cursor *c, struct cursor_room *room)
{
	const struct task_slice *slice = &c->task->slices[c->place.slice];
	bool rules = slice->exclusion_count > 0 || (c->task->by_time && c->low_ms < 0);
	bool same = likely(room->record_bytes == sizeof(struct penstock_record));
	struct penstock_record other;
	int n = 0;

	while (room->left > 0 && c->records_left > 0) {
		struct penstock_record *r = same ? (struct penstock_record *)room->at : &other;

		if (unlikely(!cursor_record(c, r))) {
			return -EBADMSG;
		}
		if (unlikely(r->offset < c->place.offset)) {
			continue;
		}
		if (unlikely(r->offset >= c->until)) {
			c->place.offset = c->until;
			c->records_left = 0;
			break;
		}
		c->place.offset = r->offset + 1;
		if (r->timestamp_ms < c->low_ms || r->timestamp_ms > c->high_ms ||
			unlikely(rules && cursor_refused(c, r))) {
			continue;
		}
		r->topic = slice->topic;
		r->partition = slice->partition;
		if (unlikely(!same)) {
			cursor_fit(r, room->at, room->record_bytes);
		}
		room->at += room->record_bytes;
		room->left--;
		n++;
	}
	if (c->records_left == 0 && c->place.offset < c->until) {
		c->at = c->batch_end;
	}
	return n;
}

int
penstock_cursor_next_sized(struct penstock_cursor *opaque, struct penstock_record *ret_records,
	uint32_t max, size_t record_bytes)
{
	struct cursor *c = cursor_of(opaque);
	struct cursor_room room = {(uint8_t *)ret_records, max, record_bytes};
	uint32_t n = 0;

	if (record_bytes < PENSTOCK_RECORD_BYTES_MIN || record_bytes % sizeof(uint64_t) != 0) {
		return -EINVAL;
	}
	if (c->error || c->done) {
		return c->error;
	}
	while (room.left > 0) {
		/* What was filled in must stay valid: no change of chapter behind it. */
		int rc = cursor_advance(c, n == 0);

		if (rc > 0) {
			rc = cursor_fill(c, &room);
			if (rc >= 0) {
				n += (uint32_t)rc;
				c->delivered += (uint32_t)rc;
				continue;
			}
		}
		c->error = rc;
		break;
	}
	return c->error ? c->error : (int)n;
}

int
penstock_header_get_sized(const struct penstock_record *record, int32_t index,
	struct penstock_header *ret_header, size_t header_bytes)
{
	const uint8_t *at = record->headers;
	const uint8_t *end = at + record->headers_bytes;
	struct penstock_header header = {0};
	const void *name = NULL;

	if (index < 0 || index >= record->header_count) {
		return -EINVAL;
	}
	for (int32_t i = 0; i <= index; i++) {
		if (!cursor_field(&at, end, &header.name_len, &name) || !name ||
			!cursor_field(&at, end, &header.value_len, &header.value)) {
			return -EBADMSG;
		}
	}
	header.name = name;
	worker_task_fill(ret_header, header_bytes, &header, sizeof(header));
	return 0;
}
