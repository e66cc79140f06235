/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/daemon/host_facts.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/compiler.h"

#define PATH_BYTES	  512
#define PCI_CLASS_NETWORK 0x02

/* First line of a file without its end; false: not there. */
static bool
read_line(const char *root, const char *path, char *ret_text, size_t room)
{
	char full[PATH_BYTES];
	FILE *file;
	bool read;

	snprintf(full, sizeof(full), "%s%s", root, path);
	file = fopen(full, "re");
	read = file && fgets(ret_text, (int)room, file);
	if (file) {
		fclose(file);
	}
	if (read) {
		ret_text[strcspn(ret_text, "\n")] = '\0';
	}
	return read;
}

static bool
exists(const char *root, const char *path)
{
	char full[PATH_BYTES];

	snprintf(full, sizeof(full), "%s%s", root, path);
	return access(full, F_OK) == 0;
}

/* The rest of the first line that begins with `word`; false: none. */
static bool
find_line(const char *root, const char *path, const char *word, char *ret_text, size_t room)
{
	char full[PATH_BYTES];
	char line[4096];
	bool found = false;
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	file = fopen(full, "re");
	while (file && !found && fgets(line, sizeof(line), file)) {
		found = strncmp(line, word, strlen(word)) == 0;
	}
	if (file) {
		fclose(file);
	}
	if (found) {
		snprintf(ret_text, room, "%s", line + strlen(word));
	}
	return found;
}

/* The hypervisor's bit of the CPU, or what the machine's firmware calls itself where there is no such bit. */
static bool
is_vm(const char *root)
{
	static const char *const vendors[] = {"QEMU", "VMware", "Xen", "innotek", "Amazon EC2", "Google",
		"Microsoft Corporation", "Parallels", "OpenStack", "Bochs"};
	char text[4096];

	if (find_line(root, "/proc/cpuinfo", "flags", text, sizeof(text))) {
		return strstr(text, " hypervisor") != NULL;
	}
	if (exists(root, "/sys/hypervisor/type")) {
		return true;
	}
	if (!read_line(root, "/sys/class/dmi/id/sys_vendor", text, sizeof(text))) {
		return false;
	}
	for (size_t i = 0; i < ARRAY_COUNT(vendors); i++) {
		if (strncmp(text, vendors[i], strlen(vendors[i])) == 0) {
			return true;
		}
	}
	return false;
}

static void
read_nics(const char *root, struct host_facts *facts)
{
	char path[PATH_BYTES];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices", root);
	dir = opendir(path);
	while (dir && facts->nic_count < HOST_NICS_MAX && (entry = readdir(dir)) != NULL) {
		char class[32], vendor[32], device[32];

		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/class", entry->d_name);
		if (entry->d_name[0] == '.' || !read_line(root, path, class, sizeof(class)) ||
			strtoul(class, NULL, 16) >> 16 != PCI_CLASS_NETWORK) {
			continue;
		}
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vendor", entry->d_name);
		if (!read_line(root, path, vendor, sizeof(vendor))) {
			continue;
		}
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/device", entry->d_name);
		if (read_line(root, path, device, sizeof(device))) {
			snprintf(facts->nics[facts->nic_count++], sizeof(facts->nics[0]), "%04lx:%04lx",
				strtoul(vendor, NULL, 16) & 0xffff, strtoul(device, NULL, 16) & 0xffff);
		}
	}
	if (dir) {
		closedir(dir);
	}
}

/* "0-3,8": the kernel's own list, of any length. */
static uint32_t
count_cpus(const char *text)
{
	uint32_t count = 0;
	unsigned first, last;
	int used;

	while (sscanf(text, "%u%n", &first, &used) == 1) {
		text += used;
		last = first;
		if (sscanf(text, "-%u%n", &last, &used) == 1) {
			text += used;
		}
		count += last >= first ? last - first + 1 : 0;
		text += *text == ',';
	}
	return count;
}

void
host_facts_read(const char *root, struct host_facts *ret_facts)
{
	char text[1024];

	memset(ret_facts, 0, sizeof(*ret_facts));
	if (read_line(root, "/sys/devices/system/cpu/online", text, sizeof(text))) {
		ret_facts->cpu_count = count_cpus(text);
	}
	if (find_line(root, "/proc/meminfo", "MemTotal:", text, sizeof(text))) {
		ret_facts->memory_bytes = strtoull(text, NULL, 10) * KIB;
	}
	if (exists(root, "/run/systemd/container") || exists(root, "/.dockerenv") ||
		exists(root, "/run/.containerenv")) {
		ret_facts->kind = HOST_KIND_CONTAINER;
	} else {
		ret_facts->kind = is_vm(root) ? HOST_KIND_VM : HOST_KIND_BARE;
	}
	read_nics(root, ret_facts);
}

bool
host_facts_cpu_isolated(const char *root, int cpu)
{
	char list[1024];
	const char *text = list;
	unsigned first, last;
	int used;

	if (cpu < 0 || !read_line(root, "/sys/devices/system/cpu/isolated", list, sizeof(list))) {
		return false;
	}
	while (sscanf(text, "%u%n", &first, &used) == 1) {
		text += used;
		last = first;
		if (sscanf(text, "-%u%n", &last, &used) == 1) {
			text += used;
		}
		if ((unsigned)cpu >= first && (unsigned)cpu <= last) {
			return true;
		}
		text += *text == ',';
	}
	return false;
}

uint64_t
host_facts_memory_free(const char *root)
{
	char text[128];
	uint64_t available = 0, most, used;

	if (find_line(root, "/proc/meminfo", "MemAvailable:", text, sizeof(text))) {
		available = strtoull(text, NULL, 10) * KIB;
	}
	/* "max" without a limit: no number. Of what is used only anonymous memory does not give way. */
	if (read_line(root, "/sys/fs/cgroup/memory.max", text, sizeof(text)) &&
		(most = strtoull(text, NULL, 10)) > 0 &&
		find_line(root, "/sys/fs/cgroup/memory.stat", "anon ", text, sizeof(text))) {
		used = strtoull(text, NULL, 10);
		most = most > used ? most - used : 1;
		available = available == 0 || most < available ? most : available;
	}
	return available;
}
