/* SPDX-License-Identifier: Apache-2.0 */
/* The producer as a whole: identity, epochs, topics, deliveries (client_core.h). */
#include "client/client_core.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/errcode.h"
#include "client/client_core_state.h"

#define CLIENT_ROUNDS_MAX 4

static const bool producer_edges[CLIENT_PRODUCER_STATE_COUNT][CLIENT_PRODUCER_STATE_COUNT] = {
	[CLIENT_PRODUCER_NEW] = {[CLIENT_PRODUCER_READY] = true, [CLIENT_PRODUCER_FENCED] = true},
	[CLIENT_PRODUCER_READY] = {[CLIENT_PRODUCER_DRAINING] = true,
		[CLIENT_PRODUCER_FENCED] = true, [CLIENT_PRODUCER_NEW] = true},
	[CLIENT_PRODUCER_DRAINING] = {[CLIENT_PRODUCER_CLOSING] = true,
		[CLIENT_PRODUCER_FENCED] = true, [CLIENT_PRODUCER_NEW] = true},
	[CLIENT_PRODUCER_CLOSING] = {[CLIENT_PRODUCER_BUMPING] = true},
	[CLIENT_PRODUCER_BUMPING] = {[CLIENT_PRODUCER_READY] = true,
		[CLIENT_PRODUCER_FENCED] = true, [CLIENT_PRODUCER_NEW] = true},
};

static void
core_set_state(struct client_core *core, enum client_producer_state state)
{
	ensure(producer_edges[core->producer_state][state]);
	core->producer_state = (uint8_t)state;
}

void
client_core_options_init(struct client_core_options *options)
{
	*options = (struct client_core_options){
		.buffer_bytes = 32 * MIB,
		.delivery_timeout_ns = 120 * NS_PER_S,
		.retry_backoff_ns = 100 * NS_PER_MS,
		.max_datagram = 1472,
		.topics_max = 256,
		.partitions_max = 4096,
		.port = 9292,
		.auto_create = true,
	};
}

static int
core_check(const struct client_core_options *options)
{
	if (!options->ops || !options->rand || options->max_datagram < CLIENT_MTU_BASE ||
		options->max_datagram > CLIENT_DATAGRAM_MAX || options->topics_max == 0 ||
		options->partitions_max == 0 || options->delivery_timeout_ns == 0 ||
		options->port == 0) {
		return -EINVAL;
	}
	return 0;
}

int
client_core_create(const struct client_core_options *options, struct client_core **ret_core)
{
	int rc = core_check(options);

	if (rc < 0) {
		return rc;
	}
	struct client_core *core = calloc(1, sizeof(*core));

	if (!core) {
		return -ENOMEM;
	}
	core->options = *options;
	core->producer_id = -1;
	core->producer_epoch = -1;
	core->sessions = calloc(CLIENT_LANES_MAX, sizeof(*core->sessions));
	core->topics = calloc(options->topics_max, sizeof(*core->topics));
	core->streams = calloc(options->partitions_max, sizeof(*core->streams));
	if (!core->sessions || !core->topics || !core->streams ||
		client_table_create(&core->by_handle, options->partitions_max) < 0 ||
		client_table_create(&core->by_partition, options->partitions_max) < 0) {
		client_core_destroy(core);
		return -ENOMEM;
	}
	rc = client_batch_pool_create(&core->pool, options->buffer_bytes,
		options->max_datagram - FRAME_HEADER_BYTES);
	if (rc < 0) {
		client_core_destroy(core);
		return rc;
	}
	for (uint16_t i = 0; i < CLIENT_LANES_MAX; i++) {
		client_session_init(&core->sessions[i], core, i);
	}
	snprintf(core->status, sizeof(core->status), "connecting");
	*ret_core = core;
	return 0;
}

void
client_core_destroy(struct client_core *core)
{
	if (!core) {
		return;
	}
	client_batch_pool_destroy(&core->pool);
	client_table_destroy(&core->by_handle);
	client_table_destroy(&core->by_partition);
	free(core->streams);
	free(core->topics);
	free(core->sessions);
	free(core);
}

void
client_core_tell(struct client_core *core, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(core->status, sizeof(core->status), format, args);
	va_end(args);
}

/* --- topics and streams ------------------------------------------------------------------------ */

int
client_core_topic(struct client_core *core, const char *name)
{
	for (uint32_t i = 0; i < core->topic_count; i++) {
		if (strcmp(core->topics[i].name, name) == 0) {
			return (int)i;
		}
	}
	if (!session_msg_topic_name_valid((const uint8_t *)name, strlen(name))) {
		return -EINVAL;
	}
	if (core->topic_count == core->options.topics_max) {
		return -ENOSPC;
	}
	client_topic_init(&core->topics[core->topic_count], name);
	return (int)core->topic_count++;
}

uint32_t
client_core_partition_count(const struct client_core *core, int topic)
{
	ensure(topic >= 0 && (uint32_t)topic < core->topic_count);
	return core->topics[topic].partition_count;
}

int16_t
client_core_topic_error(const struct client_core *core, int topic)
{
	ensure(topic >= 0 && (uint32_t)topic < core->topic_count);
	return core->topics[topic].error;
}

static uint64_t
core_partition_key(const struct client_core *core, const struct client_topic *topic,
	uint32_t partition)
{
	return (uint64_t)(topic - core->topics) << 32 | partition;
}

struct client_stream *
client_core_stream(struct client_core *core, struct client_topic *topic, uint32_t partition)
{
	uint64_t key = core_partition_key(core, topic, partition);
	uint32_t index = client_table_get(&core->by_partition, key);

	if (index != UINT32_MAX) {
		return &core->streams[index];
	}
	if (core->stream_count == core->options.partitions_max) {
		return NULL;
	}
	index = core->stream_count++;
	client_stream_init(&core->streams[index], topic, partition);
	ensure(client_table_put(&core->by_partition, key, index) == 0);
	return &core->streams[index];
}

struct client_stream *
client_core_stream_of_handle(struct client_core *core, uint32_t handle)
{
	uint32_t index = client_table_get(&core->by_handle, handle);

	if (index == UINT32_MAX || core->streams[index].handle != handle) {
		return NULL;
	}
	return &core->streams[index];
}

void
client_core_resolve_all(struct client_core *core, uint64_t now_ns)
{
	for (uint32_t i = 0; i < core->topic_count; i++) {
		if (core->topics[i].state == CLIENT_TOPIC_READY) {
			client_topic_ask(&core->topics[i], now_ns);
		}
	}
}

int
client_core_send(struct client_core *core, int topic_index, int32_t partition,
	const struct client_record *record, uint64_t now_ns)
{
	ensure(topic_index >= 0 && (uint32_t)topic_index < core->topic_count);
	struct client_topic *topic = &core->topics[topic_index];

	if (core->closing) {
		return -ESHUTDOWN;
	}
	if (core->producer_state == CLIENT_PRODUCER_FENCED) {
		return -ESTALE;
	}
	if (topic->state == CLIENT_TOPIC_FAILED) {
		if (topic->ask_ns > now_ns) {
			return -ENOENT;
		}
		client_topic_ask(topic, now_ns);
	}
	if (topic->partition_count == 0) {
		return -EAGAIN;
	}
	uint32_t chosen = client_partitioner_choose(&topic->sticky, core->options.rand, partition,
		record->key, record->key_len, topic->partition_count);

	if (chosen >= topic->partition_count) {
		return -EINVAL;
	}
	struct client_stream *stream = client_core_stream(core, topic, chosen);

	ensure(stream); /* every partition of a resolved topic has one */
	int rc = client_stream_append(core, stream, record, now_ns);

	if (rc == 0) {
		client_core_count(core, CLIENT_records_sent, 1);
	}
	return rc;
}

void
client_core_report(struct client_core *core, const struct client_stream *stream,
	struct client_batch *batch, int16_t error, int64_t last_offset)
{
	bool durable = error == 0 && !core->options.acks_received;
	enum client_counter counter = durable ? CLIENT_records_durable : CLIENT_records_received;
	struct client_delivery delivery = {
		.topic = stream->topic->name,
		.partition = stream->partition,
		.error = error,
		.durable = durable,
		.offset = durable && last_offset >= 0 ? last_offset - batch->record_count + 1 : -1,
	};

	if (batch->reported) {
		return;
	}
	batch->reported = true;
	client_core_count(core, error == 0 ? counter : CLIENT_records_failed,
		(uint64_t)batch->record_count);
	for (struct client_chunk *chunk = batch->notes_first; chunk; chunk = chunk->next) {
		for (uint32_t i = 0; i < chunk->count; i++) {
			delivery.record_data = chunk->notes[i].record_data;
			delivery.sent_ns = chunk->notes[i].sent_ns;
			core->options.ops->delivered(core->options.user_data, &delivery);
			if (delivery.offset >= 0) {
				delivery.offset++;
			}
		}
	}
}

/* --- identity ---------------------------------------------------------------------------------- */

static void
core_each_stream(struct client_core *core,
	void (*fn)(struct client_core *core, struct client_stream *stream))
{
	for (uint32_t i = 0; i < core->stream_count; i++) {
		fn(core, &core->streams[i]);
	}
}

static void
core_fail_sequenced(struct client_core *core, struct client_stream *stream)
{
	while (stream->first && client_batch_sequenced(stream->first)) {
		client_stream_give_up(core, stream, KAFKA_INVALID_PRODUCER_EPOCH);
	}
}

static void
core_fail_all(struct client_core *core, struct client_stream *stream)
{
	client_stream_fail_all(core, stream, KAFKA_INVALID_PRODUCER_EPOCH);
}

static void
core_time_out_all(struct client_core *core, struct client_stream *stream)
{
	client_stream_fail_all(core, stream, KAFKA_REQUEST_TIMED_OUT);
}

static void
core_new_epoch(struct client_core *core, struct client_stream *stream)
{
	client_stream_new_epoch(core, stream);
}

void
client_core_want_bump(struct client_core *core)
{
	if (core->producer_state == CLIENT_PRODUCER_READY) {
		core_set_state(core, CLIENT_PRODUCER_DRAINING);
	}
}

/* A new boot of the server: all handles and all older sessions are void. */
static void
core_new_boot(struct client_core *core, uint64_t boot_id, uint64_t now_ns)
{
	bool first = core->boot_id == 0;

	core->boot_id = boot_id;
	if (first) {
		return;
	}
	client_table_clear(&core->by_handle);
	for (uint32_t i = 0; i < core->stream_count; i++) {
		core->streams[i].handle = 0;
	}
	for (uint32_t i = 0; i < core->topic_count; i++) {
		struct client_topic *topic = &core->topics[i];

		topic->asked_ns = 0;
		topic->request_id = 0;
		topic->next_partition = 0;
		if (topic->state == CLIENT_TOPIC_RESOLVING) {
			topic->ask_ns = now_ns;
		}
	}
	client_core_resolve_all(core, now_ns);
	for (uint32_t i = 0; i < CLIENT_LANES_MAX; i++) {
		struct client_session *session = &core->sessions[i];

		if (client_session_speaks(session) && session->boot_id != boot_id) {
			client_session_drop(session, 0, now_ns);
		}
	}
}

void
client_core_accepted(struct client_core *core, struct client_session *session,
	const struct session_msg_accept *accept, uint64_t now_ns)
{
	bool renewed = core->producer_id != accept->producer_id ||
		       core->producer_epoch != accept->producer_epoch;

	if (core->boot_id != accept->boot_id) {
		core_new_boot(core, accept->boot_id, now_ns);
	}
	if (renewed) {
		core->producer_id = accept->producer_id;
		core->producer_epoch = accept->producer_epoch;
		core_each_stream(core, core_new_epoch);
	}
	if (core->producer_state == CLIENT_PRODUCER_NEW ||
		core->producer_state == CLIENT_PRODUCER_BUMPING) {
		if (core->producer_state == CLIENT_PRODUCER_BUMPING) {
			client_core_count(core, CLIENT_epoch_bumps, 1);
		}
		core->bump_asked = false;
		core_set_state(core, CLIENT_PRODUCER_READY);
	}
	client_core_tell(core, "connected: producer %lld epoch %d on lane %u",
		(long long)core->producer_id, core->producer_epoch, session->lane);
}

/* The id is of no more use and was nobody else's: take a fresh one. */
static void
core_renew_id(struct client_core *core, uint64_t now_ns)
{
	if (core->producer_state == CLIENT_PRODUCER_READY) {
		core_set_state(core, CLIENT_PRODUCER_DRAINING);
	}
	core_each_stream(core, core_fail_sequenced);
	for (uint32_t i = 0; i < CLIENT_LANES_MAX; i++) {
		if (core->sessions[i].state != CLIENT_SESSION_IDLE) {
			client_session_drop(&core->sessions[i], 0, now_ns);
		}
	}
	core_set_state(core, CLIENT_PRODUCER_NEW);
	core->producer_id = -1;
	core->producer_epoch = -1;
}

void
client_core_fenced(struct client_core *core, struct client_session *session, uint64_t now_ns)
{
	bool alone = core->options.name[0] == '\0' ||
		     (core->producer_state == CLIENT_PRODUCER_BUMPING && core->bump_asked);

	if (core->producer_state == CLIENT_PRODUCER_FENCED ||
		core->producer_state == CLIENT_PRODUCER_CLOSING) {
		client_session_drop(session, 0, now_ns);
		return;
	}
	if (alone && core->producer_state == CLIENT_PRODUCER_NEW) {
		return; /* there is no id yet to lose: HELLO again after the session's wait */
	}
	if (alone) {
		client_core_tell(core, "the server no longer takes this producer id; asking for one");
		core_renew_id(core, now_ns);
		return;
	}
	core_set_state(core, CLIENT_PRODUCER_FENCED);
	client_core_tell(core, "fenced: another producer named '%s' took over", core->options.name);
	core_each_stream(core, core_fail_all);
	for (uint32_t i = 0; i < CLIENT_LANES_MAX; i++) {
		client_session_drop(&core->sessions[i], 0, now_ns);
	}
}

static bool
core_undecided(const struct client_core *core)
{
	for (uint32_t i = 0; i < core->stream_count; i++) {
		if (client_stream_undecided(&core->streams[i])) {
			return true;
		}
	}
	return false;
}

static bool
core_all_idle(const struct client_core *core)
{
	for (uint32_t i = 0; i < CLIENT_LANES_MAX; i++) {
		if (core->sessions[i].state != CLIENT_SESSION_IDLE) {
			return false;
		}
	}
	return true;
}

/* Moves the raising of the epoch along. */
static void
core_poll_producer(struct client_core *core, uint64_t now_ns)
{
	if (core->producer_state == CLIENT_PRODUCER_DRAINING && !core_undecided(core)) {
		core_set_state(core, CLIENT_PRODUCER_CLOSING);
		for (uint32_t i = 0; i < CLIENT_LANES_MAX; i++) {
			client_session_close(&core->sessions[i], now_ns);
		}
	}
	if (core->producer_state == CLIENT_PRODUCER_CLOSING && core_all_idle(core)) {
		core_set_state(core, CLIENT_PRODUCER_BUMPING);
	}
}

/* What an idle session is to be opened as now, or -1. */
static int
core_session_wanted(const struct client_core *core, uint32_t lane)
{
	const struct client_session *session = &core->sessions[lane];

	if (session->state != CLIENT_SESSION_IDLE || core->closing) {
		return -1;
	}
	switch (core->producer_state) {
	case CLIENT_PRODUCER_NEW:
		return lane == 0 ? 0 : -1;
	case CLIENT_PRODUCER_READY:
	case CLIENT_PRODUCER_DRAINING:
		return lane == 0 || session->streams ? SESSION_MSG_JOIN : -1;
	case CLIENT_PRODUCER_BUMPING:
		return lane == 0 ? SESSION_MSG_BUMP : -1;
	default:
		return -1;
	}
}

/* --- the face ---------------------------------------------------------------------------------- */

void
client_core_input(struct client_core *core, uint16_t lane, const uint8_t *bytes, uint32_t len,
	uint64_t now_ns)
{
	ensure(lane < CLIENT_LANES_MAX);
	client_core_count(core, CLIENT_datagrams_received, 1);
	client_session_input(&core->sessions[lane], bytes, len, now_ns);
}

/* One round; true if it made another one due at once. */
static bool
core_poll_once(struct client_core *core, uint64_t now_ns, uint64_t *ret_deadline_ns)
{
	uint64_t deadline_ns = UINT64_MAX;
	bool again = false;

	core_poll_producer(core, now_ns);
	for (uint32_t i = 0; i < CLIENT_LANES_MAX; i++) {
		int flags = core_session_wanted(core, i);

		if (flags >= 0) {
			client_session_start(&core->sessions[i], (uint8_t)flags, now_ns);
		}
	}
	for (uint32_t i = 0; i < core->topic_count; i++) {
		uint64_t at_ns = client_topic_poll(core, &core->topics[i], now_ns);

		deadline_ns = at_ns < deadline_ns ? at_ns : deadline_ns;
	}
	for (uint32_t i = 0; i < CLIENT_LANES_MAX; i++) {
		uint64_t at_ns = client_session_poll(&core->sessions[i], now_ns);

		deadline_ns = at_ns < deadline_ns ? at_ns : deadline_ns;
	}
	for (uint32_t i = 0; i < CLIENT_LANES_MAX; i++) {
		again = again || core_session_wanted(core, i) >= 0;
	}
	again = again || (core->producer_state == CLIENT_PRODUCER_DRAINING && !core_undecided(core));
	again = again || (core->producer_state == CLIENT_PRODUCER_CLOSING && core_all_idle(core));
	*ret_deadline_ns = deadline_ns;
	return again;
}

uint64_t
client_core_poll(struct client_core *core, uint64_t now_ns)
{
	uint64_t deadline_ns;

	/* What one round ends the next may begin; more than a few in one instant would be a loop. */
	for (uint32_t i = 0; i < CLIENT_ROUNDS_MAX; i++) {
		if (!core_poll_once(core, now_ns, &deadline_ns)) {
			return deadline_ns;
		}
	}
	return now_ns + NS_PER_MS;
}

uint64_t
client_core_oldest_ns(const struct client_core *core)
{
	uint64_t oldest_ns = UINT64_MAX;

	for (uint32_t i = 0; i < core->stream_count; i++) {
		const struct client_batch *batch = core->streams[i].first;

		while (batch && batch->reported) {
			batch = batch->next;
		}
		if (batch && batch->notes_first->notes[0].sent_ns < oldest_ns) {
			oldest_ns = batch->notes_first->notes[0].sent_ns;
		}
	}
	return oldest_ns;
}

void
client_core_close(struct client_core *core, uint64_t now_ns)
{
	core->closing = true;
	core_each_stream(core, core_time_out_all);
	for (uint32_t i = 0; i < CLIENT_LANES_MAX; i++) {
		client_session_close(&core->sessions[i], now_ns);
	}
}

bool
client_core_closed(const struct client_core *core)
{
	return core->closing && core_all_idle(core);
}

void
client_core_state(const struct client_core *core, struct client_core_state *ret_state)
{
	uint64_t flying_bytes = 0;

	*ret_state = (struct client_core_state){
		.producer_id = core->producer_id,
		.producer_epoch = core->producer_epoch,
		.buffered_bytes = (uint64_t)(core->pool.batch_count - core->pool.free_count) *
				  core->pool.room_bytes,
		.datagram_bytes = CLIENT_MTU_BASE,
		.fenced = core->producer_state == CLIENT_PRODUCER_FENCED,
	};
	for (uint32_t i = 0; i < CLIENT_LANES_MAX; i++) {
		const struct client_session *session = &core->sessions[i];

		if (session->state != CLIENT_SESSION_OPEN) {
			continue;
		}
		ret_state->sessions++;
		if (session->cwnd.in_flight_bytes >= flying_bytes) {
			flying_bytes = session->cwnd.in_flight_bytes;
			ret_state->rtt_ns = session->loss.rtt.smoothed_ns;
			ret_state->datagram_bytes = session->mtu.current;
		}
	}
}

const uint64_t *
client_core_counters(const struct client_core *core)
{
	return core->counters;
}

const char *
client_core_status(const struct client_core *core)
{
	return core->status;
}
