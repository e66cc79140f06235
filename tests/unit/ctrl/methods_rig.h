/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Methods over the control socket, the real broker, and a batcher that answers when the test says so: it is in
 * here, so a test program is one file that includes this.
 */
#ifndef UNIT_CTRL_METHODS_RIG_H
#define UNIT_CTRL_METHODS_RIG_H

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
#include <sys/stat.h>
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
	int refuse; /* answers of later creates; 0: none is refused */
	bool by_function;
	struct window_row window; /* the only one that any job fired; sequence 0: none */
};

static inline int
carry_out(struct batcher *b, struct batcher_command *c)
{
	if (c->kind == BATCHER_CREATE && b->refuse) {
		c->by_function = b->by_function;
		return b->refuse;
	}
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
	if (since >= b->window.sequence || max == 0) {
		return 0;
	}
	ret_rows[0] = b->window;
	return 1;
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

/* Nothing comes for any partition, and none of their logs grows. */
void
lane_partition_records(
	const struct lane *lane, uint32_t partition_index, uint64_t ret_records[LANE_FATE_COUNT])
{
	memset(ret_records, 0, LANE_FATE_COUNT * sizeof(*ret_records));
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

static inline void
port_stats(struct nic *nic, struct nic_stats *ret_stats)
{
	*ret_stats = port_says;
}

static inline void
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
	const char *asked[CLIENTS_MAX]; /* the method of the last call */
	char line[LINE_BYTES];
};

static inline void
turn(struct fixture *f)
{
	for (int i = 0; f->server && i < 4; i++) {
		(void)rpc_server_poll(f->server);
		(void)methods_poll(f->methods, f->rig.clock.now_ns);
		broker_rig_run(&f->rig);
	}
}

/* The next line for a client, or NULL. */
static inline json_t *
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
static inline void
ask(struct fixture *f, int client, const char *method, json_t *params)
{
	json_t *request = json_pack("{s:s,s:i,s:s,s:o}", "jsonrpc", "2.0", "id", 1, "method", method,
		"params", params);
	char *text = json_dumps(request, JSON_COMPACT);

	f->asked[client] = method;
	assert_int_equal(send(f->fds[client], text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	assert_int_equal(send(f->fds[client], "\n", 1, MSG_NOSIGNAL), 1);
	free(text);
	json_decref(request);
	turn(f);
}

static bool shown[ERROR_KIND_COUNT]; /* that an answer was given with what the table promises */

/* What any method may say besides what stands with it. */
static inline bool
is_common(enum error_kind kind)
{
	return error_rows[kind].code < 0 || kind == ERROR_INVALID_STATE || kind == ERROR_PERMISSION_DENIED ||
	       kind == ERROR_LIMIT || kind == ERROR_CANCELLED;
}

static inline bool
is_named(const char *method, const char *kind)
{
	bool named = false;
	size_t i;
	json_t *item;

	for (uint32_t m = 0; m < METHOD_COUNT; m++) {
		json_t *entry = json_loads(method_rows[m].entry, 0, NULL);

		json_array_foreach(json_object_get(entry, "errors"), i, item) {
			named = named || (strcmp(method_rows[m].name, method) == 0 &&
						 strcmp(json_string_value(item), kind) == 0);
		}
		json_decref(entry);
	}
	return named;
}

/* An error is of a kind that its method names, and carries what the kind promises. NULL: of no method. */
static inline void
check_error(const char *method, const json_t *error)
{
	const json_t *data = json_object_get(error, "data");
	const char *kind = json_string_value(json_object_get(data, "kind"));
	uint32_t row = 0;

	assert_non_null(kind);
	while (row < ERROR_KIND_COUNT && strcmp(error_rows[row].kind, kind) != 0) {
		row++;
	}
	assert_true(row < ERROR_KIND_COUNT);
	assert_int_equal(json_integer_value(json_object_get(error, "code")), error_rows[row].code);
	assert_true(json_string_length(json_object_get(error, "message")) > 0);
	assert_true(json_array_size(json_object_get(data, "fix")) > 0);
	for (uint32_t i = 0; error_rows[row].data[i]; i++) {
		const char *promise = error_rows[row].data[i];
		size_t len = strcspn(promise, "?");
		const json_t *value = json_object_getn(data, promise, len);

		if (!value || (promise[len] != '?' && json_is_null(value))) {
			fail_msg("%s of %s carries no %s", kind, method ? method : "a line", promise);
		}
	}
	if (method && !is_common(row) && !is_named(method, kind)) {
		fail_msg("%s says %s, which methods.yaml does not name", method, kind);
	}
	shown[row] = true;
}

/* The result, or {"kind": ..., "message": ...} of an error. */
static inline json_t *
answer(struct fixture *f, int client)
{
	json_t *reply = take(f, client);
	json_t *error = json_object_get(reply, "error");
	json_t *result;

	assert_non_null(reply);
	if (error) {
		check_error(f->asked[client], error);
	}
	result = error ? json_pack("{s:O,s:O,s:O}", "kind",
				 json_object_get(json_object_get(error, "data"), "kind"), "message",
				 json_object_get(error, "message"), "data", json_object_get(error, "data"))
		       : json_incref(json_object_get(reply, "result"));
	json_decref(reply);
	return result;
}

static inline void
expect(struct fixture *f, int client, const char *member, const char *value)
{
	json_t *result = answer(f, client);

	assert_non_null(json_string_value(json_object_get(result, member)));
	assert_string_equal(json_string_value(json_object_get(result, member)), value);
	json_decref(result);
}

static inline int
dial(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static inline int
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

/* The socket goes, as at the end of the daemon; what it still says waits for the clients. */
static inline void
stop_server(struct fixture *f)
{
	if (f->server) {
		rpc_server_destroy(f->server);
		methods_set_server(f->methods, NULL);
		f->server = NULL;
	}
}

static inline int
tear_down(void **state)
{
	struct fixture *f = *state;
	char lock[100];

	for (int i = 0; i < CLIENTS_MAX; i++) {
		close(f->fds[i]);
	}
	stop_server(f);
	methods_destroy(f->methods);
	broker_rig_free(&f->rig);
	snprintf(lock, sizeof(lock), "%s/ctl.lock", f->dir);
	(void)unlink(lock);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

static inline void
ask_job(struct fixture *f, int client, const char *name)
{
	char text[256];

	snprintf(text, sizeof(text),
		"name: %s\ntopics: [t]\nwindow: {kind: none}\nfunction: {builtin: count}\n", name);
	ask(f, client, "job.create", json_pack("{s:s}", "text", text));
}

static inline void
expect_kind(struct fixture *f, const char *method, json_t *params, const char *kind)
{
	ask(f, 0, method, params);
	expect(f, 0, "kind", kind);
}

/* The socket anew, by rules that make a viewer of whoever is not root: as that, all clients come back. */
static inline void
become_viewer(struct fixture *f)
{
	static const uid_t somebody = 12345;
	struct rpc_server_options options;
	bool root = geteuid() == 0;
	char text[256];

	rpc_server_destroy(f->server);
	methods_server_options(f->methods, &options);
	options.rules = (struct peer_rules){.viewer_gid = getegid(),
		.operator_gid = (gid_t)-1,
		.admin_gid = (gid_t)-1,
		.admin_uid = (uid_t)-1};
	assert_int_equal(rpc_server_create(&options, &f->server, text, sizeof(text)), 0);
	methods_set_server(f->methods, f->server);
	assert_int_equal(chmod(f->dir, 0755) | chmod(f->engine.ctl_socket, 0666), 0);
	for (int i = 0; i < CLIENTS_MAX; i++) {
		close(f->fds[i]);
		assert_int_equal(root ? seteuid(somebody) : 0, 0);
		f->fds[i] = dial(f->engine.ctl_socket);
		assert_int_equal(root ? seteuid(0) : 0, 0);
		json_decref(take(f, i));
	}
}

/* Its job is the worker's, which is in a call of job "held" that is beyond its timeout. */
static inline void
hold_worker(struct fixture *f)
{
	f->worker.call = (struct worker_call){.since_ns = f->rig.clock.now_ns,
		.timeout_ns = NS_PER_S,
		.job_id = 99,
		.window_end_ms = 100,
		.job = "held"};
	f->rig.clock.now_ns += 2 * NS_PER_S;
	f->engine.lcores[0].heartbeat_ns = f->rig.clock.now_ns;
}

static inline void
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

/* Of a call that was open when the server went. */
static inline void
expect_cancelled(struct fixture *f, int client, const char *message)
{
	json_t *result = answer(f, client);

	assert_string_equal(json_string_value(json_object_get(result, "kind")), "cancelled");
	assert_string_equal(json_string_value(json_object_get(json_object_get(result, "data"), "by")), "stop");
	assert_string_equal(json_string_value(json_object_get(result, "message")), message);
	json_decref(result);
}

#endif
