/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record batches: header validation, the walk over records and headers. Accepted by the validation
 * means: the iterator gives exactly that many records, all inside the batch.
 */
#include <errno.h>
#include <string.h>
#include "base/ensure.h"
#include "fuzz/fuzz.h"
#include "support/records.h"
#include "wire/record_batch.h"

static void
fuzz_headers(const struct record_view *record)
{
	struct reader headers = reader_init(record->headers, record->headers_len);
	struct records_header header;
	int32_t count = 0;

	while (records_header_next(&headers, &header)) {
		count++;
	}
	ensure(count == record->header_count);
}

/* Records that the iterator gives, or -1 on its error. */
static int32_t
fuzz_iterate(const uint8_t *bytes, size_t len)
{
	struct record_iterator it;
	struct record_view record;
	int32_t count = 0;
	int rc;

	if (record_iterator_init(&it, bytes, len) < 0) {
		return -1;
	}
	while ((rc = record_iterator_next(&it, &record)) == 1) {
		ensure(record.key_len < 0 || record.key + record.key_len <= bytes + len);
		ensure(record.value_len < 0 || record.value + record.value_len <= bytes + len);
		fuzz_headers(&record);
		count++;
	}
	return rc < 0 ? -1 : count;
}

/* Whole batches lie behind one another, and the walk ends. */
static void
fuzz_walk(const uint8_t *bytes, size_t len)
{
	struct record_batch_iterator it;
	const uint8_t *at = bytes;
	int rc;

	record_batch_iterator_init(&it, bytes, len);
	while ((rc = record_batch_iterator_next(&it)) == 1) {
		ensure(it.bytes == at);
		ensure(it.len >= RECORD_BATCH_HEADER_BYTES);
		ensure(it.len <= (size_t)(bytes + len - at));
		at += it.len;
	}
	ensure(rc != 0 || at == bytes + len);
	ensure(rc != -ENODATA || it.len == 0 || it.len > (size_t)(bytes + len - at));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct record_batch batch;
	struct record_batch_times times;
	int32_t count = fuzz_iterate(bytes, len);

	fuzz_walk(bytes, len);
	if (record_batch_validate(bytes, len, &batch) != 0) {
		return 0;
	}
	ensure(record_batch_total_bytes(&batch) == len);
	if (record_batch_validate_records(bytes, &batch, &times) == 0 &&
		!(batch.attributes & RECORD_BATCH_CODEC_MASK)) {
		ensure(count == batch.record_count);
		ensure(times.min_ms <= times.max_ms);
	}
	uint8_t header[RECORD_BATCH_HEADER_BYTES];

	record_batch_encode(&batch, header);
	ensure(memcmp(header, bytes, sizeof(header)) == 0);
	return 0;
}
