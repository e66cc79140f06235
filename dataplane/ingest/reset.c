/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RESET: tells the client of a session that is not known here (any more) to give it up. Never
 * larger than the datagram that it answers, never to multicast or to well-known ports, at most 100
 * a second, and the token proves that we once made that session. The token's HMAC allocates inside
 * libcrypto: the rate limit keeps that off the hot path.
 */
#include "ingest/lane.h"
#include "wire/native/token.h"

bool
reset_may_answer(const struct packet_peer *peer)
{
	bool ipv4 = packet_address_is_ip4(peer->address);
	bool multicast = ipv4 ? peer->address[12] >= 224 : peer->address[0] == 0xff;

	return !multicast && peer->port >= 1024;
}

void
reset_send(struct lane *lane, const struct datagram *datagram)
{
	struct session_msg_reset reset = {.reason = FRAME_UNKNOWN_SESSION};
	struct reply reply;

	if (datagram->len < FRAME_RESET_PAYLOAD || !reset_may_answer(datagram->peer) ||
		!lane_rate_allows(&lane->reset_rate, lane->now_ns, LANE_RESETS_PER_SECOND) ||
		!reply_begin(lane, datagram->peer, FRAME_RESET_PAYLOAD, &reply)) {
		return;
	}
	token_reset(
		lane->options.secrets->reset_key, datagram->frame.session_id, reset.reset_token);
	reply.frame.type = FRAME_RESET;
	reply.frame.session_id = datagram->frame.session_id;
	reply.frame.pn = datagram->frame.pn;
	struct writer body = frame_body_writer(reply.payload, reply.room);

	session_msg_reset_encode(&body, &reset);
	reply_send(lane, &reply, &body);
	lane->counters[LANE_resets_sent]++;
}
