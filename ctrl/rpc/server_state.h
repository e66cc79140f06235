/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the server, shared by uds_server.c (socket, accept, turns), connection.c and call.c. */
#ifndef CTRL_SERVER_STATE_H
#define CTRL_SERVER_STATE_H

#include <stdbool.h>
#include "ctrl/rpc/request.h"
#include "ctrl/rpc/uds_server.h"

#define RPC_RATE_PER_S	    200
#define RPC_RATE_BURST	    400
#define RPC_LINE_TIMEOUT_NS (30ull * 1000000000)
#define RPC_SLOW_NS	    (60ull * 1000000000)
#define RPC_PROTOCOL_ERRORS 10
#define RPC_PROTOCOL_ERRORS_NS (10ull * 1000000000)

struct buffer {
	char *bytes;
	size_t len;
	size_t room;
};

struct connection {
	struct rpc_server *server;
	int fd; /* -1: free */
	enum rpc_role role;
	struct peer peer;
	struct buffer in;
	struct buffer out;
	bool skipping;	    /* the rest of a line over the limit */
	bool closing;	    /* after what is in out: server.bye was said */
	bool eof;
	bool mutating;	    /* a rw or disruptive call runs: the next ones wait their turn */
	uint32_t inflight;
	uint64_t line_start_ns; /* of a half line; 0: none */
	uint64_t slow_since_ns; /* unread output over the limit; 0: not */
	uint64_t tokens_ns;	/* rate: instant at which the bucket was empty */
	uint64_t paused_until_ns;
	uint64_t error_times_ns[RPC_PROTOCOL_ERRORS];
	uint32_t error_next;
	uint32_t epoll_events;
};

struct rpc_call {
	struct rpc_server *server;
	struct connection *connection; /* NULL: gone */
	struct request request;
	const struct rpc_method *method;
	void *params;
	bool started;
	rpc_wait_fn look; /* with drop and wait_state of a call that is held open */
	rpc_drop_fn drop; /* NULL: it is not */
	void *wait_state;
	uint64_t start_ns;
	struct rpc_call *next; /* in arrival order */
	struct rpc_call *previous;
};

struct rpc_server {
	struct rpc_server_options options;
	char path[108];
	int listen_fd;
	int epoll_fd;
	int lock_fd;
	struct connection connections[RPC_CONNECTIONS_MAX];
	struct rpc_call *first;
	struct rpc_call *last;
	struct rpc_stats stats;
};

/* connection.c */
void connection_open(struct rpc_server *server, struct connection *c, int fd,
	const struct peer *peer, enum rpc_role role);
void connection_close(struct connection *c);
/* Reads, runs what came, writes. */
uint32_t connection_turn(struct connection *c, uint32_t events, uint64_t now_ns);
/* Timers, and lines that waited for rate or for room in the output. */
uint32_t connection_tick(struct connection *c, uint64_t now_ns);
/* Queues one line; steals value. */
void connection_send(struct connection *c, json_t *value);
void connection_send_error(struct connection *c, json_t *id, struct rpc_problem *problem);
void connection_bye(struct connection *c, const char *reason);
void connection_flush(struct connection *c);

/* call.c */
void call_receive(struct connection *c, const char *bytes, size_t len, uint64_t now_ns);
/* Starts mutating calls whose turn has come, asks waits. */
uint32_t call_turn(struct rpc_server *server, uint64_t now_ns);
void call_forget_connection(struct connection *c);
/* The server goes: answers every call that is not answered, and frees it. */
void call_cancel_all(struct rpc_server *server);

#endif
