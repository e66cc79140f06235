/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The housekeeping half that both real backends share: blocking file system calls on paths beneath
 * the data directory. Private to logstore/io. `struct io_host` is the first member of each backend,
 * so that the ops below take the seam's `struct io *` as it is. Stateless but for the directory
 * descriptor: any thread, one at a time per path.
 */
#ifndef LOGSTORE_IO_IO_HOST_H
#define LOGSTORE_IO_IO_HOST_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"
#include "base/io.h"

struct io_host {
	struct io io; /* first */
	int dir_fd;
	void *zeros; /* what io_host_zero writes */
	atomic_bool no_write_zeroes; /* FALLOC_FL_WRITE_ZEROES was refused once */
};

/* Negative errno if data_dir is no directory we can open. */
int io_host_init(struct io_host *host, const struct io_ops *ops, const char *data_dir) MUST_CHECK;
void io_host_fini(struct io_host *host);

int io_host_open(struct io *io, const char *path, uint32_t flags);
void io_host_close(struct io *io, int fd);
int io_host_pread(struct io *io, int fd, void *buffer, size_t len, uint64_t position);
int io_host_pwrite(struct io *io, int fd, const void *buffer, size_t len, uint64_t position);
int io_host_allocate(struct io *io, int fd, uint64_t len);
int io_host_zero(struct io *io, int fd, uint64_t position, uint64_t len);
int io_host_truncate(struct io *io, int fd, uint64_t len);
int io_host_fsync(struct io *io, int fd);
int io_host_fdatasync(struct io *io, int fd);
int io_host_fsync_dir(struct io *io, const char *path);
int io_host_sync_fs(struct io *io);
int io_host_make_dir(struct io *io, const char *path);
int io_host_remove_dir(struct io *io, const char *path);
int io_host_rename(struct io *io, const char *from, const char *to);
int io_host_unlink(struct io *io, const char *path);
int io_host_list(struct io *io, const char *path, io_list_fn fn, void *user_data);
int io_host_stat(struct io *io, const char *path, struct io_stat *ret_stat);
int io_host_space(struct io *io, struct io_space *ret_space);
int io_host_lock_holder(struct io *io, const char *path);

/* io_probe.c: at most about 150 ms. */
int io_probe_run(struct io *io, struct io_probe *ret_probe);

/* The designated initialisers of the housekeeping half, for a backend's table. */
#define IO_HOST_OPS                                                                                \
	.open = io_host_open, .close = io_host_close, .pread = io_host_pread,                      \
	.pwrite = io_host_pwrite, .allocate = io_host_allocate, .zero = io_host_zero,              \
	.truncate = io_host_truncate, .fsync = io_host_fsync, .fdatasync = io_host_fdatasync,      \
	.fsync_dir = io_host_fsync_dir, .sync_fs = io_host_sync_fs,                                \
	.make_dir = io_host_make_dir, .remove_dir = io_host_remove_dir,                            \
	.rename = io_host_rename, .unlink = io_host_unlink, .list = io_host_list,                  \
	.stat = io_host_stat, .space = io_host_space, .probe = io_probe_run,                       \
	.lock_holder = io_host_lock_holder

#endif
