/* SPDX-License-Identifier: Apache-2.0 */
/* Counter tables, and publication under a reader that never rests (run it under TSan too). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include "base/counter.h"

#define PUBLICATIONS 20000
#define SLOTS	     64

static void
check_rows(const struct counter_row *rows, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		assert_non_null(rows[i].name);
		assert_true(strlen(rows[i].help) > 0);
		assert_true(rows[i].class <= COUNTER_INFO);
		for (uint32_t j = 0; j < i; j++) {
			assert_string_not_equal(rows[i].name, rows[j].name);
		}
	}
}

static void
test_tables_follow_enums(void **state)
{
	check_rows(lane_counter_rows, LANE_COUNTER_COUNT);
	check_rows(shard_counter_rows, SHARD_COUNTER_COUNT);
	check_rows(job_counter_rows, JOB_COUNTER_COUNT);
	check_rows(client_counter_rows, CLIENT_COUNTER_COUNT);
	assert_string_equal(lane_counter_rows[LANE_rx_packets].name, "rx_packets");
	assert_int_equal(lane_counter_rows[LANE_frame_crc].class, COUNTER_DROP);
	assert_string_equal(client_counter_rows[CLIENT_rewinds].name, "rewinds");
}

static void
test_read_sees_last_publication(void **state)
{
	static struct counter_set set;
	uint64_t seen[3];

	counter_set_init(&set);
	counter_read(&set, seen, 3);
	assert_int_equal(seen[0], 0);
	set.live[0] = 1;
	set.live[2] = 30;
	counter_read(&set, seen, 3);
	assert_int_equal(seen[2], 0);
	counter_publish(&set, 3);
	set.live[2]++;
	counter_read(&set, seen, 3);
	assert_int_equal(seen[0], 1);
	assert_int_equal(seen[2], 30);
	counter_publish(&set, 3);
	counter_read(&set, seen, 3);
	assert_int_equal(seen[2], 31);
}

static void *
publish_often(void *user_data)
{
	struct counter_set *set = user_data;

	for (uint64_t n = 1; n <= PUBLICATIONS; n++) {
		for (uint32_t i = 0; i < SLOTS; i++) {
			set->live[i] = n * (i + 1);
		}
		counter_publish(set, SLOTS);
	}
	return NULL;
}

static void
test_copies_are_never_torn(void **state)
{
	static struct counter_set set;
	uint64_t seen[SLOTS];
	uint64_t last = 0;
	pthread_t owner;

	counter_set_init(&set);
	assert_int_equal(pthread_create(&owner, NULL, publish_often, &set), 0);
	while (last < PUBLICATIONS) {
		counter_read(&set, seen, SLOTS);
		assert_true(seen[0] >= last);
		last = seen[0];
		for (uint32_t i = 0; i < SLOTS; i++) {
			assert_int_equal(seen[i], last * (i + 1));
		}
	}
	pthread_join(owner, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables_follow_enums),
		cmocka_unit_test(test_read_sees_last_publication),
		cmocka_unit_test(test_copies_are_never_torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
