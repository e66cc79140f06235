/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket file of a memif server (`socket-abstract=no`). One that was killed leaves it, and DPDK's
 * bind then fails for good. Start-up only, no DPDK.
 */
#ifndef NIC_MEMIF_SOCKET_H
#define NIC_MEMIF_SOCKET_H

#include "base/compiler.h"

#define MEMIF_SOCKET_PATH_MAX 107

enum memif_socket_state {
	MEMIF_SOCKET_FREE,    /* nothing is there */
	MEMIF_SOCKET_STALE,   /* a socket file that no socket is bound to */
	MEMIF_SOCKET_TAKEN,   /* some process has it, or it cannot be told */
	MEMIF_SOCKET_FOREIGN, /* no socket: never ours to remove */
};

/* The path if the port's argument (of port_devargs()) is a memif server with a file; else "". */
void memif_socket_path(const char *argument, char ret_path[MEMIF_SOCKET_PATH_MAX + 1]);
/*
 * Changes nothing, and a server that lives does not notice: a peer that connects and hangs up makes
 * net_memif of DPDK 22.11 panic, so it is asked otherwise.
 */
enum memif_socket_state memif_socket_state(const char *path);
/* Removes a stale one: 1. 0 if it is not stale; negative errno. */
int memif_socket_remove_stale(const char *path) MUST_CHECK;

#endif
