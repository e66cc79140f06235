/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The synchronous backend of seam base/io.h: pwrite and fdatasync inside ops->submit, completions
 * reaped in order. The fallback where io_uring is refused, the oracle the ring is compared with, and
 * the keeper's io (whose housekeeping half is the same). wait_fd is -1.
 */
#ifndef LOGSTORE_IO_IO_SYNC_H
#define LOGSTORE_IO_IO_SYNC_H

#include <stdint.h>
#include "base/compiler.h"
#include "base/io.h"

/* slots_max 0: housekeeping only. Negative errno if data_dir cannot be opened. */
int io_sync_create(const char *data_dir, uint32_t slots_max, struct io **ret_io) MUST_CHECK;

#endif
