/* SPDX-License-Identifier: Apache-2.0 */
/* Repairs, one at a time, a segment a turn: what else there is to do goes on in between. Keeper thread. */
#include <errno.h>
#include <stdlib.h>
#include "base/ensure.h"
#include "base/errcode.h"
#include "base/log.h"
#include "logstore/keeper.h"
#include "logstore/repair.h"
#include "logstore/store.h"

void
keeper_repair_add(struct log_keeper *keeper, struct log_command *command)
{
	struct log_command *last = keeper->repairs;

	command->internal = NULL;
	while (last && last->internal) {
		last = last->internal;
	}
	if (last) {
		last->internal = command;
	} else {
		keeper->repairs = command;
	}
}

static struct partition *
partition_of(struct log_keeper *keeper, const struct log_command *command)
{
	return atomic_load_explicit(
		&keeper->store->partitions[command->partition_index], memory_order_relaxed);
}

static void
give_back(struct log_keeper *keeper, struct partition *p, struct log_command *command,
	struct repair *repair)
{
	command->internal = repair;
	uint32_t n = ring_offer(&keeper->store->shards[p->shard]->from_keeper,
		&(struct shard_msg){.kind = SHARD_REPAIRED, .partition = p, .command = command}, 1);

	ensure(n == 1);
}

/* The next that waits. A partition that is being deleted needs no repair any more, and a stop begins none. */
static void
begin(struct log_keeper *keeper)
{
	struct log_command *command = keeper->repairs;
	struct partition *p = partition_of(keeper, command);
	bool stopping = atomic_load_explicit(&keeper->store->stop_wanted, memory_order_relaxed);
	int rc = 0;

	keeper->repairs = command->internal;
	if (p->removed) {
		command->error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
		give_back(keeper, p, command, NULL);
		return;
	}
	rc = stopping ? -ECANCELED : repair_begin(keeper->store, p, command, &keeper->repair);
	if (rc < 0) {
		log_error("logstore", "%s: the repair cannot begin: errno=%d", p->dir, -rc);
		keeper->repair = NULL;
		command->repair.verdict = LOG_REPAIR_FAILED;
		command->repair.error = rc;
		command->error = KAFKA_KAFKA_STORAGE_ERROR;
		give_back(keeper, p, command, NULL);
	}
}

uint32_t
keeper_repair_step(struct log_keeper *keeper)
{
	struct log_command *next = keeper->repair ? keeper->repair->command : keeper->repairs;

	/* Room for the answer, and for what else a turn answers. */
	if (!next ||
		ring_free(&keeper->store->shards[partition_of(keeper, next)->shard]->from_keeper) < 2) {
		return 0;
	}
	if (!keeper->repair) {
		begin(keeper);
		return 1;
	}
	if (!repair_step(keeper->repair)) {
		struct repair *repair = keeper->repair;

		keeper->repair = NULL;
		give_back(keeper, repair->p, repair->command, repair);
	}
	return 1;
}

void
keeper_repair_close(struct log_keeper *keeper)
{
	if (keeper->repair) {
		repair_free(keeper->repair);
		keeper->repair = NULL;
	}
}

void
keeper_repair_end(struct log_command *command)
{
	if (command->internal) {
		repair_free(command->internal);
		command->internal = NULL;
	}
}
