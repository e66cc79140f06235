/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the model talks to: a server as a machine that takes datagrams and time. Two implementations:
 * the reference server of tests/support (a second reading of the protocol), and the real pipeline of
 * lanes and log shards on a simulated disk.
 */
#ifndef MODEL_MODEL_SERVER_H
#define MODEL_MODEL_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/rand.h"

#define MODEL_PORT 9292

struct model_server;

typedef void (*model_send_fn)(void *user_data, uint32_t address, uint16_t port, const uint8_t *bytes,
	uint32_t len);
/* One stored batch, in log order. */
typedef void (*model_visit_fn)(void *user_data, const uint8_t *batch, uint32_t len);

struct model_server_options {
	struct rand *rand;
	model_send_fn send;
	void *user_data;
	uint32_t lane_count;
	uint32_t shard_count;
	uint32_t partition_count; /* of the one topic, MODEL_TOPIC */
	uint64_t credit_packets;  /* reference server only */
	uint64_t disk_ns;
	uint64_t now_ns;
};

#define MODEL_TOPIC "model"

struct model_server_ops {
	const char *name;
	void (*input)(struct model_server *server, uint32_t address, uint16_t port,
		const uint8_t *bytes, uint32_t len, uint64_t now_ns);
	/* One turn of everything; returns the next deadline. */
	uint64_t (*poll)(struct model_server *server, uint64_t now_ns);
	/* kill -9 or power cut now; it comes up again by itself, at once or after a while. */
	void (*crash)(struct model_server *server, uint64_t now_ns);
	/* A stop as people ask for it: everybody is told, what was taken becomes durable, then as crash. */
	void (*drain)(struct model_server *server, uint64_t now_ns);
	void (*disk)(struct model_server *server, bool running);
	/* True if nothing is in flight inside. */
	bool (*quiet)(struct model_server *server);
	/* All batches of a partition; only when quiet. */
	void (*visit)(struct model_server *server, uint32_t partition, model_visit_fn fn,
		void *user_data);
	/* A broken invariant in words (ledger, owners, credit), or NULL. */
	const char *(*broken)(struct model_server *server, bool at_end);
	void (*destroy)(struct model_server *server);
};

struct model_server {
	const struct model_server_ops *ops;
};

struct model_server *model_server_reference(const struct model_server_options *options);
/* Real lanes on a log in memory. */
struct model_server *model_server_lanes(const struct model_server_options *options);
/* Real lanes on the real log, on a simulated disk, with the batcher and a worker behind it. */
struct model_server *model_server_pipeline(const struct model_server_options *options);

#endif
