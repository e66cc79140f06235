/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Penstock's commands on DPDK's telemetry socket, for dpdk-telemetry.py and what else reads it. The
 * socket is EAL's: there is none without a DPDK port. Main thread.
 */
#ifndef CTRL_TELEMETRY_H
#define CTRL_TELEMETRY_H

#include "ctrl/methods/engine.h"

/*
 * Registers the commands, which read the engine from then on. Once a process, after the lanes were
 * made. Negative errno: some of the commands are missing; telemetry_stop is due all the same.
 */
int telemetry_start(const struct engine *engine) MUST_CHECK;
/* Copies once a second what only a driver can tell. Nothing before telemetry_start. */
void telemetry_poll(uint64_t now_ns);
/*
 * Waits for a command that is under way; later ones are answered with null. Before anything of the
 * engine goes. Without a start it does nothing.
 */
void telemetry_stop(void);

#endif
