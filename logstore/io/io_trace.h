/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trace of the I/O seam, judged while it is made: a second reading of what the log writes. It sits
 * between a log shard and its io, follows every hot write and flush, reads the guard records that pass
 * (the formats of guard.h and seal.h, by their bytes alone) and complains when
 *   - a guard record tells of a range that no write before it in its group carried, byte for byte;
 *   - a guard record says that a group is acknowledged (durable_seq) before every write up to that
 *     group's own record was covered by a flush, or was a DSYNC write that completed;
 *   - a DURABLE note (io_trace_note) is for bytes of which the same is not true.
 * A flush covers the writes completed before it was queued: of its own file, or of all if its file was
 * never written (the flush file of a device). A failed flush covers nothing, now or later.
 *
 * One trace a shard's io; the thread of the hot half. It allocates: for tests and dev mode.
 */
#ifndef LOGSTORE_IO_IO_TRACE_H
#define LOGSTORE_IO_IO_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/compiler.h"
#include "base/io.h"

struct io_trace;

typedef void (*io_trace_violation_fn)(void *user_data, const char *text);

struct io_trace_counts {
	uint64_t writes;
	uint64_t flushes;
	uint64_t groups;     /* guard records with ranges */
	uint64_t proven;     /* of them, covered */
	uint64_t notes;	     /* asked about */
	uint64_t judged;     /* of them, held against what this trace saw written */
	uint64_t violations;
};

/*
 * Puts the trace into `io` itself: its table of operations is replaced until ops->destroy, which
 * frees the trace. `violation` NULL: print and abort. -ENOMEM.
 */
int io_trace_attach(struct io *io, io_trace_violation_fn violation, void *user_data,
	struct io_trace **ret_trace) MUST_CHECK;
/* A DURABLE note was given out: all up to this offset (inclusive) of the partition is durable. */
void io_trace_note(struct io_trace *trace, const uint8_t topic_id[16], uint32_t partition,
	int64_t offset);
void io_trace_counts(const struct io_trace *trace, struct io_trace_counts *ret_counts);

#endif
