/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_pci.h. A library holds, as dpdk-pmdinfo reads it, a string
 *
 *   PMD_INFO_STRING= {"name": "net_i40e", ..., "pci_ids": [[32902, 5490, 65535, 65535], ...]}
 *
 * with the numbers in decimal: vendor, device and the two subsystem ids, 65535 for any.
 */
#include "nic/port_pci.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <rte_config.h>

#define PREFIX "librte_net_"
#define SUFFIX ".so.23"
#define MARK   "PMD_INFO_STRING= {"
#define IDS    "\"pci_ids\": ["

bool
port_pci_split(const char *devargs, char ret_address[PORT_PCI_ADDRESS_MAX + 1], const char **ret_rest)
{
	size_t len = strcspn(devargs, ",");
	unsigned domain, bus, device, function;
	int used = 0;

	/* sscanf alone would take signs, spaces and 0x. */
	if (len > PORT_PCI_ADDRESS_MAX || strspn(devargs, "0123456789abcdefABCDEF:.") != len ||
		sscanf(devargs, "%4x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &used) != 4 ||
		(size_t)used != len) {
		return false;
	}
	snprintf(ret_address, PORT_PCI_ADDRESS_MAX + 1, "%04x:%02x:%02x.%x", domain, bus, device, function);
	*ret_rest = devargs + len + (devargs[len] == ',');
	return true;
}

static bool
id_read(const char *root, const char *address, const char *what, unsigned *ret_id)
{
	char path[512];
	FILE *file;
	bool read;

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/%s", root, address, what);
	file = fopen(path, "re");
	if (!file) {
		return false;
	}
	read = fscanf(file, "%x", ret_id) == 1;
	fclose(file);
	return read;
}

/* Whether one info string, which ends at its NUL, lists the device. */
static bool
info_lists(const char *info, unsigned vendor, unsigned device)
{
	const char *at = strstr(info, IDS);
	unsigned a, b;

	for (at = at ? at + strlen(IDS) : NULL; at && sscanf(at, "[%u, %u", &a, &b) == 2;) {
		if (a == vendor && b == device) {
			return true;
		}
		at = strchr(at, ']');
		at = at && at[1] == ',' ? strchr(at, '[') : NULL;
	}
	return false;
}

static bool
library_lists(const char *path, unsigned vendor, unsigned device)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool lists = false;
	char *bytes;

	if (fd < 0) {
		return false;
	}
	/* The last byte is left out, so that a string without its NUL ends with the file. */
	bytes = fstat(fd, &st) == 0 && st.st_size > 1
		? mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0)
		: MAP_FAILED;
	close(fd);
	if (bytes == MAP_FAILED) {
		return false;
	}
	size_t left = (size_t)st.st_size - 1;
	const char *at = bytes;

	bytes[left] = 0;
	while (!lists && (at = memmem(at, left, MARK, strlen(MARK))) != NULL) {
		lists = info_lists(at, vendor, device);
		at += strlen(MARK);
		left = (size_t)(bytes + st.st_size - 1 - at);
	}
	munmap(bytes, (size_t)st.st_size);
	return lists;
}

/* "net_i40e" of "librte_net_i40e.so.23". */
static bool
library_name(const char *file, char ret_name[PORT_DRIVER_NAME_MAX + 8])
{
	size_t len = strlen(file), ends = strlen(PREFIX) + strlen(SUFFIX);

	if (len <= ends || len - ends > PORT_DRIVER_NAME_MAX || strncmp(file, PREFIX, strlen(PREFIX)) != 0 ||
		strcmp(file + len - strlen(SUFFIX), SUFFIX) != 0) {
		return false;
	}
	snprintf(ret_name, PORT_DRIVER_NAME_MAX + 8, "net_%.*s", (int)(len - ends), file + strlen(PREFIX));
	return true;
}

int
port_pci_driver(const char *root, const char *folder, const char *address,
	char ret_name[PORT_DRIVER_NAME_MAX + 8], char *text, uint32_t text_bytes)
{
	char path[1024], name[PORT_DRIVER_NAME_MAX + 8];
	unsigned vendor, device;
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	if (!id_read(root, address, "vendor", &vendor) || !id_read(root, address, "device", &device)) {
		snprintf(text, text_bytes, "there is no PCI device %s", address);
		return -ENODEV;
	}
	folder = folder ? folder : RTE_EAL_PMD_PATH;
	dir = opendir(folder);
	while (dir && !found && (entry = readdir(dir)) != NULL) {
		if (library_name(entry->d_name, name)) {
			snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
			found = library_lists(path, vendor, device);
		}
	}
	if (dir) {
		closedir(dir);
	}
	if (!found) {
		snprintf(text, text_bytes, "%04x:%04x", vendor, device);
		return -ENOENT;
	}
	snprintf(ret_name, PORT_DRIVER_NAME_MAX + 8, "%s", name);
	return 0;
}
