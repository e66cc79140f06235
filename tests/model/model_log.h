/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands behind the lanes in the model: log shards that take append_req and answer append_done.
 * model_log_memory.c follows the hand-off's contract on a log in memory; model_log_store.c is logstore
 * itself on a simulated disk.
 */
#ifndef MODEL_MODEL_LOG_H
#define MODEL_MODEL_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/log_room.h"
#include "base/rand.h"
#include "base/ring.h"
#include "model_server.h"

#define MODEL_LANES_MAX	 4
#define MODEL_SHARDS_MAX 4

struct model_log_options {
	struct rand *rand;
	uint32_t lane_count;
	uint32_t shard_count;
	uint32_t partition_count;
	uint64_t disk_ns;
	struct clock *clock;
	/* Lets virtual time pass, where the log must run alone: before the first start, at the end. */
	void (*advance)(void *user_data, uint64_t duration_ns);
	void *advance_data;
};

struct model_log;

struct model_log_ops {
	/* Rings of a lane and a shard; anew after each crash, before the first poll. */
	void (*attach)(struct model_log *log, uint32_t lane, uint32_t shard, struct ring *append_req,
		struct ring *append_done);
	/* All rings are attached: recover. Partition p of the topic then has that index. */
	void (*start)(struct model_log *log, uint64_t now_ns);
	uint32_t (*partition_index)(struct model_log *log, uint32_t partition);
	uint32_t (*shard_of)(struct model_log *log, uint32_t partition);
	uint64_t (*poll)(struct model_log *log, uint64_t now_ns, uint32_t *work);
	/* The process is gone; rings will be. */
	void (*crash)(struct model_log *log, uint64_t now_ns);
	void (*disk)(struct model_log *log, bool running);
	bool (*quiet)(struct model_log *log);
	const struct log_room *(*room)(struct model_log *log);
	void (*visit)(struct model_log *log, uint32_t partition, model_visit_fn fn, void *user_data);
	const char *(*broken)(struct model_log *log);
	void (*destroy)(struct model_log *log);
};

struct model_log {
	const struct model_log_ops *ops;
};

struct model_log *model_log_memory(const struct model_log_options *options);
struct model_log *model_log_store(const struct model_log_options *options);

#endif
