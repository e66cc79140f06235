/* SPDX-License-Identifier: Apache-2.0 */
/* Topics that go: deleted by somebody, or undone because they could not be made. */
#include "ctrl/broker/topics_state.h"

#include <stdio.h>
#include <string.h>
#include "base/ensure.h"
#include "base/errcode.h"
#include "base/log.h"

/* Entries of partitions that never opened. They need not be dense if directories were missing. */
static void
topics_close_unopened(struct topics *t, uint32_t topic_index)
{
	struct route_table *routes = t->options.routes;
	uint32_t used = atomic_load_explicit(&routes->partition_count, memory_order_relaxed);

	for (uint32_t i = 0; i < used; i++) {
		struct route_partition *route = &routes->partitions[i];

		if (route->topic_index == topic_index && route_state_acquire(&route->state) == ROUTE_CREATING) {
			atomic_store_explicit(&route->state, ROUTE_DELETED, memory_order_release);
		}
	}
}

void
topics_undo(struct topics *t, uint32_t topic_index, int16_t error, int os_error, const char *why)
{
	struct topic *topic = &t->topics[topic_index];

	ensure(topic->steps_out == 0);
	topic->error = error;
	topic->os_error = os_error;
	snprintf(topic->why, sizeof(topic->why), "%s", why);
	topic->made = topic->step;
	topic->step = 0;
	topics_set_state(topic, TOPIC_UNDOING);
	topics_close_unopened(t, topic_index);
	log_warning("broker", "topic %s is not created: %s", topics_route(t, topic_index)->name, why);
}

static void
topics_undone(void *user_data, int16_t error)
{
	struct command *link = user_data;
	struct topics *t = link->done_user_data;
	uint32_t index = link->topic_index;
	struct topic *topic = &t->topics[index];
	char text[2 * TOPIC_WHY_BYTES];

	link->in_use = false;
	t->os_error = topic->os_error;
	if (!error) {
		topics_finish(t, index, TOPIC_DELETED, topic->error, topic->why);
		t->os_error = 0;
		return;
	}
	snprintf(text, sizeof(text), "%s; nor can that be recorded: delete it or create it again, else the "
				     "next start makes it", topic->why);
	log_error("broker", "topic %s: %s", topics_route(t, index)->name, text);
	topics_finish(t, index, TOPIC_FAILED, topic->error, text);
	t->os_error = 0;
}

/* A damaged topic's partitions, as the start found them. What finds no room goes with the next start. */
static void
topics_delete_damaged(struct topics *t, uint32_t topic_index)
{
	topics_close_unopened(t, topic_index);
	for (uint32_t i = 0; i < t->found_count; i++) {
		if (memcmp(t->found[i].topic_id, topics_route(t, topic_index)->topic_id, 16) == 0) {
			topics_delete_found(t, &t->found[i], NO_TOPIC);
		}
	}
}

void
topics_delete_durable(void *user_data, int16_t error)
{
	struct command *link = user_data;
	struct topics *t = link->done_user_data;
	uint32_t index = link->topic_index;
	struct topic *topic = &t->topics[index];

	link->in_use = false;
	if (error) {
		topics_finish(t, index, topic->before, error, "the metadata log refused the record");
		return;
	}
	if (topic->before == TOPIC_DAMAGED) {
		topics_delete_damaged(t, index);
	}
	if (topic->before != TOPIC_OPEN) {
		topics_finish(t, index, TOPIC_DELETED, 0, "");
		return;
	}
	topics_set_routes(t, index, ROUTE_DELETED);
	topics_set_state(topic, TOPIC_DELETING);
	topic->made = topics_route(t, index)->partition_count;
	topic->step = 0;
}

uint32_t
topics_advance_deleting(struct topics *t, uint32_t index)
{
	struct topic *topic = &t->topics[index];
	struct command *c;

	if (topic->step == topic->made) {
		if (topic->steps_out > 0) {
			return 0;
		}
		if (topic->state == TOPIC_DELETING) {
			topics_finish(t, index, TOPIC_DELETED, 0, "");
		} else if (topics_append(t, index, topics_id_record(t, index, "topic_deleted"),
				   topics_undone) == 0) {
			topics_set_state(topic, TOPIC_UNDO_RECORDING);
		}
		return 1;
	}
	c = topics_partition_command(t, COMMAND_DELETE, LOG_COMMAND_DELETE, index);
	if (!c) {
		return 0;
	}
	c->log.partition = topic->step;
	c->log.partition_index = topics_route(t, index)->first_partition_index + topic->step;
	topic->step++;
	topic->steps_out++;
	return 1;
}
