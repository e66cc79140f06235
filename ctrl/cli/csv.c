/* SPDX-License-Identifier: Apache-2.0 */
#include "ctrl/cli/csv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "ctrl/schema/value.h"

#define NAME_BYTES_MAX 256

/*
 * Walks one field from *at; on return *at is behind its delimiter, or len + 1 after the last field.
 * ret_text NULL: walks only. Returns the length or a negative errno.
 */
static int64_t
take_field(const char *record, size_t len, char delimiter, size_t *at, char *ret_text, size_t room)
{
	size_t i = *at;
	size_t n = 0;
	bool quoted = i < len && record[i] == '"';
	bool closed = false;

	for (i += quoted ? 1 : 0; i < len; i++) {
		char c = record[i];

		if (quoted && !closed && c == '"') {
			if (i + 1 < len && record[i + 1] == '"') {
				i++;
			} else {
				closed = true;
				continue;
			}
		} else if ((!quoted || closed) && c == delimiter) {
			break;
		} else if (closed) {
			return -EBADMSG;
		}
		if (ret_text) {
			if (n == room) {
				return -ENOBUFS;
			}
			ret_text[n] = c;
		}
		n++;
	}
	*at = i + 1;
	return quoted && !closed ? -EBADMSG : (int64_t)n;
}

int64_t
csv_field(const char *record, size_t len, char delimiter, uint32_t index, char *ret_text, size_t room)
{
	size_t at = 0;

	for (uint32_t i = 0; at <= len; i++) {
		bool wanted = i == index;
		int64_t n = take_field(record, len, delimiter, &at, wanted ? ret_text : NULL, room);

		if (n < 0 || wanted) {
			return n;
		}
	}
	return -ENOENT;
}

int64_t
csv_column(const char *header, size_t len, char delimiter, const char *word)
{
	char name[NAME_BYTES_MAX];
	uint64_t number;

	for (uint32_t i = 0; header; i++) {
		int64_t n = csv_field(header, len, delimiter, i, name, sizeof(name));

		if (n == -ENOBUFS) {
			continue; /* no word is that long */
		}
		if (n < 0) {
			break;
		}
		if (strlen(word) == (size_t)n && memcmp(name, word, (size_t)n) == 0) {
			return i;
		}
	}
	if (value_parse_u64(word, &number) == 0 && number >= 1 && number <= UINT32_MAX) {
		return (int64_t)number - 1;
	}
	return -ENOENT;
}
