/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of the reference server (native_server_stream.h). */
#include "native_server_stream.h"

#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "base/errcode.h"

void
server_stream_clear(struct server_stream *stream)
{
	for (uint32_t i = 0; i < stream->parked_count; i++) {
		free(stream->parked[i].bytes);
	}
	memset(stream, 0, sizeof(*stream));
}

void
server_credit(const struct native_server *server, const struct server_session *session,
	uint64_t *ret_bytes, uint64_t *ret_packets)
{
	*ret_bytes = session->resolved_bytes + server->options.credit_bytes;
	*ret_packets = session->resolved_packets + server->options.credit_packets;
}

struct server_stream *
server_stream(struct native_server *server, struct server_session *session, uint32_t handle)
{
	struct server_stream *free_slot = NULL;
	uint32_t index = handle - server->handle_base;

	if (handle < server->handle_base || index >= server->log.partition_count) {
		return NULL;
	}
	for (uint32_t i = 0; i < SERVER_STREAMS_MAX; i++) {
		if (session->streams[i].handle == handle) {
			return &session->streams[i];
		}
		if (session->streams[i].handle == 0 && !free_slot) {
			free_slot = &session->streams[i];
		}
	}
	ensure(free_slot);
	*free_slot = (struct server_stream){
		.handle = handle,
		.received_seq = -1,
		.durable_seq = -1,
		.durable_offset = -1,
		.error_seq = -1,
	};
	struct server_state *state =
		server_log_state(&server->log, index, session->producer_id);

	if (state && state->epoch == session->epoch) {
		free_slot->received_seq = state->last_seq;
	}
	return free_slot;
}

static void
server_resolve_credit(struct server_session *session, uint32_t bytes, bool packets)
{
	session->resolved_bytes += bytes;
	session->resolved_packets += packets;
	session->ack_due = true;
}

static void
server_refused(struct native_server *server, struct server_session *session,
	struct server_stream *stream, int16_t error, int32_t sequence)
{
	server->counts.refused++;
	for (uint32_t i = 0; i < stream->parked_count; i++) {
		server_resolve_credit(session, stream->parked[i].len, true);
		free(stream->parked[i].bytes);
	}
	stream->parked_count = 0;
	stream->error = error;
	stream->error_seq = sequence;
	stream->dirty = true;
}

static int32_t
server_next_seq(int32_t sequence)
{
	return (int32_t)(((uint32_t)sequence + 1) & 0x7fffffff);
}

/* In order: refuse or append. True if it was appended. */
static bool
server_offer(struct native_server *server, struct server_session *session,
	struct server_stream *stream, const uint8_t *bytes, uint32_t len,
	const struct record_batch *batch)
{
	uint32_t index = stream->handle - server->handle_base;
	int16_t error = 0;

	if (record_batch_crc(bytes, len) != batch->crc) {
		error = KAFKA_CORRUPT_MESSAGE;
	} else if (server->options.refuse) {
		error = server->options.refuse(server->options.user_data, index, batch);
	}
	if (error == 0) {
		error = server_log_append(&server->log, index, bytes, len, server->now_ns);
	}
	if (error != 0) {
		/* A copy of it may come again without having been charged again. */
		session->accepted_bytes -= len;
		session->accepted_packets--;
		server_resolve_credit(session, len, true);
		server_refused(server, session, stream, error, batch->base_sequence);
		return false;
	}
	server->counts.stored++;
	stream->received_seq = record_batch_last_sequence(batch);
	stream->error = 0;
	stream->error_seq = -1;
	server_resolve_credit(session, 0, true);
	return true;
}

static void
server_unpark(struct native_server *server, struct server_session *session,
	struct server_stream *stream)
{
	for (uint32_t i = 0; i < stream->parked_count;) {
		struct server_parked parked = stream->parked[i];

		if (parked.batch.base_sequence != server_next_seq(stream->received_seq)) {
			i++;
			continue;
		}
		stream->parked[i] = stream->parked[--stream->parked_count];
		bool ok = server_offer(server, session, stream, parked.bytes, parked.len, &parked.batch);

		free(parked.bytes);
		if (!ok) {
			return;
		}
		i = 0;
	}
}

/* Waits already: what is sent again costs no credit, so this is asked before any is charged. */
static bool
server_is_parked(const struct server_stream *stream, const struct record_batch *batch)
{
	for (uint32_t i = 0; i < stream->parked_count; i++) {
		if (stream->parked[i].batch.base_sequence == batch->base_sequence) {
			return true;
		}
	}
	return false;
}

/* Parks a batch that is ahead of its turn, for which there is room. */
static void
server_park(struct native_server *server, struct server_stream *stream, const uint8_t *bytes,
	uint32_t len, const struct record_batch *batch)
{
	ensure(stream->parked_count < SERVER_PARKED_MAX);
	struct server_parked *parked = &stream->parked[stream->parked_count++];

	*parked = (struct server_parked){.bytes = malloc(len), .len = len, .batch = *batch};
	ensure(parked->bytes);
	memcpy(parked->bytes, bytes, len);
	server->counts.parked++;
}

/* False: beyond the credit. */
static bool
server_charge(struct native_server *server, struct server_session *session, uint32_t bytes)
{
	uint64_t credit_bytes, credit_packets;

	server_credit(server, session, &credit_bytes, &credit_packets);
	if (session->accepted_bytes + bytes > credit_bytes ||
		session->accepted_packets + 1 > credit_packets) {
		server->counts.credit_exceeded++;
		return false;
	}
	session->accepted_bytes += bytes;
	session->accepted_packets++;
	return true;
}

bool
server_data(struct native_server *server, struct server_session *session, const struct frame *frame)
{
	struct record_batch batch;
	int16_t error = record_batch_validate(frame->body, frame->body_len, &batch);
	struct server_stream *stream = server_stream(server, session, frame->stream);

	server->counts.data++;
	if (!stream) {
		server->counts.refused++;
		return true; /* the entry for an unknown handle follows in server_ack */
	}
	stream->dirty = true;
	if (error == 0 && (batch.producer_id != session->producer_id ||
				  batch.producer_epoch != session->epoch)) {
		error = KAFKA_INVALID_PRODUCER_EPOCH;
	}
	if (error != 0) {
		server_refused(server, session, stream, error, server_next_seq(stream->received_seq));
		return true;
	}
	int32_t last = record_batch_last_sequence(&batch);
	uint32_t behind = ((uint32_t)stream->received_seq - (uint32_t)last) & 0x7fffffff;

	if (stream->received_seq >= 0 && behind < 1u << 30) {
		server->counts.duplicates++;
		server_resolve_credit(session, frame->body_len, true); /* perhaps charged: be generous */
		return true;
	}
	uint32_t ahead =
		((uint32_t)batch.base_sequence - (uint32_t)stream->received_seq - 1) & 0x7fffffff;

	if (stream->error != 0 && batch.base_sequence != stream->error_seq) {
		server->counts.refused++;
		server_resolve_credit(session, frame->body_len, true);
		return true;
	}
	if (ahead != 0 && server_is_parked(stream, &batch)) {
		server->counts.duplicates++;
		session->ack_due = true;
		return true;
	}
	/* Not acknowledged: no room to wait in, or beyond the credit. */
	if ((ahead != 0 && stream->parked_count == SERVER_PARKED_MAX) ||
		!server_charge(server, session, frame->body_len)) {
		return false;
	}
	if (ahead == 0) {
		if (server_offer(server, session, stream, frame->body, frame->body_len, &batch)) {
			server_unpark(server, session, stream);
		}
		return true;
	}
	server_park(server, stream, frame->body, frame->body_len, &batch);
	return true;
}
