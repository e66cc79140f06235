/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/daemon/run_dir.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
run_dir_wrong(struct wiring_error *error, const char *dir, const char *what, const char *why, int rc)
{
	snprintf(error->text, sizeof(error->text),
		"error: directory %s of the control socket: %s\n  why   %s\n"
		"  fix   choose another place: --set ctl.socket=/DIR/ctl.sock    or    --state /DIR\n",
		dir, what, why);
	return rc;
}

int
run_dir_make(const char *socket_path, bool dev, struct wiring_error *error)
{
	const char *slash = strrchr(socket_path, '/');
	char dir[256];
	struct stat info;

	if (!slash || slash == socket_path || (size_t)(slash - socket_path) >= sizeof(dir)) {
		return 0; /* in the root or the working directory; too long is told where it is bound */
	}
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - socket_path), socket_path);
	if (mkdir(dir, dev ? 0700 : 0750) == 0) {
		return 0;
	}
	if (errno != EEXIST) {
		int rc = -errno;

		return run_dir_wrong(error, dir, strerror(-rc),
			"it is made at start, in a directory that must be there and ours to write", rc);
	}
	if (stat(dir, &info) != 0) {
		int rc = -errno;

		return run_dir_wrong(error, dir, strerror(-rc), "it must be a directory", rc);
	}
	if (!S_ISDIR(info.st_mode)) {
		return run_dir_wrong(error, dir, "is no directory", "the socket and its lock lie in it",
			-ENOTDIR);
	}
	if (info.st_uid != geteuid() && info.st_uid != 0) {
		return run_dir_wrong(error, dir, "belongs to another user",
			"who owns it could put a socket of his own there", -EPERM);
	}
	return 0;
}
