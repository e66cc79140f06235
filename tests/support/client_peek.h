/* SPDX-License-Identifier: Apache-2.0 */
/* What tests see of a client core that its callers need not: credit, and whether anything is left. */
#ifndef SUPPORT_CLIENT_PEEK_H
#define SUPPORT_CLIENT_PEEK_H

#include <stdbool.h>
#include <stdint.h>
#include "client/client_core.h"
#include "client/client_core_state.h"

/* All that was sent is durable or failed. */
static inline bool
client_peek_idle(const struct client_core *core)
{
	return core->pool.free_count == core->pool.batch_count;
}

/* Charged and granted credit of a lane's session; NULL if there is none. */
static inline const struct client_credit *
client_peek_credit(const struct client_core *core, uint16_t lane)
{
	const struct client_session *session = &core->sessions[lane];

	return session->state == CLIENT_SESSION_OPEN ? &session->credit : NULL;
}

#endif
