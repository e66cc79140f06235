/* SPDX-License-Identifier: Apache-2.0 */
/* Reads. See reader.h. Nothing at or above the high watermark is ever handed out. */
#include "logstore/reader.h"

#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/errcode.h"
#include "logstore/store.h"

#define COLD_BYTES_MIN (64u << 10)
#define READS_A_TURN   16

_Static_assert(EXTENT_GROW_BYTES + 2 * CHUNK_BYTES <= READ_HOLD_BYTES_MAX, "what a pin holds");

/* Pins an extent for an answer, which tells what that keeps in use. The newest one may grow
 * meanwhile. */
static void
pin_take(struct log_shard *shard, struct extent *extent, struct read_done *ret_done)
{
	bool grows = extent->partition && extent->partition->newest == extent;
	uint32_t index = shard->pin_free;
	struct shard_pin *pin = &shard->pins[index];

	shard->pin_free = pin->next_free;
	pin->extent = extent;
	pin->generation++;
	chunk_pool_pin(&shard->pool, extent);
	shard->counters.live[SHARD_pins]++;
	ret_done->pin = (uint64_t)pin->generation << 32 | index;
	ret_done->held = (uint64_t)(uintptr_t)extent;
	ret_done->held_bytes = extent_bytes(extent);
	if (grows && ret_done->held_bytes < EXTENT_GROW_BYTES) {
		ret_done->held_bytes = EXTENT_GROW_BYTES;
	}
}

static void
pin_release(struct log_shard *shard, uint64_t token)
{
	uint32_t index = (uint32_t)token;

	ensure(index < SHARD_PINS_MAX);
	struct shard_pin *pin = &shard->pins[index];

	ensure(pin->generation == (uint32_t)(token >> 32));
	ensure(pin->extent);
	chunk_pool_unpin(&shard->pool, pin->extent);
	pin->extent = NULL;
	pin->next_free = shard->pin_free;
	shard->pin_free = index;
	shard->counters.live[SHARD_pins]--;
}

static void
answer(struct log_shard *shard, const struct read_req *req, const struct read_done *done)
{
	uint32_t n = ring_offer(shard->rings[req->client].read_done, done, 1);

	ensure(n == 1);
	shard_count(shard, SHARD_reads, 1);
}

static void
answer_error(struct log_shard *shard, const struct read_req *req, int16_t error)
{
	answer(shard, req,
		&(struct read_done){.partition_index = req->partition_index,
			.first_offset = req->from,
			.next_offset = req->from,
			.token = req->token,
			.error = error});
}

/* These offsets are gone: nothing to pin, and where to go on. */
static void
answer_gap(struct log_shard *shard, const struct cold_read *read)
{
	answer(shard, &read->req,
		&(struct read_done){.partition_index = read->req.partition_index,
			.first_offset = read->next_offset,
			.next_offset = read->next_offset,
			.token = read->req.token});
}

/* The section that holds `offset`, or NULL. Newest first: readers are usually at the tail. */
static struct section *
find_section(struct partition *p, int64_t offset, struct extent **ret_extent)
{
	for (struct extent *e = p->newest; e; e = e->older) {
		for (uint32_t i = e->section_count; i > 0; i--) {
			struct section *s = &e->sections[i - 1];

			if (s->len > 0 && s->first_offset <= offset) {
				*ret_extent = e;
				return offset < s->end_offset ? s : NULL;
			}
		}
	}
	return NULL;
}

/* Whole batches of [bytes, bytes + len) from the one that holds `from`: fills in the answer. */
static void
cut_batches(const uint8_t *bytes, uint32_t len, const struct read_req *req, struct read_done *done)
{
	struct record_batch_iterator it;
	int rc;

	record_batch_iterator_init(&it, bytes, len);
	while ((rc = record_batch_iterator_next(&it)) == 1) {
		int64_t last = it.batch.base_offset + it.batch.last_offset_delta;

		if (last < req->from) {
			continue;
		}
		if (!done->data) {
			done->data = it.bytes;
			done->first_offset = it.batch.base_offset;
		} else if (it.batch.base_offset >= req->until ||
			(uint32_t)(it.next - done->data) > req->bytes_max) {
			break;
		}
		done->next_offset = last + 1;
		done->data_len = (uint32_t)(it.next - done->data);
	}
	ensure(rc >= 0);
	ensure(done->data);
}

/* The unsealed segment that holds `offset`, or NULL. */
static const struct segment *
unsealed_segment(const struct partition *p, int64_t offset)
{
	for (uint32_t i = 0; i < SEGMENTS_OPEN_MAX; i++) {
		const struct segment *s = &p->segments[i];

		if (s->state != SEGMENT_FREE && s->base <= offset && offset < s->end_offset) {
			return s;
		}
	}
	return NULL;
}

static bool
start_cold(struct log_shard *shard, struct partition *p, const struct read_req *req, uint32_t bytes)
{
	struct cold_read *read = NULL;

	for (uint32_t i = 0; i < SHARD_READS_MAX && !read; i++) {
		if (!shard->reads[i].in_use) {
			read = &shard->reads[i];
		}
	}
	/* Two blocks more: the read is block-aligned on both sides. */
	struct extent *e = read ? chunk_pool_take(&shard->pool, bytes + 2 * shard->block_bytes) : NULL;

	if (!e) {
		return false;
	}
	/* The end of an unsealed segment: its file goes on as zeros, and the keeper may not know the next. */
	const struct segment *s = unsealed_segment(p, req->from);
	int64_t limit = s && s->end_offset < req->until ? s->end_offset : req->until;

	chunk_pool_pin(&shard->pool, e);
	*read = (struct cold_read){.req = *req,
		.extent = e,
		.buffer = e->memory,
		.buffer_bytes = extent_bytes(e),
		.limit_offset = limit,
		.segment_base = s ? s->base : -1,
		.in_use = true};
	read->req.until = limit;
	log_shard_tell(shard, &(struct keeper_msg){.kind = KEEPER_READ, .partition = p, .read = read});
	shard_count(shard, SHARD_reads_cold, 1);
	return true;
}

/* False: wait and ask again next turn. */
static bool
serve(struct log_shard *shard, struct read_req *req)
{
	struct partition *p = req->partition_index < shard->store->options.partitions_max
		? shard->partitions[req->partition_index]
		: NULL;
	struct extent *e = NULL;

	if (!p || p->state == LOG_PARTITION_DELETED) {
		answer_error(shard, req, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
		return true;
	}
	if (p->state == LOG_PARTITION_OFFLINE) {
		answer_error(shard, req, KAFKA_KAFKA_STORAGE_ERROR);
		return true;
	}
	if (req->until > p->high_watermark) {
		req->until = p->high_watermark;
	}
	if (req->from < p->log_start_offset || req->from > p->high_watermark) {
		answer_error(shard, req, KAFKA_OFFSET_OUT_OF_RANGE);
		return true;
	}
	if (req->from >= req->until) {
		answer_error(shard, req, KAFKA_NONE);
		return true;
	}
	struct section *s = find_section(p, req->from, &e);

	if (!s) {
		uint32_t want = req->bytes_max < EXTENT_GROW_BYTES ? req->bytes_max : EXTENT_GROW_BYTES;

		return start_cold(shard, p, req, want < COLD_BYTES_MIN ? COLD_BYTES_MIN : want);
	}
	if (shard->pin_free == SHARD_PINS_MAX) {
		return false;
	}
	struct read_done done = {.partition_index = p->index, .token = req->token};

	cut_batches(e->memory + s->mem_off, s->len, req, &done);
	pin_take(shard, e, &done);
	answer(shard, req, &done);
	return true;
}

static uint32_t
cold_reads_of(const struct log_shard *shard, uint32_t client)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < SHARD_READS_MAX; i++) {
		count += shard->reads[i].in_use && shard->reads[i].req.client == client;
	}
	return count;
}

static uint32_t
poll_client(struct log_shard *shard, uint32_t client)
{
	struct log_client_rings *rings = &shard->rings[client];
	struct read_req *held = &shard->read_held[client];
	uint32_t served = 0;

	for (uint32_t i = 0; i < READS_A_TURN; i++) {
		if (!shard->read_is_held[client]) {
			if (ring_take(rings->read_req, held, 1) == 0) {
				break;
			}
			held->client = (uint16_t)client;
			shard->read_is_held[client] = true;
		}
		/* Cold reads answer later: keep room for them. */
		if (ring_free(rings->read_done) <= cold_reads_of(shard, client) || !serve(shard, held)) {
			break;
		}
		shard->read_is_held[client] = false;
		served++;
	}
	return served;
}

uint32_t
reader_poll(struct log_shard *shard)
{
	uint32_t work = 0;

	for (uint32_t c = 0; c < shard->store->options.client_count; c++) {
		struct log_client_rings *rings = &shard->rings[c];
		struct extent_release releases[READS_A_TURN];

		if (!rings->read_req) {
			continue;
		}
		uint32_t n = ring_take(rings->extent_release, releases, READS_A_TURN);

		for (uint32_t i = 0; i < n; i++) {
			pin_release(shard, releases[i].pin);
		}
		work += n + poll_client(shard, c);
	}
	return work;
}

void
reader_cold_done(struct log_shard *shard, struct cold_read *read)
{
	struct partition *p = shard->partitions[read->req.partition_index];
	struct extent *e = read->extent;

	if (read->want_bytes > 0) {
		struct read_req req = read->req;
		uint32_t want = read->want_bytes;

		chunk_pool_unpin(&shard->pool, e);
		chunk_pool_give(&shard->pool, e);
		read->in_use = false;
		if (!start_cold(shard, p, &req, want)) {
			/* Back-pressure of readers: let it ask again. */
			answer_error(shard, &req, KAFKA_NONE);
		}
		return;
	}
	if (read->corrupt) {
		log_shard_quarantine(shard, p);
	}
	read->in_use = false;
	if (read->error == KAFKA_NONE && read->data_len == 0) {
		answer_gap(shard, read);
		chunk_pool_unpin(&shard->pool, e);
		chunk_pool_give(&shard->pool, e);
		return;
	}
	if (read->error != KAFKA_NONE || shard->pin_free == SHARD_PINS_MAX) {
		answer_error(shard, &read->req, read->error);
		chunk_pool_unpin(&shard->pool, e);
		chunk_pool_give(&shard->pool, e);
		return;
	}
	struct read_done done = {.data = read->buffer + read->data_off,
		.data_len = read->data_len,
		.partition_index = p->index,
		.first_offset = read->first_offset,
		.next_offset = read->next_offset,
		.token = read->req.token};

	pin_take(shard, e, &done);
	chunk_pool_unpin(&shard->pool, e); /* the read's own hold; the asker's pin stays */
	answer(shard, &read->req, &done);
}
