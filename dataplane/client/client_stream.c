/* SPDX-License-Identifier: Apache-2.0 */
/* One partition as its producer sees it: batches, sequences, what became of them (client_stream.h). */
#include "client/client_stream.h"

#include <errno.h>
#include <string.h>
#include "base/ensure.h"
#include "base/errcode.h"
#include "client/client_core_state.h"

#define STREAM_DURABLE_PING_MAX_NS NS_PER_S

void
client_stream_init(struct client_stream *stream, struct client_topic *topic, uint32_t partition)
{
	memset(stream, 0, sizeof(*stream));
	stream->topic = topic;
	stream->partition = partition;
	stream->known_offset = -1;
	stream->known_sequence = -1;
	stream->server_sequence = -1;
	stream->recover_sequence = -1;
}

struct client_session *
client_stream_session(struct client_core *core, const struct client_stream *stream)
{
	return &core->sessions[stream->lane];
}

void
client_stream_resolved(struct client_core *core, struct client_stream *stream, uint32_t handle,
	uint16_t lane)
{
	stream->handle = handle;
	if (stream->lane == lane) {
		return;
	}
	if (stream->listed) {
		client_session_unlist(client_stream_session(core, stream), stream);
	}
	client_stream_restart(core, stream);
	stream->lane = lane;
	if (stream->first) {
		client_session_list(client_stream_session(core, stream), stream);
	}
}

/* One more batch, or one less, is known to be lost. */
void
client_stream_count_lost(struct client_core *core, struct client_stream *stream, int32_t change)
{
	bool before = stream->lost_count > 0;

	stream->lost_count += (uint32_t)change;
	if (!before && stream->lost_count > 0) {
		client_session_list_lost(client_stream_session(core, stream), stream);
	} else if (before && stream->lost_count == 0) {
		client_session_unlist_lost(client_stream_session(core, stream), stream);
	}
}

/* --- the list ---------------------------------------------------------------------------------- */

static void
stream_push(struct client_core *core, struct client_stream *stream, struct client_batch *batch)
{
	batch->stream = stream;
	batch->prev = stream->last;
	batch->next = NULL;
	if (stream->last) {
		stream->last->next = batch;
	} else {
		stream->first = batch;
		client_session_list(client_stream_session(core, stream), stream);
		client_session_timer(client_stream_session(core, stream),
			batch->created_ns + core->options.delivery_timeout_ns);
	}
	stream->last = batch;
	if (!stream->next) {
		stream->next = batch;
	}
}

/* Takes the batch out and reports its records. */
void
client_stream_finish(struct client_core *core, struct client_stream *stream, struct client_batch *batch,
	int16_t error, int64_t last_offset)
{
	if (stream->next == batch) {
		stream->next = batch->next;
	}
	if (stream->recover_batch == batch) {
		stream->recover_batch = NULL;
	}
	if (batch->state == CLIENT_BATCH_LOST) {
		client_stream_count_lost(core, stream, -1);
	}
	*(batch->prev ? &batch->prev->next : &stream->first) = batch->next;
	*(batch->next ? &batch->next->prev : &stream->last) = batch->prev;
	if (!stream->first) {
		client_session_unlist(client_stream_session(core, stream), stream);
		stream->durable_ping_ns = 0;
	}
	client_core_report(core, stream, batch, error, last_offset);
	client_batch_give(&core->pool, batch);
}

int
client_stream_append(struct client_core *core, struct client_stream *stream,
	const struct client_record *record, uint64_t now_ns)
{
	struct client_session *session = client_stream_session(core, stream);
	uint64_t cost = client_batch_cost(record);
	uint32_t room = client_session_room(session);
	struct client_batch *batch = stream->last;

	if (stream->topic->max_message_bytes < room) {
		room = stream->topic->max_message_bytes;
	}
	if (cost > room) {
		/* While the path is being measured a larger datagram may still become possible. */
		return session->mtu.probe_size != 0 || session->state != CLIENT_SESSION_OPEN
			       ? -EAGAIN
			       : -EMSGSIZE;
	}
	if (batch && batch->state == CLIENT_BATCH_OPEN) {
		int rc = client_batch_add(&core->pool, batch, record);

		if (rc != -ENOBUFS) {
			return rc;
		}
		batch->state = CLIENT_BATCH_FULL;
		client_partitioner_closed(&stream->topic->sticky, stream->partition);
	}
	if (core->options.batch_bytes > 0 && core->options.batch_bytes < room) {
		room = cost > core->options.batch_bytes ? (uint32_t)cost : core->options.batch_bytes;
	}
	batch = client_batch_take(&core->pool, room, now_ns);
	if (!batch) {
		return -EAGAIN;
	}
	int rc = client_batch_add(&core->pool, batch, record);

	if (rc < 0) {
		client_batch_give(&core->pool, batch);
		return rc;
	}
	stream_push(core, stream, batch);
	return 0;
}

/* --- sending ----------------------------------------------------------------------------------- */

/* The first batch that was never sent since the last rewind, if the rules let it go now. */
static struct client_batch *
stream_ready_new(struct client_core *core, struct client_stream *stream, uint64_t now_ns,
	uint64_t *deadline_ns)
{
	struct client_batch *batch = stream->next;

	if (!batch || stream->recover == CLIENT_RECOVER_WAIT) {
		return NULL;
	}
	if (batch->state == CLIENT_BATCH_UNSENT) {
		return batch;
	}
	if (core->producer_state != CLIENT_PRODUCER_READY) {
		return NULL;
	}
	if (batch->state == CLIENT_BATCH_OPEN && core->options.linger_ns > 0 &&
		batch->created_ns + core->options.linger_ns > now_ns) {
		client_stream_lower(deadline_ns, batch->created_ns + core->options.linger_ns);
		return NULL;
	}
	return batch;
}

struct client_batch *
client_stream_ready(struct client_core *core, struct client_stream *stream, uint64_t now_ns,
	uint64_t *deadline_ns)
{
	if (stream->handle == 0 || stream->needs_epoch || stream->settle != CLIENT_SETTLE_NONE) {
		return NULL;
	}
	if (stream->retry_ns > now_ns) {
		client_stream_lower(deadline_ns, stream->retry_ns);
		return NULL;
	}
	if (stream->lost_count > 0) {
		struct client_batch *batch = stream->first;

		while (batch->state != CLIENT_BATCH_LOST) {
			batch = batch->next;
			ensure(batch);
		}
		return batch;
	}
	return stream_ready_new(core, stream, now_ns, deadline_ns);
}

bool
client_stream_charged(const struct client_batch *batch)
{
	return batch->state != CLIENT_BATCH_LOST && batch->state != CLIENT_BATCH_FLYING;
}

void
client_stream_stamp(struct client_core *core, struct client_batch *batch)
{
	struct client_stream *stream = batch->stream;

	if (client_batch_sequenced(batch)) {
		return;
	}
	ensure(core->producer_state == CLIENT_PRODUCER_READY);
	if (batch->state == CLIENT_BATCH_OPEN) {
		client_partitioner_closed(&stream->topic->sticky, stream->partition);
	}
	client_batch_stamp(batch, core->producer_id, core->producer_epoch, stream->next_sequence);
	stream->next_sequence = client_seq_add(stream->next_sequence, batch->record_count);
}

void
client_stream_sent(struct client_core *core, struct client_batch *batch, uint64_t pn)
{
	struct client_stream *stream = batch->stream;

	if (batch->sends++ > 0) {
		client_core_count(core, CLIENT_retransmissions, 1);
	}
	if (batch->first_pn == 0) {
		batch->first_pn = pn;
	}
	batch->last_pn = pn;
	if (batch->state == CLIENT_BATCH_LOST) {
		client_stream_count_lost(core, stream, -1);
	}
	if (stream->next == batch) {
		stream->next = batch->next;
		if (stream->recover == CLIENT_RECOVER_SEND) {
			stream->recover = CLIENT_RECOVER_WAIT;
			stream->recover_batch = batch;
			stream->recover_sequence = client_batch_last_sequence(batch);
		}
	}
	batch->state = CLIENT_BATCH_FLYING;
}

/* --- what became of it ------------------------------------------------------------------------- */

/* The first batch is received: ask about it if it does not become durable soon. */
void
client_stream_arm(struct client_core *core, struct client_stream *stream, uint64_t now_ns)
{
	struct client_session *session = client_stream_session(core, stream);

	if (!stream->first || stream->first->state != CLIENT_BATCH_RECEIVED) {
		stream->durable_ping_ns = 0;
		return;
	}
	uint64_t wait_ns = 4 * session->loss.rtt.smoothed_ns;
	uint32_t shift = stream->durable_pings < 10 ? stream->durable_pings : 10;

	if (wait_ns < CLIENT_DURABLE_PING_MIN_NS) {
		wait_ns = CLIENT_DURABLE_PING_MIN_NS;
	}
	wait_ns <<= shift;
	if (wait_ns > STREAM_DURABLE_PING_MAX_NS) {
		wait_ns = STREAM_DURABLE_PING_MAX_NS;
	}
	stream->durable_ping_ns = now_ns + wait_ns;
	client_session_timer(session, stream->durable_ping_ns);
}

void
client_stream_received(struct client_core *core, struct client_batch *batch)
{
	if (batch->state == CLIENT_BATCH_LOST) {
		client_stream_count_lost(core, batch->stream, -1);
	}
	batch->state = CLIENT_BATCH_RECEIVED;
	if (core->options.acks_received) {
		client_core_report(core, batch->stream, batch, 0, -1);
	}
}

void
client_stream_acked(struct client_core *core, struct client_batch *batch, uint64_t pn,
	uint64_t now_ns)
{
	struct client_stream *stream = batch->stream;

	if (batch->first_pn == 0 || pn < batch->first_pn) {
		return;
	}
	if (batch->state != CLIENT_BATCH_FLYING && batch->state != CLIENT_BATCH_LOST) {
		return;
	}
	client_stream_received(core, batch);
	if (batch == stream->first && stream->durable_ping_ns == 0) {
		client_stream_arm(core, stream, now_ns);
	}
}

void
client_stream_lost(struct client_core *core, struct client_batch *batch, uint64_t pn)
{
	if (batch->state == CLIENT_BATCH_FLYING && pn == batch->last_pn) {
		batch->state = CLIENT_BATCH_LOST;
		client_stream_count_lost(core, batch->stream, 1);
	}
}

/* All up to `sequence` is durable. */
static bool
stream_release(struct client_core *core, struct client_stream *stream, int32_t sequence,
	int64_t offset)
{
	struct client_batch *batch;
	/* As many offsets as sequences since the last known point: nobody else wrote in between. */
	bool chain = stream->known_offset >= 0 && offset >= 0 &&
		     (((uint32_t)sequence - (uint32_t)stream->known_sequence) & 0x7fffffff) ==
			     (uint64_t)(offset - stream->known_offset);
	bool any = false;

	while ((batch = stream->first) != NULL && client_batch_sequenced(batch)) {
		int32_t last = client_batch_last_sequence(batch);

		if (!client_seq_le(last, sequence)) {
			break;
		}
		uint32_t behind = ((uint32_t)sequence - (uint32_t)last) & 0x7fffffff;
		int64_t last_offset = offset >= 0 && (chain || behind == 0) ? offset - behind : -1;

		client_stream_finish(core, stream, batch, 0, last_offset);
		any = true;
	}
	if (any) {
		stream->known_sequence = sequence;
		stream->known_offset = offset;
	}
	return any;
}

/* All up to `sequence` was accepted in order. */
static void
stream_accepted(struct client_core *core, struct client_stream *stream, int32_t sequence)
{
	for (struct client_batch *batch = stream->first; batch && client_batch_sequenced(batch);
		batch = batch->next) {
		if (!client_seq_le(client_batch_last_sequence(batch), sequence)) {
			break;
		}
		if (batch->state == CLIENT_BATCH_FLYING || batch->state == CLIENT_BATCH_LOST) {
			client_stream_received(core, batch);
		}
	}
	if (stream->recover == CLIENT_RECOVER_WAIT && client_seq_le(stream->recover_sequence, sequence)) {
		stream->recover = CLIENT_RECOVER_NONE;
		stream->recover_batch = NULL;
		stream->crc_refusals = 0;
	}
}

bool
client_stream_newer(struct client_stream *stream, uint64_t session_id, uint64_t pn)
{
	if (stream->entry_session_id == session_id && pn <= stream->entry_pn) {
		return false;
	}
	if (stream->entry_session_id != session_id) {
		stream->server_sequence = -1;
		stream->server_told = false;
	}
	stream->entry_session_id = session_id;
	stream->entry_pn = pn;
	return true;
}

/* What is durable and what was accepted. True if something was released. */
bool
client_stream_progress(struct client_core *core, struct client_stream *stream,
	const struct session_msg_ack_entry *entry)
{
	bool moved = false;

	if (entry->error == 0 || entry->error_seq >= 0) {
		stream->server_sequence = entry->received_seq;
		stream->server_told = true;
	}
	if (entry->durable_seq >= 0) {
		moved = stream_release(core, stream, entry->durable_seq, entry->durable_offset);
	}
	if (entry->received_seq >= 0) {
		stream_accepted(core, stream, entry->received_seq);
	}
	return moved;
}

/* --- starting over ----------------------------------------------------------------------------- */

void
client_stream_restart(struct client_core *core, struct client_stream *stream)
{
	stream->next = stream->first;
	for (struct client_batch *batch = stream->first; batch && client_batch_sequenced(batch);
		batch = batch->next) {
		batch->state = CLIENT_BATCH_UNSENT;
		batch->first_pn = 0;
		batch->last_pn = 0;
	}
	client_stream_count_lost(core, stream, -(int32_t)stream->lost_count);
	stream->recover = CLIENT_RECOVER_NONE;
	stream->recover_batch = NULL;
	stream->settle = CLIENT_SETTLE_NONE;
	/* Whatever was settled: in a new session everything is sent again, under the epoch it has. */
	stream->needs_epoch = false;
	stream->durable_ping_ns = 0;
	stream->durable_pings = 0;
	stream->server_sequence = -1;
	stream->server_told = false;
}

void
client_stream_new_epoch(struct client_core *core, struct client_stream *stream)
{
	client_stream_restart(core, stream);
	stream->next_sequence = 0;
	stream->known_sequence = -1;
	stream->known_offset = -1;
	stream->crc_refusals = 0;
	for (struct client_batch *batch = stream->first; batch && client_batch_sequenced(batch);
		batch = batch->next) {
		client_batch_stamp(batch, core->producer_id, core->producer_epoch,
			stream->next_sequence);
		stream->next_sequence = client_seq_add(stream->next_sequence, batch->record_count);
	}
}

void
client_stream_give_up(struct client_core *core, struct client_stream *stream, int16_t error)
{
	bool any = false;

	while (stream->first && client_batch_sequenced(stream->first)) {
		client_stream_finish(core, stream, stream->first, error, -1);
		any = true;
	}
	stream->recover = CLIENT_RECOVER_NONE;
	if (any) {
		client_core_want_bump(core);
	}
}

void
client_stream_too_large(struct client_core *core, struct client_stream *stream,
	struct client_batch *batch)
{
	if (client_batch_sequenced(batch)) {
		client_stream_give_up(core, stream, KAFKA_MESSAGE_TOO_LARGE);
	} else {
		client_stream_finish(core, stream, batch, KAFKA_MESSAGE_TOO_LARGE, -1);
	}
}

void
client_stream_fail_all(struct client_core *core, struct client_stream *stream, int16_t error)
{
	while (stream->first) {
		client_stream_finish(core, stream, stream->first, error, -1);
	}
	stream->recover = CLIENT_RECOVER_NONE;
}

bool
client_stream_under_way(const struct client_stream *stream)
{
	const struct client_batch *first = stream->first;

	return first && (first->state == CLIENT_BATCH_FLYING || first->state == CLIENT_BATCH_LOST ||
				first->state == CLIENT_BATCH_RECEIVED);
}

bool
client_stream_unreceived(const struct client_stream *stream)
{
	for (const struct client_batch *batch = stream->first; batch && batch != stream->next;
		batch = batch->next) {
		if (batch->state == CLIENT_BATCH_FLYING || batch->state == CLIENT_BATCH_LOST) {
			return true;
		}
	}
	return false;
}

bool
client_stream_undecided(const struct client_stream *stream)
{
	return stream->first && client_batch_sequenced(stream->first) &&
	       !(stream->needs_epoch && stream->first->state == CLIENT_BATCH_UNSENT);
}
