/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to the daemon: where it listens, greeting, one call at a time with a deadline. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/bytes.h"
#include "ctrl/cli/cli.h"

#define PROTOCOL_MAJOR	 1
#define LINE_BYTES_MAX	 (256u * 1024 * 1024)
#define CONNECT_RETRY_MS 20
#define SYSTEM_SOCKET	 "/run/penstock/ctl.sock"

/* Where the daemon of dev mode listens. */
static void
client_dev_socket(char *ret_path, size_t room)
{
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (run && run[0] == '/') {
		snprintf(ret_path, room, "%s/penstock/ctl.sock", run);
	} else {
		snprintf(ret_path, room, "/tmp/penstock-%u/ctl.sock", (unsigned int)geteuid());
	}
}

static int
try_connect(const char *path, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	*ret_fd = fd;
	return 0;
}

static const char *
connect_words(int err)
{
	return err == -ENOENT ? "no such file" :
	       err == -ECONNREFUSED ? "nobody listens" :
	       err == -EACCES ? "permission denied: needs group \"penstock\"" :
				strerror(-err);
}

/* Connects to the first socket that answers; else says what was tried, if it is to be said. */
static bool
find_daemon(struct client *client, bool aloud)
{
	char dev[108];
	const char *paths[2];
	uint32_t count = 1;
	char tried[512] = "";
	bool denied = false;

	client_dev_socket(dev, sizeof(dev));
	paths[0] = client->cli->socket ? client->cli->socket : getenv("PENSTOCK_SOCKET");
	if (!paths[0]) {
		paths[0] = dev;
		paths[1] = SYSTEM_SOCKET;
		count = 2;
	}
	for (uint32_t i = 0; i < count; i++) {
		int err = try_connect(paths[i], &client->fd);
		size_t len = strlen(tried);

		if (err == 0) {
			return true;
		}
		denied = denied || err == -EACCES;
		snprintf(tried + len, sizeof(tried) - len, "%s%s (%s)", i ? ", " : "", paths[i],
			connect_words(err));
	}
	if (!aloud) {
		return false;
	}
	fprintf(stderr, "error %d: penstockd is not running, or listens elsewhere\n  tried %s\n  fix   %s\n",
		CLI_UNREACHABLE, tried,
		denied ? "sudo usermod -aG penstock $USER, then log in again     or    penstockd --dev" :
			 "penstockd --dev     or name its socket: penstock -s PATH");
	return false;
}

/* Next line as JSON, or NULL: timeout (ret_err -ETIMEDOUT), end of file, or no JSON. */
static json_t *
read_line(struct client *client, uint64_t deadline_ns, int *ret_err)
{
	for (;;) {
		char *end = client->len ? memchr(client->buffer, '\n', client->len) : NULL;
		uint64_t now_ns = cli_now_ns();
		struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
		ssize_t got;
		json_t *value;

		if (end) {
			size_t line = (size_t)(end - client->buffer);

			value = json_loadb(client->buffer, line, 0, NULL);
			memmove(client->buffer, end + 1, client->len - line - 1);
			client->len -= line + 1;
			*ret_err = value ? 0 : -EPROTO;
			return value;
		}
		if (client->len == client->room) {
			size_t room = client->room ? client->room * 2 : 65536;
			char *grown = room <= LINE_BYTES_MAX ? realloc(client->buffer, room) : NULL;

			if (!grown) {
				*ret_err = -ENOMEM;
				return NULL;
			}
			client->buffer = grown;
			client->room = room;
		}
		if (now_ns >= deadline_ns ||
			poll(&poll_fd, 1, (int)((deadline_ns - now_ns) / NS_PER_MS) + 1) == 0) {
			*ret_err = -ETIMEDOUT;
			return NULL;
		}
		got = recv(client->fd, client->buffer + client->len, client->room - client->len, 0);
		if (got <= 0) {
			*ret_err = got == 0 ? -ECONNRESET : -errno;
			return NULL;
		}
		client->len += (size_t)got;
	}
}

int
client_open(struct client *client, const struct cli *cli)
{
	const json_t *params;
	json_t *error;
	int major;
	int err = 0;

	*client = (struct client){.cli = cli, .fd = -1, .next_id = 1};
	if (!find_daemon(client, true)) {
		return CLI_UNREACHABLE;
	}
	client->hello = read_line(client, cli_now_ns() + 5 * NS_PER_S, &err);
	if (!client->hello) {
		client_close(client);
		return cli_error(CLI_UNREACHABLE, "the daemon does not greet", strerror(-err),
			"is the socket really penstockd's? penstock -s PATH");
	}
	error = json_object_get(client->hello, "error");
	if (error) {
		err = cli_rpc_error(error, NULL);
		client_close(client);
		return err;
	}
	params = json_object_get(client->hello, "params");
	major = (int)json_integer_value(json_object_get(json_object_get(params, "protocol"), "major"));
	if (major != PROTOCOL_MAJOR) {
		char why[128];

		snprintf(why, sizeof(why), "the daemon speaks %d, this program %d", major, PROTOCOL_MAJOR);
		client_close(client);
		return cli_error(CLI_FAILED, "protocol versions differ", why,
			"use the penstock program of the daemon's version");
	}
	return 0;
}

int
client_open_wait(struct client *client, const struct cli *cli, uint64_t patience_ns)
{
	uint64_t until_ns = cli_now_ns() + patience_ns;

	*client = (struct client){.cli = cli, .fd = -1};
	while (cli_now_ns() < until_ns && !find_daemon(client, false)) {
		cli_sleep_ms(CONNECT_RETRY_MS);
	}
	if (client->fd >= 0) {
		close(client->fd);
	}
	return client_open(client, cli);
}

void
client_close(struct client *client)
{
	if (client->fd >= 0) {
		close(client->fd);
	}
	client->fd = -1;
	json_decref(client->hello);
	client->hello = NULL;
	free(client->buffer);
	client->buffer = NULL;
	client->len = client->room = 0;
}

static int
send_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);

		if (sent < 0) {
			return -errno;
		}
		bytes += sent;
		len -= (size_t)sent;
	}
	return 0;
}

static int
exit_of_error(const json_t *error)
{
	json_int_t code = json_integer_value(json_object_get(error, "code"));

	switch (code) {
	case 1004:
		return CLI_PERMISSION;
	case 1005:
	case 1006:
	case 1011:
		return CLI_BUSY;
	case -32601:
	case -32602:
		return CLI_USAGE;
	default:
		return CLI_FAILED;
	}
}

int
client_call(struct client *client, const char *method, json_t *params, json_t **ret_result,
	json_t **ret_error)
{
	int64_t id = client->next_id++;
	uint64_t deadline_ns = cli_now_ns() + client->cli->timeout_ns;
	json_t *request = json_pack("{s:s,s:I,s:s,s:o}", "jsonrpc", "2.0", "id", (json_int_t)id,
		"method", method, "params", params ? params : json_object());
	char *text = json_dumps(request, JSON_COMPACT);
	int err = send_all(client->fd, text, strlen(text));

	err = err ? err : send_all(client->fd, "\n", 1);
	free(text);
	json_decref(request);
	*ret_error = NULL;
	while (err == 0) {
		json_t *reply = read_line(client, deadline_ns, &err);
		json_t *error = json_object_get(reply, "error");
		json_t *result = json_object_get(reply, "result");

		if (reply && json_integer_value(json_object_get(reply, "id")) == id && (error || result)) {
			*ret_error = json_incref(error);
			*ret_result = json_incref(result);
			json_decref(reply);
			return error ? exit_of_error(*ret_error) : 0;
		}
		json_decref(reply);
	}
	if (err == -ETIMEDOUT) {
		return cli_error(CLI_BUSY, "no answer in time", method, "give more time: penstock --timeout 5m ...");
	}
	return cli_error(CLI_UNREACHABLE, "the connection to penstockd broke", strerror(-err),
		"look whether it still runs: penstock health get");
}

int
client_must(struct client *client, const char *method, json_t *params, json_t **ret_result)
{
	json_t *error;
	int err = client_call(client, method, params, ret_result, &error);

	if (error) {
		(void)cli_rpc_error(error, method);
		json_decref(error);
	}
	return err;
}
