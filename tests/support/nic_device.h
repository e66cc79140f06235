/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One DPDK port for a test program, from one string: EAL started, pools planned, queues open. The
 * programs' counterpart of ctrl/daemon/ports.c. Main thread; once a process, because EAL is.
 */
#ifndef SUPPORT_NIC_DEVICE_H
#define SUPPORT_NIC_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"
#include "nic/nic.h"

struct nic_device;

struct nic_device_options {
	const char *device; /* "net_memif0,role=client,socket=x" or "memif,role=client,socket=x" */
	const char *prefix; /* of EAL's runtime folder; another one for each process */
	uint16_t queues;
	uint16_t mtu;
	bool hugepages;
	bool show; /* the plan and what the device granted, on stderr */
};

/* One queue, MTU 1500, no hugepages. */
void nic_device_options_init(struct nic_device_options *options);
/* Negative errno with cause in text: no such driver, what the preflight or EAL says. */
int nic_device_open(const struct nic_device_options *options, struct nic_device **ret_device,
	char *text, uint32_t text_bytes) MUST_CHECK;
struct nic *nic_device_queue(struct nic_device *device, uint16_t queue);
bool nic_device_link_up(struct nic_device *device);
/* Closes the port and EAL. Returns how many buffers did not come home. */
uint32_t nic_device_close(struct nic_device *device);
/* "192.0.2.1" or "2001:db8::1" as packet_peer has it. -EINVAL. */
int nic_device_address(const char *text, uint8_t ret_address[16]) MUST_CHECK;

#endif
