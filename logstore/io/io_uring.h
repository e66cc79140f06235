/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The io_uring backend of seam base/io.h: one ring per log lcore, O_DIRECT, registered buffers and
 * files. Created in main, disabled; ops->enable by the pinned log lcore makes that thread the single
 * issuer. From then on every hot op, slot_set too, must come from it.
 */
#ifndef LOGSTORE_IO_IO_URING_H
#define LOGSTORE_IO_IO_URING_H

#include <stdint.h>
#include "base/compiler.h"
#include "base/io.h"

struct io_uring_options {
	const char *data_dir; /* must exist */
	uint32_t slots_max;   /* registered files; <= RLIMIT_NOFILE */
	uint32_t queue_depth; /* SQ entries; 0: 256. The CQ is four times that */
	const uint16_t *housekeeping_cpus; /* io-wq workers run there; NULL: anywhere */
	uint32_t housekeeping_cpu_count;
};

/* Why the ring could not be made (step, errno, cause), and the command that mends it. One line each. */
struct io_uring_cause {
	char text[256];
	char fix[192];
};

/*
 * -EPERM, -ENOSYS, -ENOMEM, -EMFILE, ... with the cause; the caller falls back to io_sync and logs
 * it. ENOMEM is tried again 5 times, 500 ms apart (ring memory of a dead process is
 * freed late), unless RLIMIT_MEMLOCK is too low for any ring.
 */
int io_uring_create(const struct io_uring_options *options, struct io **ret_io,
	struct io_uring_cause *ret_cause) MUST_CHECK;

#endif
