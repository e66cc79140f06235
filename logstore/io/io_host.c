/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Housekeeping calls of the real backends. Every path is resolved by openat2 beneath the data
 * directory with no symbolic link on the way; operations on names go through the opened parent.
 * Every call is taken up again after EINTR; reads and writes are whole or an error.
 */
#include "logstore/io/io_host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/ensure.h"

#ifndef FALLOC_FL_WRITE_ZEROES
#define FALLOC_FL_WRITE_ZEROES 0x80 /* kernel 6.17 */
#endif

#define FILE_MODE	0640
#define DIRECTORY_MODE	0750
#define ZERO_PIECE_BYTES (1024 * 1024)

static struct io_host *
host_of(struct io *io)
{
	return CONTAINER_OF(io, struct io_host, io);
}

int
io_host_init(struct io_host *host, const struct io_ops *ops, const char *data_dir)
{
	host->io.ops = ops;
	atomic_init(&host->no_write_zeroes, false);
	/* Read only and never written: every page of it is the kernel's one page of zeros, no memory. */
	host->zeros = mmap(NULL, ZERO_PIECE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (host->zeros == MAP_FAILED) {
		host->zeros = NULL;
		return -ENOMEM;
	}
	host->dir_fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (host->dir_fd < 0) {
		int err = -errno;

		io_host_fini(host);
		return err;
	}
	return 0;
}

void
io_host_fini(struct io_host *host)
{
	if (host->dir_fd >= 0) {
		close(host->dir_fd);
		host->dir_fd = -1;
	}
	if (host->zeros) {
		munmap(host->zeros, ZERO_PIECE_BYTES);
		host->zeros = NULL;
	}
}

/* --- paths ----------------------------------------------------------------------------------- */

/* openat2 where there is one (5.6 and not filtered); else the same rule by hand for our two levels. */
static int
host_openat(struct io_host *host, const char *path, uint64_t open_flags, uint64_t mode)
{
	struct open_how how = {
		.flags = open_flags | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	long fd;

	do {
		fd = syscall(SYS_openat2, host->dir_fd, path, &how, sizeof(how));
		/* EAGAIN: a rename somewhere raced with the walk. */
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	if (fd < 0 && errno == ENOSYS && path[0] != '/' && !strstr(path, "..")) {
		fd = openat(host->dir_fd, path, (int)open_flags | O_CLOEXEC | O_NOFOLLOW,
			(mode_t)mode);
	}
	return fd < 0 ? -errno : (int)fd;
}

/* Opens the directory that holds `path`; *ret_name is the last component. */
static int
host_parent(struct io_host *host, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	size_t len = slash ? (size_t)(slash - path) : 0;

	*ret_name = slash ? slash + 1 : path;
	if (**ret_name == '\0' || strcmp(*ret_name, "..") == 0 || strcmp(*ret_name, ".") == 0 ||
		len >= sizeof(parent) || (slash && len == 0)) {
		return -EINVAL;
	}
	if (!slash) {
		return host_openat(host, ".", O_PATH | O_DIRECTORY, 0);
	}
	memcpy(parent, path, len);
	parent[len] = '\0';
	return host_openat(host, parent, O_PATH | O_DIRECTORY, 0);
}

/* --- descriptors ----------------------------------------------------------------------------- */

/* flock stays with the open file description, in-flight ring writes included; fcntl is Java's. */
static int
host_lock(int fd, uint32_t flags)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		return errno == EAGAIN ? -EWOULDBLOCK : -errno;
	}
	if (flags & (IO_OPEN_DIRECT | IO_OPEN_READ_ONLY)) {
		return 0;
	}
	if (fcntl(fd, F_SETLK, &whole) < 0) {
		return errno == EACCES || errno == EAGAIN ? -EWOULDBLOCK : -errno;
	}
	return 0;
}

int
io_host_open(struct io *io, const char *path, uint32_t flags)
{
	struct io_host *host = host_of(io);
	uint64_t open_flags = flags & IO_OPEN_READ_ONLY ? O_RDONLY : O_RDWR;
	uint64_t mode = flags & IO_OPEN_CREATE ? FILE_MODE : 0;
	int fd;
	int rc;

	if (flags & IO_OPEN_CREATE) {
		open_flags |= O_CREAT | O_EXCL;
	}
	fd = host_openat(host, path, open_flags | (flags & IO_OPEN_DIRECT ? O_DIRECT : 0), mode);
	if (fd == -EINVAL && (flags & IO_OPEN_DIRECT)) {
		/* No O_DIRECT here. The refusal may have come after the file was made. */
		fd = host_openat(host, path, open_flags & ~(uint64_t)O_EXCL, mode);
	}
	if (fd < 0) {
		return fd;
	}
	rc = flags & IO_OPEN_LOCK ? host_lock(fd, flags) : 0;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

void
io_host_close(struct io *io, int fd)
{
	close(fd);
}

int
io_host_pread(struct io *io, int fd, void *buffer, size_t len, uint64_t position)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buffer + done, len - done, (off_t)(position + done));

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return n < 0 ? -errno : -ENODATA;
		}
		done += (size_t)n;
	}
	return 0;
}

int
io_host_pwrite(struct io *io, int fd, const void *buffer, size_t len, uint64_t position)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(fd, (const char *)buffer + done, len - done,
			(off_t)(position + done));

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return n < 0 ? -errno : -EIO;
		}
		done += (size_t)n;
	}
	return 0;
}

static int
host_fallocate(int fd, int mode, uint64_t position, uint64_t len)
{
	int rc;

	do {
		rc = fallocate(fd, mode, (off_t)position, (off_t)len);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

int
io_host_allocate(struct io *io, int fd, uint64_t len)
{
	return len == 0 ? 0 : host_fallocate(fd, 0, 0, len);
}

int
io_host_zero(struct io *io, int fd, uint64_t position, uint64_t len)
{
	struct io_host *host = host_of(io);
	uint64_t done = 0;
	int rc = 0;

	if (len == 0) {
		return 0;
	}
	if (!atomic_load_explicit(&host->no_write_zeroes, memory_order_relaxed)) {
		if (host_fallocate(fd, FALLOC_FL_WRITE_ZEROES, position, len) == 0) {
			return 0;
		}
		/* Whatever the reason, plain writes tell the true one. */
		atomic_store_explicit(&host->no_write_zeroes, true, memory_order_relaxed);
	}
	while (rc == 0 && done < len) {
		uint64_t piece = len - done < ZERO_PIECE_BYTES ? len - done : ZERO_PIECE_BYTES;

		rc = io_host_pwrite(io, fd, host->zeros, piece, position + done);
		done += piece;
	}
	return rc;
}

int
io_host_truncate(struct io *io, int fd, uint64_t len)
{
	int rc;

	do {
		rc = ftruncate(fd, (off_t)len);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

int
io_host_fsync(struct io *io, int fd)
{
	return fsync(fd) < 0 ? -errno : 0;
}

int
io_host_fdatasync(struct io *io, int fd)
{
	return fdatasync(fd) < 0 ? -errno : 0;
}

int
io_host_fsync_dir(struct io *io, const char *path)
{
	int fd = host_openat(host_of(io), path, O_RDONLY | O_DIRECTORY, 0);
	int rc;

	if (fd < 0) {
		return fd;
	}
	rc = io_host_fsync(io, fd);
	close(fd);
	return rc;
}

int
io_host_sync_fs(struct io *io)
{
	return syncfs(host_of(io)->dir_fd) < 0 ? -errno : 0;
}

/* --- names ----------------------------------------------------------------------------------- */

int
io_host_make_dir(struct io *io, const char *path)
{
	const char *name;
	int parent = host_parent(host_of(io), path, &name);
	int rc;

	if (parent < 0) {
		return parent;
	}
	rc = mkdirat(parent, name, DIRECTORY_MODE) < 0 ? -errno : 0;
	close(parent);
	return rc;
}

static int
host_remove(struct io_host *host, const char *path, int at_flags)
{
	const char *name;
	int parent = host_parent(host, path, &name);
	int rc;

	if (parent < 0) {
		return parent;
	}
	rc = unlinkat(parent, name, at_flags) < 0 ? -errno : 0;
	close(parent);
	return rc;
}

int
io_host_remove_dir(struct io *io, const char *path)
{
	return host_remove(host_of(io), path, AT_REMOVEDIR);
}

int
io_host_unlink(struct io *io, const char *path)
{
	return host_remove(host_of(io), path, 0);
}

int
io_host_rename(struct io *io, const char *from, const char *to)
{
	const char *from_name;
	const char *to_name;
	int from_parent = host_parent(host_of(io), from, &from_name);
	int to_parent;
	int rc;

	if (from_parent < 0) {
		return from_parent;
	}
	to_parent = host_parent(host_of(io), to, &to_name);
	if (to_parent < 0) {
		close(from_parent);
		return to_parent;
	}
	rc = renameat(from_parent, from_name, to_parent, to_name) < 0 ? -errno : 0;
	close(from_parent);
	close(to_parent);
	return rc;
}

static bool
host_is_directory(DIR *dir, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN) {
		return entry->d_type == DT_DIR;
	}
	return fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISDIR(st.st_mode);
}

int
io_host_list(struct io *io, const char *path, io_list_fn fn, void *user_data)
{
	int fd = host_openat(host_of(io), path, O_RDONLY | O_DIRECTORY, 0);
	struct dirent *entry;
	DIR *dir;
	int rc;

	if (fd < 0) {
		return fd;
	}
	dir = fdopendir(fd);
	if (!dir) {
		rc = -errno;
		close(fd);
		return rc;
	}
	for (errno = 0; (entry = readdir(dir)); errno = 0) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			fn(user_data, entry->d_name, host_is_directory(dir, entry));
		}
	}
	rc = -errno;
	closedir(dir);
	return rc;
}

int
io_host_stat(struct io *io, const char *path, struct io_stat *ret_stat)
{
	int fd = host_openat(host_of(io), path, O_PATH, 0);
	struct stat st;
	int rc;

	if (fd < 0) {
		return fd;
	}
	rc = fstat(fd, &st) < 0 ? -errno : 0;
	close(fd);
	if (rc == 0) {
		ret_stat->size_bytes = (uint64_t)st.st_size;
		ret_stat->is_directory = S_ISDIR(st.st_mode);
	}
	return rc;
}

int
io_host_space(struct io *io, struct io_space *ret_space)
{
	struct statvfs fs;

	if (fstatvfs(host_of(io)->dir_fd, &fs) < 0) {
		return -errno;
	}
	ret_space->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	ret_space->total_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
	return 0;
}

int
io_host_lock_holder(struct io *io, const char *path)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = host_openat(host_of(io), path, O_RDWR, 0);
	int pid = 0;

	if (fd < 0) {
		return fd;
	}
	if (fcntl(fd, F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK && whole.l_pid > 0) {
		pid = whole.l_pid;
	}
	close(fd);
	return pid;
}
