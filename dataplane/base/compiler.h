/* SPDX-License-Identifier: Apache-2.0 */
/* Compiler words that the whole tree shares. The one place besides the seams where #if is welcome. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <stddef.h>

#define CACHE_LINE_BYTES 64

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define ALIGNED(n)	__attribute__((aligned(n)))
#define CACHE_ALIGNED	ALIGNED(CACHE_LINE_BYTES)
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define MUST_CHECK	__attribute__((warn_unused_result))
#define FALLTHROUGH	__attribute__((fallthrough))
#define PUBLIC_API	__attribute__((visibility("default")))

/*
 * One body compiled per CPU generation, chosen when the program is loaded. Not under the sanitizers:
 * the chooser is instrumented there and runs before their runtime does.
 */
#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CPU_CLONES __attribute__((target_clones("avx2", "default"), optimize("O3")))
#else
#define CPU_CLONES
#endif

#define ARRAY_COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

#endif
