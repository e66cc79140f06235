/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The micro-batch: cut an offset range per partition, scan it once, judge every record once.
 * Batcher's lcore. A cut is what is visible and durable at the tick, at most cut_bytes_max of each
 * partition, ending between record batches. An empty cut is a micro-batch too.
 *
 * Late is judged by W of the previous micro-batch, firing by the new one (judging by the new one
 * would drop in-order data of the same cut). Of a window only [first, last] offsets are kept per
 * partition; when it fires, the worker's cursor walks that range and keeps timestamps in [start,
 * end). That repeats the judgement exactly:
 *
 * - Late. Say the window fires at micro-batch n: W(n) >= end for the first time, so W(n-1) < end. A
 *   record of the range was cut at some m <= n and judged by W(m-1) <= W(n-1) < end, W never
 * falling: it was not late. Whatever comes after n is late and lies behind the range, which ends in
 * cut n.
 * - No timestamp. -1, and what is beyond JOB_TIME_LIMIT_MS, is refused whatever the window; the
 * cursor has the same two rules.
 * - Future. A record of the window was refused at m if its time > limit(m) = now(m) + max_future.
 * If start > limit(m) no record of the window was accepted up to m, as limit never falls, so those
 *   accepted later have greater offsets and the range begins behind the refused one. If start <=
 *   limit(m) < end, the pair (offsets of cut m, limit(m)) is kept as an exclusion of that window
 * and the cursor asks it. There is at most one such window a micro-batch.
 */
#include <errno.h>
#include "base/ensure.h"
#include "batcher/job.h"
#include "batcher/record_digest.h"
#include "wire/record_batch.h"

/* Where this micro-batch's cut of a partition ends at most. */
static int64_t
microbatch_end(const struct job *job, const struct job_partition *p)
{
	int64_t visible = batcher_visible(job->batcher, p->index);

	if (job->state == JOB_DRAINING && visible > p->drain_until) {
		visible = p->drain_until;
	}
	return visible > p->next ? visible : p->next;
}

/* The window that holds everything of this micro-batch: kind none, and tumbling on ingest time. */
static bool
microbatch_open_window(struct job *job)
{
	int64_t end_ms = (int64_t)(job->batch_time_ns / NS_PER_MS);
	int64_t start_ms =
		(int64_t)((job->batch_time_ns - job->spec.batch_interval_ns) / NS_PER_MS);

	if (job->spec.window == JOB_WINDOW_TUMBLING) {
		/* Micro-batch T belongs to the window (start, end] of batch times that holds T. */
		int64_t size_ms = (int64_t)job->spec.window_size_ms;
		int64_t last_ms = (int64_t)((job->batch_time_ns - 1) / NS_PER_MS);

		start_ms = window_set_start_ms(last_ms, size_ms, job->spec.window_offset_ms);
		end_ms = start_ms + size_ms;
	}
	uint32_t window = window_set_open(&job->windows, start_ms, end_ms);

	for (uint32_t i = 0; i < job->partition_count; i++) {
		job->partitions[i].window = window;
	}
	return window != WINDOW_NONE;
}

static bool
microbatch_event_windows(const struct job *job)
{
	return job->spec.window == JOB_WINDOW_TUMBLING && job->spec.time == JOB_TIME_EVENT;
}

static void
microbatch_begin(struct job *job)
{
	const struct batcher *b = job->batcher;
	int64_t wall_ms = (int64_t)(b->wall_ns / NS_PER_MS);

	job_set_phase(job, JOB_PHASE_SCAN);
	job->batch_sequence++;
	job->cut = (struct job_cut){0};
	if (wall_ms > job->now_ms) {
		job->now_ms = wall_ms;
	}
	job->future_ms = job->now_ms + (int64_t)job->spec.max_future_ms;
	job->late_bound_ms = job->watermark.value_ms;
	for (uint32_t i = 0; i < job->partition_count; i++) {
		struct job_partition *p = &job->partitions[i];

		if (batcher_log_start(b, p->index) > p->next) {
			job_fail(job, -ENODATA,
				"source_range_lost: %s-%u begins at %lld now, the job stood at "
				"%lld",
				p->topic, p->partition, (long long)batcher_log_start(b, p->index),
				(long long)p->next);
			return;
		}
		p->at = p->next;
		p->until = microbatch_end(job, p);
		p->bytes_left = job->spec.cut_bytes_max;
		p->max_ms = EVENT_WATERMARK_NONE;
		p->window = WINDOW_NONE;
		p->was_idle = job->watermark.partitions[i].idle;
		p->boundary_future = false;
		p->records = false;
	}
	if (!microbatch_event_windows(job) && !microbatch_open_window(job)) {
		job_fail(job, -ENOSPC, "limit_open_windows: more than %u",
			job->spec.open_windows_max);
	}
}

uint32_t
microbatch_poll(struct job *job)
{
	uint64_t skipped;

	if (job->state == JOB_DRAINING) {
		job->batch_time_ns = batch_clock_force(&job->clock, job->batcher->wall_ns);
	} else if (batch_clock_tick(
			   &job->clock, job->batcher->wall_ns, &job->batch_time_ns, &skipped)) {
		job->counters[JOB_ticks_coalesced] += skipped;
	} else {
		return 0;
	}
	microbatch_begin(job);
	return 1;
}

/* The window of an event time, or WINDOW_NONE if the record is late. False: too many windows. */
static bool
microbatch_window(
	struct job *job, struct job_partition *p, int64_t timestamp_ms, uint32_t *ret_window)
{
	int64_t size_ms = (int64_t)job->spec.window_size_ms;
	int64_t start_ms = window_set_start_ms(timestamp_ms, size_ms, job->spec.window_offset_ms);

	if (p->window != WINDOW_NONE && p->window_start_ms == start_ms) {
		*ret_window = p->window;
		return true;
	}
	*ret_window = WINDOW_NONE;
	if (start_ms + size_ms <= job->late_bound_ms) {
		return true;
	}
	*ret_window = window_set_open(&job->windows, start_ms, start_ms + size_ms);
	p->window = *ret_window;
	p->window_start_ms = start_ms;
	return *ret_window != WINDOW_NONE;
}

/* Judges one record of an event-time window job. -ENOSPC: too many open windows. */
static int
microbatch_judge(struct job *job, uint32_t partition, const struct record_view *r, uint64_t digest)
{
	struct job_partition *p = &job->partitions[partition];
	uint32_t window;

	if (r->timestamp_ms == -1 || r->timestamp_ms < -JOB_TIME_LIMIT_MS) {
		job->cut.no_timestamp++;
		job->cut.discard_digest += digest;
		return 0;
	}
	if (r->timestamp_ms > job->future_ms) {
		if (r->timestamp_ms < JOB_TIME_LIMIT_MS &&
			window_set_start_ms(r->timestamp_ms, (int64_t)job->spec.window_size_ms,
				job->spec.window_offset_ms) <= job->future_ms) {
			p->boundary_future = true;
		}
		job->cut.future++;
		job->cut.discard_digest += digest;
		return 0;
	}
	if (r->timestamp_ms > p->max_ms) {
		p->max_ms = r->timestamp_ms;
	}
	if (!microbatch_window(job, p, r->timestamp_ms, &window)) {
		return -ENOSPC;
	}
	if (window == WINDOW_NONE) {
		job->cut.late++;
		job->cut.late_after_idle += p->was_idle;
		job->cut.discard_digest += digest;
		return 0;
	}
	window_set_add(&job->windows, window, partition, r->offset, digest);
	job->cut.accepted++;
	return 0;
}

/* Judges the records of one record batch that belong to the cut. Negative errno on damage. */
static int
microbatch_scan_batch(struct job *job, uint32_t partition, const uint8_t *bytes, size_t len)
{
	struct job_partition *p = &job->partitions[partition];
	bool event = microbatch_event_windows(job);
	struct record_iterator it;
	struct record_view r;
	int rc = record_iterator_init(&it, bytes, len);

	while (rc == 0 && (rc = record_iterator_next(&it, &r)) == 1) {
		rc = 0;
		if (r.offset < p->at || r.offset >= p->until) {
			continue;
		}
		uint64_t digest = record_digest(r.key, r.key_len, r.value, r.value_len);

		job->cut.read++;
		p->records = true;
		if (event) {
			rc = microbatch_judge(job, partition, &r, digest);
		} else {
			window_set_add(&job->windows, p->window, partition, r.offset, digest);
			job->cut.accepted++;
		}
	}
	return rc;
}

static int
microbatch_scan_extent(struct job *job, uint32_t partition, const uint8_t *bytes, size_t len)
{
	struct record_batch_iterator it;
	int rc;

	record_batch_iterator_init(&it, bytes, len);
	while ((rc = record_batch_iterator_next(&it)) == 1) {
		if (!(it.batch.attributes & RECORD_BATCH_CONTROL)) {
			rc = microbatch_scan_batch(job, partition, it.bytes, it.len);
			if (rc < 0) {
				return rc;
			}
		}
	}
	return rc < 0 ? -EBADMSG : 0;
}

static void
microbatch_scan_failed(struct job *job, const struct job_partition *p, int error)
{
	switch (error) {
	case -ENOSPC:
		job_fail(job, error, "limit_open_windows: more than %u open at once",
			job->spec.open_windows_max);
		return;
	case -ENOTSUP:
		job_fail(job, error, "%s-%u has a compressed record batch at or after offset %lld",
			p->topic, p->partition, (long long)p->at);
		return;
	default:
		job_fail(job, error, "%s-%u: damaged record batch at or after offset %lld",
			p->topic, p->partition, (long long)p->at);
	}
}

void
microbatch_read_done(struct job *job, uint32_t partition, const struct read_done *done)
{
	struct job_partition *p = &job->partitions[partition];

	p->reading = false;
	batcher_read_back(job, done->error ? 0 : done->held_bytes);
	if (done->error) {
		job_read_failed(job, p->topic, p->partition, p->at, done->error);
		return;
	}
	if (!done->data) {
		/* No room in the log's memory: ask again. Or offsets that are gone: behind them. */
		if (job->phase == JOB_PHASE_SCAN && done->next_offset > p->at) {
			p->at = done->next_offset < p->until ? done->next_offset : p->until;
		}
		return;
	}
	if (job->phase == JOB_PHASE_SCAN) {
		int rc = done->next_offset <= p->at ? -EBADMSG
						    : microbatch_scan_extent(job, partition,
							      done->data, done->data_len);

		if (rc < 0) {
			microbatch_scan_failed(job, p, rc);
		}
		p->at = done->next_offset < p->until ? done->next_offset : p->until;
		p->bytes_left -= p->bytes_left < done->data_len ? p->bytes_left : done->data_len;
	}
	batcher_release(job, done->pin, p->index, done->held_bytes);
}

/* Remembers where future records of a window that has begun were refused. */
static void
microbatch_exclude(struct job *job, uint32_t partition)
{
	const struct job_partition *p = &job->partitions[partition];

	if (job->exclusion_count == JOB_EXCLUSIONS_MAX) {
		job_fail(job, -ENOSPC,
			"limit_future: records ahead of max_future in more than %d cuts of open "
			"windows",
			JOB_EXCLUSIONS_MAX);
		return;
	}
	job->exclusions[job->exclusion_count++] = (struct job_exclusion){
		.window_start_ms = window_set_start_ms(job->future_ms,
			(int64_t)job->spec.window_size_ms, job->spec.window_offset_ms),
		.partition = partition,
		.span = {.from = p->next, .until = p->at, .limit_ms = job->future_ms},
	};
}

static void
microbatch_count(struct job *job)
{
	const struct job_cut *cut = &job->cut;

	ensure(cut->read == cut->accepted + cut->late + cut->future + cut->no_timestamp);
	job->counters[JOB_microbatches]++;
	job->counters[JOB_microbatches_empty] += cut->read == 0;
	job->counters[JOB_read_records] += cut->read;
	job->counters[JOB_open_records] += cut->accepted;
	job->counters[JOB_late_records] += cut->late;
	job->counters[JOB_late_after_idle] += cut->late_after_idle;
	job->counters[JOB_future_records] += cut->future;
	job->counters[JOB_no_timestamp_records] += cut->no_timestamp;
	job->discard_digest += cut->discard_digest;
}

/* All of the cut was scanned: new W, counters, on to the firings. */
static void
microbatch_finish(struct job *job)
{
	uint64_t now_ns = job->batcher->now_ns;
	bool drained = job->state == JOB_DRAINING;

	job_set_phase(job, JOB_PHASE_FIRE);
	for (uint32_t i = 0; i < job->partition_count; i++) {
		struct job_partition *p = &job->partitions[i];

		if (p->boundary_future) {
			microbatch_exclude(job, i);
		}
		p->next = p->at;
		drained = drained && p->next >= p->drain_until;
		event_watermark_see(&job->watermark, i,
			&(struct event_cut){.max_ms = p->max_ms,
				.records = p->records,
				.uncut = batcher_visible(job->batcher, p->index) > p->next},
			now_ns);
	}
	if (microbatch_event_windows(job)) {
		(void)event_watermark_advance(&job->watermark, now_ns);
	}
	job->final = drained;
	microbatch_count(job);
	job->dirty = true;
}

uint32_t
microbatch_scan(struct job *job)
{
	uint32_t work = 0;
	bool left = false;

	if (job->reads_in_flight == JOB_SCAN_READS_MAX) {
		return 0;
	}
	for (uint32_t i = 0; i < job->partition_count; i++) {
		struct job_partition *p = &job->partitions[i];

		if (p->at >= p->until || p->bytes_left == 0) {
			left = left || p->reading;
			continue;
		}
		left = true;
		if (p->reading || job->reads_in_flight >= JOB_SCAN_READS_MAX ||
			!batcher_may_read(job)) {
			continue;
		}
		uint64_t want =
			p->bytes_left < JOB_SCAN_READ_BYTES ? p->bytes_left : JOB_SCAN_READ_BYTES;

		if (batcher_read(job, i, p->at, p->until, want)) {
			p->reading = true;
			work++;
		}
	}
	if (!left) {
		microbatch_finish(job);
		work++;
	}
	return work;
}
