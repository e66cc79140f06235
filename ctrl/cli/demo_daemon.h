/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon that the demo starts: a dev daemon on a directory of its own, stopped at the end. */
#ifndef CTRL_CLI_DEMO_DAEMON_H
#define CTRL_CLI_DEMO_DAEMON_H

#include <sys/types.h>
#include "ctrl/cli/cli.h"

struct demo_daemon {
	pid_t pid; /* 0: none */
	bool own_dir; /* made by us: removed at the end */
	char dir[256];
	char socket[300];
	char log[300];
	char program_dir[512]; /* where this program lies, and penstockd beside it */
};

/* Starts `penstockd --dev --state DIR` (DIR NULL: a new one) and waits until it listens. */
int demo_daemon_start(struct demo_daemon *daemon, const char *dir, const char *const *sets,
	uint32_t set_count);
/* Stops it and removes the directory if it is ours. */
void demo_daemon_stop(struct demo_daemon *daemon);
/* True once Ctrl-C was pressed; the signal is blocked while the demo runs. */
bool demo_interrupted(void);

#endif
