/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which driver takes a PCI device: each library of DPDK carries the ids that it knows as text, so no
 * table of ours can be out of date. Start-up only, no DPDK call, no state.
 */
#ifndef NIC_PORT_PCI_H
#define NIC_PORT_PCI_H

#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"
#include "nic/port_driver.h"

#define PORT_PCI_ADDRESS_MAX 15

/*
 * "0000:41:00.0,key=value" apart: the address and what follows the comma ("" if nothing). False: it
 * does not begin with a PCI address of the form DDDD:BB:DD.F.
 */
bool port_pci_split(const char *devargs, char ret_address[PORT_PCI_ADDRESS_MAX + 1],
	const char **ret_rest);
/*
 * The driver's name ("net_i40e") for the device at address, from the libraries in folder (NULL:
 * DPDK's own). root as in eal_options. -ENODEV: no such device; -ENOENT: no library that is installed
 * knows it, and the ids are in text ("8086:1583").
 */
int port_pci_driver(const char *root, const char *folder, const char *address,
	char ret_name[PORT_DRIVER_NAME_MAX + 8], char *text, uint32_t text_bytes) MUST_CHECK;

#endif
