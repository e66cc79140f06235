/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path MTU discovery of one lane's path (PLPMTU, RFC 8899): the largest UDP payload that is known to
 * arrive. It starts at 1200, which every path carries, and is raised only by a PROBE that the server
 * says has arrived; a lost PROBE is no sign of congestion.
 *
 * Black hole: large packets vanish while small ones are acknowledged. Ordinary loss looks alike for a
 * while and falling back costs batches (they cannot be cut again), so a suspicion is checked by
 * probes of the current size first. Belongs to the lane, not to the session: a reconnect keeps it.
 * I/O thread only.
 */
#ifndef CLIENT_CLIENT_MTU_H
#define CLIENT_CLIENT_MTU_H

#include <stdbool.h>
#include <stdint.h>

#define CLIENT_MTU_BASE		1200 /* every path carries it: CLIENT_DATAGRAM_MIN */
#define CLIENT_MTU_PROBES	3
#define CLIENT_MTU_SUSPECT	3  /* large packets lost in a row while small ones arrive */
#define CLIENT_MTU_CHECK_PROBES 10 /* unanswered before the path counts as a black hole */

struct client_mtu {
	uint16_t current;
	uint16_t limit;	 /* min of the interface and ACCEPT.max_datagram */
	uint16_t ip_overhead; /* 28 or 48: which of the usual sizes are tried */
	uint16_t probe_size; /* 0: none running */
	uint32_t probes_sent;
	uint64_t next_probe_ns;
	uint64_t search_again_ns; /* after a failed size or a black hole */
	uint32_t large_lost;	  /* since a large packet was acknowledged */
	bool checking;		  /* a black hole is suspected */
};

void client_mtu_init(struct client_mtu *mtu, bool ipv6);
/* A session was opened: its limit. Starts the search. */
void client_mtu_opened(struct client_mtu *mtu, uint16_t limit, uint64_t now_ns);
/* The PROBE due now, 0 none; pto_ns spaces repeats. Changes `current` when a check fails for good. */
uint16_t client_mtu_poll(struct client_mtu *mtu, uint64_t now_ns, uint64_t pto_ns);
/* PROBED: payload bytes that arrived. */
void client_mtu_arrived(struct client_mtu *mtu, uint16_t payload_bytes, uint64_t now_ns);
/* A datagram above the base size was acknowledged or lost. */
void client_mtu_large_acked(struct client_mtu *mtu);
void client_mtu_large_lost(struct client_mtu *mtu, uint64_t now_ns);
uint64_t client_mtu_deadline_ns(const struct client_mtu *mtu);

#endif
