/* SPDX-License-Identifier: Apache-2.0 */
/* What must end the process, run in a child of it. */
#ifndef SUPPORT_DEATH_H
#define SUPPORT_DEATH_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Whether body(user_data), run in a forked child, aborts as ensure() does; what it says is thrown
 * away. The caller's memory stays as it is. False also if it returns, exits or dies otherwise.
 */
static inline bool
death_aborts(void (*body)(void *user_data), void *user_data)
{
	int status = 0;

	(void)fflush(NULL);
	pid_t child = fork();

	if (child == 0) {
		(void)signal(SIGABRT, SIG_DFL);
		if (!freopen("/dev/null", "w", stderr)) {
			_exit(1);
		}
		body(user_data);
		_exit(0);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGABRT;
}

#endif
