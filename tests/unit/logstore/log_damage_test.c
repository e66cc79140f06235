/* SPDX-License-Identifier: Apache-2.0 */
/* Decay of what was acknowledged: repaired where the guard has a copy, else told; never cut. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/errcode.h"
#include "support/log_bench.h"

#define SEGMENT "orders-0/00000000000000000000.log"

static int
set_up(void **state)
{
	struct log_bench *b = log_bench_start(NULL);

	log_bench_create(b, "orders", 0, NULL);
	/* 10 KiB and a bit: two whole blocks and a begun one. */
	for (uint32_t i = 0; i < 10; i++) {
		assert_true(log_bench_append(b, 0, 1, 1000));
	}
	log_bench_drain(b);
	log_bench_run_ns(b, 20 * NS_PER_MS); /* a mark proves it */
	log_bench_sigkill(b);
	*state = b;
	return 0;
}

static void
damage_below_the_durable_mark_is_quarantined_never_cut(void **state)
{
	struct log_bench *b = *state;

	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2500, 3), 0);
	log_bench_open(b);
	assert_true(b->reports[0].quarantined);
	assert_int_equal(b->reports[0].unproven_cut_bytes, 0);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_QUARANTINED);
	/* What comes before the damage is served. */
	struct read_done done = log_bench_read(b, 0, 0, 1, 4096);

	assert_int_equal(done.error, 0);
	log_bench_release(b, 0, &done);
}

static void
damage_in_the_tail_block_is_repaired_from_the_guard(void **state)
{
	struct log_bench *b = *state;

	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2 * 4096 + 500, 3), 0);
	log_bench_open(b);
	assert_false(b->reports[0].quarantined);
	assert_int_equal(b->reports[0].tail_repaired, 1);
	assert_int_equal(b->reports[0].unproven_cut_bytes, 0);
	assert_true(log_bench_check(b, true));
	assert_int_equal(log_bench_status(b, 0).log_end_offset, 10);
}

/* Its index files are still there, and the guard tells of it. */
static void
a_missing_active_segment_is_quarantined(void **state)
{
	struct log_bench *b = *state;
	struct io *io;

	log_bench_open(b); /* gives it its name, if the keeper had not yet */
	log_bench_sigkill(b);
	assert_int_equal(sim_disk_view(b->disk, 0, &io), 0);
	assert_int_equal(io->ops->unlink(io, SEGMENT), 0);
	assert_int_equal(io->ops->fsync_dir(io, "orders-0"), 0);
	io->ops->destroy(io);
	log_bench_open(b);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_QUARANTINED);
	assert_int_equal(log_bench_status(b, 0).log_end_offset, 10);
}

/* --- later starts ------------------------------------------------------------------------------ */

/* All bytes of a file, as a start would read them. The caller frees. */
static uint8_t *
file_bytes(struct log_bench *b, const char *path, size_t *ret_len)
{
	struct io_stat stat;
	struct io *io;

	assert_int_equal(sim_disk_view(b->disk, 0, &io), 0);
	assert_int_equal(io->ops->stat(io, path, &stat), 0);
	uint8_t *bytes = malloc(stat.size_bytes);
	int fd = io->ops->open(io, path, IO_OPEN_READ_ONLY);

	assert_non_null(bytes);
	assert_true(fd >= 0);
	assert_int_equal(io->ops->pread(io, fd, bytes, stat.size_bytes, 0), 0);
	io->ops->close(io, fd);
	io->ops->destroy(io);
	*ret_len = stat.size_bytes;
	return bytes;
}

static void
remove_file(struct log_bench *b, const char *path)
{
	struct io *io;

	assert_int_equal(sim_disk_view(b->disk, 0, &io), 0);
	assert_int_equal(io->ops->unlink(io, path), 0);
	assert_int_equal(io->ops->fsync_dir(io, "."), 0);
	io->ops->destroy(io);
}

static bool
file_is_there(struct log_bench *b, const char *path)
{
	struct io_stat stat;
	struct io *io;

	assert_int_equal(sim_disk_view(b->disk, 0, &io), 0);
	bool there = io->ops->stat(io, path, &stat) == 0;

	io->ops->destroy(io);
	return there;
}

/* Two more starts find what the first left: quarantined, and not a byte of the segment changed. */
static void
open_twice_more(struct log_bench *b)
{
	size_t before_len, after_len;
	uint8_t *before = file_bytes(b, SEGMENT, &before_len);

	for (int i = 0; i < 2; i++) {
		log_bench_open(b);
		assert_true(b->reports[0].quarantined);
		assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_QUARANTINED);
		log_bench_run_ns(b, 11 * NS_PER_S); /* anchors */
		assert_int_equal(log_bench_counter(b, SHARD_quarantines), 1);
		if (i == 0) {
			log_bench_sigkill(b);
		} else {
			assert_true(log_bench_stop(b));
		}
	}
	uint8_t *after = file_bytes(b, SEGMENT, &after_len);

	assert_int_equal(after_len, before_len);
	assert_memory_equal(after, before, before_len);
	free(before);
	free(after);
}

/* A repair: the bytes are whole again, and quarantine.json is taken away. */
static void
repaired_it_serves_all(struct log_bench *b, int64_t end)
{
	remove_file(b, "orders-0/quarantine.json");
	log_bench_open(b);
	assert_false(b->reports[0].quarantined);
	assert_int_equal(b->reports[0].unproven_cut_bytes, 0);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_SERVING);
	assert_int_equal(log_bench_status(b, 0).log_end_offset, end);
	assert_true(log_bench_check(b, false));
	assert_true(log_bench_append(b, 0, 1, 1000));
	log_bench_drain(b);
	assert_false(b->stalled);
	log_bench_sigkill(b);
	assert_false(file_is_there(b, "orders-0/penstock-proofs"));
	log_bench_open(b);
	assert_int_equal(log_bench_status(b, 0).log_end_offset, end + 1);
}

static void
a_quarantined_segment_is_as_it_was_after_later_starts(void **state)
{
	struct log_bench *b = *state;

	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2500, 3), 0);
	log_bench_open(b);
	assert_true(b->reports[0].quarantined);
	log_bench_run_ns(b, 11 * NS_PER_S);
	log_bench_sigkill(b);
	open_twice_more(b);
	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2500, 3), 0);
	repaired_it_serves_all(b, 10);
}

/* The proofs outlive the anchors of starts that do not serve the partition. */
static void
without_quarantine_json_it_is_quarantined_again(void **state)
{
	struct log_bench *b = *state;

	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2500, 3), 0);
	log_bench_open(b);
	log_bench_sigkill(b);
	for (int i = 0; i < 3; i++) {
		remove_file(b, "orders-0/quarantine.json");
		log_bench_open(b);
		assert_true(b->reports[0].quarantined);
		assert_int_equal(b->reports[0].unproven_cut_bytes, 0);
		log_bench_sigkill(b);
	}
	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2500, 3), 0);
	repaired_it_serves_all(b, 10);
}

/* Its tail block needs the copy in the guard: two starts later it is still there. */
static void
an_offline_partition_keeps_its_proofs(void **state)
{
	struct log_bench *b = *state;

	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2 * 4096 + 500, 3), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sim_fault_arm(b->disk,
					 &(struct io_fault_rule){.op = IO_FAULT_OPEN,
						 .nth = 1,
						 .sticky = true,
						 .error = EIO,
						 .path_contains = "00000000.log"}),
			0);
		log_bench_open(b);
		assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_OFFLINE);
		assert_int_equal(log_bench_status(b, 0).log_end_offset, 10);
		log_bench_run_ns(b, 11 * NS_PER_S);
		log_bench_sigkill(b);
		sim_fault_clear(b->disk);
	}
	log_bench_open(b);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_SERVING);
	assert_int_equal(b->reports[0].tail_repaired, 1);
	assert_int_equal(b->reports[0].unproven_cut_bytes, 0);
	assert_true(log_bench_check(b, false));
}

/* A seal that is damaged ends the start of the partition before its active segment is looked at. */
static void
a_damaged_seal_keeps_the_proofs_of_the_active_segment(void **state)
{
	static const char seal[] = "orders-0/00000000000000000000.seal";
	struct log_bench *b = *state;
	struct log_command command = {.kind = LOG_COMMAND_ROLL};

	log_bench_open(b);
	command.partition_index = b->partitions[0].index;
	assert_int_equal(log_bench_command(b, &command), 0);
	for (uint32_t i = 0; i < 6; i++) {
		assert_true(log_bench_append(b, 0, 1, 1000));
	}
	log_bench_drain(b);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	log_bench_sigkill(b);
	assert_int_equal(sim_flip_bit(b->disk, seal, 20, 0), 0);
	assert_int_equal(sim_flip_bit(b->disk, "orders-0/00000000000000000010.log", 4096 + 500, 3), 0);
	log_bench_open(b);
	assert_true(b->reports[0].quarantined);
	assert_int_equal(log_bench_status(b, 0).log_end_offset, 16);
	log_bench_run_ns(b, 11 * NS_PER_S);
	log_bench_sigkill(b);
	open_twice_more(b);
	assert_int_equal(sim_flip_bit(b->disk, seal, 20, 0), 0);
	repaired_it_serves_all(b, 16);
}

/* Not known to be unproven: a guard file that is gone may have proven it. */
static void
a_missing_guard_file_of_two_cuts_nothing(void **state)
{
	struct log_bench *b = *state;
	struct log_bench_options o;

	log_bench_free(b);
	log_bench_options_init(&o, 1);
	o.shard_count = 2;
	log_bench_init(b, &o);
	log_bench_open(b);
	log_bench_create(b, "orders", 0, NULL);
	log_bench_create(b, "orders", 1, NULL);
	for (uint32_t i = 0; i < 20; i++) {
		assert_true(log_bench_append(b, i % 2, 1, 1000));
	}
	log_bench_drain(b);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	uint32_t shard = log_bench_status(b, 0).shard;

	assert_int_not_equal(log_bench_status(b, 1).shard, shard);
	log_bench_sigkill(b);
	remove_file(b, shard == 0 ? "penstock-guard-0" : "penstock-guard-1");
	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2500, 3), 0);
	log_bench_open(b);
	assert_true(b->reports[0].quarantined);
	assert_false(b->reports[1].quarantined);
	assert_int_equal(log_bench_status(b, 0).log_end_offset, 10);
	log_bench_sigkill(b);
	open_twice_more(b);
}

/*
 * A segment that took its spare and not yet its name, with acknowledged groups in it, behind one that is
 * damaged, or cannot be opened.
 */
static void
append_without_the_keeper(struct log_bench *b)
{
	log_bench_open(b);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	b->keeper_sleeps = true;
	for (uint32_t i = 0; i < 30; i++) {
		assert_true(log_bench_append(b, 0, 1, 10000));
		log_bench_drain(b);
	}
	assert_false(b->stalled);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	assert_int_equal(log_bench_counter(b, SHARD_rolls), 1);
	log_bench_sigkill(b);
	b->keeper_sleeps = false;
	assert_false(file_is_there(b, "orders-0/00000000000000000034.log"));
}

static void
a_segment_without_a_name_outlives_the_damage_before_it(void **state)
{
	struct log_bench *b = *state;

	append_without_the_keeper(b);
	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2500, 3), 0);
	log_bench_open(b);
	assert_true(b->reports[0].quarantined);
	assert_int_equal(log_bench_status(b, 0).log_end_offset, 40);
	struct read_done done = log_bench_read(b, 0, 39, 40, 4096);

	assert_int_equal(done.error, KAFKA_CORRUPT_MESSAGE);
	log_bench_sigkill(b);
	open_twice_more(b);
	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2500, 3), 0);
	repaired_it_serves_all(b, 40);
}

static void
a_segment_without_a_name_outlives_an_offline_start(void **state)
{
	struct log_bench *b = *state;

	append_without_the_keeper(b);
	assert_int_equal(sim_fault_arm(b->disk,
				 &(struct io_fault_rule){.op = IO_FAULT_OPEN,
					 .nth = 1,
					 .sticky = true,
					 .error = EMFILE,
					 .path_contains = "00000000.log"}),
		0);
	log_bench_open(b);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_OFFLINE);
	log_bench_run_ns(b, NS_PER_S);
	assert_true(log_bench_stop(b));
	log_bench_open(b);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_OFFLINE);
	log_bench_sigkill(b);
	sim_fault_clear(b->disk);
	log_bench_open(b);
	assert_int_equal(log_bench_status(b, 0).log_end_offset, 40);
	assert_true(log_bench_check(b, false));
}

/* --- directories and names --------------------------------------------------------------------- */

static int16_t
create_again(struct log_bench *b, const char *topic, uint8_t id)
{
	struct log_command command = {.kind = LOG_COMMAND_CREATE};

	(void)snprintf(command.topic, sizeof(command.topic), "%s", topic);
	memset(command.topic_id, id, sizeof(command.topic_id));
	log_topic_config_init(&command.config);
	return log_bench_command(b, &command);
}

static void
left_alone_nothing_is_lost(struct log_bench *b)
{
	size_t before_len, after_len;
	uint8_t *before = file_bytes(b, SEGMENT, &before_len);

	for (int i = 0; i < 2; i++) {
		b->partitions[0].index = UINT32_MAX;
		log_bench_open(b);
		assert_int_equal(b->partitions[0].index, UINT32_MAX);
		assert_int_equal(create_again(b, "orders", 'o'), KAFKA_KAFKA_STORAGE_ERROR);
		assert_int_equal(create_again(b, "orders", 'x'), KAFKA_KAFKA_STORAGE_ERROR);
		log_bench_run_ns(b, 11 * NS_PER_S);
		log_bench_sigkill(b);
	}
	uint8_t *after = file_bytes(b, SEGMENT, &after_len);

	assert_int_equal(after_len, before_len);
	assert_memory_equal(after, before, before_len);
	free(before);
	free(after);
}

/* Nobody knows whose log it is: no topic is made over it, and its proofs wait for it. */
static void
a_log_without_its_topic_id_is_left_alone_with_its_proofs(void **state)
{
	struct log_bench *b = *state;

	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2 * 4096 + 500, 3), 0);
	assert_int_equal(sim_flip_bit(b->disk, "orders-0/partition.metadata", 3, 0), 0);
	left_alone_nothing_is_lost(b);
	assert_int_equal(sim_flip_bit(b->disk, "orders-0/partition.metadata", 3, 0), 0);
	log_bench_open(b);
	assert_int_equal(b->reports[0].tail_repaired, 1);
	assert_int_equal(log_bench_status(b, 0).log_end_offset, 10);
	assert_true(log_bench_check(b, false));
}

static void
one_failed_read_of_the_topic_id_is_tried_again(void **state)
{
	struct log_bench *b = *state;
	struct io_fault_rule rule = {
		.op = IO_FAULT_PREAD, .nth = 1, .error = EIO, .path_contains = "partition.metadata"};

	assert_int_equal(sim_fault_arm(b->disk, &rule), 0);
	log_bench_open(b);
	assert_int_equal(log_bench_status(b, 0).log_end_offset, 10);
	log_bench_sigkill(b);
	rule.sticky = true;
	assert_int_equal(sim_fault_arm(b->disk, &rule), 0);
	left_alone_nothing_is_lost(b);
	sim_fault_clear(b->disk);
	log_bench_open(b);
	assert_int_equal(log_bench_status(b, 0).log_end_offset, 10);
	assert_true(log_bench_check(b, false));
}

/* A segment takes no name that a file with data has; its groups are durable all the same. */
static void
a_segment_is_not_named_over_a_file(void **state)
{
	static const char foreign[] = "orders-0/00000000000000000010.log";
	struct log_bench *b = *state;
	struct log_command command = {.kind = LOG_COMMAND_ROLL};

	log_bench_open(b);
	command.partition_index = b->partitions[0].index;
	assert_int_equal(log_bench_command(b, &command), 0);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	int fd = b->keeper_io->ops->open(b->keeper_io, foreign, IO_OPEN_CREATE);

	assert_true(fd >= 0);
	assert_int_equal(b->keeper_io->ops->pwrite(b->keeper_io, fd, "somebody's", 10, 0), 0);
	b->keeper_io->ops->close(b->keeper_io, fd);
	assert_true(log_bench_append(b, 0, 1, 1000));
	log_bench_drain(b);
	log_bench_run_ns(b, 3 * NS_PER_S);
	size_t len;
	uint8_t *bytes = file_bytes(b, foreign, &len);

	assert_int_equal(len, 10);
	assert_memory_equal(bytes, "somebody's", 10);
	free(bytes);
	assert_int_equal(log_bench_status(b, 0).durable_offset, 11);
	assert_int_equal(b->keeper_io->ops->unlink(b->keeper_io, foreign), 0);
	log_bench_run_ns(b, 3 * NS_PER_S);
	assert_true(log_bench_check(b, false));
	assert_true(log_bench_stop(b));
}

static void
remove_segment(struct log_bench *b, const char *base)
{
	static const char *const suffixes[] = {".log", ".seal", ".index", ".timeindex"};

	for (uint32_t i = 0; i < ARRAY_COUNT(suffixes); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "orders-0/%s%s", base, suffixes[i]);
		remove_file(b, path);
	}
}

static void
three_segments(struct log_bench *b)
{
	struct log_command command = {.kind = LOG_COMMAND_ROLL};

	log_bench_open(b);
	for (uint32_t i = 0; i < 2; i++) {
		command.partition_index = b->partitions[0].index;
		assert_int_equal(log_bench_command(b, &command), 0);
		assert_true(log_bench_append(b, 0, 1, 1000));
		log_bench_drain(b);
	}
}

/* Retention alone moves the start of a log, and tells it; what is missing is lost, and told. */
static void
a_log_without_its_first_segment_does_not_begin_later(void **state)
{
	struct log_bench *b = *state;

	three_segments(b);
	log_bench_run_ns(b, 11 * NS_PER_S); /* no guard entry names it any more */
	assert_true(log_bench_stop(b));
	remove_segment(b, "00000000000000000000");
	for (int i = 0; i < 3; i++) {
		log_bench_open(b);
		assert_true(b->reports[0].quarantined);
		assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_QUARANTINED);
		assert_int_equal(log_bench_status(b, 0).log_start_offset, 0);
		assert_int_equal(log_bench_status(b, 0).log_end_offset, 12);
		assert_int_equal(log_bench_read(b, 0, 0, 12, 4096).error, KAFKA_CORRUPT_MESSAGE);
		struct read_done done = log_bench_read(b, 0, 10, 11, 4096);

		assert_int_equal(done.error, 0);
		assert_int_equal(done.next_offset, 11);
		log_bench_release(b, 0, &done);
		if (i == 0) {
			log_bench_sigkill(b);
		} else {
			assert_true(log_bench_stop(b));
		}
	}
}

/* The same behind a crash before the first checkpoint of the directory: the guard tells the start. */
static void
the_guard_tells_the_start_of_a_log(void **state)
{
	struct log_bench *b = *state;

	three_segments(b);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	log_bench_sigkill(b);
	remove_segment(b, "00000000000000000000");
	log_bench_open(b);
	assert_true(b->reports[0].quarantined);
	assert_int_equal(log_bench_status(b, 0).log_start_offset, 0);
}

/* A clean stop tells the end. */
static void
a_log_without_its_last_segment_does_not_end_earlier(void **state)
{
	struct log_bench *b = *state;

	three_segments(b);
	assert_true(log_bench_stop(b));
	remove_segment(b, "00000000000000000011");
	for (int i = 0; i < 2; i++) {
		log_bench_open(b);
		assert_true(b->reports[0].quarantined);
		assert_int_equal(log_bench_status(b, 0).log_end_offset, 12);
		assert_int_equal(log_bench_read(b, 0, 11, 12, 4096).error, KAFKA_CORRUPT_MESSAGE);
		log_bench_sigkill(b);
	}
}

/* --- damage found later ------------------------------------------------------------------------ */

/*
 * Damage before the checkpoint that recovery trusts is found when the segment is to be sealed: it
 * stays unsealed and the partition is quarantined, then and after later starts. What comes before the
 * damage is served, and so is what follows the segment.
 */
static void
a_segment_damaged_at_its_seal_is_quarantined_for_good(void **state)
{
	struct log_bench *b = *state;
	struct log_command command = {.kind = LOG_COMMAND_ROLL};

	log_bench_open(b);
	assert_true(log_bench_append(b, 0, 1, 1000));
	log_bench_drain(b);
	log_bench_run_ns(b, 11 * NS_PER_S); /* a checkpoint */
	assert_true(log_bench_append(b, 0, 1, 1000));
	log_bench_drain(b);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	log_bench_sigkill(b);
	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2500, 3), 0);
	log_bench_open(b);
	assert_false(b->reports[0].quarantined);
	command.partition_index = b->partitions[0].index;
	b->keeper_sleeps = true;
	log_bench_run_ns(b, 20 * NS_PER_MS);
	b->keeper_sleeps = false;
	assert_int_equal(log_bench_command(b, &command), 0);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_QUARANTINED);
	assert_int_equal(log_bench_counter(b, SHARD_quarantines), 1);
	assert_true(log_bench_append(b, 0, 1, 1000));
	log_bench_drain(b);
	assert_int_equal(b->partitions[0].last_error, KAFKA_KAFKA_STORAGE_ERROR);
	struct read_done done = log_bench_read(b, 0, 0, 12, 4096);

	assert_int_equal(done.error, 0);
	assert_int_equal(done.next_offset, 2);
	log_bench_release(b, 0, &done);
	done = log_bench_read(b, 0, 2, 12, 4096);
	assert_int_equal(done.error, KAFKA_CORRUPT_MESSAGE);
	log_bench_run_ns(b, 11 * NS_PER_S); /* anchors without it */
	log_bench_sigkill(b);
	assert_true(file_is_there(b, "orders-0/quarantine.json"));
	open_twice_more(b);
	remove_file(b, "orders-0/quarantine.json");
	log_bench_open(b);
	assert_true(b->reports[0].quarantined);
	log_bench_sigkill(b);
	open_twice_more(b);
}

/*
 * Damage of a sealed segment is found by the first read that comes there: that is told, and later starts
 * still know it. What stands before and in the next segment is served.
 */
static void
damage_that_a_read_finds_is_known_to_later_starts(void **state)
{
	struct log_bench *b = *state;
	struct log_command command = {.kind = LOG_COMMAND_ROLL};

	log_bench_open(b);
	command.partition_index = b->partitions[0].index;
	assert_int_equal(log_bench_command(b, &command), 0);
	assert_true(log_bench_append(b, 0, 1, 1000));
	log_bench_drain(b);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	log_bench_sigkill(b);
	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2500, 3), 0);
	log_bench_open(b);
	assert_false(b->reports[0].quarantined);
	struct read_done done = log_bench_read(b, 0, 2, 11, 4096);

	assert_int_equal(done.error, KAFKA_CORRUPT_MESSAGE);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_QUARANTINED);
	assert_int_equal(log_bench_counter(b, SHARD_quarantines), 1);
	log_bench_sigkill(b);
	open_twice_more(b);
	log_bench_open(b);
	assert_int_equal(log_bench_status(b, 0).high_watermark, 11);
	done = log_bench_read(b, 0, 0, 11, 4096);
	assert_int_equal(done.error, 0);
	assert_int_equal(done.next_offset, 2);
	log_bench_release(b, 0, &done);
	assert_int_equal(log_bench_read(b, 0, 9, 11, 4096).error, KAFKA_CORRUPT_MESSAGE);
	done = log_bench_read(b, 0, 10, 11, 4096);
	assert_int_equal(done.error, 0);
	assert_int_equal(done.next_offset, 11);
	log_bench_release(b, 0, &done);
	log_bench_sigkill(b);
	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2500, 3), 0);
	repaired_it_serves_all(b, 11);
}

/* A full disk holds up the file, not the answer; a later read of the place writes it. */
static void
a_read_writes_the_quarantine_that_found_no_room(void **state)
{
	struct log_bench *b = *state;

	log_bench_open(b);
	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, 2500, 3), 0);
	assert_int_equal(sim_fault_arm(b->disk,
				 &(struct io_fault_rule){.op = IO_FAULT_PWRITE,
					 .nth = 1,
					 .error = ENOSPC,
					 .path_contains = "quarantine.json"}),
		0);
	assert_int_equal(log_bench_read(b, 0, 2, 10, 4096).error, KAFKA_CORRUPT_MESSAGE);
	assert_false(file_is_there(b, "orders-0/quarantine.json"));
	assert_int_equal(log_bench_read(b, 0, 3, 10, 4096).error, KAFKA_CORRUPT_MESSAGE);
	assert_true(file_is_there(b, "orders-0/quarantine.json"));
	log_bench_sigkill(b);
	open_twice_more(b);
}

/* A group in flight may have landed behind a hole that did not. */
static void
what_lies_behind_a_hole_is_zeroed_too(void **state)
{
	static const uint64_t far = 1600 << 10;
	struct log_bench *b = *state;
	struct log_bench_options o;

	log_bench_free(b);
	log_bench_options_init(&o, 1);
	o.spare_bytes = 4 << 20;
	o.group_max_bytes = 1 << 20;
	o.buffer_bytes = 4 << 20;
	log_bench_init(b, &o);
	log_bench_open(b);
	log_bench_create(b, "orders", 0, NULL);
	assert_true(log_bench_append(b, 0, 1, 1000));
	log_bench_drain(b);
	log_bench_run_ns(b, 20 * NS_PER_MS);
	log_bench_sigkill(b);
	assert_int_equal(sim_flip_bit(b->disk, SEGMENT, far, 3), 0);
	log_bench_open(b);
	log_bench_sigkill(b);
	size_t len;
	uint8_t *bytes = file_bytes(b, SEGMENT, &len);

	assert_true(len > far);
	assert_int_equal(bytes[far], 0);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, log_bench_tear_down)
		CASE(damage_below_the_durable_mark_is_quarantined_never_cut),
		CASE(damage_in_the_tail_block_is_repaired_from_the_guard),
		CASE(a_missing_active_segment_is_quarantined),
		CASE(a_quarantined_segment_is_as_it_was_after_later_starts),
		CASE(without_quarantine_json_it_is_quarantined_again),
		CASE(an_offline_partition_keeps_its_proofs),
		CASE(a_damaged_seal_keeps_the_proofs_of_the_active_segment),
		CASE(a_missing_guard_file_of_two_cuts_nothing),
		CASE(a_segment_without_a_name_outlives_the_damage_before_it),
		CASE(a_segment_without_a_name_outlives_an_offline_start),
		CASE(a_log_without_its_topic_id_is_left_alone_with_its_proofs),
		CASE(one_failed_read_of_the_topic_id_is_tried_again),
		CASE(a_segment_is_not_named_over_a_file),
		CASE(a_log_without_its_first_segment_does_not_begin_later),
		CASE(the_guard_tells_the_start_of_a_log),
		CASE(a_log_without_its_last_segment_does_not_end_earlier),
		CASE(a_segment_damaged_at_its_seal_is_quarantined_for_good),
		CASE(damage_that_a_read_finds_is_known_to_later_starts),
		CASE(a_read_writes_the_quarantine_that_found_no_room),
		CASE(what_lies_behind_a_hole_is_zeroed_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
