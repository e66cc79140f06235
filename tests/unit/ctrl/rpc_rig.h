/* SPDX-License-Identifier: Apache-2.0 */
/* A server with methods of its own over a real socket and a clock that the test moves; one client. */
#ifndef UNIT_CTRL_RPC_RIG_H
#define UNIT_CTRL_RPC_RIG_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/log.h"
#include "ctrl/rpc/json.h"
#include "ctrl/rpc/uds_server.h"
#include "support/clock_fake.h"

#define START_NS (1000 * NS_PER_S)

struct fixture {
	struct clock_fake clock;
	struct rpc_server *server;
	char dir[64];
	char path[100];
	int fd;
	uint32_t state;
	struct rpc_call *held[8];
	uint32_t held_count;
	uint32_t ran;
};

struct echo_params {
	uint32_t given;
	const char *text;
	uint32_t count;
	int mode;
	int64_t big;
};

static const char *const modes[] = {"fast", "slow", NULL};
static const struct rpc_param echo_rows[] = {
	{.name = "text", .kind = RPC_STRING, .type = "string", .offset = offsetof(struct echo_params, text),
		.required = true, .min = 1, .max = 8},
	{.name = "count", .kind = RPC_U32, .type = "u32", .offset = offsetof(struct echo_params, count),
		.min = 1, .max = 10, .initial = 3},
	{.name = "mode", .kind = RPC_ENUM, .type = "enum", .offset = offsetof(struct echo_params, mode),
		.values = modes},
	{.name = "big", .kind = RPC_I64, .type = "i64", .offset = offsetof(struct echo_params, big),
		.min = 0, .max = INT64_MAX},
};
static const char *const states[] = {"starting", "running", NULL};

static inline void
run_echo(struct rpc_call *call, const void *params)
{
	const struct echo_params *p = params;
	struct fixture *f = rpc_call_user(call);

	f->ran++;
	rpc_call_result(call, json_pack("{s:s,s:i,s:s}", "text", p->text, "count", (int)p->count, "mode",
		modes[p->mode]));
}

static inline void
run_hold(struct rpc_call *call, const void *params)
{
	struct fixture *f = rpc_call_user(call);

	(void)params;
	f->ran++;
	f->held[f->held_count++ % 8] = call;
}

static inline void
run_large(struct rpc_call *call, const void *params)
{
	char *text = malloc(200001);

	(void)params;
	memset(text, 'x', 200000);
	text[200000] = '\0';
	rpc_call_result(call, json_pack("{s:s}", "text", text));
	free(text);
}

static const struct rpc_method rows[] = {
	{.name = "test.echo", .role = RPC_ROLE_VIEWER, .states = 3, .params = echo_rows, .param_count = 4,
		.params_bytes = sizeof(struct echo_params), .run = run_echo},
	{.name = "test.hold", .role = RPC_ROLE_OPERATOR, .effect = RPC_RW, .states = 3,
		.params_bytes = 4, .run = run_hold},
	{.name = "test.wait", .role = RPC_ROLE_VIEWER, .states = 3, .params_bytes = 4, .run = run_hold},
	{.name = "test.admin", .role = RPC_ROLE_ADMIN, .effect = RPC_DISRUPTIVE, .states = 3,
		.params_bytes = 4, .run = run_hold},
	{.name = "test.late", .role = RPC_ROLE_VIEWER, .states = 2, .params_bytes = 4, .run = run_hold},
	{.name = "test.large", .role = RPC_ROLE_VIEWER, .states = 3, .params_bytes = 4, .run = run_large},
};

static inline uint32_t
state_of(void *user)
{
	return ((const struct fixture *)user)->state;
}

static inline void
fill_options(struct fixture *f, struct rpc_server_options *o)
{
	*o = (struct rpc_server_options){.clock = &f->clock.clock, .path = f->path, .methods = rows,
		.method_count = ARRAY_COUNT(rows), .user = f, .state = state_of, .state_names = states,
		.request_bytes_max = 1 << 20, .memory_bytes_max = 64 << 20,
		.rules = {.viewer_gid = (gid_t)-1, .operator_gid = (gid_t)-1, .admin_gid = (gid_t)-1,
			.admin_uid = geteuid()},
		.version = "0", .instance = "00000000", .mode = "dev", .node_id = 1};
}

static inline int
dial(struct fixture *f)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static inline void
spin(struct fixture *f)
{
	for (int i = 0; i < 12; i++) {
		(void)rpc_server_poll(f->server);
	}
}

/* One line that is there already, as JSON; NULL at the end of the stream or when nothing comes. */
static inline json_t *
take(struct fixture *f, int fd)
{
	static const size_t room = 300000;
	char *line = malloc(room);
	size_t len = 0;
	json_t *value = NULL;

	spin(f);
	while (len + 1 < room) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (poll(&p, 1, 0) == 0) {
			spin(f);
			if (poll(&p, 1, 0) == 0) {
				break;
			}
		}
		if (recv(fd, line + len, 1, 0) != 1) {
			break;
		}
		if (line[len] == '\n') {
			value = json_loadb(line, len, 0, NULL);
			assert_non_null(value);
			break;
		}
		len++;
	}
	free(line);
	return value;
}

static inline void
give(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static inline int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct rpc_server_options options;
	char text[256];
	json_t *hello;

	clock_fake_init(&f->clock, START_NS, START_NS);
	f->state = 1;
	strcpy(f->dir, "/tmp/penstock-rpc-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/ctl.sock", f->dir);
	fill_options(f, &options);
	assert_int_equal(rpc_server_create(&options, &f->server, text, sizeof(text)), 0);
	f->fd = dial(f);
	hello = take(f, f->fd);
	assert_string_equal(json_string_value(json_object_get(hello, "method")), "server.hello");
	json_decref(hello);
	*state = f;
	return 0;
}

static inline int
tear_down(void **state)
{
	struct fixture *f = *state;
	char lock[100];

	close(f->fd);
	if (f->server) {
		rpc_server_destroy(f->server);
	}
	snprintf(lock, sizeof(lock), "%s/ctl.lock", f->dir);
	(void)unlink(lock);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

static inline const char *
kind_of(const json_t *reply)
{
	const json_t *data = json_object_get(json_object_get(reply, "error"), "data");

	return json_is_object(data) ? json_string_value(json_object_get(data, "kind")) : "none";
}

#define ECHO(params) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.echo\",\"params\":" params "}"
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
