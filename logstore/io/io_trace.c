/* SPDX-License-Identifier: Apache-2.0 */
/* See io_trace.h. */
#include "logstore/io/io_trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/ensure.h"

/* Guard records, by the file format. */
#define RECORD_HEADER_BYTES 80
#define RECORD_ENTRY_BYTES  128
#define RECORD_KIND_GROUP   1
#define RECORD_ENTRY_POISON 4
#define REAP_BURST	    64

enum trace_write_state {
	TRACE_QUEUED,
	TRACE_DONE,   /* completed; no flush covers it yet */
	TRACE_RETRY,  /* refused for the moment: the same bytes come again under the same number */
	TRACE_FAILED, /* never durable */
};

struct trace_write {
	uint64_t number; /* in order of queueing */
	uint64_t token;
	uint64_t position;
	uint64_t flush; /* queued after it completed; 0: none */
	const uint8_t *buffer;
	uint32_t file;
	uint32_t len;
	uint8_t flags;
	enum trace_write_state state;
};

struct trace_flush {
	uint64_t number;
	uint64_t token;
};

struct trace_slot {
	uint32_t file; /* one number a file bound to the slot */
	bool written;
};

struct trace_partition {
	uint8_t topic_id[16];
	uint32_t partition;
	bool frozen;	 /* a write of it failed */
	int64_t base;	 /* below: from before this trace */
	int64_t covered; /* below, from base on: proven durable */
};

struct trace_entry {
	uint32_t partition; /* index */
	uint32_t file;
	uint32_t start, end; /* positions */
	int64_t end_offset;
};

struct trace_group {
	uint64_t number; /* of its guard record's last write */
	uint64_t seq;
	uint64_t record_end; /* position */
	uint32_t file;	     /* the guard */
	struct trace_entry *entries;
	uint32_t entry_count;
};

/* A growing array. */
#define TRACE_LIST(type)                                                                           \
	struct {                                                                                   \
		type *items;                                                                       \
		uint32_t count;                                                                    \
		uint32_t room;                                                                     \
	}

struct io_trace {
	struct io_ops ops; /* what io->ops points at */
	const struct io_ops *inner;
	io_trace_violation_fn violation;
	void *user_data;
	uint64_t write_number;
	uint64_t flush_number;
	uint64_t group_from; /* number of the first write of the group being queued */
	uint32_t file_number;
	TRACE_LIST(struct trace_slot) slots;
	TRACE_LIST(struct trace_write) writes; /* not yet covered, or of the group being queued */
	TRACE_LIST(struct trace_flush) flushes;
	TRACE_LIST(struct trace_group) groups; /* not yet covered, oldest first */
	TRACE_LIST(struct trace_partition) partitions;
	struct io_trace_counts counts;
};

#define TRACE_ADD(list)                                                                            \
	((list).count == (list).room                                                               \
			? ((list).room = (list).room ? (list).room * 2 : 64,                       \
				  (list).items = realloc((list).items,                             \
					  (list).room * sizeof(*(list).items)),                    \
				  ensure((list).items))                                            \
			: (void)0,                                                                 \
		&(list).items[(list).count++])

static struct io_trace *
trace_of(struct io *io)
{
	return (struct io_trace *)(uintptr_t)CONTAINER_OF(io->ops, struct io_trace, ops);
}

static void trace_complain(struct io_trace *t, const char *format, ...) PRINTF_LIKE(2, 3);

static void
trace_complain(struct io_trace *t, const char *format, ...)
{
	char text[256];
	va_list args;

	t->counts.violations++;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (t->violation) {
		t->violation(t->user_data, text);
		return;
	}
	fprintf(stderr, "trace of the I/O seam: %s\n", text);
	abort();
}

/* --- what is durable --------------------------------------------------------------------------- */

/* Forgets writes that are covered, or failed and of no group any more. */
static void
trace_forget(struct io_trace *t, uint64_t flush)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < t->writes.count; i++) {
		struct trace_write *w = &t->writes.items[i];
		bool dsync = w->state == TRACE_DONE && w->flags & IO_WRITE_DSYNC;
		bool covered = dsync || (flush != 0 && w->flush == flush);

		if (w->number < t->group_from && covered) {
			continue;
		}
		if (covered) {
			/* Its bytes are still to be compared with the group's record. */
			w->flags |= IO_WRITE_DSYNC;
		}
		t->writes.items[kept++] = *w;
	}
	t->writes.count = kept;
}

static bool
trace_group_covered(const struct io_trace *t, const struct trace_group *g)
{
	for (uint32_t i = 0; i < t->writes.count; i++) {
		const struct trace_write *w = &t->writes.items[i];
		bool durable = w->state == TRACE_DONE && w->flags & IO_WRITE_DSYNC;

		/* A failed write takes its own partition with it, a failed record the whole group. */
		if (w->number <= g->number && !durable &&
			(w->state != TRACE_FAILED || w->file == g->file)) {
			return false;
		}
	}
	return true;
}

static bool
trace_entry_failed(const struct io_trace *t, const struct trace_group *g, const struct trace_entry *e)
{
	for (uint32_t i = 0; i < t->writes.count; i++) {
		const struct trace_write *w = &t->writes.items[i];

		if (w->state == TRACE_FAILED && w->number <= g->number && w->file == e->file &&
			w->position < e->end && e->start < w->position + w->len) {
			return true;
		}
	}
	return false;
}

/* Groups become durable in order. */
static void
trace_advance(struct io_trace *t)
{
	uint32_t done = 0;

	while (done < t->groups.count && trace_group_covered(t, &t->groups.items[done])) {
		struct trace_group *g = &t->groups.items[done++];

		for (uint32_t i = 0; i < g->entry_count; i++) {
			struct trace_entry *e = &g->entries[i];
			struct trace_partition *p = &t->partitions.items[e->partition];

			p->frozen |= trace_entry_failed(t, g, e);
			if (!p->frozen) {
				p->covered = e->end_offset;
			}
		}
		t->counts.proven += g->entry_count > 0;
		free(g->entries);
	}
	if (done > 0) {
		t->groups.count -= done;
		memmove(t->groups.items, t->groups.items + done,
			t->groups.count * sizeof(*t->groups.items));
	}
}

/* --- guard records ----------------------------------------------------------------------------- */

static uint32_t
trace_partition(struct io_trace *t, const uint8_t *topic_id, uint32_t partition, int64_t first_offset)
{
	for (uint32_t i = 0; i < t->partitions.count; i++) {
		if (t->partitions.items[i].partition == partition &&
			memcmp(t->partitions.items[i].topic_id, topic_id, 16) == 0) {
			return i;
		}
	}
	struct trace_partition *p = TRACE_ADD(t->partitions);

	*p = (struct trace_partition){
		.partition = partition, .base = first_offset, .covered = first_offset};
	memcpy(p->topic_id, topic_id, 16);
	return t->partitions.count - 1;
}

/* The write of this group, to that file (0: any), that holds the byte at `position`. */
static const struct trace_write *
trace_find(const struct io_trace *t, uint32_t file, uint64_t position)
{
	for (uint32_t i = 0; i < t->writes.count; i++) {
		const struct trace_write *w = &t->writes.items[i];

		if (w->number >= t->group_from && (file == 0 || w->file == file) &&
			w->position <= position && position < w->position + w->len) {
			return w;
		}
	}
	return NULL;
}

/* Whether the group's writes to one file carry exactly the range that the entry tells of. */
static bool
trace_carries(const struct io_trace *t, uint32_t file, const uint8_t *entry, uint32_t start,
	uint32_t end)
{
	uint8_t identity[32];
	uint32_t crc;

	memcpy(identity, entry, 20);
	memcpy(identity + 20, entry + 24, 8);
	store_le32(identity + 28, start);
	crc = crc32c_update(0, identity, sizeof(identity));
	for (uint64_t at = start; at < end;) {
		const struct trace_write *w = trace_find(t, file, at);
		uint64_t until = w ? w->position + w->len : 0;

		if (!w) {
			return false;
		}
		until = until < end ? until : end;
		crc = crc32c_update(crc, w->buffer + (at - w->position), until - at);
		at = until;
	}
	return crc == load_le32(entry + 64);
}

static void
trace_entry(struct io_trace *t, struct trace_group *g, const uint8_t *entry)
{
	uint32_t start = load_le32(entry + 40), end = load_le32(entry + 44);
	int64_t first_offset = (int64_t)load_le64(entry + 48);
	uint32_t file = 0;

	if (load_le32(entry + 80) & RECORD_ENTRY_POISON || start == end) {
		return;
	}
	for (uint32_t i = 0; i < t->writes.count && file == 0; i++) {
		const struct trace_write *w = &t->writes.items[i];

		if (w->number >= t->group_from && w->position <= start &&
			start < w->position + w->len && trace_carries(t, w->file, entry, start, end)) {
			file = w->file;
		}
	}
	if (file == 0) {
		trace_complain(t,
			"record %" PRIu64 " tells of bytes %u to %u of partition %u that its group did not write",
			g->seq, start, end, load_le32(entry + 16));
		return;
	}
	g->entries[g->entry_count++] = (struct trace_entry){
		.partition = trace_partition(t, entry, load_le32(entry + 16), first_offset),
		.file = file,
		.start = start,
		.end = end,
		.end_offset = (int64_t)load_le64(entry + 56),
	};
}

/*
 * Who says that a group is acknowledged has given up what it had not repeated of it: such a write has
 * failed, and no DURABLE note of its partition may follow.
 */
static void
trace_give_up(struct io_trace *t, uint64_t acknowledged)
{
	for (uint32_t k = 0; k < t->groups.count && t->groups.items[k].seq <= acknowledged; k++) {
		for (uint32_t i = 0; i < t->writes.count; i++) {
			struct trace_write *w = &t->writes.items[i];

			if (w->state == TRACE_RETRY && w->number <= t->groups.items[k].number) {
				w->state = TRACE_FAILED;
			}
		}
	}
	trace_advance(t);
}

static void
trace_record(struct io_trace *t, const uint8_t *record, const struct trace_write *w)
{
	uint32_t count = load_le32(record + 36);
	uint64_t acknowledged = load_le64(record + 56);
	struct trace_group group = {
		.number = w->number,
		.seq = load_le64(record + 48),
		.record_end = w->position + load_le32(record + 12),
		.file = w->file,
	};

	if (t->groups.count > 0 && t->groups.items[0].seq <= acknowledged) {
		trace_give_up(t, acknowledged);
	}
	if (t->groups.count > 0 && t->groups.items[0].seq <= acknowledged) {
		trace_complain(t,
			"record %" PRIu64 " says that %" PRIu64 " is acknowledged, but %" PRIu64
			" is not covered by a flush",
			group.seq, acknowledged, t->groups.items[0].seq);
	}
	group.entries = calloc((size_t)count + 1, sizeof(*group.entries));
	ensure(group.entries);
	if (record[34] == RECORD_KIND_GROUP) {
		t->counts.groups++;
		for (uint32_t i = 0; i < count; i++) {
			trace_entry(t, &group,
				record + RECORD_HEADER_BYTES + (size_t)i * RECORD_ENTRY_BYTES);
		}
	}
	*TRACE_ADD(t->groups) = group;
	t->group_from = t->write_number + 1;
}

/* A record longer than one write goes on in the next. */
static void
trace_record_more(struct io_trace *t, const struct trace_write *w)
{
	struct trace_group *g = t->groups.count > 0 ? &t->groups.items[t->groups.count - 1] : NULL;

	if (g && g->file == w->file && w->position < g->record_end && w->number > g->number) {
		g->number = w->number;
		t->group_from = w->number + 1;
	}
}

/* --- the seam ---------------------------------------------------------------------------------- */

static struct trace_slot *
trace_slot(struct io_trace *t, uint32_t slot)
{
	while (t->slots.count <= slot) {
		*TRACE_ADD(t->slots) = (struct trace_slot){0};
	}
	return &t->slots.items[slot];
}

static int
trace_slot_set(struct io *io, uint32_t slot, int fd)
{
	struct io_trace *t = trace_of(io);
	int rc = t->inner->slot_set(io, slot, fd);

	if (rc == 0) {
		*trace_slot(t, slot) = (struct trace_slot){.file = ++t->file_number};
	}
	return rc;
}

/* The number of the write that was refused for the moment and now comes again, or a new one. */
static struct trace_write *
trace_write_make(struct io_trace *t, uint32_t file, uint64_t position, uint32_t len)
{
	for (uint32_t i = 0; i < t->writes.count; i++) {
		struct trace_write *w = &t->writes.items[i];

		if (w->state == TRACE_RETRY && w->file == file && w->position == position &&
			w->len == len) {
			return w;
		}
	}
	struct trace_write *w = TRACE_ADD(t->writes);

	*w = (struct trace_write){
		.number = ++t->write_number, .file = file, .position = position, .len = len};
	return w;
}

static int
trace_write(struct io *io, const struct io_write *write)
{
	struct io_trace *t = trace_of(io);
	int rc = t->inner->write(io, write);
	const uint8_t *bytes = write->buffer;

	if (rc < 0) {
		return rc;
	}
	trace_slot(t, write->slot)->written = true;
	struct trace_write *w = trace_write_make(
		t, trace_slot(t, write->slot)->file, write->position, write->len);
	bool again = w->state == TRACE_RETRY;

	w->token = write->token;
	w->buffer = write->buffer;
	w->flags = (uint8_t)write->flags;
	w->flush = 0;
	w->state = TRACE_QUEUED;
	t->counts.writes++;
	if (!again && write->len >= RECORD_HEADER_BYTES && memcmp(bytes, "PSGUARD1", 8) == 0) {
		trace_record(t, bytes, w);
	} else if (!again) {
		trace_record_more(t, w);
	}
	return 0;
}

static int
trace_flush(struct io *io, uint32_t slot, uint64_t token)
{
	struct io_trace *t = trace_of(io);
	int rc = t->inner->flush(io, slot, token);
	const struct trace_slot *s = trace_slot(t, slot);

	if (rc < 0) {
		return rc;
	}
	*TRACE_ADD(t->flushes) = (struct trace_flush){.number = ++t->flush_number, .token = token};
	t->counts.flushes++;
	for (uint32_t i = 0; i < t->writes.count; i++) {
		struct trace_write *w = &t->writes.items[i];

		if (w->state == TRACE_DONE && w->flush == 0 && (!s->written || w->file == s->file)) {
			w->flush = t->flush_number;
		}
	}
	return 0;
}

static bool
trace_flush_done(struct io_trace *t, const struct io_completion *c)
{
	for (uint32_t i = 0; i < t->flushes.count; i++) {
		struct trace_flush f = t->flushes.items[i];

		if (f.token != c->token) {
			continue;
		}
		t->flushes.items[i] = t->flushes.items[--t->flushes.count];
		if (c->result >= 0) {
			trace_forget(t, f.number);
		}
		return true;
	}
	return false;
}

static void
trace_write_done(struct io_trace *t, const struct io_completion *c)
{
	for (uint32_t i = 0; i < t->writes.count; i++) {
		struct trace_write *w = &t->writes.items[i];

		if (w->state != TRACE_QUEUED || w->token != c->token) {
			continue;
		}
		if (c->result == (int32_t)w->len) {
			w->state = TRACE_DONE;
		} else {
			w->state = c->result == -EAGAIN || c->result == -EINTR ? TRACE_RETRY
									       : TRACE_FAILED;
		}
		return;
	}
}

static uint32_t
trace_reap(struct io *io, struct io_completion *ret, uint32_t max)
{
	struct io_trace *t = trace_of(io);
	uint32_t count = t->inner->reap(io, ret, max);

	for (uint32_t i = 0; i < count; i++) {
		if (!trace_flush_done(t, &ret[i])) {
			trace_write_done(t, &ret[i]);
		}
	}
	if (count > 0) {
		trace_forget(t, 0);
		trace_advance(t);
	}
	return count;
}

/* --- life -------------------------------------------------------------------------------------- */

static void
trace_destroy(struct io *io)
{
	struct io_trace *t = trace_of(io);

	io->ops = t->inner;
	for (uint32_t i = 0; i < t->groups.count; i++) {
		free(t->groups.items[i].entries);
	}
	free(t->slots.items);
	free(t->writes.items);
	free(t->flushes.items);
	free(t->groups.items);
	free(t->partitions.items);
	free(t);
	io->ops->destroy(io);
}

int
io_trace_attach(struct io *io, io_trace_violation_fn violation, void *user_data,
	struct io_trace **ret_trace)
{
	struct io_trace *t = calloc(1, sizeof(*t));

	if (!t) {
		return -ENOMEM;
	}
	t->inner = io->ops;
	t->ops = *io->ops;
	t->ops.slot_set = trace_slot_set;
	t->ops.write = trace_write;
	t->ops.flush = trace_flush;
	t->ops.reap = trace_reap;
	t->ops.destroy = trace_destroy;
	t->violation = violation;
	t->user_data = user_data;
	t->group_from = 1;
	io->ops = &t->ops;
	*ret_trace = t;
	return 0;
}

void
io_trace_note(struct io_trace *trace, const uint8_t topic_id[16], uint32_t partition, int64_t offset)
{
	trace->counts.notes++;
	for (uint32_t i = 0; i < trace->partitions.count; i++) {
		const struct trace_partition *p = &trace->partitions.items[i];

		if (p->partition != partition || memcmp(p->topic_id, topic_id, 16) != 0) {
			continue;
		}
		trace->counts.judged += offset >= p->base;
		if (offset >= p->base && offset >= p->covered) {
			trace_complain(trace,
				"DURABLE for partition %u up to offset %lld: flushes cover what is below %lld",
				partition, (long long)offset, (long long)p->covered);
		}
	}
}

void
io_trace_counts(const struct io_trace *trace, struct io_trace_counts *ret_counts)
{
	*ret_counts = trace->counts;
}
