/* SPDX-License-Identifier: Apache-2.0 */
/* `penstock`: global flags, then a hand-written command or NOUN VERB from the schema. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/bytes.h"
#include "ctrl/cli/cli.h"
#include "ctrl/schema/value.h"

static int
help_main(const struct cli *cli, int argc, char **argv);

static int
version_main(const struct cli *cli, int argc, char **argv)
{
	(void)cli;
	(void)argc;
	(void)argv;
	printf("penstock %s\n", PENSTOCK_VERSION);
	return CLI_OK;
}

static const struct {
	const char *word;
	int (*run)(const struct cli *cli, int argc, char **argv);
	const char *summary;
	const char *usage; /* NULL: it answers --help itself */
} words[] = {
	{"demo", demo_main, "start a daemon, replay real flights, show windows, add it all up", NULL},
	{"produce", produce_main, "send lines or CSV to a topic over the native protocol", NULL},
	{"ledger", ledger_main, "the drop ledger, and whether it adds up", "ledger"},
	{"log", log_main, "log dump PATH: read segments without the daemon", NULL},
	{"call", call_main, "call METHOD JSON: anything on the control socket", "call METHOD [JSON]"},
	{"explain", explain_main, "explain an error, an event, a key or a metric, offline",
		"explain CODE|KIND|EVENT|KEY|METRIC"},
	{"version", version_main, "print the version", "version"},
	{"help", help_main, "this text", "help [COMMAND | NOUN [VERB]]"},
};

/* A hand-written command, or --help of it; -1: no such word. */
static int
run_word(const struct cli *cli, int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
		if (strcmp(words[i].word, argv[0]) != 0) {
			continue;
		}
		if (words[i].usage && argc > 1 && strcmp(argv[1], "--help") == 0) {
			printf("usage: penstock %s\n\n  %s\n", words[i].usage, words[i].summary);
			return CLI_OK;
		}
		return words[i].run(cli, argc, argv);
	}
	return -1;
}

/* penstock help WORD [VERB] */
static int
help_on(const struct cli *cli, int argc, char **argv)
{
	char help[] = "--help";
	char dump[] = "dump";
	char *of_word[] = {argv[1], help, NULL};
	char *of_log[] = {argv[1], dump, help, NULL};
	const struct command *c = argc > 2 ? invoke_find(argv[1], argv[2]) : NULL;
	int err;

	if (c) {
		help_command(c);
		return CLI_OK;
	}
	err = strcmp(argv[1], "log") == 0 ? run_word(cli, 3, of_log) : run_word(cli, 2, of_word);
	return err >= 0 ? err : invoke_main(cli, argc > 2 ? argc - 1 : 2, argc > 2 ? argv + 1 : of_word);
}

static int
help_main(const struct cli *cli, int argc, char **argv)
{
	const char *noun = "";

	if (argc > 1) {
		return help_on(cli, argc, argv);
	}
	printf("usage: penstock [flags] COMMAND, or penstock [flags] NOUN VERB [ARG ...] [--flag value]\n\n"
	       "  -o, --output text|json|jsonl|yaml   -s, --socket PATH   --timeout 30s\n"
	       "  -n, --dry-run   -y, --yes   -q, --quiet   --no-progress\n\n");
	for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
		printf("  %-10s %s\n", words[i].word, words[i].summary);
	}
	for (uint32_t i = 0; i < command_count; i++) {
		if (strcmp(noun, commands[i].noun) != 0) {
			noun = commands[i].noun;
			printf("\n  %-10s", noun);
		}
		printf(" %s", commands[i].verb);
	}
	printf("\n\npenstock help NOUN [VERB] and --help tell more.\n"
	       "exit: 0 done, 1 failed, 2 check failed, 3 check not made, 64 usage, 69 not reachable, 75 try again,\n"
	       "      77 permission, 130 interrupted\n");
	return CLI_OK;
}

static void
interrupted(int signal_number)
{
	(void)signal_number;
	_exit(CLI_INTERRUPTED);
}

static int
set_output(struct cli *cli, const char *word)
{
	static const char *const names[] = {"text", "json", "jsonl", "yaml"};

	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (strcmp(word, names[i]) == 0) {
			cli->output = (enum cli_output)i;
			return 0;
		}
	}
	return cli_usage_error("-o %s: want text, json, jsonl or yaml", word);
}

/* A global flag at argv[*at]; 1: it is none. */
static int
take_global(struct cli *cli, int argc, char **argv, int *at)
{
	const char *word = argv[*at];
	const char *value = *at + 1 < argc ? argv[*at + 1] : NULL;
	bool takes_value = strcmp(word, "-o") == 0 || strcmp(word, "--output") == 0 ||
			   strcmp(word, "-s") == 0 || strcmp(word, "--socket") == 0 ||
			   strcmp(word, "--timeout") == 0;

	if (strcmp(word, "-y") == 0 || strcmp(word, "--yes") == 0) {
		cli->yes = true;
	} else if (strcmp(word, "-n") == 0 || strcmp(word, "--dry-run") == 0) {
		cli->dry_run = true;
	} else if (strcmp(word, "-q") == 0 || strcmp(word, "--quiet") == 0) {
		cli->quiet = true;
	} else if (strcmp(word, "--no-progress") == 0) {
		cli->no_progress = true;
	} else if (!takes_value) {
		return 1;
	} else if (!value) {
		return cli_usage_error("%s wants a value", word);
	} else {
		(*at)++;
		if (strcmp(word, "-o") == 0 || strcmp(word, "--output") == 0) {
			return set_output(cli, value);
		} else if (strcmp(word, "--timeout") == 0) {
			return value_parse_duration(value, &cli->timeout_ns) == 0 ?
				       0 :
				       cli_usage_error("--timeout %s: want a duration like 30s", value);
		}
		cli->socket = value;
	}
	return 0;
}

/* True if the command has a --timeout or the like of its own (after NOUN VERB it is the method's). */
static bool
is_own_flag(int count, char **rest, const char *word)
{
	for (uint32_t i = 0; i < command_count && count >= 2; i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->noun, rest[0]) != 0 || strcmp(c->verb, rest[1]) != 0) {
			continue;
		}
		for (uint32_t p = 0; p < c->param_count; p++) {
			if (strncmp(word, "--", 2) == 0 && strcmp(word + 2, c->params[p].flag) == 0) {
				return true;
			}
		}
	}
	return false;
}

int
main(int argc, char **argv)
{
	struct cli cli = {.timeout_ns = 90 * NS_PER_S, .tty = isatty(STDOUT_FILENO) == 1};
	char **rest = calloc((size_t)argc + 1, sizeof(*rest));
	int count = 0;
	int err;

	if (!rest) {
		return CLI_FAILED;
	}
	signal(SIGINT, interrupted);
	for (int i = 1; i < argc; i++) {
		err = is_own_flag(count, rest, argv[i]) ? 1 : take_global(&cli, argc, argv, &i);
		if (err > 1) {
			free(rest);
			return err;
		}
		if (err == 1) {
			rest[count++] = argv[i];
		}
	}
	if (count == 0 || strcmp(rest[0], "--help") == 0 || strcmp(rest[0], "-h") == 0) {
		err = help_main(&cli, 0, NULL);
		free(rest);
		return count == 0 ? CLI_USAGE : err;
	}
	if (strcmp(rest[0], "--version") == 0) {
		rest[0] = (char *)(uintptr_t) "version";
	}
	err = run_word(&cli, count, rest);
	if (err < 0) {
		err = invoke_main(&cli, count, rest);
	}
	free(rest);
	return err;
}
