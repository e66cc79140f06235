/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands of `penstock` share: global flags, exit codes, the connection to the daemon,
 * output and errors. One thread; stdout is data, stderr is talk.
 */
#ifndef CTRL_CLI_H
#define CTRL_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "base/compiler.h"
#include "ctrl/cli/command.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,	      /* the request or operation failed */
	CLI_CHECK_FAILED = 2, /* a check found failures */
	CLI_CHECK_NOT_MADE = 3,
	CLI_USAGE = 64,
	CLI_UNREACHABLE = 69,
	CLI_BUSY = 75,
	CLI_PERMISSION = 77,
	CLI_INTERRUPTED = 130,
};

enum cli_output {
	CLI_TEXT,
	CLI_JSON,
	CLI_JSONL,
	CLI_YAML,
};

struct cli {
	enum cli_output output;
	const char *socket; /* -s; NULL: searched for */
	uint64_t timeout_ns;
	bool yes;
	bool dry_run;
	bool quiet;
	bool no_progress;
	bool tty; /* stdout */
};

/* error_text.c: the three parts of an error, on stderr; returns the exit code. */
int cli_error(int exit_code, const char *message, const char *why, const char *fix);
int cli_usage_error(const char *format, ...) PRINTF_LIKE(1, 2);
/* A wrong command line of one command: the fix is its --help. */
int cli_command_error(const char *command, const char *format, ...) PRINTF_LIKE(2, 3);
/* A JSON-RPC error object; method: that of the call, or NULL. */
int cli_rpc_error(const json_t *error, const char *method);

/* client.c */
struct client {
	const struct cli *cli;
	int fd;
	json_t *hello;
	char *buffer;
	size_t len;
	size_t room;
	int64_t next_id;
};

/* Tries again, silently, until it is there or so much time has passed: a daemon that is just starting. */
int client_open_wait(struct client *client, const struct cli *cli, uint64_t patience_ns);
/* 0 or an exit code after having said why. */
int client_open(struct client *client, const struct cli *cli);
void client_close(struct client *client);
/*
 * One call, waiting up to the timeout. 0 with the result (new reference); else an exit code, with
 * ret_error set (new reference) if the daemon refused, NULL after having said what is wrong.
 */
int client_call(struct client *client, const char *method, json_t *params, json_t **ret_result,
	json_t **ret_error);
/* The same, and prints what was refused. */
int client_must(struct client *client, const char *method, json_t *params, json_t **ret_result);

/* output.c */
void output_result(const struct cli *cli, const struct command *command, const json_t *result);
/* A result for programs, as -o says: `{"schema":"penstock.METHOD/1","data":RESULT}`, or YAML. */
void output_document(const struct cli *cli, const char *method, const json_t *result);
/* Columns of the terminal at a descriptor; UINT32_MAX: it is none, so nothing is cut. */
uint32_t output_width(int fd);
/* 1234567 -> "1,234,567". */
const char *output_count(uint64_t value, char *text, size_t room);

/* progress.c: one line on a tty, else a line each 10 %. */
struct progress {
	bool on;
	bool tty;
	const char *what;
	uint64_t total; /* 0: unknown */
	uint64_t drawn_ns;
	uint64_t start_ns;
	uint32_t shown_tenths;
};

void progress_begin(struct progress *progress, const struct cli *cli, const char *what,
	uint64_t total);
void progress_update(struct progress *progress, uint64_t done);
void progress_end(struct progress *progress, uint64_t done);
uint64_t cli_now_ns(void);
void cli_sleep_ms(uint32_t ms);

/* One file each. argv[0] is the command's word. */
int invoke_main(const struct cli *cli, int argc, char **argv);
int call_main(const struct cli *cli, int argc, char **argv);
int ledger_main(const struct cli *cli, int argc, char **argv);
int produce_main(const struct cli *cli, int argc, char **argv);
int demo_main(const struct cli *cli, int argc, char **argv);
int log_main(const struct cli *cli, int argc, char **argv);
int explain_main(const struct cli *cli, int argc, char **argv);

/* help.c: of one method; of all verbs of a noun, false: no such noun. */
void help_command(const struct command *command);
bool help_noun(const char *noun);
/* invoke.c: NULL if there is no such method; says nothing. */
const struct command *invoke_find(const char *noun, const char *verb);

#endif
