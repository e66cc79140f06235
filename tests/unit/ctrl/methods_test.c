/* SPDX-License-Identifier: Apache-2.0 */
/* Methods over the control socket, the real broker and a batcher that answers when the test says so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/errcode.h"
#include "ctrl/methods/body.h"
#include "ctrl/methods/job.h"
#include "ctrl/rpc/uds_server.h"
#include "support/broker_rig.h"
#include "wire/record_batch.h"

#define CLIENTS_MAX 4
#define LINE_BYTES  65536

/* --- a batcher: places are given by the lowest number, as batcher.h allows ----------------------- */

struct batcher {
	struct job_status jobs[BATCHER_JOBS_MAX]; /* job_id 0: free */
	uint64_t jobs_made;
	uint32_t room; /* commands that it takes before it says -EAGAIN */
	struct batcher_command *answered[BATCHER_JOBS_MAX];
	uint32_t answered_count;
	bool mute;
};

static int
carry_out(struct batcher *b, struct batcher_command *c)
{
	if (c->kind == BATCHER_CREATE) {
		for (c->job = 0; b->jobs[c->job].job_id; c->job++) {
		}
		c->job_id = ++b->jobs_made;
		b->jobs[c->job] = (struct job_status){.job_id = c->job_id, .state = JOB_RUNNING};
		memcpy(b->jobs[c->job].name, c->spec.name, sizeof(c->spec.name));
		return 0;
	}
	if (b->jobs[c->job].job_id != c->job_id) {
		return -ENOENT;
	}
	if (c->kind == BATCHER_DELETE) {
		b->jobs[c->job].job_id = 0;
	} else {
		b->jobs[c->job].state = JOB_DRAINING;
	}
	return 0;
}

int
batcher_command(struct batcher *b, struct batcher_command *command)
{
	if (b->room == 0) {
		return -EAGAIN;
	}
	b->room--;
	command->error = carry_out(b, command);
	b->answered[b->answered_count++] = command;
	return 0;
}

struct batcher_command *
batcher_command_poll(struct batcher *b)
{
	struct batcher_command *first = b->answered[0];

	if (b->answered_count == 0 || b->mute) {
		return NULL;
	}
	b->answered_count--;
	memmove(b->answered, b->answered + 1, b->answered_count * sizeof(b->answered[0]));
	return first;
}

int
batcher_job_status(struct batcher *b, uint32_t job, struct job_status *ret_status)
{
	*ret_status = b->jobs[job];
	return ret_status->job_id ? 0 : -ENOENT;
}

uint32_t
batcher_windows(struct batcher *b, uint32_t job, uint64_t since, struct window_row *ret_rows, uint32_t max)
{
	return 0;
}

/* --- a worker: what its function is at ----------------------------------------------------------- */

struct worker {
	struct worker_call call;
};

void
worker_call(struct worker *worker, struct worker_call *ret_call)
{
	*ret_call = worker->call;
}

/* --- a lane and its port ------------------------------------------------------------------------- */

struct lane {
	uint64_t values[COUNTER_SLOTS_MAX];
};

void
lane_counters(struct lane *lane, uint64_t *ret_values)
{
	memcpy(ret_values, lane->values, sizeof(lane->values));
}

void
lane_latencies(struct lane *lane, enum lane_latency which, struct histogram *ret_histogram)
{
	histogram_init(ret_histogram);
}

uint32_t
lane_sessions(struct lane *lane, uint32_t *place, struct lane_session_row *ret_rows, uint32_t *ret_places,
	uint32_t max)
{
	return 0;
}

static struct nic_stats port_says;
static struct nic_caps port_can;

static void
port_stats(struct nic *nic, struct nic_stats *ret_stats)
{
	*ret_stats = port_says;
}

static void
port_caps(struct nic *nic, struct nic_caps *ret_caps)
{
	*ret_caps = port_can;
}

static const struct nic_ops port_ops = {.stats = port_stats, .caps = port_caps};

/* --- fixture ------------------------------------------------------------------------------------- */

struct fixture {
	struct broker_rig rig;
	struct batcher batcher;
	struct config config;
	struct engine engine;
	struct worker worker;
	struct lane lane;
	struct nic nic;
	struct methods *methods;
	struct rpc_server *server;
	char dir[64];
	int fds[CLIENTS_MAX];
	char line[LINE_BYTES];
};

static void
turn(struct fixture *f)
{
	for (int i = 0; i < 4; i++) {
		(void)rpc_server_poll(f->server, 0);
		(void)methods_poll(f->methods, f->rig.clock.now_ns);
		broker_rig_run(&f->rig);
	}
}

/* The next line for a client, or NULL. */
static json_t *
take(struct fixture *f, int client)
{
	struct pollfd p = {.fd = f->fds[client], .events = POLLIN};
	size_t len = 0;

	turn(f);
	while (poll(&p, 1, 0) == 1 && len < LINE_BYTES) {
		assert_int_equal(recv(p.fd, f->line + len, 1, 0), 1);
		if (f->line[len] == '\n') {
			return json_loadb(f->line, len, 0, NULL);
		}
		len++;
	}
	assert_int_equal(len, 0);
	return NULL;
}

/* Asks; the answer is there when the test takes it. */
static void
ask(struct fixture *f, int client, const char *method, json_t *params)
{
	json_t *request = json_pack("{s:s,s:i,s:s,s:o}", "jsonrpc", "2.0", "id", 1, "method", method,
		"params", params);
	char *text = json_dumps(request, JSON_COMPACT);

	assert_int_equal(send(f->fds[client], text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	assert_int_equal(send(f->fds[client], "\n", 1, MSG_NOSIGNAL), 1);
	free(text);
	json_decref(request);
	turn(f);
}

/* The result, or {"kind": ..., "message": ...} of an error. */
static json_t *
answer(struct fixture *f, int client)
{
	json_t *reply = take(f, client);
	json_t *error = json_object_get(reply, "error");
	json_t *result;

	assert_non_null(reply);
	result = error ? json_pack("{s:O,s:O,s:O}", "kind",
				 json_object_get(json_object_get(error, "data"), "kind"), "message",
				 json_object_get(error, "message"), "data", json_object_get(error, "data"))
		       : json_incref(json_object_get(reply, "result"));
	json_decref(reply);
	return result;
}

static void
expect(struct fixture *f, int client, const char *member, const char *value)
{
	json_t *result = answer(f, client);

	assert_non_null(json_string_value(json_object_get(result, member)));
	assert_string_equal(json_string_value(json_object_get(result, member)), value);
	json_decref(result);
}

static int
dial(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct rpc_server_options options;
	char text[256];

	broker_rig_init(&f->rig);
	broker_rig_run(&f->rig);
	f->batcher.room = UINT32_MAX;
	f->config.mode = CONFIG_MODE_DEV;
	f->config.batcher_interval_ns = NS_PER_S;
	f->config.ctl_request_max_bytes = 1 << 20;
	f->config.ctl_memory_max_bytes = 64 << 20;
	f->engine = (struct engine){.config = &f->config, .clock = &f->rig.clock.clock,
		.state = ENGINE_RUNNING, .version = "0", .instance = "00000000", .mode = "dev",
		.routes = &f->rig.routes, .broker = f->rig.broker, .store = &f->rig.store,
		.batcher = &f->batcher};
	f->nic.ops = &port_ops;
	port_can = (struct nic_caps){.driver = "fake", .queues = 1, .counts_losses = true};
	port_says = (struct nic_stats){0};
	f->engine.lanes[0] = &f->lane;
	f->engine.nics[0] = &f->nic;
	f->engine.lane_count = 1;
	f->engine.workers[0] = &f->worker;
	f->engine.worker_count = 1;
	f->engine.worker_lcores[0] = 0;
	f->engine.lcore_count = 1;
	snprintf(f->engine.lcores[0].role, sizeof(f->engine.lcores[0].role), "rx 0, worker 0");
	f->engine.lcores[0].heartbeat_ns = f->rig.clock.now_ns;
	f->config.watchdog_stall_ns = 2 * NS_PER_S;
	memcpy(f->dir, "/tmp/penstock-methods-XXXXXX", 29);
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->engine.ctl_socket, sizeof(f->engine.ctl_socket), "%s/ctl.sock", f->dir);
	assert_int_equal(methods_create(&f->engine, &f->methods), 0);
	methods_server_options(f->methods, &options);
	assert_int_equal(rpc_server_create(&options, &f->server, text, sizeof(text)), 0);
	methods_set_server(f->methods, f->server);
	for (int i = 0; i < CLIENTS_MAX; i++) {
		f->fds[i] = dial(f->engine.ctl_socket);
		json_decref(take(f, i));
	}
	ask(f, 0, "topic.create", json_pack("{s:s,s:i}", "topic", "t", "partitions", 2));
	expect(f, 0, "topic", "t");
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;
	char lock[100];

	for (int i = 0; i < CLIENTS_MAX; i++) {
		close(f->fds[i]);
	}
	rpc_server_destroy(f->server);
	methods_destroy(f->methods);
	broker_rig_free(&f->rig);
	snprintf(lock, sizeof(lock), "%s/ctl.lock", f->dir);
	(void)unlink(lock);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

static void
ask_job(struct fixture *f, int client, const char *name)
{
	char text[256];

	snprintf(text, sizeof(text),
		"name: %s\ntopics: [t]\nwindow: {kind: none}\nfunction: {builtin: count}\n", name);
	ask(f, client, "job.create", json_pack("{s:s}", "text", text));
}

/* --- jobs ------------------------------------------------------------------------------------------ */

static void
two_deletions_of_a_job_never_take_the_one_that_got_its_place(void **state)
{
	struct fixture *f = *state;

	ask_job(f, 0, "a");
	expect(f, 0, "job", "a");
	f->batcher.room = 0; /* all three wait, in this order */
	ask(f, 0, "job.delete", json_pack("{s:s}", "job", "a"));
	ask_job(f, 1, "b");
	ask(f, 2, "job.delete", json_pack("{s:s}", "job", "a"));
	for (int i = 0; i < 3; i++) {
		f->batcher.room = 1;
		turn(f);
	}
	expect(f, 0, "job", "a");
	expect(f, 1, "job", "b");
	expect(f, 2, "message", "no job \"a\" any more: it was deleted meanwhile");
	assert_string_equal(f->batcher.jobs[0].name, "b");
	assert_true(f->batcher.jobs[0].job_id != 0);
	f->batcher.room = 1;
	ask(f, 0, "job.describe", json_pack("{s:s}", "job", "b"));
	expect(f, 0, "state", "running");
}

static void
a_drain_is_not_answered_about_the_job_that_got_the_place(void **state)
{
	struct fixture *f = *state;

	ask_job(f, 0, "a");
	expect(f, 0, "job", "a");
	ask(f, 0, "job.drain", json_pack("{s:s}", "job", "a"));
	assert_null(take(f, 0));
	/* The place changes hands between two looks of the drain. */
	f->batcher.room = 0;
	ask(f, 1, "job.delete", json_pack("{s:s}", "job", "a"));
	ask_job(f, 2, "b");
	f->batcher.room = 2;
	(void)methods_poll(f->methods, f->rig.clock.now_ns);
	assert_string_equal(f->batcher.jobs[0].name, "b");
	f->batcher.jobs[0].state = JOB_DRAINED;
	expect(f, 0, "kind", "cancelled");
	expect(f, 1, "job", "a");
	expect(f, 2, "job", "b");
}

/* The first reason of health, "" if there is none; checks live and ready. */
static const char *
health_reason(struct fixture *f, bool healthy, char *text, size_t room)
{
	json_t *health;
	const char *reason;

	ask(f, 0, "health.get", json_object());
	health = answer(f, 0);
	assert_int_equal(json_is_true(json_object_get(health, "live")), healthy);
	assert_int_equal(json_is_true(json_object_get(health, "ready")), healthy);
	reason = json_string_value(json_array_get(json_object_get(health, "reasons"), 0));
	snprintf(text, room, "%s", reason ? reason : "");
	json_decref(health);
	return text;
}

static void
a_function_within_its_timeout_is_no_stall_and_one_beyond_is_named(void **state)
{
	struct fixture *f = *state;
	char text[512];

	ask_job(f, 0, "a");
	expect(f, 0, "job", "a");
	f->worker.call = (struct worker_call){.since_ns = f->rig.clock.now_ns,
		.timeout_ns = 10 * NS_PER_S,
		.job_id = f->batcher.jobs[0].job_id,
		.window_end_ms = 100,
		.job = "a"};
	/* The lcore is shared, so nothing else of it has moved for the 3 s either. */
	f->rig.clock.now_ns += 3 * NS_PER_S;
	assert_string_equal(health_reason(f, true, text, sizeof(text)), "");
	ask(f, 0, "job.describe", json_pack("{s:s}", "job", "a"));
	expect(f, 0, "state", "running");
	f->rig.clock.now_ns += 8 * NS_PER_S;
	assert_string_equal(health_reason(f, false, text, sizeof(text)),
		"lcore 0 (rx 0, worker 0): the function of job \"a\" has not come back from window "
		"[0, 100) for 11000 ms; its task_timeout is 10000 ms");
	ask(f, 0, "job.describe", json_pack("{s:s}", "job", "a"));
	expect(f, 0, "state", "stuck");
	ask(f, 0, "job.describe", json_pack("{s:s}", "job", "a"));
	expect(f, 0, "reason", text);
	/* It came back this moment; the loop has not turned yet. */
	f->worker.call.since_ns = 0;
	f->worker.call.ended_ns = f->rig.clock.now_ns;
	assert_string_equal(health_reason(f, true, text, sizeof(text)), "");
	ask(f, 0, "job.describe", json_pack("{s:s}", "job", "a"));
	expect(f, 0, "state", "running");
	/* And now it does not. */
	f->rig.clock.now_ns += 3 * NS_PER_S;
	assert_string_equal(health_reason(f, false, text, sizeof(text)),
		"lcore 0 (rx 0, worker 0): no heartbeat for 3000 ms");
}

/* --- topics ---------------------------------------------------------------------------------------- */

static void
expect_kind(struct fixture *f, const char *method, json_t *params, const char *kind)
{
	ask(f, 0, method, params);
	expect(f, 0, "kind", kind);
}

static void
a_topic_that_is_not_open_is_shown_and_used_for_nothing(void **state)
{
	struct fixture *f = *state;
	json_t *result;

	f->rig.store.creates_good = 1;
	f->rig.store.appends_good = 1;
	expect_kind(f, "topic.create", json_pack("{s:s,s:i}", "topic", "hurt", "partitions", 2), "io_error");
	ask(f, 0, "topic.list", json_object());
	result = answer(f, 0);
	assert_int_equal(json_array_size(json_object_get(result, "topics")), 2);
	json_decref(result);
	ask(f, 0, "topic.describe", json_pack("{s:s}", "topic", "hurt"));
	result = answer(f, 0);
	assert_string_equal(json_string_value(json_object_get(result, "state")), "failed");
	assert_int_equal(json_array_size(json_object_get(result, "partitions")), 0);
	json_decref(result);
	expect_kind(f, "offset.list", json_pack("{s:s}", "topic", "hurt"), "invalid_state");
	expect_kind(f, "partition.describe", json_pack("{s:s,s:i}", "topic", "hurt", "partition", 0),
		"invalid_state");
	expect_kind(f, "job.create", json_pack("{s:s}", "text",
		"name: j\ntopics: [hurt]\nwindow: {kind: none}\nfunction: {builtin: count}\n"), "invalid_state");
	f->rig.store.appends_good = UINT32_MAX;
	ask(f, 0, "topic.delete", json_pack("{s:s}", "topic", "hurt"));
	expect(f, 0, "topic", "hurt");
	expect_kind(f, "topic.describe", json_pack("{s:s}", "topic", "hurt"), "not_found");
}

/* Paths are any bytes: a viewer who asks for them must not end the daemon. */
static void
a_path_that_is_no_utf8_is_shown_with_replacement_characters(void **state)
{
	struct fixture *f = *state;
	json_t *result;

	snprintf(f->engine.data_dir, sizeof(f->engine.data_dir), "/data/\xff\xfe");
	snprintf(f->config.profile, sizeof(f->config.profile), "caf\xe9");
	ask(f, 0, "sys.get", json_object());
	result = answer(f, 0);
	assert_string_equal(json_string_value(json_object_get(result, "data_dir")),
		"/data/\xef\xbf\xbd\xef\xbf\xbd");
	json_decref(result);
	ask(f, 0, "health.get", json_object());
	expect(f, 0, "profile", "caf\xef\xbf\xbd");
}

/* --- offsets --------------------------------------------------------------------------------------- */

#define WIDE 200 /* partitions: more than look-ups that run at once */

/* Gives partition p of the newest topic one record batch: records at times_ms. */
static void
fill(struct fixture *f, uint32_t partition_index, const int64_t *times_ms, uint32_t count)
{
	struct record_builder builder;
	uint8_t room[1024];

	record_builder_init(&builder, room, sizeof(room));
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(record_builder_add(&builder, times_ms[i], NULL, -1, "v", 1), 0);
	}
	broker_rig_set_log(&f->rig, partition_index, room,
		record_builder_finish(&builder, -1, -1, -1), count);
}

static void
ask_wide(struct fixture *f, int client)
{
	ask(f, client, "offset.list", json_pack("{s:s,s:s,s:i}", "topic", "wide", "at", "time", "time_ms",
		2000));
}

static void
expect_wide(struct fixture *f, int client)
{
	json_t *result = answer(f, client);
	json_t *rows = json_object_get(result, "offsets");

	assert_int_equal(json_array_size(rows), WIDE);
	for (int p = 0; p < WIDE; p++) {
		json_t *row = json_array_get(rows, (size_t)p);

		assert_int_equal(json_integer_value(json_object_get(row, "partition")), p);
		assert_int_equal(json_integer_value(json_object_get(row, "offset")), p % 3 == 0 ? -1 : p % 3);
	}
	json_decref(result);
}

static void
offsets_by_time_are_told_of_every_partition_of_a_wide_topic(void **state)
{
	static const int64_t before[] = {1000, 1500}, second[] = {1000, 2000}, third[] = {1, 1999, 2001};
	struct fixture *f = *state;
	uint32_t first, index;

	ask(f, 0, "topic.create", json_pack("{s:s,s:i}", "topic", "wide", "partitions", WIDE));
	expect(f, 0, "topic", "wide");
	first = broker_topic_find(f->rig.broker, "wide", &index)->first_partition_index;
	for (uint32_t p = 0; p < WIDE; p++) {
		fill(f, first + p, p % 3 == 0 ? before : p % 3 == 1 ? second : third, p % 3 == 2 ? 3 : 2);
	}
	ask_wide(f, 0);
	expect_wide(f, 0);
	for (int client = 0; client < CLIENTS_MAX; client++) {
		ask_wide(f, client); /* side by side */
	}
	for (int client = 0; client < CLIENTS_MAX; client++) {
		expect_wide(f, client);
	}
}

/* --- lcores that do not turn ----------------------------------------------------------------------- */

static void
expect_unresponsive(struct fixture *f, int client, const char *words)
{
	json_t *result = answer(f, client);
	const json_t *data = json_object_get(result, "data");

	assert_string_equal(json_string_value(json_object_get(result, "kind")), "unresponsive");
	assert_int_equal(json_integer_value(json_object_get(data, "lcore")), 0);
	assert_int_equal(json_integer_value(json_object_get(data, "last_seen_ms")), 1500);
	assert_non_null(strstr(json_string_value(json_object_get(result, "message")), words));
	json_decref(result);
}

static void
a_command_to_an_lcore_that_does_not_turn_is_answered(void **state)
{
	struct fixture *f = *state;

	ask_job(f, 0, "a");
	expect(f, 0, "job", "a");
	f->batcher.mute = true; /* takes one command and does nothing more */
	f->batcher.room = 1;
	ask(f, 0, "job.delete", json_pack("{s:s}", "job", "a"));
	ask_job(f, 1, "b");
	f->rig.clock.now_ns += 3 * NS_PER_S / 2;
	f->engine.lcores[0].heartbeat_ns = f->rig.clock.now_ns; /* slow is not silent */
	assert_null(take(f, 0));
	f->engine.lcores[0].heartbeat_ns -= 3 * NS_PER_S / 2;
	expect_unresponsive(f, 0, "carried out when it turns again");
	expect_unresponsive(f, 1, "job \"b\": lcore 0 (rx 0, worker 0) has not turned for 1500 ms; nothing was");
	f->batcher.mute = false;
	f->batcher.room = UINT32_MAX;
	turn(f);
	ask(f, 0, "job.describe", json_pack("{s:s}", "job", "a"));
	expect(f, 0, "kind", "not_found");
	ask_job(f, 0, "b");
	expect(f, 0, "job", "b");
}

static void
a_question_to_a_shard_that_does_not_turn_is_answered(void **state)
{
	static const int64_t times[] = {1};
	struct fixture *f = *state;
	uint32_t index;

	f->rig.store.mute = true;
	f->engine.lcores[0].heartbeat_ns = f->rig.clock.now_ns;
	ask(f, 0, "partition.roll", json_pack("{s:s,s:i}", "topic", "t", "partition", 1));
	fill(f, broker_topic_find(f->rig.broker, "t", &index)->first_partition_index, times, 1);
	ask(f, 1, "offset.list", json_pack("{s:s,s:s,s:i}", "topic", "t", "at", "time", "time_ms", 1));
	f->rig.clock.now_ns += 3 * NS_PER_S / 2;
	expect_unresponsive(f, 0, "partition t-1: lcore 0");
	expect_unresponsive(f, 1, "topic \"t\": lcore 0");
	f->rig.store.mute = false;
	turn(f); /* the late answers find nobody */
	ask(f, 0, "offset.list", json_pack("{s:s,s:s,s:i}", "topic", "t", "at", "time", "time_ms", 1));
	json_t *result = answer(f, 0);

	assert_int_equal(json_array_size(json_object_get(result, "offsets")), 2);
	json_decref(result);
}

/* --- alarms and metrics ------------------------------------------------------------------------------ */

static void
alarms_are_reasons_of_health_that_leave_it_ready(void **state)
{
	struct fixture *f = *state;
	json_t *health;

	port_says.imissed = 4;
	f->lane.values[LANE_rx_packets] = 1;
	port_says.queue_ipackets = 1;
	for (uint32_t i = 0; i < LEDGER_WATCH_LOOKS; i++) {
		f->rig.clock.now_ns += LEDGER_WATCH_EVERY_NS;
		turn(f);
	}
	f->engine.lcores[0].heartbeat_ns = f->rig.clock.now_ns;
	ask(f, 0, "health.get", json_object());
	health = answer(f, 0);
	assert_true(json_is_true(json_object_get(health, "ready")));
	assert_int_equal(json_array_size(json_object_get(health, "reasons")), 2);
	for (uint32_t i = 0; i < 2; i++) {
		const char *text = json_string_value(json_array_get(json_object_get(health, "reasons"), i));

		assert_int_equal(strncmp(text, i == 0 ? "ledger: lane 0, E3 net" : "losses: ", 8), 0);
		assert_non_null(strstr(text, " fix: "));
	}
	json_decref(health);
}

/* The only value that metric.get has for a name, or -1. */
static json_int_t
metric(struct fixture *f, const char *name)
{
	json_t *result;
	json_t *series;
	json_int_t value = -1;

	ask(f, 0, "metric.get", json_pack("{s:[s]}", "names", name));
	result = answer(f, 0);
	series = json_object_get(result, "series");
	assert_non_null(series);
	if (json_array_size(series) == 1) {
		value = json_integer_value(json_object_get(json_array_get(series, 0), "value"));
	}
	json_decref(result);
	return value;
}

static void
numbers_of_the_port_are_metrics_where_the_driver_has_them(void **state)
{
	struct fixture *f = *state;

	port_says = (struct nic_stats){.ipackets = 10, .imissed = 2, .ierrors = 3, .rx_nombuf = UINT64_MAX,
		.opackets = 20, .oerrors = 4};
	assert_int_equal(metric(f, "penstock_port_rx_packets_total"), 10);
	assert_int_equal(metric(f, "penstock_port_missed_total"), 2);
	assert_int_equal(metric(f, "penstock_port_rx_errors_total"), 3);
	assert_int_equal(metric(f, "penstock_port_rx_nombuf_total"), -1);
	assert_int_equal(metric(f, "penstock_port_tx_packets_total"), 20);
	assert_int_equal(metric(f, "penstock_port_tx_errors_total"), 4);
	port_can.queue = 1; /* its first lane has told them */
	assert_int_equal(metric(f, "penstock_port_missed_total"), -1);
}

static void
numbers_of_the_control_socket_are_metrics_with_a_help_of_their_own(void **state)
{
	struct fixture *f = *state;
	json_int_t refused = metric(f, "penstock_ctl_protocol_closes_total");
	size_t i, j;
	json_t *a, *b;

	assert_int_equal(refused, 0);
	assert_int_equal(send(f->fds[1], "x\nx\nx\nx\nx\nx\nx\nx\nx\nx\nhalf", 24, MSG_NOSIGNAL), 24);
	turn(f);
	assert_int_equal(metric(f, "penstock_ctl_protocol_closes_total"), 1);
	assert_int_equal(metric(f, "penstock_ctl_halves_discarded_total"), 1);
	assert_int_equal(metric(f, "penstock_ctl_connections"), CLIENTS_MAX - 1);
	assert_int_equal(metric(f, "penstock_ctl_connections_opened_total"), CLIENTS_MAX);
	assert_int_equal(metric(f, "penstock_ctl_connections_refused_total"), 0);
	assert_int_equal(metric(f, "penstock_ctl_line_timeouts_total"), 0);
	assert_int_equal(metric(f, "penstock_ctl_slow_readers_total"), 0);
	ask(f, 0, "metric.list", json_object());
	json_t *result = answer(f, 0);
	json_t *list = json_object_get(result, "metrics");

	json_array_foreach(list, i, a) {
		json_array_foreach(list, j, b) {
			const char *name = json_string_value(json_object_get(a, "name"));

			if (i != j && strstr(name, "penstock_ctl_") == name) {
				assert_false(json_equal(json_object_get(a, "help"), json_object_get(b, "help")));
			}
		}
	}
	json_decref(result);
}

static void
a_cursor_that_nobody_was_given_is_not_page_one(void **state)
{
	static const char *const methods[] = {"topic.list", "partition.list"};
	static const char *const cursors[] = {"x", "", "-1", "1x", "99", " 0", "99999999999999999999"};
	struct fixture *f = *state;

	for (size_t m = 0; m < ARRAY_COUNT(methods); m++) {
		for (size_t c = 0; c < ARRAY_COUNT(cursors); c++) {
			expect_kind(f, methods[m], json_pack("{s:s}", "cursor", cursors[c]), "not_found");
		}
		ask(f, 0, methods[m], json_pack("{s:s}", "cursor", "0"));
		json_t *result = answer(f, 0);

		assert_null(json_object_get(result, "kind"));
		json_decref(result);
	}
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(two_deletions_of_a_job_never_take_the_one_that_got_its_place),
		CASE(a_drain_is_not_answered_about_the_job_that_got_the_place),
		CASE(a_function_within_its_timeout_is_no_stall_and_one_beyond_is_named),
		CASE(a_topic_that_is_not_open_is_shown_and_used_for_nothing),
		CASE(a_path_that_is_no_utf8_is_shown_with_replacement_characters),
		CASE(alarms_are_reasons_of_health_that_leave_it_ready),
		CASE(numbers_of_the_port_are_metrics_where_the_driver_has_them),
		CASE(numbers_of_the_control_socket_are_metrics_with_a_help_of_their_own),
		CASE(a_cursor_that_nobody_was_given_is_not_page_one),
		CASE(a_command_to_an_lcore_that_does_not_turn_is_answered),
		CASE(a_question_to_a_shard_that_does_not_turn_is_answered),
		CASE(offsets_by_time_are_told_of_every_partition_of_a_wide_topic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
