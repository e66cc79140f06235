/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes that come back late: of a process that was killed, of a partition that is poisoned, of a
 * log that was turned off or is being stopped. The disk itself judges buffers: one that is touched
 * while its write is in flight ends the test, and so does a second write of the same block.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base/errcode.h"
#include "logstore/log_shard.h"
#include "logstore/store.h"
#include "support/log_bench.h"

#define LATE_NS     (25 * NS_PER_S) /* recovery waits up to 30 s for a lock */
#define TOO_LATE_NS (45 * NS_PER_S)
#define LARGE       700000 /* a batch of two writes */

static int
start(void **state, enum log_durable_method method)
{
	struct log_bench_options o;

	log_bench_options_init(&o, 1);
	o.method = method;
	o.spare_bytes = 4 << 20;
	o.buffer_bytes = 8 << 20;
	o.group_max_bytes = 2 << 20;
	struct log_bench *b = log_bench_start(&o);

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

static int
set_up(void **state)
{
	return start(state, LOG_DURABLE_FLUSH);
}

static int
set_up_dsync(void **state)
{
	return start(state, LOG_DURABLE_DSYNC);
}

/* A batch of orders whose writes take that long; audit's do not. */
static void
append_late(struct log_bench *b, uint64_t delay_ns)
{
	sim_set_write_delay(b->disk, "orders-0", delay_ns);
	assert_true(log_bench_append(b, 0, 1, LARGE));
	log_bench_run_ns(b, 10 * NS_PER_MS);
	assert_int_equal(b->partitions[0].durable, 2);
	assert_true(logstore_shard(b->store, 0)->ops_busy > 0);
}

/* The flock of the file is held until the last write has landed, and nothing is read before. */
static void
a_start_waits_for_the_writes_of_a_killed_process(void **state)
{
	struct log_bench *b = *state;

	append_late(b, LATE_NS);
	log_bench_sigkill(b);
	uint64_t killed_ns = clock_now_ns(&b->clock.clock);

	log_bench_open(b);
	assert_true(clock_now_ns(&b->clock.clock) - killed_ns >= LATE_NS - NS_PER_S);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_SERVING);
	assert_true(log_bench_check(b, true));
	sim_set_write_delay(b->disk, "", 0);
	int64_t before = b->partitions[0].durable;

	assert_true(log_bench_append(b, 0, 2, 700));
	log_bench_drain(b);
	assert_true(b->partitions[0].durable > before);
	assert_true(log_bench_check(b, false));
}

/* Later than recovery waits: that partition is offline, others serve, and the next start has all of
 * it. */
static void
a_partition_whose_writes_do_not_end_is_offline_for_this_life(void **state)
{
	struct log_bench *b = *state;

	append_late(b, TOO_LATE_NS);
	log_bench_sigkill(b);
	sim_set_write_delay(b->disk, "", 0);
	log_bench_open(b);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_OFFLINE);
	assert_non_null(strstr(b->reports[0].reason, "locked"));
	assert_true(log_bench_append(b, 0, 1, 700));
	assert_true(log_bench_append(b, 1, 1, 700));
	/* Meanwhile the writes of the dead process land. */
	log_bench_run_ns(b, TOO_LATE_NS);
	assert_int_equal(b->partitions[0].refused, 1);
	assert_int_equal(b->partitions[0].last_error, KAFKA_KAFKA_STORAGE_ERROR);
	assert_int_equal(b->partitions[1].durable, 3);
	assert_true(log_bench_stop(b));
	log_bench_open(b);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_SERVING);
	assert_false(b->reports[0].quarantined);
	assert_true(log_bench_check(b, true));
}

/* A device that takes 25 s and then says yes: acknowledged then and not before, and nothing is lost
 * behind it. */
static void
a_write_that_ends_late_and_well_is_acknowledged_then(void **state)
{
	struct log_bench *b = *state;

	append_late(b, LATE_NS);
	sim_set_write_delay(b->disk, "", 0);
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(log_bench_append(b, 0, 1, 700));
	}
	log_bench_run_ns(b, LATE_NS - NS_PER_S);
	assert_int_equal(b->partitions[0].durable, 2);
	log_bench_run_ns(b, 2 * NS_PER_S);
	assert_int_equal(b->partitions[0].durable, 6);
	assert_int_equal(b->partitions[0].failed, 0);
	assert_true(log_bench_check(b, false));
}

/* One of a batch's two writes fails at once, the other ends well and late: told to have failed,
 * once, at the end. */
static void
a_late_write_of_a_poisoned_partition_acknowledges_nothing(void **state)
{
	struct log_bench *b = *state;

	assert_int_equal(sim_fault_arm(b->disk, &(struct io_fault_rule){.op = IO_FAULT_WRITE,
							.nth = 1,
							.error = EIO,
							.path_contains = "orders-0"}),
		0);
	append_late(b, LATE_NS);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_POISONED);
	assert_int_equal(b->partitions[0].failed, 0); /* its memory is still the device's */
	/* Deleted in between: the command waits for the device too. */
	struct log_command command = {
		.kind = LOG_COMMAND_DELETE, .partition_index = b->partitions[0].index};

	assert_int_equal(logstore_command(b->store, &command), 0);
	log_bench_run_ns(b, LATE_NS / 2);
	assert_null(logstore_command_poll(b->store));
	log_bench_run_ns(b, LATE_NS);
	assert_ptr_equal(logstore_command_poll(b->store), &command);
	assert_int_equal(command.error, 0);
	assert_int_equal(b->partitions[0].failed, 1);
	assert_int_equal(b->partitions[0].durable, 2);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_DELETED);
	assert_true(log_bench_append(b, 1, 1, 700));
	log_bench_drain(b);
	assert_int_equal(b->partitions[1].durable, 3);
	assert_int_equal(logstore_shard(b->store, 0)->ops_busy, 0);
}

/* Writing is off while writes are in flight: what comes back late is not acknowledged, and a stop
 * waits for it. */
static void
writing_goes_off_under_a_late_write(struct log_bench *b, const struct io_fault_rule *rule)
{
	assert_int_equal(sim_fault_arm(b->disk, rule), 0);
	sim_set_write_delay(b->disk, "orders-0", LATE_NS);
	assert_true(log_bench_append(b, 1, 1, LARGE));
	log_bench_turn(b); /* audit's group is on its way when orders' begins */
	assert_true(log_bench_append(b, 0, 1, LARGE));
	log_bench_run_ns(b, NS_PER_S);
	assert_true(store_failed(b->store));
	assert_true(logstore_shard(b->store, 0)->ops_busy > 0);
	assert_int_equal(b->partitions[0].failed + b->partitions[1].failed, 0);
	assert_true(log_bench_append(b, 1, 1, 700));
	log_bench_run_ns(b, NS_PER_S);
	assert_int_equal(b->partitions[1].refused, 1);
	logstore_stop_begin(b->store);
	log_bench_run_ns(b, LATE_NS / 2);
	assert_false(logstore_stopped(b->store));
	log_bench_run_ns(b, LATE_NS);
	assert_true(logstore_stopped(b->store));
	for (uint32_t p = 0; p < 2; p++) {
		assert_int_equal(b->partitions[p].failed, 1);
		assert_int_equal(b->partitions[p].durable, 2);
	}
	assert_int_equal(logstore_shard(b->store, 0)->ops_busy, 0);
	sim_fault_clear(b->disk);
	sim_set_write_delay(b->disk, "", 0);
	log_bench_drop(b);
	log_bench_open(b);
	assert_true(log_bench_check(b, true));
}

static void
a_late_write_under_a_failed_flush_acknowledges_nothing(void **state)
{
	writing_goes_off_under_a_late_write(
		*state, &(struct io_fault_rule){.op = IO_FAULT_FLUSH, .nth = 1, .error = EIO});
}

static void
a_late_write_under_a_failed_guard_acknowledges_nothing(void **state)
{
	writing_goes_off_under_a_late_write(*state, &(struct io_fault_rule){.op = IO_FAULT_WRITE,
							    .nth = 1,
							    .error = EIO,
							    .path_contains = "penstock-guard"});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, log_bench_tear_down)
		CASE(a_start_waits_for_the_writes_of_a_killed_process, set_up),
		CASE(a_start_waits_for_the_writes_of_a_killed_process, set_up_dsync),
		CASE(a_partition_whose_writes_do_not_end_is_offline_for_this_life, set_up),
		CASE(a_partition_whose_writes_do_not_end_is_offline_for_this_life, set_up_dsync),
		CASE(a_write_that_ends_late_and_well_is_acknowledged_then, set_up),
		CASE(a_write_that_ends_late_and_well_is_acknowledged_then, set_up_dsync),
		CASE(a_late_write_of_a_poisoned_partition_acknowledges_nothing, set_up),
		CASE(a_late_write_of_a_poisoned_partition_acknowledges_nothing, set_up_dsync),
		CASE(a_late_write_under_a_failed_flush_acknowledges_nothing, set_up),
		CASE(a_late_write_under_a_failed_guard_acknowledges_nothing, set_up_dsync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
