/* SPDX-License-Identifier: Apache-2.0 */
/* The synchronous backend and, over it, the fault decorator. */
#include "io_cases.h"
#include "logstore/io/io_fault.h"
#include "logstore/io/io_sync.h"
#include "support/clock_fake.h"

static struct io *
io_case_create(const char *dir)
{
	struct io *io;

	assert_int_equal(io_sync_create(dir, IO_SLOTS, &io), 0);
	return io;
}

static void
completions_come_in_the_order_queued(void **state)
{
	struct io_case *c = *state;
	struct io_completion done[3];

	io_case_file(c, "data");
	assert_int_equal(c->io->ops->write(c->io,
		&(struct io_write){.buffer = c->pool, .len = IO_BLOCK, .token = 1}), 0);
	assert_int_equal(c->io->ops->reap(c->io, done, 3), 0);
	assert_int_equal(c->io->ops->flush(c->io, 0, 2), 0);
	assert_int_equal(c->io->ops->read(c->io,
		&(struct io_read){.buffer = c->pool + IO_BLOCK, .len = IO_BLOCK, .token = 3}), 0);
	io_case_wait(c, done, 3);
	assert_int_equal(done[0].token, 1);
	assert_int_equal(done[1].token, 2);
	assert_int_equal(done[2].token, 3);
	assert_int_equal(c->io->ops->wait_fd(c->io), -1);
}

static void
a_missing_directory_is_an_error(void **state)
{
	struct io *io;

	assert_int_equal(io_sync_create("/nonexistent/penstock", 1, &io), -ENOENT);
}

/* Wraps the fixture's io; the decorator owns it from then on. */
static void
wrap(struct io_case *c, struct clock_fake *clock, struct io_fault_options options)
{
	clock_fake_init(clock, 1000, 0);
	options.clock = &clock->clock;
	assert_int_equal(io_fault_create(c->io, &options, &c->io), 0);
}

static void
a_delayed_flush_completes_when_its_time_has_come(void **state)
{
	struct io_case *c = *state;
	struct clock_fake clock;
	struct io_completion done[2];

	wrap(c, &clock, (struct io_fault_options){.flush_delay_ns = 200 * NS_PER_MS});
	io_case_file(c, "data");
	assert_int_equal(c->io->ops->flush(c->io, 0, 1), 0);
	assert_int_equal(c->io->ops->write(c->io,
		&(struct io_write){.buffer = c->pool, .len = IO_BLOCK, .token = 2}), 0);
	assert_int_equal(c->io->ops->submit(c->io), 0);
	assert_int_equal(c->io->ops->reap(c->io, done, 2), 1);
	assert_int_equal(done[0].token, 2);
	clock_fake_advance(&clock, 199 * NS_PER_MS);
	assert_int_equal(c->io->ops->reap(c->io, done, 2), 0);
	clock_fake_advance(&clock, NS_PER_MS);
	assert_int_equal(c->io->ops->reap(c->io, done, 2), 1);
	assert_int_equal(done[0].token, 1);
}

static void
delays_end_at_their_time(void **state)
{
	struct io_case *c = *state;
	struct clock_fake clock;
	struct io_completion done[2];

	wrap(c, &clock,
		(struct io_fault_options){
			.flush_delay_ns = 200 * NS_PER_MS, .delays_end_ns = 500 * NS_PER_MS});
	io_case_file(c, "data");
	clock_fake_advance(&clock, 450 * NS_PER_MS);
	assert_int_equal(c->io->ops->flush(c->io, 0, 1), 0);
	assert_int_equal(c->io->ops->submit(c->io), 0);
	assert_int_equal(c->io->ops->reap(c->io, done, 2), 0); /* began before: delayed in full */
	clock_fake_advance(&clock, 100 * NS_PER_MS);
	assert_int_equal(c->io->ops->flush(c->io, 0, 2), 0);
	assert_int_equal(c->io->ops->submit(c->io), 0);
	assert_int_equal(c->io->ops->reap(c->io, done, 2), 1);
	assert_int_equal(done[0].token, 2);
	clock_fake_advance(&clock, 100 * NS_PER_MS);
	assert_int_equal(c->io->ops->reap(c->io, done, 2), 1);
	assert_int_equal(done[0].token, 1);
}

static void
the_nth_request_fails_or_is_short(void **state)
{
	struct io_case *c = *state;
	struct clock_fake clock;
	struct io_completion done[2];
	static const int32_t expected[] = {IO_BLOCK, -EIO, IO_BLOCK, -ENOSPC, -ENOSPC};
	uint32_t i;

	wrap(c, &clock,
		(struct io_fault_options){.rule_count = 3,
			.rules = {{.op = IO_FAULT_WRITE, .nth = 2, .error = EIO},
				{.op = IO_FAULT_WRITE, .nth = 3, .sticky = true, .error = ENOSPC},
				{.op = IO_FAULT_READ, .kind = IO_FAULT_SHORT, .nth = 1, .bytes = 4096}}});
	io_case_file(c, "data");
	for (i = 0; i < 5; i++) {
		assert_int_equal(c->io->ops->write(c->io,
			&(struct io_write){.buffer = c->pool, .len = IO_BLOCK, .token = i}), 0);
		io_case_wait(c, done, 1);
		assert_int_equal(done[0].token, i);
		assert_int_equal(done[0].result, expected[i]);
	}
	assert_int_equal(c->io->ops->read(c->io,
		&(struct io_read){.buffer = c->pool, .len = 2 * IO_BLOCK, .token = 9}), 0);
	io_case_wait(c, done, 1);
	assert_int_equal(done[0].result, 4096);
}

static void
a_rule_that_the_decorator_cannot_do_is_refused(void **state)
{
	static const struct io_fault_rule bad[] = {{.op = IO_FAULT_OPEN, .nth = 1, .error = EIO},
		{.op = IO_FAULT_WRITE, .nth = 0, .error = EIO},
		{.op = IO_FAULT_WRITE, .kind = IO_FAULT_LOST, .nth = 1},
		{.op = IO_FAULT_FLUSH, .kind = IO_FAULT_SHORT, .nth = 1, .bytes = 1}};
	struct io_case *c = *state;
	struct io *io = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct io_fault_options options = {.rule_count = 1, .rules = {bad[i]}};

		assert_int_equal(io_fault_create(c->io, &options, &io), -EINVAL);
		assert_null(io);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IO_CASES,
		IO_CASE(completions_come_in_the_order_queued),
		cmocka_unit_test(a_missing_directory_is_an_error),
		IO_CASE(a_delayed_flush_completes_when_its_time_has_come),
		IO_CASE(delays_end_at_their_time),
		IO_CASE(the_nth_request_fails_or_is_short),
		IO_CASE(a_rule_that_the_decorator_cannot_do_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
