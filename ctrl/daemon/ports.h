/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes one NIC queue a lane from the configured ports: kernel sockets (ports_socket.c) or DPDK
 * devices (ports_dpdk.c), with the fault decorator over either. DPDK starts only if a port wants it.
 * Main thread: at start, once a second, at the end.
 */
#ifndef CTRL_PORTS_H
#define CTRL_PORTS_H

#include "ctrl/daemon/wiring.h"
#include "ctrl/schema/config_gen.h"
#include "nic/port_driver.h"

struct port;

/* One port of the configuration and the lanes that it carries. */
struct ports_row {
	const struct config_port *config;
	uint32_t index;
	uint32_t lane_first, lane_count;
	struct port *device; /* of nic/port.h; NULL: kernel sockets */
	int xdp_fd;	     /* that the interface is this process' own (xdp_lanes_take), else -1 */
	bool own_net;	     /* Penstock answers ARP, NDP and ICMP; else the kernel does */
	bool link_up;
	uint32_t kept_max; /* buffers that the driver never gives back (zero-copy memif) */
	char name[40]; /* "net_af_packet0", "0000:41:00.0", "socket" */
	uint64_t checksum_errors; /* of its lanes, when last looked at */
	uint64_t checksum_told_ns;
	bool checksums_distrusted; /* the device called a wrong one good */
	struct port_driver_guess driver_guess; /* of a driver that our table does not have */
};

struct ports {
	struct ports_row rows[CONFIG_PORTS_MAX];
	uint32_t count;
	bool eal_started;
	uint64_t looked_ns;
};

/* How many lanes the configuration asks for; 1..HANDOFF_LANES_MAX. */
uint32_t ports_lane_count(const struct config *config);
/* Fills engine.nics and lane_ports. Negative errno with the error told; ports_close even then. */
int ports_open(struct wiring *wiring, struct wiring_error *error) MUST_CHECK;
/* After the lanes are gone and their threads ended. Tells of buffers that did not come home. */
void ports_close(struct wiring *wiring);
/* Own addresses and VLAN of a lane, for net_mode own. */
void ports_lane_net(const struct wiring *wiring, uint32_t lane, struct lane_options *options);
/* After its lane was made: the group addresses that IPv6 needs. */
int ports_lane_join(struct wiring *wiring, uint32_t lane, struct wiring_error *error) MUST_CHECK;
/* The lane's queue is a DPDK port's: its thread registers with EAL. */
bool ports_lane_is_dpdk(const struct wiring *wiring, uint32_t lane);
/* Links that came up announce their addresses again; wrong checksums are told with a cause. */
void ports_poll(struct wiring *wiring, uint64_t now_ns);

/* Text to the mapped form that packet_peer uses. -EINVAL. */
int ports_address(const char *text, uint8_t ret_address[16]);

#endif
