/* SPDX-License-Identifier: Apache-2.0 */
/* Decay of what was acknowledged: repaired where the guard has a copy, else told; never cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "support/log_bench.h"

#define SEGMENT "orders-0/00000000000000000000.log"

static int
set_up(void **state)
{
	struct log_bench *b = malloc(sizeof(*b));
	struct log_bench_options o;

	log_bench_options_init(&o, 1);
	log_bench_init(b, &o);
	log_bench_open(b);
	log_bench_create(b, "orders", 0, NULL);
	/* 10 KiB and a bit: two whole blocks and a begun one. */
	for (uint32_t i = 0; i < 10; i++) {
		assert_true(log_bench_append(b, 0, 1, 1000));
	}
	log_bench_drain(b);
	log_bench_run_ns(b, 20 * NS_PER_MS); /* a mark proves it */
	log_bench_sigkill(b);
	*state = b;
	return 0;
}

static int
tear_down(void **state)
{
	log_bench_free(*state);
	free(*state);
	return 0;
}

static void
damage_below_the_durable_mark_is_quarantined_never_cut(void **state)
{
	struct log_bench *b = *state;

	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2500, 3), 0);
	log_bench_open(b);
	assert_true(b->reports[0].quarantined);
	assert_int_equal(b->reports[0].unproven_cut_bytes, 0);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_QUARANTINED);
	/* What comes before the damage is served. */
	struct read_done done = log_bench_read(b, 0, 0, 1, 4096);

	assert_int_equal(done.error, 0);
	log_bench_release(b, 0, &done);
}

static void
damage_in_the_tail_block_is_repaired_from_the_guard(void **state)
{
	struct log_bench *b = *state;

	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2 * 4096 + 500, 3), 0);
	log_bench_open(b);
	assert_false(b->reports[0].quarantined);
	assert_int_equal(b->reports[0].tail_repaired, 1);
	assert_int_equal(b->reports[0].unproven_cut_bytes, 0);
	assert_true(log_bench_check(b, true));
	assert_int_equal(log_bench_status(b, 0).log_end_offset, 10);
}

/*
 * Damage before the checkpoint that recovery trusts is found when the segment is to be sealed: it
 * stays unsealed, what follows the damage is still served, and its descriptors are closed.
 */
static void
a_damaged_segment_is_not_sealed_and_still_read(void **state)
{
	struct log_bench *b = *state;

	log_bench_open(b);
	assert_true(log_bench_append(b, 0, 1, 1000));
	log_bench_drain(b);
	log_bench_run_ns(b, 11 * NS_PER_S); /* a checkpoint */
	assert_true(log_bench_append(b, 0, 1, 1000));
	log_bench_drain(b);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	log_bench_sigkill(b);
	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2500, 3), 0);
	log_bench_open(b);
	assert_false(b->reports[0].quarantined);
	struct log_command command = {
		.kind = LOG_COMMAND_ROLL, .partition_index = b->partitions[0].index};

	assert_int_equal(log_bench_command(b, &command), 0);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	struct read_done done = log_bench_read(b, 0, 11, 12, 4096);

	assert_int_equal(done.error, 0);
	assert_int_equal(done.next_offset, 12);
	log_bench_release(b, 0, &done);
	assert_int_equal(log_bench_counter(b, SHARD_reads_cold), 1);
	assert_true(log_bench_append(b, 0, 1, 1000)); /* the next segment, in the same object */
	log_bench_drain(b);
	assert_true(log_bench_stop(b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(damage_below_the_durable_mark_is_quarantined_never_cut),
		CASE(damage_in_the_tail_block_is_repaired_from_the_guard),
		CASE(a_damaged_segment_is_not_sealed_and_still_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
