/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK's environment: arguments built from checked options, the checks before it, one start a
 * process, its log lines in ours. Housekeeping thread, at start. No other
 * folder sees an rte_ name, but for ring headers and the telemetry commands of ctrl/daemon/telemetry.c.
 */
#ifndef NIC_EAL_H
#define NIC_EAL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"
#include "nic/port_driver.h"

#define EAL_PORTS_MAX	  8
#define EAL_ARGUMENTS_MAX 48
#define EAL_TEXT_BYTES	  2048
#define EAL_PREFIX_MAX	  63
#define EAL_EXTRA_MAX	  16
#define EAL_NODES_MAX	  8
#define EAL_CPUS_MAX	  16

struct eal_port {
	const struct port_driver *driver;
	char argument[PORT_DEVARGS_MAX]; /* of port_devargs() */
	bool own_net; /* every packet is ours: the kernel may have no address on the device (mlx5) */
	uint32_t udp_port_first, udp_port_count; /* of its lanes */
	uint64_t pool_bytes; /* of its packet pools, all lanes */
	uint32_t cpu_count;  /* of its lanes' rx lcores, those that are pinned */
	uint16_t cpus[EAL_CPUS_MAX];
};

struct eal_options {
	char file_prefix[EAL_PREFIX_MAX + 1]; /* names the runtime folder and the telemetry socket */
	bool hugepages;		/* false: 4 KiB pages, for dev mode and CI; never with vfio */
	uint32_t hugepage_kib;	/* 2048 or 1048576; for the checks */
	uint32_t memory_mib;	/* port_plan_memory_mib(), or the sum of eal_nodes_plan() */
	uint32_t main_cpu;	/* of the housekeeping lcore */
	uint32_t main_node;	/* its NUMA node */
	uint32_t node_mib[EAL_NODES_MAX]; /* of eal_nodes_plan(); all 0: memory_mib on main_node */
	bool numa_strict;	/* a port on another node than its lanes' CPUs is a failure */
	bool iova_pa;		/* vfio without an IOMMU only */
	uint32_t port_count;
	struct eal_port ports[EAL_PORTS_MAX];
	uint32_t extra_count; /* further arguments of the profile, behind ours */
	const char *extra[EAL_EXTRA_MAX];
	const char *root; /* "" or a directory that stands for / in the checks (tests) */
};

/* Hugepages of 2 MiB, 64 MiB, the first CPU that this process may use and node 0, prefix "penstock". */
void eal_options_init(struct eal_options *options);

/* The argument vector; strings live in the struct. */
struct eal_arguments {
	int count;
	char *values[EAL_ARGUMENTS_MAX + 1];
	char strings[EAL_ARGUMENTS_MAX * 64 + EAL_PORTS_MAX * PORT_DEVARGS_MAX];
};

/* Pure. -EINVAL with the cause in text: a prefix that is no file name, too many ports. */
int eal_arguments(const struct eal_options *options, struct eal_arguments *ret_arguments, char *text,
	uint32_t text_bytes) MUST_CHECK;
/*
 * What would make the start fail, a line each: the cause, then " fix: " and the command that mends
 * it. Hugepages, memlock, driver packages, interfaces, privileges. 0 if nothing; else the count of
 * failures in text.
 */
uint32_t eal_preflight(const struct eal_options *options, char *text, uint32_t text_bytes);
/*
 * Starts it, once a process whether it succeeds or not (-EALREADY). The calling thread's CPU mask is
 * as before afterwards. On failure text has DPDK's own words and ours.
 */
int eal_start(const struct eal_options *options, char *text, uint32_t text_bytes) MUST_CHECK;
/*
 * Whether a PCI port is in a vfio group without an IOMMU, which takes physical addresses only: what
 * options->iova_pa is to be. Reads sysfs below options->root.
 */
bool eal_needs_iova_pa(const struct eal_options *options);
/* Whether each node has pages of that size free for what the options want of it. */
bool eal_hugepages_free(const struct eal_options *options, uint32_t hugepage_kib);
/* Whether the library of a driver ("net_memif") is where DPDK looks for it. */
bool eal_driver_installed(const char *eal_name);
/* Where this process' telemetry socket lies (dpdk_telemetry.v2); after eal_start. EAL's memory. */
const char *eal_runtime_folder(void);
/* After all ports are closed. */
void eal_stop(void);
/*
 * A thread of our own that receives packets becomes an lcore, so that its buffers are cached. Before
 * its first rx; the counterpart at its end. Negative errno; -ENOTSUP without eal_start.
 */
int eal_thread_register(void);
void eal_thread_unregister(void);

#endif
