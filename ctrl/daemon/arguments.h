/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of penstockd, and the paths that dev mode derives from it. Start-up only. */
#ifndef CTRL_ARGUMENTS_H
#define CTRL_ARGUMENTS_H

#include <stdbool.h>
#include "ctrl/daemon/config.h"

#define ARGUMENTS_OVERRIDES_MAX 128

struct arguments {
	bool dev;
	bool check; /* --check: preflight only */
	const char *name;
	const char *config_path;
	bool config_given;
	const char *overrides[ARGUMENTS_OVERRIDES_MAX];
	uint32_t override_count;
	char state_dir[400];
	char config_text[512];
	char override_text[4][640]; /* those that --state and dev mode add */
};

/* 0 go on; 1 done (help, version): exit 0; -EINVAL: told on stderr, exit 64. */
int arguments_parse(int argc, char **argv, struct arguments *ret_arguments);
/* Loads the configuration with them; the report on stderr. Negative errno: exit 78. */
int arguments_load_config(struct arguments *arguments, struct config *ret_config);
/* ctl.socket resolved: the configured path, or that of the mode. */
void arguments_socket(const struct arguments *arguments, const struct config *config, char *ret_path,
	unsigned path_bytes);

#endif
