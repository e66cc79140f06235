/* SPDX-License-Identifier: Apache-2.0 */
/* Making, attaching, asking and ending a store. See logstore.h. Start-up but for what says otherwise. */
#include "logstore/logstore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/log.h"
#include "logstore/checkpoint_file.h"
#include "logstore/file_util.h"
#include "logstore/store.h"
#include "wire/record_batch.h"

#define COMMANDS_MAX	    1024
#define BUFFER_BYTES_MIN    (1u << 20)
#define SEGMENT_BYTES_MAX   0x7ffff000ull

void
log_options_init(struct log_options *options)
{
	*options = (struct log_options){.shard_count = 1,
		.client_count = 1,
		.partitions_max = 4096,
		.buffer_bytes = 64 * MIB,
		.cache_bytes = 256 * MIB,
		.guard_bytes = 64 * MIB,
		.group_max_bytes = 8 * MIB,
		.recovery_max_bytes = GIB,
		.free_low_bytes = 5 * GIB,
		.mark_idle_ns = 5 * NS_PER_MS,
		.producers_max = 4096,
		.spare_bytes = 64 * MIB,
		.spares_min = 2};
}

void
log_topic_config_init(struct log_topic_config *config)
{
	*config = (struct log_topic_config){.segment_bytes = GIB,
		.segment_ms = 7ll * 24 * 3600 * 1000,
		.index_interval_bytes = 4096,
		.index_bytes_max = 10 << 20,
		.max_message_bytes = 1048588,
		.flush_ms = 100};
}

uint32_t
logstore_shard_of(const uint8_t topic_id[16], uint32_t partition, uint32_t shard_count)
{
	return (load_le32(topic_id) + partition) % shard_count;
}

uint32_t
logstore_slots(uint32_t partitions_max)
{
	return 2 + SHARD_SPARES_MAX + partitions_max * SEGMENTS_OPEN_MAX;
}

/* --- create ------------------------------------------------------------------------------------ */

static int
check_options(const struct log_options *o)
{
	if (!o->clock || !o->rand || !o->keeper_io || o->shard_count == 0 ||
		o->shard_count > HANDOFF_SHARDS_MAX || o->client_count == 0 ||
		o->client_count > HANDOFF_CLIENTS_MAX || o->partitions_max == 0 || o->producers_max == 0) {
		log_error("logstore", "options: clock, rand, io, shards, clients, partitions are needed");
		return -EINVAL;
	}
	if (o->buffer_bytes < BUFFER_BYTES_MIN || o->buffer_bytes + o->cache_bytes > 1ull << 40) {
		log_error("logstore", "log.buffer.bytes=%llu is below %u",
			(unsigned long long)o->buffer_bytes, BUFFER_BYTES_MIN);
		return -EINVAL;
	}
	if (o->group_max_bytes * 2 > o->buffer_bytes) {
		log_error("logstore", "log.buffer.bytes=%llu must be twice log.group.max.bytes=%llu",
			(unsigned long long)o->buffer_bytes, (unsigned long long)o->group_max_bytes);
		return -EINVAL;
	}
	if (o->spares_min == 0 || o->spares_min > SHARD_SPARES_MAX / 2 ||
		o->spare_bytes > SEGMENT_BYTES_MAX || o->spare_bytes < 64 * KIB) {
		log_error("logstore", "spares: %u of %llu bytes", o->spares_min,
			(unsigned long long)o->spare_bytes);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < o->shard_count; i++) {
		if (!o->shard_io[i]) {
			return -EINVAL;
		}
	}
	return 0;
}

static int
lock_directory(struct logstore *store)
{
	struct io *io = store->options.keeper_io;
	int fd = io->ops->open(io, ".lock", IO_OPEN_LOCK);

	if (fd == -ENOENT) {
		fd = io->ops->open(io, ".lock", IO_OPEN_LOCK | IO_OPEN_CREATE);
	}
	store->lock_fd = fd;
	return fd < 0 ? fd : 0;
}

static int
load_properties(struct logstore *store)
{
	struct io *io = store->options.keeper_io;
	struct file_bytes file;
	struct checkpoint_properties properties = {.version = 1,
		.node_id = store->options.node_id,
		.has_directory_id = true};
	uint8_t text[1024];
	int rc = file_util_read(io, NULL, "meta.properties", &file);

	if (rc == 0) {
		rc = checkpoint_file_parse_properties(file.bytes, file.len, &properties);
		free(file.bytes);
		if (rc < 0 || properties.has_directory_id) {
			memcpy(store->directory_id, properties.directory_id, 16);
			return rc;
		}
	} else if (rc != -ENOENT) {
		return rc;
	} else if (store->options.cluster_id[0]) {
		(void)snprintf(properties.cluster_id, sizeof(properties.cluster_id), "%s",
			store->options.cluster_id);
	} else {
		rand_fill(store->options.rand, store->directory_id, 16);
		checkpoint_file_uuid_encode(store->directory_id, properties.cluster_id);
	}
	rand_fill(store->options.rand, store->directory_id, 16);
	memcpy(properties.directory_id, store->directory_id, 16);
	properties.has_directory_id = true;
	struct writer w = writer_init(text, sizeof(text));

	checkpoint_file_write_properties(&w, &properties);
	return w.failed ? -ENOBUFS
			: file_util_replace(io, NULL, "meta.properties", text, writer_len(&w));
}

static void
choose_method(struct logstore *store)
{
	struct durable_method *m = &store->method;

	durable_method_choose(
		&store->probe, store->options.durable_method, store->options.flush_scope, m);
	store->dsync = m->dsync;
	store->flush_device = m->flush_device;
	for (uint32_t i = 0; i < m->warning_count; i++) {
		log_warning("logstore", "%s", m->warnings[i]);
	}
}

static int
make_shards(struct logstore *store)
{
	for (uint32_t i = 0; i < store->options.shard_count; i++) {
		struct log_shard *shard = aligned_alloc(CACHE_LINE_BYTES,
			bytes_ceil(sizeof(*shard), CACHE_LINE_BYTES));

		if (!shard) {
			return -ENOMEM;
		}
		memset(shard, 0, sizeof(*shard));
		store->shards[i] = shard;
		int rc = log_shard_init(shard, store, i);

		if (rc < 0) {
			return rc;
		}
	}
	store->keeper = calloc(1, sizeof(*store->keeper));
	return store->keeper ? log_keeper_init(store->keeper, store) : -ENOMEM;
}

static int
set_up(struct logstore *store)
{
	struct log_options *o = &store->options;
	int rc = o->keeper_io->ops->probe(o->keeper_io, &store->probe);

	if (rc < 0) {
		return rc;
	}
	store->block_bytes = store->probe.block_bytes;
	if (store->block_bytes > SEGMENT_BLOCK_MAX) {
		log_error("logstore", "block size %u is above %u", store->block_bytes,
			SEGMENT_BLOCK_MAX);
		return -ENOTSUP;
	}
	store->segment_alloc_bytes = (uint32_t)bytes_floor(o->spare_bytes, store->block_bytes);
	store->run_table_max = store->segment_alloc_bytes / SEAL_RUN_MIN + 2;
	choose_method(store);
	rc = load_properties(store);
	store->partitions = calloc(o->partitions_max, sizeof(store->partitions[0]));
	if (rc == 0 && !store->partitions) {
		rc = -ENOMEM;
	}
	rc = rc < 0 ? rc : ring_create(&store->commands, COMMANDS_MAX, sizeof(void *), NULL);
	rc = rc < 0 ? rc : ring_create(&store->answers, 2 * COMMANDS_MAX, sizeof(void *), NULL);
	return rc < 0 ? rc : make_shards(store);
}

int
logstore_create(const struct log_options *options, struct logstore **ret_store, int *ret_holder_pid)
{
	int rc = check_options(options);

	if (ret_holder_pid) {
		*ret_holder_pid = 0;
	}
	if (rc < 0) {
		return rc;
	}
	struct logstore *store = aligned_alloc(CACHE_LINE_BYTES, sizeof(*store));

	if (!store) {
		return -ENOMEM;
	}
	memset(store, 0, sizeof(*store));
	store->options = *options;
	store->lock_fd = -1;
	rc = lock_directory(store);
	if (rc == -EWOULDBLOCK && ret_holder_pid) {
		int pid = options->keeper_io->ops->lock_holder(options->keeper_io, ".lock");

		*ret_holder_pid = pid > 0 ? pid : 0;
	}
	rc = rc < 0 ? rc : set_up(store);
	if (rc < 0) {
		logstore_destroy(store);
		return rc;
	}
	*ret_store = store;
	return 0;
}

void
logstore_attach(struct logstore *store, uint32_t client, uint32_t shard,
	const struct log_client_rings *rings)
{
	ensure(client < store->options.client_count);
	ensure(shard < store->options.shard_count);
	store->shards[shard]->rings[client] = *rings;
}

void
logstore_attach_notes(struct logstore *store, uint32_t shard, struct ring *commit_notes)
{
	store->shards[shard]->commit_notes = commit_notes;
}

void
logstore_attach_wakers(struct logstore *store, const struct log_wakers *wakers)
{
	for (uint32_t i = 0; i < store->options.shard_count; i++) {
		store->shards[i]->from_keeper.taker = wakers->shards[i];
		store->shards[i]->to_keeper.taker = wakers->keeper;
	}
	store->commands.taker = wakers->keeper;
	store->answers.taker = wakers->control;
}

struct log_shard *
logstore_shard(struct logstore *store, uint32_t shard)
{
	ensure(shard < store->options.shard_count);
	return store->shards[shard];
}

struct log_keeper *
logstore_keeper(struct logstore *store)
{
	return store->keeper;
}

/* --- commands, status -------------------------------------------------------------------------- */

int
logstore_command(struct logstore *store, struct log_command *command)
{
	if (ring_used(&store->answers) >= COMMANDS_MAX) {
		return -EAGAIN;
	}
	return ring_offer(&store->commands, &command, 1) == 1 ? 0 : -EAGAIN;
}

struct log_command *
logstore_command_poll(struct logstore *store)
{
	struct log_command *command = NULL;

	return ring_take(&store->answers, &command, 1) == 1 ? command : NULL;
}

int
logstore_status(struct logstore *store, uint32_t partition_index,
	struct log_partition_status *ret_status)
{
	struct partition *p = partition_index < store->options.partitions_max
		? atomic_load_explicit(&store->partitions[partition_index], memory_order_acquire)
		: NULL;

	if (!p) {
		return -ENOENT;
	}
	struct partition_status *s = &p->status;

	*ret_status = (struct log_partition_status){
		.segment_count = atomic_load_explicit(&s->segment_count, memory_order_acquire),
		.state = (enum log_partition_state)atomic_load_explicit(&s->state, memory_order_relaxed),
		.shard = p->shard,
		.leader_epoch = atomic_load_explicit(&s->leader_epoch, memory_order_relaxed),
		.log_start_offset = atomic_load_explicit(&s->log_start_offset, memory_order_relaxed),
		.log_end_offset = atomic_load_explicit(&s->log_end_offset, memory_order_relaxed),
		.opened_offset = atomic_load_explicit(&s->opened_offset, memory_order_relaxed),
		.high_watermark = atomic_load_explicit(&s->high_watermark, memory_order_relaxed),
		.durable_offset = atomic_load_explicit(&s->durable_offset, memory_order_relaxed),
		.durable_position = atomic_load_explicit(&s->durable_position, memory_order_relaxed),
		.active_base_offset = atomic_load_explicit(&s->active_base_offset, memory_order_relaxed),
		.size_bytes = atomic_load_explicit(&s->size_bytes, memory_order_relaxed)};
	return 0;
}

void
logstore_info(struct logstore *store, struct log_store_info *ret_info)
{
	*ret_info = (struct log_store_info){
		.io_backend = store->options.shard_io[0]->ops->name,
		.durable_method = store->dsync ? "dsync" : "flush",
		.flush_scope = store->flush_device ? "device" : "file",
		.probe = store->probe,
		.failed = atomic_load_explicit(&store->failed, memory_order_acquire),
		.disk_low = log_room_disk_full(&store->room),
		.disk_free_bytes = atomic_load_explicit(&store->disk_free_bytes, memory_order_relaxed),
		.disk_needs_bytes = atomic_load_explicit(&store->disk_needs_bytes, memory_order_relaxed),
		.in_use = store->in_use};
	for (uint32_t i = 0; i < store->method.warning_count; i++) {
		ret_info->warnings[ret_info->warning_count++] = store->method.warnings[i];
	}
	memcpy(ret_info->directory_id, store->directory_id, sizeof(ret_info->directory_id));
	if (ret_info->failed) {
		memcpy(ret_info->failed_reason, store->failed_reason, sizeof(ret_info->failed_reason));
	}
}

void
logstore_counters(struct logstore *store, uint32_t shard, uint64_t *ret_values)
{
	ensure(shard < store->options.shard_count);
	counter_read(&store->shards[shard]->counters, ret_values, SHARD_COUNTER_COUNT);
}

const struct log_room *
logstore_room(const struct logstore *store)
{
	return &store->room;
}

/* --- end --------------------------------------------------------------------------------------- */

void
logstore_stop_begin(struct logstore *store)
{
	atomic_store_explicit(&store->stop_wanted, true, memory_order_release);
	for (uint32_t i = 0; i < store->options.shard_count; i++) {
		if (store->shards[i]->from_keeper.taker) {
			waker_wake(store->shards[i]->from_keeper.taker);
		}
	}
}

bool
logstore_stopped(const struct logstore *store)
{
	return atomic_load_explicit(&((struct logstore *)store)->stopped, memory_order_acquire);
}

static void
close_fd(struct logstore *store, int *fd)
{
	if (*fd >= 0) {
		store->options.keeper_io->ops->close(store->options.keeper_io, *fd);
		*fd = -1;
	}
}

static void
destroy_shard(struct logstore *store, struct log_shard *shard)
{
	close_fd(store, &shard->guard.fd);
	close_fd(store, &shard->flush_fd);
	for (uint32_t i = 0; i < shard->spare_count; i++) {
		close_fd(store, &shard->spares[i].fd);
	}
	struct shard_msg msg;
	struct keeper_msg to_keeper;

	while (shard->to_keeper.queue && ring_take(&shard->to_keeper, &to_keeper, 1) == 1) {
		int fd = (int)to_keeper.position;

		if (to_keeper.kind == KEEPER_CLOSE_FD) {
			close_fd(store, &fd);
		}
	}
	while (shard->from_keeper.queue && ring_take(&shard->from_keeper, &msg, 1) == 1) {
		int fd = (int)msg.fd;

		if (msg.kind == SHARD_SPARE) {
			close_fd(store, &fd);
		}
	}
	log_shard_close(shard);
	free(shard);
}

static void
destroy_partition(struct logstore *store, struct partition *p)
{
	for (uint32_t i = 0; i < SEGMENTS_OPEN_MAX; i++) {
		struct segment *s = &p->segments[i];

		keeper_segment_close_files(store->keeper, s);
		if (s->state != SEGMENT_FREE) {
			close_fd(store, &s->fd);
		}
	}
	partition_free(p);
}

void
logstore_destroy(struct logstore *store)
{
	uint32_t count = atomic_load(&store->partition_count);

	for (uint32_t i = 0; i < store->options.shard_count; i++) {
		if (store->shards[i]) {
			destroy_shard(store, store->shards[i]);
		}
	}
	for (uint32_t i = 0; store->partitions && i < count; i++) {
		struct partition *p = atomic_load(&store->partitions[i]);

		if (p) {
			destroy_partition(store, p);
		}
	}
	if (store->keeper) {
		log_keeper_close(store->keeper);
		free(store->keeper);
	}
	close_fd(store, &store->lock_fd);
	if (store->commands.queue) {
		ring_destroy(&store->commands);
	}
	if (store->answers.queue) {
		ring_destroy(&store->answers);
	}
	free(store->partitions);
	free(store);
}
