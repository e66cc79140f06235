/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/broker/topics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "base/errcode.h"
#include "base/log.h"

#define COMMANDS_MAX	 64
#define NO_TOPIC	 UINT32_MAX
#define FOUND_NAME_BYTES (HANDOFF_TOPIC_NAME_MAX + 1)

struct topic {
	enum topic_state state;
	bool ready;	    /* topic_ready seen or written */
	uint32_t step;	    /* next partition to make or delete */
	uint32_t steps_out; /* commands not yet answered */
	uint32_t stale_out; /* deletes of half-made partitions that go first */
	int16_t error;
	struct topic_config config;
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
};

struct command {
	struct log_command log; /* first: the log gives this pointer back */
	bool in_use;
	bool queued; /* waits for room at the log */
	enum command_use use;
	uint32_t topic_index;
	broker_done_fn done;
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
	struct command commands[COMMANDS_MAX];
};

static struct route_topic *
topics_route(const struct topics *t, uint32_t topic_index)
{
	return &t->options.routes->topics[topic_index];
}

static uint32_t
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

void
topics_destroy(struct topics *t)
{
	if (t) {
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
	for (uint32_t i = 0; i < topics_count(t); i++) {
		const struct route_topic *route = topics_route(t, i);

		if (t->topics[i].state != TOPIC_DELETED && route->name_len == len &&
			memcmp(route->name, name, len) == 0) {
			return i;
		}
	}
	return NO_TOPIC;
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

static struct command *
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

static struct command *
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

/* --- the table -------------------------------------------------------------------------------- */

static uint32_t
topics_new(struct topics *t, const char *name, const uint8_t topic_id[16], uint32_t partitions)
{
	uint32_t index = topics_count(t);
	struct route_topic *route;

	if (index == t->options.routes->topics_max) {
		return NO_TOPIC;
	}
	route = topics_route(t, index);
	memcpy(route->topic_id, topic_id, 16);
	route->partition_count = partitions;
	route->name_len = (uint8_t)strlen(name);
	memcpy(route->name, name, (size_t)route->name_len + 1);
	route->flags = strncmp(name, "__", 2) == 0 ? ROUTE_INTERNAL : 0;
	topic_config_init(&t->topics[index].config, &t->options.topic_defaults);
	t->topics[index].done = NULL;
	atomic_store_explicit(&t->options.routes->topic_count, index + 1, memory_order_release);
	return index;
}

/* Copies the settings that lanes look at. The topic is not open, or the fields are plain words. */
static void
topics_publish_config(struct topics *t, uint32_t topic_index)
{
	struct route_topic *route = topics_route(t, topic_index);
	const struct topic_config *config = &t->topics[topic_index].config;

	route->max_message_bytes = (uint32_t)config->values[TOPIC_MAX_MESSAGE_BYTES];
	route->timestamp_before_max_ms = config->values[TOPIC_TIMESTAMP_BEFORE_MAX_MS];
	route->timestamp_after_max_ms = config->values[TOPIC_TIMESTAMP_AFTER_MAX_MS];
	route->log_append_time = config->values[TOPIC_TIMESTAMP_TYPE] == 1;
}

static void
topics_publish_partition(struct topics *t, uint32_t topic_index, uint32_t partition,
	uint32_t partition_index)
{
	struct route_topic *topic = topics_route(t, topic_index);
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
	route->flags = (topic->flags & ROUTE_INTERNAL ? ROUTE_INTERNAL : ROUTE_WRITABLE) |
		       (uint32_t)t->topics[topic_index].config.values[TOPIC_ACK_RISK] << ROUTE_RISK_SHIFT;
	if (partition_index >= used) {
		atomic_store_explicit(&t->options.routes->partition_count, partition_index + 1,
			memory_order_release);
	}
	atomic_store_explicit(&route->state, ROUTE_CREATING, memory_order_release);
}

static void
topics_set_routes(struct topics *t, uint32_t topic_index, enum route_state state)
{
	struct route_topic *topic = topics_route(t, topic_index);

	for (uint32_t p = 0; p < topic->partition_count; p++) {
		atomic_store_explicit(
			&t->options.routes->partitions[topic->first_partition_index + p].state, state,
			memory_order_release);
	}
	topic->metadata_version++;
	atomic_store_explicit(&topic->state, state, memory_order_release);
}

static void
topics_finish(struct topics *t, uint32_t topic_index, enum topic_state state, int16_t error,
	const char *text)
{
	struct topic *topic = &t->topics[topic_index];
	broker_done_fn done = topic->done;

	topic->state = state;
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
		topics_finish(t, index, TOPIC_FAILED, error, "metadata log refused the record");
		return;
	}
	t->topics[index].ready = true;
	topics_publish_config(t, index);
	topics_set_routes(t, index, ROUTE_OPEN);
	topics_finish(t, index, TOPIC_OPEN, 0, "");
}

static json_t *
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
static int
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

static void
topics_record_durable(void *user_data, int16_t error)
{
	struct command *link = user_data;
	struct topics *t = link->done_user_data;
	uint32_t index = link->topic_index;

	link->in_use = false;
	if (error) {
		topics_finish(t, index, TOPIC_FAILED, error, "metadata log refused the record");
		return;
	}
	t->topics[index].state = TOPIC_CREATING;
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
			topic->state = TOPIC_READYING;
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
		topics_finish(t, c->topic_index, TOPIC_FAILED, c->log.error,
			"the log could not make a partition");
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

/* --- deleting ----------------------------------------------------------------------------------- */

static void
topics_delete_durable(void *user_data, int16_t error)
{
	struct command *link = user_data;
	struct topics *t = link->done_user_data;
	uint32_t index = link->topic_index;

	link->in_use = false;
	if (error) {
		topics_finish(t, index, TOPIC_OPEN, error, "metadata log refused the record");
		return;
	}
	topics_set_routes(t, index, ROUTE_DELETED);
	t->topics[index].state = TOPIC_DELETING;
	t->topics[index].step = 0;
}

static uint32_t
topics_advance_deleting(struct topics *t, uint32_t index)
{
	struct topic *topic = &t->topics[index];
	struct route_topic *route = topics_route(t, index);
	struct command *c;

	if (topic->step == route->partition_count) {
		if (topic->steps_out == 0) {
			topics_finish(t, index, TOPIC_DELETED, 0, "");
			return 1;
		}
		return 0;
	}
	c = topics_partition_command(t, COMMAND_DELETE, LOG_COMMAND_DELETE, index);
	if (!c) {
		return 0;
	}
	c->log.partition = topic->step;
	c->log.partition_index = route->first_partition_index + topic->step;
	topic->step++;
	topic->steps_out++;
	return 1;
}

/* --- the turn ----------------------------------------------------------------------------------- */

static void
topics_answered(struct topics *t, struct command *c)
{
	char text[32];

	switch (c->use) {
	case COMMAND_METADATA:
		if (c->log.error) {
			log_error("broker", "cannot make the metadata partition: %s",
				kafka_error_text(c->log.error));
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
	bool creating = false;
	uint32_t work = 0;

	while ((answered = logstore_command_poll(t->options.store)) != NULL) {
		topics_answered(t, (struct command *)answered);
		work++;
	}
	for (uint32_t i = 0; i < topics_count(t); i++) {
		if (t->topics[i].state == TOPIC_CREATING && !creating) {
			/* One at a time, so that a topic's partition indexes are dense. */
			creating = true;
			work += topics_advance_creating(t, i);
		} else if (t->topics[i].state == TOPIC_DELETING) {
			work += topics_advance_deleting(t, i);
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

bool
topics_bootstrap(struct topics *t)
{
	static const char name[] = BROKER_METADATA_TOPIC;
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
			t->topics[index].state = TOPIC_OPEN;
			metadata_bind(t->metadata, f->partition_index,
				t->options.routes->partitions[f->partition_index].shard);
			return true;
		}
	}
	rand_fill(t->options.rand, topic_id, sizeof(topic_id));
	index = topics_new(t, name, topic_id, 1);
	t->topics[index].state = TOPIC_OPEN;
	c = topics_partition_command(t, COMMAND_METADATA, LOG_COMMAND_CREATE, index);
	ensure(c != NULL);
	return false;
}

/* --- replay ------------------------------------------------------------------------------------- */

static int
topics_parse_id(const json_t *record, uint8_t ret_id[16])
{
	const char *hex = json_string_value(json_object_get(record, "id"));

	if (!hex || strlen(hex) != 32) {
		return -EBADMSG;
	}
	for (int i = 0; i < 16; i++) {
		unsigned int byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1) {
			return -EBADMSG;
		}
		ret_id[i] = (uint8_t)byte;
	}
	return 0;
}

static void
topics_replay_configs(struct topic *topic, const json_t *configs)
{
	const char *name;
	json_t *value;
	char text[256];

	json_object_foreach((json_t *)configs, name, value) {
		if (json_is_string(value) &&
			topic_config_set(&topic->config, name, json_string_value(value), text,
				sizeof(text)) < 0) {
			log_warning("broker", "topic setting ignored: %s", text);
		}
	}
}

int
topics_replay(struct topics *t, const json_t *record)
{
	const char *kind = json_string_value(json_object_get(record, "kind"));
	const char *name = json_string_value(json_object_get(record, "name"));
	json_int_t partitions = json_integer_value(json_object_get(record, "partitions"));
	uint8_t topic_id[16];
	uint32_t index;

	if (!kind || !name || !topics_name_valid(name, strlen(name)) ||
		topics_parse_id(record, topic_id) < 0) {
		return -EBADMSG;
	}
	index = topics_find(t, name, strlen(name));
	if (strcmp(kind, "topic") == 0) {
		if (index == NO_TOPIC) {
			if (partitions < 1 || partitions > (json_int_t)t->options.routes->partitions_max ||
				(index = topics_new(t, name, topic_id, (uint32_t)partitions)) == NO_TOPIC) {
				return -EBADMSG;
			}
			t->topics[index].state = TOPIC_RECORDING;
		}
		topics_replay_configs(&t->topics[index], json_object_get(record, "configs"));
	} else if (index != NO_TOPIC && strcmp(kind, "topic_ready") == 0) {
		t->topics[index].ready = true;
	} else if (index != NO_TOPIC && strcmp(kind, "topic_deleted") == 0) {
		t->topics[index].state = TOPIC_DELETED;
	}
	return 0;
}

/* Opens a ready topic if all its partitions were found side by side. */
static void
topics_reopen(struct topics *t, uint32_t index)
{
	struct route_topic *route = topics_route(t, index);
	uint32_t seen = 0;

	for (uint32_t i = 0; i < t->found_count; i++) {
		struct found *f = &t->found[i];

		if (memcmp(f->topic_id, route->topic_id, 16) != 0 || strcmp(f->topic, route->name) != 0) {
			continue;
		}
		f->claimed = true;
		if (f->partition == 0) {
			route->first_partition_index = f->partition_index;
		}
		if (f->partition == seen && f->partition < route->partition_count &&
			f->partition_index == route->first_partition_index + seen) {
			topics_publish_partition(t, index, seen, f->partition_index);
			seen++;
		}
	}
	if (seen != route->partition_count) {
		t->topics[index].state = TOPIC_DAMAGED;
		log_error("broker", "topic %s: %u of %u partition directories found; it is not served until "
				    "they are put back and the daemon starts again",
			route->name, seen, route->partition_count);
		return;
	}
	topics_publish_config(t, index);
	topics_set_routes(t, index, ROUTE_OPEN);
	t->topics[index].state = TOPIC_OPEN;
}

static void
topics_delete_found(struct topics *t, struct found *f, uint32_t topic_index)
{
	struct command *c = topics_command(t, COMMAND_STALE, topic_index);

	if (!c) {
		return; /* more than fit at once: the next start takes up the rest */
	}
	f->claimed = true;
	c->log.kind = LOG_COMMAND_DELETE;
	c->log.partition_index = f->partition_index;
	c->log.partition = f->partition;
	snprintf(c->log.topic, sizeof(c->log.topic), "%s", f->topic);
	memcpy(c->log.topic_id, f->topic_id, 16);
	if (topic_index != NO_TOPIC) {
		t->topics[topic_index].stale_out++;
	}
}

static struct found *
topics_found_of(struct topics *t, uint32_t topic_index, uint32_t from)
{
	const struct route_topic *route = topics_route(t, topic_index);

	for (uint32_t i = from; i < t->found_count; i++) {
		if (!t->found[i].claimed && memcmp(t->found[i].topic_id, route->topic_id, 16) == 0) {
			return &t->found[i];
		}
	}
	return NULL;
}

void
topics_reconcile(struct topics *t)
{
	struct found *f;

	for (uint32_t i = 1; i < topics_count(t); i++) {
		struct topic *topic = &t->topics[i];

		if (topic->state == TOPIC_DELETED) {
			while ((f = topics_found_of(t, i, 0)) != NULL) {
				topics_delete_found(t, f, NO_TOPIC);
				f->claimed = true;
			}
		} else if (topic->ready) {
			topics_reopen(t, i);
		} else {
			while ((f = topics_found_of(t, i, 0)) != NULL) {
				topics_delete_found(t, f, i);
				f->claimed = true;
			}
			topic->state = TOPIC_CREATING;
			topic->step = 0;
		}
	}
	for (uint32_t i = 0; i < t->found_count; i++) {
		if (!t->found[i].claimed) {
			log_warning("broker", "directory %s-%u belongs to no topic that the metadata log "
					      "knows; left alone",
				t->found[i].topic, t->found[i].partition);
		}
	}
}

/* --- requests ----------------------------------------------------------------------------------- */

static json_t *
topics_record(const struct topics *t, uint32_t topic_index)
{
	const struct topic *topic = &t->topics[topic_index];
	json_t *record = topics_id_record(t, topic_index, "topic");
	json_t *configs = json_object();
	char value[64];

	for (int i = 0; i < TOPIC_CONFIG_COUNT; i++) {
		if (topic->config.set[i]) {
			topic_config_format(&topic->config, i, value, sizeof(value));
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
	if (topics_find(t, create->name, strlen(create->name)) != NO_TOPIC) {
		done(user_data, KAFKA_TOPIC_ALREADY_EXISTS, "exists already");
		return;
	}
	if (partitions == 0 || used + partitions > t->options.routes->partitions_max) {
		snprintf(text, sizeof(text), "%u partitions do not fit: %u of %u are in use", partitions,
			used, t->options.routes->partitions_max);
		done(user_data, KAFKA_INVALID_PARTITIONS, text);
		return;
	}
	if (topics_check_configs(&config, create->config_count, create->config_names,
		    create->config_values, text, sizeof(text)) < 0) {
		done(user_data, KAFKA_INVALID_CONFIG, text);
		return;
	}
	if (create->validate_only) {
		done(user_data, 0, "");
		return;
	}
	rand_fill(t->options.rand, topic_id, sizeof(topic_id));
	index = topics_new(t, create->name, topic_id, partitions);
	if (index == NO_TOPIC) {
		done(user_data, KAFKA_THROTTLING_QUOTA_EXCEEDED, "the topic table is full");
		return;
	}
	t->topics[index].config = config;
	t->topics[index].state = TOPIC_RECORDING;
	t->topics[index].done = done;
	t->topics[index].done_user_data = user_data;
	if (topics_append(t, index, topics_record(t, index), topics_record_durable) < 0) {
		topics_finish(t, index, TOPIC_DELETED, KAFKA_THROTTLING_QUOTA_EXCEEDED,
			"too many changes at once; try again");
	}
}

/* The topic if a request may change it now, else answers and returns NO_TOPIC. */
static uint32_t
topics_changeable(struct topics *t, const char *name, broker_done_fn done, void *user_data)
{
	uint32_t index = topics_find(t, name, strlen(name));

	if (index == NO_TOPIC) {
		done(user_data, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "no such topic");
		return NO_TOPIC;
	}
	if (topics_route(t, index)->flags & ROUTE_INTERNAL) {
		done(user_data, KAFKA_INVALID_TOPIC_EXCEPTION, "internal topic");
		return NO_TOPIC;
	}
	if (t->topics[index].state != TOPIC_OPEN) {
		done(user_data, KAFKA_LEADER_NOT_AVAILABLE, "being created or deleted; try again");
		return NO_TOPIC;
	}
	return index;
}

void
topics_delete(struct topics *t, const char *name, broker_done_fn done, void *user_data)
{
	uint32_t index = topics_changeable(t, name, done, user_data);

	if (index == NO_TOPIC) {
		return;
	}
	if (topics_append(t, index, topics_id_record(t, index, "topic_deleted"),
		    topics_delete_durable) < 0) {
		done(user_data, KAFKA_THROTTLING_QUOTA_EXCEEDED, "too many changes at once; try again");
		return;
	}
	t->topics[index].state = TOPIC_DELETE_RECORDING;
	t->topics[index].done = done;
	t->topics[index].done_user_data = user_data;
}

static void
topics_alter_durable(void *user_data, int16_t error)
{
	struct command *link = user_data;
	struct topics *t = link->done_user_data;
	uint32_t index = link->topic_index;
	struct route_topic *route = topics_route(t, index);

	link->in_use = false;
	for (uint32_t p = 0; !error && p < route->partition_count; p++) {
		struct command *c =
			topics_partition_command(t, COMMAND_CONFIG, LOG_COMMAND_CONFIG, index);

		if (!c) {
			log_warning("broker", "topic %s: new settings reach partitions from %u on only at the "
					      "next start",
				route->name, p);
			break;
		}
		c->log.partition = p;
		c->log.partition_index = route->first_partition_index + p;
	}
	topics_publish_config(t, index);
	topics_finish(t, index, TOPIC_OPEN, error, error ? "metadata log refused the record" : "");
}

void
topics_alter(struct topics *t, const char *name, uint32_t config_count,
	const char *const *config_names, const char *const *config_values, broker_done_fn done,
	void *user_data)
{
	uint32_t index = topics_changeable(t, name, done, user_data);
	struct topic_config config;
	char text[256];

	if (index == NO_TOPIC) {
		return;
	}
	config = t->topics[index].config;
	if (topics_check_configs(&config, config_count, config_names, config_values, text,
		    sizeof(text)) < 0) {
		done(user_data, KAFKA_INVALID_CONFIG, text);
		return;
	}
	t->topics[index].config = config;
	t->topics[index].done = done;
	t->topics[index].done_user_data = user_data;
	if (topics_append(t, index, topics_record(t, index), topics_alter_durable) < 0) {
		topics_finish(t, index, TOPIC_OPEN, KAFKA_THROTTLING_QUOTA_EXCEEDED,
			"too many changes at once; try again");
	}
}

void
topics_roll(struct topics *t, const char *name, uint32_t partition, broker_done_fn done,
	void *user_data)
{
	uint32_t index = topics_find(t, name, strlen(name));
	struct command *c;

	if (index == NO_TOPIC || t->topics[index].state != TOPIC_OPEN ||
		partition >= topics_route(t, index)->partition_count) {
		done(user_data, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "no such topic or partition");
		return;
	}
	c = topics_partition_command(t, COMMAND_ROLL, LOG_COMMAND_ROLL, index);
	if (!c) {
		done(user_data, KAFKA_THROTTLING_QUOTA_EXCEEDED, "too many commands at once; try again");
		return;
	}
	c->log.partition = partition;
	c->log.partition_index = topics_route(t, index)->first_partition_index + partition;
	c->done = done;
	c->done_user_data = user_data;
}
