/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control thread: signals, the broker's slow path and the control socket, in one
 * epoll loop of the main thread. It sleeps until something comes, at most 100 ms.
 */
#ifndef CTRL_CONTROL_LOOP_H
#define CTRL_CONTROL_LOOP_H

#include "ctrl/daemon/wiring.h"
#include "ctrl/methods/methods.h"

struct control_loop {
	int epoll_fd;
	int signal_fd;
	struct rpc_server *rpc;
	struct methods *methods;
	bool stopping;
	bool announced;
	bool only_start; /* set by --check: until the lcores run */
	uint64_t start_ns;
};

/* Blocks the signals it takes: before any thread is made, so that all inherit the mask. */
int control_loop_init(struct control_loop *loop);
/* Opens the control socket: a start may take long and people want to look. Negative errno, told. */
int control_loop_listen(struct control_loop *loop, struct wiring *wiring, struct wiring_error *error)
	MUST_CHECK;
/* Runs until the wiring has stopped. 0 a clean stop; negative errno: the start's error is told. */
int control_loop_run(struct control_loop *loop, struct wiring *wiring, struct wiring_error *error);
/* Says goodbye to control connections. */
void control_loop_close(struct control_loop *loop);
/* After wiring_destroy: jobs use the methods' plug-ins until the batcher is gone. */
void control_loop_fini(struct control_loop *loop);

#endif
