/* SPDX-License-Identifier: Apache-2.0 */
/* An open session's packets (client_transmit.h). */
#include "client/client_transmit.h"

#include "base/bytes.h"
#include "base/ensure.h"
#include "client/client_core_state.h"
#include "client/client_recovery.h"

#define TRANSMIT_KEEPALIVE_PARTS 3 /* of the idle timeout */
#define TRANSMIT_STARVED_PINGS	 10 /* asked so often for credit: one to ten seconds */

/* --- out --------------------------------------------------------------------------------------- */

static void
transmit_fill(struct client_session *session, struct frame *frame, uint64_t pn, uint64_t now_ns)
{
	frame->session_id = session->session_id;
	frame->pn = pn;
	frame->pn_low_delta = (uint32_t)(pn - session->loss.low_pn);
	frame->send_us = (uint32_t)(now_ns / NS_PER_US);
}

static void
transmit_send(struct client_session *session, const struct client_datagram *datagram)
{
	struct client_core *core = session->core;

	client_core_count(core, CLIENT_datagrams_sent, 1);
	core->options.ops->send(core->options.user_data, datagram);
}

void
client_transmit_frame(struct client_session *session, struct frame *frame,
	const struct writer *body, uint64_t now_ns)
{
	struct client_core *core = session->core;
	uint32_t bytes = (uint32_t)(FRAME_HEADER_BYTES + writer_len(body));

	frame->send_us = (uint32_t)(now_ns / NS_PER_US);
	if (client_session_speaks(session) || session->state == CLIENT_SESSION_CLOSING) {
		uint64_t pn = client_loss_sent(&session->loss, frame->type, bytes, 0, now_ns);

		transmit_fill(session, frame, pn, now_ns);
	}
	size_t len = frame_finish(frame, core->scratch, body);

	ensure(len == bytes);
	transmit_send(session, &(struct client_datagram){
		.head = core->scratch,
		.head_len = bytes,
		.lane = session->lane,
		.port = session->port,
	});
}

bool
client_transmit_ping(struct client_session *session, uint32_t stream, uint64_t now_ns)
{
	struct frame frame = {.type = FRAME_PING, .flags = FRAME_ACK_NOW, .stream = stream};
	struct writer body = frame_body_writer(session->core->scratch, CLIENT_DATAGRAM_MAX);

	if (!client_loss_room(&session->loss, 0)) {
		return false;
	}
	/* Padded: a server that lost the session can then say RESET. */
	session_msg_ping_encode(&body, true);
	client_transmit_frame(session, &frame, &body, now_ns);
	return true;
}

static void
transmit_batch(struct client_session *session, struct client_batch *batch, uint16_t flags,
	uint64_t now_ns)
{
	struct client_core *core = session->core;
	uint32_t bytes = FRAME_HEADER_BYTES + batch->len;
	uint8_t header[FRAME_HEADER_BYTES];
	struct frame frame = {
		.type = FRAME_DATA,
		.flags = flags,
		.stream = batch->stream->handle,
		.body = batch->bytes,
		.body_len = (uint16_t)batch->len,
	};

	if (client_stream_charged(batch)) {
		client_credit_charge(&session->credit, batch->len);
	}
	uint64_t pn = client_loss_sent(&session->loss, FRAME_DATA, bytes, client_batch_token(batch),
		now_ns);

	transmit_fill(session, &frame, pn, now_ns);
	frame_encode(&frame, header);
	client_cwnd_sent(&session->cwnd, bytes);
	client_stream_sent(core, batch, pn);
	transmit_send(session, &(struct client_datagram){
		.head = header,
		.head_len = FRAME_HEADER_BYTES,
		.body = batch->bytes,
		.body_len = batch->len,
		.lane = session->lane,
		.port = session->port,
	});
}

static void
transmit_probe(struct client_session *session, uint16_t size, uint64_t now_ns)
{
	struct frame frame = {.type = FRAME_PROBE};
	struct writer body = frame_body_writer(session->core->scratch, CLIENT_DATAGRAM_MAX);

	if (client_loss_room(&session->loss, 0)) {
		session_msg_probe_encode(&body, size);
		client_transmit_frame(session, &frame, &body, now_ns);
	}
}

/* --- fate of packets --------------------------------------------------------------------------- */

struct transmit_ack {
	struct client_session *session;
	uint64_t now_ns;
	uint64_t bytes;
	uint64_t pn_max;
};

static void
transmit_on_acked(void *user_data, const struct client_sent *sent)
{
	struct transmit_ack *ack = user_data;
	struct client_session *session = ack->session;

	if (sent->pn > ack->pn_max) {
		ack->pn_max = sent->pn;
	}
	if (sent->type != FRAME_DATA) {
		return;
	}
	client_cwnd_settled(&session->cwnd, sent->bytes);
	ack->bytes += sent->bytes;
	if (sent->bytes > CLIENT_MTU_BASE) {
		client_mtu_large_acked(&session->mtu);
	}
	struct client_batch *batch = client_batch_of(&session->core->pool, sent->batch_token);

	if (batch) {
		client_stream_acked(session->core, batch, sent->pn, ack->now_ns);
	}
}

static void
transmit_on_lost(void *user_data, const struct client_sent *sent)
{
	struct transmit_ack *ack = user_data;
	struct client_session *session = ack->session;

	client_core_count(session->core, CLIENT_losses, 1);
	if (sent->type != FRAME_DATA) {
		return;
	}
	client_cwnd_settled(&session->cwnd, sent->bytes);
	if (!session->collapsing) {
		client_cwnd_congested(&session->cwnd, sent->pn, session->loss.next_pn);
		if (sent->bytes > CLIENT_MTU_BASE) {
			client_mtu_large_lost(&session->mtu, ack->now_ns);
		}
	}
	struct client_batch *batch = client_batch_of(&session->core->pool, sent->batch_token);

	if (batch) {
		client_stream_lost(session->core, batch, sent->pn);
	}
}

static struct client_loss_events
transmit_events(struct transmit_ack *ack)
{
	return (struct client_loss_events){
		.user_data = ack,
		.acked = transmit_on_acked,
		.lost = transmit_on_lost,
	};
}

static void
transmit_settle_all(struct client_session *session, uint64_t now_ns)
{
	struct transmit_ack ack = {.session = session, .now_ns = now_ns};
	struct client_loss_events events = transmit_events(&ack);

	session->collapsing = true;
	client_loss_settle_all(&session->loss, &events);
	session->collapsing = false;
}

void
client_transmit_open(struct client_session *session, const struct session_msg_accept *accept,
	uint64_t now_ns)
{
	client_loss_init(&session->loss, accept->pn_window, accept->ack_delay_max_us * NS_PER_US,
		now_ns);
	client_credit_init(&session->credit, accept->credit_bytes, accept->credit_pkts);
	client_mtu_opened(&session->mtu,
		accept->max_datagram < session->core->options.max_datagram
			? accept->max_datagram
			: (uint16_t)session->core->options.max_datagram,
		now_ns);
	client_cwnd_init(&session->cwnd, session->mtu.current);
	session->ack_pn_max = 0;
	session->ecn_ce = 0;
	session->busy = 0;
	session->doubt_ns = 0;
	session->credit_ping_ns = 0;
	session->credit_pings = 0;
}

void
client_transmit_end(struct client_session *session)
{
	if (session->loss.next_pn > 0) {
		transmit_settle_all(session, session->loss.last_sent_ns);
	}
}

/* --- in ---------------------------------------------------------------------------------------- */

static void
transmit_entries(struct client_session *session, uint64_t pn, const struct session_msg_ack *ack,
	const struct client_loss_ack *part, uint64_t now_ns)
{
	bool newest = pn == session->ack_pn_max;

	for (uint32_t i = 0; i < ack->entries; i++) {
		struct client_stream *stream =
			client_core_stream_of_handle(session->core, ack->entry[i].stream);

		if (!stream || stream->lane != session->lane ||
			!client_stream_newer(stream, session->session_id, pn)) {
			continue;
		}
		if (newest) {
			client_recovery_entry(session->core, stream, &ack->entry[i], part, now_ns);
		} else {
			client_recovery_late_entry(session->core, stream, &ack->entry[i], now_ns);
		}
	}
}

static void
transmit_signals(struct client_session *session, const struct session_msg_ack *ack, uint64_t pn_max,
	uint64_t now_ns)
{
	if (ack->ecn_ce > session->ecn_ce) {
		session->ecn_ce = ack->ecn_ce;
		client_cwnd_congested(&session->cwnd, pn_max, session->loss.next_pn);
	}
	if (ack->busy >= SESSION_MSG_BUSY_RESOLVE_AGAIN) {
		client_core_resolve_all(session->core, now_ns);
	}
	if (ack->busy != session->busy && ack->busy % SESSION_MSG_BUSY_RESOLVE_AGAIN != 0) {
		client_core_tell(session->core, "lane %u is busy (%u)", session->lane, ack->busy);
	}
	session->busy = ack->busy;
}

void
client_transmit_ack(struct client_session *session, const struct frame *frame, uint64_t now_ns)
{
	struct transmit_ack seen = {.session = session, .now_ns = now_ns};
	struct client_loss_events events = transmit_events(&seen);
	struct session_msg_ack ack;

	if (session_msg_ack_decode(frame->body, frame->body_len, &ack) < 0) {
		client_core_count(session->core, CLIENT_frames_ignored, 1);
		return;
	}
	struct client_loss_ack part = {
		.recv_upto = ack.recv_upto,
		.echo_pn = ack.echo_pn,
		.echo_send_us = ack.echo_send_us,
		.echo_delay_us = ack.echo_delay_us,
		.words = ack.bitmap,
		.word_count = ack.words,
	};

	if (client_credit_raise(&session->credit, ack.credit_bytes, ack.credit_pkts)) {
		session->credit_pings = 0;
	}
	if (client_loss_on_ack(&session->loss, &part, &events, now_ns) > 0) {
		client_cwnd_acked(&session->cwnd, seen.pn_max, session->loss.next_pn, seen.bytes,
			&session->loss.rtt);
	}
	/* The session's state is the newest ACK's; a stream's is that of the newest that names it. */
	if (frame->pn > session->ack_pn_max) {
		session->ack_pn_max = frame->pn;
		transmit_signals(session, &ack, seen.pn_max, now_ns);
	}
	transmit_entries(session, frame->pn, &ack, &part, now_ns);
}

/* --- timers ------------------------------------------------------------------------------------ */

/* The batch of the oldest packet in flight that the server does not have. */
static struct client_batch *
transmit_oldest(struct client_session *session)
{
	const struct client_loss *loss = &session->loss;

	for (uint64_t pn = loss->low_pn; pn < loss->next_pn; pn++) {
		const struct client_sent *sent = &loss->window[pn % CLIENT_PN_WINDOW];

		if (sent->state != CLIENT_SENT_FLYING || sent->type != FRAME_DATA) {
			continue;
		}
		struct client_batch *batch =
			client_batch_of(&session->core->pool, sent->batch_token);

		if (batch && batch->state == CLIENT_BATCH_FLYING) {
			return batch;
		}
	}
	return NULL;
}

static void
transmit_count_timeout(struct client_session *session, uint64_t now_ns)
{
	client_core_count(session->core, CLIENT_probe_timeouts, 1);
	session->loss.timeouts++;
	if (session->loss.timeouts >= CLIENT_PTO_COLLAPSE) {
		transmit_settle_all(session, now_ns);
		client_cwnd_collapse(&session->cwnd, session->loss.next_pn);
	}
}

static void
transmit_timeout(struct client_session *session, uint64_t now_ns)
{
	struct client_batch *batch = transmit_oldest(session);

	transmit_count_timeout(session, now_ns);
	if (batch && client_loss_room(&session->loss, 1) &&
		FRAME_HEADER_BYTES + batch->len <= session->mtu.current) {
		transmit_batch(session, batch, FRAME_ACK_NOW, now_ns);
	}
	/* A small packet beside it: it gets through where a black hole swallows large ones. */
	client_transmit_ping(session, 0, now_ns);
}

/* Waiting for credit with nothing in flight: an ACK that raised it may have been lost. */
static void
transmit_credit_ping(struct client_session *session, uint64_t now_ns)
{
	uint32_t shift = session->credit_pings < 10 ? session->credit_pings : 10;
	uint64_t wait_ns = client_loss_pto_ns(&session->loss) << shift;

	if (session->credit_ping_ns != 0) {
		client_transmit_ping(session, 0, now_ns);
		session->credit_pings++;
	}
	session->credit_ping_ns = now_ns + (wait_ns < NS_PER_S ? wait_ns : NS_PER_S);
}

/* --- data -------------------------------------------------------------------------------------- */

enum transmit_stop {
	TRANSMIT_NOTHING, /* nobody has anything to send now */
	TRANSMIT_WINDOW,
	TRANSMIT_CREDIT,
	TRANSMIT_PACE,
	TRANSMIT_BURST,
};

/* One batch of one stream. False: the session cannot send now, *ret_stop says why. */
static bool
transmit_one(struct client_session *session, struct client_stream *stream,
	struct client_batch *batch, uint64_t now_ns, enum transmit_stop *ret_stop)
{
	struct client_core *core = session->core;
	uint32_t bytes = FRAME_HEADER_BYTES + batch->len;

	if (bytes > session->mtu.current) {
		client_stream_too_large(core, stream, batch);
		return true;
	}
	if (!client_loss_room(&session->loss, CLIENT_PN_RESERVE) ||
		!client_cwnd_allows(&session->cwnd, bytes)) {
		*ret_stop = TRANSMIT_WINDOW;
		return false;
	}
	client_stream_stamp(core, batch);
	transmit_batch(session, batch, 0, now_ns);
	client_cwnd_pace(&session->cwnd, bytes, session->loss.rtt.smoothed_ns, now_ns);
	return true;
}

/* False: no packet of a stream now, *ret_stop says why, *deadline_ns is lowered to when. */
static bool
transmit_may(const struct client_session *session, uint32_t sent, uint64_t now_ns,
	uint64_t *deadline_ns, enum transmit_stop *ret_stop)
{
	uint64_t at_ns = now_ns;

	if (session->cwnd.pace_next_ns > now_ns) {
		*ret_stop = TRANSMIT_PACE;
		at_ns = session->cwnd.pace_next_ns;
	} else if (sent == CLIENT_CWND_BURST) {
		*ret_stop = TRANSMIT_BURST;
	} else {
		return true;
	}
	*deadline_ns = at_ns < *deadline_ns ? at_ns : *deadline_ns;
	return false;
}

static struct client_batch *
transmit_ready(struct client_session *session, struct client_stream *stream, uint64_t now_ns,
	uint64_t *deadline_ns)
{
	client_core_count(session->core, CLIENT_stream_looks, 1);
	return client_stream_ready(session->core, stream, now_ns, deadline_ns);
}

/* Where credit ends: what was lost still goes. */
static enum transmit_stop
transmit_lost(struct client_session *session, uint32_t sent, uint64_t now_ns,
	uint64_t *deadline_ns)
{
	struct client_stream *begin = NULL; /* first in a row that may not send now */
	enum transmit_stop stop;

	while (session->lost && session->lost != begin) {
		struct client_stream *stream = session->lost;

		if (!transmit_may(session, sent, now_ns, deadline_ns, &stop)) {
			return stop;
		}
		struct client_batch *batch = transmit_ready(session, stream, now_ns, deadline_ns);

		if (!batch) {
			begin = begin ? begin : stream;
			session->lost = stream->lost_next;
			continue;
		}
		ensure(!client_stream_charged(batch));
		if (!transmit_one(session, stream, batch, now_ns, &stop)) {
			return stop;
		}
		sent++;
		begin = NULL;
		if (session->lost == stream) { /* still listed */
			session->lost = stream->lost_next;
		}
	}
	return TRANSMIT_CREDIT;
}

/*
 * Streams take turns until nothing more may or can go. Where credit ends, what was lost still goes, of
 * whichever stream it is: it costs nothing, and the server gives no new credit before it has come. New
 * batches then wait all alike, so that a small one does not overtake a large one for ever; the stream
 * that ran out of credit is the next, so that a poll meanwhile looks at it and at lost ones only.
 */
static enum transmit_stop
transmit_data(struct client_session *session, uint64_t now_ns, uint64_t *deadline_ns)
{
	enum transmit_stop stop;
	struct client_stream *begin = NULL; /* first in a row without anything to send */
	uint32_t sent = 0;

	while (session->streams && session->streams != begin) {
		struct client_stream *stream = session->streams;

		if (!transmit_may(session, sent, now_ns, deadline_ns, &stop)) {
			return stop;
		}
		struct client_batch *batch = transmit_ready(session, stream, now_ns, deadline_ns);

		if (!batch) {
			begin = begin ? begin : stream;
			session->streams = stream->lane_next;
			continue;
		}
		if (client_stream_charged(batch) &&
			!client_credit_allows(&session->credit, batch->len)) {
			return transmit_lost(session, sent, now_ns, deadline_ns);
		}
		if (!transmit_one(session, stream, batch, now_ns, &stop)) {
			return stop;
		}
		sent++;
		begin = NULL;
		if (session->streams == stream) { /* still listed */
			session->streams = stream->lane_next;
		}
	}
	return TRANSMIT_NOTHING;
}

static void
transmit_stopped(struct client_session *session, enum transmit_stop stop, uint64_t now_ns)
{
	if (stop != TRANSMIT_CREDIT) {
		session->credit_pings = 0;
	}
	if (stop != TRANSMIT_CREDIT || session->loss.flying_count > 0) {
		session->credit_ping_ns = 0;
		return;
	}
	if (session->credit_ping_ns == 0) {
		client_core_count(session->core, CLIENT_credit_waits, 1);
	}
	if (session->credit_ping_ns <= now_ns) {
		transmit_credit_ping(session, now_ns);
	}
}

static bool
transmit_any_stream(const struct client_session *session,
	bool (*holds)(const struct client_stream *stream))
{
	const struct client_stream *stream = session->streams;

	while (stream) {
		if (holds(stream)) {
			return true;
		}
		stream = stream->lane_next != session->streams ? stream->lane_next : NULL;
	}
	return false;
}

bool
client_transmit_under_way(const struct client_session *session)
{
	return transmit_any_stream(session, client_stream_under_way);
}

bool
client_transmit_all_received(const struct client_session *session)
{
	return !transmit_any_stream(session, client_stream_unreceived);
}

bool
client_transmit_starved(const struct client_session *session)
{
	return session->credit_ping_ns != 0 && session->credit_pings >= TRANSMIT_STARVED_PINGS &&
	       session->loss.flying_count == 0 && session->streams &&
	       !client_transmit_under_way(session);
}

uint64_t
client_transmit_drain(struct client_session *session, uint64_t now_ns)
{
	struct transmit_ack seen = {.session = session, .now_ns = now_ns};
	struct client_loss_events events = transmit_events(&seen);

	client_loss_on_time(&session->loss, &events, now_ns);
	if (client_loss_pto_deadline_ns(&session->loss) <= now_ns) {
		transmit_count_timeout(session, now_ns);
		client_transmit_ping(session, 0, now_ns);
	}
	uint64_t lost_ns = client_loss_time_deadline_ns(&session->loss);
	uint64_t pto_ns = client_loss_pto_deadline_ns(&session->loss);

	return lost_ns < pto_ns ? lost_ns : pto_ns;
}

static uint64_t
transmit_deadline(struct client_session *session, uint64_t deadline_ns)
{
	uint64_t at_ns[] = {
		client_loss_time_deadline_ns(&session->loss),
		client_loss_pto_deadline_ns(&session->loss),
		client_mtu_deadline_ns(&session->mtu),
		session->loss.last_sent_ns + session->idle_timeout_ns / TRANSMIT_KEEPALIVE_PARTS,
		session->credit_ping_ns != 0 ? session->credit_ping_ns : UINT64_MAX,
	};

	for (uint32_t i = 0; i < ARRAY_COUNT(at_ns); i++) {
		deadline_ns = at_ns[i] < deadline_ns ? at_ns[i] : deadline_ns;
	}
	return deadline_ns;
}

uint64_t
client_transmit_poll(struct client_session *session, uint64_t now_ns)
{
	struct transmit_ack seen = {.session = session, .now_ns = now_ns};
	struct client_loss_events events = transmit_events(&seen);
	uint64_t deadline_ns = UINT64_MAX;
	uint16_t before = session->mtu.current;

	client_loss_on_time(&session->loss, &events, now_ns);
	if (client_loss_pto_deadline_ns(&session->loss) <= now_ns) {
		transmit_timeout(session, now_ns);
	}
	uint16_t probe = client_mtu_poll(&session->mtu, now_ns, client_loss_pto_ns(&session->loss));

	if (probe > 0) {
		transmit_probe(session, probe, now_ns);
	}
	if (session->mtu.current < before) {
		client_core_count(session->core, CLIENT_mtu_black_holes, 1);
		client_core_tell(session->core, "lane %u: datagrams of %u bytes vanish; using %u",
			session->lane, before, session->mtu.current);
	}
	transmit_stopped(session, transmit_data(session, now_ns, &deadline_ns), now_ns);
	if (session->loss.last_sent_ns + session->idle_timeout_ns / TRANSMIT_KEEPALIVE_PARTS <=
		now_ns) {
		client_transmit_ping(session, 0, now_ns);
	}
	return transmit_deadline(session, deadline_ns);
}
