/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of `producer.list`: each session's numbers, copied at the end of a turn that touched it,
 * read by any thread. One seqlock a row: odd while the lane writes; readers retry and never wait
 * for long, because a write is 30 words.
 */
#include "base/ensure.h"
#include "ingest/lane.h"

#define ROW_WORDS ((sizeof(struct lane_session_row) + 7) / 8)

union row_words {
	struct lane_session_row row;
	uint64_t words[ROW_WORDS];
};

void
session_row_touch(struct lane *lane, uint32_t session_index)
{
	struct native_session *session = &lane->sessions.sessions[session_index];

	if (!(session->flags & SESSION_TOUCHED)) {
		session->flags |= SESSION_TOUCHED;
		session->touched_next = lane->touched_first;
		lane->touched_first = session_index;
	}
}

static void
row_fill(const struct native_session *session, struct lane_session_row *row)
{
	*row = (struct lane_session_row){
		.session_id = session->session_id, /* 0: ended */
		.producer_id = session->producer_id,
		.producer_epoch = session->producer_epoch,
		.peer = session->peer,
		.credit_bytes = session->credit.credit_bytes,
		.credit_packets = session->credit.credit_pkts,
		.datagrams = session->datagrams,
		.duplicates = session->duplicates,
		.records = session->records,
		.recv_upto = session->pn.upto,
		.streams = session->stream_count,
		.last_rx_time_ns = session->last_rx_ns,
	};
	memcpy(row->name, session->name, session->name_len);
}

static void
row_write(struct lane_row *slot, const uint64_t words[ROW_WORDS])
{
	uint64_t version = atomic_load_explicit(&slot->version, memory_order_relaxed);

	atomic_store_explicit(&slot->version, version + 1, memory_order_relaxed);
	/* Pairs with the acquire fence in row_read: who sees a new word sees the odd version. */
	atomic_thread_fence(memory_order_release);
	for (uint32_t i = 0; i < ROW_WORDS; i++) {
		atomic_store_explicit(&slot->words[i], words[i], memory_order_relaxed);
	}
	atomic_store_explicit(&slot->version, version + 2, memory_order_release);
}

void
session_row_publish(struct lane *lane)
{
	while (lane->touched_first != SESSION_NONE) {
		uint32_t index = lane->touched_first;
		struct native_session *session = &lane->sessions.sessions[index];
		union row_words words;

		memset(&words, 0, sizeof(words));
		row_fill(session, &words.row);
		row_write(&lane->rows[index], words.words);
		lane->touched_first = session->touched_next;
		session->flags &= (uint8_t)~SESSION_TOUCHED;
	}
}

/* False: never used. */
static bool
row_read(struct lane_row *slot, uint64_t ret_words[ROW_WORDS])
{
	for (;;) {
		uint64_t version = atomic_load_explicit(&slot->version, memory_order_acquire);

		if (version == 0) {
			return false;
		}
		for (uint32_t i = 0; i < ROW_WORDS; i++) {
			ret_words[i] = atomic_load_explicit(&slot->words[i], memory_order_relaxed);
		}
		atomic_thread_fence(memory_order_acquire);
		if (version % 2 == 0 &&
			version == atomic_load_explicit(&slot->version, memory_order_relaxed)) {
			return true;
		}
	}
}

uint32_t
lane_sessions(struct lane *lane, uint32_t *place, struct lane_session_row *ret_rows,
	uint32_t *ret_places, uint32_t max)
{
	uint32_t n = 0;
	uint32_t i = *place;

	for (; i < lane->sessions.count && n < max; i++) {
		union row_words words;

		if (!row_read(&lane->rows[i], words.words) || words.row.session_id == 0) {
			continue;
		}
		if (ret_places) {
			ret_places[n] = i;
		}
		ret_rows[n++] = words.row;
	}
	*place = i;
	return n;
}
