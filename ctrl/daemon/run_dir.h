/* SPDX-License-Identifier: Apache-2.0 */
/* The directory that the control socket lies in. At start, control thread. */
#ifndef CTRL_RUN_DIR_H
#define CTRL_RUN_DIR_H

#include <stdbool.h>
#include "ctrl/daemon/wiring.h"

/*
 * Makes the directory of the socket if it is not there (its parent must be): 0700 in dev mode, where it may
 * stand in /tmp, else 0750. One that is there must belong to us or to root: whoever
 * owned it could put a socket of his own in our place. Negative errno, error told.
 */
int run_dir_make(const char *socket_path, bool dev, struct wiring_error *error) MUST_CHECK;

#endif
