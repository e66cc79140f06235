/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bodies of the control methods, one file a noun, and the little they keep: jobs with their
 * plug-ins and parameters, commands that wait for the batcher. Control thread only.
 *
 * Use: methods_create, fill rpc_server_options with methods_server_options, rpc_server_create,
 * methods_set_server; then in every turn rpc_server_poll and methods_poll. Destroy the server first,
 * the batcher second, methods last (jobs use the plug-ins until the batcher is gone).
 */
#ifndef CTRL_METHODS_H
#define CTRL_METHODS_H

#include "ctrl/methods/engine.h"
#include "ctrl/rpc/uds_server.h"

struct methods;

int methods_create(struct engine *engine, struct methods **ret_methods) MUST_CHECK;
void methods_destroy(struct methods *methods);
/* Everything but clock rules: methods, user, state, limits of the configuration, greeting, roles. */
void methods_server_options(struct methods *methods, struct rpc_server_options *ret_options);
void methods_set_server(struct methods *methods, struct rpc_server *server);
/* Answers of the batcher, and the second's look at the ledger; returns work done. */
uint32_t methods_poll(struct methods *methods, uint64_t now_ns);

#endif
