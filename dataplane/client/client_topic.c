/* SPDX-License-Identifier: Apache-2.0 */
/* Topics by name and their handles (client_topic.h). */
#include "client/client_topic.h"

#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/errcode.h"
#include "client/client_core_state.h"

#define TOPIC_WAIT_FIRST_NS  (50 * NS_PER_MS)
#define TOPIC_WAIT_MAX_NS    NS_PER_S
#define TOPIC_FAILED_NS	     NS_PER_S

void
client_topic_init(struct client_topic *topic, const char *name)
{
	memset(topic, 0, sizeof(*topic));
	topic->name_len = (uint8_t)strlen(name);
	memcpy(topic->name, name, topic->name_len + 1u);
	topic->max_message_bytes = UINT32_MAX;
	topic->wait_ns = TOPIC_WAIT_FIRST_NS;
}

void
client_topic_ask(struct client_topic *topic, uint64_t now_ns)
{
	if (topic->state == CLIENT_TOPIC_RESOLVING) {
		return;
	}
	topic->state = CLIENT_TOPIC_RESOLVING;
	topic->next_partition = 0;
	topic->request_id = 0;
	topic->wait_ns = TOPIC_WAIT_FIRST_NS;
	/* Not more often than about ten times a second, whatever the server says. */
	topic->ask_ns = topic->asked_ns + 2 * TOPIC_WAIT_FIRST_NS;
	if (topic->ask_ns < now_ns) {
		topic->ask_ns = now_ns;
	}
	topic->error = 0;
}

static bool
topic_send(struct client_core *core, struct client_topic *topic, uint64_t now_ns)
{
	struct session_msg_resolve resolve = {
		.first_partition = topic->next_partition,
		.flags = core->options.auto_create ? SESSION_MSG_AUTO_CREATE : 0,
		.name_len = topic->name_len,
		.name = (const uint8_t *)topic->name,
	};

	if (topic->request_id == 0) {
		topic->request_id = ++core->next_request_id;
	}
	resolve.request_id = topic->request_id;
	for (uint32_t i = 0; i < CLIENT_LANES_MAX; i++) {
		struct client_session *session = &core->sessions[i];

		if (session->state == CLIENT_SESSION_OPEN && session->boot_id == core->boot_id &&
			client_session_resolve(session, &resolve, now_ns)) {
			return true;
		}
	}
	return false;
}

uint64_t
client_topic_poll(struct client_core *core, struct client_topic *topic, uint64_t now_ns)
{
	if (topic->state != CLIENT_TOPIC_RESOLVING) {
		return UINT64_MAX;
	}
	if (topic->ask_ns <= now_ns) {
		if (topic->next_partition == 0) {
			topic->asked_ns = now_ns;
		}
		if (!topic_send(core, topic, now_ns)) {
			return UINT64_MAX; /* polled again when a session opens */
		}
		topic->ask_ns = now_ns + topic->wait_ns;
		topic->wait_ns = topic->wait_ns * 2 < TOPIC_WAIT_MAX_NS ? topic->wait_ns * 2
									: TOPIC_WAIT_MAX_NS;
	}
	return topic->ask_ns;
}

static void
topic_failed(struct client_core *core, struct client_topic *topic, int16_t error, uint64_t now_ns)
{
	topic->state = CLIENT_TOPIC_FAILED;
	topic->error = error;
	topic->ask_ns = now_ns + TOPIC_FAILED_NS;
	client_core_tell(core, "topic %s: %s", topic->name, kafka_error_text(error));
}

/* One page: handles of partitions first .. first + count - 1. */
static void
topic_page(struct client_core *core, struct client_topic *topic,
	const struct session_msg_resolved *resolved, uint64_t now_ns)
{
	bool whole = true;

	for (uint32_t i = 0; i < resolved->count; i++) {
		const struct session_msg_resolved_entry *entry = &resolved->entries[i];
		struct client_stream *stream =
			client_core_stream(core, topic, resolved->first_partition + i);

		if (!stream) {
			topic_failed(core, topic, KAFKA_THROTTLING_QUOTA_EXCEEDED, now_ns);
			return;
		}
		if (entry->stream == 0 || !(entry->flags & SESSION_MSG_WRITABLE) ||
			entry->lane >= CLIENT_LANES_MAX) {
			whole = false;
			continue;
		}
		client_stream_resolved(core, stream, entry->stream, entry->lane);
		if (client_table_put(&core->by_handle, entry->stream,
			    (uint32_t)(stream - core->streams)) < 0) {
			topic_failed(core, topic, KAFKA_THROTTLING_QUOTA_EXCEEDED, now_ns);
			return;
		}
	}
	topic->request_id = 0;
	topic->wait_ns = TOPIC_WAIT_FIRST_NS;
	topic->next_partition = resolved->first_partition + resolved->count;
	if (!whole || resolved->count == 0) {
		topic->next_partition = 0;
		topic->ask_ns = now_ns + core->options.retry_backoff_ns;
	} else if (topic->next_partition < resolved->partition_count) {
		topic->ask_ns = now_ns;
	} else {
		topic->state = CLIENT_TOPIC_READY;
		topic->partition_count = resolved->partition_count;
	}
}

void
client_topic_resolved(struct client_core *core, const struct session_msg_resolved *resolved,
	uint64_t now_ns)
{
	struct client_topic *topic = NULL;

	for (uint32_t i = 0; i < core->topic_count; i++) {
		if (core->topics[i].request_id != 0 &&
			core->topics[i].request_id == resolved->request_id) {
			topic = &core->topics[i];
		}
	}
	if (!topic || topic->state != CLIENT_TOPIC_RESOLVING) {
		client_core_count(core, CLIENT_frames_ignored, 1);
		return;
	}
	switch (resolved->error) {
	case KAFKA_NONE:
		break;
	case KAFKA_INVALID_TOPIC_EXCEPTION:
	case KAFKA_TOPIC_AUTHORIZATION_FAILED:
		topic->request_id = 0;
		topic_failed(core, topic, resolved->error, now_ns);
		return;
	default:
		/* Unknown, being created, or the server is busy: again later. */
		client_core_tell(core, "topic %s: %s", topic->name,
			kafka_error_text(resolved->error));
		topic->request_id = 0;
		topic->next_partition = 0;
		topic->ask_ns = now_ns + core->options.retry_backoff_ns;
		return;
	}
	if (resolved->first_partition != topic->next_partition) {
		client_core_count(core, CLIENT_frames_ignored, 1);
		return;
	}
	if (topic->next_partition == 0) {
		topic->max_message_bytes = resolved->max_message_bytes;
		topic->metadata_version = resolved->metadata_version;
	}
	topic_page(core, topic, resolved, now_ns);
}
