/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C over ranges of a segment without a second pass over payload. A batch's own crc field
 * covers its bytes 21..end, so the CRC of all its bytes is that of the 21 bytes before, combined
 * with the field. A guard entry's range_crc binds a range's bytes to their place: it covers the 32
 * identity bytes (topic id, partition, segment base, start_pos; little-endian), then the range.
 * Plain values; any thread.
 */
#ifndef LOGSTORE_RANGE_CRC_H
#define LOGSTORE_RANGE_CRC_H

#include <stdint.h>

#define RANGE_CRC_IDENTITY_BYTES 32

/* CRC of consecutive bytes. Zero-initialised: nothing yet. */
struct range_crc {
	uint64_t len;
	uint32_t crc;
};

/* CRC of all bytes of a batch from its first 21 bytes, crc field (trusted) and length >= 61. */
uint32_t range_crc_of_batch(const uint8_t *header, uint32_t batch_bytes);
/* Appends `len` bytes whose CRC is known. */
void range_crc_append(struct range_crc *range, uint32_t crc, uint64_t len);
/* Takes a known prefix out again: range becomes what follows the first prefix->len bytes. */
void range_crc_drop_prefix(struct range_crc *range, const struct range_crc *prefix);

/* What a range is bound to. */
struct range_crc_place {
	uint8_t topic_id[16];
	uint32_t partition;
	int64_t segment_base;
	uint32_t start_pos;
};

/* The guard entry's range_crc of a range that lies at `place`. */
uint32_t range_crc_bind(const struct range_crc_place *place, const struct range_crc *range);

#endif
