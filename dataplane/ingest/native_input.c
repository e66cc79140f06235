/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From UDP payload to handler: decode, find the session, check peer and packet number, dispatch.
 * Each datagram is counted exactly once here or in its handler (ledger E4). Prefetching is apart,
 * so that a burst's cache misses overlap.
 */
#include "base/ensure.h"
#include "ingest/lane.h"

void
native_input_parse(struct lane *lane, struct datagram *datagram)
{
	enum frame_fault fault =
		frame_decode(datagram->payload, datagram->len, FRAME_SIDE_SERVER, &datagram->frame);

	lane->counters[LANE_native]++;
	lane->counters[LANE_ecn_ce] += (datagram->flags & PACKET_ECN_CE) != 0;
	datagram->session_index = SESSION_NONE;
	datagram->live = fault == FRAME_OK;
	if (fault == FRAME_OK) {
		uint32_t slot = frame_session_slot(datagram->frame.session_id);

		if (slot < lane->sessions.count) {
			__builtin_prefetch(&lane->sessions.sessions[slot], 1);
		}
		return;
	}
	lane->counters[frame_fault_counter(fault)]++;
	if (fault == FRAME_FAULT_VERSION) {
		native_setup_version(lane, datagram);
	}
}

void
native_input_prefetch(struct lane *lane, const struct datagram *datagram)
{
	if (datagram->live && datagram->frame.type == FRAME_DATA) {
		native_stream_prefetch(&lane->streams,
			frame_session_slot(datagram->frame.session_id), datagram->frame.stream);
		__builtin_prefetch(datagram->frame.body);
	}
}

/* Told when the drain began; that may be lost, or come before the ACCEPT that it belongs to. */
static void
input_closed_again(struct lane *lane, struct native_session *session)
{
	if (lane_rate_allows(&lane->closed_rate, lane->now_ns, LANE_CLOSED_PER_SECOND)) {
		reply_closed(lane, session, FRAME_DRAINING, LANE_RETRY_AFTER_MS);
	}
}

/* The counter of the session check that fails, or LANE_COUNTER_COUNT. Fills in session_index. */
static enum lane_counter
input_session(struct lane *lane, struct datagram *datagram)
{
	const struct frame *frame = &datagram->frame;
	struct native_session *session;

	datagram->session_index = native_session_find(&lane->sessions, frame->session_id);
	if (datagram->session_index == SESSION_NONE) {
		reset_send(lane, datagram);
		return LANE_session_unknown;
	}
	session = &lane->sessions.sessions[datagram->session_index];
	if (!native_session_same_peer(&session->peer, datagram->peer)) {
		return LANE_session_address; /* no RESET: its token would kill the session */
	}
	if (frame->flags & FRAME_AUTH) {
		return LANE_auth_missing;
	}
	if (session->flags & SESSION_FENCED) {
		native_session_end(lane, datagram->session_index, FRAME_FENCED);
		return LANE_closed;
	}
	if (session->state == SESSION_DRAINING &&
		(frame->type == FRAME_DATA || frame->type == FRAME_RESOLVE)) {
		input_closed_again(lane, session);
		return LANE_closed;
	}
	if (frame->pn == 0 || frame->pn_low_delta >= FRAME_PN_WINDOW ||
		frame->pn_low_delta >= frame->pn) {
		native_session_violation(lane, datagram->session_index);
		return LANE_pn_bad;
	}
	return LANE_COUNTER_COUNT;
}

/* Runs the frame's handler. False: dropped (and counted). */
static bool
input_dispatch(struct lane *lane, struct datagram *datagram)
{
	switch (datagram->frame.type) {
	case FRAME_DATA:
		return native_data_input(lane, datagram);
	case FRAME_FRAG:
		lane->counters[LANE_frag_unsupported]++;
		return false;
	default:
		return native_control_input(lane, datagram);
	}
}

/* The session's last packet: liveness, the way back, congestion marks. */
static void
input_note(struct lane *lane, struct native_session *session, const struct datagram *datagram)
{
	session->last_rx_ns = lane->now_ns;
	session->peer = *datagram->peer;
	session->datagrams++;
	session->ack.ecn_ce += (datagram->flags & PACKET_ECN_CE) != 0;
}

void
native_input_frame(struct lane *lane, struct datagram *datagram)
{
	const struct frame *frame = &datagram->frame;
	enum lane_counter fault;

	if (frame->type == FRAME_HELLO) {
		native_setup_hello(lane, datagram);
		return;
	}
	fault = input_session(lane, datagram);
	if (fault != LANE_COUNTER_COUNT) {
		lane->counters[fault]++;
		return;
	}
	struct native_session *session = &lane->sessions.sessions[datagram->session_index];

	input_note(lane, session, datagram);
	session_row_touch(lane, datagram->session_index);
	pn_window_settle(&session->pn, frame->pn - frame->pn_low_delta);
	if (pn_window_seen(&session->pn, frame->pn)) {
		lane->counters[LANE_pn_duplicate]++;
		session->duplicates++;
		ack_due(lane, datagram->session_index);
		return;
	}
	bool accepted = input_dispatch(lane, datagram);

	if (!native_session_live(session)) {
		return;
	}
	if (accepted) {
		bool gap = pn_window_receive(&session->pn, frame->pn);

		ack_packet(lane, datagram->session_index, datagram, gap);
	} else if (session->credit.exceeded_count >= LANE_VIOLATION_CREDIT_MAX) {
		native_session_violation(lane, datagram->session_index);
	}
}
