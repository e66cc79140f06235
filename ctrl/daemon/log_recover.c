/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/daemon/log_recover.h"

#include <errno.h>
#include <signal.h>
#include "base/log.h"
#include "ctrl/daemon/config.h"
#include "ctrl/daemon/wiring.h"

static void
log_recover_attach(struct wiring *w)
{
	struct engine *e = &w->engine;
	struct log_wakers wakers = {.keeper = &w->keeper_waker, .control = &w->control_waker};

	for (uint32_t s = 0; s < e->shard_count; s++) {
		for (uint32_t c = 0; c < w->client_count; c++) {
			struct wiring_log_rings *r = &w->log_rings[c][s];

			logstore_attach(e->store, c, s,
				&(struct log_client_rings){.append_req = &r->append_req,
					.append_done = &r->append_done,
					.read_req = &r->read_req,
					.read_done = &r->read_done,
					.extent_release = &r->extent_release});
		}
		logstore_attach_notes(e->store, s, &w->commit_notes[s]);
		wakers.shards[s] = &w->shard_loop[s]->waker;
	}
	logstore_attach_wakers(e->store, &wakers);
}

static void
log_recover_found(void *user_data, uint32_t partition_index, const char *topic, uint32_t partition,
	const uint8_t topic_id[16], const struct log_recovery_report *report)
{
	struct wiring *w = user_data;

	broker_found(w->engine.broker, partition_index, topic, partition, topic_id);
	if (report->quarantined) {
		log_error("log", "%s-%u is quarantined: %s", topic, partition, report->reason);
	}
	if (report->tail_repaired > 0 || report->unproven_cut_bytes > 0) {
		log_warning("log", "%s-%u: %u tail blocks repaired, %llu unproven bytes cut", topic,
			partition, report->tail_repaired, (unsigned long long)report->unproven_cut_bytes);
	}
}

static bool
log_recover_progress(void *user_data, uint32_t done, uint32_t total)
{
	struct wiring *w = user_data;

	log_info("log", "recovered %u of %u partitions", done, total);
	atomic_store_explicit(&w->engine.recover_done, done, memory_order_relaxed);
	atomic_store_explicit(&w->engine.recover_total, total, memory_order_relaxed);
	if (w->config->fault_io_recovery_delay_ns > 0) {
		clock_sleep_ns(w->clock, w->config->fault_io_recovery_delay_ns);
	}
	return !atomic_load_explicit(&w->recover.cancelled, memory_order_relaxed);
}

static void *
log_recover_run(void *argument)
{
	struct wiring *w = argument;
	sigset_t all;

	/* tap raises real-time signals: only the main thread takes any. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	w->recover.rc = logstore_recover(w->engine.store, log_recover_found, log_recover_progress, w);
	atomic_store_explicit(&w->recover.ended, true, memory_order_release);
	waker_signal(&w->control_waker);
	return NULL;
}

int
log_recover_begin(struct wiring *w)
{
	int rc;

	log_recover_attach(w);
	rc = -pthread_create(&w->recover.thread, NULL, log_recover_run, w);
	w->recover.running = rc == 0;
	if (w->recover.running) {
		(void)pthread_setname_np(w->recover.thread, "recovery");
	}
	return rc;
}

static void
log_recover_join(struct wiring *w)
{
	if (w->recover.running) {
		pthread_join(w->recover.thread, NULL);
		w->recover.running = false;
	}
}

bool
log_recover_ended(struct wiring *w, int *ret_rc)
{
	if (!atomic_load_explicit(&w->recover.ended, memory_order_acquire)) {
		return false;
	}
	log_recover_join(w);
	*ret_rc = w->recover.rc;
	return true;
}

void
log_recover_cancel(struct wiring *w)
{
	atomic_store_explicit(&w->recover.cancelled, true, memory_order_relaxed);
}

void
log_recover_end(struct wiring *w)
{
	log_recover_cancel(w);
	log_recover_join(w);
}
