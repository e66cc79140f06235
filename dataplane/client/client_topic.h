/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics by name: RESOLVE paging and repeats, and the handles it yields, which hold within one boot
 * of the server. I/O thread only.
 *
 *   RESOLVING --last page--> READY --busy 16, error 3, other boot--> RESOLVING (records go on waiting)
 *       `--refused for good--> FAILED --asked again after a second--> RESOLVING
 */
#ifndef CLIENT_CLIENT_TOPIC_H
#define CLIENT_CLIENT_TOPIC_H

#include <stdbool.h>
#include <stdint.h>
#include "client/client_core.h"
#include "client/client_partitioner.h"
#include "wire/native/session_msg.h"

enum client_topic_state {
	CLIENT_TOPIC_RESOLVING,
	CLIENT_TOPIC_READY,
	CLIENT_TOPIC_FAILED,
};

struct client_topic {
	char name[SESSION_MSG_TOPIC_NAME_MAX + 1];
	struct client_sticky sticky;
	uint64_t ask_ns;     /* when to send RESOLVE (again) */
	uint64_t asked_ns;   /* start of the last round of asking */
	uint64_t wait_ns;    /* of the repeat timer, doubling */
	uint32_t request_id; /* of the page awaited, 0 none */
	uint32_t next_partition;
	uint32_t partition_count; /* 0: never resolved */
	uint32_t max_message_bytes;
	uint32_t metadata_version;
	int16_t error; /* FAILED */
	uint8_t name_len;
	uint8_t state; /* enum client_topic_state */
};

void client_topic_init(struct client_topic *topic, const char *name);
/* Asks (again) for all partitions. */
void client_topic_ask(struct client_topic *topic, uint64_t now_ns);
/* Sends what is due; returns the next deadline. */
uint64_t client_topic_poll(struct client_core *core, struct client_topic *topic, uint64_t now_ns);
void client_topic_resolved(struct client_core *core, const struct session_msg_resolved *resolved,
	uint64_t now_ns);

#endif
