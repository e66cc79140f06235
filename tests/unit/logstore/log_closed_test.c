/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fail closed: what the log does after a failed, short or refused write, and after a failed flush. Nothing
 * of it is acknowledged, no flush is ever repeated, and what was acknowledged before is served.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/errcode.h"
#include "logstore/log_shard.h"
#include "logstore/store.h"
#include "support/log_bench.h"

static int
set_up(void **state)
{
	struct log_bench *b = log_bench_start(NULL);

	log_bench_create(b, "orders", 0, NULL);
	log_bench_create(b, "audit", 0, NULL);
	for (uint32_t p = 0; p < 2; p++) {
		assert_true(log_bench_append(b, p, 2, 700));
		log_bench_drain(b);
	}
	log_bench_run_ns(b, NS_PER_S);
	*state = b;
	return 0;
}

static void
arm(struct log_bench *b, const struct io_fault_rule *rule)
{
	assert_int_equal(sim_fault_arm(b->disk, rule), 0);
}

static void
append(struct log_bench *b, uint32_t partition)
{
	/* Longer than a block: no tail copy in the guard stands for all of it. */
	assert_true(log_bench_append(b, partition, 2, 5000));
	log_bench_run_ns(b, 100 * NS_PER_MS);
}

static void
reads_go_on(struct log_bench *b, uint32_t partition)
{
	struct read_done done = log_bench_read(b, partition, 0, 2, 4096);

	assert_int_equal(done.error, KAFKA_NONE);
	assert_int_equal(done.next_offset, 2);
	log_bench_release(b, partition, &done);
}

/* Every partition is off, and what was not acknowledged is told to have failed. */
static void
writing_is_off(struct log_bench *b)
{
	assert_true(store_failed(b->store));
	assert_int_equal(b->partitions[0].failed, 1);
	assert_int_equal(b->partitions[0].durable, 2);
	append(b, 1);
	assert_int_equal(b->partitions[1].refused, 1);
	assert_int_equal(b->partitions[1].last_error, KAFKA_KAFKA_STORAGE_ERROR);
	reads_go_on(b, 0);
	reads_go_on(b, 1);
}

static void
what_was_acknowledged_is_there_after(struct log_bench *b)
{
	sim_fault_clear(b->disk);
	log_bench_sigkill(b);
	log_bench_open(b);
	assert_true(log_bench_check(b, true));
	for (uint32_t p = 0; p < 2; p++) {
		assert_int_equal(log_bench_status(b, p).state, LOG_PARTITION_SERVING);
		assert_true(log_bench_append(b, p, 1, 100));
	}
	log_bench_drain(b);
	assert_true(log_bench_check(b, false));
}

static void
a_failed_flush_turns_writing_off_and_is_never_repeated(void **state)
{
	struct log_bench *b = *state;

	if (b->store->dsync) {
		fail_msg("the bench's disk is expected to need flushes");
	}
	arm(b, &(struct io_fault_rule){.op = IO_FAULT_FLUSH, .nth = 1, .error = EIO});
	append(b, 0);
	uint64_t flushes = sim_op_count(b->disk, IO_FAULT_FLUSH);

	writing_is_off(b);
	log_bench_run_ns(b, 5 * NS_PER_S);
	assert_int_equal(sim_op_count(b->disk, IO_FAULT_FLUSH), flushes);
	what_was_acknowledged_is_there_after(b);
}

static void
a_failed_guard_write_turns_writing_off(void **state)
{
	struct log_bench *b = *state;

	arm(b, &(struct io_fault_rule){
		       .op = IO_FAULT_WRITE, .nth = 1, .error = EIO, .path_contains = "penstock-guard"});
	append(b, 0);
	writing_is_off(b);
	what_was_acknowledged_is_there_after(b);
}

static void
a_short_guard_write_turns_writing_off(void **state)
{
	struct log_bench *b = *state;

	arm(b, &(struct io_fault_rule){.op = IO_FAULT_WRITE,
		       .kind = IO_FAULT_SHORT,
		       .nth = 1,
		       .bytes = 512,
		       .path_contains = "penstock-guard"});
	append(b, 0);
	writing_is_off(b);
	what_was_acknowledged_is_there_after(b);
}

static void
poisons_one(struct log_bench *b)
{
	append(b, 0);
	assert_int_equal(b->partitions[0].failed, 1);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_POISONED);
	append(b, 0);
	assert_int_equal(b->partitions[0].refused, 1);
	append(b, 1);
	assert_int_equal(b->partitions[1].durable, 4);
	reads_go_on(b, 0);
	assert_false(store_failed(b->store));
}

static void
a_short_data_write_poisons_its_partition_only(void **state)
{
	struct log_bench *b = *state;

	arm(b, &(struct io_fault_rule){.op = IO_FAULT_WRITE,
		       .kind = IO_FAULT_SHORT,
		       .nth = 1,
		       .bytes = 512,
		       .path_contains = "orders-0"});
	poisons_one(b);
	what_was_acknowledged_is_there_after(b);
}

/* The record that the range failed is durable: the next start neither takes it for damage nor serves it. */
static void
a_poisoned_range_survives_a_power_cut_as_such(void **state)
{
	struct log_bench *b = *state;

	arm(b, &(struct io_fault_rule){
		       .op = IO_FAULT_WRITE, .nth = 1, .error = EIO, .path_contains = "orders-0"});
	poisons_one(b);
	log_bench_run_ns(b, NS_PER_S);
	sim_fault_clear(b->disk);
	log_bench_crash(b, SIM_CRASH_LOSE_ALL, 1);
	log_bench_open(b);
	assert_false(b->reports[0].quarantined);
	assert_int_equal(log_bench_status(b, 0).log_end_offset, 2);
	assert_true(log_bench_check(b, true));
}

static void
a_busy_device_is_asked_again_and_then_believed(void **state)
{
	struct log_bench *b = *state;

	for (uint32_t i = 0; i < SHARD_RETRIES_MAX; i++) {
		arm(b, &(struct io_fault_rule){
			       .op = IO_FAULT_WRITE, .nth = 1, .error = EAGAIN, .path_contains = "orders-0"});
	}
	append(b, 0);
	assert_int_equal(log_bench_counter(b, SHARD_io_retries), SHARD_RETRIES_MAX);
	assert_int_equal(b->partitions[0].durable, 4);
	arm(b, &(struct io_fault_rule){.op = IO_FAULT_WRITE,
		       .nth = 1,
		       .sticky = true,
		       .error = EAGAIN,
		       .path_contains = "orders-0"});
	append(b, 0);
	assert_int_equal(b->partitions[0].failed, 1);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_POISONED);
	assert_int_equal(log_bench_counter(b, SHARD_io_retries), 2 * SHARD_RETRIES_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, log_bench_tear_down)
		CASE(a_failed_flush_turns_writing_off_and_is_never_repeated),
		CASE(a_failed_guard_write_turns_writing_off),
		CASE(a_short_guard_write_turns_writing_off),
		CASE(a_short_data_write_poisons_its_partition_only),
		CASE(a_poisoned_range_survives_a_power_cut_as_such),
		CASE(a_busy_device_is_asked_again_and_then_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
