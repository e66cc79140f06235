/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that says done and forgets, for the path bench only: what is left of a record's way is NIC
 * buffer -> log buffer, CRC checked. Nothing that links this may call an acknowledgement durable;
 * penstockd has no such backend and no setting for one.
 */
#ifndef BENCH_IO_FORGET_H
#define BENCH_IO_FORGET_H

#include <stdint.h>
#include "base/compiler.h"
#include "base/io.h"

/*
 * Files and names are real, below data_dir, but sparse. Hot requests complete latency_ns after they
 * were submitted: with a disk that is done at once every turn would commit a group of its own, and
 * what is measured would be the guard's tail copies.
 */
int io_forget_create(const char *data_dir, uint64_t latency_ns, struct io **ret_io) MUST_CHECK;

#endif
