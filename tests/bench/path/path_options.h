/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both ends of the path bench share: the words of their command lines, how they give up, and
 * when they are asked to stop. For the main thread.
 */
#ifndef BENCH_PATH_PATH_OPTIONS_H
#define BENCH_PATH_PATH_OPTIONS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include "support/nic_device.h"

/* --nic --address --topic --seconds --cpu --prefix --hugepages */
struct path_options {
	struct nic_device_options nic;
	const char *address, *topic;
	uint32_t seconds;
	int cpu; /* -1: not pinned */
};

/* An option of one program: takes a number, a word, or nothing, as one of the three says. */
struct path_option {
	const char *name;
	uint32_t *number;
	const char **word;
	bool *flag;
};

#define PATH_OPTIONS_OWN_MAX 24

/* The program's own options end with a NULL name. Leaves with status 64 and a word if one is wrong. */
void path_options_read(
	int argc, char **argv, struct path_options *options, const struct path_option *own);

/* Leaves with status 1. */
__attribute__((noreturn)) void path_die(const char *what, const char *why);
/* The same if rc is a negative errno. */
void path_must(int rc, const char *what);
/* Pins the calling thread to options->cpu, if there is one. */
void path_pin(const struct path_options *options);

/* Set by SIGTERM and SIGINT from path_stop_on_signals on. */
extern volatile sig_atomic_t path_stop_asked;
void path_stop_on_signals(void);

#endif
