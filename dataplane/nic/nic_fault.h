/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue that spoils what another receives and sends: loss, duplication and reordering by seed, for
 * tests on any driver. Its deeds are terms of their own in the ledger: fault_lost, fault_duplicated,
 * fault_reordered, and fault_tx_* for what is sent. Never part of a production set-up; caps() shows the driver as it is below.
 */
#ifndef NIC_NIC_FAULT_H
#define NIC_NIC_FAULT_H

#include <stdint.h>
#include "base/compiler.h"
#include "nic/nic.h"

struct nic_fault_options {
	uint64_t seed;
	uint32_t loss_ppm;	/* of packets received */
	uint32_t duplicate_ppm; /* delivered twice; the copy lives in memory of the decorator */
	uint32_t reorder_ppm;	/* held back behind 1..8 later packets, or until an empty rx */
	uint32_t tx_loss_ppm;	/* of packets sent; the two directions draw apart */
	uint32_t tx_duplicate_ppm; /* sent twice, if the control reserve has a buffer more */
	uint32_t tx_reorder_ppm;   /* held back behind 1..8 later packets, or for 64 calls of tx without any */
};

/* Takes `inner` over: destroying the decorator destroys it too. -EINVAL: a rate above 1,000,000. */
int nic_fault_create(const struct nic_fault_options *options, struct nic *inner,
	struct nic **ret_nic) MUST_CHECK;

#endif
