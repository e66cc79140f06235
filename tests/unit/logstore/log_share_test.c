/* SPDX-License-Identifier: Apache-2.0 */
/* A partition's share of a group: who waits behind one that is fed more than the disk takes, and
 * who need not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/errcode.h"
#include "logstore/log_shard.h"
#include "support/log_bench.h"

#define BATCH_BYTES 50000
#define HOT_BATCHES 200 /* five groups */
#define GROUP_BYTES (2 << 20)
#define SHARE_BYTES (GROUP_BYTES / 4)

static int
set_up(void **state)
{
	struct log_bench_options o;

	log_bench_options_init(&o, 1);
	o.spare_bytes = 32 << 20;
	o.buffer_bytes = 32 << 20;
	o.cache_bytes = 32 << 20;
	o.group_max_bytes = GROUP_BYTES;
	struct log_bench *b = log_bench_start(&o);

	for (uint32_t i = 0; i < 3; i++) {
		log_bench_create(b, "orders", i, NULL);
		assert_true(log_bench_append(b, i, 1, 100));
		log_bench_drain(b);
	}
	log_bench_run_ns(b, NS_PER_S);
	*state = b;
	return 0;
}

static void
feed(struct log_bench *b, uint32_t partition, uint32_t batches)
{
	for (uint32_t i = 0; i < batches; i++) {
		assert_true(log_bench_append(b, partition, 1, BATCH_BYTES));
	}
}

/* Until a partition's newest batch is durable. */
static void
run_until_durable(struct log_bench *b, uint32_t partition)
{
	struct log_bench_partition *p = &b->partitions[partition];

	for (uint32_t i = 0; p->durable < p->offered && i < 100000; i++) {
		log_bench_run_ns(b, 10 * NS_PER_US);
	}
	assert_int_equal(p->durable, p->offered);
}

/*
 * One batch behind ten megabytes of another partition, in the same ring: it waits for the group
 * that was under way, and is in the next one.
 */
static void
a_batch_behind_a_hot_partition_is_in_the_next_group(void **state)
{
	struct log_bench *b = *state;

	feed(b, 0, HOT_BATCHES);
	assert_true(log_bench_append(b, 1, 1, 100));
	run_until_durable(b, 1);
	assert_true(
		b->partitions[0].durable * BATCH_BYTES <= GROUP_BYTES + SHARE_BYTES + BATCH_BYTES);
	log_bench_drain(b);
	assert_int_equal(b->partitions[0].durable, b->partitions[0].offered);
	assert_true(log_bench_check(b, false));
}

/* The second of two is looked at only behind the first one's requests: it gets its share of each
 * group all the same. */
static void
the_second_of_two_hot_partitions_is_not_left_behind(void **state)
{
	struct log_bench *b = *state;

	feed(b, 0, HOT_BATCHES / 2);
	feed(b, 1, HOT_BATCHES / 2);
	feed(b, 2, 1);
	for (uint32_t i = 0; b->partitions[0].durable < HOT_BATCHES / 2; i++) {
		assert_true(i < 100000);
		log_bench_run_ns(b, 10 * NS_PER_US);
	}
	assert_true(b->partitions[1].durable >= HOT_BATCHES / 4);
	assert_int_equal(b->partitions[2].durable, b->partitions[2].offered);
	log_bench_drain(b);
	assert_true(log_bench_check(b, false));
}

/* Alone it has groups as large as they may be. */
static void
a_partition_alone_is_not_held_back(void **state)
{
	struct log_bench *b = *state;
	uint64_t groups = log_bench_counter(b, SHARD_groups);
	uint32_t fit = GROUP_BYTES / (BATCH_BYTES + 200);

	feed(b, 0, HOT_BATCHES);
	log_bench_drain(b);
	/* The device was idle: the first one went with the share that was there. */
	assert_true(
		log_bench_counter(b, SHARD_groups) - groups <= 1 + (HOT_BATCHES + fit - 1) / fit);
	assert_true(log_bench_check(b, false));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, log_bench_tear_down)
		CASE(a_batch_behind_a_hot_partition_is_in_the_next_group),
		CASE(the_second_of_two_hot_partitions_is_not_left_behind),
		CASE(a_partition_alone_is_not_held_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
