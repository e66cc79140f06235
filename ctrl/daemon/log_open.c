/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/daemon/log_open.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/log.h"
#include "ctrl/daemon/config.h"
#include "ctrl/daemon/host_limits.h"
#include "logstore/io/io_fault.h"
#include "logstore/io/io_sync.h"
#include "logstore/io/io_trace.h"
#include "logstore/io/io_uring.h"


void
log_open_topic_defaults(const struct config *c, struct log_topic_config *ret_config)
{
	log_topic_config_init(ret_config);
	ret_config->segment_bytes = c->topic_segment_bytes;
	ret_config->segment_ms = (int64_t)c->topic_segment_ms;
	ret_config->segment_jitter_ms = (int64_t)c->topic_segment_jitter_ms;
	ret_config->index_interval_bytes = c->topic_index_interval_bytes;
	ret_config->index_bytes_max = c->topic_segment_index_bytes;
	ret_config->max_message_bytes = c->topic_max_message_bytes;
	ret_config->ack_risk = (uint8_t)c->topic_ack_risk;
	ret_config->log_append_time =
		c->topic_timestamp_type == CONFIG_TOPIC_TIMESTAMP_TYPE_LOGAPPENDTIME;
	ret_config->flush_ms = c->topic_flush_ms;
}

/* mkdir -p, mode 0750. */
static int
log_open_make_dirs(const char *path)
{
	char part[512];

	for (const char *at = path + 1;; at++) {
		if (*at != '/' && *at != 0) {
			continue;
		}
		snprintf(part, sizeof(part), "%.*s", (int)(at - path), path);
		if (mkdir(part, 0750) < 0 && errno != EEXIST) {
			return -errno;
		}
		if (*at == 0) {
			return 0;
		}
	}
}

static int
log_open_dir(struct wiring *w, struct wiring_error *error)
{
	const char *dir = w->config->data_dirs[0];
	int rc = dir[0] == '/' ? log_open_make_dirs(dir) : -EINVAL;

	snprintf(w->engine.data_dir, sizeof(w->engine.data_dir), "%s", dir);
	if (rc == 0 && access(dir, R_OK | W_OK | X_OK) < 0) {
		rc = -errno;
	}
	if (rc < 0) {
		snprintf(error->text, sizeof(error->text),
			"error: data directory %s: %s\n  why   the log must be able to create files there\n"
			"  fix   sudo install -d -m 0750 -o $USER %s    or    choose another: --set data.dirs=DIR "
			"(absolute)\n",
			dir, strerror(-rc), dir);
	}
	return rc;
}

/* 32 random bytes, 0600, kept over restarts: with them a new start can reset old sessions. */
static int
log_open_reset_key(struct wiring *w, struct wiring_error *error)
{
	char path[600], copy[512];
	int fd, rc = 0;

	snprintf(copy, sizeof(copy), "%s", w->engine.data_dir);
	snprintf(path, sizeof(path), "%s/reset.key", dirname(copy));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0) {
		rc = read(fd, w->secrets.reset_key, 32) == 32 ? 0 : -EINVAL;
		close(fd);
	} else if (errno == ENOENT) {
		rand_os_fill(w->secrets.reset_key, 32);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		rc = fd < 0 ? -errno : write(fd, w->secrets.reset_key, 32) == 32 ? 0 : -EIO;
		if (fd >= 0) {
			rc = fsync(fd) < 0 ? -errno : rc;
			close(fd);
		}
	} else {
		rc = -errno;
	}
	if (rc < 0) {
		snprintf(error->text, sizeof(error->text),
			"error: %s: %s\n  why   it holds the 32 bytes that let a restart end old sessions\n"
			"  fix   remove the file (old sessions then end by timeout) or mend its permissions\n",
			path, rc == -EINVAL ? "is not 32 bytes long" : strerror(-rc));
	}
	return rc;
}

/* Named once: the ring's buffers are registered only if this user may lock so much memory. */
static void
log_open_memlock(struct wiring *w)
{
	const struct config *c = w->config;
	uint64_t need = w->engine.shard_count * (c->log_buffer_bytes + c->log_cache_bytes);
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur < need && !host_limits_lock_freely()) {
		wiring_fallback(w, "io_uring without registered buffers: log.buffer.bytes and log.cache.bytes of %u "
				   "shards are %llu MiB, RLIMIT_MEMLOCK is %llu KiB; still durable. fix: ulimit -l "
				   "unlimited, or LimitMEMLOCK=infinity in the service",
			w->engine.shard_count, (unsigned long long)(need / MIB),
			(unsigned long long)(limit.rlim_cur / KIB));
	}
}

static int
log_open_shard_io(struct wiring *w, uint32_t shard, uint32_t slots, struct wiring_error *error)
{
	const struct config *c = w->config;
	struct io_uring_options options = {
		.data_dir = w->engine.data_dir,
		.slots_max = slots,
		.housekeeping_cpus = c->lcores_housekeeping.cpus,
		.housekeeping_cpu_count = c->lcores_housekeeping.count,
	};
	struct io_uring_cause cause = {""};
	int rc = -ENOSYS;

	if (c->log_io != CONFIG_LOG_IO_SYNC) {
		rc = io_uring_create(&options, &w->shard_io[shard], &cause);
	}
	if (rc == 0) {
		if (shard == 0) {
			log_open_memlock(w);
		}
		return 0;
	}
	if (c->log_io == CONFIG_LOG_IO_URING) {
		snprintf(error->text, sizeof(error->text),
			"error: log.io is uring, and io_uring cannot be used\n  why   %s\n  fix   %s\n"
			"  or    --set log.io=auto: pwrite + fdatasync, still durable\n",
			cause.text, cause.fix);
		return rc;
	}
	if (c->log_io == CONFIG_LOG_IO_AUTO && shard == 0) {
		wiring_fallback(w, "io_uring not available (%s); writing with pwrite + fdatasync, still durable. fix: %s",
			cause.text, cause.fix);
	}
	return io_sync_create(w->engine.data_dir, slots, &w->shard_io[shard]);
}

/* Wraps a shard's io in the fault decorator, for tests in dev mode. */
static int
log_open_fault(struct wiring *w, uint32_t shard)
{
	struct io_fault_options options = {
		.clock = w->clock,
		.flush_delay_ns = w->config->fault_io_flush_delay_ns,
	};

	if (options.flush_delay_ns == 0) {
		return 0;
	}
	if (w->config->fault_io_flush_delay_for_ns > 0) {
		options.delays_end_ns = clock_now_ns(w->clock) + w->config->fault_io_flush_delay_for_ns;
	}
	return io_fault_create(w->shard_io[shard], &options, &w->shard_io[shard]);
}

/* A shard's lcore; aborts where the trace does not agree. */
static void
log_open_durable(void *user_data, uint32_t shard, const uint8_t topic_id[16], uint32_t partition,
	int64_t offset)
{
	struct wiring *w = user_data;

	io_trace_note(w->shard_trace[shard], topic_id, partition, offset);
}

static void
log_open_options(struct wiring *w, struct log_options *options)
{
	const struct config *c = w->config;

	log_options_init(options);
	options->clock = w->clock;
	options->rand = &w->keeper_rand;
	options->keeper_io = w->keeper_io;
	if (c->fault_io_trace) {
		options->durable = log_open_durable;
		options->durable_user_data = w;
	}
	memcpy(options->shard_io, w->shard_io, sizeof(options->shard_io));
	options->shard_count = w->engine.shard_count;
	options->client_count = w->client_count;
	options->partitions_max = c->log_partitions_max;
	options->buffer_bytes = c->log_buffer_bytes;
	options->cache_bytes = c->log_cache_bytes;
	options->guard_bytes = c->log_guard_bytes;
	options->group_max_bytes = c->log_group_max_bytes;
	options->recovery_max_bytes = c->log_recovery_max_bytes;
	options->free_low_bytes = c->log_free_low_bytes;
	options->spare_bytes = c->log_prep_bytes;
	options->prep_rate = c->log_prep_rate_bytes;
	options->mark_idle_ns = c->log_mark_idle_ns;
	options->group_linger_ns = c->log_group_linger_ns;
	options->producers_max = c->log_producers_max;
	options->durable_method = (enum log_durable_method)c->log_durable_method;
	options->flush_scope = (enum log_flush_scope)c->log_flush_scope;
	options->node_id = c->node_id;
	snprintf(options->cluster_id, sizeof(options->cluster_id), "%s", c->cluster_id);
}

int
log_open(struct wiring *w, struct wiring_error *error)
{
	uint32_t slots = logstore_slots(w->config->log_partitions_max);
	struct log_options options;
	int holder_pid = 0;
	int rc = log_open_dir(w, error);

	rc = rc < 0 ? rc : log_open_reset_key(w, error);
	rc = rc < 0 ? rc : io_sync_create(w->engine.data_dir, 0, &w->keeper_io);
	for (uint32_t s = 0; s < w->engine.shard_count && rc == 0; s++) {
		rc = log_open_shard_io(w, s, slots, error);
		rc = rc < 0 ? rc : log_open_fault(w, s);
		if (rc == 0 && w->config->fault_io_trace) {
			rc = io_trace_attach(w->shard_io[s], NULL, NULL, &w->shard_trace[s]);
		}
	}
	if (rc < 0) {
		return rc;
	}
	log_open_options(w, &options);
	rc = logstore_create(&options, &w->engine.store, &holder_pid);
	if (rc == -EWOULDBLOCK) {
		char holder[32] = "";

		if (holder_pid > 0) {
			snprintf(holder, sizeof(holder), ": pid %d", holder_pid);
		}
		snprintf(error->text, sizeof(error->text),
			"error: data directory %s is in use\n  why   another process holds its lock%s\n"
			"  fix   stop that one first (penstock sys stop), or choose another data directory\n",
			w->engine.data_dir, holder);
	} else if (rc < 0) {
		snprintf(error->text, sizeof(error->text), "error: the log in %s cannot be opened: %s\n",
			w->engine.data_dir, strerror(-rc));
	}
	return rc;
}

/* What the trace saw of a run that ended well: that it judged anything is for its reader to ask. */
static void
log_close_trace(const struct wiring *w)
{
	struct io_trace_counts all = {0};

	for (uint32_t s = 0; s < HANDOFF_SHARDS_MAX; s++) {
		struct io_trace_counts one;

		if (w->shard_trace[s]) {
			io_trace_counts(w->shard_trace[s], &one);
			all.judged += one.judged;
			all.proven += one.proven;
		}
	}
	log_info("log", "trace of the I/O seam: %llu DURABLE notes judged, %llu groups proven",
		(unsigned long long)all.judged, (unsigned long long)all.proven);
}

void
log_close(struct wiring *w)
{
	if (w->engine.store) {
		logstore_destroy(w->engine.store);
	}
	if (w->config->fault_io_trace) {
		log_close_trace(w);
	}
	for (uint32_t s = 0; s < HANDOFF_SHARDS_MAX; s++) {
		if (w->shard_io[s]) {
			w->shard_io[s]->ops->destroy(w->shard_io[s]);
		}
	}
	if (w->keeper_io) {
		w->keeper_io->ops->destroy(w->keeper_io);
	}
}
