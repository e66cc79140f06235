/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quarantine.json: which offsets of a partition are doubtful and why. Written by recovery and, for what
 * is found later, by seals and cold reads; read at every start. The state ends only by an explicit repair
 * that removes the file. Keeper thread.
 */
#ifndef LOGSTORE_QUARANTINE_H
#define LOGSTORE_QUARANTINE_H

#include <stdbool.h>
#include <stdint.h>
#include "logstore/file_util.h"
#include "logstore/partition.h"

/* end <= first: nobody knows where the doubt ends. */
struct quarantine_cause {
	int64_t segment_base;
	int64_t first_offset;
	int64_t end_offset;
	const char *reason;
};

/*
 * Marks the partition and writes the file. The first cause stays: a marked partition is not marked
 * again. An error of the file leaves the mark: the caller tells it, or comes again to write it.
 */
int quarantine_mark(struct io *io, struct partition *p, const struct quarantine_cause *cause);
/* 0 and the range if the directory has a quarantine.json; -ENOENT; what cannot be read counts as one. */
int quarantine_read(struct io *io, const char *dir, struct doubtful_range *ret_range);
/* True if that offset must not be served. */
bool quarantine_covers(const struct partition *p, int64_t offset);

#endif
