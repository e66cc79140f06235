/* SPDX-License-Identifier: Apache-2.0 */
/* What the log does when the disk is full or a write fails: who is refused, and what still ends. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/errcode.h"
#include "logstore/file_util.h"
#include "logstore/store.h"
#include "support/log_bench.h"

#define DISK_BYTES (1ull << 30)

static int16_t
command(struct log_bench *b, uint32_t partition, enum log_command_kind kind)
{
	struct log_command c = {.kind = kind, .partition_index = b->partitions[partition].index};

	return log_bench_command(b, &c);
}

static void
append_and_drain(struct log_bench *b, uint32_t partition)
{
	assert_true(log_bench_append(b, partition, 2, 700));
	log_bench_drain(b);
	assert_false(b->stalled);
}

static void
a_full_disk_refuses_producers_and_not_internal_topics(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);
	uint32_t meta = log_bench_create(b, "__metadata", 0, NULL);

	append_and_drain(b, p);
	append_and_drain(b, meta);
	sim_set_capacity(b->disk, 4096);
	log_bench_run_ns(b, 2 * NS_PER_S);
	append_and_drain(b, p);
	assert_int_equal(b->partitions[p].refused, 1);
	assert_int_equal(b->partitions[p].last_error, KAFKA_KAFKA_STORAGE_ERROR);
	/* The record that a topic is gone: without it nothing makes room. */
	append_and_drain(b, meta);
	assert_int_equal(b->partitions[meta].refused, 0);
	assert_int_equal(b->partitions[meta].durable, 4);
	sim_set_capacity(b->disk, DISK_BYTES);
	log_bench_run_ns(b, 2 * NS_PER_S);
	log_bench_resend(b, p, 1);
	log_bench_run_ns(b, NS_PER_S);
	assert_int_equal(log_bench_status(b, p).durable_offset, 4);
}

/* An early spare that finds no room, while the least number is there, refuses nobody. */
static void
an_early_spare_without_room_refuses_nobody(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	append_and_drain(b, p);
	log_bench_run_ns(b, 2 * NS_PER_S);
	assert_int_equal(sim_fault_arm(b->disk,
				 &(struct io_fault_rule){.op = IO_FAULT_ALLOCATE,
					 .nth = 1,
					 .sticky = true,
					 .error = ENOSPC}),
		0);
	/* Half a segment: its successor is wanted beside the least number. */
	for (uint32_t i = 0; i < 8; i++) {
		assert_true(log_bench_append(b, p, 1, 20000));
		log_bench_drain(b);
	}
	assert_int_equal(log_bench_counter(b, SHARD_rolls), 0);
	log_bench_run_ns(b, 3 * NS_PER_S);
	append_and_drain(b, p);
	assert_int_equal(b->partitions[p].refused, 0);
	sim_fault_clear(b->disk);
	assert_true(log_bench_stop(b));
}

/* Jobs go on while a seal waits for room: cold reads do not stand behind it. */
static void
cold_reads_pass_housekeeping_that_waits_for_room(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	append_and_drain(b, p);
	assert_true(log_bench_stop(b));
	log_bench_open(b);
	append_and_drain(b, p);
	assert_int_equal(sim_fault_arm(b->disk,
				 &(struct io_fault_rule){.op = IO_FAULT_PWRITE,
					 .nth = 1,
					 .sticky = true,
					 .error = ENOSPC,
					 .path_contains = "orders-0"}),
		0);
	assert_int_equal(command(b, p, LOG_COMMAND_ROLL), 0);
	log_bench_run_ns(b, 3 * NS_PER_S);
	for (uint32_t i = 0; i < 40; i++) {
		struct read_done done = log_bench_read(b, p, 0, 4, 4096);

		assert_int_equal(done.error, KAFKA_NONE);
		assert_true(done.data_len > 0);
		log_bench_release(b, p, &done);
	}
	assert_true(log_bench_counter(b, SHARD_reads_cold) >= 40);
	sim_fault_clear(b->disk);
	log_bench_run_ns(b, 3 * NS_PER_S);
	assert_true(log_bench_check(b, false));
	assert_true(log_bench_stop(b));
}

/* The keeper cannot name the second segment, so it does not know where the first one ends. */
static void
a_cold_read_ends_before_a_segment_without_a_name(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	append_and_drain(b, p);
	log_bench_sigkill(b);
	log_bench_open(b); /* the first segment is unsealed, and in no memory */
	assert_int_equal(sim_fault_arm(b->disk,
				 &(struct io_fault_rule){.op = IO_FAULT_RENAME,
					 .nth = 1,
					 .sticky = true,
					 .error = ENOSPC,
					 .path_contains = "orders-0"}),
		0);
	log_bench_run_ns(b, 100 * NS_PER_MS);
	assert_int_equal(command(b, p, LOG_COMMAND_ROLL), 0);
	append_and_drain(b, p);
	int64_t end = log_bench_status(b, p).high_watermark;

	struct read_done done = log_bench_read(b, p, 0, end, 65536);

	assert_int_equal(done.error, KAFKA_NONE);
	assert_true(done.next_offset > 0);
	assert_true(done.next_offset < end);
	log_bench_release(b, p, &done);
	assert_int_equal(log_bench_status(b, p).state, LOG_PARTITION_SERVING);
	sim_fault_clear(b->disk);
	log_bench_run_ns(b, 3 * NS_PER_S);
	assert_true(log_bench_check(b, false));
	assert_true(log_bench_stop(b));
}

/* Housekeeping of one partition that finds no room holds up no other partition, and not its own end. */
static void
a_topic_is_deleted_while_housekeeping_waits_for_room(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);
	uint32_t q = log_bench_create(b, "audit", 1, NULL);
	uint32_t r = log_bench_create(b, "other", 0, NULL);

	append_and_drain(b, p);
	append_and_drain(b, q);
	append_and_drain(b, r);
	assert_int_equal(sim_fault_arm(b->disk,
				 &(struct io_fault_rule){.op = IO_FAULT_PWRITE,
					 .nth = 1,
					 .sticky = true,
					 .error = ENOSPC,
					 .path_contains = "audit-1"}),
		0);
	assert_int_equal(command(b, q, LOG_COMMAND_ROLL), 0);
	log_bench_run_ns(b, 3 * NS_PER_S);
	assert_int_equal(command(b, p, LOG_COMMAND_DELETE), 0);
	assert_int_equal(command(b, q, LOG_COMMAND_DELETE), 0);
	assert_int_equal(b->keeper_io->ops->stat(b->keeper_io, "audit-1", &(struct io_stat){0}), -ENOENT);
	sim_fault_clear(b->disk);
	append_and_drain(b, r);
	assert_int_equal(command(b, r, LOG_COMMAND_ROLL), 0);
	assert_true(log_bench_stop(b));
}

static void
housekeeping_goes_on_in_order_when_there_is_room_again(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	append_and_drain(b, p);
	assert_int_equal(sim_fault_arm(b->disk,
				 &(struct io_fault_rule){.op = IO_FAULT_PWRITE,
					 .nth = 1,
					 .sticky = true,
					 .error = ENOSPC,
					 .path_contains = "orders-0"}),
		0);
	assert_int_equal(command(b, p, LOG_COMMAND_ROLL), 0);
	append_and_drain(b, p); /* the next segment waits for its name behind the seal */
	assert_int_equal(command(b, p, LOG_COMMAND_ROLL), 0);
	log_bench_run_ns(b, 3 * NS_PER_S);
	sim_fault_clear(b->disk);
	log_bench_run_ns(b, 3 * NS_PER_S);
	assert_true(log_bench_check(b, false));
	assert_true(log_bench_stop(b));
	log_bench_open(b);
	assert_true(log_bench_check(b, true));
	assert_int_equal(b->partitions[p].durable, 4);
}

/* What recovery writes takes the room of spares, whatever took the rest of the disk. */
static void
a_start_after_a_crash_works_on_a_full_disk(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);
	struct io_space space;

	for (uint32_t i = 0; i < 60; i++) {
		append_and_drain(b, p); /* index entries that are not in the file yet */
	}
	log_bench_run_ns(b, NS_PER_S);
	assert_int_equal(b->keeper_io->ops->space(b->keeper_io, &space), 0);
	sim_set_capacity(b->disk, space.total_bytes - space.free_bytes);
	log_bench_sigkill(b);
	assert_int_equal(log_bench_try_open(b), 0);
	assert_true(log_bench_check(b, true));
	assert_int_equal(b->partitions[p].durable, 120);
}

static void
note_spare(void *user_data, const char *name, bool is_directory)
{
	size_t len = strlen(name);

	if (!is_directory && len > 5 && strcmp(name + len - 5, ".prep") == 0) {
		snprintf(user_data, FILE_PATH_MAX, "%s", name);
	}
}

/* The disk was too full for spares as well. */
static void
a_start_after_a_crash_works_on_a_full_disk_without_spares(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);
	struct io_space space;
	char spare[FILE_PATH_MAX];
	struct io *io;

	for (uint32_t i = 0; i < 60; i++) {
		append_and_drain(b, p);
	}
	log_bench_run_ns(b, 2 * NS_PER_S);
	log_bench_sigkill(b);
	assert_int_equal(sim_disk_view(b->disk, 1, &io), 0);
	do {
		spare[0] = '\0';
		assert_int_equal(io->ops->list(io, ".", note_spare, spare), 0);
	} while (spare[0] && io->ops->unlink(io, spare) == 0);
	assert_int_equal(io->ops->fsync_dir(io, "."), 0);
	assert_int_equal(io->ops->space(io, &space), 0);
	sim_set_capacity(b->disk, space.total_bytes - space.free_bytes);
	io->ops->destroy(io);
	assert_int_equal(log_bench_try_open(b), 0);
	assert_true(log_bench_check(b, true));
	assert_int_equal(b->partitions[p].durable, 120);
}

/* A write fails under a captured checkpoint and a closed segment: both give their snapshots back. */
static void
a_poisoned_partition_can_be_deleted(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);
	struct log_shard *shard = b->store->shards[0];

	append_and_drain(b, p);
	log_bench_run_ns(b, NS_PER_S); /* the segment has its name */
	assert_int_equal(shard->snapshots.count, 0);
	shard->partitions[b->partitions[p].index]->checkpoint_due = true;
	assert_int_equal(sim_fault_arm(b->disk,
				 &(struct io_fault_rule){.op = IO_FAULT_WRITE,
					 .nth = 1,
					 .error = EIO,
					 .path_contains = "orders-0"}),
		0);
	assert_true(log_bench_append(b, p, 2, 700));
	log_bench_drain(b);
	assert_int_equal(b->partitions[p].failed, 1);
	assert_int_equal(log_bench_status(b, p).state, LOG_PARTITION_POISONED);
	assert_int_equal(shard->snapshots.count, 0);
	assert_int_equal(command(b, p, LOG_COMMAND_DELETE), 0);
}

static void
a_closed_segment_of_a_poisoned_partition_holds_no_snapshot(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);
	struct log_shard *shard = b->store->shards[0];

	append_and_drain(b, p);
	log_bench_run_ns(b, NS_PER_S);
	assert_int_equal(sim_fault_arm(b->disk,
				 &(struct io_fault_rule){.op = IO_FAULT_WRITE,
					 .nth = 1,
					 .error = EIO,
					 .path_contains = "orders-0"}),
		0);
	assert_true(log_bench_append(b, p, 2, 700));
	log_bench_turn(b);
	assert_int_equal(command(b, p, LOG_COMMAND_ROLL), 0);
	log_bench_drain(b);
	assert_int_equal(log_bench_status(b, p).state, LOG_PARTITION_POISONED);
	assert_int_equal(shard->snapshots.count, 0);
	assert_int_equal(command(b, p, LOG_COMMAND_DELETE), 0);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, log_bench_set_up, log_bench_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_full_disk_refuses_producers_and_not_internal_topics),
		CASE(an_early_spare_without_room_refuses_nobody),
		CASE(cold_reads_pass_housekeeping_that_waits_for_room),
		CASE(a_cold_read_ends_before_a_segment_without_a_name),
		CASE(a_topic_is_deleted_while_housekeeping_waits_for_room),
		CASE(housekeeping_goes_on_in_order_when_there_is_room_again),
		CASE(a_start_after_a_crash_works_on_a_full_disk),
		CASE(a_start_after_a_crash_works_on_a_full_disk_without_spares),
		CASE(a_poisoned_partition_can_be_deleted),
		CASE(a_closed_segment_of_a_poisoned_partition_holds_no_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
