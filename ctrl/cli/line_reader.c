/* SPDX-License-Identifier: Apache-2.0 */
/* See line_reader.h. The bytes from `begin` to `scanned` hold no end of line. */
#include "ctrl/cli/line_reader.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM_FIRST 65536

void
line_reader_init(struct line_reader *reader, int fd, int interrupt_fd, char delimiter)
{
	*reader = (struct line_reader){.fd = fd, .interrupt_fd = interrupt_fd, .delimiter = delimiter};
}

void
line_reader_free(struct line_reader *reader)
{
	free(reader->buffer);
	reader->buffer = NULL;
	reader->begin = reader->scanned = reader->end = reader->room = 0;
}

/* A quote opens only at the beginning of a field, or doubled; elsewhere it is text. */
static bool
quote_opens(const struct line_reader *reader)
{
	return reader->just_closed || reader->scanned == reader->begin ||
	       reader->buffer[reader->scanned - 1] == reader->delimiter;
}

/* Scans on; true if the byte at `scanned` is the newline that ends the line. */
static bool
find_end(struct line_reader *reader)
{
	for (; reader->scanned < reader->end; reader->scanned++) {
		char c = reader->buffer[reader->scanned];
		bool closes = false;

		if (c == '"' && reader->delimiter && reader->in_quotes) {
			reader->in_quotes = false;
			closes = true;
		} else if (c == '"' && reader->delimiter && quote_opens(reader)) {
			reader->in_quotes = true;
		} else if (c == '\n' && !reader->in_quotes) {
			reader->just_closed = false;
			return true;
		}
		reader->just_closed = closes;
	}
	return false;
}

/* Room for more bytes behind `end`: the line moves to the front, or the buffer grows. */
static int
make_room(struct line_reader *reader)
{
	size_t room = reader->room ? reader->room * 2 : ROOM_FIRST;
	char *grown;

	if (reader->begin > 0) {
		memmove(reader->buffer, reader->buffer + reader->begin, reader->end - reader->begin);
		reader->scanned -= reader->begin;
		reader->end -= reader->begin;
		reader->begin = 0;
	}
	if (reader->end < reader->room) {
		return 0;
	}
	if (reader->room >= LINE_READER_BYTES_MAX) {
		return -EMSGSIZE;
	}
	grown = realloc(reader->buffer, room);
	if (!grown) {
		return -ENOMEM;
	}
	reader->buffer = grown;
	reader->room = room;
	return 0;
}

static int
read_more(struct line_reader *reader)
{
	struct pollfd fds[2] = {{.fd = reader->fd, .events = POLLIN},
		{.fd = reader->interrupt_fd, .events = POLLIN}};
	ssize_t got;
	int err = make_room(reader);

	if (err) {
		return err;
	}
	while (poll(fds, 2, -1) < 0) {
		if (errno != EINTR) {
			return -errno;
		}
	}
	if (fds[1].revents) {
		return -EINTR;
	}
	got = read(reader->fd, reader->buffer + reader->end, reader->room - reader->end);
	if (got < 0) {
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	}
	reader->at_end = got == 0;
	reader->end += (size_t)got;
	reader->bytes_read += (uint64_t)got;
	return 0;
}

int
line_reader_next(struct line_reader *reader, const char **ret_line, size_t *ret_len)
{
	bool found = find_end(reader);
	int err = 0;

	while (!found && !reader->at_end && err == 0) {
		err = read_more(reader);
		found = err == 0 && find_end(reader);
	}
	if (err) {
		return err;
	}
	if (!found && reader->in_quotes) {
		return -EBADMSG;
	}
	if (!found && reader->begin == reader->end) {
		return 0;
	}
	*ret_line = reader->buffer + reader->begin;
	*ret_len = reader->scanned - reader->begin;
	if (*ret_len > 0 && (*ret_line)[*ret_len - 1] == '\r') {
		(*ret_len)--;
	}
	reader->scanned += found ? 1 : 0;
	reader->begin = reader->scanned;
	reader->line++;
	return 1;
}
