/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics: the table behind __penstock_metadata's topic records and the route table that lanes read.
 *
 * Creating: record "topic" durable -> partitions made one after the other -> record "topic_ready"
 * durable -> route entries opened -> answer. A start that finds a topic without "topic_ready" makes
 * its partitions again: no producer can have written there. Deleting: record "topic_deleted" durable
 * -> routes closed -> partitions deleted -> answer. What cannot be made is undone: partitions deleted
 * -> record "topic_deleted" durable -> the error as answer; without that record the topic is FAILED,
 * which may be deleted or created again (its successor's record puts it away), and which a start makes
 * once more. Control thread only; nothing blocks.
 */
#ifndef CTRL_TOPICS_H
#define CTRL_TOPICS_H

#include <jansson.h>
#include "ctrl/broker/broker.h"
#include "ctrl/broker/metadata.h"
#include "ctrl/broker/topic_config.h"

enum topic_state {
	TOPIC_RECORDING, /* its record is on the way to disk */
	TOPIC_CREATING,	 /* partitions are being made */
	TOPIC_READYING,	 /* the ready record is on the way to disk */
	TOPIC_CONFIGURING, /* found at a start; the log is told its settings before it opens */
	TOPIC_OPEN,
	TOPIC_DELETE_RECORDING,
	TOPIC_DELETING,
	TOPIC_DELETED,
	TOPIC_UNDOING, /* it could not be made; what is there of it is deleted */
	TOPIC_UNDO_RECORDING,
	TOPIC_DAMAGED, /* ready, but partition directories are missing */
	TOPIC_FAILED,  /* could not be made, and the log took no record of that */
	TOPIC_STATE_COUNT,
};

struct topics;

int topics_create(const struct broker_options *options, struct metadata *metadata,
	struct topics **ret_topics) MUST_CHECK;
void topics_destroy(struct topics *topics);
void topics_found(struct topics *topics, uint32_t partition_index, const char *topic,
	uint32_t partition, const uint8_t topic_id[16]);
/* Applies a metadata record; -EBADMSG. */
int topics_replay(struct topics *topics, const json_t *record);
/* Finds or makes the metadata partition; true once metadata_bind was called. */
bool topics_bootstrap(struct topics *topics);
/*
 * Why the metadata partition could not be made, a Kafka code; 0: nothing wrong so far.
 * UNKNOWN_TOPIC_OR_PARTITION: the directory is in use, and must have had one.
 */
int16_t topics_bootstrap_error(const struct topics *topics);
/* After the replay: opens what is whole, takes up what was half done. */
void topics_reconcile(struct topics *topics);
/* No topic waits for the log to know its settings: what a start found is open. */
bool topics_settled(const struct topics *topics);
uint32_t topics_poll(struct topics *topics);

/* Name rules of Kafka: 1..249 of [A-Za-z0-9._-], not "." or "..". */
bool topics_name_valid(const char *name, size_t len);
/* Index or UINT32_MAX. Deleted topics are not found; a failed one only if no other has the name. */
uint32_t topics_find(const struct topics *topics, const char *name, size_t len);
enum topic_state topics_state(const struct topics *topics, uint32_t topic_index);
const struct topic_config *topics_config(const struct topics *topics, uint32_t topic_index);

void topics_add(struct topics *topics, const struct broker_topic_create *create,
	broker_done_fn done, void *user_data);
void topics_delete(struct topics *topics, const char *name, bool validate_only, broker_done_fn done,
	void *user_data);
void topics_alter(struct topics *topics, const struct broker_topic_alter *alter, broker_done_fn done,
	void *user_data);
/* As broker_topic_waits and broker_os_error. */
uint32_t topics_waits(const struct topics *topics, const char *name);
int topics_os_error(const struct topics *topics);
void topics_roll(struct topics *topics, const char *name, uint32_t partition, broker_done_fn done,
	void *user_data);
void topics_repair(struct topics *topics, const char *name, uint32_t partition,
	const struct log_repair *asked, broker_repaired_fn done, void *user_data);

#endif
