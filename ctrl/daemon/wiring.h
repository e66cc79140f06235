/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The composition root: makes every stage from the configuration, joins them by rings, places them on
 * lcores, starts and stops them. The order of wiring_start is the order of a start in production; stop
 * undoes it backwards. Main thread only.
 */
#ifndef CTRL_WIRING_H
#define CTRL_WIRING_H

#include <pthread.h>
#include "base/rand.h"
#include "base/ring.h"
#include "ctrl/daemon/lcore_loop.h"
#include "ctrl/daemon/log_recover.h"
#include "ctrl/methods/engine.h"
#include "ctrl/schema/config_key.h"

#define WIRING_TEXT_BYTES  4096

/* What went wrong at start: what, why and the command that mends it, ready to print. */
struct wiring_error {
	char text[WIRING_TEXT_BYTES];
};

/* Rings between one client of the log and one shard. */
struct wiring_log_rings {
	struct ring append_req, append_done, read_req, read_done, extent_release;
};

struct wiring {
	struct engine engine;
	const struct config *config;
	struct ports *ports; /* ctrl/daemon/ports.h */
	struct port *device_made; /* set before the start: ports[0] is this device, open already (tests) */
	struct clock *clock;
	struct rand rand;		     /* start-up and control */
	struct rand keeper_rand;	     /* the log's: recovery, then the keeper thread */
	struct rand lane_rand[HANDOFF_LANES_MAX];
	struct lane_secrets secrets;
	struct route_table routes;
	struct waker control_waker;	     /* rings that end on the control thread */
	struct waker keeper_waker;	     /* and on the keeper's */
	struct io *keeper_io;
	struct io *shard_io[HANDOFF_SHARDS_MAX];
	struct io_trace *shard_trace[HANDOFF_SHARDS_MAX]; /* fault.io.trace; its io frees it */
	uint32_t client_count;
	uint16_t control_client, batcher_client;
	struct wiring_log_rings log_rings[HANDOFF_CLIENTS_MAX][HANDOFF_SHARDS_MAX];
	struct ring commit_notes[HANDOFF_SHARDS_MAX];
	struct ring tasks[HANDOFF_WORKERS_MAX], dones[HANDOFF_WORKERS_MAX];
	struct ring control_ask[HANDOFF_LANES_MAX], control_answer[HANDOFF_LANES_MAX];
	struct lcore_loop loops[ENGINE_LCORES_MAX];
	uint32_t loop_count;
	struct lcore_loop *lane_loop[HANDOFF_LANES_MAX];
	struct lcore_loop *shard_loop[HANDOFF_SHARDS_MAX];
	struct lcore_loop *batcher_loop;
	struct lcore_loop *worker_loop[HANDOFF_WORKERS_MAX];
	pthread_t keeper_thread;
	bool keeper_running;
	_Atomic bool keeper_stop;
	char fallback_text[16][640];
	uint64_t stop_deadline_ns;
	uint64_t stop_within_ns; /* of each phase */
	char instance[9];
	uint32_t stop_phase;	  /* wiring_stop.c */
	uint64_t stop_threads_ns; /* before it no thread counts as held up */
	bool stop_held_up;
	struct log_recover recover;
	bool serving;	/* the log is recovered, the lcores run */
	int start_rc;	/* of what wiring_poll did of the start; the error is told below */
	struct wiring_error start_error;
};

/*
 * Makes everything (engine.version and engine.ctl_socket are the caller's) and begins the recovery of the
 * log; wiring_poll starts the lcores when that is done, and loads the broker. Negative errno with the
 * error told.
 */
int wiring_start(struct wiring *wiring, const struct config *config, struct wiring_error *error)
	MUST_CHECK;
/*
 * One step of what the control thread runs besides RPC: the rest of the start, broker, secrets, state,
 * stop. Negative start_rc: the start has failed here.
 */
uint32_t wiring_poll(struct wiring *wiring, uint64_t now_ns);
/* Begins the drain, within_ns for each phase, if it has not begun; wiring_poll advances it. */
void wiring_stop_begin(struct wiring *wiring, uint64_t now_ns, uint64_t within_ns);
/* No phase waits any longer. */
void wiring_stop_now(struct wiring *wiring);
/* wiring_poll's part of a stop. */
void wiring_stop_advance(struct wiring *wiring, uint64_t now_ns);
/* True once nothing is left, or the time was up. */
bool wiring_stopped(const struct wiring *wiring);
/* Once stopped: a thread has not ended and never may; it was named in the log. Not to be destroyed then. */
bool wiring_held_up(const struct wiring *wiring);
/* Ends threads and frees. Safe after a failed start. */
void wiring_destroy(struct wiring *wiring);
/* Notes a fallback: one line with what was missing, what is used instead and how to mend it. */
void wiring_fallback(struct wiring *wiring, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
