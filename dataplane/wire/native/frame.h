/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native protocol, version 1: the 40-byte header that every datagram begins with, and the checks that
 * come before any session is looked up. One datagram = one frame: header, body, 16-byte tag if AUTH.
 * All integers little-endian; the record batch in a DATA body stays big-endian, verbatim. Pure
 * functions on the caller's bytes, any thread; server and client use the same ones.
 */
#ifndef WIRE_NATIVE_FRAME_H
#define WIRE_NATIVE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/counter.h"
#include "base/cursor.h"

#define FRAME_HEADER_BYTES	40
#define FRAME_TAG_BYTES		16
#define FRAME_PROTOCOL_VERSION	1
#define FRAME_DATA_COVERED_MAX	21   /* head_crc of DATA stops where the batch's own CRC begins */
#define FRAME_HELLO_PAYLOAD_MIN 1200 /* header and body; also what a VERSION answer asks for */
#define FRAME_PN_WINDOW		1024 /* pn_low_delta stays below */
#define FRAME_RESET_PAYLOAD	60   /* a RESET never exceeds the datagram that it answers */

enum frame_type {
	FRAME_HELLO = 0x01,
	FRAME_DATA = 0x03,
	FRAME_FRAG = 0x04, /* in the protocol, not offered by this version */
	FRAME_PING = 0x05,
	FRAME_RESOLVE = 0x06,
	FRAME_CLOSE = 0x07,
	FRAME_PROBE = 0x08,
	FRAME_RETRY = 0x81,
	FRAME_ACCEPT = 0x82,
	FRAME_ACK = 0x83,
	FRAME_RESET = 0x84,
	FRAME_RESOLVED = 0x86,
	FRAME_CLOSED = 0x87,
	FRAME_PROBED = 0x88,
	FRAME_VERSION = 0x89,
};

#define FRAME_FROM_SERVER 0x80

enum frame_flag {
	FRAME_AUTH = 1,
	FRAME_ENCRYPTED = 2,
	FRAME_ACK_NOW = 4,
	FRAME_FORBIDDEN = 0x00f8, /* bits 3-7; bits 8-15 are ignored */
};

/* Reasons of CLOSE, CLOSED and RESET. */
enum frame_reason {
	FRAME_UNKNOWN_SESSION = 1,
	FRAME_UNSUPPORTED_VERSION = 2, /* not sent in version 1 */
	FRAME_AUTH_REQUIRED = 3,
	FRAME_AUTH_FAILED = 4,
	FRAME_TOO_MANY_SESSIONS = 5,
	FRAME_FENCED = 6,
	FRAME_PROTOCOL_VIOLATION = 7,
	FRAME_IDLE = 8,
	FRAME_DRAINING = 9,
	FRAME_NOT_READY = 10,
	FRAME_INTERNAL = 11,
	FRAME_CLIENT_DONE = 12,
};

/* Who decodes: a server takes types 0x00-0x7f, a client those with bit 7. */
enum frame_side {
	FRAME_SIDE_SERVER,
	FRAME_SIDE_CLIENT,
};

/* Why a datagram is no acceptable frame, in the order of the checks. */
enum frame_fault {
	FRAME_OK,
	FRAME_FAULT_SHORT,
	FRAME_FAULT_MAGIC,
	FRAME_FAULT_TYPE,
	FRAME_FAULT_VERSION,
	FRAME_FAULT_FLAGS,
	FRAME_FAULT_LENGTH,
	FRAME_FAULT_CRC,
	FRAME_FAULT_COUNT,
};

struct frame {
	uint8_t version; /* encode writes 1 if 0 */
	uint8_t type;	 /* enum frame_type */
	uint16_t flags;	 /* enum frame_flag */
	uint16_t body_len;
	uint64_t session_id;   /* 0 before a session exists */
	uint64_t pn;	       /* 0 in set-up frames */
	uint32_t pn_low_delta; /* pn - lowest pn the sender still waits for; servers send 0 */
	uint32_t stream;
	uint32_t send_us; /* sender's monotonic clock, wraps */
	uint32_t head_crc; /* decoded; encode computes it */
	const uint8_t *body;
};

/*
 * Checks one UDP payload and decodes its header; the body stays in place, the tag (if AUTH) follows it.
 * Checks in this order: length >= 40, magic, type, version, flags, body length, head_crc. With
 * ENCRYPTED the body is no plaintext, so head_crc is left to who opens the tag (frame_crc).
 *
 * On FRAME_FAULT_VERSION *ret_frame still holds version, type, and in body, body_len all that follows
 * the header: what a VERSION answer needs. On other faults it is not to be used.
 */
enum frame_fault frame_decode(const uint8_t *payload, size_t len, enum frame_side side,
	struct frame *ret_frame);

/* The lane counter of a fault. Not for FRAME_OK. */
enum lane_counter frame_fault_counter(enum frame_fault fault);

/*
 * Writes the header for a body of frame->body_len bytes at frame->body, wherever that is: a DATA sender
 * may keep header and batch apart and send both by one gather write.
 */
void frame_encode(const struct frame *frame, uint8_t header[FRAME_HEADER_BYTES]);

/* A writer for the body of a frame that is built in place at `payload`. room >= 40. */
static inline struct writer
frame_body_writer(uint8_t *payload, size_t room)
{
	return writer_init(payload + FRAME_HEADER_BYTES, room - FRAME_HEADER_BYTES);
}

/*
 * Closes a frame built in place: takes body and body_len from the writer, writes the header before
 * it, returns the payload bytes. 0 if the body did not fit (the writer failed).
 */
size_t frame_finish(struct frame *frame, uint8_t *payload, const struct writer *body);

/* CRC-32C of header bytes 0-35 and of what head_crc covers of the body. */
uint32_t frame_crc(const uint8_t header[FRAME_HEADER_BYTES], const uint8_t *body, uint16_t body_len);

const char *frame_reason_text(uint16_t reason);

/* --- session ids: bits 0-19 slot, 20-31 lane, 32-63 random -------------------------------------- */

#define FRAME_SESSION_SLOT_BITS 20
#define FRAME_SESSION_LANE_BITS 12

static inline uint64_t
frame_session_id(uint32_t slot, uint32_t lane, uint32_t random)
{
	return (uint64_t)random << 32 |
	       (uint64_t)(lane & ((1u << FRAME_SESSION_LANE_BITS) - 1)) << FRAME_SESSION_SLOT_BITS |
	       (slot & ((1u << FRAME_SESSION_SLOT_BITS) - 1));
}

static inline uint32_t
frame_session_slot(uint64_t session_id)
{
	return (uint32_t)session_id & ((1u << FRAME_SESSION_SLOT_BITS) - 1);
}

#endif
