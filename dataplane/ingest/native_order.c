/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stream's sequences (docs/protocols/native.md): in order -> to the log; ahead -> parked; seen ->
 * discarded; refused -> rewound. A batch is judged (header, route, size, time) only when its turn
 * comes, so that the S of a refusal is the sequence of the batch that caused it. The log repeats
 * the sequence check and is the authority; what is decided here only keeps order and saves it work.
 *
 * Accounting: a batch that is taken enters `data` and `hold` together and leaves `hold` for exactly
 * one of stored, refused, sequence_duplicate, discarded_rewind, discarded_close (ledger E5, E6).
 */
#include "base/ensure.h"
#include "ingest/lane.h"

static uint32_t
order_records(const struct record_batch *header)
{
	return header->record_count > 0 ? (uint32_t)header->record_count : 0;
}

static int32_t
order_last_sequence(const struct record_batch *header)
{
	return header->last_offset_delta < 0 ? header->base_sequence
					     : record_batch_last_sequence(header);
}

static struct native_session *
order_session(const struct lane *lane, const struct native_stream *stream)
{
	return &lane->sessions.sessions[stream->session_index];
}

/* What a triple of counters is called in a partition's own account. */
static enum lane_fate
order_fate(enum lane_counter counter)
{
	switch (counter) {
	case LANE_data: return LANE_FATE_CAME;
	case LANE_stored: return LANE_FATE_STORED;
	case LANE_refused: return LANE_FATE_REFUSED;
	case LANE_sequence_duplicate: return LANE_FATE_DUPLICATE;
	case LANE_discarded_rewind: return LANE_FATE_REWOUND;
	case LANE_discarded_close: return LANE_FATE_CLOSED;
	default: break;
	}
	ensure(counter == LANE_hold);
	return LANE_FATE_HELD;
}

/* In the account of the partition that a handle names, if there is one. */
static void
order_count_partition(struct lane *lane, uint32_t handle, enum lane_fate fate, int64_t records)
{
	_Atomic uint64_t *count;

	if (handle == 0 || handle > lane->options.routes->partitions_max) {
		return;
	}
	count = &lane->partitions[handle - 1].records[fate];
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + (uint64_t)records,
		memory_order_relaxed);
}

/* Adds 1, records and bytes to a triple of counters, and the records to the partition's. */
static void
order_count(struct lane *lane, uint32_t handle, enum lane_counter counter, uint32_t records, uint32_t bytes)
{
	lane->counters[counter]++;
	lane->counters[counter + 1] += records;
	lane->counters[counter + 2] += bytes;
	order_count_partition(lane, handle, order_fate(counter), records);
}
_Static_assert(LANE_data_bytes == LANE_data + 2, "triples in order");
_Static_assert(LANE_stored_bytes == LANE_stored + 2, "triples in order");
_Static_assert(LANE_refused_bytes == LANE_refused + 2, "triples in order");
_Static_assert(LANE_sequence_duplicate_bytes == LANE_sequence_duplicate + 2, "triples in order");
_Static_assert(LANE_discarded_rewind_bytes == LANE_discarded_rewind + 2, "triples in order");
_Static_assert(LANE_discarded_close_bytes == LANE_discarded_close + 2, "triples in order");
_Static_assert(LANE_hold_bytes == LANE_hold + 2, "triples in order");

void
native_batch_leave(struct lane *lane, struct batch *batch, enum lane_counter reason)
{
	struct native_session *session = &lane->sessions.sessions[batch->session_index];
	uint32_t handle = native_stream_at(&lane->streams, batch->stream_index)->stream;

	ensure(batch->nic_owner != 0);
	order_count(lane, handle, reason, batch->records, batch->len);
	order_count_partition(lane, handle, LANE_FATE_HELD, -(int64_t)batch->records);
	lane->counters[LANE_hold]--;
	lane->counters[LANE_hold_records] -= batch->records;
	lane->counters[LANE_hold_bytes] -= batch->len;
	lane->counters[LANE_owners_held]--;
	lane_out_release(lane, batch->nic_owner);
	batch->nic_owner = 0;
	session->held_count--;
}

/* A batch that is answered on the spot and never held. */
void
native_batch_pass(struct lane *lane, struct native_session *session,
	const struct native_batch *batch, enum lane_counter reason)
{
	uint32_t records = order_records(batch->header);
	uint32_t bytes = batch->datagram->frame.body_len;
	uint32_t handle = batch->datagram->frame.stream;

	order_count(lane, handle, LANE_data, records, bytes);
	order_count(lane, handle, reason, records, bytes);
	session->records += records;
}

/* Takes a batch over from its datagram. BATCH_NONE: no room or no credit; counted. */
static uint32_t
order_take(struct lane *lane, struct native_stream *stream, const struct native_batch *batch,
	enum batch_state state)
{
	struct native_session *session = order_session(lane, stream);
	const struct datagram *datagram = batch->datagram;
	bool parks = state == BATCH_PARKED;

	if (lane->batches.free_count == 0 || (parks && stream->parked_count >= STREAM_PARKED_MAX) ||
		(parks && lane->parked_count >= lane->parked_max)) {
		lane->counters[LANE_park_full]++;
		return BATCH_NONE;
	}
	if (!admission_allows(lane, session, datagram->frame.body_len) ||
		stream->in_log_count == UINT16_MAX) {
		lane->counters[LANE_credit_exceeded]++;
		session->credit.exceeded_count++;
		return BATCH_NONE;
	}
	uint32_t index = batch_table_take(&lane->batches, state);
	struct batch *entry = batch_at(&lane->batches, index);

	entry->bytes = datagram->frame.body;
	entry->nic_owner = datagram->owner;
	entry->rx_time_ns = datagram->rx_time_ns;
	entry->len = datagram->frame.body_len;
	entry->records = order_records(batch->header);
	entry->crc = batch->header->crc;
	entry->base_sequence = batch->header->base_sequence;
	entry->last_sequence = order_last_sequence(batch->header);
	entry->session_index = stream->session_index;
	entry->stream_index = (uint32_t)(stream - lane->streams.slots);
	entry->generation = stream->generation;
	order_count(lane, stream->stream, LANE_data, entry->records, entry->len);
	order_count(lane, stream->stream, LANE_hold, entry->records, entry->len);
	lane->counters[LANE_owners_held]++;
	session->held_count++;
	session->records += entry->records;
	admission_charge(lane, session, entry->len);
	return index;
}

/* The next in order goes to its shard. */
static void
order_accept(struct lane *lane, struct native_stream *stream, uint32_t index)
{
	struct batch *entry = batch_at(&lane->batches, index);

	entry->generation = stream->generation;
	stream->received_seq = entry->last_sequence;
	stream->flags &= (uint8_t)~STREAM_REWOUND;
	stream->error = 0;
	stream->in_log_count++;
	route_append(lane, index);
	ack_stream(lane, stream, false);
}

/* Credit for a charged batch that was never copied. */
static void
order_resolve(struct lane *lane, const struct batch *batch)
{
	struct native_session *session = &lane->sessions.sessions[batch->session_index];

	admission_resolve_pkts(session, 1);
	admission_resolve_bytes(session, batch->len);
}

/* Ends a parked entry that is out of its list already. */
static void
order_drop_parked(
	struct lane *lane, struct native_stream *stream, uint32_t index, enum lane_counter reason)
{
	struct batch *entry = batch_at(&lane->batches, index);

	order_resolve(lane, entry);
	native_batch_leave(lane, entry, reason);
	batch_table_give(&lane->batches, index);
	stream->parked_count--;
	lane->parked_count--;
}

void
native_order_discard(struct lane *lane, struct native_stream *stream, enum lane_counter reason)
{
	uint32_t index;

	while ((index = batch_list_take_first(&lane->batches, &stream->parked_last)) !=
		BATCH_NONE) {
		order_drop_parked(lane, stream, index, reason);
	}
	ensure(stream->parked_count == 0);
}

void
native_order_refuse(
	struct lane *lane, struct native_stream *stream, int16_t error, int32_t error_seq)
{
	stream->error = error;
	if (error_seq >= 0) {
		native_order_discard(lane, stream, LANE_discarded_rewind);
		stream->received_seq = error_seq == 0 && stream->copied_seq < 0
					       ? -1
					       : sequence_previous(error_seq);
		stream->flags |= STREAM_REWOUND;
	}
	ack_stream(lane, stream, true);
}

/* Refuses a batch that was not taken. The client has charged it, or may have. */
static bool
order_refuse_new(struct lane *lane, struct native_stream *stream, const struct native_batch *batch,
	int16_t error)
{
	struct native_session *session = order_session(lane, stream);

	native_batch_pass(lane, session, batch, LANE_refused);
	refusal_count(lane, error, REFUSAL_BY_LANE, 1);
	admission_resolve_uncharged(session, batch->datagram->frame.body_len);
	ack_stream(lane, stream, true);
	return true;
}

/* Last sequence at or below received_seq. */
static bool
order_seen(const struct native_stream *stream, int32_t last_sequence)
{
	return sequence_covers(stream->received_seq, last_sequence);
}

/*
 * STATE told only that this batch is in the log: it goes there once more, the answer is COPIED as a
 * duplicate and then DURABLE, which this session waits for. Once anything newer is on its way that
 * proves it as well; and the log, which remembers five batches, might no longer know this one.
 */
static bool
order_proves(const struct native_stream *stream, int32_t last_sequence)
{
	return stream->flags & STREAM_UNPROVEN && last_sequence == stream->restored_seq &&
	       stream->received_seq == stream->restored_seq;
}

static void
order_prove(struct lane *lane, struct native_stream *stream, uint32_t index)
{
	struct batch *entry = batch_at(&lane->batches, index);

	entry->flags |= BATCH_PROOF;
	entry->generation = stream->generation;
	stream->flags &= (uint8_t)~STREAM_UNPROVEN;
	stream->in_log_count++;
	route_append(lane, index);
}

/* A batch seen before. */
static bool
order_duplicate(struct lane *lane, struct native_stream *stream, const struct native_batch *batch,
	bool *ret_kept)
{
	struct native_session *session = order_session(lane, stream);
	int32_t last = order_last_sequence(batch->header);

	if (batch->error == 0 && order_proves(stream, last)) {
		uint32_t index = order_take(lane, stream, batch, BATCH_PENDING);

		if (index == BATCH_NONE) {
			return false;
		}
		*ret_kept = true;
		order_prove(lane, stream, index);
		return true;
	}
	native_batch_pass(lane, session, batch, LANE_sequence_duplicate);
	if (sequence_covers(stream->restored_seq, last)) {
		admission_resolve_uncharged(session, batch->datagram->frame.body_len);
	}
	ack_stream(lane, stream, true);
	return true;
}

/* Where a batch belongs among the parked: after *ret_previous. True if one with its base is there.
 */
static bool
order_park_place(const struct lane *lane, const struct native_stream *stream, int32_t base_sequence,
	uint32_t *ret_previous)
{
	uint32_t last = stream->parked_last;

	*ret_previous = last;
	if (last == BATCH_NONE) {
		return false;
	}
	if (sequence_covers(base_sequence, batch_at(&lane->batches, last)->base_sequence)) {
		return batch_at(&lane->batches, last)->base_sequence == base_sequence;
	}
	uint32_t previous = BATCH_NONE;
	uint32_t index = batch_list_first(&lane->batches, last);

	for (uint32_t i = 0; i < stream->parked_count; i++) {
		int32_t base = batch_at(&lane->batches, index)->base_sequence;

		if (base == base_sequence) {
			return true;
		}
		if (!sequence_covers(base_sequence, base)) {
			break;
		}
		previous = index;
		index = batch_at(&lane->batches, index)->next;
	}
	*ret_previous = previous;
	return false;
}

/*
 * Too far ahead to be parked. While the log is asked nothing is known but the parked themselves:
 * then they must lie near each other.
 */
static bool
order_far(const struct lane *lane, const struct native_stream *stream, int32_t base_sequence)
{
	uint32_t first = batch_list_first(&lane->batches, stream->parked_last);

	if (stream->state == STREAM_OPEN) {
		return sequence_ahead(base_sequence, sequence_next(stream->received_seq)) >=
		       STREAM_AHEAD_MAX;
	}
	if (first == BATCH_NONE) {
		return false;
	}
	int32_t base = batch_at(&lane->batches, first)->base_sequence;

	return sequence_ahead(base_sequence, base) >= STREAM_AHEAD_MAX &&
	       sequence_ahead(base, base_sequence) >= STREAM_AHEAD_MAX;
}

static bool
order_park(struct lane *lane, struct native_stream *stream, const struct native_batch *batch,
	bool *ret_kept)
{
	int32_t base = batch->header->base_sequence;
	uint32_t previous, index;

	if (order_far(lane, stream, base)) {
		lane->counters[LANE_seq_window]++;
		return false;
	}
	if (order_park_place(lane, stream, base, &previous)) {
		native_batch_pass(
			lane, order_session(lane, stream), batch, LANE_sequence_duplicate);
		return true;
	}
	index = order_take(lane, stream, batch, BATCH_PARKED);
	if (index == BATCH_NONE) {
		return false;
	}
	*ret_kept = true;
	batch_list_insert(&lane->batches, &stream->parked_last, previous, index);
	stream->parked_count++;
	lane->parked_count++;
	return true;
}

/* 0, or the Kafka code that a batch is refused with now that its turn has come. */
static int16_t
order_judge(struct lane *lane, const struct native_stream *stream,
	const struct record_batch *header, const uint8_t *bytes, uint32_t len)
{
	/* What ACCEPT told this session; the topic may allow less. */
	if (len > native_session_batch_max(order_session(lane, stream))) {
		return KAFKA_MESSAGE_TOO_LARGE;
	}
	return route_judge(lane, stream->stream, header, bytes, len);
}

/* The batch whose turn it is. */
static bool
order_next(struct lane *lane, struct native_stream *stream, const struct native_batch *batch,
	bool *ret_kept)
{
	const struct frame *frame = &batch->datagram->frame;
	int16_t error = batch->error != 0 ? batch->error
					  : order_judge(lane, stream, batch->header, frame->body,
						    frame->body_len);
	uint32_t index;

	if (error != 0) {
		native_order_refuse(lane, stream, error, batch->header->base_sequence);
		return order_refuse_new(lane, stream, batch, error);
	}
	index = order_take(lane, stream, batch, BATCH_PENDING);
	if (index == BATCH_NONE) {
		return false;
	}
	*ret_kept = true;
	order_accept(lane, stream, index);
	native_order_advance(lane, stream);
	return true;
}

bool
native_order_input(struct lane *lane, struct native_stream *stream,
	const struct native_batch *batch, bool *ret_kept)
{
	const struct native_session *session = order_session(lane, stream);
	const struct record_batch *header = batch->header;
	int32_t next = sequence_next(stream->received_seq);
	int32_t at = stream->state == STREAM_OPEN ? next : -1;

	if (batch->error == KAFKA_CORRUPT_MESSAGE || header->base_sequence < 0) {
		native_order_refuse(lane, stream, batch->error, -1);
		return order_refuse_new(lane, stream, batch, batch->error);
	}
	if (header->producer_id != session->producer_id ||
		header->producer_epoch != session->producer_epoch) {
		native_order_refuse(lane, stream, KAFKA_INVALID_PRODUCER_EPOCH, at);
		return order_refuse_new(lane, stream, batch, KAFKA_INVALID_PRODUCER_EPOCH);
	}
	if (stream->state == STREAM_QUERYING) {
		return order_park(lane, stream, batch, ret_kept);
	}
	if (order_seen(stream, order_last_sequence(header))) {
		return order_duplicate(lane, stream, batch, ret_kept);
	}
	if (header->base_sequence == next) {
		return order_next(lane, stream, batch, ret_kept);
	}
	if (stream->flags & STREAM_REWOUND) {
		return order_refuse_new(lane, stream, batch, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	}
	if (sequence_covers(stream->received_seq, header->base_sequence)) {
		native_order_refuse(lane, stream, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER, next);
		return order_refuse_new(lane, stream, batch, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	}
	return order_park(lane, stream, batch, ret_kept);
}

/* What becomes of the first parked batch: 0 take it, < 0 wait, else the Kafka code to refuse it. */
static int16_t
order_judge_parked(struct lane *lane, const struct native_stream *stream, const struct batch *entry)
{
	int32_t next = sequence_next(stream->received_seq);
	uint32_t ahead = sequence_ahead(entry->base_sequence, next);
	struct record_batch header;
	int16_t error;

	if (ahead > 0) {
		return ahead < STREAM_AHEAD_MAX ? -1 : KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
	}
	error = record_batch_validate(entry->bytes, entry->len, &header);
	return error != 0 ? error : order_judge(lane, stream, &header, entry->bytes, entry->len);
}

void
native_order_settle(struct lane *lane, struct native_stream *stream)
{
	if (stream->state == STREAM_OPEN &&
		order_session(lane, stream)->state == SESSION_DRAINING) {
		native_order_discard(lane, stream, LANE_discarded_close);
	}
}

void
native_order_advance(struct lane *lane, struct native_stream *stream)
{
	struct record_batch header;
	uint32_t index;

	while ((index = batch_list_first(&lane->batches, stream->parked_last)) != BATCH_NONE) {
		struct batch *entry = batch_at(&lane->batches, index);

		if (order_proves(stream, entry->last_sequence) &&
			record_batch_validate(entry->bytes, entry->len, &header) == 0) {
			(void)batch_list_take_first(&lane->batches, &stream->parked_last);
			batch_set_state(entry, BATCH_PENDING);
			stream->parked_count--;
			lane->parked_count--;
			order_prove(lane, stream, index);
			continue;
		}
		if (order_seen(stream, entry->last_sequence)) {
			(void)batch_list_take_first(&lane->batches, &stream->parked_last);
			order_drop_parked(lane, stream, index, LANE_sequence_duplicate);
			ack_stream(lane, stream, true);
			continue;
		}
		int16_t error = order_judge_parked(lane, stream, entry);

		if (error < 0) {
			break;
		}
		(void)batch_list_take_first(&lane->batches, &stream->parked_last);
		if (error > 0) {
			order_drop_parked(lane, stream, index, LANE_refused);
			refusal_count(lane, error, REFUSAL_BY_LANE, 1);
			native_order_refuse(
				lane, stream, error, sequence_next(stream->received_seq));
			break;
		}
		batch_set_state(entry, BATCH_PENDING);
		stream->parked_count--;
		lane->parked_count--;
		order_accept(lane, stream, index);
	}
	native_order_settle(lane, stream);
}
