/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of one CSV record as RFC 4180 writes them, with any one-byte delimiter. Pure functions. */
#ifndef CTRL_CLI_CSV_H
#define CTRL_CLI_CSV_H

#include <stddef.h>
#include <stdint.h>

/*
 * Copies field `index` (from 0), without its quotes, into room. Returns its length; -ENOENT: the
 * record has fewer fields; -EBADMSG: a quote that is not closed, or text behind a closing quote;
 * -ENOBUFS: longer than room.
 */
int64_t csv_field(const char *record, size_t len, char delimiter, uint32_t index, char *ret_text,
	size_t room);
/*
 * The column a user names: a name in the header, or a number from 1. header NULL: numbers only.
 * Returns the index from 0, or -ENOENT.
 */
int64_t csv_column(const char *header, size_t len, char delimiter, const char *word);

#endif
