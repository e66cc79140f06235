/* SPDX-License-Identifier: Apache-2.0 */
/* Why a request is refused: kind, message and what error.data carries. Plain value; owns `data`. */
#ifndef CTRL_PROBLEM_H
#define CTRL_PROBLEM_H

#include <jansson.h>
#include "base/compiler.h"
#include "ctrl/schema/errors_gen.h"

struct rpc_problem {
	enum error_kind kind;
	char message[512];
	json_t *data; /* owned; NULL: only kind and fix */
};

/* Steals data. Always -EINVAL, so that it can be returned. */
int problem_set(struct rpc_problem *problem, enum error_kind kind, json_t *data,
	const char *format, ...) PRINTF_LIKE(4, 5);
/* Memory for `what` is used up. Always -EINVAL. */
int problem_no_memory(struct rpc_problem *problem, const char *what);
/* {"code","message","data":{kind,fix,explain,retryable,...}}; takes the problem's data. New reference. */
json_t *problem_to_json(struct rpc_problem *problem);
/* A JSON string of foreign text: what is not UTF-8 becomes U+FFFD. New reference. */
json_t *problem_string(const char *text);

#endif
