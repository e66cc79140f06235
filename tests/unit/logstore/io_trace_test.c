/* SPDX-License-Identifier: Apache-2.0 */
/* The trace of the I/O seam must complain of each order that it exists to find, and of no good one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/crc32c.h"
#include "logstore/io/io_trace.h"

#define BLOCK	    4096
#define GUARD_SLOT  1
#define DATA_SLOT   2
#define FLUSH_SLOT  3
#define PARTITION   5
#define ENTRY_AT    80 /* after the record header */

/* An io that does nothing; completions are what the test says. */
static struct io_completion completion;
static struct io dummy;
static struct io_trace *trace;
static uint32_t complaints;
static uint8_t data[BLOCK], record[BLOCK];
static const uint8_t topic[16] = {9};

static int
dummy_slot_set(struct io *io, uint32_t slot, int fd)
{
	return 0;
}

static int
dummy_write(struct io *io, const struct io_write *write)
{
	return 0;
}

static int
dummy_flush(struct io *io, uint32_t slot, uint64_t token)
{
	return 0;
}

static uint32_t
dummy_reap(struct io *io, struct io_completion *ret, uint32_t max)
{
	*ret = completion;
	return 1;
}

static void
dummy_destroy(struct io *io)
{
}

static const struct io_ops dummy_ops = {
	.name = "dummy",
	.slot_set = dummy_slot_set,
	.write = dummy_write,
	.flush = dummy_flush,
	.reap = dummy_reap,
	.destroy = dummy_destroy,
};

static void
complain(void *user_data, const char *text)
{
	printf("complaint: %s\n", text);
	complaints++;
}

static int
set_up(void **state)
{
	dummy.ops = &dummy_ops;
	complaints = 0;
	memset(data, 0x5a, sizeof(data));
	assert_int_equal(io_trace_attach(&dummy, complain, NULL, &trace), 0);
	for (uint32_t slot = GUARD_SLOT; slot <= FLUSH_SLOT; slot++) {
		assert_int_equal(dummy.ops->slot_set(&dummy, slot, (int)slot), 0);
	}
	return 0;
}

static int
tear_down(void **state)
{
	dummy.ops->destroy(&dummy);
	assert_ptr_equal(dummy.ops, &dummy_ops);
	return 0;
}

static void
write_data(uint32_t flags)
{
	assert_int_equal(dummy.ops->write(&dummy,
		&(struct io_write){.slot = DATA_SLOT, .buffer = data, .len = BLOCK, .flags = flags,
			.token = DATA_SLOT}), 0);
}

/* A group's record: bytes 0 to 100, offsets 0 to 9. */
static void
write_record(uint64_t seq, uint64_t acknowledged, uint32_t flags)
{
	uint8_t *entry = record + ENTRY_AT, identity[32] = {0};

	memset(record, 0, sizeof(record));
	memcpy(record, "PSGUARD1", 8);
	store_le32(record + 12, 200);
	record[34] = 1;
	store_le32(record + 36, 1);
	store_le64(record + 48, seq);
	store_le64(record + 56, acknowledged);
	memcpy(entry, topic, 16);
	store_le32(entry + 16, PARTITION);
	store_le32(entry + 44, 100);
	store_le64(entry + 56, 10);
	memcpy(identity, entry, 20);
	store_le32(entry + 64, crc32c_update(crc32c_update(0, identity, 32), data, 100));
	assert_int_equal(
		dummy.ops->write(&dummy,
			&(struct io_write){.slot = GUARD_SLOT, .buffer = record, .len = BLOCK, .flags = flags,
				.token = GUARD_SLOT}), 0);
}

static void
flush(uint32_t slot)
{
	assert_int_equal(dummy.ops->flush(&dummy, slot, FLUSH_SLOT), 0);
}

static void
complete(uint64_t token, int32_t result)
{
	struct io_completion ret;

	completion = (struct io_completion){.token = token, .result = result};
	assert_int_equal(dummy.ops->reap(&dummy, &ret, 1), 1);
}

static void
note(int64_t offset)
{
	io_trace_note(trace, topic, PARTITION, offset);
}

static void
the_right_order_is_no_complaint(void **state)
{
	struct io_trace_counts counts;

	write_data(0);
	write_record(1, 0, 0);
	complete(DATA_SLOT, BLOCK);
	complete(GUARD_SLOT, BLOCK);
	flush(FLUSH_SLOT);
	complete(FLUSH_SLOT, 0);
	note(9);
	assert_int_equal(complaints, 0);
	io_trace_counts(trace, &counts);
	assert_int_equal(counts.proven, 1);
	assert_int_equal(counts.notes, 1);
	assert_int_equal(counts.judged, 1);
}

static void
dsync_writes_need_no_flush(void **state)
{
	write_data(IO_WRITE_DSYNC);
	write_record(1, 0, IO_WRITE_DSYNC);
	complete(DATA_SLOT, BLOCK);
	note(9);
	assert_int_equal(complaints, 1);
	complete(GUARD_SLOT, BLOCK);
	note(9);
	assert_int_equal(complaints, 1);
}

static void
a_note_before_the_flush_completed_is_one(void **state)
{
	write_data(0);
	write_record(1, 0, 0);
	complete(DATA_SLOT, BLOCK);
	complete(GUARD_SLOT, BLOCK);
	note(9);
	assert_int_equal(complaints, 1);
	flush(FLUSH_SLOT);
	note(0);
	assert_int_equal(complaints, 2);
	complete(FLUSH_SLOT, 0);
	note(9);
	assert_int_equal(complaints, 2);
	note(10);
	assert_int_equal(complaints, 3);
}

static void
a_flush_covers_only_what_had_completed_before_it(void **state)
{
	write_data(0);
	write_record(1, 0, 0);
	complete(DATA_SLOT, BLOCK);
	flush(FLUSH_SLOT);
	complete(GUARD_SLOT, BLOCK);
	complete(FLUSH_SLOT, 0);
	note(9);
	assert_int_equal(complaints, 1);
}

static void
a_flush_of_one_file_covers_that_file(void **state)
{
	write_data(0);
	write_record(1, 0, 0);
	complete(DATA_SLOT, BLOCK);
	complete(GUARD_SLOT, BLOCK);
	flush(GUARD_SLOT);
	complete(FLUSH_SLOT, 0);
	note(9);
	assert_int_equal(complaints, 1);
	flush(DATA_SLOT);
	complete(FLUSH_SLOT, 0);
	note(9);
	assert_int_equal(complaints, 1);
}

static void
a_failed_flush_covers_nothing_ever(void **state)
{
	write_data(0);
	write_record(1, 0, 0);
	complete(DATA_SLOT, BLOCK);
	complete(GUARD_SLOT, BLOCK);
	flush(FLUSH_SLOT);
	complete(FLUSH_SLOT, -EIO);
	flush(FLUSH_SLOT);
	complete(FLUSH_SLOT, 0);
	note(9);
	assert_int_equal(complaints, 1);
}

static void
a_short_write_is_never_durable(void **state)
{
	write_data(0);
	write_record(1, 0, 0);
	complete(DATA_SLOT, 512);
	complete(GUARD_SLOT, BLOCK);
	flush(FLUSH_SLOT);
	complete(FLUSH_SLOT, 0);
	note(9);
	assert_int_equal(complaints, 1);
}

static void
a_write_that_is_tried_again_counts_once(void **state)
{
	write_data(0);
	write_record(1, 0, 0);
	complete(DATA_SLOT, -EAGAIN);
	complete(GUARD_SLOT, BLOCK);
	flush(FLUSH_SLOT);
	complete(FLUSH_SLOT, 0);
	note(9);
	assert_int_equal(complaints, 1);
	write_data(0);
	complete(DATA_SLOT, BLOCK);
	flush(FLUSH_SLOT);
	complete(FLUSH_SLOT, 0);
	note(9);
	assert_int_equal(complaints, 1);
}

static void
a_record_that_runs_ahead_of_its_flush_is_one(void **state)
{
	write_data(0);
	write_record(1, 0, 0);
	complete(DATA_SLOT, BLOCK);
	complete(GUARD_SLOT, BLOCK);
	write_data(0);
	write_record(2, 1, 0);
	assert_int_equal(complaints, 1);
}

static void
a_record_of_bytes_nobody_wrote_is_one(void **state)
{
	write_record(1, 0, 0);
	assert_int_equal(complaints, 1);
	write_data(0);
	data[50] ^= 1;
	write_record(2, 0, 0);
	assert_int_equal(complaints, 1);
	write_data(0);
	write_record(3, 0, 0);
	record[ENTRY_AT + 64] ^= 1;
	write_data(0);
	assert_int_equal(dummy.ops->write(&dummy,
		&(struct io_write){.slot = GUARD_SLOT, .buffer = record, .position = BLOCK, .len = BLOCK,
			.token = GUARD_SLOT}), 0);
	assert_int_equal(complaints, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(the_right_order_is_no_complaint),
		CASE(dsync_writes_need_no_flush),
		CASE(a_note_before_the_flush_completed_is_one),
		CASE(a_flush_covers_only_what_had_completed_before_it),
		CASE(a_flush_of_one_file_covers_that_file),
		CASE(a_failed_flush_covers_nothing_ever),
		CASE(a_short_write_is_never_durable),
		CASE(a_write_that_is_tried_again_counts_once),
		CASE(a_record_that_runs_ahead_of_its_flush_is_one),
		CASE(a_record_of_bytes_nobody_wrote_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
