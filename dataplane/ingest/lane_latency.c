/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane's latency histograms: added to by its lcore, published for any thread. They are large: ten
 * times a second at most, and only if they changed.
 */
#include "ingest/lane.h"

void
lane_latency_add(struct lane *lane, enum lane_latency which, uint64_t since_ns)
{
	histogram_add(
		&lane->latencies[which], lane->now_ns > since_ns ? lane->now_ns - since_ns : 0);
	lane->latency_dirty = true;
}

void
lane_latency_publish(struct lane *lane)
{
	struct lane_histograms *published = &lane->published_latencies;

	if (!lane->latency_dirty || lane->now_ns < lane->latency_publish_ns) {
		return;
	}
	published_store(&published->version, published->words[0], lane->latencies,
		LANE_LATENCY_COUNT * PUBLISHED_WORDS(struct histogram));
	lane->latency_publish_ns = lane->now_ns + LANE_LATENCY_PERIOD_NS;
	lane->latency_dirty = false;
}

void
lane_latencies(struct lane *lane, enum lane_latency which, struct histogram *ret_histogram)
{
	struct lane_histograms *published = &lane->published_latencies;

	if (published_load(&published->version, published->words[which], ret_histogram,
		    PUBLISHED_WORDS(struct histogram)) == 0) {
		histogram_init(ret_histogram);
	}
}
