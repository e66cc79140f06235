/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C algebra over ranges of a segment; see range_crc.h. */
#include "logstore/range_crc.h"

#include <string.h>
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/ensure.h"
#include "wire/record_batch.h"

#define BATCH_CRC_FIELD 17

uint32_t
range_crc_of_batch(const uint8_t *header, uint32_t batch_bytes)
{
	uint32_t before;

	ensure(batch_bytes >= RECORD_BATCH_HEADER_BYTES);
	before = crc32c_update(0, header, RECORD_BATCH_CRC_FROM);
	return crc32c_combine(before, load_be32(header + BATCH_CRC_FIELD),
		batch_bytes - RECORD_BATCH_CRC_FROM);
}

void
range_crc_append(struct range_crc *range, uint32_t crc, uint64_t len)
{
	range->crc = range->len > 0 ? crc32c_combine(range->crc, crc, len) : crc;
	range->len += len;
}

void
range_crc_drop_prefix(struct range_crc *range, const struct range_crc *prefix)
{
	ensure(prefix->len <= range->len);
	range->len -= prefix->len;
	if (prefix->len > 0) {
		range->crc = crc32c_without_prefix(range->crc, prefix->crc, range->len);
	}
	if (range->len == 0) {
		range->crc = 0;
	}
}

uint32_t
range_crc_bind(const struct range_crc_place *place, const struct range_crc *range)
{
	uint8_t identity[RANGE_CRC_IDENTITY_BYTES];
	uint32_t crc;

	memcpy(identity, place->topic_id, 16);
	store_le32(identity + 16, place->partition);
	store_le64(identity + 20, (uint64_t)place->segment_base);
	store_le32(identity + 28, place->start_pos);
	crc = crc32c_update(0, identity, sizeof(identity));
	return range->len > 0 ? crc32c_combine(crc, range->crc, range->len) : crc;
}
