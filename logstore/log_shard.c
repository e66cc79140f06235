/* SPDX-License-Identifier: Apache-2.0 */
/* The log lcore's loop and its memory. See log_shard.h. */
#include "logstore/commit_notes.h"
#include "logstore/log_shard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/log.h"
#include "logstore/appender.h"
#include "logstore/checkpointer.h"
#include "logstore/committer.h"
#include "logstore/guard_writer.h"
#include "logstore/reader.h"
#include "logstore/roll.h"
#include "logstore/shard_repair.h"
#include "logstore/store.h"

#define HUGE_PAGE_BYTES	  (2ull << 20)
#define PRODUCERS_POOL_MAX 65536u
#define PRODUCER_EXPIRY_NS (24 * 3600 * NS_PER_S)
#define MESSAGES_A_TURN	  32
#define NOTES_MAX	  65536u
#define SHARD_GROUP_SHARES 4 /* a partition's share of a small group */

void
log_shard_tell(struct log_shard *shard, const struct keeper_msg *msg)
{
	uint32_t n = ring_offer(&shard->to_keeper, msg, 1);

	ensure(n == 1);
}

struct partition *
log_shard_next_partition(const struct log_shard *shard, uint32_t *at)
{
	uint32_t count = shard->store->options.partitions_max;

	while (*at < count) {
		struct partition *p = shard->partitions[(*at)++];

		if (p) {
			return p;
		}
	}
	return NULL;
}

/* --- start ------------------------------------------------------------------------------------- */

static int
init_memory(struct log_shard *shard)
{
	const struct log_options *o = &shard->store->options;
	uint32_t buffer_chunks = (uint32_t)(o->buffer_bytes / CHUNK_BYTES);
	uint32_t cache_chunks = (uint32_t)(o->cache_bytes / CHUNK_BYTES);
	size_t pool_bytes = (size_t)(buffer_chunks + cache_chunks) * CHUNK_BYTES;
	size_t groups_bytes = (size_t)GROUPS_MAX * shard->guard.group_room;
	size_t align = pool_bytes >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : 4096;

	shard->memory_bytes = bytes_ceil(pool_bytes + groups_bytes + shard->guard.anchor_room, align);
	shard->memory = aligned_alloc(align, shard->memory_bytes);
	if (!shard->memory) {
		return -ENOMEM;
	}
	/* Best effort: every batch goes to memory not touched for long, and a walk of 4 KiB pages costs. */
	(void)madvise(shard->memory, shard->memory_bytes, MADV_HUGEPAGE);
	memset(shard->memory, 0, shard->memory_bytes);
	shard->group_buffers = (uint8_t *)shard->memory + pool_bytes;
	shard->guard.anchor_buffer = shard->group_buffers + groups_bytes;
	return chunk_pool_init(&shard->pool, shard->memory, buffer_chunks + cache_chunks, buffer_chunks,
		partition_extent_forget);
}

static int
init_tables(struct log_shard *shard)
{
	const struct log_options *o = &shard->store->options;
	uint32_t slots = logstore_slots(o->partitions_max);
	uint32_t producers = o->partitions_max * 64;
	uint32_t notes = o->partitions_max * 64 + 4096;

	producers = producers < PRODUCERS_POOL_MAX ? producers : PRODUCERS_POOL_MAX;
	producers = producers > o->producers_max ? producers : o->producers_max;
	shard->partitions = calloc(o->partitions_max, sizeof(shard->partitions[0]));
	shard->free_slots = calloc(slots, sizeof(shard->free_slots[0]));
	shard->pins = calloc(SHARD_PINS_MAX, sizeof(shard->pins[0]));
	if (!shard->partitions || !shard->free_slots || !shard->pins) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < GROUPS_MAX; i++) {
		shard->groups[i].parts = calloc(shard->parts_max, sizeof(struct group_part));
		if (!shard->groups[i].parts) {
			return -ENOMEM;
		}
	}
	for (uint32_t i = 0; i < slots; i++) {
		shard->free_slots[shard->free_slot_count++] = slots - 1 - i;
	}
	for (uint32_t i = 0; i < SHARD_PINS_MAX; i++) {
		shard->pins[i].next_free = i + 1;
	}
	for (uint32_t i = 0; i < SHARD_OPS_MAX; i++) {
		shard->ops[i].next_free = i + 1;
	}
	for (uint32_t c = 0; c < HANDOFF_CLIENTS_MAX; c++) {
		shard->waiting[c] = note_list_empty();
	}
	int rc = note_pool_init(&shard->notes, notes < NOTES_MAX ? notes : NOTES_MAX);

	rc = rc < 0 ? rc : append_queue_init(&shard->appends, SHARD_APPENDS_MAX);
	rc = rc < 0 ? rc : producer_pool_init(&shard->producers, producers, o->producers_max);
	return rc < 0 ? rc : snapshot_arena_init(&shard->snapshots, o->producers_max, o->partitions_max);
}

int
log_shard_init(struct log_shard *shard, struct logstore *store, uint32_t index)
{
	const struct log_options *o = &store->options;
	uint32_t messages = o->partitions_max * KEEPER_MSGS_PARTITION + SHARD_READS_MAX +
		SHARD_SPARES_MAX + 256;

	shard->store = store;
	shard->index = index;
	shard->io = o->shard_io[index];
	shard->block_bytes = store->block_bytes;
	shard->part_bytes_max = (uint32_t)(o->group_max_bytes / SHARD_GROUP_SHARES);
	if (shard->part_bytes_max > SHARD_PART_BYTES_MAX) {
		shard->part_bytes_max = SHARD_PART_BYTES_MAX;
	}
	shard->flush_fd = -1;
	shard->guard.fd = -1;
	counter_set_init(&shard->counters);
	histogram_init(&shard->flush_times);
	histogram_init(&shard->group_times);
	log_room_set_buffer_free(&store->room, index, o->buffer_bytes);
	atomic_init(&shard->spares_wanted, 0);
	atomic_init(&shard->spares_taken, 0);
	int rc = guard_writer_init(shard);

	rc = rc < 0 ? rc : init_memory(shard);
	rc = rc < 0 ? rc : init_tables(shard);
	rc = rc < 0 ? rc : ring_create(&shard->to_keeper, messages, sizeof(struct keeper_msg), NULL);
	return rc < 0 ? rc : ring_create(&shard->from_keeper, messages, sizeof(struct shard_msg), NULL);
}

void
log_shard_close(struct log_shard *shard)
{
	if (shard->to_keeper.queue) {
		ring_destroy(&shard->to_keeper);
	}
	if (shard->from_keeper.queue) {
		ring_destroy(&shard->from_keeper);
	}
	chunk_pool_close(&shard->pool);
	note_pool_close(&shard->notes);
	append_queue_close(&shard->appends);
	producer_pool_close(&shard->producers);
	snapshot_arena_close(&shard->snapshots);
	for (uint32_t i = 0; i < GROUPS_MAX; i++) {
		free(shard->groups[i].parts);
	}
	free(shard->partitions);
	free(shard->free_slots);
	free(shard->pins);
	free(shard->memory);
}

/* A slot number for a descriptor, bound to it. Negative errno. Log lcore, after enable. */
static int
log_shard_slot_bind(struct log_shard *shard, int fd, uint32_t *ret_slot)
{
	if (shard->free_slot_count == 0) {
		return -EMFILE;
	}
	uint32_t slot = shard->free_slots[shard->free_slot_count - 1];
	int rc = shard->io->ops->slot_set(shard->io, slot, fd);

	if (rc == 0) {
		shard->free_slot_count--;
		*ret_slot = slot;
	}
	return rc;
}

void
log_shard_slot_free(struct log_shard *shard, uint32_t slot)
{
	int rc = shard->io->ops->slot_set(shard->io, slot, -1);

	ensure(rc == 0);
	shard->free_slots[shard->free_slot_count++] = slot;
}

int
log_shard_start(struct log_shard *shard)
{
	uint32_t at = 0;

	ensure(shard->store->recovered);
	ensure(!shard->started);
	int rc = shard->io->ops->enable(shard->io);

	rc = rc < 0 ? rc
		    : shard->io->ops->register_buffers(shard->io, shard->memory, shard->memory_bytes);
	rc = rc < 0 ? rc : log_shard_slot_bind(shard, shard->guard.fd, &shard->guard.slot);
	rc = rc < 0 ? rc : log_shard_slot_bind(shard, shard->flush_fd, &shard->flush_slot);
	struct partition *p = log_shard_next_partition(shard, &at);

	for (; rc == 0 && p; p = log_shard_next_partition(shard, &at)) {
		for (uint32_t i = 0; rc == 0 && i < SEGMENTS_OPEN_MAX; i++) {
			struct segment *s = &p->segments[i];

			if (s->state != SEGMENT_FREE && s->fd >= 0) {
				rc = log_shard_slot_bind(shard, s->fd, &s->slot);
			}
		}
		/* What recovery found is committed: the batcher hears of it before any job is made. */
		commit_notes_add(shard, p, 0, 0, -1);
	}
	shard->started = rc == 0;
	return rc;
}

/* --- messages of the keeper -------------------------------------------------------------------- */

static void
take_spare(struct log_shard *shard, const struct shard_msg *msg)
{
	uint32_t slot = 0;
	int rc = log_shard_slot_bind(shard, (int)msg->fd, &slot);

	ensure(rc == 0);
	ensure(shard->spare_count < SHARD_SPARES_MAX);
	shard->spares[shard->spare_count++] = (struct shard_spare){.file_id = msg->file_id,
		.fd = (int)msg->fd,
		.slot = slot,
		.bytes = (uint32_t)msg->bytes};
}

static void
answer_command(struct log_shard *shard, struct log_command *command, int16_t error)
{
	command->error = error;
	log_shard_tell(shard, &(struct keeper_msg){.kind = KEEPER_COMMAND_DONE, .command = command});
}

static void
add_partition(struct log_shard *shard, const struct shard_msg *msg)
{
	struct partition *p = msg->partition;

	shard->partitions[p->index] = p;
	shard->partition_count++;
	p->checkpoint_ns = shard->now_ns;
	partition_publish(p);
	answer_command(shard, msg->command, 0);
}

static void
run_command(struct log_shard *shard, struct log_command *command, struct partition *p)
{
	switch (command->kind) {
	case LOG_COMMAND_CONFIG:
		p->config = command->config;
		answer_command(shard, command, 0);
		break;
	case LOG_COMMAND_ROLL:
	case LOG_COMMAND_DELETE:
	case LOG_COMMAND_REPAIR:
		if (command->kind == LOG_COMMAND_DELETE) {
			partition_set_state(p, LOG_PARTITION_DELETED);
			partition_publish(p);
			commit_notes_add(
				shard, p, 0, 0, -1); /* wakes the batcher: jobs that read it end */
		}
		/* They wait for room or quiet; the chores of every turn look again. */
		command->internal = p->waiting_command;
		p->waiting_command = command;
		shard->waiting_commands++;
		break;
	case LOG_COMMAND_CREATE:
	default:
		ensure(false);
	}
}

void
log_shard_fail(struct log_shard *shard, const char *what, int error)
{
	shard->failed = true;
	store_fail(shard->store, what, error);
}

void
log_shard_quarantine(struct log_shard *shard, struct partition *p)
{
	if (p->state == LOG_PARTITION_SERVING) {
		partition_set_state(p, LOG_PARTITION_QUARANTINED);
		shard_count(shard, SHARD_quarantines, 1);
		partition_publish(p);
	}
}

static uint32_t
take_messages(struct log_shard *shard)
{
	struct shard_msg msg;
	uint32_t n = 0;

	for (; n < MESSAGES_A_TURN && ring_take(&shard->from_keeper, &msg, 1) == 1; n++) {
		switch ((enum shard_msg_kind)msg.kind) {
		case SHARD_SPARE:
			take_spare(shard, &msg);
			break;
		case SHARD_ADD:
			add_partition(shard, &msg);
			break;
		case SHARD_PAGE_DONE:
			msg.page->entry_count = 0;
			msg.page->time_entry_count = 0;
			msg.page->away = false;
			break;
		case SHARD_SEALED:
			roll_sealed(shard, msg.segment);
			if (msg.result < 0) {
				log_shard_quarantine(shard, msg.partition);
			}
			break;
		case SHARD_CHECKPOINT_DONE:
			checkpointer_done(shard, msg.partition, msg.segment, msg.result);
			break;
		case SHARD_READ_DONE:
			reader_cold_done(shard, msg.read);
			break;
		case SHARD_REPAIRED:
			shard_repair_done(shard, msg.partition, msg.command);
			break;
		case SHARD_COMMAND:
			run_command(shard, msg.command, msg.partition);
			break;
		default:
			ensure(false);
		}
	}
	return n;
}

/* --- chores ------------------------------------------------------------------------------------ */

bool
log_shard_partition_is_quiet(const struct partition *p)
{
	bool pages_away = false;

	for (uint32_t i = 0; i < INDEX_PAGES; i++) {
		pages_away |= p->pages[i].away;
	}
	for (uint32_t i = 0; i < SEGMENTS_OPEN_MAX; i++) {
		if (p->segments[i].state == SEGMENT_SEALING) {
			return false;
		}
	}
	return !p->lent && !p->dirty && p->parts_in_flight == 0 && !p->checkpoint_busy && !pages_away;
}

/* A deleted partition lets go of everything; its files are the keeper's from here on. */
static void
let_go(struct log_shard *shard, struct partition *p)
{
	for (uint32_t i = 0; i < SEGMENTS_OPEN_MAX; i++) {
		struct segment *s = &p->segments[i];

		if (s->state == SEGMENT_FREE) {
			continue;
		}
		shard->uncheckpointed_bytes -= s->durable_pos - s->checkpoint.pos;
		roll_forget(shard, s);
		log_shard_slot_free(shard, s->slot);
		log_shard_tell(shard,
			&(struct keeper_msg){.kind = KEEPER_CLOSE_FD, .position = (uint64_t)s->fd});
		if (s->snapshot) {
			snapshot_arena_give(&shard->snapshots, s->snapshot);
			s->snapshot = NULL;
		}
		segment_set_state(s, SEGMENT_FREE);
	}
	while (p->newest) {
		partition_extent_forget(p->newest);
	}
	p->active = NULL;
	producer_list_clear(&shard->producers, &p->producers);
	if (p->poison_pending) {
		p->poison_pending = false;
		shard->poison_count--;
	}
	partition_publish(p);
}

static bool
try_command(struct log_shard *shard, struct partition *p, struct log_command *command)
{
	if (command->kind == LOG_COMMAND_ROLL) {
		if (p->state == LOG_PARTITION_SERVING && p->active && p->active->end_pos > 0 &&
			!roll_close(shard, p)) {
			return false;
		}
		command->offset = p->next_offset;
		answer_command(shard, command, 0);
		return true;
	}
	if (command->kind == LOG_COMMAND_REPAIR) {
		return shard_repair_try(shard, p, command);
	}
	if (!log_shard_partition_is_quiet(p)) {
		return false;
	}
	let_go(shard, p);
	log_shard_tell(shard,
		&(struct keeper_msg){.kind = KEEPER_REMOVE, .partition = p, .command = command});
	return true;
}

static uint32_t
try_commands(struct log_shard *shard)
{
	uint32_t at = 0;
	uint32_t done = 0;
	struct partition *p = log_shard_next_partition(shard, &at);

	for (; p && shard->waiting_commands > 0; p = log_shard_next_partition(shard, &at)) {
		struct log_command *command = p->waiting_command;

		if (!command) {
			continue;
		}
		p->waiting_command = command->internal;
		if (try_command(shard, p, command)) {
			shard->waiting_commands--;
			done++;
		} else {
			p->waiting_command = command;
		}
	}
	return done;
}

/* Clean stop: close every active segment, wait until all are sealed, tell the keeper once. */
static uint32_t
stop_step(struct log_shard *shard)
{
	uint32_t at = 0;
	bool unsealed = false;
	bool lent = false;
	struct partition *p = log_shard_next_partition(shard, &at);

	for (; p; p = log_shard_next_partition(shard, &at)) {
		bool alive = p->state == LOG_PARTITION_SERVING && !shard->failed;

		if (alive && p->active) {
			(void)roll_close(shard, p);
		}
		unsealed |= alive && partition_segments_open(p) > 0;
		unsealed |= p->checkpoint_busy && alive;
		lent |= p->lent;
	}
	bool settled = shard->failed ? shard->ops_busy == shard->ops_unqueued
				     : committer_quiet(shard) && !unsealed;

	if (!settled || lent || shard->stop_told) {
		return 0;
	}
	shard->stop_told = true;
	log_shard_tell(shard,
		&(struct keeper_msg){.kind = KEEPER_STOPPED, .result = shard->failed ? -EIO : 0});
	return 1;
}

static void
publish(struct log_shard *shard)
{
	uint64_t dirty = (uint64_t)shard->pool.dirty_chunks * CHUNK_BYTES;
	uint64_t buffer = shard->store->options.buffer_bytes;

	log_room_set_buffer_free(&shard->store->room, shard->index, buffer > dirty ? buffer - dirty : 0);
	if (shard->uncheckpointed_bytes != shard->uncheckpointed_told) {
		atomic_fetch_add_explicit(&shard->store->uncheckpointed_bytes,
			shard->uncheckpointed_bytes - shard->uncheckpointed_told, memory_order_relaxed);
		shard->uncheckpointed_told = shard->uncheckpointed_bytes;
		shard->counters.live[SHARD_uncheckpointed_bytes] = shard->uncheckpointed_bytes;
	}
	counter_publish(&shard->counters, SHARD_COUNTER_COUNT);
}

uint32_t
log_shard_poll(struct log_shard *shard, uint64_t now_ns)
{
	uint32_t work = 0;

	ensure(shard->started);
	shard->now_ns = now_ns;
	shard->wall_minus_mono_ns =
		atomic_load_explicit(&shard->store->wall_minus_mono_ns, memory_order_relaxed);
	shard->stopping |= atomic_load_explicit(&shard->store->stop_wanted, memory_order_relaxed);
	work += committer_reap(shard);		/* what the device finished */
	work += take_messages(shard);		/* spares, seals, cold reads, commands */
	work += appender_poll(shard);		/* batches into the open group */
	work += committer_poll(shard);		/* acknowledge, flush, dispatch */
	(void)shard->io->ops->submit(shard->io); /* one hand-over to the device */
	work += appender_deliver(shard);	/* DURABLE and other notes to their clients */
	work += commit_notes_deliver(shard);	/* commit notes to the batcher */
	work += reader_poll(shard);		/* pins back, reads out */
	checkpointer_poll(shard);		/* which partitions are due */
	if (shard->waiting_commands > 0) {
		work += try_commands(shard);
	}
	if (shard->stopping) {
		work += stop_step(shard);
	}
	producer_expire(&shard->producers, now_ns, PRODUCER_EXPIRY_NS);
	if (work > 0) {
		publish(shard);
	}
	return work;
}

uint64_t
log_shard_deadline_ns(const struct log_shard *shard)
{
	uint64_t deadline = committer_deadline_ns(shard);

	return shard->checkpoint_scan_ns < deadline ? shard->checkpoint_scan_ns : deadline;
}

int
log_shard_wait_fd(const struct log_shard *shard)
{
	return shard->io->ops->wait_fd(shard->io);
}
