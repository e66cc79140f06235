/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket over a real socket: every row of what malformed input gets, limits, order. */
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

static void
run_echo(struct rpc_call *call, const void *params)
{
	const struct echo_params *p = params;
	struct fixture *f = rpc_call_user(call);

	f->ran++;
	rpc_call_result(call, json_pack("{s:s,s:i,s:s}", "text", p->text, "count", (int)p->count, "mode",
		modes[p->mode]));
}

static void
run_hold(struct rpc_call *call, const void *params)
{
	struct fixture *f = rpc_call_user(call);

	(void)params;
	f->ran++;
	f->held[f->held_count++ % 8] = call;
}

static void
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

static uint32_t
state_of(void *user)
{
	return ((const struct fixture *)user)->state;
}

static void
fill_options(struct fixture *f, struct rpc_server_options *o)
{
	*o = (struct rpc_server_options){.clock = &f->clock.clock, .path = f->path, .methods = rows,
		.method_count = ARRAY_COUNT(rows), .user = f, .state = state_of, .state_names = states,
		.request_bytes_max = 1 << 20, .memory_bytes_max = 64 << 20,
		.rules = {.viewer_gid = (gid_t)-1, .operator_gid = (gid_t)-1, .admin_gid = (gid_t)-1,
			.admin_uid = geteuid()},
		.version = "0", .instance = "00000000", .mode = "dev", .node_id = 1};
}

static int
dial(struct fixture *f)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void
spin(struct fixture *f)
{
	for (int i = 0; i < 12; i++) {
		(void)rpc_server_poll(f->server, 0);
	}
}

/* One line that is there already, as JSON; NULL at the end of the stream or when nothing comes. */
static json_t *
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

static void
give(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static int
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

static int
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

static const char *
kind_of(const json_t *reply)
{
	const json_t *data = json_object_get(json_object_get(reply, "error"), "data");

	return json_is_object(data) ? json_string_value(json_object_get(data, "kind")) : "none";
}

static void
expect(struct fixture *f, const char *line, int64_t code, const char *kind, const char *id)
{
	json_t *reply;
	char *got;

	clock_fake_advance(&f->clock, 20 * NS_PER_S); /* apart from each other: no ten in 10 s */
	give(f->fd, line);
	give(f->fd, "\n");
	reply = take(f, f->fd);
	assert_non_null(reply);
	if (strcmp(kind_of(reply), kind) != 0) {
		print_error("line: %.100s\n", line);
	}
	assert_string_equal(kind_of(reply), kind);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(reply, "error"), "code")), code);
	got = json_dumps(json_object_get(reply, "id"), JSON_ENCODE_ANY);
	assert_string_equal(got, id);
	free(got);
	assert_true(json_string_length(json_object_get(json_object_get(reply, "error"), "message")) > 0);
	assert_true(json_array_size(json_object_get(json_object_get(json_object_get(reply, "error"),
		"data"), "fix")) > 0);
	json_decref(reply);
	assert_int_equal(f->ran, 0);
}

#define BYTES_65 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefx"
#define ECHO(params) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.echo\",\"params\":" params "}"

static void
malformed_input_is_answered_by_kind_and_not_executed(void **state)
{
	static const struct {
		const char *line;
		int64_t code;
		const char *kind;
		const char *id;
	} table[] = {
		{"{\"jsonrpc\":", -32700, "parse_error", "null"},
		{"hello", -32700, "parse_error", "null"},
		{"{\"a\":\"\xff\"}", -32700, "bad_encoding", "null"},
		{"{\"a\":\"\\ud800\"}", -32700, "bad_encoding", "null"},
		{"{\"a\":\"\\u0000\"}", -32700, "bad_encoding", "null"},
		{"{\"id\":1,\"id\":2}", -32700, "duplicate_key", "null"},
		{"[]", -32600, "batch_refused", "null"},
		{"7", -32600, "not_an_object", "null"},
		{"\"x\"", -32600, "not_an_object", "null"},
		{"null", -32600, "not_an_object", "null"},
		{"{\"id\":1,\"method\":\"test.echo\"}", -32600, "bad_version", "1"},
		{"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"test.echo\"}", -32600, "bad_version", "1"},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"metod\":\"test.echo\"}", -32600, "unknown_member", "1"},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"test.echo\"}", -32600, "id_required", "null"},
		{"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"test.echo\"}", -32600, "bad_id", "null"},
		{"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"test.echo\"}", -32600, "bad_id", "null"},
		{"{\"jsonrpc\":\"2.0\",\"id\":18446744073709551615,\"method\":\"test.echo\"}", -32600, "bad_id",
			"null"},
		{"{\"jsonrpc\":\"2.0\",\"id\":\"" BYTES_65 "\",\"method\":\"test.echo\"}", -32600, "bad_id", "null"},
		{"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"test.echo\"}", -32600, "bad_id", "null"},
		{"{\"jsonrpc\":\"2.0\",\"id\":1}", -32600, "bad_method", "1"},
		{"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"test.eco\"}", -32601, "method_not_found", "\"a\""},
		{ECHO("[\"x\"]"), -32602, "positional_params", "1"},
		{ECHO("7"), -32602, "positional_params", "1"},
		{ECHO("{\"text\":\"x\",\"cuont\":1}"), -32602, "invalid_param", "1"},
		{ECHO("{}"), -32602, "invalid_param", "1"},
		{ECHO("{\"text\":7}"), -32602, "invalid_param", "1"},
		{ECHO("{\"text\":\"\"}"), -32602, "invalid_param", "1"},
		{ECHO("{\"text\":\"123456789\"}"), -32602, "invalid_param", "1"},
		{ECHO("{\"text\":\"x\",\"count\":11}"), -32602, "invalid_param", "1"},
		{ECHO("{\"text\":\"x\",\"count\":0}"), -32602, "invalid_param", "1"},
		{ECHO("{\"text\":\"x\",\"mode\":\"fsat\"}"), -32602, "invalid_param", "1"},
		{ECHO("{\"text\":\"x\",\"count\":1.0}"), -32602, "not_an_integer", "1"},
		{ECHO("{\"text\":\"x\",\"count\":1e0}"), -32602, "not_an_integer", "1"},
		{ECHO("{\"text\":\"x\",\"big\":-0}"), -32602, "not_an_integer", "1"},
		{ECHO("{\"text\":\"x\",\"big\":9223372036854775808}"), -32602, "not_an_integer", "1"},
		{ECHO("{\"text\":\"x\",\"big\":99999999999999999999999999}"), -32602, "not_an_integer", "1"},
	};

	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		expect(*state, table[i].line, table[i].code, table[i].kind, table[i].id);
	}
}

static void
assert_data(struct fixture *f, const char *line, size_t len, const char *member, const char *want)
{
	json_t *reply;
	char *got;

	clock_fake_advance(&f->clock, 20 * NS_PER_S);
	assert_int_equal(send(f->fd, line, len, MSG_NOSIGNAL), (ssize_t)len);
	give(f->fd, "\n");
	reply = take(f, f->fd);
	got = json_dumps(json_object_get(json_object_get(json_object_get(reply, "error"), "data"), member), JSON_ENCODE_ANY);
	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
	json_decref(reply);
}

/* What error.data carries besides kind, row by row. */
static void
malformed_input_is_answered_with_what_is_wrong_in_it(void **state)
{
	static const struct {
		const char *line;
		const char *member;
		const char *text; /* of the member as JSON */
	} table[] = {
		{"hello", "byte", "5"},
		{"hello", "expected", "\"a JSON value\""},
		{"{\"a\" 1}", "expected", "\"':' expected\""},
		{"{\"a\":\"\xff\"}", "byte", "6"},
		{"{\"id\":1,\"id\":2}", "key", "\"id\""},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"metod\":\"x\"}", "nearest", "[\"method\"]"},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.late2\"}", "nearest",
			"[\"test.late\", \"test.large\", \"test.wait\"]"},
		{ECHO("{\"text\":\"x\",\"cuont\":1}"), "nearest", "[\"count\"]"},
		{ECHO("{\"text\":\"x\",\"count\":11}"), "want", "\"u32 1..10\""},
		{ECHO("{}"), "path", "\"/params/text\""},
		{ECHO("{\"text\":\"x\",\"mode\":\"fsat\"}"), "path", "\"/params/mode\""},
		{ECHO("{\"text\":\"x\",\"mode\":\"fsat\"}"), "value", "\"fsat\""},
		{ECHO("{\"text\":\"x\",\"mode\":\"fsat\"}"), "want", "\"one of fast, slow\""},
		{ECHO("{\"text\":\"x\",\"mode\":\"fsat\"}"), "nearest", "[\"fast\"]"},
	};

	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		assert_data(*state, table[i].line, strlen(table[i].line), table[i].member, table[i].text);
	}
	assert_data(*state, "{\"a\":\"\0\"}", 9, "byte", "6"); /* a true NUL */
}

static void
a_good_request_is_answered_with_its_id_and_defaults(void **state)
{
	struct fixture *f = *state;
	json_t *reply;

	give(f->fd, "\r\n\n{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"test.echo\","
		    "\"params\":{\"text\":\"hi\"}}\r\n");
	reply = take(f, f->fd);
	assert_string_equal(json_string_value(json_object_get(reply, "id")), "q");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(reply, "result"), "count")), 3);
	json_decref(reply);
	assert_int_equal(f->ran, 1);
}

static void
expect_generated(struct fixture *f, const char *before, const char *unit, uint32_t times,
	const char *after, const char *kind)
{
	size_t len = strlen(before) + strlen(unit) * times + strlen(after) + 1;
	char *line = calloc(1, len);
	json_t *reply;
	size_t at = (size_t)snprintf(line, len, "%s", before);

	for (uint32_t i = 0; i < times; i++) {
		memcpy(line + at, unit, strlen(unit));
		at += strlen(unit);
	}
	strcpy(line + at, after);
	for (size_t sent = 0; sent < strlen(line);) {
		ssize_t n = send(f->fd, line + sent, strlen(line) - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			sent += (size_t)n;
		} else {
			spin(f);
		}
	}
	give(f->fd, "\n");
	free(line);
	for (int i = 0; i < 100; i++) {
		spin(f);
	}
	reply = take(f, f->fd);
	assert_non_null(reply);
	assert_string_equal(kind_of(reply), kind);
	json_decref(reply);
}

static void
limits_of_json_are_kept_before_parsing(void **state)
{
	struct fixture *f = *state;

	expect_generated(f, "", "[", 33, "", "too_deep");
	expect_generated(f, "[0", ",0", 65536, "]", "too_many");
	expect_generated(f, "{\"k\":0", ",\"k\":0", 1024, "}", "too_many");
	expect_generated(f, "\"", "x", JSON_STRING_BYTES_MAX + 2, "\"", "too_long");
	expect_generated(f, "\"", "x", (1 << 20) + 10, "\"", "request_too_large");
	give(f->fd, ECHO("{\"text\":\"x\"}") "\n"); /* and parsing resumes at the next line */
	json_t *reply = take(f, f->fd);

	assert_non_null(json_object_get(reply, "result"));
	json_decref(reply);
}

static void
expect_bye(struct fixture *f, const char *reason)
{
	json_t *bye = take(f, f->fd);
	const json_t *params = json_object_get(bye, "params");

	assert_string_equal(json_string_value(json_object_get(params, "reason")), reason);
	json_decref(bye);
}

static void
count_protocol_events(void *user_data, enum log_level level, const char *line)
{
	*(uint32_t *)user_data += strstr(line, "event=PEN-2003 ") != NULL;
}

static void
ten_protocol_errors_within_ten_seconds_close(void **state)
{
	struct fixture *f = *state;
	struct rpc_stats stats;
	uint32_t told = 0;

	log_set_sink(count_protocol_events, &told);
	for (int i = 0; i < 10; i++) {
		rpc_server_stats(f->server, &stats);
		assert_int_equal(stats.connections, 1); /* nine are answered and no more */
		expect_generated(f, "", "x", 1, "", "parse_error");
	}
	expect_bye(f, "protocol_errors");
	rpc_server_stats(f->server, &stats);
	assert_int_equal(stats.connections, 0);
	assert_int_equal(stats.protocol_closes, 1);
	log_set_sink(NULL, NULL);
	assert_int_equal(told, 1);
}

static void
half_a_line_older_than_thirty_seconds_closes(void **state)
{
	struct fixture *f = *state;

	give(f->fd, "{\"jsonrpc\"");
	spin(f);
	clock_fake_advance(&f->clock, 29 * NS_PER_S);
	assert_null(take(f, f->fd));
	clock_fake_advance(&f->clock, 2 * NS_PER_S);
	expect_bye(f, "line_timeout");
	assert_int_equal(f->ran, 0);
}

static void
half_a_line_behind_a_whole_one_is_not_forgotten(void **state)
{
	struct fixture *f = *state;

	give(f->fd, ECHO("{\"text\":\"a\"}") "\n{\"jsonrpc\"");
	json_decref(take(f, f->fd));
	assert_int_equal(f->ran, 1);
	clock_fake_advance(&f->clock, 31 * NS_PER_S);
	expect_bye(f, "line_timeout");
}

static void
idle_is_allowed(void **state)
{
	struct fixture *f = *state;
	json_t *reply;

	clock_fake_advance(&f->clock, 3600 * NS_PER_S);
	spin(f);
	give(f->fd, ECHO("{\"text\":\"x\"}") "\n");
	reply = take(f, f->fd);
	assert_non_null(json_object_get(reply, "result"));
	json_decref(reply);
}

static void
half_a_line_at_the_end_is_discarded_and_counted(void **state)
{
	struct fixture *f = *state;
	struct rpc_stats stats;

	give(f->fd, ECHO("{\"text\":\"x\"}"));
	shutdown(f->fd, SHUT_WR);
	spin(f);
	rpc_server_stats(f->server, &stats);
	assert_int_equal(stats.halves_discarded, 1);
	assert_int_equal(stats.connections, 0);
	assert_int_equal(f->ran, 0);
}

static void
an_id_in_flight_is_refused(void **state)
{
	struct fixture *f = *state;
	json_t *reply;

	give(f->fd, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"test.wait\"}\n"
		    "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"test.wait\"}\n");
	reply = take(f, f->fd);
	assert_string_equal(kind_of(reply), "id_in_use");
	json_decref(reply);
	rpc_call_result(f->held[0], json_object());
	reply = take(f, f->fd);
	assert_int_equal(json_integer_value(json_object_get(reply, "id")), 5);
	json_decref(reply);
}

static void
mutating_calls_of_one_connection_run_in_arrival_order(void **state)
{
	struct fixture *f = *state;
	json_t *reply;

	give(f->fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.hold\"}\n"
		    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"test.hold\"}\n" ECHO("{\"text\":\"x\"}") "\n");
	spin(f);
	assert_int_equal(f->held_count, 1); /* the second waits; the read-only one was refused: id 1 */
	reply = take(f, f->fd);
	assert_string_equal(kind_of(reply), "id_in_use");
	json_decref(reply);
	rpc_call_result(f->held[0], json_object());
	reply = take(f, f->fd);
	assert_int_equal(json_integer_value(json_object_get(reply, "id")), 1);
	json_decref(reply);
	assert_int_equal(f->held_count, 2);
	rpc_call_error(f->held[1], ERROR_BUSY, NULL, "test: busy");
	reply = take(f, f->fd);
	assert_string_equal(kind_of(reply), "busy");
	json_decref(reply);
}

static void
the_sixty_fifth_request_in_flight_is_not_executed(void **state)
{
	struct fixture *f = *state;
	char line[96];
	json_t *reply;

	for (int i = 0; i < RPC_INFLIGHT_MAX + 1; i++) {
		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"test.hold\"}\n", i);
		give(f->fd, line);
	}
	reply = take(f, f->fd);
	assert_string_equal(kind_of(reply), "limit");
	assert_int_equal(json_integer_value(json_object_get(reply, "id")), RPC_INFLIGHT_MAX);
	json_decref(reply);
	assert_int_equal(f->ran, 1);
}

static void
a_call_outlives_its_connection(void **state)
{
	struct fixture *f = *state;

	give(f->fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.hold\"}\n");
	spin(f);
	close(f->fd);
	f->fd = dial(f);
	spin(f);
	shutdown(f->fd, SHUT_RDWR);
	spin(f);
	rpc_call_result(f->held[0], json_object()); /* no use after free: the sanitizer watches */
	spin(f);
}

static void
four_hundred_at_once_then_two_hundred_a_second(void **state)
{
	struct fixture *f = *state;
	struct rpc_stats stats;

	for (int i = 0; i < 500; i++) {
		give(f->fd, ECHO("{\"text\":\"x\"}") "\n");
		if (i % 50 == 0) {
			spin(f);
		}
	}
	spin(f);
	rpc_server_stats(f->server, &stats);
	assert_int_equal(stats.requests, 400);
	clock_fake_advance(&f->clock, NS_PER_S / 4);
	spin(f);
	rpc_server_stats(f->server, &stats);
	assert_in_range(stats.requests, 449, 451);
	assert_int_equal(stats.errors, 0);
}

static void
unread_answers_stop_the_reading_and_then_close(void **state)
{
	struct fixture *f = *state;
	struct rpc_stats stats;

	for (int i = 0; i < 80; i++) {
		char line[96];

		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"test.large\"}\n", i);
		give(f->fd, line);
		spin(f);
	}
	rpc_server_stats(f->server, &stats);
	assert_true(stats.requests < 80);
	assert_true(stats.buffer_bytes < 32u << 20);
	clock_fake_advance(&f->clock, 61 * NS_PER_S);
	spin(f);
	rpc_server_stats(f->server, &stats);
	assert_int_equal(stats.slow_readers, 1);
	assert_int_equal(stats.connections, 0);
}

static void
a_method_waits_for_its_state_and_says_which(void **state)
{
	struct fixture *f = *state;
	json_t *reply;
	const json_t *data;

	f->state = 0;
	give(f->fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.late\"}\n");
	reply = take(f, f->fd);
	data = json_object_get(json_object_get(reply, "error"), "data");
	assert_string_equal(kind_of(reply), "invalid_state");
	assert_string_equal(json_string_value(json_array_get(json_object_get(data, "needs"), 0)), "running");
	json_decref(reply);
	assert_int_equal(f->ran, 0);
}

static void
the_last_four_connections_are_kept_for_admins(void **state)
{
	struct fixture *f = *state;
	int fds[RPC_CONNECTIONS_MAX + 1];
	json_t *line = NULL;

	for (int i = 0; i < RPC_CONNECTIONS_MAX; i++) { /* one is open already: the last is refused */
		fds[i] = dial(f);
		line = take(f, fds[i]);
		assert_non_null(line);
		if (i + 1 < RPC_CONNECTIONS_MAX) {
			json_decref(line);
		}
	}
	assert_string_equal(kind_of(line), "limit");
	assert_true(json_is_null(json_object_get(line, "id")));
	json_decref(line);
	for (int i = 0; i < RPC_CONNECTIONS_MAX; i++) {
		close(fds[i]);
	}
}

static void
a_second_server_is_told_the_pid_of_the_first(void **state)
{
	struct fixture *f = *state;
	struct rpc_server_options options;
	struct rpc_server *second;
	char text[256] = "";
	char pid[32];

	fill_options(f, &options);
	assert_int_equal(rpc_server_create(&options, &second, text, sizeof(text)), -EADDRINUSE);
	snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
	assert_non_null(strstr(text, pid));
}

static void
a_dead_socket_is_replaced_another_file_or_a_long_path_refused(void **state)
{
	struct fixture *f = *state;
	struct rpc_server_options options;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[256] = "";
	char path[200];
	int dead;

	rpc_server_destroy(f->server);
	dead = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
	assert_int_equal(bind(dead, (struct sockaddr *)&address, sizeof(address)), 0);
	close(dead);
	fill_options(f, &options);
	assert_int_equal(rpc_server_create(&options, &f->server, text, sizeof(text)), 0);
	struct rpc_server *never;

	snprintf(path, sizeof(path), "%s/file", f->dir);
	options.path = path;
	close(open(path, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(rpc_server_create(&options, &never, text, sizeof(text)), -ENOTSOCK);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/file.lock", f->dir);
	assert_int_equal(unlink(path), 0);
	memset(path, 'p', sizeof(path));
	path[0] = '/';
	path[150] = '\0';
	assert_int_equal(rpc_server_create(&options, &never, text, sizeof(text)), -ENAMETOOLONG);
	assert_non_null(strstr(text, "107"));
}

static void
the_socket_is_for_owner_and_group_only(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
}

static void
a_role_too_low_is_refused_with_the_groups_that_give_it(void **state)
{
	struct fixture *f = *state;
	struct rpc_server_options options;
	uid_t before = geteuid();
	char text[256];
	json_t *reply;
	const json_t *data;

	rpc_server_destroy(f->server);
	fill_options(f, &options);
	options.rules.admin_uid = (uid_t)-1;
	options.rules.viewer_gid = getegid();
	assert_int_equal(rpc_server_create(&options, &f->server, text, sizeof(text)), 0);
	assert_int_equal(chmod(f->dir, 0755), 0);
	close(f->fd);
	assert_int_equal(seteuid(before == 0 ? 65534 : before), 0); /* root is always admin */
	f->fd = dial(f);
	assert_int_equal(seteuid(before), 0);
	reply = take(f, f->fd);
	json_decref(reply);
	give(f->fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.admin\"}\n");
	reply = take(f, f->fd);
	data = json_object_get(json_object_get(reply, "error"), "data");
	assert_string_equal(kind_of(reply), "permission_denied");
	assert_string_equal(json_string_value(json_object_get(data, "role")), "viewer");
	assert_string_equal(json_string_value(json_object_get(data, "needs_role")), "admin");
	assert_string_equal(json_string_value(json_array_get(json_object_get(data, "groups"), 0)),
		"penstock-admin");
	json_decref(reply);
	assert_int_equal(f->ran, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(malformed_input_is_answered_by_kind_and_not_executed),
		CASE(malformed_input_is_answered_with_what_is_wrong_in_it),
		CASE(a_good_request_is_answered_with_its_id_and_defaults),
		CASE(limits_of_json_are_kept_before_parsing),
		CASE(ten_protocol_errors_within_ten_seconds_close),
		CASE(half_a_line_older_than_thirty_seconds_closes),
		CASE(half_a_line_behind_a_whole_one_is_not_forgotten),
		CASE(idle_is_allowed),
		CASE(half_a_line_at_the_end_is_discarded_and_counted),
		CASE(an_id_in_flight_is_refused),
		CASE(mutating_calls_of_one_connection_run_in_arrival_order),
		CASE(the_sixty_fifth_request_in_flight_is_not_executed),
		CASE(a_call_outlives_its_connection),
		CASE(four_hundred_at_once_then_two_hundred_a_second),
		CASE(unread_answers_stop_the_reading_and_then_close),
		CASE(a_method_waits_for_its_state_and_says_which),
		CASE(the_last_four_connections_are_kept_for_admins),
		CASE(a_second_server_is_told_the_pid_of_the_first),
		CASE(a_dead_socket_is_replaced_another_file_or_a_long_path_refused),
		CASE(the_socket_is_for_owner_and_group_only),
		CASE(a_role_too_low_is_refused_with_the_groups_that_give_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
