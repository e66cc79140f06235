/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/broker/topics_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "base/errcode.h"

#define METADATA_REFUSED "the metadata log refused the record"

struct route_topic *
topics_route(const struct topics *t, uint32_t topic_index)
{
	return &t->options.routes->topics[topic_index];
}

uint32_t
topics_count(const struct topics *t)
{
	return atomic_load_explicit(&t->options.routes->topic_count, memory_order_relaxed);
}

int
topics_create(const struct broker_options *options, struct metadata *metadata,
	struct topics **ret_topics)
{
	struct topics *t = calloc(1, sizeof(*t));

	if (!t) {
		return -ENOMEM;
	}
	t->options = *options;
	t->metadata = metadata;
	t->creating = NO_TOPIC;
	t->found_max = options->routes->partitions_max;
	t->topics = calloc(options->routes->topics_max, sizeof(*t->topics));
	t->found = calloc(t->found_max, sizeof(*t->found));
	if (!t->topics || !t->found) {
		topics_destroy(t);
		return -ENOMEM;
	}
	*ret_topics = t;
	return 0;
}

/* Who asked for a change is told that nobody will answer it any more. */
static void
topics_answer_all(struct topics *t)
{
	for (uint32_t i = 0; i < topics_count(t); i++) {
		topics_finish(t, i, t->topics[i].state, KAFKA_BROKER_NOT_AVAILABLE, "");
	}
	for (uint32_t i = 0; i < COMMANDS_MAX; i++) {
		struct command *c = &t->commands[i];

		if (c->in_use && c->use == COMMAND_ROLL) {
			c->done(c->done_user_data, KAFKA_BROKER_NOT_AVAILABLE, "");
		} else if (c->in_use && c->use == COMMAND_REPAIR) {
			c->repaired(c->done_user_data, KAFKA_BROKER_NOT_AVAILABLE, &c->log.repair, 0);
		}
	}
}

void
topics_destroy(struct topics *t)
{
	if (t) {
		if (t->topics) {
			topics_answer_all(t);
		}
		free(t->topics);
		free(t->found);
		free(t);
	}
}

void
topics_found(struct topics *t, uint32_t partition_index, const char *topic, uint32_t partition,
	const uint8_t topic_id[16])
{
	struct found *f;

	ensure(t->found_count < t->found_max);
	f = &t->found[t->found_count++];
	f->partition_index = partition_index;
	f->partition = partition;
	memcpy(f->topic_id, topic_id, 16);
	snprintf(f->topic, sizeof(f->topic), "%s", topic);
}

bool
topics_name_valid(const char *name, size_t len)
{
	if (len == 0 || len > HANDOFF_TOPIC_NAME_MAX || (len == 1 && name[0] == '.') ||
		(len == 2 && name[0] == '.' && name[1] == '.')) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '.' || c == '_' || c == '-')) {
			return false;
		}
	}
	return true;
}

uint32_t
topics_find(const struct topics *t, const char *name, size_t len)
{
	uint32_t failed = NO_TOPIC;

	for (uint32_t i = 0; i < topics_count(t); i++) {
		const struct route_topic *route = topics_route(t, i);

		if (t->topics[i].state == TOPIC_DELETED || route->name_len != len ||
			memcmp(route->name, name, len) != 0) {
			continue;
		}
		if (t->topics[i].state != TOPIC_FAILED) {
			return i;
		}
		failed = i;
	}
	return failed;
}

enum topic_state
topics_state(const struct topics *t, uint32_t topic_index)
{
	return t->topics[topic_index].state;
}

const struct topic_config *
topics_config(const struct topics *t, uint32_t topic_index)
{
	return &t->topics[topic_index].config;
}

/* --- log commands --------------------------------------------------------------------------- */

struct command *
topics_command(struct topics *t, enum command_use use, uint32_t topic_index)
{
	for (uint32_t i = 0; i < COMMANDS_MAX; i++) {
		struct command *c = &t->commands[i];

		if (!c->in_use) {
			memset(c, 0, sizeof(*c));
			c->in_use = true;
			c->queued = true;
			c->use = use;
			c->topic_index = topic_index;
			return c;
		}
	}
	return NULL;
}

struct command *
topics_partition_command(struct topics *t, enum command_use use, enum log_command_kind kind,
	uint32_t topic_index)
{
	struct command *c = topics_command(t, use, topic_index);

	if (c) {
		const struct route_topic *route = topics_route(t, topic_index);

		c->log.kind = kind;
		snprintf(c->log.topic, sizeof(c->log.topic), "%s", route->name);
		memcpy(c->log.topic_id, route->topic_id, 16);
		topic_config_to_log(&t->topics[topic_index].config, &c->log.config);
	}
	return c;
}

/* A field that lanes may be looking at. */
#define PUBLISH(field, value) atomic_store_explicit(&(field), value, memory_order_relaxed)

/* Behind everything that it stands for. */
static void
topics_raise_version(struct route_topic *route)
{
	atomic_store_explicit(&route->metadata_version, ROUTE_READ(route->metadata_version) + 1,
		memory_order_release);
}

/* --- states ----------------------------------------------------------------------------------- */

/* What topics.h tells of creating and deleting. */
static const bool topic_edges[TOPIC_STATE_COUNT][TOPIC_STATE_COUNT] = {
	[TOPIC_RECORDING] = {[TOPIC_CREATING] = true,
		[TOPIC_CONFIGURING] = true,
		[TOPIC_OPEN] = true, /* the metadata topic itself */
		[TOPIC_DELETED] = true,
		[TOPIC_DAMAGED] = true},
	[TOPIC_CREATING] = {[TOPIC_READYING] = true, [TOPIC_UNDOING] = true},
	[TOPIC_READYING] = {[TOPIC_OPEN] = true, [TOPIC_UNDOING] = true},
	[TOPIC_CONFIGURING] = {[TOPIC_OPEN] = true},
	[TOPIC_OPEN] = {[TOPIC_DELETE_RECORDING] = true},
	[TOPIC_DELETE_RECORDING] = {[TOPIC_OPEN] = true,
		[TOPIC_DELETING] = true,
		[TOPIC_DELETED] = true,
		[TOPIC_DAMAGED] = true,
		[TOPIC_FAILED] = true},
	[TOPIC_DELETING] = {[TOPIC_DELETED] = true},
	[TOPIC_UNDOING] = {[TOPIC_UNDO_RECORDING] = true},
	[TOPIC_UNDO_RECORDING] = {[TOPIC_DELETED] = true, [TOPIC_FAILED] = true},
	[TOPIC_DAMAGED] = {[TOPIC_DELETE_RECORDING] = true},
	[TOPIC_FAILED] = {[TOPIC_DELETE_RECORDING] = true, [TOPIC_DELETED] = true},
};

void
topics_set_state(struct topic *topic, enum topic_state state)
{
	ensure(topic_edges[topic->state][state]);
	topic->state = state;
}

/* --- the table -------------------------------------------------------------------------------- */

/*
 * A place that no lane can know: of a topic that is gone and was never open in this boot. One whose
 * directories wait to be deleted keeps it, for they are told by its id.
 */
uint32_t
topics_free_index(struct topics *t)
{
	uint32_t count = topics_count(t);

	for (uint32_t i = 0; i < count; i++) {
		const struct topic *topic = &t->topics[i];

		if (topic->state == TOPIC_DELETED && !topic->opened && !topics_found_of(t, i, 0)) {
			return i;
		}
	}
	return count < t->options.routes->topics_max ? count : NO_TOPIC;
}

uint32_t
topics_new(struct topics *t, const char *name, const uint8_t topic_id[16], uint32_t partitions)
{
	uint32_t index = topics_free_index(t);
	struct route_topic *route;

	if (index == NO_TOPIC) {
		return NO_TOPIC;
	}
	route = topics_route(t, index);
	memcpy(route->topic_id, topic_id, 16);
	route->partition_count = partitions;
	route->name_len = (uint8_t)strlen(name);
	memcpy(route->name, name, (size_t)route->name_len + 1);
	PUBLISH(route->flags, strncmp(name, "__", 2) == 0 ? ROUTE_INTERNAL : 0);
	memset(&t->topics[index], 0, sizeof(t->topics[index]));
	topic_config_init(&t->topics[index].config, &t->options.topic_defaults);
	t->topics[index].config_step = partitions; /* CREATE brings them along */
	if (index == topics_count(t)) {
		atomic_store_explicit(&t->options.routes->topic_count, index + 1,
			memory_order_release);
	}
	return index;
}

static uint32_t
topics_risk_flags(const struct topics *t, uint32_t topic_index)
{
	return (uint32_t)t->topics[topic_index].config.values[TOPIC_ACK_RISK] << ROUTE_RISK_SHIFT;
}

/* Copies the settings that lanes look at, while they look (base/route_table.h). */
void
topics_publish_config(struct topics *t, uint32_t topic_index)
{
	struct route_topic *route = topics_route(t, topic_index);
	const struct topic_config *config = &t->topics[topic_index].config;

	PUBLISH(route->max_message_bytes, (uint32_t)config->values[TOPIC_MAX_MESSAGE_BYTES]);
	PUBLISH(route->timestamp_before_max_ms, config->values[TOPIC_TIMESTAMP_BEFORE_MAX_MS]);
	PUBLISH(route->timestamp_after_max_ms, config->values[TOPIC_TIMESTAMP_AFTER_MAX_MS]);
	PUBLISH(route->log_append_time, config->values[TOPIC_TIMESTAMP_TYPE] == 1);
	PUBLISH(route->flags,
		(ROUTE_READ(route->flags) & ROUTE_INTERNAL) | topics_risk_flags(t, topic_index));
}

static uint32_t
topics_partition_flags(const struct topics *t, uint32_t topic_index)
{
	return (ROUTE_READ(topics_route(t, topic_index)->flags) & ROUTE_INTERNAL ? ROUTE_INTERNAL
										 : ROUTE_WRITABLE) |
	       topics_risk_flags(t, topic_index);
}

/* An open topic's settings for lanes; clients are told to resolve again, for the ack point may have moved. */
void
topics_publish_change(struct topics *t, uint32_t topic_index)
{
	struct route_topic *route = topics_route(t, topic_index);

	topics_publish_config(t, topic_index);
	for (uint32_t p = 0; p < route->partition_count; p++) {
		PUBLISH(t->options.routes->partitions[route->first_partition_index + p].flags,
			topics_partition_flags(t, topic_index));
	}
	topics_raise_version(route);
}

void
topics_publish_partition(struct topics *t, uint32_t topic_index, uint32_t partition,
	uint32_t partition_index)
{
	struct route_partition *route;
	struct log_partition_status status;
	uint32_t used = atomic_load_explicit(&t->options.routes->partition_count, memory_order_relaxed);

	ensure(partition_index < t->options.routes->partitions_max);
	ensure(logstore_status(t->options.store, partition_index, &status) == 0);
	route = &t->options.routes->partitions[partition_index];
	route->topic_index = topic_index;
	route->partition = partition;
	route->leader_epoch = status.leader_epoch;
	route->shard = status.shard;
	route->lane = (uint16_t)(status.shard % (t->options.lane_count ? t->options.lane_count : 1));
	PUBLISH(route->flags, topics_partition_flags(t, topic_index));
	if (partition_index >= used) {
		atomic_store_explicit(&t->options.routes->partition_count, partition_index + 1,
			memory_order_release);
	}
	atomic_store_explicit(&route->state, ROUTE_CREATING, memory_order_release);
}

void
topics_set_routes(struct topics *t, uint32_t topic_index, enum route_state state)
{
	struct route_topic *topic = topics_route(t, topic_index);

	for (uint32_t p = 0; p < topic->partition_count; p++) {
		atomic_store_explicit(
			&t->options.routes->partitions[topic->first_partition_index + p].state, state,
			memory_order_release);
	}
	t->topics[topic_index].opened |= state == ROUTE_OPEN;
	topics_raise_version(topic);
	atomic_store_explicit(&topic->state, state, memory_order_release);
}

void
topics_finish(struct topics *t, uint32_t topic_index, enum topic_state state, int16_t error,
	const char *text)
{
	struct topic *topic = &t->topics[topic_index];
	broker_done_fn done = topic->done;

	/* A change of settings, or a stop, ends a call and leaves the topic as it is. */
	if (topic->state != state) {
		topics_set_state(topic, state);
	}
	topic->error = error;
	topic->done = NULL;
	if (done) {
		done(topic->done_user_data, error, text);
	}
}

/* --- creating ----------------------------------------------------------------------------------- */

static void
topics_ready_durable(void *user_data, int16_t error)
{
	struct command *link = user_data; /* carries (topics, index) */
	struct topics *t = link->done_user_data;
	uint32_t index = link->topic_index;

	link->in_use = false;
	if (error) {
		topics_undo(t, index, error, 0, METADATA_REFUSED);
		return;
	}
	t->topics[index].ready = true;
	topics_publish_config(t, index);
	topics_set_routes(t, index, ROUTE_OPEN);
	topics_finish(t, index, TOPIC_OPEN, 0, "");
}

json_t *
topics_id_record(const struct topics *t, uint32_t topic_index, const char *kind)
{
	const struct route_topic *route = topics_route(t, topic_index);
	char hex[33];

	for (int i = 0; i < 16; i++) {
		snprintf(hex + 2 * i, 3, "%02x", route->topic_id[i]);
	}
	return json_pack("{s:s, s:s, s:s}", "kind", kind, "name", route->name, "id", hex);
}

/* Appends a record about a topic; `durable` gets a link with (topics, index). */
int
topics_append(struct topics *t, uint32_t topic_index, json_t *record, metadata_durable_fn durable)
{
	struct command *link = topics_command(t, COMMAND_METADATA, topic_index);
	int rc;

	if (!link) {
		json_decref(record);
		return -EAGAIN;
	}
	link->queued = false;
	link->done_user_data = t;
	rc = metadata_append(t->metadata, topics_route(t, topic_index)->name, record, durable, link);
	if (rc < 0) {
		link->in_use = false;
	}
	return rc;
}

/* With this topic's record durable, a failed one of the name is gone for the next start as well. */
static void
topics_put_away_failed(struct topics *t, uint32_t topic_index)
{
	const struct route_topic *route = topics_route(t, topic_index);

	for (uint32_t i = 0; i < topics_count(t); i++) {
		if (t->topics[i].state == TOPIC_FAILED && strcmp(topics_route(t, i)->name, route->name) == 0) {
			topics_set_state(&t->topics[i], TOPIC_DELETED);
		}
	}
}

void
topics_record_durable(void *user_data, int16_t error)
{
	struct command *link = user_data;
	struct topics *t = link->done_user_data;
	uint32_t index = link->topic_index;

	link->in_use = false;
	if (error) {
		topics_finish(t, index, TOPIC_DELETED, error, METADATA_REFUSED);
		return;
	}
	topics_put_away_failed(t, index);
	topics_set_state(&t->topics[index], TOPIC_CREATING);
	t->topics[index].step = 0;
}

/* One step of a topic that is being made. */
static uint32_t
topics_advance_creating(struct topics *t, uint32_t index)
{
	struct topic *topic = &t->topics[index];
	struct route_topic *route = topics_route(t, index);
	struct command *c;

	if (topic->steps_out > 0 || topic->stale_out > 0) {
		return 0;
	}
	if (topic->step == route->partition_count) {
		if (topics_append(t, index, topics_id_record(t, index, "topic_ready"),
			    topics_ready_durable) == 0) {
			topics_set_state(topic, TOPIC_READYING);
		}
		return 1;
	}
	c = topics_partition_command(t, COMMAND_CREATE, LOG_COMMAND_CREATE, index);
	if (c) {
		c->log.partition = topic->step;
		topic->steps_out = 1;
	}
	return 1;
}

static void
topics_created_one(struct topics *t, struct command *c)
{
	struct topic *topic = &t->topics[c->topic_index];
	struct route_topic *route = topics_route(t, c->topic_index);

	topic->steps_out = 0;
	if (c->log.error) {
		char why[TOPIC_WHY_BYTES];

		snprintf(why, sizeof(why), "partition %u cannot be made: %s", topic->step,
			c->log.os_error ? strerror(c->log.os_error) : kafka_error_text(c->log.error));
		topics_undo(t, c->topic_index, c->log.error, c->log.os_error, why);
		return;
	}
	if (topic->step == 0) {
		route->first_partition_index = c->log.partition_index;
	}
	/* The log numbers partitions as they are made, and only this topic is being made now. */
	ensure(c->log.partition_index == route->first_partition_index + topic->step);
	topics_publish_partition(t, c->topic_index, topic->step, c->log.partition_index);
	topic->step++;
}

/* --- settings ------------------------------------------------------------------------------------ */

/* The log keeps no settings: each partition is told after a start and after a change. */
static uint32_t
topics_advance_config(struct topics *t, uint32_t index)
{
	struct topic *topic = &t->topics[index];
	struct route_topic *route = topics_route(t, index);
	uint32_t work = 0;

	while (topic->config_step < route->partition_count && topic->config_out < CONFIGS_OUT_MAX) {
		struct command *c =
			topics_partition_command(t, COMMAND_CONFIG, LOG_COMMAND_CONFIG, index);

		if (!c) {
			break;
		}
		c->log.partition = topic->config_step;
		c->log.partition_index = route->first_partition_index + topic->config_step;
		topic->config_step++;
		topic->config_out++;
		work++;
	}
	if (topic->state == TOPIC_CONFIGURING && topic->config_step == route->partition_count &&
		topic->config_out == 0) {
		topics_set_routes(t, index, ROUTE_OPEN);
		topics_set_state(topic, TOPIC_OPEN);
		work++;
	}
	return work;
}

bool
topics_settled(const struct topics *t)
{
	for (uint32_t i = 0; i < topics_count(t); i++) {
		if (t->topics[i].state == TOPIC_CONFIGURING) {
			return false;
		}
	}
	return true;
}

/* --- the turn ----------------------------------------------------------------------------------- */

static void
topics_answered(struct topics *t, struct command *c)
{
	char text[32];

	switch (c->use) {
	case COMMAND_METADATA:
		if (c->log.error) {
			t->metadata_error = c->log.error;
			break;
		}
		topics_publish_partition(t, c->topic_index, 0, c->log.partition_index);
		topics_route(t, c->topic_index)->first_partition_index = c->log.partition_index;
		metadata_bind(t->metadata, c->log.partition_index,
			t->options.routes->partitions[c->log.partition_index].shard);
		break;
	case COMMAND_CREATE:
		topics_created_one(t, c);
		break;
	case COMMAND_STALE:
		if (c->topic_index != NO_TOPIC) {
			t->topics[c->topic_index].stale_out--;
		}
		break;
	case COMMAND_DELETE:
		t->topics[c->topic_index].steps_out--;
		break;
	case COMMAND_CONFIG:
		t->topics[c->topic_index].config_out--;
		break;
	case COMMAND_REPAIR:
		c->repaired(c->done_user_data, c->log.error, &c->log.repair, c->log.offset);
		break;
	case COMMAND_ROLL:
		snprintf(text, sizeof(text), "%lld", (long long)c->log.offset);
		c->done(c->done_user_data, c->log.error,
			c->log.error ? kafka_error_text(c->log.error) : text);
		break;
	}
	c->in_use = false;
}

uint32_t
topics_poll(struct topics *t)
{
	struct log_command *answered;
	uint32_t work = 0;

	while ((answered = logstore_command_poll(t->options.store)) != NULL) {
		topics_answered(t, (struct command *)answered);
		work++;
	}
	for (uint32_t i = 0; i < topics_count(t); i++) {
		if (t->topics[i].state == TOPIC_CREATING) {
			/*
			 * One at a time, so that a topic's partition indexes are dense: the one begun, whatever
			 * comes to stand before it in the table.
			 */
			if (t->creating == NO_TOPIC || t->topics[t->creating].state != TOPIC_CREATING) {
				t->creating = i;
			}
			work += t->creating == i ? topics_advance_creating(t, i) : 0;
		} else if (t->topics[i].state == TOPIC_DELETING || t->topics[i].state == TOPIC_UNDOING) {
			work += topics_advance_deleting(t, i);
		} else if (t->topics[i].state == TOPIC_OPEN || t->topics[i].state == TOPIC_CONFIGURING) {
			work += topics_advance_config(t, i);
		}
	}
	for (uint32_t i = 0; i < COMMANDS_MAX; i++) {
		struct command *c = &t->commands[i];

		if (c->in_use && c->queued && logstore_command(t->options.store, &c->log) == 0) {
			c->queued = false;
			work++;
		}
	}
	return work;
}

int16_t
topics_bootstrap_error(const struct topics *t)
{
	return t->metadata_error;
}

bool
topics_bootstrap(struct topics *t)
{
	static const char name[] = BROKER_METADATA_TOPIC;
	struct log_store_info info;
	uint8_t topic_id[16];
	uint32_t index;
	struct command *c;

	if (metadata_bound(t->metadata)) {
		return true;
	}
	if (t->metadata_asked) {
		return false;
	}
	t->metadata_asked = true;
	for (uint32_t i = 0; i < t->found_count; i++) {
		struct found *f = &t->found[i];

		if (strcmp(f->topic, name) == 0 && f->partition == 0) {
			index = topics_new(t, name, f->topic_id, 1);
			f->claimed = true;
			topics_route(t, index)->first_partition_index = f->partition_index;
			topics_publish_partition(t, index, 0, f->partition_index);
			topics_set_routes(t, index, ROUTE_OPEN);
			topics_set_state(&t->topics[index], TOPIC_OPEN);
			metadata_bind(t->metadata, f->partition_index,
				t->options.routes->partitions[f->partition_index].shard);
			return true;
		}
	}
	logstore_info(t->options.store, &info);
	if (info.in_use) {
		/* An empty catalogue over somebody's topics would make them nobody's. */
		t->metadata_error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
		return false;
	}
	rand_fill(t->options.rand, topic_id, sizeof(topic_id));
	index = topics_new(t, name, topic_id, 1);
	topics_set_state(&t->topics[index], TOPIC_OPEN);
	c = topics_partition_command(t, COMMAND_METADATA, LOG_COMMAND_CREATE, index);
	ensure(c != NULL);
	return false;
}
