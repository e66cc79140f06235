/* SPDX-License-Identifier: Apache-2.0 */
/* Errors have three parts and a code: what, why, and how to mend it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/bytes.h"
#include "ctrl/cli/cli.h"
#include "ctrl/schema/errors_gen.h"
#include "ctrl/schema/value.h"

int
cli_error(int exit_code, const char *message, const char *why, const char *fix)
{
	fprintf(stderr, "error %d: %s\n", exit_code, message);
	if (why && *why) {
		fprintf(stderr, "  why   %s\n", why);
	}
	if (fix && *fix) {
		fprintf(stderr, "  fix   %s\n", fix);
	}
	return exit_code;
}

int
cli_usage_error(const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return cli_error(CLI_USAGE, message, NULL, "penstock help");
}

int
cli_command_error(const char *command, const char *format, ...)
{
	char message[512];
	char fix[128];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	snprintf(fix, sizeof(fix), "penstock %s --help", command);
	return cli_error(CLI_USAGE, message, NULL, fix);
}

/* TOPIC_ALREADY_EXISTS and the like: true, but no reason that a person can read. */
static bool
is_code_name(const char *text)
{
	return *text && text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")] == '\0';
}

/* A general fix made particular to the method: `METHOD` is its name, a bare hint its command. */
static void
print_fix(const char *fix, const char *method, bool first)
{
	const char *dot = method ? strchr(method, '.') : NULL;
	const char *word = strstr(fix, "METHOD");

	fputs(first ? "  fix   " : "  or    ", stderr);
	if (dot && strcmp(fix, "penstock rpc describe METHOD") == 0) {
		fprintf(stderr, "penstock %.*s %s --help\n", (int)(dot - method), method, dot + 1);
	} else if (dot && strcmp(fix, "List what there is.") == 0) {
		fprintf(stderr, "penstock %.*s list\n", (int)(dot - method), method);
	} else if (method && word) {
		fprintf(stderr, "%.*s%s%s\n", (int)(word - fix), fix, method, word + strlen("METHOD"));
	} else {
		fprintf(stderr, "%s\n", fix);
	}
}

/* What data says besides kind and fix, on one line. */
static void
print_why(const json_t *data, const char *summary)
{
	const json_t *report = json_object_get(data, "report");
	const json_t *cause = json_object_get(data, "cause");
	const json_t *needs = json_object_get(data, "groups");
	size_t index;
	json_t *group;

	if (json_is_string(report)) {
		fprintf(stderr, "  why   ");
		for (const char *at = json_string_value(report); *at; at++) {
			fputc(*at, stderr);
			if (*at == '\n' && at[1]) {
				fprintf(stderr, "        ");
			}
		}
		if (!strchr(json_string_value(report), '\n')) {
			fputc('\n', stderr);
		}
		return;
	}
	if (json_is_string(cause) && !is_code_name(json_string_value(cause))) {
		summary = json_string_value(cause);
	}
	fprintf(stderr, "  why   %s", summary);
	if (json_is_string(cause) && summary != json_string_value(cause)) {
		fprintf(stderr, " Kafka calls it %s.", json_string_value(cause));
	}
	json_array_foreach(needs, index, group) {
		fprintf(stderr, "%s%s", index ? ", " : " Groups: ", json_string_value(group));
	}
	fputc('\n', stderr);
}

int
cli_rpc_error(const json_t *error, const char *method)
{
	const json_t *data = json_object_get(error, "data");
	const char *kind = json_string_value(json_object_get(data, "kind"));
	const json_t *fixes = json_object_get(data, "fix");
	json_int_t code = json_integer_value(json_object_get(error, "code"));
	const char *summary = "";
	size_t index;
	json_t *fix;

	for (uint32_t i = 0; i < ERROR_KIND_COUNT; i++) {
		if (kind && strcmp(error_rows[i].kind, kind) == 0) {
			summary = error_rows[i].summary;
		}
	}
	fprintf(stderr, "error %" JSON_INTEGER_FORMAT " %s: %s\n", code, kind ? kind : "unknown",
		json_string_value(json_object_get(error, "message")));
	print_why(data, summary);
	json_array_foreach(fixes, index, fix) {
		print_fix(json_string_value(fix), method, index == 0);
	}
	fprintf(stderr, "  more  penstock explain %" JSON_INTEGER_FORMAT "\n", code);
	return code == 1004 ? CLI_PERMISSION : CLI_FAILED;
}

/* Exit codes, which errors of this program itself carry in place of a code of the daemon. */
static const struct {
	int code;
	const char *kind;
	const char *summary;
	const char *fix;
} exit_rows[] = {
	{CLI_FAILED, "failed", "The request or the command failed; the message says how.",
		"See why and fix below the message."},
	{CLI_CHECK_FAILED, "check_failed", "A check was made and found something wrong.",
		"Look at the lines that say so, for example of penstock ledger or log dump."},
	{CLI_CHECK_NOT_MADE, "check_not_made", "A check could not be made, for example of a file that cannot be read.",
		"Name a file or directory that is there and readable."},
	{CLI_USAGE, "usage", "The command line is wrong; nothing was sent.", "penstock help"},
	{CLI_UNREACHABLE, "unreachable", "penstockd is not running, or listens on another socket.",
		"penstockd --dev, or name its socket: penstock -s PATH"},
	{CLI_BUSY, "busy_or_deadline", "Something was in the way, or it took longer than --timeout.",
		"Try again, or give more time: penstock --timeout 5m ..."},
	{CLI_PERMISSION, "permission", "The caller's role is too low.", "Join the group that the message names."},
	{CLI_INTERRUPTED, "interrupted", "Ctrl-C or a signal ended the command.", "Start it again."},
};

/* penstock explain CODE or KIND, offline. */
int
explain_main(const struct cli *cli, int argc, char **argv)
{
	struct value_nearest nearest;
	bool found = false;
	char code[16];

	(void)cli;
	if (argc != 2) {
		return cli_usage_error("explain wants one code or kind: penstock explain 1003");
	}
	value_nearest_init(&nearest, argv[1]);
	for (uint32_t i = 0; i < ERROR_KIND_COUNT; i++) {
		const struct error_row *row = &error_rows[i];

		snprintf(code, sizeof(code), "%d", row->code);
		value_nearest_offer(&nearest, row->kind);
		if (strcmp(argv[1], row->kind) == 0 || strcmp(argv[1], code) == 0) {
			printf("%d %s%s\n  %s\n  fix   %s\n", row->code, row->kind,
				row->retryable ? " (try again)" : "", row->summary, row->fix);
			found = true;
		}
	}
	for (size_t i = 0; i < ARRAY_COUNT(exit_rows); i++) {
		snprintf(code, sizeof(code), "%d", exit_rows[i].code);
		if (strcmp(argv[1], code) == 0 || strcmp(argv[1], exit_rows[i].kind) == 0) {
			printf("%d %s (of this program)\n  %s\n  fix   %s\n", exit_rows[i].code,
				exit_rows[i].kind, exit_rows[i].summary, exit_rows[i].fix);
			found = true;
		}
	}
	return found ? CLI_OK :
		       cli_usage_error("no error \"%s\"%s%s", argv[1], nearest.count ? "; nearest: " : "",
			       nearest.count ? nearest.names[0] : "");
}
