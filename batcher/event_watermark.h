/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event watermark W of a job: an exclusive bound, "no record with event time < W is expected"
 * (Flink's watermark is ours minus 1 ms). Per partition W_p = greatest event time -
 * out_of_orderness; W is the least W_p of the partitions that are not idle. It never moves back.
 * Batcher's lcore.
 */
#ifndef BATCHER_EVENT_WATERMARK_H
#define BATCHER_EVENT_WATERMARK_H

#include <stdbool.h>
#include <stdint.h>

#define EVENT_WATERMARK_NONE INT64_MIN

struct event_partition {
	int64_t max_ms; /* EVENT_WATERMARK_NONE: no record yet, does not hold W back */
	uint64_t arrival_ns;
	bool idle;
};

struct event_watermark {
	int64_t out_of_orderness_ms;
	uint64_t idle_timeout_ns; /* 0: never idle */
	uint64_t idle_close_ns;   /* 0: off */
	int64_t value_ms;         /* W */
	int64_t max_ms;           /* over all partitions */
	uint64_t arrival_ns;      /* of the last record of any */
	uint32_t partition_count;
	struct event_partition *partitions; /* the job's memory */
};

/* Partitions start as not idle, without a record. Times are monotonic ns. */
void event_watermark_start(struct event_watermark *w, uint64_t now_ns);
/* What a micro-batch's cut brought from one partition. */
struct event_cut {
	int64_t max_ms; /* greatest event time; EVENT_WATERMARK_NONE: none that counts */
	bool records;   /* any came */
	bool uncut;     /* visible ones remain: it is slow, not idle */
};

void event_watermark_see(struct event_watermark *w, uint32_t partition, const struct event_cut *cut,
	uint64_t now_ns);
/* After see() of every partition: the new W. */
int64_t event_watermark_advance(struct event_watermark *w, uint64_t now_ns);

#endif
