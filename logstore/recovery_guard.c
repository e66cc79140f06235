/* SPDX-License-Identifier: Apache-2.0 */
/* Guard files at start: read all, flatten their entries, write the first anchors. See recovery.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/log.h"
#include "logstore/guard_writer.h"
#include "logstore/recovery.h"

#define GUARD_PREFIX "penstock-guard-"

static void
guard_path(char path[64], uint32_t shard)
{
	(void)snprintf(path, 64, GUARD_PREFIX "%u", shard);
}

/* The flock of a dead process stays until its last write in flight has ended. */
static int
open_locked(struct recovery *r, const char *path)
{
	int fd = -EWOULDBLOCK;

	for (uint32_t i = 0; i < RECOVERY_LOCK_TRIES && fd == -EWOULDBLOCK; i++) {
		if (i > 0) {
			clock_sleep_ns(r->store->options.clock, RECOVERY_LOCK_NS);
		}
		fd = r->io->ops->open(r->io, path, IO_OPEN_DIRECT | IO_OPEN_LOCK);
	}
	return fd;
}

/* Blocks that cannot be read count as zeros: no record starts there. */
static void
read_image(struct recovery *r, struct recovery_guard *g)
{
	uint64_t piece = MIB;
	uint32_t block = r->store->block_bytes;

	for (uint64_t at = 0; at < g->bytes; at += piece) {
		uint64_t len = g->bytes - at < piece ? g->bytes - at : piece;

		if (r->io->ops->pread(r->io, g->fd, g->image + at, len, at) >= 0) {
			continue;
		}
		for (uint64_t b = at; b < at + len; b += block) {
			if (r->io->ops->pread(r->io, g->fd, g->image + b, block, b) < 0) {
				memset(g->image + b, 0, block);
			}
		}
	}
}

static int
load_one(struct recovery *r, uint32_t shard)
{
	struct recovery_guard *g = &r->guards[r->guard_count];
	struct io_stat stat;
	char path[64];

	guard_path(path, shard);
	int rc = r->io->ops->stat(r->io, path, &stat);
	int fd = rc < 0 ? rc : open_locked(r, path);

	if (fd < 0) {
		return fd;
	}
	*g = (struct recovery_guard){.shard = shard, .fd = fd};
	r->guard_count++;
	g->bytes = bytes_floor(stat.size_bytes, r->store->block_bytes);
	if (g->bytes == 0) {
		r->guard_damaged = true;
		return 0;
	}
	uint32_t found_max = (uint32_t)(g->bytes / r->store->block_bytes) + 1;

	g->image = aligned_alloc(4096, bytes_ceil(g->bytes, 4096));
	g->scan.found = calloc(found_max, sizeof(g->scan.found[0]));
	g->scan.found_max = found_max;
	if (!g->image || !g->scan.found) {
		return -ENOMEM;
	}
	read_image(r, g);
	struct guard_image image = {.bytes = g->image,
		.len = g->bytes,
		.block_bytes = r->store->block_bytes,
		.shard = (uint16_t)shard};

	memcpy(image.directory_id, r->store->directory_id, sizeof(image.directory_id));
	rc = guard_scan(&image, &g->scan);
	if (rc == 0 && (g->scan.damaged || g->scan.anchor_index < 0)) {
		log_error("logstore", "%s: damaged (proven record %" PRIu64 " is missing)", path,
			g->scan.missing_seq);
		r->guard_damaged = true;
	}
	return rc;
}

static int
compare_entries(const void *a, const void *b)
{
	const struct recovery_entry *x = a;
	const struct recovery_entry *y = b;
	int c = memcmp(x->entry.topic_id, y->entry.topic_id, 16);

	if (c != 0) {
		return c;
	}
	if (x->entry.partition != y->entry.partition) {
		return x->entry.partition < y->entry.partition ? -1 : 1;
	}
	if (x->start_id != y->start_id) {
		return x->start_id < y->start_id ? -1 : 1;
	}
	if (x->seq != y->seq) {
		return x->seq < y->seq ? -1 : 1;
	}
	if (x->entry.segment_base != y->entry.segment_base) {
		return x->entry.segment_base < y->entry.segment_base ? -1 : 1;
	}
	return x->entry.start_pos < y->entry.start_pos ? -1 : x->entry.start_pos > y->entry.start_pos;
}

static uint32_t
flatten_guard(struct recovery *r, const struct recovery_guard *g, struct recovery_entry *out)
{
	uint32_t count = 0;

	for (uint32_t i = 0; g->scan.anchor_index >= 0 && i < g->scan.found_count; i++) {
		const struct guard_found *f = &g->scan.found[i];
		const uint8_t *bytes = g->image + f->position;

		for (uint32_t k = 0; f->usable && k < f->header.entry_count; k++) {
			if (out) {
				struct recovery_entry *e = &out[count];

				e->tail = guard_record_entry(bytes, k, &e->entry);
				e->start_id = f->header.start_id;
				e->seq = f->header.seq;
				e->anchor = f->header.kind == GUARD_ANCHOR;
				e->proven = e->anchor || guard_scan_proven(&g->scan, e->seq);
			}
			count++;
		}
	}
	return count;
}

/* A range whose write failed was never acknowledged, whatever later records prove of its group. */
static void
apply_poison(struct recovery *r)
{
	for (uint32_t i = 0; i < r->entry_count; i++) {
		const struct recovery_entry *poison = &r->entries[i];

		if (!(poison->entry.flags & GUARD_POISON)) {
			continue;
		}
		for (uint32_t k = 0; k < r->entry_count; k++) {
			struct recovery_entry *e = &r->entries[k];

			if (!e->kept && (uint32_t)e->seq == poison->entry.aux && e->start_id == poison->start_id &&
				e->entry.partition == poison->entry.partition &&
				memcmp(e->entry.topic_id, poison->entry.topic_id, 16) == 0) {
				e->proven = false;
			}
		}
	}
}

/*
 * What earlier starts kept beside partitions that they did not take. A file that cannot be used is as a
 * damaged guard: what it proved is gone, and nobody may conclude from missing entries.
 */
static int
load_proofs(struct recovery *r)
{
	r->proofs = calloc(r->root.count + 1, sizeof(r->proofs[0]));
	if (!r->proofs) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < r->root.count; i++) {
		const struct file_name *name = &r->root.names[i];
		size_t len = strlen(name->name);

		if (!name->is_directory || (len > 7 && strcmp(name->name + len - 7, "-delete") == 0)) {
			continue;
		}
		struct proofs *proofs = &r->proofs[r->proofs_count];
		int rc = proofs_read(r->store, name->name, proofs);

		r->proofs_found |= rc != -ENOENT;
		if (rc == 0) {
			r->proofs_count++;
			if (proofs->header.start_id >= r->start_id) {
				r->start_id = proofs->header.start_id + 1;
			}
		} else if (rc == -EBADMSG || rc == -EIO) {
			log_error("logstore", "%s/%s: damaged", name->name, PROOFS_NAME);
			r->guard_damaged = true;
		} else if (rc != -ENOENT) {
			return rc;
		}
	}
	return 0;
}

static bool
same_segment(const struct recovery_entry *a, const struct recovery_entry *b)
{
	return a->entry.partition == b->entry.partition &&
		a->entry.segment_base == b->entry.segment_base &&
		memcmp(a->entry.topic_id, b->entry.topic_id, 16) == 0;
}

/* Kept entries behind those of the guards, unless the start that kept them has guard entries of it too. */
static void
flatten_proofs(struct recovery *r)
{
	uint32_t from_guards = r->entry_count;

	for (uint32_t i = 0; i < r->proofs_count; i++) {
		for (uint32_t k = 0; k < r->proofs[i].header.entry_count; k++) {
			struct recovery_entry e = proofs_entry(&r->proofs[i], k);
			bool known = false;

			for (uint32_t n = 0; n < from_guards && !known; n++) {
				known = r->entries[n].start_id == e.start_id &&
					!(r->entries[n].entry.flags & GUARD_POISON) &&
					same_segment(&r->entries[n], &e);
			}
			if (!known) {
				r->entries[r->entry_count++] = e;
			}
		}
	}
}

/*
 * Shards are numbered from 0, so a hole in the files, or one too few for the shards of this start, may be
 * a file that was lost. (A start with more shards than before looks the same: it costs a scan.)
 */
static void
find_missing(struct recovery *r)
{
	uint32_t expected = r->guard_count > 0 ? r->store->options.shard_count : 0;

	for (uint32_t i = 0; i < r->guard_count; i++) {
		expected = r->guards[i].shard >= expected ? r->guards[i].shard + 1 : expected;
	}
	if (r->guard_count < expected && !r->clean) {
		log_warning("logstore", "%u of %u guard files are missing: what they proved is not known",
			expected - r->guard_count, expected);
	}
	r->guard_damaged |= r->guard_count < expected;
}

bool
recovery_guard_lost(const struct recovery *r)
{
	return r->guard_count == 0 || r->guard_damaged;
}

bool
recovery_guard_names(const struct recovery *r, uint64_t file_id)
{
	for (uint32_t i = 0; i < r->entry_count; i++) {
		if (r->entries[i].entry.file_id == file_id) {
			return true;
		}
	}
	return false;
}

int
recovery_guard_load(struct recovery *r)
{
	uint32_t total = 0;
	int proofs_rc = load_proofs(r);

	if (proofs_rc < 0) {
		return proofs_rc;
	}
	for (uint32_t i = 0; i < r->root.count; i++) {
		const char *name = r->root.names[i].name;
		char *end = NULL;

		if (strncmp(name, GUARD_PREFIX, strlen(GUARD_PREFIX)) != 0) {
			continue;
		}
		unsigned long shard = strtoul(name + strlen(GUARD_PREFIX), &end, 10);

		if (*end != 0 || r->guard_count == RECOVERY_GUARDS_MAX || shard > UINT16_MAX) {
			continue;
		}
		int rc = load_one(r, (uint32_t)shard);

		if (rc < 0) {
			return rc;
		}
	}
	for (uint32_t i = 0; i < r->guard_count; i++) {
		total += flatten_guard(r, &r->guards[i], NULL);
		if (r->guards[i].scan.start_id_max >= r->start_id) {
			r->start_id = r->guards[i].scan.start_id_max + 1;
		}
	}
	for (uint32_t i = 0; i < r->proofs_count; i++) {
		total += r->proofs[i].header.entry_count;
	}
	find_missing(r);
	r->entries = calloc(total + 1, sizeof(r->entries[0]));
	if (!r->entries) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < r->guard_count; i++) {
		r->entry_count += flatten_guard(r, &r->guards[i], r->entries + r->entry_count);
	}
	flatten_proofs(r);
	apply_poison(r);
	qsort(r->entries, r->entry_count, sizeof(r->entries[0]), compare_entries);
	return 0;
}

void
recovery_guard_free(struct recovery *r)
{
	for (uint32_t i = 0; i < r->guard_count; i++) {
		free(r->guards[i].image);
		free(r->guards[i].scan.found);
		if (r->guards[i].fd >= 0) {
			r->io->ops->close(r->io, r->guards[i].fd);
		}
	}
	for (uint32_t i = 0; i < r->proofs_count; i++) {
		free(r->proofs[i].file.bytes);
	}
	free(r->proofs);
	free(r->entries);
}

static bool
is_of(const struct recovery_entry *e, const struct partition *p)
{
	return e->entry.partition == p->partition && memcmp(e->entry.topic_id, p->topic_id, 16) == 0;
}

const struct recovery_entry *
recovery_guard_entries(const struct recovery *r, const struct partition *p, uint32_t *ret_count)
{
	uint32_t first = 0;
	uint32_t end = 0;

	*ret_count = 0;
	while (first < r->entry_count && !is_of(&r->entries[first], p)) {
		first++;
	}
	for (end = first; end < r->entry_count && is_of(&r->entries[end], p); end++) {
		if (r->entries[end].start_id != r->entries[first].start_id) {
			first = end;
		}
	}
	*ret_count = end - first;
	return &r->entries[first];
}

/* A new file, prewritten like a segment: .tmp first, so that the name means it is whole. */
static int
make_file(struct recovery *r, const char *name, uint64_t bytes)
{
	char tmp[80];
	struct io *io = r->io;

	(void)snprintf(tmp, sizeof(tmp), "%s.tmp", name);
	int rc = file_util_remove(io, NULL, tmp);
	int fd = rc < 0 ? rc : io->ops->open(io, tmp, IO_OPEN_CREATE | IO_OPEN_DIRECT | IO_OPEN_LOCK);

	if (fd < 0) {
		return fd;
	}
	rc = io->ops->allocate(io, fd, bytes);
	rc = rc < 0 ? rc : io->ops->zero(io, fd, 0, bytes);
	rc = rc < 0 ? rc : io->ops->fsync(io, fd);
	rc = rc < 0 ? rc : io->ops->rename(io, tmp, name);
	rc = rc < 0 ? rc : io->ops->fsync_dir(io, ".");
	if (rc < 0) {
		io->ops->close(io, fd);
		return rc;
	}
	return fd;
}

int
recovery_guard_flush_file(struct recovery *r, struct log_shard *shard)
{
	struct io_stat stat;

	/* One file a data directory; the first shard makes it, each has its own descriptor. */
	if (r->io->ops->stat(r->io, "penstock-flush", &stat) == -ENOENT) {
		int fd = make_file(r, "penstock-flush", r->store->block_bytes);

		if (fd < 0) {
			return fd;
		}
		r->io->ops->close(r->io, fd);
	}
	shard->flush_fd = r->io->ops->open(r->io, "penstock-flush", IO_OPEN_DIRECT);
	return shard->flush_fd < 0 ? shard->flush_fd : 0;
}

/* Takes over the shard's old guard, or makes one. */
static int
adopt_guard(struct recovery *r, struct log_shard *shard)
{
	struct shard_guard *guard = &shard->guard;
	char path[64];

	for (uint32_t i = 0; i < r->guard_count; i++) {
		struct recovery_guard *g = &r->guards[i];

		if (g->shard != shard->index || g->bytes == 0) {
			continue;
		}
		guard->fd = g->fd;
		g->fd = -1;
		guard->blocks = (uint32_t)(g->bytes / shard->block_bytes) & ~1u;
		guard->seq = g->scan.seq_max;
		guard->at = g->scan.seq_max > 0 ? (uint32_t)g->scan.next_block : 0;
		if (guard->at > guard->blocks) {
			guard->at = guard->blocks;
		}
		if ((uint64_t)guard->blocks / 2 * shard->block_bytes < guard->anchor_room) {
			log_error("logstore", "guard of shard %u is too small for %u partitions",
				shard->index, r->store->options.partitions_max);
			return -EINVAL;
		}
		return 0;
	}
	guard_path(path, shard->index);
	int rc = file_util_remove(r->io, NULL, path);

	guard->fd = rc < 0 ? rc
			   : make_file(r, path, (uint64_t)guard->blocks * shard->block_bytes);
	return guard->fd < 0 ? guard->fd : 0;
}

int
recovery_guard_anchor(struct recovery *r, struct log_shard *shard)
{
	struct shard_guard *guard = &shard->guard;
	struct group g = {.kind = GUARD_ANCHOR};
	int rc = adopt_guard(r, shard);

	if (rc < 0) {
		return rc;
	}
	guard->start_id = r->start_id;
	guard->acked_seq = guard->seq;
	guard->anchored_half = guard->at == 0 || guard->at - 1 >= guard->blocks / 2 ? 1 : 0;
	shard->now_ns = clock_now_ns(r->store->options.clock);
	if (!guard_writer_anchor(shard, &g)) {
		return -ENOSPC;
	}
	rc = r->io->ops->pwrite(r->io, guard->fd, g.guard_buffer, g.guard_len, g.guard_position);
	rc = rc < 0 ? rc : r->io->ops->fsync(r->io, guard->fd);
	if (rc < 0) {
		return rc;
	}
	guard_writer_acked(shard, &g);
	return 0;
}
