/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of the native protocol's frames, both directions: every one has a struct, an encoder into a
 * writer (of frame_body_writer) and a decoder of (body, len). Decoders check the layout and return 0 or
 * -EBADMSG; on error *ret is not to be used. Encoders cannot fail but by want of room, which the
 * writer remembers and frame_finish reports. Pure functions, any thread.
 */
#ifndef WIRE_NATIVE_SESSION_MSG_H
#define WIRE_NATIVE_SESSION_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cursor.h"
#include "wire/native/frame.h"

#define SESSION_MSG_NONCE_BYTES	      16
#define SESSION_MSG_COOKIE_BYTES      16
#define SESSION_MSG_TOKEN_BYTES	      16
#define SESSION_MSG_PRODUCER_NAME_MAX 64
#define SESSION_MSG_TOPIC_NAME_MAX    249
#define SESSION_MSG_LANE_ANY	      0xffff
#define SESSION_MSG_DATAGRAM_MIN      1200
#define SESSION_MSG_ACK_WORDS_MAX     16
#define SESSION_MSG_ACK_ENTRIES_MAX   24
#define SESSION_MSG_RESOLVED_MAX      90
#define SESSION_MSG_PING_PAD_BYTES    20

#define SESSION_MSG_HELLO_BYTES_MIN    (FRAME_HELLO_PAYLOAD_MIN - FRAME_HEADER_BYTES)
#define SESSION_MSG_HELLO_FIXED_BYTES  56
#define SESSION_MSG_RETRY_BYTES	       40
#define SESSION_MSG_ACCEPT_BYTES       112
#define SESSION_MSG_VERSION_BYTES      20
#define SESSION_MSG_ACK_FIXED_BYTES    48
#define SESSION_MSG_ACK_ENTRY_BYTES    32
#define SESSION_MSG_RESOLVE_FIXED_BYTES 12
#define SESSION_MSG_RESOLVED_FIXED_BYTES 40
#define SESSION_MSG_RESOLVED_ENTRY_BYTES 12
#define SESSION_MSG_PROBED_BYTES       4
#define SESSION_MSG_CLOSE_BYTES	       20
#define SESSION_MSG_CLOSED_BYTES       8
#define SESSION_MSG_CLOSED_HELLO_BYTES 24
#define SESSION_MSG_RESET_BYTES	       20

/* --- HELLO, client to server --------------------------------------------------------------------- */

enum session_msg_auth {
	SESSION_MSG_AUTH_NONE = 0,
	SESSION_MSG_AUTH_INTEGRITY = 1, /* not offered by this version */
	SESSION_MSG_AUTH_ENCRYPTED = 2, /* not offered by this version */
};

enum session_msg_hello_flag {
	SESSION_MSG_JOIN = 1, /* the given id and epoch on one more lane */
	SESSION_MSG_BUMP = 2, /* the same id, epoch + 1 */
};

struct session_msg_hello {
	uint8_t ver_min;
	uint8_t ver_max;
	uint8_t auth;  /* enum session_msg_auth */
	uint8_t flags; /* enum session_msg_hello_flag */
	uint32_t key_id;
	uint8_t client_nonce[SESSION_MSG_NONCE_BYTES];
	int64_t producer_id; /* -1, with epoch -1: a new producer */
	int16_t producer_epoch;
	uint16_t max_datagram; /* largest UDP payload that the client's interface carries */
	uint16_t lane;	       /* or SESSION_MSG_LANE_ANY */
	uint8_t cookie_len;    /* 0 or 16 */
	uint8_t name_len;
	uint8_t cookie[SESSION_MSG_COOKIE_BYTES];
	uint8_t name[SESSION_MSG_PRODUCER_NAME_MAX];
};

/* Pads with zeros to SESSION_MSG_HELLO_BYTES_MIN. */
void session_msg_hello_encode(struct writer *w, const struct session_msg_hello *hello);
/*
 * -EBADMSG is `hello_bad`: body < 1160 B, zero nonce, lengths beyond the body, a name that is no UTF-8
 * or holds a NUL, non-zero padding or absent cookie, cookie_len not 0 or 16, flags bits 2-7, JOIN with
 * BUMP, auth > 2, max_datagram < 1200, id >= 0 without JOIN or BUMP. The version range is not judged:
 * see session_msg_hello_speaks.
 */
int session_msg_hello_decode(const uint8_t *body, size_t len, struct session_msg_hello *ret_hello);
/* The range holds version 1. If not, the answer is VERSION. */
bool session_msg_hello_speaks(const struct session_msg_hello *hello);
/* The nonce in a HELLO of any version, for the VERSION answer; NULL if the body is too short. */
const uint8_t *session_msg_hello_nonce(const uint8_t *body, size_t len);

/* --- RETRY, ACCEPT, VERSION: server to client ----------------------------------------------------- */

struct session_msg_retry {
	uint8_t client_nonce[SESSION_MSG_NONCE_BYTES];
	uint8_t cookie[SESSION_MSG_COOKIE_BYTES];
	uint16_t lane;
	uint16_t lane_port; /* UDP port to say HELLO to again */
};

void session_msg_retry_encode(struct writer *w, const struct session_msg_retry *retry);
int session_msg_retry_decode(const uint8_t *body, size_t len, struct session_msg_retry *ret_retry);

struct session_msg_accept {
	uint8_t client_nonce[SESSION_MSG_NONCE_BYTES];
	uint8_t server_nonce[SESSION_MSG_NONCE_BYTES];
	int64_t producer_id;
	int16_t producer_epoch;
	uint16_t lane;
	uint16_t lane_count;
	uint16_t max_datagram;
	uint32_t max_batch_bytes;
	uint32_t idle_timeout_ms;
	uint32_t ack_delay_max_us;
	uint16_t ack_every; /* packets */
	uint16_t pn_window;
	uint64_t credit_bytes; /* absolute */
	uint64_t credit_pkts;
	uint64_t wall_us; /* server's wall clock, us since 1970 */
	uint64_t boot_id; /* stream handles hold within one boot */
	uint8_t reset_token[SESSION_MSG_TOKEN_BYTES];
};

void session_msg_accept_encode(struct writer *w, const struct session_msg_accept *accept);
int session_msg_accept_decode(const uint8_t *body, size_t len,
	struct session_msg_accept *ret_accept);

struct session_msg_version {
	uint8_t client_nonce[SESSION_MSG_NONCE_BYTES];
	uint8_t ver_min;
	uint8_t ver_max;
};

void session_msg_version_encode(struct writer *w, const struct session_msg_version *version);
int session_msg_version_decode(const uint8_t *body, size_t len,
	struct session_msg_version *ret_version);

/* --- RESOLVE, RESOLVED ---------------------------------------------------------------------------- */

enum session_msg_resolve_flag {
	SESSION_MSG_AUTO_CREATE = 1,
};

struct session_msg_resolve {
	uint32_t request_id;
	uint32_t first_partition;
	uint8_t flags; /* enum session_msg_resolve_flag */
	uint8_t name_len;
	const uint8_t *name; /* in the body */
};

void session_msg_resolve_encode(struct writer *w, const struct session_msg_resolve *resolve);
/* -EBADMSG is `control_bad`: body is not 12 + name_len. A bad name is RESOLVED error 17, see below. */
int session_msg_resolve_decode(const uint8_t *body, size_t len,
	struct session_msg_resolve *ret_resolve);
/* Kafka's rule: 1..249 of [a-zA-Z0-9._-], neither "." nor "..". */
bool session_msg_topic_name_valid(const uint8_t *name, size_t len);

enum session_msg_resolved_flag {
	SESSION_MSG_WRITABLE = 1,
	SESSION_MSG_RISK_SHIFT = 1, /* bits 1-2: 0 none, 1 power, 2 crash */
	SESSION_MSG_RISK_MASK = 6,
};

struct session_msg_resolved_entry {
	uint32_t stream;
	int32_t leader_epoch;
	uint16_t lane;
	uint16_t flags; /* enum session_msg_resolved_flag */
};

struct session_msg_resolved {
	uint32_t request_id;
	int16_t error; /* Kafka code */
	uint16_t count; /* entries in this page, at most 90 */
	uint32_t partition_count;
	uint32_t first_partition;
	uint8_t topic_id[16];
	uint32_t max_message_bytes;
	uint32_t metadata_version;
	struct session_msg_resolved_entry entries[SESSION_MSG_RESOLVED_MAX];
};

void session_msg_resolved_encode(struct writer *w, const struct session_msg_resolved *resolved);
int session_msg_resolved_decode(const uint8_t *body, size_t len,
	struct session_msg_resolved *ret_resolved);

/* --- ACK, server to client ------------------------------------------------------------------------- */

enum session_msg_busy {
	SESSION_MSG_BUSY_NONE = 0,
	SESSION_MSG_BUSY_LOG_BUFFER = 1,
	SESSION_MSG_BUSY_DISK_FULL = 2,
	SESSION_MSG_BUSY_MBUFS_LOW = 3,
	SESSION_MSG_BUSY_WINDOW_LATE = 4,
	SESSION_MSG_BUSY_DRAINING = 5,
	SESSION_MSG_BUSY_RESOLVE_AGAIN = 16, /* added to one of the others */
};

struct session_msg_ack_entry {
	uint32_t stream;
	int32_t received_seq; /* last sequence in order accepted, -1 none */
	int32_t durable_seq;
	int16_t error;	   /* Kafka code */
	int32_t error_seq; /* -1 none */
	int64_t durable_offset; /* of the record durable_seq, -1 none */
};

struct session_msg_ack {
	uint64_t recv_upto;
	uint64_t echo_pn;
	uint32_t echo_send_us;
	uint32_t echo_delay_us;
	uint64_t credit_bytes; /* absolute, never decreases */
	uint64_t credit_pkts;
	uint32_t ecn_ce;
	uint16_t busy; /* enum session_msg_busy */
	uint8_t words;
	uint8_t entries;
	uint64_t bitmap[SESSION_MSG_ACK_WORDS_MAX]; /* bit i of word w: recv_upto + 1 + 64 w + i */
	struct session_msg_ack_entry entry[SESSION_MSG_ACK_ENTRIES_MAX];
};

/* words and entries must be within their maxima. Writes 48 + 8 words + 32 entries bytes. */
void session_msg_ack_encode(struct writer *w, const struct session_msg_ack *ack);
int session_msg_ack_decode(const uint8_t *body, size_t len, struct session_msg_ack *ret_ack);

/* --- PING, PROBE, PROBED ---------------------------------------------------------------------------- */

/* padded: 20 zero bytes, so that a RESET may answer. */
void session_msg_ping_encode(struct writer *w, bool padded);
/* -EBADMSG is `control_bad`: neither empty nor 20 zeros. */
int session_msg_ping_decode(const uint8_t *body, size_t len);

/* A PROBE whose whole UDP payload has payload_bytes (>= 42). */
void session_msg_probe_encode(struct writer *w, uint16_t payload_bytes);
/* -EBADMSG is `control_bad`: under 2 bytes. Who compares the size with the datagram is the caller. */
int session_msg_probe_decode(const uint8_t *body, size_t len, uint16_t *ret_size);
void session_msg_probed_encode(struct writer *w, uint16_t payload_bytes);
int session_msg_probed_decode(const uint8_t *body, size_t len, uint16_t *ret_size);

/* --- CLOSE, CLOSED, RESET ---------------------------------------------------------------------------- */

void session_msg_close_encode(struct writer *w, uint16_t reason);
/* -EBADMSG is `control_bad`: not 20 bytes. */
int session_msg_close_decode(const uint8_t *body, size_t len, uint16_t *ret_reason);

struct session_msg_closed {
	uint16_t reason; /* enum frame_reason */
	uint32_t retry_after_ms;
	bool answers_hello; /* carries client_nonce; session_id is 0 */
	uint8_t client_nonce[SESSION_MSG_NONCE_BYTES];
};

void session_msg_closed_encode(struct writer *w, const struct session_msg_closed *closed);
int session_msg_closed_decode(const uint8_t *body, size_t len,
	struct session_msg_closed *ret_closed);

struct session_msg_reset {
	uint8_t reset_token[SESSION_MSG_TOKEN_BYTES];
	uint16_t reason;
};

void session_msg_reset_encode(struct writer *w, const struct session_msg_reset *reset);
int session_msg_reset_decode(const uint8_t *body, size_t len, struct session_msg_reset *ret_reset);

#endif
