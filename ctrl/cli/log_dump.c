/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `penstock log dump PATH`: reads segments without the daemon. A sealed segment is read to the length
 * in its seal; another one to the first bytes that are no record batch, and never past --max-bytes
 * (partition.describe's durable_position): bytes after it were never promised to anyone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ctrl/cli/cli.h"
#include "ctrl/schema/value.h"
#include "logstore/seal.h"
#include "wire/record_batch.h"

struct dump {
	bool records;
	bool quiet; /* verdicts only */
	uint64_t max_bytes;
	uint64_t batch_count;
	uint64_t record_count;
	uint64_t bad_count;
};

struct mapped {
	const uint8_t *bytes;
	size_t len;
};

static int
map_file(const char *path, struct mapped *ret_file)
{
	struct stat st;
	void *bytes;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0) {
		int err = -errno;

		if (fd >= 0) {
			close(fd);
		}
		return err;
	}
	ret_file->len = (size_t)st.st_size;
	ret_file->bytes = NULL;
	if (st.st_size > 0) {
		bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (bytes == MAP_FAILED) {
			close(fd);
			return -errno;
		}
		ret_file->bytes = bytes;
	}
	close(fd);
	return 0;
}

static void
unmap_file(struct mapped *file)
{
	if (file->bytes) {
		(void)munmap((void *)(uintptr_t)file->bytes, file->len);
	}
}

static void
print_bytes(const char *name, const uint8_t *bytes, int32_t len)
{
	printf(" %s: ", name);
	if (len < 0) {
		printf("null");
	}
	for (int32_t i = 0; i < len && i < 120; i++) {
		putchar(bytes[i] >= 0x20 && bytes[i] < 0x7f ? bytes[i] : '.');
	}
	printf("%s", len > 120 ? "..." : "");
}

static void
dump_records(const uint8_t *bytes, size_t len)
{
	struct record_iterator it;
	struct record_view record;
	int rc = record_iterator_init(&it, bytes, len);

	if (rc == -ENOTSUP) {
		printf("  | compressed\n");
		return;
	}
	while (rc == 0 && (rc = record_iterator_next(&it, &record)) == 1) {
		printf("  | offset: %" PRId64 " timestamp: %" PRId64, record.offset, record.timestamp_ms);
		print_bytes("key", record.key, record.key_len);
		print_bytes("value", record.value, record.value_len);
		printf("\n");
		rc = 0;
	}
	if (rc < 0) {
		printf("  | malformed record\n");
	}
}

/* One batch at position; its length, or 0 when there is none. */
static uint64_t
dump_batch(struct dump *dump, const uint8_t *bytes, uint64_t position, uint64_t limit)
{
	struct record_batch batch;
	uint64_t total;
	bool good;

	if (limit - position < RECORD_BATCH_HEADER_BYTES ||
		record_batch_decode(bytes + position, (size_t)(limit - position), &batch) != 0 ||
		batch.magic != RECORD_BATCH_MAGIC || batch.batch_length < RECORD_BATCH_LENGTH_MIN) {
		return 0;
	}
	total = record_batch_total_bytes(&batch);
	if (total > limit - position) {
		return 0;
	}
	good = record_batch_crc(bytes + position, (size_t)total) == batch.crc;
	dump->batch_count++;
	dump->record_count += (uint64_t)batch.record_count;
	dump->bad_count += !good;
	if (!dump->quiet) {
		printf("offset: %" PRId64 "..%" PRId64 " records: %d position: %" PRIu64 " bytes: %" PRIu64
		       " epoch: %d producer: %" PRId64 " producer epoch: %d sequence: %d..%d max timestamp: %" PRId64
		       " crc: %08x %s\n",
			batch.base_offset, batch.base_offset + batch.last_offset_delta, batch.record_count,
			position, total, batch.leader_epoch, batch.producer_id, batch.producer_epoch,
			batch.base_sequence,
			batch.base_sequence < 0 ? -1 : record_batch_last_sequence(&batch),
			batch.max_timestamp_ms, batch.crc, good ? "OK" : "FAIL");
	}
	if (good && dump->records) {
		dump_records(bytes + position, (size_t)total);
	}
	return good ? total : 0;
}

/* Length that the seal beside a segment proves; 0: no (good) seal. */
static uint64_t
sealed_bytes(const char *log_path)
{
	char path[4096];
	struct mapped file;
	struct seal seal;
	uint64_t bytes = 0;

	snprintf(path, sizeof(path), "%.*s.seal", (int)(strlen(log_path) - 4), log_path);
	if (map_file(path, &file) != 0) {
		return 0;
	}
	if (file.bytes && seal_parse(file.bytes, file.len, &seal) == 0) {
		bytes = seal.log_bytes;
	} else {
		printf("seal: FAIL %s is damaged\n", path);
	}
	unmap_file(&file);
	return bytes;
}

static int
dump_segment(struct dump *dump, const char *path)
{
	struct mapped file;
	uint64_t sealed = sealed_bytes(path);
	uint64_t bad_before = dump->bad_count;
	uint64_t position = 0;
	uint64_t limit;
	uint64_t step;
	int err = map_file(path, &file);

	if (err) {
		return cli_error(CLI_CHECK_NOT_MADE, "cannot read the segment", strerror(-err), path);
	}
	limit = sealed && sealed < file.len ? sealed : file.len;
	limit = dump->max_bytes < limit ? dump->max_bytes : limit;
	printf("%s: %s\n", path, sealed ? "sealed" : "active, or not sealed");
	while (position < limit && (step = dump_batch(dump, file.bytes, position, limit)) > 0) {
		position += step;
	}
	if (sealed && position < limit && dump->bad_count == bad_before) {
		dump->bad_count++;
	}
	printf("%s: %" PRIu64 " of %" PRIu64 " bytes hold record batches: %s\n", path, position, limit,
		dump->bad_count == bad_before ? "OK" : "FAIL");
	unmap_file(&file);
	return 0;
}

static int
is_log(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 4 && strcmp(entry->d_name + len - 4, ".log") == 0;
}

static int
dump_path(struct dump *dump, const char *path)
{
	struct dirent **entries;
	struct stat st;
	char file[4096];
	int err = 0;
	int count;

	if (stat(path, &st) != 0) {
		return cli_error(CLI_CHECK_NOT_MADE, "cannot read", strerror(errno), path);
	}
	if (!S_ISDIR(st.st_mode)) {
		return dump_segment(dump, path);
	}
	count = scandir(path, &entries, is_log, alphasort);
	if (count <= 0) {
		return cli_error(CLI_CHECK_NOT_MADE, "no segments here", path,
			"name a .log file, or a partition's directory");
	}
	for (int i = 0; i < count; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		err = err ? err : dump_segment(dump, file);
		free(entries[i]);
	}
	free(entries);
	return err;
}

int
log_main(const struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {{"records", no_argument, NULL, 'r'},
		{"max-bytes", required_argument, NULL, 'm'}, {NULL, 0, NULL, 0}};
	struct dump dump = {.max_bytes = UINT64_MAX, .quiet = cli->quiet};
	char records[32];
	int option;
	int err = 0;

	optind = 2;
	while (argc > 1 && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r') {
			dump.records = true;
		} else if (option != 'm' || value_parse_u64(optarg, &dump.max_bytes) != 0) {
			return cli_usage_error("penstock log dump [--records] [--max-bytes N] PATH ...");
		}
	}
	if (argc < 3 || strcmp(argv[1], "dump") != 0 || optind >= argc) {
		return cli_usage_error("penstock log dump [--records] [--max-bytes N] PATH ...");
	}
	for (; optind < argc && err == 0; optind++) {
		err = dump_path(&dump, argv[optind]);
	}
	printf("%" PRIu64 " batches, %s records, %" PRIu64 " bad\n", dump.batch_count,
		output_count(dump.record_count, records, sizeof(records)), dump.bad_count);
	return err ? err : dump.bad_count ? CLI_CHECK_FAILED : CLI_OK;
}
