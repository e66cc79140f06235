/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appends. See appender.h. Offset assignment, duplicate check and copy are one step of one thread;
 * nothing of a refused batch is left behind. Order of checks is that of Kafka's Produce: the CRC
 * comes before sequence refusals and duplicates, so a damaged header is always 2.
 */
#include "logstore/appender.h"

#include <string.h>
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/crc32c.h"
#include "base/ensure.h"
#include "base/errcode.h"
#include "logstore/append_room.h"
#include "logstore/checkpointer.h"
#include "logstore/commit_notes.h"
#include "logstore/roll.h"
#include "logstore/store.h"

#define PREFETCH_BYTES_MAX 2048 /* the rest of a larger batch: by the CPU itself, it sees a stream */
#define QUEUE_LOOKS_MAX 32
#define PART_DECAY	4 /* the largest part of late counts, less by this share with each */
#define ANSWERS_A_REQUEST 3 /* COPIED or STATE, and what it may leave waiting */

struct append {
	const struct append_req *req;
	struct partition *p;
	struct record_batch batch;
};

static void
answer(struct log_shard *shard, const struct append_req *req, const struct append_done *done)
{
	uint32_t n = ring_offer(shard->rings[req->client].append_done, done, 1);

	ensure(n == 1);
}

static bool
refuse(struct log_shard *shard, const struct append_req *req, int16_t error)
{
	shard_count(shard, SHARD_append_refused, 1);
	answer(shard, req,
		&(struct append_done){.kind = APPEND_REFUSED,
			.error = error,
			.partition_index = req->partition_index,
			.session_index = req->session_index,
			.sequence_last = req->base_sequence,
			.offset = -1,
			.owner = req->owner});
	return true;
}

/* What one (session, partition) is owed when everything up to `offset` is durable. */
static void
owe(struct log_shard *shard, const struct append_req *req, int32_t sequence_last, int64_t offset)
{
	struct partition *p = shard->partitions[req->partition_index];
	struct append_done done = {.kind = APPEND_DURABLE,
		.partition_index = req->partition_index,
		.session_index = req->session_index,
		.sequence_last = sequence_last,
		.offset = offset};
	struct note_list *list = NULL;

	if (offset >= p->durable_offset) {
		if (p->dirty) {
			list = &shard->open->parts[p->open_part].durable_notes;
		} else if (p->newest_part) {
			list = &p->newest_part->durable_notes;
		}
	}
	if (list) {
		note_add(&shard->notes, list, req->client, &done);
	} else {
		done.kind = offset < p->durable_offset ? APPEND_DURABLE : APPEND_FAILED;
		done.error = done.kind == APPEND_FAILED ? KAFKA_KAFKA_STORAGE_ERROR : 0;
		note_add(&shard->notes, &shard->waiting[req->client], req->client, &done);
	}
}

/* On a relaxed topic a batch's ack point comes before DURABLE. */
static void
owe_appended(struct log_shard *shard, const struct append_req *req, int32_t sequence_last,
	int64_t offset)
{
	struct partition *p = shard->partitions[req->partition_index];
	struct append_done done = {.kind = APPEND_APPENDED,
		.partition_index = req->partition_index,
		.session_index = req->session_index,
		.sequence_last = sequence_last,
		.offset = offset};
	struct note_list *list = &shard->waiting[req->client];

	if (p->config.ack_risk == 0) {
		return;
	}
	if (offset >= p->high_watermark) {
		if (p->dirty) {
			list = &shard->open->parts[p->open_part].appended_notes;
		} else if (p->newest_part) {
			list = &p->newest_part->appended_notes;
		}
	}
	note_add(&shard->notes, list, req->client, &done);
}

static bool
answer_query(struct log_shard *shard, const struct append_req *req, struct partition *p)
{
	struct producer *producer = producer_find(&shard->producers, &p->producers, req->producer_id);
	struct append_done done = {.kind = APPEND_STATE,
		.partition_index = req->partition_index,
		.session_index = req->session_index,
		.sequence_last = -1,
		.offset = -1};

	if (producer && producer->entry.epoch > req->producer_epoch) {
		done.error = KAFKA_INVALID_PRODUCER_EPOCH;
	} else if (producer && producer->entry.epoch == req->producer_epoch &&
		producer->entry.batch_count > 0) {
		const struct producer_batch *last =
			&producer->entry.batches[producer->entry.batch_count - 1];

		done.sequence_last = last->last_sequence;
		done.offset = last->last_offset;
	}
	answer(shard, req, &done);
	/* The asker may be a new session of a producer whose batches are still in flight. */
	if (done.sequence_last >= 0) {
		owe(shard, req, done.sequence_last, done.offset);
		owe_appended(shard, req, done.sequence_last, done.offset);
	}
	return true;
}

static bool
crc_is_good(const struct append_req *req, const struct record_batch *batch)
{
	return record_batch_crc(req->batch, req->batch_len) == batch->crc;
}

static bool
refuse_checked(struct log_shard *shard, const struct append *a, int16_t error)
{
	if (!crc_is_good(a->req, &a->batch)) {
		shard_count(shard, SHARD_crc_failures, 1);
		error = KAFKA_CORRUPT_MESSAGE;
	}
	return refuse(shard, a->req, error);
}

static bool
answer_duplicate(struct log_shard *shard, const struct append *a, const struct producer_batch *known)
{
	if (!crc_is_good(a->req, &a->batch)) {
		shard_count(shard, SHARD_crc_failures, 1);
		return refuse(shard, a->req, KAFKA_CORRUPT_MESSAGE);
	}
	shard_count(shard, SHARD_append_duplicates, 1);
	answer(shard, a->req,
		&(struct append_done){.kind = APPEND_COPIED,
			.flags = APPEND_DUPLICATE,
			.partition_index = a->req->partition_index,
			.session_index = a->req->session_index,
			.sequence_last = known->last_sequence,
			.offset = known->last_offset,
			.owner = a->req->owner});
	owe(shard, a->req, known->last_sequence, known->last_offset);
	owe_appended(shard, a->req, known->last_sequence, known->last_offset);
	return true;
}

/* The partition's part of the open group, made if this is its first batch there. */
static struct group_part *
open_part(struct log_shard *shard, struct partition *p)
{
	struct group *g = shard->open;

	if (p->dirty) {
		return &g->parts[p->open_part];
	}
	p->dirty = true;
	p->open_part = g->part_count++;
	struct group_part *part = &g->parts[p->open_part];
	struct segment *s = p->active;

	*part = (struct group_part){.partition = p,
		.segment = s,
		.first_extent = p->open_extent,
		.first_section = p->open_extent->section_count - 1,
		.section_count = 1,
		.start_pos = s->end_pos,
		.end_pos = s->end_pos,
		.first_offset = p->next_offset,
		.end_offset = p->next_offset,
		.max_timestamp_ms = -1,
		.durable_notes = note_list_empty(),
		.appended_notes = note_list_empty(),
		.leader_epoch = p->leader_epoch,
		.urgent = p->config.ack_risk == 0};
	if (!s->roll_noted) {
		s->roll_noted = true;
		part->guard_flags |= GUARD_ROLL;
		part->guard_aux = s->prev_end_pos;
	}
	g->urgent |= part->urgent;
	g->flush_ms = p->config.flush_ms < g->flush_ms ? p->config.flush_ms : g->flush_ms;
	chunk_pool_hold(&shard->pool, p->open_extent);
	return part;
}

void
appender_close_part(struct log_shard *shard, struct partition *p)
{
	if (!p->dirty) {
		return;
	}
	struct group_part *part = &shard->open->parts[p->open_part];
	struct segment *s = part->segment;
	struct extent *e = p->open_extent;
	uint32_t end = (uint32_t)bytes_ceil(e->used_bytes, shard->block_bytes);
	uint32_t tail_len = s->end_pos & (shard->block_bytes - 1);

	memset(e->memory + e->used_bytes, 0, end - e->used_bytes);
	part->tail = e->memory + e->used_bytes - tail_len;
	/* A closing segment's anchor must end at what is acknowledged: the committer copies then. */
	if (s->state == SEGMENT_ACTIVE) {
		memcpy(s->tail_block, part->tail, tail_len);
	}
	e->used_bytes = end;
	part->end_pos = s->end_pos;
	part->end_offset = p->next_offset;
	s->closed_pos = s->end_pos;
	range_crc_append(&s->closed_crc, part->crc.crc, part->crc.len);
	uint32_t part_bytes = part->end_pos - part->start_pos;

	p->part_bytes -= p->part_bytes / PART_DECAY;
	p->part_bytes = p->part_bytes > part_bytes ? p->part_bytes : part_bytes;
	p->dirty = false;
	p->open_section = NULL;
	p->open_extent = NULL;
	p->parts_in_flight++;
	p->newest_part = part;
	part->checkpoint = checkpointer_capture(shard, p, part->segment);
}

/* LogAppendTime: attribute bit, maxTimestamp and with them the CRC, without a second pass. */
static void
stamp_append_time(struct append *a, uint8_t *bytes, int64_t now_ms)
{
	uint32_t len = a->req->batch_len;
	uint32_t head = RECORD_BATCH_HEADER_BYTES - RECORD_BATCH_CRC_FROM;
	uint32_t rest = len - RECORD_BATCH_HEADER_BYTES;
	uint32_t old = crc32c_update(0, bytes + RECORD_BATCH_CRC_FROM, head);
	uint32_t payload = crc32c_without_prefix(a->batch.crc, old, rest);

	a->batch.attributes |= RECORD_BATCH_LOG_APPEND_TIME;
	a->batch.max_timestamp_ms = now_ms;
	store_be16(bytes + 21, a->batch.attributes);
	store_be64(bytes + 35, (uint64_t)now_ms);
	uint32_t fresh = crc32c_update(0, bytes + RECORD_BATCH_CRC_FROM, head);

	a->batch.crc = crc32c_combine(fresh, payload, rest);
	store_be32(bytes + 17, a->batch.crc);
}

/* Index entries of a batch go to the current page; a full one goes to the keeper. */
static void
note_index(struct log_shard *shard, struct partition *p, const struct record_batch *batch,
	uint32_t len)
{
	struct segment *s = p->active;
	struct segment_index_step step = segment_index_append(&s->index,
		&(struct segment_index_batch){.last_offset = batch->base_offset + batch->last_offset_delta,
			.max_timestamp_ms = batch->max_timestamp_ms,
			.position = s->end_pos,
			.bytes = len});
	struct index_page *page = &p->pages[p->page_at];

	ensure(!page->away);
	if (step.has_entry) {
		segment_index_encode(&step.entry,
			page->entries + page->entry_count++ * SEGMENT_INDEX_ENTRY_BYTES);
	}
	if (step.has_time_entry) {
		segment_index_encode_time(&step.time_entry,
			page->time_entries + page->time_entry_count++ * SEGMENT_INDEX_TIME_ENTRY_BYTES);
	}
	if (page->entry_count == INDEX_PAGE_ENTRIES || page->time_entry_count == INDEX_PAGE_ENTRIES) {
		checkpointer_page_away(shard, p, s);
	}
}

/* The batch lies at `bytes`, verified: everything that follows from its being in the log. */
static void
note_appended(struct log_shard *shard, struct append *a, uint8_t *bytes)
{
	struct partition *p = a->p;
	struct segment *s = p->active;
	uint32_t len = a->req->batch_len;
	struct group_part *part = open_part(shard, p);

	record_batch_stamp(bytes, p->next_offset, p->leader_epoch);
	a->batch.base_offset = p->next_offset;
	int64_t last = p->next_offset + a->batch.last_offset_delta;
	uint32_t crc = range_crc_of_batch(bytes, len);

	note_index(shard, p, &a->batch, len);
	seal_runs_add(&s->runs, crc, len, (uint32_t)(last + 1 - s->base));
	range_crc_append(&part->crc, crc, len);
	part->batch_count++;
	part->record_count += (uint32_t)a->batch.record_count;
	if (a->batch.max_timestamp_ms > part->max_timestamp_ms) {
		part->max_timestamp_ms = a->batch.max_timestamp_ms;
	}
	s->batch_count++;
	s->record_count += (uint32_t)a->batch.record_count;
	if (!s->has_first_timestamp) {
		s->has_first_timestamp = true;
		s->first_timestamp_ms = a->batch.max_timestamp_ms;
	}
	s->end_pos += len;
	s->end_offset = last + 1;
	roll_appended(shard, p);
	p->open_extent->used_bytes += len;
	p->open_section->len += len;
	p->open_section->end_offset = last + 1;
	p->next_offset = last + 1;
	p->size_bytes += len;
	if (a->batch.producer_id >= 0) {
		producer_note(&shard->producers, &p->producers, &a->batch, last, shard->now_ns);
	}
	shard->open->payload_bytes += len;
	shard_count(shard, SHARD_append_batches, 1);
	shard_count(shard, SHARD_append_records, (uint64_t)a->batch.record_count);
	shard_count(shard, SHARD_append_bytes, len);
	atomic_store_explicit(&p->status.log_end_offset, p->next_offset, memory_order_relaxed);
}

/* Copy and CRC in one pass. False: the CRC is wrong, nothing was appended. */
static bool
copy_batch(struct log_shard *shard, struct append *a, uint8_t *bytes)
{
	const struct append_req *req = a->req;

	memcpy(bytes, req->batch, RECORD_BATCH_CRC_FROM);
	uint32_t crc = crc32c_copy(0, bytes + RECORD_BATCH_CRC_FROM, req->batch + RECORD_BATCH_CRC_FROM,
		req->batch_len - RECORD_BATCH_CRC_FROM);

	if (crc != a->batch.crc) {
		if (!a->p->dirty) {
			append_room_cancel(a->p);
		}
		shard_count(shard, SHARD_crc_failures, 1);
		return false;
	}
	if (a->p->config.log_append_time) {
		uint64_t wall_ns = req->rx_time_ns + (uint64_t)shard->wall_minus_mono_ns;

		stamp_append_time(a, bytes, (int64_t)(wall_ns / NS_PER_MS));
	}
	return true;
}

/* Whether the open group takes a batch of that length now; opens one if need be. */
static bool
group_has_room(struct log_shard *shard, uint32_t len)
{
	if (!shard->open) {
		for (uint32_t i = 0; i < GROUPS_MAX && !shard->open; i++) {
			if (shard->groups[i].state == GROUP_FREE) {
				shard->open = &shard->groups[i];
			}
		}
		if (!shard->open) {
			return false;
		}
		struct group *g = shard->open;

		group_set_state(g, GROUP_OPEN);
		g->kind = GUARD_GROUP;
		g->part_count = 0;
		g->payload_bytes = 0;
		g->urgent = false;
		g->flush_ms = UINT32_MAX;
		g->opened_ns = shard->now_ns;
	}
	/* A roll needs a second part. */
	if (shard->open->part_count + 2 > shard->parts_max) {
		return false;
	}
	return shard->open->payload_bytes == 0 ||
		shard->open->payload_bytes + len <= shard->store->options.group_max_bytes;
}

/* Verdicts that need no room. Returns 0 to go on, else the request is answered. */
static bool
judge(struct log_shard *shard, struct append *a)
{
	struct partition *p = a->p;
	struct record_batch *b = &a->batch;
	uint32_t len = a->req->batch_len;
	uint64_t segment_max = p->config.segment_bytes < shard->store->segment_alloc_bytes
		? p->config.segment_bytes
		: shard->store->segment_alloc_bytes;

	int16_t error = record_batch_validate(a->req->batch, len, b);

	if (error == KAFKA_CORRUPT_MESSAGE) {
		shard_count(shard, SHARD_crc_failures, 1);
		return refuse(shard, a->req, KAFKA_CORRUPT_MESSAGE);
	}
	if (len > p->config.max_message_bytes) {
		return refuse(shard, a->req, KAFKA_MESSAGE_TOO_LARGE);
	}
	if (error != 0 || (a->req->flags & APPEND_HELD)) {
		return refuse_checked(shard, a, error != 0 ? error : KAFKA_INVALID_RECORD);
	}
	if (len > segment_max) {
		return refuse_checked(shard, a, KAFKA_RECORD_LIST_TOO_LARGE);
	}
	if (b->producer_id < 0) {
		return false;
	}
	const struct producer_batch *known = NULL;
	struct producer *producer = producer_find(&shard->producers, &p->producers, b->producer_id);

	if (!producer && b->base_sequence != 0 && (a->req->flags & APPEND_FROM_ZERO)) {
		return refuse_checked(shard, a, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	}
	switch (producer_check(producer, b, &known)) {
	case PRODUCER_ACCEPT:
		return false;
	case PRODUCER_DUPLICATE:
		return answer_duplicate(shard, a, known);
	case PRODUCER_EPOCH_OLD:
		return refuse_checked(shard, a, KAFKA_INVALID_PRODUCER_EPOCH);
	case PRODUCER_OUT_OF_ORDER:
	default:
		return refuse_checked(shard, a, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	}
}

static void
answer_copied(struct log_shard *shard, const struct append *a)
{
	struct partition *p = a->p;
	int32_t sequence = a->batch.producer_id >= 0 ? record_batch_last_sequence(&a->batch) : -1;
	int64_t last = p->next_offset - 1;

	answer(shard, a->req,
		&(struct append_done){.kind = APPEND_COPIED,
			.partition_index = a->req->partition_index,
			.session_index = a->req->session_index,
			.sequence_last = sequence,
			.offset = last,
			.owner = a->req->owner});
	owe(shard, a->req, sequence, last);
	if (p->config.ack_risk == 2) {
		p->high_watermark = p->next_offset;
		atomic_store_explicit(&p->status.high_watermark, p->high_watermark,
			memory_order_relaxed);
		p->max_timestamp_ms = -1;
		commit_notes_add(shard, p, a->req->batch_len, (uint32_t)a->batch.record_count,
			a->batch.max_timestamp_ms);
		partition_publish(p);
	}
	owe_appended(shard, a->req, sequence, last);
}

static struct partition *
partition_of(const struct log_shard *shard, const struct append_req *req)
{
	return req->partition_index < shard->store->options.partitions_max
		? shard->partitions[req->partition_index]
		: NULL;
}

/* Answers what needs no room. False: go on. */
static bool
answer_at_once(struct log_shard *shard, struct append *a)
{
	const struct append_req *req = a->req;

	if (!a->p || a->p->state == LOG_PARTITION_DELETED || a->p->state == LOG_PARTITION_ABSENT) {
		return refuse(shard, req, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	}
	if (req->flags & APPEND_QUERY) {
		return answer_query(shard, req, a->p);
	}
	/* Internal topics go on when the disk is full: without their records nothing can be deleted. */
	if (a->p->state != LOG_PARTITION_SERVING || store_failed(shard->store) ||
		(!a->p->internal && log_room_disk_full(&shard->store->room))) {
		return refuse(shard, req, KAFKA_KAFKA_STORAGE_ERROR);
	}
	return judge(shard, a);
}

/* A partition that has had its share of the open group makes way for requests nobody has looked at
 * yet. */
static bool
has_had_its_share(struct log_shard *shard, const struct partition *p)
{
	if (!p || !p->dirty ||
		p->active->end_pos - shard->open->parts[p->open_part].start_pos <
			shard->part_bytes_now) {
		return false;
	}
	shard->part_limit_met = true;
	return true;
}

enum append_step {
	STEP_ANSWERED,
	/* Nothing has changed that asking again would not find. */
	STEP_SHARD_WAITS,     /* memory, the group or notes are short: nobody can go on */
	STEP_PARTITION_WAITS, /* it has no segment, no index page, or its share; others may go on */
	STEP_NO_ANSWER_ROOM,  /* the client's done ring is full */
};

static enum append_step
append_one(struct log_shard *shard, const struct append_req *req)
{
	struct append a = {.req = req, .p = partition_of(shard, req)};

	if (ring_free(shard->rings[req->client].append_done) == 0) {
		return STEP_NO_ANSWER_ROOM;
	}
	if (has_had_its_share(shard, a.p)) {
		return STEP_PARTITION_WAITS;
	}
	if (shard->notes.free_count < ANSWERS_A_REQUEST) {
		return STEP_SHARD_WAITS;
	}
	if (answer_at_once(shard, &a)) {
		return STEP_ANSWERED;
	}
	if (!group_has_room(shard, req->batch_len)) {
		return STEP_SHARD_WAITS;
	}
	/* Room for index entries is asked for again after a roll: it hands a page to the keeper. */
	if (!checkpointer_has_room(shard, a.p) ||
		!roll_prepare(shard, a.p, &a.batch, req->batch_len) ||
		!checkpointer_has_room(shard, a.p)) {
		return STEP_PARTITION_WAITS;
	}
	uint8_t *bytes = append_room(shard, a.p, req->batch_len);

	if (!bytes) {
		shard_count(shard, SHARD_pool_waits, 1);
		return STEP_SHARD_WAITS;
	}
	if (!copy_batch(shard, &a, bytes)) {
		(void)refuse(shard, req, KAFKA_CORRUPT_MESSAGE);
		return STEP_ANSWERED;
	}
	note_appended(shard, &a, bytes);
	answer_copied(shard, &a);
	return STEP_ANSWERED;
}

/*
 * Requests of waiting partitions, before those that came after them. A partition that still cannot go on
 * makes way for the next; a turn asks at most QUEUE_LOOKS_MAX times in vain.
 */
static uint32_t
poll_queue(struct log_shard *shard)
{
	struct append_queue *queue = &shard->appends;
	uint32_t looks = 0, done = 0;

	while (queue->first && looks < QUEUE_LOOKS_MAX) {
		enum append_step step = append_one(shard, append_queue_first(queue));

		if (step == STEP_ANSWERED) {
			append_queue_pop(queue);
			done++;
		} else if (step == STEP_SHARD_WAITS) {
			break;
		} else {
			append_queue_rotate(queue);
			looks++;
		}
	}
	return done;
}

/* An order of its own for each partition: what waits there lets nothing of it pass. */
static bool
append_or_queue(struct log_shard *shard, const struct append_req *req)
{
	struct partition *p = partition_of(shard, req);
	bool waits = p && p->append_first != APPEND_QUEUE_NONE;
	enum append_step step = waits ? STEP_PARTITION_WAITS : append_one(shard, req);

	return step == STEP_ANSWERED ||
		(step == STEP_PARTITION_WAITS && append_queue_add(&shard->appends, p, req));
}

/*
 * Where a request will be copied to, most likely, is memory that no cache holds: asked for one batch
 * ahead, so that neither the copy nor the CRC behind it waits for it line by line.
 */
static void
prefetch_target(const struct log_shard *shard, const struct append_req *req)
{
	const struct partition *p = partition_of(shard, req);
	const struct extent *e = p ? p->newest : NULL;
	uint32_t len = req->batch_len < PREFETCH_BYTES_MAX ? req->batch_len : PREFETCH_BYTES_MAX;

	if (!e || e->used_bytes + len > extent_bytes(e)) {
		return;
	}
	for (uint32_t i = 0; i < len; i += CACHE_LINE_BYTES) {
		__builtin_prefetch(e->memory + e->used_bytes + i, 1);
	}
}

static uint32_t
poll_client(struct log_shard *shard, uint32_t client)
{
	struct shard_inbox *inbox = &shard->inbox[client];
	struct log_client_rings *rings = &shard->rings[client];
	uint32_t done = 0;

	if (inbox->at == inbox->count) {
		inbox->at = 0;
		inbox->count = ring_take(rings->append_req, inbox->reqs, SHARD_INBOX);
		for (uint32_t i = 0; i < inbox->count; i++) {
			inbox->reqs[i].client = (uint16_t)client;
		}
	}
	while (inbox->at < inbox->count) {
		if (inbox->at + 1 < inbox->count) {
			prefetch_target(shard, &inbox->reqs[inbox->at + 1]);
		}
		if (!append_or_queue(shard, &inbox->reqs[inbox->at])) {
			break;
		}
		inbox->at++;
		done++;
	}
	return done;
}

/* All requests there are were looked at, as far as their clients can be answered. */
static bool
nobody_is_behind(const struct log_shard *shard)
{
	for (uint32_t c = 0; c < shard->store->options.client_count; c++) {
		const struct log_client_rings *rings = &shard->rings[c];

		if (rings->append_req && ring_free(rings->append_done) > 0 &&
			(shard->inbox[c].at < shard->inbox[c].count ||
				ring_used(rings->append_req) > 0)) {
			return false;
		}
	}
	return true;
}

/*
 * Partitions that had their share get another one, each in turn, while the group has room and
 * nobody waits behind them. A full queue: the rest of their requests stand before those of others.
 */
static uint32_t
poll_shares(struct log_shard *shard)
{
	uint32_t done = 0;

	if (!append_queue_is_full(&shard->appends) && !nobody_is_behind(shard)) {
		return 0;
	}
	while (shard->part_limit_met &&
		shard->part_bytes_now < shard->store->options.group_max_bytes) {
		shard->part_bytes_now += shard->part_bytes_max;
		shard->part_limit_met = false;
		done += poll_queue(shard);
	}
	return done;
}

uint32_t
appender_poll(struct log_shard *shard)
{
	uint32_t client_count = shard->store->options.client_count;
	uint32_t done = 0;

	if (shard->stopping) {
		return 0;
	}
	shard->part_bytes_now = shard->part_bytes_max;
	shard->part_limit_met = false;
	if (shard->appends.count > 0) {
		done += poll_queue(shard);
	}
	for (uint32_t i = 0; i < client_count; i++) {
		uint32_t client = (shard->next_client + i) % client_count;

		if (shard->rings[client].append_req) {
			done += poll_client(shard, client);
		}
	}
	shard->next_client = (shard->next_client + 1) % client_count;
	if (shard->part_limit_met) {
		done += poll_shares(shard);
	}
	return done;
}

/* Tells who judges DURABLE notes of this one. */
static void
deliver_told(struct log_shard *shard, const struct append_done *done)
{
	const struct log_options *o = &shard->store->options;
	const struct partition *p = shard->partitions[done->partition_index];

	if (o->durable && done->kind == APPEND_DURABLE && p) {
		o->durable(o->durable_user_data, shard->index, p->topic_id, p->partition, done->offset);
	}
}

uint32_t
appender_deliver(struct log_shard *shard)
{
	uint32_t delivered = 0;

	for (uint32_t c = 0; c < shard->store->options.client_count; c++) {
		struct note_list *list = &shard->waiting[c];

		while (list->first != NOTE_NONE &&
			ring_offer(shard->rings[c].append_done, &shard->notes.notes[list->first].done, 1) ==
				1) {
			deliver_told(shard, &shard->notes.notes[list->first].done);
			note_free(&shard->notes, note_list_pop(&shard->notes, list));
			delivered++;
		}
	}
	return delivered;
}
