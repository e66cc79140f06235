/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/broker/topics_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "base/errcode.h"
#include "base/log.h"

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
	if (index != NO_TOPIC && t->topics[index].state != TOPIC_RECORDING) {
		return -EBADMSG; /* the metadata topic: no record tells of it */
	}
	if (index != NO_TOPIC && memcmp(topics_route(t, index)->topic_id, topic_id, 16) != 0) {
		if (strcmp(kind, "topic") != 0 || t->topics[index].ready) {
			return -EBADMSG;
		}
		/* Could not be made, and no record of that could be written: this one came after it. */
		topics_set_state(&t->topics[index], TOPIC_DELETED);
		index = NO_TOPIC;
	}
	if (strcmp(kind, "topic") == 0) {
		if (index == NO_TOPIC) {
			if (partitions < 1 || partitions > (json_int_t)t->options.routes->partitions_max ||
				(index = topics_new(t, name, topic_id, (uint32_t)partitions)) == NO_TOPIC) {
				return -EBADMSG;
			}
		}
		topics_replay_configs(&t->topics[index], json_object_get(record, "configs"));
	} else if (index != NO_TOPIC && strcmp(kind, "topic_ready") == 0) {
		t->topics[index].ready = true;
	} else if (index != NO_TOPIC && strcmp(kind, "topic_deleted") == 0) {
		topics_set_state(&t->topics[index], TOPIC_DELETED);
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
		topics_set_state(&t->topics[index], TOPIC_DAMAGED);
		log_error("broker", "topic %s: %u of %u partition directories found; it is not served until "
				    "they are put back and the daemon starts again",
			route->name, seen, route->partition_count);
		return;
	}
	topics_publish_config(t, index);
	topics_set_state(&t->topics[index], TOPIC_CONFIGURING);
	t->topics[index].config_step = 0;
}

void
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

struct found *
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
			topics_set_state(topic, TOPIC_CREATING);
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
