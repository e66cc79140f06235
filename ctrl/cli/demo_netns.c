/* SPDX-License-Identifier: Apache-2.0 */
/* See demo_netns.h. The kernel's objects are made by `ip` and `ethtool`, which people can repeat by hand. */
#include "ctrl/cli/demo_netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define PEER_LINK    "penstock1"
#define PEER_ADDRESS "198.18.0.2/24"
#define WORDS_MAX    16

/* The child: one command inside a namespace, what it says into the pipe. */
static void
run_child(int netns_fd, const char *const *words, int out_fd)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)dup2(out_fd, STDOUT_FILENO);
	(void)dup2(out_fd, STDERR_FILENO);
	if (setns(netns_fd, CLONE_NEWNET) == 0) {
		(void)execvp(words[0], (char *const *)(uintptr_t)words);
	}
	dprintf(STDERR_FILENO, "%s", strerror(errno));
	_exit(127);
}

/* 0, or -EIO with command and answer in text. */
static int
run_inside(int netns_fd, const char *line, char *text)
{
	char copy[160];
	const char *words[WORDS_MAX + 1] = {NULL};
	char *rest = copy;
	size_t count = 0;
	size_t len = 0;
	int ends[2];
	int status = 0;
	ssize_t got;
	pid_t pid;

	snprintf(copy, sizeof(copy), "%s", line);
	while (count < WORDS_MAX && (words[count] = strsep(&rest, " ")) != NULL) {
		count++;
	}
	if (pipe2(ends, O_CLOEXEC) != 0) {
		return -errno;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		run_child(netns_fd, words, ends[1]);
	}
	close(ends[1]);
	len = (size_t)snprintf(text, DEMO_NETNS_TEXT_BYTES, "%s: ", line);
	while (pid > 0 && len + 1 < DEMO_NETNS_TEXT_BYTES &&
		(got = read(ends[0], text + len, DEMO_NETNS_TEXT_BYTES - 1 - len)) > 0) {
		len += (size_t)got;
	}
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	close(ends[0]);
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 :
													     -EIO;
}

static int
this_namespace(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int
make_namespace(const struct demo_netns *netns, int *ret_fd)
{
	int err = unshare(CLONE_NEWNET) == 0 ? 0 : -errno;

	if (err == 0) {
		*ret_fd = this_namespace();
		err = *ret_fd < 0 ? *ret_fd : 0;
		(void)setns(netns->home_fd, CLONE_NEWNET);
	}
	return err;
}

/*
 * The link is made in the daemon's namespace, with its peer in ours of the moment: the client's. Kernel
 * sockets leave checksums to the device, and a veth pair never fills them in: tx off has the kernel do it.
 */
static int
make_link(const struct demo_netns *netns, char *text)
{
	static const char *const client_lines[] = {"ip link set lo up", "ethtool -K " PEER_LINK " tx off",
		"ip addr add " PEER_ADDRESS " dev " PEER_LINK, "ip link set " PEER_LINK " up"};
	char line[160];
	int err = setns(netns->client_fd, CLONE_NEWNET) == 0 ? 0 : -errno;

	if (err) {
		snprintf(text, DEMO_NETNS_TEXT_BYTES, "setns: %s", strerror(-err));
		return err;
	}
	snprintf(line, sizeof(line), "ip link add " DEMO_NETNS_LINK " type veth peer name " PEER_LINK " netns %d",
		(int)getpid());
	err = run_inside(netns->daemon_fd, line, text);
	(void)setns(netns->home_fd, CLONE_NEWNET);
	for (size_t i = 0; err == 0 && i < sizeof(client_lines) / sizeof(client_lines[0]); i++) {
		err = run_inside(netns->client_fd, client_lines[i], text);
	}
	return err ? err : run_inside(netns->daemon_fd, "ip link set " DEMO_NETNS_LINK " up", text);
}

int
demo_netns_open(struct demo_netns *netns, char text[DEMO_NETNS_TEXT_BYTES])
{
	int err;

	*netns = (struct demo_netns){.home_fd = this_namespace(), .daemon_fd = -1, .client_fd = -1};
	err = netns->home_fd < 0 ? netns->home_fd : 0;
	err = err ? err : make_namespace(netns, &netns->daemon_fd);
	err = err ? err : make_namespace(netns, &netns->client_fd);
	if (err) {
		snprintf(text, DEMO_NETNS_TEXT_BYTES, "a network namespace cannot be made: %s", strerror(-err));
	} else {
		err = make_link(netns, text);
	}
	if (err) {
		demo_netns_close(netns);
	}
	return err;
}

void
demo_netns_close(struct demo_netns *netns)
{
	int *fds[] = {&netns->client_fd, &netns->daemon_fd, &netns->home_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0) {
			close(*fds[i]);
		}
		*fds[i] = -1;
	}
}

int
demo_netns_enter_client(const struct demo_netns *netns)
{
	return setns(netns->client_fd, CLONE_NEWNET) == 0 ? 0 : -errno;
}

int
demo_netns_enter_home(const struct demo_netns *netns)
{
	return setns(netns->home_fd, CLONE_NEWNET) == 0 ? 0 : -errno;
}

/* As `ip netns exec` does: drivers look a device up in /sys, which shows the namespace it was mounted in. */
int
demo_netns_become(int daemon_fd)
{
	if (setns(daemon_fd, CLONE_NEWNET) != 0 || unshare(CLONE_NEWNS) != 0 ||
		mount("", "/", "none", MS_SLAVE | MS_REC, NULL) != 0) {
		return -errno;
	}
	(void)umount2("/sys", MNT_DETACH);
	return mount("sysfs", "/sys", "sysfs", 0, NULL) == 0 ? 0 : -errno;
}
