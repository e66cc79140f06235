/* SPDX-License-Identifier: Apache-2.0 */
/* Start of a data directory: the order of steps. See recovery.h. */
#include "logstore/recovery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "base/log.h"
#include "logstore/logstore.h"


struct found_dir {
	char topic[HANDOFF_TOPIC_NAME_MAX + 1];
	uint32_t partition;
	uint8_t topic_id[16];
};

/* --- directories ------------------------------------------------------------------------------- */

static bool
ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name);
	size_t s = strlen(suffix);

	return n >= s && strcmp(name + n - s, suffix) == 0;
}

/* "<topic>-<number>"; false: not a partition's directory. */
static bool
parse_dir(const char *name, struct found_dir *ret)
{
	const char *dash = strrchr(name, '-');
	char *end = NULL;

	if (!dash || dash == name || dash[1] < '0' || dash[1] > '9' ||
		(size_t)(dash - name) > HANDOFF_TOPIC_NAME_MAX) {
		return false;
	}
	unsigned long partition = strtoul(dash + 1, &end, 10);

	if (*end != 0 || partition > INT32_MAX) {
		return false;
	}
	memcpy(ret->topic, name, (size_t)(dash - name));
	ret->topic[dash - name] = 0;
	ret->partition = (uint32_t)partition;
	return true;
}

/* -EIO may be the bus: once again. */
static int
read_metadata(struct recovery *r, const char *dir, uint8_t ret_topic_id[16])
{
	struct file_bytes file;
	int rc = file_util_read(r->io, dir, "partition.metadata", &file);

	if (rc == -EIO) {
		rc = file_util_read(r->io, dir, "partition.metadata", &file);
	}
	if (rc < 0) {
		return rc;
	}
	rc = checkpoint_file_parse_metadata(file.bytes, file.len, ret_topic_id);
	free(file.bytes);
	return rc;
}

/*
 * Whose log it is cannot be read. Nothing in it is touched; its proofs, which may be any of those that no
 * partition claims, are kept for the start that can read it again.
 */
static int
leave_alone(struct recovery *r, const char *name, const char *why)
{
	struct recovery_left *left = &r->left[r->left_count++];

	log_error("logstore",
		"%s: %s; left alone, and not served. Put the file back (version: 0, topic_id: ...) and start "
		"again, or move the directory away",
		name, why);
	(void)snprintf(left->dir, sizeof(left->dir), "%s", name);
	return 0;
}

/* 1: a partition; 0: no partition (erased, or left alone); negative errno. */
static int
read_dir(struct recovery *r, const char *name, struct found_dir *ret)
{
	if (ends_with(name, "-delete")) {
		return keeper_partition_erase_dir(r->store->keeper, name);
	}
	if (!parse_dir(name, ret)) {
		return 0;
	}
	int rc = read_metadata(r, name, ret->topic_id);

	if (rc == -ENOENT) {
		/* A creation that was never answered: it cannot hold a log. */
		rc = keeper_partition_holds_log(r->store->keeper, name);
		if (rc == 1) {
			return leave_alone(r, name, "no partition.metadata");
		}
		return rc < 0 ? rc : keeper_partition_erase_dir(r->store->keeper, name);
	}
	if (rc == -EBADMSG || rc == -EIO) {
		return leave_alone(r, name,
			rc == -EIO ? "partition.metadata cannot be read" : "partition.metadata is damaged");
	}
	return rc < 0 ? rc : 1;
}

static int
compare_dirs(const void *a, const void *b)
{
	const struct found_dir *x = a;
	const struct found_dir *y = b;
	int c = strcmp(x->topic, y->topic);

	return c != 0 ? c : x->partition < y->partition ? -1 : x->partition > y->partition;
}

static int
find_dirs(struct recovery *r, struct found_dir **ret_dirs, uint32_t *ret_count)
{
	struct found_dir *dirs = calloc(r->root.count + 1, sizeof(*dirs));
	uint32_t count = 0;

	r->left = calloc(r->root.count + 1, sizeof(r->left[0]));
	int rc = dirs && r->left ? 0 : -ENOMEM;

	for (uint32_t i = 0; rc >= 0 && i < r->root.count; i++) {
		if (r->root.names[i].is_directory) {
			rc = read_dir(r, r->root.names[i].name, &dirs[count]);
			count += rc == 1;
		}
	}
	if (rc >= 0 && count > r->store->options.partitions_max) {
		log_error("logstore", "%u partitions found, the limit is %u", count,
			r->store->options.partitions_max);
		rc = -E2BIG;
	}
	if (rc < 0) {
		free(dirs);
		return rc;
	}
	qsort(dirs, count, sizeof(dirs[0]), compare_dirs);
	*ret_dirs = dirs;
	*ret_count = count;
	return 0;
}

/* --- spares ------------------------------------------------------------------------------------ */

/* penstock-<16 hex>.prep */
static bool
is_spare(const char *name, uint64_t *ret_id)
{
	char *end = NULL;

	if (strncmp(name, "penstock-", 9) != 0) {
		return false;
	}
	*ret_id = strtoull(name + 9, &end, 16);
	return end == name + 25 && strcmp(end, ".prep") == 0;
}

/*
 * After a crash, before any partition: the reserve, and spares that no group went to. What recovery
 * writes (indexes, seals) finds that room on a disk that is full.
 */
static int
make_room(struct recovery *r)
{
	int rc = r->clean ? 0 : keeper_reserve_drop(r->io);

	for (uint32_t i = 0; rc >= 0 && !r->clean && i < r->root.count; i++) {
		const char *name = r->root.names[i].name;
		uint64_t id;

		if (is_spare(name, &id) && !recovery_guard_names(r, id)) {
			rc = file_util_remove(r->io, NULL, name);
		}
	}
	/* A file system with a journal gives blocks away again only when the unlink is committed. */
	return rc < 0 ? rc : r->io->ops->fsync_dir(r->io, ".");
}

/*
 * After the partitions took theirs: the rest is kept after a clean stop only (it is all zeros). What a
 * guard entry names still, though, holds groups of a partition that was not taken whole: it waits.
 */
static int
sort_spares(struct recovery *r)
{
	struct file_names names;
	uint32_t adopted = 0;
	int rc = file_util_list(r->io, NULL, &names);

	for (uint32_t i = 0; rc >= 0 && i < names.count; i++) {
		const char *name = names.names[i].name;
		struct io_stat stat;
		uint64_t id;

		if (strncmp(name, "penstock-", 9) != 0) {
			if (!names.names[i].is_directory && ends_with(name, ".tmp")) {
				rc = file_util_remove(r->io, NULL, name);
			}
			continue;
		}
		if (ends_with(name, ".tmp")) {
			rc = file_util_remove(r->io, NULL, name);
		} else if (is_spare(name, &id) && !recovery_guard_names(r, id)) {
			uint32_t shard = adopted % r->store->options.shard_count;
			bool fits = r->io->ops->stat(r->io, name, &stat) == 0 &&
				stat.size_bytes == r->store->segment_alloc_bytes;

			if (r->clean && fits &&
				adopted < keeper_spare_least(r->store) * r->store->options.shard_count &&
				keeper_spare_adopt(r->store->keeper, id, shard) == 0) {
				adopted++;
			} else {
				rc = file_util_remove(r->io, NULL, name);
			}
		}
	}
	if (rc >= 0) {
		free(names.names);
	}
	return rc < 0 ? rc : 0;
}

/* Guard files of shards that this start does not have: their partitions have new anchors now. */
static int
drop_old_guards(struct recovery *r)
{
	int rc = 0;

	for (uint32_t i = 0; rc >= 0 && i < r->guard_count; i++) {
		char name[64];

		if (r->guards[i].shard >= r->store->options.shard_count) {
			(void)snprintf(name, sizeof(name), "penstock-guard-%u", r->guards[i].shard);
			rc = file_util_remove(r->io, NULL, name);
		}
	}
	return rc < 0 ? rc : r->io->ops->fsync_dir(r->io, ".");
}

static bool
is_claimed(const struct recovery *r, const struct guard_entry *e)
{
	for (uint32_t i = 0; i < r->store->partition_count; i++) {
		const struct partition *p =
			atomic_load_explicit(&r->store->partitions[i], memory_order_relaxed);

		if (p->partition == e->partition && memcmp(p->topic_id, e->topic_id, 16) == 0) {
			return true;
		}
	}
	return false;
}

/* Beside each directory that was left alone: the entries of its number that no partition claims. */
static int
keep_unclaimed(struct recovery *r)
{
	struct recovery_entry *entries = calloc(r->entry_count + 1, sizeof(*entries));
	int rc = entries ? 0 : -ENOMEM;

	for (uint32_t i = 0; rc == 0 && i < r->left_count; i++) {
		const char *dir = r->left[i].dir;
		struct found_dir place;
		uint32_t count = 0;
		bool kept = true;

		if (!parse_dir(dir, &place)) {
			continue;
		}
		for (uint32_t k = 0; k < r->entry_count; k++) {
			const struct recovery_entry *e = &r->entries[k];

			if (e->entry.partition == place.partition && !is_claimed(r, &e->entry)) {
				entries[count++] = *e;
				kept &= e->kept;
			}
		}
		if (!kept) {
			rc = proofs_write(r->store, dir, r->start_id, entries, count);
		}
		if (rc < 0) {
			log_error("logstore", "%s: the proofs of its log cannot be kept: errno=%d", dir, -rc);
		}
	}
	free(entries);
	return rc;
}

/* Proofs of partitions that this start took: the anchors hold them now. */
static int
drop_old_proofs(struct recovery *r)
{
	int rc = 0;

	for (uint32_t i = 0; rc >= 0 && i < r->store->partition_count; i++) {
		struct partition *p = atomic_load_explicit(&r->store->partitions[i], memory_order_relaxed);

		if (p->proofs_stale) {
			p->proofs_stale = false;
			rc = file_util_remove(r->io, p->dir, PROOFS_NAME);
		}
	}
	return rc;
}

/* --- checkpoints ------------------------------------------------------------------------------- */

static int
compare_offsets(const void *a, const void *b)
{
	const struct checkpoint_offset *x = a;
	const struct checkpoint_offset *y = b;
	int c = strcmp(x->topic, y->topic);

	return c != 0 ? c : x->partition < y->partition ? -1 : x->partition > y->partition;
}

static int
load_offsets(struct recovery *r, const char *name, struct recovery_offsets *ret)
{
	struct checkpoint_file_reader reader;
	struct file_bytes file;
	int rc = file_util_read(r->io, NULL, name, &file);

	if (rc == -ENOENT || rc == -EIO) {
		return 0;
	}
	if (rc < 0) {
		return rc;
	}
	rc = checkpoint_file_open(&reader, file.bytes, file.len);
	ret->lines = calloc((rc < 0 ? 0 : reader.count) + 1, sizeof(ret->lines[0]));
	while (rc >= 0 && ret->lines && ret->count < reader.count) {
		rc = checkpoint_file_next_offset(&reader, &ret->lines[ret->count]);
		if (rc <= 0) {
			break;
		}
		ret->count++;
	}
	free(file.bytes);
	if (rc < 0) {
		log_warning("logstore", "%s is malformed, not used", name);
		ret->count = 0;
	}
	if (!ret->lines) {
		return -ENOMEM;
	}
	qsort(ret->lines, ret->count, sizeof(ret->lines[0]), compare_offsets);
	return 0;
}

int64_t
recovery_offset(const struct recovery_offsets *offsets, const struct partition *p)
{
	struct checkpoint_offset key = {.partition = p->partition};

	(void)snprintf(key.topic, sizeof(key.topic), "%s", p->topic);
	const struct checkpoint_offset *line = offsets->count == 0
		? NULL
		: bsearch(&key, offsets->lines, offsets->count, sizeof(key), compare_offsets);

	return line ? line->offset : -1;
}

/* --- order ------------------------------------------------------------------------------------- */

static int
begin(struct recovery *r)
{
	struct io_stat stat;
	int rc = r->io->ops->stat(r->io, ".kafka_cleanshutdown", &stat);

	r->clean = rc == 0;
	r->store->was_clean = r->clean;
	rc = file_util_remove(r->io, NULL, ".kafka_cleanshutdown");
	/* No decision on bytes that are only in a cache. */
	rc = rc < 0 ? rc : r->io->ops->sync_fs(r->io);
	rc = rc < 0 ? rc : r->io->ops->fsync_dir(r->io, ".");
	rc = rc < 0 ? rc : file_util_list(r->io, NULL, &r->root);
	rc = rc < 0 ? rc : load_offsets(r, "log-start-offset-checkpoint", &r->log_starts);
	if (rc >= 0 && r->clean) {
		rc = load_offsets(r, "recovery-point-offset-checkpoint", &r->ends);
	}
	return rc < 0 ? rc : recovery_guard_load(r);
}

static int
recover_one(struct recovery *r, const struct found_dir *dir, uint32_t index,
	struct log_recovery_report *report)
{
	struct logstore *store = r->store;
	struct partition_identity identity = {.topic = dir->topic, .partition = dir->partition};

	memcpy(identity.topic_id, dir->topic_id, 16);
	uint16_t shard_index = (uint16_t)logstore_shard_of(dir->topic_id, dir->partition,
		store->options.shard_count);
	struct partition *p = partition_make(&identity, index, shard_index, store->run_table_max);

	if (!p) {
		return -ENOMEM;
	}
	int rc = recovery_partition(r, p, report);

	atomic_store_explicit(&store->partitions[index], p, memory_order_release);
	atomic_store_explicit(&store->partition_count, index + 1, memory_order_release);
	store->shards[shard_index]->partitions[index] = p;
	store->shards[shard_index]->partition_count++;
	return rc;
}

static int
finish(struct recovery *r)
{
	int rc = r->left_count > 0 ? keep_unclaimed(r) : 0;

	r->store->in_use = r->entry_count > 0 || r->left_count > 0 || r->store->partition_count > 0;
	for (uint32_t i = 0; rc == 0 && i < r->store->options.shard_count; i++) {
		rc = recovery_guard_flush_file(r, r->store->shards[i]);
		rc = rc < 0 ? rc : recovery_guard_anchor(r, r->store->shards[i]);
	}
	rc = rc < 0 ? rc : drop_old_guards(r);
	rc = rc < 0 ? rc : drop_old_proofs(r);
	return rc < 0 ? rc : sort_spares(r);
}

int
logstore_recover(struct logstore *store, logstore_found_fn found,
	bool (*progress)(void *user_data, uint32_t done, uint32_t total), void *user_data)
{
	struct recovery *r = calloc(1, sizeof(*r));
	struct found_dir *dirs = NULL;
	uint32_t count = 0;

	ensure(!store->recovered);
	if (!r) {
		return -ENOMEM;
	}
	r->store = store;
	r->io = store->options.keeper_io;
	r->start_id = 1;
	r->behind_left = store->options.recovery_max_bytes / 2; /* checkpoints keep the log to the rest */
	int rc = begin(r);

	rc = rc < 0 ? rc : make_room(r);
	rc = rc < 0 ? rc : find_dirs(r, &dirs, &count);
	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		struct log_recovery_report report = {0};

		rc = recover_one(r, &dirs[i], i, &report);
		if (rc == 0 && found) {
			found(user_data, i, dirs[i].topic, dirs[i].partition, dirs[i].topic_id, &report);
		}
		if (rc == 0 && progress && !progress(user_data, i + 1, count)) {
			rc = -ECANCELED;
		}
	}
	rc = rc < 0 ? rc : finish(r);
	recovery_guard_free(r);
	free(r->root.names);
	free(r->left);
	free(r->log_starts.lines);
	free(r->ends.lines);
	free(dirs);
	free(r);
	store->recovered = rc == 0;
	return rc;
}
