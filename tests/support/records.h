/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record batches for tests, reproducible to the byte: record i of a batch has key `k<n>` and a value of
 * value_bytes that both follow from its sequence n = base_sequence + i, so that a reader can tell
 * whether the right record arrived.
 */
#ifndef SUPPORT_RECORDS_H
#define SUPPORT_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "wire/record_batch.h"

struct records_spec {
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence; /* counts the records even without a producer id */
	int32_t count;
	uint32_t value_bytes;
	int64_t timestamp_ms; /* of the first; each next is step_ms later */
	int64_t step_ms;
};

/* Writes the batch into room; returns its bytes. Aborts if it does not fit. */
size_t records_batch(const struct records_spec *spec, void *room, size_t room_bytes);
/* The value of the record with that sequence, value_bytes long. */
void records_value(int32_t sequence, uint8_t *ret_value, uint32_t value_bytes);
/* One header of a record; value NULL with length -1: null. */
struct records_header {
	const uint8_t *key, *value;
	int32_t key_len, value_len;
};

/* The next header; false at the end. Start with reader_init(record.headers, record.headers_len). Aborts on bad ones. */
bool records_header_next(struct reader *headers, struct records_header *ret_header);
/* True if key and value are what records_batch writes for that sequence. */
bool records_match(const struct record_view *record, int32_t sequence);

#endif
