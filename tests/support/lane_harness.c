/* SPDX-License-Identifier: Apache-2.0 */
/* The script runner of lane_harness.h. Every helper aborts by ensure() when the script goes wrong.
 */
#include "support/lane_harness.h"

#include <stdio.h>
#include <string.h>
#include "base/ensure.h"
#include "support/frame_name.h"
#include "support/records.h"

#define START_NS   (1000 * NS_PER_S)
#define START_WALL (1700000000ull * NS_PER_S)
#define RECORD_MS  1700000000000ll

static void
harness_routes(struct lane_harness *h)
{
	struct route_topic *topic = &h->topics[0];

	*topic = (struct route_topic){
		.partition_count = LANE_HARNESS_PARTITIONS,
		.max_message_bytes = 1400,
		.metadata_version = 1,
		.timestamp_before_max_ms = INT64_MAX,
		.timestamp_after_max_ms = 3600000,
		.topic_id = {1, 2, 3},
	};
	atomic_store(&topic->state, ROUTE_OPEN);
	for (uint32_t i = 0; i < LANE_HARNESS_PARTITIONS; i++) {
		h->partitions[i] = (struct route_partition){
			.partition = i, .leader_epoch = 3, .flags = ROUTE_WRITABLE};
		atomic_store(&h->partitions[i].state, ROUTE_OPEN);
	}
	h->routes = (struct route_table){.topics = h->topics,
		.partitions = h->partitions,
		.topics_max = 2,
		.partitions_max = 16};
}

void
lane_harness_init(struct lane_harness *h)
{
	struct nic_fake_options nic;

	nic_fake_options_init(&nic);
	lane_harness_init_nic(h, &nic);
}

void
lane_harness_log_room(struct lane_harness *h, uint64_t bytes)
{
	for (uint32_t shard = 0; shard < ARRAY_COUNT(h->append_req); shard++) {
		log_room_set_buffer_free(&h->log_room, shard, bytes);
	}
}

void
lane_harness_init_nic(struct lane_harness *h, const struct nic_fake_options *nic)
{
	memset(h, 0, sizeof(*h));
	clock_fake_init(&h->clock, START_NS, START_WALL);
	rand_init(&h->rand, 1);
	h->nic = nic_fake_create(nic);
	for (uint32_t i = 0; i < 2; i++) {
		ensure(ring_create(&h->append_req[i], 64, sizeof(struct append_req), NULL) == 0);
		ensure(ring_create(&h->append_done[i], 64 + nic->rx_buffer_count, sizeof(struct append_done), NULL) ==
			0);
	}
	ensure(ring_create(&h->control_ask, 64, sizeof(struct control_ask), NULL) == 0);
	ensure(ring_create(&h->control_answer, 64, sizeof(struct control_answer), NULL) == 0);
	harness_routes(h);
	lane_secrets_init(&h->secrets, &h->rand, START_NS);
	rand_fill(&h->rand, h->secrets.reset_key, sizeof(h->secrets.reset_key));
	h->secrets.boot_id = 77;
	lane_harness_log_room(h, 64 * MIB);
	lane_options_init(&h->options);
	h->options.clock = &h->clock.clock;
	h->options.rand = &h->rand;
	h->options.nic = h->nic;
	h->options.routes = &h->routes;
	h->options.secrets = &h->secrets;
	h->options.sessions_max = 16;
	h->options.streams_per_session_max = 4;
	h->options.append_req[0] = &h->append_req[0];
	h->options.append_done[0] = &h->append_done[0];
	h->options.control_ask = &h->control_ask;
	h->options.control_answer = &h->control_answer;
	h->options.log_room = &h->log_room;
}

void
lane_harness_create(struct lane_harness *h)
{
	char text[LANE_TEXT_BYTES] = "";
	int rc = lane_create(&h->options, &h->lane, text, sizeof(text));

	if (rc < 0) {
		(void)fprintf(stderr, "lane_create: %s\n", text);
	}
	ensure(rc == 0);
}

void
lane_harness_fini(struct lane_harness *h)
{
	ensure(lane_harness_counter(h, LANE_owners_held) == h->nic->ops->owners_out(h->nic));
	lane_destroy(h->lane);
	h->nic->ops->destroy(h->nic);
	for (uint32_t i = 0; i < 2; i++) {
		ring_destroy(&h->append_req[i]);
		ring_destroy(&h->append_done[i]);
	}
	ring_destroy(&h->control_ask);
	ring_destroy(&h->control_answer);
}

static void
harness_check_ledger(struct lane_harness *h)
{
	static struct ledger_equation equations[LEDGER_EQUATIONS_MAX];
	uint64_t values[LANE_COUNTER_COUNT];
	struct nic_stats stats;
	struct nic_caps caps;
	uint32_t n;

	lane_counters(h->lane, values);
	h->nic->ops->stats(h->nic, &stats);
	h->nic->ops->caps(h->nic, &caps);
	n = ledger_equations(values, &stats, &caps, equations);
	for (uint32_t i = 0; i < n; i++) {
		if (equations[i].visible && equations[i].difference != 0) {
			(void)fprintf(stderr, "%s: difference %lld\n", equations[i].name,
				(long long)equations[i].difference);
		}
		ensure(!equations[i].visible || equations[i].difference == 0);
	}
}

/* Each partition's own account: what came met one fate, and all of them together are the lane's. */
static void
harness_check_partitions(struct lane_harness *h)
{
	uint64_t values[LANE_COUNTER_COUNT], all[LANE_FATE_COUNT] = {0};

	lane_counters(h->lane, values);
	for (uint32_t p = 0; p < h->routes.partitions_max; p++) {
		uint64_t records[1][LANE_FATE_COUNT];

		lane_partition_records(h->lane, p, records[0]);
		ensure(ledger_partition_astray(records, 1, records[0][LANE_FATE_STORED]) == 0);
		for (uint32_t fate = 0; fate < LANE_FATE_COUNT; fate++) {
			all[fate] += records[0][fate];
		}
	}
	/* Of no partition are only batches with a handle that names none, which are refused. */
	ensure(values[LANE_refused_records] - all[LANE_FATE_REFUSED] ==
		values[LANE_data_records] - all[LANE_FATE_CAME]);
	ensure(all[LANE_FATE_STORED] == values[LANE_stored_records]);
	ensure(all[LANE_FATE_DUPLICATE] == values[LANE_sequence_duplicate_records]);
	ensure(all[LANE_FATE_REWOUND] == values[LANE_discarded_rewind_records]);
	ensure(all[LANE_FATE_CLOSED] == values[LANE_discarded_close_records]);
	ensure(all[LANE_FATE_HELD] == values[LANE_hold_records]);
}

uint32_t
lane_harness_turn(struct lane_harness *h)
{
	uint32_t work = lane_poll(h->lane, clock_now_ns(&h->clock.clock));

	harness_check_ledger(h);
	harness_check_partitions(h);
	return work;
}

void
lane_harness_advance(struct lane_harness *h, uint64_t duration_ns)
{
	clock_fake_advance(&h->clock, duration_ns);
	(void)lane_harness_turn(h);
}

uint64_t
lane_harness_counter(struct lane_harness *h, enum lane_counter counter)
{
	uint64_t values[LANE_COUNTER_COUNT];

	lane_counters(h->lane, values);
	return values[counter];
}

void
lane_harness_put(
	struct lane_harness *h, const struct packet_peer *peer, const void *bytes, size_t len)
{
	struct nic_fake_packet packet = {.data = bytes, .len = (uint32_t)len, .peer = *peer};

	h->bytes_in += len;
	ensure(nic_fake_put(h->nic, &packet));
}

bool
lane_harness_take(struct lane_harness *h, struct frame *ret_frame)
{
	struct nic_fake_packet packet;

	if (!nic_fake_take(h->nic, &packet)) {
		return false;
	}
	ensure(packet.len <= sizeof(h->frame_bytes));
	h->bytes_out += packet.len;
	memcpy(h->frame_bytes, packet.data, packet.len);
	ensure(frame_decode(h->frame_bytes, packet.len, FRAME_SIDE_CLIENT, ret_frame) == FRAME_OK);
	return true;
}

void
lane_harness_discard(struct lane_harness *h)
{
	struct frame frame;

	while (lane_harness_take(h, &frame)) {
	}
}

void
lane_harness_expect(struct lane_harness *h, uint8_t type, struct frame *ret_frame)
{
	ensure(lane_harness_take(h, ret_frame));
	if (ret_frame->type != type) {
		(void)fprintf(stderr, "frame %s, not %s\n", frame_name(ret_frame->type),
			frame_name(type));
	}
	ensure(ret_frame->type == type);
}

void
lane_harness_last_ack(struct lane_harness *h, struct session_msg_ack *ret_ack)
{
	struct frame frame;
	bool found = false;

	while (lane_harness_take(h, &frame)) {
		if (frame.type == FRAME_ACK) {
			ensure(session_msg_ack_decode(frame.body, frame.body_len, ret_ack) == 0);
			found = true;
		}
	}
	ensure(found);
}

void
lane_client_init(struct lane_client *client, uint8_t number)
{
	*client = (struct lane_client){
		.peer = {.address = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = number},
			.port = 40000,
			.local_port = 9292},
	};
	memset(client->nonce, number, sizeof(client->nonce));
}

void
lane_client_hello_init(const struct lane_client *client, struct session_msg_hello *ret_hello)
{
	*ret_hello = (struct session_msg_hello){
		.ver_min = 1,
		.ver_max = 1,
		.producer_id = -1,
		.producer_epoch = -1,
		.max_datagram = 1472,
		.lane = SESSION_MSG_LANE_ANY,
	};
	memcpy(ret_hello->client_nonce, client->nonce, sizeof(client->nonce));
}

size_t
lane_client_hello(const struct lane_client *client, const struct session_msg_hello *hello,
	uint8_t *room, size_t room_bytes)
{
	struct session_msg_hello plain;
	struct frame frame = {.type = FRAME_HELLO};
	struct writer body = frame_body_writer(room, room_bytes);

	if (!hello) {
		lane_client_hello_init(client, &plain);
		hello = &plain;
	}
	session_msg_hello_encode(&body, hello);
	return frame_finish(&frame, room, &body);
}

void
lane_client_knock(struct lane_client *client, struct lane_harness *h, struct control_ask *ret_ask)
{
	struct session_msg_hello hello;
	struct session_msg_retry retry;
	struct frame frame;
	uint8_t room[1500];

	lane_harness_put(
		h, &client->peer, room, lane_client_hello(client, NULL, room, sizeof(room)));
	(void)lane_harness_turn(h);
	lane_harness_expect(h, FRAME_RETRY, &frame);
	ensure(session_msg_retry_decode(frame.body, frame.body_len, &retry) == 0);
	lane_client_hello_init(client, &hello);
	hello.cookie_len = SESSION_MSG_COOKIE_BYTES;
	memcpy(hello.cookie, retry.cookie, sizeof(hello.cookie));
	lane_harness_put(
		h, &client->peer, room, lane_client_hello(client, &hello, room, sizeof(room)));
	(void)lane_harness_turn(h);
	ensure(lane_harness_ask(h, ret_ask));
	ensure(ret_ask->kind == CONTROL_PRODUCER);
}

void
lane_client_connect(struct lane_client *client, struct lane_harness *h)
{
	struct control_ask ask;
	struct control_answer answer;
	struct frame frame;

	lane_client_knock(client, h, &ask);
	answer = (struct control_answer){.kind = ask.kind,
		.session_index = ask.session_index,
		.token = ask.token,
		.producer_id = LANE_HARNESS_PRODUCER + client->nonce[0],
		.producer_epoch = 4};
	lane_harness_control(h, &answer);
	(void)lane_harness_turn(h);
	lane_harness_expect(h, FRAME_ACCEPT, &frame);
	ensure(session_msg_accept_decode(frame.body, frame.body_len, &client->accept) == 0);
	client->session_id = frame.session_id;
	client->pn = 0;
}

void
lane_client_send(struct lane_client *client, struct lane_harness *h, struct frame *frame,
	const void *body, size_t len)
{
	uint8_t room[2048];
	struct writer writer = frame_body_writer(room, sizeof(room));

	frame->session_id = client->session_id;
	frame->pn = ++client->pn;
	frame->pn_low_delta = client->low != 0 ? (uint32_t)(client->pn - client->low) : 0;
	frame->send_us = (uint32_t)client->pn * 10;
	writer_copy(&writer, body, len);
	lane_harness_put(h, &client->peer, room, frame_finish(frame, room, &writer));
}

void
lane_client_data(struct lane_client *client, struct lane_harness *h, uint32_t stream,
	int32_t base_sequence, int32_t count)
{
	struct records_spec spec = {
		.producer_id = client->accept.producer_id,
		.producer_epoch = client->accept.producer_epoch,
		.base_sequence = base_sequence,
		.count = count,
		.value_bytes = 16,
		.timestamp_ms = RECORD_MS,
	};
	struct frame frame = {.type = FRAME_DATA, .stream = stream};
	uint8_t batch[1432];

	client->low = client->low == 0 ? 1 : client->low;
	lane_client_send(client, h, &frame, batch, records_batch(&spec, batch, sizeof(batch)));
}

void
lane_client_ping(struct lane_client *client, struct lane_harness *h, uint32_t stream)
{
	struct frame frame = {.type = FRAME_PING, .stream = stream, .flags = FRAME_ACK_NOW};

	lane_client_send(client, h, &frame, "", 0);
}

bool
lane_harness_request(struct lane_harness *h, struct append_req *ret_request)
{
	return ring_take(&h->append_req[0], ret_request, 1) == 1;
}

void
lane_harness_expect_batch(
	struct lane_harness *h, int32_t base_sequence, struct append_req *ret_request)
{
	ensure(lane_harness_request(h, ret_request));
	ensure(!(ret_request->flags & APPEND_QUERY));
	ensure(ret_request->base_sequence == base_sequence);
}

void
lane_harness_answer(struct lane_harness *h, const struct append_done *done)
{
	ensure(ring_offer(&h->append_done[0], done, 1) == 1);
}

void
lane_harness_done(struct lane_harness *h, const struct append_req *request,
	enum append_done_kind kind, int64_t offset)
{
	struct append_done done = {
		.kind = (uint8_t)kind,
		.error = kind == APPEND_FAILED ? KAFKA_KAFKA_STORAGE_ERROR : 0,
		.partition_index = request->partition_index,
		.session_index = request->session_index,
		.sequence_last = request->base_sequence + (int32_t)request->record_count - 1,
		.offset = offset,
		.owner = kind == APPEND_COPIED ? request->owner : 0,
	};

	lane_harness_answer(h, &done);
}

void
lane_harness_refuse(struct lane_harness *h, const struct append_req *request, int16_t error)
{
	struct append_done done = {
		.kind = APPEND_REFUSED,
		.error = error,
		.partition_index = request->partition_index,
		.session_index = request->session_index,
		.sequence_last = request->base_sequence,
		.offset = -1,
		.owner = request->owner,
	};

	lane_harness_answer(h, &done);
}

void
lane_harness_state(struct lane_harness *h, int32_t sequence_last)
{
	struct append_req query;
	struct append_done done = {.kind = APPEND_STATE, .sequence_last = sequence_last};

	ensure(lane_harness_request(h, &query));
	ensure(query.flags & APPEND_QUERY);
	ensure(query.batch_len == 0);
	done.partition_index = query.partition_index;
	done.session_index = query.session_index;
	done.offset = sequence_last < 0 ? -1 : (int64_t)sequence_last + 1000;
	lane_harness_answer(h, &done);
}

void
lane_harness_open_stream(struct lane_harness *h, struct lane_client *client, uint32_t stream,
	struct append_req *ret_request)
{
	lane_client_data(client, h, stream, 0, 2);
	(void)lane_harness_turn(h);
	lane_harness_state(h, -1);
	(void)lane_harness_turn(h);
	lane_harness_expect_batch(h, 0, ret_request);
}

bool
lane_harness_ask(struct lane_harness *h, struct control_ask *ret_ask)
{
	return ring_take(&h->control_ask, ret_ask, 1) == 1;
}

void
lane_harness_control(struct lane_harness *h, const struct control_answer *answer)
{
	ensure(ring_offer(&h->control_answer, answer, 1) == 1);
}
