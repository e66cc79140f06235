/* SPDX-License-Identifier: Apache-2.0 */
/* What the log remembers of producers has bounds: a partition's, the pool's, and an age. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "logstore/producer_state.h"

#define POOL      8
#define PARTITION 5
#define HOUR_NS   (3600 * NS_PER_S)

struct fixture {
	struct producer_pool pool;
	struct producer_list lists[2];
	uint64_t now_ns;
};

static int
setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){.lists = {{.key = 0}, {.key = 1}}, .now_ns = 1000 * HOUR_NS};
	assert_int_equal(producer_pool_init(&f.pool, POOL, PARTITION), 0);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	producer_pool_close(&f->pool);
	return 0;
}

/* A batch of one record is appended, a second after whatever came before. */
static void
note(struct fixture *f, uint32_t list, int64_t producer_id)
{
	struct record_batch batch = {.producer_id = producer_id, .record_count = 1};

	f->now_ns += NS_PER_S;
	producer_note(&f->pool, &f->lists[list], &batch, 0, f->now_ns);
}

static bool
known(const struct fixture *f, uint32_t list, int64_t producer_id)
{
	return producer_find(&f->pool, &f->lists[list], producer_id) != NULL;
}

static void
a_full_partition_forgets_whom_it_heard_of_longest_ago(void **state)
{
	struct fixture *f = *state;

	for (int64_t id = 0; id < PARTITION; id++) {
		note(f, 0, id);
	}
	note(f, 1, 0);
	note(f, 0, 0); /* now 1 is the oldest */
	assert_int_equal(f->pool.expired_count, 0);
	note(f, 0, 100);
	assert_false(known(f, 0, 1));
	assert_true(known(f, 0, 0) && known(f, 0, 2) && known(f, 0, 100) && known(f, 1, 0));
	assert_int_equal(f->lists[0].count, PARTITION);
	assert_int_equal(f->pool.expired_count, 1);
}

static void
a_full_pool_forgets_whom_any_partition_heard_of_longest_ago(void **state)
{
	struct fixture *f = *state;

	for (int64_t id = 0; id < PARTITION; id++) {
		note(f, 0, id);
	}
	for (int64_t id = 0; id < POOL - PARTITION; id++) {
		note(f, 1, id);
	}
	assert_int_equal(f->pool.expired_count, 0);
	note(f, 1, 100);
	assert_false(known(f, 0, 0));
	assert_true(known(f, 0, 1) && known(f, 1, 0) && known(f, 1, 100));
	assert_int_equal(f->lists[0].count + f->lists[1].count, POOL);
	assert_int_equal(f->pool.expired_count, 1);
}

static void
only_who_was_idle_for_long_is_expired_one_a_call(void **state)
{
	struct fixture *f = *state;

	note(f, 0, 1);
	note(f, 1, 2);
	note(f, 0, 3);
	f->now_ns += 24 * HOUR_NS - 2 * NS_PER_S; /* 1 has been idle for exactly a day */
	producer_expire(&f->pool, f->now_ns, 24 * HOUR_NS);
	assert_true(known(f, 0, 1));
	producer_expire(&f->pool, f->now_ns + 1, 24 * HOUR_NS);
	assert_false(known(f, 0, 1));
	producer_expire(&f->pool, f->now_ns + 1, 24 * HOUR_NS);
	assert_true(known(f, 1, 2));
	producer_expire(&f->pool, f->now_ns + HOUR_NS, 24 * HOUR_NS);
	assert_true(!known(f, 1, 2) && known(f, 0, 3));
	producer_expire(&f->pool, f->now_ns + HOUR_NS, 24 * HOUR_NS);
	producer_expire(&f->pool, f->now_ns + HOUR_NS, 24 * HOUR_NS);
	assert_null(f->pool.oldest);
	assert_int_equal(f->pool.expired_count, 3);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_full_partition_forgets_whom_it_heard_of_longest_ago),
		CASE(a_full_pool_forgets_whom_any_partition_heard_of_longest_ago),
		CASE(only_who_was_idle_for_long_is_expired_one_a_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
