/* SPDX-License-Identifier: Apache-2.0 */
/* partition.repair: whose file it is that stands there, and what becomes of it. */
#include "repaired.h"

/* Bytes at the front of spares that wait for a segment. */
static bool
spares_are_zeros(struct log_bench *b)
{
	struct file_names names;
	struct io *io;
	bool zeros = true;

	assert_int_equal(sim_disk_view(b->disk, 0, &io), 0);
	assert_int_equal(file_util_list(io, NULL, &names), 0);
	for (uint32_t i = 0; i < names.count; i++) {
		uint8_t bytes[RECORD_BATCH_HEADER_BYTES];
		const char *name = names.names[i].name;

		if (!strstr(name, ".prep")) {
			continue;
		}
		int fd = io->ops->open(io, name, IO_OPEN_READ_ONLY);

		assert_true(fd >= 0);
		assert_true(io->ops->pread(io, fd, bytes, sizeof(bytes), 0) >= 0);
		for (uint32_t k = 0; k < sizeof(bytes); k++) {
			zeros &= bytes[k] == 0;
		}
		io->ops->close(io, fd);
	}
	free(names.names);
	io->ops->destroy(io);
	return zeros;
}

/* The process died before the active segment had its name: its file is no spare after the repair. */
static void
a_segment_without_its_name_is_no_spare_afterwards(void **state)
{
	struct log_bench *b = log_bench_start(NULL);
	static const int64_t holes[] = {0, 8, 0, 0};

	(void)state;
	log_bench_create(b, "orders", 0, NULL);
	for (uint32_t i = 0; i < BATCHES; i++) {
		struct log_command roll = {
			.kind = LOG_COMMAND_ROLL, .partition_index = b->partitions[0].index};

		if (i == 10 || i == 20) {
			assert_int_equal(log_bench_command(b, &roll), 0);
			log_bench_run_ns(b, 20 * NS_PER_MS);
			b->keeper_sleeps = i == 20;
		}
		assert_true(log_bench_append(b, 0, 1, 1000));
		if (i % 10 == 9) {
			log_bench_drain(b);
		}
	}
	log_bench_run_ns(b, 20 * NS_PER_MS);
	assert_false(spares_are_zeros(b));
	log_bench_sigkill(b);
	b->keeper_sleeps = false;
	remove_file(b, FIRST);
	log_bench_open(b);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_QUARANTINED);
	assert_int_equal(log_bench_status(b, 0).log_end_offset, BATCHES);
	assert_int_equal(repair(b, true, 0, 8).verdict, LOG_REPAIR_DONE);
	assert_true(spares_are_zeros(b));
	assert_true(old_file_is_kept(b, "00000000000000000020.log"));
	goes_on_over_starts(b, holes);
	assert_true(spares_are_zeros(b));
	log_bench_free(b);
	free(b);
}

/* Damage that the tail copies in the proofs mend: the file has to be mended too. */
static void
a_sealed_segment_that_proofs_mend_is_written_anew(void **state)
{
	struct log_bench *b = *state;
	static const int64_t holes[] = {0, 8, 0, 0};

	log_bench_sigkill(b);
	remove_file(b, FIRST);
	damage(b, SECOND, 9);
	log_bench_open(b);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_QUARANTINED);
	struct log_repair answer = repair(b, true, 0, 8);

	assert_int_equal(answer.verdict, LOG_REPAIR_DONE);
	assert_int_equal(answer.segments_written, 3);
	goes_on_over_starts(b, holes);
}

static void
copy_file(struct log_bench *b, const char *from, const char *to)
{
	struct io *io;
	struct file_bytes file;

	assert_int_equal(sim_disk_view(b->disk, 0, &io), 0);
	assert_int_equal(file_util_read(io, NULL, from, &file), 0);
	int fd = io->ops->open(io, to, 0);

	assert_true(fd >= 0);
	assert_true(io->ops->pwrite(io, fd, file.bytes, file.len, 0) >= 0);
	assert_int_equal(io->ops->fsync(io, fd), 0);
	io->ops->close(io, fd);
	io->ops->destroy(io);
	free(file.bytes);
}

/* A copy of another partition's segment, of the same offsets and length: every batch of it is sound. */
static void
the_wrong_file_restores_nothing(void **state)
{
	struct log_bench *b = *state;
	static const int64_t holes[] = {0, 10, 0, 0};

	log_bench_create(b, "other", 0, NULL);
	for (uint32_t i = 0; i < 10; i++) {
		assert_true(log_bench_append(b, 1, 1, 1000));
	}
	log_bench_drain(b);
	struct log_command roll = {.kind = LOG_COMMAND_ROLL, .partition_index = b->partitions[1].index};

	assert_int_equal(log_bench_command(b, &roll), 0);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	damage(b, FIRST, 3);
	log_bench_sigkill(b);
	log_bench_open(b);
	read_into_quarantine(b, 3);
	copy_file(b, "other-0/00000000000000000000.log", FIRST);
	struct log_repair answer = repair(b, false, 0, 0);

	assert_int_equal(answer.verdict, LOG_REPAIR_LOSS);
	assert_int_equal(answer.loss_from, 0);
	assert_int_equal(answer.loss_until, 10);
	assert_int_equal(repair(b, true, 0, 10).verdict, LOG_REPAIR_DONE);
	goes_on_over_starts(b, holes);
}

static uint32_t
files_with(struct log_bench *b, const char *suffix)
{
	struct file_names names;
	struct io *io;
	uint32_t count = 0;

	assert_int_equal(sim_disk_view(b->disk, 0, &io), 0);
	assert_int_equal(file_util_list(io, "orders-0", &names), 0);
	for (uint32_t i = 0; i < names.count; i++) {
		size_t len = strlen(names.names[i].name);

		count += len > strlen(suffix) && strcmp(names.names[i].name + len - strlen(suffix), suffix) == 0;
	}
	free(names.names);
	io->ops->destroy(io);
	return count;
}

/* A disk that is full is not left with copies of segments that nobody decided on. */
static void
what_was_not_decided_takes_no_room(void **state)
{
	static const int64_t holes[] = {21, 22, 0, 0};

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		struct io_fault_rule full = {
			.op = IO_FAULT_PWRITE, .nth = 1, .sticky = true, .error = ENOSPC};
		struct log_bench *b = three_segments();

		(void)snprintf(full.path_contains, sizeof(full.path_contains), "%s",
			i == 0 ? "penstock-repair" : ".repair");

		damage(b, DIR "00000000000000000020.log", 1);
		log_bench_sigkill(b);
		log_bench_open(b);
		assert_int_equal(sim_fault_arm(b->disk, &full), 0);
		assert_int_equal(repair(b, true, 21, 22).error, -ENOSPC);
		sim_fault_clear(b->disk);
		assert_int_equal(files_with(b, ".repair"), 0);
		assert_int_equal(repair(b, true, 21, 22).verdict, LOG_REPAIR_DONE);
		goes_on_over_starts(b, holes);
		log_bench_free(b);
		free(b);
	}
}

/* An active segment that a cut left empty goes with the repair; a crash behind the decision changes nothing. */
static void
an_empty_segment_at_the_end_is_not_missed(void **state)
{
	static const int64_t holes[] = {3, 4, 0, 0};
	uint32_t met = 0;

	(void)state;
	for (uint64_t seed = 1; seed < 200 && met < 3; seed++) {
		struct log_bench *b = three_segments();
		struct log_command roll = {
			.kind = LOG_COMMAND_ROLL, .partition_index = b->partitions[0].index};

		assert_int_equal(log_bench_command(b, &roll), 0);
		log_bench_run_ns(b, 20 * NS_PER_MS);
		assert_true(log_bench_append(b, 0, 1, 1000));
		log_bench_turn(b);
		log_bench_turn(b);
		log_bench_crash(b, SIM_CRASH_ANY, seed);
		log_bench_open(b);
		if (log_bench_status(b, 0).log_end_offset == BATCHES && log_bench_status(b, 0).segment_count == 4) {
			met++;
			assert_true(log_bench_check(b, true));
			damage(b, FIRST, 3);
			log_bench_sigkill(b);
			log_bench_open(b);
			read_into_quarantine(b, 3);
			log_bench_sigkill(b);
			log_bench_open(b);
			assert_int_equal(sim_fault_arm(b->disk,
						 &(struct io_fault_rule){.op = IO_FAULT_UNLINK,
							 .nth = 1,
							 .sticky = true,
							 .error = EIO,
							 .path_contains = "quarantine"}),
				0);
			assert_int_equal(repair(b, true, 3, 4).verdict, LOG_REPAIR_FAILED);
			sim_fault_clear(b->disk);
			log_bench_crash(b, SIM_CRASH_KEEP_ALL, seed);
			log_bench_open(b);
			goes_on_over_starts(b, holes);
		}
		log_bench_free(b);
		free(b);
	}
	assert_true(met > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_without_its_name_is_no_spare_afterwards),
		cmocka_unit_test_setup_teardown(a_sealed_segment_that_proofs_mend_is_written_anew, set_up,
			log_bench_tear_down),
		cmocka_unit_test_setup_teardown(
			the_wrong_file_restores_nothing, set_up, log_bench_tear_down),
		cmocka_unit_test(what_was_not_decided_takes_no_room),
		cmocka_unit_test(an_empty_segment_at_the_end_is_not_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
