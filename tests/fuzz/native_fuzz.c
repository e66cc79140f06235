/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native frames and their bodies, as server and as client. The head_crc would stop nearly every
 * mutation, so it is set right first. What decodes must encode to the same bytes again, but for
 * reserved fields, which encoders write as zeros: so encode, decode and compare the second time.
 */
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "fuzz/fuzz.h"
#include "wire/native/cookie.h"
#include "wire/native/session_msg.h"
#include "wire/record_batch.h"

#define FUZZ_LEN_MAX 4096

union body {
	struct session_msg_hello hello;
	struct session_msg_retry retry;
	struct session_msg_accept accept;
	struct session_msg_version version;
	struct session_msg_resolve resolve;
	struct session_msg_resolved resolved;
	struct session_msg_ack ack;
	struct session_msg_closed closed;
	struct session_msg_reset reset;
	struct record_batch batch;
	uint16_t number;
};

/* Decodes a client's body and encodes it again; 0 if it was accepted. */
static int
fuzz_client_body(const struct frame *f, union body *b, struct writer *w)
{
	int rc;

	switch (f->type) {
	case FRAME_HELLO:
		rc = session_msg_hello_decode(f->body, f->body_len, &b->hello);
		if (rc == 0) {
			session_msg_hello_encode(w, &b->hello);
		}
		return rc;
	case FRAME_RESOLVE:
		rc = session_msg_resolve_decode(f->body, f->body_len, &b->resolve);
		if (rc == 0) {
			session_msg_topic_name_valid(b->resolve.name, b->resolve.name_len);
			session_msg_resolve_encode(w, &b->resolve);
		}
		return rc;
	case FRAME_PING:
		rc = session_msg_ping_decode(f->body, f->body_len);
		session_msg_ping_encode(w, f->body_len > 0);
		return rc;
	case FRAME_CLOSE:
		rc = session_msg_close_decode(f->body, f->body_len, &b->number);
		session_msg_close_encode(w, b->number);
		return rc;
	case FRAME_PROBE:
		/* The size is the sender's claim, not yet a length to encode. */
		return session_msg_probe_decode(f->body, f->body_len, &b->number) < 0 ? -1 : 1;
	case FRAME_DATA:
		return record_batch_validate(f->body, f->body_len, &b->batch) ? -1 : 1;
	default:
		return -1;
	}
}

static int
fuzz_server_body(const struct frame *f, union body *b, struct writer *w)
{
	int rc = -1;

	switch (f->type) {
#define FUZZ_BODY(TYPE, name)                                                                      \
	case FRAME_##TYPE:                                                                         \
		rc = session_msg_##name##_decode(f->body, f->body_len, &b->name);                  \
		if (rc == 0) {                                                                     \
			session_msg_##name##_encode(w, &b->name);                                  \
		}                                                                                  \
		break;
		FUZZ_BODY(RETRY, retry)
		FUZZ_BODY(ACCEPT, accept)
		FUZZ_BODY(VERSION, version)
		FUZZ_BODY(RESOLVED, resolved)
		FUZZ_BODY(ACK, ack)
		FUZZ_BODY(CLOSED, closed)
		FUZZ_BODY(RESET, reset)
#undef FUZZ_BODY
	case FRAME_PROBED:
		rc = session_msg_probed_decode(f->body, f->body_len, &b->number);
		session_msg_probed_encode(w, b->number);
		break;
	default:
		break;
	}
	return rc;
}

/* One pass: decode frame and body, build the frame again in out. Its length, or 0 if refused. */
static size_t
fuzz_pass(const uint8_t *bytes, size_t len, enum frame_side side, uint8_t out[FUZZ_LEN_MAX])
{
	struct writer w = frame_body_writer(out, FUZZ_LEN_MAX);
	struct frame frame;
	union body body;

	if (frame_decode(bytes, len, side, &frame) != FRAME_OK) {
		return 0;
	}
	int rc = side == FRAME_SIDE_SERVER ? fuzz_client_body(&frame, &body, &w)
					   : fuzz_server_body(&frame, &body, &w);

	if (rc != 0) {
		return 0;
	}
	frame.flags &= (uint16_t)~(FRAME_AUTH | FRAME_ENCRYPTED);
	return frame_finish(&frame, out, &w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint8_t *input = malloc(len ? len : 1);
	uint8_t once[FUZZ_LEN_MAX];
	uint8_t twice[FUZZ_LEN_MAX];

	ensure(input != NULL);
	memcpy(input, bytes, len);
	for (int side = FRAME_SIDE_SERVER; side <= FRAME_SIDE_CLIENT; side++) {
		struct frame frame;

		(void)frame_decode(input, len, side, &frame);
		if (len >= FRAME_HEADER_BYTES && len <= FUZZ_LEN_MAX) {
			size_t tag = (input[4] & FRAME_AUTH) ? FRAME_TAG_BYTES : 0;
			size_t body_len = load_le16(input + 6);

			if (FRAME_HEADER_BYTES + body_len + tag == len) {
				store_le32(input + 36,
					frame_crc(input, input + FRAME_HEADER_BYTES, (uint16_t)body_len));
			}
		}
		size_t once_len = fuzz_pass(input, len, side, once);

		if (once_len > 0) {
			ensure(fuzz_pass(once, once_len, side, twice) == once_len);
			ensure(memcmp(once, twice, once_len) == 0);
		}
	}
	free(input);
	return 0;
}
