/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter in front of AF_XDP (xdp_lanes.bpf.c) as a start sees it: which UDP ports an object passes on, and
 * what a daemon that was killed has left on an interface. The driver attaches the program and takes it off when
 * its port closes; nobody does when the process is killed, and the driver does not start over it. Housekeeping
 * thread, at start and end. CAP_NET_ADMIN, and CAP_SYS_ADMIN to know whose program it is.
 */
#ifndef NIC_XDP_LANES_H
#define NIC_XDP_LANES_H

#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"

/* The ports that an object of ours passes on; false: there is no such file, or it is somebody else's program. */
bool xdp_lanes_ports(const char *path, uint32_t *ret_first, uint32_t *ret_count);
/*
 * Takes an interface for this process, in this network namespace, until the descriptor is closed; the program of
 * one that is gone is taken off first (*ret_removed). -EADDRINUSE: a daemon that lives has it. Else a negative
 * errno: of the interface, or of the kernel, and nothing was changed. Programs of others are left alone.
 */
int xdp_lanes_take(const char *interface, bool *ret_removed) MUST_CHECK;

#endif
