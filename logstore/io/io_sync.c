/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pwrite, pread and fdatasync inside submit, in the order queued; completions in the same order.
 * Memory is taken once at create. One thread for the hot half.
 */
#include "logstore/io/io_sync.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/ensure.h"
#include "logstore/io/io_host.h"

#define QUEUE_DEPTH 256 /* a power of two */
#define QUEUE_MASK  (QUEUE_DEPTH - 1)

enum request_op {
	REQUEST_WRITE,
	REQUEST_READ,
	REQUEST_FLUSH,
};

struct io_sync_request {
	enum request_op op;
	uint32_t slot;
	uint32_t len;
	uint32_t flags;
	void *buffer;
	uint64_t position;
	uint64_t token;
};

/* taken <= done <= queued: [taken, done) wait for reap, [done, queued) for submit. */
struct io_sync {
	struct io_host host; /* first */
	uint32_t slots_max;
	int *slots;
	uint32_t taken;
	uint32_t done;
	uint32_t queued;
	struct io_sync_request requests[QUEUE_DEPTH];
	struct io_completion completions[QUEUE_DEPTH];
};

static struct io_sync *
sync_of(struct io *io)
{
	return CONTAINER_OF(io, struct io_sync, host.io);
}

static int
io_sync_register_buffers(struct io *io, void *base, size_t len)
{
	return 0;
}

static int
io_sync_enable(struct io *io)
{
	return 0;
}

static int
io_sync_slot_set(struct io *io, uint32_t slot, int fd)
{
	struct io_sync *s = sync_of(io);

	if (slot >= s->slots_max) {
		return -EINVAL;
	}
	s->slots[slot] = fd;
	return 0;
}

static int
io_sync_queue(struct io_sync *s, const struct io_sync_request *request)
{
	ensure(request->slot < s->slots_max);
	if (s->queued - s->taken == QUEUE_DEPTH) {
		return -EBUSY;
	}
	s->requests[s->queued++ & QUEUE_MASK] = *request;
	return 0;
}

static int
io_sync_write(struct io *io, const struct io_write *write)
{
	return io_sync_queue(sync_of(io), &(struct io_sync_request){
		.op = REQUEST_WRITE,
		.slot = write->slot,
		.buffer = (void *)(uintptr_t)write->buffer,
		.position = write->position,
		.len = write->len,
		.flags = write->flags,
		.token = write->token,
	});
}

static int
io_sync_read(struct io *io, const struct io_read *read)
{
	return io_sync_queue(sync_of(io), &(struct io_sync_request){
		.op = REQUEST_READ,
		.slot = read->slot,
		.buffer = read->buffer,
		.position = read->position,
		.len = read->len,
		.token = read->token,
	});
}

static int
io_sync_flush(struct io *io, uint32_t slot, uint64_t token)
{
	return io_sync_queue(sync_of(io), &(struct io_sync_request){
		.op = REQUEST_FLUSH,
		.slot = slot,
		.token = token,
	});
}

/* One request. Short counts are reported as they are: the caller judges them, as with the ring. */
static int32_t
io_sync_execute(struct io_sync *s, const struct io_sync_request *request)
{
	struct iovec piece = {.iov_base = request->buffer, .iov_len = request->len};
	int fd = s->slots[request->slot];
	off_t position = (off_t)request->position;
	ssize_t n;

	do {
		switch (request->op) {
		case REQUEST_WRITE:
			n = pwritev2(fd, &piece, 1, position,
				request->flags & IO_WRITE_DSYNC ? RWF_DSYNC : 0);
			break;
		case REQUEST_READ:
			n = preadv(fd, &piece, 1, position);
			break;
		default:
			n = fdatasync(fd);
			break;
		}
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (int32_t)n;
}

static int
io_sync_submit(struct io *io)
{
	struct io_sync *s = sync_of(io);

	for (; s->done != s->queued; s->done++) {
		const struct io_sync_request *request = &s->requests[s->done & QUEUE_MASK];

		s->completions[s->done & QUEUE_MASK] = (struct io_completion){
			.token = request->token,
			.result = io_sync_execute(s, request),
		};
	}
	return 0;
}

static uint32_t
io_sync_reap(struct io *io, struct io_completion *ret, uint32_t max)
{
	struct io_sync *s = sync_of(io);
	uint32_t count = 0;

	while (count < max && s->taken != s->done) {
		ret[count++] = s->completions[s->taken++ & QUEUE_MASK];
	}
	return count;
}

static int
io_sync_wait_fd(struct io *io)
{
	return -1;
}

static void
io_sync_destroy(struct io *io)
{
	struct io_sync *s = sync_of(io);

	io_host_fini(&s->host);
	free(s->slots);
	free(s);
}

static const struct io_ops io_sync_ops = {
	.name = "sync",
	.register_buffers = io_sync_register_buffers,
	.enable = io_sync_enable,
	.slot_set = io_sync_slot_set,
	.write = io_sync_write,
	.read = io_sync_read,
	.flush = io_sync_flush,
	.submit = io_sync_submit,
	.reap = io_sync_reap,
	.wait_fd = io_sync_wait_fd,
	IO_HOST_OPS,
	.destroy = io_sync_destroy,
};

int
io_sync_create(const char *data_dir, uint32_t slots_max, struct io **ret_io)
{
	struct io_sync *s = calloc(1, sizeof(*s));
	uint32_t i;
	int rc;

	if (!s) {
		return -ENOMEM;
	}
	s->slots_max = slots_max;
	s->slots = calloc((size_t)slots_max + 1, sizeof(*s->slots));
	rc = s->slots ? io_host_init(&s->host, &io_sync_ops, data_dir) : -ENOMEM;
	if (rc < 0) {
		free(s->slots);
		free(s);
		return rc;
	}
	for (i = 0; i < slots_max; i++) {
		s->slots[i] = -1;
	}
	*ret_io = &s->host.io;
	return 0;
}
