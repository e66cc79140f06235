/* SPDX-License-Identifier: Apache-2.0 */
#include "nic/port_pool.h"

#include <stdio.h>

bool
port_pool_is_array(
	const struct port_pool_shape *shape, uint32_t chunk_bytes, char *text, uint32_t text_bytes)
{
	if (shape->pieces != 1) {
		snprintf(text, text_bytes,
			"its memory is in %u pieces, the driver takes one: with physical addresses (--iova-mode=pa, as a "
			"vfio device without an IOMMU wants) a pool ends wherever pages do. fix: virtual addresses, so no such "
			"device beside this port, and eal.extra without --iova-mode",
			shape->pieces);
		return false;
	}
	if (shape->misplaced > 0) {
		snprintf(text, text_bytes, "%u of %u buffers are not where the driver will look for them",
			shape->misplaced, shape->count);
		return false;
	}
	if (shape->address % chunk_bytes != 0) {
		snprintf(text, text_bytes, "its memory begins at 0x%llx, which is no multiple of %u",
			(unsigned long long)shape->address, chunk_bytes);
		return false;
	}
	return true;
}
