/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session with one lane: set-up with cookie, data and acks, keepalive, end. A session that ends is
 * opened again as long as it is needed; what was not durable is sent again in the new one and the
 * server discards what it has already.
 *
 *   IDLE --needed--> HELLO --ACCEPT--> OPEN --RESET, CLOSED, silence--> WAITING --time--> HELLO
 *                      `--CLOSED, ten tries--> WAITING      `--close--> CLOSING --answer--> IDLE
 *
 * A server that stops says CLOSED(DRAINING) first: OPEN --> DRAINING, where nothing new is sent and ACKs
 * are still read, until all that was sent is durable; then WAITING. What it did not take is sent again in
 * the next session.
 */
#ifndef CLIENT_CLIENT_SESSION_H
#define CLIENT_CLIENT_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include "client/client_core.h"
#include "client/client_credit.h"
#include "client/client_cwnd.h"
#include "client/client_loss.h"
#include "client/client_mtu.h"
#include "wire/native/session_msg.h"

enum client_session_state {
	CLIENT_SESSION_IDLE,
	CLIENT_SESSION_HELLO,
	CLIENT_SESSION_OPEN,
	CLIENT_SESSION_DRAINING,
	CLIENT_SESSION_WAITING,
	CLIENT_SESSION_CLOSING,
	CLIENT_SESSION_STATE_COUNT,
};

struct client_session {
	struct client_core *core;
	struct client_stream *streams; /* circular list: those with batches; where sending goes on */
	struct client_stream *lost;    /* circular list: those with lost batches among them */
	struct client_loss loss;
	struct client_cwnd cwnd;
	struct client_credit credit;
	struct client_mtu mtu;
	uint64_t session_id;
	uint64_t boot_id;
	uint64_t timer_ns; /* HELLO, WAITING, CLOSING: when to act; DRAINING: when HELLO may follow */
	uint64_t ack_pn_max; /* server's pn of the newest ACK */
	uint64_t last_rx_ns;
	uint64_t idle_timeout_ns;
	uint64_t streams_ns;	 /* when some stream's timer is due */
	uint64_t doubt_ns;	 /* a RESET with a wrong token is asked about from then on */
	uint64_t credit_ping_ns; /* waiting for credit with nothing in flight: ask; 0 not armed */
	uint32_t credit_pings;
	uint32_t tries; /* of HELLO or CLOSE */
	uint32_t ecn_ce;
	uint32_t max_batch_bytes;
	int16_t epoch; /* that it was opened with */
	uint16_t lane;
	uint16_t port;
	uint16_t busy;
	uint8_t state; /* enum client_session_state */
	uint8_t hello_flags;
	uint8_t cookie_len;
	bool collapsing; /* losses now are no signal about the path */
	uint8_t nonce[SESSION_MSG_NONCE_BYTES];
	uint8_t cookie[SESSION_MSG_COOKIE_BYTES];
	uint8_t reset_token[SESSION_MSG_TOKEN_BYTES];
};

/* It has an id that the server knows, and is not on its way out. */
static inline bool
client_session_speaks(const struct client_session *session)
{
	return session->state == CLIENT_SESSION_OPEN || session->state == CLIENT_SESSION_DRAINING;
}

void client_session_init(struct client_session *session, struct client_core *core, uint16_t lane);
void client_session_input(struct client_session *session, const uint8_t *bytes, uint32_t len,
	uint64_t now_ns);
/* Does what is due; returns the next deadline. */
uint64_t client_session_poll(struct client_session *session, uint64_t now_ns);
/* Begins a new attempt. The core decided that it is allowed and as what (JOIN, BUMP, new). */
void client_session_start(struct client_session *session, uint8_t hello_flags, uint64_t now_ns);
/* Ends it without a word and tries again after wait_ns. */
void client_session_drop(struct client_session *session, uint64_t wait_ns, uint64_t now_ns);
/* Says CLOSE if it is open; forgets it otherwise. */
void client_session_close(struct client_session *session, uint64_t now_ns);
/* A control frame with a pn. False: not open or no room in the window. */
bool client_session_resolve(struct client_session *session,
	const struct session_msg_resolve *resolve, uint64_t now_ns);
/* Earliest of a stream's timers: poll looks at them then. */
void client_session_timer(struct client_session *session, uint64_t at_ns);
/* The stream has its first batch, or its last is gone. */
void client_session_list(struct client_session *session, struct client_stream *stream);
void client_session_unlist(struct client_session *session, struct client_stream *stream);
/* The stream has its first lost batch, or none any more. */
void client_session_list_lost(struct client_session *session, struct client_stream *stream);
void client_session_unlist_lost(struct client_session *session, struct client_stream *stream);
/* Largest batch that fits a datagram of this lane now. */
uint32_t client_session_room(const struct client_session *session);

#endif
