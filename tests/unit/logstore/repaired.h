/* SPDX-License-Identifier: Apache-2.0 */
/* A partition to be damaged and repaired, and what must be true of it afterwards. For the tests of repairs. */
#ifndef UNIT_LOGSTORE_REPAIRED_H
#define UNIT_LOGSTORE_REPAIRED_H

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
static inline struct log_bench *
three_segments_of(const struct log_topic_config *config)
{
	struct log_bench *b = log_bench_start(NULL);

	log_bench_create(b, "orders", 0, config);
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

static inline struct log_bench *
three_segments(void)
{
	return three_segments_of(NULL);
}

static inline int
set_up(void **state)
{
	*state = three_segments();
	return 0;
}

static inline uint64_t
inside(const struct log_bench *b, uint32_t batch_of_segment)
{
	return (uint64_t)b->partitions[0].batches[0].len * batch_of_segment + 500;
}

/* A start that finds it, as the next to come. */
static inline void
damage(struct log_bench *b, const char *path, uint32_t batch_of_segment)
{
	assert_int_equal(sim_flip_bit(b->disk, path, inside(b, batch_of_segment), 3), 0);
}

/* No start reads old sealed segments: a reader does. */
static inline void
read_into_quarantine(struct log_bench *b, int64_t from)
{
	struct read_done done = log_bench_read(b, 0, from, from + 1, 4096);

	assert_int_equal(done.error, KAFKA_CORRUPT_MESSAGE);
	assert_int_equal(log_bench_status(b, 0).state, LOG_PARTITION_QUARANTINED);
}

static inline struct log_repair
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

static inline bool
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
static inline int64_t
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
static inline void
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

static inline void
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
static inline void
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
static inline bool
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

static inline void
remove_file(struct log_bench *b, const char *path)
{
	struct io *io;

	assert_int_equal(sim_disk_view(b->disk, 0, &io), 0);
	assert_int_equal(io->ops->unlink(io, path), 0);
	assert_int_equal(io->ops->fsync_dir(io, "orders-0"), 0);
	io->ops->destroy(io);
}

#endif
