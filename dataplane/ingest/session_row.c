/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of `producer.list`: each session's numbers, published at the end of a turn that touched it,
 * read by any thread. A version a row, so that a reader retries for one session at a time.
 */
#include "ingest/lane.h"

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

void
session_row_publish(struct lane *lane)
{
	while (lane->touched_first != SESSION_NONE) {
		uint32_t index = lane->touched_first;
		struct native_session *session = &lane->sessions.sessions[index];
		struct lane_row *slot = &lane->rows[index];
		struct lane_session_row row;

		row_fill(session, &row);
		published_store(&slot->version, slot->words, &row, PUBLISHED_WORDS(row));
		lane->touched_first = session->touched_next;
		session->flags &= (uint8_t)~SESSION_TOUCHED;
	}
}

uint32_t
lane_sessions(struct lane *lane, uint32_t *place, struct lane_session_row *ret_rows,
	uint32_t *ret_places, uint32_t max)
{
	uint32_t n = 0;
	uint32_t i = *place;

	for (; i < lane->sessions.count && n < max; i++) {
		struct lane_row *slot = &lane->rows[i];

		if (published_load(&slot->version, slot->words, &ret_rows[n], PUBLISHED_WORDS(ret_rows[n])) == 0 ||
			ret_rows[n].session_id == 0) {
			continue;
		}
		if (ret_places) {
			ret_places[n] = i;
		}
		n++;
	}
	*place = i;
	return n;
}
