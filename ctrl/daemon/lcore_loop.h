/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of one lcore: polls the stages that a profile placed on it, in order, and idles by policy.
 * Stages return work counts and know nothing of sleeping. This is the only file
 * besides base/clock.c that may read a clock or block in front of a hot path.
 */
#ifndef CTRL_LCORE_LOOP_H
#define CTRL_LCORE_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/waker.h"
#include "ctrl/daemon/lcore_idle.h"
#include "ctrl/methods/engine.h"

/* All stages of the largest configuration may share one lcore: every lane, shard and worker, and
 * the batcher. */
#define LCORE_POLLERS_MAX (HANDOFF_LANES_MAX + HANDOFF_SHARDS_MAX + 1 + HANDOFF_WORKERS_MAX)

/* One stage on an lcore. */
struct poller {
	void *stage;
	int (*start)(void *stage); /* first, on the lcore itself; may be NULL */
	void (*end)(void *stage);  /* last, on the lcore itself, if start was; may be NULL */
	uint32_t (*poll)(void *stage, uint64_t now_ns);
	uint64_t (*deadline_ns)(const void *stage); /* NULL: none */
	int wait_fd;	   /* wakes the lcore under IDLE_INTERRUPT; -1 none */
	/* Around each sleep on wait_fd, before the last poll and after it; NULL: it needs nothing. */
	bool (*arm)(void *stage); /* false: wait_fd will not tell this time, sleep at most 200 us */
	void (*disarm)(void *stage);
	bool must_be_polled; /* has no fd to announce work: sleep at most 200 us, 1 ms after long quiet */
};

struct lcore_loop {
	struct clock *clock;
	struct engine_lcore *status;
	struct waker waker; /* the taking side of every ring that ends on this lcore */
	enum idle_policy policy;
	int cpu; /* -1: not pinned */
	struct poller pollers[LCORE_POLLERS_MAX];
	uint32_t poller_count;
	_Atomic bool stop;
	_Atomic int start_error; /* negative errno of a stage's start */
	_Atomic bool started;
	_Atomic bool ended; /* nothing of it is called any more */
	pthread_t thread;
	bool running;
};

int lcore_loop_init(struct lcore_loop *loop, struct clock *clock, struct engine_lcore *status);
void lcore_loop_add(struct lcore_loop *loop, const struct poller *poller);
/* Starts the thread and waits until every stage's start returned. Negative errno of the first. */
int lcore_loop_start(struct lcore_loop *loop);
/* Asks the loop to end after its turn. */
void lcore_loop_stop_begin(struct lcore_loop *loop);
/* True if lcore_loop_stop will not wait: it has ended, or was never started. */
bool lcore_loop_ended(const struct lcore_loop *loop);
/* Asks the loop to end after its turn, and joins: waits as long as a function on it runs. */
void lcore_loop_stop(struct lcore_loop *loop);
void lcore_loop_fini(struct lcore_loop *loop);

#endif
