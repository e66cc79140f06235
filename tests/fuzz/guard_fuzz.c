/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guard records and rings, first as they come, then with the checksum made right, so that the fields
 * behind it are reached. Accepted means: every entry's tail copy lies inside the record.
 */
#include <string.h>
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/ensure.h"
#include "fuzz/fuzz.h"
#include "logstore/guard.h"

#define BLOCK	    4096
#define RING_BLOCKS 4

static void
fuzz_record(const uint8_t *bytes, size_t len)
{
	struct guard_header header;
	struct guard_entry entry;

	if (guard_record_parse(bytes, len, BLOCK, &header) < 0) {
		return;
	}
	ensure(header.record_len <= len);
	for (uint32_t i = 0; i < header.entry_count; i++) {
		const uint8_t *tail = guard_record_entry(bytes, i, &entry);

		ensure(tail >= bytes);
		ensure(tail + entry.tail_len <= bytes + header.record_len);
		ensure(entry.tail_len < BLOCK);
	}
}

/* The record at the start of two blocks of a ring; the scan must hold whatever it is. */
static void
fuzz_ring(const uint8_t *bytes, size_t len)
{
	static uint8_t ring[RING_BLOCKS * BLOCK];
	struct guard_found found[RING_BLOCKS];
	struct guard_scan scan = {.found = found, .found_max = RING_BLOCKS};
	struct guard_image image = {.bytes = ring, .len = sizeof(ring), .block_bytes = BLOCK};

	memset(ring, 0, sizeof(ring));
	len = len < BLOCK ? len : BLOCK;
	memcpy(ring, bytes, len);
	memcpy(ring + 2 * BLOCK, bytes, len);
	if (len >= 34) {
		memcpy(image.directory_id, bytes + 16, 16);
		image.shard = load_le16(bytes + 32);
	}
	ensure(guard_scan(&image, &scan) == 0);
	ensure(scan.found_count <= RING_BLOCKS);
	ensure(scan.next_block <= RING_BLOCKS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t fixed[65536];
	uint32_t record_len;

	fuzz_record(bytes, len);
	fuzz_ring(bytes, len);
	if (len < GUARD_HEADER_BYTES || len > sizeof(fixed)) {
		return 0;
	}
	memcpy(fixed, bytes, len);
	memcpy(fixed, "PSGUARD1", 8);
	record_len = load_le32(fixed + 12);
	if (record_len >= GUARD_HEADER_BYTES && record_len <= len) {
		store_le32(fixed + 8, crc32c_update(0, fixed + 12, record_len - 12));
	}
	fuzz_record(fixed, len);
	fuzz_ring(fixed, len);
	return 0;
}
