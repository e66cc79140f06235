/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a producer makes of the server's word on a partition: progress, a refusal, or no word at all.
 *
 * A batch is given another sequence or epoch only when it is certain that the server did not take it
 * and no longer can. A refusal alone proves nothing: a copy of the batch may still be under way, and the
 * refused packet may have been another one. So a hard refusal counts only if the batch was sent
 * alone, and then the stream settles: it sends nothing until none of its packets is waited for
 * (hold_pn < low: the server discards what comes later), asks by PING, and believes that answer.
 * I/O thread only.
 */
#ifndef CLIENT_CLIENT_RECOVERY_H
#define CLIENT_CLIENT_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>
#include "client/client_loss.h"
#include "client/client_stream.h"

/* A newer entry in a newest ACK. */
void client_recovery_entry(struct client_core *core, struct client_stream *stream,
	const struct session_msg_ack_entry *entry, const struct client_loss_ack *ack,
	uint64_t now_ns);
/*
 * A newer entry in an ACK that others have overtaken. What it says of progress holds; a refusal may be
 * of what was sent again since, so that is asked about, as after a lost ACK.
 */
void client_recovery_late_entry(struct client_core *core, struct client_stream *stream,
	const struct session_msg_ack_entry *entry, uint64_t now_ns);
/* Delivery timeout and durable timer. True: send a PING with this stream now. */
bool client_recovery_on_time(struct client_core *core, struct client_stream *stream,
	uint64_t now_ns, uint64_t *deadline_ns);
/* The PING that client_recovery_on_time wanted was sent. */
void client_recovery_pinged(struct client_stream *stream, uint64_t pn);

#endif
