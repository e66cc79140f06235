/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structs that one thread publishes and any thread copies: a seqlock over 64-bit atomic words, so
 * that no copy is torn and no reader is ever waited for. Readers retry while a write is under way.
 */
#ifndef BASE_PUBLISHED_H
#define BASE_PUBLISHED_H

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

/* Of a type that holds a 64-bit member, and so is a whole number of words. */
#define PUBLISHED_WORDS(type) (sizeof(type) / sizeof(uint64_t))

/* Single writer. `words` and `source` hold count words. */
static inline void
published_store(
	_Atomic uint64_t *version, _Atomic uint64_t *words, const void *source, uint32_t count)
{
	uint64_t v = atomic_load_explicit(version, memory_order_relaxed);

	atomic_store_explicit(version, v + 1, memory_order_relaxed);
	/* Pairs with the acquire fence in published_load: odd is seen before any new word. */
	atomic_thread_fence(memory_order_release);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t word;

		memcpy(&word, (const uint8_t *)source + i * sizeof(word), sizeof(word));
		atomic_store_explicit(&words[i], word, memory_order_relaxed);
	}
	atomic_store_explicit(version, v + 2, memory_order_release);
}

/* Any thread. Returns the version that was copied; 0: nothing was published yet, target is as it was. */
static inline uint64_t
published_load(_Atomic uint64_t *version, _Atomic uint64_t *words, void *target, uint32_t count)
{
	for (;;) {
		uint64_t before = atomic_load_explicit(version, memory_order_acquire);

		if (before == 0) {
			return 0;
		}
		for (uint32_t i = 0; i < count; i++) {
			uint64_t word = atomic_load_explicit(&words[i], memory_order_relaxed);

			memcpy((uint8_t *)target + i * sizeof(word), &word, sizeof(word));
		}
		atomic_thread_fence(memory_order_acquire);
		if (!(before & 1) &&
			atomic_load_explicit(version, memory_order_relaxed) == before) {
			return before;
		}
	}
}

#endif
