/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second stack for a window function that must be set aside in the middle of a cursor call while
 * the batcher fetches more of the window. Only windows larger than one chapter run on it. Why not
 * block: on a small machine worker, batcher and log are polled by one thread.
 */
#ifndef BATCHER_WORKER_FIBER_H
#define BATCHER_WORKER_FIBER_H

#include <stdbool.h>
#include "base/compiler.h"

struct fiber;

typedef void (*fiber_fn)(void *arg);

/* Maps the stack with a guard page below. Control thread. -ENOMEM. */
int fiber_create(struct fiber **ret_fiber) MUST_CHECK;
/* A suspended function is dropped where it stands. */
void fiber_destroy(struct fiber *fiber);
/* Runs fn(arg) until it returns (true) or yields (false). Worker thread; not nested. */
bool fiber_start(struct fiber *fiber, fiber_fn fn, void *arg);
/* Goes on behind the yield, on the thread that started it. */
bool fiber_resume(struct fiber *fiber);
/* Inside fn only: back to start or resume. */
void fiber_yield(struct fiber *fiber);

#endif
