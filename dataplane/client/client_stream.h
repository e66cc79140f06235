/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One partition as its producer sees it: the list of batches from the oldest not durable to the one
 * that collects records, their sequences, and what the server said last.
 *
 * Order of states in the list: { RECEIVED FLYING LOST }* UNSENT* FULL* OPEN?; `next` is the first
 * from UNSENT on. After a refusal the batches from the refused sequence on become UNSENT and the first
 * goes alone until the server says that it accepted it (RECOVER_SEND, RECOVER_WAIT), because the
 * server refuses all others until then; client_recovery.h decides that.
 * I/O thread only.
 */
#ifndef CLIENT_CLIENT_STREAM_H
#define CLIENT_CLIENT_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include "client/client_batch.h"
#include "client/client_core.h"
#include "wire/native/session_msg.h"

enum client_recover {
	CLIENT_RECOVER_NONE,
	CLIENT_RECOVER_SEND, /* the first batch is to be sent again */
	CLIENT_RECOVER_WAIT, /* it was; all others wait for its acceptance */
};

enum client_settle {
	CLIENT_SETTLE_NONE,
	CLIENT_SETTLE_LOW,  /* until nothing of the stream is under way */
	CLIENT_SETTLE_ASKED, /* PING sent; the next entry that covers it decides */
};

struct client_topic;
struct client_session;
struct client_loss_ack;

struct client_stream {
	struct client_stream *lane_next; /* circular list of streams with batches, of its session */
	struct client_stream *lane_prev;
	struct client_stream *lost_next; /* circular list of those with lost batches, of its session */
	struct client_stream *lost_prev;
	struct client_topic *topic;
	struct client_batch *first;
	struct client_batch *last;
	struct client_batch *next;
	struct client_batch *recover_batch; /* RECOVER_WAIT; NULL once it is freed */
	uint64_t entry_session_id; /* whose ACK the newest entry came with, */
	uint64_t entry_pn;	   /* and that ACK's packet number */
	uint64_t retry_ns;	    /* nothing before this instant (back-off after a refusal) */
	uint64_t hold_pn; /* settling: highest pn used before */
	uint64_t settle_pn; /* first PING since; 0: none yet */
	uint64_t durable_ping_ns; /* when to ask about the first batch; 0: not armed */
	int64_t known_offset;	  /* of known_sequence; -1: none yet */
	uint32_t partition;
	uint32_t handle; /* 0: not resolved in this boot */
	uint32_t lost_count;
	uint32_t durable_pings;
	uint32_t crc_refusals;
	int32_t next_sequence;
	int32_t known_sequence;
	int32_t server_sequence; /* received_seq of the newest entry; -1 none */
	int32_t recover_sequence; /* last of the batch that recovers */
	uint16_t lane;
	int16_t settle_error; /* what the refusal said */
	uint8_t recover; /* enum client_recover */
	uint8_t settle;	 /* enum client_settle */
	bool listed;
	bool server_told; /* server_sequence is of entry_session_id */
	bool needs_epoch; /* what is UNSENT waits for the producer's next epoch */
};

/* A slot for a partition; empty. */
void client_stream_init(struct client_stream *stream, struct client_topic *topic,
	uint32_t partition);
/* RESOLVED: where the partition is now. A new lane: everything is sent again there. */
void client_stream_resolved(struct client_core *core, struct client_stream *stream, uint32_t handle,
	uint16_t lane);
/* As client_core_send. */
int client_stream_append(struct client_core *core, struct client_stream *stream,
	const struct client_record *record, uint64_t now_ns);
/* The batch to send now, or NULL; lowers *deadline_ns to when there may be one. */
struct client_batch *client_stream_ready(struct client_core *core, struct client_stream *stream,
	uint64_t now_ns, uint64_t *deadline_ns);
/* True if sending this batch now is charged. */
bool client_stream_charged(const struct client_batch *batch);
/* Gives the batch its sequence if it has none. */
void client_stream_stamp(struct client_core *core, struct client_batch *batch);
void client_stream_sent(struct client_core *core, struct client_batch *batch, uint64_t pn);
void client_stream_acked(struct client_core *core, struct client_batch *batch, uint64_t pn,
	uint64_t now_ns);
void client_stream_lost(struct client_core *core, struct client_batch *batch, uint64_t pn);
/* True, once, if an entry of the ACK with this packet number is newer than all before. */
bool client_stream_newer(struct client_stream *stream, uint64_t session_id, uint64_t pn);
/* The session ended: nothing is known to have arrived. */
void client_stream_restart(struct client_core *core, struct client_stream *stream);
/* The epoch was raised, or the id is new: sequences from 0 again. */
void client_stream_new_epoch(struct client_core *core, struct client_stream *stream);
/* Fails every batch that has a sequence; those without stay. Asks for a new epoch. */
void client_stream_give_up(struct client_core *core, struct client_stream *stream, int16_t error);
/* The path no longer carries this batch: it fails, with all that have a sequence if it has one. */
void client_stream_too_large(struct client_core *core, struct client_stream *stream,
	struct client_batch *batch);
/* Fails everything. */
void client_stream_fail_all(struct client_core *core, struct client_stream *stream, int16_t error);
/* Holds batches that were sent in this session and not refused since. */
bool client_stream_under_way(const struct client_stream *stream);
/* Holds batches that were sent in this session and are not known to have arrived. */
bool client_stream_unreceived(const struct client_stream *stream);
/* Holds batches with a sequence and unknown fate. */
bool client_stream_undecided(const struct client_stream *stream);

/* --- what client_recovery.c does it with --- */
#define CLIENT_DURABLE_PING_MIN_NS (10 * NS_PER_MS)

/* Where the partition's packets go. */
struct client_session *client_stream_session(struct client_core *core,
	const struct client_stream *stream);
/* What is durable and what was accepted. True if something was released. */
bool client_stream_progress(struct client_core *core, struct client_stream *stream,
	const struct session_msg_ack_entry *entry);
/* Takes the batch out and reports its records. */
void client_stream_finish(struct client_core *core, struct client_stream *stream,
	struct client_batch *batch, int16_t error, int64_t last_offset);
void client_stream_received(struct client_core *core, struct client_batch *batch);
/* One more batch, or one less, is known to be lost. */
void client_stream_count_lost(struct client_core *core, struct client_stream *stream,
	int32_t change);
/* The first batch is received: ask about it if it does not become durable soon. */
void client_stream_arm(struct client_core *core, struct client_stream *stream, uint64_t now_ns);

static inline void
client_stream_lower(uint64_t *deadline_ns, uint64_t at_ns)
{
	if (at_ns < *deadline_ns) {
		*deadline_ns = at_ns;
	}
}

#endif
