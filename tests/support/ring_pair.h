/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two DPDK ports of this process, wired crosswise by rte_rings (net_ring): what one sends, the other
 * receives, queue by queue. No privilege, no hugepages. Starts EAL, so once a process; main thread.
 */
#ifndef SUPPORT_RING_PAIR_H
#define SUPPORT_RING_PAIR_H

#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"
#include "nic/port.h"

#define RING_PAIR_QUEUES_MAX 16

/*
 * `slots` (a power of two) is how many packets a direction of a queue holds: a full ring refuses.
 * Close both with port_close. False: said on stderr.
 */
bool ring_pair_open(uint16_t queues, uint32_t slots, struct port **ret_a, struct port **ret_b) MUST_CHECK;

#endif
