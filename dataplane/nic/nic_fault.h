/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue that spoils what another receives: loss, duplication and reordering by seed, for tests on
 * any driver. Its deeds are terms of their own in the ledger: fault_lost, fault_duplicated,
 * fault_reordered. Never part of a production set-up; caps() shows the driver as it is below.
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
};

/* Takes `inner` over: destroying the decorator destroys it too. -EINVAL: a rate above 1,000,000. */
int nic_fault_create(const struct nic_fault_options *options, struct nic *inner,
	struct nic **ret_nic) MUST_CHECK;

#endif
