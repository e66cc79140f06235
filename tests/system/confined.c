/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a command as a poorer user or in a narrower container would: with limits, without io_uring,
 * as another user. What it cannot take away it says, and exits 125.
 *
 *   confined [--user UID] [--memlock BYTES] [--nofile N] [--no-io-uring] -- COMMAND [ARG ...]
 */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/compiler.h"

enum {
	EXIT_CANNOT = 125,
	OPTION_USER = 256,
	OPTION_MEMLOCK,
	OPTION_NOFILE,
	OPTION_NO_IO_URING,
};

static const struct option options[] = {
	{"user", required_argument, NULL, OPTION_USER},
	{"memlock", required_argument, NULL, OPTION_MEMLOCK},
	{"nofile", required_argument, NULL, OPTION_NOFILE},
	{"no-io-uring", no_argument, NULL, OPTION_NO_IO_URING},
	{NULL, 0, NULL, 0},
};

static void
must(int rc, const char *what)
{
	if (rc != 0) {
		fprintf(stderr, "confined: %s: %s\n", what, strerror(errno));
		exit(EXIT_CANNOT);
	}
}

/* As Docker's default profile answers: EPERM. The three calls have the same numbers everywhere. */
static void
refuse_io_uring(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, __NR_io_uring_setup, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, __NR_io_uring_register, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = ARRAY_COUNT(code), .filter = code};

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "seccomp");
}

static void
limit(int resource, const char *text, const char *what)
{
	struct rlimit value;

	value.rlim_cur = value.rlim_max = strtoull(text, NULL, 10);
	must(setrlimit((__rlimit_resource_t)resource, &value), what);
}

int
main(int argc, char **argv)
{
	const char *user = NULL;
	bool no_io_uring = false;
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (option == OPTION_USER) {
			user = optarg;
		} else if (option == OPTION_MEMLOCK) {
			limit(RLIMIT_MEMLOCK, optarg, "RLIMIT_MEMLOCK");
		} else if (option == OPTION_NOFILE) {
			limit(RLIMIT_NOFILE, optarg, "RLIMIT_NOFILE");
		} else if (option == OPTION_NO_IO_URING) {
			no_io_uring = true;
		} else {
			return EXIT_CANNOT;
		}
	}
	if (optind == argc) {
		fprintf(stderr, "confined: want a command\n");
		return EXIT_CANNOT;
	}
	if (user) {
		uid_t uid = (uid_t)strtoul(user, NULL, 10);

		must(setgroups(0, NULL), "setgroups");
		must(setresgid(uid, uid, uid), "setresgid");
		must(setresuid(uid, uid, uid), "setresuid");
	}
	if (no_io_uring) {
		refuse_io_uring();
	}
	execvp(argv[optind], argv + optind);
	must(-1, argv[optind]);
	return EXIT_CANNOT;
}
