/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fault decorator: hot requests get a token of our own, pass through the rules, and come back
 * with the caller's token when the inner io has done them and their delay is over. A failed request
 * never reaches the inner io. Housekeeping calls go straight through.
 *
 * An epoll descriptor joins the inner io's and a timer, so that the idle policy wakes for completions
 * that only wait for their delay.
 */
#include "logstore/io/io_fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/ensure.h"

#define REQUESTS_MAX 2048
#define REAP_BURST   64

enum request_state {
	REQUEST_FREE,
	REQUEST_INNER,	 /* at the inner io */
	REQUEST_DELAYED, /* result known, delay runs */
};

struct fault_request {
	enum request_state state;
	enum io_fault_op op; /* WRITE, FLUSH, READ */
	uint64_t token;	     /* the caller's */
	uint64_t position;
	void *buffer;
	uint32_t len;
	uint32_t slot;
	uint32_t flags; /* enum io_write_flag */
	int32_t result; /* once it is known */
	uint64_t due_ns;
};

struct io_fault {
	struct io io; /* first */
	struct io *inner;
	struct io_fault_options options;
	int poll_fd; /* -1: nothing to join */
	int timer_fd;
	bool timer_armed;
	uint32_t request_count; /* not free */
	struct fault_request requests[REQUESTS_MAX];
};

static struct io_fault *
fault_of(struct io *io)
{
	return CONTAINER_OF(io, struct io_fault, io);
}

/* --- requests -------------------------------------------------------------------------------- */

/* The rule that takes this request, or NULL. One-shot rules are spent. */
static bool
fault_fires(struct io_fault *f, enum io_fault_op op, struct io_fault_rule *ret_rule)
{
	uint32_t i;

	for (i = 0; i < f->options.rule_count; i++) {
		struct io_fault_rule *rule = &f->options.rules[i];

		if (rule->op != op) {
			continue;
		}
		if (rule->nth > 1) {
			rule->nth--;
			continue;
		}
		*ret_rule = *rule;
		if (!rule->sticky) {
			memmove(rule, rule + 1,
				(f->options.rule_count - i - 1) * sizeof(*rule));
			f->options.rule_count--;
		}
		return true;
	}
	return false;
}

static uint64_t
fault_delay(const struct io_fault *f, enum io_fault_op op, uint64_t now_ns)
{
	if (f->options.delays_end_ns > 0 && now_ns >= f->options.delays_end_ns) {
		return 0;
	}
	switch (op) {
	case IO_FAULT_WRITE:
		return f->options.write_delay_ns;
	case IO_FAULT_FLUSH:
		return f->options.flush_delay_ns;
	default:
		return f->options.read_delay_ns;
	}
}

static struct fault_request *
fault_take(struct io_fault *f, const struct fault_request *wanted)
{
	uint32_t i;

	for (i = 0; i < REQUESTS_MAX; i++) {
		if (f->requests[i].state == REQUEST_FREE) {
			f->requests[i] = *wanted;
			f->request_count++;
			return &f->requests[i];
		}
	}
	return NULL;
}

static void
fault_free(struct io_fault *f, struct fault_request *request)
{
	request->state = REQUEST_FREE;
	f->request_count--;
}

/* Wakes the poller when the earliest delayed completion is due; 0: not at all. */
static void
fault_arm_timer(struct io_fault *f, uint64_t delay_ns)
{
	struct itimerspec at = {
		.it_value = {
			.tv_sec = (time_t)(delay_ns / NS_PER_S),
			.tv_nsec = (long)(delay_ns % NS_PER_S),
		},
	};

	if (f->timer_fd >= 0) {
		(void)timerfd_settime(f->timer_fd, 0, &at, NULL);
		f->timer_armed = delay_ns > 0;
	}
}

static void
fault_done(struct io_fault *f, struct fault_request *request, int32_t result)
{
	uint64_t now_ns = clock_now_ns(f->options.clock);
	uint64_t delay = fault_delay(f, request->op, now_ns);

	request->state = REQUEST_DELAYED;
	request->result = result;
	request->due_ns = now_ns + delay;
	fault_arm_timer(f, delay > 0 ? delay : 1);
}

/* Passes the request on, or answers it by its rule. `len` may be shortened. */
static int
fault_pass(struct io_fault *f, struct fault_request *request, uint32_t len)
{
	const struct io_ops *ops = f->inner->ops;
	uint64_t token = (uint64_t)(request - f->requests);
	int rc;

	switch (request->op) {
	case IO_FAULT_WRITE:
		rc = ops->write(f->inner,
			&(struct io_write){.slot = request->slot, .buffer = request->buffer, .position = request->position,
				.len = len, .flags = request->flags, .token = token});
		break;
	case IO_FAULT_READ:
		rc = ops->read(f->inner,
			&(struct io_read){.slot = request->slot, .buffer = request->buffer, .position = request->position,
				.len = len, .token = token});
		break;
	default:
		rc = ops->flush(f->inner, request->slot, token);
		break;
	}
	if (rc < 0) {
		fault_free(f, request);
		return rc;
	}
	request->state = REQUEST_INNER;
	return 0;
}

static int
fault_queue(struct io *io, const struct fault_request *wanted)
{
	struct io_fault *f = fault_of(io);
	struct fault_request *request = fault_take(f, wanted);
	struct io_fault_rule rule;
	uint32_t len = wanted->len;

	if (!request) {
		return -EBUSY;
	}
	if (fault_fires(f, wanted->op, &rule)) {
		if (rule.kind == IO_FAULT_ERROR) {
			fault_done(f, request, -rule.error);
			return 0;
		}
		len = rule.bytes < len ? rule.bytes : len;
		if (len == 0) {
			fault_done(f, request, 0);
			return 0;
		}
	}
	return fault_pass(f, request, len);
}

static int
fault_write(struct io *io, const struct io_write *write)
{
	return fault_queue(io, &(struct fault_request){
		.op = IO_FAULT_WRITE,
		.slot = write->slot,
		.position = write->position,
		.len = write->len,
		.flags = write->flags,
		.token = write->token,
		.buffer = (void *)(uintptr_t)write->buffer,
	});
}

static int
fault_read(struct io *io, const struct io_read *read)
{
	return fault_queue(io, &(struct fault_request){
		.op = IO_FAULT_READ,
		.slot = read->slot,
		.position = read->position,
		.len = read->len,
		.token = read->token,
		.buffer = read->buffer,
	});
}

static int
fault_flush(struct io *io, uint32_t slot, uint64_t token)
{
	return fault_queue(io, &(struct fault_request){
		.op = IO_FAULT_FLUSH,
		.slot = slot,
		.token = token,
	});
}

static void
fault_collect(struct io_fault *f)
{
	struct io_completion done[REAP_BURST];
	uint32_t count;
	uint32_t i;

	do {
		count = f->inner->ops->reap(f->inner, done, REAP_BURST);
		for (i = 0; i < count; i++) {
			ensure(done[i].token < REQUESTS_MAX);
			fault_done(f, &f->requests[done[i].token], done[i].result);
		}
	} while (count == REAP_BURST);
}

static uint32_t
fault_reap(struct io *io, struct io_completion *ret, uint32_t max)
{
	struct io_fault *f = fault_of(io);
	uint64_t now = clock_now_ns(f->options.clock);
	uint64_t next = UINT64_MAX;
	uint32_t count = 0;
	uint32_t i;

	fault_collect(f);
	for (i = 0; f->request_count > 0 && i < REQUESTS_MAX; i++) {
		struct fault_request *request = &f->requests[i];

		if (request->state != REQUEST_DELAYED) {
			continue;
		}
		if (request->due_ns > now || count == max) {
			next = request->due_ns < next ? request->due_ns : next;
			continue;
		}
		ret[count++] = (struct io_completion){
			.token = request->token,
			.result = request->result,
		};
		fault_free(f, request);
	}
	if (next != UINT64_MAX) {
		fault_arm_timer(f, next > now ? next - now : 1);
	} else if (f->timer_armed) {
		fault_arm_timer(f, 0);
	}
	return count;
}

/* --- passing on ------------------------------------------------------------------------------ */

static int
fault_register_buffers(struct io *io, void *base, size_t len)
{
	return fault_of(io)->inner->ops->register_buffers(fault_of(io)->inner, base, len);
}

static int
fault_enable(struct io *io)
{
	return fault_of(io)->inner->ops->enable(fault_of(io)->inner);
}

static int
fault_slot_set(struct io *io, uint32_t slot, int fd)
{
	return fault_of(io)->inner->ops->slot_set(fault_of(io)->inner, slot, fd);
}

static int
fault_submit(struct io *io)
{
	return fault_of(io)->inner->ops->submit(fault_of(io)->inner);
}

static int
fault_wait_fd(struct io *io)
{
	return fault_of(io)->poll_fd;
}

static int
fault_open(struct io *io, const char *path, uint32_t flags)
{
	return fault_of(io)->inner->ops->open(fault_of(io)->inner, path, flags);
}

static void
fault_close(struct io *io, int fd)
{
	fault_of(io)->inner->ops->close(fault_of(io)->inner, fd);
}

static int
fault_pread(struct io *io, int fd, void *buffer, size_t len, uint64_t position)
{
	return fault_of(io)->inner->ops->pread(fault_of(io)->inner, fd, buffer, len, position);
}

static int
fault_pwrite(struct io *io, int fd, const void *buffer, size_t len, uint64_t position)
{
	return fault_of(io)->inner->ops->pwrite(fault_of(io)->inner, fd, buffer, len, position);
}

static int
fault_allocate(struct io *io, int fd, uint64_t len)
{
	return fault_of(io)->inner->ops->allocate(fault_of(io)->inner, fd, len);
}

static int
fault_zero(struct io *io, int fd, uint64_t position, uint64_t len)
{
	return fault_of(io)->inner->ops->zero(fault_of(io)->inner, fd, position, len);
}

static int
fault_truncate(struct io *io, int fd, uint64_t len)
{
	return fault_of(io)->inner->ops->truncate(fault_of(io)->inner, fd, len);
}

static int
fault_fsync(struct io *io, int fd)
{
	return fault_of(io)->inner->ops->fsync(fault_of(io)->inner, fd);
}

static int
fault_fdatasync(struct io *io, int fd)
{
	return fault_of(io)->inner->ops->fdatasync(fault_of(io)->inner, fd);
}

static int
fault_fsync_dir(struct io *io, const char *path)
{
	return fault_of(io)->inner->ops->fsync_dir(fault_of(io)->inner, path);
}

static int
fault_sync_fs(struct io *io)
{
	return fault_of(io)->inner->ops->sync_fs(fault_of(io)->inner);
}

static int
fault_make_dir(struct io *io, const char *path)
{
	return fault_of(io)->inner->ops->make_dir(fault_of(io)->inner, path);
}

static int
fault_remove_dir(struct io *io, const char *path)
{
	return fault_of(io)->inner->ops->remove_dir(fault_of(io)->inner, path);
}

static int
fault_rename(struct io *io, const char *from, const char *to)
{
	return fault_of(io)->inner->ops->rename(fault_of(io)->inner, from, to);
}

static int
fault_unlink(struct io *io, const char *path)
{
	return fault_of(io)->inner->ops->unlink(fault_of(io)->inner, path);
}

static int
fault_list(struct io *io, const char *path, io_list_fn fn, void *user_data)
{
	return fault_of(io)->inner->ops->list(fault_of(io)->inner, path, fn, user_data);
}

static int
fault_stat(struct io *io, const char *path, struct io_stat *ret_stat)
{
	return fault_of(io)->inner->ops->stat(fault_of(io)->inner, path, ret_stat);
}

static int
fault_space(struct io *io, struct io_space *ret_space)
{
	return fault_of(io)->inner->ops->space(fault_of(io)->inner, ret_space);
}

static int
fault_probe(struct io *io, struct io_probe *ret_probe)
{
	return fault_of(io)->inner->ops->probe(fault_of(io)->inner, ret_probe);
}

static int
fault_lock_holder(struct io *io, const char *path)
{
	return fault_of(io)->inner->ops->lock_holder(fault_of(io)->inner, path);
}

static void
fault_close_fds(struct io_fault *f)
{
	if (f->poll_fd >= 0) {
		close(f->poll_fd);
	}
	if (f->timer_fd >= 0) {
		close(f->timer_fd);
	}
}

static void
fault_destroy(struct io *io)
{
	struct io_fault *f = fault_of(io);

	f->inner->ops->destroy(f->inner);
	fault_close_fds(f);
	free(f);
}

static const struct io_ops fault_ops = {
	.name = "fault",
	.register_buffers = fault_register_buffers,
	.enable = fault_enable,
	.slot_set = fault_slot_set,
	.write = fault_write,
	.read = fault_read,
	.flush = fault_flush,
	.submit = fault_submit,
	.reap = fault_reap,
	.wait_fd = fault_wait_fd,
	.open = fault_open,
	.close = fault_close,
	.pread = fault_pread,
	.pwrite = fault_pwrite,
	.allocate = fault_allocate,
	.zero = fault_zero,
	.truncate = fault_truncate,
	.fsync = fault_fsync,
	.fdatasync = fault_fdatasync,
	.fsync_dir = fault_fsync_dir,
	.sync_fs = fault_sync_fs,
	.make_dir = fault_make_dir,
	.remove_dir = fault_remove_dir,
	.rename = fault_rename,
	.unlink = fault_unlink,
	.list = fault_list,
	.stat = fault_stat,
	.space = fault_space,
	.probe = fault_probe,
	.lock_holder = fault_lock_holder,
	.destroy = fault_destroy,
};

/* --- creation and use ------------------------------------------------------------------------ */

static bool
fault_rule_valid(const struct io_fault_rule *rule)
{
	bool kind = rule->kind == IO_FAULT_ERROR ? rule->error > 0 :
		rule->kind == IO_FAULT_SHORT && rule->op != IO_FAULT_FLUSH;

	return rule->op <= IO_FAULT_READ && rule->nth > 0 && kind;
}

static int
fault_join_fds(struct io_fault *f)
{
	struct epoll_event event = {.events = EPOLLIN};
	int inner = f->inner->ops->wait_fd(f->inner);

	f->poll_fd = -1;
	f->timer_fd = -1;
	if (inner < 0) {
		return 0;
	}
	f->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	f->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (f->poll_fd < 0 || f->timer_fd < 0 ||
		epoll_ctl(f->poll_fd, EPOLL_CTL_ADD, inner, &event) < 0 ||
		epoll_ctl(f->poll_fd, EPOLL_CTL_ADD, f->timer_fd, &event) < 0) {
		return -errno;
	}
	return 0;
}

int
io_fault_create(struct io *inner, const struct io_fault_options *options, struct io **ret_io)
{
	struct io_fault *f;
	uint32_t i;
	int rc;

	for (i = 0; i < options->rule_count; i++) {
		if (!fault_rule_valid(&options->rules[i])) {
			return -EINVAL;
		}
	}
	f = calloc(1, sizeof(*f));
	if (!f) {
		return -ENOMEM;
	}
	f->io.ops = &fault_ops;
	f->inner = inner;
	f->options = *options;
	rc = fault_join_fds(f);
	if (rc < 0) {
		fault_close_fds(f);
		free(f);
		return rc;
	}
	*ret_io = &f->io;
	return 0;
}
