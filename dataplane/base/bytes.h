/* SPDX-License-Identifier: Apache-2.0 */
/* Unaligned loads and stores of either byte order; ns and byte units. Inline, any thread. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdint.h>
#include <string.h>

#undef NS_PER_S /* DPDK's is an int */
#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull
#define KIB	  1024ull
#define MIB	  (1024ull * 1024)
#define GIB	  (1024ull * 1024 * 1024)

#define BYTES_ACCESSORS(bits, le, be)                                                              \
	static inline uint##bits##_t load_le##bits(const void *p)                                  \
	{                                                                                          \
		uint##bits##_t v;                                                                  \
		memcpy(&v, p, sizeof(v));                                                          \
		return le(v);                                                                      \
	}                                                                                          \
	static inline uint##bits##_t load_be##bits(const void *p)                                  \
	{                                                                                          \
		uint##bits##_t v;                                                                  \
		memcpy(&v, p, sizeof(v));                                                          \
		return be(v);                                                                      \
	}                                                                                          \
	static inline void store_le##bits(void *p, uint##bits##_t v)                               \
	{                                                                                          \
		v = le(v);                                                                         \
		memcpy(p, &v, sizeof(v));                                                          \
	}                                                                                          \
	static inline void store_be##bits(void *p, uint##bits##_t v)                               \
	{                                                                                          \
		v = be(v);                                                                         \
		memcpy(p, &v, sizeof(v));                                                          \
	}

/* Only little-endian hosts are built for (x86-64, arm64). */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "little-endian host");
#define BYTES_SAME(v) (v)
BYTES_ACCESSORS(16, BYTES_SAME, __builtin_bswap16)
BYTES_ACCESSORS(32, BYTES_SAME, __builtin_bswap32)
BYTES_ACCESSORS(64, BYTES_SAME, __builtin_bswap64)

/* Rounds v down or up to a multiple of `to`, a power of two. */
static inline uint64_t
bytes_floor(uint64_t v, uint64_t to)
{
	return v & ~(to - 1);
}

static inline uint64_t
bytes_ceil(uint64_t v, uint64_t to)
{
	return (v + to - 1) & ~(to - 1);
}

#endif
