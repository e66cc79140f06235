/* SPDX-License-Identifier: Apache-2.0 */
/* The reference server's log (native_server_log.h). */
#include "native_server_log.h"

#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "base/errcode.h"
#include "wire/record_batch.h"

uint32_t
server_log_add(struct server_log *log, uint32_t partitions)
{
	uint32_t first = log->partition_count;

	log->partition_count += partitions;
	ensure(log->partition_count <= SERVER_PARTITIONS_MAX);
	return first;
}

void
server_log_free(struct server_log *log)
{
	for (uint32_t p = 0; p < log->partition_count; p++) {
		for (uint32_t i = 0; i < log->partitions[p].count; i++) {
			free(log->partitions[p].entries[i].bytes);
		}
		free(log->partitions[p].entries);
	}
}

struct server_state *
server_log_state(struct server_log *log, uint32_t index, int64_t producer_id)
{
	struct server_partition *partition = &log->partitions[index];

	for (uint32_t i = 0; i < partition->state_count; i++) {
		if (partition->states[i].producer_id == producer_id) {
			return &partition->states[i];
		}
	}
	return NULL;
}

static struct server_state *
log_state_make(struct server_log *log, uint32_t index, int64_t producer_id, int16_t epoch)
{
	struct server_partition *partition = &log->partitions[index];
	struct server_state *state = server_log_state(log, index, producer_id);

	if (!state) {
		ensure(partition->state_count < SERVER_STATES_MAX);
		state = &partition->states[partition->state_count++];
	} else if (state->epoch == epoch) {
		return state;
	}
	*state = (struct server_state){
		.producer_id = producer_id,
		.epoch = epoch,
		.last_seq = -1,
		.last_offset = -1,
		.durable_seq = -1,
		.durable_offset = -1,
	};
	return state;
}

int16_t
server_log_append(struct server_log *log, uint32_t index, const uint8_t *bytes, uint32_t len,
	uint64_t now_ns)
{
	struct server_partition *partition = &log->partitions[index];
	struct record_batch batch;

	ensure(record_batch_decode(bytes, len, &batch) == 0);
	struct server_state *state = server_log_state(log, index, batch.producer_id);

	if (state && batch.producer_epoch < state->epoch) {
		return KAFKA_INVALID_PRODUCER_EPOCH;
	}
	bool fresh = !state || batch.producer_epoch > state->epoch;
	int32_t expected = fresh ? 0 : (int32_t)(((uint32_t)state->last_seq + 1) & 0x7fffffff);

	if (batch.base_sequence != expected) {
		return KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
	}
	state = log_state_make(log, index, batch.producer_id, batch.producer_epoch);
	state->last_seq = record_batch_last_sequence(&batch);
	state->last_offset = partition->end_offset + batch.record_count - 1;
	if (partition->count == partition->room) {
		partition->room = partition->room ? partition->room * 2 : 64;
		partition->entries = realloc(partition->entries,
			partition->room * sizeof(*partition->entries));
		ensure(partition->entries);
	}
	struct server_entry *entry = &partition->entries[partition->count++];

	*entry = (struct server_entry){
		.bytes = malloc(len),
		.len = len,
		.offset = partition->end_offset,
		.durable_ns = now_ns + log->disk_ns,
	};
	ensure(entry->bytes);
	memcpy(entry->bytes, bytes, len);
	partition->end_offset += batch.record_count;
	return 0;
}

static void
log_mark_durable(struct server_log *log, uint32_t index, struct server_entry *entry)
{
	struct record_batch batch;

	ensure(record_batch_decode(entry->bytes, entry->len, &batch) == 0);
	struct server_state *state = server_log_state(log, index, batch.producer_id);

	entry->durable = true;
	if (state && state->epoch == batch.producer_epoch) {
		state->durable_seq = record_batch_last_sequence(&batch);
		state->durable_offset = entry->offset + batch.record_count - 1;
	}
}

uint64_t
server_log_poll(struct server_log *log, uint64_t now_ns)
{
	uint64_t deadline_ns = UINT64_MAX;

	for (uint32_t p = 0; p < log->partition_count && log->running; p++) {
		struct server_partition *partition = &log->partitions[p];

		while (partition->durable_count < partition->count) {
			struct server_entry *entry = &partition->entries[partition->durable_count];

			if (entry->durable_ns > now_ns) {
				deadline_ns = entry->durable_ns < deadline_ns ? entry->durable_ns
									      : deadline_ns;
				break;
			}
			log_mark_durable(log, p, entry);
			partition->durable_count++;
		}
	}
	return deadline_ns;
}

void
server_log_crash(struct server_log *log, struct rand *rand)
{
	for (uint32_t p = 0; p < log->partition_count; p++) {
		struct server_partition *partition = &log->partitions[p];
		uint32_t loose = partition->count - partition->durable_count;
		uint32_t keep = partition->durable_count + (uint32_t)rand_below(rand, loose + 1);

		while (partition->count > keep) {
			struct server_entry *entry = &partition->entries[--partition->count];

			partition->end_offset = entry->offset;
			free(entry->bytes);
		}
		/* Recovery: what is there is durable, and producer state follows from it. */
		partition->state_count = 0;
		for (uint32_t i = 0; i < partition->count; i++) {
			struct record_batch batch;

			ensure(record_batch_decode(partition->entries[i].bytes,
				       partition->entries[i].len, &batch) == 0);
			struct server_state *state =
				log_state_make(log, p, batch.producer_id, batch.producer_epoch);

			state->last_seq = record_batch_last_sequence(&batch);
			state->last_offset = partition->entries[i].offset + batch.record_count - 1;
			log_mark_durable(log, p, &partition->entries[i]);
		}
		partition->durable_count = partition->count;
	}
}

void
server_log_expire(struct server_log *log)
{
	for (uint32_t p = 0; p < log->partition_count; p++) {
		log->partitions[p].state_count = 0;
	}
}
