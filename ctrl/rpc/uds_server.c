/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: lock, listen, accept, greet, turns (uds_server.h). */
#include "ctrl/rpc/uds_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "ctrl/rpc/json.h"
#include "ctrl/rpc/server_state.h"
#include "ctrl/schema/events_gen.h"

#define EVENTS_MAX	 32
#define PROTOCOL_MAJOR	 1
#define PROTOCOL_MINOR	 0
#define WAIT_POLL_MS	 5 /* while a call waits for something that has no descriptor */

static int
lock_take(struct rpc_server *s, char *text, size_t text_bytes)
{
	char path[128];
	char pid[32] = "";
	size_t len = strlen(s->path);
	int err = 0;

	len -= len > 5 && strcmp(s->path + len - 5, ".sock") == 0 ? 5 : 0;
	snprintf(path, sizeof(path), "%.*s.lock", (int)len, s->path);
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0) {
		err = -errno;
		snprintf(text, text_bytes, "control socket: cannot open %s: %s", path, strerror(-err));
		return err;
	}
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		(void)!read(s->lock_fd, pid, sizeof(pid) - 1);
		pid[strcspn(pid, "\n")] = '\0';
		snprintf(text, text_bytes, "control socket %s: already running, pid %s", s->path, pid);
		return -EADDRINUSE;
	}
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(s->lock_fd, 0) != 0 || write(s->lock_fd, pid, strlen(pid)) < 0) {
		err = -errno;
		snprintf(text, text_bytes, "control socket: cannot write %s: %s", path, strerror(-err));
	}
	return err;
}

/* Only a refused connection proves that an existing socket is dead; a plain file refuses as well. */
static int
remove_dead_socket(const struct sockaddr_un *address, char *text, size_t text_bytes)
{
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = 0;

	if (fd < 0) {
		return -errno;
	}
	if (lstat(address->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
		err = -ENOTSOCK;
	} else if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0) {
		err = -EADDRINUSE;
	} else if (errno == ECONNREFUSED) {
		err = unlink(address->sun_path) == 0 ? 0 : -errno;
	} else if (errno != ENOENT) {
		err = -errno;
	}
	close(fd);
	if (err) {
		snprintf(text, text_bytes, "control socket %s is in use or is no socket: %s",
			address->sun_path, strerror(-err));
	}
	return err;
}

static int
listen_on(struct rpc_server *s, char *text, size_t text_bytes)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t before;
	int err;

	memcpy(address.sun_path, s->path, strlen(s->path) + 1);
	err = remove_dead_socket(&address, text, text_bytes);
	if (err) {
		return err;
	}
	s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listen_fd < 0) {
		return -errno;
	}
	before = umask(0117);
	err = bind(s->listen_fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : -errno;
	umask(before);
	if (err == 0 && listen(s->listen_fd, RPC_CONNECTIONS_MAX) != 0) {
		err = -errno;
	}
	if (err) {
		snprintf(text, text_bytes, "control socket %s: %s", s->path, strerror(-err));
	}
	return err;
}

int
rpc_server_create(const struct rpc_server_options *options, struct rpc_server **ret_server,
	char *text, size_t text_bytes)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	struct rpc_server *s;
	int err;

	if (strlen(options->path) >= sizeof(s->path)) {
		snprintf(text, text_bytes, "control socket %s: the path has %zu bytes, the limit is %zu",
			options->path, strlen(options->path), sizeof(s->path) - 1);
		return -ENAMETOOLONG;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		return -ENOMEM;
	}
	s->options = *options;
	strcpy(s->path, options->path);
	s->listen_fd = -1;
	s->lock_fd = -1;
	for (uint32_t i = 0; i < RPC_CONNECTIONS_MAX; i++) {
		s->connections[i].fd = -1;
	}
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	err = s->epoll_fd < 0 ? -errno : lock_take(s, text, text_bytes);
	err = err ? err : listen_on(s, text, text_bytes);
	if (err == 0 && epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd, &event) != 0) {
		err = -errno;
	}
	if (err) {
		if (s->listen_fd >= 0) {
			close(s->listen_fd);
		}
		if (s->lock_fd >= 0) {
			close(s->lock_fd);
		}
		if (s->epoll_fd >= 0) {
			close(s->epoll_fd);
		}
		free(s);
		return err;
	}
	*ret_server = s;
	return 0;
}

static json_t *
hello(const struct rpc_server *s, const struct connection *c)
{
	const struct rpc_server_options *o = &s->options;
	json_t *params = json_pack("{s:s,s:s,s:{s:i,s:i},s:I,s:s,s:i,s:s,s:s,s:[]}", "product",
		"penstock", "version", o->version, "protocol", "major", PROTOCOL_MAJOR, "minor",
		PROTOCOL_MINOR, "node_id", (json_int_t)o->node_id, "instance", o->instance, "pid",
		(int)getpid(), "state", o->state_names[o->state(o->user)], "mode", o->mode, "features");

	ensure(params);
	json_object_set_new(params, "peer", json_pack("{s:I,s:I,s:I,s:s}", "uid",
		(json_int_t)c->peer.uid, "gid", (json_int_t)c->peer.gid, "pid",
		(json_int_t)c->peer.pid, "role", rpc_role_name(c->role)));
	json_object_set_new(params, "limits", json_pack("{s:I,s:i,s:i}", "request_bytes",
		(json_int_t)o->request_bytes_max, "nesting", JSON_NESTING_MAX, "inflight",
		RPC_INFLIGHT_MAX));
	return json_pack("{s:s,s:s,s:o}", "jsonrpc", "2.0", "method", "server.hello", "params", params);
}

/* One line and close, for who may not come in. */
static void
refuse(struct rpc_server *s, int fd, struct rpc_problem *problem)
{
	json_t *reply = json_pack("{s:s,s:n,s:o}", "jsonrpc", "2.0", "id", "error",
		problem_to_json(problem));
	char *line = json_dumps(reply, JSON_COMPACT);

	s->stats.connections_refused++;
	if (line) {
		(void)!send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
		(void)!send(fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	free(line);
	json_decref(reply);
	close(fd);
}

static void
refuse_full(struct rpc_server *s, int fd)
{
	struct rpc_problem problem = {0};

	event_ctl_connections_full("%u open", s->stats.connections);
	problem_set(&problem, ERROR_LIMIT,
		json_pack("{s:s,s:i,s:n}", "limit", "connections", "value", RPC_CONNECTIONS_MAX, "config_key"),
		"control socket: all %d connections are in use (the last %d are for admins)",
		RPC_CONNECTIONS_MAX, RPC_CONNECTIONS_ADMIN);
	refuse(s, fd, &problem);
}

static void
refuse_role(struct rpc_server *s, int fd, const struct peer *peer)
{
	struct rpc_problem problem = {0};

	event_ctl_role_none("uid %u", (unsigned int)peer->uid);
	problem_set(&problem, ERROR_PERMISSION_DENIED,
		json_pack("{s:s,s:s,s:[s]}", "role", "none", "needs_role", "viewer", "groups", "penstock"),
		"control socket: uid %u is in none of the groups penstock, penstock-ops, penstock-admin",
		(unsigned int)peer->uid);
	refuse(s, fd, &problem);
}

static struct connection *
free_connection(struct rpc_server *s, enum rpc_role role)
{
	uint32_t limit = RPC_CONNECTIONS_MAX - (role == RPC_ROLE_ADMIN ? 0 : RPC_CONNECTIONS_ADMIN);

	if (s->stats.connections >= limit) {
		return NULL;
	}
	for (uint32_t i = 0; i < RPC_CONNECTIONS_MAX; i++) {
		if (s->connections[i].fd < 0) {
			return &s->connections[i];
		}
	}
	return NULL;
}

static uint32_t
accept_one(struct rpc_server *s)
{
	struct connection *c;
	struct peer peer;
	enum rpc_role role;
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
			event_ctl_accept_failed("%s", strerror(errno));
		}
		return 0;
	}
	role = peer_of_socket(fd, &peer) == 0 ? peer_role(&s->options.rules, &peer) : RPC_ROLE_NONE;
	if (role == RPC_ROLE_NONE) {
		refuse_role(s, fd, &peer);
		return 1;
	}
	c = free_connection(s, role);
	if (!c) {
		refuse_full(s, fd);
		return 1;
	}
	connection_open(s, c, fd, &peer, role);
	if (c->fd >= 0) {
		connection_send(c, hello(s, c));
		connection_flush(c);
	}
	return 1;
}

int
rpc_server_wait_ms(const struct rpc_server *s, int most_ms)
{
	uint64_t now_ns = clock_now_ns(s->options.clock);

	if (s->first && most_ms > WAIT_POLL_MS) {
		most_ms = WAIT_POLL_MS;
	}
	for (uint32_t i = 0; i < RPC_CONNECTIONS_MAX; i++) {
		const struct connection *c = &s->connections[i];

		if (c->fd >= 0 && c->paused_until_ns) {
			uint64_t ns = c->paused_until_ns > now_ns ? c->paused_until_ns - now_ns : 0;
			int ms = (int)(ns / NS_PER_MS) + 1;

			most_ms = ms < most_ms ? ms : most_ms;
		}
	}
	return most_ms;
}

uint32_t
rpc_server_poll(struct rpc_server *s)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t now_ns = clock_now_ns(s->options.clock);
	uint32_t work = 0;
	int count;

	count = epoll_wait(s->epoll_fd, events, EVENTS_MAX, 0);
	for (int i = 0; i < count; i++) {
		struct connection *c = events[i].data.ptr;

		if (!c) {
			work += accept_one(s);
		} else if (c->fd >= 0) {
			work += connection_turn(c, events[i].events, now_ns);
		}
	}
	work += call_turn(s, now_ns);
	for (uint32_t i = 0; i < RPC_CONNECTIONS_MAX; i++) {
		if (s->connections[i].fd >= 0) {
			work += connection_tick(&s->connections[i], now_ns);
		}
	}
	return work;
}

int
rpc_server_fd(const struct rpc_server *server)
{
	return server->epoll_fd;
}

void
rpc_server_stats(const struct rpc_server *server, struct rpc_stats *ret_stats)
{
	*ret_stats = server->stats;
}

void
rpc_server_destroy(struct rpc_server *s)
{
	call_cancel_all(s);
	for (uint32_t i = 0; i < RPC_CONNECTIONS_MAX; i++) {
		struct connection *c = &s->connections[i];

		if (c->fd >= 0) {
			connection_bye(c, "shutdown");
			connection_flush(c);
			connection_close(c);
		}
	}
	(void)unlink(s->path);
	close(s->listen_fd);
	close(s->epoll_fd);
	close(s->lock_fd);
	free(s);
}
