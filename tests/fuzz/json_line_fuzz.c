/* SPDX-License-Identifier: Apache-2.0 */
/* Request lines of the control socket: never a crash; what is refused has a kind, what is taken an id. */
#include <string.h>
#include "base/ensure.h"
#include "ctrl/rpc/request.h"
#include "fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct rpc_problem problem = {0};
	struct request request;
	int err = request_parse((const char *)bytes, len, &request, &problem);

	if (err) {
		json_t *error = problem_to_json(&problem);

		ensure(problem.message[0] != '\0');
		ensure(json_integer_value(json_object_get(error, "code")) <= -32600);
		json_decref(error);
	} else {
		ensure(request.id != NULL);
		ensure(request.method != NULL);
		ensure(strlen(request.method) <= len);
	}
	request_fini(&request);
	return 0;
}
