/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xoshiro256** (Blackman, Vigna 2018) seeded by splitmix64, and getrandom(2) for secrets. A struct
 * rand belongs to one thread; the same seed gives the same stream on every machine.
 */
#include "base/rand.h"

#include <errno.h>
#include <sys/random.h>
#include "base/bytes.h"
#include "base/ensure.h"

static uint64_t
rand_splitmix64(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint64_t
rand_rotl(uint64_t v, int by)
{
	return (v << by) | (v >> (64 - by));
}

void
rand_init(struct rand *rand, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		rand->state[i] = rand_splitmix64(&seed);
	}
}

void
rand_init_os(struct rand *rand)
{
	uint64_t seed;

	rand_os_fill(&seed, sizeof(seed));
	rand_init(rand, seed);
}

uint64_t
rand_u64(struct rand *rand)
{
	uint64_t *s = rand->state;
	uint64_t result = rand_rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rand_rotl(s[3], 45);
	return result;
}

uint64_t
rand_below(struct rand *rand, uint64_t bound)
{
	ensure(bound > 0);

	/* Rejects the values of the short last stretch, so that every result is equally likely. */
	uint64_t short_stretch = (0 - bound) % bound;
	uint64_t v;

	do {
		v = rand_u64(rand);
	} while (v < short_stretch);
	return v % bound;
}

int
rand_chance_ppm(struct rand *rand, uint32_t ppm)
{
	return rand_below(rand, 1000000) < ppm;
}

void
rand_fill(struct rand *rand, void *bytes, size_t len)
{
	uint8_t *at = bytes;

	while (len > 0) {
		uint8_t word[8];
		size_t n = len < sizeof(word) ? len : sizeof(word);

		store_le64(word, rand_u64(rand));
		memcpy(at, word, n);
		at += n;
		len -= n;
	}
}

void
rand_os_fill(void *bytes, size_t len)
{
	uint8_t *at = bytes;

	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);

		if (n < 0) {
			ensure(errno == EINTR);
			continue;
		}
		at += n;
		len -= (size_t)n;
	}
}
