/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of the model: everything that happens follows from the seed. Checked while it runs: credit,
 * the server's own invariants. Checked at the end: every record was told its fate once, the log holds
 * what was sent, per producer and partition in order and once, every record told durable is there at
 * the offset told, with its content; nothing is stuck.
 */
#ifndef MODEL_MODEL_RUN_H
#define MODEL_MODEL_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include "model_server.h"

struct model_run_options {
	struct model_server *(*server)(const struct model_server_options *options);
	uint64_t seed;
	bool trace;
};

struct model_run_result {
	char broken[256]; /* "" if all invariants held */
	uint64_t records, durable, failed;
	uint64_t datagrams, lost, duplicated, reordered, corrupted;
	uint64_t crashes, drains, stalls, pauses;
	uint64_t virtual_ns;
	uint64_t steps;
	uint64_t hash; /* of the outcome: the same seed gives the same */
};

void model_run(const struct model_run_options *options, struct model_run_result *ret_result);

#endif
