/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames out: a buffer from the control reserve, the body written in place, one burst a turn.
 * Replies go back by reflection to the peer of the question, or to the session's last accepted
 * packet. A missing buffer is counted and only delays: every answer is either repeated by the
 * client or state that the next ACK carries again.
 */
#include "base/ensure.h"
#include "ingest/lane.h"

bool
reply_begin(
	struct lane *lane, const struct packet_peer *peer, uint32_t room, struct reply *ret_reply)
{
	ensure(room >= FRAME_HEADER_BYTES);
	if (!net_udp_alloc(&lane->net, peer, room, &ret_reply->view)) {
		lane->counters[LANE_tx_no_buffer]++;
		return false;
	}
	ret_reply->payload = ret_reply->view.data;
	ret_reply->room = room;
	ret_reply->frame = (struct frame){0};
	return true;
}

void
reply_send(struct lane *lane, struct reply *reply, const struct writer *body)
{
	size_t len = frame_finish(&reply->frame, reply->payload, body);

	ensure(len > 0);
	reply->view.len = (uint32_t)len;
	if (lane->tx_count == LANE_TX_MAX) {
		lane_out_flush(lane);
	}
	net_udp_reply(&lane->net, &reply->view);
	lane->tx[lane->tx_count++] = reply->view;
}

void
reply_frame(
	struct lane *lane, struct native_session *session, uint8_t type, struct frame *ret_frame)
{
	*ret_frame = (struct frame){
		.type = type,
		.session_id = session->session_id,
		.pn = session->next_pn++,
		.send_us = (uint32_t)(lane->now_ns / NS_PER_US),
	};
}

void
reply_closed(
	struct lane *lane, struct native_session *session, uint16_t reason, uint32_t retry_after_ms)
{
	struct session_msg_closed closed = {.reason = reason, .retry_after_ms = retry_after_ms};
	uint32_t room = FRAME_HEADER_BYTES + SESSION_MSG_CLOSED_BYTES;
	struct reply reply;

	if (!reply_begin(lane, &session->peer, room, &reply)) {
		return;
	}
	reply_frame(lane, session, FRAME_CLOSED, &reply.frame);
	struct writer body = frame_body_writer(reply.payload, reply.room);

	session_msg_closed_encode(&body, &closed);
	reply_send(lane, &reply, &body);
}

void
reply_closed_hello(struct lane *lane, const struct packet_peer *peer, const uint8_t *nonce,
	const struct session_msg_closed *why)
{
	struct session_msg_closed closed = *why;
	struct reply reply;

	closed.answers_hello = true;
	memcpy(closed.client_nonce, nonce, SESSION_MSG_NONCE_BYTES);
	if (!reply_begin(lane, peer, FRAME_HEADER_BYTES + SESSION_MSG_CLOSED_HELLO_BYTES, &reply)) {
		return;
	}
	reply.frame.type = FRAME_CLOSED;
	struct writer body = frame_body_writer(reply.payload, reply.room);

	session_msg_closed_encode(&body, &closed);
	reply_send(lane, &reply, &body);
}
