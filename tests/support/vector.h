/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden bytes of tests/vectors: text files of hex digits, white space, and comment lines that begin
 * with `#`; `# word: text` lines can be asked for by their word.
 */
#ifndef SUPPORT_VECTOR_H
#define SUPPORT_VECTOR_H

#include <stddef.h>
#include <stdint.h>

#define VECTOR_BYTES_MAX 65536
#define VECTOR_NOTE_MAX	 128

struct vector {
	uint8_t bytes[VECTOR_BYTES_MAX];
	size_t len;
	char expect[VECTOR_NOTE_MAX]; /* of a line `# expect: ...`, or "" */
};

/* Reads tests/vectors/<path>. Aborts with a message if it is not there or malformed. */
void vector_load(struct vector *vector, const char *path);

#endif
