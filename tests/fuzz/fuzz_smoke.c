/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over its corpus without libFuzzer: each vector whole, its prefixes, and a fixed
 * number of seeded damages. Inputs are heap blocks of the exact size, so that the address sanitizer
 * sees a read one byte past the end. `--effort N` first: at most N prefixes and N damages a vector, for
 * targets whose one run is milliseconds.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "base/rand.h"
#include "support/vector.h"

#define SMOKE_DAMAGES 300

struct effort {
	size_t prefixes;
	int damages;
};

static void
smoke_run(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	ensure(copy != NULL);
	memcpy(copy, bytes, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static void
smoke_vector(void *user_data, const char *name, const struct vector *vector)
{
	static uint8_t damaged[VECTOR_BYTES_MAX];
	const struct effort *effort = user_data;
	size_t step = 1 + vector->len / effort->prefixes;
	struct rand rand;

	smoke_run(vector->bytes, vector->len);
	for (size_t len = 0; len < vector->len; len += step) {
		smoke_run(vector->bytes, len);
	}
	rand_init(&rand, vector->len);
	for (int i = 0; i < effort->damages && vector->len > 0; i++) {
		memcpy(damaged, vector->bytes, vector->len);
		for (uint64_t flips = 1 + rand_below(&rand, 4); flips > 0; flips--) {
			damaged[rand_below(&rand, vector->len)] = (uint8_t)rand_u64(&rand);
		}
		smoke_run(damaged, vector->len);
	}
}

int
main(int argc, char **argv)
{
	struct effort effort = {.prefixes = VECTOR_BYTES_MAX, .damages = SMOKE_DAMAGES};
	uint32_t count = 0;
	int first = 1;

	if (argc > 2 && strcmp(argv[1], "--effort") == 0) {
		effort.damages = atoi(argv[2]);
		ensure(effort.damages > 0);
		effort.prefixes = (size_t)effort.damages;
		first = 3;
	}
	for (int i = first; i < argc; i++) {
		count += vector_each(argv[i], smoke_vector, &effort);
	}
	printf("%u vectors\n", count);
	return count > 0 ? 0 : 1;
}
