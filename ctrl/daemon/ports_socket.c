/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/daemon/ports_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/bytes.h"
#include "base/log.h"
#include "ctrl/daemon/config.h"
#include "nic/nic_socket.h"

static void
ports_socket_error(const struct wiring *w, const struct nic_socket_options *options, int rc,
	struct wiring_error *error)
{
	const char *fix = "see ports[].address: the addresses must be this host's, one of a family";

	if (rc == -EADDRINUSE) {
		fix = "stop the other program (ss -ulpn names it), or choose another port: --set native.port=0";
	} else if (rc == -EACCES) {
		fix = "choose a port above 1023: --set native.port=9292";
	}
	snprintf(error->text, sizeof(error->text),
		"error: UDP port %u cannot be bound: %s\n  why   lane 0 listens on native.port (%u), lane i on "
		"the i-th above\n  fix   %s\n",
		options->port, strerror(-rc), w->config->native_port, fix);
}

/* Both versions: who names the host gets whichever its resolver puts first. */
static void
ports_socket_defaults(bool loopback, struct nic_socket_options *options)
{
	memset(options->addresses, 0, sizeof(options->addresses));
	options->addresses[0][10] = options->addresses[0][11] = 0xff;
	if (loopback) {
		options->addresses[0][12] = 127;
		options->addresses[0][15] = options->addresses[1][15] = 1;
	}
	options->address_count = 2;
}

/* A host without IPv6 has no address to bind; only what the configuration names must be there. */
static int
ports_socket_create(const struct ports_row *row, struct nic_socket_options *options, struct nic **ret_nic)
{
	int rc = nic_socket_create(options, ret_nic);

	if ((rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT) && row->config->address_count == 0) {
		options->address_count = 1;
		rc = nic_socket_create(options, ret_nic);
	}
	return rc;
}

/* What producers can reach, and how much waits for a busy lane. */
static void
ports_socket_show(const struct ports_row *row, uint32_t lane, const struct nic_socket_options *options,
	const struct nic *nic)
{
	char text[NIC_SOCKET_ADDRESSES_MAX][INET6_ADDRSTRLEN] = {"", ""};
	uint32_t granted = nic_socket_rcvbuf_bytes(nic) / 2; /* the kernel doubles it for its own needs */
	bool less = granted < options->rcvbuf_bytes;

	for (uint32_t i = 0; i < options->address_count; i++) {
		bool ip4 = packet_address_is_ip4(options->addresses[i]);

		(void)inet_ntop(ip4 ? AF_INET : AF_INET6, options->addresses[i] + (ip4 ? 12 : 0), text[i],
			sizeof(text[i]));
	}
	log_info("ports", "ports[%u]: lane %u: kernel UDP sockets at %s%s%s, port %u, receive buffer %u KiB%s",
		row->index, lane, text[0], text[1][0] ? " and " : "", text[1], nic_socket_port(nic),
		granted / (uint32_t)KIB,
		less ? ", less than ports[].rcvbuf (net.core.rmem_max holds it down: sysctl -w "
		       "net.core.rmem_max=BYTES)"
		     : "");
}

static int
ports_socket_addresses(const struct wiring *w, const struct ports_row *row,
	struct nic_socket_options *options, struct wiring_error *error)
{
	const struct config_port *port = row->config;

	if (port->address_count == 0) {
		ports_socket_defaults(w->config->mode == CONFIG_MODE_DEV, options);
		return 0;
	}
	if (port->address_count > NIC_SOCKET_ADDRESSES_MAX) {
		snprintf(error->text, sizeof(error->text),
			"error: ports[%u].address: driver socket binds at most one address of a family, %u are "
			"given\n  fix   bind to all: address: [0.0.0.0, \"::\"]\n",
			row->index, port->address_count);
		return -EINVAL;
	}
	options->address_count = 0;
	for (uint32_t i = 0; i < port->address_count; i++) {
		int rc = ports_address(port->address[i], options->addresses[options->address_count++]);

		if (rc < 0) {
			snprintf(error->text, sizeof(error->text), "error: %s is no IP address\n",
				port->address[i]);
			return rc;
		}
	}
	return 0;
}

int
ports_socket_open(struct wiring *w, const struct ports_row *row, uint32_t lane,
	struct wiring_error *error)
{
	struct engine *e = &w->engine;
	struct nic_socket_options options;
	int rc;

	nic_socket_options_init(&options);
	options.port = w->config->native_port ? (uint16_t)(w->config->native_port + lane) : 0;
	options.mtu = (uint16_t)row->config->mtu;
	rc = ports_socket_addresses(w, row, &options, error);
	if (rc < 0) {
		return rc;
	}
	options.rcvbuf_bytes = (uint32_t)row->config->rcvbuf_bytes;
	options.dscp = (uint8_t)row->config->dscp;
	rc = ports_socket_create(row, &options, &e->nics[lane]);
	if (rc < 0) {
		ports_socket_error(w, &options, rc, error);
		return rc;
	}
	e->lane_ports[lane] = nic_socket_port(e->nics[lane]);
	ports_socket_show(row, lane, &options, e->nics[lane]);
	return 0;
}
