/* SPDX-License-Identifier: Apache-2.0 */
/* The broker against a log in memory: topics, and what a restart finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/errcode.h"
#include "support/broker_rig.h"
#include "wire/record_batch.h"

struct fixture {
	struct broker_rig rig;
	int16_t error;
	uint32_t answers;
	char text[256];
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	broker_rig_init(&f->rig);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	broker_rig_free(&f->rig);
	free(f);
	return 0;
}

static void
run(struct fixture *f)
{
	broker_rig_run(&f->rig);
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
	broker_topic_create(f->rig.broker,
		&(struct broker_topic_create){.name = name, .partitions = partitions}, done, f);
	run(f);
	assert_int_equal(f->answers, 1);
}

static struct control_answer
ask(struct fixture *f, struct control_ask question)
{
	struct control_answer answer;

	assert_int_equal(ring_offer(&f->rig.ask[0], &question, 1), 1);
	run(f);
	assert_int_equal(ring_take(&f->rig.answer[0], &answer, 1), 1);
	return answer;
}

static struct control_ask
resolve(const char *name, uint8_t flags)
{
	struct control_ask question = {.kind = CONTROL_RESOLVE,
		.flags = flags,
		.producer_id = -1,
		.producer_epoch = -1,
		.name_len = (uint8_t)strlen(name)};

	memcpy(question.name, name, question.name_len);
	return question;
}

/* --- tests ----------------------------------------------------------------------------------------- */

static void
a_new_store_gets_its_metadata_topic_first(void **state)
{
	struct fixture *f = *state;

	run(f);
	assert_int_equal(broker_state(f->rig.broker), BROKER_RUNNING);
	assert_string_equal(f->rig.store.partitions[0].topic, BROKER_METADATA_TOPIC);
}

static void
a_created_topic_is_open_with_dense_partitions(void **state)
{
	struct fixture *f = *state;
	uint32_t index;

	run(f);
	create_topic(f, "flights", 4);
	assert_int_equal(f->error, 0);
	const struct route_topic *topic = broker_topic_find(f->rig.broker, "flights", &index);

	assert_non_null(topic);
	assert_int_equal(topic->state, ROUTE_OPEN);
	for (uint32_t p = 0; p < 4; p++) {
		struct route_partition *route = &f->rig.routes.partitions[topic->first_partition_index + p];

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
	f->rig.store.hold_durable = true;
	f->answers = 0;
	broker_topic_create(f->rig.broker, &(struct broker_topic_create){.name = "t", .partitions = 1}, done,
		f);
	run(f);
	assert_int_equal(f->answers, 0);
	assert_int_equal(f->rig.store.partition_count, 1);
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
	create_topic(f, "many", BROKER_RIG_PARTITIONS_MAX + 1);
	assert_int_equal(f->error, KAFKA_INVALID_PARTITIONS);
	broker_topic_create(f->rig.broker,
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
	broker_topic_create(f->rig.broker,
		&(struct broker_topic_create){.name = "kept",
			.partitions = 3,
			.config_count = 1,
			.config_names = names,
			.config_values = values},
		done, f);
	run(f);
	broker_rig_restart(&f->rig);
	assert_int_equal(broker_state(f->rig.broker), BROKER_RUNNING);
	const struct route_topic *topic = broker_topic_find(f->rig.broker, "kept", &index);

	assert_non_null(topic);
	assert_int_equal(topic->state, ROUTE_OPEN);
	assert_int_equal(topic->partition_count, 3);
	n = broker_topic_configs(f->rig.broker, index, rows, 32);
	for (uint32_t i = 0; i < n; i++) {
		if (strcmp(rows[i].name, "penstock.ack.risk") == 0) {
			assert_string_equal(rows[i].value, "power");
			assert_false(rows[i].is_default);
		}
	}
	assert_int_equal(f->rig.routes.partitions[topic->first_partition_index].flags >> ROUTE_RISK_SHIFT & 3, 1);
	/* The log keeps none: it was told before the topic opened. */
	for (uint32_t p = 0; p < 3; p++) {
		assert_int_equal(
			f->rig.store.partitions[topic->first_partition_index + p].config.ack_risk, 1);
	}
}

static void
a_half_made_topic_is_made_again_after_a_restart(void **state)
{
	struct fixture *f = *state;
	uint32_t index;

	run(f);
	f->rig.store.creates_left = 2;
	broker_topic_create(f->rig.broker, &(struct broker_topic_create){.name = "half", .partitions = 4}, done,
		f);
	run(f);
	assert_int_equal(f->rig.store.partition_count, 3);
	f->rig.store.creates_left = UINT32_MAX;
	broker_rig_restart(&f->rig);
	const struct route_topic *topic = broker_topic_find(f->rig.broker, "half", &index);

	assert_non_null(topic);
	assert_int_equal(topic->state, ROUTE_OPEN);
	assert_int_equal(topic->first_partition_index, 3);
	assert_false(f->rig.store.partitions[1].exists);
	assert_false(f->rig.store.partitions[2].exists);
}

static void
assert_dense(struct fixture *f, const char *name, uint32_t partitions)
{
	uint32_t index;
	const struct route_topic *topic = broker_topic_find(f->rig.broker, name, &index);

	assert_non_null(topic);
	assert_int_equal(topic->state, ROUTE_OPEN);
	assert_int_equal(topic->partition_count, partitions);
	for (uint32_t p = 0; p < partitions; p++) {
		assert_int_equal(f->rig.routes.partitions[topic->first_partition_index + p].partition, p);
	}
}

/* A start makes an unfinished topic again; one created meanwhile may get a place before it in the table. */
static void
topics_are_made_one_after_the_other_whatever_their_place(void **state)
{
	struct fixture *f = *state;

	run(f);
	create_topic(f, "old", 1);
	f->rig.store.creates_left = 2;
	broker_topic_create(f->rig.broker, &(struct broker_topic_create){.name = "big", .partitions = 6}, done,
		f);
	run(f);
	broker_topic_delete(f->rig.broker, "old", false, done, f);
	run(f);
	assert_int_equal(f->error, 0);
	f->rig.store.creates_left = 2;
	broker_rig_restart(&f->rig);
	broker_topic_create(f->rig.broker, &(struct broker_topic_create){.name = "new", .partitions = 3}, done,
		f);
	run(f);
	f->rig.store.creates_left = UINT32_MAX;
	run(f);
	assert_dense(f, "big", 6);
	assert_dense(f, "new", 3);
}

static void
a_topic_with_a_missing_directory_is_not_served(void **state)
{
	struct fixture *f = *state;
	uint32_t index;

	run(f);
	create_topic(f, "hurt", 3);
	f->rig.store.partitions[2].exists = false;
	broker_rig_restart(&f->rig);
	const struct route_topic *topic = broker_topic_find(f->rig.broker, "hurt", &index);

	assert_non_null(topic);
	assert_int_not_equal(topic->state, ROUTE_OPEN);
	assert_true(f->rig.store.partitions[1].exists);
	assert_true(f->rig.store.partitions[3].exists);
}

static void
a_deleted_topic_is_gone_and_its_name_is_free(void **state)
{
	struct fixture *f = *state;
	uint32_t index;

	run(f);
	create_topic(f, "gone", 2);
	broker_topic_delete(f->rig.broker, "gone", false, done, f);
	run(f);
	assert_int_equal(f->error, 0);
	assert_null(broker_topic_find(f->rig.broker, "gone", &index));
	assert_false(f->rig.store.partitions[1].exists);
	broker_rig_restart(&f->rig);
	assert_null(broker_topic_find(f->rig.broker, "gone", &index));
	create_topic(f, "gone", 2);
	assert_int_equal(f->error, 0);
}

static uint32_t
directories_of(struct fixture *f, const char *topic)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < f->rig.store.partition_count; i++) {
		count += f->rig.store.partitions[i].exists &&
			 strcmp(f->rig.store.partitions[i].topic, topic) == 0;
	}
	return count;
}

static void
delete_topic(struct fixture *f, const char *name)
{
	f->answers = 0;
	broker_topic_delete(f->rig.broker, name, false, done, f);
	run(f);
	assert_int_equal(f->answers, 1);
}

static void
expect_open(struct fixture *f, const char *name, uint32_t partitions)
{
	uint32_t index;
	const struct route_topic *topic = broker_topic_find(f->rig.broker, name, &index);

	assert_non_null(topic);
	assert_int_equal(topic->state, ROUTE_OPEN);
	assert_int_equal(topic->partition_count, partitions);
	assert_int_equal(directories_of(f, name), partitions);
}

static void
a_topic_that_the_log_cannot_make_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	uint32_t index;

	run(f);
	f->rig.store.creates_good = 2;
	create_topic(f, "t", 4);
	assert_int_equal(f->error, KAFKA_KAFKA_STORAGE_ERROR);
	assert_non_null(strstr(f->text, "partition 2"));
	assert_null(broker_topic_find(f->rig.broker, "t", &index));
	assert_int_equal(directories_of(f, "t"), 0);
	f->rig.store.creates_good = UINT32_MAX;
	create_topic(f, "t", 3);
	assert_int_equal(f->error, 0);
	broker_rig_restart(&f->rig);
	expect_open(f, "t", 3);
}

static void
failed_creations_do_not_use_up_the_table(void **state)
{
	struct fixture *f = *state;

	run(f);
	f->rig.store.creates_good = 0;
	for (int i = 0; i < 3 * BROKER_RIG_TOPICS_MAX; i++) {
		create_topic(f, "t", 1);
		assert_int_equal(f->error, KAFKA_KAFKA_STORAGE_ERROR);
	}
	f->rig.store.creates_good = UINT32_MAX;
	f->rig.store.appends_good = 0;
	for (int i = 0; i < 3 * BROKER_RIG_TOPICS_MAX; i++) {
		create_topic(f, "t", 1);
		assert_int_equal(f->error, KAFKA_KAFKA_STORAGE_ERROR);
	}
	f->rig.store.appends_good = UINT32_MAX;
	create_topic(f, "t", 2);
	assert_int_equal(f->error, 0);
	expect_open(f, "t", 2);
}

/* Its record is there, the end of it cannot be told: a failed topic, until it can. */
static void
fail_to_create(struct fixture *f, const char *name)
{
	uint32_t index;

	f->rig.store.creates_good = 1;
	f->rig.store.appends_good = 1;
	create_topic(f, name, 2);
	assert_int_equal(f->error, KAFKA_KAFKA_STORAGE_ERROR);
	assert_non_null(broker_topic_find(f->rig.broker, name, &index));
	assert_int_equal(broker_topic_state(f->rig.broker, index), BROKER_TOPIC_FAILED);
	assert_int_equal(directories_of(f, name), 0);
}

static void
a_failed_topic_can_be_deleted(void **state)
{
	struct fixture *f = *state;
	uint32_t index;

	run(f);
	fail_to_create(f, "t");
	delete_topic(f, "t");
	assert_int_equal(f->error, KAFKA_KAFKA_STORAGE_ERROR);
	assert_non_null(broker_topic_find(f->rig.broker, "t", &index));
	f->rig.store.appends_good = UINT32_MAX;
	delete_topic(f, "t");
	assert_int_equal(f->error, 0);
	assert_null(broker_topic_find(f->rig.broker, "t", &index));
	broker_rig_restart(&f->rig);
	assert_null(broker_topic_find(f->rig.broker, "t", &index));
}

static void
a_failed_topic_can_be_created_again(void **state)
{
	struct fixture *f = *state;
	uint32_t index;

	run(f);
	fail_to_create(f, "t");
	create_topic(f, "t", 5); /* the record is refused still */
	assert_int_equal(f->error, KAFKA_KAFKA_STORAGE_ERROR);
	assert_non_null(broker_topic_find(f->rig.broker, "t", &index));
	f->rig.store.appends_good = UINT32_MAX;
	f->rig.store.creates_good = UINT32_MAX;
	create_topic(f, "t", 5);
	assert_int_equal(f->error, 0);
	expect_open(f, "t", 5);
	broker_rig_restart(&f->rig);
	expect_open(f, "t", 5);
	delete_topic(f, "t");
	assert_int_equal(f->error, 0);
	broker_rig_restart(&f->rig);
	assert_null(broker_topic_find(f->rig.broker, "t", &index));
}

static void
a_failed_topic_is_made_by_the_next_start(void **state)
{
	struct fixture *f = *state;

	run(f);
	fail_to_create(f, "t");
	f->rig.store.appends_good = UINT32_MAX;
	f->rig.store.creates_good = UINT32_MAX;
	broker_rig_restart(&f->rig);
	expect_open(f, "t", 2);
}

static void
a_topic_with_a_missing_directory_can_be_deleted(void **state)
{
	struct fixture *f = *state;
	uint32_t index;

	run(f);
	create_topic(f, "hurt", 3);
	create_topic(f, "other", 1);
	f->rig.store.partitions[2].exists = false;
	broker_rig_restart(&f->rig);
	assert_non_null(broker_topic_find(f->rig.broker, "hurt", &index));
	assert_int_equal(broker_topic_state(f->rig.broker, index), BROKER_TOPIC_DAMAGED);
	delete_topic(f, "hurt");
	assert_int_equal(f->error, 0);
	assert_null(broker_topic_find(f->rig.broker, "hurt", &index));
	assert_int_equal(directories_of(f, "hurt"), 0);
	expect_open(f, "other", 1);
	create_topic(f, "hurt", 2);
	assert_int_equal(f->error, 0);
	broker_rig_restart(&f->rig);
	expect_open(f, "hurt", 2);
	expect_open(f, "other", 1);
}

static void
topics_deleted_long_ago_take_no_room_after_a_start(void **state)
{
	struct fixture *f = *state;
	char name[16];

	run(f);
	for (int i = 0; i < 4 * BROKER_RIG_TOPICS_MAX; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		create_topic(f, name, 1);
		assert_int_equal(f->error, 0);
		delete_topic(f, name);
		assert_int_equal(f->error, 0);
		if (i % 10 == 9) {
			broker_rig_restart(&f->rig);
		}
	}
	broker_rig_restart(&f->rig);
	create_topic(f, "kept", 1);
	assert_int_equal(f->error, 0);
	broker_rig_restart(&f->rig);
	expect_open(f, "kept", 1);
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
	f->rig.store.hold_durable = true;
	broker_topic_alter(f->rig.broker, &(struct broker_topic_alter){.name = "t", .config_count = 1, .config_names = names, .config_values = first}, count_answer, alter);
	broker_topic_alter(f->rig.broker, &(struct broker_topic_alter){.name = "t", .config_count = 1, .config_names = names, .config_values = second}, count_answer, again);
	broker_topic_delete(f->rig.broker, "t", false, count_answer, gone);
	run(f);
	assert_int_equal(alter[0] + alter[1], 0);
	assert_int_equal(again[1], 1);
	assert_int_equal(gone[1], 1);
	assert_int_equal(f->rig.routes.topics[1].max_message_bytes, 1048588);
	f->rig.store.hold_durable = false;
	create_topic(f, "u", 1); /* its records make the held one durable */
	assert_int_equal(alter[0], 1);
	assert_int_equal(again[0] + gone[0], 0);
	assert_int_equal(f->rig.routes.topics[1].max_message_bytes, 2000);
	assert_int_equal(f->rig.store.partitions[1].config.max_message_bytes, 2000);
	broker_topic_delete(f->rig.broker, "t", false, count_answer, gone);
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
	version = f->rig.routes.topics[1].metadata_version;
	first = f->rig.routes.topics[1].first_partition_index;
	broker_topic_alter(f->rig.broker, &(struct broker_topic_alter){.name = "t", .config_count = 1, .config_names = names, .config_values = values}, count_answer, alter);
	run(f);
	assert_int_equal(alter[0], 1);
	for (uint32_t p = 0; p < 2; p++) {
		assert_int_equal(f->rig.routes.partitions[first + p].flags,
			ROUTE_WRITABLE | 1u << ROUTE_RISK_SHIFT);
	}
	assert_true(f->rig.routes.topics[1].metadata_version > version);
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
	assert_int_equal(f->rig.routes.topics[answer.topic_index].partition_count, 2);
	assert_int_equal(ask(f, resolve("__penstock_metadata", 0)).error, KAFKA_INVALID_TOPIC_EXCEPTION);
	assert_int_equal(ask(f, resolve("..", 0)).error, KAFKA_INVALID_TOPIC_EXCEPTION);
}

static void
damaged_metadata_stops_the_broker_and_says_so(void **state)
{
	struct fixture *f = *state;

	run(f);
	create_topic(f, "t", 1);
	f->rig.store.partitions[0].log[RECORD_BATCH_HEADER_BYTES + 20] = 0xff;
	broker_rig_restart(&f->rig);
	assert_int_equal(broker_state(f->rig.broker), BROKER_FAILED);
	assert_non_null(strstr(broker_failure(f->rig.broker), "metadata"));
}

/* Nobody writes one. It would take away the topic that it stands in. */
static void
a_record_about_the_metadata_topic_is_ignored(void **state)
{
	static const char *const records[] = {
		"{\"kind\": \"topic_deleted\", \"name\": \"__penstock_metadata\", "
		"\"id\": \"09000000000000000000000000000000\"}",
		"{\"kind\": \"topic\", \"name\": \"__penstock_metadata\", \"partitions\": 1, "
		"\"id\": \"11111111111111111111111111111111\"}"};
	struct fixture *f = *state;
	struct record_builder builder;
	uint8_t room[1024];
	uint32_t index;

	broker_rig_found(&f->rig, "__penstock_metadata", 0, (const uint8_t[16]){9});
	record_builder_init(&builder, room, sizeof(room));
	for (size_t i = 0; i < ARRAY_COUNT(records); i++) {
		assert_int_equal(record_builder_add(&builder, 1000, "k", 1, records[i],
					 (int32_t)strlen(records[i])),
			0);
	}
	broker_rig_set_log(&f->rig, 0, room, record_builder_finish(&builder, -1, -1, -1), 2);
	run(f);
	assert_int_equal(broker_state(f->rig.broker), BROKER_RUNNING);
	const struct route_topic *topic = broker_topic_find(f->rig.broker, "__penstock_metadata", &index);

	assert_non_null(topic);
	assert_int_equal(index, 0);
	assert_int_equal(broker_topic_state(f->rig.broker, index), BROKER_TOPIC_OPEN);
	create_topic(f, "t", 1);
	assert_int_equal(f->error, 0);
}

static void
a_log_that_cannot_make_the_metadata_topic_stops_the_broker(void **state)
{
	struct fixture *f = *state;

	f->rig.store.creates_good = 0;
	run(f);
	assert_int_equal(broker_state(f->rig.broker), BROKER_FAILED);
	assert_non_null(strstr(broker_failure(f->rig.broker), "metadata topic cannot be made"));
}

/* Made anew it would be an empty catalogue over everybody's topics. */
static void
without_its_metadata_partition_a_directory_in_use_is_refused(void **state)
{
	struct fixture *f = *state;

	run(f);
	create_topic(f, "orders", 1);
	assert_int_equal(f->error, 0);
	assert_string_equal(f->rig.store.partitions[0].topic, BROKER_METADATA_TOPIC);
	f->rig.store.partitions[0].exists = false;
	uint32_t partitions = f->rig.store.partition_count;

	broker_rig_restart(&f->rig);
	assert_int_equal(broker_state(f->rig.broker), BROKER_FAILED);
	assert_non_null(strstr(broker_failure(f->rig.broker), BROKER_METADATA_TOPIC));
	assert_int_equal(f->rig.store.partition_count, partitions);
}

/* Its high watermark says nothing then: no topic is taken for unknown. */
static void
a_metadata_log_that_is_not_served_stops_the_broker(void **state)
{
	static const struct {
		enum log_partition_state state;
		const char *word;
	} rows[] = {{LOG_PARTITION_OFFLINE, "offline"}, {LOG_PARTITION_QUARANTINED, "quarantine.json"}};
	struct fixture *f = *state;

	run(f);
	create_topic(f, "orders", 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f->rig.store.partitions[0].state = rows[i].state;
		f->rig.store.partitions[0].durable = 0;
		broker_rig_restart(&f->rig);
		assert_int_equal(broker_state(f->rig.broker), BROKER_FAILED);
		assert_non_null(strstr(broker_failure(f->rig.broker), rows[i].word));
	}
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
		CASE(topics_are_made_one_after_the_other_whatever_their_place),
		CASE(a_topic_with_a_missing_directory_is_not_served),
		CASE(a_deleted_topic_is_gone_and_its_name_is_free),
		CASE(a_topic_that_the_log_cannot_make_leaves_nothing_behind),
		CASE(failed_creations_do_not_use_up_the_table),
		CASE(a_failed_topic_can_be_deleted),
		CASE(a_failed_topic_can_be_created_again),
		CASE(a_failed_topic_is_made_by_the_next_start),
		CASE(a_topic_with_a_missing_directory_can_be_deleted),
		CASE(topics_deleted_long_ago_take_no_room_after_a_start),
		CASE(while_a_change_is_on_its_way_to_disk_another_one_is_refused),
		CASE(an_altered_ack_risk_reaches_the_lanes_and_the_clients),
		CASE(resolving_an_unknown_topic_makes_it_if_asked_to),
		CASE(damaged_metadata_stops_the_broker_and_says_so),
		CASE(a_record_about_the_metadata_topic_is_ignored),
		CASE(a_log_that_cannot_make_the_metadata_topic_stops_the_broker),
		CASE(a_metadata_log_that_is_not_served_stops_the_broker),
		CASE(without_its_metadata_partition_a_directory_in_use_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
