/* SPDX-License-Identifier: Apache-2.0 */
/* The native header. Runs once a datagram on the lanes and in the client; stateless. */
#include "wire/native/frame.h"

#include "base/crc32c.h"
#include "base/ensure.h"

#define FRAME_CRC_AT 36

static const uint8_t frame_magic[2] = {0x50, 0x4e};

static bool
frame_type_known(uint8_t type, enum frame_side side)
{
	switch (type) {
	case FRAME_HELLO:
	case FRAME_DATA:
	case FRAME_FRAG:
	case FRAME_PING:
	case FRAME_RESOLVE:
	case FRAME_CLOSE:
	case FRAME_PROBE:
		return side == FRAME_SIDE_SERVER;
	case FRAME_RETRY:
	case FRAME_ACCEPT:
	case FRAME_ACK:
	case FRAME_RESET:
	case FRAME_RESOLVED:
	case FRAME_CLOSED:
	case FRAME_PROBED:
	case FRAME_VERSION:
		return side == FRAME_SIDE_CLIENT;
	default:
		return false;
	}
}

uint32_t
frame_crc(const uint8_t header[FRAME_HEADER_BYTES], const uint8_t *body, uint16_t body_len)
{
	uint32_t covered = body_len;

	if (header[3] == FRAME_DATA && covered > FRAME_DATA_COVERED_MAX) {
		covered = FRAME_DATA_COVERED_MAX;
	}
	return crc32c_update(crc32c_update(0, header, FRAME_CRC_AT), body, covered);
}

enum frame_fault
frame_decode(const uint8_t *payload, size_t len, enum frame_side side, struct frame *ret_frame)
{
	struct reader r = reader_init(payload, len);
	struct frame *f = ret_frame;

	if (len < FRAME_HEADER_BYTES) {
		return FRAME_FAULT_SHORT;
	}
	if (memcmp(reader_bytes(&r, sizeof(frame_magic)), frame_magic, sizeof(frame_magic)) != 0) {
		return FRAME_FAULT_MAGIC;
	}
	f->version = reader_u8(&r);
	f->type = reader_u8(&r);
	f->flags = reader_le16(&r);
	f->body_len = reader_le16(&r);
	f->session_id = reader_le64(&r);
	f->pn = reader_le64(&r);
	f->pn_low_delta = reader_le32(&r);
	f->stream = reader_le32(&r);
	f->send_us = reader_le32(&r);
	f->head_crc = reader_le32(&r);
	f->body = r.at;
	if (!frame_type_known(f->type, side)) {
		return FRAME_FAULT_TYPE;
	}
	if (f->version != FRAME_PROTOCOL_VERSION) {
		f->body_len = (uint16_t)(reader_left(&r) < UINT16_MAX ? reader_left(&r) : UINT16_MAX);
		return FRAME_FAULT_VERSION;
	}
	if (f->flags & FRAME_FORBIDDEN) {
		return FRAME_FAULT_FLAGS;
	}
	if ((f->flags & (FRAME_AUTH | FRAME_ENCRYPTED)) == FRAME_ENCRYPTED) {
		return FRAME_FAULT_FLAGS;
	}
	if (reader_left(&r) != f->body_len + ((f->flags & FRAME_AUTH) ? FRAME_TAG_BYTES : 0u)) {
		return FRAME_FAULT_LENGTH;
	}
	if (!(f->flags & FRAME_ENCRYPTED) &&
		frame_crc(payload, f->body, f->body_len) != f->head_crc) {
		return FRAME_FAULT_CRC;
	}
	return FRAME_OK;
}

enum lane_counter
frame_fault_counter(enum frame_fault fault)
{
	static const enum lane_counter counters[FRAME_FAULT_COUNT] = {
		[FRAME_FAULT_SHORT] = LANE_frame_short,
		[FRAME_FAULT_MAGIC] = LANE_frame_magic,
		[FRAME_FAULT_TYPE] = LANE_frame_type,
		[FRAME_FAULT_VERSION] = LANE_frame_version,
		[FRAME_FAULT_FLAGS] = LANE_frame_flags,
		[FRAME_FAULT_LENGTH] = LANE_frame_length,
		[FRAME_FAULT_CRC] = LANE_frame_crc,
	};

	ensure(fault > FRAME_OK);
	ensure(fault < FRAME_FAULT_COUNT);
	return counters[fault];
}

void
frame_encode(const struct frame *frame, uint8_t header[FRAME_HEADER_BYTES])
{
	struct writer w = writer_init(header, FRAME_HEADER_BYTES);

	writer_copy(&w, frame_magic, sizeof(frame_magic));
	writer_u8(&w, frame->version ? frame->version : FRAME_PROTOCOL_VERSION);
	writer_u8(&w, frame->type);
	writer_le16(&w, frame->flags);
	writer_le16(&w, frame->body_len);
	writer_le64(&w, frame->session_id);
	writer_le64(&w, frame->pn);
	writer_le32(&w, frame->pn_low_delta);
	writer_le32(&w, frame->stream);
	writer_le32(&w, frame->send_us);
	writer_le32(&w, frame_crc(header, frame->body, frame->body_len));
	ensure(!w.failed);
}

size_t
frame_finish(struct frame *frame, uint8_t *payload, const struct writer *body)
{
	if (body->failed || writer_len(body) > UINT16_MAX) {
		return 0;
	}
	ensure(body->begin == payload + FRAME_HEADER_BYTES);
	frame->body = body->begin;
	frame->body_len = (uint16_t)writer_len(body);
	frame_encode(frame, payload);
	return FRAME_HEADER_BYTES + (size_t)frame->body_len;
}

const char *
frame_reason_text(uint16_t reason)
{
	static const char *const texts[] = {
		[FRAME_UNKNOWN_SESSION] = "unknown session",
		[FRAME_UNSUPPORTED_VERSION] = "unsupported version",
		[FRAME_AUTH_REQUIRED] = "authentication required",
		[FRAME_AUTH_FAILED] = "authentication failed",
		[FRAME_TOO_MANY_SESSIONS] = "too many sessions",
		[FRAME_FENCED] = "fenced by a newer epoch of this producer",
		[FRAME_PROTOCOL_VIOLATION] = "protocol violation",
		[FRAME_IDLE] = "idle",
		[FRAME_DRAINING] = "server is draining",
		[FRAME_NOT_READY] = "server is not ready",
		[FRAME_INTERNAL] = "internal error",
		[FRAME_CLIENT_DONE] = "client is done",
	};

	if (reason >= ARRAY_COUNT(texts) || !texts[reason]) {
		return "unknown reason";
	}
	return texts[reason];
}
