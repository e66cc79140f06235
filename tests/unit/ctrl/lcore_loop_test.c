/* SPDX-License-Identifier: Apache-2.0 */
/* How an lcore falls asleep under the `interrupt` policy: a stage of a real thread, a device that this test plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "ctrl/daemon/lcore_loop.h"

#define LIMIT_NS (20 * NS_PER_S)

/* A queue with an interrupt: packets make `fd` readable only while it is armed. */
struct device {
	struct lcore_loop loop;
	struct engine_lcore status;
	int fd;
	bool refuses; /* to be armed */
	_Atomic uint32_t waiting; /* packets */
	_Atomic uint32_t taken, taken_armed;
	_Atomic uint32_t armed; /* 0 or 1 */
	_Atomic uint32_t arms, disarms, polls;
	_Atomic uint32_t late; /* packets that come right before the next arming */
};

static bool
device_arm(void *stage)
{
	struct device *d = stage;
	uint32_t late = atomic_exchange(&d->late, 0);

	atomic_fetch_add(&d->waiting, late);
	atomic_fetch_add(&d->arms, 1);
	atomic_store(&d->armed, !d->refuses);
	return !d->refuses;
}

static void
device_disarm(void *stage)
{
	struct device *d = stage;
	uint64_t count;

	atomic_fetch_add(&d->disarms, 1);
	atomic_store(&d->armed, 0);
	(void)!read(d->fd, &count, sizeof(count));
}

static uint32_t
device_poll(void *stage, uint64_t now_ns)
{
	struct device *d = stage;
	uint32_t n = atomic_exchange(&d->waiting, 0);

	(void)now_ns;
	atomic_fetch_add(&d->polls, 1);
	if (atomic_load(&d->armed)) {
		atomic_fetch_add(&d->taken_armed, n);
	}
	atomic_fetch_add(&d->taken, n);
	return n;
}

/* One packet from outside. */
static void
device_receive(struct device *d)
{
	uint64_t one = 1;

	atomic_fetch_add(&d->waiting, 1);
	if (atomic_load(&d->armed)) {
		assert_int_equal(write(d->fd, &one, sizeof(one)), sizeof(one));
	}
}

/* Until *value is at least want. */
static bool
reaches(const _Atomic uint32_t *value, uint32_t want)
{
	uint64_t until_ns = clock_now_ns(clock_system()) + LIMIT_NS;

	while (atomic_load(value) < want && clock_now_ns(clock_system()) < until_ns) {
		clock_sleep_ns(clock_system(), 100 * NS_PER_US);
	}
	return atomic_load(value) >= want;
}

static void
device_start(struct device *d)
{
	d->fd = eventfd(0, EFD_NONBLOCK);
	assert_true(d->fd >= 0);
	assert_int_equal(lcore_loop_init(&d->loop, clock_system(), &d->status), 0);
	d->loop.policy = IDLE_INTERRUPT;
	lcore_loop_add(&d->loop, &(struct poller){.stage = d,
		.poll = device_poll,
		.wait_fd = d->fd,
		.arm = device_arm,
		.disarm = device_disarm});
	assert_int_equal(lcore_loop_start(&d->loop), 0);
}

static void
device_stop(struct device *d)
{
	lcore_loop_stop(&d->loop);
	lcore_loop_fini(&d->loop);
	close(d->fd);
	assert_int_equal(atomic_load(&d->arms), atomic_load(&d->disarms));
	assert_false(atomic_load(&d->armed));
}

static void
a_packet_wakes_a_sleeping_lcore(void **state)
{
	struct device d = {0};
	uint64_t since_ns;

	(void)state;
	device_start(&d);
	since_ns = clock_now_ns(clock_system());
	for (uint32_t i = 1; i <= 20; i++) {
		assert_true(reaches(&d.armed, 1));
		device_receive(&d);
		assert_true(reaches(&d.taken, i));
	}
	/* By the sleep's own timer it would be half a second for each. */
	assert_true(clock_now_ns(clock_system()) - since_ns < 5 * NS_PER_S);
	device_stop(&d);
	assert_int_equal(atomic_load(&d.taken), 20);
}

static void
a_packet_from_before_the_arming_is_taken_without_a_sleep(void **state)
{
	struct device d = {0};

	(void)state;
	/* They make nothing readable: only the poll between arming and sleeping finds them. */
	atomic_store(&d.late, 3);
	device_start(&d);
	assert_true(reaches(&d.taken, 3));
	assert_int_equal(atomic_load(&d.taken_armed), 3);
	device_stop(&d);
}

static void
without_work_it_sleeps_long(void **state)
{
	struct device d = {0};
	uint32_t polls;

	(void)state;
	device_start(&d);
	assert_true(reaches(&d.arms, 1));
	polls = atomic_load(&d.polls);
	clock_sleep_ns(clock_system(), NS_PER_S);
	/* Two or three sleeps of half a second, each with a poll after and before. */
	assert_true(atomic_load(&d.polls) - polls < 40);
	device_stop(&d);
}

static void
what_cannot_be_armed_is_looked_at_soon_again(void **state)
{
	struct device d = {.refuses = true};

	(void)state;
	device_start(&d);
	/* By the long sleep's timer that would take ten times as long as is waited for. */
	assert_true(reaches(&d.arms, 400));
	device_receive(&d); /* wakes nobody */
	assert_true(reaches(&d.taken, 1));
	device_stop(&d);
}

/* As `lcores.share: all` places the greatest numbers of config.yaml: rx_queues, log.shards,
 * batcher.workers. */
static void
one_lcore_takes_every_stage_of_the_largest_configuration(void **state)
{
	struct device d = {0};

	(void)state;
	assert_int_equal(lcore_loop_init(&d.loop, clock_system(), &d.status), 0);
	for (uint32_t i = 0; i < 16 + 16 + 1 + 16; i++) {
		lcore_loop_add(
			&d.loop, &(struct poller){.stage = &d, .poll = device_poll, .wait_fd = -1});
	}
	assert_int_equal(lcore_loop_start(&d.loop), 0);
	assert_true(reaches(&d.polls, 16 + 16 + 1 + 16));
	lcore_loop_stop(&d.loop);
	lcore_loop_fini(&d.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_wakes_a_sleeping_lcore),
		cmocka_unit_test(a_packet_from_before_the_arming_is_taken_without_a_sleep),
		cmocka_unit_test(without_work_it_sleeps_long),
		cmocka_unit_test(what_cannot_be_armed_is_looked_at_soon_again),
		cmocka_unit_test(one_lcore_takes_every_stage_of_the_largest_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
