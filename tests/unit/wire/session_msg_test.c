/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of the native frames. Each golden frame is decoded, its fields compared with what
 * make_vectors.py was told, and encoded again to the same bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "support/vector.h"
#include "wire/native/session_msg.h"
#include "wire/record_batch.h"

struct golden {
	struct vector vector;
	struct frame frame;
	uint8_t room[2048];
	struct writer writer;
};

static int
golden_setup(void **state)
{
	static struct golden golden;

	*state = &golden;
	return 0;
}

static void
golden_load(struct golden *g, const char *path)
{
	vector_load(&g->vector, path);
	enum frame_side side = (g->vector.bytes[3] & FRAME_FROM_SERVER) ? FRAME_SIDE_CLIENT
									: FRAME_SIDE_SERVER;

	assert_int_equal(frame_decode(g->vector.bytes, g->vector.len, side, &g->frame), FRAME_OK);
	memset(g->room, 0xa5, sizeof(g->room));
	g->writer = frame_body_writer(g->room, sizeof(g->room));
}

/* The body just encoded into g->writer, framed with the golden header's fields, is the golden frame. */
static void
golden_check(struct golden *g)
{
	size_t tag = (g->frame.flags & FRAME_AUTH) ? FRAME_TAG_BYTES : 0;

	assert_int_equal(frame_finish(&g->frame, g->room, &g->writer), g->vector.len - tag);
	assert_memory_equal(g->room, g->vector.bytes, g->vector.len - tag);
}

static void
test_hello(void **state)
{
	static const char *const paths[] = {"native/hello_first.hex", "native/hello_cookie.hex",
		"native/hello_join.hex", "native/hello_auth.hex"};
	struct golden *g = *state;
	struct session_msg_hello h;

	for (size_t i = 0; i < 4; i++) {
		golden_load(g, paths[i]);
		assert_int_equal(session_msg_hello_decode(g->frame.body, g->frame.body_len, &h), 0);
		assert_true(session_msg_hello_speaks(&h));
		assert_int_equal(h.client_nonce[15], 0x1f);
		assert_ptr_equal(session_msg_hello_nonce(g->frame.body, g->frame.body_len),
			g->frame.body + 8);
		assert_int_equal(h.max_datagram, 1472);
		assert_int_equal(h.cookie_len, i == 0 ? 0 : 16);
		assert_int_equal(h.producer_id, i == 2 ? 9001 : -1);
		assert_int_equal(h.producer_epoch, i == 2 ? 4 : -1);
		assert_int_equal(h.flags, i == 2 ? SESSION_MSG_JOIN : 0);
		assert_int_equal(h.lane, i == 2 ? 1 : SESSION_MSG_LANE_ANY);
		assert_int_equal(h.auth, i == 3 ? 1 : 0);
		assert_int_equal(h.key_id, i == 3 ? 7 : 0);
		session_msg_hello_encode(&g->writer, &h);
		golden_check(g);
	}
	assert_int_equal(h.name_len, 6);
	assert_memory_equal(h.name, "sensor", 6);
}

static void
test_retry_and_version(void **state)
{
	struct golden *g = *state;
	struct session_msg_retry retry;
	struct session_msg_version version;

	golden_load(g, "native/retry.hex");
	assert_int_equal(session_msg_retry_decode(g->frame.body, g->frame.body_len, &retry), 0);
	assert_int_equal(retry.lane, 1);
	assert_int_equal(retry.lane_port, 9293);
	assert_int_equal(retry.cookie[1], 0xf1);
	session_msg_retry_encode(&g->writer, &retry);
	golden_check(g);

	golden_load(g, "native/version.hex");
	assert_int_equal(session_msg_version_decode(g->frame.body, g->frame.body_len, &version), 0);
	assert_int_equal(version.ver_min, 1);
	assert_int_equal(version.ver_max, 1);
	session_msg_version_encode(&g->writer, &version);
	golden_check(g);
}

static void
test_accept(void **state)
{
	static const char *const paths[] = {"native/accept.hex", "native/accept_auth.hex"};
	struct golden *g = *state;
	struct session_msg_accept a;

	for (size_t i = 0; i < 2; i++) {
		golden_load(g, paths[i]);
		assert_int_equal(session_msg_accept_decode(g->frame.body, g->frame.body_len, &a), 0);
		assert_int_equal(a.producer_id, 9001);
		assert_int_equal(a.producer_epoch, 4);
		assert_int_equal(a.lane, 1);
		assert_int_equal(a.lane_count, 2);
		assert_int_equal(a.max_datagram, 1472);
		assert_int_equal(a.max_batch_bytes, 1048588);
		assert_int_equal(a.idle_timeout_ms, 15000);
		assert_int_equal(a.ack_delay_max_us, 200);
		assert_int_equal(a.ack_every, 16);
		assert_int_equal(a.pn_window, 1024);
		assert_int_equal(a.credit_bytes, 262144);
		assert_int_equal(a.credit_pkts, 128);
		assert_true(a.wall_us == 1700000000000000);
		assert_true(a.boot_id == 0x0102030405060708);
		assert_int_equal(a.server_nonce[0], 0x20);
		assert_int_equal(a.reset_token[15], 0x3f);
		session_msg_accept_encode(&g->writer, &a);
		golden_check(g);
	}
}

static void
test_resolve(void **state)
{
	struct golden *g = *state;
	struct session_msg_resolve r;

	golden_load(g, "native/resolve.hex");
	assert_int_equal(session_msg_resolve_decode(g->frame.body, g->frame.body_len, &r), 0);
	assert_int_equal(r.request_id, 77);
	assert_int_equal(r.first_partition, 0);
	assert_int_equal(r.flags, SESSION_MSG_AUTO_CREATE);
	assert_int_equal(r.name_len, 6);
	assert_memory_equal(r.name, "orders", 6);
	assert_true(session_msg_topic_name_valid(r.name, r.name_len));
	session_msg_resolve_encode(&g->writer, &r);
	golden_check(g);
}

static void
test_resolved(void **state)
{
	static const char *const paths[] = {"native/resolved_error.hex", "native/resolved.hex",
		"native/resolved_full.hex"};
	static const uint16_t counts[] = {0, 2, 90};
	struct golden *g = *state;
	struct session_msg_resolved r;

	for (size_t i = 0; i < 3; i++) {
		golden_load(g, paths[i]);
		assert_int_equal(session_msg_resolved_decode(g->frame.body, g->frame.body_len, &r),
			0);
		assert_int_equal(r.error, i == 0 ? 3 : 0);
		assert_int_equal(r.count, counts[i]);
		session_msg_resolved_encode(&g->writer, &r);
		golden_check(g);
	}
	assert_int_equal(r.partition_count, 200);
	assert_int_equal(r.first_partition, 90);
	assert_int_equal(r.max_message_bytes, 1048588);
	assert_int_equal(r.metadata_version, 3);
	assert_int_equal(r.topic_id[0], 0x40);
	assert_int_equal(r.entries[89].stream, 90);
	assert_int_equal(r.entries[89].leader_epoch, 7);
	assert_int_equal(r.entries[89].lane, 1);
	assert_int_equal(r.entries[89].flags, SESSION_MSG_WRITABLE);
}

static void
test_ack(void **state)
{
	struct golden *g = *state;
	struct session_msg_ack a;

	golden_load(g, "native/ack.hex");
	assert_int_equal(session_msg_ack_decode(g->frame.body, g->frame.body_len, &a), 0);
	assert_int_equal(a.recv_upto, 4);
	assert_int_equal(a.echo_pn, 7);
	assert_int_equal(a.echo_send_us, 1000000);
	assert_int_equal(a.echo_delay_us, 35);
	assert_int_equal(a.credit_bytes, 1 << 20);
	assert_int_equal(a.credit_pkts, 512);
	assert_int_equal(a.words, 1);
	assert_int_equal(a.bitmap[0], 4);
	assert_int_equal(a.entries, 1);
	assert_int_equal(a.entry[0].stream, 5);
	assert_int_equal(a.entry[0].received_seq, 42);
	assert_int_equal(a.entry[0].durable_seq, 41);
	assert_int_equal(a.entry[0].error, 0);
	assert_int_equal(a.entry[0].error_seq, -1);
	assert_int_equal(a.entry[0].durable_offset, 1041);
	session_msg_ack_encode(&g->writer, &a);
	golden_check(g);

	golden_load(g, "native/ack_full.hex");
	assert_int_equal(session_msg_ack_decode(g->frame.body, g->frame.body_len, &a), 0);
	assert_int_equal(a.words, 16);
	assert_int_equal(a.entries, 24);
	assert_int_equal(a.ecn_ce, 3);
	assert_int_equal(a.busy, SESSION_MSG_BUSY_RESOLVE_AGAIN + SESSION_MSG_BUSY_DRAINING);
	assert_true(a.bitmap[15] == 0x1010101010101010);
	assert_int_equal(a.entry[23].error, 45);
	assert_int_equal(a.entry[23].error_seq, 1024);
	assert_true(a.entry[23].durable_offset == (1ll << 40) + 23);
	session_msg_ack_encode(&g->writer, &a);
	golden_check(g);
}

static void
test_ack_counts_are_bounded(void **state)
{
	struct golden *g = *state;
	struct session_msg_ack a;
	uint8_t body[48 + 17 * 8 + 25 * 32] = {0};

	golden_load(g, "native/ack.hex");
	memcpy(body, g->frame.body, 48);
	body[46] = 17;
	body[47] = 0;
	assert_int_equal(session_msg_ack_decode(body, 48 + 17 * 8, &a), -EBADMSG);
	body[46] = 0;
	body[47] = 25;
	assert_int_equal(session_msg_ack_decode(body, 48 + 25 * 32, &a), -EBADMSG);
	body[47] = 1;
	assert_int_equal(session_msg_ack_decode(body, 48 + 32, &a), 0);
	assert_int_equal(session_msg_ack_decode(body, 48 + 31, &a), -EBADMSG);
	assert_int_equal(session_msg_ack_decode(body, 48 + 33, &a), -EBADMSG);
}

static void
test_ping_and_probe(void **state)
{
	struct golden *g = *state;
	uint16_t size;

	golden_load(g, "native/ping.hex");
	assert_int_equal(session_msg_ping_decode(g->frame.body, g->frame.body_len), 0);
	session_msg_ping_encode(&g->writer, false);
	golden_check(g);
	golden_load(g, "native/ping_padded.hex");
	assert_int_equal(session_msg_ping_decode(g->frame.body, g->frame.body_len), 0);
	session_msg_ping_encode(&g->writer, true);
	golden_check(g);
	golden_load(g, "native/probe.hex");
	assert_int_equal(session_msg_probe_decode(g->frame.body, g->frame.body_len, &size), 0);
	assert_int_equal(size, g->vector.len);
	session_msg_probe_encode(&g->writer, size);
	golden_check(g);
	golden_load(g, "native/probed.hex");
	assert_int_equal(session_msg_probed_decode(g->frame.body, g->frame.body_len, &size), 0);
	assert_int_equal(size, 1472);
	session_msg_probed_encode(&g->writer, size);
	golden_check(g);
}

static void
test_close_closed_reset(void **state)
{
	struct golden *g = *state;
	struct session_msg_closed closed;
	struct session_msg_reset reset;
	uint16_t reason;

	golden_load(g, "native/close.hex");
	assert_int_equal(session_msg_close_decode(g->frame.body, g->frame.body_len, &reason), 0);
	assert_int_equal(reason, FRAME_CLIENT_DONE);
	session_msg_close_encode(&g->writer, reason);
	golden_check(g);
	golden_load(g, "native/closed.hex");
	assert_int_equal(session_msg_closed_decode(g->frame.body, g->frame.body_len, &closed), 0);
	assert_int_equal(closed.reason, FRAME_FENCED);
	assert_false(closed.answers_hello);
	session_msg_closed_encode(&g->writer, &closed);
	golden_check(g);
	golden_load(g, "native/closed_hello.hex");
	assert_int_equal(session_msg_closed_decode(g->frame.body, g->frame.body_len, &closed), 0);
	assert_int_equal(closed.reason, FRAME_TOO_MANY_SESSIONS);
	assert_int_equal(closed.retry_after_ms, 2000);
	assert_true(closed.answers_hello);
	assert_int_equal(closed.client_nonce[0], 0x10);
	session_msg_closed_encode(&g->writer, &closed);
	golden_check(g);
	golden_load(g, "native/reset.hex");
	assert_int_equal(session_msg_reset_decode(g->frame.body, g->frame.body_len, &reset), 0);
	assert_int_equal(reset.reason, FRAME_UNKNOWN_SESSION);
	assert_int_equal(reset.reset_token[0], 0x30);
	session_msg_reset_encode(&g->writer, &reset);
	golden_check(g);
	assert_int_equal(g->vector.len, FRAME_RESET_PAYLOAD);
}

/* A body that is one byte short or long is never accepted; where the length is free, never overread. */
static void
test_no_body_of_another_length(void **state)
{
	struct golden *g = *state;
	static union {
		struct session_msg_retry retry;
		struct session_msg_accept accept;
		struct session_msg_version version;
		struct session_msg_resolved resolved;
		struct session_msg_closed closed;
		struct session_msg_reset reset;
	} any;
	uint16_t size;

	memset(g->room, 0, sizeof(g->room));
	for (size_t len = 0; len < 200; len++) {
		const uint8_t *b = g->room;

		assert_int_equal(session_msg_retry_decode(b, len, &any.retry) == 0, len == 40);
		assert_int_equal(session_msg_accept_decode(b, len, &any.accept) == 0, len == 112);
		assert_int_equal(session_msg_version_decode(b, len, &any.version) == 0, len == 20);
		assert_int_equal(session_msg_resolved_decode(b, len, &any.resolved) == 0, len == 40);
		assert_int_equal(session_msg_closed_decode(b, len, &any.closed) == 0,
			len == 8 || len == 24);
		assert_int_equal(session_msg_reset_decode(b, len, &any.reset) == 0, len == 20);
		assert_int_equal(session_msg_probed_decode(b, len, &size) == 0, len == 4);
		assert_int_equal(session_msg_close_decode(b, len, &size) == 0, len == 20);
		assert_int_equal(session_msg_ping_decode(b, len) == 0, len == 0 || len == 20);
		assert_int_equal(session_msg_probe_decode(b, len, &size) == 0, len >= 2);
	}
}

/* What the codec says of a client frame, in the words of the vectors. */
static const char *
judge(const struct vector *vector, const struct frame *f, struct record_batch *batch)
{
	static char refused[32];
	struct session_msg_hello hello;
	struct session_msg_resolve resolve;
	uint16_t size;

	switch (f->type) {
	case FRAME_HELLO:
		if (session_msg_hello_decode(f->body, f->body_len, &hello) < 0) {
			return "hello_bad";
		}
		return session_msg_hello_speaks(&hello) ? "" : "version";
	case FRAME_RESOLVE:
		if (session_msg_resolve_decode(f->body, f->body_len, &resolve) < 0) {
			return "control_bad";
		}
		return session_msg_topic_name_valid(resolve.name, resolve.name_len) ? "" : "topic_name";
	case FRAME_PING:
		return session_msg_ping_decode(f->body, f->body_len) < 0 ? "control_bad" : "";
	case FRAME_CLOSE:
		return session_msg_close_decode(f->body, f->body_len, &size) < 0 ? "control_bad" : "";
	case FRAME_PROBE:
		if (session_msg_probe_decode(f->body, f->body_len, &size) < 0) {
			return "control_bad";
		}
		return size == vector->len ? "" : "probe_bad";
	case FRAME_DATA:
		size = (uint16_t)record_batch_validate(f->body, f->body_len, batch);
		snprintf(refused, sizeof(refused), "refused %u", size);
		return size == 0 ? "" : refused;
	default:
		return "";
	}
}

static void
check_bad(void *user_data, const char *name, const struct vector *vector)
{
	uint32_t *judged = user_data;
	struct record_batch batch;
	struct frame frame;

	if (frame_decode(vector->bytes, vector->len, FRAME_SIDE_SERVER, &frame) != FRAME_OK) {
		return;
	}
	const char *got = judge(vector, &frame, &batch);
	/* Rows that need a session's state: the codec must not object. */
	const char *want = strncmp(vector->expect, "session ", 8) == 0 ? "" : vector->expect;

	if (strcmp(got, want) != 0) {
		print_error("%s: got '%s', expected '%s'\n", name, got, want);
	}
	assert_string_equal(got, want);
	(*judged)++;
}

static void
test_bad_bodies(void **state)
{
	uint32_t judged = 0;

	vector_each("native/bad", check_bad, &judged);
	assert_true(judged >= 50);
}

static void
test_topic_names(void **state)
{
	static const char *const good[] = {"a", "...", ".a", "..a", "A-z_0.9"};
	static const char *const bad[] = {"", ".", "..", "a b", "a/b", "\xc3\xa4", "a\x7f", "{", "[", "`", "@"};
	uint8_t longest[250];

	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		assert_true(session_msg_topic_name_valid((const uint8_t *)good[i], strlen(good[i])));
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		assert_false(session_msg_topic_name_valid((const uint8_t *)bad[i], strlen(bad[i])));
	}
	memset(longest, 't', sizeof(longest));
	assert_true(session_msg_topic_name_valid(longest, 249));
	assert_false(session_msg_topic_name_valid(longest, 250));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_retry_and_version),
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_resolved),
		cmocka_unit_test(test_ack),
		cmocka_unit_test(test_ack_counts_are_bounded),
		cmocka_unit_test(test_ping_and_probe),
		cmocka_unit_test(test_close_closed_reset),
		cmocka_unit_test(test_no_body_of_another_length),
		cmocka_unit_test(test_bad_bodies),
		cmocka_unit_test(test_topic_names),
	};

	return cmocka_run_group_tests(tests, golden_setup, NULL);
}
