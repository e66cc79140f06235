/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seals, indexes, producer snapshots: as they come, and with the checksum made right. Accepted means:
 * look-ups stay inside, and what was read is written back to the same bytes.
 */
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/ensure.h"
#include "fuzz/fuzz.h"
#include "logstore/producer_snapshot.h"
#include "logstore/seal.h"
#include "logstore/segment_index.h"

#define INPUT_MAX 65536

static void
fuzz_seal(const uint8_t *bytes, size_t len)
{
	struct seal seal;

	if (seal_parse(bytes, len, &seal) < 0) {
		return;
	}
	uint64_t pos = 0;

	for (uint32_t index = 0; index < seal.run_count; index++) {
		struct seal_run run;

		seal_run_get(bytes, index, &run);
		ensure(pos < run.end_pos);
		pos = run.end_pos;
	}
	ensure(pos == seal.log_bytes);
}

static void
fuzz_indexes(const uint8_t *bytes, size_t len)
{
	if (segment_index_check(bytes, len, UINT32_MAX) == 0) {
		for (size_t i = 0; i < len / SEGMENT_INDEX_ENTRY_BYTES; i++) {
			struct segment_index_entry entry =
				segment_index_decode(bytes + i * SEGMENT_INDEX_ENTRY_BYTES);

			ensure(segment_index_find(bytes, len, entry.relative_offset) == (int64_t)i);
		}
	}
	if (segment_index_check_time(bytes, len) == 0) {
		for (size_t i = 1; i < len / SEGMENT_INDEX_TIME_ENTRY_BYTES; i++) {
			const uint8_t *at = bytes + i * SEGMENT_INDEX_TIME_ENTRY_BYTES;

			ensure(segment_index_decode_time(at - SEGMENT_INDEX_TIME_ENTRY_BYTES).timestamp_ms <
				segment_index_decode_time(at).timestamp_ms);
		}
	}
}

/* Damaged but unordered indexes are looked up too: no look-up may leave the array. */
static void
fuzz_look_ups(const uint8_t *bytes, size_t len)
{
	size_t entries = len / SEGMENT_INDEX_ENTRY_BYTES;

	ensure(segment_index_find(bytes, entries * SEGMENT_INDEX_ENTRY_BYTES, 100) <
		(int64_t)entries);
}

static void
fuzz_snapshot(const uint8_t *bytes, size_t len, enum producer_snapshot_format format)
{
	struct producer_snapshot_identity identity = {0};
	struct producer_snapshot_reader pr;
	struct producer_snapshot_writer pw;
	struct producer_entry entry;
	uint8_t *again;
	int rc;

	if (producer_snapshot_open(&pr, format, NULL, bytes, len) < 0) {
		return;
	}
	again = malloc(len);
	ensure(again);
	producer_snapshot_begin(&pw, format, &identity, again, len);
	while ((rc = producer_snapshot_next(&pr, &entry)) == 1) {
		producer_snapshot_add(&pw, &entry);
	}
	if (rc == 0) {
		ensure(producer_snapshot_finish(&pw) == (int64_t)len);
	}
	free(again);
}

static void
fuzz_all(const uint8_t *bytes, size_t len)
{
	fuzz_seal(bytes, len);
	fuzz_indexes(bytes, len);
	fuzz_look_ups(bytes, len);
	fuzz_snapshot(bytes, len, PRODUCER_SNAPSHOT_KAFKA);
	fuzz_snapshot(bytes, len, PRODUCER_SNAPSHOT_OWN);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t fixed[INPUT_MAX];

	fuzz_all(bytes, len);
	if (len < 16 || len > sizeof(fixed)) {
		return 0;
	}
	memcpy(fixed, bytes, len);
	store_le32(fixed + 8, crc32c_update(0, fixed + 12, len - 12)); /* seal, producers */
	fuzz_all(fixed, len);
	memcpy(fixed, bytes, len);
	store_be32(fixed + 2, crc32c_update(0, fixed + 6, len - 6)); /* Kafka's snapshot */
	fuzz_all(fixed, len);
	return 0;
}
