/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/broker/topics_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "base/errcode.h"
#include "base/log.h"

/* --- requests ----------------------------------------------------------------------------------- */

static json_t *
topics_record(const struct topics *t, uint32_t topic_index, const struct topic_config *config)
{
	json_t *record = topics_id_record(t, topic_index, "topic");
	json_t *configs = json_object();
	char value[64];

	for (int i = 0; i < TOPIC_CONFIG_COUNT; i++) {
		if (config->set[i]) {
			topic_config_format(config, i, value, sizeof(value));
			json_object_set_new(configs, topic_config_name(i), json_string(value));
		}
	}
	json_object_set_new(record, "partitions",
		json_integer(topics_route(t, topic_index)->partition_count));
	json_object_set_new(record, "configs", configs);
	return record;
}

static int
topics_check_configs(struct topic_config *config, uint32_t count, const char *const *names,
	const char *const *values, char *text, uint32_t text_bytes)
{
	for (uint32_t i = 0; i < count; i++) {
		int rc = topic_config_set(config, names[i], values[i], text, text_bytes);

		if (rc < 0) {
			return rc;
		}
	}
	return 0;
}

void
topics_add(struct topics *t, const struct broker_topic_create *create, broker_done_fn done,
	void *user_data)
{
	uint32_t partitions = create->partitions ? create->partitions : t->options.partitions_default;
	uint32_t used = atomic_load_explicit(&t->options.routes->partition_count, memory_order_relaxed);
	struct topic_config config;
	uint8_t topic_id[16];
	char text[256];
	uint32_t index;

	topic_config_init(&config, &t->options.topic_defaults);
	if (!topics_name_valid(create->name, strlen(create->name)) ||
		(strncmp(create->name, "__", 2) == 0 && !create->internal)) {
		done(user_data, KAFKA_INVALID_TOPIC_EXCEPTION,
			"want 1 to 249 of [A-Za-z0-9._-], not starting with __");
		return;
	}
	index = topics_find(t, create->name, strlen(create->name));
	if (index != NO_TOPIC && t->topics[index].state != TOPIC_FAILED) {
		done(user_data, KAFKA_TOPIC_ALREADY_EXISTS, t->topics[index].state == TOPIC_DAMAGED ?
			"exists already, but partition directories are missing: put them back and start again, or "
			"delete it" : "exists already");
		return;
	}
	if (partitions == 0 || used + partitions > t->options.routes->partitions_max) {
		snprintf(text, sizeof(text),
			"%u partitions do not fit: %u of %u are in use (log.partitions.max), those deleted since "
			"the start included", partitions, used, t->options.routes->partitions_max);
		done(user_data, KAFKA_INVALID_PARTITIONS, text);
		return;
	}
	if (topics_check_configs(&config, create->config_count, create->config_names,
		    create->config_values, text, sizeof(text)) < 0) {
		done(user_data, KAFKA_INVALID_CONFIG, text);
		return;
	}
	if (topics_free_index(t) == NO_TOPIC) {
		done(user_data, KAFKA_POLICY_VIOLATION,
			"the topic table is full; topics deleted since the start leave it with the next one");
		return;
	}
	if (create->validate_only) {
		done(user_data, 0, "");
		return;
	}
	rand_fill(t->options.rand, topic_id, sizeof(topic_id));
	index = topics_new(t, create->name, topic_id, partitions);
	ensure(index != NO_TOPIC);
	t->topics[index].config = config;
	t->topics[index].done = done;
	t->topics[index].done_user_data = user_data;
	if (topics_append(t, index, topics_record(t, index, &config), topics_record_durable) < 0) {
		topics_finish(t, index, TOPIC_DELETED, KAFKA_THROTTLING_QUOTA_EXCEEDED,
			"too many changes at once; try again");
	}
}

/* The topic's index if people may ask for changes of it, else answers and returns NO_TOPIC. */
static uint32_t
topics_own(struct topics *t, const char *name, broker_done_fn done, void *user_data)
{
	uint32_t index = topics_find(t, name, strlen(name));

	if (index == NO_TOPIC) {
		done(user_data, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "no such topic");
		return NO_TOPIC;
	}
	if (ROUTE_READ(topics_route(t, index)->flags) & ROUTE_INTERNAL) {
		done(user_data, KAFKA_INVALID_TOPIC_EXCEPTION, "internal topic");
		return NO_TOPIC;
	}
	return index;
}

static void
topics_refuse_change(const struct topic *topic, broker_done_fn done, void *user_data)
{
	switch (topic->state) {
	case TOPIC_FAILED:
		done(user_data, topic->error, topic->why);
		break;
	case TOPIC_DAMAGED:
		done(user_data, KAFKA_KAFKA_STORAGE_ERROR,
			"partition directories are missing: put them back and start again, or delete it");
		break;
	default:
		done(user_data, KAFKA_LEADER_NOT_AVAILABLE, "being created, changed or deleted; try again");
	}
}

void
topics_delete(struct topics *t, const char *name, bool validate_only, broker_done_fn done, void *user_data)
{
	uint32_t index = topics_own(t, name, done, user_data);
	struct topic *topic;

	if (index == NO_TOPIC) {
		return;
	}
	topic = &t->topics[index];
	if (topic->altering || (topic->state != TOPIC_OPEN && topic->state != TOPIC_FAILED &&
				       topic->state != TOPIC_DAMAGED)) {
		done(user_data, KAFKA_LEADER_NOT_AVAILABLE, "being created, changed or deleted; try again");
		return;
	}
	if (validate_only) {
		done(user_data, 0, "");
		return;
	}
	if (topics_append(t, index, topics_id_record(t, index, "topic_deleted"),
		    topics_delete_durable) < 0) {
		done(user_data, KAFKA_THROTTLING_QUOTA_EXCEEDED, "too many changes at once; try again");
		return;
	}
	topic->before = topic->state;
	topics_set_state(topic, TOPIC_DELETE_RECORDING);
	topic->done = done;
	topic->done_user_data = user_data;
}

static void
topics_alter_durable(void *user_data, int16_t error)
{
	struct command *link = user_data;
	struct topics *t = link->done_user_data;
	uint32_t index = link->topic_index;

	link->in_use = false;
	t->topics[index].altering = false;
	if (!error) {
		t->topics[index].config = t->topics[index].asked;
		t->topics[index].config_step = 0;
		topics_publish_change(t, index);
	}
	topics_finish(t, index, TOPIC_OPEN, error, error ? "metadata log refused the record" : "");
}

void
topics_alter(struct topics *t, const struct broker_topic_alter *alter, broker_done_fn done, void *user_data)
{
	uint32_t index = topics_own(t, alter->name, done, user_data);
	struct topic_config config;
	char text[256];

	if (index == NO_TOPIC) {
		return;
	}
	if (t->topics[index].state != TOPIC_OPEN || t->topics[index].altering) {
		topics_refuse_change(&t->topics[index], done, user_data);
		return;
	}
	config = t->topics[index].config;
	if (topics_check_configs(&config, alter->config_count, alter->config_names, alter->config_values, text,
		    sizeof(text)) < 0) {
		done(user_data, KAFKA_INVALID_CONFIG, text);
		return;
	}
	if (alter->validate_only) {
		done(user_data, 0, "");
		return;
	}
	if (topics_append(t, index, topics_record(t, index, &config), topics_alter_durable) < 0) {
		done(user_data, KAFKA_THROTTLING_QUOTA_EXCEEDED, "too many changes at once; try again");
		return;
	}
	t->topics[index].altering = true;
	t->topics[index].asked = config;
	t->topics[index].done = done;
	t->topics[index].done_user_data = user_data;
}

/* A command of an open topic's partition; NULL with the reason why there is none. */
static struct command *
partition_command(struct topics *t, const char *name, uint32_t partition, enum command_use use,
	enum log_command_kind kind, int16_t *ret_error)
{
	uint32_t index = topics_find(t, name, strlen(name));
	struct command *c;

	if (index == NO_TOPIC || t->topics[index].state != TOPIC_OPEN ||
		partition >= topics_route(t, index)->partition_count) {
		*ret_error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
		return NULL;
	}
	c = topics_partition_command(t, use, kind, index);
	if (!c) {
		*ret_error = KAFKA_THROTTLING_QUOTA_EXCEEDED;
		return NULL;
	}
	c->log.partition = partition;
	c->log.partition_index = topics_route(t, index)->first_partition_index + partition;
	return c;
}

void
topics_roll(struct topics *t, const char *name, uint32_t partition, broker_done_fn done,
	void *user_data)
{
	int16_t error = KAFKA_NONE;
	struct command *c = partition_command(t, name, partition, COMMAND_ROLL, LOG_COMMAND_ROLL, &error);

	if (!c) {
		done(user_data, error,
			error == KAFKA_THROTTLING_QUOTA_EXCEEDED ? "too many commands at once; try again"
								 : "no such topic or partition");
		return;
	}
	c->done = done;
	c->done_user_data = user_data;
}

void
topics_repair(struct topics *t, const char *name, uint32_t partition, const struct log_repair *asked,
	broker_repaired_fn done, void *user_data)
{
	int16_t error = KAFKA_NONE;
	struct command *c = partition_command(t, name, partition, COMMAND_REPAIR, LOG_COMMAND_REPAIR, &error);

	if (!c) {
		done(user_data, error, asked, 0);
		return;
	}
	c->log.repair = *asked;
	c->repaired = done;
	c->done_user_data = user_data;
}

/* The shards of what is on its way for one topic. */
static uint32_t
topics_shards_asked(const struct topics *t, uint32_t topic_index)
{
	uint32_t shards = 0;

	for (uint32_t i = 0; i < COMMANDS_MAX; i++) {
		const struct command *c = &t->commands[i];

		if (!c->in_use || c->topic_index != topic_index || c->use == COMMAND_ROLL ||
			c->use == COMMAND_REPAIR) { /* those two change a partition, not the topic */
			continue;
		}
		shards |= 1u << (c->use == COMMAND_METADATA ? metadata_shard(t->metadata)
							    : logstore_shard_of(c->log.topic_id, c->log.partition,
								      t->options.shard_count));
	}
	return shards;
}

uint32_t
topics_waits(const struct topics *t, const char *name)
{
	uint32_t index = topics_find(t, name, strlen(name));

	if (index == NO_TOPIC) {
		return 0;
	}
	if (t->topics[index].state == TOPIC_CREATING && t->creating != NO_TOPIC) {
		index = t->creating; /* the others wait behind this one */
	}
	return topics_shards_asked(t, index);
}

int
topics_os_error(const struct topics *t)
{
	return t->os_error;
}
