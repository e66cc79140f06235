/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: AF_UNIX, one JSON object a line, JSON-RPC 2.0 with a greeting. One thread (the
 * control thread) does everything; rpc_server_poll never blocks.
 */
#ifndef CTRL_UDS_SERVER_H
#define CTRL_UDS_SERVER_H

#include <stdint.h>
#include "base/clock.h"
#include "ctrl/rpc/call.h"
#include "ctrl/rpc/peer_role.h"

#define RPC_CONNECTIONS_MAX	 64
#define RPC_CONNECTIONS_ADMIN	 4 /* of them, kept for admins */
#define RPC_INFLIGHT_MAX	 64
#define RPC_UNREAD_BYTES_MAX	 (8u * 1024 * 1024)

struct rpc_server;

struct rpc_server_options {
	struct clock *clock;
	const char *path; /* at most 107 bytes; its directory exists, or its last part is made 0700 */
	const struct rpc_method *methods;
	uint32_t method_count;
	void *user;			   /* for bodies */
	uint32_t (*state)(void *user);	   /* index of the daemon's state */
	const char *const *state_names;
	uint64_t request_bytes_max;
	uint64_t memory_bytes_max; /* of all connections' buffers */
	struct peer_rules rules;
	/* For the greeting; they outlive the server. */
	const char *version;
	const char *instance;
	const char *mode;
	uint32_t node_id;
};

struct rpc_stats {
	uint64_t requests, errors, connections_opened, connections_refused;
	uint64_t line_timeouts, slow_readers, protocol_closes, halves_discarded, memory_refusals;
	uint32_t connections;
	uint64_t buffer_bytes;
	uint64_t memory_refused_ns; /* instant of the last memory_refusals on the server's clock */
};

/*
 * Locks PATH with `.lock` for `.sock`, removes a dead socket, listens. -ENAMETOOLONG, -EADDRINUSE
 * (the holder's pid in text), or another errno; text says what and how to mend it.
 */
int rpc_server_create(const struct rpc_server_options *options, struct rpc_server **ret_server,
	char *text, size_t text_bytes) MUST_CHECK;
/* One turn: does what there is to do, and never blocks. Returns work done. */
uint32_t rpc_server_poll(struct rpc_server *server);
/*
 * How long its owner may sleep on rpc_server_fd before the next turn, most_ms or less: a call that is held open is
 * looked at every 5 ms, and a line that waits for its connection's rate at its instant.
 */
int rpc_server_wait_ms(const struct rpc_server *server, int most_ms);
/* Readable when rpc_server_poll has something to do; timers apart: poll at least each 100 ms. */
int rpc_server_fd(const struct rpc_server *server);
void rpc_server_stats(const struct rpc_server *server, struct rpc_stats *ret_stats);
/*
 * Answers what is still open with `cancelled`, says server.bye to all, removes the socket, gives up the lock. A
 * client whose socket is full misses the end of it: nobody is waited for.
 */
void rpc_server_destroy(struct rpc_server *server);

#endif
