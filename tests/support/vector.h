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

typedef void (*vector_fn)(void *user_data, const char *name, const struct vector *vector);

/* Reads tests/vectors/<path>. Aborts with a message if it is not there or malformed. */
void vector_load(struct vector *vector, const char *path);
/* Calls fn with every .hex file of tests/vectors/<folder>, by name; returns how many there were. */
uint32_t vector_each(const char *folder, vector_fn fn, void *user_data);

#endif
