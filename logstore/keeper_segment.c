/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What follows a roll, off the ack path: final names, index files, checkpoints, seals. Every step can
 * be repeated after a failure in its middle. Keeper thread; recovery uses it to finish what a dead
 * process began.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "base/log.h"
#include "logstore/file_util.h"
#include "logstore/guard_writer.h"
#include "logstore/keeper.h"
#include "logstore/proofs.h"
#include "logstore/quarantine.h"
#include "logstore/store.h"

static int
open_or_create(struct io *io, const char *path)
{
	int fd = io->ops->open(io, path, IO_OPEN_CREATE);

	return fd == -EEXIST ? io->ops->open(io, path, 0) : fd;
}

int
keeper_segment_open_indexes(struct log_keeper *keeper, struct partition *p, struct segment *s)
{
	char path[FILE_PATH_MAX];

	if (s->index_fd < 0) {
		file_util_segment_path(path, p->dir, s->base, ".index");
		s->index_fd = open_or_create(keeper->io, path);
	}
	if (s->index_fd >= 0 && s->time_index_fd < 0) {
		file_util_segment_path(path, p->dir, s->base, ".timeindex");
		s->time_index_fd = open_or_create(keeper->io, path);
	}
	if (s->index_fd < 0) {
		return s->index_fd;
	}
	return s->time_index_fd < 0 ? s->time_index_fd : 0;
}

void
keeper_segment_close_files(struct log_keeper *keeper, struct segment *s)
{
	if (s->index_fd >= 0) {
		keeper->io->ops->close(keeper->io, s->index_fd);
	}
	if (s->time_index_fd >= 0) {
		keeper->io->ops->close(keeper->io, s->time_index_fd);
	}
	s->index_fd = -1;
	s->time_index_fd = -1;
}

int
keeper_segment_name(struct log_keeper *keeper, struct partition *p, struct segment *s)
{
	struct io *io = keeper->io;
	char from[FILE_PATH_MAX];
	char to[FILE_PATH_MAX];
	struct io_stat stat;

	file_util_spare_path(from, s->file_id, "prep");
	file_util_segment_path(to, p->dir, s->base, ".log");
	/* Without the spare: done before a failure of what follows. With it the name must be free. */
	int rc = io->ops->stat(io, from, &stat);
	bool taken = io->ops->stat(io, to, &stat) == 0;

	if (rc == -ENOENT && taken) {
		rc = 0;
	} else if (rc == 0 && taken && stat.size_bytes > 0) {
		log_error("logstore", "%s is not ours and stands where segment %016" PRIx64
				      " is to be named: move it away",
			to, s->file_id);
		rc = -EEXIST;
	} else {
		rc = rc < 0 ? rc : io->ops->rename(io, from, to);
	}
	rc = rc < 0 ? rc : keeper_segment_open_indexes(keeper, p, s);
	rc = rc < 0 ? rc : io->ops->fsync_dir(io, p->dir);
	rc = rc < 0 ? rc : io->ops->fsync_dir(io, ".");
	if (rc < 0) {
		return rc;
	}
	if (p->row_count > 0 && p->rows[p->row_count - 1].base == s->base) {
		return 0;
	}
	return partition_row_add(p,
		&(struct segment_row){.base = s->base, .end_offset = INT64_MAX});
}

static int
append(struct io *io, int fd, uint64_t *position, const void *bytes, size_t len)
{
	int rc = len > 0 ? io->ops->pwrite(io, fd, bytes, len, *position) : 0;

	if (rc < 0) {
		return rc;
	}
	*position += len;
	return 0;
}

int
keeper_segment_page(struct log_keeper *keeper, struct segment *s, const struct index_page *page)
{
	size_t len = (size_t)page->entry_count * SEGMENT_INDEX_ENTRY_BYTES;
	size_t time_len = (size_t)page->time_entry_count * SEGMENT_INDEX_TIME_ENTRY_BYTES;
	uint64_t at = s->index_bytes;
	uint64_t time_at = s->time_index_bytes;
	int rc = append(keeper->io, s->index_fd, &at, page->entries, len);

	rc = rc < 0 ? rc : append(keeper->io, s->time_index_fd, &time_at, page->time_entries, time_len);
	if (rc == 0) {
		s->index_bytes = at;
		s->time_index_bytes = time_at;
	}
	return rc;
}

static int
write_snapshot(struct log_keeper *keeper, struct partition *p, const struct snapshot_slot *snapshot,
	bool kafka)
{
	char name[FILE_PATH_MAX];
	int rc = 0;

	if (kafka) {
		file_util_segment_path(name, NULL, snapshot->offset, ".snapshot");
		rc = file_util_replace_lazy(keeper->io, p->dir, name, snapshot->kafka,
			snapshot->kafka_len);
	}
	file_util_segment_path(name, NULL, snapshot->offset, ".producers");
	return rc < 0 ? rc
		      : file_util_replace_lazy(keeper->io, p->dir, name, snapshot->own, snapshot->own_len);
}

void
keeper_segment_prune(struct log_keeper *keeper, struct partition *p, int64_t keep_from)
{
	struct file_names names;

	/* Files that stay by an error go with the next checkpoint. */
	if (file_util_list(keeper->io, p->dir, &names) < 0) {
		return;
	}
	for (uint32_t i = 0; i < names.count; i++) {
		char *end = NULL;
		const char *name = names.names[i].name;
		long long offset = strtoll(name, &end, 10);

		if (end == name + 20 && strcmp(end, ".producers") == 0 && offset < keep_from) {
			(void)file_util_remove(keeper->io, p->dir, name);
		}
	}
	free(names.names);
}

int
keeper_segment_checkpoint(struct log_keeper *keeper, const struct keeper_msg *msg)
{
	struct io *io = keeper->io;
	struct segment *s = msg->segment;
	int rc = io->ops->fdatasync(io, s->index_fd);

	rc = rc < 0 ? rc : io->ops->fdatasync(io, s->time_index_fd);
	rc = rc < 0 ? rc : write_snapshot(keeper, msg->partition, msg->snapshot, false);
	rc = rc < 0 ? rc : io->ops->fsync_dir(io, msg->partition->dir);
	if (rc == 0) {
		keeper_segment_prune(keeper, msg->partition, msg->keep_from);
	}
	return rc;
}

/* A segment that took a file but never a batch. */
static int
drop_empty(struct log_keeper *keeper, struct partition *p, struct segment *s)
{
	static const char *const suffixes[] = {".log", ".index", ".timeindex"};
	char name[FILE_PATH_MAX];
	int rc = 0;

	keeper_segment_close_files(keeper, s);
	for (uint32_t i = 0; rc == 0 && i < ARRAY_COUNT(suffixes); i++) {
		file_util_segment_path(name, NULL, s->base, suffixes[i]);
		rc = file_util_remove(keeper->io, p->dir, name);
	}
	rc = rc < 0 ? rc : keeper->io->ops->fsync_dir(keeper->io, p->dir);
	if (rc == 0 && p->row_count > 0 && p->rows[p->row_count - 1].base == s->base) {
		p->row_count--;
	}
	return rc;
}

static int
close_indexes(struct log_keeper *keeper, struct segment *s)
{
	struct io *io = keeper->io;
	int rc = 0;

	if (s->has_last_time_entry) {
		uint8_t bytes[SEGMENT_INDEX_TIME_ENTRY_BYTES];

		segment_index_encode_time(&s->last_time_entry, bytes);
		rc = append(io, s->time_index_fd, &s->time_index_bytes, bytes, sizeof(bytes));
		if (rc < 0) {
			return rc;
		}
		s->has_last_time_entry = false;
	}
	rc = io->ops->fsync(io, s->index_fd);
	rc = rc < 0 ? rc : io->ops->fsync(io, s->time_index_fd);
	ensure(s->index_bytes == (uint64_t)s->index.entry_count * SEGMENT_INDEX_ENTRY_BYTES);
	ensure(s->time_index_bytes ==
		(uint64_t)s->index.time_entry_count * SEGMENT_INDEX_TIME_ENTRY_BYTES);
	return rc;
}

static int
write_seal(struct log_keeper *keeper, struct partition *p, struct segment *s)
{
	struct seal seal = {.partition = p->partition,
		.file_id = s->file_id,
		.base_offset = s->base,
		.end_offset = s->end_offset,
		.log_bytes = s->end_pos,
		.batch_count = s->batch_count,
		.record_count = s->record_count,
		.max_timestamp_ms = s->index.max_timestamp_ms,
		.max_timestamp_offset = s->index.max_timestamp_offset,
		.first_timestamp_ms = s->first_timestamp_ms,
		.log_crc = s->runs.whole.crc,
		.run_count = s->runs.run_count};
	char path[FILE_PATH_MAX];
	uint64_t len = 0;
	size_t room = seal_bytes(s->runs.run_count);
	uint8_t *bytes = malloc(room);

	memcpy(seal.topic_id, p->topic_id, sizeof(seal.topic_id));
	file_util_segment_path(path, p->dir, s->base, ".index");
	int rc = bytes ? file_util_crc(keeper->io, path, &seal.index_crc, &len) : -ENOMEM;

	file_util_segment_path(path, p->dir, s->base, ".timeindex");
	rc = rc < 0 ? rc : file_util_crc(keeper->io, path, &seal.time_index_crc, &len);
	if (rc == 0) {
		rc = seal_encode(&seal, s->run_table, bytes, room);
		file_util_segment_path(path, NULL, s->base, ".seal");
		rc = rc < 0 ? rc
			    : file_util_replace_lazy(keeper->io, p->dir, path, bytes, (size_t)rc);
	}
	free(bytes);
	return rc;
}

/*
 * It stays as it is, unsealed, and no anchor will tell of it any more: what proved it goes to a file
 * beside it, so that no later start takes the damage for a tail that was never acknowledged.
 */
static int
quarantine(struct log_keeper *keeper, struct partition *p, struct segment *s, int64_t good_end)
{
	struct recovery_entry e = {.tail = s->tail_block, .proven = true, .anchor = true};
	uint64_t start_id = keeper->store->shards[p->shard]->guard.start_id;

	guard_writer_anchor_entry(p, s, &s->seal_checkpoint, &e.entry);
	int rc = proofs_write(keeper->store, p->dir, start_id, &e, 1);

	rc = rc < 0 ? rc
		    : quarantine_mark(keeper->io, p,
			      &(struct quarantine_cause){.segment_base = s->base,
				      .first_offset = good_end,
				      .end_offset = s->end_offset,
				      .reason = "damaged when it was to be sealed"});
	if (rc == 0) {
		keeper_segment_close_files(keeper, s);
	}
	return rc;
}

int
keeper_segment_seal(struct log_keeper *keeper, struct partition *p, struct segment *s,
	const struct snapshot_slot *snapshot)
{
	struct io *io = keeper->io;

	if (s->end_pos == 0) {
		return drop_empty(keeper, p, s);
	}
	int rc = io->ops->truncate(io, s->fd, s->end_pos);

	rc = rc < 0 ? rc : io->ops->fsync(io, s->fd);
	rc = rc < 0 ? rc : close_indexes(keeper, s);
	if (rc == 0 && s->crc_from > 0) {
		int64_t good_end = s->base;

		rc = keeper_rescan(keeper, p, s, &good_end);
		/* Once again: a bus may have erred, not the medium. */
		rc = rc == -EBADMSG || rc == -EIO ? keeper_rescan(keeper, p, s, &good_end) : rc;
		if (rc == -EBADMSG || rc == -EIO) {
			return quarantine(keeper, p, s, good_end);
		}
	}
	rc = rc < 0 || !snapshot ? rc : write_snapshot(keeper, p, snapshot, true);
	rc = rc < 0 ? rc : write_seal(keeper, p, s);
	rc = rc < 0 ? rc : io->ops->fsync_dir(io, p->dir);
	if (rc < 0) {
		return rc;
	}
	struct segment_row *row = partition_row_find(p, s->base);

	ensure(row);
	ensure(row->base == s->base);
	row->end_offset = s->end_offset;
	row->log_bytes = s->end_pos;
	row->sealed = true;
	keeper_segment_close_files(keeper, s);
	return 0;
}
