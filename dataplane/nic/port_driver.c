/* SPDX-License-Identifier: Apache-2.0 */
/* The driver table of port_driver.h, and devargs as text. Start-up only. */
#include "nic/port_driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKAGE(name) "librte-" name "23"

/* Facts of DPDK 22.11. Hardware rows: MTU by the driver itself, so only our own bound stands here. */
static const struct port_driver port_drivers[] = {
	{.name = "memif", .eal_name = "net_memif", .package = PACKAGE("net-memif"), .is_virtual = true,
		.counts_sent = true, .forgets_packets = true, .reaps_on_tx = true, .mtu_max = 9000, .idle_rx_every = 1, .defaults = "rsize=10"},
	{.name = "af_packet", .eal_name = "net_af_packet", .package = PACKAGE("net-af-packet"),
		.is_virtual = true, .needs_interface = true, .counts_sent = true, .oerrors_taken = true,
		.mtu_max = 1500, .idle_rx_every = 1, .queues_key = "qpairs", .tx_slots_key = "framecnt",
		.defaults = "blocksz=16384,framesz=2048,framecnt=4096,qdisc_bypass=1"},
	{.name = "af_xdp", .eal_name = "net_af_xdp", .package = PACKAGE("net-af-xdp"),
		.is_virtual = true, .needs_interface = true, .counts_losses = true,
		.counts_nombuf = true, .counts_sent = true, .reaps_on_tx = true, .mtu_max = 3520, .idle_rx_every = 8,
		.extra_buffers = 2048, .chunk_bytes = 4096, .queues_key = "queue_count", .defaults = "busy_budget=64"},
	{.name = "tap", .eal_name = "net_tap", .package = PACKAGE("net-tap"), .is_virtual = true,
		.counts_nombuf = true, .reaps_on_tx = true, .has_rx_fd = true, .holds_rx_ring = true,
		.mtu_max = 1500, .idle_rx_every = 1},
	{.name = "virtio_user", .eal_name = "net_virtio_user", .library = "net_virtio",
		.package = PACKAGE("net-virtio"), .is_virtual = true, .has_rx_fd = true, .shares_memory = true,
		.reaps_on_tx = true, .holds_rx_ring = true, .mtu_max = 1500, .idle_rx_every = 1},
	{.name = "ring", .eal_name = "net_ring", .package = PACKAGE("net-ring"), .is_virtual = true,
		.counts_sent = true, .mtu_max = 9000, .idle_rx_every = 1},
	{.name = "pcap", .eal_name = "net_pcap", .package = PACKAGE("net-pcap"), .is_virtual = true,
		.mtu_max = 9000, .idle_rx_every = 1},
	{.name = "null", .eal_name = "net_null", .package = PACKAGE("net-null"), .is_virtual = true,
		.mtu_max = 9000, .idle_rx_every = 1},
	{.name = "mlx5", .eal_name = "net_mlx5", .package = PACKAGE("net-mlx5-"), .counts_losses = true,
		.counts_nombuf = true, .holds_rx_ring = true, .mtu_max = 9000, .idle_rx_every = 1,
		.defaults = "mprq_en=0"},
	{.name = "i40e", .eal_name = "net_i40e", .package = PACKAGE("net-i40e"), .counts_losses = true,
		.counts_nombuf = true, .holds_rx_ring = true, .mtu_max = 9000,
		.idle_rx_every = 1},
	{.name = "ice", .eal_name = "net_ice", .package = PACKAGE("net-ice"), .counts_losses = true,
		.counts_nombuf = true, .holds_rx_ring = true, .mtu_max = 9000,
		.idle_rx_every = 1},
	{.name = "ixgbe", .eal_name = "net_ixgbe", .package = PACKAGE("net-ixgbe"),
		.counts_losses = true, .counts_nombuf = true, .holds_rx_ring = true,
		.mtu_max = 9000, .idle_rx_every = 1},
	{.name = "iavf", .eal_name = "net_iavf", .package = PACKAGE("net-iavf"), .counts_losses = true,
		.counts_nombuf = true, .holds_rx_ring = true, .mtu_max = 9000,
		.idle_rx_every = 1},
	{.name = "ena", .eal_name = "net_ena", .package = PACKAGE("net-ena"), .counts_losses = true,
		.counts_nombuf = true, .holds_rx_ring = true, .mtu_max = 9000,
		.idle_rx_every = 1},
	{.name = "virtio", .eal_name = "net_virtio", .package = PACKAGE("net-virtio"),
		.counts_nombuf = true, .holds_rx_ring = true, .mtu_max = 9000,
		.idle_rx_every = 1},
	{.name = "vmxnet3", .eal_name = "net_vmxnet3", .package = PACKAGE("net-vmxnet3-"),
		.counts_losses = true, .counts_nombuf = true, .holds_rx_ring = true,
		.mtu_max = 9000, .idle_rx_every = 1},
};

const struct port_driver *
port_driver_find(const char *name)
{
	for (uint32_t i = 0; i < ARRAY_COUNT(port_drivers); i++) {
		if (strcmp(name, port_drivers[i].name) == 0 ||
			strcmp(name, port_drivers[i].eal_name) == 0) {
			return &port_drivers[i];
		}
	}
	return NULL;
}

/* Debian's name of a driver's package: a name that ends in a digit gets a hyphen before the 23. */
static void
package_name(const char *eal_name, char *ret_package, size_t bytes)
{
	size_t len = strlen(eal_name);
	bool digit = eal_name[len - 1] >= '0' && eal_name[len - 1] <= '9';

	snprintf(ret_package, bytes, "librte-%s%s23", eal_name, digit ? "-" : "");
	for (char *at = ret_package; *at; at++) {
		*at = *at == '_' ? '-' : *at;
	}
}

int
port_driver_guess(const char *name, bool is_virtual, struct port_driver_guess *ret_guess)
{
	const char *bare = strncmp(name, "net_", 4) == 0 ? name + 4 : name;
	size_t len = strlen(bare);

	if (len == 0 || len > PORT_DRIVER_NAME_MAX ||
		bare[strspn(bare, "abcdefghijklmnopqrstuvwxyz0123456789_")] != 0) {
		return -EINVAL;
	}
	snprintf(ret_guess->name, sizeof(ret_guess->name), "%s", bare);
	snprintf(ret_guess->eal_name, sizeof(ret_guess->eal_name), "net_%s", bare);
	package_name(ret_guess->eal_name, ret_guess->package, sizeof(ret_guess->package));
	ret_guess->driver = (struct port_driver){.name = ret_guess->name,
		.eal_name = ret_guess->eal_name,
		.package = ret_guess->package,
		.is_virtual = is_virtual,
		.reaps_on_tx = true,
		.holds_rx_ring = true,
		.mtu_max = 9000,
		.idle_rx_every = 1};
	return 0;
}

uint32_t
port_driver_all(const struct port_driver **ret_rows)
{
	*ret_rows = port_drivers;
	return ARRAY_COUNT(port_drivers);
}

/* Where the value of key begins, or NULL. Devargs are comma separated. */
static const char *
devarg_find(const char *devargs, const char *key)
{
	size_t len = strlen(key);

	for (const char *at = devargs; at && *at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, key, len) == 0 && at[len] == '=') {
			return at + len + 1;
		}
	}
	return NULL;
}

uint32_t
port_devarg_number(const char *devargs, const char *key, uint32_t otherwise)
{
	const char *value = devarg_find(devargs, key);

	return value ? (uint32_t)strtoul(value, NULL, 10) : otherwise;
}

uint32_t
port_tx_budget(const struct port_driver *driver, const char *devargs)
{
	uint32_t slots;

	if (!driver->tx_slots_key) {
		return UINT32_MAX;
	}
	slots = port_devarg_number(driver->defaults, driver->tx_slots_key, 2);
	slots = port_devarg_number(devargs, driver->tx_slots_key, slots);
	return slots < 2 ? 1 : slots / 2;
}

bool
port_devarg_text(const char *devargs, const char *key, char *ret_value, uint32_t bytes)
{
	const char *value = devarg_find(devargs, key);
	size_t len = value ? strcspn(value, ",") : 0;

	if (!value || len >= bytes) {
		return false;
	}
	memcpy(ret_value, value, len);
	ret_value[len] = 0;
	return true;
}

static bool
devargs_clean(const char *devargs)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				      ".:,=@/_+-";

	return devargs[strspn(devargs, allowed)] == 0;
}

static int
append(char *text, const char *more)
{
	size_t len = strlen(text);

	if (len + strlen(more) >= PORT_DEVARGS_MAX) {
		return -EINVAL;
	}
	memcpy(text + len, more, strlen(more) + 1);
	return 0;
}

/* Appends ",key=value" for each default whose key is not there yet. */
static int
append_defaults(char *argument, const char *defaults)
{
	const char *at = defaults ? defaults : "";
	int rc = 0;

	while (rc == 0 && *at) {
		char one[64] = ",", key[64] = "";
		size_t len = strcspn(at, ","), key_len = strcspn(at, "=");

		if (len + 2 > sizeof(one) || key_len >= len) {
			return -EINVAL;
		}
		memcpy(one + 1, at, len);
		memcpy(key, at, key_len);
		if (!devarg_find(argument, key)) {
			rc = append(argument, one);
		}
		at += len + (at[len] == ',');
	}
	return rc;
}

int
port_devargs(const struct port_devargs_in *in, char ret_argument[PORT_DEVARGS_MAX], char *text,
	uint32_t text_bytes)
{
	const struct port_driver *driver = in->driver;
	const char *devargs = in->devargs ? in->devargs : "";
	char queues[64];
	int rc;

	if (!devargs_clean(devargs) || (in->pci && !devargs_clean(in->pci))) {
		snprintf(text, text_bytes, "ports[%u]: devargs may hold letters, digits and .:,=@/_+- only",
			in->index);
		return -EINVAL;
	}
	if (driver->is_virtual == (in->pci != NULL)) {
		snprintf(text, text_bytes, "ports[%u]: driver %s %s", in->index, driver->name,
			driver->is_virtual ? "is virtual and takes no PCI id" : "needs id: {pci: ...}");
		return -EINVAL;
	}
	if (driver->needs_interface && !devarg_find(devargs, "iface")) {
		snprintf(text, text_bytes, "ports[%u]: driver %s needs devargs: iface=<interface>", in->index,
			driver->name);
		return -EINVAL;
	}
	if (driver->is_virtual) {
		snprintf(ret_argument, PORT_DEVARGS_MAX, "%s%u", driver->eal_name, in->index);
	} else {
		snprintf(ret_argument, PORT_DEVARGS_MAX, "%s", in->pci);
	}
	rc = *devargs ? append(ret_argument, ",") : 0;
	if (rc == 0) {
		rc = append(ret_argument, devargs);
	}
	if (rc == 0) {
		rc = append_defaults(ret_argument, driver->defaults);
	}
	if (rc == 0 && driver->queues_key) {
		snprintf(queues, sizeof(queues), "%s=%u", driver->queues_key, in->queues);
		rc = append_defaults(ret_argument, queues);
	}
	if (rc < 0) {
		snprintf(text, text_bytes, "ports[%u]: devargs longer than %u characters", in->index,
			PORT_DEVARGS_MAX - 1);
	}
	return rc;
}
