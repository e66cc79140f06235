/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines. The sink and the level are the one piece of process-wide state of the libraries; they
 * are set at start. A lock makes lines whole and guards the call sites' rate limits: housekeeping
 * threads only, never a hot path.
 */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include "base/bytes.h"
#include "base/clock.h"

#define LOG_LINE_BYTES	       1024
#define LOG_LINES_PER_SECOND   10

struct log_state {
	pthread_mutex_t lock;
	log_sink_fn sink;
	void *user_data;
	enum log_level level;
};

static struct log_state log_state = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_INFO};

static const char *const log_level_names[] = {"error", "warning", "info", "debug"};

void
log_set_sink(log_sink_fn sink, void *user_data)
{
	pthread_mutex_lock(&log_state.lock);
	log_state.sink = sink;
	log_state.user_data = user_data;
	pthread_mutex_unlock(&log_state.lock);
}

void
log_set_level(enum log_level level)
{
	pthread_mutex_lock(&log_state.lock);
	log_state.level = level;
	pthread_mutex_unlock(&log_state.lock);
}

/* Writes `time level module ` and returns its length. */
static size_t
log_prefix(char line[LOG_LINE_BYTES], uint64_t wall_ns, enum log_level level, const char *module)
{
	time_t seconds = (time_t)(wall_ns / NS_PER_S);
	struct tm tm;
	char stamp[32];

	gmtime_r(&seconds, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	int len = snprintf(line, LOG_LINE_BYTES, "%s.%03uZ %s %s ", stamp,
		(unsigned)(wall_ns % NS_PER_S / NS_PER_MS), log_level_names[level], module);

	return len < LOG_LINE_BYTES ? (size_t)len : LOG_LINE_BYTES - 1;
}

static void
log_emit(enum log_level level, const char *line)
{
	if (log_state.sink) {
		log_state.sink(log_state.user_data, level, line);
	} else {
		fprintf(stderr, "%s\n", line);
	}
}

/* True if the site may write a line in this second; tells what the last second left out. */
static int
log_site_allows(struct log_site *site, uint64_t wall_ns, enum log_level level, const char *module)
{
	uint64_t second = wall_ns / NS_PER_S;

	if (site->second != second) {
		if (site->suppressed > 0) {
			char line[LOG_LINE_BYTES];
			size_t at = log_prefix(line, wall_ns, level, module);

			snprintf(line + at, sizeof(line) - at, "repeated %u", site->suppressed);
			log_emit(level, line);
		}
		*site = (struct log_site){.second = second};
	}
	if (site->in_second >= LOG_LINES_PER_SECOND) {
		site->suppressed++;
		return 0;
	}
	site->in_second++;
	return 1;
}

void
log_line(struct log_site *site, enum log_level level, const char *module, const char *format, ...)
{
	uint64_t wall_ns = clock_wall_ns(clock_system());
	char line[LOG_LINE_BYTES];
	va_list args;

	pthread_mutex_lock(&log_state.lock);
	if (level <= log_state.level && log_site_allows(site, wall_ns, level, module)) {
		size_t at = log_prefix(line, wall_ns, level, module);

		va_start(args, format);
		vsnprintf(line + at, sizeof(line) - at, format, args);
		va_end(args);
		/* One entry, one line: text from outside must not be able to forge another. */
		for (char *c = line; *c; c++) {
			*c = (unsigned char)*c < 0x20 ? ' ' : *c;
		}
		log_emit(level, line);
	}
	pthread_mutex_unlock(&log_state.lock);
}
