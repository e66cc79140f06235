/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the configuration: built-in defaults < profile < file < --set. Strict: an unknown key, a
 * wrong type, a value out of range, a duplicate key, an anchor, a tag or a tab is an error with
 * file:line:col, the line with a caret, and the nearest name. Start-up only; no state.
 */
#ifndef CTRL_DAEMON_CONFIG_H
#define CTRL_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"
#include "ctrl/schema/config_gen.h"

#define CONFIG_TEXT_BYTES_MAX (1024 * 1024)

struct config_source {
	const char *path;   /* configuration file; NULL: none */
	bool path_optional; /* no error if the file does not exist */
	const char *text;   /* instead of reading path: its content; path is then only a name */
	bool dev;	    /* --dev: as `--set mode=dev`, but any --set is stronger */
	const char *const *overrides; /* "key=value" of --set */
	uint32_t override_count;
	const char *const *profile_dirs; /* NULL: /etc's and the installed one; built-in profiles come last */
	uint32_t profile_dir_count;
	const char *host_root; /* where `profile: auto` looks at the machine; NULL: "" */
};

/*
 * Fills ret_config, whose `profile` is then the resolved name, with profile_reason: `auto` is laptop in
 * dev mode, else the profile whose `match` fits the machine best, else vm-generic (profile_fallback).
 * -ENOENT: the file or the named profile is missing; -EINVAL: it is wrong; -EIO and the like: it
 * cannot be read. The report, with newlines, goes to ret_text, ready to be printed.
 */
int config_load(const struct config_source *source, struct config *ret_config, char *ret_text,
	size_t text_bytes) MUST_CHECK;

#endif
