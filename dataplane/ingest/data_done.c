/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's answers: COPIED gives the rx buffer back, DURABLE (APPENDED on relaxed topics) moves
 * the number that producers wait for, REFUSED rewinds, FAILED takes back what was copied but cannot
 * become durable, STATE opens a stream. Answers for ENDED sessions are counted like any other; only
 * nobody is told.
 */
#include "base/ensure.h"
#include "ingest/lane.h"

static struct native_session *
done_session(const struct lane *lane, const struct native_stream *stream)
{
	return &lane->sessions.sessions[stream->session_index];
}

/* Tells the client, if there still is one, that its producer has a newer epoch. */
static void
done_fence(struct lane *lane, const struct native_stream *stream)
{
	if (native_session_live(done_session(lane, stream))) {
		native_session_end(lane, stream->session_index, FRAME_FENCED);
	}
}

/*
 * The entry waits in copied order for DURABLE. When entries become scarce it melts into the one
 * before it, or, if there is none, gives its byte credit at once: both only blur credit.
 */
static void
done_keep_copied(struct lane *lane, struct native_stream *stream, uint32_t index)
{
	struct batch *entry = batch_at(&lane->batches, index);

	if (lane->batches.free_count > lane->batches.reserve_count) {
		batch_set_state(entry, BATCH_COPIED);
		batch_list_append(&lane->batches, &stream->copied_last, index);
		lane->undurable_count++;
		return;
	}
	if (stream->copied_last != BATCH_NONE) {
		struct batch *last = batch_at(&lane->batches, stream->copied_last);

		last->len += entry->len;
		last->last_sequence = entry->last_sequence;
	} else {
		admission_resolve_bytes(done_session(lane, stream), entry->len);
	}
	batch_table_give(&lane->batches, index);
}

static void
done_copied(struct lane *lane, const struct append_done *done, uint32_t index)
{
	struct batch *entry = batch_at(&lane->batches, index);
	struct native_stream *stream = native_stream_at(&lane->streams, entry->stream_index);
	bool duplicate = done->flags & APPEND_DUPLICATE;

	ensure(entry->state == BATCH_OFFERED);
	native_batch_leave(lane, entry, duplicate ? LANE_sequence_duplicate : LANE_stored);
	admission_resolve_pkts(done_session(lane, stream), 1);
	stream->in_log_count--;
	if (!sequence_covers(stream->copied_seq, entry->last_sequence)) {
		stream->copied_seq = entry->last_sequence;
	}
	done_keep_copied(lane, stream, index);
}

/*
 * The log does not have this batch, so it refuses as well what it was given behind it. What was refused
 * before the offer says nothing of the kind: all that the log was given came before that.
 */
static void
done_rewind(struct lane *lane, struct native_stream *stream, int16_t error, int32_t base)
{
	stream->generation++;
	native_order_refuse(lane, stream, error, base);
}

static void
done_refused(struct lane *lane, const struct append_done *done, uint32_t index)
{
	struct batch *entry = batch_at(&lane->batches, index);
	struct native_stream *stream = native_stream_at(&lane->streams, entry->stream_index);
	struct native_session *session = done_session(lane, stream);
	bool current = entry->generation == stream->generation;
	bool proof = entry->flags & BATCH_PROOF;
	int32_t base = entry->base_sequence;

	ensure(entry->state == BATCH_OFFERED);
	admission_resolve_pkts(session, 1);
	admission_resolve_bytes(session, entry->len);
	native_batch_leave(lane, entry, LANE_refused);
	refusal_count(lane, done->error, REFUSAL_BY_LOG, 1);
	stream->in_log_count--;
	batch_table_give(&lane->batches, index);
	if (!native_session_live(session)) {
		return;
	}
	if (done->error == KAFKA_INVALID_PRODUCER_EPOCH) {
		done_fence(lane, stream);
	} else if (proof && stream->received_seq != stream->restored_seq) {
		/* It is in the log all the same; what came after it will prove it. */
		stream->flags |= STREAM_UNPROVEN;
	} else if (current) {
		done_rewind(lane, stream, done->error, base);
	}
}

/* A stream whose QUERY was refused: what is parked is refused, the slot given back. */
static void
done_query_refused(struct lane *lane, const struct append_done *done, uint32_t stream_index)
{
	struct native_stream *stream = native_stream_at(&lane->streams, stream_index);
	struct native_session *session = done_session(lane, stream);
	uint32_t *link = &session->stream_first;

	ensure(stream->state == STREAM_QUERYING);
	ensure(stream->in_log_count == 1);
	stream->in_log_count = 0;
	if (!native_session_live(session)) {
		return;
	}
	refusal_count(lane, done->error, REFUSAL_BY_LOG, stream->parked_count);
	native_order_discard(lane, stream, LANE_refused);
	ack_forget_stream(lane, stream);
	ack_unknown(lane, stream->session_index, stream->stream, done->error);
	while (*link != stream_index) {
		link = &native_stream_at(&lane->streams, *link)->session_next;
	}
	*link = stream->session_next;
	session->stream_count--;
	native_stream_free(&lane->streams, stream_index);
}

/* Gives the byte credit of all copied up to a sequence. Returns the first one's base, -1 if none.
 */
static int32_t
done_settle(struct lane *lane, struct native_stream *stream, int32_t sequence_last, bool durable)
{
	struct native_session *session = done_session(lane, stream);
	int32_t base = -1;
	uint32_t index;

	while ((index = batch_list_first(&lane->batches, stream->copied_last)) != BATCH_NONE) {
		const struct batch *entry = batch_at(&lane->batches, index);

		if (!sequence_covers(sequence_last, entry->last_sequence)) {
			break;
		}
		base = base < 0 ? entry->base_sequence : base;
		if (durable) {
			lane_latency_add(lane, LANE_RX_TO_DURABLE, entry->rx_time_ns);
		}
		admission_resolve_bytes(session, entry->len);
		(void)batch_list_take_first(&lane->batches, &stream->copied_last);
		batch_table_give(&lane->batches, index);
		lane->undurable_count--;
	}
	return base;
}

static void
done_durable(struct lane *lane, const struct append_done *done, struct native_stream *stream)
{
	/* Never beyond what this session knows to be in the log. */
	if (!sequence_covers(stream->copied_seq, done->sequence_last)) {
		return;
	}
	(void)done_settle(lane, stream, done->sequence_last, true);
	if (!sequence_covers(stream->durable_seq, done->sequence_last)) {
		stream->durable_seq = done->sequence_last;
		stream->durable_offset = done->offset;
		ack_stream(lane, stream, true);
	}
	if (sequence_covers(stream->durable_seq, stream->restored_seq)) {
		stream->flags &= (uint8_t)~STREAM_UNPROVEN;
	}
}

static void
done_failed(struct lane *lane, const struct append_done *done, struct native_stream *stream)
{
	int32_t base = done_settle(lane, stream, done->sequence_last, false);

	if (base >= 0) {
		stream->copied_seq =
			base == 0 && stream->durable_seq < 0 ? -1 : sequence_previous(base);
		done_rewind(lane, stream, done->error, base);
	} else {
		native_order_refuse(lane, stream, done->error, -1);
	}
}

static void
done_state(struct lane *lane, const struct append_done *done, struct native_stream *stream)
{
	ensure(stream->in_log_count == 1);
	stream->in_log_count = 0;
	if (!native_session_live(done_session(lane, stream))) {
		return;
	}
	if (done->error == KAFKA_INVALID_PRODUCER_EPOCH) {
		done_fence(lane, stream);
		return;
	}
	stream->received_seq = done->sequence_last;
	stream->copied_seq = done->sequence_last;
	stream->restored_seq = done->sequence_last;
	if (done->sequence_last >= 0) {
		stream->flags |= STREAM_UNPROVEN;
	}
	native_stream_set_state(stream, STREAM_OPEN);
	native_order_advance(lane, stream);
	/* Refused while nothing was known, and nothing taken since: now there is an S to go on from. */
	if (stream->error != 0 && !(stream->flags & STREAM_REWOUND)) {
		native_order_refuse(lane, stream, stream->error, sequence_next(stream->received_seq));
	}
	ack_stream(lane, stream, true);
}

/* Answers that belong to a stream, not to one batch. */
static void
done_stream(struct lane *lane, const struct append_done *done)
{
	uint32_t handle = done->partition_index + 1;
	uint32_t session_index = native_session_of_handle(&lane->sessions, done->session_index);
	uint32_t index = native_stream_find(&lane->streams, session_index, handle);

	if (session_index == SESSION_NONE || index == STREAM_NONE) {
		return; /* forgotten after LANE_ENDED_MAX_NS, or its QUERY was refused */
	}
	struct native_stream *stream = native_stream_at(&lane->streams, index);

	switch (done->kind) {
	case APPEND_DURABLE:
		done_durable(lane, done, stream);
		break;
	case APPEND_APPENDED:
		if (route_relaxed(lane, handle)) {
			done_durable(lane, done, stream);
		}
		break;
	case APPEND_FAILED:
		done_failed(lane, done, stream);
		break;
	case APPEND_STATE:
		done_state(lane, done, stream);
		break;
	case APPEND_REFUSED:
		done_query_refused(lane, done, index);
		break;
	default:
		ensure(!"append_done kind is one of ours");
	}
}

void
native_data_done(struct lane *lane, const struct append_done *done)
{
	if (done->owner == 0) {
		done_stream(lane, done);
		return;
	}
	ensure(done->owner <= lane->batches.count);
	if (done->kind == APPEND_COPIED) {
		done_copied(lane, done, (uint32_t)(done->owner - 1));
	} else {
		ensure(done->kind == APPEND_REFUSED);
		done_refused(lane, done, (uint32_t)(done->owner - 1));
	}
}
