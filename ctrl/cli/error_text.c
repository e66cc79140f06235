/* SPDX-License-Identifier: Apache-2.0 */
/* Errors have three parts and a code: what, why, and how to mend it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
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
	fprintf(stderr, "  why   %s", json_is_string(cause) ? json_string_value(cause) : summary);
	json_array_foreach(needs, index, group) {
		fprintf(stderr, "%s%s", index ? ", " : " Groups: ", json_string_value(group));
	}
	fputc('\n', stderr);
}

int
cli_rpc_error(const json_t *error)
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
		fprintf(stderr, "  %s%s", index ? "or    " : "fix   ", json_string_value(fix));
		fprintf(stderr, "%s\n", index == 0 ? "" : "");
	}
	fprintf(stderr, "  more  penstock explain %" JSON_INTEGER_FORMAT "\n", code);
	return code == 1004 ? CLI_PERMISSION : CLI_FAILED;
}

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
	return found ? CLI_OK :
		       cli_usage_error("no error \"%s\"%s%s", argv[1], nearest.count ? "; nearest: " : "",
			       nearest.count ? nearest.names[0] : "");
}
