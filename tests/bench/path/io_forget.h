/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that says done and forgets, for the path bench only: what is left of a record's way is NIC
 * buffer -> log buffer, CRC checked. Nothing that links this may call an acknowledgement durable;
 * penstockd has no such backend and no setting for one.
 */
#ifndef BENCH_IO_FORGET_H
#define BENCH_IO_FORGET_H

#include "base/compiler.h"
#include "base/io.h"

/* Files and names are real, below data_dir, but sparse; hot requests complete at the next reap. */
int io_forget_create(const char *data_dir, struct io **ret_io) MUST_CHECK;

#endif
