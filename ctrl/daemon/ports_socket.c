/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/daemon/ports_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
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

static int
ports_socket_addresses(const struct wiring *w, const struct ports_row *row,
	struct nic_socket_options *options, struct wiring_error *error)
{
	const struct config_port *port = row->config;

	if (port->address_count == 0) {
		if (w->config->mode != CONFIG_MODE_DEV) {
			memset(options->addresses[0], 0, 16);
			options->addresses[0][10] = options->addresses[0][11] = 0xff;
			options->address_count = 1;
		}
		return 0;
	}
	if (port->address_count > NIC_SOCKET_ADDRESSES_MAX) {
		snprintf(error->text, sizeof(error->text),
			"error: ports[%u].address: driver socket binds at most one address of a family, %u are "
			"given\n  fix   bind to all: address: [0.0.0.0]\n",
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
	rc = nic_socket_create(&options, &e->nics[lane]);
	if (rc < 0) {
		ports_socket_error(w, &options, rc, error);
		return rc;
	}
	e->lane_ports[lane] = nic_socket_port(e->nics[lane]);
	return 0;
}
