/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot half of the simulated disk: requests are queued, checked at submit, complete at a random
 * virtual time, in the order of those times. What a request does to the disk happens at completion.
 */
#include "logstore/io/io_sim.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "logstore/io/io_sim_state.h"

#define SLOW_FLUSH_FACTOR 10

struct sim_view *
sim_view_of(struct io *io)
{
	return CONTAINER_OF(io, struct sim_view, io);
}

static void PRINTF_LIKE(2, 3)
sim_violation(struct sim_disk *sim, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (sim->options.violation) {
		sim->options.violation(sim->options.violation_user_data, text);
		return;
	}
	fprintf(stderr, "simulated disk (seed %llu): %s\n",
		(unsigned long long)sim->options.seed, text);
	abort();
}

void
sim_trace(struct sim_disk *sim, const struct sim_event *event)
{
	struct sim_event *at;

	if (sim->options.trace_max > 0) {
		at = &sim->trace[sim->trace_count % sim->options.trace_max];
		*at = *event;
		at->time_ns = clock_now_ns(sim->options.clock);
	}
	sim->trace_count++;
}

/* --- faults ---------------------------------------------------------------------------------- */

static bool
rule_matches(const struct io_fault_rule *rule, enum io_fault_op op, const char *path)
{
	return rule->op == op &&
		(rule->path_contains[0] == '\0' || strstr(path, rule->path_contains));
}

bool
sim_fault_fires(struct sim_disk *sim, enum io_fault_op op, const char *path,
	struct io_fault_rule *ret_rule)
{
	uint32_t i;

	sim->op_counts[op]++;
	for (i = 0; i < sim->rule_count; i++) {
		struct io_fault_rule *rule = &sim->rules[i];

		if (!rule_matches(rule, op, path)) {
			continue;
		}
		if (rule->nth > 1) {
			rule->nth--;
			continue;
		}
		*ret_rule = *rule;
		sim->faults_fired++;
		if (!rule->sticky) {
			memmove(rule, rule + 1, (sim->rule_count - i - 1) * sizeof(*rule));
			sim->rule_count--;
		}
		return true;
	}
	return false;
}

int
sim_fault_arm(struct sim_disk *sim, const struct io_fault_rule *rule)
{
	ensure(rule->nth > 0);
	if (sim->rule_count == IO_FAULT_RULES_MAX) {
		return -ENOSPC;
	}
	sim->rules[sim->rule_count++] = *rule;
	return 0;
}

void
sim_fault_clear(struct sim_disk *sim)
{
	sim->rule_count = 0;
}

/* --- queue ----------------------------------------------------------------------------------- */

static int
sim_register_buffers(struct io *io, void *base, size_t len)
{
	struct sim_view *view = sim_view_of(io);

	if (view->dead) {
		return -ESHUTDOWN;
	}
	view->pool = base;
	view->pool_len = len;
	return 0;
}

static int
sim_enable(struct io *io)
{
	return sim_view_of(io)->dead ? -ESHUTDOWN : 0;
}

static int
sim_slot_set(struct io *io, uint32_t slot, int fd)
{
	struct sim_view *view = sim_view_of(io);

	if (view->dead) {
		return -ESHUTDOWN;
	}
	if (slot >= view->slots_max) {
		return -EINVAL;
	}
	if (fd >= 0 && !sim_fd_file(view->sim, fd)) {
		return -EBADF;
	}
	/* As a registered file does, the slot holds the file even if its descriptor is closed. */
	if (view->slots[slot] >= 0) {
		view->sim->store.files[view->slots[slot]]->open_count--;
	}
	view->slots[slot] = -1;
	if (fd >= 0) {
		struct sim_file *file = sim_fd_file(view->sim, fd);

		file->open_count++;
		view->slots[slot] = (int)file->number;
	}
	sim_store_collect(&view->sim->store);
	return 0;
}

static int
sim_queue(struct io *io, const struct sim_request *request)
{
	struct sim_view *view = sim_view_of(io);
	struct sim_request *copy;

	if (view->dead) {
		return -ESHUTDOWN;
	}
	ensure(request->slot < view->slots_max);
	if (view->outstanding == view->sim->options.queue_depth) {
		return -EBUSY;
	}
	copy = malloc(sizeof(*copy));
	ensure(copy);
	*copy = *request;
	copy->view = view;
	view->queued = sim_grow(view->queued, &view->queued_room, view->queued_count + 1,
		sizeof(*view->queued));
	view->queued[view->queued_count++] = copy;
	view->outstanding++;
	return 0;
}

static int
sim_write(struct io *io, const struct io_write *write)
{
	return sim_queue(io, &(struct sim_request){
		.op = IO_FAULT_WRITE,
		.slot = write->slot,
		.buffer = (void *)(uintptr_t)write->buffer,
		.position = write->position,
		.len = write->len,
		.flags = write->flags,
		.token = write->token,
	});
}

static int
sim_read(struct io *io, const struct io_read *read)
{
	return sim_queue(io, &(struct sim_request){
		.op = IO_FAULT_READ,
		.slot = read->slot,
		.buffer = read->buffer,
		.position = read->position,
		.len = read->len,
		.token = read->token,
	});
}

static int
sim_flush(struct io *io, uint32_t slot, uint64_t token)
{
	return sim_queue(io, &(struct sim_request){
		.op = IO_FAULT_FLUSH,
		.slot = slot,
		.token = token,
	});
}

/* --- submit ---------------------------------------------------------------------------------- */

static bool
ranges_meet(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

static void
check_write(struct sim_disk *sim, const struct sim_request *r)
{
	uint64_t i;

	for (i = 0; i < sim->in_flight_count; i++) {
		const struct sim_request *other = sim->in_flight[i];

		if (other->op == IO_FAULT_WRITE && other->file == r->file &&
			ranges_meet(other->position, other->len, r->position, r->len)) {
			sim_violation(sim, "overlapping writes in flight: %s at %llu and %llu",
				r->file->path, (unsigned long long)r->position,
				(unsigned long long)other->position);
		}
	}
	if (r->position + r->len > r->file->size) {
		sim_violation(sim, "write beyond the size of %s: %llu + %u > %llu", r->file->path,
			(unsigned long long)r->position, r->len,
			(unsigned long long)r->file->size);
	}
	for (i = r->position / SIM_BLOCK_BYTES; i < (r->position + r->len) / SIM_BLOCK_BYTES; i++) {
		const struct sim_block *block = sim_file_peek(r->file, i);

		if (!block || block->extent_now == SIM_EXTENT_HOLE) {
			sim_violation(sim, "write outside prepared extents of %s: block %llu",
				r->file->path, (unsigned long long)i);
		}
	}
}

static void
check_transfer(struct sim_disk *sim, const struct sim_request *r)
{
	const uint8_t *buffer = r->buffer;
	const struct sim_view *view = r->view;

	if (r->len == 0 || r->len % SIM_BLOCK_BYTES != 0 || r->position % SIM_BLOCK_BYTES != 0 ||
		(uintptr_t)buffer % SIM_BLOCK_BYTES != 0) {
		sim_violation(sim, "unaligned transfer: %s at %llu, %u bytes from %p",
			r->file->path, (unsigned long long)r->position, r->len, r->buffer);
	}
	if (buffer < view->pool || buffer + r->len > view->pool + view->pool_len) {
		sim_violation(sim, "buffer outside the registered pool: %s at %llu", r->file->path,
			(unsigned long long)r->position);
	}
}

static uint64_t
random_between(struct sim_disk *sim, uint64_t min, uint64_t max)
{
	return max > min ? min + rand_below(&sim->rand, max - min + 1) : min;
}

static uint64_t
request_latency(struct sim_disk *sim, const struct sim_request *r)
{
	const struct sim_options *o = &sim->options;
	uint64_t latency;

	switch (r->op) {
	case IO_FAULT_WRITE:
		if (sim->write_delay_ns > 0 && !r->faulted &&
			strstr(r->file->path, sim->write_delay_path)) {
			return sim->write_delay_ns;
		}
		latency = random_between(sim, o->write_ns_min, o->write_ns_max);
		if (r->flags & IO_WRITE_DSYNC) {
			latency += random_between(sim, o->flush_ns_min, o->flush_ns_max);
		}
		return latency;
	case IO_FAULT_READ:
		return random_between(sim, o->read_ns_min, o->read_ns_max);
	default:
		if (sim->flush_delay_ns > 0) {
			return sim->flush_delay_ns;
		}
		latency = random_between(sim, o->flush_ns_min, o->flush_ns_max);
		return rand_chance_ppm(&sim->rand, o->slow_flush_ppm) ?
			latency * SLOW_FLUSH_FACTOR : latency;
	}
}

static void
trace_request(struct sim_disk *sim, const struct sim_request *r, enum sim_event_kind kind,
	int64_t result)
{
	sim_trace(sim, &(struct sim_event){
		.position = r->position,
		.len = r->len,
		.token = r->token,
		.result = result,
		.path = r->file ? r->file->path : "",
		.file = r->file ? r->file->number : SIM_NO_FILE,
		.kind = (uint8_t)kind,
		.op = (uint8_t)r->op,
		.flags = (uint8_t)r->flags,
	});
}

static void
view_complete(struct sim_view *view, uint64_t token, int32_t result)
{
	view->done = sim_grow(view->done, &view->done_room, view->done_count + 1,
		sizeof(*view->done));
	view->done[view->done_count++] =
		(struct io_completion){.token = token, .result = result};
}

void
sim_request_free(struct sim_request *request)
{
	free(request->data);
	free(request);
}

static void
sim_dispatch(struct sim_disk *sim, struct sim_request *r)
{
	int file = r->view->slots[r->slot];

	if (file < 0) {
		trace_request(sim, r, SIM_EVENT_COMPLETE, -EBADF);
		view_complete(r->view, r->token, -EBADF);
		sim_request_free(r);
		return;
	}
	r->file = sim->store.files[file];
	if (r->op != IO_FAULT_FLUSH) {
		check_transfer(sim, r);
	}
	if (r->op == IO_FAULT_WRITE) {
		check_write(sim, r);
		r->data = malloc(r->len + 1);
		ensure(r->data);
		memcpy(r->data, r->buffer, r->len);
	}
	r->faulted = sim_fault_fires(sim, r->op, r->file->path, &r->fault);
	r->stamp = sim->store.stamp;
	r->due_ns = clock_now_ns(sim->options.clock) + request_latency(sim, r);
	r->file->in_flight++;
	trace_request(sim, r, SIM_EVENT_SUBMIT, 0);
	sim->in_flight = sim_grow(sim->in_flight, &sim->in_flight_room, sim->in_flight_count + 1,
		sizeof(*sim->in_flight));
	sim->in_flight[sim->in_flight_count++] = r;
}

static int
sim_submit(struct io *io)
{
	struct sim_view *view = sim_view_of(io);
	uint32_t i;

	if (view->dead) {
		return -ESHUTDOWN;
	}
	sim_advance(view->sim);
	for (i = 0; i < view->queued_count; i++) {
		sim_dispatch(view->sim, view->queued[i]);
	}
	view->queued_count = 0;
	return 0;
}

/* --- completion ------------------------------------------------------------------------------ */

static struct sim_cover
request_cover(const struct sim_disk *sim, const struct sim_request *r)
{
	return (struct sim_cover){
		.own = r->file,
		.device = sim->options.flush_covers_device,
		.stamp = r->stamp,
	};
}

/* Writes len bytes of the request's data, block by block, and makes them durable if it is so. */
static void
land_write(struct sim_disk *sim, const struct sim_request *r, uint64_t position, uint32_t len)
{
	bool durable = (r->flags & IO_WRITE_DSYNC) || !sim->options.write_cache;
	struct sim_cover own = {.own = r->file, .stamp = 0};

	if (position + len > bytes_ceil(r->file->size, SIM_BLOCK_BYTES)) {
		return; /* misdirected past the end: nowhere */
	}
	(void)sim_store_write(&sim->store, r->file, position, r->data, len, false);
	if (!durable) {
		return;
	}
	own.stamp = sim->store.stamp;
	if (r->flags & IO_WRITE_DSYNC) {
		sim_store_cover(&sim->store, &own);
	} else {
		own.own = NULL;
		own.device = true;
		sim_store_cover(&sim->store, &own);
	}
}

static int32_t
finish_write(struct sim_disk *sim, const struct sim_request *r)
{
	uint32_t part;

	if (r->view && memcmp(r->data, r->buffer, r->len) != 0) {
		sim_violation(sim, "buffer changed while in flight: %s at %llu", r->file->path,
			(unsigned long long)r->position);
	}
	if (!r->faulted) {
		land_write(sim, r, r->position, r->len);
		return (int32_t)r->len;
	}
	switch (r->fault.kind) {
	case IO_FAULT_ERROR:
		return -r->fault.error;
	case IO_FAULT_SHORT:
		part = r->fault.bytes < r->len ? r->fault.bytes : r->len;
		land_write(sim, r, r->position, part);
		return (int32_t)part;
	case IO_FAULT_MISDIRECT:
		land_write(sim, r, bytes_floor(r->position + r->fault.bytes, SIM_BLOCK_BYTES),
			r->len);
		return (int32_t)r->len;
	default:
		return (int32_t)r->len;
	}
}

static int32_t
finish_read(const struct sim_request *r)
{
	uint64_t end = r->file->size;
	uint32_t len = r->len;

	if (r->faulted && r->fault.kind == IO_FAULT_ERROR) {
		return -r->fault.error;
	}
	if (r->faulted && r->fault.kind == IO_FAULT_SHORT && r->fault.bytes < len) {
		len = r->fault.bytes;
	}
	if (r->position >= end) {
		return 0;
	}
	len = end - r->position < len ? (uint32_t)(end - r->position) : len;
	return sim_store_read(r->file, r->position, r->buffer, len) < 0 ? -EIO : (int32_t)len;
}

static int32_t
finish_flush(struct sim_disk *sim, const struct sim_request *r)
{
	struct sim_cover cover = request_cover(sim, r);

	if (r->faulted && r->fault.kind == IO_FAULT_ERROR) {
		sim_store_doom(&sim->store, &cover);
		return -r->fault.error;
	}
	if (!r->faulted) {
		sim_store_cover(&sim->store, &cover);
	}
	return 0;
}

static void
sim_finish(struct sim_disk *sim, struct sim_request *r)
{
	int32_t result;

	switch (r->op) {
	case IO_FAULT_WRITE:
		result = finish_write(sim, r);
		break;
	case IO_FAULT_READ:
		result = r->view ? finish_read(r) : 0;
		break;
	default:
		result = finish_flush(sim, r);
		break;
	}
	trace_request(sim, r, SIM_EVENT_COMPLETE, result);
	r->file->in_flight--;
	r->file->orphan_locks -= r->holds_lock;
	if (r->view) {
		view_complete(r->view, r->token, result);
	}
	sim_request_free(r);
}

void
sim_advance(struct sim_disk *sim)
{
	uint64_t now = clock_now_ns(sim->options.clock);

	for (;;) {
		uint32_t first = UINT32_MAX;
		struct sim_request *r;
		uint32_t i;

		for (i = 0; i < sim->in_flight_count; i++) {
			if (sim->in_flight[i]->due_ns <= now && (first == UINT32_MAX ||
				sim->in_flight[i]->due_ns < sim->in_flight[first]->due_ns)) {
				first = i;
			}
		}
		if (first == UINT32_MAX) {
			return;
		}
		r = sim->in_flight[first];
		sim->in_flight[first] = sim->in_flight[--sim->in_flight_count];
		sim_finish(sim, r);
	}
}

static uint32_t
sim_reap(struct io *io, struct io_completion *ret, uint32_t max)
{
	struct sim_view *view = sim_view_of(io);
	uint32_t count;

	if (view->dead) {
		return 0;
	}
	sim_advance(view->sim);
	count = view->done_count < max ? view->done_count : max;
	if (count > 0) {
		memcpy(ret, view->done, count * sizeof(*ret));
		memmove(view->done, view->done + count,
			(view->done_count - count) * sizeof(*ret));
		view->done_count -= count;
		view->outstanding -= count;
	}
	return count;
}

static int
sim_wait_fd(struct io *io)
{
	return -1;
}

uint64_t
sim_disk_next_ns(const struct sim_disk *sim)
{
	uint64_t next = UINT64_MAX;
	uint32_t i;

	for (i = 0; i < sim->in_flight_count; i++) {
		if (sim->in_flight[i]->due_ns < next) {
			next = sim->in_flight[i]->due_ns;
		}
	}
	return next;
}

/* --- life ------------------------------------------------------------------------------------ */

static void
view_release_slots(struct sim_view *view)
{
	uint32_t i;

	for (i = 0; i < view->slots_max && !view->dead; i++) {
		if (view->slots[i] >= 0) {
			view->sim->store.files[view->slots[i]]->open_count--;
		}
	}
}

/* Requests in flight of a view that goes away land as those of a killed process. */
static void
sim_view_destroy(struct io *io)
{
	struct sim_view *view = sim_view_of(io);
	struct sim_disk *sim = view->sim;
	uint32_t i;

	for (i = 0; i < sim->in_flight_count; i++) {
		if (sim->in_flight[i]->view == view) {
			sim->in_flight[i]->view = NULL;
		}
	}
	for (i = 0; i < view->queued_count; i++) {
		sim_request_free(view->queued[i]);
	}
	view_release_slots(view);
	for (i = 0; i < sim->view_count; i++) {
		if (sim->views[i] == view) {
			sim->views[i] = sim->views[--sim->view_count];
			break;
		}
	}
	free(view->slots);
	free(view->queued);
	free(view->done);
	free(view);
}

static const struct io_ops sim_ops = {
	.name = "sim",
	.register_buffers = sim_register_buffers,
	.enable = sim_enable,
	.slot_set = sim_slot_set,
	.write = sim_write,
	.read = sim_read,
	.flush = sim_flush,
	.submit = sim_submit,
	.reap = sim_reap,
	.wait_fd = sim_wait_fd,
	.open = sim_host_open,
	.close = sim_host_close,
	.pread = sim_host_pread,
	.pwrite = sim_host_pwrite,
	.allocate = sim_host_allocate,
	.zero = sim_host_zero,
	.truncate = sim_host_truncate,
	.fsync = sim_host_fsync,
	.fdatasync = sim_host_fsync,
	.fsync_dir = sim_host_fsync_dir,
	.sync_fs = sim_host_sync_fs,
	.make_dir = sim_host_make_dir,
	.remove_dir = sim_host_remove_dir,
	.rename = sim_host_rename,
	.unlink = sim_host_unlink,
	.list = sim_host_list,
	.stat = sim_host_stat,
	.space = sim_host_space,
	.probe = sim_host_probe,
	.lock_holder = sim_host_lock_holder,
	.destroy = sim_view_destroy,
};

int
sim_disk_view(struct sim_disk *sim, uint32_t slots_max, struct io **ret_io)
{
	struct sim_view *view = calloc(1, sizeof(*view));
	uint32_t i;

	ensure(view);
	view->io.ops = &sim_ops;
	view->sim = sim;
	view->slots_max = slots_max;
	view->slots = malloc(((size_t)slots_max + 1) * sizeof(*view->slots));
	ensure(view->slots);
	for (i = 0; i < slots_max; i++) {
		view->slots[i] = -1;
	}
	sim->views = sim_grow(sim->views, &sim->view_room, sim->view_count + 1,
		sizeof(*sim->views));
	sim->views[sim->view_count++] = view;
	*ret_io = &view->io;
	return 0;
}

void
sim_options_init(struct sim_options *options, uint64_t seed, struct clock *clock)
{
	*options = (struct sim_options){
		.seed = seed,
		.clock = clock,
		.capacity_bytes = GIB,
		.queue_depth = 256,
		.write_ns_min = 10 * NS_PER_US,
		.write_ns_max = 200 * NS_PER_US,
		.flush_ns_min = 80 * NS_PER_US,
		.flush_ns_max = 400 * NS_PER_US,
		.read_ns_min = 20 * NS_PER_US,
		.read_ns_max = 150 * NS_PER_US,
		.slow_flush_ppm = 20000,
		.flush_covers_device = true,
		.write_cache = true,
		.trace_max = 65536,
	};
}

int
sim_disk_create(const struct sim_options *options, struct sim_disk **ret_sim)
{
	struct sim_disk *sim = calloc(1, sizeof(*sim));

	if (!sim) {
		return -ENOMEM;
	}
	sim->trace = calloc((size_t)options->trace_max + 1, sizeof(*sim->trace));
	if (!sim->trace) {
		free(sim);
		return -ENOMEM;
	}
	sim->options = *options;
	rand_init(&sim->rand, options->seed);
	sim_store_init(&sim->store, options->capacity_bytes);
	*ret_sim = sim;
	return 0;
}

void
sim_disk_destroy(struct sim_disk *sim)
{
	uint32_t i;

	ensure(sim->view_count == 0);
	for (i = 0; i < sim->in_flight_count; i++) {
		sim_request_free(sim->in_flight[i]);
	}
	sim_store_fini(&sim->store);
	free(sim->in_flight);
	free(sim->views);
	free(sim->fds);
	free(sim->trace);
	free(sim);
}
