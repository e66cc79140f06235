/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sender of the path bench: native sessions made by HELLO and RESOLVE, then prebuilt frames in
 * which only packet numbers, times, sequences and the two CRCs are patched, as fast as credits allow.
 * It must be faster than one rx + log lcore, so it is no client: nothing is ever sent again, and a
 * loss, a refusal or a closed session ends it with status 1. One thread, spinning.
 *
 *   path_source --nic DEVICE,DEVARGS [--address IP] [--server IP:PORT] [--topic NAME] [--sessions N]
 *               [--streams N] [--frame-bytes N] [--seconds N] [--cpu N] [--prefix P] [--hugepages]
 *               [--raw] [--idle-us N]
 *
 * --idle-us: sleep for so long when there is no credit, where the server's flushes want this CPU too.
 * --raw: no session, no credit: the same frames to whoever takes them (testpmd). UDP checksums are left
 * out (0, IPv4): the native frame's own CRCs cover what it carries. Ethernet frames of --frame-bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <rte_ethdev.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/rand.h"
#include "net/net.h"
#include "nic/eal.h"
#include "path_options.h"
#include "support/frame_name.h"
#include "support/neighbour.h"
#include "support/nic_device.h"
#include "wire/native/frame.h"
#include "wire/native/session_msg.h"
#include "wire/record_batch.h"

/* rte_cycles.h has an int of this name. */
#undef NS_PER_S
#define NS_PER_S 1000000000ull

#define SESSIONS_MAX	 64
#define STREAMS_MAX	 64 /* a session */
#define TEMPLATES_MIN	 64
#define TEMPLATES_MAX	 512
#define BURST		 32
#define SOURCE_PORT	 40000
#define HEADERS		 42 /* Ethernet, IPv4, UDP */
#define SEQUENCE_AT	 53 /* in a batch */
#define CRC_AT		 17
#define SETUP_NS	 (15 * NS_PER_S)
#define AGAIN_NS	 (100 * NS_PER_MS)
#define STALL_NS	 (5 * NS_PER_S)
#define CLOSE_NS	 (100 * NS_PER_MS) /* until the other side has read what lies in the ring */
#define IN_FLIGHT_MAX	 1000 /* below the packet number window of 1,024 */

struct arguments {
	struct path_options path;
	const char *server;
	uint32_t sessions, streams, frame_bytes, idle_us;
	bool raw;
};

struct stream {
	uint32_t handle;
	int32_t next_sequence, durable_sequence;
};

enum session_state { SESSION_HELLO, SESSION_COOKIE, SESSION_RESOLVE, SESSION_OPEN };

struct session {
	enum session_state state;
	struct packet_peer peer;
	struct session_msg_hello hello;
	uint64_t id;
	int64_t producer_id;
	int16_t producer_epoch;
	uint64_t pn, recv_upto;
	uint64_t credit_pkts, credit_bytes, used_pkts, used_bytes;
	struct stream streams[STREAMS_MAX];
	uint32_t stream_count;
};

/* One mbuf whose bytes stay; a second reference keeps the driver from freeing it. */
struct template {
	struct rte_mbuf *mbuf;
	struct session *session;
	struct stream *stream;
	uint8_t *payload;
	uint32_t crc; /* of the batch with sequence 0 */
};

struct source {
	struct arguments arguments;
	struct clock *clock;
	struct rand rand;
	struct nic_device *device;
	struct nic *nic;
	struct net_port net;
	uint16_t port_id;
	uint8_t our_address[16];
	struct packet_peer server; /* mac zero until it is known */
	bool resolved;
	struct session sessions[SESSIONS_MAX];
	struct template templates[TEMPLATES_MAX];
	uint32_t template_count, next_template;
	uint32_t batch_bytes;
	uint32_t crc_delta[4][256]; /* what a byte of the sequence changes in the batch's CRC */
	/* stall: a turn in which no session had credit; full: a burst that the driver did not take whole */
	uint64_t packets, acks, bursts, stalls, full;
};

/* --- frames in --------------------------------------------------------------------------------- */

static void
take_ack(struct source *s, struct session *session, const struct frame *frame)
{
	struct session_msg_ack ack;

	path_must(session_msg_ack_decode(frame->body, frame->body_len, &ack), "ACK");
	s->acks++;
	session->recv_upto = ack.recv_upto > session->recv_upto ? ack.recv_upto : session->recv_upto;
	session->credit_pkts = ack.credit_pkts > session->credit_pkts ? ack.credit_pkts : session->credit_pkts;
	session->credit_bytes =
		ack.credit_bytes > session->credit_bytes ? ack.credit_bytes : session->credit_bytes;
	for (uint32_t i = 0; i < ack.entries; i++) {
		const struct session_msg_ack_entry *entry = &ack.entry[i];

		if (entry->error != 0) {
			path_die("the server refuses", "an ACK entry has an error");
		}
		for (uint32_t k = 0; k < session->stream_count; k++) {
			struct stream *stream = &session->streams[k];

			/* Sequences do not wrap in one run: 2^31 batches of one stream. */
			if (stream->handle == entry->stream && entry->durable_seq > stream->durable_sequence) {
				stream->durable_sequence = entry->durable_seq;
			}
		}
	}
}

static void
take_accept(struct session *session, const struct frame *frame)
{
	struct session_msg_accept accept;

	if (session_msg_accept_decode(frame->body, frame->body_len, &accept) == 0 &&
		memcmp(accept.client_nonce, session->hello.client_nonce, SESSION_MSG_NONCE_BYTES) == 0 &&
		session->state == SESSION_COOKIE) {
		session->id = frame->session_id;
		session->producer_id = accept.producer_id;
		session->producer_epoch = accept.producer_epoch;
		session->credit_pkts = accept.credit_pkts;
		session->credit_bytes = accept.credit_bytes;
		session->state = SESSION_RESOLVE;
	}
}

static void
take_resolved(struct source *s, struct session *session, const struct frame *frame)
{
	struct session_msg_resolved resolved;

	if (session_msg_resolved_decode(frame->body, frame->body_len, &resolved) < 0 ||
		resolved.error != 0 || session->state != SESSION_RESOLVE) {
		return; /* asked again */
	}
	session->stream_count =
		resolved.count < s->arguments.streams ? resolved.count : s->arguments.streams;
	for (uint32_t i = 0; i < session->stream_count; i++) {
		session->streams[i] =
			(struct stream){.handle = resolved.entries[i].stream, .durable_sequence = -1};
	}
	session->state = SESSION_OPEN;
}

static void
take_frame(struct source *s, struct session *session, const struct packet_view *view)
{
	struct session_msg_retry retry;
	struct frame frame;

	if (frame_decode(view->data, view->len, FRAME_SIDE_CLIENT, &frame) != FRAME_OK) {
		path_die("the server sends", "what is no frame");
	}
	switch (frame.type) {
	case FRAME_ACK:
		take_ack(s, session, &frame);
		break;
	case FRAME_RETRY:
		if (session_msg_retry_decode(frame.body, frame.body_len, &retry) == 0 &&
			session->state == SESSION_HELLO) {
			session->hello.cookie_len = SESSION_MSG_COOKIE_BYTES;
			memcpy(session->hello.cookie, retry.cookie, SESSION_MSG_COOKIE_BYTES);
			session->state = SESSION_COOKIE;
		}
		break;
	case FRAME_ACCEPT:
		take_accept(session, &frame);
		break;
	case FRAME_RESOLVED:
		take_resolved(s, session, &frame);
		break;
	default:
		path_die("the server says", frame_name(frame.type));
	}
}

static uint32_t
receive(struct source *s)
{
	struct packet_view views[BURST];
	uint64_t owners[BURST];
	uint32_t n = s->nic->ops->rx(s->nic, views, BURST);
	uint64_t now_ns = n > 0 ? clock_now_ns(s->clock) : 0;

	for (uint32_t i = 0; i < n; i++) {
		owners[i] = views[i].owner;
		s->resolved = s->resolved ||
			neighbour_answers(&views[i], s->server.address, s->server.mac);
		if (net_input(&s->net, &views[i], now_ns).verdict == NET_UDP) {
			take_frame(s, &s->sessions[views[i].peer.local_port - SOURCE_PORT], &views[i]);
		}
	}
	if (n > 0) {
		s->nic->ops->release(s->nic, owners, n);
	}
	s->packets += s->net.reply_count;
	(void)s->nic->ops->tx(s->nic, s->net.replies, s->net.reply_count);
	s->net.reply_count = 0;
	return n;
}

/* --- set-up ------------------------------------------------------------------------------------ */

static void
send_frame(struct source *s, struct session *session, struct frame *frame, const struct writer *body,
	uint8_t *room)
{
	struct packet_view view;
	size_t len = frame_finish(frame, room, body);

	ensure(len > 0);
	if (net_udp_alloc(&s->net, &session->peer, (uint32_t)len, &view)) {
		memcpy(view.data, room, len);
		net_udp_reply(&s->net, &view);
		s->packets++;
		(void)s->nic->ops->tx(s->nic, &view, 1);
	}
}

/* Says again what the session waits for an answer to. */
static void
knock(struct source *s, struct session *session)
{
	struct frame frame = {.type = FRAME_HELLO};
	uint8_t room[1500];
	struct writer body = frame_body_writer(room, sizeof(room));
	struct session_msg_resolve resolve = {.request_id = 1,
		.flags = SESSION_MSG_AUTO_CREATE,
		.name = (const uint8_t *)s->arguments.path.topic,
		.name_len = (uint8_t)strlen(s->arguments.path.topic)};

	if (session->state == SESSION_OPEN) {
		return;
	}
	if (session->state == SESSION_RESOLVE) {
		frame = (struct frame){.type = FRAME_RESOLVE, .session_id = session->id,
			.pn = ++session->pn};
		frame.pn_low_delta = (uint32_t)(session->pn - session->recv_upto - 1);
		session_msg_resolve_encode(&body, &resolve);
	} else {
		session_msg_hello_encode(&body, &session->hello);
	}
	send_frame(s, session, &frame, &body, room);
}

static bool
all_open(const struct source *s)
{
	for (uint32_t i = 0; i < s->arguments.sessions; i++) {
		if (s->sessions[i].state != SESSION_OPEN) {
			return false;
		}
	}
	return true;
}

static void
init_sessions(struct source *s)
{
	for (uint32_t i = 0; i < s->arguments.sessions; i++) {
		struct session *session = &s->sessions[i];

		session->peer = s->server;
		session->peer.local_port = (uint16_t)(SOURCE_PORT + i);
		session->hello = (struct session_msg_hello){.ver_min = 1,
			.ver_max = 1,
			.producer_id = -1,
			.producer_epoch = -1,
			.max_datagram = 1472,
			.lane = SESSION_MSG_LANE_ANY};
		rand_fill(&s->rand, session->hello.client_nonce, SESSION_MSG_NONCE_BYTES);
		if (s->arguments.raw) {
			session->stream_count = s->arguments.streams;
		}
	}
}

/* The server's MAC address, then every session to its end. */
static void
connect_all(struct source *s)
{
	uint64_t until_ns = clock_now_ns(s->clock) + SETUP_NS, ask_ns = 0;
	bool begun = false;

	while (!all_open(s) || !begun) {
		uint64_t now_ns = clock_now_ns(s->clock);

		if (now_ns >= until_ns) {
			path_die("set-up", s->resolved ? "a session does not open" : "nobody answers for --server");
		}
		(void)receive(s);
		if (s->resolved && !begun) {
			init_sessions(s);
			begun = true;
			ask_ns = 0;
		}
		if (now_ns >= ask_ns) {
			ask_ns = now_ns + AGAIN_NS;
			if (!begun) {
				(void)neighbour_ask(&s->net, s->our_address, s->server.address);
			}
			for (uint32_t i = 0; begun && i < s->arguments.sessions; i++) {
				knock(s, &s->sessions[i]);
			}
		}
		clock_sleep_ns(s->clock, 100 * NS_PER_US);
	}
}

/* --- templates --------------------------------------------------------------------------------- */

/* A batch of one record that fills the frame. */
static void
build_batch(struct source *s, const struct session *session, uint8_t *room)
{
	static uint8_t value[9000];
	struct record_builder builder;
	int64_t now_ms = (int64_t)(clock_wall_ns(s->clock) / NS_PER_MS);
	int32_t value_len = (int32_t)s->batch_bytes - RECORD_BATCH_HEADER_BYTES;

	/* The record's own head is a few bytes of varints: try until it fits. */
	do {
		record_builder_init(&builder, room, s->batch_bytes);
		value_len--;
		ensure(value_len > 0);
	} while (record_builder_add(&builder, now_ms, NULL, -1, value, value_len) < 0);
	/* At the border of a varint a byte is left over: the frame is that much shorter. */
	s->batch_bytes = (uint32_t)record_builder_finish(
		&builder, session->producer_id, session->producer_epoch, 0);
}

static void
build_template(struct source *s, struct template *t)
{
	struct packet_view view;

	ensure(net_udp_alloc(&s->net, &t->session->peer, FRAME_HEADER_BYTES + s->batch_bytes, &view));
	t->payload = view.data;
	build_batch(s, t->session, t->payload + FRAME_HEADER_BYTES);
	t->crc = load_be32(t->payload + FRAME_HEADER_BYTES + CRC_AT);
	view.len = FRAME_HEADER_BYTES + s->batch_bytes;
	net_udp_reply(&s->net, &view);
	store_be16(t->payload - 2, 0); /* UDP checksum */
	/* Tokens of DPDK queues are mbufs (nic_dpdk.c). */
	t->mbuf = (struct rte_mbuf *)(uintptr_t)view.owner;
	t->mbuf->data_off = (uint16_t)(view.data - (uint8_t *)t->mbuf->buf_addr);
	t->mbuf->data_len = (uint16_t)view.len;
	t->mbuf->pkt_len = view.len;
}

/* CRCs are linear: what a bit of the sequence changes does not depend on the rest. */
static void
build_crc_delta(struct source *s)
{
	struct template *t = &s->templates[0];
	uint8_t *batch = t->payload + FRAME_HEADER_BYTES;

	for (uint32_t byte = 0; byte < 4; byte++) {
		for (uint32_t value = 0; value < 256; value++) {
			batch[SEQUENCE_AT + byte] = (uint8_t)value;
			s->crc_delta[byte][value] = t->crc ^ record_batch_crc(batch, s->batch_bytes);
		}
		batch[SEQUENCE_AT + byte] = 0;
	}
}

/* Round over sessions, then streams, so that neighbours in a burst belong to different sessions. */
static void
build_templates(struct source *s)
{
	uint32_t pairs = 0;

	s->batch_bytes = s->arguments.frame_bytes - HEADERS - FRAME_HEADER_BYTES;
	while (s->template_count < TEMPLATES_MIN || s->template_count % pairs != 0) {
		uint32_t i = s->template_count;
		struct session *session = &s->sessions[i % s->arguments.sessions];
		struct template *t = &s->templates[s->template_count++];

		ensure(s->template_count <= TEMPLATES_MAX);
		pairs = s->arguments.sessions * session->stream_count;
		t->session = session;
		t->stream = &session->streams[i / s->arguments.sessions % session->stream_count];
		build_template(s, t);
	}
	build_crc_delta(s);
}

/* --- the loop ---------------------------------------------------------------------------------- */

static inline void
patch(struct source *s, struct template *t, uint32_t send_us)
{
	struct session *session = t->session;
	uint8_t *batch = t->payload + FRAME_HEADER_BYTES;
	uint32_t sequence = (uint32_t)t->stream->next_sequence++;
	struct frame frame = {.type = FRAME_DATA,
		.session_id = session->id,
		.pn = ++session->pn,
		.pn_low_delta = (uint32_t)(session->pn - session->recv_upto - 1),
		.stream = t->stream->handle,
		.send_us = send_us,
		.body = batch,
		.body_len = (uint16_t)s->batch_bytes};

	store_be32(batch + SEQUENCE_AT, sequence);
	store_be32(batch + CRC_AT,
		t->crc ^ s->crc_delta[0][sequence >> 24] ^ s->crc_delta[1][sequence >> 16 & 255] ^
			s->crc_delta[2][sequence >> 8 & 255] ^ s->crc_delta[3][sequence & 255]);
	frame_encode(&frame, t->payload);
	session->used_pkts++;
	session->used_bytes += s->batch_bytes;
	rte_mbuf_refcnt_set(t->mbuf, 2);
}

static inline bool
may_send(const struct source *s, const struct session *session)
{
	return session->used_pkts < session->credit_pkts &&
		session->used_bytes + s->batch_bytes <= session->credit_bytes &&
		session->pn - session->recv_upto < IN_FLIGHT_MAX;
}

/* One burst of distinct templates. Returns packets sent. */
static uint32_t
send_burst(struct source *s, uint64_t now_ns)
{
	struct rte_mbuf *mbufs[BURST];
	uint32_t n = 0, sent = 0;

	for (uint32_t tried = 0; tried < s->template_count && n < BURST; tried++) {
		struct template *t = &s->templates[s->next_template];

		s->next_template = s->next_template + 1 == s->template_count ? 0 : s->next_template + 1;
		if (s->arguments.raw) {
			t->session->recv_upto = t->session->pn;
		} else if (!may_send(s, t->session)) {
			continue;
		}
		patch(s, t, (uint32_t)(now_ns / NS_PER_US));
		mbufs[n++] = t->mbuf;
	}
	s->bursts += n > 0;
	while (sent < n && !path_stop_asked) {
		uint16_t taken = rte_eth_tx_burst(s->port_id, 0, mbufs + sent, (uint16_t)(n - sent));

		s->full += sent == 0 && taken < n;
		sent += taken;
		if (taken == 0 && !s->arguments.raw) {
			(void)receive(s);
		}
	}
	return sent;
}

static void
print_second(const struct source *s, uint64_t packets, uint64_t ns)
{
	double seconds = (double)ns / 1e9;

	printf("{\"second\": true, \"tx_pps\": %.0f, \"tx_bits_per_s\": %.0f}\n",
		(double)packets / seconds,
		(double)packets * (HEADERS + FRAME_HEADER_BYTES + s->batch_bytes) * 8 / seconds);
	fflush(stdout);
}

static void
send_all(struct source *s)
{
	uint64_t start_ns = clock_now_ns(s->clock), second_ns = start_ns, moved_ns = start_ns;
	uint64_t packets = s->packets;

	while (!path_stop_asked) {
		uint64_t now_ns = clock_now_ns(s->clock);
		uint32_t sent = send_burst(s, now_ns);

		s->packets += sent;
		if (!s->arguments.raw) {
			(void)receive(s);
		}
		if (sent > 0) {
			moved_ns = now_ns;
		} else {
			s->stalls++;
			if (s->arguments.idle_us > 0) {
				clock_sleep_ns(s->clock, s->arguments.idle_us * NS_PER_US);
			}
			if (now_ns - moved_ns > STALL_NS) {
				path_die("stall", "no credit for 5 s: something was lost, or the server is gone");
			}
		}
		if (now_ns - second_ns >= NS_PER_S) {
			print_second(s, s->packets - packets, now_ns - second_ns);
			packets = s->packets;
			second_ns = now_ns;
		}
		if (s->arguments.path.seconds > 0 && now_ns - start_ns >= s->arguments.path.seconds * NS_PER_S) {
			break;
		}
	}
}

/* --- the end ----------------------------------------------------------------------------------- */

static bool
all_durable(const struct source *s)
{
	for (uint32_t i = 0; i < s->arguments.sessions; i++) {
		const struct session *session = &s->sessions[i];

		for (uint32_t k = 0; k < session->stream_count; k++) {
			if (session->streams[k].durable_sequence != session->streams[k].next_sequence - 1) {
				return false;
			}
		}
	}
	return true;
}

static uint64_t
batches_sent(const struct source *s)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->arguments.sessions; i++) {
		for (uint32_t k = 0; k < s->sessions[i].stream_count; k++) {
			sum += (uint64_t)s->sessions[i].streams[k].next_sequence;
		}
	}
	return sum;
}

static void
close_session(struct source *s, struct session *session)
{
	struct frame frame = {.type = FRAME_CLOSE, .session_id = session->id, .pn = ++session->pn};
	uint8_t room[128];
	struct writer body = frame_body_writer(room, sizeof(room));

	frame.pn_low_delta = (uint32_t)(session->pn - session->recv_upto - 1);
	session_msg_close_encode(&body, FRAME_CLIENT_DONE);
	send_frame(s, session, &frame, &body, room);
}

/* Waits for what is under way, then says goodbye. True if all is acknowledged. */
static bool
settle(struct source *s)
{
	uint64_t until_ns = clock_now_ns(s->clock) + STALL_NS;

	while (!all_durable(s) && clock_now_ns(s->clock) < until_ns) {
		if (receive(s) == 0) {
			clock_sleep_ns(s->clock, 20 * NS_PER_US);
		}
	}
	for (uint32_t i = 0; i < s->arguments.sessions; i++) {
		close_session(s, &s->sessions[i]);
	}
	clock_sleep_ns(s->clock, CLOSE_NS);
	return all_durable(s);
}

static void
start(struct source *s)
{
	struct net_options net = {.answer = true, .udp_port_first = SOURCE_PORT,
		.udp_port_count = (uint16_t)s->arguments.sessions, .address_count = 1};
	const char *colon = strrchr(s->arguments.server, ':');
	char host[64] = "", text[2048] = "";

	s->clock = clock_system();
	rand_init_os(&s->rand);
	if (!colon || (size_t)(colon - s->arguments.server) >= sizeof(host)) {
		path_die("--server", "is no IP:PORT");
	}
	memcpy(host, s->arguments.server, (size_t)(colon - s->arguments.server));
	s->server.port = (uint16_t)strtoul(colon + 1, NULL, 10);
	path_must(nic_device_address(host, s->server.address), "--server");
	path_must(nic_device_address(s->arguments.path.address, s->our_address), "--address");
	memcpy(s->server.local_address, s->our_address, 16);
	memcpy(net.addresses[0], s->our_address, 16);
	if (nic_device_open(&s->arguments.path.nic, &s->device, text, sizeof(text)) < 0) {
		path_die("--nic", text);
	}
	s->nic = nic_device_queue(s->device, 0);
	net.queue = nic_packet_queue(s->nic);
	path_must(rte_eth_dev_get_port_by_name("net_memif0", &s->port_id), "only net_memif");
	path_must(net_port_init(&s->net, &net), "net");
	path_pin(&s->arguments.path);
	if (s->arguments.raw) {
		init_sessions(s);
	} else {
		connect_all(s);
	}
	build_templates(s);
}

static void
parse(int argc, char **argv, struct arguments *a)
{
	const struct path_option own[] = {
		{.name = "server", .word = &a->server},
		{.name = "sessions", .number = &a->sessions},
		{.name = "streams", .number = &a->streams},
		{.name = "frame-bytes", .number = &a->frame_bytes},
		{.name = "idle-us", .number = &a->idle_us},
		{.name = "raw", .flag = &a->raw},
		{.name = NULL},
	};

	*a = (struct arguments){.path = {.address = "192.0.2.1", .topic = "path", .cpu = -1},
		.server = "192.0.2.2:9292", .sessions = 4, .streams = 16, .frame_bytes = 1400};
	nic_device_options_init(&a->path.nic);
	a->path.nic.prefix = "penstock-path-source";
	path_options_read(argc, argv, &a->path, own);
	if (!a->path.nic.device || a->sessions == 0 || a->sessions > SESSIONS_MAX ||
		a->streams == 0 || a->streams > STREAMS_MAX ||
		a->sessions * a->streams > TEMPLATES_MAX || a->frame_bytes < 200 ||
		a->frame_bytes > 1514) {
		path_die("usage",
			"--nic DEVICE,DEVARGS [--sessions 1..64] [--streams 1..64] [--frame-bytes 200..1514]");
	}
}

int
main(int argc, char **argv)
{
	struct source *s = calloc(1, sizeof(*s));
	bool durable = true;

	ensure(s != NULL);
	parse(argc, argv, &s->arguments);
	path_stop_on_signals();
	(void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); /* --idle-us would be 50 us more */
	start(s);
	send_all(s);
	if (!s->arguments.raw) {
		durable = settle(s);
	}
	printf("{\"total\": true, \"packets\": %llu, \"batches\": %llu, \"durable\": %s, \"acks\": %llu, "
	       "\"frame_bytes\": %u, \"udp_checksum\": false, \"bursts\": %llu, \"full\": %llu, \"stalls\": %llu}\n",
		(unsigned long long)s->packets, (unsigned long long)batches_sent(s),
		durable ? "true" : "false", (unsigned long long)s->acks,
		HEADERS + FRAME_HEADER_BYTES + s->batch_bytes, (unsigned long long)s->bursts,
		(unsigned long long)s->full, (unsigned long long)s->stalls);
	for (uint32_t i = 0; i < s->template_count; i++) {
		rte_mbuf_refcnt_set(s->templates[i].mbuf, 1);
		rte_pktmbuf_free(s->templates[i].mbuf);
	}
	(void)nic_device_close(s->device);
	free(s);
	return durable ? 0 : 1;
}
