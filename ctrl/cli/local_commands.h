/* SPDX-License-Identifier: Apache-2.0 */
/* What the hand-written commands share among themselves. */
#ifndef CTRL_CLI_LOCAL_COMMANDS_H
#define CTRL_CLI_LOCAL_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

struct cli;
struct option;

/* error_text.c: a flag that getopt_long does not know, with the nearest, or one without its value. */
int cli_option_error(const char *command, const char *word, bool lacks_value, const struct option *options);

/*
 * Blocks SIGINT, SIGTERM and SIGHUP and gives a descriptor that is readable once one came; -1: none.
 * Threads made later inherit the mask.
 */
int cli_interrupt_fd(void);

#endif
