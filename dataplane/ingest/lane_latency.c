/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane's latency histograms: added to by its lcore, copied for any thread ten times a second.
 */
#include "ingest/lane.h"

void
lane_latency_add(struct lane *lane, enum lane_latency which, uint64_t since_ns)
{
	histogram_add(
		&lane->latencies[which], lane->now_ns > since_ns ? lane->now_ns - since_ns : 0);
	lane->latency_dirty = true;
}

/* Histograms are large: copied ten times a second, and only if they changed. */
void
lane_latency_publish(struct lane *lane)
{
	struct lane_histograms *published = &lane->published_latencies;

	if (!lane->latency_dirty || lane->now_ns < lane->latency_publish_ns) {
		return;
	}
	uint64_t next = atomic_load_explicit(&published->version, memory_order_relaxed) + 1;

	for (uint32_t which = 0; which < LANE_LATENCY_COUNT; which++) {
		const uint64_t *words = (const uint64_t *)&lane->latencies[which];
		_Atomic uint64_t *copy = published->copies[next & 1][which];

		for (uint32_t i = 0; i < sizeof(struct histogram) / 8; i++) {
			atomic_store_explicit(&copy[i], words[i], memory_order_release);
		}
	}
	atomic_store_explicit(&published->version, next, memory_order_release);
	lane->latency_publish_ns = lane->now_ns + LANE_LATENCY_PERIOD_NS;
	lane->latency_dirty = false;
}

void
lane_latencies(struct lane *lane, enum lane_latency which, struct histogram *ret_histogram)
{
	struct lane_histograms *published = &lane->published_latencies;
	uint64_t words[sizeof(struct histogram) / 8];

	for (;;) {
		uint64_t version = atomic_load_explicit(&published->version, memory_order_acquire);
		_Atomic uint64_t *copy = published->copies[version & 1][which];

		for (uint32_t i = 0; i < ARRAY_COUNT(words); i++) {
			words[i] = atomic_load_explicit(&copy[i], memory_order_acquire);
		}
		if (atomic_load_explicit(&published->version, memory_order_relaxed) == version) {
			break;
		}
	}
	memcpy(ret_histogram, words, sizeof(words));
}
