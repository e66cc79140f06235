/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps net_tap from its signals. It has the kernel raise a real-time signal for every packet, only to
 * know whether a read is worth while: each interrupts some thread's system call, and if they overflow
 * the kernel sends SIGIO instead, which ends the process. It looks for a signal without a handler when
 * a queue is made, and does without if there is none; so while queues are made all of them are taken.
 * Main thread, while no other thread changes handlers.
 */
#ifndef NIC_RT_SIGNALS_H
#define NIC_RT_SIGNALS_H

#include <stdint.h>

struct rt_signals {
	uint64_t taken; /* a bit each, by number - 1: had no handler, is ignored for now */
};

/* Ignores every real-time signal that has no handler. */
void rt_signals_take(struct rt_signals *ret_signals);
/* They have none again. */
void rt_signals_give_back(const struct rt_signals *signals);

#endif
