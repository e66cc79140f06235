/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control thread: signals, the broker's slow path and (when there is one) the control socket, in
 * one epoll loop of the main thread. It sleeps until something comes, at most 100 ms.
 */
#ifndef CTRL_CONTROL_LOOP_H
#define CTRL_CONTROL_LOOP_H

#include "ctrl/daemon/wiring.h"

struct control_loop {
	int epoll_fd;
	int signal_fd;
	bool stopping;
	bool announced;
	uint64_t start_ns;
};

/* Blocks the signals it takes: before any thread is made, so that all inherit the mask. */
int control_loop_init(struct control_loop *loop);
/* Runs until the wiring has stopped. 0 a clean stop; negative errno. */
int control_loop_run(struct control_loop *loop, struct wiring *wiring);
void control_loop_fini(struct control_loop *loop);

#endif
