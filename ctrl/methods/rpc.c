/* SPDX-License-Identifier: Apache-2.0 */
/* rpc.ping, rpc.list, rpc.describe */
#include "ctrl/methods/body.h"

METHOD_BODY(rpc_ping)
{
	json_t *result = json_pack("{s:I}", "time_ms",
		(json_int_t)(clock_wall_ns(body_engine(call)->clock) / NS_PER_MS));

	if (params->echo) {
		json_object_set_new(result, "echo", json_string(params->echo));
	}
	rpc_call_result(call, result);
}

METHOD_BODY(rpc_list)
{
	json_t *list = json_array();

	(void)params;
	for (uint32_t i = 0; i < METHOD_COUNT; i++) {
		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s}", "name", method_rows[i].name, "role",
			rpc_role_name(method_rows[i].role), "effect", rpc_effect_name(method_rows[i].effect),
			"summary", method_rows[i].summary));
	}
	rpc_call_result(call, json_pack("{s:o}", "methods", list));
}

METHOD_BODY(rpc_describe)
{
	struct rpc_problem problem = {0};
	const struct rpc_method *method = registry_find(method_rows, METHOD_COUNT, params->method, &problem);

	if (!method) {
		json_object_set_new(problem.data, "what", json_string("method"));
		rpc_call_error(call, ERROR_NOT_FOUND, problem.data, "%s", problem.message);
		return;
	}
	rpc_call_result(call, json_pack("{s:o}", "method", json_loads(method->entry, 0, NULL)));
}
