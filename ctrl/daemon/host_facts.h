/* SPDX-License-Identifier: Apache-2.0 */
/* What kind of machine this is, as `match` of a hardware profile asks. Start-up only; no state. */
#ifndef CTRL_HOST_FACTS_H
#define CTRL_HOST_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#define HOST_NICS_MAX 64

enum host_kind {
	HOST_KIND_BARE,
	HOST_KIND_VM,
	HOST_KIND_CONTAINER, /* also one in a virtual machine */
};

struct host_facts {
	uint32_t cpu_count;    /* online; 0: the kernel does not tell */
	uint64_t memory_bytes; /* that Linux has; 0: not told */
	enum host_kind kind;
	uint32_t nic_count;
	char nics[HOST_NICS_MAX][10]; /* "15b3:101d": network devices on PCI */
};

/* Reads /sys, /proc and /run beneath `root` ("" for this machine). What is not there is 0. */
void host_facts_read(const char *root, struct host_facts *ret_facts);
/* The kernel keeps others off this CPU (isolcpus, isolated cpusets). -1: no CPU, so false. */
bool host_facts_cpu_isolated(const char *root, int cpu);
/* Bytes that could be taken now without swapping, in the control group as well; 0: not told. */
uint64_t host_facts_memory_free(const char *root);

#endif
