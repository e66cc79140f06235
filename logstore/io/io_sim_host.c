/* SPDX-License-Identifier: Apache-2.0 */
/* The housekeeping half of the simulated disk: immediate, each call counted, faulted and traced. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/ensure.h"
#include "logstore/io/io_sim_state.h"

/* One call on its way: begin decides whether it happens, end records it. */
struct host_call {
	struct sim_disk *sim;
	enum io_fault_op op;
	const struct sim_file *file;
	const char *path;
	uint64_t position;
	uint64_t len;
};

static int
host_end(const struct host_call *call, int result)
{
	sim_trace(call->sim, &(struct sim_event){
		.position = call->position,
		.len = call->len,
		.result = result,
		.path = call->file ? call->path :
			sim_store_intern(&call->sim->store, call->path, strlen(call->path)),
		.file = call->file ? call->file->number : SIM_NO_FILE,
		.kind = SIM_EVENT_HOUSEKEEPING,
		.op = (uint8_t)call->op,
	});
	return result;
}

/*
 * True: go on. False: *ret_result is the call's result, a fault or a dead view. A LOST call reports
 * success; other kinds than ERROR are errors here.
 */
static bool
host_begin(struct io *io, struct host_call *call, int *ret_result)
{
	struct sim_view *view = sim_view_of(io);
	struct io_fault_rule rule;

	if (view->dead) {
		*ret_result = -ESHUTDOWN;
		return false;
	}
	call->sim = view->sim;
	sim_advance(view->sim);
	if (!call->path) {
		call->path = call->file ? call->file->path : "";
	}
	if (!sim_fault_fires(view->sim, call->op, call->path, &rule)) {
		return true;
	}
	*ret_result = 0;
	if (rule.kind != IO_FAULT_LOST) {
		*ret_result = rule.error > 0 ? -rule.error : -EIO;
	}
	host_end(call, *ret_result);
	return false;
}

struct sim_file *
sim_fd_file(struct sim_disk *sim, int fd)
{
	uint32_t index = (uint32_t)(fd - SIM_FD_FIRST);

	return fd >= SIM_FD_FIRST && index < sim->fd_count ? sim->fds[index].file : NULL;
}

static struct sim_file *
host_file(struct io *io, int fd)
{
	struct sim_view *view = sim_view_of(io);

	return view->dead ? NULL : sim_fd_file(view->sim, fd);
}

static bool
host_direct(struct io *io, int fd)
{
	return sim_view_of(io)->sim->fds[fd - SIM_FD_FIRST].flags & IO_OPEN_DIRECT;
}

static bool
host_aligned(const void *buffer, size_t len, uint64_t position)
{
	return len % SIM_BLOCK_BYTES == 0 && position % SIM_BLOCK_BYTES == 0 &&
		(uintptr_t)buffer % SIM_BLOCK_BYTES == 0;
}

/* --- descriptors ----------------------------------------------------------------------------- */

uint32_t
sim_open_fds(const struct sim_disk *sim)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < sim->fd_count; i++) {
		count += sim->fds[i].file != NULL;
	}
	return count;
}

static int
host_new_fd(struct sim_disk *sim, struct sim_file *file, uint32_t flags)
{
	uint32_t i;

	for (i = 0; i < sim->fd_count; i++) {
		if (!sim->fds[i].file) {
			break;
		}
	}
	if (i == sim->fd_count) {
		sim->fds = sim_grow(sim->fds, &sim->fd_room, i + 1, sizeof(*sim->fds));
		sim->fd_count++;
	}
	sim->fds[i] = (struct sim_fd){.file = file, .flags = flags};
	file->open_count++;
	if (flags & IO_OPEN_LOCK) {
		file->lock_fd = SIM_FD_FIRST + (int)i;
	}
	return SIM_FD_FIRST + (int)i;
}

static int
host_open_file(struct sim_disk *sim, const char *path, uint32_t flags)
{
	struct sim_store *s = &sim->store;
	struct sim_file *file;
	uint32_t number;
	const char *name;
	uint32_t dir;
	int rc = sim_store_parent(s, path, &dir, &name);

	if (rc < 0) {
		return rc;
	}
	number = sim_names_find(&s->now, dir, name);
	if (number != SIM_NO_FILE && (flags & IO_OPEN_CREATE)) {
		return -EEXIST;
	}
	if (number == SIM_NO_FILE && !(flags & IO_OPEN_CREATE)) {
		return -ENOENT;
	}
	file = number == SIM_NO_FILE ? sim_store_create(s, dir, name, false) : s->files[number];
	if (file->is_directory) {
		return -EISDIR;
	}
	if ((flags & IO_OPEN_LOCK) && (file->lock_fd >= 0 || file->orphan_locks > 0)) {
		return -EWOULDBLOCK;
	}
	return host_new_fd(sim, file, flags);
}

int
sim_host_open(struct io *io, const char *path, uint32_t flags)
{
	struct host_call call = {.op = IO_FAULT_OPEN, .path = path};
	int rc;

	if (!host_begin(io, &call, &rc)) {
		/* There is no descriptor to report for a lost open. */
		return rc < 0 ? rc : -EIO;
	}
	return host_end(&call, host_open_file(call.sim, path, flags));
}

void
sim_fd_close(struct sim_disk *sim, int fd)
{
	struct sim_fd *entry = &sim->fds[fd - SIM_FD_FIRST];

	entry->file->open_count--;
	if (entry->file->lock_fd == fd) {
		entry->file->lock_fd = -1;
	}
	entry->file = NULL;
}

void
sim_host_close(struct io *io, int fd)
{
	struct sim_view *view = sim_view_of(io);

	if (view->dead) {
		return;
	}
	ensure(sim_fd_file(view->sim, fd));
	sim_fd_close(view->sim, fd);
	sim_store_collect(&view->sim->store);
}

int
sim_host_pread(struct io *io, int fd, void *buffer, size_t len, uint64_t position)
{
	struct sim_file *file = host_file(io, fd);
	struct host_call call = {
		.op = IO_FAULT_PREAD, .file = file, .position = position, .len = len};
	int rc;

	if (!host_begin(io, &call, &rc)) {
		return rc;
	}
	if (!file) {
		return host_end(&call, -EBADF);
	}
	if (host_direct(io, fd) && !host_aligned(buffer, len, position)) {
		return host_end(&call, -EINVAL);
	}
	if (position + len > file->size) {
		return host_end(&call, -ENODATA);
	}
	return host_end(&call, sim_store_read(file, position, buffer, len));
}

static int
host_write(struct io *io, int fd, const struct host_call *call, const void *buffer)
{
	struct sim_file *file = host_file(io, fd);

	if (!file || (call->sim->fds[fd - SIM_FD_FIRST].flags & IO_OPEN_READ_ONLY)) {
		return -EBADF;
	}
	if (host_direct(io, fd) && !host_aligned(buffer, call->len, call->position)) {
		return -EINVAL;
	}
	return sim_store_write(&call->sim->store, file, call->position, buffer, call->len,
		!host_direct(io, fd));
}

int
sim_host_pwrite(struct io *io, int fd, const void *buffer, size_t len, uint64_t position)
{
	struct host_call call = {.op = IO_FAULT_PWRITE, .file = host_file(io, fd),
		.position = position, .len = len};
	int rc;

	if (!host_begin(io, &call, &rc)) {
		return rc;
	}
	return host_end(&call, host_write(io, fd, &call, buffer));
}

int
sim_host_zero(struct io *io, int fd, uint64_t position, uint64_t len)
{
	struct host_call call = {.op = IO_FAULT_ZERO, .file = host_file(io, fd),
		.position = position, .len = len};
	int rc;

	if (!host_begin(io, &call, &rc)) {
		return rc;
	}
	return host_end(&call, host_write(io, fd, &call, NULL));
}

int
sim_host_allocate(struct io *io, int fd, uint64_t len)
{
	struct sim_file *file = host_file(io, fd);
	struct host_call call = {.op = IO_FAULT_ALLOCATE, .file = file, .len = len};
	int rc;

	if (!host_begin(io, &call, &rc)) {
		return rc;
	}
	return host_end(&call, file ? sim_store_allocate(&call.sim->store, file, len) : -EBADF);
}

int
sim_host_truncate(struct io *io, int fd, uint64_t len)
{
	struct sim_file *file = host_file(io, fd);
	struct host_call call = {.op = IO_FAULT_TRUNCATE, .file = file, .len = len};
	int rc;

	if (!host_begin(io, &call, &rc)) {
		return rc;
	}
	if (!file) {
		return host_end(&call, -EBADF);
	}
	sim_store_truncate(&call.sim->store, file, len);
	return host_end(&call, 0);
}

/* --- syncs ----------------------------------------------------------------------------------- */

int
sim_host_fsync(struct io *io, int fd)
{
	struct sim_file *file = host_file(io, fd);
	struct host_call call = {.op = IO_FAULT_FSYNC, .file = file};
	struct sim_view *view = sim_view_of(io);
	struct sim_cover cover = {
		.own = file,
		.device = view->sim->options.flush_covers_device,
		.stamp = view->sim->store.stamp,
	};
	int rc;

	if (!host_begin(io, &call, &rc)) {
		if (rc < 0 && file) {
			sim_store_doom(&view->sim->store, &cover);
		}
		return rc;
	}
	if (!file) {
		return host_end(&call, -EBADF);
	}
	cover.stamp = call.sim->store.stamp;
	sim_store_cover(&call.sim->store, &cover);
	return host_end(&call, 0);
}

int
sim_host_fsync_dir(struct io *io, const char *path)
{
	struct host_call call = {.op = IO_FAULT_FSYNC_DIR, .path = path};
	uint32_t dir;
	int rc;

	if (!host_begin(io, &call, &rc)) {
		return rc;
	}
	dir = sim_store_lookup(&call.sim->store, path);
	if (dir == SIM_NO_FILE) {
		return host_end(&call, -ENOENT);
	}
	if (!call.sim->store.files[dir]->is_directory) {
		return host_end(&call, -ENOTDIR);
	}
	sim_store_sync_dir(&call.sim->store, dir);
	return host_end(&call, 0);
}

int
sim_host_sync_fs(struct io *io)
{
	struct host_call call = {.op = IO_FAULT_SYNC_FS};
	struct sim_cover cover = {.everything = true, .device = true};
	int rc;

	if (!host_begin(io, &call, &rc)) {
		return rc;
	}
	cover.stamp = call.sim->store.stamp;
	sim_store_cover(&call.sim->store, &cover);
	sim_store_sync_names(&call.sim->store);
	return host_end(&call, 0);
}

/* --- names ----------------------------------------------------------------------------------- */

static int
host_make_dir(struct sim_store *s, const char *path)
{
	const char *name;
	uint32_t dir;
	int rc = sim_store_parent(s, path, &dir, &name);

	if (rc < 0) {
		return rc;
	}
	if (sim_names_find(&s->now, dir, name) != SIM_NO_FILE) {
		return -EEXIST;
	}
	(void)sim_store_create(s, dir, name, true);
	return 0;
}

int
sim_host_make_dir(struct io *io, const char *path)
{
	struct host_call call = {.op = IO_FAULT_MAKE_DIR, .path = path};
	int rc;

	if (!host_begin(io, &call, &rc)) {
		return rc;
	}
	return host_end(&call, host_make_dir(&call.sim->store, path));
}

static bool
dir_is_empty(const struct sim_store *s, uint32_t dir)
{
	uint32_t i;

	for (i = 0; i < s->now.count; i++) {
		if (s->now.items[i].dir == dir) {
			return false;
		}
	}
	return true;
}

static int
host_remove(struct sim_store *s, const char *path, bool is_directory)
{
	struct sim_name_op op = {.kind = SIM_NAME_UNLINK};
	int rc = sim_store_parent(s, path, &op.dir, &op.name);

	if (rc < 0) {
		return rc;
	}
	op.file = sim_names_find(&s->now, op.dir, op.name);
	if (op.file == SIM_NO_FILE) {
		return -ENOENT;
	}
	if (s->files[op.file]->is_directory != is_directory) {
		return is_directory ? -ENOTDIR : -EISDIR;
	}
	if (is_directory && !dir_is_empty(s, op.file)) {
		return -ENOTEMPTY;
	}
	sim_store_change_name(s, &op);
	return 0;
}

int
sim_host_remove_dir(struct io *io, const char *path)
{
	struct host_call call = {.op = IO_FAULT_REMOVE_DIR, .path = path};
	int rc;

	if (!host_begin(io, &call, &rc)) {
		return rc;
	}
	return host_end(&call, host_remove(&call.sim->store, path, true));
}

int
sim_host_unlink(struct io *io, const char *path)
{
	struct host_call call = {.op = IO_FAULT_UNLINK, .path = path};
	int rc;

	if (!host_begin(io, &call, &rc)) {
		return rc;
	}
	return host_end(&call, host_remove(&call.sim->store, path, false));
}

static int
host_rename(struct sim_store *s, const char *from, const char *to)
{
	struct sim_name_op op = {.kind = SIM_NAME_RENAME};
	uint32_t target;
	int rc = sim_store_parent(s, from, &op.dir, &op.name);

	if (rc == 0) {
		rc = sim_store_parent(s, to, &op.to_dir, &op.to_name);
	}
	if (rc < 0) {
		return rc;
	}
	op.file = sim_names_find(&s->now, op.dir, op.name);
	target = sim_names_find(&s->now, op.to_dir, op.to_name);
	if (op.file == SIM_NO_FILE) {
		return -ENOENT;
	}
	if (target == op.file) {
		return 0;
	}
	if (target != SIM_NO_FILE && s->files[op.file]->is_directory) {
		return s->files[target]->is_directory ? -ENOTEMPTY : -ENOTDIR;
	}
	if (target != SIM_NO_FILE && s->files[target]->is_directory) {
		return -EISDIR;
	}
	sim_store_change_name(s, &op);
	return 0;
}

int
sim_host_rename(struct io *io, const char *from, const char *to)
{
	struct host_call call = {.op = IO_FAULT_RENAME, .path = from};
	int rc;

	if (!host_begin(io, &call, &rc)) {
		return rc;
	}
	return host_end(&call, host_rename(&call.sim->store, from, to));
}

/* The callback may change the directory: it is called on a copy. */
static void
host_list_dir(struct sim_store *s, uint32_t dir, io_list_fn fn, void *user_data)
{
	struct sim_names copy;
	uint32_t i;

	sim_names_copy(&s->now, &copy);
	for (i = 0; i < copy.count; i++) {
		const struct sim_file *file = sim_store_file(s, copy.items[i].file);

		if (copy.items[i].dir == dir && file) {
			fn(user_data, copy.items[i].name, file->is_directory);
		}
	}
	free(copy.items);
}

int
sim_host_list(struct io *io, const char *path, io_list_fn fn, void *user_data)
{
	struct host_call call = {.op = IO_FAULT_LIST, .path = path};
	uint32_t dir;
	int rc;

	if (!host_begin(io, &call, &rc)) {
		return rc;
	}
	dir = sim_store_lookup(&call.sim->store, path);
	if (dir == SIM_NO_FILE) {
		return host_end(&call, -ENOENT);
	}
	if (!call.sim->store.files[dir]->is_directory) {
		return host_end(&call, -ENOTDIR);
	}
	host_list_dir(&call.sim->store, dir, fn, user_data);
	return host_end(&call, 0);
}

int
sim_host_stat(struct io *io, const char *path, struct io_stat *ret_stat)
{
	struct sim_view *view = sim_view_of(io);
	uint32_t number;

	if (view->dead) {
		return -ESHUTDOWN;
	}
	number = sim_store_lookup(&view->sim->store, path);
	if (number == SIM_NO_FILE) {
		return -ENOENT;
	}
	ret_stat->size_bytes = view->sim->store.files[number]->size;
	ret_stat->is_directory = view->sim->store.files[number]->is_directory;
	return 0;
}

int
sim_host_space(struct io *io, struct io_space *ret_space)
{
	const struct sim_view *view = sim_view_of(io);
	const struct sim_store *s = &view->sim->store;

	if (view->dead) {
		return -ESHUTDOWN;
	}
	ret_space->total_bytes = s->capacity_blocks * SIM_BLOCK_BYTES;
	ret_space->free_bytes = s->capacity_blocks > s->used_blocks ?
		(s->capacity_blocks - s->used_blocks) * SIM_BLOCK_BYTES : 0;
	return 0;
}

int
sim_host_probe(struct io *io, struct io_probe *ret_probe)
{
	const struct sim_options *o = &sim_view_of(io)->sim->options;

	if (sim_view_of(io)->dead) {
		return -ESHUTDOWN;
	}
	*ret_probe = (struct io_probe){
		.block_bytes = SIM_BLOCK_BYTES,
		.write_cache = o->write_cache,
		.fua = false,
		.flush_covers_device = o->flush_covers_device,
		.no_journal = o->no_journal,
		.dsync_write_ns = o->write_ns_min + o->flush_ns_min,
		.write_flush_ns = o->write_ns_min + o->flush_ns_min,
		.dsync_16_ns = o->write_ns_min + 16 * o->flush_ns_min,
		.write_16_flush_ns = o->write_ns_min + o->flush_ns_min,
		.fs_type = "sim",
		.device = "sim",
	};
	return 0;
}

int
sim_host_lock_holder(struct io *io, const char *path)
{
	return 0;
}
