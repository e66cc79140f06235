/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DATA frames in: find or open the stream, then its order (native_order.c). Runs on the lane's
 * lcore for each frame that passed the session's checks.
 *
 * A stream's first batch asks the log for the producer's last sequence (QUERY), so that order and
 * duplicates hold across sessions and restarts; batches park until STATE comes.
 */
#include "base/ensure.h"
#include "ingest/lane.h"

/* A request that carries no batch. False: no entry to spare. */
static bool
data_query(struct lane *lane, uint32_t stream_index)
{
	struct native_stream *stream = native_stream_at(&lane->streams, stream_index);
	uint32_t index;

	if (lane->batches.free_count <= lane->batches.reserve_count) {
		return false;
	}
	index = batch_table_take(&lane->batches, BATCH_PENDING);
	struct batch *entry = batch_at(&lane->batches, index);

	entry->flags = BATCH_QUERY;
	entry->rx_time_ns = lane->now_ns;
	entry->session_index = stream->session_index;
	entry->stream_index = stream_index;
	stream->in_log_count = 1;
	route_append(lane, index);
	return true;
}

/* A slot for this handle, or STREAM_NONE: at a limit. */
static uint32_t
data_open_stream(struct lane *lane, uint32_t session_index, uint32_t handle)
{
	struct native_session *session = &lane->sessions.sessions[session_index];
	uint32_t index;

	if (session->stream_count >= lane->options.streams_per_session_max) {
		return STREAM_NONE;
	}
	index = native_stream_open(&lane->streams, session_index, handle);
	if (index == STREAM_NONE) {
		return STREAM_NONE;
	}
	if (!data_query(lane, index)) {
		native_stream_free(&lane->streams, index);
		return STREAM_NONE;
	}
	struct native_stream *stream = native_stream_at(&lane->streams, index);

	stream->metadata_low = (uint16_t)route_metadata_version(lane, handle);
	stream->session_next = session->stream_first;
	session->stream_first = index;
	session->stream_count++;
	return index;
}

/* Refused without a slot: the next ACK names handle and error, error_seq -1. */
static bool
data_refuse_unknown(struct lane *lane, const struct datagram *datagram,
	const struct record_batch *header, int16_t error)
{
	struct native_session *session = &lane->sessions.sessions[datagram->session_index];
	struct native_batch batch = {.header = header, .datagram = datagram, .error = error};

	native_batch_pass(lane, session, &batch, LANE_refused);
	refusal_count(lane, error, REFUSAL_BY_LANE, 1);
	admission_resolve_uncharged(session, datagram->frame.body_len);
	ack_unknown(lane, datagram->session_index, datagram->frame.stream, error);
	return true;
}

bool
native_data_input(struct lane *lane, struct datagram *datagram)
{
	const struct frame *frame = &datagram->frame;
	const struct route_partition *partition = route_partition(lane, frame->stream);
	struct record_batch header;
	struct native_batch batch = {.header = &header, .datagram = datagram};
	uint32_t index;

	batch.error = record_batch_validate(frame->body, frame->body_len, &header);
	if (!partition) {
		return data_refuse_unknown(
			lane, datagram, &header, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	}
	index = native_stream_find(&lane->streams, datagram->session_index, frame->stream);
	if (index == STREAM_NONE) {
		int16_t error = route_judge(lane, frame->stream, NULL, NULL, 0);

		if (error == 0) {
			index = data_open_stream(lane, datagram->session_index, frame->stream);
			error = KAFKA_THROTTLING_QUOTA_EXCEEDED;
		}
		if (index == STREAM_NONE) {
			return data_refuse_unknown(lane, datagram, &header, error);
		}
	}
	return native_order_input(
		lane, native_stream_at(&lane->streams, index), &batch, &datagram->kept);
}
