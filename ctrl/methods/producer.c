/* SPDX-License-Identifier: Apache-2.0 */
/* producer.list, producer.describe: native sessions as lanes publish them. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ctrl/methods/body.h"

#define SESSION_ROWS_MAX 4096

static void
format_peer(const struct packet_peer *peer, char *text, size_t room)
{
	char address[INET6_ADDRSTRLEN];

	if (packet_address_is_ip4(peer->address)) {
		inet_ntop(AF_INET, peer->address + 12, address, sizeof(address));
		snprintf(text, room, "%s:%u", address, peer->port);
	} else {
		inet_ntop(AF_INET6, peer->address, address, sizeof(address));
		snprintf(text, room, "[%s]:%u", address, peer->port);
	}
}

static json_t *
session_json(const struct engine *engine, uint32_t lane, const struct lane_session_row *s)
{
	uint64_t now_ns = clock_now_ns(engine->clock);
	char session[20];
	char peer[64];

	snprintf(session, sizeof(session), "%016" PRIx64, s->session_id);
	format_peer(&s->peer, peer, sizeof(peer));
	return json_pack("{s:s,s:i,s:I,s:i,s:o,s:s,s:I,s:I,s:I,s:I,s:I,s:i,s:I}", "session", session,
		"lane", (int)lane, "producer_id", (json_int_t)s->producer_id, "epoch",
		(int)s->producer_epoch, "name", problem_string(s->name), "peer", peer, "datagrams",
		(json_int_t)s->datagrams, "records", (json_int_t)s->records, "duplicates",
		(json_int_t)s->duplicates, "credit_bytes", (json_int_t)s->credit_bytes,
		"credit_packets", (json_int_t)s->credit_packets, "streams", (int)s->streams, "idle_ms",
		(json_int_t)(now_ns > s->last_rx_time_ns ? (now_ns - s->last_rx_time_ns) / NS_PER_MS : 0));
}

/* Sessions of all lanes; producer_id -1: of everybody. */
static json_t *
sessions(const struct engine *engine, const char *filter, int64_t producer_id, uint32_t limit)
{
	struct lane_session_row *rows = calloc(SESSION_ROWS_MAX, sizeof(*rows));
	json_t *list = json_array();

	for (uint32_t lane = 0; lane < engine->lane_count && rows; lane++) {
		uint32_t count = lane_sessions(engine->lanes[lane], rows, SESSION_ROWS_MAX);

		for (uint32_t i = 0; i < count && json_array_size(list) < limit; i++) {
			rows[i].name[HANDOFF_PRODUCER_NAME_MAX] = '\0';
			if ((!filter || strstr(rows[i].name, filter)) &&
				(producer_id < 0 || rows[i].producer_id == producer_id)) {
				json_array_append_new(list, session_json(engine, lane, &rows[i]));
			}
		}
	}
	free(rows);
	return list;
}

METHOD_BODY(producer_list)
{
	rpc_call_result(call, json_pack("{s:o}", "producers",
		sessions(body_engine(call), params->filter, -1, params->limit)));
}

METHOD_BODY(producer_describe)
{
	const struct engine *engine = body_engine(call);
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
		"sessions", sessions(engine, NULL, params->id, SESSION_ROWS_MAX)));
}
