/* SPDX-License-Identifier: Apache-2.0 */
/* Reference server of the native protocol (native_server.h): sessions and frames. */
#include "native_server.h"

#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/errcode.h"
#include "native_server_state.h"
#include "native_server_stream.h"

static void
server_emit(struct native_server *server, uint32_t address, uint16_t lane, struct frame *frame,
	const struct writer *body)
{
	size_t len = frame_finish(frame, server->out, body);

	ensure(len > 0);
	server->options.send(server->options.user_data, address, lane, server->out, (uint32_t)len);
}

static struct writer
server_body(struct native_server *server)
{
	return frame_body_writer(server->out, sizeof(server->out));
}

void
native_server_options_init(struct native_server_options *options)
{
	*options = (struct native_server_options){
		.disk_ns = NS_PER_MS,
		.idle_timeout_ns = 15 * NS_PER_S,
		.credit_bytes = 256 * KIB,
		.credit_packets = 128,
		.max_datagram = 1472,
		.lane_count = 1,
		.port = 9292,
	};
}

struct native_server *
native_server_create(const struct native_server_options *options)
{
	struct native_server *server = calloc(1, sizeof(*server));

	ensure(server);
	server->options = *options;
	server->handle_base = 1;
	server->counts.boot_id = rand_u64(options->rand) | 1;
	server->log.disk_ns = options->disk_ns;
	server->log.running = true;
	return server;
}

static void
server_session_end(struct native_server *server, struct server_session *session)
{
	for (uint32_t i = 0; i < SERVER_STREAMS_MAX; i++) {
		server_stream_clear(&session->streams[i]);
	}
	memset(session, 0, sizeof(*session));
	server->counts.sessions--;
}

void
native_server_destroy(struct native_server *server)
{
	for (uint32_t i = 0; i < SERVER_SESSIONS_MAX; i++) {
		if (server->sessions[i].open) {
			server_session_end(server, &server->sessions[i]);
		}
	}
	server_log_free(&server->log);
	free(server);
}

uint32_t
native_server_topic(struct native_server *server, const char *name, uint32_t partitions)
{
	struct server_topic *topic = &server->topics[server->topic_count++];

	ensure(server->topic_count <= SERVER_TOPICS_MAX);
	ensure(strlen(name) < sizeof(topic->name));
	strcpy(topic->name, name);
	topic->first = server_log_add(&server->log, partitions);
	topic->count = partitions;
	return topic->first;
}

/* --- set-up ------------------------------------------------------------------------------------ */

static void
server_say_closed(struct native_server *server, struct server_session *session, uint16_t reason,
	uint32_t retry_after_ms)
{
	struct frame frame = {
		.type = FRAME_CLOSED,
		.session_id = session->id,
		.pn = ++session->next_pn,
	};
	struct writer body = server_body(server);
	struct session_msg_closed closed = {.reason = reason, .retry_after_ms = retry_after_ms};

	session_msg_closed_encode(&body, &closed);
	server_emit(server, session->address, session->lane, &frame, &body);
}

static void
server_closed(struct native_server *server, struct server_session *session, uint16_t reason,
	uint32_t retry_after_ms)
{
	server_say_closed(server, session, reason, retry_after_ms);
	server_session_end(server, session);
}

void
native_server_close_all(struct native_server *server, uint16_t reason, uint32_t retry_after_ms)
{
	for (uint32_t i = 0; i < SERVER_SESSIONS_MAX; i++) {
		if (server->sessions[i].open) {
			server_closed(server, &server->sessions[i], reason, retry_after_ms);
		}
	}
}

static void
server_refuse_hello(struct native_server *server, uint32_t address, uint16_t lane,
	const struct session_msg_hello *hello, uint16_t reason)
{
	struct frame frame = {.type = FRAME_CLOSED};
	struct writer body = server_body(server);
	struct session_msg_closed closed = {.reason = reason, .answers_hello = true};

	memcpy(closed.client_nonce, hello->client_nonce, sizeof(closed.client_nonce));
	session_msg_closed_encode(&body, &closed);
	server_emit(server, address, lane, &frame, &body);
}

/* Producer id and epoch of a HELLO. False: fenced. */
static bool
server_identity(struct native_server *server, const struct session_msg_hello *hello,
	int64_t *ret_id, int16_t *ret_epoch)
{
	if (hello->flags != 0) {
		int64_t at = hello->producer_id - 1000;

		if (at < 0 || at >= server->producer_count ||
			server->producers[at].epoch != hello->producer_epoch) {
			return false;
		}
		if (hello->flags & SESSION_MSG_BUMP) {
			server->producers[at].epoch++;
		}
		*ret_id = hello->producer_id;
		*ret_epoch = server->producers[at].epoch;
		return true;
	}
	for (uint32_t i = 0; i < server->producer_count && hello->name_len > 0; i++) {
		struct server_producer *producer = &server->producers[i];

		if (strlen(producer->name) == hello->name_len &&
			memcmp(producer->name, hello->name, hello->name_len) == 0) {
			*ret_id = 1000 + i;
			*ret_epoch = ++producer->epoch;
			return true;
		}
	}
	ensure(server->producer_count < SERVER_PRODUCERS_MAX);
	memcpy(server->producers[server->producer_count].name, hello->name, hello->name_len);
	*ret_id = 1000 + server->producer_count++;
	*ret_epoch = 0;
	return true;
}

static void
server_reset_token(const struct server_session *session, uint8_t token[16])
{
	store_le64(token, session->id * 0x9e3779b97f4a7c15ull);
	store_le64(token + 8, session->id * 0xc2b2ae3d27d4eb4full);
}

static void
server_accept(struct native_server *server, struct server_session *session)
{
	struct session_msg_accept accept = {
		.producer_id = session->producer_id,
		.producer_epoch = session->epoch,
		.lane = session->lane,
		.lane_count = server->options.lane_count,
		.max_datagram = session->max_datagram,
		.max_batch_bytes = 1048588,
		.idle_timeout_ms = (uint32_t)(server->options.idle_timeout_ns / NS_PER_MS),
		.ack_delay_max_us = 200,
		.ack_every = 16,
		.pn_window = FRAME_PN_WINDOW,
		.boot_id = server->counts.boot_id,
	};
	struct frame frame = {.type = FRAME_ACCEPT, .session_id = session->id};
	struct writer body = server_body(server);

	server_credit(server, session, &accept.credit_bytes, &accept.credit_pkts);
	memcpy(accept.client_nonce, session->nonce, sizeof(accept.client_nonce));
	server_reset_token(session, accept.reset_token);
	session_msg_accept_encode(&body, &accept);
	server->counts.accepts++;
	server_emit(server, session->address, session->lane, &frame, &body);
}

static struct server_session *
server_session_new(struct native_server *server, uint32_t address, uint16_t lane,
	const struct session_msg_hello *hello)
{
	struct server_session *session = NULL;

	for (uint32_t i = 0; i < SERVER_SESSIONS_MAX && !session; i++) {
		if (!server->sessions[i].open) {
			session = &server->sessions[i];
			session->id = frame_session_id(i, lane, (uint32_t)rand_u64(server->options.rand) | 1);
		}
	}
	ensure(session);
	session->open = true;
	session->address = address;
	session->lane = lane;
	session->last_rx_ns = server->now_ns;
	session->max_datagram = hello->max_datagram < server->options.max_datagram
					? hello->max_datagram
					: (uint16_t)server->options.max_datagram;
	memcpy(session->nonce, hello->client_nonce, sizeof(session->nonce));
	server->counts.sessions++;
	return session;
}

static void
server_retry(struct native_server *server, uint32_t address, uint16_t port_lane,
	const struct session_msg_hello *hello, const uint8_t cookie[16])
{
	uint16_t lane = hello->lane == SESSION_MSG_LANE_ANY ? 0 : hello->lane;
	struct session_msg_retry retry = {
		.lane = lane,
		.lane_port = (uint16_t)(server->options.port + lane),
	};
	struct frame frame = {.type = FRAME_RETRY};
	struct writer body = server_body(server);

	memcpy(retry.client_nonce, hello->client_nonce, sizeof(retry.client_nonce));
	memcpy(retry.cookie, cookie, sizeof(retry.cookie));
	session_msg_retry_encode(&body, &retry);
	server_emit(server, address, port_lane, &frame, &body);
}

static void
server_hello(struct native_server *server, uint32_t address, uint16_t lane, const struct frame *frame)
{
	struct session_msg_hello hello;
	uint8_t cookie[16];
	int64_t id;
	int16_t epoch;

	if (session_msg_hello_decode(frame->body, frame->body_len, &hello) < 0) {
		server->counts.frames_bad++;
		return;
	}
	server->counts.hellos++;
	store_le64(cookie, load_le64(hello.client_nonce) ^ address);
	store_le64(cookie + 8, server->counts.boot_id);
	if (hello.cookie_len == 0 || memcmp(hello.cookie, cookie, sizeof(cookie)) != 0 ||
		(hello.lane != SESSION_MSG_LANE_ANY && hello.lane != lane)) {
		server_retry(server, address, lane, &hello, cookie);
		return;
	}
	for (uint32_t i = 0; i < SERVER_SESSIONS_MAX; i++) {
		struct server_session *session = &server->sessions[i];

		if (session->open && session->address == address &&
			memcmp(session->nonce, hello.client_nonce, sizeof(session->nonce)) == 0) {
			server_accept(server, session);
			return;
		}
	}
	if (server->draining) {
		server_refuse_hello(server, address, lane, &hello, FRAME_DRAINING);
		return;
	}
	if (!server_identity(server, &hello, &id, &epoch)) {
		server_refuse_hello(server, address, lane, &hello, FRAME_FENCED);
		return;
	}
	struct server_session *session = server_session_new(server, address, lane, &hello);

	session->producer_id = id;
	session->epoch = epoch;
	server_accept(server, session);
}

/* --- acks -------------------------------------------------------------------------------------- */

static void
server_ack_entry(struct session_msg_ack *ack, const struct server_stream *stream)
{
	ack->entry[ack->entries++] = (struct session_msg_ack_entry){
		.stream = stream->handle,
		.received_seq = stream->received_seq,
		.durable_seq = stream->durable_seq,
		.error = stream->error,
		.error_seq = stream->error_seq,
		.durable_offset = stream->durable_offset,
	};
}

static void
server_ack(struct native_server *server, struct server_session *session, uint32_t unknown)
{
	struct session_msg_ack ack = {
		.recv_upto = session->recv_upto,
		.echo_pn = session->echo_pn,
		.echo_send_us = session->echo_send_us,
		.echo_delay_us = (uint32_t)((server->now_ns - session->echo_rx_ns) / NS_PER_US),
		.words = SESSION_MSG_ACK_WORDS_MAX,
	};
	struct frame frame = {
		.type = FRAME_ACK,
		.session_id = session->id,
		.pn = ++session->next_pn,
	};
	struct writer body = server_body(server);

	for (uint32_t i = 0; i < FRAME_PN_WINDOW; i++) {
		uint64_t pn = session->recv_upto + 1 + i;

		if (session->seen[pn % FRAME_PN_WINDOW / 64] >> (pn % 64) & 1) {
			ack.bitmap[i / 64] |= 1ull << (i % 64);
		}
	}
	while (ack.words > 0 && ack.bitmap[ack.words - 1] == 0) {
		ack.words--;
	}
	server_credit(server, session, &ack.credit_bytes, &ack.credit_pkts);
	if (unknown != 0) {
		ack.entry[ack.entries++] = (struct session_msg_ack_entry){
			.stream = unknown,
			.received_seq = -1,
			.durable_seq = -1,
			.error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
			.error_seq = -1,
			.durable_offset = -1,
		};
	}
	for (uint32_t i = 0; i < SERVER_STREAMS_MAX; i++) {
		struct server_stream *stream = &session->streams[i];

		if (stream->dirty && ack.entries < SESSION_MSG_ACK_ENTRIES_MAX) {
			stream->dirty = false;
			server_ack_entry(&ack, stream);
		}
	}
	session->ack_due = false;
	session_msg_ack_encode(&body, &ack);
	server->counts.acks++;
	server_emit(server, session->address, session->lane, &frame, &body);
}

/* --- other frames ------------------------------------------------------------------------------ */

static void
server_resolve(struct native_server *server, struct server_session *session,
	const struct frame *frame)
{
	struct session_msg_resolve resolve;
	static const struct server_topic none;
	const struct server_topic *topic = &none;
	struct session_msg_resolved answer = {.max_message_bytes = 1048588, .metadata_version = 1};
	struct frame out = {
		.type = FRAME_RESOLVED,
		.session_id = session->id,
		.pn = ++session->next_pn,
	};
	struct writer body = server_body(server);

	server->counts.resolves++;
	if (session_msg_resolve_decode(frame->body, frame->body_len, &resolve) < 0) {
		return;
	}
	for (uint32_t i = 0; i < server->topic_count; i++) {
		if (strlen(server->topics[i].name) == resolve.name_len &&
			memcmp(server->topics[i].name, resolve.name, resolve.name_len) == 0) {
			topic = &server->topics[i];
		}
	}
	answer.request_id = resolve.request_id;
	answer.first_partition = resolve.first_partition;
	answer.partition_count = topic->count;
	if (resolve.name_len > 0 && resolve.name[0] == '_') {
		answer.error = KAFKA_INVALID_TOPIC_EXCEPTION;
	} else if (topic->count == 0) {
		answer.error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	}
	for (uint32_t p = resolve.first_partition;
		p < topic->count && answer.count < SESSION_MSG_RESOLVED_MAX; p++) {
		answer.entries[answer.count++] = (struct session_msg_resolved_entry){
			.stream = server->handle_base + topic->first + p,
			.lane = (uint16_t)((topic->first + p) % server->options.lane_count),
			.flags = SESSION_MSG_WRITABLE,
		};
	}
	session_msg_resolved_encode(&body, &answer);
	server_emit(server, session->address, session->lane, &out, &body);
}

static void
server_probed(struct native_server *server, struct server_session *session, uint32_t payload)
{
	struct frame out = {
		.type = FRAME_PROBED,
		.session_id = session->id,
		.pn = ++session->next_pn,
	};
	struct writer body = server_body(server);

	server->counts.probes++;
	session_msg_probed_encode(&body, (uint16_t)payload);
	server_emit(server, session->address, session->lane, &out, &body);
}

static void
server_reset(struct native_server *server, uint32_t address, uint16_t lane,
	const struct frame *frame)
{
	struct server_session ghost = {.id = frame->session_id};
	struct frame out = {.type = FRAME_RESET, .session_id = frame->session_id, .pn = frame->pn};
	struct session_msg_reset reset = {.reason = FRAME_UNKNOWN_SESSION};
	struct writer body = server_body(server);

	server_reset_token(&ghost, reset.reset_token);
	session_msg_reset_encode(&body, &reset);
	server->counts.resets++;
	server_emit(server, address, lane, &out, &body);
}

/* --- packet numbers ---------------------------------------------------------------------------- */

static bool
server_pn_seen(const struct server_session *session, uint64_t pn)
{
	return pn <= session->recv_upto ||
	       (session->seen[pn % FRAME_PN_WINDOW / 64] >> (pn % 64) & 1);
}

static void
server_pn_take(struct server_session *session, uint64_t pn)
{
	if (pn > session->recv_upto) {
		session->seen[pn % FRAME_PN_WINDOW / 64] |= 1ull << (pn % 64);
	}
	while (session->seen[(session->recv_upto + 1) % FRAME_PN_WINDOW / 64] >>
			       ((session->recv_upto + 1) % 64) & 1) {
		session->recv_upto++;
		session->seen[session->recv_upto % FRAME_PN_WINDOW / 64] &=
			~(1ull << (session->recv_upto % 64));
	}
}

/* All below low is settled. */
static void
server_pn_low(struct server_session *session, uint64_t low)
{
	while (session->recv_upto + 1 < low) {
		session->recv_upto++;
		session->seen[session->recv_upto % FRAME_PN_WINDOW / 64] &=
			~(1ull << (session->recv_upto % 64));
	}
	if (session->recv_upto > 0) {
		server_pn_take(session, session->recv_upto);
	}
}

static void
server_frame(struct native_server *server, struct server_session *session,
	const struct frame *frame, uint32_t len)
{
	uint32_t unknown = 0;

	switch (frame->type) {
	case FRAME_DATA:
		if (!server_data(server, session, frame)) {
			return;
		}
		unknown = server_stream(server, session, frame->stream) ? 0 : frame->stream;
		session->ack_due = true;
		break;
	case FRAME_PING: {
		struct server_stream *stream =
			frame->stream ? server_stream(server, session, frame->stream) : NULL;

		server->counts.pings++;
		if (stream) {
			stream->dirty = true;
		}
		session->ack_due = true;
		break;
	}
	case FRAME_RESOLVE:
		server_resolve(server, session, frame);
		session->ack_due = true;
		break;
	case FRAME_PROBE:
		server_probed(server, session, len);
		session->ack_due = true;
		break;
	case FRAME_CLOSE:
		server_closed(server, session, FRAME_CLIENT_DONE, 0);
		return;
	default:
		server->counts.frames_bad++;
		return;
	}
	server_pn_take(session, frame->pn);
	session->echo_pn = frame->pn;
	session->echo_send_us = frame->send_us;
	session->echo_rx_ns = server->now_ns;
	if (unknown != 0) {
		server_ack(server, session, unknown);
	}
}

/* Packet-number and credit rules. True: the frame is to be used. */
static bool
server_admit(struct native_server *server, struct server_session *session,
	const struct frame *frame)
{
	if (frame->pn == 0 || frame->pn_low_delta >= FRAME_PN_WINDOW ||
		frame->pn_low_delta >= frame->pn) {
		server->counts.violations++;
		server_closed(server, session, FRAME_PROTOCOL_VIOLATION, 0);
		return false;
	}
	server_pn_low(session, frame->pn - frame->pn_low_delta);
	ensure(frame->pn <= session->recv_upto + FRAME_PN_WINDOW);
	if (server_pn_seen(session, frame->pn)) { /* received, or settled by low */
		server->counts.pn_duplicates++;
		session->ack_due = true;
		return false;
	}
	return true;
}

void
native_server_input(struct native_server *server, uint32_t address, uint16_t port,
	const uint8_t *bytes, uint32_t len, uint64_t now_ns)
{
	struct frame frame;
	uint16_t lane = (uint16_t)(port - server->options.port);

	server->now_ns = now_ns;
	if (lane >= server->options.lane_count ||
		frame_decode(bytes, len, FRAME_SIDE_SERVER, &frame) != FRAME_OK) {
		server->counts.frames_bad++;
		return;
	}
	if (frame.type == FRAME_HELLO) {
		server_hello(server, address, lane, &frame);
		return;
	}
	struct server_session *session =
		&server->sessions[frame_session_slot(frame.session_id) % SERVER_SESSIONS_MAX];

	if (!session->open || session->id != frame.session_id) {
		if (len >= FRAME_RESET_PAYLOAD) {
			server_reset(server, address, lane, &frame);
		}
		return;
	}
	if (session->address != address || session->lane != lane) {
		server->counts.frames_bad++;
		return;
	}
	int64_t producer = session->producer_id - 1000;

	session->last_rx_ns = now_ns;
	if (server->producers[producer].epoch != session->epoch) {
		server_closed(server, session, FRAME_FENCED, 0);
		return;
	}
	if (server->draining && (frame.type == FRAME_DATA || frame.type == FRAME_RESOLVE)) {
		return;
	}
	if (server_admit(server, session, &frame)) {
		server_frame(server, session, &frame, len);
	}
}

/* --- time -------------------------------------------------------------------------------------- */

static void
server_durable(struct native_server *server, struct server_session *session)
{
	for (uint32_t i = 0; i < SERVER_STREAMS_MAX; i++) {
		struct server_stream *stream = &session->streams[i];

		if (stream->handle == 0) {
			continue;
		}
		struct server_state *state = server_log_state(&server->log,
			stream->handle - server->handle_base, session->producer_id);

		if (state && state->epoch == session->epoch && state->durable_seq >= 0 &&
			state->durable_seq != stream->durable_seq) {
			stream->durable_seq = state->durable_seq;
			stream->durable_offset = state->durable_offset;
			stream->dirty = true;
			session->ack_due = true;
			/* Bytes are resolved when durable: all that was ever taken, less what is not. */
			session->resolved_bytes = session->accepted_bytes > session->resolved_bytes
							  ? session->accepted_bytes
							  : session->resolved_bytes;
		}
	}
}

uint64_t
native_server_poll(struct native_server *server, uint64_t now_ns)
{
	uint64_t deadline_ns = server_log_poll(&server->log, now_ns);

	server->now_ns = now_ns;
	for (uint32_t i = 0; i < SERVER_SESSIONS_MAX; i++) {
		struct server_session *session = &server->sessions[i];

		if (!session->open) {
			continue;
		}
		if (session->last_rx_ns + server->options.idle_timeout_ns <= now_ns) {
			server_closed(server, session, FRAME_IDLE, 0);
			continue;
		}
		server_durable(server, session);
		if (session->ack_due) {
			server_ack(server, session, 0);
		}
		if (session->last_rx_ns + server->options.idle_timeout_ns < deadline_ns) {
			deadline_ns = session->last_rx_ns + server->options.idle_timeout_ns;
		}
	}
	return deadline_ns;
}

void
native_server_crash(struct native_server *server)
{
	for (uint32_t i = 0; i < SERVER_SESSIONS_MAX; i++) {
		if (server->sessions[i].open) {
			server_session_end(server, &server->sessions[i]);
		}
	}
	server->draining = false;
	server_log_crash(&server->log, server->options.rand);
	server->handle_base += server->log.partition_count + 7;
	server->counts.boot_id = rand_u64(server->options.rand) | 1;
}

void
native_server_drain(struct native_server *server, uint32_t retry_after_ms)
{
	server->draining = true;
	for (uint32_t i = 0; i < SERVER_SESSIONS_MAX; i++) {
		if (server->sessions[i].open) {
			server_say_closed(server, &server->sessions[i], FRAME_DRAINING,
				retry_after_ms);
		}
	}
}

void
native_server_expire(struct native_server *server)
{
	server_log_expire(&server->log);
	native_server_close_all(server, FRAME_IDLE, 0);
}

void
native_server_disk(struct native_server *server, bool running)
{
	server->log.running = running;
}

uint32_t
native_server_stored_count(const struct native_server *server, uint32_t partition_index)
{
	return server->log.partitions[partition_index].count;
}

void
native_server_stored(const struct native_server *server, uint32_t partition_index, uint32_t at,
	struct native_server_stored *ret)
{
	const struct server_entry *entry = &server->log.partitions[partition_index].entries[at];

	*ret = (struct native_server_stored){entry->bytes, entry->len, entry->offset, entry->durable};
}

void
native_server_counts(const struct native_server *server, struct native_server_counts *ret)
{
	*ret = server->counts;
}
