/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `penstock log dump` over files that anything may have damaged. The first byte chooses the file's
 * kind; an index shares the input with the segment beside it, whose length comes first. What is
 * printed is JSON whatever the bytes are, and what is damaged is counted.
 */
#include <stdlib.h>
#include <string.h>
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/ensure.h"
#include "ctrl/cli/dump.h"
#include "fuzz/fuzz.h"

enum kind {
	KIND_LOG,
	KIND_INDEX,
	KIND_TIME_INDEX,
	KIND_SEAL,
	KIND_SNAPSHOT,
	KIND_PRODUCERS,
	KIND_COUNT,
};

#define KIND_NAMED 0x80 /* the file's name tells a base offset */
#define BASE_OFFSET 70

/* Splits [u16 length of the log][log][index]. */
static struct dump_file
split_index(const uint8_t *bytes, size_t len, struct dump_file *ret_log)
{
	size_t log_len = len >= 2 ? load_be16(bytes) : 0;

	*ret_log = (struct dump_file){0};
	if (len < 2 || log_len > len - 2) {
		return (struct dump_file){len > 0 ? bytes : NULL, len};
	}
	*ret_log = (struct dump_file){log_len > 0 ? bytes + 2 : NULL, log_len};
	return (struct dump_file){log_len < len - 2 ? bytes + 2 + log_len : NULL, len - 2 - log_len};
}

static void
dump_any(struct dump *dump, uint8_t choice, const uint8_t *bytes, size_t len)
{
	struct dump_file file = {len > 0 ? bytes : NULL, len};
	int64_t base = choice & KIND_NAMED ? BASE_OFFSET : -1;
	struct dump_file log;

	switch ((choice & ~KIND_NAMED) % KIND_COUNT) {
	case KIND_LOG:
		ensure(dump_log(dump, &file, base) <= len);
		break;
	case KIND_INDEX:
		file = split_index(bytes, len, &log);
		dump_index(dump, &file, &log, base);
		break;
	case KIND_TIME_INDEX:
		dump_time_index(dump, &file, base);
		break;
	case KIND_SEAL:
		dump_seal(dump, &file, "/nowhere/00000000000000000070.seal");
		break;
	case KIND_SNAPSHOT:
		dump_producers(dump, &file, false);
		break;
	default:
		dump_producers(dump, &file, true);
	}
}

/* One dump into memory. Returns the damages. */
static uint64_t
dump_once(bool json, uint8_t choice, const uint8_t *bytes, size_t len)
{
	char *text = NULL;
	size_t text_len = 0;
	struct dump dump = {.json = json, .deep = true, .end_offset = -1};
	json_t *rows;

	dump.out = open_memstream(&text, &text_len);
	ensure(dump.out != NULL);
	fputc('[', dump.out);
	dump_any(&dump, choice, bytes, len);
	fputc(']', dump.out);
	ensure(fclose(dump.out) == 0);
	if (json) {
		rows = json_loadb(text, text_len, 0, NULL);
		ensure(json_is_array(rows));
		json_decref(rows);
	}
	ensure(dump.damages == dump.file_damages);
	ensure(dump.records >= dump.batches || dump.damages > 0);
	free(text);
	return dump.damages;
}

/* The checksum of a batch, a seal or a snapshot made right, so that mutations get behind it. */
static void
fix_checksum(uint8_t choice, uint8_t *bytes, size_t len)
{
	size_t at = 0;

	switch ((choice & ~KIND_NAMED) % KIND_COUNT) {
	case KIND_LOG:
		while (len - at >= RECORD_BATCH_HEADER_BYTES) {
			uint64_t total = 12 + (uint64_t)load_be32(bytes + at + 8);

			if (total < RECORD_BATCH_HEADER_BYTES || total > len - at) {
				break;
			}
			store_be32(bytes + at + 17, record_batch_crc(bytes + at, total));
			at += total;
		}
		break;
	case KIND_SEAL:
	case KIND_PRODUCERS:
		if (len >= 12) {
			store_le32(bytes + 8, crc32c_update(0, bytes + 12, len - 12));
		}
		break;
	case KIND_SNAPSHOT:
		if (len >= 6) {
			store_be32(bytes + 2, crc32c_update(0, bytes + 6, len - 6));
		}
		break;
	default:
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint8_t *fixed = len > 0 ? malloc(len) : NULL;

	if (!fixed) {
		return 0;
	}
	memcpy(fixed, bytes + 1, len - 1);
	for (int pass = 0; pass < 2; pass++) {
		uint64_t damages = dump_once(true, bytes[0], fixed, len - 1);

		ensure(dump_once(false, bytes[0], fixed, len - 1) == damages);
		fix_checksum(bytes[0], fixed, len - 1);
	}
	free(fixed);
	return 0;
}
