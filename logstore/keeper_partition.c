/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of partitions: create, delete, checkpoints of the data directory. Keeper thread. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "logstore/checkpoint_file.h"
#include "logstore/file_util.h"
#include "logstore/keeper.h"
#include "logstore/store.h"

static bool
topic_is_good(const char *topic)
{
	size_t len = strlen(topic);

	if (len == 0 || len > HANDOFF_TOPIC_NAME_MAX || strcmp(topic, ".") == 0 ||
		strcmp(topic, "..") == 0) {
		return false;
	}
	return strspn(topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		len;
}

static struct partition *
find_partition(struct logstore *store, const char *topic, uint32_t partition)
{
	uint32_t count = atomic_load_explicit(&store->partition_count, memory_order_relaxed);

	for (uint32_t i = 0; i < count; i++) {
		struct partition *p = atomic_load_explicit(&store->partitions[i], memory_order_relaxed);

		if (p && !p->removed && p->partition == partition && strcmp(p->topic, topic) == 0) {
			return p;
		}
	}
	return NULL;
}

static int
keeper_partition_write_epochs(struct log_keeper *keeper, const char *dir, int32_t epoch,
	int64_t start_offset)
{
	uint8_t text[256];
	struct writer w = writer_init(text, sizeof(text));

	checkpoint_file_begin(&w, 1);
	checkpoint_file_add_epoch(&w, epoch, start_offset);
	return file_util_replace(keeper->io, dir, "leader-epoch-checkpoint", text, writer_len(&w));
}

int
keeper_partition_holds_log(struct log_keeper *keeper, const char *dir)
{
	struct file_names names;
	int rc = file_util_list(keeper->io, dir, &names);

	if (rc < 0) {
		return rc == -ENOENT ? 0 : rc;
	}
	for (uint32_t i = 0; rc == 0 && i < names.count; i++) {
		const char *suffix = strrchr(names.names[i].name, '.');

		rc = suffix && (strcmp(suffix, ".log") == 0 || strcmp(suffix, ".seal") == 0);
	}
	free(names.names);
	return rc;
}

static int
make_files(struct log_keeper *keeper, struct partition *p)
{
	uint8_t text[256];
	struct writer w = writer_init(text, sizeof(text));
	int rc = keeper->io->ops->make_dir(keeper->io, p->dir);

	if (rc == -EEXIST) {
		/* Left by a try that ran out of space; with a log in it, it is somebody's. */
		rc = keeper_partition_holds_log(keeper, p->dir);
		if (rc == 1) {
			log_error("logstore",
				"%s is there and holds a log: it is not made anew. Move the directory away", p->dir);
			rc = -ENOTEMPTY;
		}
	}
	checkpoint_file_write_metadata(&w, p->topic_id);
	rc = rc < 0 ? rc
		    : file_util_replace(keeper->io, p->dir, "partition.metadata", text, writer_len(&w));
	rc = rc < 0 ? rc : keeper_partition_write_epochs(keeper, p->dir, 0, 0);
	return rc < 0 ? rc : keeper->io->ops->fsync_dir(keeper->io, ".");
}

int
keeper_partition_create(struct log_keeper *keeper, struct log_command *command,
	struct partition **ret_partition)
{
	struct logstore *store = keeper->store;
	uint32_t index = atomic_load_explicit(&store->partition_count, memory_order_relaxed);
	struct partition_identity identity = {.topic = command->topic, .partition = command->partition};

	memcpy(identity.topic_id, command->topic_id, sizeof(identity.topic_id));
	if (!topic_is_good(command->topic)) {
		return -EINVAL;
	}
	if (find_partition(store, command->topic, command->partition)) {
		return -EEXIST;
	}
	if (index >= store->options.partitions_max) {
		return -ENOSPC;
	}
	uint16_t shard = (uint16_t)logstore_shard_of(command->topic_id, command->partition,
		store->options.shard_count);
	struct partition *p = partition_make(&identity, index, shard, store->run_table_max);

	if (!p) {
		return -ENOMEM;
	}
	p->config = command->config;
	int rc = make_files(keeper, p);

	if (rc < 0) {
		partition_free(p);
		return rc;
	}
	command->partition_index = index;
	atomic_store_explicit(&store->partitions[index], p, memory_order_release);
	atomic_store_explicit(&store->partition_count, index + 1, memory_order_release);
	*ret_partition = p;
	return 0;
}

int
keeper_partition_erase_dir(struct log_keeper *keeper, const char *dir)
{
	struct file_names names;
	int rc = file_util_list(keeper->io, dir, &names);

	if (rc < 0) {
		return rc == -ENOENT ? 0 : rc;
	}
	for (uint32_t i = 0; rc == 0 && i < names.count; i++) {
		rc = file_util_remove(keeper->io, dir, names.names[i].name);
	}
	free(names.names);
	return rc < 0 ? rc : keeper->io->ops->remove_dir(keeper->io, dir);
}

int
keeper_partition_remove(struct log_keeper *keeper, struct partition *p)
{
	char gone[256];
	char suffix[64];
	uint64_t id[2] = {rand_u64(keeper->store->options.rand), rand_u64(keeper->store->options.rand)};
	int n = snprintf(suffix, sizeof(suffix), ".%016" PRIx64 "%016" PRIx64 "-delete", id[0], id[1]);

	(void)snprintf(gone, sizeof(gone), "%.*s%s", (int)(255 - n), p->dir, suffix);
	for (uint32_t i = 0; i < SEGMENTS_OPEN_MAX; i++) {
		keeper_segment_close_files(keeper, &p->segments[i]);
	}
	int rc = keeper->io->ops->rename(keeper->io, p->dir, gone);

	rc = rc == -ENOENT ? 0 : rc;
	rc = rc < 0 ? rc : keeper->io->ops->fsync_dir(keeper->io, ".");
	if (rc < 0) {
		return rc;
	}
	/* The answer does not wait for the files; what stays goes at the next start. */
	if (keeper_partition_erase_dir(keeper, gone) < 0) {
		log_warning("logstore", "%s is left for the next start", gone);
	}
	return 0;
}

enum offsets_kind {
	OFFSETS_CHECKPOINTED,
	OFFSETS_END,
	OFFSETS_LOG_START,
};

static int64_t
offset_of(struct partition *p, enum offsets_kind kind)
{
	_Atomic int64_t *offset = &p->status.log_start_offset;

	if (kind != OFFSETS_LOG_START) {
		offset = kind == OFFSETS_END ? &p->status.durable_offset
					     : &p->status.checkpointed_offset;
	}
	return atomic_load_explicit(offset, memory_order_relaxed);
}

/* One offset checkpoint of all partitions. */
static int
write_offsets(struct log_keeper *keeper, const char *name, enum offsets_kind kind)
{
	struct logstore *store = keeper->store;
	uint32_t count = atomic_load_explicit(&store->partition_count, memory_order_relaxed);
	uint32_t alive = 0;
	size_t room = 64 + (size_t)count * CHECKPOINT_LINE_MAX;
	uint8_t *text = malloc(room);

	if (!text) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++) {
		alive += !atomic_load_explicit(&store->partitions[i], memory_order_relaxed)->removed;
	}
	struct writer w = writer_init(text, room);

	checkpoint_file_begin(&w, alive);
	for (uint32_t i = 0; i < count; i++) {
		struct partition *p =
			atomic_load_explicit(&store->partitions[i], memory_order_relaxed);

		if (!p->removed) {
			checkpoint_file_add_offset(&w, p->topic, p->partition, offset_of(p, kind));
		}
	}
	int rc = w.failed ? -ENOBUFS
			  : file_util_replace(keeper->io, NULL, name, text, writer_len(&w));

	free(text);
	return rc;
}

int
keeper_partition_write_checkpoints(struct log_keeper *keeper, bool ended)
{
	int rc = write_offsets(keeper, "recovery-point-offset-checkpoint",
		ended ? OFFSETS_END : OFFSETS_CHECKPOINTED);

	return rc < 0 ? rc
		      : write_offsets(keeper, "log-start-offset-checkpoint", OFFSETS_LOG_START);
}
