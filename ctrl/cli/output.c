/* SPDX-License-Identifier: Apache-2.0 */
/* Results on stdout: tables and names with values for people, json, jsonl and yaml for programs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "base/bytes.h"
#include "ctrl/cli/cli.h"

#define COLUMNS_MAX 24
#define CELL_BYTES  512

const char *
output_count(uint64_t value, char *text, size_t room)
{
	char digits[32];
	size_t out = 0;
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, value);

	for (size_t i = 0; i < len && out + 2 < room; i++) {
		if (i && (len - i) % 3 == 0) {
			text[out++] = ',';
		}
		text[out++] = digits[i];
	}
	text[out] = '\0';
	return text;
}

static void
cell_text(const json_t *value, char *text, size_t room)
{
	size_t index;
	json_t *item;
	const char *name;
	size_t len = 0;

	text[0] = '\0';
	if (json_is_string(value)) {
		snprintf(text, room, "%s", json_string_value(value));
	} else if (json_is_integer(value)) {
		snprintf(text, room, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	} else if (json_is_real(value)) {
		snprintf(text, room, "%.3f", json_real_value(value));
	} else if (json_is_boolean(value)) {
		snprintf(text, room, "%s", json_is_true(value) ? "yes" : "no");
	} else if (json_is_array(value)) {
		json_array_foreach(value, index, item) {
			len += index && len + 3 < room ? (size_t)snprintf(text + len, room - len, "; ") : 0;
			if (len + 1 < room) {
				cell_text(item, text + len, room - len);
				len += strlen(text + len);
			}
		}
	} else if (json_is_object(value)) {
		json_object_foreach((json_t *)value, name, item) {
			if (len + 2 < room) {
				len += (size_t)snprintf(text + len, room - len, "%s%s=", len ? " " : "", name);
			}
			if (len + 1 < room) {
				cell_text(item, text + len, room - len);
				len += strlen(text + len);
			}
		}
	} else {
		snprintf(text, room, "-");
	}
}

uint32_t
output_width(int fd)
{
	struct winsize size;

	return isatty(fd) == 1 && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : UINT32_MAX;
}

/* Names of points in time in results; other `_ms` are durations. */
static bool
is_time(const char *name)
{
	static const char *const names[] = {"start_ms", "end_ms", "fired_ms", "event_watermark_ms", "time_ms"};

	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (strcmp(names[i], name) == 0) {
			return true;
		}
	}
	return false;
}

/* A member of an object for people: points in time as 2013-01-03T00:00:00.000Z. */
static void
member_text(const char *name, const json_t *value, char *text, size_t room)
{
	json_int_t ms = json_integer_value(value);
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	size_t len;

	cell_text(value, text, room);
	if (json_is_integer(value) && is_time(name) && ms >= 0 && gmtime_r(&seconds, &tm)) {
		len = strftime(text, room, "%Y-%m-%dT%H:%M:%S", &tm);
		snprintf(text + len, room - len, ".%03dZ", (int)(ms % 1000));
	}
}

/* One line, cut to the terminal; numbers to the right. */
static void
print_row(char (*cells)[CELL_BYTES], const bool *right, const uint32_t *widths, uint32_t count,
	uint32_t room)
{
	char line[COLUMNS_MAX * (CELL_BYTES + 2)];
	size_t len = 0;

	for (uint32_t i = 0; i < count; i++) {
		int width = (int)widths[i];

		len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%*s", i ? "  " : "",
			right[i] ? width : i + 1 == count ? 0 : -width, cells[i]);
	}
	if (len > room && room > 3) {
		printf("%.*s...\n", (int)room - 3, line);
	} else {
		printf("%s\n", line);
	}
}

/* Rows of objects as a table; columns NULL-terminated. */
static void
output_table(const struct cli *cli, const json_t *rows, const char *const *columns)
{
	static const size_t cell_bytes = CELL_BYTES;
	char(*cells)[CELL_BYTES] = calloc(COLUMNS_MAX, CELL_BYTES);
	uint32_t widths[COLUMNS_MAX] = {0};
	bool right[COLUMNS_MAX] = {false};
	uint32_t room = output_width(STDOUT_FILENO);
	uint32_t count = 0;
	size_t index;
	size_t len;
	json_t *row;

	if (!cells) {
		return;
	}
	for (; columns[count] && count < COLUMNS_MAX; count++) {
		widths[count] = (uint32_t)strlen(columns[count]);
		json_array_foreach(rows, index, row) {
			const json_t *value = json_object_get(row, columns[count]);
			uint32_t cell_len;

			member_text(columns[count], value, cells[count], cell_bytes);
			cell_len = (uint32_t)strlen(cells[count]);
			widths[count] = cell_len > widths[count] ? cell_len : widths[count];
			right[count] = right[count] || (json_is_number(value) && !is_time(columns[count]));
		}
	}
	for (uint32_t i = 0; i < count; i++) {
		len = strlen(columns[i]) - (is_time(columns[i]) ? strlen("_ms") : 0);
		snprintf(cells[i], cell_bytes, "%.*s", (int)len, columns[i]);
		for (char *at = cells[i]; *at; at++) {
			*at = *at == '_' ? ' ' : *at >= 'a' && *at <= 'z' ? (char)(*at - 32) : *at;
		}
	}
	print_row(cells, right, widths, count, room);
	json_array_foreach(rows, index, row) {
		for (uint32_t i = 0; i < count; i++) {
			member_text(columns[i], json_object_get(row, columns[i]), cells[i], cell_bytes);
		}
		print_row(cells, right, widths, count, room);
	}
	free(cells);
}

/* Columns of a table whose rows tell them: the first row's names. */
static void
print_nested_table(const struct cli *cli, const json_t *rows)
{
	const char *columns[COLUMNS_MAX + 1] = {NULL};
	uint32_t count = 0;
	const char *name;
	json_t *value;

	json_object_foreach(json_array_get(rows, 0), name, value) {
		if (count < COLUMNS_MAX) {
			columns[count++] = name;
		}
	}
	output_table(cli, rows, columns);
}

static void
print_names(const struct cli *cli, const json_t *object, int indent)
{
	const char *name;
	json_t *value;
	char text[4096];

	json_object_foreach((json_t *)object, name, value) {
		if (json_is_object(value) && json_object_size(value) > 0) {
			printf("%*s%s:\n", indent, "", name);
			print_names(cli, value, indent + 2);
		} else if (json_is_array(value) && json_is_object(json_array_get(value, 0))) {
			printf("%*s%s:\n", indent, "", name);
			print_nested_table(cli, value);
		} else {
			member_text(name, value, text, sizeof(text));
			printf("%*s%-*s %s\n", indent, "", 18 - indent, name, text);
		}
	}
}

static void
print_yaml(const json_t *value, int indent, bool inline_first)
{
	const char *name;
	json_t *item;
	size_t index;
	bool first = inline_first;

	if (json_is_object(value) && json_object_size(value)) {
		json_object_foreach((json_t *)value, name, item) {
			bool block = (json_is_object(item) && json_object_size(item)) ||
				     (json_is_array(item) && json_array_size(item));

			printf("%*s%s:%s", first ? 0 : indent, "", name, block ? "\n" : " ");
			print_yaml(item, indent + 2, false);
			first = false;
		}
	} else if (json_is_array(value) && json_array_size(value)) {
		json_array_foreach(value, index, item) {
			printf("%*s- ", indent, "");
			print_yaml(item, indent + 2, true);
		}
	} else {
		char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		printf("%s\n", text ? text : "null");
		free(text);
	}
}

static void
print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	fputc('\n', stdout);
}

void
output_document(const struct cli *cli, const char *method, const json_t *result)
{
	char schema[64];
	json_t *document;

	if (cli->output == CLI_YAML) {
		print_yaml(result, 0, false);
		return;
	}
	snprintf(schema, sizeof(schema), "penstock.%s/1", method);
	document = json_pack("{s:s,s:O}", "schema", schema, "data", (json_t *)result);
	print_json(document);
	json_decref(document);
}

void
output_result(const struct cli *cli, const struct command *command, const json_t *result)
{
	const json_t *list = command->list ? json_object_get(result, command->list) : NULL;
	size_t index;
	json_t *item;

	switch (cli->output) {
	case CLI_JSON:
	case CLI_YAML:
		output_document(cli, command->method, result);
		return;
	case CLI_JSONL:
		if (!list) {
			print_json(result);
		}
		json_array_foreach(list, index, item) {
			print_json(item);
		}
		return;
	case CLI_TEXT:
		break;
	}
	if (list) {
		output_table(cli, list, command->columns);
	} else {
		print_names(cli, result, 0);
	}
	if (json_is_string(json_object_get(result, "next")) && !cli->quiet) {
		fprintf(stderr, "there is more: --cursor %s\n",
			json_string_value(json_object_get(result, "next")));
	}
}
