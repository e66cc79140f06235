/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log-linear histogram: 32 sub-buckets per power of two (error <= 3.1 %), 1 ns .. 2^36 ns, larger
 * values in the last bucket. 8 KiB, one writer, merged by addition. Readers take a copy by the same
 * snapshot as counters.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 1024

struct histogram {
	uint64_t buckets[HISTOGRAM_BUCKETS];
	uint64_t count;
	uint64_t max;
	uint64_t sum;
};

void histogram_init(struct histogram *h);
/* One value in ns. Owner's thread; no branch but the clamp. */
void histogram_add(struct histogram *h, uint64_t value_ns);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* Greatest value of the bucket that holds the given share, ppm of 1,000,000; 0 if empty. */
uint64_t histogram_percentile(const struct histogram *h, uint32_t ppm);
/* Index of the bucket of a value, and the greatest value of a bucket: for tests and plots. */
uint32_t histogram_bucket(uint64_t value_ns);
uint64_t histogram_bucket_max(uint32_t bucket);

#endif
