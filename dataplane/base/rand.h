/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Randomness as an argument: a seeded xoshiro256** generator for everything that a model must be
 * able to replay, and the kernel's for secrets. Not shared between threads.
 */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

struct rand {
	uint64_t state[4];
};

/* Expands the seed by splitmix64, so that near seeds give unrelated streams. */
void rand_init(struct rand *rand, uint64_t seed);
/* Seeds from getrandom(2). Start-up only. Aborts if the kernel refuses. */
void rand_init_os(struct rand *rand);
uint64_t rand_u64(struct rand *rand);
/* Uniform in [0, bound); bound > 0. */
uint64_t rand_below(struct rand *rand, uint64_t bound);
/* True with probability ppm / 1,000,000. */
int rand_chance_ppm(struct rand *rand, uint32_t ppm);
void rand_fill(struct rand *rand, void *bytes, size_t len);
/* Secrets: straight from getrandom(2). Aborts if the kernel refuses. */
void rand_os_fill(void *bytes, size_t len);

#endif
