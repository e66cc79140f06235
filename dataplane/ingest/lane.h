/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lane's state, private to the data plane's server side, and the prototypes of the files that
 * work on it, grouped by file in the order of a packet's way. One writer: the lane's lcore. What
 * other threads may read is published: counters, latencies, rows.
 *
 * now_ns is the turn's clock, read once by the loop; no function here reads another but
 * admission_tick, which reads the wall clock once a millisecond.
 */
#ifndef INGEST_LANE_H
#define INGEST_LANE_H

#include <stdatomic.h>
#include "dataplane.h"
#include "base/cursor.h"
#include "base/errcode.h"
#include "base/published.h"
#include "ingest/batch_table.h"
#include "ingest/native_session.h"
#include "ingest/native_stream.h"
#include "net/net.h"
#include "wire/native/cookie.h"
#include "wire/native/frame.h"
#include "wire/native/session_msg.h"
#include "wire/record_batch.h"

#define LANE_ACK_EVERY            16
#define LANE_ACK_DELAY_NS         (200 * NS_PER_US)
#define LANE_ADMISSION_PERIOD_NS  NS_PER_MS
#define LANE_ACTIVITY_PERIOD_NS   (100 * NS_PER_MS)
#define LANE_LATENCY_PERIOD_NS    (100 * NS_PER_MS)
#define LANE_ASKING_MAX           256
#define LANE_RESOLVES_MAX         256
#define LANE_RESOLVES_PER_SECOND  100
#define LANE_RETRIES_PER_SECOND   10000
#define LANE_RESETS_PER_SECOND    100 /* RESET and VERSION */
#define LANE_CLOSED_PER_SECOND    1000 /* repeated CLOSED(DRAINING) */
#define LANE_VIOLATION_CREDIT_MAX 100
#define LANE_STREAMS_MAX          (1u << 18)
#define LANE_TX_MAX               NIC_BURST_MAX
#define LANE_RELEASE_MAX          256
#define LANE_DONE_BURST           64
#define LANE_OFFER_BURST          32
#define LANE_SWEEP_PARTS          64
#define LANE_GROUP_PERIOD_NS      (50 * NS_PER_MS) /* floors of more sessions than descriptors take turns */
#define LANE_RESERVE_PART         16 /* of the rx buffers is kept for others than credit */
#define LANE_RETRY_AFTER_MS       1000
#define LANE_ENDED_MAX_NS         (60 * NS_PER_S)

/* One UDP payload on its way through a turn. */
struct datagram {
	const uint8_t *payload;
	uint32_t len;
	uint32_t flags; /* enum packet_flag */
	uint64_t owner;
	uint64_t rx_time_ns;
	const struct packet_peer *peer;
	struct frame frame;
	uint32_t session_index; /* SESSION_NONE for HELLO */
	bool live;              /* passed the checks that need no state */
	bool kept;              /* a batch took over the owner */
};

struct lane_rate {
	uint64_t second;
	uint32_t used;
};

/* Requests of one shard that are not in its ring yet, oldest first. Never dropped. */
struct lane_pending {
	uint32_t last; /* batch_table.h list */
	uint32_t count;
};

struct lane_resolve {
	uint64_t session_id; /* 0: free entry */
	uint32_t session_index;
	uint32_t request_id;
	uint32_t first_partition;
	uint32_t serial; /* upper half of the token, so that a late answer meets no new question */
};

/* Budget and shares (admission.c), renewed each millisecond. */
struct lane_admission {
	uint64_t next_ns;
	uint64_t period_end_ns; /* activity */
	uint32_t period;
	uint32_t active_now, active_before; /* sessions with data in this and the last period */
	uint64_t budget_pkts, budget_bytes;
	uint64_t floor_pkts, floor_bytes;
	uint64_t rest_pkts, rest_bytes; /* per active session, above the floor */
	uint32_t reserve_pkts;          /* rx buffers kept for others than parked batches */
	uint32_t groups, group; /* floors rotate if there are more sessions than descriptors */
	uint64_t group_end_ns;
	bool buffers_low, log_low, disk_full;
	int64_t wall_minus_now_ns;
};

/* Records of a partition's batches by fate (enum lane_fate). Written by the lane, read by any thread. */
struct lane_partition {
	_Atomic uint64_t records[LANE_FATE_COUNT];
	uint64_t reserved;
} CACHE_ALIGNED;
_Static_assert(sizeof(struct lane_partition) == 64, "a partition's fates are one cache line");

/* For other threads (base/published.h). */
struct lane_row {
	_Atomic uint64_t version;
	_Atomic uint64_t words[PUBLISHED_WORDS(struct lane_session_row)];
};

struct lane_histograms {
	_Atomic uint64_t version;
	_Atomic uint64_t words[LANE_LATENCY_COUNT][PUBLISHED_WORDS(struct histogram)];
};

struct lane {
	/* Set at start. */
	struct lane_options options;
	struct nic *nic;
	struct nic_caps caps;
	struct net_port net;
	uint32_t descriptors; /* packets that may arrive at once without loss */
	uint64_t idle_timeout_ns;
	/* The turn. */
	uint64_t now_ns;
	uint64_t *counters; /* counter_set.live */
	struct packet_view views[NIC_BURST_MAX];
	struct datagram datagrams[NIC_BURST_MAX];
	struct packet_view tx[LANE_TX_MAX];
	uint32_t tx_count;
	uint32_t tx_queued; /* what the driver refused at the last flush and will be offered again */
	uint32_t release_count;
	uint64_t release[LANE_RELEASE_MAX];
	bool draining;
	_Atomic bool drain_asked; /* by any thread; seen at the next turn */
	_Atomic bool announce_asked; /* by any thread */
	_Atomic bool drained;	  /* published at each turn's end while draining */
	/* Lists, of session indexes; SESSION_NONE ends them. */
	uint32_t due_first, due_last;
	uint32_t timed_first, timed_last;
	uint32_t touched_first;
	uint32_t ended_first;
	/* Tables. */
	struct native_session_table sessions;
	struct native_stream_table streams;
	struct batch_table batches;
	struct lane_partition *partitions; /* by partition index */
	struct lane_pending pending[HANDOFF_SHARDS_MAX];
	uint32_t pending_count;
	uint32_t parked_count, parked_max;
	uint32_t undurable_count; /* COPIED entries: in the log, DURABLE still to come */
	struct lane_resolve resolves[LANE_RESOLVES_MAX];
	uint32_t resolve_serial;
	uint32_t resolve_next;
	struct lane_admission admission;
	struct lane_rate retry_rate, reset_rate, closed_rate;
	uint64_t sweep_ns;
	uint32_t sweep_part;
	uint32_t idle_turns;
	/* Published. */
	struct counter_set counter_set;
	struct histogram latencies[LANE_LATENCY_COUNT];
	uint64_t latency_publish_ns;
	bool latency_dirty;
	struct lane_histograms published_latencies;
	struct lane_row *rows;
};

/* --- lane.c: a lane's life --- */
/* Writes why a lane cannot start. -EINVAL. */
int lane_refuse(char *text, uint32_t text_bytes, const char *format, ...) PRINTF_LIKE(3, 4);
/* One of `per_second` in the second of now_ns. */
bool lane_rate_allows(struct lane_rate *rate, uint64_t now_ns, uint32_t per_second);
/* One turn of a drain: begins it, then publishes whether anything is left. Returns how many sessions were told. */
uint32_t lane_drain_turn(struct lane *lane);

/* --- lane_out.c: packets to the driver, rx buffers back to it --- */
/* Gives the turn's packets to the driver, which takes or gives up all of them; also retries what waits. */
void lane_out_flush(struct lane *lane);
/* Gives back what lane_out_release gathered. */
void lane_out_release_flush(struct lane *lane);

/* Gives an rx buffer back, at the latest at the end of the turn. Inline: once a packet. */
static inline void
lane_out_release(struct lane *lane, uint64_t owner)
{
	if (unlikely(lane->release_count == LANE_RELEASE_MAX)) {
		lane_out_release_flush(lane);
	}
	lane->release[lane->release_count++] = owner;
}

/* --- lane_latency.c --- */
void lane_latency_add(struct lane *lane, enum lane_latency which, uint64_t since_ns);
/* At a turn's end: copies them for other threads, at most ten times a second and only if they changed. */
void lane_latency_publish(struct lane *lane);

/* --- lane_arithmetic.c: the sums of a start --- */
struct lane_tables {
	uint32_t sessions, streams, batches;
	uint64_t session_bytes, stream_bytes, batch_bytes, partition_bytes, total_bytes;
};
void lane_table_sums(const struct lane_options *options, const struct nic_caps *caps,
	struct lane_tables *ret_tables);
/* Packets that may arrive at once without loss. */
uint32_t lane_descriptors(const struct nic_caps *caps);
/* Checks; text as lane_create() tells it. -EINVAL. */
int lane_arithmetic(const struct lane_options *options, const struct nic_caps *caps, char *text,
	uint32_t text_bytes) MUST_CHECK;

/* --- lane_secrets.c --- */
/* A copy of what control rotates. */
struct cookie_secrets lane_secrets_cookie(const struct lane_secrets *secrets);

/* --- native_input.c: payload -> frame -> session -> handler --- */
/* Checks that need no state; finds the session; answers what may be answered statelessly. */
void native_input_parse(struct lane *lane, struct datagram *datagram);
void native_input_prefetch(struct lane *lane, const struct datagram *datagram);
void native_input_frame(struct lane *lane, struct datagram *datagram);

/* --- native_setup.c: HELLO -> RETRY, ACCEPT, VERSION, CLOSED --- */
void native_setup_hello(struct lane *lane, const struct datagram *datagram);
void native_setup_version(struct lane *lane, const struct datagram *datagram);
void native_setup_answer(struct lane *lane, const struct control_answer *answer);

/* --- native_data.c: DATA -> order -> route --- */
/* False: dropped, and its pn must not be acknowledged. */
bool native_data_input(struct lane *lane, struct datagram *datagram);
/* --- data_done.c: the answers of the log --- */
void native_data_done(struct lane *lane, const struct append_done *done);

/* --- native_order.c: one stream's sequences: park, take in turn, refuse, rewind (12.4) --- */
struct native_batch {
	const struct record_batch *header;
	const struct datagram *datagram;
	int16_t error; /* of the header; judged when the batch's turn comes */
};
/* False: dropped without acknowledgement. *ret_kept: the batch took over the datagram's owner. */
bool native_order_input(struct lane *lane, struct native_stream *stream,
	const struct native_batch *batch, bool *ret_kept);
/* Offers what was parked and is in order now. */
void native_order_advance(struct lane *lane, struct native_stream *stream);
/* Of a session that drains: what is parked behind a gap goes, because nothing fills that any more. */
void native_order_settle(struct lane *lane, struct native_stream *stream);
/* Error e at sequence S: discards what is parked and rewinds; S -1: none could be read. */
void native_order_refuse(
	struct lane *lane, struct native_stream *stream, int16_t error, int32_t error_seq);
/* Ends the parked batches of a stream, counted for the given reason, their credit resolved. */
void native_order_discard(
	struct lane *lane, struct native_stream *stream, enum lane_counter reason);

/* Batch accounting, E5 in batches, records, bytes: out of hold, and answered without being held. */
void native_batch_pass(struct lane *lane, struct native_session *session,
	const struct native_batch *batch, enum lane_counter reason);
void native_batch_leave(struct lane *lane, struct batch *batch, enum lane_counter reason);

/* --- refusal.c: refused batches by code --- */
enum refusal_by {
	REFUSAL_BY_LANE,
	REFUSAL_BY_LOG,
};

/* Beside LANE_refused, once for each batch that it counts. */
void refusal_count(struct lane *lane, int16_t error, enum refusal_by by, uint32_t batches);

/* --- route.c: stream -> partition -> shard ring --- */
/*
 * 0, or the Kafka code that a batch for this partition is refused with now. header NULL: only whether
 * the partition takes any; else header and len are those of the whole batch at bytes.
 */
int16_t route_judge(struct lane *lane, uint32_t stream, const struct record_batch *header,
	const uint8_t *bytes, uint32_t len);
void route_append(struct lane *lane, uint32_t batch_index);
/* An open or closed partition's entry; NULL: no such handle. */
struct route_partition *route_partition(const struct lane *lane, uint32_t stream);
/* Moves pending requests into the rings, as many as fit. Returns how many. */
uint32_t route_offer(struct lane *lane);
bool route_relaxed(const struct lane *lane, uint32_t stream);
uint32_t route_metadata_version(const struct lane *lane, uint32_t stream);

/* --- admission.c --- */
/* What each of so many open sessions may always send, if need be in turns. */
struct admission_floors {
	uint64_t pkts, bytes;
	uint32_t groups;
};
void admission_floors(uint64_t sessions, uint64_t descriptors, uint32_t max_datagram,
	struct admission_floors *ret_floors);
void admission_tick(struct lane *lane);
void admission_open(struct lane *lane, struct native_session *session);
/* True if a new batch of `bytes` is within the credit that was given. */
bool admission_allows(struct lane *lane, const struct native_session *session, uint32_t bytes);
void admission_charge(struct lane *lane, struct native_session *session, uint32_t bytes);
/* Raises the credit to resolved + share. */
void admission_renew(struct lane *lane, struct native_session *session);
/* What ACKs tell of the lane, the worst first. */
uint16_t admission_busy(const struct lane *lane);

static inline void
admission_resolve_pkts(struct native_session *session, uint64_t pkts)
{
	session->credit.resolved_pkts += pkts;
}

static inline void
admission_resolve_bytes(struct native_session *session, uint64_t bytes)
{
	session->credit.resolved_bytes += bytes;
}

/* Resolves what this session may not have charged (see session_credit.slack_pkts). */
static inline void
admission_resolve_uncharged(struct native_session *session, uint64_t bytes)
{
	session->credit.resolved_pkts++;
	session->credit.resolved_bytes += bytes;
	session->credit.accepted_pkts++;
	session->credit.accepted_bytes += bytes;
	session->credit.slack_pkts++;
	session->credit.slack_bytes += bytes;
}

/* --- ack.c --- */
/* Notes an accepted packet; gap: acknowledge at once. */
void ack_packet(
	struct lane *lane, uint32_t session_index, const struct datagram *datagram, bool gap);
void ack_due(struct lane *lane, uint32_t session_index);
/* The stream's entry goes into the next ACK; `now`: which is due at this turn's end. */
void ack_stream(struct lane *lane, struct native_stream *stream, bool now);
void ack_unknown(struct lane *lane, uint32_t session_index, uint32_t stream, int16_t error);
/* Sends what is due; at most one ACK a session. Returns ACKs sent. */
uint32_t ack_send(struct lane *lane);
/* Takes a stream that goes out of its session's dirty list. */
void ack_forget_stream(struct lane *lane, struct native_stream *stream);
/* Takes an ending session out of all lists. */
void ack_forget(struct lane *lane, uint32_t session_index);
uint64_t ack_deadline_ns(const struct lane *lane);

/* --- resolve.c --- */
/* False: dropped. */
bool resolve_input(
	struct lane *lane, uint32_t session_index, const struct session_msg_resolve *ask);
void resolve_answer(struct lane *lane, const struct control_answer *answer);

/* --- reset.c --- */
/* No stateless answer to multicast or to well-known ports. */
bool reset_may_answer(const struct packet_peer *peer);
void reset_send(struct lane *lane, const struct datagram *datagram);

/* --- reply.c: frames out --- */
struct reply {
	struct packet_view view;
	uint8_t *payload;
	uint32_t room;
	struct frame frame;
};
/* False: no control buffer; counted. room: greatest UDP payload. */
bool reply_begin(
	struct lane *lane, const struct packet_peer *peer, uint32_t room, struct reply *ret_reply);
/* Closes the frame behind `body` and queues it for this turn's burst. */
void reply_send(struct lane *lane, struct reply *reply, const struct writer *body);
/* Header fields of a frame inside a session: id, next pn, send_us. */
void reply_frame(
	struct lane *lane, struct native_session *session, uint8_t type, struct frame *ret_frame);
void reply_closed(struct lane *lane, struct native_session *session, uint16_t reason,
	uint32_t retry_after_ms);
/* CLOSED in answer to a HELLO: reason and retry_after_ms of `why`. */
void reply_closed_hello(struct lane *lane, const struct packet_peer *peer, const uint8_t *nonce,
	const struct session_msg_closed *why);

/* --- native_control.c: PING, PROBE, CLOSE, RESOLVE. False: dropped, not to be acknowledged --- */
bool native_control_input(struct lane *lane, const struct datagram *datagram);

/* --- session_row.c: copies for other threads --- */
void session_row_touch(struct lane *lane, uint32_t session_index);
void session_row_publish(struct lane *lane);

#endif
