/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon that the demo starts: a dev daemon on a directory of its own, stopped at the end. */
#ifndef CTRL_CLI_DEMO_DAEMON_H
#define CTRL_CLI_DEMO_DAEMON_H

#include <stdio.h>
#include <sys/types.h>
#include "ctrl/cli/cli.h"

struct demo_daemon {
	pid_t pid; /* 0: none */
	bool own_dir; /* made or filled by us: removed at the end unless it is kept */
	char dir[96]; /* a socket's path has 107 bytes */
	char socket[108];
	char log[128]; /* what it says */
	char config[128];
	char program_dir[512]; /* where this program lies, and penstockd beside it */
};

struct demo_daemon_options {
	const char *dir; /* absolute; new or empty; NULL: a new one */
	const char *const *sets; /* KEY=VALUE */
	uint32_t set_count;
	const char *config; /* text of its configuration file, which is all that is read; NULL: empty */
	int netns_fd; /* network namespace it lives in; -1: ours */
	bool keep; /* outlives this program */
	bool may_fail; /* a start that fails is not told here: demo_daemon_show_error tells it */
	int interrupt_fd;
};

/* Where this program lies. */
void demo_daemon_find(struct demo_daemon *daemon);
/* Starts `penstockd --dev --state DIR` and waits until it listens. 0 or an exit code, reason said. */
int demo_daemon_start(struct demo_daemon *daemon, const struct demo_daemon_options *options);
/* False once it has ended by itself. */
bool demo_daemon_runs(struct demo_daemon *daemon);
/* The error that its start ended with, three lines of what it said; nothing if it said none. */
void demo_daemon_show_error(const struct demo_daemon *daemon, FILE *out, const char *indent);
/* The last lines that it said, on stderr. */
void demo_daemon_show_log(const struct demo_daemon *daemon);
/* Waits for its end after sys.stop (asked), else by SIGTERM; then removes the directory if it is ours. */
void demo_daemon_stop(struct demo_daemon *daemon, bool asked);

#endif
