/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ring per log lcore. Created disabled by main, enabled by the pinned log lcore, which thereby
 * becomes the single issuer: after that every call of the hot half and every registration must come
 * from it. Completions are run only when that thread asks (DEFER_TASKRUN), so no signal or worker
 * interrupts it; flushes run in io-wq, bound to housekeeping CPUs.
 *
 * Invariants: in_flight + queued never exceeds the completion queue, so it cannot overflow. Every SQE
 * names a registered file and a buffer of the pool; restrictions make the kernel refuse anything else.
 * The pool is registered unless RLIMIT_MEMLOCK forbids: then the kernel pins the pages of each request,
 * which costs time and nothing else.
 */
#include "logstore/io/io_uring.h"

#include <errno.h>
#include <liburing.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/clock.h"
#include "base/ensure.h"
#include "base/log.h"
#include "logstore/io/io_host.h"

#define QUEUE_DEPTH_DEFAULT 256
#define CQ_FACTOR	    4
#define BUFFER_PIECE_BYTES  (1ull << 30) /* the kernel's limit of one registered buffer */
#define BUFFER_PIECES_MAX   1024
#define SETUP_TRIES	    6 /* the first, then 5 after ENOMEM */
#define SETUP_RETRY_NS	    (500 * NS_PER_MS)
#define REAP_BURST	    64
#define DRAIN_EVERY	    256

struct io_uring_backend {
	struct io_host host; /* first */
	struct io_uring ring;
	uint32_t slots_max;
	uint32_t cq_entries;
	uint32_t in_flight; /* queued or submitted, not reaped */
	uint8_t *buffers;
	size_t buffers_len;
	bool pin_each; /* the pool could not be registered */
	int event_fd;
	bool events_wanted; /* somebody asked for wait_fd */
	uint32_t empty_reaps;
	cpu_set_t worker_cpus;
	bool has_worker_cpus;
};

static struct io_uring_backend *
uring_of(struct io *io)
{
	return CONTAINER_OF(io, struct io_uring_backend, host.io);
}

/* --- hot half -------------------------------------------------------------------------------- */

static int
io_uring_backend_register_buffers(struct io *io, void *base, size_t len)
{
	struct io_uring_backend *u = uring_of(io);
	struct iovec pieces[BUFFER_PIECES_MAX];
	struct rlimit limit;
	unsigned int count = 0;
	size_t at;
	int rc;

	ensure(!u->buffers);
	if ((len - 1) / BUFFER_PIECE_BYTES >= BUFFER_PIECES_MAX) {
		return -E2BIG;
	}
	for (at = 0; at < len; at += BUFFER_PIECE_BYTES) {
		size_t piece = len - at < BUFFER_PIECE_BYTES ? len - at : BUFFER_PIECE_BYTES;

		pieces[count++] = (struct iovec){.iov_base = (uint8_t *)base + at, .iov_len = piece};
	}
	rc = io_uring_register_buffers(&u->ring, pieces, count);
	if (rc == -ENOMEM && getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
		log_warning("io", "msg=\"buffers not registered: pages are pinned for each request\" bytes=%zu "
			"memlock_bytes=%llu fix=\"LimitMEMLOCK=infinity, or ulimit -l unlimited\"", len,
			(unsigned long long)limit.rlim_cur);
		u->pin_each = true;
		rc = 0;
	}
	if (rc < 0) {
		return rc;
	}
	u->buffers = base;
	u->buffers_len = len;
	return 0;
}

/* The ring now belongs to the calling thread; its io-wq does too, so limits are set here. */
static int
io_uring_backend_enable(struct io *io)
{
	struct io_uring_backend *u = uring_of(io);
	unsigned int workers[2] = {2, 2};
	int rc;

	/* liburing 2.3 declares io_uring_enable_rings but does not export it. */
	rc = io_uring_register((unsigned int)u->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
	if (rc < 0) {
		return rc;
	}
	rc = io_uring_register_ring_fd(&u->ring);
	if (rc < 0) {
		return rc;
	}
	if (u->has_worker_cpus) {
		rc = io_uring_register_iowq_aff(&u->ring, sizeof(u->worker_cpus), &u->worker_cpus);
		if (rc < 0) {
			return rc;
		}
	}
	rc = io_uring_register_iowq_max_workers(&u->ring, workers);
	return rc < 0 ? rc : 0;
}

static int
io_uring_backend_slot_set(struct io *io, uint32_t slot, int fd)
{
	struct io_uring_backend *u = uring_of(io);
	int rc;

	if (slot >= u->slots_max) {
		return -EINVAL;
	}
	rc = io_uring_register_files_update(&u->ring, slot, &fd, 1);
	return rc < 0 ? rc : 0;
}

/* An SQE and its place in the completion queue, or NULL. */
static struct io_uring_sqe *
uring_sqe(struct io_uring_backend *u, uint32_t slot)
{
	struct io_uring_sqe *sqe;

	ensure(slot < u->slots_max);
	if (unlikely(u->in_flight == u->cq_entries)) {
		return NULL;
	}
	sqe = io_uring_get_sqe(&u->ring);
	if (unlikely(!sqe)) {
		return NULL;
	}
	u->in_flight++;
	return sqe;
}

/* Index of the registered piece that holds the whole buffer. */
static int
uring_piece(const struct io_uring_backend *u, const void *buffer, uint32_t len)
{
	size_t at = (size_t)((const uint8_t *)buffer - u->buffers);

	ensure((const uint8_t *)buffer >= u->buffers);
	ensure(at + len <= u->buffers_len);
	ensure(at / BUFFER_PIECE_BYTES == (at + len - 1) / BUFFER_PIECE_BYTES);
	return (int)(at / BUFFER_PIECE_BYTES);
}

static int
io_uring_backend_write(struct io *io, const struct io_write *write)
{
	struct io_uring_backend *u = uring_of(io);
	int piece = uring_piece(u, write->buffer, write->len);
	struct io_uring_sqe *sqe = uring_sqe(u, write->slot);

	if (!sqe) {
		return -EBUSY;
	}
	if (u->pin_each) {
		io_uring_prep_write(sqe, (int)write->slot, write->buffer, write->len, write->position);
	} else {
		io_uring_prep_write_fixed(sqe, (int)write->slot, write->buffer, write->len,
			write->position, piece);
	}
	sqe->rw_flags = write->flags & IO_WRITE_DSYNC ? RWF_DSYNC : 0;
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, write->token);
	return 0;
}

static int
io_uring_backend_read(struct io *io, const struct io_read *read)
{
	struct io_uring_backend *u = uring_of(io);
	int piece = uring_piece(u, read->buffer, read->len);
	struct io_uring_sqe *sqe = uring_sqe(u, read->slot);

	if (!sqe) {
		return -EBUSY;
	}
	if (u->pin_each) {
		io_uring_prep_read(sqe, (int)read->slot, read->buffer, read->len, read->position);
	} else {
		io_uring_prep_read_fixed(sqe, (int)read->slot, read->buffer, read->len,
			read->position, piece);
	}
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, read->token);
	return 0;
}

static int
io_uring_backend_flush(struct io *io, uint32_t slot, uint64_t token)
{
	struct io_uring_sqe *sqe = uring_sqe(uring_of(io), slot);

	if (!sqe) {
		return -EBUSY;
	}
	io_uring_prep_fsync(sqe, (int)slot, IORING_FSYNC_DATASYNC);
	sqe->flags |= IOSQE_FIXED_FILE;
	io_uring_sqe_set_data64(sqe, token);
	return 0;
}

static int
io_uring_backend_submit(struct io *io)
{
	struct io_uring_backend *u = uring_of(io);
	int rc;

	if (io_uring_sq_ready(&u->ring) == 0) {
		return 0;
	}
	rc = io_uring_submit_and_get_events(&u->ring);
	/* What was not taken stays queued and goes with the next turn's call. */
	return rc == -EINTR || rc == -EAGAIN || rc == -EBUSY || rc >= 0 ? 0 : rc;
}

/* True if a peek will find something, here or in the kernel. Shared memory only. */
static bool
uring_has_work(const struct io_uring_backend *u)
{
	return io_uring_cq_ready(&u->ring) > 0 ||
		(__atomic_load_n(u->ring.sq.kflags, __ATOMIC_RELAXED) &
			(IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW));
}

/*
 * After a reap that found something (running the kernel's work signals again), and now and then after
 * one that did not (a signal may come late). What arrived in between is signalled anew.
 */
static void
uring_drain_event(struct io_uring_backend *u, uint32_t reaped)
{
	uint64_t count = 1;

	if (!u->events_wanted || (reaped == 0 && ++u->empty_reaps % DRAIN_EVERY != 0)) {
		return;
	}
	(void)!read(u->event_fd, &count, sizeof(count));
	if (uring_has_work(u)) {
		count = 1;
		(void)!write(u->event_fd, &count, sizeof(count));
	}
}

static uint32_t
io_uring_backend_reap(struct io *io, struct io_completion *ret, uint32_t max)
{
	struct io_uring_backend *u = uring_of(io);
	struct io_uring_cqe *cqes[REAP_BURST];
	uint32_t count = 0;
	uint32_t got;
	uint32_t i;

	/* Peeking enters the kernel only when the TASKRUN flag says that completions wait there. */
	do {
		uint32_t want = max - count < REAP_BURST ? max - count : REAP_BURST;

		got = io_uring_peek_batch_cqe(&u->ring, cqes, want);
		for (i = 0; i < got; i++) {
			ret[count++] = (struct io_completion){
				.token = cqes[i]->user_data,
				.result = cqes[i]->res,
			};
		}
		io_uring_cq_advance(&u->ring, got);
		ensure(got <= u->in_flight);
		u->in_flight -= got;
	} while (got == REAP_BURST && count < max);
	uring_drain_event(u, count);
	return count;
}

/*
 * An eventfd: with DEFER_TASKRUN the kernel does not wake pollers of the ring itself while work waits
 * for its issuer. Signals are off until somebody asks for the descriptor.
 */
static int
io_uring_backend_wait_fd(struct io *io)
{
	struct io_uring_backend *u = uring_of(io);
	uint64_t one = 1;

	if (!u->events_wanted) {
		u->events_wanted = true;
		(void)io_uring_cq_eventfd_toggle(&u->ring, true);
		/* Signals may have been missed so far: one idle turn too many is harmless. */
		if (uring_has_work(u)) {
			(void)!write(u->event_fd, &one, sizeof(one));
		}
	}
	return u->event_fd;
}

static void
io_uring_backend_destroy(struct io *io)
{
	struct io_uring_backend *u = uring_of(io);

	io_uring_queue_exit(&u->ring);
	close(u->event_fd);
	io_host_fini(&u->host);
	free(u);
}

static const struct io_ops io_uring_backend_ops = {
	.name = "uring",
	.register_buffers = io_uring_backend_register_buffers,
	.enable = io_uring_backend_enable,
	.slot_set = io_uring_backend_slot_set,
	.write = io_uring_backend_write,
	.read = io_uring_backend_read,
	.flush = io_uring_backend_flush,
	.submit = io_uring_backend_submit,
	.reap = io_uring_backend_reap,
	.wait_fd = io_uring_backend_wait_fd,
	IO_HOST_OPS,
	.destroy = io_uring_backend_destroy,
};

/* --- set-up ---------------------------------------------------------------------------------- */

static const uint8_t allowed_sqes[] = {
	IORING_OP_WRITE_FIXED,
	IORING_OP_READ_FIXED,
	IORING_OP_WRITE,
	IORING_OP_READ,
	IORING_OP_FSYNC,
	IORING_OP_NOP,
	IORING_OP_ASYNC_CANCEL,
};

static const uint8_t allowed_registers[] = {
	IORING_REGISTER_BUFFERS,
	IORING_REGISTER_FILES_UPDATE,
	IORING_REGISTER_RING_FDS,
	IORING_UNREGISTER_RING_FDS,
	IORING_REGISTER_IOWQ_AFF,
	IORING_REGISTER_IOWQ_MAX_WORKERS,
};

/* In force from enable on: nothing but fixed-file I/O, should anybody ever get at the ring. */
static int
uring_restrict(struct io_uring_backend *u)
{
	struct io_uring_restriction
		rules[ARRAY_COUNT(allowed_sqes) + ARRAY_COUNT(allowed_registers) + 1] = {0};
	unsigned int count = 0;
	size_t i;

	for (i = 0; i < ARRAY_COUNT(allowed_sqes); i++) {
		rules[count].opcode = IORING_RESTRICTION_SQE_OP;
		rules[count++].sqe_op = allowed_sqes[i];
	}
	for (i = 0; i < ARRAY_COUNT(allowed_registers); i++) {
		rules[count].opcode = IORING_RESTRICTION_REGISTER_OP;
		rules[count++].register_op = allowed_registers[i];
	}
	rules[count].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
	rules[count++].sqe_flags = IOSQE_FIXED_FILE;
	return io_uring_register((unsigned int)u->ring.ring_fd, IORING_REGISTER_RESTRICTIONS, rules,
		count);
}

/* What the ring's own memory charges to RLIMIT_MEMLOCK, at least: SQE, its index, CQEs. */
static uint64_t
uring_ring_bytes(uint32_t depth)
{
	return (uint64_t)depth * (sizeof(struct io_uring_sqe) + sizeof(uint32_t) +
		CQ_FACTOR * sizeof(struct io_uring_cqe));
}

/* ENOMEM may pass only where the limit has room at all. */
static bool
uring_may_fit(uint32_t depth)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur >= uring_ring_bytes(depth);
}

static int
uring_setup_ring(struct io_uring_backend *u, uint32_t depth)
{
	struct io_uring_params params;
	uint32_t tries;
	int rc = 0;

	for (tries = 0; tries < SETUP_TRIES; tries++) {
		if (tries > 0) {
			clock_sleep_ns(clock_system(), SETUP_RETRY_NS);
		}
		params = (struct io_uring_params){
			.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
				IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED |
				IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP |
				IORING_SETUP_CQSIZE,
			.cq_entries = depth * CQ_FACTOR,
		};
		rc = io_uring_queue_init_params(depth, &u->ring, &params);
		if (rc != -ENOMEM || !uring_may_fit(depth)) {
			break;
		}
	}
	u->cq_entries = params.cq_entries;
	return rc;
}

static void
uring_choose_workers(struct io_uring_backend *u, const struct io_uring_options *options)
{
	uint32_t i;

	CPU_ZERO(&u->worker_cpus);
	for (i = 0; options->housekeeping_cpus && i < options->housekeeping_cpu_count; i++) {
		CPU_SET(options->housekeeping_cpus[i], &u->worker_cpus);
		u->has_worker_cpus = true;
	}
}

/* kernel.io_uring_disabled: 0 open, 1 privileged only, 2 off, -1 no such file. */
static int
uring_disabled(void)
{
	FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
	int value = -1;

	if (file) {
		if (fscanf(file, "%d", &value) != 1) {
			value = -1;
		}
		fclose(file);
	}
	return value;
}

/* EPERM: the sysctl says so itself, everything else is a filter. */
static void
uring_explain_refused(struct io_uring_cause *ret_cause, char *ret_why, size_t why_bytes)
{
	int disabled = uring_disabled();

	if (disabled > 0) {
		snprintf(ret_why, why_bytes, "kernel.io_uring_disabled is %d", disabled);
		snprintf(ret_cause->fix, sizeof(ret_cause->fix), "sudo sysctl kernel.io_uring_disabled=0");
	} else {
		snprintf(ret_why, why_bytes, "a seccomp filter refuses it (a container, or a service's SystemCallFilter)");
		snprintf(ret_cause->fix, sizeof(ret_cause->fix), "allow io_uring_setup, io_uring_enter and "
			"io_uring_register in the filter: SystemCallFilter=, or docker run --security-opt seccomp=");
	}
}

static void
uring_explain(int rc, const char *step, uint32_t depth, struct io_uring_cause *ret_cause)
{
	char why[160] = "";
	struct rlimit memlock = {0};
	struct rlimit files = {0};
	const char *fix = "";

	getrlimit(RLIMIT_MEMLOCK, &memlock);
	getrlimit(RLIMIT_NOFILE, &files);
	switch (-rc) {
	case EPERM:
	case EACCES:
		uring_explain_refused(ret_cause, why, sizeof(why));
		fix = ret_cause->fix;
		break;
	case ENOSYS:
		snprintf(why, sizeof(why), "this kernel has no io_uring");
		fix = "boot a kernel with CONFIG_IO_URING, 6.1 or later";
		break;
	case ENOMEM:
		snprintf(why, sizeof(why), "the ring needs %llu KiB of locked memory, RLIMIT_MEMLOCK is %llu KiB "
			"for all processes of this user", (unsigned long long)(uring_ring_bytes(depth) + 1023) / 1024,
			(unsigned long long)memlock.rlim_cur / 1024);
		fix = "ulimit -l unlimited, or LimitMEMLOCK=infinity in the service";
		break;
	case EMFILE:
		snprintf(why, sizeof(why), "RLIMIT_NOFILE is %llu", (unsigned long long)files.rlim_cur);
		fix = "ulimit -n 65536, or LimitNOFILE=65536 in the service";
		break;
	case EINVAL:
		snprintf(why, sizeof(why), "the kernel is older than 6.1 or refuses these flags");
		fix = "boot a kernel 6.1 or later";
		break;
	default:
		snprintf(why, sizeof(why), "unexpected");
		fix = "look at dmesg";
		break;
	}
	snprintf(ret_cause->text, sizeof(ret_cause->text), "%s: %s: %s", step, strerror(-rc), why);
	if (fix != ret_cause->fix) {
		snprintf(ret_cause->fix, sizeof(ret_cause->fix), "%s", fix);
	}
}

static int
uring_setup_event(struct io_uring_backend *u)
{
	int rc;

	u->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (u->event_fd < 0) {
		return -errno;
	}
	rc = io_uring_register_eventfd(&u->ring, u->event_fd);
	if (rc == 0) {
		rc = io_uring_cq_eventfd_toggle(&u->ring, false);
	}
	if (rc < 0) {
		close(u->event_fd);
	}
	return rc;
}

/* Each step in turn; *ret_step names the one that failed. */
static int
uring_setup(struct io_uring_backend *u, const struct io_uring_options *options,
	const char **ret_step)
{
	uint32_t depth = options->queue_depth ? options->queue_depth : QUEUE_DEPTH_DEFAULT;
	int rc;

	*ret_step = "io_uring_setup";
	rc = uring_setup_ring(u, depth);
	if (rc < 0) {
		return rc;
	}
	*ret_step = "io_uring restrictions";
	rc = uring_restrict(u);
	if (rc >= 0) {
		*ret_step = "io_uring files";
		rc = io_uring_register_files_sparse(&u->ring, options->slots_max);
	}
	if (rc >= 0) {
		*ret_step = "io_uring eventfd";
		rc = uring_setup_event(u);
	}
	if (rc < 0) {
		io_uring_queue_exit(&u->ring);
	}
	return rc;
}

int
io_uring_create(const struct io_uring_options *options, struct io **ret_io,
	struct io_uring_cause *ret_cause)
{
	struct io_uring_backend *u = calloc(1, sizeof(*u));
	const char *step = "data directory";
	int rc;

	ensure(options->slots_max > 0);
	*ret_cause = (struct io_uring_cause){0};
	if (!u) {
		return -ENOMEM;
	}
	u->slots_max = options->slots_max;
	uring_choose_workers(u, options);
	rc = io_host_init(&u->host, &io_uring_backend_ops, options->data_dir);
	if (rc == 0) {
		rc = uring_setup(u, options, &step);
		if (rc < 0) {
			io_host_fini(&u->host);
		}
	}
	if (rc < 0) {
		uring_explain(rc, step, options->queue_depth ? options->queue_depth : QUEUE_DEPTH_DEFAULT, ret_cause);
		free(u);
		return rc;
	}
	*ret_io = &u->host.io;
	return 0;
}
