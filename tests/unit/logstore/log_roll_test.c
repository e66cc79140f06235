/* SPDX-License-Identifier: Apache-2.0 */
/* Rolls, and what waits for the keeper: spares, index pages, seals; who must not wait behind them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "base/bytes.h"
#include "base/errcode.h"
#include "logstore/keeper_msg.h"
#include "logstore/log_shard.h"
#include "support/log_bench.h"

/* Partitions fed alike roll in the same turn: the keeper knew when they were half full. */
static void
partitions_that_roll_together_find_their_segments(void **state)
{
	struct log_bench *b = *state;
	uint32_t p[8];

	for (uint32_t i = 0; i < ARRAY_COUNT(p); i++) {
		p[i] = log_bench_create(b, "orders", i, NULL);
		assert_true(log_bench_append(b, p[i], 1, 100));
		log_bench_drain(b);
		log_bench_run_ns(b, 50 * NS_PER_MS);
	}
	uint64_t misses = log_bench_counter(b, SHARD_prep_miss);

	for (uint32_t k = 0; k < 60; k++) {
		for (uint32_t i = 0; i < ARRAY_COUNT(p); i++) {
			assert_true(log_bench_append(b, p[i], 1, 20000));
		}
		log_bench_run_ns(b, 50 * NS_PER_MS);
	}
	log_bench_drain(b);
	assert_true(log_bench_counter(b, SHARD_rolls) >= 4 * ARRAY_COUNT(p));
	assert_int_equal(log_bench_counter(b, SHARD_prep_miss), misses);
	assert_true(log_bench_check(b, false));
}

static int64_t
file_bytes(struct log_bench *b, const char *path)
{
	struct io_stat stat;
	int rc = b->keeper_io->ops->stat(b->keeper_io, path, &stat);

	return rc < 0 ? rc : (int64_t)stat.size_bytes;
}

/* A bench that takes batches of megabytes. */
static int
set_up_large(void **state)
{
	struct log_bench_options o;

	log_bench_options_init(&o, 1);
	o.spare_bytes = 8 << 20;
	o.buffer_bytes = 16 << 20;
	o.cache_bytes = 16 << 20;
	o.group_max_bytes = 8 << 20;
	*state = log_bench_start(&o);
	return 0;
}

/* A segment of before a crash is read again to be sealed: by its own batches, not by today's settings. */
static void
a_lowered_batch_limit_does_not_doubt_older_batches(void **state)
{
	struct log_bench *b = *state;
	struct log_topic_config config;

	log_topic_config_init(&config);
	config.max_message_bytes = 4 << 20;
	uint32_t p = log_bench_create(b, "orders", 0, &config);

	assert_true(log_bench_append(b, p, 1, 100));
	assert_true(log_bench_append(b, p, 100, 30000));
	assert_true(log_bench_append(b, p, 1, 100));
	log_bench_drain(b);
	assert_int_equal(b->partitions[p].refused, 0);
	log_bench_run_ns(b, 120 * NS_PER_S); /* a checkpoint: the next start knows no batch before it */
	log_bench_sigkill(b);
	log_bench_open(b);
	config.max_message_bytes = 1000;
	struct log_command alter = {.kind = LOG_COMMAND_CONFIG,
		.partition_index = b->partitions[p].index,
		.config = config};
	struct log_command roll = {
		.kind = LOG_COMMAND_ROLL, .partition_index = b->partitions[p].index};

	assert_int_equal(log_bench_command(b, &alter), 0);
	assert_int_equal(log_bench_command(b, &roll), 0);
	log_bench_run_ns(b, 10 * NS_PER_S);
	assert_int_equal(log_bench_status(b, p).state, LOG_PARTITION_SERVING);
	assert_int_equal(file_bytes(b, "orders-0/quarantine.json"), -ENOENT);
	assert_true(file_bytes(b, "orders-0/00000000000000000000.seal") > 0);
	assert_true(log_bench_check(b, false));
}

/* A bench whose pool holds less than two segments. */
static int
set_up_small(void **state)
{
	struct log_bench_options o;

	log_bench_options_init(&o, 1);
	o.spare_bytes = 1 << 20;
	o.cache_bytes = 64 << 10;
	*state = log_bench_start(&o);
	return 0;
}

/*
 * Reads overtake seals, and the file of a segment without one ends in zeros, while the high watermark
 * is in the segment after it: the read ends where the segment does.
 */
static void
a_reader_behind_ends_at_a_segment_that_waits_for_its_seal(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);
	struct log_bench_partition *model = &b->partitions[p];

	assert_true(log_bench_append(b, p, 1, 100));
	log_bench_drain(b);
	int64_t edge = 0; /* of the first segment and the second */

	while (log_bench_counter(b, SHARD_rolls) < 2) {
		int64_t end = log_bench_status(b, p).log_end_offset;

		edge = log_bench_counter(b, SHARD_rolls) == 0 ? end : edge;
		/* From half a segment on its successor is there. */
		b->keeper_sleeps = end >= 40;
		assert_true(log_bench_append(b, p, 1, 20000));
		log_bench_run_ns(b, 50 * NS_PER_MS);
	}
	assert_int_equal(model->durable, model->offered);
	/* Each turn of the keeper seals one segment after the reads: the first two find both unsealed. */
	for (int64_t from = edge - 2; from < edge + 10; from++) {
		struct read_req req = {.partition_index = model->index,
			.bytes_max = 128 << 10,
			.from = from,
			.until = model->durable};
		struct read_done done;

		assert_int_equal(ring_offer(&b->read_req[0], &req, 1), 1);
		log_bench_run_ns(b, NS_PER_MS);
		if (ring_take(&b->read_done[0], &done, 1) == 0) {
			struct log_keeper *keeper = logstore_keeper(b->store);

			(void)log_keeper_poll(keeper, clock_now_ns(&b->clock.clock));
			log_bench_run_ns(b, NS_PER_MS);
			assert_int_equal(ring_take(&b->read_done[0], &done, 1), 1);
		}
		assert_int_equal(done.error, KAFKA_NONE);
		assert_int_equal(done.first_offset, from);
		assert_true(done.next_offset > from);
		log_bench_release(b, p, &done);
	}
	assert_true(log_bench_counter(b, SHARD_reads_cold) > 0);
	b->keeper_sleeps = false;
	log_bench_drain(b);
	assert_true(log_bench_check(b, false));
	assert_true(log_bench_stop(b));
	log_bench_open(b);
	assert_true(log_bench_check(b, true));
}

static void
shard_alone(struct log_bench *b, uint64_t duration_ns)
{
	for (uint64_t ns = 0; ns <= duration_ns; ns += 50 * NS_PER_US) {
		(void)log_shard_poll(logstore_shard(b->store, 0), clock_now_ns(&b->clock.clock));
		clock_fake_advance(&b->clock, 50 * NS_PER_US);
	}
}

/* Batches small enough that only index pages fill: one entry each. */
static void
append_small(struct log_bench *b, uint32_t p, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		assert_true(log_bench_append(b, p, 1, 10));
		log_bench_run_ns(b, NS_PER_MS);
	}
}

/* A sync of the keeper lasts as long as it lasts: nobody's append waits for one index page. */
static void
a_sleeping_keeper_holds_up_no_append(void **state)
{
	struct log_bench *b = *state;
	struct log_topic_config config;

	log_topic_config_init(&config);
	config.index_interval_bytes = 0;
	uint32_t p = log_bench_create(b, "pages", 0, &config);

	assert_true(log_bench_append(b, p, 1, 100));
	log_bench_drain(b);
	b->keeper_sleeps = true;
	append_small(b, p, 6 * INDEX_PAGE_ENTRIES);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	assert_int_equal(b->partitions[p].durable, b->partitions[p].offered);
	b->keeper_sleeps = false;
	log_bench_drain(b);
	assert_true(log_bench_check(b, false));
}

/* Partitions that must wait for a prepared segment let those pass that have one; each keeps its order. */
static void
a_partition_without_a_segment_holds_up_no_other(void **state)
{
	struct log_bench *b = *state;
	uint32_t p[6];

	for (uint32_t i = 0; i < ARRAY_COUNT(p); i++) {
		p[i] = log_bench_create(b, "orders", i, NULL);
	}
	assert_true(log_bench_append(b, p[0], 1, 100));
	log_bench_drain(b);
	log_bench_run_ns(b, 50 * NS_PER_MS);
	b->keeper_sleeps = true;
	for (uint32_t k = 0; k < 3; k++) {
		for (uint32_t i = 1; i < ARRAY_COUNT(p); i++) {
			assert_true(log_bench_append(b, p[i], 1, 100));
		}
		assert_true(log_bench_append(b, p[0], 1, 100));
	}
	log_bench_run_ns(b, 50 * NS_PER_MS);
	uint32_t waiting = 0;

	for (uint32_t i = 1; i < ARRAY_COUNT(p); i++) {
		waiting += b->partitions[p[i]].answered == 0;
	}
	assert_true(waiting >= 2);
	assert_int_equal(b->partitions[p[0]].durable, 4);
	b->keeper_sleeps = false;
	log_bench_drain(b);
	assert_false(b->stalled);
	for (uint32_t i = 1; i < ARRAY_COUNT(p); i++) {
		assert_int_equal(b->partitions[p[i]].durable, 3);
	}
	assert_true(log_bench_check(b, false));
}

/* A bench whose guard halves do not fill up. */
static int
set_up_guard(void **state)
{
	struct log_bench_options o;

	log_bench_options_init(&o, 1);
	o.guard_bytes = 16 << 20;
	*state = log_bench_start(&o);
	return 0;
}

/* More unsealed segments than an anchor holds, for longer than an anchor may be due: appends go on. */
static void
appends_go_on_while_no_anchor_fits(void **state)
{
	struct log_bench *b = *state;
	uint32_t p[LOG_BENCH_PARTITIONS_MAX];

	for (uint32_t i = 0; i < ARRAY_COUNT(p); i++) {
		p[i] = log_bench_create(b, "orders", i, NULL);
		assert_true(log_bench_append(b, p[i], 1, 100));
		log_bench_drain(b);
		log_bench_run_ns(b, 50 * NS_PER_MS);
	}
	for (uint32_t k = 0; k < 16; k++) {
		b->keeper_sleeps = k >= 10;
		for (uint32_t i = 0; i < ARRAY_COUNT(p); i++) {
			assert_true(log_bench_append(b, p[i], 1, 20000));
		}
		log_bench_run_ns(b, 100 * NS_PER_MS);
	}
	assert_int_equal(log_bench_counter(b, SHARD_rolls), ARRAY_COUNT(p));
	/* One checkpoint's answer makes an anchor due; the seals stay out. */
	logstore_shard(b->store, 0)->guard.anchor_due = true;
	log_bench_run_ns(b, 11 * NS_PER_S);
	for (uint32_t k = 0; k < 8; k++) {
		assert_true(log_bench_append(b, p[k], 1, 1000));
		log_bench_run_ns(b, 20 * NS_PER_MS);
		assert_int_equal(b->partitions[p[k]].durable, b->partitions[p[k]].offered);
	}
	b->keeper_sleeps = false;
	log_bench_drain(b);
	log_bench_run_ns(b, NS_PER_S);
	assert_true(log_bench_counter(b, SHARD_anchors) > 1);
	assert_true(log_bench_check(b, false));
	assert_true(log_bench_stop(b));
	log_bench_open(b);
	assert_true(log_bench_check(b, true));
}

/* Others may not take the spare that an internal topic needs: its records let a full disk be emptied. */
static void
a_spare_is_kept_for_internal_topics(void **state)
{
	struct log_bench *b = *state;
	uint32_t users[6];
	uint32_t waiting = 0;

	for (uint32_t i = 0; i < ARRAY_COUNT(users); i++) {
		users[i] = log_bench_create(b, "orders", i, NULL);
	}
	uint32_t internal = log_bench_create(b, "__penstock_metadata", 0, NULL);

	b->keeper_sleeps = true;
	for (uint32_t i = 0; i < ARRAY_COUNT(users); i++) {
		assert_true(log_bench_append(b, users[i], 1, 100));
	}
	log_bench_run_ns(b, 50 * NS_PER_MS);
	assert_true(log_bench_append(b, internal, 1, 100));
	log_bench_run_ns(b, 50 * NS_PER_MS);
	for (uint32_t i = 0; i < ARRAY_COUNT(users); i++) {
		waiting += b->partitions[users[i]].answered == 0;
	}
	assert_true(waiting > 0);
	assert_int_equal(b->partitions[internal].durable, 1);
	b->keeper_sleeps = false;
	log_bench_drain(b);
	assert_false(b->stalled);
	assert_true(log_bench_check(b, false));
}

/* What waits for a segment in a topic that is deleted meanwhile is refused, not forgotten. */
static void
a_deleted_partition_answers_what_waited_in_it(void **state)
{
	struct log_bench *b = *state;
	uint32_t p[4];

	for (uint32_t i = 0; i < ARRAY_COUNT(p); i++) {
		p[i] = log_bench_create(b, "orders", i, NULL);
	}
	b->keeper_sleeps = true;
	for (uint32_t i = 0; i < ARRAY_COUNT(p); i++) {
		assert_true(log_bench_append(b, p[i], 1, 100));
	}
	log_bench_run_ns(b, 50 * NS_PER_MS);
	struct log_bench_partition *last = &b->partitions[p[3]];

	assert_int_equal(last->answered + last->refused, 0);
	b->keeper_sleeps = false;
	struct log_command command = {.kind = LOG_COMMAND_DELETE, .partition_index = last->index};

	/* The keeper takes the command before it has made a segment. */
	assert_int_equal(log_bench_command(b, &command), 0);
	log_bench_run_ns(b, 50 * NS_PER_MS);
	assert_int_equal(last->answered + last->refused, 1);
	assert_true(log_bench_append(b, p[0], 1, 100));
	log_bench_drain(b);
	assert_int_equal(b->partitions[p[0]].durable, 2);
}

/* Six partitions rolled, with the keeper away: it gives all pages back before the second seal. */
static void
index_pages_come_before_seals(void **state)
{
	struct log_bench *b = *state;
	uint32_t p[6], pages = 0, seals = 0;
	struct shard_msg answers[256];

	for (uint32_t i = 0; i < ARRAY_COUNT(p); i++) {
		p[i] = log_bench_create(b, "orders", i, NULL);
		assert_true(log_bench_append(b, p[i], 1, 100));
		log_bench_drain(b);
		log_bench_run_ns(b, 50 * NS_PER_MS);
	}
	for (uint32_t k = 0; k < 16; k++) {
		b->keeper_sleeps = k >= 10; /* half full they were before: the spares are there */
		for (uint32_t i = 0; i < ARRAY_COUNT(p); i++) {
			assert_true(log_bench_append(b, p[i], 1, 20000));
		}
		log_bench_run_ns(b, 50 * NS_PER_MS);
	}
	assert_int_equal(log_bench_counter(b, SHARD_rolls), ARRAY_COUNT(p));
	(void)log_keeper_poll(logstore_keeper(b->store), clock_now_ns(&b->clock.clock));
	struct ring *ring = &logstore_shard(b->store, 0)->from_keeper;
	uint32_t count = ring_take(ring, answers, ARRAY_COUNT(answers));

	for (uint32_t i = 0; i < count; i++) {
		pages += answers[i].kind == SHARD_PAGE_DONE;
		seals += answers[i].kind == SHARD_SEALED;
	}
	assert_int_equal(ring_offer(ring, answers, count), count);
	assert_true(pages >= ARRAY_COUNT(p));
	assert_int_equal(seals, 1);
	b->keeper_sleeps = false;
	log_bench_drain(b);
	log_bench_run_ns(b, 50 * NS_PER_MS);
	assert_true(log_bench_check(b, false));
	assert_true(log_bench_stop(b));
	log_bench_open(b);
	assert_true(log_bench_check(b, true));
}

/*
 * The keeper is busy and holds all index pages but one. A checkpoint is due, and the group that would
 * take it along holds the end of one segment and the start of the next: the roll needs the last page.
 */
static void
a_roll_with_a_checkpoint_due_waits_for_an_index_page(void **state)
{
	struct log_bench *b = *state;
	struct log_topic_config config;

	log_topic_config_init(&config);
	config.index_interval_bytes = 0;
	uint32_t p = log_bench_create(b, "pages", 0, &config);

	assert_true(log_bench_append(b, p, 1, 100));
	log_bench_drain(b);
	log_bench_run_ns(b, 50 * NS_PER_MS);
	uint64_t rolls = log_bench_counter(b, SHARD_rolls);

	b->keeper_sleeps = true;
	append_small(b, p, (INDEX_PAGES - 2) * INDEX_PAGE_ENTRIES);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	while (log_bench_counter(b, SHARD_rolls) == rolls) {
		assert_true(log_bench_append(b, p, 1, 20000));
		shard_alone(b, NS_PER_MS);
	}
	for (uint32_t i = 0; i < 10; i++) { /* of the 13 that fit */
		assert_true(log_bench_append(b, p, 1, 20000));
		shard_alone(b, NS_PER_MS);
	}
	clock_fake_advance(&b->clock, 11 * NS_PER_S);
	assert_true(log_bench_append(b, p, 1, 20000));
	(void)log_shard_poll(logstore_shard(b->store, 0), clock_now_ns(&b->clock.clock));
	assert_int_equal(log_bench_counter(b, SHARD_rolls), rolls + 1);
	assert_true(log_bench_append(b, p, 1, 3000));
	assert_true(log_bench_append(b, p, 1, 20000));
	(void)log_shard_poll(logstore_shard(b->store, 0), clock_now_ns(&b->clock.clock));
	assert_int_equal(log_bench_counter(b, SHARD_rolls), rolls + 2);
	shard_alone(b, 5 * NS_PER_MS);
	assert_int_equal(log_bench_status(b, p).log_end_offset, b->partitions[p].offered - 1);
	b->keeper_sleeps = false;
	log_bench_drain(b);
	assert_false(b->stalled);
	assert_int_equal(log_bench_status(b, p).log_end_offset, b->partitions[p].offered);
	assert_true(log_bench_check(b, false));
}

/* Eight partitions fed alike with a batch each 100 ms, for two segments each. Rolls: how old each
 * first segment was. */
static void
roll_by_time(struct log_bench *b, int64_t jitter_ms, int64_t ret_age_ms[8])
{
	struct log_topic_config config;
	uint32_t p[8];

	log_topic_config_init(&config);
	config.segment_ms = 10000;
	config.segment_jitter_ms = jitter_ms;
	for (uint32_t i = 0; i < ARRAY_COUNT(p); i++) {
		p[i] = log_bench_create(b, jitter_ms > 0 ? "apart" : "together", i, &config);
		ret_age_ms[i] = 0;
	}
	for (int64_t ms = 0; ms <= 10200; ms += 100) {
		for (uint32_t i = 0; i < ARRAY_COUNT(p); i++) {
			assert_true(log_bench_append(b, p[i], 1, 100));
		}
		log_bench_run_ns(b, 100 * NS_PER_MS);
		for (uint32_t i = 0; i < ARRAY_COUNT(p); i++) {
			if (ret_age_ms[i] == 0 &&
				log_bench_status(b, p[i]).active_base_offset > 0) {
				ret_age_ms[i] = ms;
			}
		}
	}
}

/* Kafka's segment.jitter.ms: by its default of 0 partitions that began together roll together. */
static void
jitter_spreads_rolls_by_time(void **state)
{
	int64_t age_ms[8], least = INT64_MAX, most = 0;

	roll_by_time(*state, 0, age_ms);
	for (uint32_t i = 0; i < ARRAY_COUNT(age_ms); i++) {
		assert_int_equal(age_ms[i], 10100);
	}
	roll_by_time(*state, 5000, age_ms);
	for (uint32_t i = 0; i < ARRAY_COUNT(age_ms); i++) {
		assert_in_range(age_ms[i], 5100, 10100);
		least = age_ms[i] < least ? age_ms[i] : least;
		most = age_ms[i] > most ? age_ms[i] : most;
	}
	assert_true(most - least > 2000);
	assert_true(log_bench_check(*state, false));
}

static int
set_up_no_journal(void **state)
{
	struct log_bench_options o;

	log_bench_options_init(&o, 1);
	o.no_journal = true;
	*state = log_bench_start(&o);
	return 0;
}

/* Where fsync may leave the inode behind, no segment is offered before the file system was synced.
 */
static void
without_a_journal_spares_wait_for_a_sync_of_the_file_system(void **state)
{
	struct log_bench *b = *state;

	assert_int_equal(
		sim_fault_arm(b->disk,
			&(struct io_fault_rule){
				.op = IO_FAULT_SYNC_FS, .nth = 1, .sticky = true, .error = EIO}),
		0);
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	assert_true(log_bench_append(b, p, 1, 100));
	log_bench_run_ns(b, 3 * NS_PER_S);
	assert_int_equal(b->partitions[p].answered, 0);
	sim_fault_clear(b->disk);
	log_bench_drain(b);
	assert_int_equal(b->partitions[p].durable, 1);
}

/* A bench whose start may read 400 KB of log. */
static int
set_up_recovery(void **state)
{
	struct log_bench_options o;

	log_bench_options_init(&o, 1);
	o.spare_bytes = 1 << 20;
	o.recovery_max_bytes = 400000;
	*state = log_bench_start(&o);
	return 0;
}

/* At half of log.recovery.max.bytes a partition with much behind its checkpoint takes one at once. */
static void
half_of_what_a_start_may_read_asks_for_a_checkpoint(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "large", 0, NULL);
	uint32_t q = log_bench_create(b, "small", 0, NULL);

	assert_true(log_bench_append(b, q, 1, 100));
	for (uint32_t i = 0; i < 12; i++) {
		assert_true(log_bench_append(b, p, 1, 20000));
		log_bench_run_ns(b, 20 * NS_PER_MS);
	}
	log_bench_run_ns(b, 500 * NS_PER_MS); /* far from the ten seconds of an idle one */
	assert_true(log_bench_counter(b, SHARD_uncheckpointed_bytes) < 60000);
	assert_true(log_bench_counter(b, SHARD_uncheckpointed_bytes) > 0); /* the small one has none yet */
}

/* At all of it appends wait for the keeper, none is lost, and a start after a crash reads no more. */
static void
appends_stop_at_what_a_start_may_read(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "large", 0, NULL);

	assert_true(log_bench_append(b, p, 1, 100));
	log_bench_drain(b);
	b->keeper_sleeps = true;
	for (uint32_t i = 0; i < 40; i++) {
		assert_true(log_bench_append(b, p, 1, 20000));
		log_bench_run_ns(b, 20 * NS_PER_MS);
	}
	struct log_bench_partition *model = &b->partitions[p];

	assert_true(model->answered < model->offered);
	assert_true(log_bench_counter(b, SHARD_uncheckpointed_bytes) >= 400000);
	assert_true(log_bench_counter(b, SHARD_uncheckpointed_bytes) < 450000);
	b->keeper_sleeps = false;
	log_bench_drain(b);
	assert_false(b->stalled);
	assert_int_equal(model->durable, model->offered);
	log_bench_sigkill(b);
	log_bench_open(b);
	assert_true(log_bench_check(b, true));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, log_bench_set_up, log_bench_tear_down)
		CASE(partitions_that_roll_together_find_their_segments),
		cmocka_unit_test_setup_teardown(
			a_reader_behind_ends_at_a_segment_that_waits_for_its_seal, set_up_small,
			log_bench_tear_down),
		CASE(a_sleeping_keeper_holds_up_no_append),
		CASE(a_partition_without_a_segment_holds_up_no_other),
		cmocka_unit_test_setup_teardown(
			appends_go_on_while_no_anchor_fits, set_up_guard, log_bench_tear_down),
		CASE(a_spare_is_kept_for_internal_topics),
		CASE(a_deleted_partition_answers_what_waited_in_it),
		CASE(index_pages_come_before_seals),
		cmocka_unit_test_setup_teardown(half_of_what_a_start_may_read_asks_for_a_checkpoint,
			set_up_recovery, log_bench_tear_down),
		cmocka_unit_test_setup_teardown(appends_stop_at_what_a_start_may_read,
			set_up_recovery, log_bench_tear_down),
		CASE(a_roll_with_a_checkpoint_due_waits_for_an_index_page),
		CASE(jitter_spreads_rolls_by_time),
		cmocka_unit_test_setup_teardown(a_lowered_batch_limit_does_not_doubt_older_batches, set_up_large,
			log_bench_tear_down),
		cmocka_unit_test_setup_teardown(
			without_a_journal_spares_wait_for_a_sync_of_the_file_system,
			set_up_no_journal, log_bench_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
