/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of the control socket: requests in flight, rate, unread answers, memory, connections. */
#include "rpc_rig.h"

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
the_owner_sleeps_as_long_as_nothing_needs_a_look(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rpc_server_wait_ms(f->server, 100), 100);
	give(f->fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"test.wait\"}\n");
	spin(f);
	assert_int_equal(rpc_server_wait_ms(f->server, 100), 5);
	assert_int_equal(rpc_server_wait_ms(f->server, 2), 2);
	rpc_call_result(f->held[0], json_object());
	json_decref(take(f, f->fd));
	assert_int_equal(rpc_server_wait_ms(f->server, 100), 100);
	for (int i = 0; i < 402; i++) {
		give(f->fd, ECHO("{\"text\":\"x\"}") "\n");
		if (i % 50 == 0) {
			spin(f);
		}
	}
	spin(f);
	assert_in_range(rpc_server_wait_ms(f->server, 100), 1, 6);
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

/* The server anew, with so much memory for the buffers of all connections. */
static void
with_memory(struct fixture *f, uint64_t bytes)
{
	struct rpc_server_options options;
	char text[256];

	rpc_server_destroy(f->server);
	fill_options(f, &options);
	options.memory_bytes_max = bytes;
	assert_int_equal(rpc_server_create(&options, &f->server, text, sizeof(text)), 0);
	close(f->fd);
	f->fd = dial(f);
	json_decref(take(f, f->fd));
}

static void
expect_memory_limit(json_t *reply, json_int_t value, const char *words)
{
	const json_t *error = json_object_get(reply, "error");
	const json_t *data = json_object_get(error, "data");

	assert_string_equal(kind_of(reply), "limit");
	assert_string_equal(json_string_value(json_object_get(data, "limit")), "memory");
	assert_string_equal(json_string_value(json_object_get(data, "config_key")), "ctl.memory_max");
	assert_int_equal(json_integer_value(json_object_get(data, "value")), value);
	assert_non_null(strstr(json_string_value(json_object_get(error, "message")), words));
	json_decref(reply);
}

static void
an_answer_that_memory_has_no_room_for_is_told(void **state)
{
	struct fixture *f = *state;
	struct rpc_stats stats;
	json_t *reply;

	with_memory(f, 100000);
	give(f->fd, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"test.large\"}\n");
	reply = take(f, f->fd);
	assert_int_equal(json_integer_value(json_object_get(reply, "id")), 7);
	expect_memory_limit(reply, 100000, "no room for the answer of 200");
	rpc_server_stats(f->server, &stats);
	assert_int_equal(stats.memory_refusals, 1);
	assert_int_equal(stats.memory_refused_ns, f->clock.now_ns);
	assert_true(stats.buffer_bytes <= 100000);
	give(f->fd, ECHO("{\"text\":\"x\"}") "\n"); /* and the connection goes on */
	reply = take(f, f->fd);
	assert_non_null(json_object_get(reply, "result"));
	json_decref(reply);
}

static void
requests_that_memory_has_no_room_for_end_their_connection_only(void **state)
{
	enum { OTHERS = 6 };
	struct fixture *f = *state;
	struct rpc_stats stats;
	char half[16384];
	int fds[OTHERS];
	uint32_t told = 0;
	json_t *reply;

	with_memory(f, 200000);
	memset(half, ' ', sizeof(half));
	half[0] = '[';
	for (int i = 0; i < OTHERS; i++) {
		fds[i] = dial(f);
		json_decref(take(f, fds[i]));
		for (int n = 0; n < 5; n++) { /* 80 KiB without an end */
			(void)!send(fds[i], half, sizeof(half), MSG_NOSIGNAL | MSG_DONTWAIT);
			spin(f);
			rpc_server_stats(f->server, &stats);
			assert_true(stats.buffer_bytes <= 200000);
		}
		reply = take(f, fds[i]);
		if (reply) {
			expect_memory_limit(reply, 200000, "no room for what comes in");
			reply = take(f, fds[i]);
			assert_string_equal(json_string_value(json_object_get(
				json_object_get(reply, "params"), "reason")), "memory");
			json_decref(reply);
			told++;
		}
	}
	assert_in_range(told, 1, OTHERS - 1);
	give(f->fd, ECHO("{\"text\":\"x\"}") "\n");
	reply = take(f, f->fd);
	assert_non_null(json_object_get(reply, "result"));
	json_decref(reply);
	for (int i = 0; i < OTHERS; i++) {
		close(fds[i]);
	}
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_sixty_fifth_request_in_flight_is_not_executed),
		CASE(four_hundred_at_once_then_two_hundred_a_second),
		CASE(the_owner_sleeps_as_long_as_nothing_needs_a_look),
		CASE(unread_answers_stop_the_reading_and_then_close),
		CASE(an_answer_that_memory_has_no_room_for_is_told),
		CASE(requests_that_memory_has_no_room_for_end_their_connection_only),
		CASE(the_last_four_connections_are_kept_for_admins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
