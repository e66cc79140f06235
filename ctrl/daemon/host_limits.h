/* SPDX-License-Identifier: Apache-2.0 */
/* What this process may use of the host: locked memory, open files, CPUs. Start-up only; no state. */
#ifndef CTRL_HOST_LIMITS_H
#define CTRL_HOST_LIMITS_H

#include <stdbool.h>
#include "base/compiler.h"
#include "ctrl/daemon/config.h"

/* True if RLIMIT_MEMLOCK does not bind (CAP_IPC_LOCK). */
bool host_limits_lock_freely(void);
/* Raises the soft limit of open files to the hard one: a log has two descriptors a partition. */
void host_limits_raise_files(void);
/*
 * Every CPU that an lcores.* list names must be online. -EINVAL with an error in three parts: the
 * key with its place, what is online, the setting that fits.
 */
int host_limits_check_cpus(const struct config *config, char *ret_text, size_t text_bytes) MUST_CHECK;

#endif
