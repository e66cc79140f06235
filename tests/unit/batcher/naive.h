/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The batcher by definition: lists of records, no ranges, no watermark state that is kept up to
 * date, no limits. Given which offsets a micro-batch cut, it says what is late, future or without a
 * time, what W is, and which windows fire with exactly which records. The model test compares.
 */
#ifndef UNIT_BATCHER_NAIVE_H
#define UNIT_BATCHER_NAIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include "batcher/batcher.h"
#include "batcher/record_digest.h"

#define NAIVE_PARTITIONS 4
#define NAIVE_RECORDS    4096 /* a partition */
#define NAIVE_WINDOWS    4096

struct naive_record {
	int64_t ts;
	bool control; /* no record of anyone's: skipped */
	bool seen;    /* counts for W_p */
	uint64_t digest;
	int64_t window; /* start of the window that took it, INT64_MIN none */
};

struct naive_window {
	int64_t start;
	int64_t end;
	bool fired;
	uint32_t reason;
};

struct naive {
	struct job_spec spec;
	uint32_t partitions;
	struct naive_record records[NAIVE_PARTITIONS][NAIVE_RECORDS];
	int64_t ends[NAIVE_PARTITIONS];
	int64_t cut[NAIVE_PARTITIONS];
	uint64_t arrival_ms[NAIVE_PARTITIONS]; /* monotonic */
	bool idle[NAIVE_PARTITIONS];
	int64_t w;
	int64_t now_ms; /* greatest wall time of a micro-batch so far */
	uint32_t window_count;
	struct naive_window windows[NAIVE_WINDOWS];
	uint64_t read, late, late_after_idle, future, no_timestamp;
	uint64_t window_digest, discard_digest;
};

static inline int64_t
naive_floor(int64_t t, int64_t size, int64_t offset)
{
	int64_t start = (t - offset) / size * size + offset;

	while (start > t) {
		start -= size;
	}
	return start;
}

static inline struct naive_window *
naive_window(struct naive *n, int64_t start, int64_t end)
{
	for (uint32_t i = 0; i < n->window_count; i++) {
		if (n->windows[i].start == start && n->windows[i].end == end) {
			return &n->windows[i];
		}
	}
	if (n->window_count == NAIVE_WINDOWS) {
		abort();
	}
	n->windows[n->window_count] = (struct naive_window){.start = start, .end = end};
	return &n->windows[n->window_count++];
}

static inline bool
naive_event(const struct naive *n)
{
	return n->spec.window == JOB_WINDOW_TUMBLING && n->spec.time == JOB_TIME_EVENT;
}

/* Judges one record of a micro-batch; batch is the window of everything unless by event time. */
static inline void
naive_judge(struct naive *n, uint32_t p, struct naive_record *r, int64_t batch_start)
{
	int64_t size = (int64_t)n->spec.window_size_ms;

	n->read++;
	r->window = INT64_MIN;
	if (!naive_event(n)) {
		r->window = batch_start;
		return;
	}
	if (r->ts == -1 || r->ts < -(INT64_C(1) << 60)) {
		n->no_timestamp++;
	} else if (r->ts > n->now_ms + (int64_t)n->spec.max_future_ms) {
		n->future++;
	} else {
		int64_t start = naive_floor(r->ts, size, n->spec.window_offset_ms);

		r->seen = true;
		if (start + size > n->w) {
			r->window = start;
			(void)naive_window(n, start, start + size);
			return;
		}
		n->late++;
		n->late_after_idle += n->idle[p];
	}
	n->discard_digest += r->digest;
}

/* W from all that was ever seen. */
static inline int64_t
naive_watermark(const struct naive *n, uint64_t mono_ms)
{
	int64_t least = INT64_MAX;
	int64_t greatest = INT64_MIN;
	uint64_t last_ms = 0;
	bool active = false;

	for (uint32_t p = 0; p < n->partitions; p++) {
		int64_t max = INT64_MIN;

		for (int64_t o = 0; o < n->cut[p]; o++) {
			if (n->records[p][o].seen && n->records[p][o].ts > max) {
				max = n->records[p][o].ts;
			}
		}
		greatest = max > greatest ? max : greatest;
		last_ms = n->arrival_ms[p] > last_ms ? n->arrival_ms[p] : last_ms;
		if (max != INT64_MIN && !n->idle[p]) {
			active = true;
			least = max < least ? max : least;
		}
	}
	if (greatest == INT64_MIN) {
		return n->w;
	}
	if (!active) {
		if (n->spec.idle_close_ms == 0 || mono_ms - last_ms < n->spec.idle_close_ms) {
			return n->w;
		}
		least = greatest + (int64_t)(mono_ms - last_ms);
	}
	least -= (int64_t)n->spec.out_of_orderness_ms;
	return least > n->w ? least : n->w;
}

/* One micro-batch: offsets up to until[], what is visible now, batch time and both clocks. */
static inline void
naive_microbatch(struct naive *n, const int64_t *until, const int64_t *visible, int64_t batch_ns,
	int64_t wall_ms, uint64_t mono_ms, bool final)
{
	int64_t interval_ns = (int64_t)n->spec.batch_interval_ns;
	int64_t start = (batch_ns - interval_ns) / 1000000;
	int64_t end = batch_ns / 1000000;

	if (n->spec.window == JOB_WINDOW_TUMBLING && n->spec.time == JOB_TIME_INGEST) {
		/* The least end, aligned, that is not before the batch time. */
		int64_t size = (int64_t)n->spec.window_size_ms;

		end = naive_floor(end + size, size, n->spec.window_offset_ms);
		while ((end - size) * 1000000 >= batch_ns) {
			end -= size;
		}
		start = end - size;
	}
	if (!naive_event(n)) {
		(void)naive_window(n, start, end);
	}
	n->now_ms = wall_ms > n->now_ms ? wall_ms : n->now_ms;
	for (uint32_t p = 0; p < n->partitions; p++) {
		uint64_t before = n->read;

		for (; n->cut[p] < until[p]; n->cut[p]++) {
			struct naive_record *r = &n->records[p][n->cut[p]];

			if (!r->control) {
				naive_judge(n, p, r, start);
			}
		}
		if (n->read > before || visible[p] > until[p]) {
			n->arrival_ms[p] = mono_ms;
			n->idle[p] = false;
		} else if (n->spec.idle_timeout_ms &&
			   mono_ms - n->arrival_ms[p] >= n->spec.idle_timeout_ms) {
			n->idle[p] = true;
		}
	}
	if (naive_event(n)) {
		n->w = naive_watermark(n, mono_ms);
	}
	for (uint32_t i = 0; i < n->window_count; i++) {
		struct naive_window *w = &n->windows[i];
		bool due = n->spec.window == JOB_WINDOW_NONE ||
			   w->end <= (naive_event(n) ? n->w : batch_ns / 1000000);

		if (!w->fired && (due || final)) {
			w->fired = true;
			w->reason = n->spec.window == JOB_WINDOW_NONE ? PENSTOCK_FIRE_MICROBATCH
				    : due                             ? PENSTOCK_FIRE_ON_TIME
								      : PENSTOCK_FIRE_FINAL;
		}
	}
}

#endif
