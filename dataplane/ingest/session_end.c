/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How sessions end: by CLOSE, violation, fence, idle timeout. Parked and pending batches are
 * discarded and their buffers given back at once; what the log holds stays in the table until its
 * answer, which is counted like any other. The slot is reused only after that (native_session.h). A
 * log that never answers keeps it for LANE_ENDED_MAX_NS after the last buffer came back.
 */
#include "base/ensure.h"
#include "ingest/lane.h"

/* Takes a stream slot out of its session once nothing of it is parked, copied or in the log. */
static void
session_drop_stream(struct lane *lane, struct native_session *session, uint32_t *link)
{
	uint32_t index = *link;

	*link = native_stream_at(&lane->streams, index)->session_next;
	native_stream_free(&lane->streams, index);
	session->stream_count--;
}

/* Pending batches stay in their shard's FIFO as CANCELLED; route_offer drops them. */
static void
session_cancel_pending(struct lane *lane, uint32_t session_index)
{
	for (uint32_t shard = 0; shard < lane->options.shard_count; shard++) {
		uint32_t last = lane->pending[shard].last;
		uint32_t index = batch_list_first(&lane->batches, last);

		for (uint32_t n = 0; n < lane->pending[shard].count; n++) {
			struct batch *batch = batch_at(&lane->batches, index);

			if (batch->session_index == session_index &&
				batch->state == BATCH_PENDING) {
				native_stream_at(&lane->streams, batch->stream_index)
					->in_log_count--;
				if (!(batch->flags & BATCH_QUERY)) {
					native_batch_leave(lane, batch, LANE_discarded_close);
				}
				batch_set_state(batch, BATCH_CANCELLED);
			}
			index = batch->next;
		}
	}
}

void
native_session_end(struct lane *lane, uint32_t index, uint16_t reason)
{
	struct native_session *session = &lane->sessions.sessions[index];

	ensure(native_session_live(session));
	if (reason != 0) {
		reply_closed(lane, session, reason, 0);
	}
	ack_forget(lane, index);
	for (uint32_t i = session->stream_first; i != STREAM_NONE;
		i = native_stream_at(&lane->streams, i)->session_next) {
		native_order_discard(
			lane, native_stream_at(&lane->streams, i), LANE_discarded_close);
	}
	session_cancel_pending(lane, index);
	native_session_set_state(&lane->sessions, session, SESSION_ENDED);
	session->ended_ns = lane->now_ns;
	session->ended_next = lane->ended_first;
	lane->ended_first = index;
	lane->counters[LANE_sessions_closed]++;
	lane->counters[LANE_sessions]--;
	session_row_touch(lane, index);
}

void
native_session_violation(struct lane *lane, uint32_t index)
{
	lane->counters[LANE_violations]++;
	native_session_end(lane, index, FRAME_PROTOCOL_VIOLATION);
}

void
native_session_drain(struct lane *lane, uint32_t index)
{
	struct native_session *session = &lane->sessions.sessions[index];

	reply_closed(lane, session, FRAME_DRAINING, LANE_RETRY_AFTER_MS);
	native_session_set_state(&lane->sessions, session, SESSION_DRAINING);
	for (uint32_t i = session->stream_first; i != STREAM_NONE;
		i = native_stream_at(&lane->streams, i)->session_next) {
		native_order_settle(lane, native_stream_at(&lane->streams, i));
	}
}

/* Batches that were copied but will never be told durable. */
static void
session_forget_copied(struct lane *lane, struct native_stream *stream)
{
	uint32_t index;

	while ((index = batch_list_take_first(&lane->batches, &stream->copied_last)) !=
		BATCH_NONE) {
		batch_table_give(&lane->batches, index);
		lane->undurable_count--;
	}
}

/* Drops the slots that the log is done with. True if none is left. */
static bool
session_streams_done(struct lane *lane, struct native_session *session)
{
	bool expired = lane->now_ns - session->ended_ns > LANE_ENDED_MAX_NS;
	uint32_t *link = &session->stream_first;

	while (*link != STREAM_NONE) {
		struct native_stream *stream = native_stream_at(&lane->streams, *link);

		if (stream->in_log_count == 0 && expired) {
			session_forget_copied(lane, stream);
		}
		if (stream->in_log_count == 0 && stream->copied_last == BATCH_NONE) {
			session_drop_stream(lane, session, link);
		} else {
			link = &stream->session_next;
		}
	}
	return session->stream_first == STREAM_NONE;
}

static bool
session_tell_control(struct lane *lane, struct native_session *session, uint32_t index)
{
	struct control_ask ask = {
		.kind = CONTROL_CLOSED,
		.lane = lane->options.lane,
		.session_index = index,
		.producer_id = session->producer_id,
		.producer_epoch = session->producer_epoch,
	};

	if (session->flags & SESSION_CONTROL_KNOWS &&
		ring_offer(lane->options.control_ask, &ask, 1) == 1) {
		session->flags &= (uint8_t)~SESSION_CONTROL_KNOWS;
	}
	return !(session->flags & SESSION_CONTROL_KNOWS);
}

void
native_session_reap(struct lane *lane)
{
	uint32_t *link = &lane->ended_first;

	while (*link != SESSION_NONE) {
		uint32_t index = *link;
		struct native_session *session = &lane->sessions.sessions[index];
		bool done = session_streams_done(lane, session);

		if (session_tell_control(lane, session, index) && done &&
			!(session->flags & SESSION_TOUCHED)) {
			*link = session->ended_next;
			native_session_give(&lane->sessions, index);
		} else {
			link = &session->ended_next;
		}
	}
}

void
native_session_sweep(struct lane *lane)
{
	uint32_t part = (lane->sessions.count + LANE_SWEEP_PARTS - 1) / LANE_SWEEP_PARTS;
	uint32_t from, until;

	if (lane->now_ns < lane->sweep_ns) {
		return;
	}
	/* All parts in an eighth of the timeout: a session ends at most that much late. */
	lane->sweep_ns = lane->now_ns + lane->idle_timeout_ns / 8 / LANE_SWEEP_PARTS;
	from = lane->sweep_part * part;
	until = from + part < lane->sessions.count ? from + part : lane->sessions.count;
	lane->sweep_part = (lane->sweep_part + 1) % LANE_SWEEP_PARTS;
	for (uint32_t i = from; i < until; i++) {
		const struct native_session *session = &lane->sessions.sessions[i];

		if (native_session_live(session) &&
			lane->now_ns - session->last_rx_ns > lane->idle_timeout_ns) {
			native_session_end(lane, i, FRAME_IDLE);
		}
	}
}
