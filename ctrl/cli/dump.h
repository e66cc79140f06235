/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a partition directory as rows of names and values, with verdicts. Reads files that nobody
 * writes; of a live directory only what is below the durable position is promised. Memory: one row.
 */
#ifndef CTRL_CLI_DUMP_H
#define CTRL_CLI_DUMP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <jansson.h>
#include "base/compiler.h"
#include "wire/record_batch.h"

struct dump {
	FILE *out;
	bool json; /* one document; else text */
	bool deep; /* records too, and index entries against the log */
	bool quiet; /* text: verdicts only */
	uint64_t max_bytes; /* of each .log; 0: all */
	/* The account. */
	uint64_t files;
	uint64_t batches;
	uint64_t records;
	uint64_t damages;
	/* Of the file in hand. */
	bool row_written;
	uint64_t file_damages;
	int64_t end_offset; /* behind the last segment, -1: none yet; a gap before the next is damage */
};

/* A file in memory. bytes is NULL if it is empty. */
struct dump_file {
	const uint8_t *bytes;
	size_t len;
};

void dump_begin(struct dump *dump);
void dump_end(struct dump *dump);
/*
 * One file by its name's end: .log .index .timeindex .seal .snapshot .producers. 0; -ENOTSUP: another
 * kind; or the errno of opening it.
 */
int dump_path(struct dump *dump, const char *path);
/* A directory's files in the order of their names. Returns how many were dumped or a negative errno. */
int64_t dump_directory(struct dump *dump, const char *path);

/* For the parts of the dump. A row is taken over; NULL rows (no memory) are left out. */
void dump_row(struct dump *dump, json_t *row);
void dump_damage(struct dump *dump, uint64_t position, const char *format, ...) PRINTF_LIKE(3, 4);
int dump_map(const char *path, struct dump_file *ret_file);
void dump_unmap(struct dump_file *file);
/* A .log; base_offset as its name says, -1: unknown. Returns the bytes of whole batches. */
uint64_t dump_log(struct dump *dump, const struct dump_file *log, int64_t base_offset);
/* Side files; `log` (may be empty) is the segment beside them. */
void dump_index(struct dump *dump, const struct dump_file *index, const struct dump_file *log,
	int64_t base_offset);
void dump_time_index(struct dump *dump, const struct dump_file *index, int64_t base_offset);
void dump_seal(struct dump *dump, const struct dump_file *seal, const char *path);
void dump_producers(struct dump *dump, const struct dump_file *file, bool own_format);

#endif
