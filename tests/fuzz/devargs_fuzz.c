/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device arguments and PCI addresses of a profile, on their way to the EAL. The first byte chooses
 * the driver, the second the queues and whether a PCI address leads. What passes holds no character
 * that the EAL could take for something else.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/ensure.h"
#include "fuzz/fuzz.h"
#include "nic/port_driver.h"
#include "nic/port_pci.h"

#define PCI_FLAG 0x80

static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:,=@/_+-";

static void
fuzz_argument(const struct port_driver *driver, uint8_t choice, const char *devargs)
{
	char argument[PORT_DEVARGS_MAX] = "", text[256] = "", value[PORT_DEVARGS_MAX];
	struct port_devargs_in in = {.driver = driver,
		.index = choice & 7u,
		.pci = choice & PCI_FLAG ? "0000:41:00.0" : NULL,
		.devargs = devargs,
		.queues = (choice & 15u) + 1};

	if (port_devargs(&in, argument, text, sizeof(text)) < 0) {
		ensure(text[0] != '\0');
		return;
	}
	ensure(strnlen(argument, sizeof(argument)) < sizeof(argument));
	ensure(argument[strspn(argument, allowed)] == '\0');
	ensure(strstr(argument, devargs) != NULL);
	if (in.pci) {
		ensure(strncmp(argument, in.pci, strlen(in.pci)) == 0);
	} else {
		ensure(strncmp(argument, driver->eal_name, strlen(driver->eal_name)) == 0);
	}
	if (driver->queues_key && !in.pci) {
		ensure(port_devarg_text(argument, driver->queues_key, value, sizeof(value)));
	}
}

static void
fuzz_look_up(const char *devargs)
{
	static const char *const keys[] = {"iface", "bsize", "rsize", "zero-copy", "queue_count", ""};
	char value[16];

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		uint32_t number = port_devarg_number(devargs, keys[i], UINT32_MAX);

		memset(value, 'x', sizeof(value));
		if (port_devarg_text(devargs, keys[i], value, sizeof(value))) {
			ensure(strnlen(value, sizeof(value)) < sizeof(value));
			ensure(strchr(value, ',') == NULL);
			ensure(strstr(devargs, value) != NULL);
			ensure(number == (uint32_t)strtoul(value, NULL, 10));
		}
	}
}

static void
fuzz_pci(const char *devargs)
{
	char address[PORT_PCI_ADDRESS_MAX + 1];
	const char *rest = NULL;

	if (!port_pci_split(devargs, address, &rest)) {
		return;
	}
	ensure(rest >= devargs);
	ensure(rest <= devargs + strlen(devargs));
	ensure(strnlen(address, sizeof(address)) == strlen("0000:41:00.0"));
	ensure(address[strspn(address, "0123456789abcdef:.")] == '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct port_driver_guess guess;
	const struct port_driver *rows;
	uint32_t count = port_driver_all(&rows);
	char *devargs = len >= 2 ? calloc(1, len - 1) : NULL;

	if (!devargs) {
		return 0;
	}
	memcpy(devargs, bytes + 2, len - 2);
	fuzz_argument(&rows[bytes[0] % count], bytes[1], devargs);
	fuzz_look_up(devargs);
	fuzz_pci(devargs);
	if (port_driver_guess(devargs, bytes[1] & 1, &guess) == 0) {
		ensure(guess.driver.name[strspn(guess.driver.name, allowed)] == '\0');
		fuzz_argument(&guess.driver, bytes[1], "");
	}
	free(devargs);
	return 0;
}
