/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of the durable method and its warnings. See durable_method.h. */
#include "logstore/durable_method.h"

#include <stdarg.h>
#include <stdio.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/ensure.h"

static void PRINTF_LIKE(2, 3) warn(struct durable_method *m, const char *format, ...)
{
	va_list args;

	ensure(m->warning_count < ARRAY_COUNT(m->warnings));
	va_start(args, format);
	(void)vsnprintf(m->warnings[m->warning_count++], DURABLE_WARNING_MAX, format, args);
	va_end(args);
}

bool
durable_method_prefers_dsync(const struct io_probe *probe)
{
	/* Of parallel writes, as a group's are: a single one says nothing about drives that queue
	 * FUA badly. */
	return !probe->write_cache || (probe->fua && probe->dsync_16_ns < probe->write_16_flush_ns);
}

static void
warn_of_settings(struct durable_method *m, const struct io_probe *probe, bool forced_method,
	bool forced_scope)
{
	if (forced_method && m->dsync != durable_method_prefers_dsync(probe)) {
		warn(m,
			"log.durable.method is %s by its setting, where the probe of %s chooses "
			"%s: 16 writes take "
			"%llu us with DSYNC, %llu us with one flush. fix: leave it at auto",
			m->dsync ? "dsync" : "flush", probe->device, m->dsync ? "flush" : "dsync",
			(unsigned long long)(probe->dsync_16_ns / NS_PER_US),
			(unsigned long long)(probe->write_16_flush_ns / NS_PER_US));
	}
	if (forced_scope && m->flush_device && !probe->flush_covers_device) {
		warn(m,
			"log.flush.scope is device by its setting, but the probe did not find that "
			"one flush covers every "
			"file of %s (%s): acknowledged records may be lost at a power cut. fix: "
			"leave it at auto",
			probe->device, probe->fs_type);
	}
}

void
durable_method_choose(const struct io_probe *probe, enum log_durable_method method,
	enum log_flush_scope scope, struct durable_method *ret)
{
	*ret = (struct durable_method){.dsync = method == LOG_DURABLE_AUTO
							? durable_method_prefers_dsync(probe)
							: method == LOG_DURABLE_DSYNC,
		.flush_device = scope == LOG_FLUSH_AUTO ? probe->flush_covers_device
							: scope == LOG_FLUSH_DEVICE};
	warn_of_settings(ret, probe, method != LOG_DURABLE_AUTO, scope != LOG_FLUSH_AUTO);
	if (probe->no_journal) {
		warn(ret,
			"%s on %s has no journal: kernels without the fix of February 2026 "
			"(1308255bbf84) do not sync an "
			"inode by fsync, so each prepared segment is followed by a sync of the "
			"whole file system. "
			"fix: tune2fs -O has_journal while it is not mounted, or XFS",
			probe->fs_type, probe->device);
	}
}
