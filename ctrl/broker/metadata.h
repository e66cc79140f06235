/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata log: partition 0 of __penstock_metadata, one JSON object a record. Appends are queued
 * in a bounded table, sent to the log as batches of one record, and reported once durable. Replayed
 * from its start before anything else is served. Control thread only.
 */
#ifndef CTRL_METADATA_H
#define CTRL_METADATA_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/ring.h"
#include "logstore/logstore.h"

#define METADATA_PENDING_MAX	1024
#define METADATA_RECORD_BYTES	4096 /* one record batch, header included */

typedef void (*metadata_durable_fn)(void *user_data, int16_t error);
/* Called for each record in order during replay; borrowed. */
typedef void (*metadata_replay_fn)(void *user_data, const json_t *record);

struct metadata_options {
	struct clock *clock;
	struct logstore *store;
	uint16_t client;
	metadata_replay_fn replay;
	void *replay_user_data;
	struct ring *append_req[HANDOFF_SHARDS_MAX];
	struct ring *read_req[HANDOFF_SHARDS_MAX];
	struct ring *extent_release[HANDOFF_SHARDS_MAX];
};

struct metadata;

int metadata_create(const struct metadata_options *options, struct metadata **ret_metadata)
	MUST_CHECK;
void metadata_destroy(struct metadata *metadata);
/* The partition exists and serves: start the replay. */
void metadata_bind(struct metadata *metadata, uint32_t partition_index, uint16_t shard);
bool metadata_bound(const struct metadata *metadata);
bool metadata_replayed(const struct metadata *metadata);
/* Whose lcore takes its records; once it is bound. */
uint16_t metadata_shard(const struct metadata *metadata);
/* Batches, records and bytes in the log since the start. */
void metadata_stored(const struct metadata *metadata, uint64_t ret_stored[3]);
/* Kafka code of a failed replay, 0 while all is well. */
int16_t metadata_error(const struct metadata *metadata);

/*
 * Queues one record; takes the reference. `key` says what it is about. Calls durable later, exactly
 * once. -ENOBUFS: too many pending; -EMSGSIZE. In both cases durable is not called.
 */
int metadata_append(struct metadata *metadata, const char *key, json_t *record,
	metadata_durable_fn durable, void *user_data) MUST_CHECK;
/* Answers that the broker took from the control's rings and that are ours. */
void metadata_append_done(struct metadata *metadata, const struct append_done *done);
/* True if the answer was ours. */
bool metadata_read_done(struct metadata *metadata, const struct read_done *done);
uint32_t metadata_poll(struct metadata *metadata);

#endif
