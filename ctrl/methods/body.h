/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What bodies share. A body is written as METHOD_BODY(topic_list) { ... }: without an entry in
 * ctrl/schema/methods.yaml it does not compile, and an entry without a body does not link.
 */
#ifndef CTRL_BODY_H
#define CTRL_BODY_H

#include <jansson.h>
#include "ctrl/methods/engine.h"
#include "ctrl/methods/ledger_watch.h"
#include "ctrl/methods/methods.h"
#include "ctrl/rpc/call.h"
#include "ctrl/schema/config_gen.h"
#include "ctrl/schema/methods_gen.h"

#define METHOD_BODY(name)                                                                          \
	_Static_assert(sizeof(struct name##_params) > 0, "no entry in methods.yaml");              \
	void method_##name(struct rpc_call *call, const struct name##_params *params)

struct job_record; /* job.c */

struct methods {
	struct engine *engine;
	struct rpc_server *server;
	struct job_record *jobs[BATCHER_JOBS_MAX];
	struct job_pending *pending; /* commands on their way to the batcher and back */
	struct ledger_watch ledger;
};

extern const char *const engine_state_names[];

struct methods *body_methods(const struct rpc_call *call);
struct engine *body_engine(const struct rpc_call *call);

/* Answers not_found with the nearest topic. */
void body_no_topic(struct rpc_call *call, const char *topic);
/* In any state; NULL after having answered not_found. */
const struct route_topic *body_topic(struct rpc_call *call, const char *name,
	uint32_t *ret_topic_index);
/* One that is open; NULL after having answered not_found, busy or invalid_state. */
const struct route_topic *body_open_topic(struct rpc_call *call, const char *name,
	uint32_t *ret_topic_index);
extern const char *const body_topic_state_names[];
/* The method whose work is in the way of another change of the topic. */
const char *body_topic_operation(const struct engine *engine, uint32_t topic_index);
/* What an acknowledged record of the topic may not survive: "power", "crash"; NULL: it is durable.
 */
const char *body_ack_risk(const struct route_topic *topic);
/* The same for a partition's route index; -ENOENT. */
int body_partition(struct rpc_call *call, const char *topic, uint32_t partition,
	uint32_t *ret_partition_index);
/* One row of partition.list; NULL while the log does not know it. */
json_t *body_partition_row(struct engine *engine, const struct route_topic *topic,
	uint32_t partition_index);
/*
 * True if a command that waits since then will not be answered soon: it has waited for BODY_LCORE_NS, and
 * so long its lcore has given no heartbeat. A slow disk is no reason: the lcore turns meanwhile.
 */
#define BODY_LCORE_NS NS_PER_S
bool body_lcore_silent(const struct engine *engine, uint32_t lcore, uint64_t since_ns, uint64_t now_ns);
/* Answers unresponsive: `what` waits for the lcore, `later` is what becomes of it. */
void body_unresponsive(struct rpc_call *call, uint32_t lcore, const char *what, const char *later);
/* The index at which a page begins, 0 without a cursor. False after not_found: no page below `end` begins there. */
bool body_cursor(struct rpc_call *call, const char *cursor, uint32_t end, uint32_t *ret_index);
json_t *body_hex(const uint8_t *bytes, size_t len);
/* job.c: the batcher's answers. */
uint32_t method_job_poll(struct methods *methods);
void job_destroy_all(struct methods *methods);

#endif
