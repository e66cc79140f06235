/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defaults and checks of a job's specification. Any thread. Every refusal says which field, what it
 * is, what it may be.
 */
#include <stdio.h>
#include <string.h>
#include "batcher/batcher.h"
#include "base/bytes.h" /* behind DPDK's headers: both say NS_PER_S */

#define INTERVAL_MIN_NS    (100 * NS_PER_US)
#define INTERVAL_MAX_NS    (3600 * NS_PER_S)
#define DURATION_MAX_MS    (10ull * 366 * 86400 * 1000)
#define ATTEMPTS_MAX       1000
#define OPEN_WINDOWS_LIMIT 1000000
#define OUTPUT_BYTES_MIN   (4 * KIB)
#define OUTPUT_BYTES_LIMIT GIB
#define CUT_BYTES_MIN      (64 * KIB)

void
job_spec_init(struct job_spec *spec)
{
	*spec = (struct job_spec){
		.start = JOB_START_LATEST,
		.batch_interval_ns = NS_PER_S,
		.time = JOB_TIME_INGEST,
		.window = JOB_WINDOW_NONE,
		.idle_timeout_ms = 10 * 1000,
		.idle_close_ms = 60 * 1000,
		.max_future_ms = 3600 * 1000,
		.task_attempts = 4,
		.open_windows_max = 10000,
		.output_bytes_max = 64 * MIB,
		.cut_bytes_max = 16 * MIB,
	};
}

struct spec_range {
	const char *name;
	uint64_t value;
	uint64_t min;
	uint64_t max;
};

static bool
spec_name_valid(const char *name)
{
	size_t len = strnlen(name, BATCHER_JOB_NAME_MAX + 1);

	if (len == 0 || len > BATCHER_JOB_NAME_MAX) {
		return false;
	}
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static const char *
spec_check_window(const struct job_spec *spec, char *text, uint32_t text_bytes)
{
	uint64_t size_ns = spec->window_size_ms * NS_PER_MS;
	uint64_t shift_ms = (uint64_t)(spec->window_offset_ms < 0 ? -spec->window_offset_ms
								  : spec->window_offset_ms);

	if (spec->window_size_ms < 1 || spec->window_size_ms > DURATION_MAX_MS) {
		(void)snprintf(text, text_bytes, "window size is %llu ms: must be 1 to %llu",
			(unsigned long long)spec->window_size_ms,
			(unsigned long long)DURATION_MAX_MS);
		return text;
	}
	if (spec->window_offset_ms < -(int64_t)DURATION_MAX_MS ||
		shift_ms >= spec->window_size_ms) {
		(void)snprintf(text, text_bytes,
			"window offset is %lld ms: must be less than the window size, %llu ms",
			(long long)spec->window_offset_ms,
			(unsigned long long)spec->window_size_ms);
		return text;
	}
	if (spec->time == JOB_TIME_INGEST &&
		(size_ns % spec->batch_interval_ns != 0 ||
			shift_ms * NS_PER_MS % spec->batch_interval_ns != 0)) {
		(void)snprintf(text, text_bytes,
			"window size %llu ms and offset %lld ms must be multiples of the batch "
			"interval, "
			"%llu ns, because ingest-time windows are made of whole micro-batches",
			(unsigned long long)spec->window_size_ms, (long long)spec->window_offset_ms,
			(unsigned long long)spec->batch_interval_ns);
		return text;
	}
	return NULL;
}

static const char *
spec_check_ranges(const struct job_spec *spec, char *text, uint32_t text_bytes)
{
	const struct spec_range ranges[] = {
		{"number of sources", spec->source_count, 1, BATCHER_SOURCES_MAX},
		{"batch interval (ns)", spec->batch_interval_ns, INTERVAL_MIN_NS, INTERVAL_MAX_NS},
		{"out_of_orderness (ms)", spec->out_of_orderness_ms, 0, DURATION_MAX_MS},
		{"idle_timeout (ms)", spec->idle_timeout_ms, 0, DURATION_MAX_MS},
		{"idle_close (ms)", spec->idle_close_ms, 0, DURATION_MAX_MS},
		{"max_future (ms)", spec->max_future_ms, 0, DURATION_MAX_MS},
		{"task_attempts", spec->task_attempts, 1, ATTEMPTS_MAX},
		{"open_windows_max", spec->open_windows_max, 1, OPEN_WINDOWS_LIMIT},
		{"output_bytes_max", spec->output_bytes_max, OUTPUT_BYTES_MIN, OUTPUT_BYTES_LIMIT},
		{"cut_bytes_max", spec->cut_bytes_max, CUT_BYTES_MIN, UINT64_MAX},
	};

	for (uint32_t i = 0; i < ARRAY_COUNT(ranges); i++) {
		const struct spec_range *r = &ranges[i];

		if (r->value < r->min || r->value > r->max) {
			(void)snprintf(text, text_bytes, "%s is %llu: must be %llu to %llu",
				r->name, (unsigned long long)r->value, (unsigned long long)r->min,
				(unsigned long long)r->max);
			return text;
		}
	}
	return NULL;
}

const char *
job_spec_check(const struct job_spec *spec, char *text, uint32_t text_bytes)
{
	const char *wrong = spec_check_ranges(spec, text, text_bytes);

	if (wrong) {
		return wrong;
	}
	if (!spec_name_valid(spec->name)) {
		(void)snprintf(text, text_bytes,
			"job name \"%.*s\": must be 1 to %d of a-z, 0-9 and -",
			BATCHER_JOB_NAME_MAX, spec->name, BATCHER_JOB_NAME_MAX);
		return text;
	}
	if (spec->window >= JOB_WINDOW_KIND_COUNT || spec->time > JOB_TIME_EVENT ||
		spec->start > JOB_START_EARLIEST) {
		(void)snprintf(text, text_bytes, "unknown window kind, time or start");
		return text;
	}
	if (!spec->function || !spec->function->process) {
		(void)snprintf(text, text_bytes,
			"no function: name a builtin (count) or a plug-in with a process function");
		return text;
	}
	if (spec->window == JOB_WINDOW_TUMBLING) {
		return spec_check_window(spec, text, text_bytes);
	}
	return NULL;
}
