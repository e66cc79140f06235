/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's loop. See keeper.h. */
#include "logstore/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/errcode.h"
#include "base/log.h"
#include "logstore/checkpoint_file.h"
#include "logstore/file_util.h"
#include "logstore/store.h"

#define MESSAGES_A_TURN	    32
#define COMMANDS_A_TURN	    32
#define LATE_FAILURES_MAX   8
#define SPARE_STEPS_SHORT   16
#define SLOW_SPARE	    16
#define SPACE_EVERY_NS	    NS_PER_S
#define CHECKPOINT_EVERY_NS (60 * NS_PER_S)
#define REPLIES_RESERVED    4

int
log_keeper_init(struct log_keeper *keeper, struct logstore *store)
{
	*keeper = (struct log_keeper){.store = store, .io = store->options.keeper_io};
	keeper->prep.fd = -1;
	for (uint32_t i = 0; i < store->options.shard_count; i++) {
		struct keeper_inbox *inbox = &keeper->inbox[i];

		inbox->late_max = ring_free(&store->shards[i]->to_keeper);
		inbox->late = calloc(inbox->late_max, sizeof(inbox->late[0]));
		if (!inbox->late) {
			return -ENOMEM;
		}
		int rc = ring_create(&inbox->slow,
			store->options.partitions_max * (SEGMENTS_OPEN_MAX + 1) + SLOW_SPARE,
			sizeof(struct keeper_msg), NULL);

		if (rc < 0) {
			return rc;
		}
	}
	return 0;
}

void
log_keeper_close(struct log_keeper *keeper)
{
	if (keeper->prep.fd >= 0) {
		keeper->io->ops->close(keeper->io, keeper->prep.fd);
		keeper->prep.fd = -1;
	}
	keeper_repair_close(keeper);
	for (uint32_t i = 0; i < HANDOFF_SHARDS_MAX; i++) {
		free(keeper->inbox[i].late);
		ring_destroy(&keeper->inbox[i].slow);
	}
}

static void
reply(struct log_keeper *keeper, uint32_t shard, const struct shard_msg *msg)
{
	uint32_t n = ring_offer(&keeper->store->shards[shard]->from_keeper, msg, 1);

	ensure(n == 1);
}

static void
answer_command(struct log_keeper *keeper, struct log_command *command)
{
	uint32_t n = ring_offer(&keeper->store->answers, &command, 1);

	ensure(n == 1);
}

/* A segment of a partition that is being deleted: it needs no name any more. */
static int
forget_spare(struct log_keeper *keeper, const struct segment *s)
{
	char path[FILE_PATH_MAX];

	file_util_spare_path(path, s->file_id, "prep");
	return file_util_remove(keeper->io, NULL, path);
}

/*
 * Does the work of one message. 0: done and answered; negative: try again later. Files of a partition
 * that is being deleted are not completed any more: a full disk must not hold up what empties it.
 */
static int
do_message(struct log_keeper *keeper, uint32_t shard, struct keeper_msg *msg)
{
	struct shard_msg answer = {
		.partition = msg->partition, .segment = msg->segment, .page = msg->page, .read = msg->read};
	bool gone = msg->partition && msg->partition->removed;
	int rc = 0;

	switch ((enum keeper_msg_kind)msg->kind) {
	case KEEPER_ROLLED:
		return gone ? forget_spare(keeper, msg->segment)
			    : keeper_segment_name(keeper, msg->partition, msg->segment);
	case KEEPER_PAGE:
		rc = gone ? 0 : keeper_segment_page(keeper, msg->segment, msg->page);
		answer.kind = SHARD_PAGE_DONE;
		break;
	case KEEPER_SEAL:
		rc = gone ? 0 : keeper_segment_seal(keeper, msg->partition, msg->segment, msg->snapshot);
		answer.result = msg->partition->has_doubtful ? -EUCLEAN : 0;
		if (rc == 0 && !gone && !msg->partition->has_doubtful) {
			keeper_segment_prune(keeper, msg->partition, msg->keep_from);
		}
		answer.kind = SHARD_SEALED;
		break;
	case KEEPER_CHECKPOINT:
		rc = gone ? 0 : keeper_segment_checkpoint(keeper, msg);
		answer.kind = SHARD_CHECKPOINT_DONE;
		break;
	case KEEPER_CLOSE_FD:
		keeper->io->ops->close(keeper->io, (int)msg->position);
		return 0;
	case KEEPER_READ:
		keeper_read(keeper, msg->partition, msg->read);
		answer.kind = SHARD_READ_DONE;
		break;
	case KEEPER_REPAIR:
		keeper_repair_add(keeper, msg->command);
		return 0;
	case KEEPER_REMOVE:
		rc = keeper_partition_remove(keeper, msg->partition);
		if (rc == 0) {
			msg->command->error = 0;
			answer_command(keeper, msg->command);
		}
		return rc;
	case KEEPER_COMMAND_DONE:
		if (msg->command->kind == LOG_COMMAND_REPAIR) {
			keeper_repair_end(msg->command);
		}
		answer_command(keeper, msg->command);
		return 0;
	case KEEPER_STOPPED:
		keeper->inbox[shard].stopped = true;
		keeper->inbox[shard].stopped_clean = msg->result == 0;
		return 0;
	default:
		ensure(false);
	}
	if (rc == 0) {
		reply(keeper, shard, &answer);
	}
	return rc;
}

static bool
has_reply_room(const struct log_keeper *keeper, uint32_t shard)
{
	return ring_free(&keeper->store->shards[shard]->from_keeper) >= REPLIES_RESERVED &&
		ring_free(&keeper->store->answers) >= REPLIES_RESERVED;
}

static void
note_failure(struct log_keeper *keeper, const struct keeper_msg *msg, int error)
{
	log_warning("logstore", "%s: housekeeping failed, again in 1 s: step=%u errno=%d",
		msg->partition->dir, msg->kind, -error);
	msg->partition->late_ns = keeper->now_ns;
}

/* Only messages of a partition can fail or wait. */
static void
add_late(struct log_keeper *keeper, struct keeper_inbox *inbox, const struct keeper_msg *msg)
{
	ensure(inbox->late_count < inbox->late_max);
	if (inbox->late_count == 0) {
		inbox->retry_ns = keeper->now_ns + KEEPER_RETRY_NS;
	}
	inbox->late[inbox->late_count++] = *msg;
	msg->partition->late_count++;
}

/* Late messages again, in order; the first failures of a pass speak for the rest of the disk. */
static uint32_t
retry_late(struct log_keeper *keeper, uint32_t shard)
{
	struct keeper_inbox *inbox = &keeper->inbox[shard];
	uint32_t kept = 0;
	uint32_t failures = 0;

	if (inbox->late_count == 0 || keeper->now_ns < inbox->retry_ns) {
		return 0;
	}
	uint32_t count = inbox->late_count;

	for (uint32_t i = 0; i < count; i++) {
		struct keeper_msg msg = inbox->late[i];
		bool waits = msg.partition->late_ns == keeper->now_ns || !has_reply_room(keeper, shard) ||
			(failures >= LATE_FAILURES_MAX && !msg.partition->removed);
		int rc = waits ? -EAGAIN : do_message(keeper, shard, &msg);

		if (rc == 0) {
			msg.partition->late_count--;
			continue;
		}
		if (!waits) {
			note_failure(keeper, &msg, rc);
			failures++;
		}
		msg.partition->late_ns = keeper->now_ns;
		inbox->late[kept++] = msg;
	}
	inbox->late_count = kept;
	inbox->retry_ns = keeper->now_ns + KEEPER_RETRY_NS;
	return count - kept;
}

static void
do_or_be_late(struct log_keeper *keeper, uint32_t shard, struct keeper_msg *msg)
{
	struct keeper_inbox *inbox = &keeper->inbox[shard];

	bool in_order = msg->kind != KEEPER_READ || !keeper_read_may_go(msg->partition, msg->read);

	if (msg->partition && msg->partition->late_count > 0 && in_order) {
		add_late(keeper, inbox, msg);
		return;
	}
	int rc = do_message(keeper, shard, msg);

	if (rc < 0) {
		note_failure(keeper, msg, rc);
		add_late(keeper, inbox, msg);
	}
}

/* Not the end of an empty segment: one with the same name may come next. */
static bool
is_slow(const struct keeper_msg *msg)
{
	return (msg->kind == KEEPER_SEAL && msg->segment->end_pos > 0) ||
		msg->kind == KEEPER_CHECKPOINT || msg->kind == KEEPER_STOPPED;
}

/* One seal or checkpoint: what came in meanwhile is looked at before the next. */
static uint32_t
take_slow(struct log_keeper *keeper, uint32_t shard)
{
	struct keeper_msg msg;

	if (!has_reply_room(keeper, shard) || ring_take(&keeper->inbox[shard].slow, &msg, 1) == 0) {
		return 0;
	}
	do_or_be_late(keeper, shard, &msg);
	return 1;
}

static uint32_t
take_messages(struct log_keeper *keeper, uint32_t shard)
{
	struct keeper_inbox *inbox = &keeper->inbox[shard];
	struct keeper_msg msg;
	uint32_t n = 0;

	for (; n < MESSAGES_A_TURN; n++) {
		if (!has_reply_room(keeper, shard) ||
			ring_take(&keeper->store->shards[shard]->to_keeper, &msg, 1) == 0) {
			break;
		}
		if (is_slow(&msg)) {
			uint32_t offered = ring_offer(&inbox->slow, &msg, 1);

			ensure(offered == 1);
		} else {
			do_or_be_late(keeper, shard, &msg);
		}
	}
	return n;
}

static void
refuse_command(struct log_keeper *keeper, struct log_command *command, int16_t error)
{
	command->error = error;
	answer_command(keeper, command);
}

static void
run_create(struct log_keeper *keeper, struct log_command *command)
{
	struct partition *p = NULL;
	int rc = keeper_partition_create(keeper, command, &p);

	if (rc == -EEXIST) {
		refuse_command(keeper, command, KAFKA_TOPIC_ALREADY_EXISTS);
	} else if (rc == -EINVAL) {
		refuse_command(keeper, command, KAFKA_INVALID_TOPIC_EXCEPTION);
	} else if (rc < 0) {
		command->os_error = -rc;
		refuse_command(keeper, command, KAFKA_KAFKA_STORAGE_ERROR);
	} else {
		reply(keeper, p->shard,
			&(struct shard_msg){.kind = SHARD_ADD, .partition = p, .command = command});
	}
}

static uint32_t
take_commands(struct log_keeper *keeper)
{
	struct logstore *store = keeper->store;
	uint32_t n = 0;

	for (; n < COMMANDS_A_TURN; n++) {
		struct log_command *command = NULL;

		if (ring_free(&store->answers) < REPLIES_RESERVED ||
			ring_take(&store->commands, &command, 1) == 0) {
			break;
		}
		if (command->kind == LOG_COMMAND_CREATE) {
			run_create(keeper, command);
			continue;
		}
		struct partition *p = command->partition_index < store->options.partitions_max
			? atomic_load_explicit(&store->partitions[command->partition_index],
				  memory_order_relaxed)
			: NULL;

		if (!p || p->removed) {
			refuse_command(keeper, command, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
			continue;
		}
		if (command->kind == LOG_COMMAND_DELETE) {
			p->removed = true;
		}
		reply(keeper, p->shard,
			&(struct shard_msg){.kind = SHARD_COMMAND, .partition = p, .command = command});
	}
	return n;
}

/* Below log.free.low producers are refused; from 1.25 times that on they are let in again. */
static void
watch_space(struct log_keeper *keeper)
{
	struct logstore *store = keeper->store;
	struct io_space space;

	if (keeper->now_ns < keeper->space_ns) {
		return;
	}
	keeper->space_ns = keeper->now_ns + SPACE_EVERY_NS;
	if (keeper->io->ops->space(keeper->io, &space) < 0) {
		return;
	}
	uint64_t low = space.total_bytes / 20;

	low = low < store->options.free_low_bytes ? low : store->options.free_low_bytes;
	atomic_store_explicit(&store->disk_free_bytes, space.free_bytes, memory_order_relaxed);
	atomic_store_explicit(&store->disk_needs_bytes, low + low / 4, memory_order_relaxed);
	if (space.free_bytes < low) {
		keeper->space_low = true;
	} else if (space.free_bytes >= low + low / 4) {
		keeper->space_low = false;
	}
	keeper->space_roomy = space.free_bytes >= 2 * low +
			(uint64_t)store->options.shard_count * SHARD_SPARES_MAX * store->segment_alloc_bytes;
	bool refuse = keeper->space_low || keeper->prep_full;

	if (refuse != log_room_disk_full(&store->room)) {
		log_warning("logstore", refuse ? "disk is full: producers are refused, free=%llu low=%llu"
					       : "disk has room again: free=%llu low=%llu",
			(unsigned long long)space.free_bytes, (unsigned long long)low);
	}
	log_room_set_disk_full(&store->room, refuse);
	if (!refuse && space.free_bytes > low + low / 4) {
		keeper_reserve_keep(keeper, space.free_bytes - low - low / 4);
	}
}

static void
finish_stop(struct log_keeper *keeper)
{
	struct logstore *store = keeper->store;
	bool clean = !store_failed(store);

	for (uint32_t i = 0; i < store->options.shard_count; i++) {
		if (!keeper->inbox[i].stopped) {
			return;
		}
		clean &= keeper->inbox[i].stopped_clean;
	}
	if (atomic_load_explicit(&store->stopped, memory_order_relaxed) ||
		keeper->now_ns < keeper->checkpoint_ns) {
		return;
	}
	if (clean) {
		uint8_t text[128];
		struct writer w = writer_init(text, sizeof(text));

		checkpoint_file_write_clean(&w, -1);
		int rc = keeper_partition_write_checkpoints(keeper, true);

		rc = rc < 0 ? rc
			    : file_util_replace(keeper->io, NULL, ".kafka_cleanshutdown", text,
				      writer_len(&w));
		if (rc < 0) {
			log_warning("logstore", "clean stop not yet written: errno=%d", -rc);
			keeper->checkpoint_ns = keeper->now_ns + KEEPER_RETRY_NS;
			return;
		}
	}
	keeper->clean_written = clean;
	atomic_store_explicit(&store->stopped, true, memory_order_release);
}

uint32_t
log_keeper_poll(struct log_keeper *keeper, uint64_t now_ns)
{
	struct logstore *store = keeper->store;
	uint32_t work = 0;

	keeper->now_ns = now_ns;
	atomic_store_explicit(&store->wall_minus_mono_ns,
		(int64_t)(clock_wall_ns(store->options.clock) - clock_now_ns(store->options.clock)),
		memory_order_relaxed);
	watch_space(keeper);
	work += take_commands(keeper);
	for (uint32_t i = 0; i < store->options.shard_count; i++) {
		work += retry_late(keeper, i);
		work += take_messages(keeper, i);
	}
	/* A roll that finds no spare must not wait for seals too. */
	for (uint32_t i = 0; i < SPARE_STEPS_SHORT && keeper_spare_short(keeper); i++) {
		if (keeper_spare_step(keeper) == 0) {
			break;
		}
		work++;
	}
	for (uint32_t i = 0; i < store->options.shard_count; i++) {
		work += take_slow(keeper, i);
	}
	work += keeper_repair_step(keeper);
	if (atomic_load_explicit(&store->stop_wanted, memory_order_relaxed)) {
		finish_stop(keeper);
	} else {
		if (now_ns - keeper->checkpoint_ns >= CHECKPOINT_EVERY_NS) {
			keeper->checkpoint_ns = now_ns;
			(void)keeper_partition_write_checkpoints(keeper, false);
		}
	}
	/* At a stop too: a batch taken before it may still wait for a segment. */
	work += keeper_spare_step(keeper);
	return work;
}
