/* SPDX-License-Identifier: Apache-2.0 */
/* One partition as its producer sees it: batches, sequences, recovery (client_stream.h). */
#include "client/client_stream.h"

#include <errno.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/errcode.h"
#include "client/client_core_state.h"

#define STREAM_DURABLE_PING_MIN_NS (10 * NS_PER_MS)
#define STREAM_DURABLE_PING_MAX_NS NS_PER_S
#define STREAM_CRC_REFUSALS_MAX	   2
#define STREAM_STUCK_PINGS	   5 /* answered without the first batch being accepted */

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

static struct client_session *
stream_session(struct client_core *core, const struct client_stream *stream)
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
		client_session_unlist(stream_session(core, stream), stream);
	}
	client_stream_restart(core, stream);
	stream->lane = lane;
	if (stream->first) {
		client_session_list(stream_session(core, stream), stream);
	}
}

/* One more batch, or one less, is known to be lost. */
static void
stream_count_lost(struct client_core *core, struct client_stream *stream, int32_t change)
{
	bool before = stream->lost_count > 0;

	stream->lost_count += (uint32_t)change;
	if (!before && stream->lost_count > 0) {
		client_session_list_lost(stream_session(core, stream), stream);
	} else if (before && stream->lost_count == 0) {
		client_session_unlist_lost(stream_session(core, stream), stream);
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
		client_session_list(stream_session(core, stream), stream);
		client_session_timer(stream_session(core, stream),
			batch->created_ns + core->options.delivery_timeout_ns);
	}
	stream->last = batch;
	if (!stream->next) {
		stream->next = batch;
	}
}

/* Takes the batch out and reports its records. */
static void
stream_finish(struct client_core *core, struct client_stream *stream, struct client_batch *batch,
	int16_t error, int64_t last_offset)
{
	if (stream->next == batch) {
		stream->next = batch->next;
	}
	if (stream->recover_batch == batch) {
		stream->recover_batch = NULL;
	}
	if (batch->state == CLIENT_BATCH_LOST) {
		stream_count_lost(core, stream, -1);
	}
	*(batch->prev ? &batch->prev->next : &stream->first) = batch->next;
	*(batch->next ? &batch->next->prev : &stream->last) = batch->prev;
	if (!stream->first) {
		client_session_unlist(stream_session(core, stream), stream);
		stream->durable_ping_ns = 0;
	}
	client_core_report(core, stream, batch, error, last_offset);
	client_batch_give(&core->pool, batch);
}

int
client_stream_append(struct client_core *core, struct client_stream *stream,
	const struct client_record *record, uint64_t now_ns)
{
	struct client_session *session = stream_session(core, stream);
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

static void
stream_lower(uint64_t *deadline_ns, uint64_t at_ns)
{
	if (at_ns < *deadline_ns) {
		*deadline_ns = at_ns;
	}
}

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
		stream_lower(deadline_ns, batch->created_ns + core->options.linger_ns);
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
		stream_lower(deadline_ns, stream->retry_ns);
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
		stream_count_lost(core, stream, -1);
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
static void
stream_arm(struct client_core *core, struct client_stream *stream, uint64_t now_ns)
{
	struct client_session *session = stream_session(core, stream);

	if (!stream->first || stream->first->state != CLIENT_BATCH_RECEIVED) {
		stream->durable_ping_ns = 0;
		return;
	}
	uint64_t wait_ns = 4 * session->loss.rtt.smoothed_ns;
	uint32_t shift = stream->durable_pings < 10 ? stream->durable_pings : 10;

	if (wait_ns < STREAM_DURABLE_PING_MIN_NS) {
		wait_ns = STREAM_DURABLE_PING_MIN_NS;
	}
	wait_ns <<= shift;
	if (wait_ns > STREAM_DURABLE_PING_MAX_NS) {
		wait_ns = STREAM_DURABLE_PING_MAX_NS;
	}
	stream->durable_ping_ns = now_ns + wait_ns;
	client_session_timer(session, stream->durable_ping_ns);
}

static void
stream_received(struct client_core *core, struct client_batch *batch)
{
	if (batch->state == CLIENT_BATCH_LOST) {
		stream_count_lost(core, batch->stream, -1);
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
	stream_received(core, batch);
	if (batch == stream->first && stream->durable_ping_ns == 0) {
		stream_arm(core, stream, now_ns);
	}
}

void
client_stream_lost(struct client_core *core, struct client_batch *batch, uint64_t pn)
{
	if (batch->state == CLIENT_BATCH_FLYING && pn == batch->last_pn) {
		batch->state = CLIENT_BATCH_LOST;
		stream_count_lost(core, batch->stream, 1);
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

		stream_finish(core, stream, batch, 0, last_offset);
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
			stream_received(core, batch);
		}
	}
	if (stream->recover == CLIENT_RECOVER_WAIT && client_seq_le(stream->recover_sequence, sequence)) {
		stream->recover = CLIENT_RECOVER_NONE;
		stream->recover_batch = NULL;
		stream->crc_refusals = 0;
	}
}

/* From this batch on nothing arrived: it goes first and alone. */
static void
stream_rewind(struct client_core *core, struct client_stream *stream, struct client_batch *from)
{
	for (struct client_batch *batch = from; batch && client_batch_sequenced(batch);
		batch = batch->next) {
		if (batch->state == CLIENT_BATCH_LOST) {
			stream_count_lost(core, stream, -1);
		}
		batch->state = CLIENT_BATCH_UNSENT;
		batch->first_pn = 0;
	}
	for (struct client_batch *batch = stream->first; batch != from; batch = batch->next) {
		if (batch->state == CLIENT_BATCH_FLYING || batch->state == CLIENT_BATCH_LOST) {
			stream_received(core, batch);
		}
	}
	stream->next = from;
	stream->recover = CLIENT_RECOVER_SEND;
	stream->recover_batch = NULL;
	client_core_count(core, CLIENT_rewinds, 1);
}

/* The server never takes this batch: it fails, the ones behind it move up. Only when settled. */
static void
stream_strike(struct client_core *core, struct client_stream *stream, struct client_batch *batch,
	int16_t error)
{
	int32_t sequence = batch->base_sequence;
	struct client_batch *after = batch->next;

	stream_finish(core, stream, batch, error, -1);
	for (; after && client_batch_sequenced(after); after = after->next) {
		client_batch_stamp(after, core->producer_id, core->producer_epoch, sequence);
		sequence = client_seq_add(sequence, after->record_count);
	}
	stream->next_sequence = sequence;
}

enum stream_verdict {
	STREAM_AGAIN,	/* the same batch later */
	STREAM_RESOLVE, /* the handle is no longer good */
	STREAM_STRIKE,	/* this batch never */
	STREAM_EPOCH,	/* nothing more under this epoch */
};

static enum stream_verdict
stream_judge(const struct client_stream *stream, int16_t error)
{
	switch (error) {
	case KAFKA_CORRUPT_MESSAGE:
		return stream->crc_refusals < STREAM_CRC_REFUSALS_MAX ? STREAM_AGAIN : STREAM_STRIKE;
	case KAFKA_UNKNOWN_TOPIC_OR_PARTITION:
		return STREAM_RESOLVE;
	case KAFKA_LEADER_NOT_AVAILABLE:
	case KAFKA_NOT_LEADER_OR_FOLLOWER:
	case KAFKA_REQUEST_TIMED_OUT:
	case KAFKA_NOT_ENOUGH_REPLICAS:
	case KAFKA_KAFKA_STORAGE_ERROR:
	case KAFKA_THROTTLING_QUOTA_EXCEEDED:
		return STREAM_AGAIN;
	case KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER:
	case KAFKA_INVALID_PRODUCER_EPOCH:
		return STREAM_EPOCH;
	default:
		return STREAM_STRIKE;
	}
}

static void
stream_settle(struct client_core *core, struct client_stream *stream, int16_t error,
	uint64_t now_ns)
{
	struct client_session *session = stream_session(core, stream);

	stream->settle = CLIENT_SETTLE_LOW;
	stream->settle_error = error;
	stream->settle_pn = 0;
	stream->hold_pn = session->loss.next_pn - 1;
	stream->durable_ping_ns = now_ns;
	client_session_timer(session, now_ns);
}

/* The answer to the PING after settling: what the server has now is all that it will ever have. */
static void
stream_settled(struct client_core *core, struct client_stream *stream,
	const struct session_msg_ack_entry *entry)
{
	struct client_batch *batch;
	bool any = false;

	stream->settle = CLIENT_SETTLE_NONE;
	while ((batch = stream->next) != NULL && client_batch_sequenced(batch) &&
		entry->received_seq >= 0 &&
		client_seq_le(client_batch_last_sequence(batch), entry->received_seq)) {
		stream_received(core, batch);
		stream->next = batch->next;
		any = true;
	}
	stream->recover = any ? CLIENT_RECOVER_NONE : CLIENT_RECOVER_SEND;
	stream->recover_batch = NULL;
	if (any || !batch || !client_batch_sequenced(batch)) {
		return; /* a late copy was taken after all */
	}
	if (stream_judge(stream, stream->settle_error) == STREAM_EPOCH) {
		stream->needs_epoch = true;
		client_core_want_bump(core);
	} else {
		stream_strike(core, stream, batch, stream->settle_error);
		stream->crc_refusals = 0;
	}
}

/* The batch that an error speaks of: by its sequence, else the first that was not accepted. */
static struct client_batch *
stream_refused_batch(struct client_stream *stream, int32_t error_seq)
{
	for (struct client_batch *batch = stream->first; batch && client_batch_sequenced(batch);
		batch = batch->next) {
		if (error_seq >= 0 ? batch->base_sequence == error_seq
				   : batch->state != CLIENT_BATCH_RECEIVED) {
			return batch;
		}
	}
	return NULL;
}

static void
stream_refused(struct client_core *core, struct client_stream *stream, int16_t error,
	int32_t error_seq, uint64_t now_ns)
{
	struct client_batch *batch = stream_refused_batch(stream, error_seq);
	bool alone = stream->recover == CLIENT_RECOVER_WAIT && batch == stream->recover_batch;

	if (!batch || stream->recover == CLIENT_RECOVER_SEND || stream->needs_epoch ||
		stream->settle != CLIENT_SETTLE_NONE) {
		return;
	}
	if (stream->recover == CLIENT_RECOVER_WAIT && stream->recover_batch &&
		stream->recover_batch->state != CLIENT_BATCH_RECEIVED) {
		return; /* still the answer to what was sent before the rewind */
	}
	enum stream_verdict verdict = stream_judge(stream, error);

	client_core_tell(core, "%s-%u: %s", stream->topic->name, stream->partition,
		kafka_error_text(error));
	stream_rewind(core, stream, batch);
	stream->retry_ns = now_ns;
	if (verdict == STREAM_AGAIN && error != KAFKA_CORRUPT_MESSAGE) {
		stream->retry_ns += core->options.retry_backoff_ns;
	}
	stream->crc_refusals += error == KAFKA_CORRUPT_MESSAGE;
	if (verdict == STREAM_RESOLVE) {
		stream->handle = 0;
		client_topic_ask(stream->topic, now_ns);
	} else if (verdict != STREAM_AGAIN && alone) {
		stream_settle(core, stream, error, now_ns);
		return;
	}
	stream_arm(core, stream, now_ns);
}

void
client_stream_pinged(struct client_stream *stream, uint64_t pn)
{
	if (stream->settle == CLIENT_SETTLE_LOW && stream->settle_pn == 0) {
		stream->settle = CLIENT_SETTLE_ASKED;
		stream->settle_pn = pn;
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
static bool
stream_progress(struct client_core *core, struct client_stream *stream,
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

static void
stream_arm_again(struct client_core *core, struct client_stream *stream, bool moved,
	uint64_t now_ns)
{
	if (moved) {
		stream->durable_pings = 0;
	}
	if (stream->settle == CLIENT_SETTLE_NONE && (moved || stream->durable_ping_ns == 0)) {
		stream_arm(core, stream, now_ns);
	}
}

void
client_stream_entry(struct client_core *core, struct client_stream *stream,
	const struct session_msg_ack_entry *entry, const struct client_loss_ack *ack,
	uint64_t now_ns)
{
	bool moved = stream_progress(core, stream, entry);

	if (stream->settle == CLIENT_SETTLE_ASKED && client_loss_covers(ack, stream->settle_pn) &&
		stream->server_told) {
		stream_settled(core, stream, entry);
	}
	if (entry->error != 0) {
		stream_refused(core, stream, entry->error, entry->error_seq, now_ns);
	}
	stream_arm_again(core, stream, moved, now_ns);
}

void
client_stream_late_entry(struct client_core *core, struct client_stream *stream,
	const struct session_msg_ack_entry *entry, uint64_t now_ns)
{
	stream_arm_again(core, stream, stream_progress(core, stream, entry), now_ns);
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
	stream_count_lost(core, stream, -(int32_t)stream->lost_count);
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
		stream_finish(core, stream, stream->first, error, -1);
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
		stream_finish(core, stream, batch, KAFKA_MESSAGE_TOO_LARGE, -1);
	}
}

void
client_stream_fail_all(struct client_core *core, struct client_stream *stream, int16_t error)
{
	while (stream->first) {
		stream_finish(core, stream, stream->first, error, -1);
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

/* --- timers ------------------------------------------------------------------------------------ */

/*
 * The first batch was received, PINGs were answered, and yet the server has not accepted it: what it
 * parked was thrown away. If it forgot even what it had called durable, its state of this producer
 * expired and only a new epoch helps.
 */
static void
stream_unstick(struct client_core *core, struct client_stream *stream, uint64_t now_ns)
{
	struct client_batch *first = stream->first;
	int32_t server = stream->server_sequence;

	if (!stream->server_told ||
		stream->entry_session_id != stream_session(core, stream)->session_id) {
		return; /* in this session nothing was told yet */
	}
	if (server >= 0 && client_seq_le(first->base_sequence, server)) {
		return; /* accepted: only the disk is slow */
	}
	if (stream->known_sequence >= 0 &&
		(server < 0 || !client_seq_le(stream->known_sequence, server))) {
		client_core_tell(core, "%s-%u: the server no longer knows this producer",
			stream->topic->name, stream->partition);
		stream_rewind(core, stream, first);
		stream_settle(core, stream, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER, now_ns);
		return;
	}
	stream_rewind(core, stream, first);
	stream->durable_pings = 0;
	stream->retry_ns = now_ns;
}

bool
client_stream_on_time(struct client_core *core, struct client_stream *stream, uint64_t now_ns,
	uint64_t *deadline_ns)
{
	bool ping = false;

	while (stream->first &&
		stream->first->created_ns + core->options.delivery_timeout_ns <= now_ns) {
		if (client_batch_sequenced(stream->first)) {
			client_stream_give_up(core, stream, KAFKA_REQUEST_TIMED_OUT);
		} else {
			stream_finish(core, stream, stream->first, KAFKA_REQUEST_TIMED_OUT, -1);
		}
	}
	if (!stream->first) {
		return false;
	}
	stream_lower(deadline_ns, stream->first->created_ns + core->options.delivery_timeout_ns);
	if (stream->durable_ping_ns != 0 && stream->durable_ping_ns <= now_ns) {
		ping = stream->handle != 0;
		if (stream->settle != CLIENT_SETTLE_NONE) {
			ping = ping && stream_session(core, stream)->loss.low_pn > stream->hold_pn;
			stream->durable_ping_ns = now_ns + STREAM_DURABLE_PING_MIN_NS;
		} else {
			if (++stream->durable_pings > STREAM_STUCK_PINGS) {
				stream_unstick(core, stream, now_ns);
			}
			if (stream->settle == CLIENT_SETTLE_NONE) {
				stream_arm(core, stream, now_ns);
			}
		}
	}
	if (stream->durable_ping_ns != 0) {
		stream_lower(deadline_ns, stream->durable_ping_ns);
	}
	return ping;
}
