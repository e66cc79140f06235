/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One control connection: bytes -> lines -> calls, answers -> bytes. Never blocks. Reading stops
 * while the peer leaves too much unread or asks too fast; nothing is dropped silently.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "ctrl/rpc/server_state.h"
#include "ctrl/schema/events_gen.h"

#define READ_BYTES 16384

static bool
buffer_append(struct rpc_server *server, struct buffer *b, const char *bytes, size_t len)
{
	if (b->len + len > b->room) {
		size_t room = b->room ? b->room : 4096;
		char *grown;

		while (room < b->len + len) {
			room *= 2;
		}
		if (server->stats.buffer_bytes + room - b->room > server->options.memory_bytes_max) {
			return false;
		}
		grown = realloc(b->bytes, room);
		if (!grown) {
			return false;
		}
		server->stats.buffer_bytes += room - b->room;
		b->bytes = grown;
		b->room = room;
	}
	memcpy(b->bytes + b->len, bytes, len);
	b->len += len;
	return true;
}

static void
buffer_free(struct rpc_server *server, struct buffer *b)
{
	server->stats.buffer_bytes -= b->room;
	free(b->bytes);
	*b = (struct buffer){0};
}

static void
buffer_drop(struct rpc_server *server, struct buffer *b, size_t len)
{
	memmove(b->bytes, b->bytes + len, b->len - len);
	b->len -= len;
	if (b->len == 0 && b->room > 65536) {
		buffer_free(server, b);
	}
}

void
connection_open(struct rpc_server *server, struct connection *c, int fd, const struct peer *peer,
	enum rpc_role role)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	*c = (struct connection){.server = server, .fd = fd, .role = role, .peer = *peer,
		.epoll_events = EPOLLIN};
	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
		close(fd);
		c->fd = -1;
		return;
	}
	server->stats.connections++;
	server->stats.connections_opened++;
}

void
connection_close(struct connection *c)
{
	if (c->fd < 0) {
		return;
	}
	if (c->in.len) {
		c->server->stats.halves_discarded++;
	}
	call_forget_connection(c);
	buffer_free(c->server, &c->in);
	buffer_free(c->server, &c->out);
	close(c->fd);
	c->fd = -1;
	c->server->stats.connections--;
}

/* One whole line, or nothing of it. */
static bool
queue_line(struct connection *c, const json_t *value, size_t *ret_len)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(15));
	size_t before = c->out.len;
	bool taken;

	ensure(text);
	*ret_len = strlen(text);
	taken = buffer_append(c->server, &c->out, text, *ret_len) &&
		buffer_append(c->server, &c->out, "\n", 1);
	c->out.len = taken ? c->out.len : before;
	free(text);
	return taken;
}

static void
note_memory_refusal(struct rpc_server *server)
{
	server->stats.memory_refusals++;
	server->stats.memory_refused_ns = clock_now_ns(server->options.clock);
}

static void
set_memory_problem(const struct connection *c, struct rpc_problem *problem, const char *what)
{
	problem_set(problem, ERROR_LIMIT,
		json_pack("{s:s,s:I,s:s}", "limit", "memory", "value",
			(json_int_t)c->server->options.memory_bytes_max, "config_key", "ctl.memory_max"),
		"the control plane's memory is used up (ctl.memory_max): %s", what);
}

/* Says so in its place; what was asked for is done. */
static bool
queue_memory_error(struct connection *c, const json_t *value, size_t len)
{
	struct rpc_problem problem = {0};
	char what[80];
	json_t *id = json_object_get(value, "id");
	json_t *reply;
	bool taken;

	snprintf(what, sizeof(what), "no room for the answer of %zu bytes", len);
	set_memory_problem(c, &problem, what);
	reply = json_pack("{s:s,s:O?,s:o}", "jsonrpc", "2.0", "id", id ? id : json_null(), "error",
		problem_to_json(&problem));
	ensure(reply);
	taken = queue_line(c, reply, &len);
	json_decref(reply);
	return taken;
}

void
connection_send(struct connection *c, json_t *value)
{
	size_t len;

	if (!queue_line(c, value, &len)) {
		note_memory_refusal(c->server);
		if (!queue_memory_error(c, value, len)) {
			c->server->stats.slow_readers++;
			event_ctl_slow_reader("no memory for its answers (ctl.memory_max)");
			c->out.len = 0;
			c->closing = true;
		}
	}
	json_decref(value);
}

void
connection_send_error(struct connection *c, json_t *id, struct rpc_problem *problem)
{
	json_t *error = problem_to_json(problem);

	connection_send(c, json_pack("{s:s,s:O?,s:o}", "jsonrpc", "2.0", "id",
				   id ? id : json_null(), "error", error));
}

void
connection_bye(struct connection *c, const char *reason)
{
	if (!c->closing) {
		connection_send(c, json_pack("{s:s,s:s,s:{s:s}}", "jsonrpc", "2.0", "method", "server.bye",
					   "params", "reason", reason));
		c->closing = true;
	}
}

void
connection_flush(struct connection *c)
{
	while (c->fd >= 0 && c->out.len > 0) {
		ssize_t sent = send(c->fd, c->out.bytes, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EINTR) {
			continue;
		}
		if (sent < 0) {
			if (errno != EAGAIN) {
				c->out.len = 0;
				c->closing = true;
			}
			break;
		}
		buffer_drop(c->server, &c->out, (size_t)sent);
	}
}

/* Rate: 200 a second, 400 at once. A token bucket kept as one instant. */
static bool
may_run(struct connection *c, uint64_t now_ns)
{
	const uint64_t step = NS_PER_S / RPC_RATE_PER_S;
	uint64_t earliest = now_ns > RPC_RATE_BURST * step ? now_ns - RPC_RATE_BURST * step : 0;

	if (c->tokens_ns < earliest) {
		c->tokens_ns = earliest;
	}
	if (c->tokens_ns + step > now_ns) {
		c->paused_until_ns = c->tokens_ns + step;
		return false;
	}
	c->tokens_ns += step;
	return true;
}

static bool
is_blank(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != ' ' && bytes[i] != '\r') {
			return false;
		}
	}
	return true;
}

static void
refuse_long_line(struct connection *c)
{
	struct rpc_problem problem = {0};

	problem_set(&problem, ERROR_REQUEST_TOO_LARGE,
		json_pack("{s:I,s:s}", "limit", (json_int_t)c->server->options.request_bytes_max,
			"config_key", "ctl.request_max"),
		"request line is longer than %llu bytes",
		(unsigned long long)c->server->options.request_bytes_max);
	c->server->stats.errors++;
	connection_send_error(c, NULL, &problem);
	c->in.len = 0;
}

/* Runs whole lines from the input buffer as far as rate and output allow. */
static uint32_t
run_lines(struct connection *c, uint64_t now_ns)
{
	size_t used = 0;
	uint32_t work = 0;

	while (!c->closing && c->out.len <= RPC_UNREAD_BYTES_MAX && used < c->in.len) {
		char *line = c->in.bytes + used;
		char *end = memchr(line, '\n', c->in.len - used);
		size_t len;

		if (!end) {
			break;
		}
		len = (size_t)(end - line);
		if (c->skipping) {
			c->skipping = false;
		} else if (len > c->server->options.request_bytes_max) {
			buffer_drop(c->server, &c->in, used + len + 1);
			used = 0;
			refuse_long_line(c);
			work++;
			continue;
		} else if (!is_blank(line, len)) {
			if (!may_run(c, now_ns)) {
				break;
			}
			call_receive(c, line, len > 0 && line[len - 1] == '\r' ? len - 1 : len, now_ns);
			work++;
		}
		used += len + 1;
	}
	if (used) {
		buffer_drop(c->server, &c->in, used);
		c->line_start_ns = c->in.len > 0 ? now_ns : 0;
	}
	if (!memchr(c->in.bytes ? c->in.bytes : "", '\n', c->in.len)) {
		if (c->skipping) {
			c->in.len = 0;
		} else if (c->in.len > c->server->options.request_bytes_max) {
			c->skipping = true;
			refuse_long_line(c);
		}
	}
	return work;
}

static void
read_more(struct connection *c, uint64_t now_ns)
{
	char bytes[READ_BYTES];
	ssize_t got = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
		c->eof = true;
		return;
	}
	if (got < 0) {
		return;
	}
	if (!c->line_start_ns) {
		c->line_start_ns = now_ns;
	}
	if (!buffer_append(c->server, &c->in, bytes, (size_t)got)) {
		struct rpc_problem problem = {0};

		note_memory_refusal(c->server);
		set_memory_problem(c, &problem, "no room for what comes in; connection closed");
		connection_send_error(c, NULL, &problem);
		connection_bye(c, "memory");
	}
}

static void
set_events(struct connection *c)
{
	bool full = c->out.len > RPC_UNREAD_BYTES_MAX ||
		    c->in.len > c->server->options.request_bytes_max;
	bool reading = !c->eof && !c->closing && !full && !c->paused_until_ns;
	uint32_t wanted = (reading ? EPOLLIN : 0u) | (c->out.len ? EPOLLOUT : 0u);
	struct epoll_event event = {.events = wanted, .data.ptr = c};

	if (wanted != c->epoll_events) {
		(void)epoll_ctl(c->server->epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
		c->epoll_events = wanted;
	}
}

/* After all work: flush, close if it is time. */
static void
settle(struct connection *c)
{
	connection_flush(c);
	/* An end of file with requests in flight: their answers are still sent. */
	if ((c->closing && c->out.len == 0) || (c->eof && c->inflight == 0 && c->out.len == 0)) {
		connection_close(c);
		return;
	}
	set_events(c);
}

uint32_t
connection_turn(struct connection *c, uint32_t events, uint64_t now_ns)
{
	if ((events & (EPOLLERR | EPOLLHUP)) && !(events & EPOLLIN)) {
		connection_close(c);
		return 1;
	}
	if ((events & EPOLLIN) && !c->closing) {
		read_more(c, now_ns);
		(void)run_lines(c, now_ns);
	}
	if (c->fd >= 0) {
		settle(c);
	}
	return 1;
}

uint32_t
connection_tick(struct connection *c, uint64_t now_ns)
{
	uint32_t work = 0;
	bool had_output;

	if (c->paused_until_ns && now_ns >= c->paused_until_ns) {
		c->paused_until_ns = 0;
	}
	if (!c->paused_until_ns && c->in.len > 0 && !c->closing) {
		work = run_lines(c, now_ns);
	}
	had_output = c->out.len > RPC_UNREAD_BYTES_MAX;
	c->slow_since_ns = !had_output ? 0 : c->slow_since_ns ? c->slow_since_ns : now_ns;
	if (c->slow_since_ns && now_ns - c->slow_since_ns > RPC_SLOW_NS) {
		c->server->stats.slow_readers++;
		event_ctl_slow_reader("pid %d", (int)c->peer.pid);
		connection_close(c);
		return 1;
	}
	if (c->in.len > 0 && c->line_start_ns && !c->paused_until_ns && !had_output && !c->closing &&
		now_ns - c->line_start_ns > RPC_LINE_TIMEOUT_NS &&
		!memchr(c->in.bytes, '\n', c->in.len)) {
		c->server->stats.line_timeouts++;
		event_ctl_line_timeout("pid %d", (int)c->peer.pid);
		c->in.len = 0;
		c->server->stats.halves_discarded++;
		connection_bye(c, "line_timeout");
	}
	settle(c);
	return work;
}
