/* SPDX-License-Identifier: Apache-2.0 */
#include "nic/eal_nodes.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/bytes.h"
#include "nic/port_plan.h"

#define NODE_PATH "/sys/devices/system/node/node%u"

/* The first line of a file of a node, or of any other path; false if there is none. */
static bool
line_read(const char *path, char *ret_line, uint32_t bytes)
{
	FILE *file = fopen(path, "re");
	bool read;

	ret_line[0] = 0;
	if (!file) {
		return false;
	}
	read = fgets(ret_line, (int)bytes, file) != NULL;
	fclose(file);
	ret_line[strcspn(ret_line, "\n")] = 0;
	return read;
}

/* Copies the node's CPUs as a list ("0-15,32"); "" if it has none. */
static void
eal_nodes_cpus(const char *root, uint32_t node, char *ret_list, uint32_t bytes)
{
	char path[512];

	snprintf(path, sizeof(path), "%s" NODE_PATH "/cpulist", root, node);
	(void)line_read(path, ret_list, bytes);
}

/* Whether "0-15,32" holds a CPU. */
static bool
list_has(const char *list, uint32_t cpu)
{
	for (const char *at = list; *at;) {
		char *end;
		unsigned long first = strtoul(at, &end, 10), last = first;

		if (end == at) {
			return false;
		}
		if (*end == '-') {
			last = strtoul(end + 1, &end, 10);
		}
		if (cpu >= first && cpu <= last) {
			return true;
		}
		at = end + (*end == ',');
	}
	return false;
}

static bool
node_is_there(const char *root, uint32_t node)
{
	char path[512];

	snprintf(path, sizeof(path), "%s" NODE_PATH, root, node);
	return access(path, F_OK) == 0;
}

int
eal_nodes_of_cpu(const char *root, uint32_t cpu)
{
	char list[1024];
	bool any = false;

	for (uint32_t node = 0; node < EAL_NODES_MAX; node++) {
		any = any || node_is_there(root, node);
		eal_nodes_cpus(root, node, list, sizeof(list));
		if (list_has(list, cpu)) {
			return (int)node;
		}
	}
	return any ? -1 : 0;
}

/* The node of a port's device, -1: it has none (virtual), or the firmware does not tell. */
static int
eal_nodes_of_port(const char *root, const struct eal_port *port)
{
	char path[512], name[IFNAMSIZ], line[32];

	if (!port->driver->is_virtual) {
		snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%.*s/numa_node", root,
			(int)strcspn(port->argument, ","), port->argument);
	} else if (port->driver->needs_interface &&
		port_devarg_text(port->argument, "iface", name, sizeof(name))) {
		snprintf(path, sizeof(path), "%s/sys/class/net/%s/device/numa_node", root, name);
	} else {
		return -1;
	}
	if (!line_read(path, line, sizeof(line))) {
		return -1;
	}
	long node = strtol(line, NULL, 10);

	return node >= 0 && node < EAL_NODES_MAX ? (int)node : -1;
}

uint64_t
eal_nodes_pages_free(const char *root, uint32_t node, uint32_t hugepage_kib)
{
	char path[512], line[32];

	snprintf(path, sizeof(path), "%s" NODE_PATH "/hugepages/hugepages-%ukB/free_hugepages", root, node,
		hugepage_kib);
	if (!node_is_there(root, node)) {
		snprintf(path, sizeof(path), "%s/sys/kernel/mm/hugepages/hugepages-%ukB/free_hugepages", root,
			hugepage_kib);
	}
	return line_read(path, line, sizeof(line)) ? strtoull(line, NULL, 10) : 0;
}

void
eal_nodes_plan(struct eal_options *o)
{
	uint64_t pool_bytes[EAL_NODES_MAX] = {0};
	int main_node = eal_nodes_of_cpu(o->root, o->main_cpu);

	o->main_node = main_node < 0 ? 0 : (uint32_t)main_node;
	for (uint32_t i = 0; i < o->port_count; i++) {
		int node = o->ports[i].driver->is_virtual ? -1 : eal_nodes_of_port(o->root, &o->ports[i]);

		pool_bytes[node < 0 ? o->main_node : (uint32_t)node] += o->ports[i].pool_bytes;
	}
	o->memory_mib = 0;
	for (uint32_t node = 0; node < EAL_NODES_MAX; node++) {
		/* DPDK keeps things of its own with the main lcore. */
		bool used = pool_bytes[node] > 0 || node == o->main_node;

		o->node_mib[node] = used ? port_plan_memory_mib(pool_bytes[node], 0) : 0;
		o->memory_mib += o->node_mib[node];
	}
}

/* The first CPU of the port's lanes that belongs to another node; false if there is none. */
static bool
stray_cpu(const struct eal_options *o, const struct eal_port *port, int node, uint32_t *ret_cpu, int *ret_node)
{
	for (uint32_t i = 0; i < port->cpu_count; i++) {
		*ret_cpu = port->cpus[i];
		*ret_node = eal_nodes_of_cpu(o->root, *ret_cpu);
		if (*ret_node >= 0 && *ret_node != node) {
			return true;
		}
	}
	return false;
}

uint32_t
eal_nodes_astray(const struct eal_options *o, char *text, uint32_t text_bytes)
{
	uint32_t count = 0, used = 0;

	text[0] = 0;
	for (uint32_t i = 0; i < o->port_count; i++) {
		const struct eal_port *port = &o->ports[i];
		int node = eal_nodes_of_port(o->root, port), cpu_node;
		char list[256];
		uint32_t cpu;

		if (node < 0 || !stray_cpu(o, port, node, &cpu, &cpu_node)) {
			continue;
		}
		count++;
		eal_nodes_cpus(o->root, (uint32_t)node, list, sizeof(list));
		int len = snprintf(text + used, text_bytes - used,
			"%.*s is on NUMA node %d, CPU %u of its rx lcores on node %d: each packet would cross from one to "
			"the other. fix: lcores.rx of the CPUs %s, or lcores.numa_strict: false\n",
			(int)strcspn(port->argument, ","), port->argument, node, cpu, cpu_node,
			*list ? list : "of that node");

		used += (uint32_t)len < text_bytes - used ? (uint32_t)len : text_bytes - used - 1;
	}
	return count;
}
