/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/daemon/lcore_loop.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/ensure.h"

int
lcore_loop_init(struct lcore_loop *loop, struct clock *clock, struct engine_lcore *status)
{
	memset(loop, 0, sizeof(*loop));
	loop->clock = clock;
	loop->status = status;
	loop->cpu = -1;
	return waker_open(&loop->waker);
}

void
lcore_loop_fini(struct lcore_loop *loop)
{
	waker_close(&loop->waker);
}

void
lcore_loop_add(struct lcore_loop *loop, const struct poller *poller)
{
	ensure(loop->poller_count < LCORE_POLLERS_MAX);
	loop->pollers[loop->poller_count++] = *poller;
}

static uint32_t
lcore_loop_turn(struct lcore_loop *loop, uint64_t now_ns)
{
	uint32_t work = 0;

	for (uint32_t i = 0; i < loop->poller_count; i++) {
		work += loop->pollers[i].poll(loop->pollers[i].stage, now_ns);
	}
	return work;
}

static uint64_t
lcore_loop_deadline_ns(const struct lcore_loop *loop)
{
	uint64_t deadline_ns = UINT64_MAX;

	for (uint32_t i = 0; i < loop->poller_count; i++) {
		const struct poller *p = &loop->pollers[i];
		uint64_t stage_ns = p->deadline_ns ? p->deadline_ns(p->stage) : UINT64_MAX;

		deadline_ns = stage_ns < deadline_ns ? stage_ns : deadline_ns;
	}
	return deadline_ns;
}

/* Every descriptor is to tell of new work from here on. Returns the longest sleep all the same. */
static uint64_t
lcore_loop_arm(struct lcore_loop *loop, uint64_t wait_ns)
{
	waker_arm(&loop->waker);
	for (uint32_t i = 0; i < loop->poller_count; i++) {
		struct poller *p = &loop->pollers[i];

		if (p->arm && !p->arm(p->stage) && wait_ns > LCORE_IDLE_SLEEP_MAX_NS) {
			wait_ns = LCORE_IDLE_SLEEP_MAX_NS;
		}
	}
	return wait_ns;
}

static void
lcore_loop_disarm(struct lcore_loop *loop)
{
	for (uint32_t i = 0; i < loop->poller_count; i++) {
		if (loop->pollers[i].disarm) {
			loop->pollers[i].disarm(loop->pollers[i].stage);
		}
	}
	waker_awake(&loop->waker);
}

/*
 * Blocks until a descriptor, a ring, the next deadline or wait_ns. Returns false if work came before
 * that.
 */
static bool
lcore_loop_wait(struct lcore_loop *loop, int epoll_fd, uint64_t wait_ns)
{
	uint64_t now_ns = clock_now_ns(loop->clock);
	uint64_t deadline_ns;
	struct epoll_event events[LCORE_POLLERS_MAX];

	wait_ns = lcore_loop_arm(loop, wait_ns);
	/* Once more after arming: what was offered before the flag went up, or came before the device was
	 * told to interrupt, is seen here. */
	if (lcore_loop_turn(loop, now_ns) > 0 || atomic_load(&loop->stop)) {
		lcore_loop_disarm(loop);
		return false;
	}
	deadline_ns = lcore_loop_deadline_ns(loop);
	if (deadline_ns <= now_ns) {
		wait_ns = 0;
	} else if (deadline_ns - now_ns < wait_ns) {
		wait_ns = deadline_ns - now_ns;
	}
	struct timespec timeout = {.tv_sec = (time_t)(wait_ns / NS_PER_S),
		.tv_nsec = (long)(wait_ns % NS_PER_S)};

	(void)epoll_pwait2(epoll_fd, events, LCORE_POLLERS_MAX, &timeout, NULL);
	lcore_loop_disarm(loop);
	return true;
}

/* What to do after a run of empty turns. Returns ns slept. */
static uint64_t
lcore_loop_idle(struct lcore_loop *loop, int epoll_fd, uint32_t empty, bool must_be_polled)
{
	struct idle_step step = lcore_idle_step(loop->policy, empty, must_be_polled);
	uint64_t before_ns;

	switch (step.kind) {
	case IDLE_STEP_RELAX:
		for (uint32_t i = 0; i < step.pauses; i++) {
			__builtin_ia32_pause();
		}
		return 0;
	case IDLE_STEP_YIELD:
		sched_yield();
		return 0;
	case IDLE_STEP_SLEEP:
	case IDLE_STEP_WAIT:
		break;
	}
	before_ns = clock_now_ns(loop->clock);
	if (step.kind == IDLE_STEP_SLEEP) {
		clock_sleep_ns(loop->clock, step.ns);
	} else {
		lcore_loop_wait(loop, epoll_fd, step.ns);
	}
	return clock_now_ns(loop->clock) - before_ns;
}

static void
lcore_loop_account(struct engine_lcore *status, uint64_t busy_ns, uint32_t work, uint64_t slept_ns,
	uint64_t now_ns)
{
#define ADD(field, value)                                                                          \
	atomic_store_explicit(&status->field,                                                      \
		atomic_load_explicit(&status->field, memory_order_relaxed) + (value),              \
		memory_order_relaxed)
	ADD(turns, 1);
	if (work == 0) {
		ADD(turns_empty, 1);
	} else {
		ADD(busy_ns, busy_ns);
		ADD(items, work);
		if (busy_ns > atomic_load_explicit(&status->worst_turn_ns, memory_order_relaxed)) {
			atomic_store_explicit(&status->worst_turn_ns, busy_ns, memory_order_relaxed);
		}
	}
	ADD(sleep_ns, slept_ns);
	ADD(total_ns, busy_ns + slept_ns);
#undef ADD
	atomic_store_explicit(&status->heartbeat_ns, now_ns, memory_order_relaxed);
}

static int
lcore_loop_prepare(struct lcore_loop *loop, int *ret_epoll_fd, bool *ret_must_be_polled)
{
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t all;

	/* tap and others raise real-time signals: only the main thread takes any. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	if (loop->cpu >= 0) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(loop->cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set) < 0) {
			return -errno;
		}
	}
	*ret_must_be_polled = false;
	*ret_epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (*ret_epoll_fd < 0) {
		return -errno;
	}
	for (uint32_t i = 0; i < loop->poller_count; i++) {
		struct poller *p = &loop->pollers[i];
		int rc = p->start ? p->start(p->stage) : 0;

		if (rc < 0) {
			return rc;
		}
		*ret_must_be_polled |= p->must_be_polled;
		if (p->wait_fd >= 0 &&
			epoll_ctl(*ret_epoll_fd, EPOLL_CTL_ADD, p->wait_fd, &event) < 0) {
			return -errno;
		}
	}
	return epoll_ctl(*ret_epoll_fd, EPOLL_CTL_ADD, loop->waker.fd, &event) < 0 ? -errno : 0;
}

static void *
lcore_loop_run(void *argument)
{
	struct lcore_loop *loop = argument;
	bool must_be_polled = false;
	uint32_t empty = 0;
	int epoll_fd = -1;
	int rc = lcore_loop_prepare(loop, &epoll_fd, &must_be_polled);
	uint64_t now_ns = clock_now_ns(loop->clock);

	atomic_store(&loop->start_error, rc);
	atomic_store(&loop->started, true);
	while (rc == 0 && !atomic_load_explicit(&loop->stop, memory_order_relaxed)) {
		uint32_t work = lcore_loop_turn(loop, now_ns);
		uint64_t after_ns = clock_now_ns(loop->clock);
		uint64_t slept_ns = 0;

		empty = work > 0 ? 0 : empty + 1;
		if (empty > 0) {
			slept_ns = lcore_loop_idle(loop, epoll_fd, empty, must_be_polled);
		}
		lcore_loop_account(loop->status, after_ns - now_ns, work, slept_ns, after_ns);
		now_ns = clock_now_ns(loop->clock);
	}
	for (uint32_t i = 0; rc == 0 && i < loop->poller_count; i++) {
		if (loop->pollers[i].end) {
			loop->pollers[i].end(loop->pollers[i].stage);
		}
	}
	if (epoll_fd >= 0) {
		close(epoll_fd);
	}
	atomic_store(&loop->ended, true);
	return NULL;
}

int
lcore_loop_start(struct lcore_loop *loop)
{
	int rc = -pthread_create(&loop->thread, NULL, lcore_loop_run, loop);

	if (rc < 0) {
		return rc;
	}
	loop->running = true;
	while (!atomic_load(&loop->started)) {
		clock_sleep_ns(loop->clock, 100 * NS_PER_US);
	}
	return atomic_load(&loop->start_error);
}

void
lcore_loop_stop_begin(struct lcore_loop *loop)
{
	if (loop->running) {
		atomic_store(&loop->stop, true);
		waker_signal(&loop->waker);
	}
}

bool
lcore_loop_ended(const struct lcore_loop *loop)
{
	return !loop->running || atomic_load(&loop->ended);
}

void
lcore_loop_stop(struct lcore_loop *loop)
{
	if (loop->running) {
		lcore_loop_stop_begin(loop);
		pthread_join(loop->thread, NULL);
		loop->running = false;
	}
}
