/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/cli/demo_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/bytes.h"

#define SETS_MAX      32
#define START_SECONDS 15
#define STOP_SECONDS  15

bool
demo_interrupted(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && sigismember(&pending, SIGINT) == 1;
}

static void
run_daemon(const struct demo_daemon *daemon, const char *const *sets, uint32_t set_count)
{
	char program[600];
	const char *words[2 * SETS_MAX + 8];
	uint32_t count = 0;
	sigset_t none;
	int log = open(daemon->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	snprintf(program, sizeof(program), "%s/penstockd", daemon->program_dir);
	words[count++] = program;
	words[count++] = "--dev";
	words[count++] = "--state";
	words[count++] = daemon->dir;
	for (uint32_t i = 0; i < set_count && i < SETS_MAX; i++) {
		words[count++] = "--set";
		words[count++] = sets[i];
	}
	words[count] = NULL;
	(void)setsid(); /* Ctrl-C is ours to handle */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (log >= 0 && null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(log, STDOUT_FILENO);
		(void)dup2(log, STDERR_FILENO);
		(void)execv(program, (char *const *)(uintptr_t)words);
		(void)execvp("penstockd", (char *const *)(uintptr_t)words);
	}
	_exit(127);
}

/* What the daemon said before it ended. */
static int
show_log(const struct demo_daemon *daemon)
{
	FILE *file = fopen(daemon->log, "re");
	char line[512];

	fprintf(stderr, "error %d: penstockd did not start; it said:\n", CLI_FAILED);
	for (int i = 0; file && i < 30 && fgets(line, sizeof(line), file); i++) {
		fprintf(stderr, "  %s", line);
	}
	if (file) {
		fclose(file);
	}
	return CLI_FAILED;
}

static int
make_dir(struct demo_daemon *daemon, const char *dir)
{
	const char *base = getenv("TMPDIR");

	if (dir) {
		snprintf(daemon->dir, sizeof(daemon->dir), "%s", dir);
		if (mkdir(daemon->dir, 0700) != 0 && errno != EEXIST) {
			return cli_error(CLI_FAILED, "cannot make the directory", strerror(errno), dir);
		}
		return 0;
	}
	snprintf(daemon->dir, sizeof(daemon->dir), "%.200s/penstock-demo-XXXXXX",
		base && base[0] == '/' ? base : "/tmp");
	if (!mkdtemp(daemon->dir)) {
		return cli_error(CLI_FAILED, "cannot make a directory", strerror(errno), daemon->dir);
	}
	daemon->own_dir = true;
	return 0;
}

static void
find_program_dir(struct demo_daemon *daemon)
{
	ssize_t len = readlink("/proc/self/exe", daemon->program_dir, sizeof(daemon->program_dir) - 1);
	char *slash;

	daemon->program_dir[len > 0 ? len : 0] = '\0';
	slash = strrchr(daemon->program_dir, '/');
	if (slash) {
		*slash = '\0';
	}
}

int
demo_daemon_start(struct demo_daemon *daemon, const char *dir, const char *const *sets,
	uint32_t set_count)
{
	uint64_t until_ns = cli_now_ns() + START_SECONDS * NS_PER_S;
	int err;

	memset(daemon, 0, sizeof(*daemon));
	find_program_dir(daemon);
	err = make_dir(daemon, dir);
	if (err) {
		return err;
	}
	snprintf(daemon->socket, sizeof(daemon->socket), "%s/ctl.sock", daemon->dir);
	snprintf(daemon->log, sizeof(daemon->log), "%s/penstockd.log", daemon->dir);
	daemon->pid = fork();
	if (daemon->pid == 0) {
		run_daemon(daemon, sets, set_count);
	}
	if (daemon->pid < 0) {
		daemon->pid = 0;
		return cli_error(CLI_FAILED, "cannot start penstockd", strerror(errno), NULL);
	}
	while (cli_now_ns() < until_ns && !demo_interrupted()) {
		int status;

		if (waitpid(daemon->pid, &status, WNOHANG) == daemon->pid) {
			daemon->pid = 0;
			return show_log(daemon);
		}
		if (access(daemon->socket, F_OK) == 0) {
			return 0;
		}
		cli_sleep_ms(10);
	}
	return demo_interrupted() ? CLI_INTERRUPTED : show_log(daemon);
}

static int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void
demo_daemon_stop(struct demo_daemon *daemon)
{
	uint64_t until_ns = cli_now_ns() + STOP_SECONDS * NS_PER_S;
	int status;

	if (daemon->pid > 0) {
		(void)kill(daemon->pid, SIGTERM);
		while (waitpid(daemon->pid, &status, WNOHANG) == 0) {
			if (cli_now_ns() > until_ns) {
				(void)kill(daemon->pid, SIGKILL);
				(void)waitpid(daemon->pid, &status, 0);
				break;
			}
			cli_sleep_ms(10);
		}
		daemon->pid = 0;
	}
	if (daemon->own_dir) {
		(void)nftw(daemon->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	}
}
