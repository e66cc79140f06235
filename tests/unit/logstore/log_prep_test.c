/* SPDX-License-Identifier: Apache-2.0 */
/* log.prep.rate: segments ahead of need are prepared slowly, needed ones are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "support/log_bench.h"

#define SPARE_MIB   4
#define LEAST       3   /* two, and one for internal topics */
#define HALF_A_FILL 106 /* batches of 20,000 bytes */

static struct log_bench *
start(uint64_t rate)
{
	struct log_bench_options o;

	log_bench_options_init(&o, 1);
	o.spare_bytes = SPARE_MIB << 20;
	o.buffer_bytes = 8 << 20;
	o.prep_rate = rate;
	struct log_bench *b = log_bench_start(&o);

	log_bench_create(b, "orders", 0, NULL);
	assert_true(log_bench_append(b, 0, 1, 100));
	log_bench_drain(b);
	log_bench_run_ns(b, NS_PER_S);
	return b;
}

static void
end(struct log_bench *b)
{
	void *state = b;

	assert_true(log_bench_check(b, false));
	(void)log_bench_tear_down(&state);
}

/* From half a segment on its successor is wanted beside the least number. */
static void
fill_half(struct log_bench *b)
{
	for (uint32_t i = 0; i < HALF_A_FILL; i++) {
		assert_true(log_bench_append(b, 0, 1, 20000));
		log_bench_drain(b);
	}
}

/* One MiB a second: a spare of 4 MiB takes three to four of them. */
static void
a_spare_ahead_of_need_keeps_to_the_rate(void **state)
{
	struct log_bench *b = start(MIB);
	uint64_t begun = sim_op_count(b->disk, IO_FAULT_ZERO);

	(void)state;
	fill_half(b);
	log_bench_run_ns(b, 1500 * NS_PER_MS);
	assert_in_range(sim_op_count(b->disk, IO_FAULT_ZERO) - begun, 1, 3);
	log_bench_run_ns(b, 5 * NS_PER_S);
	assert_int_equal(sim_op_count(b->disk, IO_FAULT_ZERO) - begun, SPARE_MIB);
	end(b);
}

static void
without_a_rate_it_is_made_at_once(void **state)
{
	struct log_bench *b = start(0);
	uint64_t begun = sim_op_count(b->disk, IO_FAULT_ZERO);

	(void)state;
	fill_half(b);
	log_bench_run_ns(b, 50 * NS_PER_MS);
	assert_int_equal(sim_op_count(b->disk, IO_FAULT_ZERO) - begun, 1); /* one step of 4 MiB */
	end(b);
}

/* Each new partition takes one of the least number, and none of them waits for the rate. */
static void
what_a_roll_may_miss_is_made_at_full_speed(void **state)
{
	struct log_bench *b = start(64 * KIB);

	(void)state;
	for (uint32_t i = 1; i < 6; i++) {
		log_bench_create(b, "orders", i, NULL);
		assert_true(log_bench_append(b, i, 1, 100));
		log_bench_run_ns(b, 50 * NS_PER_MS);
		assert_int_equal(b->partitions[i].durable, 1);
	}
	log_bench_run_ns(b, 50 * NS_PER_MS);
	assert_true(sim_op_count(b->disk, IO_FAULT_ZERO) >= (6 + LEAST) * SPARE_MIB);
	end(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spare_ahead_of_need_keeps_to_the_rate),
		cmocka_unit_test(without_a_rate_it_is_made_at_once),
		cmocka_unit_test(what_a_roll_may_miss_is_made_at_full_speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
