/* SPDX-License-Identifier: Apache-2.0 */
/* Record batches for tests, see records.h. */
#include "support/records.h"

#include <stdio.h>
#include <string.h>
#include "base/ensure.h"
#include "base/rand.h"

#define RECORDS_VALUE_MAX (1u << 20)
#define RECORDS_KEY_BYTES 16

static int
records_key(int32_t sequence, char key[RECORDS_KEY_BYTES])
{
	return snprintf(key, RECORDS_KEY_BYTES, "k%d", sequence);
}

void
records_value(int32_t sequence, uint8_t *ret_value, uint32_t value_bytes)
{
	struct rand rand;

	rand_init(&rand, (uint64_t)(uint32_t)sequence);
	rand_fill(&rand, ret_value, value_bytes);
}

size_t
records_batch(const struct records_spec *spec, void *room, size_t room_bytes)
{
	static _Thread_local uint8_t value[RECORDS_VALUE_MAX];
	struct record_builder b;

	ensure(spec->value_bytes <= sizeof(value));
	record_builder_init(&b, room, room_bytes);
	for (int32_t i = 0; i < spec->count; i++) {
		int32_t sequence = (int32_t)(((uint32_t)spec->base_sequence + (uint32_t)i) & INT32_MAX);
		char key[RECORDS_KEY_BYTES];
		int key_len = records_key(sequence, key);

		records_value(sequence, value, spec->value_bytes);
		int rc = record_builder_add(&b, spec->timestamp_ms + i * spec->step_ms, key, key_len,
			value, (int32_t)spec->value_bytes);

		ensure(rc == 0);
	}
	return record_builder_finish(&b, spec->producer_id, spec->producer_epoch,
		spec->base_sequence);
}

bool
records_match(const struct record_view *record, int32_t sequence)
{
	static _Thread_local uint8_t value[RECORDS_VALUE_MAX];
	char key[RECORDS_KEY_BYTES];
	int key_len = records_key(sequence, key);

	if (record->key_len != key_len || memcmp(record->key, key, (size_t)key_len) != 0) {
		return false;
	}
	if (record->value_len < 0 || (uint32_t)record->value_len > sizeof(value)) {
		return false;
	}
	records_value(sequence, value, (uint32_t)record->value_len);
	return memcmp(record->value, value, (size_t)record->value_len) == 0;
}

bool
records_header_next(struct reader *headers, struct records_header *ret_header)
{
	if (reader_left(headers) == 0) {
		return false;
	}
	ret_header->key_len = reader_varint(headers);
	ensure(ret_header->key_len >= 0);
	ret_header->key = reader_bytes(headers, (size_t)ret_header->key_len);
	ret_header->value_len = reader_varint(headers);
	ensure(ret_header->value_len >= -1);
	ret_header->value = ret_header->value_len < 0 ? NULL : reader_bytes(headers, (size_t)ret_header->value_len);
	ensure(!headers->failed);
	return true;
}
