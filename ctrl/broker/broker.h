/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker's slow path: topics, their settings, producer ids, names and epochs. All of it is kept
 * as records of the internal topic __penstock_metadata (one JSON object a record, keyed by what it
 * is about), and every answer that depends on such a record waits until the record is durable.
 *
 * Control thread only. Nothing here blocks: work advances in broker_poll and answers by callback.
 */
#ifndef CTRL_BROKER_H
#define CTRL_BROKER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/handoff.h"
#include "base/rand.h"
#include "base/ring.h"
#include "base/route_table.h"
#include "logstore/logstore.h"

#define BROKER_METADATA_TOPIC "__penstock_metadata"
#define BROKER_CHANGES_MAX 64 /* commands and records about topics on their way at once */

struct broker;

enum broker_state {
	BROKER_LOADING,	 /* reading the metadata log, or making it */
	BROKER_RUNNING,
	BROKER_FAILED,	 /* metadata unreadable: told in broker_failure() */
};

struct broker_options {
	struct clock *clock;
	struct rand *rand;
	struct logstore *store;
	struct route_table *routes;
	uint16_t client;	/* control's index among the log's clients */
	uint16_t shard_count;
	uint16_t lane_count;
	uint32_t partitions_default; /* num.partitions, for auto-creation */
	bool auto_create;	     /* auto.create.topics.enable */
	struct log_topic_config topic_defaults;
	struct ring *append_req[HANDOFF_SHARDS_MAX];
	struct ring *append_done[HANDOFF_SHARDS_MAX];
	struct ring *read_req[HANDOFF_SHARDS_MAX];
	struct ring *read_done[HANDOFF_SHARDS_MAX];
	struct ring *extent_release[HANDOFF_SHARDS_MAX];
	struct ring *control_ask[16];	 /* [lane] */
	struct ring *control_answer[16];
};

int broker_create(const struct broker_options *options, struct broker **ret_broker) MUST_CHECK;
/* What is not answered yet is answered from here with BROKER_NOT_AVAILABLE; who is told asks the broker nothing. */
void broker_destroy(struct broker *broker);
/* Feed for logstore_recover: registers a partition directory that was found. */
void broker_found(struct broker *broker, uint32_t partition_index, const char *topic,
	uint32_t partition, const uint8_t topic_id[16]);
/* One bounded step; returns work done. */
uint32_t broker_poll(struct broker *broker, uint64_t now_ns);
enum broker_state broker_state(const struct broker *broker);
const char *broker_failure(const struct broker *broker);

/* Called exactly once, at the latest by broker_destroy. error 0 or a Kafka code; text names the object and the reason. */
typedef void (*broker_done_fn)(void *user_data, int16_t error, const char *text);

/*
 * Inside a broker_done_fn that is told KAFKA_STORAGE_ERROR: the errno behind it; 0: the log names none, or its
 * log line does.
 */
int broker_os_error(const struct broker *broker);

struct broker_topic_create {
	const char *name;
	uint32_t partitions; /* 0: the default */
	uint32_t config_count;
	const char *const *config_names; /* Kafka's names */
	const char *const *config_values;
	bool validate_only;
	bool internal;
};

/* Answers once all partitions are writable and the record is durable. Copies its arguments. */
void broker_topic_create(struct broker *broker, const struct broker_topic_create *create,
	broker_done_fn done, void *user_data);
/* validate_only: answers at once what would be answered, as far as the topic's state says it, and changes nothing. */
void broker_topic_delete(struct broker *broker, const char *name, bool validate_only, broker_done_fn done,
	void *user_data);

struct broker_topic_alter {
	const char *name;
	uint32_t config_count;
	const char *const *config_names; /* Kafka's names */
	const char *const *config_values;
	bool validate_only;
};

/* Answers once the record is durable. Copies its arguments. */
void broker_topic_alter(struct broker *broker, const struct broker_topic_alter *alter, broker_done_fn done,
	void *user_data);
/* The shards that a change of the topic waits for, a bit each; 0: for none, or there is no such topic. */
uint32_t broker_topic_waits(const struct broker *broker, const char *name);
/* Rolls the partition's active segment; text of success: the new base offset in decimal. */
void broker_partition_roll(struct broker *broker, const char *topic, uint32_t partition,
	broker_done_fn done, void *user_data);

/*
 * Ends the quarantine of a partition. `asked` is copied. `done` is called once, on the control thread: what came of it
 * stands in `repair`; with error 0 the partition serves, and its next segment begins at base_offset.
 */
typedef void (*broker_repaired_fn)(void *user_data, int16_t error, const struct log_repair *repair,
	int64_t base_offset);
void broker_partition_repair(struct broker *broker, const char *topic, uint32_t partition,
	const struct log_repair *asked, broker_repaired_fn done, void *user_data);

/* One topic setting as topic.describe shows it. */
struct broker_config_row {
	const char *name;
	char value[64];
	bool is_default;
};

/* A topic as people see it; others than OPEN take no records. */
enum broker_topic_state {
	BROKER_TOPIC_CREATING,
	BROKER_TOPIC_OPEN,
	BROKER_TOPIC_DELETING,
	BROKER_TOPIC_DELETED,
	BROKER_TOPIC_DAMAGED, /* partition directories are missing: put them back, or delete it */
	BROKER_TOPIC_FAILED,  /* could not be made: delete it, or create it again */
	BROKER_TOPIC_STATE_COUNT,
};

enum broker_topic_state broker_topic_state(const struct broker *broker, uint32_t topic_index);
/* NULL: no such topic. Valid until the next broker call. Index into routes->topics. */
const struct route_topic *broker_topic_find(const struct broker *broker, const char *name,
	uint32_t *ret_topic_index);
uint32_t broker_topic_configs(const struct broker *broker, uint32_t topic_index,
	struct broker_config_row *ret_rows, uint32_t max);
/*
 * Whether a topic may have the setting: 0; -ENOENT no such name; -EINVAL a bad value; -ENOTSUP a value that Kafka
 * has and this version has not. text (untouched with 0) says what is wanted.
 */
int broker_config_check(const char *name, const char *value, char *text, uint32_t text_bytes);
/* Names of topic settings that exist, for "nearest" in errors. NULL-terminated. */
const char *const *broker_config_names(void);

/* What the broker itself has put into the log since the start: batches, records, bytes; for ledger E6. */
void broker_stored(const struct broker *broker, uint64_t ret_stored[3]);

struct broker_producer_row {
	int64_t producer_id;
	int16_t epoch;
	char name[HANDOFF_PRODUCER_NAME_MAX + 1];
};

/* False: no such producer. */
bool broker_producer_find(const struct broker *broker, int64_t producer_id,
	struct broker_producer_row *ret_row);

/*
 * Finds an offset by time: error, offset (-1 none at or after), by callback from broker_poll or at
 * once, at the latest from broker_destroy. -EAGAIN: too many are being looked for; no callback, ask again in a later
 * turn.
 */
typedef void (*broker_offset_fn)(void *user_data, int16_t error, int64_t offset);
int broker_offset_by_time(struct broker *broker, uint32_t partition_index, int64_t timestamp_ms,
	broker_offset_fn done, void *user_data) MUST_CHECK;

#endif
