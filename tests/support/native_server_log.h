/* SPDX-License-Identifier: Apache-2.0 */
/* The reference server's log: batches in memory, durable after a while. Tests only. */
#ifndef SUPPORT_NATIVE_SERVER_LOG_H
#define SUPPORT_NATIVE_SERVER_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/rand.h"

#define SERVER_PARTITIONS_MAX 64
#define SERVER_STATES_MAX     256

struct server_entry {
	uint8_t *bytes;
	uint32_t len;
	int64_t offset;
	uint64_t durable_ns; /* when the disk has it */
	bool durable;
};

/* What the log knows of one producer in one partition. */
struct server_state {
	int64_t producer_id;
	int64_t last_offset, durable_offset;
	int32_t last_seq, durable_seq;
	int16_t epoch;
};

struct server_partition {
	struct server_entry *entries;
	uint32_t count, room, durable_count;
	int64_t end_offset;
	uint32_t state_count;
	struct server_state states[SERVER_STATES_MAX];
};

struct server_log {
	struct server_partition partitions[SERVER_PARTITIONS_MAX];
	uint32_t partition_count;
	uint64_t disk_ns;
	bool running;
};

uint32_t server_log_add(struct server_log *log, uint32_t partitions);
void server_log_free(struct server_log *log);
struct server_state *server_log_state(struct server_log *log, uint32_t index, int64_t producer_id);
/* Kafka's rules of an idempotent producer. 0 or the Kafka code. */
int16_t server_log_append(struct server_log *log, uint32_t index, const uint8_t *bytes, uint32_t len,
	uint64_t now_ns);
uint64_t server_log_poll(struct server_log *log, uint64_t now_ns);
void server_log_crash(struct server_log *log, struct rand *rand);
void server_log_expire(struct server_log *log);

#endif
