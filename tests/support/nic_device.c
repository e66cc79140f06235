/* SPDX-License-Identifier: Apache-2.0 */
#include "support/nic_device.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "nic/eal.h"
#include "nic/port.h"

#define NAME_MAX_BYTES 32

struct nic_device {
	const struct port_driver *driver;
	const char *devargs; /* of the caller's string */
	struct port *port;
	char name[NAME_MAX_BYTES + 8];
};

void
nic_device_options_init(struct nic_device_options *options)
{
	*options = (struct nic_device_options){.prefix = "penstock-test", .queues = 1, .mtu = 1500};
}

int
nic_device_address(const char *text, uint8_t ret_address[16])
{
	if (inet_pton(AF_INET6, text, ret_address) == 1) {
		return 0;
	}
	memset(ret_address, 0, 10);
	memset(ret_address + 10, 0xff, 2);
	return inet_pton(AF_INET, text, ret_address + 12) == 1 ? 0 : -EINVAL;
}

/* "net_memif0,..." -> the driver's row and what follows the first comma. */
static int
device_split(struct nic_device *device, const char *text, char *ret_text, uint32_t text_bytes)
{
	char name[NAME_MAX_BYTES];
	size_t len = strcspn(text, ",");

	device->devargs = text[len] == ',' ? text + len + 1 : NULL;
	device->driver = NULL;
	if (len < sizeof(name)) {
		memcpy(name, text, len);
		name[len] = 0;
		device->driver = port_driver_find(name);
		/* An index is ours to give; mlx5's digit is its name's. */
		while (!device->driver && len > 0 && isdigit((unsigned char)name[len - 1])) {
			name[--len] = 0;
			device->driver = port_driver_find(name);
		}
	}
	if (!device->driver || !device->driver->is_virtual) {
		snprintf(ret_text, text_bytes, "'%s' names no virtual device, as net_memif0,role=client", text);
		return -EINVAL;
	}
	snprintf(device->name, sizeof(device->name), "%s0", device->driver->eal_name);
	return 0;
}

static int
device_start_eal(struct nic_device *device, const struct nic_device_options *options,
	const struct port_plan *plan, char *text, uint32_t text_bytes)
{
	struct port_devargs_in devargs = {
		.driver = device->driver, .devargs = device->devargs, .queues = options->queues};
	struct eal_options eal;
	int rc;

	eal_options_init(&eal);
	snprintf(eal.file_prefix, sizeof(eal.file_prefix), "%s", options->prefix);
	eal.hugepages = options->hugepages;
	eal.memory_mib = port_plan_memory_mib(plan->total_bytes, 0);
	eal.port_count = 1;
	eal.ports[0].driver = device->driver;
	rc = port_devargs(&devargs, eal.ports[0].argument, text, text_bytes);
	if (rc < 0) {
		return rc;
	}
	if (eal_preflight(&eal, text, text_bytes) > 0) {
		return -ENOTSUP;
	}
	return eal_start(&eal, text, text_bytes);
}

static int
device_open(struct nic_device *device, const struct nic_device_options *options, char *text,
	uint32_t text_bytes)
{
	struct port_options port;
	struct port_plan_in plan;
	int rc = device_split(device, options->device, text, text_bytes);

	if (rc < 0) {
		return rc;
	}
	port_plan_init(&plan);
	plan.driver = device->driver;
	plan.devargs = device->devargs;
	plan.lanes = options->queues;
	plan.mtu = options->mtu;
	plan.page_bytes = options->hugepages ? 2 * MIB : 4096;
	port_options_init(&port);
	rc = port_plan(&plan, &port.plan, text, text_bytes);
	if (rc < 0) {
		return rc;
	}
	if (options->show) {
		(void)fprintf(stderr, "%s\n", text);
	}
	rc = device_start_eal(device, options, &port.plan, text, text_bytes);
	if (rc < 0) {
		return rc;
	}
	port.device = device->name;
	port.driver = device->driver;
	port.devargs = device->devargs;
	port.queues = options->queues;
	port.mtu = options->mtu;
	rc = port_open(&port, &device->port, text, text_bytes);
	if (rc < 0) {
		eal_stop();
	} else if (options->show) {
		(void)fprintf(stderr, "%s", text);
	}
	return rc;
}

int
nic_device_open(const struct nic_device_options *options, struct nic_device **ret_device, char *text,
	uint32_t text_bytes)
{
	struct nic_device *device = calloc(1, sizeof(*device));
	int rc = device ? device_open(device, options, text, text_bytes) : -ENOMEM;

	if (rc < 0) {
		free(device);
		return rc;
	}
	*ret_device = device;
	return 0;
}

struct nic *
nic_device_queue(struct nic_device *device, uint16_t queue)
{
	return port_queue(device->port, queue);
}

bool
nic_device_link_up(struct nic_device *device)
{
	return port_link_up(device->port);
}

uint32_t
nic_device_close(struct nic_device *device)
{
	uint32_t missing = port_close(device->port);

	eal_stop();
	free(device);
	return missing;
}
