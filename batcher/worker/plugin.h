/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a job's function comes from: a shared object that is checked before it is loaded, because
 * its constructors run inside dlopen, or the table of builtins. Control thread only. Never unloaded
 * while a job that uses it exists: the caller keeps the count.
 */
#ifndef BATCHER_WORKER_PLUGIN_H
#define BATCHER_WORKER_PLUGIN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"
#include "batcher/worker/penstock_worker.h"

struct plugin_rules {
	const char *const *dirs; /* absolute: batcher.plugin_dirs */
	uint32_t dir_count;
	bool user_may_own; /* dev mode: the daemon's user, not only root, may own directory and file
			    */
};

struct plugin {
	void *handle; /* dlopen's; NULL: not loaded */
	/* The plug-in's table in our length: what it does not have is NULL. */
	struct penstock_worker function;
};

/*
 * Loads the plug-in at `path` (absolute). Its real path must lie in a directory of `rules`; that
 * directory, those between and the file must belong to root (or the user) and be writable by nobody
 * else. -EINVAL path, -ENOENT, -EACCES ownership or place, -ENOEXEC not loadable or no
 * penstock_worker_entry, -ENOTSUP another ABI or more than this daemon knows, -EBADMSG a table that
 * breaks the contract. `text` then says what and how to mend it.
 */
int plugin_load(const char *path, const struct plugin_rules *rules, char *text, uint32_t text_bytes,
	struct plugin *ret_plugin) MUST_CHECK;
void plugin_unload(struct plugin *plugin);

/* The builtin function of that name ("count", "digest"), or NULL. */
const struct penstock_worker *plugin_builtin(const char *name);

#endif
