/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cursor of window functions over arbitrary extents. The input: flags, slice bounds, then the
 * bytes of one or two extents. Whatever they are: no byte outside an extent is looked at, every
 * record lies within its slice and window, offsets ascend, and the walk ends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "batcher/worker/worker_task.h"
#include "fuzz/fuzz.h"

#define HEAD_BYTES   6
#define RECORDS_MANY 7
#define HEADERS_MAX  8 /* getting all of many by index would take the square of them */
#define BASE	     (1ll << 40) /* offsets of a log that has run for a while */

enum input_flag {
	INPUT_BY_TIME = 1,
	INPUT_EXCLUSION = 2,
	INPUT_TWO = 4, /* the second half is another slice's extent */
	INPUT_BASE = 8, /* slices begin at BASE instead of 0 */
};

struct bench {
	struct penstock_task task;
	struct task_slice slices[2];
	struct task_exclusion exclusion;
};

/* Extents are heap blocks of their exact size. */
static void
add_extent(struct bench *b, const uint8_t *bytes, size_t len, int64_t from, int64_t until)
{
	struct worker_task *t = &b->task.inner;
	uint32_t i = t->slice_count;
	uint8_t *copy = malloc(len > 0 ? len : 1);

	ensure(copy != NULL);
	memcpy(copy, bytes, len);
	b->slices[i] = (struct task_slice){
		.topic = "t", .partition = i, .from = from, .until = until, .exclusion_count = 1};
	t->extents[i] = (struct task_extent){
		.data = copy, .len = (uint32_t)len, .slice = i, .until = until};
	t->slice_count = t->extent_count = i + 1;
}

static void
bench_open(struct bench *b, const uint8_t *bytes, size_t len)
{
	struct worker_task *t = &b->task.inner;
	uint8_t flags = bytes[0];
	int64_t base = flags & INPUT_BASE ? BASE : 0;
	int64_t from = base + bytes[1], until = from + 1 + bytes[2];
	size_t half = flags & INPUT_TWO ? (len - HEAD_BYTES) / 2 : len - HEAD_BYTES;

	memset(b, 0, sizeof(*b));
	t->slices = b->slices;
	t->exclusions = &b->exclusion;
	b->exclusion = (struct task_exclusion){from, flags & INPUT_EXCLUSION ? until : from,
		(int8_t)bytes[4]};
	add_extent(b, bytes + HEAD_BYTES, half, from, until);
	if (flags & INPUT_TWO) {
		add_extent(b, bytes + HEAD_BYTES + half, len - HEAD_BYTES - half, from, until);
	}
	t->by_time = flags & INPUT_BY_TIME;
	t->low_ms = t->by_time ? (int8_t)bytes[3] : INT64_MIN;
	t->high_ms = t->by_time ? t->low_ms + bytes[4] : INT64_MAX;
	t->info.record_count = bytes[5];
	t->chapter = 1;
	t->chapter_start = (struct task_place){0, from};
	t->chapter_end = (struct task_place){t->slice_count, 0};
}

static void
check_field(const struct task_extent *extent, const void *bytes, int32_t len)
{
	const uint8_t *at = bytes;

	if (len < 0) {
		ensure(len == -1);
		ensure(bytes == NULL);
		return;
	}
	ensure(at >= extent->data);
	ensure(at + len <= extent->data + extent->len);
}

static void
check_record(const struct bench *b, const struct penstock_record *r, const struct penstock_record *last)
{
	const struct worker_task *t = &b->task.inner;

	ensure(r->partition < t->slice_count);
	ensure(r->offset >= b->slices[r->partition].from);
	ensure(r->offset < b->slices[r->partition].until);
	ensure(r->timestamp_ms >= t->low_ms);
	ensure(r->timestamp_ms <= t->high_ms);
	check_field(&t->extents[r->partition], r->key, r->key_len);
	check_field(&t->extents[r->partition], r->value, r->value_len);
	ensure(r->header_count >= 0);
	check_field(&t->extents[r->partition], r->headers, (int32_t)r->headers_bytes);
	for (int32_t i = 0; i < r->header_count && i < HEADERS_MAX; i++) {
		struct penstock_header header;
		int rc = penstock_header_get(r, i, &header);

		ensure(rc == 0 || rc == -EBADMSG);
		if (rc == 0) {
			check_field(&t->extents[r->partition], header.name, header.name_len);
			check_field(&t->extents[r->partition], header.value, header.value_len);
		}
	}
	if (last->topic) {
		ensure(r->partition >= last->partition);
		ensure(r->partition > last->partition || r->offset > last->offset);
	}
}

/* Walks by steps of `max`. Returns the records delivered, *ret_rc what ended the walk. */
static uint64_t
walk(struct bench *b, uint32_t max, int *ret_rc)
{
	struct penstock_record records[RECORDS_MANY];
	struct penstock_record last = {0};
	struct penstock_cursor cursor;
	uint64_t count = 0;
	int rc;

	penstock_cursor_open(&cursor, &b->task);
	while ((rc = penstock_cursor_next_many(&cursor, records, max)) > 0) {
		for (int i = 0; i < rc; i++) {
			check_record(b, &records[i], &last);
			last = records[i];
		}
		count += (uint64_t)rc;
	}
	ensure(rc == 0 || rc == -EBADMSG || rc == -ENOTSUP);
	ensure(rc != 0 || count == b->task.inner.info.record_count);
	ensure(penstock_cursor_next_many(&cursor, records, max) == rc);
	*ret_rc = rc;
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct bench b;
	int one_rc, many_rc;
	uint64_t one;

	if (len < HEAD_BYTES) {
		return 0;
	}
	bench_open(&b, bytes, len);
	one = walk(&b, 1, &one_rc);
	/* Behind damage a step of many may give less: what it had in hand goes with the error. */
	ensure(walk(&b, RECORDS_MANY, &many_rc) <= one);
	ensure(many_rc == one_rc);
	for (uint32_t i = 0; i < b.task.inner.extent_count; i++) {
		free((void *)(uintptr_t)b.task.inner.extents[i].data);
	}
	return 0;
}
