/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks before DPDK starts (eal.h): each failure names its cause and the command that mends it.
 * Reads sysfs and procfs below options->root; changes nothing. Housekeeping thread.
 */
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <rte_config.h>
#include "base/bytes.h"
#include "nic/eal_nodes.h"
#include "nic/memif_socket.h"
#include "nic/xdp_lanes.h"

#define CAP_NET_ADMIN_BIT 12
#define CAP_NET_RAW_BIT	  13
#define CAP_IPC_LOCK_BIT  14

struct findings {
	char *text;
	uint32_t bytes;
	uint32_t used;
	uint32_t count;
};

PRINTF_LIKE(2, 3) static void
finding_add(struct findings *f, const char *format, ...)
{
	va_list list;
	int len;

	f->count++;
	if (f->used + 2 >= f->bytes) {
		return;
	}
	va_start(list, format);
	len = vsnprintf(f->text + f->used, f->bytes - f->used - 1, format, list);
	va_end(list);
	f->used += (uint32_t)len < f->bytes - f->used - 1 ? (uint32_t)len : f->bytes - f->used - 2;
	f->text[f->used++] = '\n';
	f->text[f->used] = 0;
}

/* The first line of a file; false if there is none. */
static bool
file_line(const char *path, char *ret_line, uint32_t bytes)
{
	FILE *file = fopen(path, "re");
	bool read;

	if (!file) {
		return false;
	}
	read = fgets(ret_line, (int)bytes, file) != NULL;
	fclose(file);
	return read;
}

static bool
file_number(const char *path, uint64_t *ret_number)
{
	char line[64];

	if (!file_line(path, line, sizeof(line))) {
		return false;
	}
	*ret_number = strtoull(line, NULL, 10);
	return true;
}

/* CapEff of this process, a bit a capability. */
static uint64_t
capabilities(const char *root)
{
	char path[512], line[256];
	uint64_t bits = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/self/status", root);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "CapEff:", 7) == 0) {
			bits = strtoull(line + 7, NULL, 16);
		}
	}
	if (file) {
		fclose(file);
	}
	return bits;
}

static uint64_t
hugepages_needed(uint32_t hugepage_kib, uint32_t memory_mib)
{
	return ((uint64_t)memory_mib * KIB + hugepage_kib - 1) / hugepage_kib;
}

/* What a node has to give. */
static uint32_t
node_needs_mib(const struct eal_options *options, uint32_t node)
{
	uint32_t planned = 0;

	for (uint32_t i = 0; i < EAL_NODES_MAX; i++) {
		planned += options->node_mib[i];
	}
	return planned > 0 ? options->node_mib[node] : node == options->main_node ? options->memory_mib : 0;
}

bool
eal_hugepages_free(const struct eal_options *options, uint32_t hugepage_kib)
{
	bool free = true;

	for (uint32_t node = 0; node < EAL_NODES_MAX && free; node++) {
		uint64_t need = hugepages_needed(hugepage_kib, node_needs_mib(options, node));

		free = need == 0 || eal_nodes_pages_free(options->root, node, hugepage_kib) >= need;
	}
	return free;
}

static void
check_hugepages_of_node(struct findings *f, const struct eal_options *options, uint32_t node)
{
	uint32_t need_mib = node_needs_mib(options, node);
	uint64_t pages = eal_nodes_pages_free(options->root, node, options->hugepage_kib);
	uint64_t need = hugepages_needed(options->hugepage_kib, need_mib);

	if (pages < need) {
		finding_add(f,
			"hugepages: %llu of %u KiB are free on NUMA node %u, %llu are needed for %u MiB (memory.per_node). "
			"fix: hw-config/setup/hugepages apply %u; at boot: hugepagesz=%s hugepages=%u:%llu; or do "
			"without: memory.hugepage_size: none",
			(unsigned long long)pages, options->hugepage_kib, node, (unsigned long long)need, need_mib,
			need_mib, options->hugepage_kib == 2048 ? "2M" : "1G", node, (unsigned long long)need);
	}
}

static void
check_hugepages(struct findings *f, const struct eal_options *options)
{
	for (uint32_t node = 0; options->hugepages && node < EAL_NODES_MAX; node++) {
		check_hugepages_of_node(f, options, node);
	}
}

/* A port whose lanes run on CPUs of another node. */
static void
check_nodes(struct findings *f, const struct eal_options *options)
{
	char text[EAL_TEXT_BYTES];

	if (!options->numa_strict) {
		return;
	}
	(void)eal_nodes_astray(options, text, sizeof(text));
	for (const char *at = text; *at;) {
		int len = (int)strcspn(at, "\n");

		finding_add(f, "%.*s", len, at);
		at += len + (at[len] == '\n');
	}
}

/* A hugetlb limit of our cgroup kills by SIGBUS at the first touch, not at mmap. */
static void
check_hugetlb_cgroup(struct findings *f, const struct eal_options *options)
{
	char path[1024], line[512], limit[64];
	const char *group;

	snprintf(path, sizeof(path), "%s/proc/self/cgroup", options->root);
	if (!options->hugepages || !file_line(path, line, sizeof(line)) ||
		strncmp(line, "0::", 3) != 0) {
		return;
	}
	line[strcspn(line, "\n")] = 0;
	group = line + 3;
	snprintf(path, sizeof(path), "%s/sys/fs/cgroup%s/hugetlb.%s.max", options->root, group,
		options->hugepage_kib == 2048 ? "2MB" : "1GB");
	if (file_line(path, limit, sizeof(limit)) && strncmp(limit, "max", 3) != 0 &&
		strtoull(limit, NULL, 10) < options->memory_mib * MIB) {
		finding_add(f,
			"hugepages: this cgroup may use %llu MiB of them, %u are needed; the process would die "
			"by SIGBUS. fix: raise %s",
			strtoull(limit, NULL, 10) / MIB, options->memory_mib, path + strlen(options->root));
	}
}

static void
check_cpu(struct findings *f, const struct eal_options *options)
{
	cpu_set_t mask;

	if (sched_getaffinity(0, sizeof(mask), &mask) == 0 &&
		(options->main_cpu >= CPU_SETSIZE || !CPU_ISSET(options->main_cpu, &mask))) {
		finding_add(f, "lcores.housekeeping: CPU %u is not among those that this process may use. "
			       "fix: name one of these (taskset -cp %d shows them)",
			options->main_cpu, (int)getpid());
	}
}

bool
eal_driver_installed(const char *eal_name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/librte_%s.so.23", RTE_EAL_PMD_PATH, eal_name);
	return access(path, R_OK) == 0;
}

static void
check_driver_package(struct findings *f, const struct port_driver *driver)
{
	const char *library = driver->library ? driver->library : driver->eal_name;

	if (!eal_driver_installed(library)) {
		finding_add(f, "driver %s: %s/librte_%s.so.23 is missing. fix: apt-get install %s",
			driver->name, RTE_EAL_PMD_PATH, library, driver->package);
	}
}

/* Whether an address line of /proc/net/fib_trie or if_inet6 tells that the kernel uses it. */
static bool
interface_has_address6(const char *root, const char *name)
{
	char path[512], line[256], device[64], address[33];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/net/if_inet6", root);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		/* Link-local addresses come by themselves; global ones mean that it is in use. */
		if (sscanf(line, "%32s %*s %*s %*s %*s %63s", address, device) == 2 &&
			strcmp(device, name) == 0 && strncmp(address, "fe80", 4) != 0) {
			found = true;
		}
	}
	if (file) {
		fclose(file);
	}
	return found;
}

/* Any IPv4 address brings a connected route. */
static bool
interface_has_route4(const char *root, const char *name)
{
	char path[512], line[256], device[64];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/net/route", root);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		found = found || (sscanf(line, "%63s", device) == 1 && strcmp(device, name) == 0);
	}
	if (file) {
		fclose(file);
	}
	return found;
}

struct interface_state {
	unsigned long flags; /* IFF_UP */
	uint64_t mtu;
	bool has_address; /* IPv4, also one without a route */
};

/* Asks the kernel: a sysfs from another network namespace would tell of another's links. */
static bool
interface_ask(const char *name, struct interface_state *ret_state)
{
	struct ifreq request;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool known;

	memset(&request, 0, sizeof(request));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	known = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0;
	ret_state->flags = known ? (unsigned short)request.ifr_flags : 0;
	known = known && ioctl(fd, SIOCGIFMTU, &request) == 0;
	ret_state->mtu = known ? (uint64_t)request.ifr_mtu : 0;
	ret_state->has_address = known && ioctl(fd, SIOCGIFADDR, &request) == 0;
	if (fd >= 0) {
		close(fd);
	}
	return known;
}

/* False if there is no such interface. */
static bool
interface_state(const char *root, const char *name, struct interface_state *ret_state)
{
	char path[512], flags[32];

	if (!*root) {
		return interface_ask(name, ret_state);
	}
	ret_state->has_address = false;
	snprintf(path, sizeof(path), "%s/sys/class/net/%s/flags", root, name);
	if (!file_line(path, flags, sizeof(flags))) {
		return false;
	}
	ret_state->flags = strtoul(flags, NULL, 16);
	snprintf(path, sizeof(path), "%s/sys/class/net/%s/mtu", root, name);
	return file_number(path, &ret_state->mtu);
}

/* The drivers take a link as it is: one that is down, or longer than their slots, receives nothing. */
static void
check_interface_state(struct findings *f, const struct eal_port *port, const char *name,
	const struct interface_state *state)
{
	if (!(state->flags & IFF_UP)) {
		finding_add(f, "driver %s: %s is down. fix: ip link set dev %s up", port->driver->name, name,
			name);
	}
	if (strcmp(port->driver->name, "af_xdp") == 0 && state->mtu > port->driver->mtu_max) {
		finding_add(f, "driver af_xdp: the MTU of %s is %llu, more than a packet buffer takes. fix: ip link "
			       "set dev %s mtu %u",
			name, (unsigned long long)state->mtu, name, port->driver->mtu_max);
	}
}

static void
check_interface_unused(struct findings *f, const struct eal_options *options, const struct eal_port *port,
	const char *name, const struct interface_state *state)
{
	if (state->has_address || interface_has_route4(options->root, name) ||
		interface_has_address6(options->root, name)) {
		finding_add(f,
			"driver %s: %s is in use by the kernel (it has an address or a route), which would answer "
			"besides us. fix: name another interface, or ip addr flush dev %s",
			port->driver->name, name, name);
	}
}

/* A program of ours passes on the ports that it was compiled for; what others do is not known. */
static void
check_filter(struct findings *f, const struct eal_options *options, const struct eal_port *port, const char *program)
{
	uint32_t first, count, wanted = port->udp_port_first;
	char path[1024];

	snprintf(path, sizeof(path), "%s%s", options->root, program);
	if (xdp_lanes_ports(path, &first, &count) &&
		(wanted < first || wanted + port->udp_port_count > first + count)) {
		finding_add(f,
			"driver af_xdp: %s passes on UDP ports %u to %u, the lanes listen on %u to %u (native.port). fix: "
			"native.port: %u, or compile the program again with -DLANE_PORT_FIRST=%u",
			program, first, first + count - 1, wanted, wanted + port->udp_port_count - 1, first, wanted);
	}
}

static void
check_interface(struct findings *f, const struct eal_options *options, const struct eal_port *port)
{
	char name[IFNAMSIZ], path[512];
	bool xdp = strcmp(port->driver->name, "af_xdp") == 0;
	/* A program of our own passes on what is not ours: the kernel may keep its address. */
	bool filtered = xdp && port_devarg_text(port->argument, "xdp_prog", path, sizeof(path));
	struct interface_state state;

	if (!port_devarg_text(port->argument, "iface", name, sizeof(name))) {
		finding_add(f,
			"driver %s: iface= is missing or longer than %d characters. fix: ports[].devargs: "
			"\"%s0,iface=NAME\"",
			port->driver->name, IFNAMSIZ - 1, port->driver->eal_name);
		return;
	}
	if (!interface_state(options->root, name, &state)) {
		finding_add(f,
			"driver %s: there is no interface %s in this network namespace. fix: name one of those "
			"that ip -br link shows",
			port->driver->name, name);
		return;
	}
	check_interface_state(f, port, name, &state);
	if (filtered) {
		check_filter(f, options, port, path);
	} else {
		check_interface_unused(f, options, port, name, &state);
	}
}

/* What the kernel was built with: it lists each kind of socket that it has. */
static void
check_xdp_sockets(struct findings *f, const struct eal_options *options, const struct eal_port *port)
{
	char path[512], line[512];
	bool found = false;
	FILE *file;

	if (strcmp(port->driver->name, "af_xdp") != 0) {
		return;
	}
	snprintf(path, sizeof(path), "%s/proc/net/protocols", options->root);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file)) {
		found = strncmp(line, "XDP ", 4) == 0;
	}
	if (file) {
		fclose(file);
	}
	if (!found) {
		finding_add(f,
			"driver af_xdp: this kernel has no AF_XDP sockets. fix: a kernel with CONFIG_XDP_SOCKETS=y, or "
			"driver af_packet on the same interface");
	}
}

static void
check_privileges(struct findings *f, const struct eal_options *options, const struct eal_port *port)
{
	uint64_t caps = capabilities(options->root);
	struct rlimit memlock;
	char path[512];

	if (port->driver->needs_interface && !(caps >> CAP_NET_RAW_BIT & 1)) {
		finding_add(f, "driver %s needs CAP_NET_RAW, which this process lacks. fix: run as root, or grant "
			       "it (AmbientCapabilities=CAP_NET_RAW in the service)",
			port->driver->name);
	}
	if (strcmp(port->driver->name, "af_xdp") == 0) {
		if (!(caps >> CAP_NET_ADMIN_BIT & 1)) {
			finding_add(f, "driver af_xdp needs CAP_NET_ADMIN and CAP_BPF, which this process lacks. fix: run "
				       "as root, or grant them (AmbientCapabilities= in the service)");
		}
		if (!(caps >> CAP_IPC_LOCK_BIT & 1) && getrlimit(RLIMIT_MEMLOCK, &memlock) == 0 &&
			memlock.rlim_cur < options->memory_mib * MIB) {
			finding_add(f,
				"driver af_xdp: RLIMIT_MEMLOCK is %llu KiB, its packet memory needs %u MiB. fix: "
				"LimitMEMLOCK=infinity in the service, or ulimit -l unlimited",
				(unsigned long long)memlock.rlim_cur / KIB, options->memory_mib);
		}
	}
	if (strcmp(port->driver->name, "tap") == 0) {
		if (!(caps >> CAP_NET_ADMIN_BIT & 1)) {
			finding_add(f, "driver tap needs CAP_NET_ADMIN, which this process lacks. fix: run as root, or "
				       "grant it (AmbientCapabilities=CAP_NET_ADMIN in the service)");
		}
		snprintf(path, sizeof(path), "%s/dev/net/tun", options->root);
		if (access(path, R_OK | W_OK) != 0) {
			finding_add(f, "driver tap: /dev/net/tun: %s. fix: modprobe tun, and run as root",
				strerror(errno));
		}
	}
}

/* The kernel's interfaces of a device that stays with it too. */
static void
check_pci_interfaces(struct findings *f, const struct eal_options *options, const struct eal_port *port,
	const char *address)
{
	struct interface_state state;
	const struct dirent *entry;
	char path[512];
	DIR *folder;

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/net", options->root, address);
	folder = port->own_net ? opendir(path) : NULL;
	while (folder && (entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] != '.' && interface_state(options->root, entry->d_name, &state)) {
			check_interface_unused(f, options, port, entry->d_name, &state);
		}
	}
	if (folder) {
		closedir(folder);
	}
}

/* A PCI device must be bound to a user-space driver; mlx5 stays with the kernel's. */
static void
check_pci(struct findings *f, const struct eal_options *options, const struct eal_port *port)
{
	char path[512], target[512], address[32];
	const char *kernel_driver;
	ssize_t len;

	snprintf(address, sizeof(address), "%.*s", (int)strcspn(port->argument, ","), port->argument);
	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s", options->root, address);
	if (access(path, F_OK) != 0) {
		finding_add(f,
			"driver %s: there is no PCI device %s. fix: name one of those that dpdk-devbind.py "
			"--status shows",
			port->driver->name, address);
		return;
	}
	if (strcmp(port->driver->name, "mlx5") == 0) {
		check_pci_interfaces(f, options, port, address);
		return;
	}
	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/driver", options->root, address);
	len = readlink(path, target, sizeof(target) - 1);
	target[len > 0 ? len : 0] = 0;
	kernel_driver = strrchr(target, '/') ? strrchr(target, '/') + 1 : "none";
	if (strcmp(kernel_driver, "vfio-pci") != 0) {
		finding_add(f, "%s is bound to %s. fix: dpdk-devbind.py -b vfio-pci %s", address,
			kernel_driver, address);
	}
	if (!options->hugepages) {
		finding_add(f, "%s: a PCI device needs hugepages. fix: memory.hugepage_size: auto, and "
			       "hw-config/setup/hugepages apply %u",
			address, options->memory_mib);
	}
}

/* DPDK would only say that the address is in use. A stale file is no failure: the start removes it. */
static void
check_memif_socket(struct findings *f, const struct eal_options *options, const struct eal_port *port)
{
	char name[MEMIF_SOCKET_PATH_MAX + 1], path[512];
	enum memif_socket_state state;

	memif_socket_path(port->argument, name);
	if (!*name) {
		return;
	}
	snprintf(path, sizeof(path), "%s%s", options->root, name);
	state = memif_socket_state(path);
	if (state == MEMIF_SOCKET_TAKEN) {
		finding_add(f,
			"driver memif: another process listens on %s, or it cannot be asked. fix: stop that one (ss -xlp "
			"shows it), or name another file in socket=",
			name);
	} else if (state == MEMIF_SOCKET_FOREIGN) {
		finding_add(f, "driver memif: %s is there and no socket. fix: rm %s, or name another file in socket=",
			name, name);
	}
}

bool
eal_needs_iova_pa(const struct eal_options *options)
{
	for (uint32_t i = 0; i < options->port_count; i++) {
		const struct eal_port *port = &options->ports[i];
		char path[1024], group[32];

		snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%.*s/iommu_group/name", options->root,
			(int)strcspn(port->argument, ","), port->argument);
		/* The name that vfio gives to a group that it makes up itself. */
		if (!port->driver->is_virtual && file_line(path, group, sizeof(group)) &&
			strncmp(group, "vfio-noiommu", 12) == 0) {
			return true;
		}
	}
	return false;
}

uint32_t
eal_preflight(const struct eal_options *options, char *text, uint32_t text_bytes)
{
	struct findings f = {.text = text, .bytes = text_bytes};

	text[0] = 0;
	check_hugepages(&f, options);
	check_hugetlb_cgroup(&f, options);
	check_cpu(&f, options);
	check_nodes(&f, options);
	for (uint32_t i = 0; i < options->port_count; i++) {
		const struct eal_port *port = &options->ports[i];

		check_driver_package(&f, port->driver);
		check_privileges(&f, options, port);
		check_xdp_sockets(&f, options, port);
		if (port->driver->needs_interface) {
			check_interface(&f, options, port);
		}
		if (!port->driver->is_virtual) {
			check_pci(&f, options, port);
		}
		check_memif_socket(&f, options, port);
	}
	return f.count;
}
