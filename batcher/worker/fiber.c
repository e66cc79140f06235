/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fibers over ucontext. swapcontext() costs a system call for the signal mask: paid twice a chapter
 * of a window that has several, never while user code runs and never for a window of one chapter.
 * The sanitizers are told of every switch, or they take the other stack for an overflow.
 */
#include "batcher/worker/fiber.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include "base/ensure.h"
#include "batcher/worker/penstock_worker.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

struct fiber {
	ucontext_t inside;
	ucontext_t outside;
	uint8_t *map;
	size_t map_bytes;
	uint8_t *stack;
	fiber_fn fn;
	void *arg;
	bool finished;
	void *fake_inside; /* sanitizer state of each side while it is switched away */
	void *fake_outside;
	const void *outside_stack;
	size_t outside_bytes;
	void *tsan_inside;
	void *tsan_outside;
};

int
fiber_create(struct fiber **ret_fiber)
{
	size_t guard = (size_t)sysconf(_SC_PAGESIZE);
	struct fiber *fiber = calloc(1, sizeof(*fiber));

	if (!fiber) {
		return -ENOMEM;
	}
	fiber->map_bytes = guard + PENSTOCK_STACK_BYTES;
	fiber->map = mmap(NULL, fiber->map_bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fiber->map == MAP_FAILED) {
		free(fiber);
		return -ENOMEM;
	}
	if (mprotect(fiber->map, guard, PROT_NONE)) {
		munmap(fiber->map, fiber->map_bytes);
		free(fiber);
		return -ENOMEM;
	}
	fiber->stack = fiber->map + guard;
#ifdef __SANITIZE_THREAD__
	fiber->tsan_inside = __tsan_create_fiber(0);
#endif
	*ret_fiber = fiber;
	return 0;
}

void
fiber_destroy(struct fiber *fiber)
{
	if (!fiber) {
		return;
	}
#ifdef __SANITIZE_THREAD__
	__tsan_destroy_fiber(fiber->tsan_inside);
#endif
	munmap(fiber->map, fiber->map_bytes);
	free(fiber);
}

static void
fiber_entry(unsigned int high, unsigned int low)
{
	struct fiber *fiber = (struct fiber *)(((uintptr_t)high << 32) | low);

#ifdef __SANITIZE_ADDRESS__
	__sanitizer_finish_switch_fiber(NULL, &fiber->outside_stack, &fiber->outside_bytes);
#endif
	fiber->fn(fiber->arg);
	fiber->finished = true;
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_start_switch_fiber(NULL, fiber->outside_stack, fiber->outside_bytes);
#endif
#ifdef __SANITIZE_THREAD__
	__tsan_switch_to_fiber(fiber->tsan_outside, 0);
#endif
	/* uc_link goes on in fiber_resume, behind its swapcontext. */
}

bool
fiber_start(struct fiber *fiber, fiber_fn fn, void *arg)
{
	uintptr_t self = (uintptr_t)fiber;

	fiber->fn = fn;
	fiber->arg = arg;
	fiber->finished = false;
	ensure(getcontext(&fiber->inside) == 0);
	fiber->inside.uc_stack.ss_sp = fiber->stack;
	fiber->inside.uc_stack.ss_size = PENSTOCK_STACK_BYTES;
	fiber->inside.uc_link = &fiber->outside;
	/* makecontext passes ints only: the pointer goes in halves. */
	makecontext(&fiber->inside, (void (*)(void))(void *)fiber_entry, 2,
		(unsigned int)(self >> 32), (unsigned int)self);
	return fiber_resume(fiber);
}

bool
fiber_resume(struct fiber *fiber)
{
	ensure(!fiber->finished);
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_start_switch_fiber(&fiber->fake_outside, fiber->stack, PENSTOCK_STACK_BYTES);
#endif
#ifdef __SANITIZE_THREAD__
	fiber->tsan_outside = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(fiber->tsan_inside, 0);
#endif
	ensure(swapcontext(&fiber->outside, &fiber->inside) == 0);
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_finish_switch_fiber(fiber->fake_outside, NULL, NULL);
#endif
	return fiber->finished;
}

void
fiber_yield(struct fiber *fiber)
{
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_start_switch_fiber(
		&fiber->fake_inside, fiber->outside_stack, fiber->outside_bytes);
#endif
#ifdef __SANITIZE_THREAD__
	__tsan_switch_to_fiber(fiber->tsan_outside, 0);
#endif
	ensure(swapcontext(&fiber->inside, &fiber->outside) == 0);
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_finish_switch_fiber(
		fiber->fake_inside, &fiber->outside_stack, &fiber->outside_bytes);
#endif
}
