/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the core's files share: the producer as a whole. Private to dataplane/client.
 *
 * Life of the producer identity:
 *
 *   NEW --ACCEPT--> READY --a batch was given up, state lost--> DRAINING --nothing undecided-->
 *   CLOSING --every old session ended--> BUMPING --ACCEPT, epoch + 1--> READY;  any --fenced--> FENCED
 *
 * DRAINING gives out no new sequence and waits until every batch with one is durable or failed: a
 * batch of unknown fate sent again under a new epoch could be stored twice. CLOSING makes the server
 * forget what it holds parked for the old epoch.
 */
#ifndef CLIENT_CLIENT_CORE_STATE_H
#define CLIENT_CLIENT_CORE_STATE_H

#include "base/compiler.h"
#include "client/client_batch.h"
#include "client/client_core.h"
#include "client/client_session.h"
#include "client/client_stream.h"
#include "client/client_table.h"
#include "client/client_topic.h"

enum client_producer_state {
	CLIENT_PRODUCER_NEW,
	CLIENT_PRODUCER_READY,
	CLIENT_PRODUCER_DRAINING,
	CLIENT_PRODUCER_CLOSING,
	CLIENT_PRODUCER_BUMPING,
	CLIENT_PRODUCER_FENCED,
	CLIENT_PRODUCER_STATE_COUNT,
};

struct client_core {
	struct client_core_options options;
	struct client_batch_pool pool;
	struct client_table by_handle;	  /* stream handle -> stream index */
	struct client_table by_partition; /* topic index << 32 | partition -> stream index */
	struct client_session *sessions;  /* [CLIENT_LANES_MAX] */
	struct client_topic *topics;
	struct client_stream *streams;
	uint32_t topic_count;
	uint32_t stream_count;
	uint32_t next_request_id;
	int64_t producer_id;
	int16_t producer_epoch;
	uint8_t producer_state; /* enum client_producer_state */
	bool bump_asked;	/* a BUMP was said whose answer never came */
	bool closing;
	uint64_t boot_id; /* 0: none yet */
	uint64_t counters[CLIENT_COUNTER_COUNT];
	char status[CLIENT_STATUS_BYTES];
	uint8_t scratch[CLIENT_DATAGRAM_MAX];
};

static inline void
client_core_count(struct client_core *core, enum client_counter counter, uint64_t by)
{
	core->counters[counter] += by;
}

void client_core_tell(struct client_core *core, const char *format, ...) PRINTF_LIKE(2, 3);
/* The stream of a partition, made if absent; NULL when partitions_max is reached. */
struct client_stream *client_core_stream(struct client_core *core, struct client_topic *topic,
	uint32_t partition);
struct client_stream *client_core_stream_of_handle(struct client_core *core, uint32_t handle);
/* ACCEPT told this id, epoch and boot. */
void client_core_accepted(struct client_core *core, struct client_session *session,
	const struct session_msg_accept *accept, uint64_t now_ns);
/* The server said FENCED to a session of the present epoch. */
void client_core_fenced(struct client_core *core, struct client_session *session, uint64_t now_ns);
/* Sequences must start again under a new epoch. */
void client_core_want_bump(struct client_core *core);
/* Asks for all topics again. */
void client_core_resolve_all(struct client_core *core, uint64_t now_ns);
/* Tells the fate of every record of a batch, once; later calls for the batch do nothing. */
void client_core_report(struct client_core *core, const struct client_stream *stream,
	struct client_batch *batch, int16_t error, int64_t last_offset);

#endif
