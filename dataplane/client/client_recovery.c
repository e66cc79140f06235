/* SPDX-License-Identifier: Apache-2.0 */
/* What a producer makes of the server's word on a partition, and of its silence (client_recovery.h). */
#include "client/client_recovery.h"

#include "base/errcode.h"
#include "client/client_core_state.h"

#define RECOVERY_CRC_REFUSALS_MAX 2
#define RECOVERY_STUCK_PINGS	  5 /* answered without the first batch being accepted */

/* From this batch on nothing arrived: it goes first and alone. */
static void
recovery_rewind(struct client_core *core, struct client_stream *stream, struct client_batch *from)
{
	for (struct client_batch *batch = from; batch && client_batch_sequenced(batch);
		batch = batch->next) {
		if (batch->state == CLIENT_BATCH_LOST) {
			client_stream_count_lost(core, stream, -1);
		}
		batch->state = CLIENT_BATCH_UNSENT;
		batch->first_pn = 0;
	}
	for (struct client_batch *batch = stream->first; batch != from; batch = batch->next) {
		if (batch->state == CLIENT_BATCH_FLYING || batch->state == CLIENT_BATCH_LOST) {
			client_stream_received(core, batch);
		}
	}
	stream->next = from;
	stream->recover = CLIENT_RECOVER_SEND;
	stream->recover_batch = NULL;
	client_core_count(core, CLIENT_rewinds, 1);
}

/* The server never takes this batch: it fails, the ones behind it move up. Only when settled. */
static void
recovery_strike(struct client_core *core, struct client_stream *stream, struct client_batch *batch,
	int16_t error)
{
	int32_t sequence = batch->base_sequence;
	struct client_batch *after = batch->next;

	client_stream_finish(core, stream, batch, error, -1);
	for (; after && client_batch_sequenced(after); after = after->next) {
		client_batch_stamp(after, core->producer_id, core->producer_epoch, sequence);
		sequence = client_seq_add(sequence, after->record_count);
	}
	stream->next_sequence = sequence;
}

enum recovery_verdict {
	RECOVERY_AGAIN,	  /* the same batch later */
	RECOVERY_RESOLVE, /* the handle is no longer good */
	RECOVERY_STRIKE,  /* this batch never */
	RECOVERY_EPOCH,	  /* nothing more under this epoch */
};

static enum recovery_verdict
recovery_judge(const struct client_stream *stream, int16_t error)
{
	switch (error) {
	case KAFKA_CORRUPT_MESSAGE:
		return stream->crc_refusals < RECOVERY_CRC_REFUSALS_MAX ? RECOVERY_AGAIN : RECOVERY_STRIKE;
	case KAFKA_UNKNOWN_TOPIC_OR_PARTITION:
		return RECOVERY_RESOLVE;
	case KAFKA_LEADER_NOT_AVAILABLE:
	case KAFKA_NOT_LEADER_OR_FOLLOWER:
	case KAFKA_REQUEST_TIMED_OUT:
	case KAFKA_NOT_ENOUGH_REPLICAS:
	case KAFKA_KAFKA_STORAGE_ERROR:
	case KAFKA_THROTTLING_QUOTA_EXCEEDED:
		return RECOVERY_AGAIN;
	case KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER:
	case KAFKA_INVALID_PRODUCER_EPOCH:
		return RECOVERY_EPOCH;
	default:
		return RECOVERY_STRIKE;
	}
}

static void
recovery_settle(struct client_core *core, struct client_stream *stream, int16_t error,
	uint64_t now_ns)
{
	struct client_session *session = client_stream_session(core, stream);

	stream->settle = CLIENT_SETTLE_LOW;
	stream->settle_error = error;
	stream->settle_pn = 0;
	stream->hold_pn = session->loss.next_pn - 1;
	stream->durable_ping_ns = now_ns;
	client_session_timer(session, now_ns);
}

/* The answer to the PING after settling: what the server has now is all that it will ever have. */
static void
recovery_settled(struct client_core *core, struct client_stream *stream,
	const struct session_msg_ack_entry *entry)
{
	struct client_batch *batch;
	bool any = false;

	stream->settle = CLIENT_SETTLE_NONE;
	while ((batch = stream->next) != NULL && client_batch_sequenced(batch) &&
		entry->received_seq >= 0 &&
		client_seq_le(client_batch_last_sequence(batch), entry->received_seq)) {
		client_stream_received(core, batch);
		stream->next = batch->next;
		any = true;
	}
	stream->recover = any ? CLIENT_RECOVER_NONE : CLIENT_RECOVER_SEND;
	stream->recover_batch = NULL;
	if (any || !batch || !client_batch_sequenced(batch)) {
		return; /* a late copy was taken after all */
	}
	if (recovery_judge(stream, stream->settle_error) == RECOVERY_EPOCH) {
		stream->needs_epoch = true;
		client_core_want_bump(core);
	} else {
		recovery_strike(core, stream, batch, stream->settle_error);
		stream->crc_refusals = 0;
	}
}

/* The batch that an error speaks of: by its sequence, else the first that was not accepted. */
static struct client_batch *
recovery_refused_batch(struct client_stream *stream, int32_t error_seq)
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
recovery_refused(struct client_core *core, struct client_stream *stream, int16_t error,
	int32_t error_seq, uint64_t now_ns)
{
	struct client_batch *batch = recovery_refused_batch(stream, error_seq);
	bool alone = stream->recover == CLIENT_RECOVER_WAIT && batch == stream->recover_batch;

	if (!batch || stream->recover == CLIENT_RECOVER_SEND || stream->needs_epoch ||
		stream->settle != CLIENT_SETTLE_NONE) {
		return;
	}
	if (stream->recover == CLIENT_RECOVER_WAIT && stream->recover_batch &&
		stream->recover_batch->state != CLIENT_BATCH_RECEIVED) {
		return; /* still the answer to what was sent before the rewind */
	}
	enum recovery_verdict verdict = recovery_judge(stream, error);

	client_core_tell(core, "%s-%u: %s", stream->topic->name, stream->partition,
		kafka_error_text(error));
	recovery_rewind(core, stream, batch);
	stream->retry_ns = now_ns;
	if (verdict == RECOVERY_AGAIN && error != KAFKA_CORRUPT_MESSAGE) {
		stream->retry_ns += core->options.retry_backoff_ns;
	}
	stream->crc_refusals += error == KAFKA_CORRUPT_MESSAGE;
	if (verdict == RECOVERY_RESOLVE) {
		stream->handle = 0;
		client_topic_ask(stream->topic, now_ns);
	} else if (verdict != RECOVERY_AGAIN && alone) {
		recovery_settle(core, stream, error, now_ns);
		return;
	}
	client_stream_arm(core, stream, now_ns);
}

void
client_recovery_pinged(struct client_stream *stream, uint64_t pn)
{
	if (stream->settle == CLIENT_SETTLE_LOW && stream->settle_pn == 0) {
		stream->settle = CLIENT_SETTLE_ASKED;
		stream->settle_pn = pn;
	}
}

static void
recovery_arm_again(struct client_core *core, struct client_stream *stream, bool moved,
	uint64_t now_ns)
{
	if (moved) {
		stream->durable_pings = 0;
	}
	if (stream->settle == CLIENT_SETTLE_NONE && (moved || stream->durable_ping_ns == 0)) {
		client_stream_arm(core, stream, now_ns);
	}
}

void
client_recovery_entry(struct client_core *core, struct client_stream *stream,
	const struct session_msg_ack_entry *entry, const struct client_loss_ack *ack,
	uint64_t now_ns)
{
	bool moved = client_stream_progress(core, stream, entry);

	if (stream->settle == CLIENT_SETTLE_ASKED && client_loss_covers(ack, stream->settle_pn) &&
		stream->server_told) {
		recovery_settled(core, stream, entry);
	}
	if (entry->error != 0) {
		recovery_refused(core, stream, entry->error, entry->error_seq, now_ns);
	}
	recovery_arm_again(core, stream, moved, now_ns);
}

void
client_recovery_late_entry(struct client_core *core, struct client_stream *stream,
	const struct session_msg_ack_entry *entry, uint64_t now_ns)
{
	recovery_arm_again(core, stream, client_stream_progress(core, stream, entry), now_ns);
}

/*
 * The first batch was received, PINGs were answered, and yet the server has not accepted it: what it
 * parked was thrown away. If it forgot even what it had called durable, its state of this producer
 * expired and only a new epoch helps.
 */
static void
recovery_unstick(struct client_core *core, struct client_stream *stream, uint64_t now_ns)
{
	struct client_batch *first = stream->first;
	int32_t server = stream->server_sequence;

	if (!stream->server_told ||
		stream->entry_session_id != client_stream_session(core, stream)->session_id) {
		return; /* in this session nothing was told yet */
	}
	if (server >= 0 && client_seq_le(first->base_sequence, server)) {
		return; /* accepted: only the disk is slow */
	}
	if (stream->known_sequence >= 0 &&
		(server < 0 || !client_seq_le(stream->known_sequence, server))) {
		client_core_tell(core, "%s-%u: the server no longer knows this producer",
			stream->topic->name, stream->partition);
		recovery_rewind(core, stream, first);
		recovery_settle(core, stream, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER, now_ns);
		return;
	}
	recovery_rewind(core, stream, first);
	stream->durable_pings = 0;
	stream->retry_ns = now_ns;
}

bool
client_recovery_on_time(struct client_core *core, struct client_stream *stream, uint64_t now_ns,
	uint64_t *deadline_ns)
{
	bool ping = false;

	while (stream->first &&
		stream->first->created_ns + core->options.delivery_timeout_ns <= now_ns) {
		if (client_batch_sequenced(stream->first)) {
			client_stream_give_up(core, stream, KAFKA_REQUEST_TIMED_OUT);
		} else {
			client_stream_finish(core, stream, stream->first, KAFKA_REQUEST_TIMED_OUT, -1);
		}
	}
	if (!stream->first) {
		return false;
	}
	client_stream_lower(deadline_ns, stream->first->created_ns + core->options.delivery_timeout_ns);
	if (stream->durable_ping_ns != 0 && stream->durable_ping_ns <= now_ns) {
		ping = stream->handle != 0;
		if (stream->settle != CLIENT_SETTLE_NONE) {
			ping = ping && client_stream_session(core, stream)->loss.low_pn > stream->hold_pn;
			stream->durable_ping_ns = now_ns + CLIENT_DURABLE_PING_MIN_NS;
		} else {
			if (++stream->durable_pings > RECOVERY_STUCK_PINGS) {
				recovery_unstick(core, stream, now_ns);
			}
			if (stream->settle == CLIENT_SETTLE_NONE) {
				client_stream_arm(core, stream, now_ns);
			}
		}
	}
	if (stream->durable_ping_ns != 0) {
		client_stream_lower(deadline_ns, stream->durable_ping_ns);
	}
	return ping;
}
