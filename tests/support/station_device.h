/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A station (station.h) on a DPDK device (nic_device.h), from the words of a command line: what
 * produce_check and penstock-loadgen open for --nic. Main thread.
 */
#ifndef SUPPORT_STATION_DEVICE_H
#define SUPPORT_STATION_DEVICE_H

#include "client/transport.h"
#include "nic/nic_fault.h"
#include "support/nic_device.h"
#include "support/station.h"

#define STATION_DEVICE_JSON_BYTES 640

struct station_device;

struct station_device_options {
	struct nic_device_options nic;
	const char *address; /* ours */
	uint16_t vlan_id;
	uint32_t resolve_ms;
	struct nic_fault_options fault; /* of what we receive; all 0: none */
};

/* No device: nothing to open. 15 s for the server to appear and answer. */
void station_device_options_init(struct station_device_options *options);
int station_device_open(const struct station_device_options *options,
	struct station_device **ret_device, char *text, uint32_t text_bytes) MUST_CHECK;
/* What makes producers travel by the station (struct penstock_config). */
void station_device_use(struct station_device *device, transport_create_fn *ret_fn, void **ret_data);
/*
 * After the last producer: waits until the link has been quiet, closes all. True if the station's
 * ledger adds up and every buffer came home; the report as JSON.
 */
bool station_device_close(struct station_device *device, char *ret_json, size_t json_bytes);

#endif
