/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane between fakes: fake nic with UDP payload views, fake clock, and both ends of its rings in
 * the test's hands, so that a test is a script: inject a frame, turn, expect a request or a frame,
 * answer. After every turn all visible ledger equations must add up, or the test aborts. One
 * thread.
 */
#ifndef SUPPORT_LANE_HARNESS_H
#define SUPPORT_LANE_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/errcode.h"
#include "dataplane.h"
#include "support/clock_fake.h"
#include "support/nic_fake.h"
#include "wire/native/session_msg.h"

#define LANE_HARNESS_PARTITIONS 8 /* of topic 0; stream handles 1..8 */
#define LANE_HARNESS_PRODUCER   9001

struct lane_harness {
	struct clock_fake clock;
	struct rand rand;
	struct nic *nic;
	struct ring append_req[2], append_done[2];
	struct ring control_ask, control_answer;
	struct route_topic topics[2];
	struct route_partition partitions[16];
	struct route_table routes;
	struct lane_secrets secrets;
	struct lane_options options;
	struct lane *lane;
	struct log_room log_room;
	uint64_t bytes_in, bytes_out;
	uint8_t frame_bytes[2048]; /* the last one taken */
};

/* What a client knows of its session. */
struct lane_client {
	struct packet_peer peer;
	uint8_t nonce[16];
	struct session_msg_accept accept;
	uint64_t session_id;
	uint64_t pn;  /* last sent */
	uint64_t low; /* lowest it waits for; 0: pn itself */
};

/* Options as a test lane has them; then create, perhaps after changes. */
void lane_harness_init(struct lane_harness *h);
/* The same with another size of pool. */
void lane_harness_init_nic(struct lane_harness *h, const struct nic_fake_options *nic);
void lane_harness_create(struct lane_harness *h);
/* So many bytes are free in the append buffer of each shard. */
void lane_harness_log_room(struct lane_harness *h, uint64_t bytes);
/* Checks that no rx buffer is lost, then frees all. */
void lane_harness_fini(struct lane_harness *h);
/* One turn at the clock's present, then the ledger. */
uint32_t lane_harness_turn(struct lane_harness *h);
/* The clock moves on, then a turn. */
void lane_harness_advance(struct lane_harness *h, uint64_t duration_ns);
uint64_t lane_harness_counter(struct lane_harness *h, enum lane_counter counter);

/* --- packets --- */
void lane_harness_put(
	struct lane_harness *h, const struct packet_peer *peer, const void *bytes, size_t len);
/* The next frame that was sent. False: none. Body valid until the next take. */
bool lane_harness_take(struct lane_harness *h, struct frame *ret_frame);
/* Throws away what was sent so far. */
void lane_harness_discard(struct lane_harness *h);
/* The next frame must be of this type. */
void lane_harness_expect(struct lane_harness *h, uint8_t type, struct frame *ret_frame);
/* Skips to the last ACK sent so far, which must exist. */
void lane_harness_last_ack(struct lane_harness *h, struct session_msg_ack *ret_ack);

/* --- a client --- */
void lane_client_init(struct lane_client *client, uint8_t number);
/* Writes a HELLO into room; hello NULL: a plain one of this client. Returns its bytes. */
size_t lane_client_hello(const struct lane_client *client, const struct session_msg_hello *hello,
	uint8_t *room, size_t room_bytes);
void lane_client_hello_init(const struct lane_client *client, struct session_msg_hello *ret_hello);
/* HELLO, RETRY, HELLO with cookie: one question now lies in control's ring. */
void lane_client_knock(
	struct lane_client *client, struct lane_harness *h, struct control_ask *ret_ask);
/* All of set-up; the session is open afterwards. */
void lane_client_connect(struct lane_client *client, struct lane_harness *h);
/* Sends one frame of the session with the next pn; changes in `frame` (flags, stream) are kept. */
void lane_client_send(struct lane_client *client, struct lane_harness *h, struct frame *frame,
	const void *body, size_t len);
/* A batch of `count` records from that sequence on. */
void lane_client_data(struct lane_client *client, struct lane_harness *h, uint32_t stream,
	int32_t base_sequence, int32_t count);
void lane_client_ping(struct lane_client *client, struct lane_harness *h, uint32_t stream);

/* --- the log and control --- */
/* The next append request of shard 0. False: none. */
bool lane_harness_request(struct lane_harness *h, struct append_req *ret_request);
void lane_harness_expect_batch(
	struct lane_harness *h, int32_t base_sequence, struct append_req *ret_request);
void lane_harness_answer(struct lane_harness *h, const struct append_done *done);
/* COPIED, DURABLE, REFUSED ... of one request; offset is of its last record. */
void lane_harness_done(struct lane_harness *h, const struct append_req *request,
	enum append_done_kind kind, int64_t offset);
void lane_harness_refuse(struct lane_harness *h, const struct append_req *request, int16_t error);
/* Takes the QUERY that must be next and answers with this sequence (-1 none). */
void lane_harness_state(struct lane_harness *h, int32_t sequence_last);
/* Sends the stream's first batch, answers its QUERY with none, leaves the batch offered. */
void lane_harness_open_stream(struct lane_harness *h, struct lane_client *client, uint32_t stream,
	struct append_req *ret_request);
bool lane_harness_ask(struct lane_harness *h, struct control_ask *ret_ask);
void lane_harness_control(struct lane_harness *h, const struct control_answer *answer);

#endif
