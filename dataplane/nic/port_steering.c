/* SPDX-License-Identifier: Apache-2.0 */
#include "nic/port_steering.h"

enum port_steering
port_steering(const struct port_steering_in *in)
{
	if (in->rules) {
		return PORT_STEERING_RULES;
	}
	if (in->isolate) {
		return PORT_STEERING_DEAF;
	}
	return in->queues == 1 ? PORT_STEERING_ONE_QUEUE : PORT_STEERING_PEER;
}
