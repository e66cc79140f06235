/* SPDX-License-Identifier: Apache-2.0 */
#include "support/broker_rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/counter.h"
#include "base/ensure.h"
#include "base/errcode.h"
#include "wire/record_batch.h"

#define TURNS_MAX 100000
#define IDLE_TURNS 3

/* --- a log in memory: the functions of logstore.h that ctrl/ calls --------------------- */

static uint32_t
new_partition(struct logstore *store, const char *topic, uint32_t partition, const uint8_t topic_id[16])
{
	struct rig_partition *p = &store->partitions[store->partition_count];

	ensure(store->partition_count < BROKER_RIG_PARTITIONS_MAX);
	p->exists = true;
	p->partition = partition;
	snprintf(p->topic, sizeof(p->topic), "%s", topic);
	memcpy(p->topic_id, topic_id, 16);
	return store->partition_count++;
}

static int
create_partition(struct logstore *store, struct log_command *command)
{
	if (store->creates_left == 0) {
		return -EAGAIN;
	}
	store->creates_left--;
	if (store->partition_count == BROKER_RIG_PARTITIONS_MAX || store->creates_good == 0) {
		command->error = store->create_error;
		command->os_error = store->create_os_error;
		return 0;
	}
	store->creates_good--;
	command->partition_index =
		new_partition(store, command->topic, command->partition, command->topic_id);
	store->partitions[command->partition_index].config = command->config;
	return 0;
}

int
logstore_command(struct logstore *store, struct log_command *command)
{
	struct rig_partition *p = &store->partitions[command->partition_index];

	ensure(strnlen(command->topic, sizeof(command->topic)) < sizeof(command->topic));
	if (store->answered_count == ARRAY_COUNT(store->answered)) {
		return -EAGAIN;
	}
	command->error = 0;
	if (command->kind == LOG_COMMAND_CREATE) {
		if (create_partition(store, command) < 0) {
			return -EAGAIN;
		}
	} else {
		ensure(command->partition_index < store->partition_count);
		ensure(p->exists);
		if (command->kind == LOG_COMMAND_DELETE) {
			p->exists = false;
		} else if (command->kind == LOG_COMMAND_ROLL) {
			command->offset = p->end;
		} else if (command->kind == LOG_COMMAND_REPAIR) {
			command->repair = store->repair;
			command->error = store->repair_error;
			command->offset = p->end;
		} else {
			p->config = command->config;
		}
	}
	store->answered[store->answered_count++] = command;
	return 0;
}

struct log_command *
logstore_command_poll(struct logstore *store)
{
	return store->answered_count > 0 && !store->mute ? store->answered[--store->answered_count] : NULL;
}

int
logstore_status(struct logstore *store, uint32_t partition_index,
	struct log_partition_status *ret_status)
{
	*ret_status = (struct log_partition_status){.state = LOG_PARTITION_SERVING};
	if (partition_index >= store->partition_count) {
		return -ENOENT;
	}
	if (store->partitions[partition_index].state != LOG_PARTITION_ABSENT) {
		ret_status->state = store->partitions[partition_index].state;
	}
	ret_status->high_watermark = store->partitions[partition_index].durable;
	ret_status->log_end_offset = store->partitions[partition_index].end;
	return 0;
}

void
logstore_info(struct logstore *store, struct log_store_info *ret_info)
{
	*ret_info = (struct log_store_info){.io_backend = "memory", .durable_method = "none",
		.flush_scope = "none", .disk_low = store->disk_low, .disk_free_bytes = 1000, .disk_needs_bytes = 2000,
		.in_use = store->in_use};
}

uint32_t
logstore_shard_of(const uint8_t topic_id[16], uint32_t partition, uint32_t shard_count)
{
	ensure(shard_count == 1);
	return 0;
}

void
logstore_counters(struct logstore *store, uint32_t shard, uint64_t *ret_values)
{
	memset(ret_values, 0, SHARD_COUNTER_COUNT * sizeof(*ret_values));
}

void
log_topic_config_init(struct log_topic_config *config)
{
	*config = (struct log_topic_config){.segment_bytes = 1 << 30,
		.segment_ms = 604800000,
		.index_interval_bytes = 4096,
		.index_bytes_max = 10 << 20,
		.max_message_bytes = 1048588,
		.flush_ms = 100};
}

static void
offer_done(struct broker_rig *rig, struct append_done done)
{
	ensure(ring_offer(&rig->append_done, &done, 1) == 1);
}

static void
append(struct broker_rig *rig, const struct append_req *req)
{
	struct rig_partition *p = &rig->store.partitions[req->partition_index];
	struct append_done done = {.kind = APPEND_COPIED,
		.partition_index = req->partition_index,
		.offset = p->end + req->record_count - 1,
		.owner = req->owner};

	if (rig->store.appends_good == 0) {
		done.kind = APPEND_REFUSED;
		done.error = rig->store.append_error;
		done.offset = -1;
		offer_done(rig, done);
		return;
	}
	rig->store.appends_good--;
	p->log = realloc(p->log, p->len + req->batch_len);
	ensure(p->log != NULL);
	memcpy(p->log + p->len, req->batch, req->batch_len);
	record_batch_stamp(p->log + p->len, p->end, 0);
	p->len += req->batch_len;
	p->end += req->record_count;
	offer_done(rig, done);
	if (!rig->store.hold_durable) {
		p->durable = p->end;
		done.kind = APPEND_DURABLE;
		done.owner = 0;
		offer_done(rig, done);
	}
}

/* A read is answered with the whole log of its partition. */
static uint32_t
serve(struct broker_rig *rig)
{
	struct append_req request;
	struct read_req read;
	struct extent_release release;
	uint32_t work = 0;

	if (rig->store.mute) {
		return 0;
	}
	for (; ring_take(&rig->append_req, &request, 1) == 1; work++) {
		append(rig, &request);
	}
	for (; ring_take(&rig->read_req, &read, 1) == 1; work++) {
		struct rig_partition *p = &rig->store.partitions[read.partition_index];
		struct read_done done = {.data = p->log,
			.data_len = (uint32_t)p->len,
			.partition_index = read.partition_index,
			.next_offset = p->end,
			.token = read.token,
			.error = rig->store.read_error,
			.pin = 1};

		ensure(ring_offer(&rig->read_done, &done, 1) == 1);
	}
	for (; ring_take(&rig->extent_release, &release, 1) == 1; work++) {
		ensure(release.pin == 1);
	}
	return work;
}

/* --- the broker between rings -------------------------------------------------------------- */

static void
open_broker(struct broker_rig *rig)
{
	struct broker_options options = {.clock = &rig->clock.clock,
		.rand = &rig->rand,
		.store = &rig->store,
		.routes = &rig->routes,
		.client = 1,
		.shard_count = 1,
		.lane_count = BROKER_RIG_LANES,
		.partitions_default = 2,
		.auto_create = true};

	log_topic_config_init(&options.topic_defaults);
	rig->routes = (struct route_table){.topics_max = BROKER_RIG_TOPICS_MAX,
		.partitions_max = BROKER_RIG_PARTITIONS_MAX};
	rig->routes.topics = calloc(BROKER_RIG_TOPICS_MAX, sizeof(struct route_topic));
	rig->routes.partitions = calloc(BROKER_RIG_PARTITIONS_MAX, sizeof(struct route_partition));
	ensure(rig->routes.topics != NULL);
	ensure(rig->routes.partitions != NULL);
	ensure(ring_create(&rig->append_req, 64, sizeof(struct append_req), NULL) == 0);
	ensure(ring_create(&rig->append_done, 256, sizeof(struct append_done), NULL) == 0);
	ensure(ring_create(&rig->read_req, 64, sizeof(struct read_req), NULL) == 0);
	ensure(ring_create(&rig->read_done, 64, sizeof(struct read_done), NULL) == 0);
	ensure(ring_create(&rig->extent_release, 64, sizeof(struct extent_release), NULL) == 0);
	for (uint32_t i = 0; i < BROKER_RIG_LANES; i++) {
		ensure(ring_create(&rig->ask[i], 64, sizeof(struct control_ask), NULL) == 0);
		ensure(ring_create(&rig->answer[i], BROKER_RIG_ANSWERS, sizeof(struct control_answer),
			       NULL) == 0);
		options.control_ask[i] = &rig->ask[i];
		options.control_answer[i] = &rig->answer[i];
	}
	options.append_req[0] = &rig->append_req;
	options.append_done[0] = &rig->append_done;
	options.read_req[0] = &rig->read_req;
	options.read_done[0] = &rig->read_done;
	options.extent_release[0] = &rig->extent_release;
	ensure(broker_create(&options, &rig->broker) == 0);
}

static void
close_broker(struct broker_rig *rig)
{
	broker_destroy(rig->broker);
	free(rig->routes.topics);
	free(rig->routes.partitions);
	ring_destroy(&rig->append_req);
	ring_destroy(&rig->append_done);
	ring_destroy(&rig->read_req);
	ring_destroy(&rig->read_done);
	ring_destroy(&rig->extent_release);
	for (uint32_t i = 0; i < BROKER_RIG_LANES; i++) {
		ring_destroy(&rig->ask[i]);
		ring_destroy(&rig->answer[i]);
	}
}

void
broker_rig_init(struct broker_rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	rig->store.creates_left = UINT32_MAX;
	rig->store.creates_good = UINT32_MAX;
	rig->store.create_error = KAFKA_KAFKA_STORAGE_ERROR;
	rig->store.appends_good = UINT32_MAX;
	rig->store.append_error = KAFKA_KAFKA_STORAGE_ERROR;
	clock_fake_init(&rig->clock, NS_PER_S, 1700000000 * NS_PER_S);
	rand_init(&rig->rand, 7);
	open_broker(rig);
}

void
broker_rig_free(struct broker_rig *rig)
{
	close_broker(rig);
	for (uint32_t i = 0; i < BROKER_RIG_PARTITIONS_MAX; i++) {
		free(rig->store.partitions[i].log);
	}
}

void
broker_rig_set_log(struct broker_rig *rig, uint32_t partition, const uint8_t *bytes, size_t len,
	int64_t end)
{
	struct rig_partition *p = &rig->store.partitions[partition];

	free(p->log);
	p->log = malloc(len);
	ensure(p->log != NULL || len == 0);
	if (len > 0) {
		memcpy(p->log, bytes, len);
	}
	p->len = len;
	p->end = p->durable = end;
}

void
broker_rig_found(struct broker_rig *rig, const char *topic, uint32_t partition,
	const uint8_t topic_id[16])
{
	uint32_t index = new_partition(&rig->store, topic, partition, topic_id);

	broker_found(rig->broker, index, topic, partition, topic_id);
}

uint32_t
broker_rig_poll(struct broker_rig *rig)
{
	uint32_t work = broker_poll(rig->broker, rig->clock.now_ns);

	return work + serve(rig);
}

void
broker_rig_run(struct broker_rig *rig)
{
	uint32_t idle = 0;

	for (uint32_t i = 0; idle < IDLE_TURNS; i++) {
		ensure(i < TURNS_MAX);
		idle = broker_rig_poll(rig) > 0 ? 0 : idle + 1;
	}
}

void
broker_rig_restart(struct broker_rig *rig)
{
	close_broker(rig);
	open_broker(rig);
	rig->store.answered_count = 0;
	rig->store.in_use = rig->store.partition_count > 0;
	for (uint32_t i = 0; i < rig->store.partition_count; i++) {
		struct rig_partition *p = &rig->store.partitions[i];

		log_topic_config_init(&p->config); /* as recovery leaves it */
		if (p->exists) {
			broker_found(rig->broker, i, p->topic, p->partition, p->topic_id);
		}
	}
	broker_rig_run(rig);
}
