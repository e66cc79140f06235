/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which poller runs on which lcore, and how that lcore idles: by the CPU lists of the configuration and
 * lcores.share. At start, main thread.
 */
#ifndef CTRL_LCORE_PLAN_H
#define CTRL_LCORE_PLAN_H

#include "ctrl/daemon/wiring.h"

/* The CPU that a lane's lcore is pinned to, -1 if to none. */
int lcore_plan_rx_cpu(const struct config *config, uint32_t lane);
/* Fills loops and the four kinds of *_loop; the queues are open. -EINVAL with the error told. */
int lcore_plan_place(struct wiring *wiring, struct wiring_error *error) MUST_CHECK;

#endif
