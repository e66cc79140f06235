/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control frames of a session: PING, PROBE, CLOSE, RESOLVE. A body that breaks the rules is a
 * violation and ends the session. Each returns false if the frame was dropped: then its pn is not
 * acknowledged.
 */
#include "ingest/lane.h"

struct control_body {
	uint16_t size;   /* PROBE */
	uint16_t reason; /* CLOSE */
	struct session_msg_resolve resolve;
};

/* Layout first, for all four types: one place that counts control_bad. */
static bool
control_decode(struct lane *lane, const struct datagram *datagram, struct control_body *ret_body)
{
	const struct frame *frame = &datagram->frame;
	int rc = -1;

	switch (frame->type) {
	case FRAME_PING:
		rc = session_msg_ping_decode(frame->body, frame->body_len);
		break;
	case FRAME_PROBE:
		rc = session_msg_probe_decode(frame->body, frame->body_len, &ret_body->size);
		break;
	case FRAME_CLOSE:
		rc = session_msg_close_decode(frame->body, frame->body_len, &ret_body->reason);
		break;
	case FRAME_RESOLVE:
		rc = session_msg_resolve_decode(frame->body, frame->body_len, &ret_body->resolve);
		break;
	default:
		break;
	}
	if (rc < 0) {
		lane->counters[LANE_control_bad]++;
		native_session_violation(lane, datagram->session_index);
		return false;
	}
	return true;
}

/* Answered by an ACK at once, with the entry of the stream that it names. */
static bool
control_ping(struct lane *lane, const struct datagram *datagram)
{
	uint32_t handle = datagram->frame.stream;
	uint32_t index;

	lane->counters[LANE_ping]++;
	if (handle != 0) {
		index = native_stream_find(&lane->streams, datagram->session_index, handle);
		if (index != STREAM_NONE) {
			ack_stream(lane, native_stream_at(&lane->streams, index), true);
		} else if (!route_partition(lane, handle)) {
			ack_unknown(lane, datagram->session_index, handle,
				KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
		}
	}
	ack_due(lane, datagram->session_index);
	return true;
}

static bool
control_probe(struct lane *lane, const struct datagram *datagram, uint16_t size)
{
	struct native_session *session = &lane->sessions.sessions[datagram->session_index];
	struct reply reply;

	if (size != datagram->len || size > session->max_datagram) {
		lane->counters[LANE_probe_bad]++;
		return false;
	}
	lane->counters[LANE_probe]++;
	if (reply_begin(
		    lane, &session->peer, FRAME_HEADER_BYTES + SESSION_MSG_PROBED_BYTES, &reply)) {
		reply_frame(lane, session, FRAME_PROBED, &reply.frame);
		struct writer body = frame_body_writer(reply.payload, reply.room);

		session_msg_probed_encode(&body, size);
		reply_send(lane, &reply, &body);
	}
	return true;
}

/* The reason changes nothing: it is the client's word about itself, counted for whoever looks. */
static bool
control_close(struct lane *lane, const struct datagram *datagram, uint16_t reason)
{
	lane->counters[LANE_close]++;
	if (reason != FRAME_CLIENT_DONE) {
		lane->counters[LANE_close_troubled]++;
	}
	native_session_end(lane, datagram->session_index, FRAME_CLIENT_DONE);
	return true;
}

static bool
control_resolve(struct lane *lane, const struct datagram *datagram,
	const struct session_msg_resolve *resolve)
{
	if (!resolve_input(lane, datagram->session_index, resolve)) {
		lane->counters[LANE_resolve_rate]++;
		return false;
	}
	lane->counters[LANE_resolve]++;
	return true;
}

bool
native_control_input(struct lane *lane, const struct datagram *datagram)
{
	struct control_body body = {0};

	if (!control_decode(lane, datagram, &body)) {
		return false;
	}
	switch (datagram->frame.type) {
	case FRAME_PING:
		return control_ping(lane, datagram);
	case FRAME_PROBE:
		return control_probe(lane, datagram, body.size);
	case FRAME_CLOSE:
		return control_close(lane, datagram, body.reason);
	default:
		return control_resolve(lane, datagram, &body.resolve);
	}
}
