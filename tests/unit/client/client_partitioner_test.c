/* SPDX-License-Identifier: Apache-2.0 */
/* Where records go: the partition named, Kafka's own for a key, sticky without one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/compiler.h"
#include "client/client_partitioner.h"

#define PARTITIONS 16
#define ROUNDS     1600

struct keyed {
	const char *key;
	uint32_t of_4, of_16,
		of_31; /* from the hashes in Kafka's UtilsTest: (hash & 0x7fffffff) % count */
};

static uint32_t
choose(struct client_sticky *sticky, struct rand *rand, int32_t wanted, const char *key,
	uint32_t count)
{
	return client_partitioner_choose(sticky, rand, wanted, key, key ? strlen(key) : 0, count);
}

static void
a_key_goes_where_kafka_puts_it(void **state)
{
	static const struct keyed rows[] = {
		{"21", 0, 12, 26},
		{"foobar", 2, 14, 27},
		{"a-little-bit-long-string", 0, 0, 2},
		{"a-little-bit-longer-string", 3, 3, 0},
		{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 1, 13, 16},
		{"abc", 3, 11, 20},
	};
	struct client_sticky sticky = {0};
	struct rand rand;

	(void)state;
	rand_init(&rand, 1);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		assert_int_equal(choose(&sticky, &rand, -1, rows[i].key, 1), 0);
		assert_int_equal(choose(&sticky, &rand, -1, rows[i].key, 4), rows[i].of_4);
		assert_int_equal(choose(&sticky, &rand, -1, rows[i].key, 16), rows[i].of_16);
		assert_int_equal(choose(&sticky, &rand, -1, rows[i].key, 31), rows[i].of_31);
	}
}

static void
a_named_partition_beats_the_key(void **state)
{
	struct client_sticky sticky = {0};
	struct rand rand;

	(void)state;
	rand_init(&rand, 1);
	for (int32_t p = 0; p < PARTITIONS; p++) {
		assert_int_equal(choose(&sticky, &rand, p, "abc", PARTITIONS), p);
		assert_int_equal(choose(&sticky, &rand, p, NULL, PARTITIONS), p);
	}
	/* Out of range as named: whoever calls tells the user. */
	assert_int_equal(choose(&sticky, &rand, 99, NULL, PARTITIONS), 99);
}

/* One partition until its batch is closed, never the same twice running, and all of them in time.
 */
static void
no_key_sticks_and_moves_on(void **state)
{
	struct client_sticky sticky = {0};
	uint32_t used[PARTITIONS] = {0}, before = UINT32_MAX;
	struct rand rand;

	(void)state;
	rand_init(&rand, 7);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t now = choose(&sticky, &rand, -1, NULL, PARTITIONS);

		assert_true(now < PARTITIONS);
		assert_int_not_equal(now, before);
		for (uint32_t i = 0; i < 5; i++) {
			/* Batches of others, and records with keys, move nothing. */
			client_partitioner_closed(&sticky, (now + 1 + i) % PARTITIONS);
			(void)choose(&sticky, &rand, -1, "abc", PARTITIONS);
			assert_int_equal(choose(&sticky, &rand, -1, NULL, PARTITIONS), now);
		}
		used[now]++;
		before = now;
		client_partitioner_closed(&sticky, now);
	}
	for (uint32_t p = 0; p < PARTITIONS; p++) {
		assert_in_range(used[p], ROUNDS / PARTITIONS / 2, ROUNDS / PARTITIONS * 2);
	}
}

static void
a_topic_that_grew_or_has_one_partition(void **state)
{
	struct client_sticky sticky = {0};
	uint32_t beyond = 0;
	struct rand rand;

	(void)state;
	rand_init(&rand, 3);
	for (uint32_t i = 0; i < 20; i++) {
		assert_int_equal(choose(&sticky, &rand, -1, NULL, 1), 0);
		client_partitioner_closed(&sticky, 0);
	}
	for (uint32_t i = 0; i < 40; i++) {
		uint32_t few = choose(&sticky, &rand, -1, NULL, 2);

		assert_true(few < 2);
		beyond += choose(&sticky, &rand, -1, NULL, PARTITIONS) >= 2;
	}
	assert_true(beyond > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_goes_where_kafka_puts_it),
		cmocka_unit_test(a_named_partition_beats_the_key),
		cmocka_unit_test(no_key_sticks_and_moves_on),
		cmocka_unit_test(a_topic_that_grew_or_has_one_partition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
