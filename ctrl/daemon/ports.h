/* SPDX-License-Identifier: Apache-2.0 */
/* Makes one NIC queue a lane from the configured ports: kernel sockets or DPDK devices. At start. */
#ifndef CTRL_PORTS_H
#define CTRL_PORTS_H

#include "ctrl/daemon/wiring.h"

/* How many lanes the configuration asks for; 1..LANES_MAX. */
uint32_t ports_lane_count(const struct config *config);
/* Fills engine.nics, lane_ports and lane_count. Negative errno with the error told. */
int ports_open(struct wiring *wiring, struct wiring_error *error) MUST_CHECK;
void ports_close(struct wiring *wiring);
/* Own addresses and VLAN of a lane, for net_mode own. */
void ports_lane_net(const struct wiring *wiring, uint32_t lane, struct lane_options *options);

#endif
