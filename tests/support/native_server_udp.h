/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference server behind real UDP sockets on 127.0.0.1, on a thread of its own: for tests of the
 * library and of the load generator. Ports are found free. Everything below may be called by the test's
 * thread: one lock.
 */
#ifndef SUPPORT_NATIVE_SERVER_UDP_H
#define SUPPORT_NATIVE_SERVER_UDP_H

#include <pthread.h>
#include <stdint.h>
#include "native_server.h"

#define NATIVE_SERVER_UDP_LANES	    4
#define NATIVE_SERVER_UDP_ADDRESSES 256

struct native_server_udp {
	struct native_server *server; /* under the lock */
	pthread_mutex_t lock;
	pthread_t thread;
	struct rand rand;
	uint16_t port;
	uint16_t lane_count;
	int fds[NATIVE_SERVER_UDP_LANES];
	uint32_t address_count;
	uint64_t addresses[NATIVE_SERVER_UDP_ADDRESSES]; /* IPv4 << 16 | port */
	_Atomic uint32_t loss_ppm; /* of what arrives */
	_Atomic bool deaf;	   /* what arrives is thrown away */
	bool stop;
};

/* options: lanes, disk, credits; send and port are the function's. */
void native_server_udp_start(struct native_server_udp *udp, const struct native_server_options *options);
void native_server_udp_stop(struct native_server_udp *udp);

#endif
