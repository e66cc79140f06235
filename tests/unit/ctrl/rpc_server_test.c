/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket over a real socket: every row of what malformed input gets, order, roles, files. */
#include "rpc_rig.h"

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
		CASE(a_call_outlives_its_connection),
		CASE(a_method_waits_for_its_state_and_says_which),
		CASE(a_second_server_is_told_the_pid_of_the_first),
		CASE(a_dead_socket_is_replaced_another_file_or_a_long_path_refused),
		CASE(the_socket_is_for_owner_and_group_only),
		CASE(a_role_too_low_is_refused_with_the_groups_that_give_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
