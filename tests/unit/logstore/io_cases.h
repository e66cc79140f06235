/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every real backend of base/io.h must do, in one place: io_sync_test.c and io_uring_test.c run
 * the same cases on a temporary directory. Set PENSTOCK_TEST_DIR to choose its file system.
 */
#ifndef TESTS_UNIT_LOGSTORE_IO_CASES_H
#define TESTS_UNIT_LOGSTORE_IO_CASES_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/io.h"

#define IO_BLOCK 4096
#define IO_POOL	 (64 * IO_BLOCK)
#define IO_FILE	 (256 * IO_BLOCK)
#define IO_SLOTS 8

struct io_case {
	char dir[256];
	struct io *io;
	uint8_t *pool;
};

/* The backend's own way to be made. */
static struct io *io_case_create(const char *dir);

static int
io_case_setup(void **state)
{
	struct io_case *c = calloc(1, sizeof(*c));
	const char *parent = getenv("PENSTOCK_TEST_DIR");

	snprintf(c->dir, sizeof(c->dir), "%s/penstock-io-XXXXXX", parent ? parent : "/tmp");
	assert_non_null(mkdtemp(c->dir));
	c->pool = mmap(NULL, IO_POOL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(c->pool, MAP_FAILED);
	c->io = io_case_create(c->dir);
	if (c->io) {
		assert_int_equal(c->io->ops->enable(c->io), 0);
		assert_int_equal(c->io->ops->register_buffers(c->io, c->pool, IO_POOL), 0);
	}
	*state = c;
	return 0;
}

static int
io_case_teardown(void **state)
{
	struct io_case *c = *state;
	char command[300];

	if (c->io) {
		c->io->ops->destroy(c->io);
	}
	munmap(c->pool, IO_POOL);
	snprintf(command, sizeof(command), "rm -rf '%s'", c->dir);
	assert_int_equal(system(command), 0);
	free(c);
	return 0;
}

/* A prepared, prewritten file in slot 0. */
static int
io_case_file(struct io_case *c, const char *path)
{
	const struct io_ops *ops = c->io->ops;
	int fd = ops->open(c->io, path, IO_OPEN_CREATE | IO_OPEN_DIRECT | IO_OPEN_LOCK);

	assert_true(fd >= 0);
	assert_int_equal(ops->allocate(c->io, fd, IO_FILE), 0);
	assert_int_equal(ops->zero(c->io, fd, 0, IO_FILE), 0);
	assert_int_equal(ops->fsync(c->io, fd), 0);
	assert_int_equal(ops->fsync_dir(c->io, "."), 0);
	assert_int_equal(ops->slot_set(c->io, 0, fd), 0);
	return fd;
}

/* Submits and reaps until `want` completions came; every token must come once. */
static void
io_case_wait(struct io_case *c, struct io_completion *done, uint32_t want)
{
	uint64_t deadline = clock_now_ns(clock_system()) + 10 * NS_PER_S;
	uint32_t got = 0;

	assert_int_equal(c->io->ops->submit(c->io), 0);
	while (got < want) {
		got += c->io->ops->reap(c->io, done + got, want - got);
		assert_true(clock_now_ns(clock_system()) < deadline);
	}
}

static void
io_case_writes_are_read_back(void **state)
{
	struct io_case *c = *state;
	const struct io_ops *ops = c->io->ops;
	struct io_completion done[16];
	uint64_t seen = 0;
	uint32_t i;

	io_case_file(c, "data");
	for (i = 0; i < 16; i++) {
		memset(c->pool + i * IO_BLOCK, (int)('a' + i), IO_BLOCK);
		assert_int_equal(ops->write(c->io,
			&(struct io_write){.buffer = c->pool + i * IO_BLOCK, .position = i * 3 * IO_BLOCK,
				.len = IO_BLOCK, .flags = i % 2 ? IO_WRITE_DSYNC : 0,
				.token = 100 + i}), 0);
	}
	io_case_wait(c, done, 16);
	for (i = 0; i < 16; i++) {
		assert_int_equal(done[i].result, IO_BLOCK);
		seen |= 1ull << (done[i].token - 100);
	}
	assert_int_equal(seen, 0xffff);
	assert_int_equal(ops->flush(c->io, 0, 7), 0);
	io_case_wait(c, done, 1);
	assert_int_equal(done[0].token, 7);
	assert_int_equal(done[0].result, 0);
	for (i = 0; i < 16; i++) {
		uint8_t *into = c->pool + 32 * IO_BLOCK;

		assert_int_equal(ops->read(c->io,
			&(struct io_read){.buffer = into, .position = i * 3 * IO_BLOCK, .len = IO_BLOCK,
				.token = i}), 0);
		io_case_wait(c, done, 1);
		assert_int_equal(done[0].result, IO_BLOCK);
		assert_memory_equal(into, c->pool + i * IO_BLOCK, IO_BLOCK);
	}
}

static void
io_case_a_read_at_the_end_is_short(void **state)
{
	struct io_case *c = *state;
	struct io_completion done[2];

	io_case_file(c, "data");
	assert_int_equal(c->io->ops->read(c->io,
		&(struct io_read){.buffer = c->pool, .position = IO_FILE - IO_BLOCK, .len = 2 * IO_BLOCK,
			.token = 1}),
		0);
	assert_int_equal(c->io->ops->read(c->io,
		&(struct io_read){.buffer = c->pool + 4 * IO_BLOCK, .position = IO_FILE, .len = IO_BLOCK,
			.token = 2}),
		0);
	io_case_wait(c, done, 2);
	assert_int_equal(done[done[0].token == 1 ? 0 : 1].result, IO_BLOCK);
	assert_int_equal(done[done[0].token == 1 ? 1 : 0].result, 0);
}

static void
io_case_a_freed_slot_gives_an_error(void **state)
{
	struct io_case *c = *state;
	struct io_completion done;
	int fd = io_case_file(c, "data");

	assert_int_equal(c->io->ops->slot_set(c->io, 0, -1), 0);
	assert_int_equal(c->io->ops->write(c->io,
		&(struct io_write){.buffer = c->pool, .len = IO_BLOCK, .token = 5}), 0);
	io_case_wait(c, &done, 1);
	assert_int_equal(done.result, -EBADF);
	c->io->ops->close(c->io, fd);
	assert_int_equal(c->io->ops->slot_set(c->io, IO_SLOTS, fd), -EINVAL);
}

static void
io_case_a_full_queue_says_busy_and_nothing_is_lost(void **state)
{
	struct io_case *c = *state;
	const struct io_ops *ops = c->io->ops;
	struct io_completion done[64];
	uint32_t queued = 0;
	uint32_t reaped = 0;
	uint64_t sum = 0;
	int rc;

	io_case_file(c, "data");
	while ((rc = ops->write(c->io,
		&(struct io_write){.buffer = c->pool, .position = (queued % 256) * IO_BLOCK, .len = IO_BLOCK,
			.token = queued})) == 0) {
		queued++;
		assert_true(queued < 10000);
	}
	assert_int_equal(rc, -EBUSY);
	while (reaped < queued) {
		uint32_t got;
		uint32_t i;

		assert_int_equal(ops->submit(c->io), 0);
		got = ops->reap(c->io, done, 64);
		for (i = 0; i < got; i++) {
			assert_int_equal(done[i].result, IO_BLOCK);
			sum += done[i].token;
		}
		reaped += got;
	}
	assert_int_equal(sum, (uint64_t)queued * (queued - 1) / 2);
	assert_int_equal(ops->reap(c->io, done, 64), 0);
}

static void
io_case_count(void *user_data, const char *name, bool is_directory)
{
	uint32_t *counts = user_data;

	assert_true(name[0] != '.');
	counts[is_directory]++;
}

static void
io_case_names_are_made_listed_renamed_and_removed(void **state)
{
	struct io_case *c = *state;
	const struct io_ops *ops = c->io->ops;
	uint32_t counts[2] = {0};
	struct io_stat st;
	int fd;

	assert_int_equal(ops->make_dir(c->io, "orders-0"), 0);
	assert_int_equal(ops->make_dir(c->io, "orders-0"), -EEXIST);
	fd = ops->open(c->io, "orders-0/a.tmp", IO_OPEN_CREATE);
	assert_true(fd >= 0);
	assert_int_equal(ops->open(c->io, "orders-0/a.tmp", IO_OPEN_CREATE), -EEXIST);
	assert_int_equal(ops->pwrite(c->io, fd, "hello", 5, 3), 0);
	assert_int_equal(ops->fdatasync(c->io, fd), 0);
	ops->close(c->io, fd);
	assert_int_equal(ops->rename(c->io, "orders-0/a.tmp", "orders-0/a"), 0);
	assert_int_equal(ops->rename(c->io, "orders-0/a.tmp", "orders-0/b"), -ENOENT);
	assert_int_equal(ops->fsync_dir(c->io, "orders-0"), 0);
	assert_int_equal(ops->stat(c->io, "orders-0/a", &st), 0);
	assert_int_equal(st.size_bytes, 8);
	assert_false(st.is_directory);
	assert_int_equal(ops->stat(c->io, "orders-0", &st), 0);
	assert_true(st.is_directory);
	assert_int_equal(ops->list(c->io, "orders-0", io_case_count, counts), 0);
	assert_int_equal(counts[0], 1);
	counts[0] = 0;
	assert_int_equal(ops->list(c->io, ".", io_case_count, counts), 0);
	assert_int_equal(counts[1], 1);
	assert_int_equal(ops->remove_dir(c->io, "orders-0"), -ENOTEMPTY);
	assert_int_equal(ops->unlink(c->io, "orders-0/a"), 0);
	assert_int_equal(ops->unlink(c->io, "orders-0/a"), -ENOENT);
	assert_int_equal(ops->remove_dir(c->io, "orders-0"), 0);
	assert_int_equal(ops->stat(c->io, "orders-0", &st), -ENOENT);
	assert_int_equal(ops->sync_fs(c->io), 0);
}

static void
io_case_whole_reads_or_an_error(void **state)
{
	struct io_case *c = *state;
	const struct io_ops *ops = c->io->ops;
	char buffer[16] = {0};
	struct io_stat st;
	int fd = ops->open(c->io, "file", IO_OPEN_CREATE);

	assert_int_equal(ops->pwrite(c->io, fd, "0123456789", 10, 0), 0);
	assert_int_equal(ops->pread(c->io, fd, buffer, 4, 3), 0);
	assert_memory_equal(buffer, "3456", 4);
	assert_int_equal(ops->pread(c->io, fd, buffer, 11, 0), -ENODATA);
	assert_int_equal(ops->truncate(c->io, fd, 4), 0);
	assert_int_equal(ops->stat(c->io, "file", &st), 0);
	assert_int_equal(st.size_bytes, 4);
	ops->close(c->io, fd);
	fd = ops->open(c->io, "file", IO_OPEN_READ_ONLY);
	assert_true(ops->pwrite(c->io, fd, "x", 1, 0) < 0);
	ops->close(c->io, fd);
}

static void
io_case_paths_stay_beneath_the_directory(void **state)
{
	struct io_case *c = *state;
	const struct io_ops *ops = c->io->ops;
	char link[300];
	struct io_stat st;

	assert_true(ops->open(c->io, "/etc/passwd", IO_OPEN_READ_ONLY) < 0);
	assert_true(ops->open(c->io, "../x", IO_OPEN_CREATE) < 0);
	assert_true(ops->unlink(c->io, "../x") < 0);
	assert_true(ops->make_dir(c->io, "/tmp/x") < 0);
	snprintf(link, sizeof(link), "%s/link", c->dir);
	assert_int_equal(symlink("/etc", link), 0);
	assert_true(ops->open(c->io, "link/passwd", IO_OPEN_READ_ONLY) < 0);
	assert_true(ops->stat(c->io, "link/passwd", &st) < 0);
	assert_true(ops->rename(c->io, "link/passwd", "y") < 0);
	assert_true(ops->list(c->io, "link", io_case_count, NULL) < 0);
}

/* The child holds the lock and is asked for by pid; its death frees it. */
static void
io_case_a_lock_keeps_others_out(void **state)
{
	struct io_case *c = *state;
	const struct io_ops *ops = c->io->ops;
	int ready[2];
	int status;
	char byte;
	pid_t child;
	int fd;

	fd = ops->open(c->io, ".lock", IO_OPEN_CREATE);
	ops->close(c->io, fd);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (ops->open(c->io, ".lock", IO_OPEN_LOCK) < 0 || write(ready[1], "x", 1) != 1) {
			_exit(1);
		}
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(ops->open(c->io, ".lock", IO_OPEN_LOCK), -EWOULDBLOCK);
	assert_int_equal(ops->lock_holder(c->io, ".lock"), child);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(ops->lock_holder(c->io, ".lock"), 0);
	fd = ops->open(c->io, ".lock", IO_OPEN_LOCK);
	assert_true(fd >= 0);
	ops->close(c->io, fd);
	close(ready[0]);
	close(ready[1]);
}

static void
io_case_a_second_lock_in_the_same_process_is_refused(void **state)
{
	struct io_case *c = *state;
	int fd = io_case_file(c, "data");

	assert_int_equal(c->io->ops->open(c->io, "data", IO_OPEN_DIRECT | IO_OPEN_LOCK),
		-EWOULDBLOCK);
	c->io->ops->close(c->io, fd);
	/* The slot of a ring still holds the description, and with it the lock. */
	assert_int_equal(c->io->ops->slot_set(c->io, 0, -1), 0);
}

static void
io_case_the_probe_tells_about_the_device(void **state)
{
	struct io_case *c = *state;
	struct io_probe probe = {0};
	struct io_space space = {0};
	uint32_t counts[2] = {0};
	uint64_t begin = clock_now_ns(clock_system());
	uint64_t took;

	assert_int_equal(c->io->ops->probe(c->io, &probe), 0);
	took = clock_now_ns(clock_system()) - begin;
	assert_true(probe.block_bytes >= 4096);
	assert_int_equal(probe.block_bytes & (probe.block_bytes - 1), 0);
	assert_true(strlen(probe.fs_type) > 0);
	assert_true(probe.dsync_write_ns > 0);
	assert_true(probe.write_flush_ns > 0);
	assert_true(probe.dsync_16_ns > 0);
	assert_true(probe.write_16_flush_ns > 0);
	assert_int_equal(c->io->ops->space(c->io, &space), 0);
	assert_true(space.total_bytes >= space.free_bytes);
	assert_int_equal(c->io->ops->list(c->io, ".", io_case_count, counts), 0);
	assert_int_equal(counts[0], 0);
	print_message("probe: %s on %s, block %u, cache %d, fua %d, device flush %d, dsync %llu "
		"flush %llu dsync16 %llu flush16 %llu ns, took %llu ms\n", probe.fs_type,
		probe.device, probe.block_bytes, probe.write_cache, probe.fua,
		probe.flush_covers_device, (unsigned long long)probe.dsync_write_ns,
		(unsigned long long)probe.write_flush_ns, (unsigned long long)probe.dsync_16_ns,
		(unsigned long long)probe.write_16_flush_ns, (unsigned long long)(took / NS_PER_MS));
}

#define IO_CASE(f) cmocka_unit_test_setup_teardown(f, io_case_setup, io_case_teardown)
#define IO_CASES                                                                                   \
	IO_CASE(io_case_writes_are_read_back), IO_CASE(io_case_a_read_at_the_end_is_short),        \
	IO_CASE(io_case_a_freed_slot_gives_an_error),                                              \
	IO_CASE(io_case_a_full_queue_says_busy_and_nothing_is_lost),                               \
	IO_CASE(io_case_names_are_made_listed_renamed_and_removed),                                \
	IO_CASE(io_case_whole_reads_or_an_error), IO_CASE(io_case_paths_stay_beneath_the_directory), \
	IO_CASE(io_case_a_lock_keeps_others_out),                                                  \
	IO_CASE(io_case_a_second_lock_in_the_same_process_is_refused),                             \
	IO_CASE(io_case_the_probe_tells_about_the_device)

#endif
