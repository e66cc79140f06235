/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way down, one phase behind the other, each with a deadline: lanes drain, jobs close their functions
 * while their lcores still turn, the log seals, the lcores end. Main thread. A function that never returns
 * holds its lcore for ever and cannot be taken off it: the last phase then names it, and the process ends
 * without joining anything (main.c). What was acknowledged is durable since before its ack.
 */
#include <stdio.h>
#include "base/log.h"
#include "ctrl/daemon/wiring.h"
#include "ctrl/methods/worker_watch.h"

/* Threads end after one turn: even who does not want to wait waits that long before they count as stuck. */
#define THREADS_MIN_NS (2 * NS_PER_S)

enum {
	STOP_NOT,
	STOP_RECOVERY, /* before anything served: behind the partition that is being recovered */
	STOP_LANES, /* no new sessions; what was accepted becomes durable */
	STOP_JOBS,  /* functions are closed */
	STOP_LOG,   /* seal and checkpoint */
	STOP_THREADS,
	STOP_DONE,
};

static void
wiring_stop_phase(struct wiring *w, uint32_t phase, uint64_t now_ns)
{
	w->stop_phase = phase;
	w->stop_deadline_ns = now_ns + w->stop_within_ns;
}

/* Names the functions that are being called, on one lcore or on all (-1). Returns how many. */
static uint32_t
wiring_stop_name_functions(struct wiring *w, int lcore, uint64_t now_ns)
{
	char text[WORKER_WATCH_TEXT];
	uint32_t count = 0;

	for (uint32_t i = 0; i < w->engine.worker_count; i++) {
		struct worker_watch watch;

		worker_watch(&w->engine, i, now_ns, &watch);
		if (watch.running_ns > 0 && (lcore < 0 || watch.lcore == (uint32_t)lcore)) {
			log_error("daemon", "%s",
				worker_watch_words(&w->engine, &watch, text, sizeof(text)));
			count++;
		}
	}
	return count;
}

static void
wiring_stop_recovery(struct wiring *w, bool late)
{
	int rc;

	if (log_recover_ended(w, &rc)) {
		log_info("daemon", "stopped while the log was being recovered; the next start begins it anew");
		w->stop_phase = STOP_DONE;
	} else if (late) {
		log_warning("daemon", "recovery has not come to the end of its partition in time; it is left as by a "
				      "SIGKILL, and the next start begins it anew");
		w->stop_held_up = true;
		w->stop_phase = STOP_DONE;
	}
}

static void
wiring_stop_lanes(struct wiring *w, uint64_t now_ns, bool late)
{
	struct engine *e = &w->engine;
	bool drained = true;

	for (uint32_t i = 0; i < e->lane_count; i++) {
		drained &= lane_drained(e->lanes[i]);
	}
	if (drained || late) {
		e->state = ENGINE_STOPPING;
		batcher_stop(e->batcher);
		wiring_stop_phase(w, STOP_JOBS, now_ns);
	}
}

static void
wiring_stop_jobs(struct wiring *w, uint64_t now_ns, bool late)
{
	bool closed = batcher_stopped(w->engine.batcher);

	if (!closed && !late) {
		return;
	}
	if (!closed) {
		log_warning("daemon", "jobs are not closed in time");
		(void)wiring_stop_name_functions(w, -1, now_ns);
	}
	logstore_stop_begin(w->engine.store);
	wiring_stop_phase(w, STOP_LOG, now_ns);
}

static void
wiring_stop_log(struct wiring *w, uint64_t now_ns, bool late)
{
	bool sealed = logstore_stopped(w->engine.store);

	if (!sealed && !late) {
		return;
	}
	if (!sealed) {
		log_warning("daemon", "log not sealed in time; the next start recovers");
	}
	for (uint32_t i = 0; i < w->loop_count; i++) {
		lcore_loop_stop_begin(&w->loops[i]);
	}
	wiring_stop_phase(w, STOP_THREADS, now_ns);
	w->stop_threads_ns = now_ns + THREADS_MIN_NS;
}

static void
wiring_stop_threads(struct wiring *w, uint64_t now_ns, bool late)
{
	uint32_t running = 0;

	for (uint32_t i = 0; i < w->loop_count; i++) {
		running += !lcore_loop_ended(&w->loops[i]);
	}
	if (running > 0 && (!late || now_ns < w->stop_threads_ns)) {
		return;
	}
	for (uint32_t i = 0; running > 0 && i < w->loop_count; i++) {
		if (!lcore_loop_ended(&w->loops[i]) &&
			wiring_stop_name_functions(w, (int)i, now_ns) == 0) {
			log_error("daemon", "lcore %u (%s) has not ended", i, w->engine.lcores[i].role);
		}
	}
	w->stop_held_up = running > 0;
	w->stop_phase = STOP_DONE;
}

void
wiring_stop_advance(struct wiring *w, uint64_t now_ns)
{
	bool late = now_ns >= w->stop_deadline_ns;

	switch (w->stop_phase) {
	case STOP_RECOVERY:
		wiring_stop_recovery(w, late);
		break;
	case STOP_LANES:
		wiring_stop_lanes(w, now_ns, late);
		break;
	case STOP_JOBS:
		wiring_stop_jobs(w, now_ns, late);
		break;
	case STOP_LOG:
		wiring_stop_log(w, now_ns, late);
		break;
	case STOP_THREADS:
		wiring_stop_threads(w, now_ns, late);
		break;
	default:
		break;
	}
}

void
wiring_stop_begin(struct wiring *w, uint64_t now_ns, uint64_t within_ns)
{
	if (w->stop_phase != STOP_NOT) {
		return;
	}
	w->stop_within_ns = within_ns;
	if (!w->serving) {
		wiring_stop_phase(w, STOP_RECOVERY, now_ns);
		w->engine.state = ENGINE_STOPPING;
		log_recover_cancel(w);
		return;
	}
	wiring_stop_phase(w, STOP_LANES, now_ns);
	w->engine.state = ENGINE_DRAINING;
	for (uint32_t i = 0; i < w->engine.lane_count; i++) {
		lane_drain_begin(w->engine.lanes[i]);
		waker_signal(&w->lane_loop[i]->waker);
	}
}

void
wiring_stop_now(struct wiring *w)
{
	w->stop_within_ns = 0;
	w->stop_deadline_ns = 0;
}

bool
wiring_stopped(const struct wiring *w)
{
	return w->stop_phase == STOP_DONE;
}

bool
wiring_held_up(const struct wiring *w)
{
	return w->stop_held_up;
}
