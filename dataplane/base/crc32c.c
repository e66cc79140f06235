/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C over isa-l's crc32_iscsi, which neither inverts its seed nor its result: both are done here,
 * so that crcs chain and start at 0. Combination multiplies by x^(8n) mod P; polynomials are held
 * reflected, the coefficient of x^0 in the top bit. Stateless, any thread.
 */
#include "base/crc32c.h"

#include <isa-l/crc.h>
#include <string.h>

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

/* crc * x^(8 len) mod P: the share of a prefix in the crc of what follows it. */
static uint32_t
crc32c_shift(uint32_t crc, uint64_t len)
{
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
