/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts and kills at random instants, by seed: after every start the log is a prefix of what was
 * appended, holds all that was acknowledged, and its producer state is that of its last batch. Run
 * one seed with `log_crash_test <seed>`.
 */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "support/log_bench.h"

#define SEEDS	      300
#define CRASHES	      3
#define STEPS	      40
#define PARTITIONS    3

struct tally {
	uint64_t repairs, cuts, rolls, proven;
};

static void
random_step(struct log_bench *b, struct rand *rand)
{
	uint32_t p = (uint32_t)rand_below(rand, PARTITIONS);
	uint64_t what = rand_below(rand, 100);

	if (what < 70) {
		uint32_t size = rand_below(rand, 10) == 0 ? (uint32_t)rand_below(rand, 30000)
							  : (uint32_t)rand_below(rand, 900);

		(void)log_bench_append(b, p, 1 + (int32_t)rand_below(rand, 4), size);
	} else if (what < 72) {
		struct log_command command = {
			.kind = LOG_COMMAND_ROLL, .partition_index = b->partitions[p].index};

		assert_int_equal(log_bench_command(b, &command), 0);
	} else if (what < 74) {
		log_bench_run_ns(b, 11 * NS_PER_S); /* checkpoints, anchors, marks */
	} else if (what < 90) {
		log_bench_run_ns(b, rand_below(rand, 400 * NS_PER_US));
	} else {
		for (uint32_t i = 0; i < 3; i++) {
			log_bench_turn(b);
		}
	}
}

/* A start that is itself cut off: some write or sync of recovery fails, then the power goes. */
static void
broken_start(struct log_bench *b, struct rand *rand, uint64_t seed)
{
	static const enum io_fault_op ops[] = {
		IO_FAULT_PWRITE, IO_FAULT_FSYNC, IO_FAULT_RENAME, IO_FAULT_TRUNCATE, IO_FAULT_FSYNC_DIR};
	struct io_fault_rule rule = {.op = ops[rand_below(rand, ARRAY_COUNT(ops))],
		.kind = IO_FAULT_ERROR,
		.nth = 1 + (uint32_t)rand_below(rand, 12),
		.sticky = true,
		.error = EIO};

	assert_int_equal(sim_fault_arm(b->disk, &rule), 0);
	int rc = log_bench_try_open(b);

	sim_fault_clear(b->disk);
	if (rc == 0) {
		log_bench_crash(b, SIM_CRASH_ANY, seed);
	} else {
		sim_crash(b->disk,
			&(struct sim_crash_options){.mode = SIM_CRASH_ANY, .seed = seed}, NULL);
	}
}

static bool
run_seed(uint64_t seed, struct tally *tally)
{
	struct log_bench *b = malloc(sizeof(*b));
	struct log_bench_options o;
	struct rand rand;
	bool good = true;

	rand_init(&rand, seed * 7919 + 1);
	log_bench_options_init(&o, seed);
	o.shard_count = 1 + (uint32_t)(seed % 2);
	o.spare_bytes = 128 << 10;
	o.guard_bytes = seed % 2 ? 256 << 10 : 512 << 10;
	o.method = seed % 5 == 0 ? LOG_DURABLE_DSYNC : LOG_DURABLE_FLUSH;
	o.scope = seed % 3 == 0 ? LOG_FLUSH_FILE : LOG_FLUSH_DEVICE;
	log_bench_init(b, &o);
	log_bench_open(b);
	for (uint32_t i = 0; i < PARTITIONS; i++) {
		log_bench_create(b, "topic", i, NULL);
	}
	for (uint32_t c = 0; good && c < CRASHES; c++) {
		/* Long runs now and then: the guard ring wraps. */
		uint64_t steps = 1 + rand_below(&rand, seed % 8 == 0 ? 8 * STEPS : STEPS);

		for (uint64_t i = 0; i < steps; i++) {
			random_step(b, &rand);
		}
		tally->rolls += log_bench_counter(b, SHARD_rolls);
		if (rand_below(&rand, 6) == 0) {
			log_bench_sigkill(b);
		} else {
			log_bench_crash(b,
				rand_below(&rand, 4) == 0 ? SIM_CRASH_LOSE_ALL : SIM_CRASH_ANY, seed + c);
		}
		for (uint32_t i = 0; i < 3 && rand_below(&rand, 4) == 0; i++) {
			broken_start(b, &rand, seed * 31 + i);
		}
		log_bench_open(b);
		for (uint32_t i = 0; i < b->partition_count; i++) {
			tally->repairs += b->reports[i].tail_repaired;
			tally->cuts += b->reports[i].unproven_cut_bytes > 0;
			good = good && !b->reports[i].quarantined;
		}
		good = good && log_bench_check(b, true);
	}
	if (good) {
		for (uint32_t i = 0; i < 20; i++) {
			(void)log_bench_append(b, i % PARTITIONS, 2, 200);
		}
		log_bench_drain(b);
		good = !b->stalled && log_bench_check(b, false) && log_bench_stop(b);
		if (good) {
			log_bench_open(b);
			good = log_bench_check(b, true);
		}
	}
	tally->proven += b->trace_proven;
	if (!good) {
		(void)fprintf(stderr, "replay: log_crash_test %llu\n", (unsigned long long)seed);
	}
	log_bench_free(b);
	free(b);
	return good;
}

static void
every_seed_recovers_what_was_acknowledged(void **state)
{
	struct tally tally = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		assert_true(run_seed(seed, &tally));
	}
	(void)printf("repairs %llu, cuts %llu, rolls %llu, groups seen durable %llu\n",
		(unsigned long long)tally.repairs, (unsigned long long)tally.cuts,
		(unsigned long long)tally.rolls, (unsigned long long)tally.proven);
	assert_true(tally.repairs > 0);
	assert_true(tally.cuts > 0);
	assert_true(tally.rolls > 0);
	assert_true(tally.proven > 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_seed_recovers_what_was_acknowledged),
	};

	/* Thousands of stores are made and freed: keep their pages. */
	(void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
	(void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
	if (argc > 1) {
		struct tally tally = {0};

		return run_seed(strtoull(argv[1], NULL, 10), &tally) ? 0 : 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
