/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alloc_count.h. The real functions are glibc's own names for them, so nothing has to be looked up
 * before the first allocation. The table is made by the first thread that runs.
 */
#include "alloc_count.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *memory);
/* libc's headers name these otherwise, or only with other macros set. */
EXPORT void *memalign(size_t align, size_t size);

static struct alloc_row own_rows[ALLOC_ROWS_MAX];
static struct alloc_row *_Atomic rows = own_rows;
static _Atomic uint32_t row_count;
static _Thread_local struct alloc_row *row __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void
open_table(void)
{
	const char *path = getenv("PENSTOCK_ALLOC_TABLE");
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	void *memory = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof(own_rows)) == 0) {
		memory = mmap(NULL, sizeof(own_rows), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	if (fd >= 0) {
		close(fd);
	}
	if (memory != MAP_FAILED) {
		atomic_store(&rows, (struct alloc_row *)memory);
	}
}

static struct alloc_row *
row_here(void)
{
	if (!row) {
		uint32_t index = atomic_fetch_add(&row_count, 1);

		/* More threads than rows: the last row counts for all of them. */
		row = &atomic_load(&rows)[index < ALLOC_ROWS_MAX ? index : ALLOC_ROWS_MAX - 1];
		row->thread_id = (uint32_t)gettid();
	}
	return row;
}

static void
count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

uint64_t
alloc_count_here(void)
{
	const struct alloc_row *here = row_here();

	return atomic_load_explicit(&here->allocations, memory_order_relaxed) +
		atomic_load_explicit(&here->frees, memory_order_relaxed);
}

EXPORT void *
malloc(size_t size)
{
	count(&row_here()->allocations);
	return __libc_malloc(size);
}

EXPORT void *
calloc(size_t items, size_t size)
{
	count(&row_here()->allocations);
	return __libc_calloc(items, size);
}

EXPORT void *
realloc(void *memory, size_t size)
{
	count(&row_here()->allocations);
	return __libc_realloc(memory, size);
}

EXPORT void *
memalign(size_t align, size_t size)
{
	count(&row_here()->allocations);
	return __libc_memalign(align, size);
}

EXPORT void *
aligned_alloc(size_t align, size_t size)
{
	return memalign(align, size);
}

EXPORT int
posix_memalign(void **ret_memory, size_t align, size_t size)
{
	void *memory = memalign(align, size);

	if (!memory) {
		return ENOMEM;
	}
	*ret_memory = memory;
	return 0;
}

EXPORT void
free(void *memory)
{
	if (memory) {
		count(&row_here()->frees);
	}
	__libc_free(memory);
}
