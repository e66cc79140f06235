/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quarantine.json: which offsets of a partition are doubtful and why. Written by recovery, read at
 * every later start; the state ends only by an explicit repair that removes the file. Keeper thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "logstore/recovery.h"

int
quarantine_write(struct io *io, const struct partition *p, int64_t segment_base, const char *reason)
{
	char text[1024];
	int n = snprintf(text, sizeof(text),
		"{\"version\":1,\"file\":\"%020" PRId64 ".log\",\"first_offset\":%" PRId64
		",\"end_offset\":%" PRId64 ",\"reason\":\"%s\"}\n",
		segment_base, p->doubtful.first_offset, p->doubtful.end_offset, reason);

	if (n < 0 || (size_t)n >= sizeof(text)) {
		return -ENOBUFS;
	}
	return file_util_replace(io, p->dir, "quarantine.json", text, (size_t)n);
}

static int
find_number(const char *text, const char *key, int64_t *ret)
{
	const char *at = strstr(text, key);
	char *end = NULL;

	if (!at) {
		return -EBADMSG;
	}
	*ret = strtoll(at + strlen(key), &end, 10);
	return end == at + strlen(key) ? -EBADMSG : 0;
}

int
quarantine_read(struct io *io, const char *dir, struct doubtful_range *ret_range)
{
	struct file_bytes file;
	int rc = file_util_read(io, dir, "quarantine.json", &file);

	if (rc < 0) {
		return rc;
	}
	file.bytes[file.len] = 0; /* file_util_read leaves room for it */
	rc = find_number((char *)file.bytes, "\"first_offset\":", &ret_range->first_offset);
	rc = rc < 0 ? rc : find_number((char *)file.bytes, "\"end_offset\":", &ret_range->end_offset);
	if (rc < 0) {
		/* Nobody knows which offsets: all of them are doubtful. */
		*ret_range = (struct doubtful_range){.first_offset = 0, .end_offset = 0};
	}
	free(file.bytes);
	return 0;
}
