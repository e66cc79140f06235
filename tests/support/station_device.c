/* SPDX-License-Identifier: Apache-2.0 */
#include "support/station_device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "nic/eal.h"

#define QUIET_NS (300 * NS_PER_MS)

struct station_device {
	struct nic_device *device;
	struct station *station;
	struct nic *queues[STATION_QUEUES_MAX]; /* decorators, if there are any */
	uint16_t queue_count;
	bool faults;
};

void
station_device_options_init(struct station_device_options *options)
{
	memset(options, 0, sizeof(*options));
	nic_device_options_init(&options->nic);
	options->resolve_ms = 15000;
	options->fault.seed = 1;
}

/* A decorator a queue, each with a seed of its own. */
static int
device_decorate(struct station_device *d, const struct nic_fault_options *fault)
{
	int rc = 0;

	d->faults = fault->loss_ppm > 0 || fault->duplicate_ppm > 0 || fault->reorder_ppm > 0;
	for (uint16_t i = 0; rc == 0 && i < d->queue_count; i++) {
		struct nic_fault_options one = *fault;

		one.seed += i;
		d->queues[i] = nic_device_queue(d->device, i);
		if (d->faults) {
			rc = nic_fault_create(&one, d->queues[i], &d->queues[i]);
		}
	}
	return rc;
}

static int
device_start(struct station_device *d, const struct station_device_options *options, char *text,
	uint32_t text_bytes)
{
	struct station_options station = {.queue_count = options->nic.queues,
		.vlan_id = options->vlan_id,
		.resolve_ms = options->resolve_ms,
		.thread_begin = eal_thread_register,
		.thread_end = eal_thread_unregister};
	int rc = options->address ? nic_device_address(options->address, station.address) : -EINVAL;

	if (rc < 0) {
		snprintf(text, text_bytes, "own address '%s' is no IP address",
			options->address ? options->address : "");
		return rc;
	}
	rc = nic_device_open(&options->nic, &d->device, text, text_bytes);
	if (rc < 0) {
		return rc;
	}
	rc = device_decorate(d, &options->fault);
	memcpy(station.queues, d->queues, sizeof(d->queues));
	rc = rc < 0 ? rc : station_create(&station, &d->station);
	rc = rc < 0 ? rc : station_start(d->station);
	if (rc < 0) {
		snprintf(text, text_bytes, "station: %s", strerror(-rc));
	}
	return rc;
}

int
station_device_open(const struct station_device_options *options, struct station_device **ret_device,
	char *text, uint32_t text_bytes)
{
	struct station_device *d = calloc(1, sizeof(*d));
	char json[STATION_DEVICE_JSON_BYTES];
	int rc;

	if (!d) {
		return -ENOMEM;
	}
	d->queue_count = options->nic.queues;
	rc = options->nic.queues > 0 && options->nic.queues <= STATION_QUEUES_MAX ? 0 : -EINVAL;
	if (rc < 0) {
		snprintf(text, text_bytes, "1 to %u queues", STATION_QUEUES_MAX);
	}
	rc = rc < 0 ? rc : device_start(d, options, text, text_bytes);
	if (rc < 0) {
		(void)station_device_close(d, json, sizeof(json));
		return rc;
	}
	*ret_device = d;
	return 0;
}

void
station_device_use(struct station_device *device, transport_create_fn *ret_fn, void **ret_data)
{
	*ret_fn = station_connect;
	*ret_data = device->station;
}

bool
station_device_close(struct station_device *d, char *ret_json, size_t json_bytes)
{
	struct station_report report = {0};

	if (d->station) {
		station_stop(d->station, QUIET_NS);
		station_report(d->station, &report);
		station_destroy(d->station);
	}
	for (uint16_t i = 0; i < d->queue_count; i++) {
		if (d->faults && d->queues[i]) {
			d->queues[i]->ops->destroy(d->queues[i]);
		}
	}
	if (d->device && nic_device_close(d->device) > 0) {
		report.adds_up = false;
	}
	station_report_json(&report, ret_json, json_bytes);
	free(d);
	return report.adds_up;
}
