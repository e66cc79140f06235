/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idle policies: the table step by step, and each policy run by a loop on a thread of its own, on a clock
 * that counts sleeps instead of sleeping. No test depends on how long anything takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/bytes.h"
#include "ctrl/daemon/lcore_loop.h"

#define TURNS 6000

/* --- a clock that counts ------------------------------------------------------------------------- */

struct counting_clock {
	struct clock clock;
	pthread_t starter; /* its waits for the loop's thread do not count */
	_Atomic uint64_t now_ns, sleeps, slept_ns;
};

static uint64_t
counting_now(struct clock *clock)
{
	return atomic_fetch_add(&CONTAINER_OF(clock, struct counting_clock, clock)->now_ns, 10);
}

static void
counting_sleep(struct clock *clock, uint64_t duration_ns)
{
	struct counting_clock *c = CONTAINER_OF(clock, struct counting_clock, clock);

	atomic_fetch_add(&c->now_ns, duration_ns);
	if (!pthread_equal(pthread_self(), c->starter)) {
		atomic_fetch_add(&c->sleeps, 1);
		atomic_fetch_add(&c->slept_ns, duration_ns);
	}
}

static const struct clock_ops counting_ops = {counting_now, counting_now, counting_sleep};

/* --- a stage ------------------------------------------------------------------------------------- */

/* Empty for TURNS turns, or until its descriptor is readable; then it reports, and is empty again. */
struct stage {
	_Atomic uint32_t turns;
	_Atomic bool done;
	int fd; /* -1: counts turns */
};

static uint32_t
stage_poll(void *object, uint64_t now_ns)
{
	struct stage *s = object;
	uint64_t value;

	(void)now_ns;
	if (atomic_fetch_add(&s->turns, 1) + 1 == TURNS && s->fd < 0) {
		atomic_store(&s->done, true);
	}
	if (s->fd >= 0 && read(s->fd, &value, sizeof(value)) == sizeof(value)) {
		atomic_store(&s->done, true);
		return 1;
	}
	return 0;
}

struct rig {
	struct counting_clock clock;
	struct engine_lcore status;
	struct lcore_loop loop;
	struct stage stage;
};

static void
rig_start(struct rig *r, enum idle_policy policy, int fd)
{
	memset(r, 0, sizeof(*r));
	r->clock.clock.ops = &counting_ops;
	r->clock.starter = pthread_self();
	r->stage.fd = fd;
	assert_int_equal(lcore_loop_init(&r->loop, &r->clock.clock, &r->status), 0);
	r->loop.policy = policy;
	lcore_loop_add(&r->loop, &(struct poller){.stage = &r->stage,
					 .poll = stage_poll,
					 .wait_fd = fd,
					 .must_be_polled = fd < 0});
	assert_int_equal(lcore_loop_start(&r->loop), 0);
}

static void
rig_wait(struct rig *r)
{
	struct clock *real = clock_system();
	uint64_t until_ns = clock_now_ns(real) + 60 * NS_PER_S;

	while (!atomic_load(&r->stage.done)) {
		assert_true(clock_now_ns(real) < until_ns);
		clock_sleep_ns(real, NS_PER_MS);
	}
}

static void
rig_stop(struct rig *r, uint32_t busy_turns)
{
	lcore_loop_stop(&r->loop);
	/* Work that the look after arming found is no turn's. */
	assert_in_range(atomic_load(&r->status.turns) - atomic_load(&r->status.turns_empty), 0, busy_turns);
	lcore_loop_fini(&r->loop);
}

/* --- the table ------------------------------------------------------------------------------------ */

static void
steps_are_those_of_the_policy(void **state)
{
	static const struct {
		enum idle_policy policy;
		uint32_t empty;
		bool polled;
		struct idle_step step;
	} rows[] = {
		{IDLE_SPIN, 1, true, {IDLE_STEP_RELAX, 1, 0}},
		{IDLE_SPIN, 1u << 30, false, {IDLE_STEP_RELAX, 1, 0}},
		{IDLE_PAUSE, 1000, true, {IDLE_STEP_RELAX, 0, 0}},
		{IDLE_PAUSE, 1001, true, {IDLE_STEP_RELAX, 16, 0}},
		{IDLE_SLEEP, 63, true, {IDLE_STEP_RELAX, 0, 0}},
		{IDLE_SLEEP, 64, false, {IDLE_STEP_YIELD, 0, 0}},
		{IDLE_SLEEP, 255, true, {IDLE_STEP_YIELD, 0, 0}},
		{IDLE_SLEEP, 256, true, {IDLE_STEP_SLEEP, 0, 20 * NS_PER_US}},
		{IDLE_SLEEP, 320, true, {IDLE_STEP_SLEEP, 0, 40 * NS_PER_US}},
		{IDLE_SLEEP, 1u << 30, false, {IDLE_STEP_SLEEP, 0, 200 * NS_PER_US}},
		{IDLE_INTERRUPT, 63, false, {IDLE_STEP_RELAX, 0, 0}},
		{IDLE_INTERRUPT, 64, false, {IDLE_STEP_WAIT, 0, 500 * NS_PER_MS}},
		{IDLE_INTERRUPT, 64, true, {IDLE_STEP_YIELD, 0, 0}},
		{IDLE_INTERRUPT, 256, true, {IDLE_STEP_WAIT, 0, 20 * NS_PER_US}},
		{IDLE_INTERRUPT, 256 + 4096, true, {IDLE_STEP_WAIT, 0, NS_PER_MS}},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct idle_step step = lcore_idle_step(rows[i].policy, rows[i].empty, rows[i].polled);

		assert_int_equal(step.kind, rows[i].step.kind);
		assert_int_equal(step.pauses, rows[i].step.pauses);
		assert_int_equal(step.ns, rows[i].step.ns);
	}
	(void)state;
}

static void
auto_spins_on_isolated_cpus_only(void **state)
{
	assert_int_equal(lcore_idle_auto(3, true), IDLE_SLEEP);
	assert_int_equal(lcore_idle_auto(4, true), IDLE_SPIN);
	assert_int_equal(lcore_idle_auto(4, false), IDLE_PAUSE);
	assert_int_equal(lcore_idle_auto(64, false), IDLE_PAUSE);
	(void)state;
}

/* --- run -------------------------------------------------------------------------------------------- */

static void
spin_and_pause_never_sleep(void **state)
{
	static const enum idle_policy policies[] = {IDLE_SPIN, IDLE_PAUSE};

	for (size_t i = 0; i < ARRAY_COUNT(policies); i++) {
		struct rig r;

		rig_start(&r, policies[i], -1);
		rig_wait(&r);
		assert_int_equal(atomic_load(&r.clock.sleeps), 0);
		assert_int_equal(atomic_load(&r.loop.waker.asleep), 0);
		rig_stop(&r, 0);
		assert_int_equal(atomic_load(&r.status.sleep_ns), 0);
	}
	(void)state;
}

/* One sleep an empty turn from the 256th on, 20 us at first and 200 us in the end. */
static void
sleep_sleeps_by_the_clock(void **state)
{
	struct rig r;

	rig_start(&r, IDLE_SLEEP, -1);
	rig_wait(&r);
	assert_true(atomic_load(&r.clock.sleeps) >= TURNS - 300);
	assert_in_range(atomic_load(&r.clock.slept_ns) / atomic_load(&r.clock.sleeps), 180 * NS_PER_US,
		200 * NS_PER_US);
	rig_stop(&r, 0);
	assert_true(atomic_load(&r.status.sleep_ns) >= atomic_load(&r.clock.slept_ns));
	(void)state;
}

/* Few turns while nothing comes, none by the clock's sleep; the descriptor ends the wait. */
static void
interrupt_waits_for_the_descriptor(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t one = 1;
	struct rig r;

	assert_true(fd >= 0);
	rig_start(&r, IDLE_INTERRUPT, fd);
	while (atomic_load(&r.loop.waker.asleep) == 0) {
		clock_sleep_ns(clock_system(), NS_PER_MS);
	}
	assert_true(atomic_load(&r.stage.turns) < 1000);
	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
	rig_wait(&r);
	assert_int_equal(atomic_load(&r.clock.sleeps), 0);
	rig_stop(&r, 1);
	close(fd);
	(void)state;
}

/* A ring's offering side finds the flag up and ends the wait, which nothing else would for 500 ms. */
static void
interrupt_is_woken_by_a_ring(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint32_t turns;
	struct rig r;

	rig_start(&r, IDLE_INTERRUPT, fd);
	while (atomic_load(&r.loop.waker.asleep) == 0) {
		clock_sleep_ns(clock_system(), NS_PER_MS);
	}
	turns = atomic_load(&r.stage.turns);
	waker_wake(&r.loop.waker);
	while (atomic_load(&r.stage.turns) == turns) {
		clock_sleep_ns(clock_system(), NS_PER_MS / 10);
	}
	rig_stop(&r, 0);
	close(fd);
	(void)state;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_are_those_of_the_policy),
		cmocka_unit_test(auto_spins_on_isolated_cpus_only),
		cmocka_unit_test(spin_and_pause_never_sleep),
		cmocka_unit_test(sleep_sleeps_by_the_clock),
		cmocka_unit_test(interrupt_waits_for_the_descriptor),
		cmocka_unit_test(interrupt_is_woken_by_a_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
