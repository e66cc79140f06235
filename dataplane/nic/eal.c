/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eal.h: arguments, start, log lines. Every string that reaches EAL is one of ours or passed
 * port_devargs(). EAL pins its caller to the main lcore's CPU and moves getopt: both are undone.
 */
#include "nic/eal.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include "base/log.h"
#include "nic/rt_signals.h"

/* --- arguments ------------------------------------------------------------------------------------ */

void
eal_options_init(struct eal_options *options)
{
	cpu_set_t mask;

	memset(options, 0, sizeof(*options));
	snprintf(options->file_prefix, sizeof(options->file_prefix), "penstock");
	options->hugepages = true;
	options->hugepage_kib = 2048;
	options->memory_mib = 64;
	options->root = "";
	if (sched_getaffinity(0, sizeof(mask), &mask) == 0) {
		while (options->main_cpu < CPU_SETSIZE - 1 && !CPU_ISSET(options->main_cpu, &mask)) {
			options->main_cpu++;
		}
	}
}

static bool
prefix_clean(const char *prefix)
{
	for (const char *at = prefix; *at; at++) {
		if (!isalnum((unsigned char)*at) && !strchr("-_.", *at)) {
			return false;
		}
	}
	return *prefix && *prefix != '.';
}

struct argument_writer {
	struct eal_arguments *arguments;
	size_t used;
	bool failed;
};

PRINTF_LIKE(2, 3) static void
argument_add(struct argument_writer *w, const char *format, ...)
{
	struct eal_arguments *a = w->arguments;
	size_t room = sizeof(a->strings) - w->used;
	va_list list;
	int len;

	va_start(list, format);
	len = vsnprintf(a->strings + w->used, room, format, list);
	va_end(list);
	if (len < 0 || (size_t)len >= room || a->count == EAL_ARGUMENTS_MAX) {
		w->failed = true;
		return;
	}
	a->values[a->count++] = a->strings + w->used;
	a->values[a->count] = NULL;
	w->used += (size_t)len + 1;
}

static void
argument_add_ports(struct argument_writer *w, const struct eal_options *options)
{
	bool pci = false;

	for (uint32_t i = 0; i < options->port_count; i++) {
		const struct eal_port *port = &options->ports[i];
		char zero_copy[8];

		if (port->driver->is_virtual) {
			argument_add(w, "--vdev=%s", port->argument);
		} else {
			argument_add(w, "-a");
			argument_add(w, "%s", port->argument);
			pci = true;
		}
		if (port->driver->shares_memory ||
			(port_devarg_text(port->argument, "zero-copy", zero_copy, sizeof(zero_copy)) &&
				strcmp(zero_copy, "yes") == 0)) {
			argument_add(w, "--single-file-segments");
		}
	}
	if (!pci) {
		/* Without it EAL scans the bus, and may open every device that vfio holds. */
		argument_add(w, "--no-pci");
	}
}

/* -m takes all from the main lcore's node. 4 KiB pages come from wherever they are touched. */
static void
argument_add_memory(struct argument_writer *w, const struct eal_options *options)
{
	char list[EAL_NODES_MAX * 12] = "";
	uint32_t last = 0;
	bool spans = false;

	for (uint32_t node = 0; node < EAL_NODES_MAX; node++) {
		spans = spans || (options->node_mib[node] > 0 && node != options->main_node);
		last = options->node_mib[node] > 0 ? node : last;
	}
	if (!options->hugepages || !spans) {
		argument_add(w, "-m");
		argument_add(w, "%u", options->memory_mib);
		return;
	}
	for (uint32_t node = 0; node <= last; node++) {
		size_t len = strlen(list);

		snprintf(list + len, sizeof(list) - len, "%s%u", node > 0 ? "," : "", options->node_mib[node]);
	}
	argument_add(w, "--socket-mem=%s", list);
}

int
eal_arguments(const struct eal_options *options, struct eal_arguments *ret_arguments, char *text,
	uint32_t text_bytes)
{
	struct argument_writer w = {.arguments = ret_arguments};

	ret_arguments->count = 0;
	if (!prefix_clean(options->file_prefix)) {
		snprintf(text, text_bytes, "the instance name may hold letters, digits, '-', '_' and '.'");
		return -EINVAL;
	}
	if (options->port_count > EAL_PORTS_MAX || options->memory_mib == 0 ||
		options->extra_count > EAL_EXTRA_MAX) {
		snprintf(text, text_bytes, "at most %u ports and %u extra arguments, and memory above 0 MiB",
			EAL_PORTS_MAX, EAL_EXTRA_MAX);
		return -EINVAL;
	}
	argument_add(&w, "penstockd");
	if (options->hugepages) {
		argument_add(&w, "--in-memory");
	} else {
		argument_add(&w, "--no-huge");
		argument_add(&w, "--no-shconf");
	}
	argument_add_memory(&w, options);
	argument_add(&w, "--lcores");
	argument_add(&w, "0@%u", options->main_cpu);
	argument_add(&w, "--iova-mode=%s", options->iova_pa ? "pa" : "va");
	argument_add(&w, "--file-prefix=%s", options->file_prefix);
	argument_add(&w, "--log-level=lib.eal:warning");
	argument_add(&w, "--log-level=pmd.*:warning");
	argument_add_ports(&w, options);
	for (uint32_t i = 0; i < options->extra_count; i++) {
		if (options->extra[i][0] != '-') {
			snprintf(text, text_bytes, "eal.extra: \"%.64s\" does not begin with -", options->extra[i]);
			return -EINVAL;
		}
		argument_add(&w, "%s", options->extra[i]);
	}
	if (w.failed) {
		snprintf(text, text_bytes, "the arguments for DPDK are longer than %zu bytes",
			sizeof(ret_arguments->strings));
		return -EINVAL;
	}
	return 0;
}

/* --- log lines ------------------------------------------------------------------------------------- */

/* Lines that tell of nothing wrong. */
static const char *const harmless_lines[] = {
	"No free 1048576 kB hugepages",
	"No available 1048576 kB hugepages",
	"Failed to register mp action callback",
	"No legacy callbacks",
	"skipping unrecognized data section",
	"No bpffs found",
	"elf: skipping",
	"Multi-process support is requested but not available",
	"All rt-signals are in use", /* rt_signals.h sees to that */
	"No Rx trigger signal available",
	/* tap: flow rules that a virtual port does not use, and processes that we do not have. */
	"Specified qdisc kind is unknown",
	"multiq qdisc",
	"Disabling rte flow support",
	"start req to secondary",
};

struct eal_log_line {
	const char *part;
	const char *cause;
};

/* Lines that a fix of ours belongs to. */
static const struct eal_log_line known_failures[] = {
	{"not enough memory", "raise hugepages: hw-config/setup/hugepages apply MIB"},
	{"Cannot get hugepage information", "mount hugetlbfs: hw-config/setup/hugepages apply"},
	{"group is not viable", "bind all devices of the IOMMU group to vfio-pci, or none"},
	{"cannot open /dev/vfio", "give this user the group's file under /dev/vfio"},
	{"VFIO support could not be initialized", "load it: modprobe vfio-pci"},
	{"Failed to set prog fd", "another XDP program is attached: ip link set dev IFACE xdp off"},
	{"failed to load bpf", "AF_XDP needs CAP_BPF and CAP_NET_ADMIN: run as root or grant them"},
};

static bool
line_is_harmless(const char *line)
{
	for (size_t i = 0; i < ARRAY_COUNT(harmless_lines); i++) {
		if (strstr(line, harmless_lines[i])) {
			return true;
		}
	}
	return false;
}

/* A stream's write function: DPDK writes whole lines, libbpf's come the same way. */
static ssize_t
eal_log_write(void *cookie, const char *bytes, size_t len)
{
	char line[512];
	size_t n = len < sizeof(line) - 1 ? len : sizeof(line) - 1;

	memcpy(line, bytes, n);
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == ' ')) {
		n--;
	}
	line[n] = 0;
	if (n == 0) {
		return (ssize_t)len;
	}
	if (line_is_harmless(line)) {
		log_debug("eal", "%s", line);
		return (ssize_t)len;
	}
	for (size_t i = 0; i < ARRAY_COUNT(known_failures); i++) {
		if (strcasestr(line, known_failures[i].part)) {
			log_error("eal", "%s; fix: %s", line, known_failures[i].cause);
			return (ssize_t)len;
		}
	}
	log_warning("eal", "%s", line);
	return (ssize_t)len;
}

static void
log_attach(void)
{
	cookie_io_functions_t functions = {.write = eal_log_write};
	FILE *stream = fopencookie(NULL, "w", functions);

	if (stream) {
		setvbuf(stream, NULL, _IOLBF, 512);
		(void)rte_openlog_stream(stream);
	}
}

/* --- start -------------------------------------------------------------------------------------------- */

/* EAL leaves its runtime folder behind, which holds the telemetry socket only. */
static void
runtime_folder_remove(const char *folder)
{
	char path[600];

	if (*folder) {
		snprintf(path, sizeof(path), "%s/dpdk_telemetry.v2", folder);
		(void)unlink(path);
		(void)rmdir(folder);
	}
}

/* rte_eal_init is once a process; so is this flag. */
static bool
start_is_first(void)
{
	static atomic_flag started = ATOMIC_FLAG_INIT;

	return !atomic_flag_test_and_set(&started);
}

int
eal_start(const struct eal_options *options, char *text, uint32_t text_bytes)
{
	struct eal_arguments *arguments = calloc(1, sizeof(*arguments));
	struct rt_signals signals;
	cpu_set_t mask;
	bool have_mask = sched_getaffinity(0, sizeof(mask), &mask) == 0;
	int saved_optind = optind;
	int rc;

	if (!arguments) {
		return -ENOMEM;
	}
	rc = eal_arguments(options, arguments, text, text_bytes);
	if (rc == 0 && !start_is_first()) {
		snprintf(text, text_bytes, "DPDK was started before in this process");
		rc = -EALREADY;
	}
	if (rc < 0) {
		free(arguments);
		return rc;
	}
	log_attach();
	optind = 1;
	rt_signals_take(&signals);
	rc = rte_eal_init(arguments->count, arguments->values);
	rt_signals_give_back(&signals);
	if (rc < 0) {
		rc = rte_errno ? -rte_errno : -EIO;
		snprintf(text, text_bytes, "DPDK does not start: %s; the log lines of module eal say why",
			rte_strerror(-rc));
		runtime_folder_remove(rte_eal_get_runtime_dir() ? rte_eal_get_runtime_dir() : "");
	}
	optind = saved_optind;
	if (have_mask) {
		(void)sched_setaffinity(0, sizeof(mask), &mask);
	}
	free(arguments); /* EAL copied what it keeps */
	return rc < 0 ? rc : 0;
}

const char *
eal_runtime_folder(void)
{
	const char *folder = rte_eal_get_runtime_dir();

	return folder ? folder : "";
}

void
eal_stop(void)
{
	char folder[512];
	const char *runtime = rte_eal_get_runtime_dir();

	snprintf(folder, sizeof(folder), "%s", runtime ? runtime : "");
	(void)rte_eal_cleanup();
	runtime_folder_remove(folder);
}

int
eal_thread_register(void)
{
	if (rte_lcore_id() != LCORE_ID_ANY) {
		return 0;
	}
	return rte_thread_register() < 0 ? (rte_errno ? -rte_errno : -ENOTSUP) : 0;
}

void
eal_thread_unregister(void)
{
	/* The thread that started EAL is its main lcore for good. */
	if (rte_lcore_id() != LCORE_ID_ANY && rte_lcore_id() != rte_get_main_lcore()) {
		rte_thread_unregister();
	}
}
