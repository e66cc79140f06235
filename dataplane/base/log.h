/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines of housekeeping code: `time level module message`, logfmt, to stderr or a sink that the
 * program sets. Never on a hot path (tests/tidy); libraries return errors, only the program and its
 * housekeeping threads log. At most 10 lines a second a call site, then "repeated n".
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>
#include "base/compiler.h"

enum log_level {
	LOG_ERROR,
	LOG_WARNING,
	LOG_INFO,
	LOG_DEBUG,
};

/* Per call site; zero-initialised static storage. */
struct log_site {
	uint64_t second;
	uint32_t in_second;
	uint32_t suppressed;
};

typedef void (*log_sink_fn)(void *user_data, enum log_level level, const char *line);

/* Start-up only. A NULL sink is stderr. */
void log_set_sink(log_sink_fn sink, void *user_data);
void log_set_level(enum log_level level);
/* Housekeeping threads; takes a lock. */
void log_line(struct log_site *site, enum log_level level, const char *module, const char *format, ...)
	PRINTF_LIKE(4, 5);

#define log_at(level, module, ...)                                                                 \
	do {                                                                                       \
		static struct log_site log_site_here;                                              \
		log_line(&log_site_here, level, module, __VA_ARGS__);                              \
	} while (0)
#define log_error(module, ...)	 log_at(LOG_ERROR, module, __VA_ARGS__)
#define log_warning(module, ...) log_at(LOG_WARNING, module, __VA_ARGS__)
#define log_info(module, ...)	 log_at(LOG_INFO, module, __VA_ARGS__)
#define log_debug(module, ...)	 log_at(LOG_DEBUG, module, __VA_ARGS__)

#endif
