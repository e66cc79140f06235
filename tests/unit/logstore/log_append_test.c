/* SPDX-License-Identifier: Apache-2.0 */
/* Appends through the whole log on a simulated disk: order, refusals, reads, rolls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/errcode.h"
#include "logstore/log_shard.h"
#include "support/log_bench.h"
#include "wire/record_batch.h"

static void
a_batch_becomes_durable_and_is_read_back(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	assert_true(log_bench_append(b, p, 3, 100));
	log_bench_drain(b);
	assert_int_equal(b->partitions[p].durable, 3);
	assert_true(b->note_count > 0);
	assert_int_equal(b->last_note.high_watermark, 3);
	assert_int_equal(b->last_note.durable_offset, 3);
	assert_int_equal(b->last_note.records, 3);
	assert_true(log_bench_check(b, false));
}

static void
many_batches_of_many_sizes_roll_segments(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);
	uint32_t q = log_bench_create(b, "audit", 1, NULL);

	for (uint32_t i = 0; i < 400; i++) {
		while (!log_bench_append(b, i % 3 ? p : q, 1 + (int32_t)(i % 5), 10 + (i * 37) % 4000)) {
			log_bench_turn(b);
		}
		if (i % 7 == 0) {
			log_bench_run_ns(b, 300 * NS_PER_US);
		}
	}
	log_bench_drain(b);
	assert_false(b->stalled);
	assert_true(log_bench_counter(b, SHARD_rolls) > 2);
	/* Begun blocks again, and padding, are all that is written beside payload. */
	assert_int_equal(log_bench_counter(b, SHARD_write_data_bytes),
		log_bench_counter(b, SHARD_write_tail_bytes) + log_bench_counter(b, SHARD_group_bytes));
	assert_true(log_bench_check(b, false));
	assert_true(log_bench_counter(b, SHARD_reads_cold) > 0);
}

static void
clean_stop_and_start_keeps_everything(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	for (uint32_t i = 0; i < 100; i++) {
		assert_true(log_bench_append(b, p, 2, 700));
		log_bench_run_ns(b, 50 * NS_PER_US);
	}
	log_bench_drain(b);
	assert_true(log_bench_stop(b));
	log_bench_open(b);
	assert_true(log_bench_check(b, true));
	assert_int_equal(b->partitions[p].answered, 100);
	assert_int_equal(log_bench_status(b, p).leader_epoch, 0);
	for (uint32_t i = 0; i < 10; i++) {
		assert_true(log_bench_append(b, p, 2, 700));
	}
	log_bench_drain(b);
	assert_true(log_bench_check(b, false));
	assert_int_equal(b->partitions[p].durable, 220);
}

static void
a_damaged_batch_is_refused_2_before_anything_else(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);
	struct log_bench_partition *bp = &b->partitions[p];

	assert_true(log_bench_append(b, p, 1, 5000));
	log_bench_drain(b);
	/* Damage in the payload of a new batch: nothing of it stays. */
	assert_true(log_bench_append(b, p, 1, 300));
	bp->batches[1].bytes[200] ^= 1;
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(bp->refused, 1);
	assert_int_equal(bp->last_error, KAFKA_CORRUPT_MESSAGE);
	bp->batches[1].bytes[200] ^= 1;
	/* A damaged sequence that would be a duplicate or a gap: 2, never success or 45. */
	bp->batches[0].bytes[56] ^= 4;
	log_bench_resend(b, p, 0);
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(bp->last_error, KAFKA_CORRUPT_MESSAGE);
	assert_int_equal(bp->duplicates, 0);
	bp->batches[0].bytes[56] ^= 4;
	bp->batches[0].bytes[400] ^= 1;
	log_bench_resend(b, p, 0);
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(bp->refused, 3);
	assert_int_equal(bp->last_error, KAFKA_CORRUPT_MESSAGE);
	assert_int_equal(bp->duplicates, 0);
	bp->batches[0].bytes[400] ^= 1;
	assert_int_equal(log_bench_counter(b, SHARD_crc_failures), 3);
	log_bench_resend(b, p, 1);
	log_bench_drain(b);
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(log_bench_status(b, p).log_end_offset, 2);
	assert_true(log_bench_check(b, false));
}

/* Who appended them looked already; the log looks again, with the same judge. */
static void
headers_are_judged_as_the_lanes_judge_them(void **state)
{
	static const struct {
		uint32_t position;
		uint8_t value;
		int16_t error;
	} rows[] = {
		{16, 1, KAFKA_CORRUPT_MESSAGE},
		{7, 1, KAFKA_INVALID_RECORD},
		{60, 2, KAFKA_INVALID_RECORD},
		{53, 0x80, KAFKA_INVALID_RECORD},
		{22, RECORD_BATCH_CONTROL, KAFKA_INVALID_RECORD},
		{22, 5, KAFKA_UNSUPPORTED_COMPRESSION_TYPE},
		{22, RECORD_BATCH_TRANSACTIONAL, KAFKA_INVALID_TXN_STATE},
	};
	struct log_bench *b = *state;

	for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char name[16];

		snprintf(name, sizeof(name), "judged-%u", i);
		uint32_t p = log_bench_create(b, name, 0, NULL);
		struct log_bench_partition *bp = &b->partitions[p];

		assert_true(log_bench_append(b, p, 1, 100));
		bp->batches[0].bytes[rows[i].position] = rows[i].value;
		store_be32(bp->batches[0].bytes + 17, record_batch_crc(bp->batches[0].bytes, bp->batches[0].len));
		log_bench_run_ns(b, NS_PER_MS);
		assert_int_equal(bp->refused, 1);
		assert_int_equal(bp->last_error, rows[i].error);
		assert_int_equal(log_bench_status(b, p).log_end_offset, 0);
	}
}

static void
too_large_batches_are_refused(void **state)
{
	struct log_bench *b = *state;
	struct log_topic_config config;

	log_topic_config_init(&config);
	config.max_message_bytes = 1000;
	uint32_t p = log_bench_create(b, "small", 0, &config);

	assert_true(log_bench_append(b, p, 1, 3000));
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(b->partitions[p].last_error, KAFKA_MESSAGE_TOO_LARGE);
	log_topic_config_init(&config);
	config.segment_bytes = 65536;
	uint32_t q = log_bench_create(b, "tiny", 0, &config);

	assert_true(log_bench_append(b, q, 1, 66000));
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(b->partitions[q].last_error, KAFKA_RECORD_LIST_TOO_LARGE);
}

static void
append_time_replaces_the_timestamp_and_the_crc(void **state)
{
	struct log_bench *b = *state;
	struct log_topic_config config;
	struct record_batch batch;

	log_topic_config_init(&config);
	config.log_append_time = true;
	uint32_t p = log_bench_create(b, "stamped", 0, &config);

	log_bench_run_ns(b, NS_PER_S);
	assert_true(log_bench_append(b, p, 3, 40));
	int64_t now_ms = (int64_t)(clock_wall_ns(&b->clock.clock) / NS_PER_MS);

	log_bench_drain(b);
	struct read_done done = log_bench_read(b, p, 0, 3, 4096);

	assert_int_equal(done.error, 0);
	assert_int_equal(record_batch_decode(done.data, done.data_len, &batch), 0);
	assert_true(batch.attributes & RECORD_BATCH_LOG_APPEND_TIME);
	assert_int_equal(batch.max_timestamp_ms, now_ms);
	assert_int_equal(record_batch_crc(done.data, done.data_len), batch.crc);
	log_bench_release(b, p, &done);
}

static void
a_pinned_extent_stays_as_it_is(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);
	uint8_t copy[8192];

	assert_true(log_bench_append(b, p, 2, 2000));
	log_bench_drain(b);
	struct read_done done = log_bench_read(b, p, 0, 2, sizeof(copy));

	assert_int_equal(done.error, 0);
	assert_true(done.data_len <= sizeof(copy));
	/* The extent may grow while it is pinned: more than it takes now is told, and not too
	 * little. */
	assert_in_range(done.held_bytes, 512 * 1024, READ_HOLD_BYTES_MAX);
	struct read_done second = log_bench_read(b, p, 1, 2, sizeof(copy));

	assert_true(second.held == done.held);
	log_bench_release(b, p, &second);
	memcpy(copy, done.data, done.data_len);
	/* Several times the pool goes by. */
	for (uint32_t i = 0; i < 300; i++) {
		assert_true(log_bench_append(b, p, 1, 20000));
		log_bench_drain(b);
	}
	assert_memory_equal(copy, done.data, done.data_len);
	assert_int_equal(log_bench_counter(b, SHARD_pins), 1);
	log_bench_release(b, p, &done);
	assert_true(log_bench_check(b, false));
}

static void
reads_beyond_the_ends_are_told_apart(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	assert_true(log_bench_append(b, p, 2, 20));
	log_bench_drain(b);
	assert_int_equal(log_bench_read(b, p, -1, 2, 100).error, KAFKA_OFFSET_OUT_OF_RANGE);
	assert_int_equal(log_bench_read(b, p, 3, 9, 100).error, KAFKA_OFFSET_OUT_OF_RANGE);
	struct read_done done = log_bench_read(b, p, 2, 9, 100);

	assert_int_equal(done.error, 0);
	assert_int_equal(done.data_len, 0);
	assert_null(done.data);
}

static void
a_deleted_partition_is_gone(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);
	uint32_t q = log_bench_create(b, "other", 0, NULL);

	assert_true(log_bench_append(b, p, 2, 20));
	assert_true(log_bench_append(b, q, 2, 20));
	struct log_command command = {
		.kind = LOG_COMMAND_DELETE, .partition_index = b->partitions[p].index};

	assert_int_equal(log_bench_command(b, &command), 0);
	b->partitions[p].refused = 0;
	assert_true(log_bench_append(b, p, 2, 20));
	log_bench_run_ns(b, NS_PER_MS);
	assert_int_equal(b->partitions[p].last_error, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(b->keeper_io->ops->stat(b->keeper_io, "orders-0", &(struct io_stat){0}), -2);
	log_bench_drain(b);
	log_bench_crash(b, SIM_CRASH_LOSE_ALL, 3);
	b->partitions[p].index = UINT32_MAX;
	log_bench_open(b);
	assert_int_equal(b->partitions[p].index, UINT32_MAX);
	assert_int_equal(log_bench_status(b, q).log_end_offset, 2);
}

static void
a_roll_command_seals_the_segment(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);
	struct io_stat stat;

	for (uint32_t i = 0; i < 20; i++) {
		assert_true(log_bench_append(b, p, 5, 1500));
	}
	log_bench_drain(b);
	uint64_t bytes = log_bench_status(b, p).size_bytes;
	struct log_command command = {
		.kind = LOG_COMMAND_ROLL, .partition_index = b->partitions[p].index};

	assert_int_equal(log_bench_command(b, &command), 0);
	assert_int_equal(command.offset, 100);
	log_bench_run_ns(b, 10 * NS_PER_MS);
	struct io *io = b->keeper_io;

	assert_int_equal(io->ops->stat(io, "orders-0/00000000000000000000.seal", &stat), 0);
	assert_int_equal(io->ops->stat(io, "orders-0/00000000000000000000.log", &stat), 0);
	assert_int_equal(stat.size_bytes, bytes);
	assert_int_equal(io->ops->stat(io, "orders-0/00000000000000000100.snapshot", &stat), 0);
	assert_int_equal(io->ops->stat(io, "orders-0/00000000000000000000.index", &stat), 0);
	assert_true(stat.size_bytes > 0);
	assert_int_equal(stat.size_bytes % 8, 0);
	assert_true(log_bench_append(b, p, 5, 1500));
	log_bench_drain(b);
	assert_int_equal(log_bench_status(b, p).active_base_offset, 100);
	assert_true(log_bench_check(b, false));
}

static void
relaxed_topics_are_acknowledged_before_the_flush(void **state)
{
	struct log_bench *b = *state;
	struct log_topic_config config;

	log_topic_config_init(&config);
	config.ack_risk = 1;
	uint32_t p = log_bench_create(b, "power", 0, &config);

	config.ack_risk = 2;
	uint32_t q = log_bench_create(b, "crash", 0, &config);

	/* The first batch of a partition waits for a prepared segment; the second waits for nothing. */
	assert_true(log_bench_append(b, p, 1, 20));
	assert_true(log_bench_append(b, q, 1, 20));
	log_bench_run_ns(b, 300 * NS_PER_MS);
	assert_int_equal(b->partitions[p].durable, 1);
	assert_int_equal(b->partitions[q].durable, 1);
	uint64_t flushes = log_bench_counter(b, SHARD_flushes);

	assert_true(log_bench_append(b, p, 2, 20));
	assert_true(log_bench_append(b, q, 2, 20));
	log_bench_turn(b);
	log_bench_turn(b);
	assert_int_equal(b->partitions[q].appended, 3);
	assert_int_equal(b->partitions[p].appended, 1);
	log_bench_run_ns(b, 5 * NS_PER_MS);
	assert_int_equal(b->partitions[p].appended, 3);
	assert_int_equal(b->partitions[p].durable, 1);
	assert_int_equal(log_bench_status(b, p).high_watermark, 3);
	assert_int_equal(log_bench_counter(b, SHARD_flushes), flushes);
	log_bench_run_ns(b, 120 * NS_PER_MS);
	assert_int_equal(b->partitions[p].durable, 3);
	assert_int_equal(b->partitions[q].durable, 3);
	assert_int_equal(log_bench_status(b, p).durable_offset, 3);
}

/* One that may wait ten minutes shares a group with one that may wait 100 ms: both are flushed after that. */
static void
a_shared_group_is_flushed_when_the_first_of_its_topics_wants_it(void **state)
{
	struct log_bench *b = *state;
	struct log_topic_config config;

	log_topic_config_init(&config);
	config.ack_risk = 1;
	config.flush_ms = 600000;
	uint32_t slow = log_bench_create(b, "slow", 0, &config);

	config.flush_ms = 100;
	uint32_t quick = log_bench_create(b, "quick", 0, &config);

	assert_true(log_bench_append(b, slow, 1, 20));
	assert_true(log_bench_append(b, quick, 1, 20));
	log_bench_run_ns(b, 300 * NS_PER_MS);
	assert_true(log_bench_append(b, slow, 1, 20));
	assert_true(log_bench_append(b, quick, 1, 20));
	log_bench_run_ns(b, 20 * NS_PER_MS);
	assert_int_equal(b->partitions[quick].durable, 1);
	log_bench_run_ns(b, 100 * NS_PER_MS);
	assert_int_equal(b->partitions[quick].durable, 2);
	assert_int_equal(b->partitions[slow].durable, 2);
}

/* A job made after a restart starts from these: without them it would see an empty log. */
static void
the_batcher_hears_of_recovered_partitions(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "again", 0, NULL);

	assert_true(log_bench_append(b, p, 5, 20));
	log_bench_drain(b);
	assert_true(log_bench_stop(b));
	b->note_count = 0;
	memset(&b->last_note, 0, sizeof(b->last_note));
	log_bench_open(b);
	log_bench_turn(b);
	assert_int_equal(b->note_count, 1);
	assert_int_equal(b->last_note.partition_index, b->partitions[p].index);
	assert_int_equal(b->last_note.high_watermark, 5);
	assert_int_equal(b->last_note.durable_offset, 5);
	assert_int_equal(b->last_note.max_timestamp_ms, -1);
}

static bool
woken(struct waker *waker)
{
	uint64_t count;
	bool yes = read(waker->fd, &count, sizeof(count)) == sizeof(count);

	waker_arm(waker);
	return yes;
}

/* Lcores and the keeper sleep: what is said to each of them must wake it. */
static void
keeper_shard_and_control_wake_one_another(void **state)
{
	struct log_bench *b = *state;
	struct waker shard, keeper, control;
	struct log_wakers wakers = {.shards = {&shard}, .keeper = &keeper, .control = &control};
	uint32_t p = log_bench_create(b, "wake", 0, NULL);
	struct log_command command = {
		.kind = LOG_COMMAND_ROLL, .partition_index = b->partitions[p].index};
	struct log_command *answer = NULL;

	assert_int_equal(waker_open(&shard) | waker_open(&keeper) | waker_open(&control), 0);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	logstore_attach_wakers(b->store, &wakers);
	waker_arm(&shard);
	waker_arm(&keeper);
	waker_arm(&control);
	assert_int_equal(logstore_command(b->store, &command), 0);
	assert_true(woken(&keeper));
	assert_false(woken(&shard));
	(void)log_keeper_poll(logstore_keeper(b->store), clock_now_ns(&b->clock.clock));
	assert_true(woken(&shard));
	assert_false(woken(&keeper));
	(void)log_shard_poll(logstore_shard(b->store, 0), clock_now_ns(&b->clock.clock));
	assert_true(woken(&keeper));
	assert_false(woken(&control));
	(void)log_keeper_poll(logstore_keeper(b->store), clock_now_ns(&b->clock.clock));
	assert_true(woken(&control));
	answer = logstore_command_poll(b->store);
	assert_ptr_equal(answer, &command);
	logstore_stop_begin(b->store);
	assert_true(woken(&shard));
	logstore_attach_wakers(b->store, &(struct log_wakers){0});
	waker_close(&shard);
	waker_close(&keeper);
	waker_close(&control);
}

/* A loop sleeps until the deadline: one in the past makes it spin for as long as the disk takes. */
static void
a_slow_flush_leaves_no_deadline_in_the_past(void **state)
{
	struct log_bench *b = *state;
	uint32_t p = log_bench_create(b, "orders", 0, NULL);

	sim_set_flush_delay(b->disk, 200 * NS_PER_MS);
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(log_bench_append(b, p, 2, 50));
		log_bench_run_ns(b, 2 * NS_PER_MS);
		assert_int_equal(log_bench_turn(b), 0);
		assert_int_equal(b->partitions[p].durable, 0);
		assert_true(log_shard_deadline_ns(logstore_shard(b->store, 0)) >
			    clock_now_ns(&b->clock.clock));
	}
	log_bench_drain(b);
	assert_int_equal(b->partitions[p].durable, 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, log_bench_set_up, log_bench_tear_down)
		CASE(a_batch_becomes_durable_and_is_read_back),
		CASE(many_batches_of_many_sizes_roll_segments),
		CASE(clean_stop_and_start_keeps_everything),
		CASE(a_damaged_batch_is_refused_2_before_anything_else),
		CASE(headers_are_judged_as_the_lanes_judge_them),
		CASE(too_large_batches_are_refused),
		CASE(append_time_replaces_the_timestamp_and_the_crc),
		CASE(a_pinned_extent_stays_as_it_is),
		CASE(reads_beyond_the_ends_are_told_apart),
		CASE(a_deleted_partition_is_gone),
		CASE(a_roll_command_seals_the_segment),
		CASE(relaxed_topics_are_acknowledged_before_the_flush),
		CASE(a_shared_group_is_flushed_when_the_first_of_its_topics_wants_it),
		CASE(a_slow_flush_leaves_no_deadline_in_the_past),
		CASE(the_batcher_hears_of_recovered_partitions),
		CASE(keeper_shard_and_control_wake_one_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
