/* SPDX-License-Identifier: Apache-2.0 */
#include "path_options.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"

#define COMMON_COUNT	  7
#define EXIT_USAGE	  64
#define OPTION_FIRST_CODE 256 /* getopt's codes: beyond every character */

volatile sig_atomic_t path_stop_asked;

static void
on_signal(int number)
{
	path_stop_asked = 1;
}

void
path_stop_on_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

void
path_die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
	exit(1);
}

void
path_must(int rc, const char *what)
{
	if (rc < 0) {
		path_die(what, strerror(-rc));
	}
}

void
path_pin(const struct path_options *options)
{
	cpu_set_t set;

	if (options->cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET((size_t)options->cpu, &set);
		path_must(sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0, "--cpu");
	}
}

static void
option_take(const struct path_option *option, const char *text)
{
	char *end;

	if (option->flag) {
		*option->flag = true;
	} else if (option->word) {
		*option->word = text;
	} else {
		unsigned long number = strtoul(text, &end, 10);

		if (text[0] < '0' || text[0] > '9' || *end != '\0' || number > INT32_MAX) {
			fprintf(stderr, "%s: --%s %s: a number from 0 to %d\n",
				program_invocation_short_name, option->name, text, INT32_MAX);
			exit(EXIT_USAGE);
		}
		*option->number = (uint32_t)number;
	}
}

void
path_options_read(int argc, char **argv, struct path_options *options, const struct path_option *own)
{
	uint32_t cpu = UINT32_MAX;
	struct path_option all[COMMON_COUNT + PATH_OPTIONS_OWN_MAX] = {
		{.name = "nic", .word = &options->nic.device},
		{.name = "address", .word = &options->address},
		{.name = "topic", .word = &options->topic},
		{.name = "prefix", .word = &options->nic.prefix},
		{.name = "seconds", .number = &options->seconds},
		{.name = "cpu", .number = &cpu},
		{.name = "hugepages", .flag = &options->nic.hugepages},
	};
	struct option words[COMMON_COUNT + PATH_OPTIONS_OWN_MAX + 1] = {{0}};
	uint32_t count = COMMON_COUNT;
	int code;

	for (; own->name; own++) {
		ensure(count < COMMON_COUNT + PATH_OPTIONS_OWN_MAX);
		all[count++] = *own;
	}
	for (uint32_t i = 0; i < count; i++) {
		words[i] = (struct option){.name = all[i].name,
			.has_arg = all[i].flag ? no_argument : required_argument,
			.val = OPTION_FIRST_CODE + (int)i};
	}
	while ((code = getopt_long(argc, argv, "", words, NULL)) != -1) {
		if (code < OPTION_FIRST_CODE) {
			exit(EXIT_USAGE);
		}
		option_take(&all[code - OPTION_FIRST_CODE], optarg);
	}
	if (cpu != UINT32_MAX) {
		options->cpu = (int)cpu;
	}
}
