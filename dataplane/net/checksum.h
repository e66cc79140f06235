/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Internet checksum (RFC 1071). Sums are kept in the host's byte order over 16-bit words as they
 * lie in memory: the one's complement sum does not care, so results are stored as they come. Pieces
 * can be added up, if all but the last have an even length. Any thread.
 */
#ifndef NET_CHECKSUM_H
#define NET_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Adds len bytes at any address to sum; an odd last byte counts as if followed by a zero. */
uint64_t checksum_add(uint64_t sum, const void *bytes, size_t len);
/* Adds a number in host order as a 16-bit word in network order: protocol, length. */
static inline uint64_t
checksum_add_be16(uint64_t sum, uint16_t v)
{
	return sum + __builtin_bswap16(v);
}

/* The checksum to store: 0 if the sum over a packet with its checksum is right. */
static inline uint16_t
checksum_finish(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Pseudo-headers of RFC 768 and RFC 8200, 8.1. Addresses in network order, 4 or 16 bytes. */
uint64_t checksum_pseudo4(const uint8_t *source, const uint8_t *destination, uint8_t protocol,
	uint16_t len);
uint64_t checksum_pseudo6(const uint8_t *source, const uint8_t *destination, uint8_t protocol,
	uint32_t len);

#endif
