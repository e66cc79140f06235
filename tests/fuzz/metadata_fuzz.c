/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A broker's start over any contents of __penstock_metadata. The input: [flags][lines], each line one
 * record's value; with INPUT_RAW the lines are the log's bytes themselves. The log beside it is a fake
 * that has a few partition directories. Whatever the records are: the start ends, running or failed
 * with a reason; and a broker that runs creates a topic and still answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "base/log.h"
#include "ctrl/broker/broker.h"
#include "fuzz/fuzz.h"
#include "support/clock_fake.h"
#include "wire/record_batch.h"

#define TOPICS_MAX     16
#define PARTITIONS_MAX 32
#define POLLS_MAX      3000
#define LOG_BYTES      65536
#define FOUND_FLAGS    3

enum input_flag {
	/* The low two bits: how many partition directories of topic "t" there are. */
	INPUT_RAW = 4,
	INPUT_OTHER_ID = 8, /* their topic id is not the one that the seeds name */
};

static const uint8_t topic_id[16] = {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
	0x11, 0x11, 0x11, 0x11, 0x11};

/* --- a log in memory: what the broker calls of logstore.h ----------------------------------------- */

struct logstore {
	struct log_command *answered[64];
	uint32_t answered_count;
	uint32_t partition_count;
	uint8_t *log; /* of partition 0, exactly len bytes */
	size_t len;
	int64_t end;
};

int
logstore_command(struct logstore *store, struct log_command *command)
{
	if (store->answered_count == 64 ||
		(command->kind == LOG_COMMAND_CREATE && store->partition_count == PARTITIONS_MAX)) {
		return -EAGAIN;
	}
	ensure(strnlen(command->topic, sizeof(command->topic)) < sizeof(command->topic));
	command->error = 0;
	if (command->kind == LOG_COMMAND_CREATE) {
		command->partition_index = store->partition_count++;
	}
	ensure(command->partition_index < store->partition_count);
	store->answered[store->answered_count++] = command;
	return 0;
}

struct log_command *
logstore_command_poll(struct logstore *store)
{
	return store->answered_count > 0 ? store->answered[--store->answered_count] : NULL;
}

int
logstore_status(struct logstore *store, uint32_t partition_index, struct log_partition_status *ret_status)
{
	*ret_status = (struct log_partition_status){.state = LOG_PARTITION_SERVING};
	if (partition_index >= store->partition_count) {
		return -ENOENT;
	}
	if (partition_index == 0) {
		ret_status->high_watermark = ret_status->log_end_offset = store->end;
	}
	return 0;
}

void
log_topic_config_init(struct log_topic_config *config)
{
	*config = (struct log_topic_config){.segment_bytes = 1 << 30, .segment_ms = 604800000,
		.index_interval_bytes = 4096, .index_bytes_max = 10 << 20, .max_message_bytes = 1048588,
		.flush_ms = 100};
}

/* --- the broker between rings ---------------------------------------------------------------------- */

struct rig {
	struct logstore store;
	struct clock_fake clock;
	struct rand rand;
	struct route_table routes;
	struct ring append_req, append_done, read_req, read_done, extent_release, ask, answer;
	struct broker *broker;
	uint32_t answers;
};

static void
rig_open(struct rig *rig)
{
	struct broker_options options = {.clock = &rig->clock.clock, .rand = &rig->rand,
		.store = &rig->store, .routes = &rig->routes, .client = 1, .shard_count = 1,
		.lane_count = 1, .partitions_default = 2, .auto_create = true};

	log_topic_config_init(&options.topic_defaults);
	clock_fake_init(&rig->clock, NS_PER_S, 1700000000 * NS_PER_S);
	rand_init(&rig->rand, 7);
	rig->routes = (struct route_table){.topics_max = TOPICS_MAX, .partitions_max = PARTITIONS_MAX};
	rig->routes.topics = calloc(TOPICS_MAX, sizeof(struct route_topic));
	rig->routes.partitions = calloc(PARTITIONS_MAX, sizeof(struct route_partition));
	ensure(rig->routes.topics != NULL);
	ensure(rig->routes.partitions != NULL);
	ensure(ring_create(&rig->append_req, 64, sizeof(struct append_req), NULL) == 0);
	ensure(ring_create(&rig->append_done, 256, sizeof(struct append_done), NULL) == 0);
	ensure(ring_create(&rig->read_req, 64, sizeof(struct read_req), NULL) == 0);
	ensure(ring_create(&rig->read_done, 64, sizeof(struct read_done), NULL) == 0);
	ensure(ring_create(&rig->extent_release, 64, sizeof(struct extent_release), NULL) == 0);
	ensure(ring_create(&rig->ask, 64, sizeof(struct control_ask), NULL) == 0);
	ensure(ring_create(&rig->answer, 64, sizeof(struct control_answer), NULL) == 0);
	options.append_req[0] = &rig->append_req;
	options.append_done[0] = &rig->append_done;
	options.read_req[0] = &rig->read_req;
	options.read_done[0] = &rig->read_done;
	options.extent_release[0] = &rig->extent_release;
	options.control_ask[0] = &rig->ask;
	options.control_answer[0] = &rig->answer;
	ensure(broker_create(&options, &rig->broker) == 0);
}

static void
rig_close(struct rig *rig)
{
	broker_destroy(rig->broker);
	free(rig->routes.topics);
	free(rig->routes.partitions);
	free(rig->store.log);
	ring_destroy(&rig->append_req);
	ring_destroy(&rig->append_done);
	ring_destroy(&rig->read_req);
	ring_destroy(&rig->read_done);
	ring_destroy(&rig->extent_release);
	ring_destroy(&rig->ask);
	ring_destroy(&rig->answer);
}

static void
rig_poll(struct rig *rig)
{
	struct extent_release release;
	struct append_req append;
	struct read_req read;

	(void)broker_poll(rig->broker, rig->clock.now_ns);
	while (ring_take(&rig->append_req, &append, 1) == 1) {
		struct append_done done = {.kind = APPEND_COPIED,
			.partition_index = append.partition_index,
			.offset = rig->store.end + append.record_count - 1,
			.owner = append.owner};

		ensure(append.partition_index == 0);
		rig->store.end += append.record_count;
		ensure(ring_offer(&rig->append_done, &done, 1) == 1);
		done.kind = APPEND_DURABLE;
		done.owner = 0;
		ensure(ring_offer(&rig->append_done, &done, 1) == 1);
	}
	while (ring_take(&rig->read_req, &read, 1) == 1) {
		struct read_done done = {.data = rig->store.log, .data_len = (uint32_t)rig->store.len,
			.partition_index = read.partition_index, .next_offset = rig->store.end,
			.token = read.token, .pin = 1};

		ensure(ring_offer(&rig->read_done, &done, 1) == 1);
	}
	while (ring_take(&rig->extent_release, &release, 1) == 1) {
		ensure(release.pin == 1);
	}
}

/* --- the input -------------------------------------------------------------------------------------- */

/* One batch, one record a line; lines that do not fit are left out. */
static void
build_log(struct logstore *store, const uint8_t *bytes, size_t len)
{
	uint8_t *room = malloc(LOG_BYTES);
	struct record_builder builder;
	int64_t count = 0;

	ensure(room != NULL);
	record_builder_init(&builder, room, LOG_BYTES);
	while (len > 0) {
		const uint8_t *end = memchr(bytes, '\n', len);
		size_t line = end ? (size_t)(end - bytes) : len;

		count += record_builder_add(&builder, 1000, "k", 1, bytes, (int32_t)line) == 0;
		bytes += line + (end ? 1 : 0);
		len -= line + (end ? 1 : 0);
	}
	if (count > 0) {
		store->len = record_builder_finish(&builder, -1, -1, -1);
		store->log = malloc(store->len);
		ensure(store->log != NULL);
		memcpy(store->log, room, store->len);
	}
	store->end = count;
	free(room);
}

static void
rig_load(struct rig *rig, uint8_t flags, const uint8_t *bytes, size_t len)
{
	uint8_t id[16];

	if (!(flags & INPUT_RAW)) {
		build_log(&rig->store, bytes, len);
	} else if (len > 0) {
		rig->store.log = malloc(len);
		ensure(rig->store.log != NULL);
		memcpy(rig->store.log, bytes, len);
		rig->store.len = len;
		rig->store.end = 2;
	}
	memcpy(id, topic_id, sizeof(id));
	id[0] ^= flags & INPUT_OTHER_ID ? 1 : 0;
	broker_found(rig->broker, 0, BROKER_METADATA_TOPIC, 0, (const uint8_t[16]){9});
	rig->store.partition_count = 1;
	for (uint32_t i = 0; i < (flags & FOUND_FLAGS); i++) {
		broker_found(rig->broker, rig->store.partition_count++, "t", i, id);
	}
}

static void
no_log(void *user_data, enum log_level level, const char *line)
{
}

static void
on_created(void *user_data, int16_t error, const char *text)
{
	((struct rig *)user_data)->answers++;
	ensure(error == 0 || text[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct rig rig;
	int polls = 0;

	if (len == 0) {
		return 0;
	}
	log_set_sink(no_log, NULL);
	memset(&rig, 0, sizeof(rig));
	rig_open(&rig);
	rig_load(&rig, bytes[0], bytes + 1, len - 1);
	while (broker_state(rig.broker) == BROKER_LOADING) {
		ensure(polls++ < POLLS_MAX);
		rig_poll(&rig);
	}
	if (broker_state(rig.broker) == BROKER_FAILED) {
		ensure(broker_failure(rig.broker)[0] != '\0');
	} else {
		broker_topic_create(rig.broker,
			&(struct broker_topic_create){.name = "new", .partitions = 2}, on_created, &rig);
		for (polls = 0; rig.answers == 0; polls++) {
			ensure(polls < POLLS_MAX);
			rig_poll(&rig);
		}
	}
	rig_close(&rig);
	return 0;
}
