/* SPDX-License-Identifier: Apache-2.0 */
/* See demo_daemon.h. What the daemon says goes to a file, so that a full pipe can never stop it. */
#include "ctrl/cli/demo_daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/bytes.h"
#include "ctrl/cli/demo_netns.h"

#define SETS_MAX	32
#define START_SECONDS	30
#define STOP_SECONDS	15
#define TAIL_LINES	15
#define ERROR_LINES	3
#define TMPFS_TYPE	0x01021994
#define SPACE_BYTES_MIN (1ull << 30)
#define KEPT_DIRS_MAX	99
#define DIR_PREFIX	"penstock-demo-p" /* and the pid of the program that made it */

void
demo_daemon_find(struct demo_daemon *daemon)
{
	ssize_t len = readlink("/proc/self/exe", daemon->program_dir, sizeof(daemon->program_dir) - 1);
	char *slash;

	daemon->program_dir[len > 0 ? len : 0] = '\0';
	slash = strrchr(daemon->program_dir, '/');
	if (slash) {
		*slash = '\0';
	}
}

/* The child, until it is penstockd. */
static void
run_daemon(const struct demo_daemon *daemon, const struct demo_daemon_options *options)
{
	char program[600];
	const char *words[2 * SETS_MAX + 10];
	uint32_t count = 0;
	sigset_t none;
	int log = open(daemon->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	snprintf(program, sizeof(program), "%s/penstockd", daemon->program_dir);
	words[count++] = "penstockd";
	words[count++] = "--dev";
	words[count++] = "--state";
	words[count++] = daemon->dir;
	words[count++] = "--config";
	words[count++] = daemon->config;
	for (uint32_t i = 0; i < options->set_count && i < SETS_MAX; i++) {
		words[count++] = "--set";
		words[count++] = options->sets[i];
	}
	words[count] = NULL;
	(void)setsid(); /* Ctrl-C is ours to handle */
	if (!options->keep) {
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	}
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGINT, SIG_DFL);
	if (options->netns_fd >= 0) {
		int err = demo_netns_become(options->netns_fd);

		if (err < 0) {
			dprintf(log, "error: the namespace cannot be entered: %s\n", strerror(-err));
			_exit(127);
		}
	}
	if (log >= 0 && null >= 0) {
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(log, STDOUT_FILENO);
		(void)dup2(log, STDERR_FILENO);
		(void)execv(program, (char *const *)(uintptr_t)words);
		(void)execvp("penstockd", (char *const *)(uintptr_t)words);
		dprintf(STDERR_FILENO, "%s: %s, and no penstockd in PATH\n", program, strerror(errno));
	}
	_exit(127);
}

void
demo_daemon_show_error(const struct demo_daemon *daemon, FILE *out, const char *indent)
{
	FILE *file = daemon->log[0] ? fopen(daemon->log, "re") : NULL;
	char line[512];
	uint32_t shown = 0;

	while (file && shown < ERROR_LINES && fgets(line, sizeof(line), file)) {
		if (shown > 0 || strncmp(line, "error", 5) == 0) {
			fprintf(out, "%s%.*s\n", indent, (int)strcspn(line, "\n"), line);
			shown++;
		}
	}
	if (file) {
		fclose(file);
	}
}

void
demo_daemon_show_log(const struct demo_daemon *daemon)
{
	FILE *file = daemon->log[0] ? fopen(daemon->log, "re") : NULL;
	char line[512];
	uint32_t lines = 0;

	if (!file) {
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		lines++;
	}
	rewind(file);
	fprintf(stderr, "  penstockd said last:\n");
	for (uint32_t i = 0; fgets(line, sizeof(line), file); i++) {
		if (i + TAIL_LINES >= lines) {
			fprintf(stderr, "    %.*s\n", (int)strcspn(line, "\n"), line);
		}
	}
	fclose(file);
}

static bool
is_empty(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	while (dir && count < 3 && readdir(dir)) {
		count++;
	}
	if (dir) {
		closedir(dir);
	}
	return dir && count == 2; /* . and .. */
}

static bool
fits(const char *path, bool on_disk)
{
	struct statfs info;

	return path && path[0] == '/' && strlen(path) < 64 && access(path, W_OK | X_OK) == 0 &&
	       statfs(path, &info) == 0 && (uint64_t)info.f_bavail * (uint64_t)info.f_bsize >= SPACE_BYTES_MIN &&
	       (!on_disk || info.f_type != TMPFS_TYPE);
}

/* A place with room, on a disk if there is one: memory would show no true durable latency. */
static const char *
find_base(void)
{
	const char *const places[] = {getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp", "/var/tmp"};

	for (size_t i = 0; i < 2 * ARRAY_COUNT(places); i++) {
		const char *place = places[i % ARRAY_COUNT(places)];

		if (fits(place, i < ARRAY_COUNT(places))) {
			return place;
		}
	}
	return "/tmp";
}

static int
make_kept_dir(struct demo_daemon *daemon, const char *base)
{
	for (int i = 1; i <= KEPT_DIRS_MAX; i++) {
		snprintf(daemon->dir, sizeof(daemon->dir), "%.64s/penstock-demo-%u-%d", base,
			(unsigned int)getuid(), i);
		if (mkdir(daemon->dir, 0700) == 0) {
			return 0;
		}
		if (errno != EEXIST) {
			break;
		}
	}
	return -errno;
}

static bool
listens(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes;

	snprintf(address.sun_path, sizeof(address.sun_path), "%.107s", path);
	yes = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
	if (fd >= 0) {
		close(fd);
	}
	return yes;
}

static int
remove_entry(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
	(void)info;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* A directory of an earlier demo of ours that was killed: its program is gone and nobody listens in it. */
static bool
is_leftover(const char *base, const char *name)
{
	char path[512];
	struct stat info;
	char *end;
	long pid = strncmp(name, DIR_PREFIX, strlen(DIR_PREFIX)) == 0 ? strtol(name + strlen(DIR_PREFIX), &end, 10) :
									0;

	if (pid <= 0 || *end != '-' || kill((pid_t)pid, 0) == 0 || errno != ESRCH) {
		return false;
	}
	snprintf(path, sizeof(path), "%.64s/%.200s", base, name);
	if (lstat(path, &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid()) {
		return false;
	}
	snprintf(path, sizeof(path), "%.64s/%.200s/ctl.sock", base, name);
	return !listens(path);
}

static void
remove_leftovers(const char *base)
{
	DIR *dir = opendir(base);
	const struct dirent *entry;
	char path[512];

	while (dir && (entry = readdir(dir)) != NULL) {
		if (is_leftover(base, entry->d_name)) {
			snprintf(path, sizeof(path), "%.64s/%.200s", base, entry->d_name);
			(void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
		}
	}
	if (dir) {
		closedir(dir);
	}
}

static int
make_dir(struct demo_daemon *daemon, const struct demo_daemon_options *options)
{
	const char *base = find_base();
	int err = 0;

	if (options->dir) {
		if (strlen(options->dir) >= sizeof(daemon->dir)) {
			return cli_error(CLI_USAGE, "--state: at most 95 bytes", options->dir,
				"a socket will lie there, and its path may have 107");
		}
		memcpy(daemon->dir, options->dir, strlen(options->dir) + 1);
		if (mkdir(daemon->dir, 0700) != 0 && (errno != EEXIST || !is_empty(daemon->dir))) {
			return cli_error(CLI_FAILED, "the directory cannot be made, or is not empty",
				strerror(errno), daemon->dir);
		}
	} else if (options->keep) {
		err = make_kept_dir(daemon, base);
	} else {
		remove_leftovers(base);
		snprintf(daemon->dir, sizeof(daemon->dir), "%.64s/" DIR_PREFIX "%d-XXXXXX", base, (int)getpid());
		err = mkdtemp(daemon->dir) ? 0 : -errno;
	}
	if (err) {
		return cli_error(CLI_FAILED, "cannot make a directory", strerror(-err), daemon->dir);
	}
	daemon->own_dir = true;
	return 0;
}

/* A file of its own: what the user's own daemon is told must not touch the demo. */
static int
write_config(struct demo_daemon *daemon, const struct demo_daemon_options *options)
{
	FILE *file;
	bool good;

	snprintf(daemon->config, sizeof(daemon->config), "%s/penstock.yaml", daemon->dir);
	file = fopen(daemon->config, "we");
	good = file && fprintf(file, "# of penstock demo\n%s", options->config ? options->config : "mode: dev\n") > 0;
	good = (!file || fclose(file) == 0) && good;
	return good ? 0 : cli_error(CLI_FAILED, "cannot write the configuration", strerror(errno), daemon->config);
}

bool
demo_daemon_runs(struct demo_daemon *daemon)
{
	int status;

	if (daemon->pid > 0 && waitpid(daemon->pid, &status, WNOHANG) == daemon->pid) {
		daemon->pid = 0;
	}
	return daemon->pid > 0;
}

int
demo_daemon_start(struct demo_daemon *daemon, const struct demo_daemon_options *options)
{
	uint64_t until_ns = cli_now_ns() + START_SECONDS * NS_PER_S;
	struct pollfd interrupt = {.fd = options->interrupt_fd, .events = POLLIN};
	int err = make_dir(daemon, options);

	if (err) {
		return err;
	}
	snprintf(daemon->socket, sizeof(daemon->socket), "%s/ctl.sock", daemon->dir);
	snprintf(daemon->log, sizeof(daemon->log), "%s/penstockd.stderr", daemon->dir);
	err = write_config(daemon, options);
	if (err) {
		return err;
	}
	fflush(NULL);
	daemon->pid = fork();
	if (daemon->pid == 0) {
		run_daemon(daemon, options);
	}
	if (daemon->pid < 0) {
		daemon->pid = 0;
		return cli_error(CLI_FAILED, "cannot start penstockd", strerror(errno), NULL);
	}
	while (cli_now_ns() < until_ns && demo_daemon_runs(daemon)) {
		if (listens(daemon->socket)) {
			return 0;
		}
		if (poll(&interrupt, 1, 10) > 0) {
			return CLI_INTERRUPTED;
		}
	}
	if (options->may_fail) {
		return CLI_FAILED;
	}
	return cli_error(CLI_FAILED,
		daemon->pid ? "penstockd does not listen after 30 s" : "penstockd ended instead of starting",
		daemon->socket, "penstockd --dev --check");
}

/* True once it has ended. */
static bool
wait_end(struct demo_daemon *daemon, uint32_t seconds)
{
	uint64_t until_ns = cli_now_ns() + seconds * NS_PER_S;

	while (demo_daemon_runs(daemon) && cli_now_ns() < until_ns) {
		cli_sleep_ms(5);
	}
	return daemon->pid == 0;
}

void
demo_daemon_stop(struct demo_daemon *daemon, bool asked)
{
	if (daemon->pid > 0 && (!asked || !wait_end(daemon, STOP_SECONDS))) {
		(void)kill(daemon->pid, SIGTERM);
		if (!wait_end(daemon, STOP_SECONDS)) {
			(void)kill(daemon->pid, SIGKILL);
			(void)waitpid(daemon->pid, NULL, 0);
			daemon->pid = 0;
		}
	}
	if (daemon->own_dir) {
		(void)nftw(daemon->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	}
}
