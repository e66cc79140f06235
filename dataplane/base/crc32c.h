/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C (Castagnoli, reflected, init and xorout 0xffffffff; nine ASCII digits give e3069283) by
 * isa-l, and the algebra that saves second passes over payload: CRCs are linear, so crc(A|B) follows
 * from crc(A), crc(B) and len(B), and a known prefix can be taken out again.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc of the bytes seen so far continued over len more; start with 0. Any thread. */
uint32_t crc32c_update(uint32_t crc, const void *bytes, size_t len);
/* Copies and continues the crc in one pass, in 4 KiB blocks that are still in L1. */
uint32_t crc32c_copy(uint32_t crc, void *target, const void *source, size_t len);
/* crc(A|B) from crc(A), crc(B) and B's length. */
uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t len_b);
/* crc(B) from crc(A|B), crc(A) and B's length. */
uint32_t crc32c_without_prefix(uint32_t crc_ab, uint32_t crc_a, uint64_t len_b);

#endif
