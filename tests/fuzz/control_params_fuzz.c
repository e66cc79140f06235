/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters of the control methods: [method][JSON of params]. The first byte chooses the method. What
 * is refused says which parameter; what is taken keeps the ranges of the schema, and a second decoding
 * of the same JSON gives the same.
 */
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "ctrl/rpc/json.h"
#include "ctrl/schema/methods_gen.h"
#include "fuzz/fuzz.h"

#define PARAMS_BYTES 1024

static void
check_text(const struct rpc_param *p, const char *text)
{
	ensure((int64_t)strlen(text) <= p->max);
	ensure((int64_t)strlen(text) >= p->min);
}

static void
check_items(const struct rpc_param *p, json_t *items)
{
	const char *name;
	size_t index;
	json_t *item;

	if (p->kind == RPC_LIST) {
		ensure((int64_t)json_array_size(items) <= p->max);
		json_array_foreach(items, index, item) {
			ensure(json_is_string(item));
		}
		return;
	}
	ensure((int64_t)json_object_size(items) <= p->max);
	json_object_foreach(items, name, item) {
		ensure(json_is_string(item));
	}
}

/* One parameter that the caller sent, in its place of the struct. */
static void
check_given(const struct rpc_param *p, const void *place)
{
	int64_t number = 0;

	switch (p->kind) {
	case RPC_STRING:
		check_text(p, *(const char *const *)place);
		return;
	case RPC_LIST:
	case RPC_MAP:
		check_items(p, *(json_t *const *)place);
		return;
	case RPC_ENUM:
		number = *(const int *)place;
		ensure(number >= 0);
		for (int i = 0; i <= number; i++) {
			ensure(p->values[i] != NULL);
		}
		return;
	case RPC_BOOL:
		return;
	case RPC_U32:
		number = *(const uint32_t *)place;
		break;
	default:
		memcpy(&number, place, sizeof(number));
	}
	ensure(number >= p->min);
	ensure(number <= p->max);
}

static void
fuzz_method(const struct rpc_method *method, json_t *json)
{
	_Alignas(8) uint8_t once[PARAMS_BYTES], twice[PARAMS_BYTES];
	struct rpc_problem problem = {0};
	const uint32_t *given = (const uint32_t *)once;

	ensure(method->params_bytes <= sizeof(once));
	if (registry_decode(method, json, once, &problem) != 0) {
		json_t *error = problem_to_json(&problem);

		ensure(problem.message[0] != '\0');
		ensure(json_is_object(json_object_get(error, "data")));
		json_decref(error);
		return;
	}
	for (uint32_t i = 0; i < method->param_count; i++) {
		if (*given & 1u << i) {
			check_given(&method->params[i], once + method->params[i].offset);
		} else {
			ensure(!method->params[i].required);
		}
	}
	ensure(registry_decode(method, json, twice, &problem) == 0);
	ensure(memcmp(once, twice, method->params_bytes) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct rpc_problem problem = {0};
	json_t *json = NULL;

	if (len == 0) {
		return 0;
	}
	if (json_line_parse((const char *)bytes + 1, len - 1, &json, &problem) != 0) {
		json_decref(problem_to_json(&problem));
		return 0;
	}
	fuzz_method(&method_rows[bytes[0] % METHOD_COUNT], json);
	json_decref(json);
	return 0;
}
