/* SPDX-License-Identifier: Apache-2.0 */
/* Making and freeing rings: start-up and end only, on memory of our own. See ring.h. */
#include "base/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"

#define RING_COUNT_MAX (1u << 28)

int
ring_create(struct ring *ring, uint32_t count, uint32_t item_bytes, struct waker *taker)
{
	if (item_bytes == 0 || item_bytes % 4 != 0 || count == 0 || count > RING_COUNT_MAX) {
		return -EINVAL;
	}
	/* RING_F_EXACT_SZ makes all `usable` slots usable at the price of the next power of two. */
	uint32_t usable = rte_align32pow2(count);
	ssize_t bytes = rte_ring_get_memsize_elem(item_bytes, rte_align32pow2(usable + 1));

	if (bytes < 0) {
		return (int)bytes;
	}
	size_t room = bytes_ceil((size_t)bytes, RTE_CACHE_LINE_SIZE);
	struct rte_ring *queue = aligned_alloc(RTE_CACHE_LINE_SIZE, room);

	if (!queue) {
		return -ENOMEM;
	}
	memset(queue, 0, room);
	int rc = rte_ring_init(queue, "penstock", usable, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);

	if (rc < 0) {
		free(queue);
		return rc;
	}
	*ring = (struct ring){.queue = queue, .taker = taker, .item_bytes = item_bytes};
	return 0;
}

void
ring_destroy(struct ring *ring)
{
	free(ring->queue);
	ring->queue = NULL;
}
