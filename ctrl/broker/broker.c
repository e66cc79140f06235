/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "base/errcode.h"
#include "base/log.h"
#include "ctrl/broker/metadata.h"
#include "ctrl/broker/offset_lookup.h"
#include "ctrl/broker/producers.h"
#include "ctrl/broker/topic_config.h"
#include "ctrl/broker/topics.h"

#define BROKER_PRODUCERS_MAX 65536
#define ANSWERS_MAX	     1024
#define BURST		     32

/* A lane's question whose metadata record is on the way to disk, or whose answer found no room. */
struct pending_answer {
	bool in_use;
	bool ready;
	uint16_t lane;
	uint32_t fence_lanes; /* bit by lane: to be told FENCE before the answer goes */
	struct control_answer fence;
	struct broker *broker;
	struct control_answer answer;
};

struct broker {
	struct broker_options options;
	enum broker_state state;
	bool reconciled; /* the metadata log is read; topics found at the start open now */
	char failure[256];
	struct metadata *metadata;
	struct topics *topics;
	struct producers *producers;
	struct offset_lookups lookups;
	uint32_t answers_in_use;
	struct pending_answer answers[ANSWERS_MAX];
};

static void
broker_replay(void *user_data, const json_t *record)
{
	struct broker *b = user_data;
	const char *kind = json_string_value(json_object_get(record, "kind"));
	int rc = kind && strcmp(kind, "producer") == 0 ? producers_replay(b->producers, record)
						       : topics_replay(b->topics, record);

	if (rc < 0) {
		log_warning("broker", "metadata record of kind %s not understood; ignored",
			kind ? kind : "(none)");
	}
}

int
broker_create(const struct broker_options *options, struct broker **ret_broker)
{
	struct broker *b = calloc(1, sizeof(*b));
	struct metadata_options metadata = {
		.clock = options->clock,
		.store = options->store,
		.client = options->client,
		.replay = broker_replay,
		.replay_user_data = b,
	};
	int rc;

	if (!b) {
		return -ENOMEM;
	}
	b->options = *options;
	memcpy(metadata.append_req, options->append_req, sizeof(metadata.append_req));
	memcpy(metadata.read_req, options->read_req, sizeof(metadata.read_req));
	memcpy(metadata.extent_release, options->extent_release, sizeof(metadata.extent_release));
	rc = metadata_create(&metadata, &b->metadata);
	if (rc == 0) {
		rc = topics_create(options, b->metadata, &b->topics);
	}
	if (rc == 0) {
		rc = producers_create(BROKER_PRODUCERS_MAX, &b->producers);
	}
	if (rc < 0) {
		broker_destroy(b);
		return rc;
	}
	*ret_broker = b;
	return 0;
}

void
broker_destroy(struct broker *b)
{
	if (b) {
		offset_lookups_fini(&b->lookups);
		metadata_destroy(b->metadata);
		topics_destroy(b->topics);
		producers_destroy(b->producers);
		free(b);
	}
}

void
broker_found(struct broker *b, uint32_t partition_index, const char *topic, uint32_t partition,
	const uint8_t topic_id[16])
{
	topics_found(b->topics, partition_index, topic, partition, topic_id);
}

enum broker_state
broker_state(const struct broker *b)
{
	return b->state;
}

const char *
broker_failure(const struct broker *b)
{
	return b->failure;
}

/* --- questions of lanes --------------------------------------------------------------------------- */

static struct pending_answer *
broker_answer(struct broker *b, const struct control_ask *ask)
{
	for (uint32_t i = 0; i < ANSWERS_MAX; i++) {
		struct pending_answer *a = &b->answers[i];

		if (!a->in_use) {
			*a = (struct pending_answer){
				.in_use = true,
				.lane = ask->lane,
				.broker = b,
				.answer = {.kind = ask->kind,
					.session_index = ask->session_index,
					.token = ask->token,
					.producer_id = -1,
					.producer_epoch = -1},
			};
			b->answers_in_use++;
			return a;
		}
	}
	ensure(!"answers are counted before questions are taken");
	return NULL;
}

static void
broker_producer_durable(void *user_data, int16_t error)
{
	struct pending_answer *a = user_data;

	a->answer.error = error;
	a->ready = true;
	if (error) {
		a->fence_lanes = 0;
	}
}

/* Every session of the producer before this epoch is to end, whichever lane it is with. */
static void
broker_fence(struct pending_answer *a, int64_t producer_id, int16_t epoch)
{
	a->fence = (struct control_answer){
		.kind = CONTROL_FENCE,
		.producer_id = producer_id,
		.producer_epoch = epoch,
	};
	a->fence_lanes = (1u << a->broker->options.lane_count) - 1;
}

static void
broker_ask_producer(struct broker *b, const struct control_ask *ask)
{
	struct pending_answer *a = broker_answer(b, ask);
	struct producers_admitted admitted;
	const struct producer_entry *entry = &admitted.entry;

	a->answer.error = producers_admit(b->producers, ask, &admitted);
	if (a->answer.error) {
		a->ready = true;
		return;
	}
	a->answer.producer_id = entry->producer_id;
	a->answer.producer_epoch = entry->epoch;
	if (!admitted.changed) {
		a->ready = true;
		return;
	}
	if (admitted.fenced_id >= 0) {
		broker_fence(a, admitted.fenced_id, admitted.fenced_epoch);
	}
	if (metadata_append(b->metadata, "producer", producers_record(entry),
		    broker_producer_durable, a) < 0) {
		broker_producer_durable(a, KAFKA_THROTTLING_QUOTA_EXCEEDED);
	}
}

static void
broker_created_for_lane(void *user_data, int16_t error, const char *text)
{
	/* The lane was told to ask again; it will find the topic, or fail again with a reason logged. */
	(void)user_data;
	if (error && error != KAFKA_TOPIC_ALREADY_EXISTS && error != KAFKA_BROKER_NOT_AVAILABLE) {
		log_warning("broker", "topic not created on first use: %s", text);
	}
}

static void
broker_ask_resolve(struct broker *b, const struct control_ask *ask)
{
	struct pending_answer *a = broker_answer(b, ask);
	const char *name = (const char *)ask->name;
	uint32_t index = topics_find(b->topics, name, ask->name_len);

	a->ready = true;
	a->answer.topic_index = UINT32_MAX;
	if (!topics_name_valid(name, ask->name_len) ||
		(ask->name_len >= 2 && memcmp(name, "__", 2) == 0)) {
		a->answer.error = KAFKA_INVALID_TOPIC_EXCEPTION;
	} else if (index != UINT32_MAX) {
		a->answer.topic_index = index;
		a->answer.error = topics_state(b->topics, index) == TOPIC_OPEN
			? 0
			: KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	} else {
		a->answer.error = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
		if ((ask->flags & CONTROL_AUTO_CREATE) && b->options.auto_create) {
			char text[HANDOFF_TOPIC_NAME_MAX + 1];
			struct broker_topic_create create = {.name = text};

			memcpy(text, name, ask->name_len);
			text[ask->name_len] = 0;
			topics_add(b->topics, &create, broker_created_for_lane, NULL);
		}
	}
}

/* Takes at most one burst of questions a lane, and never more than there are answers for. */
static uint32_t
broker_take_asks(struct broker *b)
{
	struct control_ask asks[BURST];
	uint32_t work = 0;

	for (uint32_t lane = 0; lane < b->options.lane_count; lane++) {
		uint32_t room = ANSWERS_MAX - b->answers_in_use;
		uint32_t n = ring_take(b->options.control_ask[lane], asks, room < BURST ? room : BURST);

		for (uint32_t i = 0; i < n; i++) {
			switch (asks[i].kind) {
			case CONTROL_PRODUCER:
				broker_ask_producer(b, &asks[i]);
				break;
			case CONTROL_RESOLVE:
				broker_ask_resolve(b, &asks[i]);
				break;
			default:
				break; /* CONTROL_CLOSED: producers outlive their sessions */
			}
		}
		work += n;
	}
	return work;
}

/* FENCE to the lanes that were not told yet. Returns how many took it. */
static uint32_t
broker_send_fences(struct broker *b, struct pending_answer *a)
{
	uint32_t work = 0;

	for (uint32_t lanes = a->fence_lanes; lanes != 0; lanes &= lanes - 1) {
		uint32_t lane = (uint32_t)__builtin_ctz(lanes);

		if (ring_offer(b->options.control_answer[lane], &a->fence, 1) == 1) {
			a->fence_lanes &= ~(1u << lane);
			work++;
		}
	}
	return work;
}

/* The epoch may have risen while the answer waited: behind that FENCE no older session may open. */
static void
broker_judge_again(struct broker *b, struct control_answer *answer)
{
	const struct producer_entry *entry;

	if (answer->kind != CONTROL_PRODUCER || answer->error) {
		return;
	}
	entry = producers_find(b->producers, answer->producer_id);
	if (entry && entry->epoch > answer->producer_epoch) {
		answer->error = KAFKA_INVALID_PRODUCER_EPOCH;
	}
}

static uint32_t
broker_send_answers(struct broker *b)
{
	uint32_t work = 0;

	for (uint32_t i = 0; b->answers_in_use > 0 && i < ANSWERS_MAX; i++) {
		struct pending_answer *a = &b->answers[i];

		if (!a->in_use || !a->ready) {
			continue;
		}
		work += broker_send_fences(b, a);
		broker_judge_again(b, &a->answer);
		if (a->fence_lanes == 0 &&
			ring_offer(b->options.control_answer[a->lane], &a->answer, 1) == 1) {
			a->in_use = false;
			b->answers_in_use--;
			work++;
		}
	}
	return work;
}

/* --- the turn --------------------------------------------------------------------------------------- */

static uint32_t
broker_take_log_answers(struct broker *b)
{
	struct append_done appends[BURST];
	struct read_done reads[BURST];
	uint32_t work = 0;

	for (uint32_t shard = 0; shard < b->options.shard_count; shard++) {
		uint32_t n = ring_take(b->options.append_done[shard], appends, BURST);

		for (uint32_t i = 0; i < n; i++) {
			metadata_append_done(b->metadata, &appends[i]);
		}
		work += n;
		n = ring_take(b->options.read_done[shard], reads, BURST);
		for (uint32_t i = 0; i < n; i++) {
			if (!metadata_read_done(b->metadata, &reads[i])) {
				offset_lookup_read_done(&b->lookups, &b->options, &reads[i]);
			}
		}
		work += n;
	}
	return work;
}

static void
broker_load(struct broker *b)
{
	if (b->reconciled) {
		b->state = topics_settled(b->topics) ? BROKER_RUNNING : BROKER_LOADING;
		return;
	}
	if (!topics_bootstrap(b->topics)) {
		if (topics_bootstrap_error(b->topics) == KAFKA_UNKNOWN_TOPIC_OR_PARTITION) {
			b->state = BROKER_FAILED;
			snprintf(b->failure, sizeof(b->failure),
				"the data directory is in use, but " BROKER_METADATA_TOPIC
				"-0, which says what is in it, cannot be read or is gone: put it back (the log names "
				"the file), or start with another data.dirs");
		} else if (topics_bootstrap_error(b->topics)) {
			b->state = BROKER_FAILED;
			snprintf(b->failure, sizeof(b->failure), "the metadata topic cannot be made: %s",
				kafka_error_text(topics_bootstrap_error(b->topics)));
		}
		return;
	}
	if (metadata_error(b->metadata)) {
		b->state = BROKER_FAILED;
		snprintf(b->failure, sizeof(b->failure), "%s",
			metadata_error(b->metadata) == KAFKA_KAFKA_STORAGE_ERROR
				? "the metadata log is offline: its segment is locked by another process or cannot "
				  "be opened; the log names the errno. Mend that and start again"
				: "the metadata log cannot be read: see quarantine.json in its directory");
	} else if (metadata_replayed(b->metadata)) {
		topics_reconcile(b->topics);
		b->reconciled = true;
	}
}

uint32_t
broker_poll(struct broker *b, uint64_t now_ns)
{
	uint32_t work = broker_take_log_answers(b);

	(void)now_ns;
	work += topics_poll(b->topics);
	work += metadata_poll(b->metadata);
	if (b->state == BROKER_LOADING) {
		broker_load(b);
		if (b->state == BROKER_FAILED) {
			log_error("broker", "nothing is served: %s", b->failure);
		}
		return work;
	}
	if (b->state == BROKER_FAILED) {
		return work;
	}
	work += broker_take_asks(b);
	work += broker_send_answers(b);
	work += offset_lookup_poll(&b->lookups, &b->options);
	return work;
}

/* --- requests of methods ----------------------------------------------------------------------------- */

void
broker_topic_create(struct broker *b, const struct broker_topic_create *create, broker_done_fn done,
	void *user_data)
{
	topics_add(b->topics, create, done, user_data);
}

void
broker_topic_delete(struct broker *b, const char *name, bool validate_only, broker_done_fn done,
	void *user_data)
{
	topics_delete(b->topics, name, validate_only, done, user_data);
}

void
broker_topic_alter(struct broker *b, const struct broker_topic_alter *alter, broker_done_fn done,
	void *user_data)
{
	topics_alter(b->topics, alter, done, user_data);
}

uint32_t
broker_topic_waits(const struct broker *b, const char *name)
{
	return topics_waits(b->topics, name);
}

int
broker_os_error(const struct broker *b)
{
	return topics_os_error(b->topics);
}

void
broker_partition_roll(struct broker *b, const char *topic, uint32_t partition, broker_done_fn done,
	void *user_data)
{
	topics_roll(b->topics, topic, partition, done, user_data);
}

void
broker_partition_repair(struct broker *b, const char *topic, uint32_t partition,
	const struct log_repair *asked, broker_repaired_fn done, void *user_data)
{
	topics_repair(b->topics, topic, partition, asked, done, user_data);
}

const struct route_topic *
broker_topic_find(const struct broker *b, const char *name, uint32_t *ret_topic_index)
{
	uint32_t index = topics_find(b->topics, name, strlen(name));

	if (index == UINT32_MAX) {
		return NULL;
	}
	*ret_topic_index = index;
	return &b->options.routes->topics[index];
}

enum broker_topic_state
broker_topic_state(const struct broker *b, uint32_t topic_index)
{
	switch (topics_state(b->topics, topic_index)) {
	case TOPIC_OPEN:
	case TOPIC_CONFIGURING:
		return BROKER_TOPIC_OPEN;
	case TOPIC_DELETE_RECORDING:
	case TOPIC_DELETING:
		return BROKER_TOPIC_DELETING;
	case TOPIC_DELETED:
		return BROKER_TOPIC_DELETED;
	case TOPIC_DAMAGED:
		return BROKER_TOPIC_DAMAGED;
	case TOPIC_FAILED:
		return BROKER_TOPIC_FAILED;
	default:
		return BROKER_TOPIC_CREATING;
	}
}

uint32_t
broker_topic_configs(const struct broker *b, uint32_t topic_index,
	struct broker_config_row *ret_rows, uint32_t max)
{
	const struct topic_config *config = topics_config(b->topics, topic_index);
	uint32_t n = max < TOPIC_CONFIG_COUNT ? max : TOPIC_CONFIG_COUNT;

	for (uint32_t i = 0; i < n; i++) {
		ret_rows[i].name = topic_config_name(i);
		ret_rows[i].is_default = !config->set[i];
		topic_config_format(config, i, ret_rows[i].value, sizeof(ret_rows[i].value));
	}
	return n;
}

int
broker_config_check(const char *name, const char *value, char *text, uint32_t text_bytes)
{
	struct topic_config scratch = {0};

	return topic_config_set(&scratch, name, value, text, text_bytes);
}

const char *const *
broker_config_names(void)
{
	return topic_config_names();
}

bool
broker_producer_find(const struct broker *b, int64_t producer_id,
	struct broker_producer_row *ret_row)
{
	const struct producer_entry *e = producers_find(b->producers, producer_id);

	if (!e) {
		return false;
	}
	*ret_row = (struct broker_producer_row){.producer_id = e->producer_id, .epoch = e->epoch};
	memcpy(ret_row->name, e->name, e->name_len);
	return true;
}

int
broker_offset_by_time(struct broker *b, uint32_t partition_index, int64_t timestamp_ms,
	broker_offset_fn done, void *user_data)
{
	return offset_lookup_start(&b->lookups, &b->options,
		(struct offset_lookup){.partition_index = partition_index,
			.timestamp_ms = timestamp_ms,
			.done = done,
			.user_data = user_data});
}

void
broker_stored(const struct broker *b, uint64_t ret_stored[3])
{
	metadata_stored(b->metadata, ret_stored);
}
