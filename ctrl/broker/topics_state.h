/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of topics: the table and its commands to the log, shared by topics.c (states and the turn),
 * topics_remove.c (deleting and undoing), topics_replay.c (what a start finds) and topics_request.c
 * (what people ask). Nobody else includes it.
 */
#ifndef CTRL_TOPICS_STATE_H
#define CTRL_TOPICS_STATE_H

#include "ctrl/broker/topics.h"

#define COMMANDS_MAX	 BROKER_CHANGES_MAX
#define CONFIGS_OUT_MAX	 32 /* of one topic, so that others find room */
#define NO_TOPIC	 UINT32_MAX
#define TOPIC_WHY_BYTES	 128
#define FOUND_NAME_BYTES (HANDOFF_TOPIC_NAME_MAX + 1)

struct topic {
	enum topic_state state;
	enum topic_state before; /* of a deletion: where it goes back to if its record is refused */
	bool ready;	    /* topic_ready seen or written */
	bool opened;	    /* lanes know its index, which is not used again in this boot */
	uint32_t step;	    /* next partition to make or delete */
	uint32_t made;	    /* partitions that a deletion has to delete */
	uint32_t steps_out; /* commands not yet answered */
	uint32_t config_step; /* next partition whose settings the log is told; the count: none */
	uint32_t config_out;
	uint32_t stale_out; /* deletes of half-made partitions that go first */
	int16_t error;
	int os_error; /* with error: errno, 0 unknown */
	char why[TOPIC_WHY_BYTES]; /* with error */
	struct topic_config config;
	bool altering; /* `asked` is on its way to disk; one change at a time, for there is one `done` */
	struct topic_config asked;
	broker_done_fn done;
	void *done_user_data;
};

/* A partition directory that recovery found. */
struct found {
	uint32_t partition_index;
	uint32_t partition;
	uint8_t topic_id[16];
	char topic[FOUND_NAME_BYTES];
	bool claimed;
};

enum command_use {
	COMMAND_METADATA,
	COMMAND_CREATE,
	COMMAND_STALE, /* deletes a half-made or orphaned partition */
	COMMAND_DELETE,
	COMMAND_CONFIG,
	COMMAND_ROLL,
	COMMAND_REPAIR,
};

struct command {
	struct log_command log; /* first: the log gives this pointer back */
	bool in_use;
	bool queued; /* waits for room at the log */
	enum command_use use;
	uint32_t topic_index;
	broker_done_fn done;
	broker_repaired_fn repaired;
	void *done_user_data;
};

struct topics {
	struct broker_options options;
	struct metadata *metadata;
	struct topic *topics; /* parallel to routes->topics */
	struct found *found;
	uint32_t found_count;
	uint32_t found_max;
	bool metadata_asked;
	int16_t metadata_error;
	int os_error; /* of what is being told now */
	uint32_t creating; /* the topic whose partitions the log makes now, NO_TOPIC: none yet */
	struct command commands[COMMANDS_MAX];
};

struct route_topic *topics_route(const struct topics *t, uint32_t topic_index);
uint32_t topics_count(const struct topics *t);
struct command *topics_command(struct topics *t, enum command_use use, uint32_t topic_index);
struct command *topics_partition_command(struct topics *t, enum command_use use,
	enum log_command_kind kind, uint32_t topic_index);
uint32_t topics_free_index(struct topics *t); /* NO_TOPIC: the table is full */
/* Moves it along its life; an edge that does not exist aborts. A new topic is RECORDING. */
void topics_set_state(struct topic *topic, enum topic_state state);
uint32_t topics_new(struct topics *t, const char *name, const uint8_t topic_id[16],
	uint32_t partitions);
void topics_publish_config(struct topics *t, uint32_t topic_index);
void topics_publish_change(struct topics *t, uint32_t topic_index);
void topics_publish_partition(struct topics *t, uint32_t topic_index, uint32_t partition,
	uint32_t partition_index);
void topics_set_routes(struct topics *t, uint32_t topic_index, enum route_state state);
void topics_finish(struct topics *t, uint32_t topic_index, enum topic_state state, int16_t error,
	const char *text);
json_t *topics_id_record(const struct topics *t, uint32_t topic_index, const char *kind);
int topics_append(struct topics *t, uint32_t topic_index, json_t *record,
	metadata_durable_fn durable);
void topics_record_durable(void *user_data, int16_t error);
/* topics_replay.c */
struct found *topics_found_of(struct topics *t, uint32_t topic_index, uint32_t from);
void topics_delete_found(struct topics *t, struct found *f, uint32_t topic_index);
/* topics_remove.c */
void topics_undo(struct topics *t, uint32_t topic_index, int16_t error, int os_error, const char *why);
void topics_delete_durable(void *user_data, int16_t error);
uint32_t topics_advance_deleting(struct topics *t, uint32_t topic_index);

#endif
