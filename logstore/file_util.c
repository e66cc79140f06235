/* SPDX-License-Identifier: Apache-2.0 */
/* Small files. See file_util.h. */
#include "logstore/file_util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/crc32c.h"
#include "base/ensure.h"

#define READ_PIECE (256u << 10)

void
file_util_path(char ret[FILE_PATH_MAX], const char *dir, const char *name)
{
	int n = dir ? snprintf(ret, FILE_PATH_MAX, "%s/%s", dir, name)
		    : snprintf(ret, FILE_PATH_MAX, "%s", name);

	ensure(n > 0);
	ensure(n < FILE_PATH_MAX);
}

void
file_util_segment_path(char ret[FILE_PATH_MAX], const char *dir, int64_t base, const char *suffix)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "%020" PRId64 "%s", base, suffix);
	file_util_path(ret, dir, name);
}

void
file_util_spare_path(char ret[FILE_PATH_MAX], uint64_t file_id, const char *suffix)
{
	(void)snprintf(ret, FILE_PATH_MAX, "penstock-%016" PRIx64 ".%s", file_id, suffix);
}

int
file_util_remove(struct io *io, const char *dir, const char *name)
{
	char path[FILE_PATH_MAX];

	file_util_path(path, dir, name);
	int rc = io->ops->unlink(io, path);

	return rc == -ENOENT ? 0 : rc;
}

int
file_util_replace_lazy(struct io *io, const char *dir, const char *name, const void *bytes, size_t len)
{
	char path[FILE_PATH_MAX];
	char tmp_name[FILE_PATH_MAX];
	char tmp[FILE_PATH_MAX];
	int n = snprintf(tmp_name, sizeof(tmp_name), "%s.tmp", name);

	ensure(n < (int)sizeof(tmp_name));
	file_util_path(path, dir, name);
	file_util_path(tmp, dir, tmp_name);
	int rc = file_util_remove(io, dir, tmp_name);

	if (rc < 0) {
		return rc;
	}
	int fd = io->ops->open(io, tmp, IO_OPEN_CREATE);

	if (fd < 0) {
		return fd;
	}
	rc = len > 0 ? io->ops->pwrite(io, fd, bytes, len, 0) : 0;
	rc = rc < 0 ? rc : io->ops->fsync(io, fd);
	io->ops->close(io, fd);
	return rc < 0 ? rc : io->ops->rename(io, tmp, path);
}

int
file_util_replace(struct io *io, const char *dir, const char *name, const void *bytes, size_t len)
{
	int rc = file_util_replace_lazy(io, dir, name, bytes, len);

	return rc < 0 ? rc : io->ops->fsync_dir(io, dir ? dir : ".");
}

int
file_util_read(struct io *io, const char *dir, const char *name, struct file_bytes *ret)
{
	char path[FILE_PATH_MAX];
	struct io_stat stat;

	*ret = (struct file_bytes){0};
	file_util_path(path, dir, name);
	int rc = io->ops->stat(io, path, &stat);

	if (rc < 0) {
		return rc;
	}
	int fd = io->ops->open(io, path, IO_OPEN_READ_ONLY);

	if (fd < 0) {
		return fd;
	}
	ret->bytes = malloc(stat.size_bytes + 1);
	ret->len = stat.size_bytes;
	rc = ret->bytes ? 0 : -ENOMEM;
	if (rc == 0 && ret->len > 0) {
		rc = io->ops->pread(io, fd, ret->bytes, ret->len, 0);
	}
	io->ops->close(io, fd);
	if (rc < 0) {
		free(ret->bytes);
		*ret = (struct file_bytes){0};
		return rc;
	}
	return 0;
}

int
file_util_crc(struct io *io, const char *path, uint32_t *ret_crc, uint64_t *ret_len)
{
	struct io_stat stat;
	int rc = io->ops->stat(io, path, &stat);

	*ret_crc = 0;
	*ret_len = 0;
	if (rc < 0) {
		return rc == -ENOENT ? 0 : rc;
	}
	int fd = io->ops->open(io, path, IO_OPEN_READ_ONLY);

	if (fd < 0) {
		return fd;
	}
	uint8_t *piece = malloc(READ_PIECE);

	rc = piece ? 0 : -ENOMEM;
	for (uint64_t at = 0; rc == 0 && at < stat.size_bytes; at += READ_PIECE) {
		uint64_t left = stat.size_bytes - at;
		size_t len = left < READ_PIECE ? (size_t)left : READ_PIECE;

		rc = io->ops->pread(io, fd, piece, len, at);
		rc = rc < 0 ? rc : 0;
		*ret_crc = rc < 0 ? 0 : crc32c_update(*ret_crc, piece, len);
	}
	free(piece);
	io->ops->close(io, fd);
	*ret_len = stat.size_bytes;
	return rc;
}

static void
gather(void *user_data, const char *name, bool is_directory)
{
	struct file_names *names = user_data;

	if (names->count == names->max) {
		uint32_t max = names->max ? names->max * 2 : 64;
		struct file_name *more = realloc(names->names, max * sizeof(more[0]));

		if (!more) {
			names->failed = true;
			return;
		}
		names->names = more;
		names->max = max;
	}
	struct file_name *n = &names->names[names->count++];

	(void)snprintf(n->name, sizeof(n->name), "%s", name);
	n->is_directory = is_directory;
}

int
file_util_list(struct io *io, const char *dir, struct file_names *ret)
{
	*ret = (struct file_names){0};
	int rc = io->ops->list(io, dir ? dir : ".", gather, ret);

	rc = rc < 0 ? rc : ret->failed ? -ENOMEM : 0;
	if (rc < 0) {
		free(ret->names);
		*ret = (struct file_names){0};
	}
	return rc;
}
