/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/rpc/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "base/utf8.h"

int
problem_set(struct rpc_problem *problem, enum error_kind kind, json_t *data, const char *format, ...)
{
	va_list args;

	problem->kind = kind;
	problem->data = data;
	va_start(args, format);
	vsnprintf(problem->message, sizeof(problem->message), format, args);
	va_end(args);
	return -EINVAL;
}

int
problem_no_memory(struct rpc_problem *problem, const char *what)
{
	return problem_set(problem, ERROR_LIMIT,
		json_pack("{s:s,s:n,s:n}", "limit", "memory", "value", "config_key"), "%s: no memory", what);
}

json_t *
problem_string(const char *text)
{
	size_t len = strlen(text);
	json_t *value = json_stringn(text, len);
	char *clean;
	size_t out = 0;

	if (value) {
		return value;
	}
	clean = malloc(len * 3 + 1);
	if (!clean) {
		return json_string("");
	}
	for (size_t i = 0; i < len;) {
		size_t bytes = utf8_step((const uint8_t *)text + i, len - i);

		if (bytes == 0) {
			memcpy(clean + out, "\xef\xbf\xbd", 3);
			out += 3;
			i++;
		} else {
			memcpy(clean + out, text + i, bytes);
			out += bytes;
			i += bytes;
		}
	}
	value = json_stringn(clean, out);
	free(clean);
	return value;
}

json_t *
problem_to_json(struct rpc_problem *problem)
{
	const struct error_row *row = &error_rows[problem->kind];
	json_t *data = problem->data ? problem->data : json_object();
	json_t *error = json_object();
	char explain[48];

	problem->data = NULL;
	ensure(data);
	ensure(error);
	json_object_set_new(data, "kind", json_string(row->kind));
	if (!json_object_get(data, "fix")) {
		json_object_set_new(data, "fix", json_pack("[s]", row->fix));
	}
	snprintf(explain, sizeof(explain), "penstock explain %d", row->code);
	json_object_set_new(data, "explain", json_string(explain));
	json_object_set_new(data, "retryable", json_boolean(row->retryable));
	json_object_set_new(error, "code", json_integer(row->code));
	json_object_set_new(error, "message", problem_string(problem->message));
	json_object_set_new(error, "data", data);
	return error;
}
