/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log-linear buckets: value v with top bit e >= 5 falls into bucket 32 (e - 5) + (v >> (e - 5)); values
 * below 64 have a bucket each. One writer; readers take copies.
 */
#include "base/histogram.h"

#include <string.h>
#include "base/compiler.h"

#define HISTOGRAM_SUB_BITS  5
#define HISTOGRAM_VALUE_MAX ((1ull << 36) - 1)

void
histogram_init(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
}

uint32_t
histogram_bucket(uint64_t value_ns)
{
	uint64_t v = value_ns < HISTOGRAM_VALUE_MAX ? value_ns : HISTOGRAM_VALUE_MAX;
	uint32_t shift = 63 - (uint32_t)__builtin_clzll(v | (1u << HISTOGRAM_SUB_BITS)) -
			 HISTOGRAM_SUB_BITS;

	return (shift << HISTOGRAM_SUB_BITS) + (uint32_t)(v >> shift);
}

uint64_t
histogram_bucket_max(uint32_t bucket)
{
	uint32_t sub_count = 1u << HISTOGRAM_SUB_BITS;

	if (bucket < 2 * sub_count) {
		return bucket;
	}
	uint32_t shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
	uint64_t sub = bucket - (shift << HISTOGRAM_SUB_BITS);

	return ((sub + 1) << shift) - 1;
}

void
histogram_add(struct histogram *h, uint64_t value_ns)
{
	h->buckets[histogram_bucket(value_ns)]++;
	h->count++;
	h->sum += value_ns;
	h->max = value_ns > h->max ? value_ns : h->max;
}

void
histogram_merge(struct histogram *into, const struct histogram *from)
{
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		into->buckets[i] += from->buckets[i];
	}
	into->count += from->count;
	into->sum += from->sum;
	into->max = from->max > into->max ? from->max : into->max;
}

uint64_t
histogram_percentile(const struct histogram *h, uint32_t ppm)
{
	unsigned __int128 scaled = (unsigned __int128)h->count * ppm;
	uint64_t rank = (uint64_t)((scaled + 999999) / 1000000);
	uint64_t below = 0;

	if (h->count == 0) {
		return 0;
	}
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		below += h->buckets[i];
		if (below > 0 && below >= rank) {
			return histogram_bucket_max(i);
		}
	}
	/* The last bucket has no upper end of its own. */
	return h->max;
}
