/* SPDX-License-Identifier: Apache-2.0 */
/* partition.repair: a loss is accepted by name or not at all; a crash leaves it undone or done. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/errcode.h"
#include "logstore/file_util.h"
#include "support/log_bench.h"
#include "wire/record_batch.h"

#define DIR	"orders-0/"
#define FIRST	DIR "00000000000000000000.log"
#define SECOND	DIR "00000000000000000010.log"
#define BATCHES 30

/*
 * Three segments of ten batches, a record each: two sealed, the last active and proven. A batch is some
 * 1,090 bytes long, so a byte of batch k of a segment is at 1,090 k + 500.
 */
static struct log_bench *
three_segments(void)
{
	struct log_bench *b = log_bench_start(NULL);

	log_bench_create(b, "orders", 0, NULL);
	for (uint32_t i = 0; i < BATCHES; i++) {
		struct log_command roll = {.kind = LOG_COMMAND_ROLL};

		if (i == 10 || i == 20) {
			roll.partition_index = b->partitions[0].index;
			assert_int_equal(log_bench_command(b, &roll), 0);
		}
		assert_true(log_bench_append(b, 0, 1, 1000));
		if (i % 10 == 9) {
			log_bench_drain(b); /* one group: the guard has its last block only */
		}
	}
	log_bench_run_ns(b, 20 * NS_PER_MS); /* seals, and a mark that proves the rest */
	return b;
}

static int
set_up(void **state)
{
	*state = three_segments();
	return 0;
}

static uint64_t
inside(const struct log_bench *b, uint32_t batch_of_segment)
{
	return (uint64_t)b->partitions[0].batches[0].len * batch_of_segment + 500;
}

/* A start that finds it, as the next to come. */
static void
damage(struct log_bench *b, const char *path, uint32_t batch_of_segment)
{
	assert_int_equal(sim_flip_bit(b->disk, path, inside(b, batch_of_segment), 3), 0);
}

/* No start reads old sealed segments: a reader does. */
static void
read_into_quarantine(struct log_bench *b, int64_t from)
{
	struct read_done done = log_bench_read(b, 0, from, from + 1, 4096);

	assert_int_equal(done.error, KAFKA_CORRUPT_MESSAGE);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_QUARANTINED);
}

static struct log_repair
repair(struct log_bench *b, bool accept_loss, int64_t from, int64_t until)
{
	struct log_command command = {.kind = LOG_COMMAND_REPAIR,
		.partition_index = b->partitions[0].index,
		.repair = {.accept_loss = accept_loss, .from = from, .until = until}};
	int16_t error = log_bench_command(b, &command);

	assert_int_equal(error == 0, command.repair.verdict == LOG_REPAIR_DONE);
	if (error == 0) {
		assert_int_equal(command.offset, log_bench_status(b, 0).log_end_offset);
	}
	return command.repair;
}

static bool
is_lost(const int64_t *holes, int64_t offset)
{
	for (; holes && holes[0] < holes[1]; holes += 2) {
		if (offset >= holes[0] && offset < holes[1]) {
			return true;
		}
	}
	return false;
}

/* Takes the batches of one answer, byte for byte. Offsets in between must be lost ones. */
static int64_t
take_answer(struct log_bench *b, const struct read_done *done, int64_t at, const int64_t *holes)
{
	const struct log_bench_partition *p = &b->partitions[0];
	struct record_batch_iterator it;
	int rc;

	record_batch_iterator_init(&it, done->data, done->data_len);
	while ((rc = record_batch_iterator_next(&it)) == 1) {
		for (; at < it.batch.base_offset; at++) {
			assert_true(is_lost(holes, at));
		}
		assert_false(is_lost(holes, at));
		assert_int_equal(p->batches[at].base_offset, at);
		/* The base offset, and the leader epoch before the magic byte, are the log's own. */
		assert_int_equal(it.len, p->batches[at].len);
		assert_memory_equal(it.bytes + 16, p->batches[at].bytes + 16, it.len - 16);
		at++;
	}
	assert_int_equal(rc, 0);
	return at;
}

/* Everything but the holes (pairs, ended by an empty one) is read, in pieces of `bytes_max`. */
static void
reads_all_but(struct log_bench *b, const int64_t *holes, uint32_t bytes_max)
{
	int64_t at = log_bench_status(b, 0).log_start_offset;
	int64_t end = log_bench_status(b, 0).high_watermark;

	while (at < end) {
		struct read_done done = log_bench_read(b, 0, at, end, bytes_max);

		assert_int_equal(done.error, 0);
		assert_true(done.next_offset > at);
		int64_t next = take_answer(b, &done, at, holes);

		for (at = next; at < done.next_offset; at++) {
			assert_true(is_lost(holes, at));
		}
		if (done.data) {
			log_bench_release(b, 0, &done);
		}
	}
}

static void
goes_on(struct log_bench *b, const int64_t *holes)
{
	int64_t end = log_bench_status(b, 0).log_end_offset;

	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_SERVING);
	reads_all_but(b, holes, 4096);
	reads_all_but(b, holes, 1 << 20);
	assert_true(log_bench_append(b, 0, 1, 1000));
	log_bench_drain(b);
	assert_false(b->stalled);
	assert_int_equal(b->partitions[0].refused, 0);
	assert_int_equal(log_bench_status(b, 0).log_end_offset, end + 1);
	reads_all_but(b, holes, 4096);
}

/* And so after a crash, and after a clean stop. */
static void
goes_on_over_starts(struct log_bench *b, const int64_t *holes)
{
	goes_on(b, holes);
	log_bench_sigkill(b);
	log_bench_open(b);
	goes_on(b, holes);
	assert_true(log_bench_stop(b));
	log_bench_open(b);
	goes_on(b, holes);
}

/* What the damaged file still holds may be worth something to somebody. */
static bool
old_file_is_kept(struct log_bench *b, const char *name)
{
	struct file_names names;
	struct io *io;
	bool kept = false;

	assert_int_equal(sim_disk_view(b->disk, 0, &io), 0);
	assert_int_equal(file_util_list(io, "orders-0", &names), 0);
	for (uint32_t i = 0; i < names.count; i++) {
		size_t len = strlen(name);

		kept |= strncmp(names.names[i].name, name, len) == 0 &&
			strncmp(names.names[i].name + len, ".damaged-", 9) == 0;
	}
	free(names.names);
	io->ops->destroy(io);
	return kept;
}

static void
a_loss_is_accepted_by_its_name_only(void **state)
{
	struct log_bench *b = *state;
	static const int64_t holes[] = {3, 5, 0, 0};

	damage(b, FIRST, 3);
	damage(b, FIRST, 4);
	log_bench_sigkill(b);
	log_bench_open(b);
	read_into_quarantine(b, 3);
	static const int64_t wrong[][2] = {{3, 4}, {3, 6}, {2, 5}, {0, 30}, {0, 0}};

	for (uint32_t i = 0; i < 5; i++) {
		struct log_repair answer = repair(b, true, wrong[i][0], wrong[i][1]);

		assert_int_equal(answer.verdict, LOG_REPAIR_LOSS);
		assert_int_equal(answer.loss_from, 3);
		assert_int_equal(answer.loss_until, 5);
		assert_int_equal(answer.lost_offsets, 2);
		assert_int_equal(answer.hole_count, 1);
		assert_int_equal(answer.segments_written, 0);
	}
	assert_int_equal(repair(b, false, 0, 0).verdict, LOG_REPAIR_LOSS);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_QUARANTINED);
	assert_int_equal(repair(b, true, 3, 5).verdict, LOG_REPAIR_DONE);
	assert_true(old_file_is_kept(b, "00000000000000000000.log"));
	goes_on_over_starts(b, holes);
	assert_int_equal(repair(b, true, 3, 5).verdict, LOG_REPAIR_NOT_QUARANTINED);
}

static void
a_restored_file_ends_the_doubt(void **state)
{
	struct log_bench *b = *state;

	damage(b, FIRST, 3);
	log_bench_sigkill(b);
	log_bench_open(b);
	read_into_quarantine(b, 3);
	assert_int_equal(repair(b, false, 0, 0).verdict, LOG_REPAIR_LOSS);
	damage(b, FIRST, 3); /* the same bit: as it was */
	assert_int_equal(repair(b, true, 3, 4).verdict, LOG_REPAIR_NOTHING_LOST);
	struct log_repair answer = repair(b, false, 0, 0);

	assert_int_equal(answer.verdict, LOG_REPAIR_DONE);
	assert_int_equal(answer.segments_written, 0);
	goes_on_over_starts(b, NULL);
	assert_true(log_bench_check(b, false));
}

/* The active segment, at a start: its proofs are in a file beside it. */
static void
damage_in_the_active_segment_is_repaired_without_a_restart(void **state)
{
	struct log_bench *b = *state;
	static const int64_t holes[] = {21, 22, 0, 0};

	damage(b, DIR "00000000000000000020.log", 1);
	log_bench_sigkill(b);
	log_bench_open(b);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_QUARANTINED);
	struct log_repair answer = repair(b, true, 21, 30);

	assert_int_equal(answer.verdict, LOG_REPAIR_LOSS);
	assert_int_equal(answer.loss_from, 21);
	assert_int_equal(answer.loss_until, 22);
	assert_int_equal(repair(b, true, 21, 22).verdict, LOG_REPAIR_DONE);
	goes_on_over_starts(b, holes);
}

static void
an_active_segment_that_is_whole_again_is_sealed(void **state)
{
	struct log_bench *b = *state;

	damage(b, DIR "00000000000000000020.log", 1);
	log_bench_sigkill(b);
	log_bench_open(b);
	damage(b, DIR "00000000000000000020.log", 1);
	struct log_repair answer = repair(b, false, 0, 0);

	assert_int_equal(answer.verdict, LOG_REPAIR_DONE);
	assert_int_equal(answer.segments_written, 1);
	goes_on_over_starts(b, NULL);
	assert_true(log_bench_check(b, false));
}

/* Cold reads find it while the partition serves; its active segment is sealed on the way. */
static void
damage_that_a_reader_finds_is_repaired(void **state)
{
	struct log_bench *b = *state;
	static const int64_t holes[] = {0, 1, 9, 10, 0, 0};

	log_bench_sigkill(b);
	log_bench_open(b);
	assert_true(log_bench_append(b, 0, 1, 1000));
	log_bench_drain(b);
	damage(b, FIRST, 0);
	damage(b, FIRST, 9);
	read_into_quarantine(b, 0);
	struct log_repair answer = repair(b, true, 0, 1);

	assert_int_equal(answer.verdict, LOG_REPAIR_LOSS);
	assert_int_equal(answer.loss_from, 0);
	assert_int_equal(answer.loss_until, 10);
	assert_int_equal(answer.lost_offsets, 2);
	assert_int_equal(answer.hole_count, 2);
	assert_int_equal(repair(b, true, 0, 10).verdict, LOG_REPAIR_DONE);
	goes_on_over_starts(b, holes);
}

static void
remove_file(struct log_bench *b, const char *path)
{
	struct io *io;

	assert_int_equal(sim_disk_view(b->disk, 0, &io), 0);
	assert_int_equal(io->ops->unlink(io, path), 0);
	assert_int_equal(io->ops->fsync_dir(io, "orders-0"), 0);
	io->ops->destroy(io);
}

static void
check_missing(const char *path, int64_t from, int64_t until)
{
	struct log_bench *b = three_segments();
	const int64_t holes[] = {from, until, 0, 0};

	log_bench_sigkill(b);
	remove_file(b, path);
	log_bench_open(b);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_QUARANTINED);
	struct log_repair answer = repair(b, false, 0, 0);

	assert_int_equal(answer.verdict, LOG_REPAIR_LOSS);
	assert_int_equal(answer.loss_from, from);
	assert_int_equal(answer.loss_until, until);
	assert_int_equal(repair(b, true, from, until).verdict, LOG_REPAIR_DONE);
	goes_on_over_starts(b, holes);
	log_bench_free(b);
	free(b);
}

static void
a_segment_that_is_gone_leaves_a_gap(void **state)
{
	(void)state;
	/* The guard still has their tail blocks, and two whole batches in each. */
	check_missing(FIRST, 0, 8);
	check_missing(SECOND, 10, 18);
	check_missing(DIR "00000000000000000020.log", 20, 28);
}

/* The base offset stands outside the CRC: 3 with one bit more is 7, and all of it is as it was otherwise. */
static void
a_batch_that_tells_a_wrong_place_is_lost(void **state)
{
	struct log_bench *b = *state;
	static const int64_t holes[] = {3, 4, 0, 0};
	uint64_t header = (uint64_t)b->partitions[0].batches[0].len * 3;

	assert_int_equal(sim_flip_bit(b->disk, FIRST, header + 7, 2), 0);
	log_bench_sigkill(b);
	log_bench_open(b);
	read_into_quarantine(b, 3);
	assert_int_equal(repair(b, true, 3, 4).verdict, LOG_REPAIR_DONE);
	goes_on_over_starts(b, holes);
}

/* A producer whose last batches are in the log is known again. */
static void
producers_of_a_start_in_quarantine_are_known(void **state)
{
	struct log_bench *b = *state;

	damage(b, DIR "00000000000000000020.log", 1);
	log_bench_sigkill(b);
	log_bench_open(b);
	assert_int_equal(repair(b, true, 21, 22).verdict, LOG_REPAIR_DONE);
	log_bench_resend(b, 0, 29);
	log_bench_drain(b);
	assert_int_equal(b->partitions[0].duplicates, 1);
	assert_int_equal(log_bench_status(b, 0).log_end_offset, 30);
}

static void
a_second_loss_beside_the_first(void **state)
{
	struct log_bench *b = *state;
	static const int64_t holes[] = {3, 4, 7, 8, 0, 0};
	static const int64_t first[] = {3, 4, 0, 0};

	damage(b, FIRST, 3);
	log_bench_sigkill(b);
	log_bench_open(b);
	read_into_quarantine(b, 3);
	assert_int_equal(repair(b, true, 3, 4).verdict, LOG_REPAIR_DONE);
	goes_on(b, first);
	/* The file has one batch less now. */
	damage(b, FIRST, 6);
	log_bench_sigkill(b);
	log_bench_open(b);
	read_into_quarantine(b, 7);
	struct log_repair answer = repair(b, true, 7, 8);

	/* What was lost before is lost still: the whole is named. */
	assert_int_equal(answer.verdict, LOG_REPAIR_LOSS);
	assert_int_equal(answer.loss_from, 3);
	assert_int_equal(answer.loss_until, 8);
	assert_int_equal(repair(b, true, 3, 8).verdict, LOG_REPAIR_DONE);
	goes_on_over_starts(b, holes);
}

static void
a_partition_that_is_deleted_meanwhile_stays_deleted(void **state)
{
	struct log_bench *b = *state;
	struct log_command repair_command = {.kind = LOG_COMMAND_REPAIR,
		.partition_index = b->partitions[0].index,
		.repair = {.accept_loss = true, .from = 3, .until = 4}};
	struct log_command remove = {
		.kind = LOG_COMMAND_DELETE, .partition_index = b->partitions[0].index};
	uint32_t answers = 0;

	damage(b, FIRST, 3);
	log_bench_sigkill(b);
	log_bench_open(b);
	read_into_quarantine(b, 3);
	assert_int_equal(logstore_command(b->store, &repair_command), 0);
	assert_int_equal(logstore_command(b->store, &remove), 0);
	for (uint32_t i = 0; i < 1000 && answers < 2; i++) {
		log_bench_turn(b);
		while (logstore_command_poll(b->store)) {
			answers++;
		}
	}
	assert_int_equal(answers, 2);
	assert_int_equal(remove.error, 0);
	assert_int_not_equal(repair_command.error, 0);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_DELETED);
	assert_true(log_bench_stop(b));
}

/*
 * From the n-th operation of a kind on nothing works, and then the power goes: the next start finds it
 * quarantined as before, or repaired. Until nothing is left to fail.
 */
static uint32_t
fail_and_crash(enum io_fault_op op, enum sim_crash_mode mode)
{
	static const int64_t holes[] = {21, 22, 0, 0};
	uint32_t decided = 0;

	for (uint32_t n = 1;; n++) {
		struct log_bench *b = three_segments();
		struct log_repair answer;

		assert_true(n < 200);
		/* Two segments to write: one for its seal, one for its bytes. */
		assert_int_equal(sim_flip_bit(b->disk, DIR "00000000000000000010.seal", 20, 0), 0);
		damage(b, DIR "00000000000000000020.log", 1);
		log_bench_sigkill(b);
		log_bench_open(b);
		assert_int_equal(sim_fault_arm(b->disk,
					 &(struct io_fault_rule){.op = op,
						 .nth = n,
						 .sticky = true,
						 .error = EIO,
						 .path_contains = "orders-0"}),
			0);
		answer = repair(b, true, 21, 22);
		sim_fault_clear(b->disk);
		if (answer.verdict != LOG_REPAIR_DONE) {
			assert_int_equal(answer.verdict, LOG_REPAIR_FAILED);
			log_bench_crash(b, mode, n);
			log_bench_open(b);
			if (log_bench_status(b, 0).state == LOG_PARTITION_QUARANTINED) {
				assert_int_equal(repair(b, true, 21, 22).verdict, LOG_REPAIR_DONE);
			} else {
				decided++;
			}
		}
		goes_on_over_starts(b, holes);
		log_bench_free(b);
		free(b);
		if (answer.verdict == LOG_REPAIR_DONE) {
			return decided;
		}
	}
}

static void
a_crash_anywhere_leaves_it_undone_or_done(void **state)
{
	static const enum io_fault_op ops[] = {IO_FAULT_OPEN, IO_FAULT_PWRITE, IO_FAULT_FSYNC,
		IO_FAULT_FSYNC_DIR, IO_FAULT_RENAME, IO_FAULT_UNLINK};
	uint32_t decided = 0;

	(void)state;
	for (uint32_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		decided += fail_and_crash(ops[i], SIM_CRASH_ANY);
		decided += fail_and_crash(ops[i], SIM_CRASH_LOSE_ALL);
		decided += fail_and_crash(ops[i], SIM_CRASH_KEEP_ALL);
	}
	/* Both sides of the decision were met. */
	assert_true(decided > 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_loss_is_accepted_by_its_name_only, set_up, log_bench_tear_down),
		cmocka_unit_test_setup_teardown(
			a_restored_file_ends_the_doubt, set_up, log_bench_tear_down),
		cmocka_unit_test_setup_teardown(damage_in_the_active_segment_is_repaired_without_a_restart,
			set_up, log_bench_tear_down),
		cmocka_unit_test_setup_teardown(
			an_active_segment_that_is_whole_again_is_sealed, set_up, log_bench_tear_down),
		cmocka_unit_test_setup_teardown(
			damage_that_a_reader_finds_is_repaired, set_up, log_bench_tear_down),
		cmocka_unit_test(a_segment_that_is_gone_leaves_a_gap),
		cmocka_unit_test_setup_teardown(
			a_batch_that_tells_a_wrong_place_is_lost, set_up, log_bench_tear_down),
		cmocka_unit_test_setup_teardown(
			producers_of_a_start_in_quarantine_are_known, set_up, log_bench_tear_down),
		cmocka_unit_test_setup_teardown(
			a_second_loss_beside_the_first, set_up, log_bench_tear_down),
		cmocka_unit_test_setup_teardown(
			a_partition_that_is_deleted_meanwhile_stays_deleted, set_up, log_bench_tear_down),
		cmocka_unit_test(a_crash_anywhere_leaves_it_undone_or_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
