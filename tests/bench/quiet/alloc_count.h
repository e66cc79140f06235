/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts calls of malloc and its family by thread. Linked into a bench, or preloaded into any program
 * as a library (LD_PRELOAD); then the counts stand in the file that PENSTOCK_ALLOC_TABLE names, as an
 * array of struct alloc_row. glibc only.
 */
#ifndef BENCH_ALLOC_COUNT_H
#define BENCH_ALLOC_COUNT_H

#include <stdint.h>

#define ALLOC_ROWS_MAX 256

/* One thread; little-endian in the file. A thread that never allocated has no row. */
struct alloc_row {
	uint32_t thread_id; /* the kernel's; 0: free */
	uint32_t reserved;
	_Atomic uint64_t allocations;
	_Atomic uint64_t frees;
};
_Static_assert(sizeof(struct alloc_row) == 24, "alloc_row is read by the bench runner");

/* Allocations and frees of the calling thread so far. */
uint64_t alloc_count_here(void);

#endif
