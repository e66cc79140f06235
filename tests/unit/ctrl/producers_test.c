/* SPDX-License-Identifier: Apache-2.0 */
/* Producer ids, names and epochs: who gets which, who is fenced, and who is told of it when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/errcode.h"
#include "ctrl/broker/producers.h"
#include "support/broker_rig.h"

static int
setup(void **state)
{
	struct broker_rig *rig = calloc(1, sizeof(*rig));

	broker_rig_init(rig);
	broker_rig_run(rig);
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	broker_rig_free(*state);
	free(*state);
	return 0;
}

/* The answer to a question of lane 0, whatever FENCE came before it. */
static struct control_answer
ask(struct broker_rig *rig, struct control_ask question)
{
	struct control_answer answer;

	assert_int_equal(ring_offer(&rig->ask[0], &question, 1), 1);
	broker_rig_run(rig);
	do {
		assert_int_equal(ring_take(&rig->answer[0], &answer, 1), 1);
	} while (answer.kind == CONTROL_FENCE);
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

/* What lies next in a lane's ring. */
static struct control_answer
told(struct broker_rig *rig, uint32_t lane)
{
	struct control_answer answer;

	assert_int_equal(ring_take(&rig->answer[lane], &answer, 1), 1);
	return answer;
}

static void
assert_fence(struct control_answer answer, int64_t producer_id, int16_t epoch)
{
	assert_int_equal(answer.kind, CONTROL_FENCE);
	assert_int_equal(answer.producer_id, producer_id);
	assert_int_equal(answer.producer_epoch, epoch);
}

/* --- tests ----------------------------------------------------------------------------------------- */

static void
producer_ids_are_fresh_and_never_given_twice(void **state)
{
	struct broker_rig *rig = *state;
	struct control_answer a, b, c;

	a = ask(rig, hello("", 0, -1, -1));
	b = ask(rig, hello("", 0, -1, -1));
	assert_int_equal(a.error, 0);
	assert_int_equal(a.token, 99);
	assert_int_equal(a.producer_epoch, 0);
	assert_int_not_equal(a.producer_id, b.producer_id);
	broker_rig_restart(rig);
	c = ask(rig, hello("", 0, -1, -1));
	assert_true(c.producer_id > a.producer_id);
	assert_true(c.producer_id > b.producer_id);
}

static void
a_name_keeps_its_id_and_fences_the_older_session(void **state)
{
	struct broker_rig *rig = *state;
	struct control_answer first, second, join;

	first = ask(rig, hello("sensor", 0, -1, -1));
	broker_rig_restart(rig);
	second = ask(rig, hello("sensor", 0, -1, -1));
	assert_int_equal(second.producer_id, first.producer_id);
	assert_int_equal(second.producer_epoch, first.producer_epoch + 1);
	join = ask(rig, hello("", CONTROL_JOIN, first.producer_id, first.producer_epoch));
	assert_int_equal(join.error, KAFKA_INVALID_PRODUCER_EPOCH);
	join = ask(rig, hello("", CONTROL_JOIN, second.producer_id, second.producer_epoch));
	assert_int_equal(join.error, 0);
}

static void
a_bump_raises_the_epoch_once(void **state)
{
	struct broker_rig *rig = *state;
	struct control_answer a, b;

	a = ask(rig, hello("", 0, -1, -1));
	b = ask(rig, hello("", CONTROL_BUMP, a.producer_id, a.producer_epoch));
	assert_int_equal(b.producer_id, a.producer_id);
	assert_int_equal(b.producer_epoch, 1);
	assert_int_equal(ask(rig, hello("", CONTROL_BUMP, a.producer_id, 0)).error,
		KAFKA_INVALID_PRODUCER_EPOCH);
}

/* Whichever lane asked: an older session may be with any of them. */
static void
every_lane_is_told_of_a_raised_epoch_before_the_one_that_asked_is_answered(void **state)
{
	struct broker_rig *rig = *state;
	struct control_ask again = hello("sensor", 0, -1, -1);
	struct control_answer first, second;

	first = ask(rig, again);
	assert_int_equal(ring_used(&rig->answer[1]), 0); /* nobody to fence yet */
	assert_int_equal(ring_offer(&rig->ask[0], &again, 1), 1);
	broker_rig_run(rig);
	assert_fence(told(rig, 1), first.producer_id, 1);
	assert_fence(told(rig, 0), first.producer_id, 1);
	second = told(rig, 0);
	assert_int_equal(second.kind, CONTROL_PRODUCER);
	assert_int_equal(second.producer_epoch, 1);
	assert_int_equal(ask(rig, hello("", CONTROL_BUMP, first.producer_id, 1)).error, 0);
	assert_fence(told(rig, 1), first.producer_id, 2);
	assert_int_equal(ask(rig, hello("", CONTROL_JOIN, first.producer_id, 2)).error, 0);
	assert_int_equal(ask(rig, hello("", CONTROL_BUMP, first.producer_id, 0)).error,
		KAFKA_INVALID_PRODUCER_EPOCH);
	assert_int_equal(ring_used(&rig->answer[0]), 0);
	assert_int_equal(ring_used(&rig->answer[1]), 0);
}

static void
a_full_lane_keeps_the_new_epoch_from_being_used_until_it_knows(void **state)
{
	struct broker_rig *rig = *state;
	struct control_ask again = hello("sensor", 0, -1, -1);
	struct control_answer filler = {.kind = CONTROL_RESOLVE};
	int64_t id;

	id = ask(rig, again).producer_id;
	for (uint32_t i = 0; i < BROKER_RIG_ANSWERS; i++) {
		assert_int_equal(ring_offer(&rig->answer[1], &filler, 1), 1);
	}
	assert_int_equal(ring_offer(&rig->ask[0], &again, 1), 1);
	broker_rig_run(rig);
	assert_fence(told(rig, 0), id, 1);
	assert_int_equal(ring_used(&rig->answer[0]), 0);
	assert_int_equal(told(rig, 1).kind, CONTROL_RESOLVE);
	broker_rig_run(rig);
	assert_int_equal(told(rig, 0).kind, CONTROL_PRODUCER);
	while (ring_used(&rig->answer[1]) > 1) {
		assert_int_equal(told(rig, 1).kind, CONTROL_RESOLVE);
	}
	assert_fence(told(rig, 1), id, 1);
}

/* Said yes to while the epoch was current, but not sent: behind the FENCE it would open a session. */
static void
a_join_that_waits_in_line_is_refused_once_the_epoch_has_risen(void **state)
{
	struct broker_rig *rig = *state;
	struct control_answer filler = {.kind = CONTROL_RESOLVE}, answer;
	struct control_ask join;
	int64_t id;

	id = ask(rig, hello("sensor", 0, -1, -1)).producer_id;
	join = hello("", CONTROL_JOIN, id, 0);
	join.lane = 1;
	for (uint32_t i = 0; i < BROKER_RIG_ANSWERS; i++) {
		assert_int_equal(ring_offer(&rig->answer[1], &filler, 1), 1);
	}
	assert_int_equal(ring_offer(&rig->ask[1], &join, 1), 1);
	broker_rig_run(rig);
	join = hello("sensor", 0, -1, -1);
	assert_int_equal(ring_offer(&rig->ask[0], &join, 1), 1);
	broker_rig_run(rig);
	for (uint32_t i = 0; i < BROKER_RIG_ANSWERS; i++) {
		assert_int_equal(told(rig, 1).kind, CONTROL_RESOLVE);
	}
	broker_rig_run(rig);
	while (ring_used(&rig->answer[1]) > 0) {
		answer = told(rig, 1);
		if (answer.kind == CONTROL_PRODUCER) {
			assert_int_equal(answer.error, KAFKA_INVALID_PRODUCER_EPOCH);
		} else {
			assert_fence(answer, id, 1);
		}
	}
}

static void
an_epoch_that_could_not_be_recorded_fences_nobody(void **state)
{
	struct broker_rig *rig = *state;

	ask(rig, hello("sensor", 0, -1, -1));
	rig->store.appends_good = 0;
	assert_int_not_equal(ask(rig, hello("sensor", 0, -1, -1)).error, 0);
	assert_int_equal(ring_used(&rig->answer[1]), 0);
}

static void
an_exhausted_epoch_moves_the_name_to_a_new_id(void **state)
{
	struct control_ask question = hello("sensor", 0, -1, -1), join;
	struct producers_admitted admitted = {.entry = {.producer_id = 5,
		.epoch = PRODUCERS_EPOCH_MAX, .name_len = 6, .name = "sensor"}};
	struct producers *producers;
	json_t *record = producers_record(&admitted.entry);

	(void)state;
	assert_int_equal(producers_create(16, &producers), 0);
	assert_int_equal(producers_replay(producers, record), 0);
	for (int16_t epoch = 0; epoch < 2; epoch++) {
		assert_int_equal(producers_admit(producers, &question, &admitted), 0);
		assert_int_equal(admitted.entry.producer_id, 6);
		assert_int_equal(admitted.entry.epoch, epoch);
		/* The old id's sessions end, whatever their epoch. */
		assert_int_equal(admitted.fenced_id, epoch == 0 ? 5 : 6);
		assert_int_equal(admitted.fenced_epoch, epoch == 0 ? PRODUCERS_EPOCH_MAX + 1 : 1);
	}
	for (int16_t epoch = PRODUCERS_EPOCH_MAX; epoch >= PRODUCERS_EPOCH_MAX - 1; epoch--) {
		join = hello("", CONTROL_JOIN, 5, epoch);
		assert_int_equal(producers_admit(producers, &join, &admitted),
			KAFKA_INVALID_PRODUCER_EPOCH);
	}
	json_decref(record);
	producers_destroy(producers);
}

/* Ids that collide in the index as well: 1,000 in a table of 8. */
static void
a_full_table_forgets_the_oldest_without_a_name(void **state)
{
	struct control_ask plain = hello("", 0, -1, -1), named = hello("sensor", 0, -1, -1);
	struct producers_admitted sensor, last;
	struct producers *producers;
	char name[16];

	(void)state;
	assert_int_equal(producers_create(8, &producers), 0);
	assert_int_equal(producers_admit(producers, &named, &sensor), 0);
	int64_t sensor_id = sensor.entry.producer_id;

	for (int i = 0; i < 1000; i++) {
		assert_int_equal(producers_admit(producers, &plain, &last), 0);
		assert_int_equal(last.entry.producer_id, sensor_id + 1 + i);
		for (int64_t age = 0; age < 9 && age <= i; age++) {
			bool known = producers_find(producers, last.entry.producer_id - age) != NULL;

			assert_int_equal(known, age < 7);
		}
		assert_non_null(producers_find(producers, sensor_id));
	}
	assert_int_equal(producers_admit(producers, &named, &last), 0);
	assert_int_equal(last.entry.producer_id, sensor_id);
	assert_int_equal(last.entry.epoch, 1);
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		named = hello(name, 0, -1, -1);
		assert_int_equal(producers_admit(producers, &named, &last),
			i < 7 ? 0 : KAFKA_THROTTLING_QUOTA_EXCEEDED);
	}
	producers_destroy(producers);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(producer_ids_are_fresh_and_never_given_twice),
		CASE(a_name_keeps_its_id_and_fences_the_older_session),
		CASE(a_bump_raises_the_epoch_once),
		CASE(every_lane_is_told_of_a_raised_epoch_before_the_one_that_asked_is_answered),
		CASE(a_full_lane_keeps_the_new_epoch_from_being_used_until_it_knows),
		CASE(a_join_that_waits_in_line_is_refused_once_the_epoch_has_risen),
		CASE(an_epoch_that_could_not_be_recorded_fences_nobody),
		CASE(an_exhausted_epoch_moves_the_name_to_a_new_id),
		CASE(a_full_table_forgets_the_oldest_without_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
