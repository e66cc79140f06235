/* SPDX-License-Identifier: Apache-2.0 */
/* recovery-point-offset-checkpoint: what it says while the log runs, behind a seal that is late,
 * and after a stop. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/errcode.h"
#include "logstore/checkpoint_file.h"
#include "logstore/file_util.h"
#include "support/log_bench.h"

/* The file is written every 60 s, a late message is tried every second. */
#define WRITTEN_NS (62 * NS_PER_S)

static void
append_and_drain(struct log_bench *b, uint32_t p)
{
	assert_true(log_bench_append(b, p, 2, 5000));
	log_bench_drain(b);
	assert_false(b->stalled);
}

/* What the file in the data directory says of a partition; -1: it has no line. */
static int64_t
recovery_point(struct log_bench *b, uint32_t p)
{
	struct checkpoint_file_reader reader;
	struct checkpoint_offset line;
	struct file_bytes file;
	struct io *io = b->keeper_io;
	int64_t offset = -1;

	if (!io) {
		assert_int_equal(sim_disk_view(b->disk, 0, &io), 0);
	}
	assert_int_equal(file_util_read(io, NULL, "recovery-point-offset-checkpoint", &file), 0);
	assert_int_equal(checkpoint_file_open(&reader, file.bytes, file.len), 0);
	while (checkpoint_file_next_offset(&reader, &line) == 1) {
		if (strcmp(line.topic, b->partitions[p].topic) == 0 &&
			line.partition == b->partitions[p].partition) {
			offset = line.offset;
		}
	}
	free(file.bytes);
	if (!b->keeper_io) {
		io->ops->destroy(io);
	}
	return offset;
}

static void
fail_index_syncs(struct log_bench *b)
{
	assert_int_equal(sim_fault_arm(b->disk, &(struct io_fault_rule){.op = IO_FAULT_FSYNC,
							.nth = 1,
							.sticky = true,
							.error = ENOSPC,
							.path_contains = "index"}),
		0);
}

/* Kafka looks at nothing below the recovery point: bytes whose index entries are not synced lie
 * above it. */
static void
it_names_what_is_checkpointed_and_not_what_is_durable(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	append_and_drain(b, p);
	log_bench_run_ns(b, WRITTEN_NS);
	assert_int_equal(recovery_point(b, p), 2);
	fail_index_syncs(b);
	append_and_drain(b, p);
	log_bench_run_ns(b, WRITTEN_NS);
	assert_int_equal(log_bench_status(b, p).durable_offset, 4);
	assert_int_equal(recovery_point(b, p), 2);
	sim_fault_clear(b->disk);
	log_bench_run_ns(b, WRITTEN_NS);
	assert_int_equal(recovery_point(b, p), 4);
}

/*
 * A segment that waits for its seal still ends in zeros. With the recovery point in it Kafka would
 * cut them, and then delete every segment behind.
 */
static void
it_leaves_a_segment_that_waits_for_its_seal_behind(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);
	struct log_command roll = {
		.kind = LOG_COMMAND_ROLL, .partition_index = b->partitions[p].index};

	append_and_drain(b, p);
	log_bench_run_ns(b, WRITTEN_NS);
	fail_index_syncs(b);
	append_and_drain(b, p);
	assert_int_equal(log_bench_command(b, &roll), 0);
	append_and_drain(b, p);
	log_bench_run_ns(b, WRITTEN_NS);
	assert_int_equal(log_bench_status(b, p).active_base_offset, 4);
	assert_int_equal(recovery_point(b, p), 4);
	sim_fault_clear(b->disk);
	log_bench_run_ns(b, WRITTEN_NS);
	assert_int_equal(recovery_point(b, p), 6);
}

/* After a kill the next life goes on from the checkpoint that the guard names. */
static void
a_start_after_a_kill_keeps_the_checkpoint(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	append_and_drain(b, p);
	log_bench_run_ns(b, WRITTEN_NS);
	append_and_drain(b, p);
	log_bench_sigkill(b);
	log_bench_open(b);
	fail_index_syncs(b);
	log_bench_run_ns(b, WRITTEN_NS);
	assert_int_equal(log_bench_status(b, p).durable_offset, 4);
	assert_int_equal(recovery_point(b, p), 2);
}

/* The next start holds the segments against it: some that are missing at the end leave no other
 * trace. */
static void
a_clean_stop_writes_the_end(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	append_and_drain(b, p);
	assert_true(log_bench_stop(b));
	assert_int_equal(recovery_point(b, p), 2);
	log_bench_open(b);
	append_and_drain(b, p);
	assert_true(log_bench_stop(b));
	assert_int_equal(recovery_point(b, p), 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, log_bench_set_up, log_bench_tear_down)
		CASE(it_names_what_is_checkpointed_and_not_what_is_durable),
		CASE(it_leaves_a_segment_that_waits_for_its_seal_behind),
		CASE(a_start_after_a_kill_keeps_the_checkpoint),
		CASE(a_clean_stop_writes_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
