/* SPDX-License-Identifier: Apache-2.0 */
/* Who may call what and when: every method, as every role, in every state, over the control socket. */
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
#include "ctrl/methods/body.h"
#include "ctrl/rpc/uds_server.h"

#define LINE_BYTES 65536

struct role_rig {
	struct rpc_method rows[METHOD_COUNT]; /* the daemon's, with a body that only answers */
	uint32_t state;
	struct rpc_server *server;
	int fd;
	uint32_t ran;
	char dir[32];
	char path[64];
};

static void
role_rig_ran(struct rpc_call *call, const void *params)
{
	((struct role_rig *)rpc_call_user(call))->ran++;
	rpc_call_result(call, json_object());
}

static uint32_t
role_rig_state(void *user)
{
	return ((const struct role_rig *)user)->state;
}

/* A server that takes us for `role`: root is admin whatever its groups, so root asks as somebody else. */
static void
role_rig_open(struct role_rig *rig, enum rpc_role role)
{
	static const uid_t somebody = 12345;
	struct rpc_server_options options = {.clock = clock_system(),
		.path = rig->path,
		.methods = rig->rows,
		.method_count = METHOD_COUNT,
		.user = rig,
		.state = role_rig_state,
		.state_names = engine_state_names,
		.request_bytes_max = 1 << 20,
		.memory_bytes_max = 64 << 20,
		.version = "0",
		.instance = "00000000",
		.mode = "dev"};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[256];

	for (uint32_t i = 0; i < METHOD_COUNT; i++) {
		rig->rows[i] = method_rows[i];
		rig->rows[i].run = role_rig_ran;
	}
	memcpy(rig->dir, "/tmp/penstock-roles-XXXXXX", 27);
	assert_non_null(mkdtemp(rig->dir));
	snprintf(rig->path, sizeof(rig->path), "%s/ctl.sock", rig->dir);
	rig->state = ENGINE_RUNNING;
	options.rules = (struct peer_rules){.viewer_gid = role == RPC_ROLE_VIEWER ? getegid() : (gid_t)-1,
		.operator_gid = role == RPC_ROLE_OPERATOR ? getegid() : (gid_t)-1,
		.admin_gid = role == RPC_ROLE_ADMIN ? getegid() : (gid_t)-1,
		.admin_uid = (uid_t)-1};
	assert_int_equal(rpc_server_create(&options, &rig->server, text, sizeof(text)), 0);
	assert_int_equal(chmod(rig->dir, 0755) | chmod(rig->path, 0666), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", rig->path);
	rig->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(geteuid() == 0 ? seteuid(somebody) : 0, 0);
	assert_int_equal(connect(rig->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getuid() == 0 ? seteuid(0) : 0, 0);
}

static json_t *
role_rig_line(struct role_rig *rig)
{
	static char line[LINE_BYTES];
	size_t len = 0;

	for (int i = 0; i < 4; i++) {
		(void)rpc_server_poll(rig->server);
	}
	while (len < sizeof(line) && recv(rig->fd, line + len, 1, MSG_DONTWAIT) == 1 && line[len] != '\n') {
		len++;
	}
	return json_loadb(line, len, 0, NULL);
}

static void
role_rig_remove(struct role_rig *rig)
{
	char lock[64];

	snprintf(lock, sizeof(lock), "%s/ctl.lock", rig->dir);
	(void)unlink(lock);
	assert_int_equal(rmdir(rig->dir), 0);
}

/* What the schema's words say: the kind of the refusal, or NULL. */
static const char *
role_words(const json_t *entry, enum rpc_role role, uint32_t state)
{
	const json_t *states = json_object_get(entry, "states");
	const char *word = json_string_value(json_object_get(entry, "role"));
	size_t index;
	json_t *item;

	if ((strcmp(word, "admin") == 0 && role < RPC_ROLE_ADMIN) ||
		(strcmp(word, "operator") == 0 && role < RPC_ROLE_OPERATOR)) {
		return "permission_denied";
	}
	json_array_foreach(states, index, item) {
		if (strcmp(json_string_value(item), engine_state_names[state]) == 0) {
			return NULL;
		}
	}
	return states ? "invalid_state" : NULL;
}

/* The example's parameters: they are good, so that nothing else refuses it. Returns 1 if the body ran. */
static uint32_t
role_rig_ask(struct role_rig *rig, const json_t *entry, const char *kind)
{
	json_t *request = json_pack("{s:s,s:i,s:O,s:O}", "jsonrpc", "2.0", "id", 1, "method",
		json_object_get(entry, "method"), "params",
		json_object_get(json_array_get(json_object_get(entry, "examples"), 0), "params"));
	char *text = json_dumps(request, JSON_COMPACT);
	uint32_t before = rig->ran;
	json_t *reply;
	const char *got;

	assert_int_equal(send(rig->fd, text, strlen(text), 0), (ssize_t)strlen(text));
	assert_int_equal(send(rig->fd, "\n", 1, 0), 1);
	reply = role_rig_line(rig);
	got = json_string_value(json_object_get(json_object_get(json_object_get(reply, "error"), "data"), "kind"));
	assert_string_equal(got ? got : "answered", kind ? kind : "answered");
	assert_int_equal(rig->ran - before, kind ? 0 : 1);
	free(text);
	json_decref(request);
	json_decref(reply);
	return rig->ran - before;
}

static void
every_method_runs_for_its_roles_and_in_its_states_only(void **state)
{
	static struct role_rig rig;
	uint32_t ran[RPC_ROLE_ADMIN + 1] = {0};

	(void)state;
	for (enum rpc_role role = RPC_ROLE_VIEWER; role <= RPC_ROLE_ADMIN; role++) {
		role_rig_open(&rig, role);
		json_t *hello = role_rig_line(&rig);
		const json_t *peer = json_object_get(json_object_get(hello, "params"), "peer");

		assert_string_equal(json_string_value(json_object_get(peer, "role")), rpc_role_name(role));
		json_decref(hello);
		for (uint32_t i = 0; i < METHOD_COUNT; i++) {
			json_t *entry = json_loads(method_rows[i].entry, 0, NULL);

			for (rig.state = 0; rig.state < ENGINE_STATE_COUNT; rig.state++) {
				ran[role] += role_rig_ask(&rig, entry, role_words(entry, role, rig.state));
			}
			json_decref(entry);
		}
		close(rig.fd);
		rpc_server_destroy(rig.server);
		role_rig_remove(&rig);
	}
	assert_true(ran[RPC_ROLE_VIEWER] > 0 && ran[RPC_ROLE_VIEWER] < ran[RPC_ROLE_OPERATOR]);
	assert_true(ran[RPC_ROLE_OPERATOR] < ran[RPC_ROLE_ADMIN]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_method_runs_for_its_roles_and_in_its_states_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
