/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client library's transport over nic/nic.h and our own net stack, for tests and generators: the
 * third row of client/transport.h beside kernel sockets and the model's network. The installed
 * library has none of it.
 *
 * One station is one host on the link: an address, the queues of one port, and one thread that alone
 * touches them. Each producer's I/O thread meets it in two rings of datagrams. Producers share the
 * address and differ by UDP source port: STATION_PORT_FIRST + 16 x producer + lane, which is
 * how answers find their way. Queue i carries what goes to the server's lane i, because a memif's
 * peer has no other steering; so a station has as many queues as the server has lanes.
 */
#ifndef SUPPORT_STATION_H
#define SUPPORT_STATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"
#include "client/transport.h"
#include "nic/nic.h"

#define STATION_QUEUES_MAX    16
#define STATION_PRODUCERS_MAX 64
#define STATION_PORT_FIRST    40000

struct station;

struct station_options {
	struct nic *queues[STATION_QUEUES_MAX];
	uint32_t queue_count;
	uint8_t address[16]; /* ours, IPv4 mapped */
	uint16_t vlan_id;    /* 0 none */
	uint32_t resolve_ms; /* how long station_connect waits for the server's MAC address; 0: not */
	/* Of the polling thread, before its first and after its last turn; may be NULL. */
	int (*thread_begin)(void);
	void (*thread_end)(void);
};

/* -EINVAL: no queue, or an address that no host may own; -ENOMEM. The queues stay the caller's. */
int station_create(const struct station_options *options, struct station **ret_station) MUST_CHECK;
/* Starts the polling thread. Without it station_turn is the caller's to call (single-stepped tests). */
int station_start(struct station *station) MUST_CHECK;
/* One bounded step. Returns work done. */
uint32_t station_turn(struct station *station, uint64_t now_ns);
/* Stops the thread. All transports are destroyed before. */
void station_destroy(struct station *station);

/*
 * Makes one producer's transport: a transport_create_fn whose user_data is the station. bootstrap is
 * "IP:PORT" or "[IP6]:PORT", on the link. -EHOSTUNREACH: nobody answers for the address; -EUSERS.
 */
int station_connect(void *station, const char *bootstrap, struct transport **ret_transport,
	char *text, size_t text_bytes);

struct station_report {
	struct nic_stats port; /* of the first queue's port; faults summed over the queues */
	uint64_t rx_packets;
	uint64_t rx_native;    /* datagrams */
	uint64_t rx_stray;     /* of them, for no producer that is there */
	uint64_t rx_ring_full; /* of them, lost because a producer's ring was full */
	uint64_t tx_datagrams, tx_offered;
	uint64_t tx_full; /* given up by the driver, after it was offered */
	uint32_t owners_out;
	bool adds_up; /* E3 and E8 in small: every packet has a reason, every buffer is home */
};

/* After station_stop or between turns. */
void station_report(struct station *station, struct station_report *ret_report);
/* Ends the thread after it has been idle for so long: late answers are taken, nothing is cut off. */
void station_stop(struct station *station, uint64_t quiet_ns);
/* {"opackets": ..., ...} without a newline. */
void station_report_json(const struct station_report *report, char *ret_text, size_t text_bytes);

#endif
