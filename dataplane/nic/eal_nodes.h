/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which NUMA node CPUs, ports and hugepages belong to, and how much packet memory each node is to give:
 * what DPDK finds out only when a pool cannot be made, or never. Reads sysfs below a root ("" or a
 * directory that stands for /); changes nothing, knows no DPDK. Housekeeping thread, at start.
 */
#ifndef NIC_EAL_NODES_H
#define NIC_EAL_NODES_H

#include <stdbool.h>
#include <stdint.h>
#include "nic/eal.h"

/* The node of a CPU; 0 where the kernel shows no nodes; -1: no node below EAL_NODES_MAX has it. */
int eal_nodes_of_cpu(const char *root, uint32_t cpu);
/* Free pages of that size on a node; those of the machine where the kernel shows no nodes. */
uint64_t eal_nodes_pages_free(const char *root, uint32_t node, uint32_t hugepage_kib);
/*
 * Fills in main_node, node_mib and memory_mib from the ports' pools: a port's lie on its device's node, those of
 * virtual ones with the main lcore, which is where DPDK puts them.
 */
void eal_nodes_plan(struct eal_options *options);
/*
 * Of which ports an rx lcore is pinned to a CPU of another node than the device's, a line each as eal_preflight()
 * writes them. Returns their count; text ends with what fitted.
 */
uint32_t eal_nodes_astray(const struct eal_options *options, char *text, uint32_t text_bytes);

#endif
