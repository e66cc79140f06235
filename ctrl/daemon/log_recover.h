/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's recovery, on a thread of its own: meanwhile the control thread answers, and a stop is
 * obeyed. Main thread only; while it runs nobody else touches the log or the broker.
 */
#ifndef CTRL_LOG_RECOVER_H
#define CTRL_LOG_RECOVER_H

#include <pthread.h>
#include <stdbool.h>
#include "base/compiler.h"

struct wiring;

struct log_recover {
	pthread_t thread;
	bool running; /* to be joined */
	_Atomic bool cancelled;
	_Atomic bool ended;
	int rc;
};

/* Attaches every ring and begins. Negative errno: no thread. */
int log_recover_begin(struct wiring *wiring) MUST_CHECK;
/* True once it has ended: 0, -ECANCELED, or the errno that it failed with. */
bool log_recover_ended(struct wiring *wiring, int *ret_rc);
/* Ends it behind the partition that it is at; the next start begins anew. */
void log_recover_cancel(struct wiring *wiring);
/* Cancels and waits, if it runs. */
void log_recover_end(struct wiring *wiring);

#endif
