/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a line to an answer. Read-only calls start at once; of the mutating calls of one connection
 * one runs at a time, in arrival order, the others wait in the list.
 */
#include "ctrl/rpc/call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "ctrl/rpc/server_state.h"
#include "ctrl/schema/events_gen.h"

void *
rpc_call_user(const struct rpc_call *call)
{
	return call->server->options.user;
}

enum rpc_role
rpc_call_role(const struct rpc_call *call)
{
	return call->connection ? call->connection->role : RPC_ROLE_NONE;
}

void
rpc_call_peer(const struct rpc_call *call, uint32_t *ret_uid, int32_t *ret_pid)
{
	*ret_uid = call->connection ? (uint32_t)call->connection->peer.uid : UINT32_MAX;
	*ret_pid = call->connection ? (int32_t)call->connection->peer.pid : 0;
}

const struct rpc_method *
rpc_call_method(const struct rpc_call *call)
{
	return call->method;
}

bool
rpc_call_gone(const struct rpc_call *call)
{
	return call->connection == NULL;
}

uint64_t
rpc_call_start_ns(const struct rpc_call *call)
{
	return call->start_ns;
}

void
rpc_call_wait(struct rpc_call *call, rpc_wait_fn look, rpc_drop_fn drop, void *state)
{
	if (call->drop) {
		call->drop(call->wait_state);
	}
	call->look = look;
	call->drop = drop;
	call->wait_state = state;
}

static void
call_free(struct rpc_call *call)
{
	struct rpc_server *s = call->server;
	struct connection *c = call->connection;

	if (call->previous) {
		call->previous->next = call->next;
	} else {
		s->first = call->next;
	}
	if (call->next) {
		call->next->previous = call->previous;
	} else {
		s->last = call->previous;
	}
	if (c) {
		c->inflight--;
		if (call->started && call->method->effect != RPC_RO) {
			c->mutating = false;
		}
	}
	if (call->drop) {
		call->drop(call->wait_state);
	}
	request_fini(&call->request);
	free(call->params);
	free(call);
}

void
rpc_call_result(struct rpc_call *call, json_t *result)
{
	if (!result) {
		/* No memory, or text that is no UTF-8 and should have gone through problem_string. */
		rpc_call_error(call, ERROR_INTERNAL, json_pack("{s:s}", "log_ref", call->method->name),
			"%s: its answer could not be put together", call->method->name);
		return;
	}
	if (call->connection) {
		json_t *reply = json_pack("{s:s,s:O,s:o}", "jsonrpc", "2.0", "id", call->request.id,
			"result", result);

		ensure(reply);
		connection_send(call->connection, reply);
	} else {
		json_decref(result);
	}
	call_free(call);
}

void
rpc_call_error(struct rpc_call *call, enum error_kind kind, json_t *data, const char *format, ...)
{
	struct rpc_problem problem = {.kind = kind, .data = data};
	va_list args;

	va_start(args, format);
	vsnprintf(problem.message, sizeof(problem.message), format, args);
	va_end(args);
	call->server->stats.errors++;
	if (call->connection) {
		connection_send_error(call->connection, call->request.id, &problem);
	} else {
		json_decref(data);
	}
	call_free(call);
}

void
rpc_call_no_memory(struct rpc_call *call, const char *what)
{
	struct rpc_problem problem;

	problem_no_memory(&problem, what);
	rpc_call_error(call, problem.kind, problem.data, "%s", problem.message);
}

static json_t *
groups_for(enum rpc_role role)
{
	return role == RPC_ROLE_ADMIN ? json_pack("[s]", "penstock-admin") :
	       role == RPC_ROLE_OPERATOR ? json_pack("[s,s]", "penstock-ops", "penstock-admin") :
					   json_pack("[s]", "penstock");
}

static int
check_role(const struct connection *c, const struct rpc_method *m, struct rpc_problem *problem)
{
	if (c->role >= m->role) {
		return 0;
	}
	return problem_set(problem, ERROR_PERMISSION_DENIED,
		json_pack("{s:s,s:s,s:o}", "role", rpc_role_name(c->role), "needs_role",
			rpc_role_name(m->role), "groups", groups_for(m->role)),
		"%s needs role %s; this connection has %s", m->name, rpc_role_name(m->role),
		rpc_role_name(c->role));
}

static int
check_state(const struct rpc_server *s, const struct rpc_method *m, struct rpc_problem *problem)
{
	uint32_t state = s->options.state(s->options.user);
	json_t *needs;

	if (m->states & 1u << state) {
		return 0;
	}
	needs = json_array();
	for (uint32_t i = 0; s->options.state_names[i]; i++) {
		if (m->states & 1u << i) {
			json_array_append_new(needs, json_string(s->options.state_names[i]));
		}
	}
	return problem_set(problem, ERROR_INVALID_STATE,
		json_pack("{s:s,s:o,s:s}", "state", s->options.state_names[state], "needs", needs, "next",
			state < 2 ? "penstock health wait" : "start the daemon again"),
		"%s: not while the daemon is %s", m->name, s->options.state_names[state]);
}

static bool
id_in_use(const struct connection *c, const json_t *id)
{
	for (const struct rpc_call *call = c->server->first; call; call = call->next) {
		if (call->connection == c && json_equal(call->request.id, id)) {
			return true;
		}
	}
	return false;
}

static int
check_call(struct connection *c, const struct request *r, const struct rpc_method **ret_method,
	struct rpc_problem *problem)
{
	struct rpc_server *s = c->server;
	const struct rpc_method *m;

	if (id_in_use(c, r->id)) {
		return problem_set(problem, ERROR_ID_IN_USE, json_pack("{s:O}", "id", r->id),
			"a request with this id is still in flight");
	}
	if (c->inflight == RPC_INFLIGHT_MAX) {
		return problem_set(problem, ERROR_LIMIT,
			json_pack("{s:s,s:i,s:n}", "limit", "inflight", "value", RPC_INFLIGHT_MAX,
				"config_key"),
			"connection has %d requests in flight; this one was not executed",
			RPC_INFLIGHT_MAX);
	}
	m = registry_find(s->options.methods, s->options.method_count, r->method, problem);
	if (!m) {
		return -EINVAL;
	}
	*ret_method = m;
	return check_role(c, m, problem);
}

static void
start_call(struct rpc_call *call)
{
	struct rpc_problem problem = {0};

	call->started = true;
	if (check_state(call->server, call->method, &problem) != 0) {
		call->server->stats.errors++;
		if (call->connection) {
			connection_send_error(call->connection, call->request.id, &problem);
		} else {
			json_decref(problem.data);
		}
		call_free(call);
		return;
	}
	if (call->connection && call->method->effect != RPC_RO) {
		call->connection->mutating = true;
	}
	call->method->run(call, call->params);
}

static void
note_protocol_error(struct connection *c, uint64_t now_ns)
{
	uint64_t oldest;

	c->error_times_ns[c->error_next] = now_ns;
	c->error_next = (c->error_next + 1) % RPC_PROTOCOL_ERRORS;
	oldest = c->error_times_ns[c->error_next]; /* of the last ten; 0: there were fewer */
	if (oldest && now_ns - oldest < RPC_PROTOCOL_ERRORS_NS) {
		c->server->stats.protocol_closes++;
		event_ctl_protocol_errors("pid %d", (int)c->peer.pid);
		connection_bye(c, "protocol_errors");
	}
}

void
call_receive(struct connection *c, const char *bytes, size_t len, uint64_t now_ns)
{
	struct rpc_server *s = c->server;
	struct rpc_problem problem = {0};
	const struct rpc_method *method = NULL;
	struct request request;
	struct rpc_call *call;
	int err;

	s->stats.requests++;
	err = request_parse(bytes, len, &request, &problem);
	err = err ? err : check_call(c, &request, &method, &problem);
	call = err ? NULL : calloc(1, sizeof(*call));
	if (call) {
		call->params = calloc(1, method->params_bytes);
		err = call->params ? registry_decode(method, request.params, call->params, &problem) : 0;
	}
	if (err == 0 && (!call || !call->params)) {
		err = problem_no_memory(&problem, method->name);
	}
	if (err) {
		int32_t code = error_rows[problem.kind].code;

		s->stats.errors++;
		connection_send_error(c, request.id, &problem);
		request_fini(&request);
		free(call ? call->params : NULL);
		free(call);
		if (code == -32700 || code == -32600) {
			note_protocol_error(c, now_ns);
		}
		return;
	}
	call->server = s;
	call->connection = c;
	call->request = request;
	call->method = method;
	call->start_ns = now_ns;
	call->previous = s->last;
	if (s->last) {
		s->last->next = call;
	} else {
		s->first = call;
	}
	s->last = call;
	c->inflight++;
	if (method->effect == RPC_RO) {
		start_call(call);
	}
}

/* True if no earlier mutating call of its connection waits or runs. */
static bool
its_turn(const struct rpc_call *call)
{
	if (call->connection && call->connection->mutating) {
		return false;
	}
	for (const struct rpc_call *c = call->previous; c; c = c->previous) {
		if (!c->started && c->connection == call->connection) {
			return false;
		}
	}
	return true;
}

uint32_t
call_turn(struct rpc_server *server, uint64_t now_ns)
{
	struct rpc_call *next;
	uint32_t work = 0;

	for (struct rpc_call *call = server->first; call; call = next) {
		next = call->next;
		if (!call->started) {
			if (its_turn(call)) {
				start_call(call);
				work++;
			}
		} else if (call->look && call->look(call, call->wait_state, now_ns)) {
			work++;
		}
	}
	return work;
}

/* What has not begun is dropped; what runs goes on without anybody to answer to. */
void
call_forget_connection(struct connection *c)
{
	struct rpc_call *next;

	for (struct rpc_call *call = c->server->first; call; call = next) {
		next = call->next;
		if (call->connection != c) {
			continue;
		}
		if (!call->started) {
			call_free(call);
		} else {
			call->connection = NULL;
		}
	}
	c->inflight = 0;
	c->mutating = false;
}

void
call_cancel_all(struct rpc_server *server)
{
	while (server->first) {
		struct rpc_call *call = server->first;
		const char *came = !call->started                 ? "; this was not begun"
				   : call->method->effect == RPC_RO ? ""
								  : "; this may have been carried out";

		rpc_call_error(call, ERROR_CANCELLED, json_pack("{s:s}", "by", "stop"), "%s: the daemon stopped%s",
			call->method->name, came);
	}
}
