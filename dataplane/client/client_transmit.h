/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open session's packets: what goes out and when (window, credit, pacing, probes), and what an ACK
 * says. I/O thread only.
 */
#ifndef CLIENT_CLIENT_TRANSMIT_H
#define CLIENT_CLIENT_TRANSMIT_H

#include <stdbool.h>
#include <stdint.h>
#include "client/client_session.h"
#include "wire/native/frame.h"

/* ACCEPT came: fresh windows. */
void client_transmit_open(struct client_session *session, const struct session_msg_accept *accept,
	uint64_t now_ns);
/* The session ended: nothing is in flight any more. */
void client_transmit_end(struct client_session *session);
/* Sends the frame that was built in the core's scratch; with a pn if the session is open. */
void client_transmit_frame(struct client_session *session, struct frame *frame,
	const struct writer *body, uint64_t now_ns);
/* PING that wants an ACK now, with a stream's entry if stream != 0. False: no room in the window. */
bool client_transmit_ping(struct client_session *session, uint32_t stream, uint64_t now_ns);
void client_transmit_ack(struct client_session *session, const struct frame *frame,
	uint64_t now_ns);
/*
 * True if the session waits for credit that cannot come: it asked often enough, got none, and the
 * server owes nothing for what it was sent. Close it: a new one begins with a fresh share.
 */
bool client_transmit_starved(const struct client_session *session);
/* Batches were sent in this session whose fate is open. */
bool client_transmit_under_way(const struct client_session *session);
/* The server has all of them. */
bool client_transmit_all_received(const struct client_session *session);
/* Loss and probe timeouts by PING only, while the session drains. Returns the next deadline. */
uint64_t client_transmit_drain(struct client_session *session, uint64_t now_ns);
/* Loss, probes, keepalive, then data. Returns the next deadline. The session may have ended. */
uint64_t client_transmit_poll(struct client_session *session, uint64_t now_ns);

#endif
