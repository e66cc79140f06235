/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How packets find their lane's queue, from what a device granted. Pure, no DPDK, any thread.
 */
#ifndef NIC_PORT_STEERING_H
#define NIC_PORT_STEERING_H

#include <stdbool.h>
#include <stdint.h>

enum port_steering {
	PORT_STEERING_RULES,	 /* flow rules: each UDP port on its lane's queue */
	PORT_STEERING_ONE_QUEUE, /* there is no other queue */
	PORT_STEERING_PEER,	 /* nothing steers: the peer must choose the queue */
	PORT_STEERING_DEAF,	 /* isolated and without rules: the device gives us no packet at all */
};

struct port_steering_in {
	uint16_t queues;
	bool isolate; /* the device hands out only what a rule names */
	bool rules;   /* it took all of them */
};

enum port_steering port_steering(const struct port_steering_in *in);

#endif
