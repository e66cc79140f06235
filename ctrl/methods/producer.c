/* SPDX-License-Identifier: Apache-2.0 */
/* producer.list, producer.describe: native sessions as lanes publish them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ctrl/methods/body.h"
#include "ctrl/methods/peer_text.h"

#define ROWS_READ 32 /* at a time */

static json_t *
session_json(const struct engine *engine, uint32_t lane, const struct lane_session_row *s)
{
	uint64_t now_ns = clock_now_ns(engine->clock);
	char session[20];
	char peer[PEER_TEXT_BYTES];

	snprintf(session, sizeof(session), "%016" PRIx64, s->session_id);
	peer_text(&s->peer, peer, sizeof(peer));
	return json_pack("{s:s,s:i,s:I,s:i,s:o,s:s,s:I,s:I,s:I,s:I,s:I,s:i,s:I}", "session", session,
		"lane", (int)lane, "producer_id", (json_int_t)s->producer_id, "epoch",
		(int)s->producer_epoch, "name", problem_string(s->name), "peer", peer, "datagrams",
		(json_int_t)s->datagrams, "records", (json_int_t)s->records, "duplicates",
		(json_int_t)s->duplicates, "credit_bytes", (json_int_t)s->credit_bytes,
		"credit_packets", (json_int_t)s->credit_packets, "streams", (int)s->streams, "idle_ms",
		(json_int_t)(now_ns > s->last_rx_time_ns ? (now_ns - s->last_rx_time_ns) / NS_PER_MS : 0));
}

/* Which sessions are wanted, and what of them one answer holds. */
struct session_page {
	const char *filter; /* in the producer's name; NULL any */
	int64_t producer_id; /* -1 any */
	uint32_t limit;
	uint32_t lane, place; /* where it begins; past its end, where the next one does */
	bool more;
};

/* "LANE.PLACE", the next session's. False: nobody was given that. */
static bool
page_begin(struct session_page *page, const char *cursor, uint32_t lane_count)
{
	char *end;
	unsigned long lane, place;

	if (!cursor) {
		return true;
	}
	lane = strtoul(cursor, &end, 10);
	if (cursor[0] < '0' || cursor[0] > '9' || end[0] != '.' || end[1] < '0' || end[1] > '9') {
		return false;
	}
	place = strtoul(end + 1, &end, 10);
	if (*end != '\0' || lane >= lane_count || place > UINT32_MAX) {
		return false;
	}
	page->lane = (uint32_t)lane;
	page->place = (uint32_t)place;
	return true;
}

static bool
page_wants(const struct session_page *page, const struct lane_session_row *row)
{
	return (!page->filter || strstr(row->name, page->filter)) &&
	       (page->producer_id < 0 || row->producer_id == page->producer_id);
}

/* One lane's share of the page. False: the page is full and there is more. */
static bool
page_lane(const struct engine *engine, struct session_page *page, json_t *list)
{
	struct lane_session_row rows[ROWS_READ];
	uint32_t places[ROWS_READ];
	uint32_t count;

	do {
		count = lane_sessions(engine->lanes[page->lane], &page->place, rows, places, ROWS_READ);
		for (uint32_t i = 0; i < count; i++) {
			rows[i].name[HANDOFF_PRODUCER_NAME_MAX] = '\0';
			if (!page_wants(page, &rows[i])) {
				continue;
			}
			if (json_array_size(list) == page->limit) {
				page->place = places[i];
				return false;
			}
			json_array_append_new(list, session_json(engine, page->lane, &rows[i]));
		}
	} while (count == ROWS_READ);
	return true;
}

static json_t *
page_read(const struct engine *engine, struct session_page *page)
{
	json_t *list = json_array();

	for (; page->lane < engine->lane_count; page->lane++, page->place = 0) {
		if (!page_lane(engine, page, list)) {
			page->more = true;
			break;
		}
	}
	return list;
}

METHOD_BODY(producer_list)
{
	const struct engine *engine = body_engine(call);
	struct session_page page = {
		.filter = params->filter, .producer_id = -1, .limit = params->limit};
	json_t *result;
	char next[24];

	if (!page_begin(&page, params->cursor, engine->lane_count)) {
		rpc_call_error(call, ERROR_NOT_FOUND,
			json_pack("{s:s,s:[],s:[s]}", "what", "cursor", "nearest", "fix",
				"penstock producer list"),
			"no page begins at cursor \"%s\"", params->cursor);
		return;
	}
	result = json_pack("{s:o}", "producers", page_read(engine, &page));
	if (page.more) {
		snprintf(next, sizeof(next), "%u.%u", page.lane, page.place);
		json_object_set_new(result, "next", json_string(next));
	}
	rpc_call_result(call, result);
}

METHOD_BODY(producer_describe)
{
	const struct engine *engine = body_engine(call);
	struct session_page page = {.producer_id = params->id, .limit = UINT32_MAX};
	struct broker_producer_row row;

	if (!broker_producer_find(engine->broker, params->id, &row)) {
		rpc_call_error(call, ERROR_NOT_FOUND,
			json_pack("{s:s,s:[],s:[s]}", "what", "producer", "nearest", "fix",
				"penstock producer list"),
			"no producer with id %" PRId64, params->id);
		return;
	}
	rpc_call_result(call, json_pack("{s:I,s:i,s:o,s:o}", "producer_id",
		(json_int_t)row.producer_id, "epoch", (int)row.epoch, "name", problem_string(row.name),
		"sessions", page_read(engine, &page)));
}
