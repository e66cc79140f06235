/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ensure(): an impossible state of our own. Always on, release builds too; recovery handles the
 * abort like a SIGKILL. Never use it on packet content, disk content or user input: those are
 * errors. Split compound conditions, so that the line says which one failed.
 */
#ifndef BASE_ENSURE_H
#define BASE_ENSURE_H

#include "base/compiler.h"

/* Prints `file:line: function: expression` to stderr and aborts. Any thread. */
__attribute__((noreturn, cold)) void ensure_failed(const char *expr, const char *file, int line,
	const char *function);

#define ensure(expr)                                                                               \
	(likely(expr) ? (void)0 : ensure_failed(#expr, __FILE__, __LINE__, __func__))

#endif
