/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The batcher in the model: one job over the topic from its first record, a worker, and a callback
 * sink, stepped with the log. Delivery is at least once: a crash forgets the job, the next start makes
 * it anew, so the last life has seen every record. Checked while it runs: the job does not fail, its
 * ledger adds up. Checked when it is drained: what it read is what is in the log, by count and by
 * content; what fired windows gave to the function arrived at the sink.
 */
#ifndef MODEL_MODEL_WINDOWS_H
#define MODEL_MODEL_WINDOWS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/rand.h"
#include "base/ring.h"

#define MODEL_WINDOWS_SHARDS	 4
#define MODEL_WINDOWS_PARTITIONS 16

struct model_windows_options {
	struct clock *clock;
	struct rand *rand;
	uint32_t client; /* of the log */
	uint32_t shard_count;
	uint32_t partition_count;
	uint32_t indexes[MODEL_WINDOWS_PARTITIONS]; /* in the log, of partition p */
	uint32_t shards[MODEL_WINDOWS_PARTITIONS];
	struct ring *commit_notes[MODEL_WINDOWS_SHARDS];
	struct ring *read_req[MODEL_WINDOWS_SHARDS];
	struct ring *read_done[MODEL_WINDOWS_SHARDS];
	struct ring *extent_release[MODEL_WINDOWS_SHARDS];
};

struct model_windows;

struct model_windows *model_windows_create(const struct model_windows_options *options);
void model_windows_destroy(struct model_windows *windows);
uint32_t model_windows_poll(struct model_windows *windows, uint64_t now_ns);
uint64_t model_windows_deadline_ns(const struct model_windows *windows);
/* Asks the job to drain if nobody did; true once it has. */
bool model_windows_drained(struct model_windows *windows);
/* After the drain: the log holds that many records with that sum of record_digest(). */
void model_windows_check(struct model_windows *windows, uint64_t records, uint64_t digest);
/* What is wrong, or NULL. */
const char *model_windows_broken(const struct model_windows *windows);

#endif
