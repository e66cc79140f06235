/* SPDX-License-Identifier: Apache-2.0 */
/* partition.repair: a loss is accepted by name or not at all; a crash leaves it undone or done. */
#include "repaired.h"

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

/* Commands of one partition wait for the same thing: none of them is forgotten over another. */
static void
repairs_that_come_together_are_all_answered(void **state)
{
	struct log_bench *b = *state;
	struct log_command commands[3];
	uint32_t answers = 0, done = 0;

	log_bench_sigkill(b);
	log_bench_open(b);
	assert_true(log_bench_append(b, 0, 1, 1000)); /* a segment that is sealed first */
	log_bench_drain(b);
	damage(b, FIRST, 3);
	read_into_quarantine(b, 3);
	for (uint32_t i = 0; i < 3; i++) {
		commands[i] = (struct log_command){.kind = LOG_COMMAND_REPAIR,
			.partition_index = b->partitions[0].index,
			.repair = {.accept_loss = true, .from = 3, .until = 4}};
		assert_int_equal(logstore_command(b->store, &commands[i]), 0);
	}
	for (uint32_t i = 0; i < 1000 && answers < 3; i++) {
		log_bench_run_ns(b, NS_PER_MS);
		while (logstore_command_poll(b->store)) {
			answers++;
		}
	}
	assert_int_equal(answers, 3);
	for (uint32_t i = 0; i < 3; i++) {
		done += commands[i].error == 0;
	}
	assert_int_equal(done, 1);
}

/* Takes the answers there are, gives their memory back, and asks again for each until `asked` of them are out. */
static void
keep_reading(struct log_bench *b, uint32_t *out, uint32_t asked)
{
	struct read_req req = {.partition_index = b->partitions[0].index,
		.bytes_max = 4096,
		.from = 12,
		.until = 13,
		.token = 7};
	struct read_done done;

	for (; *out > 0 && ring_take(&b->read_done[0], &done, 1) == 1; (*out)--) {
		struct extent_release release = {.pin = done.pin, .partition_index = req.partition_index};

		assert_int_equal(done.error, 0);
		if (done.data) {
			assert_int_equal(ring_offer(&b->extent_release[0], &release, 1), 1);
		}
	}
	for (; *out < asked && ring_offer(&b->read_req[0], &req, 1) == 1; (*out)++) {
	}
}

/* Readers that never rest do not keep a repair from its turn. */
static void
a_repair_does_not_wait_for_readers_to_rest(void **state)
{
	struct log_bench *b = *state;
	static const int64_t holes[] = {3, 4, 0, 0};
	struct log_command command = {.kind = LOG_COMMAND_REPAIR,
		.partition_index = b->partitions[0].index,
		.repair = {.accept_loss = true, .from = 3, .until = 4}};
	struct log_command *answer = NULL;
	uint32_t out = 0;

	damage(b, FIRST, 3);
	log_bench_sigkill(b);
	log_bench_open(b);
	read_into_quarantine(b, 3);
	assert_int_equal(logstore_command(b->store, &command), 0);
	for (uint32_t i = 0; i < 2000 && !answer; i++) {
		keep_reading(b, &out, i == 0 ? 1 : 2); /* the next is there before the last is answered */
		log_bench_turn(b);
		answer = logstore_command_poll(b->store);
	}
	assert_ptr_equal(answer, &command);
	assert_int_equal(command.error, 0);
	while (out > 0) {
		log_bench_turn(b);
		keep_reading(b, &out, 0);
	}
	goes_on_over_starts(b, holes);
}

/* Readers of a relaxed topic may have seen more than is there: its offsets come again in a new epoch. */
static void
a_relaxed_topic_goes_on_in_a_new_epoch(void **state)
{
	struct log_topic_config config;
	struct log_bench *b;
	static const int64_t holes[] = {21, 22, 0, 0};

	(void)state;
	log_topic_config_init(&config);
	config.ack_risk = 2;
	b = three_segments_of(&config);
	damage(b, DIR "00000000000000000020.log", 1);
	log_bench_sigkill(b);
	log_bench_open(b);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_QUARANTINED);
	int32_t epoch = log_bench_status(b, 0).leader_epoch;

	assert_int_equal(repair(b, true, 21, 22).verdict, LOG_REPAIR_DONE);
	assert_true(log_bench_status(b, 0).leader_epoch > epoch);
	goes_on_over_starts(b, holes);
	log_bench_free(b);
	free(b);
}

/* A start reads the newest seals only: readers learn of a gap in an older segment when they meet it. */
static void
a_gap_in_an_old_segment_is_met_by_its_readers(void **state)
{
	struct log_bench *b = *state;
	static const int64_t holes[] = {0, 3, 8, 10, 0, 0};
	struct log_command roll = {.kind = LOG_COMMAND_ROLL, .partition_index = b->partitions[0].index};

	for (uint32_t i = 0; i < 3; i++) {
		damage(b, FIRST, i);
	}
	damage(b, FIRST, 8);
	damage(b, FIRST, 9);
	log_bench_sigkill(b);
	log_bench_open(b);
	read_into_quarantine(b, 8);
	assert_int_equal(repair(b, true, 0, 10).verdict, LOG_REPAIR_DONE);
	for (uint32_t i = 0; i < 4; i++) {
		assert_true(log_bench_append(b, 0, 1, 1000));
		log_bench_drain(b);
		assert_int_equal(log_bench_command(b, &roll), 0);
	}
	goes_on_over_starts(b, holes);
	/* The first read of a start, wherever it begins. */
	for (int64_t from = 0; from < 10; from++) {
		log_bench_sigkill(b);
		log_bench_open(b);
		struct read_done done = log_bench_read(b, 0, from, 10, 4096);

		assert_int_equal(done.error, 0);
		assert_int_equal(done.next_offset > from, 1);
		assert_int_equal(done.data != NULL, from < 8);
		if (done.data) {
			(void)take_answer(b, &done, from, holes);
			log_bench_release(b, 0, &done);
		}
	}
}

/*
 * Behind a gap the chain of offsets says nothing of a batch's place, nor does its CRC: 5 with a bit less is 4, which
 * is free. Its seal covers every byte.
 */
static void
a_wrong_place_behind_a_gap_is_not_served(void **state)
{
	struct log_bench *b = *state;
	static const int64_t holes[] = {3, 5, 0, 0};
	uint64_t header = (uint64_t)b->partitions[0].batches[0].len * 3; /* batches 3 and 4 are gone */

	damage(b, FIRST, 3);
	damage(b, FIRST, 4);
	log_bench_sigkill(b);
	log_bench_open(b);
	read_into_quarantine(b, 3);
	assert_int_equal(repair(b, true, 3, 5).verdict, LOG_REPAIR_DONE);
	assert_int_equal(sim_flip_bit(b->disk, FIRST, header + 7, 0), 0);
	log_bench_sigkill(b);
	log_bench_open(b);
	read_into_quarantine(b, 3);
	assert_int_equal(sim_flip_bit(b->disk, FIRST, header + 7, 0), 0);
	assert_int_equal(repair(b, false, 0, 0).verdict, LOG_REPAIR_DONE);
	goes_on_over_starts(b, holes);
}

/* One after the other; what becomes of one is nothing to the others. */
static void
partitions_are_repaired_at_the_same_time(void **state)
{
	enum { COUNT = 4 };
	static const int64_t holes[] = {3, 4, 0, 0};
	static const char *const topics[COUNT] = {"orders", "a", "b", "c"};
	struct log_bench *b = *state;
	struct log_command commands[COUNT];
	struct log_command remove = {.kind = LOG_COMMAND_DELETE};
	uint32_t answers = 0;

	for (uint32_t p = 1; p < COUNT; p++) {
		struct log_command roll = {.kind = LOG_COMMAND_ROLL};

		log_bench_create(b, topics[p], 0, NULL);
		for (uint32_t i = 0; i < 10; i++) {
			assert_true(log_bench_append(b, p, 1, 1000));
		}
		log_bench_drain(b);
		roll.partition_index = b->partitions[p].index;
		assert_int_equal(log_bench_command(b, &roll), 0);
	}
	log_bench_run_ns(b, 20 * NS_PER_MS);
	log_bench_sigkill(b);
	log_bench_open(b);
	for (uint32_t p = 0; p < COUNT; p++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "%s-0/00000000000000000000.log", topics[p]);
		damage(b, path, 3);
		struct read_done done = log_bench_read(b, p, 3, 4, 4096);

		assert_int_equal(done.error, KAFKA_CORRUPT_MESSAGE);
		/* The second names a wrong loss. */
		commands[p] = (struct log_command){.kind = LOG_COMMAND_REPAIR,
			.partition_index = b->partitions[p].index,
			.repair = {.accept_loss = true, .from = 3, .until = p == 1 ? 5 : 4}};
		assert_int_equal(logstore_command(b->store, &commands[p]), 0);
	}
	remove.partition_index = b->partitions[COUNT - 1].index;
	for (uint32_t i = 0; i < 8; i++) {
		log_bench_turn(b); /* until the repairs wait for one another */
	}
	assert_int_equal(logstore_command(b->store, &remove), 0);
	for (uint32_t i = 0; i < 1000 && answers < COUNT + 1; i++) {
		while (logstore_command_poll(b->store)) {
			answers++;
		}
		log_bench_run_ns(b, NS_PER_MS);
	}
	assert_int_equal(answers, COUNT + 1);
	assert_int_equal(commands[0].error, 0);
	assert_int_equal(commands[1].repair.verdict, LOG_REPAIR_LOSS);
	assert_int_equal(commands[2].error, 0);
	assert_int_equal(commands[3].error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(remove.error, 0);
	assert_int_equal(log_bench_status(b, 1).state, LOG_PARTITION_QUARANTINED);
	assert_int_equal(log_bench_status(b, 2).state, LOG_PARTITION_SERVING);
	goes_on(b, holes);
}

/*
 * An old segment that nobody doubted turns out to be damaged when producers are restored: the partition is in doubt
 * again, and deleted if that is what somebody wants meanwhile.
 */
static void
damage_met_on_the_way_is_a_doubt_of_its_own(void **state)
{
	uint32_t found = 0;

	(void)state;
	for (uint32_t turns = 0; turns < 16; turns++) {
		struct log_bench *b = three_segments();
		struct log_command commands[2] = {
			{.kind = LOG_COMMAND_REPAIR, .repair = {.accept_loss = true, .from = 21, .until = 22}},
			{.kind = LOG_COMMAND_DELETE},
		};
		static const char *const producers[] = {DIR "00000000000000000010.producers",
			DIR "00000000000000000020.producers", DIR "00000000000000000010.snapshot",
			DIR "00000000000000000020.snapshot"};
		uint32_t answers = 0;

		for (uint32_t i = 0; i < 4; i++) {
			remove_file(b, producers[i]);
		}
		damage(b, DIR "00000000000000000020.log", 1);
		log_bench_sigkill(b);
		log_bench_open(b);
		assert_int_equal(sim_flip_bit(b->disk, FIRST, 8, 3), 0); /* the length of the first batch */
		assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_QUARANTINED);
		for (uint32_t i = 0; i < 2; i++) {
			commands[i].partition_index = b->partitions[0].index;
			assert_int_equal(logstore_command(b->store, &commands[i]), 0);
			for (uint32_t k = 0; i == 0 && k < turns; k++) {
				log_bench_turn(b);
			}
		}
		for (uint32_t i = 0; i < 1000 && answers < 2; i++) {
			while (logstore_command_poll(b->store)) {
				answers++;
			}
			log_bench_run_ns(b, NS_PER_MS);
		}
		assert_int_equal(answers, 2);
		assert_int_not_equal(commands[0].error, 0);
		assert_int_equal(commands[1].error, 0);
		found += commands[0].repair.verdict == LOG_REPAIR_FAILED;
		assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_DELETED);
		log_bench_free(b);
		free(b);
	}
	assert_true(found > 0);
}

/* A stop begins no repair, and a kill in the middle of one leaves nothing behind in memory. */
static void
a_stop_begins_no_repair(void **state)
{
	static const int64_t holes[] = {3, 4, 0, 0};

	(void)state;
	for (uint32_t turns = 0; turns < 16; turns++) {
		struct log_bench *b = three_segments();
		struct log_command command = {.kind = LOG_COMMAND_REPAIR,
			.repair = {.accept_loss = true, .from = 3, .until = 4}};
		bool kill = turns % 2;

		damage(b, FIRST, 3);
		log_bench_sigkill(b);
		log_bench_open(b);
		read_into_quarantine(b, 3);
		command.partition_index = b->partitions[0].index;
		if (!kill) {
			logstore_stop_begin(b->store);
		}
		assert_int_equal(logstore_command(b->store, &command), 0);
		for (uint32_t k = 0; k < turns; k++) {
			log_bench_turn(b);
		}
		if (kill) {
			log_bench_sigkill(b);
		} else {
			uint32_t answers = 0;

			for (uint32_t k = 0; k < 1000 && answers == 0; k++) {
				answers += logstore_command_poll(b->store) != NULL;
				log_bench_run_ns(b, NS_PER_MS);
			}
			assert_int_equal(answers, 1);
			assert_int_equal(command.repair.verdict, LOG_REPAIR_FAILED);
			assert_true(log_bench_stop(b));
		}
		log_bench_open(b);
		if (log_bench_status(b, 0).state == LOG_PARTITION_QUARANTINED) {
			assert_int_equal(repair(b, true, 3, 4).verdict, LOG_REPAIR_DONE);
		}
		goes_on_over_starts(b, holes);
		log_bench_free(b);
		free(b);
	}
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
		cmocka_unit_test_setup_teardown(
			repairs_that_come_together_are_all_answered, set_up, log_bench_tear_down),
		cmocka_unit_test_setup_teardown(
			a_repair_does_not_wait_for_readers_to_rest, set_up, log_bench_tear_down),
		cmocka_unit_test(a_relaxed_topic_goes_on_in_a_new_epoch),
		cmocka_unit_test_setup_teardown(
			a_gap_in_an_old_segment_is_met_by_its_readers, set_up, log_bench_tear_down),
		cmocka_unit_test_setup_teardown(
			a_wrong_place_behind_a_gap_is_not_served, set_up, log_bench_tear_down),
		cmocka_unit_test_setup_teardown(
			partitions_are_repaired_at_the_same_time, set_up, log_bench_tear_down),
		cmocka_unit_test(damage_met_on_the_way_is_a_doubt_of_its_own),
		cmocka_unit_test(a_stop_begins_no_repair),
		cmocka_unit_test(a_crash_anywhere_leaves_it_undone_or_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
