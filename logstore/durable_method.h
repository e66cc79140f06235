/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a group becomes durable: DSYNC writes or writes and one flush, and what one flush covers.
 * Chosen from the probe, or by the settings against it; what that may cost is told as warnings.
 * Starting thread.
 */
#ifndef LOGSTORE_DURABLE_METHOD_H
#define LOGSTORE_DURABLE_METHOD_H

#include <stdbool.h>
#include <stdint.h>
#include "logstore/logstore.h"

#define DURABLE_WARNING_MAX 512

struct durable_method {
	bool dsync;
	bool flush_device; /* one flush covers all files of the device, else one of each file */
	uint32_t warning_count;
	char warnings[LOG_WARNINGS_MAX][DURABLE_WARNING_MAX]; /* what, why, and how to mend it */
};

/* Whether writes with DSYNC beat writes and one flush on such a device. */
bool durable_method_prefers_dsync(const struct io_probe *probe);
/* auto follows the probe; a setting wins over it, with a warning where they differ. */
void durable_method_choose(const struct io_probe *probe, enum log_durable_method method,
	enum log_flush_scope scope, struct durable_method *ret);

#endif
