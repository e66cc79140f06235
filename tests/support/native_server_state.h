/* SPDX-License-Identifier: Apache-2.0 */
/* What the reference server remembers (native_server.h): sessions, streams, topics, producers. Tests only. */
#ifndef SUPPORT_NATIVE_SERVER_STATE_H
#define SUPPORT_NATIVE_SERVER_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include "native_server.h"
#include "native_server_log.h"
#include "wire/native/frame.h"
#include "wire/native/session_msg.h"
#include "wire/record_batch.h"

#define SERVER_SESSIONS_MAX 64
#define SERVER_STREAMS_MAX  32
#define SERVER_PARKED_MAX   64
#define SERVER_TOPICS_MAX   16
#define SERVER_PRODUCERS_MAX 1024

struct server_parked {
	uint8_t *bytes;
	uint32_t len;
	struct record_batch batch;
};

struct server_stream {
	uint32_t handle; /* 0 free */
	int32_t received_seq, durable_seq, error_seq;
	int64_t durable_offset;
	int16_t error;
	bool dirty;
	uint32_t parked_count;
	struct server_parked parked[SERVER_PARKED_MAX];
};

struct server_session {
	bool open;
	uint64_t id;
	uint32_t address;
	uint16_t lane;
	uint8_t nonce[16];
	int64_t producer_id;
	int16_t epoch;
	uint16_t max_datagram;
	uint64_t recv_upto, next_pn, last_rx_ns;
	uint64_t seen[FRAME_PN_WINDOW / 64]; /* bit pn % window */
	uint64_t echo_pn, echo_rx_ns;
	uint32_t echo_send_us;
	uint64_t accepted_bytes, accepted_packets, resolved_bytes, resolved_packets;
	bool ack_due;
	struct server_stream streams[SERVER_STREAMS_MAX];
};

struct server_topic {
	char name[SESSION_MSG_TOPIC_NAME_MAX + 1];
	uint32_t first, count;
};

struct server_producer {
	char name[SESSION_MSG_PRODUCER_NAME_MAX + 1];
	int16_t epoch;
};

struct native_server {
	struct native_server_options options;
	struct server_session sessions[SERVER_SESSIONS_MAX];
	struct server_topic topics[SERVER_TOPICS_MAX];
	struct server_producer producers[SERVER_PRODUCERS_MAX];
	struct server_log log;
	struct native_server_counts counts;
	uint32_t topic_count, producer_count;
	bool draining;
	uint32_t handle_base; /* handles differ between boots */
	uint64_t now_ns;
	uint8_t out[9216];
};

#endif
