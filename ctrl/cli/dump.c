/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of the dump: files, rows as text or JSON, the account. */
#include "ctrl/cli/dump.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_DIGITS 20

static const char *const kinds[] = {".log", ".index", ".timeindex", ".seal", ".snapshot", ".producers"};

int
dump_map(const char *path, struct dump_file *ret_file)
{
	struct stat info;
	void *bytes = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 || fstat(fd, &info) != 0 ? -errno : 0;

	*ret_file = (struct dump_file){0};
	if (err == 0 && !S_ISREG(info.st_mode)) {
		err = -EISDIR;
	}
	if (err == 0 && info.st_size > 0) {
		bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		err = bytes == MAP_FAILED ? -errno : 0;
	}
	if (err == 0 && bytes) {
		ret_file->bytes = bytes;
		ret_file->len = (size_t)info.st_size;
	}
	if (fd >= 0) {
		close(fd);
	}
	return err;
}

void
dump_unmap(struct dump_file *file)
{
	if (file->bytes) {
		(void)munmap((void *)(uintptr_t)file->bytes, file->len);
	}
	*file = (struct dump_file){0};
}

/* name: value name: value ..., records indented below their batch. */
static void
print_row(struct dump *dump, const json_t *row)
{
	const char *name;
	json_t *value;
	const char *space = json_object_get(row, "record") ? "  | " : "";

	json_object_foreach((json_t *)row, name, value) {
		fprintf(dump->out, "%s%s: ", space, name);
		if (json_is_string(value)) {
			fputs(json_string_value(value), dump->out);
		} else {
			json_dumpf(value, dump->out, JSON_COMPACT | JSON_ENCODE_ANY);
		}
		space = " ";
	}
	fputc('\n', dump->out);
}

void
dump_row(struct dump *dump, json_t *row)
{
	if (!row) {
		return;
	}
	if (dump->json) {
		fputs(dump->row_written ? ",\n" : "\n", dump->out);
		json_dumpf(row, dump->out, JSON_COMPACT);
	} else if (!dump->quiet || json_object_get(row, "damage")) {
		print_row(dump, row);
	}
	dump->row_written = true;
	json_decref(row);
}

void
dump_damage(struct dump *dump, uint64_t position, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	dump->damages++;
	dump->file_damages++;
	dump_row(dump, json_pack("{s:s,s:I}", "damage", text, "position", (json_int_t)position));
}

void
dump_begin(struct dump *dump)
{
	dump->end_offset = -1;
	if (dump->json) {
		fputs("{\"schema\":\"penstock.log.dump/1\",\"data\":{\"files\":[", dump->out);
	}
}

void
dump_end(struct dump *dump)
{
	if (dump->json) {
		fprintf(dump->out,
			"],\"batches\":%" PRIu64 ",\"records\":%" PRIu64 ",\"damages\":%" PRIu64 "}}\n",
			dump->batches, dump->records, dump->damages);
		return;
	}
	fprintf(dump->out, "%s  %" PRIu64 " files, %" PRIu64 " batches, %" PRIu64 " records, %" PRIu64
			   " damages\n",
		dump->damages ? "FAIL" : "OK", dump->files, dump->batches, dump->records, dump->damages);
}

/* Index of the path's kind, or -1; base offset from its 20 digits, or -1. */
static int
parse_name(const char *path, int64_t *ret_base_offset)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');
	size_t digits = strspn(name, "0123456789");

	*ret_base_offset = digits == NAME_DIGITS && dot == name + digits ? strtoll(name, NULL, 10) : -1;
	for (int i = 0; dot && i < (int)ARRAY_COUNT(kinds); i++) {
		if (strcmp(dot, kinds[i]) == 0) {
			return i;
		}
	}
	return -1;
}

/* The segment beside a side file; empty if there is none. */
static void
map_log_beside(const char *path, struct dump_file *ret_log)
{
	char log[4096];

	snprintf(log, sizeof(log), "%.*s.log", (int)(strrchr(path, '.') - path), path);
	(void)dump_map(log, ret_log);
}

static void
begin_file(struct dump *dump, const char *path, const char *kind, size_t len)
{
	json_t *name = json_string(path);

	dump->file_damages = 0;
	if (dump->json) {
		fprintf(dump->out, "%s\n{\"path\":", dump->files ? "," : "");
		if (name) {
			json_dumpf(name, dump->out, JSON_ENCODE_ANY);
		} else {
			fputs("null", dump->out); /* no UTF-8 */
		}
		fprintf(dump->out, ",\"kind\":\"%s\",\"bytes\":%zu,\"rows\":[", kind + 1, len);
	} else {
		fprintf(dump->out, "%s  %zu bytes\n", path, len);
	}
	json_decref(name);
	dump->row_written = false;
	dump->files++;
}

int
dump_path(struct dump *dump, const char *path)
{
	int64_t base_offset;
	int kind = parse_name(path, &base_offset);
	struct dump_file file;
	struct dump_file log = {0};
	int err = kind < 0 ? -ENOTSUP : dump_map(path, &file);

	if (err) {
		return err;
	}
	begin_file(dump, path, kinds[kind], file.len);
	switch (kind) {
	case 0:
		(void)dump_log(dump, &file, base_offset);
		break;
	case 1:
		map_log_beside(path, &log);
		dump_index(dump, &file, &log, base_offset);
		dump_unmap(&log);
		break;
	case 2:
		dump_time_index(dump, &file, base_offset);
		break;
	case 3:
		dump_seal(dump, &file, path);
		break;
	default:
		dump_producers(dump, &file, kind == 5);
	}
	if (dump->json) {
		fprintf(dump->out, "],\"verdict\":\"%s\"}", dump->file_damages ? "FAIL" : "OK");
	} else {
		fprintf(dump->out, "%s\n", dump->file_damages ? "FAIL" : "OK");
	}
	dump_unmap(&file);
	return 0;
}

static int
is_dumped(const struct dirent *entry)
{
	int64_t base_offset;

	return parse_name(entry->d_name, &base_offset) >= 0 && base_offset >= 0;
}

int64_t
dump_directory(struct dump *dump, const char *path)
{
	struct dirent **entries = NULL;
	char file[4096];
	int count = scandir(path, &entries, is_dumped, alphasort);
	int err = count < 0 ? -errno : 0;

	for (int i = 0; i < count; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (err == 0) {
			err = dump_path(dump, file);
		}
		free(entries[i]);
	}
	free(entries);
	return err ? err : count;
}
