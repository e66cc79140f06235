/* SPDX-License-Identifier: Apache-2.0 */
/* What the log remembers of producers, on a simulated disk: duplicates, gaps, epochs, queries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/errcode.h"
#include "support/log_bench.h"

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

/* --- damaged files of producers ---------------------------------------------------------------- */

/* Flips a bit of every file of the partition whose name ends so; how many. */
struct flips {
	struct log_bench *b;
	const char *suffix;
	uint32_t count;
};

static void
flip_one(void *user_data, const char *name, bool is_directory)
{
	struct flips *f = user_data;
	size_t len = strlen(name);
	size_t suffix_len = strlen(f->suffix);
	char path[300];

	(void)is_directory;
	if (len > suffix_len && strcmp(name + len - suffix_len, f->suffix) == 0) {
		(void)snprintf(path, sizeof(path), "orders-0/%s", name);
		assert_int_equal(sim_flip_bit(f->b->disk, path, 30, 1), 0);
		f->count++;
	}
}

static uint32_t
flip_all(struct log_bench *b, const char *suffix)
{
	struct flips flips = {.b = b, .suffix = suffix};
	struct io *io;

	assert_int_equal(sim_disk_view(b->disk, 0, &io), 0);
	assert_int_equal(io->ops->list(io, "orders-0", flip_one, &flips), 0);
	io->ops->destroy(io);
	return flips.count;
}

static void
resent_it_is_a_duplicate(struct log_bench *b, uint32_t k)
{
	uint32_t before = b->partitions[0].duplicates;

	log_bench_resend(b, 0, k);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	assert_int_equal(b->partitions[0].duplicates, before + 1);
	assert_int_equal(log_bench_status(b, 0).log_end_offset, 12);
}

/* Their batches stand before the checkpoint that the start begins at. */
static void
producers_without_their_file_come_from_the_log(void **state)
{
	struct log_bench *b = *state;

	log_bench_create(b, "orders", 0, NULL);
	for (uint32_t i = 0; i < 11; i++) {
		assert_true(log_bench_append(b, 0, 1, 1000));
	}
	log_bench_drain(b);
	log_bench_run_ns(b, 11 * NS_PER_S); /* a checkpoint */
	assert_true(log_bench_append(b, 0, 1, 1000));
	log_bench_drain(b);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	log_bench_sigkill(b);
	assert_true(flip_all(b, ".producers") > 0);
	log_bench_open(b);
	for (uint32_t k = 7; k < 12; k++) {
		resent_it_is_a_duplicate(b, k);
	}
	assert_true(log_bench_check(b, false));
	assert_true(log_bench_stop(b)); /* sealed: counts and indexes are right */
	log_bench_open(b);
	assert_false(b->reports[0].quarantined);
	assert_true(log_bench_check(b, false));
}

static void
the_snapshot_serves_where_the_producers_file_is_damaged(void **state)
{
	struct log_bench *b = *state;
	struct log_command command = {.kind = LOG_COMMAND_ROLL};

	log_bench_create(b, "orders", 0, NULL);
	for (uint32_t i = 0; i < 12; i++) {
		assert_true(log_bench_append(b, 0, 1, 1000));
	}
	log_bench_drain(b);
	command.partition_index = b->partitions[0].index;
	assert_int_equal(log_bench_command(b, &command), 0);
	log_bench_run_ns(b, 11 * NS_PER_S);
	log_bench_sigkill(b);
	assert_true(flip_all(b, ".producers") > 0);
	log_bench_open(b);
	assert_int_equal(b->reports[0].scanned_bytes, 0);
	resent_it_is_a_duplicate(b, 11);
	assert_true(log_bench_check(b, false));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, log_bench_set_up, log_bench_tear_down)
		CASE(a_duplicate_is_answered_with_the_first_offset),
		CASE(a_duplicate_after_restart_is_still_one),
		CASE(a_query_brings_durable_for_what_another_session_left),
		CASE(a_gap_and_an_old_epoch_are_refused),
		CASE(a_native_producer_begins_with_sequence_0),
		CASE(any_other_producer_begins_anywhere),
		CASE(producers_without_their_file_come_from_the_log),
		CASE(the_snapshot_serves_where_the_producers_file_is_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
