/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RESOLVE: topic name -> handles. The name goes to control, which may create the topic; the answer
 * is a topic index, and the page of handles comes from the route table. A bounded table of open
 * questions; a client whose question finds no place repeats it.
 */
#include "base/ensure.h"
#include "ingest/lane.h"

static void
resolve_reply(struct lane *lane, struct native_session *session,
	const struct session_msg_resolved *resolved)
{
	struct reply reply;

	if (!reply_begin(lane, &session->peer,
		    FRAME_HEADER_BYTES + SESSION_MSG_RESOLVED_FIXED_BYTES +
			    SESSION_MSG_RESOLVED_ENTRY_BYTES * (uint32_t)resolved->count,
		    &reply)) {
		return;
	}
	reply_frame(lane, session, FRAME_RESOLVED, &reply.frame);
	struct writer body = frame_body_writer(reply.payload, reply.room);

	session_msg_resolved_encode(&body, resolved);
	reply_send(lane, &reply, &body);
}

static bool
resolve_allowed(struct lane *lane, struct native_session *session)
{
	uint64_t second = lane->now_ns / NS_PER_S;

	if (session->resolve_second != second) {
		session->resolve_second = second;
		session->resolve_tokens = LANE_RESOLVES_PER_SECOND;
	}
	if (session->resolve_tokens == 0) {
		return false;
	}
	session->resolve_tokens--;
	return true;
}

/* A free entry, or NULL. */
static struct lane_resolve *
resolve_entry(struct lane *lane, uint32_t *ret_index)
{
	for (uint32_t n = 0; n < LANE_RESOLVES_MAX; n++) {
		uint32_t index = lane->resolve_next;

		lane->resolve_next = (index + 1) % LANE_RESOLVES_MAX;
		if (lane->resolves[index].session_id == 0) {
			*ret_index = index;
			return &lane->resolves[index];
		}
	}
	return NULL;
}

static bool
resolve_ask(struct lane *lane, uint32_t session_index, const struct session_msg_resolve *ask)
{
	const struct native_session *session = &lane->sessions.sessions[session_index];
	uint32_t index = 0;
	struct lane_resolve *entry = resolve_entry(lane, &index);
	struct control_ask question = {
		.kind = CONTROL_RESOLVE,
		.flags = ask->flags & SESSION_MSG_AUTO_CREATE ? CONTROL_AUTO_CREATE : 0,
		.lane = lane->options.lane,
		.session_index = session_index,
		.producer_id = session->producer_id,
		.producer_epoch = session->producer_epoch,
		.name_len = ask->name_len,
	};

	if (!entry) {
		return false;
	}
	memcpy(question.name, ask->name, ask->name_len);
	question.token = (uint64_t)++lane->resolve_serial << 32 | index;
	if (ring_offer(lane->options.control_ask, &question, 1) != 1) {
		return false;
	}
	*entry = (struct lane_resolve){
		.session_id = session->session_id,
		.session_index = session_index,
		.request_id = ask->request_id,
		.first_partition = ask->first_partition,
		.serial = lane->resolve_serial,
	};
	return true;
}

bool
resolve_input(struct lane *lane, uint32_t session_index, const struct session_msg_resolve *ask)
{
	struct native_session *session = &lane->sessions.sessions[session_index];

	if (!resolve_allowed(lane, session)) {
		return false;
	}
	if (!session_msg_topic_name_valid(ask->name, ask->name_len)) {
		struct session_msg_resolved resolved = {.request_id = ask->request_id,
			.error = KAFKA_INVALID_TOPIC_EXCEPTION,
			.first_partition = ask->first_partition};

		resolve_reply(lane, session, &resolved);
		return true;
	}
	return resolve_ask(lane, session_index, ask);
}

/* What the session's ACKs compare with, from now on. */
static void
resolve_note_version(struct lane *lane, const struct native_session *session, uint32_t topic_index)
{
	for (uint32_t i = session->stream_first; i != STREAM_NONE;
		i = native_stream_at(&lane->streams, i)->session_next) {
		struct native_stream *stream = native_stream_at(&lane->streams, i);
		const struct route_partition *partition = route_partition(lane, stream->stream);

		if (partition && partition->topic_index == topic_index) {
			stream->metadata_low =
				(uint16_t)route_metadata_version(lane, stream->stream);
		}
	}
}

static void
resolve_page(struct lane *lane, uint32_t topic_index, struct session_msg_resolved *resolved)
{
	const struct route_table *routes = lane->options.routes;
	struct route_topic *topic = &routes->topics[topic_index];
	uint32_t first = resolved->first_partition;

	ensure(topic_index < routes->topics_max);
	if (route_state_acquire(&topic->state) != ROUTE_OPEN) {
		resolved->error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
		return;
	}
	resolved->partition_count = topic->partition_count;
	/* First: with an older version than its settings a client asks once more, the other way
	 * round never. */
	resolved->metadata_version =
		atomic_load_explicit(&topic->metadata_version, memory_order_acquire);
	resolved->max_message_bytes = ROUTE_READ(topic->max_message_bytes);
	memcpy(resolved->topic_id, topic->topic_id, sizeof(resolved->topic_id));
	for (uint64_t p = first;
		p < topic->partition_count && resolved->count < SESSION_MSG_RESOLVED_MAX; p++) {
		uint32_t stream = topic->first_partition_index + (uint32_t)p + 1;
		const struct route_partition *partition = route_partition(lane, stream);

		if (!partition) {
			break;
		}
		resolved->entries[resolved->count++] = (struct session_msg_resolved_entry){
			.stream = stream,
			.leader_epoch = partition->leader_epoch,
			.lane = partition->lane,
			.flags = (uint16_t)(ROUTE_READ(partition->flags) &
					    (SESSION_MSG_WRITABLE | SESSION_MSG_RISK_MASK)),
		};
	}
}

void
resolve_answer(struct lane *lane, const struct control_answer *answer)
{
	uint32_t index = (uint32_t)answer->token;

	ensure(index < LANE_RESOLVES_MAX);
	struct lane_resolve entry = lane->resolves[index];

	ensure(entry.session_id != 0);
	ensure(entry.serial == (uint32_t)(answer->token >> 32));
	lane->resolves[index].session_id = 0;
	struct native_session *session = &lane->sessions.sessions[entry.session_index];

	if (session->session_id != entry.session_id || !native_session_live(session)) {
		return;
	}
	struct session_msg_resolved resolved = {.request_id = entry.request_id,
		.error = answer->error,
		.first_partition = entry.first_partition};

	if (answer->error == 0) {
		resolve_page(lane, answer->topic_index, &resolved);
		resolve_note_version(lane, session, answer->topic_index);
	}
	resolve_reply(lane, session, &resolved);
}
