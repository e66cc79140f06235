/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated disk: what survives what, that its own checks bite, and that a seed replays. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/rand.h"
#include "logstore/io/io_sim.h"
#include "support/clock_fake.h"

#define B	    4096
#define POOL_BLOCKS 64
#define FILE_BLOCKS 64

struct fixture {
	struct clock_fake clock;
	struct sim_disk *sim;
	struct io *io;
	uint8_t *pool;
	char violation[256];
	uint32_t violations;
};

static void
note_violation(void *user_data, const char *text)
{
	struct fixture *f = user_data;

	f->violations++;
	snprintf(f->violation, sizeof(f->violation), "%s", text);
}

static void
open_view(struct fixture *f)
{
	assert_int_equal(sim_disk_view(f->sim, 8, &f->io), 0);
	assert_int_equal(f->io->ops->register_buffers(f->io, f->pool, POOL_BLOCKS * B), 0);
	assert_int_equal(f->io->ops->enable(f->io), 0);
}

static void
make_disk(struct fixture *f, uint64_t seed, bool device_scope)
{
	struct sim_options options;

	sim_options_init(&options, seed, &f->clock.clock);
	options.flush_covers_device = device_scope;
	options.violation = note_violation;
	options.violation_user_data = f;
	assert_int_equal(sim_disk_create(&options, &f->sim), 0);
	open_view(f);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	clock_fake_init(&f->clock, 1000, 0);
	f->pool = aligned_alloc(B, POOL_BLOCKS * B);
	memset(f->pool, 0, POOL_BLOCKS * B);
	make_disk(f, 1, true);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	f->io->ops->destroy(f->io);
	sim_disk_destroy(f->sim);
	free(f->pool);
	free(f);
	return 0;
}

static void
another_disk(struct fixture *f, uint64_t seed, bool device_scope)
{
	f->io->ops->destroy(f->io);
	sim_disk_destroy(f->sim);
	make_disk(f, seed, device_scope);
}

static int
prepare(struct fixture *f, const char *path, uint32_t slot)
{
	const struct io_ops *ops = f->io->ops;
	int fd = ops->open(f->io, path, IO_OPEN_CREATE | IO_OPEN_DIRECT | IO_OPEN_LOCK);

	assert_true(fd >= 0);
	assert_int_equal(ops->allocate(f->io, fd, FILE_BLOCKS * B), 0);
	assert_int_equal(ops->zero(f->io, fd, 0, FILE_BLOCKS * B), 0);
	assert_int_equal(ops->fsync(f->io, fd), 0);
	assert_int_equal(ops->fsync_dir(f->io, "."), 0);
	assert_int_equal(ops->slot_set(f->io, slot, fd), 0);
	return fd;
}

/* Moves time to each next completion until n came. */
static void
wait_for(struct fixture *f, struct io_completion *done, uint32_t n)
{
	uint32_t got = 0;

	assert_int_equal(f->io->ops->submit(f->io), 0);
	while (got < n) {
		uint64_t next = sim_disk_next_ns(f->sim);

		assert_true(next != UINT64_MAX);
		if (next > f->clock.now_ns) {
			clock_fake_advance(&f->clock, next - f->clock.now_ns);
		}
		got += f->io->ops->reap(f->io, done + got, n - got);
	}
}

static void
queue_fill(struct fixture *f, uint32_t slot, uint32_t block, char fill)
{
	uint8_t *buffer = f->pool + (block % POOL_BLOCKS) * B;

	memset(buffer, fill, B);
	assert_int_equal(f->io->ops->write(f->io,
		&(struct io_write){.slot = slot, .buffer = buffer, .position = (uint64_t)block * B, .len = B,
			.token = block}), 0);
}

static int32_t
write_fill(struct fixture *f, uint32_t slot, uint32_t block, char fill)
{
	struct io_completion done;

	queue_fill(f, slot, block, fill);
	wait_for(f, &done, 1);
	return done.result;
}

static int32_t
flush(struct fixture *f, uint32_t slot)
{
	struct io_completion done;

	assert_int_equal(f->io->ops->flush(f->io, slot, 999), 0);
	wait_for(f, &done, 1);
	return done.result;
}

static void
crash(struct fixture *f, enum sim_crash_mode mode, uint64_t seed, struct sim_crash_report *report)
{
	struct sim_crash_options options = {.mode = mode, .seed = seed};

	sim_crash(f->sim, &options, report);
	f->io->ops->destroy(f->io);
	open_view(f);
}

/* First byte of a block as a fresh process reads it, -EIO included. */
static int
first_byte(struct fixture *f, const char *path, uint32_t block)
{
	uint8_t *buffer = aligned_alloc(B, B);
	int fd = f->io->ops->open(f->io, path, IO_OPEN_READ_ONLY);
	int rc = fd < 0 ? fd : f->io->ops->pread(f->io, fd, buffer, B, (uint64_t)block * B);
	int byte = buffer[0];

	if (fd >= 0) {
		f->io->ops->close(f->io, fd);
	}
	free(buffer);
	return rc < 0 ? rc : byte;
}

static void
a_write_is_readable_at_once_but_durable_only_after_a_flush(void **state)
{
	struct fixture *f = *state;

	prepare(f, "data", 0);
	assert_true(sim_covered(f->sim, "data", 0, FILE_BLOCKS * B));
	assert_int_equal(write_fill(f, 0, 3, 'x'), B);
	assert_int_equal(first_byte(f, "data", 3), 'x');
	assert_false(sim_covered(f->sim, "data", 3 * B, 1));
	assert_true(sim_covered(f->sim, "data", 4 * B, B));
	assert_true(sim_at_risk(f->sim, "data", 3 * B, 1));
	assert_int_equal(flush(f, 0), 0);
	assert_true(sim_covered(f->sim, "data", 3 * B, B));
	assert_false(sim_at_risk(f->sim, "data", 3 * B, 1));
	crash(f, SIM_CRASH_LOSE_ALL, 1, NULL);
	assert_int_equal(first_byte(f, "data", 3), 'x');
	assert_int_equal(f->violations, 0);
}

static void
a_flush_covers_only_writes_completed_before_it_was_sent(void **state)
{
	struct fixture *f = *state;
	struct io_completion done[2];

	prepare(f, "data", 0);
	sim_set_flush_delay(f->sim, 200 * NS_PER_MS);
	assert_int_equal(write_fill(f, 0, 1, 'a'), B);
	assert_int_equal(f->io->ops->flush(f->io, 0, 999), 0);
	queue_fill(f, 0, 2, 'b');
	wait_for(f, done, 2);
	assert_int_equal(done[0].token, 2);
	assert_int_equal(done[1].token, 999);
	assert_true(sim_covered(f->sim, "data", B, B));
	assert_false(sim_covered(f->sim, "data", 2 * B, B));
}

static void
a_dsync_write_is_durable_when_it_completes(void **state)
{
	struct fixture *f = *state;
	struct io_completion done;

	prepare(f, "data", 0);
	assert_int_equal(f->io->ops->write(f->io,
		&(struct io_write){.buffer = f->pool, .len = B, .flags = IO_WRITE_DSYNC, .token = 1}), 0);
	memset(f->pool, 'd', B);
	wait_for(f, &done, 1);
	assert_true(sim_covered(f->sim, "data", 0, B));
}

static void
the_scope_of_a_flush_is_the_device_or_the_file(void **state)
{
	struct fixture *f = *state;
	int scope;

	for (scope = 0; scope < 2; scope++) {
		another_disk(f, 5, scope == 1);
		prepare(f, "a", 0);
		prepare(f, "clean", 1);
		assert_int_equal(write_fill(f, 0, 0, 'x'), B);
		assert_int_equal(flush(f, 1), 0);
		assert_int_equal(sim_covered(f->sim, "a", 0, B), scope == 1);
	}
}

static void
an_unconverted_extent_needs_a_sync_of_its_own_file(void **state)
{
	struct fixture *f = *state;
	int fd = f->io->ops->open(f->io, "raw", IO_OPEN_CREATE | IO_OPEN_DIRECT);

	assert_int_equal(f->io->ops->allocate(f->io, fd, 8 * B), 0);
	assert_int_equal(f->io->ops->fsync(f->io, fd), 0);
	assert_int_equal(f->io->ops->fsync_dir(f->io, "."), 0);
	assert_int_equal(f->io->ops->slot_set(f->io, 0, fd), 0);
	prepare(f, "clean", 1);
	assert_int_equal(write_fill(f, 0, 0, 'x'), B);
	assert_int_equal(flush(f, 1), 0);
	assert_false(sim_covered(f->sim, "raw", 0, B));
	assert_int_equal(flush(f, 0), 0);
	assert_true(sim_covered(f->sim, "raw", 0, B));
}

static void
buffered_writes_are_covered_by_a_sync_of_their_file_only(void **state)
{
	struct fixture *f = *state;
	const struct io_ops *ops = f->io->ops;
	int fd = ops->open(f->io, "index", IO_OPEN_CREATE);
	int other = prepare(f, "clean", 1);

	assert_int_equal(ops->pwrite(f->io, fd, "entries!", 8, 0), 0);
	assert_int_equal(ops->fsync(f->io, other), 0);
	assert_false(sim_covered(f->sim, "index", 0, 8));
	assert_int_equal(ops->fdatasync(f->io, fd), 0);
	assert_true(sim_covered(f->sim, "index", 0, 8));
	assert_int_equal(ops->pwrite(f->io, fd, "more", 4, 8), 0);
	crash(f, SIM_CRASH_LOSE_ALL, 1, NULL);
	{
		struct io_stat st;

		assert_int_equal(f->io->ops->stat(f->io, "index", &st), 0);
		assert_int_equal(st.size_bytes, 8);
	}
}

static void
names_are_durable_after_a_directory_sync(void **state)
{
	struct fixture *f = *state;
	const struct io_ops *ops = f->io->ops;
	struct io_stat st;
	int fd;

	assert_int_equal(ops->make_dir(f->io, "t-0"), 0);
	assert_int_equal(ops->fsync_dir(f->io, "."), 0);
	fd = prepare(f, "penstock-1.prep", 0);
	assert_int_equal(ops->rename(f->io, "penstock-1.prep", "t-0/0.log"), 0);
	assert_true(sim_covered(f->sim, "t-0/0.log", 0, B)); /* by its old name */
	ops->close(f->io, fd);
	crash(f, SIM_CRASH_LOSE_ALL, 1, NULL);
	ops = f->io->ops;
	assert_int_equal(ops->stat(f->io, "t-0/0.log", &st), -ENOENT);
	assert_int_equal(ops->stat(f->io, "penstock-1.prep", &st), 0);
	assert_int_equal(ops->rename(f->io, "penstock-1.prep", "t-0/0.log"), 0);
	assert_int_equal(ops->fsync_dir(f->io, "t-0"), 0);
	crash(f, SIM_CRASH_LOSE_ALL, 1, NULL);
	assert_int_equal(f->io->ops->stat(f->io, "t-0/0.log", &st), 0);
	assert_int_equal(f->io->ops->stat(f->io, "penstock-1.prep", &st), -ENOENT);
}

static void
a_file_in_a_directory_whose_own_name_is_not_synced_is_lost(void **state)
{
	struct fixture *f = *state;
	const struct io_ops *ops = f->io->ops;
	struct io_stat st;
	int fd;

	assert_int_equal(ops->make_dir(f->io, "t-0"), 0);
	fd = ops->open(f->io, "t-0/file", IO_OPEN_CREATE);
	assert_int_equal(ops->pwrite(f->io, fd, "x", 1, 0), 0);
	assert_int_equal(ops->fsync(f->io, fd), 0);
	assert_int_equal(ops->fsync_dir(f->io, "t-0"), 0);
	assert_false(sim_covered(f->sim, "t-0/file", 0, 1));
	crash(f, SIM_CRASH_LOSE_ALL, 1, NULL);
	assert_int_equal(f->io->ops->stat(f->io, "t-0", &st), -ENOENT);
}

static void
an_unlinked_file_may_come_back(void **state)
{
	struct fixture *f = *state;
	int fd = prepare(f, "data", 0);

	assert_int_equal(write_fill(f, 0, 0, 'x'), B);
	assert_int_equal(flush(f, 0), 0);
	f->io->ops->slot_set(f->io, 0, -1);
	f->io->ops->close(f->io, fd);
	assert_int_equal(f->io->ops->unlink(f->io, "data"), 0);
	assert_int_equal(first_byte(f, "data", 0), -ENOENT);
	crash(f, SIM_CRASH_LOSE_ALL, 1, NULL);
	assert_int_equal(first_byte(f, "data", 0), 'x');
	assert_int_equal(f->io->ops->unlink(f->io, "data"), 0);
	assert_int_equal(f->io->ops->fsync_dir(f->io, "."), 0);
	crash(f, SIM_CRASH_LOSE_ALL, 1, NULL);
	assert_int_equal(first_byte(f, "data", 0), -ENOENT);
}

static void
a_crash_tears_only_blocks_at_risk_in_every_way(void **state)
{
	struct fixture *f = *state;
	struct sim_crash_report sum = {0};
	uint64_t seed;

	for (seed = 1; seed <= 300; seed++) {
		struct sim_crash_report report;

		another_disk(f, seed, true);
		prepare(f, "data", 0);
		assert_int_equal(write_fill(f, 0, 1, 'o'), B);
		assert_int_equal(write_fill(f, 0, 2, 'o'), B);
		assert_int_equal(flush(f, 0), 0);
		assert_int_equal(write_fill(f, 0, 2, 'n'), B);
		queue_fill(f, 0, 3, 'i');
		assert_int_equal(f->io->ops->submit(f->io), 0);
		crash(f, SIM_CRASH_ANY, seed, &report);
		assert_int_equal(report.writes_in_flight, 1);
		assert_int_equal(report.blocks_at_risk, 2);
		assert_int_equal(first_byte(f, "data", 1), 'o');
		assert_int_equal(first_byte(f, "data", 4), 0);
		sum.blocks_old += report.blocks_old;
		sum.blocks_new += report.blocks_new;
		sum.blocks_mixed += report.blocks_mixed;
		sum.blocks_zero += report.blocks_zero;
		sum.blocks_garbage += report.blocks_garbage;
		sum.blocks_eio += report.blocks_eio;
	}
	assert_true(sum.blocks_old > 30);
	assert_true(sum.blocks_new > 30);
	assert_true(sum.blocks_mixed > 30);
	assert_true(sum.blocks_zero > 10);
	assert_true(sum.blocks_garbage > 10);
	assert_true(sum.blocks_eio > 10);
	assert_int_equal(f->violations, 0);
}

static struct sim_block_choice
choose_mask(void *user_data, const char *path, uint64_t block, uint32_t versions)
{
	assert_string_equal(path, "data");
	assert_int_equal(block, 2);
	assert_int_equal(versions, 2);
	return (struct sim_block_choice){
		.fate = SIM_BLOCK_SECTORS, .version = 1, .mask = *(uint8_t *)user_data};
}

static void
every_sector_mix_of_one_block_can_be_enumerated_from_one_instant(void **state)
{
	struct fixture *f = *state;
	uint32_t mask;

	prepare(f, "data", 0);
	assert_int_equal(write_fill(f, 0, 2, 'o'), B);
	assert_int_equal(flush(f, 0), 0);
	queue_fill(f, 0, 2, 'n');
	assert_int_equal(f->io->ops->submit(f->io), 0);
	for (mask = 0; mask < 256; mask++) {
		uint8_t m = (uint8_t)mask;
		struct sim_crash_options options = {
			.mode = SIM_CRASH_CHOOSE, .choose = choose_mask, .user_data = &m};
		struct sim_disk *copy;
		uint8_t bytes[B];
		uint32_t i;

		assert_int_equal(sim_crash_copy(f->sim, &options, &copy, NULL), 0);
		assert_int_equal(sim_durable_read(copy, "data", 2 * B, bytes, B), B);
		for (i = 0; i < B; i++) {
			assert_int_equal(bytes[i], mask & (1u << (i / 512)) ? 'n' : 'o');
		}
		sim_disk_destroy(copy);
	}
	/* The original goes on untouched. */
	{
		struct io_completion done;

		wait_for(f, &done, 1);
		assert_int_equal(done.result, B);
	}
}

static void
an_unreadable_block_is_readable_again_once_written(void **state)
{
	struct fixture *f = *state;

	prepare(f, "data", 0);
	assert_int_equal(sim_break_block(f->sim, "data", 5 * B + 7), 0);
	assert_int_equal(first_byte(f, "data", 5), -EIO);
	assert_false(sim_covered(f->sim, "data", 5 * B, 1));
	assert_int_equal(write_fill(f, 0, 5, 'r'), B);
	assert_int_equal(first_byte(f, "data", 5), 'r');
	assert_int_equal(sim_flip_bit(f->sim, "data", 5 * B, 0), 0);
	assert_int_equal(first_byte(f, "data", 5), 'r' ^ 1);
	assert_int_equal(sim_flip_bit(f->sim, "data", FILE_BLOCKS * B, 0), -ERANGE);
	assert_int_equal(sim_flip_bit(f->sim, "nope", 0, 0), -ENOENT);
}

static void
after_sigkill_writes_still_land_and_hold_the_lock(void **state)
{
	struct fixture *f = *state;
	struct io *dead;
	struct io_completion done;

	prepare(f, "data", 0);
	queue_fill(f, 0, 7, 'k');
	assert_int_equal(f->io->ops->submit(f->io), 0);
	sim_sigkill(f->sim);
	dead = f->io;
	assert_int_equal(dead->ops->write(dead,
		&(struct io_write){.buffer = f->pool, .len = B, .token = 1}), -ESHUTDOWN);
	assert_int_equal(dead->ops->submit(dead), -ESHUTDOWN);
	assert_int_equal(dead->ops->reap(dead, &done, 1), 0);
	assert_int_equal(dead->ops->unlink(dead, "data"), -ESHUTDOWN);
	dead->ops->destroy(dead);
	memset(f->pool, 0, POOL_BLOCKS * B); /* the killed process' memory is gone */
	open_view(f);
	assert_int_equal(f->io->ops->open(f->io, "data", IO_OPEN_DIRECT | IO_OPEN_LOCK),
		-EWOULDBLOCK);
	clock_fake_advance(&f->clock, NS_PER_MS);
	assert_true(f->io->ops->open(f->io, "data", IO_OPEN_DIRECT | IO_OPEN_LOCK) >= 0);
	assert_int_equal(first_byte(f, "data", 7), 'k');
	assert_int_equal(f->violations, 0);
}

static void
its_own_checks_bite(void **state)
{
	struct fixture *f = *state;
	struct io_completion done[4];
	int fd;

	prepare(f, "data", 0);
	queue_fill(f, 0, 1, 'a');
	queue_fill(f, 0, 1, 'a');
	wait_for(f, done, 2);
	assert_int_equal(f->violations, 1);
	assert_non_null(strstr(f->violation, "overlapping"));
	queue_fill(f, 0, 1, 'a');
	assert_int_equal(f->io->ops->submit(f->io), 0);
	f->pool[B] ^= 1;
	wait_for(f, done, 1);
	assert_int_equal(f->violations, 2);
	assert_non_null(strstr(f->violation, "buffer changed"));
	queue_fill(f, 0, FILE_BLOCKS, 'a');
	wait_for(f, done, 1);
	assert_non_null(strstr(f->violation, "outside prepared extents"));
	assert_int_equal(f->violations, 4); /* beyond the size, too */
	assert_int_equal(f->io->ops->write(f->io,
		&(struct io_write){.buffer = f->pool, .position = 512, .len = B, .token = 1}), 0);
	wait_for(f, done, 1);
	assert_int_equal(f->violations, 5);
	assert_non_null(strstr(f->violation, "unaligned"));
	assert_int_equal(f->io->ops->write(f->io,
		&(struct io_write){.buffer = f->pool + POOL_BLOCKS * B, .len = B, .token = 1}), 0);
	/* Not submitted: those bytes are not ours to read. */
	f->io->ops->destroy(f->io);
	open_view(f);
	fd = f->io->ops->open(f->io, "hole", IO_OPEN_CREATE | IO_OPEN_DIRECT);
	assert_int_equal(f->io->ops->truncate(f->io, fd, 4 * B), 0);
	assert_int_equal(f->io->ops->slot_set(f->io, 0, fd), 0);
	queue_fill(f, 0, 0, 'a');
	wait_for(f, done, 1);
	assert_int_equal(f->violations, 6);
	assert_non_null(strstr(f->violation, "extents"));
}

static void
a_failed_flush_cannot_be_made_good_by_another(void **state)
{
	struct fixture *f = *state;
	struct io_fault_rule rule = {
		.op = IO_FAULT_FLUSH, .kind = IO_FAULT_ERROR, .nth = 1, .error = EIO};

	prepare(f, "data", 0);
	assert_int_equal(write_fill(f, 0, 0, 'x'), B);
	assert_int_equal(sim_fault_arm(f->sim, &rule), 0);
	assert_int_equal(flush(f, 0), -EIO);
	assert_int_equal(flush(f, 0), 0);
	assert_false(sim_covered(f->sim, "data", 0, B));
	assert_int_equal(sim_fault_count(f->sim), 1);
}

static void
faults_hit_the_nth_operation_of_the_named_file(void **state)
{
	struct fixture *f = *state;
	struct io_fault_rule rule = {.op = IO_FAULT_WRITE, .kind = IO_FAULT_ERROR, .nth = 2,
		.error = ENOSPC, .path_contains = "guard"};
	struct io_fault_rule open_rule = {
		.op = IO_FAULT_OPEN, .kind = IO_FAULT_ERROR, .nth = 1, .error = EMFILE};

	prepare(f, "data", 0);
	prepare(f, "penstock-guard-0", 1);
	assert_int_equal(sim_fault_arm(f->sim, &rule), 0);
	assert_int_equal(write_fill(f, 1, 0, 'g'), B);
	assert_int_equal(write_fill(f, 0, 0, 'd'), B);
	assert_int_equal(write_fill(f, 0, 1, 'd'), B);
	assert_int_equal(write_fill(f, 1, 1, 'g'), -ENOSPC);
	assert_int_equal(first_byte(f, "penstock-guard-0", 1), 0);
	assert_int_equal(write_fill(f, 1, 1, 'g'), B);
	rule = (struct io_fault_rule){
		.op = IO_FAULT_WRITE, .kind = IO_FAULT_SHORT, .nth = 1, .bytes = 512};
	assert_int_equal(sim_fault_arm(f->sim, &rule), 0);
	assert_int_equal(write_fill(f, 0, 2, 's'), 512);
	rule.kind = IO_FAULT_LOST;
	assert_int_equal(sim_fault_arm(f->sim, &rule), 0);
	assert_int_equal(write_fill(f, 0, 3, 'l'), B);
	assert_int_equal(first_byte(f, "data", 3), 0);
	rule.kind = IO_FAULT_MISDIRECT;
	rule.bytes = 2 * B;
	assert_int_equal(sim_fault_arm(f->sim, &rule), 0);
	assert_int_equal(write_fill(f, 0, 4, 'm'), B);
	assert_int_equal(first_byte(f, "data", 4), 0);
	assert_int_equal(first_byte(f, "data", 6), 'm');
	assert_int_equal(sim_fault_arm(f->sim, &open_rule), 0);
	assert_int_equal(f->io->ops->open(f->io, "data", 0), -EMFILE);
	assert_true(f->io->ops->open(f->io, "data", 0) >= 0);
	assert_true(sim_op_count(f->sim, IO_FAULT_OPEN) >= 4);
}

static void
a_full_disk_refuses_allocation_and_frees_what_is_unlinked(void **state)
{
	struct fixture *f = *state;
	const struct io_ops *ops = f->io->ops;
	struct io_space space;
	int fd = ops->open(f->io, "big", IO_OPEN_CREATE);

	sim_set_capacity(f->sim, 8 * B);
	assert_int_equal(ops->allocate(f->io, fd, 9 * B), -ENOSPC);
	assert_int_equal(ops->allocate(f->io, fd, 8 * B), 0);
	assert_int_equal(ops->space(f->io, &space), 0);
	assert_int_equal(space.free_bytes, 0);
	ops->close(f->io, fd);
	assert_int_equal(ops->fsync_dir(f->io, "."), 0);
	assert_int_equal(ops->unlink(f->io, "big"), 0);
	assert_int_equal(ops->fsync_dir(f->io, "."), 0);
	assert_int_equal(ops->space(f->io, &space), 0);
	assert_int_equal(space.free_bytes, 8 * B);
}

/* Order of completions of 20 writes and the trace's length. */
static void
run_seed(struct fixture *f, uint64_t seed, uint64_t order[20])
{
	struct io_completion done[20];
	uint32_t i;

	another_disk(f, seed, true);
	prepare(f, "data", 0);
	for (i = 0; i < 20; i++) {
		queue_fill(f, 0, i, 'x');
	}
	wait_for(f, done, 20);
	for (i = 0; i < 20; i++) {
		order[i] = done[i].token;
	}
}

static void
one_seed_gives_one_order_and_another_seed_another(void **state)
{
	struct fixture *f = *state;
	uint64_t a[20];
	uint64_t b[20];
	uint64_t c[20];
	uint32_t in_order = 0;
	uint32_t i;

	run_seed(f, 7, a);
	run_seed(f, 7, b);
	run_seed(f, 8, c);
	assert_memory_equal(a, b, sizeof(a));
	assert_memory_not_equal(a, c, sizeof(a));
	for (i = 0; i < 20; i++) {
		in_order += a[i] == i;
	}
	assert_true(in_order < 20);
}

static void
the_trace_tells_submit_and_completion(void **state)
{
	struct fixture *f = *state;
	const struct sim_event *event;
	uint64_t count;

	prepare(f, "data", 0);
	assert_int_equal(write_fill(f, 0, 3, 'x'), B);
	count = sim_trace_count(f->sim);
	event = sim_trace_get(f->sim, count - 2);
	assert_int_equal(event->kind, SIM_EVENT_SUBMIT);
	assert_int_equal(event->op, IO_FAULT_WRITE);
	assert_int_equal(event->position, 3 * B);
	assert_string_equal(event->path, "data");
	event = sim_trace_get(f->sim, count - 1);
	assert_int_equal(event->kind, SIM_EVENT_COMPLETE);
	assert_int_equal(event->result, B);
	assert_int_equal(event->token, 3);
	assert_null(sim_trace_get(f->sim, count));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_write_is_readable_at_once_but_durable_only_after_a_flush),
		CASE(a_flush_covers_only_writes_completed_before_it_was_sent),
		CASE(a_dsync_write_is_durable_when_it_completes),
		CASE(the_scope_of_a_flush_is_the_device_or_the_file),
		CASE(an_unconverted_extent_needs_a_sync_of_its_own_file),
		CASE(buffered_writes_are_covered_by_a_sync_of_their_file_only),
		CASE(names_are_durable_after_a_directory_sync),
		CASE(a_file_in_a_directory_whose_own_name_is_not_synced_is_lost),
		CASE(an_unlinked_file_may_come_back),
		CASE(a_crash_tears_only_blocks_at_risk_in_every_way),
		CASE(every_sector_mix_of_one_block_can_be_enumerated_from_one_instant),
		CASE(an_unreadable_block_is_readable_again_once_written),
		CASE(after_sigkill_writes_still_land_and_hold_the_lock),
		CASE(its_own_checks_bite),
		CASE(a_failed_flush_cannot_be_made_good_by_another),
		CASE(faults_hit_the_nth_operation_of_the_named_file),
		CASE(a_full_disk_refuses_allocation_and_frees_what_is_unlinked),
		CASE(one_seed_gives_one_order_and_another_seed_another),
		CASE(the_trace_tells_submit_and_completion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
