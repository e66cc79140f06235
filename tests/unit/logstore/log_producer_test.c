/* SPDX-License-Identifier: Apache-2.0 */
/* What the log remembers of producers, on a simulated disk: duplicates, gaps, epochs, queries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/errcode.h"
#include "support/log_bench.h"

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
a_duplicate_is_answered_with_the_first_offset(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	for (uint32_t i = 0; i < 6; i++) {
		assert_true(log_bench_append(b, p, 2, 50));
	}
	/* In flight already, and not yet. */
	log_bench_resend(b, p, 5);
	log_bench_drain(b);
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(b->partitions[p].duplicates, 1);
	log_bench_resend(b, p, 1);
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(b->partitions[p].duplicates, 2);
	/* The sixth oldest is forgotten: Kafka remembers five. */
	log_bench_resend(b, p, 0);
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(b->partitions[p].refused, 1);
	assert_int_equal(b->partitions[p].last_error, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	assert_int_equal(log_bench_counter(b, SHARD_append_duplicates), 2);
	assert_true(log_bench_check(b, false));
}

static void
a_duplicate_after_restart_is_still_one(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	for (uint32_t i = 0; i < 8; i++) {
		assert_true(log_bench_append(b, p, 1, 50));
	}
	log_bench_drain(b);
	log_bench_crash(b, SIM_CRASH_LOSE_ALL, 1);
	log_bench_open(b);
	assert_true(log_bench_check(b, true));
	log_bench_resend(b, p, 7);
	log_bench_resend(b, p, 3);
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(b->partitions[p].duplicates, 2);
	assert_true(log_bench_stop(b));
	log_bench_open(b);
	log_bench_resend(b, p, 4);
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(b->partitions[p].duplicates, 3);
	assert_int_equal(log_bench_status(b, p).log_end_offset, 8);
}

/* A session that appended nothing itself is told all the same when the producer's last is durable. */
static void
a_query_brings_durable_for_what_another_session_left(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	assert_true(log_bench_append(b, p, 2, 50));
	log_bench_drain(b);
	assert_int_equal(b->partitions[p].durable, 2);

	struct append_req query = log_bench_request(b, p, 0);

	query.flags = APPEND_QUERY;
	query.batch_len = 0;
	b->partitions[p].durable = 0;
	log_bench_send(b, &query);
	log_bench_run_ns(b, NS_PER_MS);
	assert_true(b->has_state);
	assert_int_equal(b->last_state.sequence_last, 1);
	assert_int_equal(b->last_state.offset, 1);
	assert_int_equal(b->partitions[p].durable, 2);
}

static void
a_gap_and_an_old_epoch_are_refused(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);
	struct log_bench_partition *bp = &b->partitions[p];

	assert_true(log_bench_append(b, p, 2, 50));
	log_bench_drain(b);
	bp->next_sequence += 5;
	assert_true(log_bench_append(b, p, 2, 50));
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(bp->refused, 1);
	assert_int_equal(bp->last_error, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	/* A new epoch starts at 0; then the old one is fenced. */
	bp->offered = bp->answered;
	bp->next_sequence = 0;
	bp->epoch = 1;
	assert_true(log_bench_append(b, p, 2, 50));
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(bp->answered, 2);
	bp->epoch = 0;
	bp->next_sequence = 2;
	assert_true(log_bench_append(b, p, 2, 50));
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(bp->refused, 2);
	assert_int_equal(bp->last_error, KAFKA_INVALID_PRODUCER_EPOCH);
	assert_int_equal(log_bench_status(b, p).log_end_offset, 4);
}

/* Of two pipelined first batches the first is damaged: the second must not take its place. */
static void
a_native_producer_begins_with_sequence_0(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);
	struct log_bench_partition *bp = &b->partitions[p];

	b->request_flags = APPEND_FROM_ZERO;
	assert_true(log_bench_append(b, p, 2, 50));
	bp->batches[0].bytes[80] ^= 1;
	assert_true(log_bench_append(b, p, 2, 50));
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(bp->refused, 2);
	assert_int_equal(bp->last_error, KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER);
	assert_int_equal(log_bench_status(b, p).log_end_offset, 0);
	bp->batches[0].bytes[80] ^= 1;
	log_bench_resend(b, p, 0);
	log_bench_resend(b, p, 1);
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(bp->refused, 2);
	assert_int_equal(bp->durable, 4);
}

/* Kafka's rule: the state of a producer may have expired, so any sequence begins it. */
static void
any_other_producer_begins_anywhere(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	b->partitions[p].next_sequence = 7;
	assert_true(log_bench_append(b, p, 2, 50));
	log_bench_drain(b);
	assert_int_equal(b->partitions[p].durable, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(a_duplicate_is_answered_with_the_first_offset),
		CASE(a_duplicate_after_restart_is_still_one),
		CASE(a_query_brings_durable_for_what_another_session_left),
		CASE(a_gap_and_an_old_epoch_are_refused),
		CASE(a_native_producer_begins_with_sequence_0),
		CASE(any_other_producer_begins_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
