/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this program knows about poll-mode drivers beyond what they tell themselves:
 * limits, blind spots, packages. Pure data and text, no DPDK: tested without any driver.
 */
#ifndef NIC_PORT_DRIVER_H
#define NIC_PORT_DRIVER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"

#define PORT_DEVARGS_MAX     512
#define PORT_DRIVER_NAME_MAX 31

struct port_driver {
	const char *name;    /* as in a profile: "memif" */
	const char *eal_name; /* "net_memif" */
	const char *library; /* librte_<library>.so; NULL: named as eal_name */
	const char *package; /* Debian's: "librte-net-memif23" */
	bool is_virtual;     /* made by --vdev; else a PCI device */
	bool needs_interface; /* devargs name a kernel interface by iface= */
	bool counts_losses;  /* imissed means something */
	bool counts_nombuf;
	bool counts_sent;    /* opackets are what tx took, less oerrors where oerrors_taken */
	bool oerrors_taken;  /* else oerrors are what tx refused, and is offered again */
	bool forgets_packets; /* ipackets fall back to 0 on reconnect: our own count stands in */
	bool reaps_on_tx;    /* tx completions are taken only by the next tx: call it when idle */
	bool has_rx_fd;	     /* virtual, and yet each queue has a descriptor that becomes readable */
	bool shares_memory; /* its peer maps ours by descriptors, few of them: hugepages, and those in one file */
	bool holds_rx_ring;  /* takes rx_desc buffers at start */
	uint16_t mtu_max;
	uint16_t idle_rx_every; /* an empty rx is a system call: only every n-th empty turn */
	uint32_t extra_buffers; /* taken at queue set-up besides */
	uint32_t chunk_bytes; /* a buffer with all its headers must be this long; 0: any length */
	const char *queues_key; /* devarg that holds the number of queues, or NULL */
	const char *tx_slots_key; /* devarg: slots of a tx ring that the driver waits for when full; NULL: it refuses */
	const char *defaults; /* devargs added where the profile says nothing */
};

/* By "memif" or "net_memif"; NULL if nothing is known of it. */
const struct port_driver *port_driver_find(const char *name);

/* A row for a driver that the table does not have, with its strings: cautious in every column. */
struct port_driver_guess {
	struct port_driver driver;
	char name[PORT_DRIVER_NAME_MAX + 1];
	char eal_name[PORT_DRIVER_NAME_MAX + 8];
	char package[PORT_DRIVER_NAME_MAX + 24];
};

/* -EINVAL: no name that a driver can have. The row points into the struct. */
int port_driver_guess(const char *name, bool is_virtual, struct port_driver_guess *ret_guess) MUST_CHECK;
/* All rows, for lists; returns the count. */
uint32_t port_driver_all(const struct port_driver **ret_rows);

struct port_devargs_in {
	const struct port_driver *driver;
	uint32_t index;	     /* of the port: names the vdev */
	const char *pci;     /* "0000:41:00.0", or NULL with a vdev */
	const char *devargs; /* of the profile, or NULL */
	uint32_t queues;
};

/*
 * "net_af_xdp0,iface=x,busy_budget=64,queue_count=2": the argument of --vdev or -a. Only letters,
 * digits and . : , = @ / _ + - pass. -EINVAL with the cause in text.
 */
int port_devargs(const struct port_devargs_in *in, char ret_argument[PORT_DEVARGS_MAX], char *text,
	uint32_t text_bytes) MUST_CHECK;
/* The value of a devarg as a number, or otherwise if it is absent. */
uint32_t port_devarg_number(const char *devargs, const char *key, uint32_t otherwise);
/*
 * How many packets one tx call may give the driver: UINT32_MAX, or half the slots of a ring that it
 * would wait for without end (devargs as in the profile or as port_devargs() made them; or NULL).
 */
uint32_t port_tx_budget(const struct port_driver *driver, const char *devargs);
/* Copies the value of a devarg. False if absent or too long. */
bool port_devarg_text(const char *devargs, const char *key, char *ret_value, uint32_t bytes);

#endif
