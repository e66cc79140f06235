/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Congestion window of one session, in bytes of UDP payload. Delay-based, so that it finds the
 * server's speed before the NIC queue overflows: slow start until loss, CE or a round whose smallest
 * RTT is above min_rtt + max(50 us, min_rtt / 2); then one step a round, up by a datagram below that
 * target, down in proportion above it; loss or CE cut by 0.7 once a round.
 *
 * A round lasts from a packet's sending until a packet sent after it is acknowledged. The delay
 * signal never goes below the initial window: ten datagrams build no queue worth avoiding, while
 * scheduling jitter on a busy host easily looks like one. Loss may go down to two, and from there it
 * grows whatever the delay is: a window held at two by jitter sends 3 KB a round. I/O thread only.
 */
#ifndef CLIENT_CLIENT_CWND_H
#define CLIENT_CLIENT_CWND_H

#include <stdbool.h>
#include <stdint.h>

#define CLIENT_CWND_INITIAL_DATAGRAMS 10
#define CLIENT_CWND_MIN_DATAGRAMS     2
#define CLIENT_CWND_MAX_DATAGRAMS     1024
#define CLIENT_CWND_BURST	      32

struct client_cwnd {
	uint64_t window_bytes;
	uint64_t in_flight_bytes;
	uint64_t datagram_bytes;
	uint64_t round_end_pn;	  /* the round ends when this pn or a later one is acknowledged */
	uint64_t recovery_end_pn; /* losses below it belong to a cut already made */
	uint64_t round_rtt_min_ns;
	uint64_t pace_next_ns; /* nothing before this instant when pacing */
	bool slow_start;
	bool round_used; /* the window was the limit at some time in this round */
};

struct client_rtt;

void client_cwnd_init(struct client_cwnd *cwnd, uint64_t datagram_bytes);
/* True if `bytes` more may be in flight now. Notes that the window was the limit if not. */
bool client_cwnd_allows(struct client_cwnd *cwnd, uint64_t bytes);
void client_cwnd_sent(struct client_cwnd *cwnd, uint64_t bytes);
/* A packet left the network, acknowledged or lost. */
void client_cwnd_settled(struct client_cwnd *cwnd, uint64_t bytes);
/* After all packets of one ACK were settled: highest pn it covers, bytes it newly covers. */
void client_cwnd_acked(struct client_cwnd *cwnd, uint64_t acked_pn, uint64_t next_pn, uint64_t bytes,
	const struct client_rtt *rtt);
/* Loss of pn, or a CE mark seen when pn was acknowledged. */
void client_cwnd_congested(struct client_cwnd *cwnd, uint64_t pn, uint64_t next_pn);
/* Three probe timeouts in a row: start over with two datagrams. */
void client_cwnd_collapse(struct client_cwnd *cwnd, uint64_t next_pn);
/* Earliest instant of the next send after one of `bytes` at now_ns; 0 while pacing is off. */
void client_cwnd_pace(struct client_cwnd *cwnd, uint64_t bytes, uint64_t srtt_ns, uint64_t now_ns);

#endif
