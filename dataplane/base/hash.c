/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 and Kafka's murmur2. Stateless, any thread. */
#include "base/hash.h"

#include "base/bytes.h"
#include "base/compiler.h"

static inline uint64_t
hash_rotl(uint64_t v, int by)
{
	return (v << by) | (v >> (64 - by));
}

static inline void
hash_sip_rounds(uint64_t v[4], int rounds)
{
	for (int i = 0; i < rounds; i++) {
		v[0] += v[1];
		v[1] = hash_rotl(v[1], 13) ^ v[0];
		v[0] = hash_rotl(v[0], 32);
		v[2] += v[3];
		v[3] = hash_rotl(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = hash_rotl(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = hash_rotl(v[1], 17) ^ v[2];
		v[2] = hash_rotl(v[2], 32);
	}
}

uint64_t
hash_siphash24(const uint8_t key[16], const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t k0 = load_le64(key);
	uint64_t k1 = load_le64(key + 8);
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575ull, k1 ^ 0x646f72616e646f6dull,
		k0 ^ 0x6c7967656e657261ull, k1 ^ 0x7465646279746573ull};
	uint64_t last = (uint64_t)len << 56;

	for (size_t words = len / 8; words > 0; words--, at += 8) {
		uint64_t m = load_le64(at);

		v[3] ^= m;
		hash_sip_rounds(v, 2);
		v[0] ^= m;
	}
	for (size_t i = 0; i < len % 8; i++) {
		last |= (uint64_t)at[i] << (8 * i);
	}
	v[3] ^= last;
	hash_sip_rounds(v, 2);
	v[0] ^= last;
	v[2] ^= 0xff;
	hash_sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t
hash_murmur2(const void *bytes, size_t len)
{
	const uint32_t m = 0x5bd1e995;
	const uint8_t *at = bytes;
	uint32_t h = 0x9747b28cu ^ (uint32_t)len;

	for (size_t words = len / 4; words > 0; words--, at += 4) {
		uint32_t k = load_le32(at) * m;

		k ^= k >> 24;
		h = (h * m) ^ (k * m);
	}
	switch (len % 4) {
	case 3:
		h ^= (uint32_t)at[2] << 16;
		FALLTHROUGH;
	case 2:
		h ^= (uint32_t)at[1] << 8;
		FALLTHROUGH;
	case 1:
		h = (h ^ at[0]) * m;
		break;
	default:
		break;
	}
	h = (h ^ (h >> 13)) * m;
	return h ^ (h >> 15);
}
