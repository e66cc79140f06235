/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One producer of the model: a client core, a workload that follows from the seed, and the fate of
 * every record. A record's value begins with who, where and which: client u32, partition u32, number
 * u32 (counted per client and partition), then filling that follows from these.
 */
#ifndef MODEL_MODEL_CLIENT_H
#define MODEL_MODEL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/rand.h"
#include "client/client_core.h"

#define MODEL_VALUE_MAX 1024

enum model_fate {
	MODEL_UNSENT,
	MODEL_PENDING,
	MODEL_DURABLE,
	MODEL_FAILED,
};

struct model_record {
	uint32_t partition;
	uint32_t number; /* within client and partition */
	uint32_t value_bytes;
	uint8_t fate;
	int16_t error;
	int64_t offset;
	int64_t found_offset; /* -1: not in the log */
	uint64_t at_ns;	      /* when it is to be sent */
};

struct model_client_options {
	uint32_t index;
	uint32_t record_count;
	uint32_t partition_count;
	uint32_t value_bytes_max;
	uint64_t interval_ns; /* between records, mean */
	uint64_t linger_ns;
	uint64_t delivery_timeout_ns;
	uint64_t seed;
	bool named;
	void *user_data;
	void (*send)(void *user_data, uint32_t address, uint16_t port, const uint8_t *head,
		uint32_t head_len, const uint8_t *body, uint32_t body_len);
};

struct model_client {
	struct model_client_options options;
	struct client_core *core;
	struct rand rand;
	struct model_record *records;
	uint32_t next;
	uint32_t pending, durable, failed;
	int topic;
	bool blocked;
	char broken[160];
};

void model_client_init(struct model_client *client, const struct model_client_options *options,
	uint64_t now_ns);
void model_client_fini(struct model_client *client);
/* Sends what is due, polls; returns the next deadline. */
uint64_t model_client_poll(struct model_client *client, uint64_t now_ns);
bool model_client_done(const struct model_client *client);
/* address = client index * CLIENT_LANES_MAX + lane. */
void model_client_input(struct model_client *client, uint16_t lane, const uint8_t *bytes,
	uint32_t len, uint64_t now_ns);
void model_client_value(uint32_t client, uint32_t partition, uint32_t number, uint8_t *value,
	uint32_t value_bytes);

#endif
