/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole small files over the housekeeping half of the disk seam: atomic replace (tmp, fsync, rename,
 * fsync of the directory) and reading back; names of a partition's files. Blocking; keeper thread.
 */
#ifndef LOGSTORE_FILE_UTIL_H
#define LOGSTORE_FILE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"
#include "base/io.h"

#define FILE_PATH_MAX 512

struct file_bytes {
	uint8_t *bytes; /* the caller frees */
	size_t len;
};

/* Writes `name` in `dir` (NULL: the data directory) atomically and durably. */
int file_util_replace(struct io *io, const char *dir, const char *name, const void *bytes, size_t len)
	MUST_CHECK;
/* As above without the directory's fsync: several files, one sync by the caller. */
int file_util_replace_lazy(struct io *io, const char *dir, const char *name, const void *bytes,
	size_t len) MUST_CHECK;
/* -ENOENT, -EIO, -ENOMEM. An empty file gives len 0 and a pointer to free. */
int file_util_read(struct io *io, const char *dir, const char *name, struct file_bytes *ret)
	MUST_CHECK;
/* CRC-32C and length of a file; a missing one is empty with CRC 0. */
int file_util_crc(struct io *io, const char *path, uint32_t *ret_crc, uint64_t *ret_len) MUST_CHECK;
/* Names in a directory. The caller frees `names`. */
struct file_name {
	char name[256];
	bool is_directory;
};

struct file_names {
	struct file_name *names;
	uint32_t count;
	uint32_t max;
	bool failed;
};

/* dir NULL: the data directory. -ENOMEM and what list gives. */
int file_util_list(struct io *io, const char *dir, struct file_names *ret) MUST_CHECK;
/* Unlinks; a missing file is fine. What stays by an error is removed at the next start. */
int file_util_remove(struct io *io, const char *dir, const char *name);
void file_util_path(char ret[FILE_PATH_MAX], const char *dir, const char *name);
/* "<dir>/<%020d><suffix>"; dir NULL: only the name. */
void file_util_segment_path(char ret[FILE_PATH_MAX], const char *dir, int64_t base,
	const char *suffix);
/* "penstock-<16 hex>.<suffix>" */
void file_util_spare_path(char ret[FILE_PATH_MAX], uint64_t file_id, const char *suffix);

#endif
