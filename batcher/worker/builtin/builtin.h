/* SPDX-License-Identifier: Apache-2.0 */
/* Window functions that need no plug-in; plugin_builtin() finds them by name. */
#ifndef BATCHER_WORKER_BUILTIN_BUILTIN_H
#define BATCHER_WORKER_BUILTIN_BUILTIN_H

#include "batcher/worker/penstock_worker.h"

extern const struct penstock_worker builtin_count;
extern const struct penstock_worker builtin_digest;

#endif
