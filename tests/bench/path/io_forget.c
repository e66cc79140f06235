/* SPDX-License-Identifier: Apache-2.0 */
/* io_forget.h. The housekeeping half is the real one of logstore/io without its waiting. */
#include "io_forget.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/compiler.h"
#include "logstore/io/io_host.h"

#define QUEUE_DEPTH 512 /* a power of two */

struct io_forget {
	struct io_host host; /* first */
	struct clock *clock;
	uint64_t latency_ns;
	uint32_t queued, submitted, taken;
	struct io_completion completions[QUEUE_DEPTH];
	uint64_t due_ns[QUEUE_DEPTH];
};

static struct io_forget *
forget_of(struct io *io)
{
	return CONTAINER_OF(io, struct io_forget, host.io);
}

static int
forget_queue(struct io *io, uint64_t token, int32_t result)
{
	struct io_forget *f = forget_of(io);

	if (f->queued - f->taken == QUEUE_DEPTH) {
		return -EBUSY;
	}
	f->completions[f->queued++ % QUEUE_DEPTH] =
		(struct io_completion){.token = token, .result = result};
	return 0;
}

static int
forget_register_buffers(struct io *io, void *base, size_t len)
{
	return 0;
}

static int
forget_enable(struct io *io)
{
	return 0;
}

static int
forget_slot_set(struct io *io, uint32_t slot, int fd)
{
	return 0;
}

static int
forget_write(struct io *io, const struct io_write *write)
{
	return forget_queue(io, write->token, (int32_t)write->len);
}

/* What was forgotten cannot be read: whoever asks learns it. */
static int
forget_read(struct io *io, const struct io_read *read)
{
	return forget_queue(io, read->token, -EIO);
}

static int
forget_flush(struct io *io, uint32_t slot, uint64_t token)
{
	return forget_queue(io, token, 0);
}

static int
forget_submit(struct io *io)
{
	struct io_forget *f = forget_of(io);

	if (f->submitted != f->queued) {
		uint64_t due_ns = clock_now_ns(f->clock) + f->latency_ns;

		while (f->submitted != f->queued) {
			f->due_ns[f->submitted++ % QUEUE_DEPTH] = due_ns;
		}
	}
	return 0;
}

static uint32_t
forget_reap(struct io *io, struct io_completion *ret, uint32_t max)
{
	struct io_forget *f = forget_of(io);
	uint64_t now_ns = f->taken != f->submitted ? clock_now_ns(f->clock) : 0;
	uint32_t n = 0;

	while (n < max && f->taken != f->submitted && f->due_ns[f->taken % QUEUE_DEPTH] <= now_ns) {
		ret[n++] = f->completions[f->taken++ % QUEUE_DEPTH];
	}
	return n;
}

static int
forget_wait_fd(struct io *io)
{
	return -1;
}

/* Sparse: reads as zeros, takes no room. */
static int
forget_allocate(struct io *io, int fd, uint64_t len)
{
	return ftruncate(fd, (off_t)len) < 0 ? -errno : 0;
}

static int
forget_zero(struct io *io, int fd, uint64_t position, uint64_t len)
{
	return 0;
}

static int
forget_fsync(struct io *io, int fd)
{
	return 0;
}

static int
forget_fsync_dir(struct io *io, const char *path)
{
	return 0;
}

static int
forget_sync_fs(struct io *io)
{
	return 0;
}

static int
forget_probe(struct io *io, struct io_probe *ret)
{
	*ret = (struct io_probe){.block_bytes = 4096, .flush_covers_device = true,
		.fs_type = "forget", .device = "none"};
	return 0;
}

static void
forget_destroy(struct io *io)
{
	struct io_forget *f = forget_of(io);

	io_host_fini(&f->host);
	free(f);
}

static const struct io_ops forget_ops = {
	.name = "forget",
	.register_buffers = forget_register_buffers,
	.enable = forget_enable,
	.slot_set = forget_slot_set,
	.write = forget_write,
	.read = forget_read,
	.flush = forget_flush,
	.submit = forget_submit,
	.reap = forget_reap,
	.wait_fd = forget_wait_fd,
	.open = io_host_open,
	.close = io_host_close,
	.pread = io_host_pread,
	.pwrite = io_host_pwrite,
	.allocate = forget_allocate,
	.zero = forget_zero,
	.truncate = io_host_truncate,
	.fsync = forget_fsync,
	.fdatasync = forget_fsync,
	.fsync_dir = forget_fsync_dir,
	.sync_fs = forget_sync_fs,
	.make_dir = io_host_make_dir,
	.remove_dir = io_host_remove_dir,
	.rename = io_host_rename,
	.unlink = io_host_unlink,
	.list = io_host_list,
	.stat = io_host_stat,
	.space = io_host_space,
	.probe = forget_probe,
	.lock_holder = io_host_lock_holder,
	.destroy = forget_destroy,
};

int
io_forget_create(const char *data_dir, uint64_t latency_ns, struct io **ret_io)
{
	struct io_forget *f = calloc(1, sizeof(*f));
	int rc = f ? io_host_init(&f->host, &forget_ops, data_dir) : -ENOMEM;

	if (rc < 0) {
		free(f);
		return rc;
	}
	f->clock = clock_system();
	f->latency_ns = latency_ns;
	*ret_io = &f->host.io;
	return 0;
}
