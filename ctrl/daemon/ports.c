/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/daemon/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "ctrl/daemon/config.h"
#include "ctrl/daemon/ports_dpdk.h"
#include "ctrl/daemon/ports_socket.h"
#include "nic/nic_fault.h"
#include "nic/port.h"

#define LOOK_EVERY_NS	      NS_PER_S
#define CHECKSUM_TELL_EVERY_NS (60 * NS_PER_S)
#define GROUPS_MAX	      (2 * LANE_ADDRESSES_MAX)

/* --- lanes of ports ---------------------------------------------------------------------------- */

static uint32_t
ports_queues(const struct config *config, uint32_t p)
{
	uint32_t queues = config->ports[p].rx_queues;

	if (queues > 0) {
		return queues;
	}
	return p == 0 && config->lcores_rx.count > 0 ? config->lcores_rx.count : 1;
}

uint32_t
ports_lane_count(const struct config *config)
{
	uint32_t lanes = 0;

	for (uint32_t p = 0; p < config->port_count; p++) {
		lanes += ports_queues(config, p);
	}
	return lanes < 1 ? 1 : lanes > HANDOFF_LANES_MAX ? HANDOFF_LANES_MAX : lanes;
}

static int
ports_rows(struct ports *ports, const struct config *config, struct wiring_error *error)
{
	uint32_t lane = 0;

	for (uint32_t p = 0; p < config->port_count; p++) {
		struct ports_row *row = &ports->rows[ports->count++];

		row->config = &config->ports[p];
		row->index = p;
		row->xdp_fd = -1;
		row->lane_first = lane;
		row->lane_count = ports_queues(config, p);
		snprintf(row->name, sizeof(row->name), "socket");
		lane += row->lane_count;
	}
	if (lane > HANDOFF_LANES_MAX) {
		snprintf(error->text, sizeof(error->text),
			"error: %u lanes are too many\n  why   every receive queue of every port is a lane, and "
			"there are at most %d\n  fix   set ports[].rx_queues, or name fewer CPUs in lcores.rx\n",
			lane, HANDOFF_LANES_MAX);
		return -EINVAL;
	}
	return 0;
}

static const struct ports_row *
ports_row_of(const struct wiring *w, uint32_t lane)
{
	for (uint32_t p = 0; p < w->ports->count; p++) {
		const struct ports_row *row = &w->ports->rows[p];

		if (lane >= row->lane_first && lane < row->lane_first + row->lane_count) {
			return row;
		}
	}
	return NULL;
}

int
ports_address(const char *text, uint8_t ret_address[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (inet_pton(AF_INET6, text, ret_address) == 1) {
		return 0;
	}
	memcpy(ret_address, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, ret_address + 12) == 1 ? 0 : -EINVAL;
}

/* --- open ---------------------------------------------------------------------------------------- */

/* Dev mode only; config.c refuses these keys elsewhere. */
static int
ports_fault(struct wiring *w, const struct ports_row *row, uint32_t lane, struct wiring_error *error)
{
	const struct config_port *c = row->config;
	struct nic_fault_options options = {.seed = c->fault_seed + lane,
		.loss_ppm = (uint32_t)c->fault_loss_ppm,
		.duplicate_ppm = (uint32_t)c->fault_duplicate_ppm,
		.reorder_ppm = (uint32_t)c->fault_reorder_ppm,
		.tx_loss_ppm = (uint32_t)c->fault_loss_ppm,
		.tx_duplicate_ppm = (uint32_t)c->fault_duplicate_ppm,
		.tx_reorder_ppm = (uint32_t)c->fault_reorder_ppm};
	int rc;

	if (!options.loss_ppm && !options.duplicate_ppm && !options.reorder_ppm) {
		return 0;
	}
	rc = nic_fault_create(&options, w->engine.nics[lane], &w->engine.nics[lane]);
	if (rc < 0) {
		snprintf(error->text, sizeof(error->text), "error: ports[%u].fault: %s\n", row->index,
			strerror(-rc));
	} else if (lane == row->lane_first) {
		wiring_fallback(w,
			"ports[%u].fault: packets both ways are spoilt on purpose: %u ppm lost, %u ppm twice, %u ppm "
			"out of order, seed %llu",
			row->index, options.loss_ppm, options.duplicate_ppm, options.reorder_ppm,
			(unsigned long long)c->fault_seed);
	}
	return rc;
}

/* A device of whoever embeds the wiring; EAL is theirs too. It is closed with the ports. */
static int
ports_adopt(struct wiring *w)
{
	struct ports_row *row = &w->ports->rows[0];

	row->device = w->device_made;
	row->own_net = true;
	snprintf(row->name, sizeof(row->name), "%.39s", row->config->devargs);
	for (uint32_t i = 0; i < row->lane_count; i++) {
		uint32_t lane = row->lane_first + i;

		w->engine.nics[lane] = port_queue(row->device, (uint16_t)i);
		w->engine.lane_ports[lane] = (uint16_t)(w->config->native_port + lane);
	}
	return 0;
}

int
ports_open(struct wiring *w, struct wiring_error *error)
{
	int rc;

	w->ports = calloc(1, sizeof(*w->ports));
	if (!w->ports) {
		return -ENOMEM;
	}
	rc = ports_rows(w->ports, w->config, error);
	rc = rc < 0 ? rc : w->device_made ? ports_adopt(w) : ports_dpdk_open(w, error);
	for (uint32_t p = 0; rc == 0 && p < w->ports->count; p++) {
		const struct ports_row *row = &w->ports->rows[p];

		for (uint32_t i = 0; rc == 0 && i < row->lane_count; i++) {
			uint32_t lane = row->lane_first + i;

			if (!row->device) {
				rc = ports_socket_open(w, row, lane, error);
			}
			rc = rc < 0 ? rc : ports_fault(w, row, lane, error);
		}
	}
	return rc;
}

void
ports_close(struct wiring *w)
{
	for (uint32_t i = 0; i < HANDOFF_LANES_MAX; i++) {
		if (w->engine.nics[i]) {
			w->engine.nics[i]->ops->destroy(w->engine.nics[i]);
			w->engine.nics[i] = NULL;
		}
	}
	if (w->ports) {
		ports_dpdk_close(w);
		free(w->ports);
		w->ports = NULL;
	}
}

/* --- what lanes need ------------------------------------------------------------------------------- */

void
ports_lane_net(const struct wiring *w, uint32_t lane, struct lane_options *options)
{
	const struct ports_row *row = ports_row_of(w, lane);

	options->address_count = 0;
	if (!row->device) {
		return;
	}
	options->vlan_id = (uint16_t)row->config->vlan;
	options->dscp = (uint8_t)row->config->dscp;
	for (uint32_t i = 0; row->own_net && i < row->config->address_count; i++) {
		/* ports_dpdk_open has looked at them. */
		(void)ports_address(row->config->address[i], options->addresses[options->address_count++]);
	}
}

int
ports_lane_join(struct wiring *w, uint32_t lane, struct wiring_error *error)
{
	const struct ports_row *row = ports_row_of(w, lane);
	uint8_t groups[GROUPS_MAX][6];
	uint32_t count;
	int rc;

	if (!row->device || lane != row->lane_first) {
		return 0;
	}
	count = lane_groups(w->engine.lanes[lane], groups, GROUPS_MAX);
	rc = port_join(row->device, groups, count);
	if (rc < 0) {
		snprintf(error->text, sizeof(error->text),
			"error: port %s cannot join the group addresses of IPv6: %s\n  fix   give it IPv4 addresses "
			"only (ports[%u].address)\n",
			row->name, strerror(-rc), row->index);
	}
	return rc;
}

bool
ports_lane_is_dpdk(const struct wiring *w, uint32_t lane)
{
	return ports_row_of(w, lane)->device != NULL;
}

/* --- once a second ---------------------------------------------------------------------------------- */

static void
ports_look_link(struct wiring *w, struct ports_row *row)
{
	bool up = port_link_up(row->device);

	if (up == row->link_up) {
		return;
	}
	row->link_up = up;
	log_info("ports", "port %s: link %s", row->name, up ? "up" : "down");
	for (uint32_t i = 0; up && row->own_net && i < row->lane_count; i++) {
		lane_announce(w->engine.lanes[row->lane_first + i]);
	}
}

/* A queue found its device lying: no queue of the port believes it any longer. */
static void
ports_distrust_checksums(struct wiring *w, struct ports_row *row)
{
	if (row->checksums_distrusted) {
		return;
	}
	row->checksums_distrusted = true;
	for (uint32_t i = 0; i < row->lane_count; i++) {
		lane_distrust_checksums(w->engine.lanes[row->lane_first + i]);
	}
	log_warning("ports",
		"port %s: the device called a wrong checksum good. From now on all are verified in software, at "
		"the price of some cycles a packet; the device's firmware or driver wants a look",
		row->name);
}

/* A virtual link's peer that leaves checksums to a device that is not there looks like silence. */
static void
ports_look_checksums(struct wiring *w, struct ports_row *row, uint64_t now_ns)
{
	uint64_t errors = 0;

	for (uint32_t i = 0; i < row->lane_count; i++) {
		uint64_t values[COUNTER_SLOTS_MAX];

		lane_counters(w->engine.lanes[row->lane_first + i], values);
		errors += values[LANE_udp_csum];
		if (values[LANE_csum_offload_wrong] > 0) {
			ports_distrust_checksums(w, row);
		}
	}
	if (errors > row->checksum_errors &&
		(row->checksum_told_ns == 0 || now_ns - row->checksum_told_ns >= CHECKSUM_TELL_EVERY_NS)) {
		log_warning("ports",
			"port %s: %llu datagrams dropped for their UDP checksum. If the sender is on a virtual link "
			"(veth, tap, bridge), it leaves them to a device that is not there: ethtool -K <sender's "
			"interface> tx off",
			row->name, (unsigned long long)(errors - row->checksum_errors));
		row->checksum_told_ns = now_ns;
	}
	row->checksum_errors = errors;
}

void
ports_poll(struct wiring *w, uint64_t now_ns)
{
	struct ports *ports = w->ports;

	if (!ports->eal_started || now_ns - ports->looked_ns < LOOK_EVERY_NS) {
		return;
	}
	ports->looked_ns = now_ns;
	for (uint32_t p = 0; p < ports->count; p++) {
		if (ports->rows[p].device) {
			ports_look_link(w, &ports->rows[p]);
			ports_look_checksums(w, &ports->rows[p], now_ns);
		}
	}
}
