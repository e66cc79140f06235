/* SPDX-License-Identifier: Apache-2.0 */
/* Set-up, life and end of a session with one lane (client_session.h). */
#include "client/client_session.h"

#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "client/client_core_state.h"
#include "client/client_recovery.h"
#include "client/client_transmit.h"

#define SESSION_HELLO_FIRST_NS (50 * NS_PER_MS)
#define SESSION_HELLO_MAX_NS   NS_PER_S
#define SESSION_HELLO_TRIES    10
#define SESSION_PORT_TRIES     3 /* at the lane's own port, before asking lane 0 again */
#define SESSION_CLOSE_TRIES    3
#define SESSION_AGAIN_NS       (100 * NS_PER_MS)
#define SESSION_SILENCE_NS     (3 * NS_PER_S) /* of a server that drains: it is gone */

static const bool session_edges[CLIENT_SESSION_STATE_COUNT][CLIENT_SESSION_STATE_COUNT] = {
	[CLIENT_SESSION_IDLE] = {[CLIENT_SESSION_HELLO] = true},
	[CLIENT_SESSION_HELLO] = {[CLIENT_SESSION_OPEN] = true, [CLIENT_SESSION_WAITING] = true,
		[CLIENT_SESSION_IDLE] = true},
	[CLIENT_SESSION_OPEN] = {[CLIENT_SESSION_DRAINING] = true, [CLIENT_SESSION_WAITING] = true,
		[CLIENT_SESSION_CLOSING] = true, [CLIENT_SESSION_IDLE] = true},
	[CLIENT_SESSION_DRAINING] = {[CLIENT_SESSION_WAITING] = true,
		[CLIENT_SESSION_CLOSING] = true, [CLIENT_SESSION_IDLE] = true},
	[CLIENT_SESSION_WAITING] = {[CLIENT_SESSION_IDLE] = true},
	[CLIENT_SESSION_CLOSING] = {[CLIENT_SESSION_IDLE] = true},
};

static void
session_set_state(struct client_session *session, enum client_session_state state)
{
	ensure(session_edges[session->state][state]);
	session->state = (uint8_t)state;
}

void
client_session_init(struct client_session *session, struct client_core *core, uint16_t lane)
{
	session->core = core;
	session->lane = lane;
	session->port = core->options.port;
	session->streams_ns = UINT64_MAX;
	session->max_batch_bytes = UINT32_MAX;
	client_mtu_init(&session->mtu, core->options.ipv6);
}

/* --- streams of the lane ----------------------------------------------------------------------- */

void
client_session_list(struct client_session *session, struct client_stream *stream)
{
	ensure(!stream->listed);
	stream->listed = true;
	if (!session->streams) {
		session->streams = stream->lane_next = stream->lane_prev = stream;
		return;
	}
	stream->lane_next = session->streams;
	stream->lane_prev = session->streams->lane_prev;
	stream->lane_prev->lane_next = stream;
	stream->lane_next->lane_prev = stream;
}

void
client_session_unlist(struct client_session *session, struct client_stream *stream)
{
	ensure(stream->listed);
	stream->listed = false;
	if (stream->lane_next == stream) {
		session->streams = NULL;
		return;
	}
	stream->lane_prev->lane_next = stream->lane_next;
	stream->lane_next->lane_prev = stream->lane_prev;
	if (session->streams == stream) {
		session->streams = stream->lane_next;
	}
}

void
client_session_list_lost(struct client_session *session, struct client_stream *stream)
{
	if (!session->lost) {
		session->lost = stream->lost_next = stream->lost_prev = stream;
		return;
	}
	stream->lost_next = session->lost;
	stream->lost_prev = session->lost->lost_prev;
	stream->lost_prev->lost_next = stream;
	stream->lost_next->lost_prev = stream;
}

void
client_session_unlist_lost(struct client_session *session, struct client_stream *stream)
{
	if (stream->lost_next == stream) {
		session->lost = NULL;
		return;
	}
	stream->lost_prev->lost_next = stream->lost_next;
	stream->lost_next->lost_prev = stream->lost_prev;
	if (session->lost == stream) {
		session->lost = stream->lost_next;
	}
}

void
client_session_timer(struct client_session *session, uint64_t at_ns)
{
	if (at_ns < session->streams_ns) {
		session->streams_ns = at_ns;
	}
}

uint32_t
client_session_room(const struct client_session *session)
{
	uint32_t room = session->mtu.current - FRAME_HEADER_BYTES;

	return room < session->max_batch_bytes ? room : session->max_batch_bytes;
}

static void
session_restart_streams(struct client_session *session)
{
	struct client_stream *stream = session->streams;

	if (!stream) {
		return;
	}
	do {
		client_stream_restart(session->core, stream);
		stream = stream->lane_next;
	} while (stream != session->streams);
}

static void
session_poll_streams(struct client_session *session, uint64_t now_ns)
{
	uint32_t count = 0;

	if (session->streams_ns > now_ns) {
		return;
	}
	session->streams_ns = UINT64_MAX;
	for (struct client_stream *s = session->streams; s;
		s = s->lane_next != session->streams ? s->lane_next : NULL) {
		count++;
	}
	/* Streams that give up everything leave the list: count, not pointers, ends the walk. */
	for (struct client_stream *stream = session->streams; count > 0; count--) {
		struct client_stream *next = stream->lane_next;
		uint64_t deadline_ns = UINT64_MAX;

		if (client_recovery_on_time(session->core, stream, now_ns, &deadline_ns) &&
			client_session_speaks(session) &&
			client_transmit_ping(session, stream->handle, now_ns)) {
			client_recovery_pinged(stream, session->loss.next_pn - 1);
		}
		client_session_timer(session, deadline_ns);
		stream = next;
	}
}

/* --- begin and end ----------------------------------------------------------------------------- */

static void
session_hello(struct client_session *session, uint64_t now_ns)
{
	struct client_core *core = session->core;
	bool known = session->hello_flags != 0;
	struct session_msg_hello hello = {
		.ver_min = FRAME_PROTOCOL_VERSION,
		.ver_max = FRAME_PROTOCOL_VERSION,
		.auth = SESSION_MSG_AUTH_NONE,
		.flags = session->hello_flags,
		.producer_id = known ? core->producer_id : -1,
		.producer_epoch = known ? core->producer_epoch : -1,
		.max_datagram = (uint16_t)core->options.max_datagram,
		.lane = session->lane,
		.cookie_len = session->cookie_len,
		.name_len = (uint8_t)strlen(core->options.name),
	};
	struct frame frame = {.type = FRAME_HELLO};
	struct writer body = frame_body_writer(core->scratch, CLIENT_DATAGRAM_MAX);

	memcpy(hello.client_nonce, session->nonce, sizeof(hello.client_nonce));
	memcpy(hello.cookie, session->cookie, session->cookie_len);
	memcpy(hello.name, core->options.name, hello.name_len);
	session_msg_hello_encode(&body, &hello);
	client_transmit_frame(session, &frame, &body, now_ns);
	if (session->hello_flags & SESSION_MSG_BUMP && session->cookie_len > 0) {
		core->bump_asked = true;
	}
	uint64_t wait_ns = SESSION_HELLO_FIRST_NS << (session->tries < 5 ? session->tries : 5);

	session->tries++;
	session->timer_ns = now_ns + (wait_ns < SESSION_HELLO_MAX_NS ? wait_ns : SESSION_HELLO_MAX_NS);
}

void
client_session_start(struct client_session *session, uint8_t hello_flags, uint64_t now_ns)
{
	session_set_state(session, CLIENT_SESSION_HELLO);
	session->hello_flags = hello_flags;
	session->session_id = 0;
	session->cookie_len = 0;
	session->tries = 0;
	session->epoch = session->core->producer_epoch;
	rand_fill(session->core->options.rand, session->nonce, sizeof(session->nonce));
	session->nonce[0] |= 1; /* never all zero */
	session_hello(session, now_ns);
}

void
client_session_drop(struct client_session *session, uint64_t wait_ns, uint64_t now_ns)
{
	if (session->state == CLIENT_SESSION_IDLE) {
		return;
	}
	if (client_session_speaks(session) || session->state == CLIENT_SESSION_CLOSING) {
		client_transmit_end(session);
		session_restart_streams(session);
		if (session->state != CLIENT_SESSION_CLOSING) {
			client_core_count(session->core, CLIENT_reconnects, 1);
		}
	}
	session->session_id = 0;
	if (wait_ns == 0 || session->state == CLIENT_SESSION_CLOSING ||
		session->state == CLIENT_SESSION_WAITING) {
		session_set_state(session, CLIENT_SESSION_IDLE);
		return;
	}
	session_set_state(session, CLIENT_SESSION_WAITING);
	session->timer_ns = now_ns + wait_ns;
}

static void
session_say_close(struct client_session *session, uint64_t now_ns)
{
	struct frame frame = {.type = FRAME_CLOSE};
	struct writer body = frame_body_writer(session->core->scratch, CLIENT_DATAGRAM_MAX);

	if (client_loss_room(&session->loss, 0)) {
		session_msg_close_encode(&body, FRAME_CLIENT_DONE);
		client_transmit_frame(session, &frame, &body, now_ns);
	}
	session->tries++;
	session->timer_ns = now_ns + client_loss_pto_ns(&session->loss);
}

void
client_session_close(struct client_session *session, uint64_t now_ns)
{
	if (session->state == CLIENT_SESSION_CLOSING) {
		return;
	}
	if (!client_session_speaks(session)) {
		client_session_drop(session, 0, now_ns);
		return;
	}
	session_set_state(session, CLIENT_SESSION_CLOSING);
	session->tries = 0;
	session_say_close(session, now_ns);
}

bool
client_session_resolve(struct client_session *session, const struct session_msg_resolve *resolve,
	uint64_t now_ns)
{
	struct frame frame = {.type = FRAME_RESOLVE, .flags = FRAME_ACK_NOW};
	struct writer body = frame_body_writer(session->core->scratch, CLIENT_DATAGRAM_MAX);

	if (session->state != CLIENT_SESSION_OPEN || !client_loss_room(&session->loss, 1)) {
		return false;
	}
	session_msg_resolve_encode(&body, resolve);
	client_transmit_frame(session, &frame, &body, now_ns);
	return true;
}

/* --- frames ------------------------------------------------------------------------------------ */

static bool
session_nonce_is(const struct client_session *session, const uint8_t *nonce)
{
	return session->state == CLIENT_SESSION_HELLO &&
	       memcmp(session->nonce, nonce, sizeof(session->nonce)) == 0;
}

static bool
session_on_retry(struct client_session *session, const struct frame *frame, uint64_t now_ns)
{
	struct session_msg_retry retry;

	if (session_msg_retry_decode(frame->body, frame->body_len, &retry) < 0 ||
		!session_nonce_is(session, retry.client_nonce)) {
		return false;
	}
	if (retry.lane != session->lane) {
		client_core_tell(session->core, "the server has no lane %u", session->lane);
		return true;
	}
	bool first = session->cookie_len == 0;

	memcpy(session->cookie, retry.cookie, sizeof(session->cookie));
	session->cookie_len = sizeof(session->cookie);
	if (retry.lane_port != 0) {
		session->port = retry.lane_port;
	}
	/* A second RETRY means that the cookie was too old: the timer sends the new one. */
	if (first) {
		session->tries = 0;
		session_hello(session, now_ns);
	}
	return true;
}

static bool
session_on_accept(struct client_session *session, const struct frame *frame, uint64_t now_ns)
{
	struct session_msg_accept accept;

	if (session_msg_accept_decode(frame->body, frame->body_len, &accept) < 0 ||
		!session_nonce_is(session, accept.client_nonce) || accept.lane != session->lane ||
		accept.max_datagram < CLIENT_MTU_BASE || accept.pn_window <= CLIENT_PN_RESERVE * 2 ||
		frame->session_id == 0) {
		return false;
	}
	session_set_state(session, CLIENT_SESSION_OPEN);
	session->session_id = frame->session_id;
	session->boot_id = accept.boot_id;
	session->epoch = accept.producer_epoch;
	session->idle_timeout_ns = accept.idle_timeout_ms * NS_PER_MS;
	session->max_batch_bytes = accept.max_batch_bytes;
	session->last_rx_ns = now_ns;
	memcpy(session->reset_token, accept.reset_token, sizeof(session->reset_token));
	client_transmit_open(session, &accept, now_ns);
	session->loss.last_sent_ns = now_ns;
	session_restart_streams(session);
	client_core_accepted(session->core, session, &accept, now_ns);
	return true;
}

/* Said once, or repeated: what was sent is waited for; a new session may be tried at retry_ns. */
static void
session_on_draining(struct client_session *session, uint64_t retry_ns)
{
	if (session->state == CLIENT_SESSION_OPEN) {
		session_set_state(session, CLIENT_SESSION_DRAINING);
		session->timer_ns = retry_ns;
	}
}

static bool
session_on_closed(struct client_session *session, const struct frame *frame, uint64_t now_ns)
{
	struct client_core *core = session->core;
	struct session_msg_closed closed;

	if (session_msg_closed_decode(frame->body, frame->body_len, &closed) < 0) {
		return false;
	}
	if (closed.answers_hello ? !session_nonce_is(session, closed.client_nonce)
				 : session->session_id == 0 ||
					   frame->session_id != session->session_id) {
		return false;
	}
	/* The answer to our own CLOSE hides nothing that was told before. */
	if (session->state != CLIENT_SESSION_CLOSING || closed.reason != FRAME_CLIENT_DONE) {
		client_core_tell(core, "lane %u: %s", session->lane, frame_reason_text(closed.reason));
	}
	if (session->state == CLIENT_SESSION_CLOSING) {
		client_session_drop(session, 0, now_ns);
		return true;
	}
	uint64_t wait_ns = closed.retry_after_ms * NS_PER_MS;

	if (closed.reason == FRAME_FENCED) {
		bool current = session->epoch == core->producer_epoch;

		client_session_drop(session, SESSION_AGAIN_NS, now_ns);
		if (current) {
			client_core_fenced(core, session, now_ns);
		}
		return true;
	}
	if (closed.reason != FRAME_IDLE && wait_ns < SESSION_AGAIN_NS) {
		wait_ns = SESSION_AGAIN_NS;
	}
	if (closed.reason == FRAME_DRAINING && client_session_speaks(session)) {
		session_on_draining(session, now_ns + wait_ns);
		return true;
	}
	client_session_drop(session, wait_ns, now_ns);
	return true;
}

/*
 * A RESET without the token: forged, or the server lost its reset key. Asked by PING, the server answers
 * if the session lives; if it does not, silence will tell. Once a timeout, whatever comes in.
 */
static void
session_doubt(struct client_session *session, uint64_t now_ns)
{
	if (client_session_speaks(session) && session->doubt_ns <= now_ns &&
		client_transmit_ping(session, 0, now_ns)) {
		session->doubt_ns = now_ns + client_loss_pto_ns(&session->loss);
	}
}

static bool
session_on_reset(struct client_session *session, const struct frame *frame, uint64_t now_ns)
{
	struct session_msg_reset reset;
	uint8_t differs = 0;

	if (session->session_id == 0 || frame->session_id != session->session_id ||
		session_msg_reset_decode(frame->body, frame->body_len, &reset) < 0) {
		return false;
	}
	for (uint32_t i = 0; i < sizeof(reset.reset_token); i++) {
		differs |= (uint8_t)(reset.reset_token[i] ^ session->reset_token[i]);
	}
	if (differs != 0) {
		session_doubt(session, now_ns);
		return false;
	}
	client_core_tell(session->core, "lane %u: the server lost the session", session->lane);
	client_session_drop(session, 0, now_ns);
	return true;
}

static bool
session_on_version(struct client_session *session, const struct frame *frame, uint64_t now_ns)
{
	struct session_msg_version version;

	if (session_msg_version_decode(frame->body, frame->body_len, &version) < 0 ||
		!session_nonce_is(session, version.client_nonce)) {
		return false;
	}
	client_core_tell(session->core, "the server speaks protocol versions %u to %u, not %u",
		version.ver_min, version.ver_max, FRAME_PROTOCOL_VERSION);
	client_session_drop(session, NS_PER_S, now_ns);
	return true;
}

/* Frames of an open session, or one that drains: 1 used, 0 not acceptable. */
static bool
session_on_open(struct client_session *session, const struct frame *frame, uint64_t now_ns)
{
	struct session_msg_resolved resolved;
	uint16_t size;

	if (!client_session_speaks(session) || frame->session_id != session->session_id) {
		return false;
	}
	session->last_rx_ns = now_ns;
	switch (frame->type) {
	case FRAME_ACK:
		client_transmit_ack(session, frame, now_ns);
		return true;
	case FRAME_RESOLVED:
		if (session_msg_resolved_decode(frame->body, frame->body_len, &resolved) < 0 ||
			session->boot_id != session->core->boot_id) {
			return false;
		}
		client_topic_resolved(session->core, &resolved, now_ns);
		return true;
	case FRAME_PROBED:
		if (session_msg_probed_decode(frame->body, frame->body_len, &size) < 0) {
			return false;
		}
		client_mtu_arrived(&session->mtu, size, now_ns);
		session->cwnd.datagram_bytes = session->mtu.current;
		return true;
	default:
		return false;
	}
}

void
client_session_input(struct client_session *session, const uint8_t *bytes, uint32_t len,
	uint64_t now_ns)
{
	struct frame frame;
	bool used = false;

	/* Frames with a tag are for sessions that asked for authentication: none here. */
	if (frame_decode(bytes, len, FRAME_SIDE_CLIENT, &frame) != FRAME_OK ||
		frame.flags & FRAME_AUTH) {
		client_core_count(session->core, CLIENT_frames_ignored, 1);
		return;
	}
	switch (frame.type) {
	case FRAME_RETRY:
		used = session_on_retry(session, &frame, now_ns);
		break;
	case FRAME_ACCEPT:
		used = session_on_accept(session, &frame, now_ns);
		break;
	case FRAME_VERSION:
		used = session_on_version(session, &frame, now_ns);
		break;
	case FRAME_CLOSED:
		used = session_on_closed(session, &frame, now_ns);
		break;
	case FRAME_RESET:
		used = session_on_reset(session, &frame, now_ns);
		break;
	default:
		used = session_on_open(session, &frame, now_ns);
		break;
	}
	if (!used) {
		client_core_count(session->core, CLIENT_frames_ignored, 1);
	}
}

/* --- time -------------------------------------------------------------------------------------- */

static void
session_poll_hello(struct client_session *session, uint64_t now_ns)
{
	if (session->timer_ns > now_ns) {
		return;
	}
	if (session->tries < SESSION_HELLO_TRIES) {
		if (session->tries >= SESSION_PORT_TRIES && session->cookie_len == 0) {
			session->port = session->core->options.port;
		}
		session_hello(session, now_ns);
		return;
	}
	client_core_tell(session->core, "lane %u: no answer at port %u", session->lane,
		session->port);
	session->port = session->core->options.port;
	client_session_drop(session, SESSION_AGAIN_NS, now_ns);
}

/*
 * Until all that was sent is durable. A server may need longer for that than it said, and answers no
 * HELLO meanwhile: as long as it has everything and is heard, it is waited for.
 */
static uint64_t
session_poll_draining(struct client_session *session, uint64_t now_ns)
{
	uint64_t silent_ns = session->last_rx_ns + SESSION_SILENCE_NS;
	uint64_t timer_ns = session->timer_ns;

	if (timer_ns <= now_ns && client_transmit_all_received(session)) {
		timer_ns = silent_ns;
	}
	if (!client_transmit_under_way(session) || timer_ns <= now_ns) {
		uint64_t wait_ns = session->timer_ns > now_ns ? session->timer_ns - now_ns : 0;

		client_session_drop(session, wait_ns, now_ns);
		return session->state == CLIENT_SESSION_WAITING ? session->timer_ns : UINT64_MAX;
	}
	uint64_t deadline_ns = client_transmit_drain(session, now_ns);

	return timer_ns < deadline_ns ? timer_ns : deadline_ns;
}

static uint64_t
session_poll_open(struct client_session *session, uint64_t now_ns)
{
	/* Silence although something was said that wants an answer. */
	if (session->loss.flying_count > 0 &&
		session->last_rx_ns + session->idle_timeout_ns <= now_ns) {
		client_core_tell(session->core, "lane %u: no answer", session->lane);
		client_session_drop(session, 0, now_ns);
		return UINT64_MAX;
	}
	if (client_transmit_starved(session)) {
		client_core_tell(session->core, "lane %u: out of credit; opening it again",
			session->lane);
		client_core_count(session->core, CLIENT_reconnects, 1);
		client_session_close(session, now_ns);
		return session->timer_ns;
	}
	return client_transmit_poll(session, now_ns);
}

static uint64_t
session_poll_state(struct client_session *session, uint64_t now_ns)
{
	switch (session->state) {
	case CLIENT_SESSION_HELLO:
		session_poll_hello(session, now_ns);
		return session->timer_ns;
	case CLIENT_SESSION_WAITING:
		if (session->timer_ns <= now_ns) {
			session_set_state(session, CLIENT_SESSION_IDLE);
			return UINT64_MAX;
		}
		return session->timer_ns;
	case CLIENT_SESSION_CLOSING:
		if (session->timer_ns <= now_ns) {
			if (session->tries == SESSION_CLOSE_TRIES) {
				client_session_drop(session, 0, now_ns);
				return UINT64_MAX;
			}
			session_say_close(session, now_ns);
		}
		return session->timer_ns;
	case CLIENT_SESSION_OPEN:
		return session_poll_open(session, now_ns);
	case CLIENT_SESSION_DRAINING:
		return session_poll_draining(session, now_ns);
	default:
		return UINT64_MAX;
	}
}

uint64_t
client_session_poll(struct client_session *session, uint64_t now_ns)
{
	session_poll_streams(session, now_ns);
	uint64_t deadline_ns = session_poll_state(session, now_ns);

	return session->streams_ns < deadline_ns ? session->streams_ns : deadline_ns;
}
