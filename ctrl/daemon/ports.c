/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/daemon/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "ctrl/daemon/config.h"
#include "nic/nic_socket.h"

uint32_t
ports_lane_count(const struct config *config)
{
	uint32_t lanes = 0;

	for (uint32_t p = 0; p < config->port_count; p++) {
		uint32_t queues = config->ports[p].rx_queues;

		if (queues == 0) {
			queues = p == 0 && config->lcores_rx.count > 0 ? config->lcores_rx.count : 1;
		}
		lanes += queues;
	}
	return lanes < 1 ? 1 : lanes > LANES_MAX ? LANES_MAX : lanes;
}

/* Text to the mapped form that packet_peer uses. -EINVAL. */
static int
ports_address(const char *text, uint8_t ret_address[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (inet_pton(AF_INET6, text, ret_address) == 1) {
		return 0;
	}
	memcpy(ret_address, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, ret_address + 12) == 1 ? 0 : -EINVAL;
}

static void
ports_socket_error(const struct wiring *w, uint16_t udp_port, int rc, struct wiring_error *error)
{
	const char *fix = "see the address of ports[0]";

	if (rc == -EADDRINUSE) {
		fix = "stop the other program (ss -ulpn names it), or choose another port: --set native.port=0";
	} else if (rc == -EACCES) {
		fix = "choose a port above 1023: --set native.port=9292";
	}
	snprintf(error->text, sizeof(error->text),
		"error: UDP port %u cannot be bound: %s\n  why   lane 0 listens on native.port (%u), lane i on "
		"the i-th above\n  fix   %s\n",
		udp_port, strerror(-rc), w->config->native_port, fix);
}

static int
ports_open_sockets(struct wiring *w, const struct config_port *port, uint32_t lane,
	struct wiring_error *error)
{
	struct engine *e = &w->engine;
	struct nic_socket_options options;
	int rc;

	nic_socket_options_init(&options);
	options.port = w->config->native_port ? (uint16_t)(w->config->native_port + lane) : 0;
	options.mtu = (uint16_t)port->mtu;
	if (port->address_count > 0) {
		options.address_count = 0;
		for (uint32_t i = 0; i < port->address_count && i < NIC_SOCKET_ADDRESSES_MAX; i++) {
			rc = ports_address(port->address[i], options.addresses[options.address_count++]);
			if (rc < 0) {
				snprintf(error->text, sizeof(error->text), "error: %s is no IP address\n",
					port->address[i]);
				return rc;
			}
		}
	} else if (w->config->mode != CONFIG_MODE_DEV) {
		memset(options.addresses[0], 0, 16);
		options.addresses[0][10] = options.addresses[0][11] = 0xff;
		options.address_count = 1;
	}
	rc = nic_socket_create(&options, &e->nics[lane]);
	if (rc < 0) {
		ports_socket_error(w, options.port, rc, error);
		return rc;
	}
	e->lane_ports[lane] = nic_socket_port(e->nics[lane]);
	return 0;
}

int
ports_open(struct wiring *w, struct wiring_error *error)
{
	const struct config *c = w->config;
	uint32_t lane = 0;

	for (uint32_t p = 0; p < c->port_count && lane < w->engine.lane_count; p++) {
		uint32_t first = lane;
		uint32_t queues = c->ports[p].rx_queues ? c->ports[p].rx_queues
			: p == 0 && c->lcores_rx.count  ? c->lcores_rx.count
							: 1;

		for (; lane < w->engine.lane_count && lane < first + queues; lane++) {
			int rc = -ENOTSUP;

			if (c->ports[p].driver == CONFIG_PORT_DRIVER_SOCKET) {
				rc = ports_open_sockets(w, &c->ports[p], lane, error);
			} else {
				snprintf(error->text, sizeof(error->text),
					"error: ports[%u]: this build has only driver socket\n", p);
			}
			if (rc < 0) {
				return rc;
			}
		}
	}
	return 0;
}

void
ports_close(struct wiring *w)
{
	for (uint32_t i = 0; i < LANES_MAX; i++) {
		if (w->engine.nics[i]) {
			w->engine.nics[i]->ops->destroy(w->engine.nics[i]);
		}
	}
}

void
ports_lane_net(const struct wiring *w, uint32_t lane, struct lane_options *options)
{
	/* Every queue so far has the kernel's stack: no addresses, no VLAN of our own. */
	(void)w;
	(void)lane;
	options->address_count = 0;
}
