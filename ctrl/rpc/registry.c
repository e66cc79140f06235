/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder of parameters (registry.h). Borrowed texts and objects stay the request's. */
#include "ctrl/rpc/registry.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/compiler.h"
#include "ctrl/schema/value.h"

static const char *const role_names[] = {"none", "viewer", "operator", "admin"};
static const char *const effect_names[] = {"ro", "rw", "disruptive"};

const char *
rpc_role_name(enum rpc_role role)
{
	return role_names[role];
}

const char *
rpc_effect_name(enum rpc_effect effect)
{
	return effect_names[effect];
}

static json_t *
nearest_json(const struct value_nearest *nearest)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < nearest->count; i++) {
		json_array_append_new(list, json_string(nearest->names[i]));
	}
	return list;
}

static void
describe_want(const struct rpc_param *p, char *text, size_t room)
{
	size_t len;

	switch (p->kind) {
	case RPC_ENUM:
		len = (size_t)snprintf(text, room, "one of");
		for (uint32_t i = 0; p->values[i] && len < room; i++) {
			len += (size_t)snprintf(text + len, room - len, "%s %s", i ? "," : "", p->values[i]);
		}
		return;
	case RPC_STRING:
		snprintf(text, room, "%s of %" PRId64 "..%" PRId64 " bytes", p->type, p->min, p->max);
		return;
	case RPC_LIST:
		snprintf(text, room, "list of at most %" PRId64 " strings", p->max);
		return;
	case RPC_MAP:
		snprintf(text, room, "object of at most %" PRId64 " names with strings", p->max);
		return;
	case RPC_BOOL:
		snprintf(text, room, "bool");
		return;
	default:
		snprintf(text, room, "%s %" PRId64 "..%" PRId64, p->type, p->min, p->max);
	}
}

static int
wrong(const struct rpc_method *m, const struct rpc_param *p, json_t *value,
	struct rpc_problem *problem, enum error_kind kind)
{
	char want[256];
	char path[80];
	json_t *shown = json_is_string(value) && json_string_length(value) > 256 ? json_string("...") :
										   json_incref(value);

	describe_want(p, want, sizeof(want));
	snprintf(path, sizeof(path), "/params/%s", p->name);
	return problem_set(problem, kind,
		json_pack("{s:s,s:o,s:s,s:[]}", "path", path, "value", shown, "want", want, "nearest"),
		"%s: parameter \"%s\": want %s", m->name, p->name, want);
}

static bool
list_fits(const json_t *list, int64_t max)
{
	size_t index;
	json_t *item;

	if ((int64_t)json_array_size(list) > max) {
		return false;
	}
	json_array_foreach(list, index, item) {
		if (!json_is_string(item)) {
			return false;
		}
	}
	return true;
}

/* Numbers and bools become their text in place: Kafka's settings are strings. */
static bool
map_fits(json_t *map, int64_t max)
{
	const char *name;
	void *next;
	json_t *item;
	char text[32];

	if ((int64_t)json_object_size(map) > max) {
		return false;
	}
	json_object_foreach_safe(map, next, name, item) {
		if (json_is_integer(item)) {
			snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(item));
			json_object_set_new(map, name, json_string(text));
		} else if (json_is_boolean(item)) {
			json_object_set_new(map, name, json_string(json_is_true(item) ? "true" : "false"));
		} else if (!json_is_string(item)) {
			return false;
		}
	}
	return true;
}

static int
decode_enum(const struct rpc_method *m, const struct rpc_param *p, json_t *value, int *place,
	struct rpc_problem *problem)
{
	struct value_nearest nearest;
	int err;

	if (!json_is_string(value)) {
		return wrong(m, p, value, problem, ERROR_INVALID_PARAM);
	}
	value_nearest_init(&nearest, json_string_value(value));
	for (int i = 0; p->values[i]; i++) {
		if (strcmp(p->values[i], json_string_value(value)) == 0) {
			*place = i;
			return 0;
		}
		value_nearest_offer(&nearest, p->values[i]);
	}
	err = wrong(m, p, value, problem, ERROR_INVALID_PARAM);
	json_object_set_new(problem->data, "nearest", nearest_json(&nearest));
	return err;
}

static int
decode_integer(const struct rpc_method *m, const struct rpc_param *p, json_t *value, void *place,
	struct rpc_problem *problem)
{
	json_int_t integer;

	if (json_is_real(value)) {
		return wrong(m, p, value, problem, ERROR_NOT_AN_INTEGER);
	}
	integer = json_integer_value(value);
	if (!json_is_integer(value) || integer < p->min || integer > p->max) {
		return wrong(m, p, value, problem, ERROR_INVALID_PARAM);
	}
	if (p->kind == RPC_U32) {
		*(uint32_t *)place = (uint32_t)integer;
	} else {
		*(int64_t *)place = integer;
	}
	return 0;
}

static int
decode_one(const struct rpc_method *m, const struct rpc_param *p, json_t *value, void *place,
	struct rpc_problem *problem)
{
	bool fits;

	switch (p->kind) {
	case RPC_BOOL:
		fits = json_is_boolean(value);
		*(bool *)place = json_is_true(value);
		break;
	case RPC_ENUM:
		return decode_enum(m, p, value, place, problem);
	case RPC_STRING:
		fits = json_is_string(value) && (int64_t)json_string_length(value) >= p->min &&
		       (int64_t)json_string_length(value) <= p->max;
		*(const char **)place = json_string_value(value);
		break;
	case RPC_LIST:
		fits = json_is_array(value) && list_fits(value, p->max);
		*(const json_t **)place = value;
		break;
	case RPC_MAP:
		fits = json_is_object(value) && map_fits(value, p->max);
		*(const json_t **)place = value;
		break;
	default:
		return decode_integer(m, p, value, place, problem);
	}
	return fits ? 0 : wrong(m, p, value, problem, ERROR_INVALID_PARAM);
}

static void
set_initial(const struct rpc_param *p, void *place)
{
	switch (p->kind) {
	case RPC_BOOL:
		*(bool *)place = p->initial != 0;
		return;
	case RPC_U32:
		*(uint32_t *)place = (uint32_t)p->initial;
		return;
	case RPC_ENUM:
		*(int *)place = (int)p->initial;
		return;
	case RPC_U64:
	case RPC_I64:
		*(int64_t *)place = p->initial;
		return;
	default:
		*(const void **)place = NULL;
	}
}

static int
unknown_param(const struct rpc_method *m, const char *name, json_t *value,
	struct rpc_problem *problem)
{
	struct value_nearest nearest;
	char path[128];

	value_nearest_init(&nearest, name);
	for (uint32_t i = 0; i < m->param_count; i++) {
		value_nearest_offer(&nearest, m->params[i].name);
	}
	snprintf(path, sizeof(path), "/params/%.100s", name);
	(void)value;
	return problem_set(problem, ERROR_INVALID_PARAM,
		json_pack("{s:o,s:n,s:s,s:o}", "path", problem_string(path), "value", "want",
			"a parameter of this method", "nearest", nearest_json(&nearest)),
		"%s: unknown parameter \"%.64s\"%s%s", m->name, name,
		nearest.count ? "; nearest: " : "", nearest.count ? nearest.names[0] : "");
}

int
registry_decode(const struct rpc_method *m, json_t *params, void *ret_params,
	struct rpc_problem *ret_problem)
{
	uint32_t *given = ret_params; /* first member of every params struct */
	const char *name;
	json_t *value;

	if (params && !json_is_object(params)) {
		return problem_set(ret_problem, ERROR_POSITIONAL_PARAMS,
			json_pack("{s:[s]}", "fix", "\"params\":{\"name\":value}"),
			"%s: params must be an object with names", m->name);
	}
	memset(ret_params, 0, m->params_bytes);
	for (uint32_t i = 0; i < m->param_count; i++) {
		const struct rpc_param *p = &m->params[i];
		void *place = (char *)ret_params + p->offset;

		set_initial(p, place);
		value = json_object_get(params, p->name);
		if (!value && p->required) {
			return wrong(m, p, json_null(), ret_problem, ERROR_INVALID_PARAM);
		}
		if (value) {
			if (decode_one(m, p, value, place, ret_problem) != 0) {
				return -EINVAL;
			}
			*given |= 1u << i;
		}
	}
	json_object_foreach(params, name, value) {
		bool known = false;

		for (uint32_t i = 0; i < m->param_count; i++) {
			known = known || strcmp(m->params[i].name, name) == 0;
		}
		if (!known) {
			return unknown_param(m, name, value, ret_problem);
		}
	}
	return 0;
}

const struct rpc_method *
registry_find(const struct rpc_method *methods, uint32_t count, const char *name,
	struct rpc_problem *ret_problem)
{
	struct value_nearest nearest;

	value_nearest_init(&nearest, name);
	for (uint32_t i = 0; i < count; i++) {
		if (strcmp(methods[i].name, name) == 0) {
			return &methods[i];
		}
		value_nearest_offer(&nearest, methods[i].name);
	}
	problem_set(ret_problem, ERROR_METHOD_NOT_FOUND,
		json_pack("{s:o,s:o}", "method", problem_string(name), "nearest", nearest_json(&nearest)),
		"no method \"%.64s\"%s%s", name, nearest.count ? "; nearest: " : "",
		nearest.count ? nearest.names[0] : "");
	return NULL;
}
