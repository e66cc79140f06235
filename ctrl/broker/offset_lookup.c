/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/broker/offset_lookup.h"

#include <errno.h>
#include "base/ensure.h"
#include "base/errcode.h"
#include "wire/record_batch.h"

#define LOOKUP_READ_BYTES (256 * KIB)
#define LOOKUP_TOKEN_BASE (0x6f666673ull << 16)

static void
offset_lookup_finish(struct offset_lookup *lookup, int16_t error, int64_t offset)
{
	lookup->in_use = false;
	lookup->done(lookup->user_data, error, offset);
}

int
offset_lookup_start(struct offset_lookups *lookups, const struct broker_options *options,
	struct offset_lookup lookup)
{
	struct log_partition_status status;
	uint32_t i = 0;

	while (i < OFFSET_LOOKUPS_MAX && lookups->slots[i].in_use) {
		i++;
	}
	if (i == OFFSET_LOOKUPS_MAX) {
		return -EAGAIN;
	}
	if (logstore_status(options->store, lookup.partition_index, &status) < 0) {
		lookup.done(lookup.user_data, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, -1);
		return 0;
	}
	lookup.next = status.log_start_offset;
	lookup.until = status.high_watermark;
	lookup.in_use = true;
	lookups->slots[i] = lookup;
	return 0;
}

void
offset_lookups_fini(struct offset_lookups *lookups)
{
	for (uint32_t i = 0; i < OFFSET_LOOKUPS_MAX; i++) {
		if (lookups->slots[i].in_use) {
			offset_lookup_finish(&lookups->slots[i], KAFKA_BROKER_NOT_AVAILABLE, -1);
		}
	}
}

uint32_t
offset_lookup_poll(struct offset_lookups *lookups, const struct broker_options *options)
{
	uint32_t work = 0;

	for (uint32_t i = 0; i < OFFSET_LOOKUPS_MAX; i++) {
		struct offset_lookup *lookup = &lookups->slots[i];

		if (!lookup->in_use || lookup->reading) {
			continue;
		}
		work++;
		if (lookup->next >= lookup->until) {
			offset_lookup_finish(lookup, 0, -1);
			continue;
		}
		struct read_req req = {
			.partition_index = lookup->partition_index,
			.bytes_max = LOOKUP_READ_BYTES,
			.from = lookup->next,
			.until = lookup->until,
			.token = LOOKUP_TOKEN_BASE + i,
			.client = options->client,
		};
		uint16_t shard = options->routes->partitions[lookup->partition_index].shard;

		lookup->reading = ring_offer(options->read_req[shard], &req, 1) == 1;
	}
	return work;
}

/* First matching offset in one batch, or -1. Compressed batches answer with their first offset. */
static int64_t
offset_lookup_in_batch(const uint8_t *bytes, const struct record_batch *batch, int64_t timestamp_ms)
{
	struct record_iterator it;
	struct record_view record;

	if (record_iterator_init(&it, bytes, record_batch_total_bytes(batch)) < 0) {
		return batch->base_offset;
	}
	while (record_iterator_next(&it, &record) == 1) {
		if (record.timestamp_ms >= timestamp_ms) {
			return record.offset;
		}
	}
	return -1;
}

static int64_t
offset_lookup_in_extent(const struct read_done *done, int64_t timestamp_ms)
{
	struct record_batch_iterator it;

	record_batch_iterator_init(&it, done->data, done->data_len);
	while (record_batch_iterator_next(&it) == 1) {
		if (it.batch.max_timestamp_ms >= timestamp_ms) {
			int64_t offset = offset_lookup_in_batch(it.bytes, &it.batch, timestamp_ms);

			if (offset >= 0) {
				return offset;
			}
		}
	}
	return -1;
}

void
offset_lookup_read_done(struct offset_lookups *lookups, const struct broker_options *options,
	const struct read_done *done)
{
	uint64_t index = done->token - LOOKUP_TOKEN_BASE;
	struct offset_lookup *lookup;
	int64_t offset;

	ensure(index < OFFSET_LOOKUPS_MAX);
	lookup = &lookups->slots[index];
	ensure(lookup->reading);
	lookup->reading = false;
	if (done->error) {
		offset_lookup_finish(lookup, done->error, -1);
		return;
	}
	offset = offset_lookup_in_extent(done, lookup->timestamp_ms);
	lookup->next = done->next_offset;
	if (!done->data) {
		return; /* the log has no room for the read now, or these offsets are gone */
	}
	struct extent_release release = {.pin = done->pin,
		.partition_index = done->partition_index,
		.client = options->client};

	ensure(ring_offer(options->extent_release[options->routes->partitions[done->partition_index].shard],
		       &release, 1) == 1);
	if (offset >= 0) {
		offset_lookup_finish(lookup, 0, offset);
	}
}
