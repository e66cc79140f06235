/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream -> partition -> shard ring. Requests wait in a FIFO of their shard until the ring has
 * room: a full ring is back-pressure, never a drop. The FIFO is bounded by the batch table. The
 * order of a stream is the order of its FIFO, because a partition never changes its shard within a
 * boot.
 */
#include "base/ensure.h"
#include "ingest/lane.h"

struct route_partition *
route_partition(const struct lane *lane, uint32_t stream)
{
	return route_table_stream(lane->options.routes, stream);
}

static struct route_topic *
route_topic_of(const struct lane *lane, const struct route_partition *partition)
{
	return &lane->options.routes->topics[partition->topic_index];
}

/* Within what the topic takes. */
static bool
route_time_allowed(const struct lane *lane, const struct route_topic *topic, int64_t at_ms)
{
	int64_t now_ms =
		((int64_t)lane->now_ns + lane->admission.wall_minus_now_ns) / (int64_t)NS_PER_MS;
	/* Distances as u64: a timestamp may be any i64. */
	uint64_t behind = at_ms < now_ms ? (uint64_t)now_ms - (uint64_t)at_ms : 0;
	uint64_t ahead = at_ms > now_ms ? (uint64_t)at_ms - (uint64_t)now_ms : 0;

	return behind <= (uint64_t)ROUTE_READ(topic->timestamp_before_max_ms) &&
	       ahead <= (uint64_t)ROUTE_READ(topic->timestamp_after_max_ms);
}

/* INVALID_TIMESTAMP (32), as a broker of Kafka says it, by the header's greatest timestamp. */
static int16_t
route_judge_time(
	const struct lane *lane, const struct route_topic *topic, const struct record_batch *header)
{
	if (ROUTE_READ(topic->log_append_time)) {
		return 0;
	}
	return header->attributes & RECORD_BATCH_LOG_APPEND_TIME ||
			       !route_time_allowed(lane, topic, header->max_timestamp_ms)
		       ? KAFKA_INVALID_TIMESTAMP
		       : 0;
}

/* Rows 8 and 9 of each record. A header that lies about its greatest timestamp is refused with 32. */
static int16_t
route_judge_records(const struct lane *lane, const struct route_topic *topic,
	const struct record_batch *header, const uint8_t *bytes)
{
	struct record_batch_times times;
	int16_t error = record_batch_validate_records(bytes, header, &times);

	if (error == 0) {
		error = route_judge_time(lane, topic, header);
	}
	if (error == 0 && !ROUTE_READ(topic->log_append_time) &&
		(times.max_ms != header->max_timestamp_ms ||
			!route_time_allowed(lane, topic, times.min_ms))) {
		error = KAFKA_INVALID_TIMESTAMP;
	}
	/* What was damaged on its way is sent again; it says nothing of the records. */
	if (error != 0 && record_batch_crc(bytes, record_batch_total_bytes(header)) != header->crc) {
		error = KAFKA_CORRUPT_MESSAGE;
	}
	return error;
}

int16_t
route_judge(struct lane *lane, uint32_t stream, const struct record_batch *header,
	const uint8_t *bytes, uint32_t len)
{
	struct route_partition *partition = route_partition(lane, stream);
	uint32_t state, flags;

	if (!partition) {
		return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	}
	state = route_state_acquire(&partition->state);
	if (state == ROUTE_DELETED) {
		return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	}
	if (state == ROUTE_CREATING) {
		return KAFKA_LEADER_NOT_AVAILABLE;
	}
	flags = ROUTE_READ(partition->flags);
	if (flags & ROUTE_INTERNAL) {
		return KAFKA_INVALID_TOPIC_EXCEPTION;
	}
	if (!(flags & ROUTE_WRITABLE)) {
		return KAFKA_NOT_LEADER_OR_FOLLOWER;
	}
	if (!header) {
		return 0;
	}
	const struct route_topic *topic = route_topic_of(lane, partition);

	if (len > ROUTE_READ(topic->max_message_bytes)) {
		return KAFKA_MESSAGE_TOO_LARGE;
	}
	return lane->options.validate_records ? route_judge_records(lane, topic, header, bytes)
					      : route_judge_time(lane, topic, header);
}

bool
route_relaxed(const struct lane *lane, uint32_t stream)
{
	const struct route_partition *partition = route_partition(lane, stream);

	return partition && (ROUTE_READ(partition->flags) >> ROUTE_RISK_SHIFT & 3) != 0;
}

uint32_t
route_metadata_version(const struct lane *lane, uint32_t stream)
{
	const struct route_partition *partition = route_partition(lane, stream);

	return partition ? atomic_load_explicit(&route_topic_of(lane, partition)->metadata_version,
				   memory_order_acquire)
			 : 0;
}

void
route_append(struct lane *lane, uint32_t batch_index)
{
	struct batch *batch = batch_at(&lane->batches, batch_index);
	uint32_t handle = native_stream_at(&lane->streams, batch->stream_index)->stream;
	uint16_t shard = route_partition(lane, handle)->shard;

	ensure(batch->state == BATCH_PENDING);
	ensure(shard < lane->options.shard_count);
	batch_list_append(&lane->batches, &lane->pending[shard].last, batch_index);
	lane->pending[shard].count++;
	lane->pending_count++;
}

static void
route_request(const struct lane *lane, uint32_t index, struct append_req *ret_request)
{
	const struct batch *batch = batch_at(&lane->batches, index);
	const struct native_stream *stream = native_stream_at(&lane->streams, batch->stream_index);
	const struct native_session *session = &lane->sessions.sessions[batch->session_index];
	bool query = batch->flags & BATCH_QUERY;

	*ret_request = (struct append_req){
		.batch = batch->bytes,
		.batch_len = batch->len,
		.partition_index = stream->stream - 1,
		.owner = query ? 0 : (uint64_t)index + 1,
		.session_index = native_session_handle(&lane->sessions, batch->session_index),
		.client = lane->options.lane,
		.flags = query ? APPEND_QUERY : APPEND_FROM_ZERO,
		.producer_id = session->producer_id,
		.base_sequence = batch->base_sequence,
		.producer_epoch = session->producer_epoch,
		.rx_time_ns = batch->rx_time_ns,
		.record_count = batch->records,
		.crc = batch->crc,
	};
}

/* Takes cancelled entries off the front of a FIFO. */
static void
route_skip_cancelled(struct lane *lane, struct lane_pending *pending)
{
	while (pending->count > 0) {
		uint32_t index = batch_list_first(&lane->batches, pending->last);

		if (batch_at(&lane->batches, index)->state != BATCH_CANCELLED) {
			break;
		}
		(void)batch_list_take_first(&lane->batches, &pending->last);
		batch_table_give(&lane->batches, index);
		pending->count--;
		lane->pending_count--;
	}
}

/* The oldest requests, at most max, cancelled ones ending the run. */
static uint32_t
route_collect(const struct lane *lane, const struct lane_pending *pending, uint32_t max,
	struct append_req *ret_requests)
{
	uint32_t index = batch_list_first(&lane->batches, pending->last);
	uint32_t n = 0;

	while (n < max && n < pending->count) {
		const struct batch *batch = batch_at(&lane->batches, index);

		if (batch->state == BATCH_CANCELLED) {
			break;
		}
		route_request(lane, index, &ret_requests[n++]);
		index = batch->next;
	}
	return n;
}

static void
route_offered(struct lane *lane, struct lane_pending *pending)
{
	uint32_t index = batch_list_take_first(&lane->batches, &pending->last);
	struct batch *batch = batch_at(&lane->batches, index);

	pending->count--;
	lane->pending_count--;
	batch_set_state(batch, BATCH_OFFERED);
	if (batch->flags & BATCH_QUERY) {
		batch_table_give(&lane->batches, index);
	} else {
		lane_latency_add(lane, LANE_RX_TO_OFFER, batch->rx_time_ns);
	}
}

static uint32_t
route_offer_shard(struct lane *lane, uint32_t shard)
{
	struct lane_pending *pending = &lane->pending[shard];
	struct append_req requests[LANE_OFFER_BURST];
	uint32_t total = 0;

	for (;;) {
		route_skip_cancelled(lane, pending);
		uint32_t n = route_collect(lane, pending, LANE_OFFER_BURST, requests);
		uint32_t fitted =
			n > 0 ? ring_offer(lane->options.append_req[shard], requests, n) : 0;

		for (uint32_t i = 0; i < fitted; i++) {
			route_offered(lane, pending);
		}
		total += fitted;
		if (fitted < LANE_OFFER_BURST && (fitted < n || pending->count == 0)) {
			break;
		}
	}
	return total;
}

uint32_t
route_offer(struct lane *lane)
{
	uint32_t total = 0;

	for (uint32_t shard = 0; lane->pending_count > 0 && shard < lane->options.shard_count;
		shard++) {
		if (lane->pending[shard].count > 0) {
			total += route_offer_shard(lane, shard);
		}
	}
	return total;
}
