/* SPDX-License-Identifier: Apache-2.0 */
/* The log in memory. One thread. Misuse by the batcher (unknown pin, read above the end) aborts. */
#include "support/fake_log.h"
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "wire/record_batch.h"

struct fake_pin {
	uint64_t magic;
	uint64_t bytes;
	uint32_t partition_index;
	uint8_t data[];
};

#define FAKE_PIN_MAGIC UINT64_C(0x70696e21)

static void
fake_log_rings(struct fake_log *log, uint32_t ring_count)
{
	for (uint32_t s = 0; s < log->shard_count; s++) {
		ensure(!ring_create(
			&log->commit_notes[s], ring_count, sizeof(struct commit_note), NULL));
		ensure(!ring_create(&log->read_req[s], ring_count, sizeof(struct read_req), NULL));
		ensure(!ring_create(
			&log->read_done[s], ring_count, sizeof(struct read_done), NULL));
		ensure(!ring_create(
			&log->extent_release[s], ring_count, sizeof(struct extent_release), NULL));
	}
}

void
fake_log_init(
	struct fake_log *log, uint32_t partition_count, uint32_t shard_count, uint32_t ring_count)
{
	*log = (struct fake_log){.partition_count = partition_count, .shard_count = shard_count};
	ensure(shard_count <= FAKE_LOG_SHARDS_MAX);
	log->partitions = calloc(partition_count, sizeof(*log->partitions));
	log->routes.topics_max = 1;
	log->routes.topics = calloc(1, sizeof(*log->routes.topics));
	log->routes.partitions_max = partition_count;
	log->routes.partitions = calloc(partition_count, sizeof(*log->routes.partitions));
	ensure(log->partitions && log->routes.topics && log->routes.partitions);
	struct route_topic *topic = &log->routes.topics[0];

	topic->partition_count = partition_count;
	memcpy(topic->name, "fake", 5);
	topic->name_len = 4;
	atomic_store(&topic->state, ROUTE_OPEN);
	for (uint32_t i = 0; i < partition_count; i++) {
		log->routes.partitions[i].partition = i;
		log->routes.partitions[i].shard = (uint16_t)(i % shard_count);
		atomic_store(&log->routes.partitions[i].state, ROUTE_OPEN);
		log->partitions[i].durable = -1;
	}
	atomic_store(&log->routes.topic_count, 1);
	atomic_store(&log->routes.partition_count, partition_count);
	fake_log_rings(log, ring_count);
}

void
fake_log_free(struct fake_log *log)
{
	ensure(log->pins == 0);
	for (uint32_t s = 0; s < log->shard_count; s++) {
		ring_destroy(&log->commit_notes[s]);
		ring_destroy(&log->read_req[s]);
		ring_destroy(&log->read_done[s]);
		ring_destroy(&log->extent_release[s]);
	}
	for (uint32_t i = 0; i < log->partition_count; i++) {
		free(log->partitions[i].bytes);
		free(log->partitions[i].batches);
	}
	free(log->partitions);
	free(log->routes.topics);
	free(log->routes.partitions);
}

void
fake_log_append(struct fake_log *log, uint32_t partition, uint8_t *batch, size_t len)
{
	struct fake_log_partition *p = &log->partitions[partition];
	struct record_batch header;

	ensure(record_batch_decode(batch, len, &header) == 0);
	record_batch_stamp(batch, p->end, 0);
	if (p->len + len > p->room) {
		p->room = (p->len + len) * 2;
		p->bytes = realloc(p->bytes, p->room);
	}
	if (p->batch_count == p->batch_room) {
		p->batch_room = p->batch_room * 2 + 16;
		p->batches = realloc(p->batches, p->batch_room * sizeof(*p->batches));
	}
	ensure(p->bytes && p->batches);
	memcpy(p->bytes + p->len, batch, len);
	p->batches[p->batch_count++] = (struct fake_log_batch){
		.base_offset = p->end,
		.next_offset = p->end + header.last_offset_delta + 1,
		.position = p->len,
		.len = len,
	};
	p->len += len;
	p->end += header.last_offset_delta + 1;
}

void
fake_log_lose(struct fake_log *log, uint32_t partition, int64_t from, int64_t until)
{
	struct fake_log_partition *p = &log->partitions[partition];

	for (uint32_t i = 0; i < p->batch_count; i++) {
		p->batches[i].lost |= p->batches[i].base_offset >= from && p->batches[i].base_offset < until;
	}
}

bool
fake_log_note(struct fake_log *log, uint32_t partition)
{
	const struct fake_log_partition *p = &log->partitions[partition];
	struct commit_note note = {
		.partition_index = partition,
		.log_start_offset = p->start,
		.high_watermark = p->end,
		.last_stable_offset = p->end,
		.durable_offset = p->durable < 0 ? p->end : p->durable,
		.max_timestamp_ms = -1,
	};

	return ring_offer(&log->commit_notes[partition % log->shard_count], &note, 1) == 1;
}

/* Index of the batch that holds an offset. */
static uint32_t
fake_log_find(const struct fake_log_partition *p, int64_t offset)
{
	uint32_t low = 0;
	uint32_t high = p->batch_count;

	while (low + 1 < high) {
		uint32_t mid = low + (high - low) / 2;

		if (p->batches[mid].base_offset <= offset) {
			low = mid;
		} else {
			high = mid;
		}
	}
	return low;
}

static struct read_done
fake_log_read(struct fake_log *log, const struct read_req *req)
{
	struct fake_log_partition *p = &log->partitions[req->partition_index];
	struct read_done done = {.partition_index = req->partition_index, .token = req->token};

	ensure(req->partition_index < log->partition_count);
	ensure(req->until <= p->end);
	log->reads++;
	if (log->fail_error && log->fail_partition == req->partition_index) {
		done.error = log->fail_error;
		return done;
	}
	if (log->busy > 0) {
		log->busy--;
		done.next_offset = req->from;
		return done;
	}
	if (req->from < p->start || req->from >= req->until) {
		done.error = 1;
		return done;
	}
	uint32_t limit = log->read_bytes && log->read_bytes < req->bytes_max ? log->read_bytes
									     : req->bytes_max;
	uint32_t first = fake_log_find(p, req->from);

	while (first < p->batch_count && p->batches[first].lost) {
		first++;
	}
	if (first == p->batch_count || p->batches[first].base_offset >= req->until) {
		done.next_offset = req->until;
		return done;
	}
	uint32_t last = first;
	size_t bytes = p->batches[first].len;

	for (uint32_t i = first + 1; i < p->batch_count && p->batches[i].base_offset < req->until; i++) {
		size_t len = p->batches[i].lost ? 0 : p->batches[i].len;

		if (bytes + len > limit) {
			break;
		}
		bytes += len;
		last = p->batches[i].lost ? last : i;
	}
	struct fake_pin *pin = malloc(sizeof(*pin) + bytes);

	ensure(pin);
	done.held_bytes = (uint32_t)bytes < log->hold_bytes ? log->hold_bytes : (uint32_t)bytes;
	done.held = (uint64_t)(uintptr_t)pin;
	*pin = (struct fake_pin){FAKE_PIN_MAGIC, done.held_bytes, req->partition_index};
	for (uint32_t i = first, at = 0; i <= last; i++) {
		if (!p->batches[i].lost) {
			memcpy(pin->data + at, p->bytes + p->batches[i].position, p->batches[i].len);
			at += (uint32_t)p->batches[i].len;
		}
	}
	done.data = pin->data;
	done.data_len = (uint32_t)bytes;
	done.first_offset = p->batches[first].base_offset;
	done.next_offset = p->batches[last].next_offset;
	done.pin = (uint64_t)(uintptr_t)pin;
	log->pins++;
	log->pin_bytes += done.held_bytes;
	if (log->pin_bytes > log->pin_bytes_max) {
		log->pin_bytes_max = log->pin_bytes;
	}
	return done;
}

static void
fake_log_release(struct fake_log *log, const struct extent_release *release)
{
	struct fake_pin *pin = (struct fake_pin *)(uintptr_t)release->pin;

	ensure(pin->magic == FAKE_PIN_MAGIC);
	ensure(pin->partition_index == release->partition_index);
	log->pins--;
	log->pin_bytes -= pin->bytes;
	free(pin);
}

uint32_t
fake_log_poll(struct fake_log *log)
{
	uint32_t work = 0;

	for (uint32_t s = 0; s < log->shard_count; s++) {
		struct extent_release release;
		struct read_req req;

		while (ring_take(&log->extent_release[s], &release, 1) == 1) {
			fake_log_release(log, &release);
			work++;
		}
		while (ring_free(&log->read_done[s]) > 0 &&
			ring_take(&log->read_req[s], &req, 1) == 1) {
			struct read_done done = fake_log_read(log, &req);

			ensure(ring_offer(&log->read_done[s], &done, 1) == 1);
			work++;
		}
	}
	return work;
}
