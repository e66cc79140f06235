/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reference server does with a batch: order, duplicates, refusal and credit of a session's
 * streams, by the protocol's rules. Tests only.
 */
#ifndef SUPPORT_NATIVE_SERVER_STREAM_H
#define SUPPORT_NATIVE_SERVER_STREAM_H

#include "native_server_state.h"

/* The stream of a handle, opened with what the log knows of the producer; NULL: no such handle. */
struct server_stream *server_stream(struct native_server *server, struct server_session *session,
	uint32_t handle);
/* Frees what is parked and the slot. */
void server_stream_clear(struct server_stream *stream);
/* Absolute limits of the session now. */
void server_credit(const struct native_server *server, const struct server_session *session,
	uint64_t *ret_bytes, uint64_t *ret_packets);
/* Takes a DATA frame. False: dropped, its pn must not be acknowledged. */
bool server_data(struct native_server *server, struct server_session *session,
	const struct frame *frame);

#endif
