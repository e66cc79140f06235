/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole lane under a script: the input is a list of steps of three clients, the log, control, the NIC
 * and time. Session id, nonce, cookie, pn and head_crc are made right unless the step says otherwise,
 * so that hostile fields get to the state machines; the log and control answer by their contracts. The
 * harness checks the ledger after every turn. Besides: no address gets more bytes than it sent before
 * it showed a good cookie, every answer is a frame that a client takes, credit never falls, and when
 * all have gone quiet nothing of them is left.
 */
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "fuzz/fuzz.h"
#include "support/lane_harness.h"
#include "support/records.h"

#define CLIENTS		3
#define STEPS_MAX	120
#define POOL_BUFFERS	127
#define DESCRIPTORS	64
#define FRAME_ROOM	1500
#define ASKS_MAX	64
#define PRODUCERS_MAX	64
#define QUIET_ROUNDS	200
#define PARTITIONS	16
#define RECORD_MS	1700000000000ll
#define PARTITION_SESSIONS 32

enum step {
	STEP_TIME,
	STEP_HELLO,
	STEP_COOKIE, /* HELLO with the cookie of the last RETRY */
	STEP_DATA,
	STEP_CONTROL_FRAME, /* PING, PROBE, RESOLVE, CLOSE, well formed */
	STEP_FRAME,	    /* any type, any body */
	STEP_RAW,
	STEP_LOG,
	STEP_ANSWER, /* control's */
	STEP_NIC,
	STEP_BUFFER, /* free bytes of the log's buffer */
	STEP_DRAIN,
	STEP_TURN,
	STEP_AGAIN, /* the client's pn goes back or ahead */
	STEP_COUNT,
};

struct fuzz_client {
	struct lane_client c;
	uint8_t cookie[SESSION_MSG_COOKIE_BYTES];
	bool has_cookie;
	bool proven; /* showed a good cookie */
	uint64_t bytes_in, bytes_out;
	uint64_t credit_bytes, credit_pkts;
};

/* What the log remembers of a producer in a partition. */
struct log_producer {
	int64_t producer_id;
	int16_t epoch;
	uint32_t partition_index;
	int32_t last;
	int64_t offset;
};

struct rig {
	struct lane_harness h;
	struct fuzz_client clients[CLIENTS];
	struct control_ask asks[ASKS_MAX];
	uint32_t ask_count;
	struct log_producer producers[PRODUCERS_MAX];
	uint32_t producer_count;
	bool failed[PARTITIONS]; /* takes no more appends */
	struct append_done copied[PARTITION_SESSIONS * PARTITIONS]; /* not yet durable, kind 0: none */
	int64_t next_offset;
	int64_t next_producer;
};

/* --- what the lane sends ----------------------------------------------------------------------- */

static void
take_frame(struct fuzz_client *client, const struct frame *frame)
{
	struct session_msg_accept accept;
	struct session_msg_retry retry;
	struct session_msg_ack ack;

	switch (frame->type) {
	case FRAME_RETRY:
		ensure(session_msg_retry_decode(frame->body, frame->body_len, &retry) == 0);
		memcpy(client->cookie, retry.cookie, sizeof(client->cookie));
		client->has_cookie = true;
		break;
	case FRAME_ACCEPT:
		ensure(client->proven);
		ensure(session_msg_accept_decode(frame->body, frame->body_len, &accept) == 0);
		if (frame->session_id != client->c.session_id) {
			client->c.pn = client->c.low = 0;
			client->credit_bytes = client->credit_pkts = 0;
		}
		client->c.accept = accept;
		client->c.session_id = frame->session_id;
		break;
	case FRAME_ACK:
		ensure(session_msg_ack_decode(frame->body, frame->body_len, &ack) == 0);
		if (frame->session_id == client->c.session_id) {
			ensure(ack.credit_bytes >= client->credit_bytes);
			ensure(ack.credit_pkts >= client->credit_pkts);
			client->credit_bytes = ack.credit_bytes;
			client->credit_pkts = ack.credit_pkts;
		}
		break;
	default:
		break;
	}
}

static void
take_all(struct rig *rig)
{
	struct nic_fake_packet packet;
	struct frame frame;

	while (nic_fake_take(rig->h.nic, &packet)) {
		uint32_t number = packet.peer.address[15] - 1u;
		struct fuzz_client *client = &rig->clients[number];

		ensure(number < CLIENTS);
		ensure(packet.len <= 1472);
		client->bytes_out += packet.len;
		ensure(client->proven || client->bytes_out <= client->bytes_in);
		ensure(frame_decode(packet.data, packet.len, FRAME_SIDE_CLIENT, &frame) == FRAME_OK);
		take_frame(client, &frame);
	}
}

static void
turn(struct rig *rig)
{
	struct control_ask ask;

	(void)lane_harness_turn(&rig->h);
	take_all(rig);
	while (rig->ask_count < ASKS_MAX && lane_harness_ask(&rig->h, &ask)) {
		rig->asks[rig->ask_count++] = ask;
	}
}

/* --- what clients send -------------------------------------------------------------------------- */

static void
put(struct rig *rig, struct fuzz_client *client, const void *bytes, size_t len)
{
	struct nic_fake_packet packet = {
		.data = bytes, .len = (uint32_t)len, .peer = client->c.peer};

	/* A pool that clients have filled up loses packets, and counts them. */
	if (nic_fake_put(rig->h.nic, &packet)) {
		client->bytes_in += len;
	}
}

static void
put_frame(struct rig *rig, struct fuzz_client *client, struct frame *frame, const void *body, size_t len)
{
	uint8_t room[2 * FRAME_ROOM];
	struct writer writer = frame_body_writer(room, sizeof(room));

	frame->session_id = frame->session_id ? frame->session_id : client->c.session_id;
	frame->pn = frame->pn ? frame->pn : ++client->c.pn;
	frame->pn_low_delta = client->c.low ? (uint32_t)(client->c.pn - client->c.low) : 0;
	frame->send_us = (uint32_t)client->c.pn * 10;
	writer_copy(&writer, body, len);
	len = frame_finish(frame, room, &writer);
	put(rig, client, room, len < FRAME_ROOM ? len : FRAME_ROOM);
}

static void
step_hello(struct rig *rig, struct fuzz_client *client, struct reader *r, bool cookie)
{
	uint8_t choice = reader_u8(r);
	struct session_msg_hello hello;
	uint8_t room[FRAME_ROOM];

	lane_client_hello_init(&client->c, &hello);
	hello.flags = choice & 3;
	hello.ver_min = choice & 4 ? reader_u8(r) : 1;
	hello.ver_max = choice & 4 ? reader_u8(r) : 1;
	hello.max_datagram = choice & 8 ? reader_be16(r) : 1472;
	hello.lane = choice & 16 ? reader_u8(r) : SESSION_MSG_LANE_ANY;
	if (choice & 32) {
		hello.name_len = 2;
		memcpy(hello.name, "pn", 2);
	}
	if (choice & 64) {
		client->c.nonce[1]++;
		memcpy(hello.client_nonce, client->c.nonce, sizeof(hello.client_nonce));
	}
	if (hello.flags != 0) {
		hello.producer_id = client->c.accept.producer_id;
		hello.producer_epoch = client->c.accept.producer_epoch;
	}
	if (cookie) {
		hello.cookie_len = SESSION_MSG_COOKIE_BYTES;
		memcpy(hello.cookie, client->cookie, sizeof(hello.cookie));
		hello.cookie[0] ^= choice & 128 ? 1 : 0;
		client->proven = client->proven || (client->has_cookie && !(choice & 128));
	}
	put(rig, client, room, lane_client_hello(&client->c, &hello, room, sizeof(room)));
}

static void
step_data(struct rig *rig, struct fuzz_client *client, struct reader *r)
{
	uint8_t choice = reader_u8(r);
	struct records_spec spec = {
		.producer_id = client->c.accept.producer_id,
		.producer_epoch = client->c.accept.producer_epoch,
		.base_sequence = reader_u8(r),
		.count = 1 + reader_u8(r) % 4,
		.value_bytes = choice & 8 ? 300 : 16,
		.timestamp_ms = choice & 16 ? (int64_t)reader_be64(r) / 4 : RECORD_MS,
	};
	struct frame frame = {.type = FRAME_DATA,
		.stream = (choice & 7) + 1u,
		.flags = choice & 32 ? FRAME_ACK_NOW : 0};
	uint8_t batch[FRAME_ROOM];
	size_t len;

	if (choice & 64) {
		spec.base_sequence = INT32_MAX - spec.base_sequence;
	}
	len = records_batch(&spec, batch, sizeof(batch));
	if (choice & 128) {
		batch[reader_u8(r) % RECORD_BATCH_HEADER_BYTES] ^= 1 + reader_u8(r);
	}
	if (client->c.low == 0) {
		client->c.low = 1;
	}
	put_frame(rig, client, &frame, batch, len);
}

static void
step_control_frame(struct rig *rig, struct fuzz_client *client, struct reader *r)
{
	static const uint8_t types[4] = {FRAME_PING, FRAME_PROBE, FRAME_RESOLVE, FRAME_CLOSE};
	uint8_t choice = reader_u8(r);
	struct frame frame = {.type = types[choice & 3],
		.flags = choice & 4 ? FRAME_ACK_NOW : 0,
		.stream = frame.type == FRAME_PING ? (choice >> 4) & 7u : 0};
	struct session_msg_resolve resolve = {.request_id = choice,
		.flags = (choice >> 3) & 1,
		.name_len = 1 + (choice >> 6),
		.name = (const uint8_t *)"topic"};
	uint8_t room[FRAME_ROOM];
	struct writer body = writer_init(room, sizeof(room));

	switch (frame.type) {
	case FRAME_PING:
		frame.stream = (choice >> 4) & 7u;
		session_msg_ping_encode(&body, choice & 8);
		break;
	case FRAME_PROBE:
		session_msg_probe_encode(&body, (uint16_t)(200 + (choice >> 4) * 80));
		break;
	case FRAME_RESOLVE:
		resolve.first_partition = choice & 16 ? reader_be32(r) : 0;
		session_msg_resolve_encode(&body, &resolve);
		break;
	default:
		session_msg_close_encode(&body, choice & 8 ? FRAME_FENCED : FRAME_CLIENT_DONE);
	}
	put_frame(rig, client, &frame, room, writer_len(&body));
}

static void
step_frame(struct rig *rig, struct fuzz_client *client, struct reader *r)
{
	uint8_t choice = reader_u8(r);
	struct frame frame = {.type = reader_u8(r) & 15, .flags = reader_u8(r)};
	size_t len = reader_be16(r);

	frame.stream = choice & 4 ? reader_be32(r) : choice & 3;
	frame.pn = choice & 8 ? reader_be64(r) : 0;
	if (choice & 16) {
		frame.session_id = choice & 32 ? reader_be64(r) : rig->clients[choice & 1].c.session_id;
	}
	frame.flags &= choice & 64 ? UINT16_MAX : FRAME_ACK_NOW;
	len = len < reader_left(r) ? len : reader_left(r);
	len = len < FRAME_ROOM ? len : FRAME_ROOM;
	put_frame(rig, client, &frame, r->at, len);
	reader_skip(r, len);
}

static void
step_raw(struct rig *rig, struct fuzz_client *client, struct reader *r)
{
	size_t len = reader_u8(r);

	len = len < reader_left(r) ? len : reader_left(r);
	put(rig, client, r->at, len);
	reader_skip(r, len);
}

/* --- the log -------------------------------------------------------------------------------------- */

static struct log_producer *
log_find(struct rig *rig, const struct append_req *req)
{
	struct log_producer *p;

	for (uint32_t i = 0; i < rig->producer_count; i++) {
		p = &rig->producers[i];
		if (p->producer_id == req->producer_id && p->epoch == req->producer_epoch &&
			p->partition_index == req->partition_index) {
			return p;
		}
	}
	p = &rig->producers[rig->producer_count % PRODUCERS_MAX];
	rig->producer_count += rig->producer_count < PRODUCERS_MAX - 1;
	*p = (struct log_producer){.producer_id = req->producer_id,
		.epoch = req->producer_epoch,
		.partition_index = req->partition_index,
		.last = -1,
		.offset = -1};
	return p;
}

/* Answers one request as the log would; `refuse`: with an error of its own if it is no question. */
static void
log_answer(struct rig *rig, const struct append_req *req, int16_t refuse)
{
	struct log_producer *p = log_find(rig, req);
	struct append_done done = {.kind = APPEND_COPIED,
		.partition_index = req->partition_index,
		.session_index = req->session_index,
		.sequence_last = (int32_t)(((int64_t)req->base_sequence + req->record_count - 1) &
			INT32_MAX),
		.owner = req->owner};
	bool fresh = req->base_sequence == p->last + 1;

	ensure(req->partition_index < PARTITIONS);
	if (req->flags & APPEND_QUERY) {
		ensure(req->batch_len == 0);
		done = (struct append_done){.kind = APPEND_STATE,
			.partition_index = req->partition_index,
			.session_index = req->session_index,
			.sequence_last = p->last,
			.offset = p->offset};
	} else if (refuse || rig->failed[req->partition_index] ||
		(!fresh && (p->last < 0 || done.sequence_last > p->last))) {
		done.kind = APPEND_REFUSED;
		done.error = rig->failed[req->partition_index] ? KAFKA_KAFKA_STORAGE_ERROR
			: refuse ? refuse : KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
		done.sequence_last = req->base_sequence;
		done.offset = -1;
	} else if (fresh) {
		rig->next_offset += req->record_count;
		p->last = done.sequence_last;
		p->offset = done.offset = rig->next_offset - 1;
	} else {
		done.flags = APPEND_DUPLICATE;
		done.offset = p->offset;
	}
	lane_harness_answer(&rig->h, &done);
	if (done.kind == APPEND_COPIED) {
		uint32_t slot = frame_session_slot(req->session_index); /* without its life */
		uint32_t i = slot * PARTITIONS + req->partition_index;

		ensure(i < sizeof(rig->copied) / sizeof(rig->copied[0]));
		done.owner = 0;
		rig->copied[i] = done;
	}
}

/* Everything copied becomes durable, or fails with its partition. */
static void
log_settle(struct rig *rig, int failing)
{
	for (uint32_t i = 0; i < sizeof(rig->copied) / sizeof(rig->copied[0]); i++) {
		struct append_done *done = &rig->copied[i];

		if (done->kind == 0) {
			continue;
		}
		done->kind = APPEND_DURABLE;
		done->flags = 0;
		if (failing >= 0 && done->partition_index == (uint32_t)failing) {
			rig->failed[failing] = true;
			done->kind = APPEND_FAILED;
			done->error = KAFKA_KAFKA_STORAGE_ERROR;
		}
		lane_harness_answer(&rig->h, done);
		done->kind = 0;
	}
}

static void
step_log(struct rig *rig, struct reader *r)
{
	static const int16_t errors[4] = {KAFKA_NOT_LEADER_OR_FOLLOWER, KAFKA_MESSAGE_TOO_LARGE,
		KAFKA_CORRUPT_MESSAGE, KAFKA_INVALID_PRODUCER_EPOCH};
	uint8_t choice = reader_u8(r);
	struct append_req req;

	for (uint8_t i = 0; i <= (choice & 15) && lane_harness_request(&rig->h, &req); i++) {
		log_answer(rig, &req, choice & 16 ? errors[choice >> 6] : 0);
	}
	if (choice & 32) {
		log_settle(rig, choice & 16 ? choice >> 6 : -1);
	}
}

/* --- control --------------------------------------------------------------------------------------- */

static void
answer_one(struct rig *rig, int16_t error)
{
	struct control_ask ask;
	struct control_answer answer;

	if (rig->ask_count == 0) {
		return;
	}
	ask = rig->asks[0];
	memmove(rig->asks, rig->asks + 1, --rig->ask_count * sizeof(ask));
	if (ask.kind == CONTROL_CLOSED) {
		return;
	}
	answer = (struct control_answer){.kind = ask.kind,
		.error = error,
		.session_index = ask.session_index,
		.token = ask.token,
		.producer_id = ask.producer_id,
		.producer_epoch = ask.producer_epoch};
	if (ask.kind == CONTROL_PRODUCER && ask.flags & CONTROL_BUMP) {
		answer.producer_epoch++;
	} else if (ask.kind == CONTROL_PRODUCER && !(ask.flags & CONTROL_JOIN)) {
		answer.producer_id = ++rig->next_producer;
		answer.producer_epoch = 0;
	}
	lane_harness_control(&rig->h, &answer);
}

static void
step_answer(struct rig *rig, struct reader *r)
{
	static const int16_t producer_errors[4] = {0, 47, 56, 89};
	static const int16_t resolve_errors[4] = {0, 3, 17, 29};
	uint8_t choice = reader_u8(r);

	for (uint8_t i = 0; i <= (choice & 3) && rig->ask_count > 0; i++) {
		answer_one(rig, rig->asks[0].kind == CONTROL_PRODUCER
					? producer_errors[(choice >> 2) & 3]
					: resolve_errors[(choice >> 2) & 3]);
	}
}

/* --- the script -------------------------------------------------------------------------------------- */

static void
step_again(struct rig *rig, struct fuzz_client *client, struct reader *r)
{
	int8_t by = (int8_t)reader_u8(r);
	uint8_t low = reader_u8(r);

	client->c.pn = by < 0 && client->c.pn < (uint64_t)-by ? 0 : client->c.pn + (uint64_t)by;
	client->c.low = low < client->c.pn ? client->c.pn - low : client->c.pn;
}

static void
rig_step(struct rig *rig, uint8_t op, struct reader *r)
{
	struct fuzz_client *client = &rig->clients[(op >> 5) % CLIENTS];
	uint8_t wait;

	switch ((op & 31) % STEP_COUNT) {
	case STEP_TIME:
		wait = reader_u8(r);
		clock_fake_advance(&rig->h.clock, (uint64_t)wait * wait * NS_PER_MS);
		break;
	case STEP_HELLO:
		step_hello(rig, client, r, false);
		break;
	case STEP_COOKIE:
		step_hello(rig, client, r, true);
		break;
	case STEP_DATA:
		step_data(rig, client, r);
		break;
	case STEP_CONTROL_FRAME:
		step_control_frame(rig, client, r);
		break;
	case STEP_FRAME:
		step_frame(rig, client, r);
		break;
	case STEP_RAW:
		step_raw(rig, client, r);
		break;
	case STEP_LOG:
		step_log(rig, r);
		break;
	case STEP_ANSWER:
		step_answer(rig, r);
		break;
	case STEP_NIC:
		wait = reader_u8(r);
		nic_fake_tx_room(rig->h.nic, wait & 1 ? wait : NIC_FAKE_UNLIMITED);
		nic_fake_tx_alloc_fail(rig->h.nic, wait >> 5);
		break;
	case STEP_BUFFER:
		lane_harness_log_room(&rig->h, reader_u8(r) * 64 * KIB);
		break;
	case STEP_DRAIN:
		lane_drain_begin(rig->h.lane);
		break;
	case STEP_AGAIN:
		step_again(rig, client, r);
		break;
	default:
		break;
	}
	turn(rig);
}

/* Nobody speaks any more: everything is answered, sessions idle out, all buffers come home. */
static void
rig_end(struct rig *rig)
{
	struct append_req req;
	bool quiet = false;

	nic_fake_tx_room(rig->h.nic, NIC_FAKE_UNLIMITED);
	nic_fake_tx_alloc_fail(rig->h.nic, 0);
	clock_fake_advance(&rig->h.clock, 2 * rig->h.options.idle_timeout_ns);
	/* A sweep looks at a part of the sessions; a slot is free only when the log answered all of it. */
	for (int i = 0; i < QUIET_ROUNDS && !quiet; i++) {
		while (lane_harness_request(&rig->h, &req)) {
			log_answer(rig, &req, 0);
		}
		log_settle(rig, -1);
		while (rig->ask_count > 0) {
			answer_one(rig, 0);
		}
		clock_fake_advance(&rig->h.clock, rig->h.options.idle_timeout_ns / 8);
		turn(rig);
		quiet = lane_harness_counter(&rig->h, LANE_sessions) == 0 &&
			lane_harness_counter(&rig->h, LANE_hold) == 0 &&
			lane_harness_counter(&rig->h, LANE_owners_held) == 0;
	}
	ensure(quiet);
	lane_harness_fini(&rig->h);
}

/* A lane with a small pool: it is filled sooner, and made faster. */
static void
rig_begin(struct rig *rig)
{
	struct nic_fake_options nic;

	memset(rig, 0, sizeof(*rig));
	rig->next_producer = LANE_HARNESS_PRODUCER;
	nic_fake_options_init(&nic);
	nic.rx_buffer_count = POOL_BUFFERS;
	nic.rx_descriptors = DESCRIPTORS;
	nic.tx_buffer_count = DESCRIPTORS;
	lane_harness_init_nic(&rig->h, &nic);
	lane_harness_create(&rig->h);
	for (uint8_t i = 0; i < CLIENTS; i++) {
		lane_client_init(&rig->clients[i].c, i + 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct rig rig;
	struct reader r = reader_init(bytes, len);

	rig_begin(&rig);
	for (int steps = 0; reader_left(&r) > 0 && steps < STEPS_MAX; steps++) {
		rig_step(&rig, reader_u8(&r), &r);
	}
	rig_end(&rig);
	return 0;
}
