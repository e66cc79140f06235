/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of the native frames, see session_msg.h. Each decoder reads its fields in a straight line by
 * the sticky reader and judges once at the end; each encoder is its mirror. Stateless, any thread.
 */
#include "wire/native/session_msg.h"

#include <errno.h>
#include "base/ensure.h"
#include "base/utf8.h"

/* The whole body was there and nothing is left over. */
static int
session_msg_verdict(const struct reader *r)
{
	return r->failed || reader_left(r) > 0 ? -EBADMSG : 0;
}

/* --- HELLO --------------------------------------------------------------------------------------- */

void
session_msg_hello_encode(struct writer *w, const struct session_msg_hello *hello)
{
	size_t before = writer_len(w);

	ensure(hello->name_len <= SESSION_MSG_PRODUCER_NAME_MAX);
	writer_u8(w, hello->ver_min);
	writer_u8(w, hello->ver_max);
	writer_u8(w, hello->auth);
	writer_u8(w, hello->flags);
	writer_le32(w, hello->key_id);
	writer_copy(w, hello->client_nonce, SESSION_MSG_NONCE_BYTES);
	writer_le64(w, (uint64_t)hello->producer_id);
	writer_le16(w, (uint16_t)hello->producer_epoch);
	writer_le16(w, hello->max_datagram);
	writer_le16(w, hello->lane);
	writer_u8(w, hello->cookie_len);
	writer_u8(w, hello->name_len);
	writer_copy(w, hello->cookie, SESSION_MSG_COOKIE_BYTES);
	writer_copy(w, hello->name, hello->name_len);
	if (!w->failed) {
		writer_zeros(w, SESSION_MSG_HELLO_BYTES_MIN - (writer_len(w) - before));
	}
}

static bool
session_msg_all_zero(const uint8_t *bytes, size_t len)
{
	struct reader r = reader_init(bytes, len);

	return reader_zeros(&r, len);
}

/* The rules between fields of a HELLO that is whole. */
static bool
session_msg_hello_sound(const struct session_msg_hello *h)
{
	uint8_t known = SESSION_MSG_JOIN | SESSION_MSG_BUMP;

	if (session_msg_all_zero(h->client_nonce, SESSION_MSG_NONCE_BYTES)) {
		return false;
	}
	if ((h->flags & ~known) || (h->flags & known) == known) {
		return false;
	}
	if (h->auth > SESSION_MSG_AUTH_ENCRYPTED || h->max_datagram < SESSION_MSG_DATAGRAM_MIN) {
		return false;
	}
	if (h->cookie_len != 0 && h->cookie_len != SESSION_MSG_COOKIE_BYTES) {
		return false;
	}
	if (h->cookie_len == 0 && !session_msg_all_zero(h->cookie, SESSION_MSG_COOKIE_BYTES)) {
		return false;
	}
	if (h->producer_id >= 0 && h->flags == 0) {
		return false;
	}
	return utf8_valid(h->name, h->name_len);
}

int
session_msg_hello_decode(const uint8_t *body, size_t len, struct session_msg_hello *ret_hello)
{
	struct reader r = reader_init(body, len);
	struct session_msg_hello *h = ret_hello;

	if (len < SESSION_MSG_HELLO_BYTES_MIN) {
		return -EBADMSG;
	}
	h->ver_min = reader_u8(&r);
	h->ver_max = reader_u8(&r);
	h->auth = reader_u8(&r);
	h->flags = reader_u8(&r);
	h->key_id = reader_le32(&r);
	reader_copy(&r, h->client_nonce, SESSION_MSG_NONCE_BYTES);
	h->producer_id = (int64_t)reader_le64(&r);
	h->producer_epoch = (int16_t)reader_le16(&r);
	h->max_datagram = reader_le16(&r);
	h->lane = reader_le16(&r);
	h->cookie_len = reader_u8(&r);
	h->name_len = reader_u8(&r);
	reader_copy(&r, h->cookie, SESSION_MSG_COOKIE_BYTES);
	if (h->name_len > SESSION_MSG_PRODUCER_NAME_MAX) {
		return -EBADMSG;
	}
	reader_copy(&r, h->name, h->name_len);
	if (!reader_zeros(&r, reader_left(&r))) {
		return -EBADMSG;
	}
	return session_msg_hello_sound(h) ? 0 : -EBADMSG;
}

bool
session_msg_hello_speaks(const struct session_msg_hello *hello)
{
	return hello->ver_min <= FRAME_PROTOCOL_VERSION && hello->ver_max >= FRAME_PROTOCOL_VERSION;
}

const uint8_t *
session_msg_hello_nonce(const uint8_t *body, size_t len)
{
	struct reader r = reader_init(body, len);

	reader_skip(&r, 8);
	return reader_bytes(&r, SESSION_MSG_NONCE_BYTES);
}

/* --- RETRY, ACCEPT, VERSION ----------------------------------------------------------------------- */

void
session_msg_retry_encode(struct writer *w, const struct session_msg_retry *retry)
{
	writer_copy(w, retry->client_nonce, SESSION_MSG_NONCE_BYTES);
	writer_copy(w, retry->cookie, SESSION_MSG_COOKIE_BYTES);
	writer_le16(w, retry->lane);
	writer_le16(w, retry->lane_port);
	writer_zeros(w, 4);
}

int
session_msg_retry_decode(const uint8_t *body, size_t len, struct session_msg_retry *ret_retry)
{
	struct reader r = reader_init(body, len);

	reader_copy(&r, ret_retry->client_nonce, SESSION_MSG_NONCE_BYTES);
	reader_copy(&r, ret_retry->cookie, SESSION_MSG_COOKIE_BYTES);
	ret_retry->lane = reader_le16(&r);
	ret_retry->lane_port = reader_le16(&r);
	reader_skip(&r, 4);
	return session_msg_verdict(&r);
}

void
session_msg_accept_encode(struct writer *w, const struct session_msg_accept *accept)
{
	writer_copy(w, accept->client_nonce, SESSION_MSG_NONCE_BYTES);
	writer_copy(w, accept->server_nonce, SESSION_MSG_NONCE_BYTES);
	writer_le64(w, (uint64_t)accept->producer_id);
	writer_le16(w, (uint16_t)accept->producer_epoch);
	writer_le16(w, accept->lane);
	writer_le16(w, accept->lane_count);
	writer_le16(w, accept->max_datagram);
	writer_le32(w, accept->max_batch_bytes);
	writer_le32(w, accept->idle_timeout_ms);
	writer_le32(w, accept->ack_delay_max_us);
	writer_le16(w, accept->ack_every);
	writer_le16(w, accept->pn_window);
	writer_le64(w, accept->credit_bytes);
	writer_le64(w, accept->credit_pkts);
	writer_le64(w, accept->wall_us);
	writer_le64(w, accept->boot_id);
	writer_copy(w, accept->reset_token, SESSION_MSG_TOKEN_BYTES);
}

int
session_msg_accept_decode(const uint8_t *body, size_t len, struct session_msg_accept *ret_accept)
{
	struct reader r = reader_init(body, len);
	struct session_msg_accept *a = ret_accept;

	reader_copy(&r, a->client_nonce, SESSION_MSG_NONCE_BYTES);
	reader_copy(&r, a->server_nonce, SESSION_MSG_NONCE_BYTES);
	a->producer_id = (int64_t)reader_le64(&r);
	a->producer_epoch = (int16_t)reader_le16(&r);
	a->lane = reader_le16(&r);
	a->lane_count = reader_le16(&r);
	a->max_datagram = reader_le16(&r);
	a->max_batch_bytes = reader_le32(&r);
	a->idle_timeout_ms = reader_le32(&r);
	a->ack_delay_max_us = reader_le32(&r);
	a->ack_every = reader_le16(&r);
	a->pn_window = reader_le16(&r);
	a->credit_bytes = reader_le64(&r);
	a->credit_pkts = reader_le64(&r);
	a->wall_us = reader_le64(&r);
	a->boot_id = reader_le64(&r);
	reader_copy(&r, a->reset_token, SESSION_MSG_TOKEN_BYTES);
	return session_msg_verdict(&r);
}

void
session_msg_version_encode(struct writer *w, const struct session_msg_version *version)
{
	writer_copy(w, version->client_nonce, SESSION_MSG_NONCE_BYTES);
	writer_u8(w, version->ver_min);
	writer_u8(w, version->ver_max);
	writer_zeros(w, 2);
}

int
session_msg_version_decode(const uint8_t *body, size_t len, struct session_msg_version *ret_version)
{
	struct reader r = reader_init(body, len);

	reader_copy(&r, ret_version->client_nonce, SESSION_MSG_NONCE_BYTES);
	ret_version->ver_min = reader_u8(&r);
	ret_version->ver_max = reader_u8(&r);
	reader_skip(&r, 2);
	return session_msg_verdict(&r);
}

/* --- RESOLVE, RESOLVED ------------------------------------------------------------------------------ */

void
session_msg_resolve_encode(struct writer *w, const struct session_msg_resolve *resolve)
{
	writer_le32(w, resolve->request_id);
	writer_le32(w, resolve->first_partition);
	writer_u8(w, resolve->name_len);
	writer_u8(w, resolve->flags);
	writer_zeros(w, 2);
	writer_copy(w, resolve->name, resolve->name_len);
}

int
session_msg_resolve_decode(const uint8_t *body, size_t len, struct session_msg_resolve *ret_resolve)
{
	struct reader r = reader_init(body, len);

	ret_resolve->request_id = reader_le32(&r);
	ret_resolve->first_partition = reader_le32(&r);
	ret_resolve->name_len = reader_u8(&r);
	ret_resolve->flags = reader_u8(&r);
	reader_skip(&r, 2);
	ret_resolve->name = reader_bytes(&r, ret_resolve->name_len);
	return session_msg_verdict(&r);
}

bool
session_msg_topic_name_valid(const uint8_t *name, size_t len)
{
	if (len < 1 || len > SESSION_MSG_TOPIC_NAME_MAX) {
		return false;
	}
	if (len <= 2 && memcmp(name, "..", len) == 0) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		uint8_t lower = name[i] | 0x20;
		bool letter = lower >= 'a' && lower <= 'z';
		bool digit = name[i] >= '0' && name[i] <= '9';

		if (!letter && !digit && name[i] != '.' && name[i] != '_' && name[i] != '-') {
			return false;
		}
	}
	return true;
}

void
session_msg_resolved_encode(struct writer *w, const struct session_msg_resolved *resolved)
{
	ensure(resolved->count <= SESSION_MSG_RESOLVED_MAX);
	writer_le32(w, resolved->request_id);
	writer_le16(w, (uint16_t)resolved->error);
	writer_le16(w, resolved->count);
	writer_le32(w, resolved->partition_count);
	writer_le32(w, resolved->first_partition);
	writer_copy(w, resolved->topic_id, sizeof(resolved->topic_id));
	writer_le32(w, resolved->max_message_bytes);
	writer_le32(w, resolved->metadata_version);
	for (uint32_t i = 0; i < resolved->count; i++) {
		const struct session_msg_resolved_entry *e = &resolved->entries[i];

		writer_le32(w, e->stream);
		writer_le32(w, (uint32_t)e->leader_epoch);
		writer_le16(w, e->lane);
		writer_le16(w, e->flags);
	}
}

int
session_msg_resolved_decode(const uint8_t *body, size_t len,
	struct session_msg_resolved *ret_resolved)
{
	struct reader r = reader_init(body, len);
	struct session_msg_resolved *d = ret_resolved;

	d->request_id = reader_le32(&r);
	d->error = (int16_t)reader_le16(&r);
	d->count = reader_le16(&r);
	d->partition_count = reader_le32(&r);
	d->first_partition = reader_le32(&r);
	reader_copy(&r, d->topic_id, sizeof(d->topic_id));
	d->max_message_bytes = reader_le32(&r);
	d->metadata_version = reader_le32(&r);
	if (d->count > SESSION_MSG_RESOLVED_MAX) {
		return -EBADMSG;
	}
	for (uint32_t i = 0; i < d->count; i++) {
		struct session_msg_resolved_entry *e = &d->entries[i];

		e->stream = reader_le32(&r);
		e->leader_epoch = (int32_t)reader_le32(&r);
		e->lane = reader_le16(&r);
		e->flags = reader_le16(&r);
	}
	return session_msg_verdict(&r);
}

/* --- ACK ---------------------------------------------------------------------------------------------- */

void
session_msg_ack_encode(struct writer *w, const struct session_msg_ack *ack)
{
	ensure(ack->words <= SESSION_MSG_ACK_WORDS_MAX);
	ensure(ack->entries <= SESSION_MSG_ACK_ENTRIES_MAX);
	writer_le64(w, ack->recv_upto);
	writer_le64(w, ack->echo_pn);
	writer_le32(w, ack->echo_send_us);
	writer_le32(w, ack->echo_delay_us);
	writer_le64(w, ack->credit_bytes);
	writer_le64(w, ack->credit_pkts);
	writer_le32(w, ack->ecn_ce);
	writer_le16(w, ack->busy);
	writer_u8(w, ack->words);
	writer_u8(w, ack->entries);
	for (uint32_t i = 0; i < ack->words; i++) {
		writer_le64(w, ack->bitmap[i]);
	}
	for (uint32_t i = 0; i < ack->entries; i++) {
		const struct session_msg_ack_entry *e = &ack->entry[i];

		writer_le32(w, e->stream);
		writer_le32(w, (uint32_t)e->received_seq);
		writer_le32(w, (uint32_t)e->durable_seq);
		writer_le16(w, (uint16_t)e->error);
		writer_zeros(w, 2);
		writer_le32(w, (uint32_t)e->error_seq);
		writer_zeros(w, 4);
		writer_le64(w, (uint64_t)e->durable_offset);
	}
}

static void
session_msg_ack_entry_decode(struct reader *r, struct session_msg_ack_entry *ret_entry)
{
	ret_entry->stream = reader_le32(r);
	ret_entry->received_seq = (int32_t)reader_le32(r);
	ret_entry->durable_seq = (int32_t)reader_le32(r);
	ret_entry->error = (int16_t)reader_le16(r);
	reader_skip(r, 2);
	ret_entry->error_seq = (int32_t)reader_le32(r);
	reader_skip(r, 4);
	ret_entry->durable_offset = (int64_t)reader_le64(r);
}

int
session_msg_ack_decode(const uint8_t *body, size_t len, struct session_msg_ack *ret_ack)
{
	struct reader r = reader_init(body, len);
	struct session_msg_ack *a = ret_ack;

	a->recv_upto = reader_le64(&r);
	a->echo_pn = reader_le64(&r);
	a->echo_send_us = reader_le32(&r);
	a->echo_delay_us = reader_le32(&r);
	a->credit_bytes = reader_le64(&r);
	a->credit_pkts = reader_le64(&r);
	a->ecn_ce = reader_le32(&r);
	a->busy = reader_le16(&r);
	a->words = reader_u8(&r);
	a->entries = reader_u8(&r);
	if (a->words > SESSION_MSG_ACK_WORDS_MAX || a->entries > SESSION_MSG_ACK_ENTRIES_MAX) {
		return -EBADMSG;
	}
	for (uint32_t i = 0; i < a->words; i++) {
		a->bitmap[i] = reader_le64(&r);
	}
	for (uint32_t i = 0; i < a->entries; i++) {
		session_msg_ack_entry_decode(&r, &a->entry[i]);
	}
	return session_msg_verdict(&r);
}

/* --- PING, PROBE, PROBED -------------------------------------------------------------------------------- */

void
session_msg_ping_encode(struct writer *w, bool padded)
{
	writer_zeros(w, padded ? SESSION_MSG_PING_PAD_BYTES : 0);
}

int
session_msg_ping_decode(const uint8_t *body, size_t len)
{
	if (len == 0) {
		return 0;
	}
	return len == SESSION_MSG_PING_PAD_BYTES && session_msg_all_zero(body, len) ? 0 : -EBADMSG;
}

void
session_msg_probe_encode(struct writer *w, uint16_t payload_bytes)
{
	ensure(payload_bytes >= FRAME_HEADER_BYTES + 2);
	writer_le16(w, payload_bytes);
	writer_zeros(w, payload_bytes - FRAME_HEADER_BYTES - 2u);
}

int
session_msg_probe_decode(const uint8_t *body, size_t len, uint16_t *ret_size)
{
	struct reader r = reader_init(body, len);

	*ret_size = reader_le16(&r);
	return r.failed ? -EBADMSG : 0;
}

void
session_msg_probed_encode(struct writer *w, uint16_t payload_bytes)
{
	writer_le16(w, payload_bytes);
	writer_zeros(w, 2);
}

int
session_msg_probed_decode(const uint8_t *body, size_t len, uint16_t *ret_size)
{
	struct reader r = reader_init(body, len);

	*ret_size = reader_le16(&r);
	reader_skip(&r, 2);
	return session_msg_verdict(&r);
}

/* --- CLOSE, CLOSED, RESET -------------------------------------------------------------------------------- */

void
session_msg_close_encode(struct writer *w, uint16_t reason)
{
	writer_le16(w, reason);
	writer_zeros(w, SESSION_MSG_CLOSE_BYTES - 2);
}

int
session_msg_close_decode(const uint8_t *body, size_t len, uint16_t *ret_reason)
{
	struct reader r = reader_init(body, len);

	*ret_reason = reader_le16(&r);
	reader_skip(&r, SESSION_MSG_CLOSE_BYTES - 2);
	return session_msg_verdict(&r);
}

void
session_msg_closed_encode(struct writer *w, const struct session_msg_closed *closed)
{
	writer_le16(w, closed->reason);
	writer_zeros(w, 2);
	writer_le32(w, closed->retry_after_ms);
	if (closed->answers_hello) {
		writer_copy(w, closed->client_nonce, SESSION_MSG_NONCE_BYTES);
	}
}

int
session_msg_closed_decode(const uint8_t *body, size_t len, struct session_msg_closed *ret_closed)
{
	struct reader r = reader_init(body, len);

	ret_closed->reason = reader_le16(&r);
	reader_skip(&r, 2);
	ret_closed->retry_after_ms = reader_le32(&r);
	ret_closed->answers_hello = len == SESSION_MSG_CLOSED_HELLO_BYTES;
	memset(ret_closed->client_nonce, 0, SESSION_MSG_NONCE_BYTES);
	if (ret_closed->answers_hello) {
		reader_copy(&r, ret_closed->client_nonce, SESSION_MSG_NONCE_BYTES);
	}
	return session_msg_verdict(&r);
}

void
session_msg_reset_encode(struct writer *w, const struct session_msg_reset *reset)
{
	writer_copy(w, reset->reset_token, SESSION_MSG_TOKEN_BYTES);
	writer_le16(w, reset->reason);
	writer_zeros(w, 2);
}

int
session_msg_reset_decode(const uint8_t *body, size_t len, struct session_msg_reset *ret_reset)
{
	struct reader r = reader_init(body, len);

	reader_copy(&r, ret_reset->reset_token, SESSION_MSG_TOKEN_BYTES);
	ret_reset->reason = reader_le16(&r);
	reader_skip(&r, 2);
	return session_msg_verdict(&r);
}
