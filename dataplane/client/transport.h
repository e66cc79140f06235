/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the library's datagrams travel: kernel UDP sockets (transport_socket.c), or what a test or a
 * generator that links the sources brings along (penstock_config.transport_fn; over nic/nic.h:
 * tests/support/station.h). The installed library has sockets only.
 * Datagrams may be lost without a word. All functions but wake belong to the I/O thread.
 */
#ifndef CLIENT_TRANSPORT_H
#define CLIENT_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>
#include "client/client_core.h"

#define TRANSPORT_BURST	       32
#define TRANSPORT_DATAGRAM_MAX 9216

struct transport;

struct transport_received {
	const uint8_t *bytes; /* until the next receive */
	uint32_t len;
	uint16_t lane;
};

struct transport_ops {
	/* Copies one datagram into the next burst. */
	void (*send)(struct transport *transport, const struct client_datagram *datagram);
	/* Hands the burst to the network. */
	void (*flush)(struct transport *transport);
	/* Up to max (<= TRANSPORT_BURST) datagrams. */
	uint32_t (*receive)(struct transport *transport, struct transport_received *ret,
		uint32_t max);
	/* Until something arrives, wake is called or the time is over. */
	void (*wait)(struct transport *transport, uint64_t timeout_ns);
	/* Any thread: ends a wait, or the next one. */
	void (*wake)(struct transport *transport);
	void (*destroy)(struct transport *transport);
};

struct transport {
	const struct transport_ops *ops;
	uint32_t max_datagram; /* largest UDP payload of the interface */
	uint16_t port;	       /* of the server's lane 0 */
	int ipv6;
};

/*
 * Makes one producer's transport to that server; user_data comes from who set it. Blocks. Negative
 * errno, reason in text. The producer destroys it.
 */
typedef int (*transport_create_fn)(void *user_data, const char *bootstrap,
	struct transport **ret_transport, char *text, size_t text_bytes);

/* "host:port", "[v6]:port" or "host". Resolves the name (blocks). Negative errno, reason in text. */
int transport_socket_create(const char *bootstrap, struct transport **ret_transport, char *text,
	size_t text_bytes);

#endif
