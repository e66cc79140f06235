/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decorator of seam base/io.h for tests of the real program: wraps any io, delays flushes or
 * writes, fails or shortens the n-th one. Same threads as the io it wraps. The simulated disk takes
 * the same rules.
 */
#ifndef LOGSTORE_IO_IO_FAULT_H
#define LOGSTORE_IO_IO_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/compiler.h"
#include "base/io.h"

#define IO_FAULT_RULES_MAX 16

/* Operations a rule can name. Hot ones first; the decorator takes only these. */
enum io_fault_op {
	IO_FAULT_WRITE,
	IO_FAULT_FLUSH,
	IO_FAULT_READ,
	IO_FAULT_OPEN, /* from here on: housekeeping, simulated disk only */
	IO_FAULT_PREAD,
	IO_FAULT_PWRITE,
	IO_FAULT_ALLOCATE,
	IO_FAULT_ZERO,
	IO_FAULT_TRUNCATE,
	IO_FAULT_FSYNC, /* fsync and fdatasync of a file */
	IO_FAULT_FSYNC_DIR,
	IO_FAULT_SYNC_FS,
	IO_FAULT_MAKE_DIR,
	IO_FAULT_REMOVE_DIR,
	IO_FAULT_RENAME,
	IO_FAULT_UNLINK,
	IO_FAULT_LIST,
	IO_FAULT_OP_COUNT,
};

enum io_fault_kind {
	IO_FAULT_ERROR,	    /* the operation does nothing and reports -error */
	IO_FAULT_SHORT,	    /* only the first `bytes` bytes are done and reported */
	IO_FAULT_LOST,	    /* reports success, does nothing (simulated disk only) */
	IO_FAULT_MISDIRECT, /* right bytes at another place: `bytes` further (simulated disk only) */
};

struct io_fault_rule {
	enum io_fault_op op;
	enum io_fault_kind kind;
	uint32_t nth;	/* 1: the next operation of that kind that matches */
	bool sticky;	/* and all after it */
	int error;	/* positive errno: EIO, ENOSPC, EAGAIN, ECANCELED */
	uint32_t bytes; /* SHORT, MISDIRECT */
	char path_contains[32]; /* simulated disk only; empty: any file */
};

struct io_fault_options {
	struct clock *clock;
	uint64_t write_delay_ns; /* added to each completion */
	uint64_t flush_delay_ns;
	uint64_t read_delay_ns;
	uint64_t delays_end_ns; /* of `clock`: no delays from then on; 0: for ever */
	uint32_t rule_count;
	struct io_fault_rule rules[IO_FAULT_RULES_MAX];
};

/* Owns `inner` from success on. -EINVAL: a rule this decorator cannot do. */
int io_fault_create(struct io *inner, const struct io_fault_options *options, struct io **ret_io)
	MUST_CHECK;

#endif
