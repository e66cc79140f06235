/* SPDX-License-Identifier: Apache-2.0 */
/* The envelope of one request line: JSON-RPC 2.0 as section "malformed input" of the docs. Pure. */
#ifndef CTRL_REQUEST_H
#define CTRL_REQUEST_H

#include <stddef.h>
#include <jansson.h>
#include "ctrl/rpc/problem.h"

#define REQUEST_ID_BYTES_MAX 64

struct request {
	json_t *line;	    /* owned */
	json_t *id;	    /* borrowed; NULL: none that can be echoed */
	const char *method; /* borrowed */
	json_t *params;	    /* borrowed; NULL: none */
};

/*
 * 0, or -EINVAL with the problem. Either way `line` and, as far as it is good, `id` are filled in;
 * request_fini drops them.
 */
int request_parse(const char *bytes, size_t len, struct request *ret_request,
	struct rpc_problem *ret_problem);
void request_fini(struct request *request);

#endif
