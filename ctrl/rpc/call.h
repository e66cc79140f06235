/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call as a method's body sees it. The body answers exactly once, at once or later from the same
 * (control) thread; the call is gone after that. Losing the connection does not end a call: its
 * answer is thrown away.
 */
#ifndef CTRL_CALL_H
#define CTRL_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "base/compiler.h"
#include "ctrl/rpc/registry.h"

struct rpc_call;

/* What the server was given for bodies. */
void *rpc_call_user(const struct rpc_call *call);
enum rpc_role rpc_call_role(const struct rpc_call *call);
/* Who asked, as the kernel said when the connection was made; uid UINT32_MAX: it is gone. */
void rpc_call_peer(const struct rpc_call *call, uint32_t *ret_uid, int32_t *ret_pid);
const struct rpc_method *rpc_call_method(const struct rpc_call *call);
/* Nobody waits any more. */
bool rpc_call_gone(const struct rpc_call *call);

/* Steals result. */
void rpc_call_result(struct rpc_call *call, json_t *result);
/* Steals data (NULL: only kind and fix). The message names the object. */
void rpc_call_error(struct rpc_call *call, enum error_kind kind, json_t *data, const char *format,
	...) PRINTF_LIKE(4, 5);

/* Answers that memory is used up; `what` names what wanted it. */
void rpc_call_no_memory(struct rpc_call *call, const char *what);

/* Asked in every turn of the server until it says true, which it does after having answered. */
typedef bool (*rpc_wait_fn)(struct rpc_call *call, void *state, uint64_t now_ns);
/* The call is gone: frees the state, or marks it if somebody else still answers to it. Calls no server. */
typedef void (*rpc_drop_fn)(void *state);
/*
 * Holds the call open: `look` (NULL: nobody has to ask) and `drop` get `state`. `drop` is called exactly once: when
 * the call ends, behind its answer or with the server, or when a further wait takes the place of this one.
 */
void rpc_call_wait(struct rpc_call *call, rpc_wait_fn look, rpc_drop_fn drop, void *state);
/* The instant of the request on the server's clock. */
uint64_t rpc_call_start_ns(const struct rpc_call *call);

#endif
