/* SPDX-License-Identifier: Apache-2.0 */
/* Appends through the whole log on a simulated disk: order, duplicates, refusals, reads, rolls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/errcode.h"
#include "support/log_bench.h"
#include "wire/record_batch.h"

static int
set_up(void **state)
{
	struct log_bench *b = malloc(sizeof(*b));
	struct log_bench_options o;

	log_bench_options_init(&o, 1);
	log_bench_init(b, &o);
	log_bench_open(b);
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
a_batch_becomes_durable_and_is_read_back(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	assert_true(log_bench_append(b, p, 3, 100));
	log_bench_drain(b);
	assert_int_equal(b->partitions[p].durable, 3);
	assert_true(b->note_count > 0);
	assert_int_equal(b->last_note.high_watermark, 3);
	assert_int_equal(b->last_note.durable_offset, 3);
	assert_int_equal(b->last_note.records, 3);
	assert_true(log_bench_check(b, false));
}

static void
many_batches_of_many_sizes_roll_segments(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);
	uint32_t q = log_bench_create(b, "audit", 1, NULL);

	for (uint32_t i = 0; i < 400; i++) {
		while (!log_bench_append(b, i % 3 ? p : q, 1 + (int32_t)(i % 5), 10 + (i * 37) % 4000)) {
			log_bench_turn(b);
		}
		if (i % 7 == 0) {
			log_bench_run_ns(b, 300 * NS_PER_US);
		}
	}
	log_bench_drain(b);
	assert_false(b->stalled);
	assert_true(log_bench_counter(b, SHARD_rolls) > 2);
	assert_true(log_bench_check(b, false));
	assert_true(log_bench_counter(b, SHARD_reads_cold) > 0);
}

static void
clean_stop_and_start_keeps_everything(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	for (uint32_t i = 0; i < 100; i++) {
		assert_true(log_bench_append(b, p, 2, 700));
		log_bench_run_ns(b, 50 * NS_PER_US);
	}
	log_bench_drain(b);
	assert_true(log_bench_stop(b));
	log_bench_open(b);
	assert_true(log_bench_check(b, true));
	assert_int_equal(b->partitions[p].answered, 100);
	assert_int_equal(log_bench_status(b, p).leader_epoch, 0);
	for (uint32_t i = 0; i < 10; i++) {
		assert_true(log_bench_append(b, p, 2, 700));
	}
	log_bench_drain(b);
	assert_true(log_bench_check(b, false));
	assert_int_equal(b->partitions[p].durable, 220);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_batch_becomes_durable_and_is_read_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			many_batches_of_many_sizes_roll_segments, set_up, tear_down),
		cmocka_unit_test_setup_teardown(clean_stop_and_start_keeps_everything, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
