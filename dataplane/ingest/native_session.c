/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session table (native_session.h): slots, ids, two hash chains, the state diagram. What it
 * does with a lane around it (ending, reaping, sweeping) stands in session_end.c.
 */
#include "ingest/native_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "base/hash.h"
#include "ingest/native_stream.h"

static const bool session_edges[SESSION_STATE_COUNT][SESSION_STATE_COUNT] = {
	[SESSION_FREE] = {[SESSION_ASKING] = true},
	[SESSION_ASKING] = {[SESSION_OPEN] = true, [SESSION_FREE] = true},
	[SESSION_OPEN] = {[SESSION_DRAINING] = true, [SESSION_ENDED] = true},
	[SESSION_DRAINING] = {[SESSION_ENDED] = true},
	[SESSION_ENDED] = {[SESSION_FREE] = true},
};

int
native_session_table_init(
	struct native_session_table *table, uint32_t count, const uint8_t hash_key[16])
{
	uint32_t buckets = 1;

	ensure(count > 0);
	while (buckets < count) {
		buckets *= 2;
	}
	table->sessions = aligned_alloc(CACHE_LINE_BYTES, (size_t)count * sizeof(*table->sessions));
	table->nonce_buckets = malloc((size_t)buckets * sizeof(uint32_t));
	table->producer_buckets = malloc((size_t)buckets * sizeof(uint32_t));
	if (!table->sessions || !table->nonce_buckets || !table->producer_buckets) {
		native_session_table_fini(table);
		return -ENOMEM;
	}
	memset(table->sessions, 0, (size_t)count * sizeof(*table->sessions));
	memset(table->nonce_buckets, 0xff, (size_t)buckets * sizeof(uint32_t));
	memset(table->producer_buckets, 0xff, (size_t)buckets * sizeof(uint32_t));
	for (uint32_t i = 0; i < count; i++) {
		table->sessions[i].nonce_next = i + 1 < count ? i + 1 : SESSION_NONE;
	}
	table->count = count;
	table->used_count = 0;
	table->asking_count = 0;
	table->open_count = 0;
	table->bucket_mask = buckets - 1;
	table->free_head = 0;
	memcpy(table->hash_key, hash_key, sizeof(table->hash_key));
	return 0;
}

void
native_session_table_fini(struct native_session_table *table)
{
	free(table->sessions);
	free(table->nonce_buckets);
	free(table->producer_buckets);
	table->sessions = NULL;
	table->nonce_buckets = NULL;
	table->producer_buckets = NULL;
}

/* Keyed: nonces are the client's choice. */
static uint32_t *
nonce_bucket(const struct native_session_table *table, const uint8_t nonce[SESSION_NONCE_BYTES])
{
	uint64_t hash = hash_siphash24(table->hash_key, nonce, SESSION_NONCE_BYTES);

	return &table->nonce_buckets[hash & table->bucket_mask];
}

static uint32_t *
producer_bucket(const struct native_session_table *table, int64_t producer_id)
{
	uint64_t hash = (uint64_t)producer_id * 0x9e3779b97f4a7c15ull >> 32;

	return &table->producer_buckets[hash & table->bucket_mask];
}

uint32_t
native_session_take(struct native_session_table *table, const struct packet_peer *peer,
	const uint8_t nonce[SESSION_NONCE_BYTES])
{
	uint32_t *bucket = nonce_bucket(table, nonce);
	uint32_t index = table->free_head;

	if (index == SESSION_NONE) {
		return SESSION_NONE;
	}
	struct native_session *session = &table->sessions[index];

	ensure(session->state == SESSION_FREE);
	table->free_head = session->nonce_next;
	*session = (struct native_session){
		.life = (uint16_t)((session->life + 1) % SESSION_LIVES),
		.peer = *peer,
		.stream_first = STREAM_NONE,
		.next_pn = 1,
		.nonce_next = *bucket,
		.producer_next = SESSION_NONE,
		.ended_next = SESSION_NONE,
		.touched_next = SESSION_NONE,
		.ack = {.timed_next = SESSION_NONE,
			.timed_previous = SESSION_NONE,
			.due_next = SESSION_NONE,
			.dirty_first = STREAM_NONE,
			.dirty_last = STREAM_NONE},
	};
	memcpy(session->client_nonce, nonce, SESSION_NONCE_BYTES);
	pn_window_init(&session->pn);
	*bucket = index;
	native_session_set_state(table, session, SESSION_ASKING);
	return index;
}

static void
session_unchain(uint32_t *link, struct native_session *sessions, uint32_t index, bool by_nonce)
{
	while (*link != index) {
		ensure(*link != SESSION_NONE);
		link = by_nonce ? &sessions[*link].nonce_next : &sessions[*link].producer_next;
	}
	*link = by_nonce ? sessions[index].nonce_next : sessions[index].producer_next;
}

/* Out of both chains: the id and the nonce mean nothing any more. */
static void
session_unlink(struct native_session_table *table, struct native_session *session)
{
	uint32_t index = (uint32_t)(session - table->sessions);

	session_unchain(nonce_bucket(table, session->client_nonce), table->sessions, index, true);
	session->nonce_next = SESSION_NONE;
	if (session->state != SESSION_ASKING) {
		session_unchain(producer_bucket(table, session->producer_id), table->sessions,
			index, false);
		session->producer_next = SESSION_NONE;
	}
}

void
native_session_set_state(struct native_session_table *table, struct native_session *session,
	enum native_session_state state)
{
	enum native_session_state from = session->state;

	ensure(session_edges[from][state]);
	if (state == SESSION_ENDED || (from == SESSION_ASKING && state == SESSION_FREE)) {
		session_unlink(table, session);
		session->session_id = 0;
	}
	table->used_count += from == SESSION_FREE;
	table->used_count -= state == SESSION_FREE;
	table->asking_count += state == SESSION_ASKING;
	table->asking_count -= from == SESSION_ASKING;
	table->open_count += state == SESSION_OPEN;
	table->open_count -= state == SESSION_ENDED;
	session->state = (uint8_t)state;
}

void
native_session_give(struct native_session_table *table, uint32_t index)
{
	struct native_session *session = &table->sessions[index];

	ensure(session->stream_count == 0);
	ensure(session->held_count == 0);
	native_session_set_state(table, session, SESSION_FREE);
	session->nonce_next = table->free_head;
	table->free_head = index;
}

uint32_t
native_session_find_hello(const struct native_session_table *table, const struct packet_peer *peer,
	const uint8_t nonce[SESSION_NONCE_BYTES])
{
	uint32_t index = *nonce_bucket(table, nonce);

	while (index != SESSION_NONE) {
		const struct native_session *session = &table->sessions[index];

		if (memcmp(session->client_nonce, nonce, SESSION_NONCE_BYTES) == 0 &&
			native_session_same_peer(&session->peer, peer)) {
			break;
		}
		index = session->nonce_next;
	}
	return index;
}

uint32_t
native_session_find(const struct native_session_table *table, uint64_t session_id)
{
	uint32_t index = frame_session_slot(session_id);

	if (session_id == 0 || index >= table->count) {
		return SESSION_NONE;
	}
	return table->sessions[index].session_id == session_id ? index : SESSION_NONE;
}

void
native_session_fence(struct native_session_table *table, int64_t producer_id, int16_t epoch)
{
	uint32_t index = *producer_bucket(table, producer_id);

	for (; index != SESSION_NONE; index = table->sessions[index].producer_next) {
		struct native_session *session = &table->sessions[index];

		if (session->producer_id == producer_id && session->producer_epoch < epoch) {
			session->flags |= SESSION_FENCED;
		}
	}
}

void
native_session_chain(struct native_session_table *table, uint32_t index)
{
	struct native_session *session = &table->sessions[index];
	uint32_t *bucket = producer_bucket(table, session->producer_id);

	ensure(session->state == SESSION_OPEN);
	session->producer_next = *bucket;
	*bucket = index;
}
