/* SPDX-License-Identifier: Apache-2.0 */
/* What penstock_config_set collects, parsed. Plain data; copied into the producer. */
#ifndef CLIENT_PRODUCER_CONFIG_H
#define CLIENT_PRODUCER_CONFIG_H

#include "client/client_core.h"
#include "client/penstock.h"
#include "client/transport.h"

struct penstock_config {
	char bootstrap[256];
	char client_id[CLIENT_NAME_MAX + 1];
	uint64_t linger_ms;
	uint64_t batch_bytes;
	uint64_t buffer_bytes;
	uint64_t delivery_timeout_ms;
	uint64_t retry_backoff_ms;
	uint64_t max_datagram;
	bool acks_received;
	penstock_delivery_fn delivery_fn;
	void *delivery_data;
	penstock_partitioner_fn partitioner_fn;
	void *partitioner_data;
	transport_create_fn transport_fn; /* NULL: kernel sockets. Not a setting: set by tests */
	void *transport_data;
};

#endif
