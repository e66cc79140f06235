/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/daemon/ports_dpdk.h"

#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "ctrl/daemon/config.h"
#include "ctrl/daemon/lcore_plan.h"
#include "ctrl/schema/value.h"
#include "nic/eal_nodes.h"
#include "nic/memif_socket.h"
#include "nic/port.h"
#include "nic/port_pci.h"
#include "nic/xdp_lanes.h"

#define DESCRIPTORS    1024
#define NIC_LINK_WAIT_NS (9 * NS_PER_S)
#define SMALL_PAGE     4096
#define FIX_MARK       " fix: "

/* What is known of one port before EAL starts. */
struct dpdk_port {
	struct ports_row *row;
	const struct port_driver *driver;
	const char *devargs; /* without the device's name */
	char pci[PORT_PCI_ADDRESS_MAX + 1];
	struct port_plan_in in;
	struct port_plan plan;
};

struct dpdk_start {
	struct wiring *wiring;
	struct wiring_error *error;
	struct dpdk_port ports[CONFIG_PORTS_MAX];
	uint32_t count;
	struct eal_options eal;
	uint64_t pool_bytes;
};

PRINTF_LIKE(2, 3) static int
dpdk_fail(struct dpdk_start *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->error->text, sizeof(s->error->text), format, args);
	va_end(args);
	return -EINVAL;
}

/* Each line of text as a log line. */
static void
dpdk_log_lines(const char *text)
{
	struct log_site site = {0};

	for (const char *at = text; *at;) {
		int len = (int)strcspn(at, "\n");

		log_line(&site, LOG_INFO, "ports", "%.*s", len, at);
		at += len + (at[len] == '\n');
	}
}

/* --- which driver ------------------------------------------------------------------------------------ */

static int
dpdk_unknown(struct dpdk_start *s, const struct dpdk_port *p, const char *name)
{
	const struct port_driver *rows;
	uint32_t count = port_driver_all(&rows);
	struct value_nearest nearest;

	value_nearest_init(&nearest, name);
	for (uint32_t i = 0; i < count; i++) {
		if (rows[i].is_virtual) {
			value_nearest_offer(&nearest, rows[i].eal_name);
		}
	}
	return dpdk_fail(s,
		"error: ports[%u]: there is no DPDK driver \"%.40s\"\n  why   it is not among the installed ones "
		"(dpdk-devbind and the packages librte-net-* name them)\n  fix   %s%s%s\n",
		p->row->index, name, nearest.count ? "did you mean " : "devargs: \"net_af_packet0,iface=NAME\"",
		nearest.count ? nearest.names[0] : "", nearest.count ? "?" : "");
}

/* A known driver, or any other whose library is there. */
static int
dpdk_driver(struct dpdk_start *s, struct dpdk_port *p, const char *name, bool is_virtual)
{
	struct port_driver_guess *guess = &p->row->driver_guess;

	p->driver = port_driver_find(name);
	if (p->driver) {
		return 0;
	}
	if (port_driver_guess(name, is_virtual, guess) < 0 || !eal_driver_installed(guess->eal_name)) {
		return dpdk_unknown(s, p, name);
	}
	p->driver = &guess->driver;
	return 0;
}

/* "net_af_packet0,iface=x": the name without its number, and what follows. */
static int
dpdk_identify_vdev(struct dpdk_start *s, struct dpdk_port *p)
{
	const char *all = p->row->config->devargs;
	size_t len = strcspn(all, ",");
	char name[PORT_DRIVER_NAME_MAX + 8];
	int rc;

	p->devargs = all + len + (all[len] == ',');
	while (len > 0 && all[len - 1] >= '0' && all[len - 1] <= '9') {
		len--;
	}
	snprintf(name, sizeof(name), "%.*s", (int)len, all);
	rc = dpdk_driver(s, p, name, true);
	if (rc == 0 && !p->driver->is_virtual) {
		rc = dpdk_fail(s, "error: ports[%u]: %s is no virtual device\n  fix   driver: pci, devargs: "
				  "\"0000:41:00.0\" (dpdk-devbind.py --status shows the addresses)\n",
			p->row->index, name);
	}
	if (rc == 0) {
		snprintf(p->row->name, sizeof(p->row->name), "%s%u", p->driver->eal_name, p->row->index);
	}
	return rc;
}

static int
dpdk_identify_pci(struct dpdk_start *s, struct dpdk_port *p)
{
	char name[PORT_DRIVER_NAME_MAX + 8], text[64];
	int rc;

	if (!port_pci_split(p->row->config->devargs, p->pci, &p->devargs)) {
		return dpdk_fail(s, "error: ports[%u]: \"%.64s\" is no PCI address\n  fix   devargs: "
				    "\"0000:41:00.0\" (dpdk-devbind.py --status shows them)\n",
			p->row->index, p->row->config->devargs);
	}
	rc = port_pci_driver("", NULL, p->pci, name, text, sizeof(text));
	if (rc == -ENODEV) {
		return dpdk_fail(s, "error: ports[%u]: %s\n  fix   name one of those that dpdk-devbind.py "
				    "--status shows\n",
			p->row->index, text);
	}
	if (rc < 0) {
		return dpdk_fail(s,
			"error: ports[%u]: no installed DPDK driver knows the PCI device %s (%s)\n  fix   apt-get "
			"install the package of its family: librte-net-i40e23, -ice23, -ixgbe23, -iavf23, -ena23, "
			"-mlx5-23, -virtio23 ...\n",
			p->row->index, p->pci, text);
	}
	snprintf(p->row->name, sizeof(p->row->name), "%s", p->pci);
	return dpdk_driver(s, p, name, false);
}

/* --- addresses ---------------------------------------------------------------------------------------- */

/* Unicast, not loopback, not unspecified; ::/96 holds what is no host's. */
static bool
dpdk_address_ownable(const uint8_t *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(a, mapped, sizeof(mapped)) == 0) {
		return a[12] != 0 && a[12] != 127 && a[12] < 224;
	}
	return a[0] != 0xff && memcmp(a, mapped, 10) != 0;
}

/* With a filter in front or a bifurcated driver the kernel keeps the address and answers for it. */
static bool
dpdk_owns_net(const struct dpdk_port *p)
{
	char text[256];

	switch (p->row->config->net_mode) {
	case CONFIG_PORT_NET_MODE_OWN:
		return true;
	case CONFIG_PORT_NET_MODE_KERNEL:
		return false;
	case CONFIG_PORT_NET_MODE_AUTO:
		break;
	}
	return strcmp(p->driver->name, "mlx5") != 0 &&
	       !port_devarg_text(p->devargs, "xdp_prog", text, sizeof(text));
}

static int
dpdk_check_addresses(struct dpdk_start *s, struct dpdk_port *p)
{
	const struct config_port *c = p->row->config;
	uint8_t address[16];

	p->row->own_net = dpdk_owns_net(p);
	if (p->row->own_net && c->address_count == 0) {
		return dpdk_fail(s,
			"error: ports[%u] (%s) has no address\n  why   the kernel does not see this port: Penstock "
			"itself answers ARP, NDP and ICMP for its addresses\n  fix   ports: [{..., address: "
			"[192.0.2.2]}], an address of the producers' network that nobody else has\n",
			p->row->index, p->row->name);
	}
	for (uint32_t i = 0; i < c->address_count; i++) {
		if (ports_address(c->address[i], address) < 0 || !dpdk_address_ownable(address)) {
			return dpdk_fail(s,
				"error: ports[%u].address: %s is no address that a host can have\n  fix   a unicast "
				"address of the producers' network\n",
				p->row->index, c->address[i]);
		}
	}
	return 0;
}

static int
dpdk_identify(struct dpdk_start *s, struct ports_row *row)
{
	struct dpdk_port *p = &s->ports[s->count++];
	int rc;

	p->row = row;
	rc = row->config->driver == CONFIG_PORT_DRIVER_VDEV ? dpdk_identify_vdev(s, p)
							    : dpdk_identify_pci(s, p);
	return rc < 0 ? rc : dpdk_check_addresses(s, p);
}

/* --- arithmetic ---------------------------------------------------------------------------------------- */

static int
dpdk_plan_port(struct dpdk_start *s, struct dpdk_port *p, uint32_t page_bytes)
{
	const struct config *c = s->wiring->config;
	const struct config_port *port = p->row->config;
	char text[1024];

	port_plan_init(&p->in);
	p->in.driver = p->driver;
	p->in.devargs = p->devargs;
	p->in.lanes = p->row->lane_count;
	p->in.mtu = port->mtu;
	p->in.rx_desc = port->rx_desc ? port->rx_desc : DESCRIPTORS;
	p->in.tx_desc = port->tx_desc ? port->tx_desc : DESCRIPTORS;
	p->in.burst = c->dataplane_burst;
	p->in.append_slots = c->dataplane_ring_size * s->wiring->engine.shard_count;
	p->in.page_bytes = page_bytes;
	if (port_plan(&p->in, &p->plan, text, sizeof(text)) < 0) {
		return dpdk_fail(s, "error: ports[%u] (%s): the numbers do not hold\n  why   %s\n",
			p->row->index, p->row->name, text);
	}
	return 0;
}

static int
dpdk_plan(struct dpdk_start *s, uint32_t page_bytes)
{
	int rc = 0;

	s->pool_bytes = 0;
	for (uint32_t i = 0; i < s->count && rc == 0; i++) {
		rc = dpdk_plan_port(s, &s->ports[i], page_bytes);
		s->pool_bytes += s->ports[i].plan.total_bytes;
		s->eal.ports[i].pool_bytes = s->ports[i].plan.total_bytes;
	}
	eal_nodes_plan(&s->eal);
	return rc;
}

/* One line a port, the sum of its buffers, and one for all. */
static void
dpdk_show_plan(const struct dpdk_start *s)
{
	struct log_site site = {0};

	for (uint32_t i = 0; i < s->count; i++) {
		const struct dpdk_port *p = &s->ports[i];

		log_line(&site, LOG_INFO, "ports",
			"port %s: buffers a lane: %u rx_desc + %u tx_desc + %u (2 bursts) + %u (2 caches) + %u append "
			"slots + %u parked + %u driver + 256 spare = %u <= %u, of %u B: %.1f MiB and %.1f MiB of "
			"control buffers, %u lane(s)",
			p->row->name, p->in.rx_desc, p->in.tx_desc, 2 * p->in.burst, 2 * p->plan.cache,
			p->in.append_slots, p->plan.park_max, p->plan.driver_extra, p->plan.pool_need,
			p->plan.pool_count, p->plan.element_bytes, (double)p->plan.pool_bytes / MIB,
			(double)p->plan.control_bytes / MIB, p->in.lanes);
	}
	for (uint32_t node = 0; node < EAL_NODES_MAX; node++) {
		if (s->eal.node_mib[node] > 0) {
			log_line(&site, LOG_INFO, "ports",
				"packet memory of NUMA node %u: its ports' pools x 1.05 + 32 MiB = %u MiB, %s", node,
				s->eal.node_mib[node],
				!s->eal.hugepages	       ? "pages of 4 KiB"
				: s->eal.hugepage_kib == 2048 ? "hugepages of 2 MiB"
							       : "hugepages of 1 GiB");
		}
	}
}

static bool
dpdk_needs_hugepages(const struct dpdk_start *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		if (!s->ports[i].driver->is_virtual || s->ports[i].driver->shares_memory) {
			return true;
		}
	}
	return false;
}

/* auto: 2 MiB pages if enough are free, else 1 GiB ones, else none; a PCI device must have some. */
static int
dpdk_choose_pages(struct dpdk_start *s)
{
	enum config_memory_hugepage_size wish = s->wiring->config->memory_hugepage_size;
	static const uint32_t sizes_kib[] = {2048, 1048576};
	uint32_t wanted_mib;
	int rc;

	s->eal.hugepages = wish != CONFIG_MEMORY_HUGEPAGE_SIZE_NONE;
	s->eal.hugepage_kib = wish == CONFIG_MEMORY_HUGEPAGE_SIZE_1GIB ? 1048576 : 2048;
	rc = dpdk_plan(s, s->eal.hugepages ? s->eal.hugepage_kib * (uint32_t)KIB : SMALL_PAGE);
	if (rc < 0 || wish != CONFIG_MEMORY_HUGEPAGE_SIZE_AUTO) {
		return rc;
	}
	wanted_mib = s->eal.memory_mib;
	for (uint32_t i = 0; i < ARRAY_COUNT(sizes_kib); i++) {
		if (eal_hugepages_free(&s->eal, sizes_kib[i])) {
			s->eal.hugepage_kib = sizes_kib[i];
			return dpdk_plan(s, sizes_kib[i] * (uint32_t)KIB);
		}
	}
	if (dpdk_needs_hugepages(s)) {
		return 0; /* the preflight says how to get them */
	}
	s->eal.hugepages = false;
	wiring_fallback(s->wiring,
		"no %u MiB of free hugepages; packet memory in pages of 4 KiB, slower; fix: "
		"hw-config/setup/hugepages apply %u",
		wanted_mib, wanted_mib);
	return dpdk_plan(s, SMALL_PAGE);
}

static int
dpdk_memory(struct dpdk_start *s)
{
	uint64_t given_mib = s->wiring->config->memory_per_node_bytes / MIB;
	int rc = dpdk_choose_pages(s);

	if (rc < 0) {
		return rc;
	}
	dpdk_show_plan(s);
	if (given_mib == 0) {
		return 0;
	}
	s->eal.memory_mib = 0;
	for (uint32_t node = 0; node < EAL_NODES_MAX; node++) {
		if (s->eal.node_mib[node] > given_mib) {
			return dpdk_fail(s,
				"error: memory.per_node is %llu MiB, the ports need %u MiB on NUMA node %u\n  why   their "
				"packet pools x 1.05 + 32 MiB for DPDK itself\n  fix   memory.per_node: auto, or smaller "
				"pools: ports[].rx_desc, ports[].tx_desc, dataplane.ring_size\n",
				(unsigned long long)given_mib, s->eal.node_mib[node], node);
		}
		if (s->eal.node_mib[node] > 0) {
			s->eal.node_mib[node] = (uint32_t)given_mib;
			s->eal.memory_mib += (uint32_t)given_mib;
		}
	}
	return 0;
}

/* --- EAL ------------------------------------------------------------------------------------------------ */

static int
dpdk_eal_options(struct dpdk_start *s)
{
	const struct config *c = s->wiring->config;
	char text[256];

	if (c->mode == CONFIG_MODE_DEV) {
		snprintf(s->eal.file_prefix, sizeof(s->eal.file_prefix), "penstock-%d", (int)getpid());
	}
	if (c->lcores_housekeeping.count > 0) {
		s->eal.main_cpu = c->lcores_housekeeping.cpus[0];
	}
	for (uint32_t i = 0; i < c->eal_extra_count; i++) {
		s->eal.extra[s->eal.extra_count++] = c->eal_extra[i];
	}
	for (uint32_t i = 0; i < s->count; i++) {
		const struct dpdk_port *p = &s->ports[i];
		struct eal_port *port = &s->eal.ports[s->eal.port_count++];
		struct port_devargs_in in = {.driver = p->driver,
			.index = p->row->index,
			.pci = p->pci[0] ? p->pci : NULL,
			.devargs = p->devargs,
			.queues = p->row->lane_count};

		port->driver = p->driver;
		port->own_net = p->row->own_net;
		port->udp_port_first = (uint32_t)c->native_port + p->row->lane_first;
		port->udp_port_count = p->row->lane_count;
		for (uint32_t lane = 0; lane < p->row->lane_count; lane++) {
			int cpu = lcore_plan_rx_cpu(c, p->row->lane_first + lane);

			if (cpu >= 0) {
				port->cpus[port->cpu_count++] = (uint16_t)cpu;
			}
		}
		if (port_devargs(&in, port->argument, text, sizeof(text)) < 0) {
			return dpdk_fail(s, "error: %s\n", text);
		}
	}
	s->eal.iova_pa = eal_needs_iova_pa(&s->eal);
	s->eal.numa_strict = c->lcores_numa_strict;
	return 0;
}

/* Told and gone on with, where the configuration says so. */
static void
dpdk_tell_astray(struct dpdk_start *s)
{
	char text[EAL_TEXT_BYTES];

	if (s->eal.numa_strict || eal_nodes_astray(&s->eal, text, sizeof(text)) == 0) {
		return;
	}
	for (const char *at = text; *at;) {
		int len = (int)strcspn(at, "\n");
		const char *fix = memmem(at, (size_t)len, FIX_MARK, strlen(FIX_MARK));

		wiring_fallback(s->wiring, "%.*s (lcores.numa_strict: false)", fix ? (int)(fix - at) : len, at);
		at += len + (at[len] == '\n');
	}
}

/* The findings, "cause. fix: command" a line, in the form of every start error. */
static int
dpdk_tell_findings(struct dpdk_start *s, const char *findings)
{
	char *text = s->error->text;
	size_t bytes = sizeof(s->error->text);
	size_t used = (size_t)snprintf(text, bytes, "error: the DPDK ports cannot start\n");

	for (const char *at = findings; *at && used < bytes;) {
		size_t len = strcspn(at, "\n");
		const char *fix = memmem(at, len, FIX_MARK, strlen(FIX_MARK));
		int cause_len = fix ? (int)(fix - at) : (int)len;
		int fix_len = fix ? (int)(len - (size_t)cause_len - strlen(FIX_MARK)) : 0;

		used += (size_t)snprintf(text + used, bytes - used, "  why   %.*s\n", cause_len, at);
		if (fix && used < bytes) {
			used += (size_t)snprintf(text + used, bytes - used, "  fix   %.*s\n", fix_len,
				fix + strlen(FIX_MARK));
		}
		at += len + (at[len] == '\n');
	}
	return -EINVAL;
}

/* A daemon that was killed leaves them, and DPDK does not start over one. What stays is DPDK's to tell. */
static void
dpdk_remove_stale_sockets(const struct eal_options *eal)
{
	struct log_site site = {0};
	char path[MEMIF_SOCKET_PATH_MAX + 1];

	for (uint32_t i = 0; i < eal->port_count; i++) {
		memif_socket_path(eal->ports[i].argument, path);
		if (*path && memif_socket_remove_stale(path) == 1) {
			log_line(&site, LOG_INFO, "ports", "removed %s: nobody listened on it any more", path);
		}
	}
}

/* What a daemon that was killed left on an interface: the driver would not start over it. */
static int
dpdk_take_interface(struct dpdk_start *s, struct dpdk_port *p)
{
	char name[IFNAMSIZ], program[256];
	struct log_site site = {0};
	bool removed;

	if (!port_devarg_text(p->devargs, "xdp_prog", program, sizeof(program)) ||
		!port_devarg_text(p->devargs, "iface", name, sizeof(name))) {
		return 0;
	}
	p->row->xdp_fd = xdp_lanes_take(name, &removed);
	if (p->row->xdp_fd == -EADDRINUSE) {
		return dpdk_fail(s,
			"error: ports[%u]: another daemon receives from %s\n  why   it holds the name penstock-xdp-N in this "
			"network namespace\n  fix   ss -xap | grep penstock-xdp shows it: stop it, or name another interface\n",
			p->row->index, name);
	}
	if (p->row->xdp_fd < 0) {
		return dpdk_fail(s,
			"error: ports[%u]: the XDP program of %s cannot be looked at: %s\n  fix   run as root, or ip link set "
			"dev %s xdp off\n",
			p->row->index, name, strerror(-p->row->xdp_fd), name);
	}
	if (removed) {
		log_line(&site, LOG_INFO, "ports", "removed the XDP program of %s: a daemon that is gone left it", name);
	}
	return 0;
}

static int
dpdk_eal_start(struct dpdk_start *s)
{
	char text[EAL_TEXT_BYTES];
	int rc = 0;

	if (eal_preflight(&s->eal, text, sizeof(text)) > 0) {
		return dpdk_tell_findings(s, text);
	}
	dpdk_tell_astray(s);
	dpdk_remove_stale_sockets(&s->eal);
	for (uint32_t i = 0; i < s->count && rc == 0; i++) {
		rc = dpdk_take_interface(s, &s->ports[i]);
	}
	if (rc < 0) {
		return rc;
	}
	rc = eal_start(&s->eal, text, sizeof(text));
	if (rc < 0) {
		dpdk_fail(s, "error: %s\n", text);
		return rc;
	}
	s->wiring->ports->eal_started = true;
	return 0;
}

/* --- devices --------------------------------------------------------------------------------------------- */

static void
dpdk_open_options(const struct dpdk_start *s, const struct dpdk_port *p, struct port_options *options)
{
	port_options_init(options);
	options->device = p->row->name;
	options->driver = p->driver;
	options->devargs = p->devargs;
	options->index = (uint16_t)p->row->index;
	options->queues = (uint16_t)p->row->lane_count;
	options->mtu = (uint16_t)p->in.mtu;
	options->rx_desc = (uint16_t)p->in.rx_desc;
	options->tx_desc = (uint16_t)p->in.tx_desc;
	options->burst = (uint16_t)p->in.burst;
	options->udp_port_first = (uint16_t)(s->wiring->config->native_port + p->row->lane_first);
	options->rx_interrupts = s->wiring->config->dataplane_lcore_idle == CONFIG_DATAPLANE_LCORE_IDLE_INTERRUPT;
	options->isolate = strcmp(p->driver->name, "mlx5") == 0 && !p->row->own_net;
	options->link_wait_ns = p->driver->is_virtual ? 0 : NIC_LINK_WAIT_NS;
	options->plan = p->plan;
}

static int
dpdk_open_port(struct dpdk_start *s, struct dpdk_port *p)
{
	struct engine *e = &s->wiring->engine;
	struct port_options options;
	char text[PORT_TEXT_BYTES];
	int rc;

	dpdk_open_options(s, p, &options);
	rc = port_open(&options, &p->row->device, text, sizeof(text));
	if (rc < 0) {
		const char *fix = strstr(text, FIX_MARK);

		dpdk_fail(s, "error: %.*s\n  why   the lines of module eal above are the driver's own words%s%s\n",
			fix ? (int)(fix - text) : (int)strlen(text), text, fix ? "\n  fix   " : "",
			fix ? fix + strlen(FIX_MARK) : "");
		return rc;
	}
	dpdk_log_lines(text);
	p->row->kept_max = strcmp(p->driver->name, "memif") == 0 ? p->plan.driver_extra : 0;
	p->row->link_up = port_link_up(p->row->device);
	for (uint32_t i = 0; i < p->row->lane_count; i++) {
		uint32_t lane = p->row->lane_first + i;

		e->nics[lane] = port_queue(p->row->device, (uint16_t)i);
		e->lane_ports[lane] = (uint16_t)(s->wiring->config->native_port + lane);
	}
	if (!port_steers(p->row->device)) {
		wiring_fallback(s->wiring,
			"port %s does not steer by UDP port: queue i must get the datagrams of UDP port %u + i from the "
			"peer itself (its queue i, or ethtool -N on the interface)",
			p->row->name, options.udp_port_first);
	}
	return 0;
}

int
ports_dpdk_open(struct wiring *w, struct wiring_error *error)
{
	struct dpdk_start *s = calloc(1, sizeof(*s));
	int rc = s ? 0 : -ENOMEM;

	if (rc < 0) {
		return rc;
	}
	s->wiring = w;
	s->error = error;
	for (uint32_t i = 0; i < w->ports->count && rc == 0; i++) {
		if (w->ports->rows[i].config->driver != CONFIG_PORT_DRIVER_SOCKET) {
			rc = dpdk_identify(s, &w->ports->rows[i]);
		}
	}
	if (rc == 0 && s->count > 0) {
		eal_options_init(&s->eal);
		rc = dpdk_eal_options(s);
		rc = rc < 0 ? rc : dpdk_memory(s);
		rc = rc < 0 ? rc : dpdk_eal_start(s);
		for (uint32_t i = 0; i < s->count && rc == 0; i++) {
			rc = dpdk_open_port(s, &s->ports[i]);
		}
	}
	free(s);
	return rc;
}

void
ports_dpdk_close(struct wiring *w)
{
	for (uint32_t i = 0; i < w->ports->count; i++) {
		struct ports_row *row = &w->ports->rows[i];
		uint32_t missing;

		if (!row->device) {
			continue;
		}
		missing = port_close(row->device);
		row->device = NULL;
		if (missing > row->kept_max) {
			log_warning("ports", "port %s: closed, %u packet buffers did not come home", row->name,
				missing);
		} else {
			log_info("ports", "port %s: closed, all packet buffers are home", row->name);
		}
	}
	if (w->ports->eal_started) {
		eal_stop();
		w->ports->eal_started = false;
	}
	for (uint32_t i = 0; i < w->ports->count; i++) {
		if (w->ports->rows[i].xdp_fd >= 0) {
			close(w->ports->rows[i].xdp_fd);
		}
	}
}
