/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lanes over DPDK ports: arithmetic, memory, checks, EAL, devices, in this order, so that whatever can
 * be wrong is told before EAL's one start. Nothing happens without a DPDK port. Main thread.
 */
#ifndef CTRL_PORTS_DPDK_H
#define CTRL_PORTS_DPDK_H

#include "ctrl/daemon/ports.h"

/* Fills the rows, engine.nics and lane_ports of all DPDK ports. Negative errno with the error told. */
int ports_dpdk_open(struct wiring *wiring, struct wiring_error *error) MUST_CHECK;
/* Closes devices, counts buffers, stops EAL. Safe after a failed open. */
void ports_dpdk_close(struct wiring *wiring);

#endif
