/* SPDX-License-Identifier: Apache-2.0 */
/* Errors have three parts and a code: what, why, and how to mend it. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/bytes.h"
#include "ctrl/cli/cli.h"
#include "ctrl/cli/local_commands.h"
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

/* A general fix made particular to the method: `METHOD` is its name, a bare hint its command. */
static void
print_fix(const char *fix, const char *method, bool first)
{
	const char *dot = method ? strchr(method, '.') : NULL;
	const char *word = strstr(fix, "METHOD");

	fputs(first ? "  fix   " : "  or    ", stderr);
	if (dot && strcmp(fix, "penstock rpc describe METHOD") == 0) {
		fprintf(stderr, "penstock %.*s %s --help\n", (int)(dot - method), method, dot + 1);
	} else if (dot && strcmp(fix, "Choose another name.") == 0) {
		fprintf(stderr, "penstock %.*s list shows it; choose another name\n", (int)(dot - method), method);
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
	const char *kafka = json_string_value(json_object_get(data, "kafka"));
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
	fprintf(stderr, "  why   %s", json_is_string(cause) ? json_string_value(cause) : summary);
	if (kafka) {
		fprintf(stderr, " Kafka calls it %s.", kafka);
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

int
cli_option_error(const char *command, const char *word, bool lacks_value, const struct option *options)
{
	struct value_nearest nearest;

	if (lacks_value) {
		return cli_command_error(command, "%s: %s wants a value", command, word);
	}
	value_nearest_init(&nearest, strncmp(word, "--", 2) == 0 ? word + 2 : word);
	for (const struct option *o = options; o->name; o++) {
		value_nearest_offer(&nearest, o->name);
	}
	return cli_command_error(command, "penstock %s has no flag %s%s%s", command, word,
		nearest.count ? "; nearest: --" : "", nearest.count ? nearest.names[0] : "");
}
