/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sum of checksum.h, written so that the compiler turns the middle loop into vector code: 32-bit
 * words into eight 64-bit lanes, no carry to handle before 2^32 words. Clones for AVX2 where the
 * compiler has them; the choice is made once, by the loader.
 */
#include "net/checksum.h"

#include <string.h>
#include "base/compiler.h"

#define CHECKSUM_LANES 8
#define CHECKSUM_STEP  (CHECKSUM_LANES * 4)

CPU_CLONES static uint64_t
checksum_steps(const uint8_t *at, size_t steps)
{
	uint64_t lanes[CHECKSUM_LANES] = {0};
	uint64_t sum = 0;

	for (size_t s = 0; s < steps; s++) {
		uint32_t words[CHECKSUM_LANES];

		memcpy(words, at, sizeof(words));
		for (int i = 0; i < CHECKSUM_LANES; i++) {
			lanes[i] += words[i];
		}
		at += CHECKSUM_STEP;
	}
	for (int i = 0; i < CHECKSUM_LANES; i++) {
		sum += lanes[i];
	}
	return sum;
}

uint64_t
checksum_add(uint64_t sum, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	size_t steps = len / CHECKSUM_STEP;

	if (steps > 0) {
		uint64_t more = checksum_steps(at, steps);

		sum += (more & 0xffffffff) + (more >> 32);
		at += steps * CHECKSUM_STEP;
		len -= steps * CHECKSUM_STEP;
	}
	while (len >= 2) {
		uint16_t word;

		memcpy(&word, at, 2);
		sum += word;
		at += 2;
		len -= 2;
	}
	if (len > 0) {
		sum += *at; /* low byte of a little-endian word */
	}
	return sum;
}

uint64_t
checksum_pseudo4(const uint8_t *source, const uint8_t *destination, uint8_t protocol, uint16_t len)
{
	uint64_t sum = checksum_add(checksum_add(0, source, 4), destination, 4);

	return checksum_add_be16(checksum_add_be16(sum, protocol), len);
}

uint64_t
checksum_pseudo6(const uint8_t *source, const uint8_t *destination, uint8_t protocol, uint32_t len)
{
	uint64_t sum = checksum_add(checksum_add(0, source, 16), destination, 16);

	sum = checksum_add_be16(checksum_add_be16(sum, (uint16_t)(len >> 16)), (uint16_t)len);
	return checksum_add_be16(sum, protocol);
}
