/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/rpc/request.h"

#include <errno.h>
#include <string.h>
#include "base/compiler.h"
#include "ctrl/rpc/json.h"
#include "ctrl/schema/value.h"

static const char *const members[] = {"jsonrpc", "id", "method", "params"};

static const char *
type_word(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a bool";
	case JSON_NULL:
		return "null";
	case JSON_ARRAY:
		return "an array";
	default:
		return "an object";
	}
}

static int
check_members(json_t *line, struct rpc_problem *problem)
{
	struct value_nearest nearest;
	const char *name;
	json_t *value;

	json_object_foreach(line, name, value) {
		bool known = false;

		value_nearest_init(&nearest, name);
		for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
			known = known || strcmp(members[i], name) == 0;
			value_nearest_offer(&nearest, members[i]);
		}
		if (!known) {
			return problem_set(problem, ERROR_UNKNOWN_MEMBER,
				json_pack("{s:o,s:[s*]}", "member", problem_string(name), "nearest",
					nearest.count ? nearest.names[0] : NULL),
				"request has an unknown member \"%.64s\"", name);
		}
	}
	return 0;
}

static bool
is_id(const json_t *id)
{
	return json_is_integer(id) ||
	       (json_is_string(id) && json_string_length(id) <= REQUEST_ID_BYTES_MAX);
}

int
request_parse(const char *bytes, size_t len, struct request *ret_request,
	struct rpc_problem *ret_problem)
{
	struct request *r = ret_request;
	json_t *version;
	json_t *id;

	memset(r, 0, sizeof(*r));
	if (json_line_parse(bytes, len, &r->line, ret_problem) != 0) {
		return -EINVAL;
	}
	if (json_is_array(r->line)) {
		return problem_set(ret_problem, ERROR_BATCH_REFUSED, NULL,
			"request is an array: batches are not taken; send one object a line");
	}
	if (!json_is_object(r->line)) {
		return problem_set(ret_problem, ERROR_NOT_AN_OBJECT,
			json_pack("{s:s}", "found", type_word(r->line)), "request is %s, not an object",
			type_word(r->line));
	}
	id = json_object_get(r->line, "id");
	r->id = is_id(id) ? id : NULL;
	if (check_members(r->line, ret_problem) != 0) {
		return -EINVAL;
	}
	version = json_object_get(r->line, "jsonrpc");
	if (!json_is_string(version) || strcmp(json_string_value(version), "2.0") != 0) {
		return problem_set(ret_problem, ERROR_BAD_VERSION, json_pack("{s:s?}", "found", version ? type_word(version) : NULL),
			"jsonrpc must be \"2.0\"");
	}
	if (!id) {
		return problem_set(ret_problem, ERROR_ID_REQUIRED, NULL,
			"request has no id; it was not executed");
	}
	if (!r->id) {
		return problem_set(ret_problem, ERROR_BAD_ID,
			json_pack("{s:s}", "want", "integer, or string of at most 64 bytes"),
			"id must be an integer or a string of at most 64 bytes");
	}
	if (!json_is_string(json_object_get(r->line, "method"))) {
		return problem_set(ret_problem, ERROR_BAD_METHOD, json_pack("{s:s}", "want", "string"),
			"method must be a string");
	}
	r->method = json_string_value(json_object_get(r->line, "method"));
	r->params = json_object_get(r->line, "params");
	return 0;
}

void
request_fini(struct request *request)
{
	json_decref(request->line);
	memset(request, 0, sizeof(*request));
}
