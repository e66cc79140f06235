/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of golden bytes, see vector.h. Meson tells the source tree by PENSTOCK_SOURCE_ROOT. */
#include "support/vector.h"

#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noreturn)) static void
vector_fail(const char *path, const char *why)
{
	fprintf(stderr, "tests/vectors/%s: %s\n", path, why);
	abort();
}

static int
vector_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	return -1;
}

static void
vector_note(struct vector *vector, char *line)
{
	const char *word = "# expect: ";

	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, word, strlen(word)) == 0) {
		const char *text = line + strlen(word);
		size_t len = strnlen(text, sizeof(vector->expect) - 1);

		memcpy(vector->expect, text, len);
		vector->expect[len] = '\0';
	}
}

static void
vector_line(struct vector *vector, const char *line, const char *path)
{
	for (const char *c = line; *c;) {
		if (isspace((unsigned char)*c)) {
			c++;
			continue;
		}
		int high = vector_digit(c[0]);
		int low = high < 0 ? -1 : vector_digit(c[1]);

		if (low < 0) {
			vector_fail(path, "neither hex digits in pairs nor white space");
		}
		if (vector->len == sizeof(vector->bytes)) {
			vector_fail(path, "too long");
		}
		vector->bytes[vector->len++] = (uint8_t)(high << 4 | low);
		c += 2;
	}
}

void
vector_load(struct vector *vector, const char *path)
{
	char full[4096];
	char line[4096];

	snprintf(full, sizeof(full), "%s/tests/vectors/%s", PENSTOCK_SOURCE_ROOT, path);
	FILE *file = fopen(full, "r");

	if (!file) {
		vector_fail(path, "cannot be read");
	}
	vector->len = 0;
	vector->expect[0] = '\0';
	while (fgets(line, sizeof(line), file)) {
		if (line[0] == '#') {
			vector_note(vector, line);
		} else {
			vector_line(vector, line, path);
		}
	}
	fclose(file);
}

uint32_t
vector_each(const char *folder, vector_fn fn, void *user_data)
{
	struct vector *vector = malloc(sizeof(*vector));
	char pattern[4096];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/tests/vectors/%s/*.hex", PENSTOCK_SOURCE_ROOT, folder);
	if (!vector || glob(pattern, 0, NULL, &found) != 0) {
		vector_fail(folder, "has no .hex files");
	}
	uint32_t count = (uint32_t)found.gl_pathc;

	for (uint32_t i = 0; i < count; i++) {
		const char *name = strrchr(found.gl_pathv[i], '/') + 1;
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", folder, name);
		vector_load(vector, path);
		fn(user_data, name, vector);
	}
	globfree(&found);
	free(vector);
	return count;
}
