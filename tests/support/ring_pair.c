/* SPDX-License-Identifier: Apache-2.0 */
#include "support/ring_pair.h"

#include <stdio.h>
#include <unistd.h>
#include <rte_eth_ring.h>
#include <rte_ring.h>
#include "base/ensure.h"
#include "nic/eal.h"

#define DESCRIPTORS 128

static struct port *
open_port(const char *device, uint16_t index, uint16_t queues)
{
	struct port_options options;
	struct port_plan_in plan;
	struct port *port = NULL;
	char text[PORT_TEXT_BYTES];

	port_plan_init(&plan);
	plan.driver = port_driver_find("ring");
	plan.lanes = queues;
	plan.page_bytes = 4096;
	plan.rx_desc = plan.tx_desc = DESCRIPTORS;
	port_options_init(&options);
	ensure(port_plan(&plan, &options.plan, text, sizeof(text)) == 0);
	options.device = device;
	options.driver = plan.driver;
	options.index = index;
	options.queues = queues;
	options.rx_desc = options.tx_desc = DESCRIPTORS;
	if (port_open(&options, &port, text, sizeof(text)) < 0) {
		fprintf(stderr, "%s\n", text);
		return NULL;
	}
	return port;
}

bool
ring_pair_open(uint16_t queues, uint32_t slots, struct port **ret_a, struct port **ret_b)
{
	struct rte_ring *there[RING_PAIR_QUEUES_MAX], *back[RING_PAIR_QUEUES_MAX];
	struct eal_options options;
	char text[EAL_TEXT_BYTES], name[32];

	ensure(queues <= RING_PAIR_QUEUES_MAX);
	eal_options_init(&options);
	options.hugepages = false;
	options.memory_mib = 192;
	snprintf(options.file_prefix, sizeof(options.file_prefix), "psring%d", (int)getpid());
	if (eal_start(&options, text, sizeof(text)) < 0) {
		fprintf(stderr, "%s\n", text);
		return false;
	}
	ensure(eal_start(&options, text, sizeof(text)) < 0); /* once a process */
	for (uint32_t i = 0; i < queues; i++) {
		snprintf(name, sizeof(name), "there%u", i);
		there[i] = rte_ring_create(name, slots, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
		snprintf(name, sizeof(name), "back%u", i);
		back[i] = rte_ring_create(name, slots, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
		ensure(there[i] != NULL);
		ensure(back[i] != NULL);
	}
	ensure(rte_eth_from_rings("A", there, queues, back, queues, 0) >= 0);
	ensure(rte_eth_from_rings("B", back, queues, there, queues, 0) >= 0);
	*ret_a = open_port("net_ring_A", 0, queues);
	*ret_b = open_port("net_ring_B", 1, queues);
	return *ret_a && *ret_b;
}
