/* SPDX-License-Identifier: Apache-2.0 */
/* The broker against a log in memory: topics, producer ids, and what a restart finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/errcode.h"
#include "ctrl/broker/broker.h"
#include "ctrl/broker/producers.h"
#include "support/clock_fake.h"
#include "wire/record_batch.h"

#define PARTITIONS_MAX 32
#define STEPS_MAX      2000
#define LOG_BYTES      (256 * 1024)

/* --- a log in memory: the functions of logstore.h that the broker calls ----------------------- */

struct fake_partition {
	bool exists;
	char topic[HANDOFF_TOPIC_NAME_MAX + 1];
	uint32_t partition;
	uint8_t topic_id[16];
	struct log_topic_config config;
	int64_t end;
	int64_t durable;
	uint32_t bytes;
	uint8_t log[LOG_BYTES];
};

struct logstore {
	struct fake_partition partitions[PARTITIONS_MAX];
	uint32_t partition_count;
	struct log_command *answered[64];
	uint32_t answered_count;
	uint32_t creates_left; /* then the log answers no more: a crash in the middle */
	bool hold_durable;
};

int
logstore_command(struct logstore *store, struct log_command *command)
{
	struct fake_partition *p;

	command->error = 0;
	switch (command->kind) {
	case LOG_COMMAND_CREATE:
		if (store->creates_left == 0) {
			return -EAGAIN;
		}
		store->creates_left--;
		p = &store->partitions[store->partition_count];
		command->partition_index = store->partition_count++;
		p->exists = true;
		p->partition = command->partition;
		snprintf(p->topic, sizeof(p->topic), "%s", command->topic);
		memcpy(p->topic_id, command->topic_id, 16);
		p->config = command->config;
		break;
	case LOG_COMMAND_DELETE:
		store->partitions[command->partition_index].exists = false;
		break;
	case LOG_COMMAND_ROLL:
		command->offset = store->partitions[command->partition_index].end;
		break;
	case LOG_COMMAND_CONFIG:
		store->partitions[command->partition_index].config = command->config;
		break;
	}
	store->answered[store->answered_count++] = command;
	return 0;
}

struct log_command *
logstore_command_poll(struct logstore *store)
{
	return store->answered_count > 0 ? store->answered[--store->answered_count] : NULL;
}

int
logstore_status(struct logstore *store, uint32_t partition_index,
	struct log_partition_status *ret_status)
{
	memset(ret_status, 0, sizeof(*ret_status));
	if (partition_index >= store->partition_count) {
		return -ENOENT;
	}
	ret_status->state = LOG_PARTITION_SERVING;
	ret_status->high_watermark = store->partitions[partition_index].durable;
	ret_status->log_end_offset = store->partitions[partition_index].end;
	return 0;
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

/* --- fixture ------------------------------------------------------------------------------------- */

struct fixture {
	struct logstore *store;
	struct clock_fake clock;
	struct rand rand;
	struct route_table routes;
	struct ring append_req, append_done, read_req, read_done, extent_release, ask, answer;
	struct broker *broker;
	int16_t error;
	uint32_t answers;
	char text[256];
};

static void
open_broker(struct fixture *f)
{
	struct broker_options options = {.clock = &f->clock.clock,
		.rand = &f->rand,
		.store = f->store,
		.routes = &f->routes,
		.client = 1,
		.shard_count = 1,
		.lane_count = 1,
		.partitions_default = 2,
		.auto_create = true};

	log_topic_config_init(&options.topic_defaults);
	f->routes = (struct route_table){.topics_max = 16, .partitions_max = PARTITIONS_MAX};
	f->routes.topics = calloc(16, sizeof(struct route_topic));
	f->routes.partitions = calloc(PARTITIONS_MAX, sizeof(struct route_partition));
	assert_int_equal(ring_create(&f->append_req, 64, sizeof(struct append_req), NULL), 0);
	assert_int_equal(ring_create(&f->append_done, 256, sizeof(struct append_done), NULL), 0);
	assert_int_equal(ring_create(&f->read_req, 64, sizeof(struct read_req), NULL), 0);
	assert_int_equal(ring_create(&f->read_done, 64, sizeof(struct read_done), NULL), 0);
	assert_int_equal(ring_create(&f->extent_release, 64, sizeof(struct extent_release), NULL), 0);
	assert_int_equal(ring_create(&f->ask, 64, sizeof(struct control_ask), NULL), 0);
	assert_int_equal(ring_create(&f->answer, 64, sizeof(struct control_answer), NULL), 0);
	options.append_req[0] = &f->append_req;
	options.append_done[0] = &f->append_done;
	options.read_req[0] = &f->read_req;
	options.read_done[0] = &f->read_done;
	options.extent_release[0] = &f->extent_release;
	options.control_ask[0] = &f->ask;
	options.control_answer[0] = &f->answer;
	assert_int_equal(broker_create(&options, &f->broker), 0);
}

static void
close_broker(struct fixture *f)
{
	broker_destroy(f->broker);
	free(f->routes.topics);
	free(f->routes.partitions);
	ring_destroy(&f->append_req);
	ring_destroy(&f->append_done);
	ring_destroy(&f->read_req);
	ring_destroy(&f->read_done);
	ring_destroy(&f->extent_release);
	ring_destroy(&f->ask);
	ring_destroy(&f->answer);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->store = calloc(1, sizeof(*f->store));
	f->store->creates_left = UINT32_MAX;
	clock_fake_init(&f->clock, NS_PER_S, 1700000000 * NS_PER_S);
	rand_init(&f->rand, 7);
	open_broker(f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	close_broker(f);
	free(f->store);
	free(f);
	return 0;
}

static void
serve_appends(struct fixture *f)
{
	struct append_req req;

	while (ring_take(&f->append_req, &req, 1) == 1) {
		struct fake_partition *p = &f->store->partitions[req.partition_index];
		struct append_done done = {.kind = APPEND_COPIED,
			.partition_index = req.partition_index,
			.offset = p->end,
			.owner = req.owner};

		assert_true(p->bytes + req.batch_len <= LOG_BYTES);
		memcpy(p->log + p->bytes, req.batch, req.batch_len);
		record_batch_stamp(p->log + p->bytes, p->end, 0);
		p->bytes += req.batch_len;
		p->end += req.record_count;
		assert_int_equal(ring_offer(&f->append_done, &done, 1), 1);
		if (!f->store->hold_durable) {
			p->durable = p->end;
			done.kind = APPEND_DURABLE;
			done.owner = 0;
			assert_int_equal(ring_offer(&f->append_done, &done, 1), 1);
		}
	}
}

static void
serve_reads(struct fixture *f)
{
	struct read_req req;
	struct extent_release release;

	while (ring_take(&f->read_req, &req, 1) == 1) {
		struct fake_partition *p = &f->store->partitions[req.partition_index];
		struct read_done done = {.data = p->log,
			.data_len = p->bytes,
			.partition_index = req.partition_index,
			.next_offset = p->end,
			.token = req.token,
			.pin = 1};

		assert_int_equal(ring_offer(&f->read_done, &done, 1), 1);
	}
	while (ring_take(&f->extent_release, &release, 1) == 1) {
		assert_int_equal(release.pin, 1);
	}
}

static void
run(struct fixture *f)
{
	for (int i = 0; i < STEPS_MAX; i++) {
		broker_poll(f->broker, f->clock.now_ns);
		serve_appends(f);
		serve_reads(f);
	}
}

static void
restart(struct fixture *f)
{
	close_broker(f);
	open_broker(f);
	f->store->answered_count = 0;
	for (uint32_t i = 0; i < f->store->partition_count; i++) {
		struct fake_partition *p = &f->store->partitions[i];

		log_topic_config_init(&p->config); /* as recovery leaves it */
		if (p->exists) {
			broker_found(f->broker, i, p->topic, p->partition, p->topic_id);
		}
	}
	run(f);
}

static void
done(void *user_data, int16_t error, const char *text)
{
	struct fixture *f = user_data;

	f->error = error;
	f->answers++;
	snprintf(f->text, sizeof(f->text), "%s", text);
}

static void
create_topic(struct fixture *f, const char *name, uint32_t partitions)
{
	f->answers = 0;
	broker_topic_create(f->broker,
		&(struct broker_topic_create){.name = name, .partitions = partitions}, done, f);
	run(f);
	assert_int_equal(f->answers, 1);
}

static struct control_answer
ask(struct fixture *f, struct control_ask question)
{
	struct control_answer answer;

	assert_int_equal(ring_offer(&f->ask, &question, 1), 1);
	run(f);
	assert_int_equal(ring_take(&f->answer, &answer, 1), 1);
	return answer;
}

static struct control_ask
hello(const char *name, uint8_t flags, int64_t id, int16_t epoch)
{
	struct control_ask question = {.kind = CONTROL_PRODUCER,
		.flags = flags,
		.token = 99,
		.producer_id = id,
		.producer_epoch = epoch,
		.name_len = (uint8_t)strlen(name)};

	memcpy(question.name, name, question.name_len);
	return question;
}

static struct control_ask
resolve(const char *name, uint8_t flags)
{
	struct control_ask question = hello(name, flags, -1, -1);

	question.kind = CONTROL_RESOLVE;
	return question;
}

/* --- tests ----------------------------------------------------------------------------------------- */

static void
a_new_store_gets_its_metadata_topic_first(void **state)
{
	struct fixture *f = *state;

	run(f);
	assert_int_equal(broker_state(f->broker), BROKER_RUNNING);
	assert_string_equal(f->store->partitions[0].topic, BROKER_METADATA_TOPIC);
}

static void
a_created_topic_is_open_with_dense_partitions(void **state)
{
	struct fixture *f = *state;
	uint32_t index;

	run(f);
	create_topic(f, "flights", 4);
	assert_int_equal(f->error, 0);
	const struct route_topic *topic = broker_topic_find(f->broker, "flights", &index);

	assert_non_null(topic);
	assert_int_equal(topic->state, ROUTE_OPEN);
	for (uint32_t p = 0; p < 4; p++) {
		struct route_partition *route = &f->routes.partitions[topic->first_partition_index + p];

		assert_int_equal(route->state, ROUTE_OPEN);
		assert_int_equal(route->partition, p);
		assert_int_equal(route->flags & ROUTE_WRITABLE, ROUTE_WRITABLE);
	}
}

static void
a_topic_answers_only_after_its_records_are_durable(void **state)
{
	struct fixture *f = *state;

	run(f);
	f->store->hold_durable = true;
	f->answers = 0;
	broker_topic_create(f->broker, &(struct broker_topic_create){.name = "t", .partitions = 1}, done,
		f);
	run(f);
	assert_int_equal(f->answers, 0);
	assert_int_equal(f->store->partition_count, 1);
}

static void
bad_names_counts_and_settings_are_refused_with_the_reason(void **state)
{
	struct fixture *f = *state;
	const char *names[] = {"retention.ms"}, *values[] = {"5"};

	run(f);
	create_topic(f, "a/b", 1);
	assert_int_equal(f->error, KAFKA_INVALID_TOPIC_EXCEPTION);
	create_topic(f, "__own", 1);
	assert_int_equal(f->error, KAFKA_INVALID_TOPIC_EXCEPTION);
	create_topic(f, "many", PARTITIONS_MAX + 1);
	assert_int_equal(f->error, KAFKA_INVALID_PARTITIONS);
	broker_topic_create(f->broker,
		&(struct broker_topic_create){.name = "c",
			.partitions = 1,
			.config_count = 1,
			.config_names = names,
			.config_values = values},
		done, f);
	assert_int_equal(f->error, KAFKA_INVALID_CONFIG);
	assert_non_null(strstr(f->text, "retention.ms=5"));
	create_topic(f, "twice", 1);
	create_topic(f, "twice", 1);
	assert_int_equal(f->error, KAFKA_TOPIC_ALREADY_EXISTS);
}

static void
topics_and_settings_survive_a_restart(void **state)
{
	struct fixture *f = *state;
	const char *names[] = {"penstock.ack.risk"}, *values[] = {"power"};
	struct broker_config_row rows[32];
	uint32_t index, n;

	run(f);
	broker_topic_create(f->broker,
		&(struct broker_topic_create){.name = "kept",
			.partitions = 3,
			.config_count = 1,
			.config_names = names,
			.config_values = values},
		done, f);
	run(f);
	restart(f);
	assert_int_equal(broker_state(f->broker), BROKER_RUNNING);
	const struct route_topic *topic = broker_topic_find(f->broker, "kept", &index);

	assert_non_null(topic);
	assert_int_equal(topic->state, ROUTE_OPEN);
	assert_int_equal(topic->partition_count, 3);
	n = broker_topic_configs(f->broker, index, rows, 32);
	for (uint32_t i = 0; i < n; i++) {
		if (strcmp(rows[i].name, "penstock.ack.risk") == 0) {
			assert_string_equal(rows[i].value, "power");
			assert_false(rows[i].is_default);
		}
	}
	assert_int_equal(f->routes.partitions[topic->first_partition_index].flags >> ROUTE_RISK_SHIFT & 3, 1);
	/* The log keeps none: it was told before the topic opened. */
	for (uint32_t p = 0; p < 3; p++) {
		assert_int_equal(
			f->store->partitions[topic->first_partition_index + p].config.ack_risk, 1);
	}
}

static void
a_half_made_topic_is_made_again_after_a_restart(void **state)
{
	struct fixture *f = *state;
	uint32_t index;

	run(f);
	f->store->creates_left = 2;
	broker_topic_create(f->broker, &(struct broker_topic_create){.name = "half", .partitions = 4}, done,
		f);
	run(f);
	assert_int_equal(f->store->partition_count, 3);
	f->store->creates_left = UINT32_MAX;
	restart(f);
	const struct route_topic *topic = broker_topic_find(f->broker, "half", &index);

	assert_non_null(topic);
	assert_int_equal(topic->state, ROUTE_OPEN);
	assert_int_equal(topic->first_partition_index, 3);
	assert_false(f->store->partitions[1].exists);
	assert_false(f->store->partitions[2].exists);
}

static void
a_topic_with_a_missing_directory_is_not_served(void **state)
{
	struct fixture *f = *state;
	uint32_t index;

	run(f);
	create_topic(f, "hurt", 3);
	f->store->partitions[2].exists = false;
	restart(f);
	const struct route_topic *topic = broker_topic_find(f->broker, "hurt", &index);

	assert_non_null(topic);
	assert_int_not_equal(topic->state, ROUTE_OPEN);
	assert_true(f->store->partitions[1].exists);
	assert_true(f->store->partitions[3].exists);
}

static void
a_deleted_topic_is_gone_and_its_name_is_free(void **state)
{
	struct fixture *f = *state;
	uint32_t index;

	run(f);
	create_topic(f, "gone", 2);
	broker_topic_delete(f->broker, "gone", done, f);
	run(f);
	assert_int_equal(f->error, 0);
	assert_null(broker_topic_find(f->broker, "gone", &index));
	assert_false(f->store->partitions[1].exists);
	restart(f);
	assert_null(broker_topic_find(f->broker, "gone", &index));
	create_topic(f, "gone", 2);
	assert_int_equal(f->error, 0);
}

static void
count_answer(void *user_data, int16_t error, const char *text)
{
	uint32_t *answers = user_data;

	(void)text;
	answers[error ? 1 : 0]++;
}

static void
while_a_change_is_on_its_way_to_disk_another_one_is_refused(void **state)
{
	static const char *const names[] = {"max.message.bytes"};
	static const char *const first[] = {"2000"}, *const second[] = {"3000"};
	struct fixture *f = *state;
	uint32_t alter[2] = {0}, again[2] = {0}, gone[2] = {0};

	run(f);
	create_topic(f, "t", 1);
	f->store->hold_durable = true;
	broker_topic_alter(f->broker, "t", 1, names, first, count_answer, alter);
	broker_topic_alter(f->broker, "t", 1, names, second, count_answer, again);
	broker_topic_delete(f->broker, "t", count_answer, gone);
	run(f);
	assert_int_equal(alter[0] + alter[1], 0);
	assert_int_equal(again[1], 1);
	assert_int_equal(gone[1], 1);
	assert_int_equal(f->routes.topics[1].max_message_bytes, 1048588);
	f->store->hold_durable = false;
	create_topic(f, "u", 1); /* its records make the held one durable */
	assert_int_equal(alter[0], 1);
	assert_int_equal(again[0] + gone[0], 0);
	assert_int_equal(f->routes.topics[1].max_message_bytes, 2000);
	assert_int_equal(f->store->partitions[1].config.max_message_bytes, 2000);
	broker_topic_delete(f->broker, "t", count_answer, gone);
	run(f);
	assert_int_equal(gone[0], 1);
}

static void
an_altered_ack_risk_reaches_the_lanes_and_the_clients(void **state)
{
	static const char *const names[] = {"penstock.ack.risk"};
	static const char *const values[] = {"power"};
	struct fixture *f = *state;
	uint32_t version, first, alter[2] = {0};

	run(f);
	create_topic(f, "t", 2);
	version = f->routes.topics[1].metadata_version;
	first = f->routes.topics[1].first_partition_index;
	broker_topic_alter(f->broker, "t", 1, names, values, count_answer, alter);
	run(f);
	assert_int_equal(alter[0], 1);
	for (uint32_t p = 0; p < 2; p++) {
		assert_int_equal(f->routes.partitions[first + p].flags,
			ROUTE_WRITABLE | 1u << ROUTE_RISK_SHIFT);
	}
	assert_true(f->routes.topics[1].metadata_version > version);
}

static void
producer_ids_are_fresh_and_never_given_twice(void **state)
{
	struct fixture *f = *state;
	struct control_answer a, b, c;

	run(f);
	a = ask(f, hello("", 0, -1, -1));
	b = ask(f, hello("", 0, -1, -1));
	assert_int_equal(a.error, 0);
	assert_int_equal(a.token, 99);
	assert_int_equal(a.producer_epoch, 0);
	assert_int_not_equal(a.producer_id, b.producer_id);
	restart(f);
	c = ask(f, hello("", 0, -1, -1));
	assert_true(c.producer_id > a.producer_id);
	assert_true(c.producer_id > b.producer_id);
}

static void
a_name_keeps_its_id_and_fences_the_older_session(void **state)
{
	struct fixture *f = *state;
	struct control_answer first, second, join;

	run(f);
	first = ask(f, hello("sensor", 0, -1, -1));
	restart(f);
	second = ask(f, hello("sensor", 0, -1, -1));
	assert_int_equal(second.producer_id, first.producer_id);
	assert_int_equal(second.producer_epoch, first.producer_epoch + 1);
	join = ask(f, hello("", CONTROL_JOIN, first.producer_id, first.producer_epoch));
	assert_int_equal(join.error, KAFKA_INVALID_PRODUCER_EPOCH);
	join = ask(f, hello("", CONTROL_JOIN, second.producer_id, second.producer_epoch));
	assert_int_equal(join.error, 0);
}

static void
a_bump_raises_the_epoch_once(void **state)
{
	struct fixture *f = *state;
	struct control_answer a, b;

	run(f);
	a = ask(f, hello("", 0, -1, -1));
	b = ask(f, hello("", CONTROL_BUMP, a.producer_id, a.producer_epoch));
	assert_int_equal(b.producer_id, a.producer_id);
	assert_int_equal(b.producer_epoch, 1);
	assert_int_equal(ask(f, hello("", CONTROL_BUMP, a.producer_id, 0)).error,
		KAFKA_INVALID_PRODUCER_EPOCH);
}

static void
an_exhausted_epoch_moves_the_name_to_a_new_id(void **state)
{
	struct control_ask question = hello("sensor", 0, -1, -1);
	struct producer_entry entry = {.producer_id = 5, .epoch = PRODUCERS_EPOCH_MAX, .name_len = 6,
		.name = "sensor"};
	struct producers *producers;
	json_t *record = producers_record(&entry);
	int changed;

	(void)state;
	assert_int_equal(producers_create(16, &producers), 0);
	assert_int_equal(producers_replay(producers, record), 0);
	for (int16_t epoch = 0; epoch < 2; epoch++) {
		assert_int_equal(producers_admit(producers, &question, &entry, &changed), 0);
		assert_int_equal(entry.producer_id, 6);
		assert_int_equal(entry.epoch, epoch);
	}
	json_decref(record);
	producers_destroy(producers);
}

/* Ids that collide in the index as well: 1,000 in a table of 8. */
static void
a_full_table_forgets_the_oldest_without_a_name(void **state)
{
	struct control_ask plain = hello("", 0, -1, -1), named = hello("sensor", 0, -1, -1);
	struct producer_entry sensor, entry, last;
	struct producers *producers;
	char name[16];
	int changed;

	(void)state;
	assert_int_equal(producers_create(8, &producers), 0);
	assert_int_equal(producers_admit(producers, &named, &sensor, &changed), 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(producers_admit(producers, &plain, &last, &changed), 0);
		assert_int_equal(last.producer_id, sensor.producer_id + 1 + i);
		for (int64_t age = 0; age < 9 && age <= i; age++) {
			bool known = producers_find(producers, last.producer_id - age) != NULL;

			assert_int_equal(known, age < 7);
		}
		assert_non_null(producers_find(producers, sensor.producer_id));
	}
	assert_int_equal(producers_admit(producers, &named, &entry, &changed), 0);
	assert_int_equal(entry.producer_id, sensor.producer_id);
	assert_int_equal(entry.epoch, 1);
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		named = hello(name, 0, -1, -1);
		assert_int_equal(producers_admit(producers, &named, &entry, &changed),
			i < 7 ? 0 : KAFKA_THROTTLING_QUOTA_EXCEEDED);
	}
	producers_destroy(producers);
}

static void
resolving_an_unknown_topic_makes_it_if_asked_to(void **state)
{
	struct fixture *f = *state;
	struct control_answer answer;

	run(f);
	assert_int_equal(ask(f, resolve("auto", 0)).error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(ask(f, resolve("auto", CONTROL_AUTO_CREATE)).error,
		KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	answer = ask(f, resolve("auto", CONTROL_AUTO_CREATE));
	assert_int_equal(answer.error, 0);
	assert_int_equal(f->routes.topics[answer.topic_index].partition_count, 2);
	assert_int_equal(ask(f, resolve("__penstock_metadata", 0)).error, KAFKA_INVALID_TOPIC_EXCEPTION);
	assert_int_equal(ask(f, resolve("..", 0)).error, KAFKA_INVALID_TOPIC_EXCEPTION);
}

static void
damaged_metadata_stops_the_broker_and_says_so(void **state)
{
	struct fixture *f = *state;

	run(f);
	create_topic(f, "t", 1);
	f->store->partitions[0].log[RECORD_BATCH_HEADER_BYTES + 20] = 0xff;
	restart(f);
	assert_int_equal(broker_state(f->broker), BROKER_FAILED);
	assert_non_null(strstr(broker_failure(f->broker), "metadata"));
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_new_store_gets_its_metadata_topic_first),
		CASE(a_created_topic_is_open_with_dense_partitions),
		CASE(a_topic_answers_only_after_its_records_are_durable),
		CASE(bad_names_counts_and_settings_are_refused_with_the_reason),
		CASE(topics_and_settings_survive_a_restart),
		CASE(a_half_made_topic_is_made_again_after_a_restart),
		CASE(a_topic_with_a_missing_directory_is_not_served),
		CASE(a_deleted_topic_is_gone_and_its_name_is_free),
		CASE(while_a_change_is_on_its_way_to_disk_another_one_is_refused),
		CASE(an_altered_ack_risk_reaches_the_lanes_and_the_clients),
		CASE(producer_ids_are_fresh_and_never_given_twice),
		CASE(a_name_keeps_its_id_and_fences_the_older_session),
		CASE(a_bump_raises_the_epoch_once),
		CASE(an_exhausted_epoch_moves_the_name_to_a_new_id),
		CASE(a_full_table_forgets_the_oldest_without_a_name),
		CASE(resolving_an_unknown_topic_makes_it_if_asked_to),
		CASE(damaged_metadata_stops_the_broker_and_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
