/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a method is to the server, as data, and the decoder of parameters that works from it. Rows are
 * generated from ctrl/schema/methods.yaml. No state.
 */
#ifndef CTRL_REGISTRY_H
#define CTRL_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "ctrl/rpc/problem.h"

struct rpc_call;

enum rpc_role {
	RPC_ROLE_NONE, /* may not even connect */
	RPC_ROLE_VIEWER,
	RPC_ROLE_OPERATOR,
	RPC_ROLE_ADMIN,
};

enum rpc_effect {
	RPC_RO,
	RPC_RW,
	RPC_DISRUPTIVE,
};

enum rpc_param_kind {
	RPC_BOOL,
	RPC_U32,
	RPC_U64,
	RPC_I64,
	RPC_ENUM,   /* kept as int: index into values */
	RPC_STRING, /* borrowed from the request, which lives as long as the call */
	RPC_LIST,   /* of strings; borrowed json_t */
	RPC_MAP,    /* name -> string; borrowed json_t; numbers and bools are taken as their text */
};

struct rpc_param {
	const char *name;
	enum rpc_param_kind kind;
	const char *type; /* the schema's word */
	uint32_t offset;
	bool required;
	int64_t min; /* of texts the least length */
	int64_t max; /* of texts the greatest length in bytes, of lists and maps the greatest count */
	int64_t initial;
	const char *const *values;
};

struct rpc_method {
	const char *name;
	const char *summary;
	enum rpc_role role;
	enum rpc_effect effect;
	uint32_t states; /* bit per state in which it may run */
	const struct rpc_param *params;
	uint32_t param_count;
	uint32_t params_bytes;
	void (*run)(struct rpc_call *call, const void *params);
	const char *entry; /* the whole schema entry, JSON */
};

/*
 * Checks and decodes params (NULL: none were sent) into the method's struct. 0, or -EINVAL with the
 * problem: unknown, missing, wrong-typed, out-of-range, each with path, value, want and nearest.
 */
int registry_decode(const struct rpc_method *method, json_t *params, void *ret_params,
	struct rpc_problem *ret_problem);
/* NULL with the problem and its nearest three names. */
const struct rpc_method *registry_find(const struct rpc_method *methods, uint32_t count,
	const char *name, struct rpc_problem *ret_problem);

const char *rpc_role_name(enum rpc_role role);
const char *rpc_effect_name(enum rpc_effect effect);

#endif
