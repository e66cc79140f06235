/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a process that found itself in an impossible state. Any thread. */
#include "base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

void
ensure_failed(const char *expr, const char *file, int line, const char *function)
{
	fprintf(stderr, "%s:%d: %s: ensure failed: %s\n", file, line, function, expr);
	abort();
}
