/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plug-in loading. Control thread. The checks come before dlopen because constructors run inside
 * it: whoever may write the file or a directory above it runs code in the daemon. The file is
 * judged by its real path, so a symbolic link cannot lead out of the allowed directories.
 */
#include "batcher/worker/plugin.h"
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "batcher/worker/builtin/builtin.h"

/* The first table of ABI 1 that was of use ended behind process. */
#define TABLE_BYTES_MIN (offsetof(struct penstock_worker, process) + sizeof(void (*)(void)))
#define TABLE_BYTES_MAX 4096 /* more is no table: we look at all of it */
#define FLAGS_KNOWN     (PENSTOCK_STATELESS | PENSTOCK_SIDE_EFFECTS | PENSTOCK_ORDERED)

struct plugin_check {
	const struct plugin_rules *rules;
	char *text;
	uint32_t text_bytes;
};

static int plugin_refuse(const struct plugin_check *check, int error, const char *format, ...)
	PRINTF_LIKE(3, 4);

static int
plugin_refuse(const struct plugin_check *check, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(check->text, check->text_bytes, format, args);
	va_end(args);
	return error;
}

/* One path component: owner and write permission. */
static int
plugin_check_owner(const struct plugin_check *check, const char *path)
{
	struct stat st;

	if (stat(path, &st)) {
		return plugin_refuse(check, -ENOENT, "%s: %s", path, strerror(errno));
	}
	if (st.st_uid != 0 && !(check->rules->user_may_own && st.st_uid == geteuid())) {
		return plugin_refuse(check, -EACCES, "%s belongs to uid %u; chown it to root%s",
			path, (unsigned int)st.st_uid,
			check->rules->user_may_own ? " or the daemon's user" : "");
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		return plugin_refuse(check, -EACCES,
			"%s is writable by others (mode %o): chmod go-w it", path,
			(unsigned int)(st.st_mode & 07777));
	}
	return 0;
}

/* dlopen of a FIFO waits for its writer, and with it the control thread. */
static int
plugin_check_file(const struct plugin_check *check, const char *real)
{
	struct stat st;
	int rc = plugin_check_owner(check, real);

	if (rc == 0 && (stat(real, &st) || !S_ISREG(st.st_mode))) {
		rc = plugin_refuse(check, -EACCES, "%s is no regular file", real);
	}
	return rc;
}

/* Checks the file and every directory from it up to and including `dir`. */
static int
plugin_check_chain(const struct plugin_check *check, const char *real, const char *dir)
{
	char path[PATH_MAX];
	int rc = plugin_check_file(check, real);

	(void)snprintf(path, sizeof(path), "%s", real);
	while (rc == 0 && strcmp(path, dir) != 0) {
		char *slash = strrchr(path, '/');

		if (!slash || slash == path) {
			break;
		}
		*slash = '\0';
		rc = plugin_check_owner(check, path);
	}
	return rc;
}

static int
plugin_check_place(const struct plugin_check *check, const char *real)
{
	for (uint32_t i = 0; i < check->rules->dir_count; i++) {
		char dir[PATH_MAX];

		if (!realpath(check->rules->dirs[i], dir)) {
			continue;
		}
		size_t len = strlen(dir);

		if (strncmp(real, dir, len) == 0 && real[len] == '/') {
			return plugin_check_chain(check, real, dir);
		}
	}
	return plugin_refuse(check, -EACCES,
		"%s is in none of the plug-in directories: move it there, or add its directory to "
		"batcher.plugin_dirs",
		real);
}

/*
 * The plug-in's table in our length. A shorter one is an older plug-in's: what it lacks is NULL. Of
 * a longer one all that we do not know must be zero: else we would not do what it asks for.
 */
static int
plugin_fit_table(const struct plugin_check *check, const char *path,
	const struct penstock_worker *theirs, struct penstock_worker *ret_ours)
{
	const uint8_t *bytes = (const uint8_t *)theirs;
	uint32_t known = theirs->struct_bytes;

	if (theirs->struct_bytes < TABLE_BYTES_MIN || theirs->struct_bytes > TABLE_BYTES_MAX) {
		return plugin_refuse(check, -EBADMSG,
			"%s: struct_bytes is %u, expected sizeof(struct penstock_worker), %zu", path,
			theirs->struct_bytes, sizeof(*ret_ours));
	}
	for (; known > sizeof(*ret_ours); known--) {
		if (bytes[known - 1] != 0) {
			return plugin_refuse(check, -ENOTSUP,
				"%s wants more than this daemon has: byte %u of its table is set, this "
				"daemon knows %zu; take a newer daemon, or leave out what is new",
				path, known - 1, sizeof(*ret_ours));
		}
	}
	if (theirs->flags & ~(uint32_t)FLAGS_KNOWN) {
		return plugin_refuse(check, -ENOTSUP,
			"%s: flags are 0x%x, this daemon knows 0x%x; take a newer daemon", path,
			theirs->flags, (uint32_t)FLAGS_KNOWN);
	}
	*ret_ours = (struct penstock_worker){0};
	memcpy(ret_ours, theirs, known);
	ret_ours->struct_bytes = sizeof(*ret_ours);
	return 0;
}

static int
plugin_check_table(const struct plugin_check *check, const char *path,
	const struct penstock_worker *theirs, struct penstock_worker *ret_ours)
{
	if (!theirs) {
		return plugin_refuse(check, -ENOTSUP, "%s cannot work with worker ABI %d", path,
			PENSTOCK_WORKER_ABI);
	}
	if (theirs->abi != PENSTOCK_WORKER_ABI) {
		return plugin_refuse(check, -ENOTSUP,
			"%s was built for worker ABI %u, this daemon has %d: build it again", path,
			theirs->abi, PENSTOCK_WORKER_ABI);
	}
	int rc = plugin_fit_table(check, path, theirs, ret_ours);

	if (rc) {
		return rc;
	}
	if (!ret_ours->name || !ret_ours->name[0]) {
		return plugin_refuse(check, -EBADMSG, "%s: the table has no name", path);
	}
	if (!ret_ours->process) {
		return plugin_refuse(
			check, -EBADMSG, "%s: the table has no process function", path);
	}
	return 0;
}

int
plugin_load(const char *path, const struct plugin_rules *rules, char *text, uint32_t text_bytes,
	struct plugin *ret_plugin)
{
	const struct plugin_check check = {rules, text, text_bytes};
	char real[PATH_MAX];

	*ret_plugin = (struct plugin){0};
	if (path[0] != '/') {
		return plugin_refuse(&check, -EINVAL, "%s: give the absolute path", path);
	}
	if (!realpath(path, real)) {
		return plugin_refuse(&check, -ENOENT, "%s: %s", path, strerror(errno));
	}
	int rc = plugin_check_place(&check, real);

	if (rc) {
		return rc;
	}
	void *handle = dlopen(real, RTLD_NOW | RTLD_LOCAL);

	if (!handle) {
		return plugin_refuse(&check, -ENOEXEC, "%s", dlerror());
	}
	struct penstock_worker function = {0};
	void *symbol = dlsym(handle, "penstock_worker_entry");
	penstock_worker_entry_fn entry;

	memcpy(&entry, &symbol, sizeof(entry)); /* POSIX's way from object to function pointer */
	if (!entry) {
		rc = plugin_refuse(&check, -ENOEXEC, "%s exports no penstock_worker_entry", real);
	} else {
		rc = plugin_check_table(&check, real, entry(PENSTOCK_WORKER_ABI), &function);
	}
	if (rc) {
		(void)dlclose(handle);
		return rc;
	}
	ret_plugin->handle = handle;
	ret_plugin->function = function;
	return 0;
}

void
plugin_unload(struct plugin *plugin)
{
	if (plugin->handle) {
		(void)dlclose(plugin->handle);
	}
	*plugin = (struct plugin){0};
}

const struct penstock_worker *
plugin_builtin(const char *name)
{
	static const struct penstock_worker *const builtins[] = {&builtin_count, &builtin_digest};

	for (uint32_t i = 0; i < ARRAY_COUNT(builtins); i++) {
		if (strcmp(builtins[i]->name, name) == 0) {
			return builtins[i];
		}
	}
	return NULL;
}
