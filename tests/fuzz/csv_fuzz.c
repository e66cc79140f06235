/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines out of a file and fields out of lines. The first byte is the delimiter, 0 for plain lines,
 * which are compared with a splitter of our own; fields are compared with what the line holds.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/ensure.h"
#include "ctrl/cli/csv.h"
#include "ctrl/cli/line_reader.h"
#include "fuzz/fuzz.h"

#define WORD_BYTES 8

static void
fuzz_fields(const char *line, size_t len, char delimiter)
{
	char *text = malloc(len + 1);
	char word[WORD_BYTES] = "1";
	size_t total = 0;
	uint32_t count = 0;
	int64_t n;

	ensure(text != NULL);
	while ((n = csv_field(line, len, delimiter, count, text, len)) >= 0) {
		char small[WORD_BYTES];
		int64_t cut = csv_field(line, len, delimiter, count, small, sizeof(small));

		ensure(cut == (n > WORD_BYTES ? -ENOBUFS : n));
		ensure(memchr(text, '\n', (size_t)n) == NULL || memchr(line, '"', len) != NULL);
		if (n < WORD_BYTES && memchr(text, 0, (size_t)n) == NULL) {
			memcpy(word, text, (size_t)n);
			word[n] = '\0';
			ensure(csv_column(line, len, delimiter, word) >= 0);
			ensure(csv_column(line, len, delimiter, word) <= (int64_t)count);
		}
		total += (size_t)n;
		ensure(++count <= len + 1);
	}
	ensure(n == -ENOENT || n == -EBADMSG);
	ensure(total + (count > 0 ? count - 1 : 0) <= len);
	free(text);
}

/* The next plain line at *at, as the reader must give it. False at the end. */
static bool
plain_line(const uint8_t *bytes, size_t len, size_t *at, size_t *ret_begin, size_t *ret_len)
{
	const uint8_t *end = memchr(bytes + *at, '\n', len - *at);

	if (*at == len) {
		return false;
	}
	*ret_begin = *at;
	*ret_len = end ? (size_t)(end - (bytes + *at)) : len - *at;
	*at += *ret_len + (end ? 1 : 0);
	*ret_len -= *ret_len > 0 && bytes[*ret_begin + *ret_len - 1] == '\r';
	return true;
}

static void
fuzz_lines(struct line_reader *reader, const uint8_t *bytes, size_t len)
{
	size_t at = 0, begin = 0, expected = 0, line_len;
	const char *line;
	int rc;

	while ((rc = line_reader_next(reader, &line, &line_len)) == 1) {
		if (reader->delimiter == 0) {
			ensure(plain_line(bytes, len, &at, &begin, &expected));
			ensure(line_len == expected);
			ensure(memcmp(line, bytes + begin, line_len) == 0);
		}
		fuzz_fields(line, line_len, reader->delimiter ? reader->delimiter : ',');
		ensure(reader->line <= len);
	}
	ensure(rc == 0 || rc == -EBADMSG);
	ensure(rc == 0 || reader->delimiter != 0);
	ensure(reader->bytes_read == len);
	ensure(reader->delimiter != 0 || at == len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct line_reader reader;
	int fd;

	/* Those are no delimiters: the option's parser refuses them. */
	if (len == 0 || bytes[0] == '"' || bytes[0] == '\n' || bytes[0] == '\r') {
		return 0;
	}
	fd = memfd_create("lines", MFD_CLOEXEC);
	ensure(fd >= 0);
	ensure(write(fd, bytes + 1, len - 1) == (ssize_t)(len - 1));
	ensure(lseek(fd, 0, SEEK_SET) == 0);
	line_reader_init(&reader, fd, -1, (char)bytes[0]);
	fuzz_lines(&reader, bytes + 1, len - 1);
	line_reader_free(&reader);
	close(fd);
	return 0;
}
