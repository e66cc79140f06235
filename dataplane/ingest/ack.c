/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACKs (docs/protocols/native.md): when one is due, what it says. Every field is absolute state, so a lost
 * ACK costs nothing; an entry that does not fit stays dirty and goes first next time. At most one
 * ACK a session a turn.
 *
 * Three lists: sessions whose ACK is due at this turn's end; sessions whose packets wait for the
 * ack delay (oldest first, because the delay is the same for all); per session its dirty streams,
 * first in first out. A session is in each list at most once (flags say so).
 */
#include "base/ensure.h"
#include "ingest/lane.h"

static struct native_session *
ack_session(const struct lane *lane, uint32_t index)
{
	return &lane->sessions.sessions[index];
}

static void
ack_untime(struct lane *lane, uint32_t index)
{
	struct native_session *session = ack_session(lane, index);
	struct session_ack *ack = &session->ack;

	if (!(session->flags & SESSION_ACK_TIMED)) {
		return;
	}
	if (ack->timed_previous == SESSION_NONE) {
		lane->timed_first = ack->timed_next;
	} else {
		ack_session(lane, ack->timed_previous)->ack.timed_next = ack->timed_next;
	}
	if (ack->timed_next == SESSION_NONE) {
		lane->timed_last = ack->timed_previous;
	} else {
		ack_session(lane, ack->timed_next)->ack.timed_previous = ack->timed_previous;
	}
	session->flags &= (uint8_t)~SESSION_ACK_TIMED;
}

static void
ack_time(struct lane *lane, uint32_t index)
{
	struct native_session *session = ack_session(lane, index);

	session->ack.timed_next = SESSION_NONE;
	session->ack.timed_previous = lane->timed_last;
	if (lane->timed_last == SESSION_NONE) {
		lane->timed_first = index;
	} else {
		ack_session(lane, lane->timed_last)->ack.timed_next = index;
	}
	lane->timed_last = index;
	session->flags |= SESSION_ACK_TIMED;
}

void
ack_due(struct lane *lane, uint32_t session_index)
{
	struct native_session *session = ack_session(lane, session_index);

	if (session->flags & SESSION_ACK_DUE) {
		return;
	}
	ack_untime(lane, session_index);
	session->flags |= SESSION_ACK_DUE;
	session->ack.due_next = SESSION_NONE;
	if (lane->due_last == SESSION_NONE) {
		lane->due_first = session_index;
	} else {
		ack_session(lane, lane->due_last)->ack.due_next = session_index;
	}
	lane->due_last = session_index;
}

void
ack_packet(struct lane *lane, uint32_t session_index, const struct datagram *datagram, bool gap)
{
	struct native_session *session = ack_session(lane, session_index);
	struct session_ack *ack = &session->ack;

	if (datagram->frame.pn > ack->echo_pn) {
		ack->echo_pn = datagram->frame.pn;
		ack->echo_send_us = datagram->frame.send_us;
		ack->echo_rx_ns = datagram->rx_time_ns;
	}
	if (ack->unacked_count++ == 0) {
		ack->oldest_rx_ns = lane->now_ns;
	}
	if (gap || datagram->frame.flags & FRAME_ACK_NOW || ack->unacked_count >= LANE_ACK_EVERY) {
		ack_due(lane, session_index);
	} else if (!(session->flags & (SESSION_ACK_TIMED | SESSION_ACK_DUE))) {
		ack_time(lane, session_index);
	}
}

void
ack_stream(struct lane *lane, struct native_stream *stream, bool now)
{
	struct native_session *session = ack_session(lane, stream->session_index);
	struct session_ack *ack = &session->ack;
	uint32_t index = (uint32_t)(stream - lane->streams.slots);

	if (!native_session_live(session)) {
		return;
	}
	/* Nothing is known of a stream before STATE, and -1 would say that there is nothing. */
	if (!(stream->flags & STREAM_DIRTY) && stream->state != STREAM_QUERYING) {
		stream->flags |= STREAM_DIRTY;
		stream->dirty_next = STREAM_NONE;
		if (ack->dirty_last == STREAM_NONE) {
			ack->dirty_first = index;
		} else {
			native_stream_at(&lane->streams, ack->dirty_last)->dirty_next = index;
		}
		ack->dirty_last = index;
	}
	if (now) {
		ack_due(lane, stream->session_index);
	}
}

void
ack_unknown(struct lane *lane, uint32_t session_index, uint32_t stream, int16_t error)
{
	struct session_ack *ack = &ack_session(lane, session_index)->ack;
	uint32_t at = 0;

	while (at < ack->unknown_count && ack->unknown[at].stream != stream) {
		at++;
	}
	/* Beyond the last place the client asks again by PING. */
	if (at < SESSION_UNKNOWN_MAX) {
		ack->unknown[at] = (struct session_unknown){.stream = stream, .error = error};
		ack->unknown_count =
			(uint16_t)(at == ack->unknown_count ? at + 1 : ack->unknown_count);
	}
	ack_due(lane, session_index);
}

static uint32_t
ack_take_dirty(struct lane *lane, struct session_ack *ack)
{
	uint32_t index = ack->dirty_first;

	if (index == STREAM_NONE) {
		return STREAM_NONE;
	}
	struct native_stream *stream = native_stream_at(&lane->streams, index);

	ack->dirty_first = stream->dirty_next;
	if (ack->dirty_first == STREAM_NONE) {
		ack->dirty_last = STREAM_NONE;
	}
	stream->flags &= (uint8_t)~STREAM_DIRTY;
	return index;
}

void
ack_forget_stream(struct lane *lane, struct native_stream *stream)
{
	struct session_ack *ack = &ack_session(lane, stream->session_index)->ack;
	uint32_t index = (uint32_t)(stream - lane->streams.slots);
	uint32_t previous = STREAM_NONE;

	if (!(stream->flags & STREAM_DIRTY)) {
		return;
	}
	for (uint32_t i = ack->dirty_first; i != index;
		i = native_stream_at(&lane->streams, i)->dirty_next) {
		ensure(i != STREAM_NONE);
		previous = i;
	}
	if (previous == STREAM_NONE) {
		ack->dirty_first = stream->dirty_next;
	} else {
		native_stream_at(&lane->streams, previous)->dirty_next = stream->dirty_next;
	}
	if (ack->dirty_last == index) {
		ack->dirty_last = previous;
	}
	stream->flags &= (uint8_t)~STREAM_DIRTY;
}

/* Fills entries: refused handles first, then dirty streams. */
static void
ack_entries(struct lane *lane, struct session_ack *state, struct session_msg_ack *ack)
{
	uint32_t index;

	for (uint32_t i = 0; i < state->unknown_count; i++) {
		ack->entry[ack->entries++] = (struct session_msg_ack_entry){
			.stream = state->unknown[i].stream,
			.received_seq = -1,
			.durable_seq = -1,
			.error = state->unknown[i].error,
			.error_seq = -1,
			.durable_offset = -1,
		};
	}
	state->unknown_count = 0;
	while (ack->entries < SESSION_MSG_ACK_ENTRIES_MAX &&
		(index = ack_take_dirty(lane, state)) != STREAM_NONE) {
		const struct native_stream *stream = native_stream_at(&lane->streams, index);

		ack->entry[ack->entries++] = (struct session_msg_ack_entry){
			.stream = stream->stream,
			.received_seq = stream->received_seq,
			.durable_seq = stream->durable_seq,
			.error = stream->error,
			.error_seq = native_stream_error_seq(stream),
			.durable_offset = stream->durable_offset,
		};
		if (stream->metadata_low !=
			(uint16_t)route_metadata_version(lane, stream->stream)) {
			ack->busy |= SESSION_MSG_BUSY_RESOLVE_AGAIN;
		}
	}
}

static void
ack_build(struct lane *lane, struct native_session *session, struct session_msg_ack *ack)
{
	struct session_ack *state = &session->ack;

	admission_renew(lane, session);
	*ack = (struct session_msg_ack){
		.recv_upto = session->pn.upto,
		.echo_pn = state->echo_pn,
		.echo_send_us = state->echo_send_us,
		.echo_delay_us = (uint32_t)((lane->now_ns - state->echo_rx_ns) / NS_PER_US),
		.credit_bytes = session->credit.credit_bytes,
		.credit_pkts = session->credit.credit_pkts,
		.ecn_ce = state->ecn_ce,
		.busy = admission_busy(lane),
	};
	ack->words = (uint8_t)pn_window_bitmap(&session->pn, ack->bitmap);
	ack_entries(lane, state, ack);
}

/* False: no control buffer; the ACK stays due. */
static bool
ack_one(struct lane *lane, uint32_t index)
{
	struct native_session *session = ack_session(lane, index);
	struct session_msg_ack ack;
	struct reply reply;

	if (!reply_begin(lane, &session->peer,
		    FRAME_HEADER_BYTES + SESSION_MSG_ACK_FIXED_BYTES +
			    8 * SESSION_MSG_ACK_WORDS_MAX +
			    SESSION_MSG_ACK_ENTRY_BYTES * SESSION_MSG_ACK_ENTRIES_MAX,
		    &reply)) {
		return false;
	}
	ack_build(lane, session, &ack);
	reply_frame(lane, session, FRAME_ACK, &reply.frame);
	struct writer body = frame_body_writer(reply.payload, reply.room);

	session_msg_ack_encode(&body, &ack);
	reply_send(lane, &reply, &body);
	if (session->ack.unacked_count > 0) {
		lane_latency_add(lane, LANE_RX_TO_ACK, session->ack.oldest_rx_ns);
	}
	session->ack.unacked_count = 0;
	session_row_touch(lane, index);
	return true;
}

/* Packets that have waited long enough. */
static void
ack_expire(struct lane *lane)
{
	while (lane->timed_first != SESSION_NONE) {
		uint32_t index = lane->timed_first;

		if (lane->now_ns < ack_session(lane, index)->ack.oldest_rx_ns + LANE_ACK_DELAY_NS) {
			break;
		}
		ack_due(lane, index);
	}
}

uint32_t
ack_send(struct lane *lane)
{
	uint32_t sent = 0;
	uint32_t last;

	ack_expire(lane);
	last = lane->due_last;
	while (lane->due_first != SESSION_NONE) {
		uint32_t index = lane->due_first;
		struct native_session *session = ack_session(lane, index);

		if (!ack_one(lane, index)) {
			break;
		}
		sent++;
		lane->due_first = session->ack.due_next;
		if (lane->due_first == SESSION_NONE) {
			lane->due_last = SESSION_NONE;
		}
		session->flags &= (uint8_t)~SESSION_ACK_DUE;
		if (session->ack.dirty_first != STREAM_NONE) {
			ack_due(lane, index);
		}
		if (index == last) {
			break;
		}
	}
	return sent;
}

void
ack_forget(struct lane *lane, uint32_t session_index)
{
	struct native_session *session = ack_session(lane, session_index);
	uint32_t previous = SESSION_NONE;

	while (ack_take_dirty(lane, &session->ack) != STREAM_NONE) {
	}
	ack_untime(lane, session_index);
	if (!(session->flags & SESSION_ACK_DUE)) {
		return;
	}
	for (uint32_t i = lane->due_first; i != session_index;
		i = ack_session(lane, i)->ack.due_next) {
		ensure(i != SESSION_NONE);
		previous = i;
	}
	if (previous == SESSION_NONE) {
		lane->due_first = session->ack.due_next;
	} else {
		ack_session(lane, previous)->ack.due_next = session->ack.due_next;
	}
	if (lane->due_last == session_index) {
		lane->due_last = previous;
	}
	session->flags &= (uint8_t)~SESSION_ACK_DUE;
}

uint64_t
ack_deadline_ns(const struct lane *lane)
{
	if (lane->due_first != SESSION_NONE) {
		return lane->now_ns;
	}
	if (lane->timed_first == SESSION_NONE) {
		return UINT64_MAX;
	}
	return ack_session(lane, lane->timed_first)->ack.oldest_rx_ns + LANE_ACK_DELAY_NS;
}
