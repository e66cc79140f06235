/* SPDX-License-Identifier: Apache-2.0 */
/* The io_uring backend on the running kernel; skipped (77) where it refuses rings. */
#include <poll.h>
#include <pthread.h>
#include "io_cases.h"
#include "logstore/io/io_fault.h"
#include "logstore/io/io_uring.h"

static struct io *
io_case_create(const char *dir)
{
	static const uint16_t cpus[] = {0};
	struct io_uring_options options = {.data_dir = dir, .slots_max = IO_SLOTS, .queue_depth = 64,
		.housekeeping_cpus = cpus, .housekeeping_cpu_count = 1};
	struct io_uring_cause cause;
	struct io *io;
	int rc = io_uring_create(&options, &io, &cause);

	if (rc < 0) {
		fail_msg("io_uring_create: %d: %s", rc, cause.text);
	}
	return io;
}

/* A late signal of the kernel may come after the reap; it must not stay. */
static void
becomes_quiet(struct io_case *c, struct pollfd *pfd)
{
	struct io_completion done;
	uint32_t turns = 0;

	while (poll(pfd, 1, 0) != 0) {
		assert_int_equal(c->io->ops->reap(c->io, &done, 1), 0);
		assert_true(++turns < 1000);
	}
}

static void
the_ring_polls_readable_when_a_completion_waits(void **state)
{
	struct io_case *c = *state;
	struct pollfd pfd = {.fd = c->io->ops->wait_fd(c->io), .events = POLLIN};
	struct io_completion done;
	uint32_t i;

	io_case_file(c, "data");
	assert_true(pfd.fd >= 0);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	for (i = 0; i < 20; i++) {
		assert_int_equal(c->io->ops->write(c->io,
			&(struct io_write){.buffer = c->pool, .len = IO_BLOCK, .flags = IO_WRITE_DSYNC,
				.token = i}),
			0);
		assert_int_equal(c->io->ops->submit(c->io), 0);
		assert_int_equal(poll(&pfd, 1, 5000), 1);
		while (c->io->ops->reap(c->io, &done, 1) == 0) {
		}
		assert_int_equal(done.token, i);
		becomes_quiet(c, &pfd);
		assert_int_equal(c->io->ops->flush(c->io, 0, 100 + i), 0);
		assert_int_equal(c->io->ops->submit(c->io), 0);
		assert_int_equal(poll(&pfd, 1, 5000), 1);
		while (c->io->ops->reap(c->io, &done, 1) == 0) {
		}
		assert_int_equal(done.token, 100 + i);
	}
}

static void
a_delayed_completion_wakes_the_poller_of_the_decorator(void **state)
{
	struct io_case *c = *state;
	struct io_fault_options options = {.clock = clock_system(),
		.flush_delay_ns = 20 * NS_PER_MS};
	struct pollfd pfd = {.events = POLLIN};
	struct io_completion done;
	uint64_t begin;

	io_case_file(c, "data");
	assert_int_equal(io_fault_create(c->io, &options, &c->io), 0);
	pfd.fd = c->io->ops->wait_fd(c->io);
	becomes_quiet(c, &pfd);
	begin = clock_now_ns(clock_system());
	assert_int_equal(c->io->ops->flush(c->io, 0, 1), 0);
	assert_int_equal(c->io->ops->submit(c->io), 0);
	while (c->io->ops->reap(c->io, &done, 1) == 0) {
		assert_int_equal(poll(&pfd, 1, 5000), 1);
	}
	assert_true(clock_now_ns(clock_system()) - begin >= 20 * NS_PER_MS);
	becomes_quiet(c, &pfd);
}

struct owner {
	struct io_case *c;
	struct io *io;
};

/* What the log lcore does: enable, register, write. */
static void *
owner_run(void *arg)
{
	struct owner *o = arg;
	struct io_case inner = *o->c;
	struct io_completion done;
	int fd;

	inner.io = o->io;
	assert_int_equal(o->io->ops->enable(o->io), 0);
	assert_int_equal(o->io->ops->register_buffers(o->io, inner.pool, IO_POOL), 0);
	fd = o->io->ops->open(o->io, "owned", IO_OPEN_CREATE | IO_OPEN_DIRECT);
	assert_true(fd >= 0);
	assert_int_equal(o->io->ops->allocate(o->io, fd, IO_BLOCK), 0);
	assert_int_equal(o->io->ops->slot_set(o->io, 1, fd), 0);
	assert_int_equal(o->io->ops->write(o->io,
		&(struct io_write){.slot = 1, .buffer = inner.pool, .len = IO_BLOCK, .token = 11}), 0);
	io_case_wait(&inner, &done, 1);
	assert_int_equal(done.result, IO_BLOCK);
	o->io->ops->close(o->io, fd);
	return NULL;
}

static void
only_the_thread_that_enabled_the_ring_can_use_it(void **state)
{
	struct io_case *c = *state;
	struct owner owner = {.c = c, .io = io_case_create(c->dir)};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, owner_run, &owner), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(owner.io->ops->slot_set(owner.io, 2, 0) < 0);
	owner.io->ops->destroy(owner.io);
}

static void
a_refusal_names_its_cause(void **state)
{
	struct io_uring_options options = {.data_dir = "/nonexistent/penstock", .slots_max = 4};
	struct io_uring_cause cause;
	struct io *io;

	assert_int_equal(io_uring_create(&options, &io, &cause), -ENOENT);
	assert_non_null(strstr(cause.text, "data directory"));
	options.data_dir = "/tmp";
	options.slots_max = 1u << 30;
	assert_true(io_uring_create(&options, &io, &cause) < 0);
	assert_non_null(strstr(cause.text, "io_uring files"));
	assert_non_null(strstr(cause.text, "RLIMIT_NOFILE"));
}

/* Where there is no io_uring at all, the daemon falls back and this suite has nothing to say. */
static bool
ring_is_to_be_had(void)
{
	struct io_uring_options options = {.data_dir = "/tmp", .slots_max = 1};
	struct io_uring_cause cause;
	struct io *io;
	int rc = io_uring_create(&options, &io, &cause);

	if (rc == 0) {
		io->ops->destroy(io);
		return true;
	}
	fprintf(stderr, "skipped: %s\n", cause.text);
	return false;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IO_CASES,
		IO_CASE(the_ring_polls_readable_when_a_completion_waits),
		IO_CASE(a_delayed_completion_wakes_the_poller_of_the_decorator),
		IO_CASE(only_the_thread_that_enabled_the_ring_can_use_it),
		cmocka_unit_test(a_refusal_names_its_cause),
	};

	return ring_is_to_be_had() ? cmocka_run_group_tests(tests, NULL, NULL) : 77;
}
