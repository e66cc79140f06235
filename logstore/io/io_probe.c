/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the durable method and the flush scope are chosen from: block size, write cache and FUA of
 * the device and its members, file system, whether one fdatasync of a clean file reaches the device
 * as one flush, and what durable writes cost. Blocking, at start, on a scratch file; each timing
 * stops after a budget, so that a slow device does not delay the start by more than about 150 ms.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "logstore/io/io_host.h"

#define PROBE_FILE	   "penstock-probe.tmp"
#define PROBE_BLOCK_MIN	   4096
#define PROBE_WRITES	   16
#define PROBE_FILE_BYTES   (PROBE_WRITES * PROBE_BLOCK_MIN)
#define PROBE_RUNS_MAX	   64
#define PROBE_RUNS_MIN	   1
#define PROBE_BUDGET_NS	   (25 * NS_PER_MS)
#define PROBE_FLUSHES	   16
#define PROBE_DIR_MAX	   64 /* "/sys/dev/block/<major>:<minor>/.." */
#define STAT_FLUSH_FIELD   16 /* of /sys/dev/block/<dev>/stat, from 1 */

struct probe_run {
	struct io *io;
	int fd;
	void *buffer;
	struct io_uring ring;
	bool has_ring;
	bool no_room; /* the scratch file is empty: nothing can be timed */
};

/* --- sysfs ----------------------------------------------------------------------------------- */

/* First line of a small file, without the newline. False: not there. */
static bool
probe_read_line(const char *path, char *line, size_t room)
{
	FILE *file = fopen(path, "re");
	bool ok = file && fgets(line, (int)room, file);

	if (ok) {
		line[strcspn(line, "\n")] = '\0';
	}
	if (file) {
		fclose(file);
	}
	return ok;
}

/* The sysfs folder of the whole disk of dev: partitions have their queue and flushes in the parent. */
static bool
probe_disk_dir(dev_t dev, char *dir, size_t room)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/queue", major(dev), minor(dev));
	if (access(path, F_OK) == 0) {
		snprintf(dir, room, "/sys/dev/block/%u:%u", major(dev), minor(dev));
		return true;
	}
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../queue", major(dev), minor(dev));
	snprintf(dir, room, "/sys/dev/block/%u:%u/..", major(dev), minor(dev));
	return access(path, F_OK) == 0;
}

static void
probe_queue(const char *dir, struct io_probe *probe)
{
	char path[PATH_MAX];
	char line[64];

	snprintf(path, sizeof(path), "%s/queue/write_cache", dir);
	if (!probe_read_line(path, line, sizeof(line)) || strcmp(line, "write through") != 0) {
		probe->write_cache = true;
	}
	snprintf(path, sizeof(path), "%s/queue/fua", dir);
	if (!probe_read_line(path, line, sizeof(line)) || strcmp(line, "1") != 0) {
		probe->fua = false;
	}
	snprintf(path, sizeof(path), "%s/queue/physical_block_size", dir);
	if (probe_read_line(path, line, sizeof(line))) {
		uint32_t physical = (uint32_t)strtoul(line, NULL, 10);

		probe->block_bytes = physical > probe->block_bytes ? physical : probe->block_bytes;
	}
}

/* Members of md and dm: one volatile cache below makes the whole volatile. */
static void
probe_members(const char *dir, struct io_probe *probe)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *slaves;

	snprintf(path, sizeof(path), "%s/slaves", dir);
	slaves = opendir(path);
	while (slaves && (entry = readdir(slaves))) {
		char line[32];
		unsigned int maj;
		unsigned int min;
		char member[PROBE_DIR_MAX];

		if (entry->d_name[0] == '.') {
			continue;
		}
		snprintf(path, sizeof(path), "%s/slaves/%s/dev", dir, entry->d_name);
		if (probe_read_line(path, line, sizeof(line)) &&
			sscanf(line, "%u:%u", &maj, &min) == 2 &&
			probe_disk_dir(makedev(maj, min), member, sizeof(member))) {
			probe_queue(member, probe);
		}
	}
	if (slaves) {
		closedir(slaves);
	}
}

static bool
probe_flush_count(const char *dir, uint64_t *ret_count)
{
	char path[PATH_MAX];
	char line[512];
	char *at = line;
	uint32_t field;

	snprintf(path, sizeof(path), "%s/stat", dir);
	if (!probe_read_line(path, line, sizeof(line))) {
		return false;
	}
	for (field = 1; field <= STAT_FLUSH_FIELD; field++) {
		char *end;

		*ret_count = strtoull(at, &end, 10);
		if (end == at) {
			return false;
		}
		at = end;
	}
	return true;
}

/* --- file system ----------------------------------------------------------------------------- */

/* One line of mountinfo: `id parent maj:min root point options [fields] - type source superoptions`. */
static bool
probe_mount_line(char *line, uint64_t mount_id, struct io_probe *probe, bool *ret_plain)
{
	char *separator = strstr(line, " - ");
	char source[64] = "";
	char options[1024] = "";

	if (strtoull(line, NULL, 10) != mount_id || !separator) {
		return false;
	}
	if (sscanf(separator + 3, "%31s %63s %1023s", probe->fs_type, source, options) < 2) {
		return false;
	}
	snprintf(probe->device, sizeof(probe->device), "%s", source);
	*ret_plain = (strcmp(probe->fs_type, "ext4") == 0 || strcmp(probe->fs_type, "xfs") == 0) &&
		!strstr(options, "nobarrier") && !strstr(options, "barrier=0") &&
		!strstr(options, "logdev=") && !strstr(options, "journal_dev=") &&
		!strstr(options, "journal_path=");
	return true;
}

static void
probe_mount(int fd, struct io_probe *probe, bool *ret_plain)
{
	FILE *file;
	struct statx stx;
	char line[4096];

	*ret_plain = false;
	snprintf(probe->fs_type, sizeof(probe->fs_type), "unknown");
	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0 || !(stx.stx_mask & STATX_MNT_ID)) {
		return;
	}
	file = fopen("/proc/self/mountinfo", "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (probe_mount_line(line, stx.stx_mnt_id, probe, ret_plain)) {
			break;
		}
	}
	if (file) {
		fclose(file);
	}
}

/* ext4 shows its journal's thread in sysfs, by the name of the (whole or part) device. */
static bool
probe_has_no_journal(dev_t dev, const struct io_probe *probe)
{
	char path[PATH_MAX];
	char target[PATH_MAX];
	char line[64];

	if (strcmp(probe->fs_type, "ext4") != 0) {
		return false;
	}
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n <= 0) {
		return false;
	}
	target[n] = '\0';
	const char *name = strrchr(target, '/');

	n = snprintf(path, sizeof(path), "/sys/fs/ext4/%s/journal_task", name ? name + 1 : target);
	return n < (ssize_t)sizeof(path) && probe_read_line(path, line, sizeof(line)) &&
	       strcmp(line, "<none>") == 0;
}

/* -EOPNOTSUPP: direct I/O would need coarser blocks than ours. */
static int
probe_alignment(int fd, const struct io_probe *probe)
{
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
		(stx.stx_mask & STATX_DIOALIGN) && stx.stx_dio_offset_align > probe->block_bytes) {
		return -EOPNOTSUPP;
	}
#endif
	return 0;
}

/* --- timings --------------------------------------------------------------------------------- */

typedef int (*probe_step_fn)(struct probe_run *run);

static int
probe_write(struct probe_run *run, uint32_t index, int flags)
{
	struct iovec piece = {.iov_base = run->buffer, .iov_len = PROBE_BLOCK_MIN};
	ssize_t n = pwritev2(run->fd, &piece, 1, (off_t)index * PROBE_BLOCK_MIN, flags);

	if (n < 0) {
		return -errno;
	}
	return n == PROBE_BLOCK_MIN ? 0 : -EIO;
}

static int
probe_dsync_write(struct probe_run *run)
{
	return probe_write(run, 0, RWF_DSYNC);
}

static int
probe_write_flush(struct probe_run *run)
{
	int rc = probe_write(run, 0, 0);

	return rc < 0 ? rc : io_host_fdatasync(run->io, run->fd);
}

/* 16 writes: in parallel through a ring, or one by one as the sync backend does them. */
static int
probe_write_16(struct probe_run *run, int flags)
{
	struct io_uring_cqe *cqe;
	uint32_t i;
	int rc = 0;

	for (i = 0; rc == 0 && !run->has_ring && i < PROBE_WRITES; i++) {
		rc = probe_write(run, i, flags);
	}
	if (!run->has_ring) {
		return rc;
	}
	for (i = 0; i < PROBE_WRITES; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&run->ring);

		io_uring_prep_write(sqe, run->fd, run->buffer, PROBE_BLOCK_MIN,
			(uint64_t)i * PROBE_BLOCK_MIN);
		sqe->rw_flags = flags;
	}
	rc = io_uring_submit_and_wait(&run->ring, PROBE_WRITES);
	for (i = 0; rc >= 0 && i < PROBE_WRITES; i++) {
		rc = io_uring_wait_cqe(&run->ring, &cqe);
		if (rc == 0) {
			rc = cqe->res == PROBE_BLOCK_MIN ? 0 : -EIO;
			io_uring_cqe_seen(&run->ring, cqe);
		}
	}
	return rc < 0 ? rc : 0;
}

static int
probe_write_16_flush(struct probe_run *run)
{
	int rc = probe_write_16(run, 0);

	return rc < 0 ? rc : io_host_fdatasync(run->io, run->fd);
}

static int
probe_dsync_16(struct probe_run *run)
{
	return probe_write_16(run, RWF_DSYNC);
}

static int
probe_compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Median of up to PROBE_RUNS_MAX runs, fewer when the budget is spent. */
static int
probe_time(struct probe_run *run, probe_step_fn step, uint64_t *ret_median_ns)
{
	struct clock *clock = clock_system();
	uint64_t begin = clock_now_ns(clock);
	uint64_t last = begin;
	uint64_t samples[PROBE_RUNS_MAX];
	uint32_t count = 0;

	while (count < PROBE_RUNS_MAX &&
		(count < PROBE_RUNS_MIN || last - begin < PROBE_BUDGET_NS)) {
		uint64_t now;
		int rc = step(run);

		if (rc < 0) {
			return rc;
		}
		now = clock_now_ns(clock);
		samples[count++] = now - last;
		last = now;
	}
	qsort(samples, count, sizeof(samples[0]), probe_compare_u64);
	*ret_median_ns = samples[count / 2];
	return 0;
}

/* True if each fdatasync of the clean scratch file is a flush that the device counts. */
static bool
probe_flush_reaches(struct probe_run *run, const char *dir)
{
	uint64_t before;
	uint64_t after;
	uint32_t i;

	if (io_host_fsync(run->io, run->fd) < 0 || !probe_flush_count(dir, &before)) {
		return false;
	}
	for (i = 0; i < PROBE_FLUSHES; i++) {
		if (io_host_fdatasync(run->io, run->fd) < 0 || !probe_flush_count(dir, &after) ||
			after <= before) {
			return false;
		}
		before = after;
	}
	return true;
}

/* --- the probe ------------------------------------------------------------------------------- */

static int
probe_timings(struct probe_run *run, struct io_probe *probe)
{
	int rc = probe_time(run, probe_dsync_write, &probe->dsync_write_ns);

	if (rc == 0) {
		rc = probe_time(run, probe_write_flush, &probe->write_flush_ns);
	}
	if (rc == 0) {
		rc = probe_time(run, probe_dsync_16, &probe->dsync_16_ns);
	}
	if (rc == 0) {
		rc = probe_time(run, probe_write_16_flush, &probe->write_16_flush_ns);
	}
	return rc;
}

static int
probe_device(struct probe_run *run, struct io_probe *probe)
{
	char dir[PROBE_DIR_MAX];
	struct stat st;
	bool plain;
	int rc;

	probe->block_bytes = PROBE_BLOCK_MIN;
	if (fstat(run->fd, &st) < 0) {
		return -errno;
	}
	probe_mount(run->fd, probe, &plain);
	probe->no_journal = probe_has_no_journal(st.st_dev, probe);
	if (probe_disk_dir(st.st_dev, dir, sizeof(dir))) {
		probe->fua = true;
		probe_queue(dir, probe);
		probe_members(dir, probe);
		probe->flush_covers_device = plain && probe_flush_reaches(run, dir);
	} else {
		/* No device of its own (tmpfs, btrfs, overlay, network): assume the worst. */
		probe->write_cache = true;
	}
	rc = probe_alignment(run->fd, probe);
	if (rc < 0) {
		return rc;
	}
	run->has_ring = io_uring_queue_init(PROBE_WRITES, &run->ring, 0) == 0;
	rc = run->no_room ? 0 : probe_timings(run, probe);
	if (run->has_ring) {
		io_uring_queue_exit(&run->ring);
	}
	return rc;
}

static int
probe_prepare(struct probe_run *run)
{
	int rc;

	rc = io_host_unlink(run->io, PROBE_FILE);
	if (rc < 0 && rc != -ENOENT) {
		return rc;
	}
	run->fd = io_host_open(run->io, PROBE_FILE, IO_OPEN_CREATE | IO_OPEN_DIRECT);
	if (run->fd < 0) {
		return run->fd;
	}
	rc = io_host_allocate(run->io, run->fd, PROBE_FILE_BYTES);
	if (rc == 0) {
		rc = io_host_zero(run->io, run->fd, 0, PROBE_FILE_BYTES);
	}
	/* A start at 0 bytes free must work; without timings the method is the safe one, flush. */
	run->no_room = rc == -ENOSPC || rc == -EDQUOT;
	if (run->no_room) {
		rc = io_host_truncate(run->io, run->fd, 0);
	}
	return rc < 0 ? rc : io_host_fsync(run->io, run->fd);
}

int
io_probe_run(struct io *io, struct io_probe *ret_probe)
{
	struct probe_run run = {.io = io, .fd = -1};
	struct io_probe probe = {0};
	int rc;

	run.buffer = aligned_alloc(PROBE_BLOCK_MIN, PROBE_BLOCK_MIN);
	if (!run.buffer) {
		return -ENOMEM;
	}
	memset(run.buffer, 0x5a, PROBE_BLOCK_MIN);
	rc = probe_prepare(&run);
	if (rc == 0) {
		rc = probe_device(&run, &probe);
	}
	if (run.fd >= 0) {
		close(run.fd);
		(void)io_host_unlink(io, PROBE_FILE);
	}
	free(run.buffer);
	if (rc == 0) {
		*ret_probe = probe;
	}
	return rc;
}
