/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client core against a server that says anything. The input is a script of steps: time, records,
 * and server frames, whose session id, nonce, pn and head_crc are made right, so that hostile fields get
 * to the state machines. Whatever the server says: what the client sends is a frame that a server
 * takes and never larger than the interface carries, it does not spin, every record is told its fate
 * exactly once, and closing ends.
 */
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "client/client_core.h"
#include "fuzz/fuzz.h"
#include "support/client_peek.h"
#include "wire/native/session_msg.h"
#include "wire/record_batch.h"

#define RECORDS_MAX	64
#define STEPS_MAX	100
#define DATAGRAM	1472
#define START_NS	(1000 * NS_PER_S)
#define POLLS_AT_ONCE	64
#define CLOSE_POLLS_MAX 20000
#define TOPIC_ID_BYTES	16

enum step {
	STEP_POLL,
	STEP_SEND,
	STEP_FRAME, /* any type, any body */
	STEP_RETRY,
	STEP_ACCEPT,
	STEP_RESOLVED,
	STEP_ACK,
	STEP_PROBED,
	STEP_CLOSED,
	STEP_RESET,
	STEP_RAW, /* no frame at all */
	STEP_CLOSE,
	STEP_COUNT,
};

/* What the server knows of one lane. */
struct lane_view {
	uint8_t nonce[SESSION_MSG_NONCE_BYTES];
	uint64_t session_id;
	uint64_t pn;
	uint32_t request_id;
	uint16_t datagram;
};

struct rig {
	struct client_core *core;
	struct rand rand;
	uint64_t now_ns;
	struct lane_view lanes[CLIENT_LANES_MAX];
	uint64_t sessions;
	uint32_t sent;
	uint8_t told[RECORDS_MAX];
	uint32_t told_count;
};

static const uint8_t reset_token[SESSION_MSG_TOKEN_BYTES] = {1, 2, 3};

static void
rig_sent(void *user_data, const struct client_datagram *datagram)
{
	struct rig *rig = user_data;
	struct lane_view *lane = &rig->lanes[datagram->lane];
	struct session_msg_hello hello;
	struct session_msg_resolve resolve;
	struct record_batch batch;
	uint8_t bytes[DATAGRAM];
	struct frame frame;

	ensure(datagram->lane < CLIENT_LANES_MAX);
	ensure(datagram->port != 0);
	ensure(datagram->head_len + datagram->body_len <= sizeof(bytes));
	memcpy(bytes, datagram->head, datagram->head_len);
	if (datagram->body_len > 0) {
		memcpy(bytes + datagram->head_len, datagram->body, datagram->body_len);
	}
	ensure(frame_decode(bytes, datagram->head_len + datagram->body_len, FRAME_SIDE_SERVER, &frame) ==
		FRAME_OK);
	switch (frame.type) {
	case FRAME_HELLO:
		ensure(session_msg_hello_decode(frame.body, frame.body_len, &hello) == 0);
		memcpy(lane->nonce, hello.client_nonce, sizeof(lane->nonce));
		return;
	case FRAME_DATA:
		ensure(record_batch_validate(frame.body, frame.body_len, &batch) == 0);
		ensure(record_batch_crc(frame.body, frame.body_len) == batch.crc);
		break;
	case FRAME_RESOLVE:
		ensure(session_msg_resolve_decode(frame.body, frame.body_len, &resolve) == 0);
		lane->request_id = resolve.request_id;
		break;
	default:
		break;
	}
	ensure(frame.session_id == lane->session_id);
	ensure(frame.pn > lane->pn);
	ensure(frame.pn_low_delta < frame.pn);
	lane->pn = frame.pn;
	lane->datagram = (uint16_t)(datagram->head_len + datagram->body_len);
}

static void
rig_told(void *user_data, const struct client_delivery *delivery)
{
	struct rig *rig = user_data;
	size_t index = (size_t)(uintptr_t)delivery->record_data - 1;

	ensure(index < rig->sent);
	ensure(rig->told[index] == 0);
	ensure(delivery->error == 0 || delivery->offset == -1);
	rig->told[index] = 1;
	rig->told_count++;
}

static const struct client_core_ops rig_ops = {.send = rig_sent, .delivered = rig_told};

/* Polls at the present and, as long as the core asks for it at once, again. Returns its deadline. */
static uint64_t
rig_poll(struct rig *rig)
{
	uint64_t deadline_ns = 0;
	int polls = 0;

	do {
		ensure(polls++ < POLLS_AT_ONCE);
		deadline_ns = client_core_poll(rig->core, rig->now_ns);
	} while (deadline_ns <= rig->now_ns);
	return deadline_ns;
}

static void
rig_input(struct rig *rig, uint16_t lane, struct frame *frame, const struct writer *body, uint8_t *room)
{
	size_t len = frame_finish(frame, room, body);
	uint8_t *copy = malloc(len > 0 ? len : 1);

	ensure(copy != NULL);
	memcpy(copy, room, len);
	client_core_input(rig->core, lane, copy, (uint32_t)len, rig->now_ns);
	free(copy);
}

static void
step_send(struct rig *rig, struct reader *r)
{
	static const uint8_t value[2000];
	uint8_t choice = reader_u8(r);
	uint16_t len = reader_be16(r);
	struct client_record record = {
		.key = choice & 16 ? "key" : NULL,
		.key_len = choice & 16 ? 3 : 0,
		.value = value,
		.value_len = len % sizeof(value),
		.timestamp_ms = choice & 32 ? (int64_t)reader_be64(r) : 1700000000000,
		.record_data = (void *)(uintptr_t)(rig->sent + 1),
	};

	if (rig->sent == RECORDS_MAX) {
		return;
	}
	/* Counted first: a send may tell another record's fate, never its own. */
	rig->sent++;
	if (client_core_send(rig->core, 0, choice & 8 ? -1 : choice & 7, &record, rig->now_ns) != 0) {
		ensure(rig->told[rig->sent - 1] == 0);
		rig->sent--;
	}
}

static void
step_frame(struct rig *rig, struct reader *r)
{
	static const uint8_t types[8] = {FRAME_RETRY, FRAME_ACCEPT, FRAME_ACK, FRAME_RESET,
		FRAME_RESOLVED, FRAME_CLOSED, FRAME_PROBED, FRAME_VERSION};
	uint8_t choice = reader_u8(r);
	uint16_t lane = (choice >> 4) & 3;
	struct frame frame = {.type = types[choice & 7], .flags = reader_u8(r) & FRAME_ACK_NOW};
	struct lane_view *view = &rig->lanes[lane];
	struct lane_view before = *view;
	uint64_t ignored = client_core_counters(rig->core)[CLIENT_frames_ignored];
	size_t len = reader_be16(r);
	uint8_t room[FRAME_HEADER_BYTES + 2048];
	struct writer body = frame_body_writer(room, sizeof(room));
	uint8_t bytes[2048] = {0};

	len = len < reader_left(r) ? len : reader_left(r);
	len = len < sizeof(bytes) ? len : sizeof(bytes);
	memcpy(bytes, r->at, len);
	reader_skip(r, len);
	if (choice & 8) {
		memcpy(bytes, view->nonce, sizeof(view->nonce));
	}
	frame.session_id = choice & 0x40 ? 0 : view->session_id;
	frame.pn = 1;
	writer_copy(&body, bytes, len);
	view->pn = frame.type == FRAME_ACCEPT ? 0 : view->pn;
	rig_input(rig, lane, &frame, &body, room);
	if (client_core_counters(rig->core)[CLIENT_frames_ignored] > ignored) {
		view->pn = before.pn;
	}
}

static void
step_retry(struct rig *rig, struct reader *r)
{
	uint8_t choice = reader_u8(r);
	struct session_msg_retry retry = {.lane = choice & 3, .lane_port = choice & 4 ? 0 : 9292};
	struct frame frame = {.type = FRAME_RETRY};
	uint8_t room[256];
	struct writer body = frame_body_writer(room, sizeof(room));

	memcpy(retry.client_nonce, rig->lanes[choice & 3].nonce, sizeof(retry.client_nonce));
	session_msg_retry_encode(&body, &retry);
	rig_input(rig, choice & 3, &frame, &body, room);
}

static void
step_accept(struct rig *rig, struct reader *r)
{
	uint8_t choice = reader_u8(r);
	uint16_t lane = choice & 3;
	struct lane_view *view = &rig->lanes[lane];
	struct session_msg_accept accept = {
		.producer_id = 9000 + (choice & 4),
		.producer_epoch = (int16_t)reader_u8(r),
		.lane = lane,
		.lane_count = reader_be16(r),
		.max_datagram = choice & 8 ? reader_be16(r) : DATAGRAM,
		.max_batch_bytes = choice & 16 ? reader_be32(r) : 1400,
		.idle_timeout_ms = choice & 32 ? reader_be32(r) : 30000,
		.ack_delay_max_us = choice & 32 ? reader_be32(r) : 1000,
		.ack_every = reader_u8(r),
		.pn_window = choice & 64 ? reader_be16(r) : 1024,
		.credit_bytes = choice & 128 ? reader_be64(r) : 1 << 20,
		.credit_pkts = choice & 128 ? reader_be64(r) : 1000,
		.boot_id = 1 + (reader_u8(r) & 1),
	};
	struct frame frame = {.type = FRAME_ACCEPT, .session_id = ++rig->sessions};
	struct lane_view before = *view;
	uint8_t room[256];
	struct writer body = frame_body_writer(room, sizeof(room));

	memcpy(accept.client_nonce, view->nonce, sizeof(accept.client_nonce));
	memcpy(accept.reset_token, reset_token, sizeof(reset_token));
	session_msg_accept_encode(&body, &accept);
	/* Frames of the new session may leave from inside the call. */
	view->session_id = frame.session_id;
	view->pn = 0;
	uint64_t ignored = client_core_counters(rig->core)[CLIENT_frames_ignored];

	rig_input(rig, lane, &frame, &body, room);
	if (client_core_counters(rig->core)[CLIENT_frames_ignored] > ignored) {
		*view = before;
	}
}

static void
step_resolved(struct rig *rig, struct reader *r)
{
	uint8_t choice = reader_u8(r);
	uint16_t lane = choice & 3;
	struct session_msg_resolved resolved = {
		.request_id = rig->lanes[lane].request_id,
		.error = choice & 4 ? (int16_t)reader_be16(r) : 0,
		.count = reader_u8(r) % 9,
		.partition_count = choice & 8 ? reader_be32(r) : 8,
		.first_partition = choice & 16 ? reader_be32(r) : 0,
		.max_message_bytes = choice & 32 ? reader_be32(r) : 1400,
		.metadata_version = reader_u8(r),
	};
	struct frame frame = {.type = FRAME_RESOLVED, .session_id = rig->lanes[lane].session_id, .pn = 1};
	uint8_t room[2048];
	struct writer body = frame_body_writer(room, sizeof(room));

	for (uint16_t i = 0; i < resolved.count; i++) {
		uint8_t entry = reader_u8(r);

		resolved.entries[i] = (struct session_msg_resolved_entry){
			.stream = entry & 128 ? entry & 7 : i + 1u,
			.leader_epoch = 1,
			.lane = entry & 3,
			.flags = entry & 64 ? 0 : SESSION_MSG_WRITABLE,
		};
	}
	session_msg_resolved_encode(&body, &resolved);
	rig_input(rig, lane, &frame, &body, room);
}

static void
step_ack(struct rig *rig, struct reader *r)
{
	uint8_t choice = reader_u8(r);
	uint16_t lane = choice & 3;
	const struct lane_view *view = &rig->lanes[lane];
	struct session_msg_ack ack = {
		.recv_upto = choice & 4 ? reader_be64(r) : view->pn - reader_u8(r) % 32,
		.echo_pn = view->pn - (choice >> 5),
		.echo_send_us = reader_be32(r),
		.echo_delay_us = choice & 8 ? reader_be32(r) : 10,
		.credit_bytes = choice & 16 ? reader_be64(r) : 1 << 21,
		.credit_pkts = choice & 16 ? reader_be64(r) : 2000,
		.busy = reader_u8(r),
		.words = reader_u8(r) % (SESSION_MSG_ACK_WORDS_MAX + 1),
		.entries = reader_u8(r) % 9,
	};
	struct frame frame = {.type = FRAME_ACK, .session_id = view->session_id, .pn = 1};
	uint8_t room[2048];
	struct writer body = frame_body_writer(room, sizeof(room));

	for (uint32_t i = 0; i < ack.words; i++) {
		ack.bitmap[i] = reader_u8(r) * 0x0101010101010101ull;
	}
	for (uint32_t i = 0; i < ack.entries; i++) {
		uint8_t kind = reader_u8(r);
		int8_t seq = (int8_t)reader_u8(r);

		ack.entry[i] = (struct session_msg_ack_entry){
			.stream = i + 1,
			.received_seq = seq,
			.durable_seq = kind & 1 ? seq : -1,
			.error = kind & 2 ? reader_u8(r) : 0,
			.error_seq = kind & 4 ? seq : -1,
			.durable_offset = kind & 8 ? (int64_t)reader_be64(r) : seq + 1000,
		};
	}
	session_msg_ack_encode(&body, &ack);
	rig_input(rig, lane, &frame, &body, room);
}

static void
step_probed(struct rig *rig, struct reader *r)
{
	uint8_t choice = reader_u8(r);
	const struct lane_view *view = &rig->lanes[choice & 3];
	struct frame frame = {.type = FRAME_PROBED, .session_id = view->session_id, .pn = 1};
	uint8_t room[256];
	struct writer body = frame_body_writer(room, sizeof(room));

	session_msg_probed_encode(&body, choice & 4 ? view->datagram : reader_be16(r));
	rig_input(rig, choice & 3, &frame, &body, room);
}

static void
step_closed(struct rig *rig, struct reader *r)
{
	uint8_t choice = reader_u8(r);
	const struct lane_view *view = &rig->lanes[choice & 3];
	struct session_msg_closed closed = {.reason = choice >> 4,
		.retry_after_ms = choice & 8 ? reader_be32(r) : reader_u8(r),
		.answers_hello = choice & 4};
	struct frame frame = {.type = FRAME_CLOSED, .session_id = choice & 4 ? 0 : view->session_id};
	uint8_t room[256];
	struct writer body = frame_body_writer(room, sizeof(room));

	memcpy(closed.client_nonce, view->nonce, sizeof(closed.client_nonce));
	session_msg_closed_encode(&body, &closed);
	rig_input(rig, choice & 3, &frame, &body, room);
}

static void
step_reset(struct rig *rig, struct reader *r)
{
	uint8_t choice = reader_u8(r);
	struct session_msg_reset reset = {.reason = choice >> 4};
	struct frame frame = {.type = FRAME_RESET, .session_id = rig->lanes[choice & 3].session_id};
	uint8_t room[256];
	struct writer body = frame_body_writer(room, sizeof(room));

	memcpy(reset.reset_token, reset_token, sizeof(reset_token));
	reset.reset_token[15] ^= choice & 4;
	session_msg_reset_encode(&body, &reset);
	rig_input(rig, choice & 3, &frame, &body, room);
}

static void
step_raw(struct rig *rig, struct reader *r)
{
	size_t len = reader_u8(r);

	len = len < reader_left(r) ? len : reader_left(r);
	client_core_input(rig->core, 0, r->at, (uint32_t)len, rig->now_ns);
	reader_skip(r, len);
}

static void
rig_step(struct rig *rig, uint8_t step, struct reader *r)
{
	static void (*const steps[STEP_COUNT])(struct rig *, struct reader *) = {
		[STEP_SEND] = step_send, [STEP_FRAME] = step_frame, [STEP_RETRY] = step_retry,
		[STEP_ACCEPT] = step_accept, [STEP_RESOLVED] = step_resolved, [STEP_ACK] = step_ack,
		[STEP_PROBED] = step_probed, [STEP_CLOSED] = step_closed, [STEP_RESET] = step_reset,
		[STEP_RAW] = step_raw,
	};

	if (step == STEP_POLL) {
		uint8_t wait = reader_u8(r);

		rig->now_ns += (uint64_t)wait * wait * NS_PER_MS;
	} else if (step == STEP_CLOSE) {
		client_core_close(rig->core, rig->now_ns);
	} else {
		steps[step](rig, r);
	}
	(void)rig_poll(rig);
}

/* Whatever state the script left: closing ends, and every record was told its fate. */
static void
rig_end(struct rig *rig)
{
	client_core_close(rig->core, rig->now_ns);
	for (int polls = 0; !client_core_closed(rig->core); polls++) {
		uint64_t deadline_ns = rig_poll(rig);

		ensure(polls < CLOSE_POLLS_MAX);
		ensure(deadline_ns != UINT64_MAX || client_core_closed(rig->core));
		if (!client_core_closed(rig->core)) {
			rig->now_ns = deadline_ns;
		}
	}
	ensure(rig->told_count == rig->sent);
	ensure(client_peek_idle(rig->core));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct rig rig;
	struct client_core_options options;
	struct reader r = reader_init(bytes, len);
	uint8_t choice = reader_u8(&r);

	memset(&rig, 0, sizeof(rig));
	rig.now_ns = START_NS;
	rand_init(&rig.rand, 1);
	client_core_options_init(&options);
	options.ops = &rig_ops;
	options.user_data = &rig;
	options.rand = &rig.rand;
	options.buffer_bytes = 256 * KIB;
	options.topics_max = 2;
	options.partitions_max = 8;
	options.max_datagram = DATAGRAM;
	options.acks_received = choice & 1;
	options.linger_ns = choice & 2 ? NS_PER_MS : 0;
	options.delivery_timeout_ns = 2 * NS_PER_S;
	memcpy(options.name, "name", choice & 4 ? 5 : 1);
	options.name[choice & 4 ? 4 : 0] = '\0';
	ensure(client_core_create(&options, &rig.core) == 0);
	ensure(client_core_topic(rig.core, "events") == 0);
	for (int steps = 0; reader_left(&r) > 0 && steps < STEPS_MAX; steps++) {
		rig_step(&rig, reader_u8(&r) % STEP_COUNT, &r);
	}
	rig_end(&rig);
	client_core_destroy(rig.core);
	return 0;
}
