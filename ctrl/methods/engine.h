/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a control method may see: the running parts, put together by ctrl/daemon/wiring.c. Control
 * thread only. Methods read published copies; whatever changes something goes through a ring.
 */
#ifndef CTRL_ENGINE_H
#define CTRL_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/route_table.h"
#include "batcher/batcher.h"
#include "ctrl/broker/broker.h"
#include "dataplane.h"
#include "logstore/logstore.h"

#define ENGINE_LCORES_MAX  32

struct config; /* ctrl/daemon/config.h, generated from ctrl/schema/config.yaml */

enum engine_state {
	ENGINE_STARTING,
	ENGINE_RECOVERING,
	ENGINE_RUNNING,
	ENGINE_DRAINING,
	ENGINE_STOPPING,
	ENGINE_FAILED,
	ENGINE_STATE_COUNT,
};

/* One lcore as lcore.list shows it; written by its loop, read by anyone (relaxed atomics). */
struct engine_lcore {
	char role[1024]; /* "rx 0 (net_af_packet), log 0, batch 0, worker 0"; room for every stage
			    at once */
	int cpu;	/* -1: not pinned */
	char idle[128]; /* what it does without work: "sleep", or "interrupt, but polls rx 0, 1" */
	_Atomic uint64_t heartbeat_ns;
	_Atomic uint64_t turns;
	_Atomic uint64_t turns_empty;
	_Atomic uint64_t busy_ns;
	_Atomic uint64_t total_ns;
	_Atomic uint64_t sleep_ns;
	_Atomic uint64_t worst_turn_ns;
	_Atomic uint64_t items;
};

struct engine {
	const struct config *config;
	struct clock *clock;
	enum engine_state state;
	const char *version;
	const char *instance; /* 8 hex digits, new each start */
	const char *mode;     /* "dev" or "production" */
	uint64_t start_wall_ms;
	char ctl_socket[108];
	char data_dir[512];
	char failure[256]; /* reason of ENGINE_FAILED */
	_Atomic uint32_t recover_done; /* of ENGINE_RECOVERING: partitions */
	_Atomic uint32_t recover_total;

	struct route_table *routes;
	struct broker *broker;
	struct logstore *store;
	uint32_t shard_count;
	struct lane *lanes[HANDOFF_LANES_MAX];
	struct nic *nics[HANDOFF_LANES_MAX];
	uint16_t lane_ports[HANDOFF_LANES_MAX];
	uint32_t lane_count;
	struct batcher *batcher;
	uint32_t worker_count;
	struct worker *workers[HANDOFF_WORKERS_MAX];
	uint32_t worker_lcores[HANDOFF_WORKERS_MAX]; /* whose lcore each is polled by */
	uint32_t shard_lcores[HANDOFF_SHARDS_MAX];
	uint32_t batcher_lcore;
	struct engine_lcore lcores[ENGINE_LCORES_MAX];
	uint32_t lcore_count;
	const char *fallbacks[16]; /* one line each: what was missing, what is used instead, how to mend */
	uint32_t fallback_count;

	/* Set by sys.stop; acted on by the daemon's main loop. */
	bool stop_requested;
	uint64_t stop_within_ns;
};

#endif
