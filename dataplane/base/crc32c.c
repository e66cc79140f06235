/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C over isa-l's crc32_iscsi, which neither inverts its seed nor its result: both are done here,
 * so that crcs chain and start at 0. Combination multiplies by x^(8n) mod P; polynomials are held
 * reflected, the coefficient of x^0 in the top bit. Stateless, any thread.
 */
#include "base/crc32c.h"

#include <isa-l/crc.h>
#include <string.h>
#include "base/compiler.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define CRC32C_POLYNOMIAL  0x82f63b78u
#define CRC32C_CALL_MAX	   (1u << 30) /* isa-l takes an int */
#define CRC32C_COPY_BYTES  4096u
#define CRC32C_POWER_COUNT 31

/*
 * x^(2^k) mod P. P is (x + 1) times a primitive polynomial of degree 31, so x^(2^31) = x and the
 * powers repeat after 31.
 */
static const uint32_t crc32c_powers[CRC32C_POWER_COUNT] = {
	0x40000000, 0x20000000, 0x08000000, 0x00800000, 0x00008000, 0x82f63b78,
	0x6ea2d55c, 0x18b8ea18, 0x510ac59a, 0xb82be955, 0xb8fdb1e7, 0x88e56f72,
	0x74c360a4, 0xe4172b16, 0x0d65762a, 0x35d73a62, 0x28461564, 0xbf455269,
	0xe2ea32dc, 0xfe7740e6, 0xf946610b, 0x3c204f8f, 0x538586e3, 0x59726915,
	0x734d5309, 0xbc1ac763, 0x7d0722cc, 0xd289cabe, 0xe94ca9bc, 0x05b74f3f,
	0xa51e1f42,
};

uint32_t
crc32c_update(uint32_t crc, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	while (len > 0) {
		size_t n = len < CRC32C_CALL_MAX ? len : CRC32C_CALL_MAX;

		crc = ~crc32_iscsi((unsigned char *)at, (int)n, ~crc);
		at += n;
		len -= n;
	}
	return crc;
}

uint32_t
crc32c_copy(uint32_t crc, void *target, const void *source, size_t len)
{
	uint8_t *to = target;
	const uint8_t *from = source;

	while (len > 0) {
		size_t n = len < CRC32C_COPY_BYTES ? len : CRC32C_COPY_BYTES;

		/* The crc is of the copy, so a source that changes meanwhile cannot pass unseen. */
		memcpy(to, from, n);
		crc = crc32c_update(crc, to, n);
		to += n;
		from += n;
		len -= n;
	}
	return crc;
}

/* a * b mod P. */
static uint32_t
crc32c_multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (uint32_t bit = 1u << 31; bit > 0; bit >>= 1) {
		product ^= (a & bit) ? b : 0;
		b = (b >> 1) ^ ((b & 1) ? CRC32C_POLYNOMIAL : 0);
	}
	return product;
}

#if defined(__x86_64__)

/*
 * x^(8 d 16^k - 33) mod P for digit d of a length in base 16. A carry-less product of two reflected
 * polynomials through the crc instruction comes out multiplied by x^33, which is taken off here.
 */
static const uint32_t crc32c_digits[8][16] = {
	{0xa9cdda0d, 0xbf818109, 0x780d5a4d, 0xfe2b5c35, 0x05ec76f1, 0x01000000,
		0x00010000, 0x00000100, 0x00000001, 0xf26b8303, 0x13a29877, 0xa541927e,
		0xdd45aab8, 0x38116fac, 0xef306b19, 0x68032cc8},
	{0xa9cdda0d, 0x493c7d27, 0xba4fc28e, 0xddc0152b, 0x9e4addf8, 0x39d3b296,
		0x0715ce53, 0x47db8317, 0x0d3b6092, 0xc96cfdc0, 0x878a92a7, 0xdaece73e,
		0xab7aff2a, 0x2162d385, 0x83348832, 0x299847d5},
	{0xa9cdda0d, 0xb9e02b86, 0xdd7e3b0c, 0xd7a4825c, 0x170076fa, 0xdd66cbbb,
		0x9ef68d35, 0xaa7c7ad5, 0xa51b6135, 0xbedc6ba1, 0x22c3799f, 0x8515c07f,
		0x359674f7, 0x5f0e0438, 0x96a1f19b, 0x23d5e7e5},
	{0xa9cdda0d, 0x82f89c77, 0x54a86326, 0xc1f19ee1, 0x1dc403cc, 0x68bfa742,
		0x6a173fa1, 0x0d435f26, 0x5ae703ab, 0xa400fc17, 0xc71795dd, 0x84c8538e,
		0x51e9168b, 0x139f7c52, 0x21c03eff, 0x8f619e7d},
	{0xa9cdda0d, 0xc5013a36, 0xac2ac6dd, 0x9edebb1b, 0x9b4615a9, 0x846228eb,
		0xb0c8dc65, 0xe8b232b8, 0x688d1c61, 0x5b33a5ee, 0x348ced70, 0xa3905456,
		0xd270eff4, 0x508dfe99, 0x2985cfbc, 0x604d7164},
	{0xa9cdda0d, 0xf6af14e6, 0xb6ffe386, 0x412ba6cb, 0xb717425b, 0x99358aff,
		0xa1c3255d, 0xfe8a1ee0, 0x478b0d30, 0x1566bbcc, 0x06e3c216, 0xae567218,
		0x6888f894, 0x33186375, 0xfa8d7d58, 0xc0918c7a},
	{0xa9cdda0d, 0x54cc62e5, 0x7b2102ee, 0x4205f0fe, 0x8a99adef, 0xe46fa6ef,
		0x9eb63379, 0xf43532c4, 0xa7568c8f, 0xbab529eb, 0xb315c6da, 0xe7702e4b,
		0xd4e1d64d, 0xba1050d0, 0x5c9400ac, 0x32606c1b},
	{0xa9cdda0d, 0xd610d67e, 0x6b086b3f, 0xb7720ee7, 0xd94f3c0b, 0xee51a57d,
		0xf5dee9c6, 0x7aef74e3, 0xbf818109, 0xdd36fbfc, 0x6e9b7dfe, 0x374dbeff,
		0x9950e407, 0xce5e497b, 0xe5d91fc5, 0xf01ab49a},
};

__attribute__((target("pclmul,sse4.2"))) static uint32_t
crc32c_shift_fast(uint32_t crc, uint32_t len)
{
	for (uint32_t k = 0; len > 0; k++, len >>= 4) {
		if (len & 15) {
			__m128i product = _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)crc),
				_mm_cvtsi32_si128((int)crc32c_digits[k][len & 15]), 0);

			crc = (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
		}
	}
	return crc;
}

#endif

/* crc * x^(8 len) mod P: the share of a prefix in the crc of what follows it. */
static uint32_t
crc32c_shift(uint32_t crc, uint64_t len)
{
#if defined(__x86_64__)
	if (likely(len <= UINT32_MAX && __builtin_cpu_supports("pclmul") &&
		    __builtin_cpu_supports("sse4.2"))) {
		return crc32c_shift_fast(crc, (uint32_t)len);
	}
#endif
	for (uint32_t k = 3; len > 0; k++, len >>= 1) {
		if (len & 1) {
			crc = crc32c_multiply(crc32c_powers[k % CRC32C_POWER_COUNT], crc);
		}
	}
	return crc;
}

uint32_t
crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t len_b)
{
	return crc32c_shift(crc_a, len_b) ^ crc_b;
}

uint32_t
crc32c_without_prefix(uint32_t crc_ab, uint32_t crc_a, uint64_t len_b)
{
	return crc32c_shift(crc_a, len_b) ^ crc_ab;
}
