/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A native session: one (producer, epoch) from one client address on one lane. The table is made at
 * start; look-up is index + full compare of the session id, by nonce for repeated HELLOs, by
 * producer id for fencing. Lane's lcore only; other threads see published rows (lane.h).
 *
 *   FREE --HELLO with cookie--> ASKING --control answered--> OPEN --lane drains--> DRAINING
 *     ^                           |                           |                      |
 *     |<--refused by control------'                           v                      v
 *     `<--nothing of it in the log, control told------------ ENDED <-----------------'
 *
 * An ENDED session keeps its slot until the log has answered all, or for LANE_ENDED_MAX_NS if only
 * DURABLE is missing; an append_done that comes even later shows an older `life` of the slot and is
 * not taken for the new session's. Its id is erased at once: frames for it get RESET.
 */
#ifndef INGEST_NATIVE_SESSION_H
#define INGEST_NATIVE_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "base/compiler.h"
#include "base/handoff.h"
#include "base/packet.h"
#include "ingest/pn_window.h"
#include "wire/native/frame.h"

#define SESSION_NONE        UINT32_MAX
#define SESSION_NONCE_BYTES 16
#define SESSION_UNKNOWN_MAX 4
#define SESSION_LIVES       (1u << (32 - FRAME_SESSION_SLOT_BITS))

enum native_session_state {
	SESSION_FREE,
	SESSION_ASKING,
	SESSION_OPEN,
	SESSION_DRAINING,
	SESSION_ENDED,
	SESSION_STATE_COUNT,
};

enum native_session_flag {
	SESSION_FENCED = 1,    /* a newer epoch of its producer is known: ends at its next frame */
	SESSION_ACK_DUE = 2,   /* in the lane's list of ACKs to send */
	SESSION_ACK_TIMED = 4, /* in the lane's list of delayed ACKs */
	SESSION_TOUCHED = 8,   /* in the lane's list of rows to publish */
	SESSION_CONTROL_KNOWS = 16, /* control counts it: it must hear CONTROL_CLOSED */
};

/* Absolute numbers in packets and bytes (admission.c). */
struct session_credit {
	uint64_t accepted_pkts, accepted_bytes;
	uint64_t resolved_pkts, resolved_bytes;
	uint64_t credit_pkts, credit_bytes; /* as told to the client, never lowered */
	/*
	 * Resolved without certainty that the client had charged it (repeats of what a refusal or
	 * an earlier session covered): what may be outstanding beyond the share.
	 */
	uint64_t slack_pkts, slack_bytes;
	uint64_t use_pkts[2],
		use_bytes[2]; /* accepted in this activity period, and in the one before */
	uint32_t active_period;
	uint32_t exceeded_count;
};

/* An ACK entry for a handle that has no slot. */
struct session_unknown {
	uint32_t stream;
	int16_t error;
};

struct session_ack {
	uint64_t echo_pn;
	uint64_t echo_rx_ns;
	uint64_t oldest_rx_ns; /* of the packets not yet acknowledged */
	uint32_t echo_send_us;
	uint32_t ecn_ce;
	uint32_t timed_next, timed_previous;
	uint32_t due_next;
	uint32_t dirty_first, dirty_last; /* stream slots */
	uint16_t unacked_count;
	uint16_t unknown_count;
	struct session_unknown unknown[SESSION_UNKNOWN_MAX];
};

struct native_session {
	uint64_t session_id;
	uint8_t state;
	uint8_t flags;
	uint8_t name_len;
	uint8_t resolve_tokens; /* RESOLVEs left in this second */
	uint16_t max_datagram;
	int16_t producer_epoch;
	int64_t producer_id;
	uint64_t last_rx_ns;
	uint64_t next_pn; /* of what we send */
	struct packet_peer peer;
	uint32_t stream_first; /* all its slots, by session_next */
	struct pn_window pn;
	struct session_ack ack;
	struct session_credit credit;
	uint32_t stream_count;
	uint32_t held_count; /* batches with an rx buffer */
	uint64_t datagrams, duplicates, records;
	/* Cold: set-up and look-up. */
	uint64_t resolve_second;
	uint64_t ended_ns;
	uint64_t wall_us; /* as told in ACCEPT */
	uint64_t first_credit_pkts, first_credit_bytes;
	uint32_t nonce_next; /* hash chains; nonce_next also links free slots */
	uint32_t producer_next;
	uint32_t ended_next;
	uint32_t touched_next;
	uint16_t life; /* of the slot, +1 at each session; 12 bits: what the log's answers must show */
	uint8_t client_nonce[SESSION_NONCE_BYTES];
	uint8_t server_nonce[SESSION_NONCE_BYTES];
	char name[HANDOFF_PRODUCER_NAME_MAX];
} CACHE_ALIGNED;
_Static_assert(sizeof(struct native_session) <= 768, "set-up memory of a session");

struct native_session_table {
	struct native_session *sessions;
	uint32_t *nonce_buckets;
	uint32_t *producer_buckets;
	uint32_t count;
	uint32_t used_count; /* all but FREE */
	uint32_t asking_count;
	uint32_t open_count; /* OPEN and DRAINING */
	uint32_t bucket_mask;
	uint32_t free_head;
	uint8_t hash_key[16];
};

struct lane;

/* Start-up. -ENOMEM. */
int native_session_table_init(
	struct native_session_table *table, uint32_t count, const uint8_t hash_key[16]);
void native_session_table_fini(struct native_session_table *table);
/* A slot in ASKING, chained by its nonce, or SESSION_NONE. */
uint32_t native_session_take(struct native_session_table *table, const struct packet_peer *peer,
	const uint8_t nonce[SESSION_NONCE_BYTES]);
/* ASKING -> FREE (control refused) or ENDED -> FREE. */
void native_session_give(struct native_session_table *table, uint32_t index);
/* The slot whose HELLO came from this address, port and nonce, or SESSION_NONE. */
uint32_t native_session_find_hello(const struct native_session_table *table,
	const struct packet_peer *peer, const uint8_t nonce[SESSION_NONCE_BYTES]);
/* The live session of an id (OPEN, DRAINING), or SESSION_NONE. */
uint32_t native_session_find(const struct native_session_table *table, uint64_t session_id);
/* Moves along the diagram above and keeps the counts. */
void native_session_set_state(struct native_session_table *table, struct native_session *session,
	enum native_session_state state);
/* Chains an OPEN session by its producer id. */
void native_session_chain(struct native_session_table *table, uint32_t index);
/* Marks the producer's sessions of epochs before this one FENCED. */
void native_session_fence(struct native_session_table *table, int64_t producer_id, int16_t epoch);

/* What the log calls the session: its slot, and which of the slot's sessions it is. */
static inline uint32_t
native_session_handle(const struct native_session_table *table, uint32_t index)
{
	return (uint32_t)table->sessions[index].life << FRAME_SESSION_SLOT_BITS | index;
}

/* The slot that a handle names, if it still is that session's; else SESSION_NONE. */
static inline uint32_t
native_session_of_handle(const struct native_session_table *table, uint32_t handle)
{
	uint32_t index = handle & ((1u << FRAME_SESSION_SLOT_BITS) - 1);

	return index < table->count && native_session_handle(table, index) == handle ? index
										      : SESSION_NONE;
}

static inline bool
native_session_same_peer(const struct packet_peer *a, const struct packet_peer *b)
{
	return a->port == b->port && memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

/* Largest batch of the session: what its datagram leaves. ACCEPT names it. */
static inline uint32_t
native_session_batch_max(const struct native_session *session)
{
	return session->max_datagram - FRAME_HEADER_BYTES;
}

static inline bool
native_session_live(const struct native_session *session)
{
	return session->state == SESSION_OPEN || session->state == SESSION_DRAINING;
}

/*
 * Ends a live session: CLOSED(reason) to the client, everything parked or pending is discarded,
 * then ENDED. reason 0: nothing is sent. violation: the client broke the protocol.
 */
void native_session_end(struct lane *lane, uint32_t index, uint16_t reason);
void native_session_violation(struct lane *lane, uint32_t index);
/* OPEN -> DRAINING: CLOSED(DRAINING) is sent, no new batches are taken, acks go on. */
void native_session_drain(struct lane *lane, uint32_t index);
/* Frees ENDED sessions whose answers are all in; tells control. Once a turn. */
void native_session_reap(struct lane *lane);
/* Ends idle sessions; looks at a 64th of the table per tick. */
void native_session_sweep(struct lane *lane);

#endif
