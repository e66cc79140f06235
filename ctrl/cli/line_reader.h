/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines out of a file, a pipe or a terminal, with bounded memory and a second descriptor that ends
 * the wait (a signalfd). With a delimiter a newline within a quoted field belongs to the line, as CSV
 * has it.
 */
#ifndef CTRL_CLI_LINE_READER_H
#define CTRL_CLI_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_READER_BYTES_MAX (4u * 1024 * 1024) /* of one line */

struct line_reader {
	int fd;
	int interrupt_fd; /* -1: none */
	char delimiter; /* of CSV fields; 0: plain lines */
	bool at_end;
	bool in_quotes;
	bool just_closed; /* the byte before was a closing quote: another one reopens */
	char *buffer;
	size_t begin, scanned, end, room;
	uint64_t bytes_read;
	uint64_t line; /* number of the line given last, from 1; lines within quotes count as one */
};

void line_reader_init(struct line_reader *reader, int fd, int interrupt_fd, char delimiter);
/*
 * 1 with the next line without its \n or \r\n, valid until the next call; 0 at the end; -EINTR: the
 * interrupt descriptor is readable; -EMSGSIZE: longer than LINE_READER_BYTES_MAX; -EBADMSG: the file
 * ends within quotes; another errno of read().
 */
int line_reader_next(struct line_reader *reader, const char **ret_line, size_t *ret_len);
void line_reader_free(struct line_reader *reader);

#endif
