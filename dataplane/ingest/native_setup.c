/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Set-up: HELLO -> RETRY, ACCEPT, VERSION, CLOSED. No state and no answer larger than the question
 * before a valid cookie. After it, a slot in ASKING and a question to control (producer id and
 * epoch); the answer opens the session. The order of the checks is that of the protocol's table of
 * malformed input: hello_bad before the cookie, authentication and limits after it.
 */
#include "base/ensure.h"
#include "ingest/lane.h"
#include "wire/native/cookie.h"
#include "wire/native/token.h"

/* What a HELLO's cookie is bound to. */
static struct cookie_claim
setup_claim(const struct datagram *datagram, const struct session_msg_hello *hello)
{
	struct cookie_claim claim = {.port = datagram->peer->port};

	memcpy(claim.address, datagram->peer->address, sizeof(claim.address));
	memcpy(claim.client_nonce, hello->client_nonce, sizeof(claim.client_nonce));
	return claim;
}

static uint16_t
setup_lane_port(const struct lane *lane, uint16_t index)
{
	uint16_t port = lane->options.ports[index];

	return port != 0 ? port : (uint16_t)(lane->options.native_port_base + index);
}

/* Where a client is sent: the lane it wants, else spread by its nonce. */
static uint16_t
setup_lane_choice(const struct lane *lane, const struct session_msg_hello *hello)
{
	if (hello->lane < lane->options.lane_count) {
		return hello->lane;
	}
	return (uint16_t)(load_le32(hello->client_nonce) % lane->options.lane_count);
}

static void
setup_retry(
	struct lane *lane, const struct datagram *datagram, const struct session_msg_hello *hello)
{
	struct cookie_claim claim = setup_claim(datagram, hello);
	struct cookie_secrets secrets = lane_secrets_cookie(lane->options.secrets);
	struct session_msg_retry retry = {.lane = setup_lane_choice(lane, hello)};
	struct reply reply;

	if (!reply_begin(
		    lane, datagram->peer, FRAME_HEADER_BYTES + SESSION_MSG_RETRY_BYTES, &reply)) {
		return;
	}
	retry.lane_port = setup_lane_port(lane, retry.lane);
	memcpy(retry.client_nonce, hello->client_nonce, sizeof(retry.client_nonce));
	cookie_make(&secrets, &claim, (uint32_t)(lane->now_ns / NS_PER_S), retry.cookie);
	reply.frame.type = FRAME_RETRY;
	struct writer body = frame_body_writer(reply.payload, reply.room);

	session_msg_retry_encode(&body, &retry);
	reply_send(lane, &reply, &body);
}

static void
setup_version_answer(struct lane *lane, const struct datagram *datagram, const uint8_t *nonce)
{
	struct session_msg_version version = {
		.ver_min = FRAME_PROTOCOL_VERSION, .ver_max = FRAME_PROTOCOL_VERSION};
	struct reply reply;

	if (!nonce || !reset_may_answer(datagram->peer) ||
		!lane_rate_allows(&lane->reset_rate, lane->now_ns, LANE_RESETS_PER_SECOND) ||
		!reply_begin(lane, datagram->peer, FRAME_HEADER_BYTES + SESSION_MSG_VERSION_BYTES,
			&reply)) {
		return;
	}
	memcpy(version.client_nonce, nonce, sizeof(version.client_nonce));
	reply.frame.type = FRAME_VERSION;
	struct writer body = frame_body_writer(reply.payload, reply.room);

	session_msg_version_encode(&body, &version);
	reply_send(lane, &reply, &body);
}

void
native_setup_version(struct lane *lane, const struct datagram *datagram)
{
	const struct frame *frame = &datagram->frame;

	if (frame->type == FRAME_HELLO && datagram->len >= FRAME_HELLO_PAYLOAD_MIN) {
		setup_version_answer(
			lane, datagram, session_msg_hello_nonce(frame->body, frame->body_len));
	}
}

/* The same bytes each time it is repeated. */
static void
setup_accept(struct lane *lane, struct native_session *session)
{
	const struct lane_options *options = &lane->options;
	struct session_msg_accept accept = {
		.producer_id = session->producer_id,
		.producer_epoch = session->producer_epoch,
		.lane = options->lane,
		.lane_count = options->lane_count,
		.max_datagram = session->max_datagram,
		.max_batch_bytes = native_session_batch_max(session),
		.idle_timeout_ms = (uint32_t)(lane->idle_timeout_ns / NS_PER_MS),
		.ack_delay_max_us = LANE_ACK_DELAY_NS / NS_PER_US,
		.ack_every = LANE_ACK_EVERY,
		.pn_window = FRAME_PN_WINDOW,
		.credit_bytes = session->first_credit_bytes,
		.credit_pkts = session->first_credit_pkts,
		.wall_us = session->wall_us,
		.boot_id = options->secrets->boot_id,
	};
	struct reply reply;

	if (!reply_begin(
		    lane, &session->peer, FRAME_HEADER_BYTES + SESSION_MSG_ACCEPT_BYTES, &reply)) {
		return;
	}
	memcpy(accept.client_nonce, session->client_nonce, sizeof(accept.client_nonce));
	memcpy(accept.server_nonce, session->server_nonce, sizeof(accept.server_nonce));
	token_reset(options->secrets->reset_key, session->session_id, accept.reset_token);
	reply.frame.type = FRAME_ACCEPT;
	reply.frame.session_id = session->session_id;
	struct writer body = frame_body_writer(reply.payload, reply.room);

	session_msg_accept_encode(&body, &accept);
	reply_send(lane, &reply, &body);
}

static bool
setup_cookie_good(
	struct lane *lane, const struct datagram *datagram, const struct session_msg_hello *hello)
{
	struct cookie_claim claim = setup_claim(datagram, hello);
	struct cookie_secrets secrets = lane_secrets_cookie(lane->options.secrets);

	if (hello->cookie_len == 0) {
		return false;
	}
	if (!cookie_check(&secrets, &claim, (uint32_t)(lane->now_ns / NS_PER_S), hello->cookie)) {
		lane->counters[LANE_cookie_bad]++;
		return false;
	}
	return true;
}

/* The largest UDP payload that the client, the port and the peer's kind of IP carry. */
static uint16_t
setup_max_datagram(
	const struct lane *lane, const struct packet_peer *peer, uint16_t max_of_client)
{
	uint32_t headers = packet_address_is_ip4(peer->address) ? NIC_IP4_UDP_BYTES : NIC_IP6_UDP_BYTES;
	uint32_t max = lane->caps.mtu - headers;

	max = lane->options.max_datagram < max ? lane->options.max_datagram : max;
	return max_of_client < max ? max_of_client : (uint16_t)max;
}

/* Asks control for a producer id and epoch. False: its ring is full, nothing is kept. */
static bool
setup_ask(struct lane *lane, uint32_t index, const struct session_msg_hello *hello)
{
	struct native_session *session = &lane->sessions.sessions[index];
	struct control_ask ask = {
		.kind = CONTROL_PRODUCER,
		.flags = (uint8_t)((hello->flags & SESSION_MSG_JOIN ? CONTROL_JOIN : 0) |
				   (hello->flags & SESSION_MSG_BUMP ? CONTROL_BUMP : 0)),
		.lane = lane->options.lane,
		.session_index = index,
		.token = index,
		.producer_id = hello->producer_id,
		.producer_epoch = hello->producer_epoch,
		.name_len = hello->name_len,
	};

	memcpy(ask.name, hello->name, hello->name_len);
	session->name_len = hello->name_len;
	memcpy(session->name, hello->name, hello->name_len);
	session->max_datagram = setup_max_datagram(lane, &session->peer, hello->max_datagram);
	return ring_offer(lane->options.control_ask, &ask, 1) == 1;
}

/* A new session. False: to be dropped silently, the client repeats. */
static bool
setup_begin(
	struct lane *lane, const struct datagram *datagram, const struct session_msg_hello *hello)
{
	uint32_t index;

	if (lane->sessions.asking_count >= LANE_ASKING_MAX) {
		return false;
	}
	index = native_session_take(&lane->sessions, datagram->peer, hello->client_nonce);
	if (index == SESSION_NONE) {
		reply_closed_hello(lane, datagram->peer, hello->client_nonce,
			&(struct session_msg_closed){.reason = FRAME_TOO_MANY_SESSIONS,
				.retry_after_ms = LANE_RETRY_AFTER_MS});
		return true;
	}
	if (!setup_ask(lane, index, hello)) {
		native_session_give(&lane->sessions, index);
		return false;
	}
	return true;
}

/* A HELLO whose cookie is good. False: dropped while control works. */
static bool
setup_proven(
	struct lane *lane, const struct datagram *datagram, const struct session_msg_hello *hello)
{
	uint32_t index =
		native_session_find_hello(&lane->sessions, datagram->peer, hello->client_nonce);

	if (index != SESSION_NONE) {
		struct native_session *session = &lane->sessions.sessions[index];

		if (session->state == SESSION_ASKING) {
			return false;
		}
		setup_accept(lane, session);
		return true;
	}
	if (lane->draining) {
		reply_closed_hello(lane, datagram->peer, hello->client_nonce,
			&(struct session_msg_closed){
				.reason = FRAME_DRAINING, .retry_after_ms = LANE_RETRY_AFTER_MS});
		return true;
	}
	return setup_begin(lane, datagram, hello);
}

/* Returns the counter that this HELLO goes to. */
static enum lane_counter
setup_judge(struct lane *lane, const struct datagram *datagram)
{
	const struct frame *frame = &datagram->frame;
	struct session_msg_hello hello;

	if (session_msg_hello_decode(frame->body, frame->body_len, &hello) < 0 ||
		frame->session_id != 0 || frame->pn != 0) {
		return LANE_hello_bad;
	}
	if ((hello.auth != SESSION_MSG_AUTH_NONE) != ((frame->flags & FRAME_AUTH) != 0)) {
		return LANE_auth_missing;
	}
	if (!session_msg_hello_speaks(&hello)) {
		setup_version_answer(lane, datagram, hello.client_nonce);
		return LANE_hello;
	}
	if (!setup_cookie_good(lane, datagram, &hello)) {
		if (!lane_rate_allows(&lane->retry_rate, lane->now_ns, LANE_RETRIES_PER_SECOND)) {
			return LANE_hello_rate;
		}
		setup_retry(lane, datagram, &hello);
		return LANE_hello;
	}
	if (hello.auth != SESSION_MSG_AUTH_NONE) {
		/* No keys in this version: every key is unknown. */
		reply_closed_hello(lane, datagram->peer, hello.client_nonce,
			&(struct session_msg_closed){.reason = FRAME_AUTH_FAILED});
		return LANE_hello_auth;
	}
	return setup_proven(lane, datagram, &hello) ? LANE_hello : LANE_hello_pending;
}

void
native_setup_hello(struct lane *lane, const struct datagram *datagram)
{
	enum lane_counter counter = setup_judge(lane, datagram);

	lane->counters[counter]++;
}

static uint16_t
setup_reason(int16_t error)
{
	switch (error) {
	case KAFKA_INVALID_PRODUCER_EPOCH:
		return FRAME_FENCED;
	case KAFKA_TOPIC_AUTHORIZATION_FAILED:
		return FRAME_AUTH_FAILED;
	case KAFKA_THROTTLING_QUOTA_EXCEEDED:
		return FRAME_TOO_MANY_SESSIONS;
	case KAFKA_LEADER_NOT_AVAILABLE:
	case KAFKA_KAFKA_STORAGE_ERROR:
		return FRAME_NOT_READY;
	default:
		return FRAME_INTERNAL;
	}
}

static void
setup_open(struct lane *lane, uint32_t index, const struct control_answer *answer)
{
	struct native_session *session = &lane->sessions.sessions[index];

	session->producer_id = answer->producer_id;
	session->producer_epoch = answer->producer_epoch;
	session->session_id =
		frame_session_id(index, lane->options.lane, (uint32_t)rand_u64(lane->options.rand));
	if (session->session_id == 0) {
		session->session_id = frame_session_id(index, lane->options.lane, 1);
	}
	rand_fill(lane->options.rand, session->server_nonce, sizeof(session->server_nonce));
	session->wall_us =
		(uint64_t)((int64_t)lane->now_ns + lane->admission.wall_minus_now_ns) / NS_PER_US;
	session->last_rx_ns = lane->now_ns;
	session->flags |= SESSION_CONTROL_KNOWS;
	native_session_set_state(&lane->sessions, session, SESSION_OPEN);
	native_session_fence(&lane->sessions, session->producer_id, session->producer_epoch);
	native_session_chain(&lane->sessions, index);
	admission_open(lane, session);
	lane->counters[LANE_sessions_opened]++;
	lane->counters[LANE_sessions]++;
	session_row_touch(lane, index);
}

void
native_setup_answer(struct lane *lane, const struct control_answer *answer)
{
	uint32_t index = (uint32_t)answer->token;

	ensure(index < lane->sessions.count);
	struct native_session *session = &lane->sessions.sessions[index];

	ensure(session->state == SESSION_ASKING);
	if (answer->error != 0) {
		struct session_msg_closed closed = {.reason = setup_reason(answer->error),
			.retry_after_ms = LANE_RETRY_AFTER_MS};

		reply_closed_hello(lane, &session->peer, session->client_nonce, &closed);
		native_session_give(&lane->sessions, index);
		return;
	}
	setup_open(lane, index, answer);
	setup_accept(lane, session);
	if (lane->draining) {
		native_session_drain(lane, index);
	}
}
