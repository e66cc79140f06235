/* SPDX-License-Identifier: Apache-2.0 */
/* quarantine.json. See quarantine.h. */
#include "logstore/quarantine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"

int
quarantine_mark(struct io *io, struct partition *p, const struct quarantine_cause *cause)
{
	char text[1024];

	if (p->has_doubtful && p->doubtful_written) {
		return 0;
	}
	if (!p->has_doubtful) {
		p->has_doubtful = true;
		p->doubtful = (struct doubtful_range){.first_offset = cause->first_offset,
			.end_offset = cause->end_offset > cause->first_offset ? cause->end_offset
									      : cause->first_offset};
		log_error("logstore",
			"%s: quarantined, offsets [%" PRId64 ", %" PRId64 ") of segment %" PRId64 ": %s", p->dir,
			p->doubtful.first_offset, p->doubtful.end_offset, cause->segment_base, cause->reason);
	}
	int n = snprintf(text, sizeof(text),
		"{\"version\":1,\"file\":\"%020" PRId64 ".log\",\"first_offset\":%" PRId64
		",\"end_offset\":%" PRId64 ",\"reason\":\"%s\"}\n",
		cause->segment_base, p->doubtful.first_offset, p->doubtful.end_offset, cause->reason);

	if (n < 0 || (size_t)n >= sizeof(text)) {
		return -ENOBUFS;
	}
	int rc = file_util_replace(io, p->dir, "quarantine.json", text, (size_t)n);

	p->doubtful_written = rc == 0;
	if (rc < 0) {
		log_error("logstore", "%s: quarantine.json could not be written: errno=%d", p->dir, -rc);
	}
	return rc;
}

bool
quarantine_covers(const struct partition *p, int64_t offset)
{
	const struct doubtful_range *d = &p->doubtful;

	return p->has_doubtful && offset >= d->first_offset &&
		(offset < d->end_offset || d->end_offset <= d->first_offset);
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

	if (rc == -ENOENT || rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE) {
		return rc;
	}
	if (rc < 0) {
		/* It is there, and nobody knows which offsets. */
		*ret_range = (struct doubtful_range){.first_offset = 0, .end_offset = 0};
		return 0;
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
