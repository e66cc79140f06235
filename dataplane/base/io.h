/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seam 2 of 4: disk. Implemented in logstore/io/ by io_uring.c, io_sync.c (pwrite + fdatasync, the
 * fallback and the oracle) and io_sim.c (simulated disk with crashes and faults). No other file of
 * logstore/ or batcher/sink/ makes a file system call.
 *
 * Two halves. The hot half (write, flush, read, submit, reap) works on slots, never blocks, and is
 * called by the owning log lcore only: one `struct io` per log shard. The housekeeping half blocks,
 * works on paths relative to the data directory, and is called by the keeper thread and at start.
 * All sizes and positions of hot writes are multiples of the block size; buffers come from the
 * shard's pool, registered once by `register_buffers`.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io;

enum io_write_flag {
	IO_WRITE_DSYNC = 1, /* durable on completion (RWF_DSYNC) */
};

enum io_open_flag {
	IO_OPEN_CREATE = 1,   /* O_CREAT | O_EXCL */
	IO_OPEN_DIRECT = 2,   /* O_DIRECT; for slots */
	IO_OPEN_READ_ONLY = 4,
	IO_OPEN_LOCK = 8,     /* flock(LOCK_EX | LOCK_NB): -EWOULDBLOCK if another process holds it.
				 Without IO_OPEN_DIRECT fcntl(F_SETLK) too, which Java's lock is */
};

/*
 * One write or read to be queued, between the file of a slot and the pool. The struct is the caller's
 * and free again when the call returns; the bytes at `buffer` are the device's until the completion
 * with `token` was reaped: a write's must not change, a read's are worth nothing before.
 */
struct io_write {
	const void *buffer;
	uint64_t position; /* byte place in the file */
	uint64_t token;	   /* comes back in io_completion */
	uint32_t slot;
	uint32_t len;
	uint32_t flags; /* enum io_write_flag */
};

struct io_read {
	void *buffer;
	uint64_t position;
	uint64_t token;
	uint32_t slot;
	uint32_t len;
};

struct io_completion {
	uint64_t token;
	int32_t result; /* bytes, 0 for a flush, or negative errno */
	uint32_t reserved;
};

struct io_stat {
	uint64_t size_bytes;
	bool is_directory;
};

struct io_space {
	uint64_t free_bytes;
	uint64_t total_bytes;
};

/* What the durable method is chosen from. */
struct io_probe {
	uint32_t block_bytes;	  /* max(4096, physical block size) */
	bool write_cache;	  /* volatile write cache */
	bool fua;
	bool flush_covers_device; /* one fdatasync covers all files of the device */
	bool no_journal;          /* ext4 without one */
	uint64_t dsync_write_ns;  /* medians */
	uint64_t write_flush_ns;
	uint64_t dsync_16_ns;	    /* 16 DSYNC writes, in parallel where the ring is to be had */
	uint64_t write_16_flush_ns; /* 16 writes, then one flush */
	char fs_type[32];
	char device[64];
};

typedef void (*io_list_fn)(void *user_data, const char *name, bool is_directory);

struct io_ops {
	const char *name; /* "uring", "sync", "sim" */

	/* --- hot; owning log lcore --- */
	/* The pool, once, at start. Where RLIMIT_MEMLOCK forbids, a warning, and it works unregistered. */
	int (*register_buffers)(struct io *io, void *base, size_t len);
	/* Makes the calling thread the single issuer. Once, by the log lcore, before any other. */
	int (*enable)(struct io *io);
	/* Binds an open descriptor to a slot, or frees it (fd -1). Slot < slots_max. */
	int (*slot_set)(struct io *io, uint32_t slot, int fd);
	/*
	 * Queue one request. -EBUSY: no room until the next reap; nothing was queued. What becomes of it is
	 * told by its completion, a short count too. A flush covers what had completed when it was submitted.
	 */
	int (*write)(struct io *io, const struct io_write *write);
	int (*read)(struct io *io, const struct io_read *read);
	int (*flush)(struct io *io, uint32_t slot, uint64_t token);
	/* Hands queued requests to the device. Once a turn. */
	int (*submit)(struct io *io);
	/* Takes up to max completions, in any order. Returns the count. */
	uint32_t (*reap)(struct io *io, struct io_completion *ret, uint32_t max);
	/* A descriptor that polls readable when completions wait, or -1. For the idle policy. */
	int (*wait_fd)(struct io *io);

	/* --- housekeeping; blocking; any one thread at a time per path; negative errno --- */
	/* Returns a descriptor. Resolved beneath the data directory, no symbolic links. */
	int (*open)(struct io *io, const char *path, uint32_t flags);
	void (*close)(struct io *io, int fd);
	/* Whole count or an error: never short. */
	int (*pread)(struct io *io, int fd, void *buffer, size_t len, uint64_t position);
	int (*pwrite)(struct io *io, int fd, const void *buffer, size_t len, uint64_t position);
	int (*allocate)(struct io *io, int fd, uint64_t len); /* fallocate(0) from 0 */
	int (*zero)(struct io *io, int fd, uint64_t position, uint64_t len); /* written zeros */
	int (*truncate)(struct io *io, int fd, uint64_t len);
	int (*fsync)(struct io *io, int fd);
	int (*fdatasync)(struct io *io, int fd);
	int (*fsync_dir)(struct io *io, const char *path);
	int (*sync_fs)(struct io *io);
	int (*make_dir)(struct io *io, const char *path);
	int (*remove_dir)(struct io *io, const char *path);
	int (*rename)(struct io *io, const char *from, const char *to);
	int (*unlink)(struct io *io, const char *path);
	int (*list)(struct io *io, const char *path, io_list_fn fn, void *user_data);
	int (*stat)(struct io *io, const char *path, struct io_stat *ret);
	int (*space)(struct io *io, struct io_space *ret);
	int (*probe)(struct io *io, struct io_probe *ret);
	/* Pid of the process whose IO_OPEN_LOCK on that file refused ours, 0 unknown or gone. */
	int (*lock_holder)(struct io *io, const char *path);
	void (*destroy)(struct io *io);
};

struct io {
	const struct io_ops *ops;
};

#endif
