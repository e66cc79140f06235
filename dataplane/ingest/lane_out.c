/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane's output half: the packets of a turn go to the driver in one burst, rx buffers go back to it
 * in bulk. Nothing is dropped but what the driver gives up, and that is counted (E9).
 */
#include "ingest/lane.h"

void
lane_out_flush(struct lane *lane)
{
	uint32_t given_up = lane->nic->ops->tx(lane->nic, lane->tx, lane->tx_count);

	/* Given up may be older packets than these; over all turns the sum is right. */
	lane->counters[LANE_tx_offered] += lane->tx_count;
	lane->counters[LANE_tx_sent] += lane->tx_count;
	lane->counters[LANE_tx_sent] -= given_up;
	lane->counters[LANE_tx_full] += given_up;
	lane->tx_count = 0;
	lane->tx_queued = lane->nic->ops->tx_queued(lane->nic);
	lane->counters[LANE_tx_queued] = lane->tx_queued;
}

void
lane_out_release_flush(struct lane *lane)
{
	if (lane->release_count > 0) {
		lane->nic->ops->release(lane->nic, lane->release, lane->release_count);
		lane->counters[LANE_owners_released] += lane->release_count;
		lane->release_count = 0;
	}
}
